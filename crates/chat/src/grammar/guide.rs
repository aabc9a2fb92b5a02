//! A grammar that follows an answer.

use std::fmt;
use std::sync::Arc;

use llguidance::Matcher;

use super::{AnswerStart, Compiled, Grammars, TokenBits, first_sentence};
use crate::error::{Error, Result};
use crate::tokenizer::{PromptTokens, Tokenizer};

/// Follows an answer and says which tokens may come next.
pub struct Guide {
    tokenizer: Arc<Tokenizer>,
    control: PromptTokens,
    all_but_eos: Arc<TokenBits>,
    stage: Stage,
    /// Of all that follows the reasoning, until that begins; `None` where it is free.
    whole: Option<Matcher>,
    /// Of a tool block behind its first `<｜DSML｜`, until it begins; `None` without tools.
    in_block: Option<Matcher>,
    /// Whether the last token ended in the `<` that opens a tag.
    after_angle: bool,
}

enum Stage {
    Reasoning,
    Text,
    Ruled(Box<Matcher>),
}

impl Stage {
    fn behind_reasoning(whole: Option<Matcher>) -> Self {
        whole.map_or(Self::Text, |matcher| Self::Ruled(Box::new(matcher)))
    }
}

impl Guide {
    pub(super) fn new(grammars: &Grammars, start: AnswerStart, compiled: Compiled) -> Self {
        let Compiled { mut whole, in_block } = compiled;
        let stage = match start {
            AnswerStart::Reasoning => Stage::Reasoning,
            _ => Stage::behind_reasoning(whole.take()),
        };
        Self {
            tokenizer: Arc::clone(&grammars.tokenizer),
            control: grammars.control,
            all_but_eos: Arc::clone(&grammars.all_but_eos),
            stage,
            whole,
            in_block,
            after_angle: false,
        }
    }

    /// Tokens that may come next, the one that ends the answer among them if it may; `None` if
    /// all may.
    ///
    /// # Errors
    /// If nothing may follow, or the grammar is too large to be followed.
    pub fn allowed(&mut self) -> Result<Option<TokenBits>> {
        match &mut self.stage {
            // What has to come after the reasoning would not.
            Stage::Reasoning if self.whole.is_some() => Ok(Some(self.all_but_eos.to_vec())),
            Stage::Reasoning | Stage::Text => Ok(None),
            Stage::Ruled(matcher) => {
                let bits = matcher.compute_mask_or_eos().map_err(|error| Error::Grammar {
                    problem: first_sentence(&error.to_string()),
                })?;
                Ok(Some(bits.as_slice().to_vec()))
            }
        }
    }

    /// Hears the token that was taken.
    ///
    /// # Errors
    /// If it was not allowed.
    pub fn accept(&mut self, token: u32) -> Result<()> {
        if let Stage::Ruled(matcher) = &mut self.stage {
            return matcher
                .consume_token(token)
                .map_err(|error| Error::Grammar { problem: first_sentence(&error.to_string()) });
        }
        let opens_block = token == self.control.dsml && self.after_angle;
        self.after_angle = self.tokenizer.token_bytes(token).ends_with(b"<");
        if opens_block && let Some(matcher) = self.in_block.take() {
            self.stage = Stage::Ruled(Box::new(matcher));
        } else if matches!(self.stage, Stage::Reasoning) && token == self.control.think_end {
            self.stage = Stage::behind_reasoning(self.whole.take());
        }
        Ok(())
    }

    /// Whether the answer may end here.
    pub fn may_end(&mut self) -> bool {
        match &mut self.stage {
            Stage::Reasoning => self.whole.is_none(),
            Stage::Text => true,
            Stage::Ruled(matcher) => matcher.is_accepting().unwrap_or(false),
        }
    }
}

impl fmt::Debug for Guide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match &self.stage {
            Stage::Reasoning => "reasoning",
            Stage::Text => "text",
            Stage::Ruled(_) => "ruled",
        };
        f.debug_struct("Guide").field("stage", &stage).finish_non_exhaustive()
    }
}
