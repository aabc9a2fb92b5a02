//! The grammar of a tool block.
//!
//! The markup is that of the prompt's own examples (prompt specification section 5), the same in
//! both dialects. Its control token is one token in the grammar too, so text that spells it never
//! closes a parameter. Parameters come in any order and none twice: a rule carries a bit for each
//! that has been written (`llguidance`'s parametric rules), and the call may be closed once the bits
//! of all required ones are set.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::schema::{ParameterValue, Parameters, Text, compact};
use super::{Grammars, ToolRule, ToolRules};
use crate::error::{Error, Result};

/// Parameters of one tool that are told apart; rules carry 64 bits.
const MAX_BITS: usize = 64;
/// Names of parameters that a schema leaves open.
const NAME: &str = r#"/[^\x00-\x20"\\\x7F]{1,64}/"#;

/// A text as a literal of the grammar.
pub(super) fn literal(text: &str) -> String {
    Value::from(text).to_string()
}

/// The rule `calls` with all that it needs: one call or more, and the end of the block.
///
/// With `careful`, each schema is tried alone, and of one that cannot be held to only the type
/// remains.
///
/// # Errors
/// If the schema of a strict tool cannot be held to.
pub(super) fn calls(grammars: &Grammars, rules: &ToolRules, careful: bool) -> Result<String> {
    let dsml = format!("<[{}]>", grammars.control.dsml);
    let names: Vec<String> = (0..rules.tools.len()).map(|i| format!("tool_{i}")).collect();
    let repeat = if rules.several { "+" } else { "" };
    let mut text = format!(
        "calls: call{repeat} \"</\" {dsml} \"tool_calls>\"\n\
         call: {}\n\
         TEXT: /(?s:.*)<\\//\n",
        names.join(" | "),
    );
    for (tool, name) in rules.tools.iter().zip(names) {
        let writer = ToolWriter {
            grammars,
            tool,
            careful,
            rule: name,
            dsml: &dsml,
            rules: String::new(),
            definitions: String::new(),
            n_json: 0,
        };
        text += &writer.write()?;
    }
    Ok(text)
}

/// Writes the rules of one tool.
struct ToolWriter<'a> {
    grammars: &'a Grammars,
    tool: &'a ToolRule,
    careful: bool,
    /// The name of its rule.
    rule: String,
    /// The control token.
    dsml: &'a str,
    rules: String,
    /// Rules of values, which come behind.
    definitions: String,
    n_json: usize,
}

impl ToolWriter<'_> {
    fn line(&mut self, line: &str) {
        writeln!(self.rules, "{line}").expect("strings take everything");
    }

    fn define(&mut self, line: &str) {
        writeln!(self.definitions, "{line}").expect("strings take everything");
    }

    fn write(mut self) -> Result<String> {
        let mut parameters = Parameters::of(&self.tool.parameters);
        self.check(&parameters)?;
        // Required ones first: then one range of bits says whether all are there.
        parameters.named.sort_by_key(|parameter| !parameter.required);
        let n_required = parameters.named.iter().filter(|p| p.required).count();
        let counted = (1..=MAX_BITS).contains(&parameters.named.len());
        let (rule, dsml) = (self.rule.clone(), self.dsml);
        let open = literal(&format!("invoke name=\"{}\">\n", self.tool.name));
        let (first, head, same) = if counted {
            (format!("{rule}_rest::0x0"), format!("{rule}_rest::_"), format!("{rule}_rest::_"))
        } else {
            (format!("{rule}_rest"), format!("{rule}_rest"), format!("{rule}_rest"))
        };
        let complete = match n_required {
            n if counted && n > 0 => format!(" %if is_ones([0:{n}])"),
            _ => String::new(),
        };
        self.line(&format!("{rule}: \"<\" {dsml} {open} {first}"));
        self.line(&format!("{head}: \"</\" {dsml} \"invoke>\\n\"{complete}"));
        for (bit, named) in parameters.named.iter().enumerate() {
            let (next, condition) = if counted {
                (format!("{rule}_rest::set_bit({bit})"), format!(" %if bit_clear({bit})"))
            } else {
                (same.clone(), String::new())
            };
            for (is_string, value) in self.values(&named.value)? {
                let name = &named.name;
                let open = literal(&format!("parameter name=\"{name}\" string=\"{is_string}\">"));
                self.parameter(&open, &value, &next, &condition);
            }
        }
        if let Some(others) = &parameters.others {
            let name = self.other_name(&parameters);
            for (is_string, value) in self.values(others)? {
                let end = literal(&format!("\" string=\"{is_string}\">"));
                let open = format!("\"parameter name=\\\"\" {name} {end}");
                self.parameter(&open, &value, &same, "");
            }
        }
        Ok(self.rules + &self.definitions)
    }

    /// Refuses what a strict tool asks for in vain. Others go without.
    fn check(&self, parameters: &Parameters) -> Result<()> {
        let problem = match parameters.unwritable.first() {
            Some(name) => format!("a call cannot write a parameter of the name {name:?}"),
            None if parameters.is_large => "it has too many parameters or references".to_owned(),
            None => return Ok(()),
        };
        let place = self.tool.place.clone();
        if self.tool.strict { Err(Error::Rule { place, problem }) } else { Ok(()) }
    }

    fn parameter(&mut self, open: &str, value: &str, next: &str, condition: &str) {
        let dsml = self.dsml;
        self.line(&format!(
            "  | \"<\" {dsml} {open} {value} {dsml} \"parameter>\\n\" {next}{condition}"
        ));
    }

    /// The terminal of names that the schema does not mention.
    fn other_name(&mut self, parameters: &Parameters) -> String {
        let name = self.rule.to_uppercase() + "_NAME";
        let taken: Vec<String> =
            parameters.named.iter().map(|parameter| literal(&parameter.name)).collect();
        if taken.is_empty() {
            self.define(&format!("{name}: {NAME}"));
        } else {
            self.define(&format!("{name}: {NAME} & ~({})", taken.join(" | ")));
        }
        name
    }

    /// The ways to write a value: what `string` says, and the value with the `</` of its closing
    /// tag.
    fn values(&mut self, value: &ParameterValue) -> Result<Vec<(bool, String)>> {
        let mut ways = Vec::new();
        match &value.text {
            Some(Text::Free) => ways.push((true, "TEXT".to_owned())),
            Some(Text::OneOf(texts)) => {
                let texts: Vec<String> =
                    texts.iter().map(|text| literal(&format!("{text}</"))).collect();
                ways.push((true, format!("({})", texts.join(" | "))));
            }
            None => {}
        }
        if let Some(schema) = &value.json {
            let rule = format!("{}_json_{}", self.rule, self.n_json);
            self.n_json += 1;
            let schema = self.checked(schema)?;
            self.define(&format!("{rule}: %json {schema}"));
            ways.push((false, format!("{rule} \"</\"")));
        }
        Ok(ways)
    }

    fn checked(&self, schema: &Value) -> Result<Value> {
        let written = compact(schema.clone(), !self.tool.strict);
        if !self.careful {
            return Ok(written);
        }
        let tried = self.grammars.compile(format!("start: %json {written}"), &self.tool.place);
        match tried {
            Ok(_) => Ok(written),
            Err(error) if self.tool.strict => Err(error),
            Err(Error::Rule { .. }) => {
                let kind = schema.get("type").cloned();
                let loose = kind.map_or_else(|| json!({}), |kind| json!({ "type": kind }));
                Ok(compact(loose, true))
            }
            Err(error) => Err(error),
        }
    }
}
