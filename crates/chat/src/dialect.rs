//! The two prompt formats of V4 Flash, and how hard the model is asked to think.
//!
//! They differ in one table: which reasoning effort puts which text behind BOS (prompt
//! specification section 12). Refuses: the V4.1 format.

use std::fmt;
use std::str::FromStr;

use deepseek_recipe_core::conversation::ReasoningEffort;

use crate::error::{Error, Result};

/// A prompt format, named after the checkpoint that was trained with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Dialect {
    /// The July-31 refresh of V4 Flash.
    #[default]
    V4_0731,
    /// The first weights of April.
    V4Preview,
}

impl Dialect {
    /// Chooses the dialect from what a model file says about itself: its name, and any further
    /// text that may carry the version (`general.version`, the file name). The first text that
    /// mentions a checkpoint decides; without any, it is 0731.
    pub fn detect(model_name: Option<&str>, hint: Option<&str>) -> Self {
        [model_name, hint].into_iter().flatten().find_map(Self::mentioned_in).unwrap_or_default()
    }

    fn mentioned_in(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        if text.contains("0731") {
            Some(Self::V4_0731)
        } else if text.contains("preview") {
            Some(Self::V4Preview)
        } else {
            None
        }
    }

    /// The efforts this dialect has, as words.
    pub fn efforts(self) -> &'static str {
        match self {
            Self::V4_0731 => "low, high and max",
            Self::V4Preview => "high and max",
        }
    }

    /// The effort under which the vendor's 0731 renderer writes this dialect's prefix.
    ///
    /// The preview's `high` has no prefix, as has 0731's `low`; its `max` has the text that 0731
    /// calls `high`.
    pub(crate) fn rendered_effort(self, effort: Effort) -> Result<ReasoningEffort> {
        match (self, effort) {
            (Self::V4_0731, Effort::Low) | (Self::V4Preview, Effort::High) => {
                Ok(ReasoningEffort::Low)
            }
            (Self::V4_0731, Effort::High) | (Self::V4Preview, Effort::Max) => {
                Ok(ReasoningEffort::High)
            }
            (Self::V4_0731, Effort::Max) => Ok(ReasoningEffort::Max),
            (Self::V4Preview, Effort::Low) => Err(Error::UnknownEffort { dialect: self, effort }),
        }
    }
}

/// Written as the command line takes it: `0731` or `preview`.
impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4_0731 => "0731",
            Self::V4Preview => "preview",
        })
    }
}

impl FromStr for Dialect {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "0731" => Ok(Self::V4_0731),
            "preview" => Ok(Self::V4Preview),
            _ => Err(Error::UnknownName {
                kind: "prompt format",
                found: name.to_owned(),
                expected: "0731 or preview",
            }),
        }
    }
}

/// How hard the model is asked to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Effort {
    /// No prefix; 0731 only.
    Low,
    /// The vendor's default.
    #[default]
    High,
    /// The longest reasoning.
    Max,
}

impl From<ReasoningEffort> for Effort {
    /// `xhigh` counts as high, as in the vendor's renderer.
    fn from(effort: ReasoningEffort) -> Self {
        match effort {
            ReasoningEffort::Low => Self::Low,
            ReasoningEffort::High | ReasoningEffort::Xhigh => Self::High,
            ReasoningEffort::Max => Self::Max,
        }
    }
}

impl From<Effort> for ReasoningEffort {
    fn from(effort: Effort) -> Self {
        match effort {
            Effort::Low => Self::Low,
            Effort::High => Self::High,
            Effort::Max => Self::Max,
        }
    }
}

impl fmt::Display for Effort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "low",
            Self::High => "high",
            Self::Max => "max",
        })
    }
}

impl FromStr for Effort {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "low" => Ok(Self::Low),
            "high" => Ok(Self::High),
            "max" => Ok(Self::Max),
            _ => Err(Error::UnknownName {
                kind: "reasoning effort",
                found: name.to_owned(),
                expected: "low, high or max",
            }),
        }
    }
}

/// Whether the model reasons before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Thinking {
    /// It answers at once.
    Off,
    /// It reasons first.
    On(Effort),
}

/// On, with high effort: the vendor's default.
impl Default for Thinking {
    fn default() -> Self {
        Self::On(Effort::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dialect_follows_the_first_text_that_names_a_checkpoint() {
        let check = |name, hint, expected| assert_eq!(Dialect::detect(name, hint), expected);
        check(None, None, Dialect::V4_0731);
        check(Some("DeepSeek V4 Flash"), None, Dialect::V4_0731);
        check(Some("DeepSeek-V4-Flash-0731"), None, Dialect::V4_0731);
        check(Some("DeepSeek-V4-Flash-Preview"), None, Dialect::V4Preview);
        check(Some("DeepSeek V4 Flash"), Some("v4-flash-preview-q2.gguf"), Dialect::V4Preview);
        check(Some("V4 Flash 0731"), Some("preview"), Dialect::V4_0731);
    }

    #[test]
    fn names_round_trip() {
        for dialect in [Dialect::V4_0731, Dialect::V4Preview] {
            assert_eq!(dialect.to_string().parse::<Dialect>().expect("its own name"), dialect);
        }
        for effort in [Effort::Low, Effort::High, Effort::Max] {
            assert_eq!(effort.to_string().parse::<Effort>().expect("its own name"), effort);
        }
        let error = "v4.1".parse::<Dialect>().expect_err("no such format");
        assert_eq!(error.to_string(), "`v4.1` is not a prompt format; use 0731 or preview");
        assert!("medium".parse::<Effort>().is_err());
    }
}
