//! What an answer may look like, token by token: tool calls that follow their schemas, JSON,
//! regular expressions.
//!
//! A [`Grammars`] belongs to a tokenizer and is built once. It compiles the [`AnswerRules`] of a
//! request into a [`Guide`], which follows the answer and says at each point which tokens may come
//! next. Reasoning is free, and so is text, until a tag of a tool block has begun; from there on, or
//! from the first token of an answer with a format, the crate `llguidance` decides. Its grammars are
//! text in a variant of Lark, put together in `tools`; JSON schemas are brought into a form it can
//! take in `schema`.
//!
//! Refuses: logits, and schemas that cannot be held to, except in tools that do not ask for
//! strictness: there the parts that can be held to are.

mod guide;
mod schema;
mod tools;
mod vocabulary;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{InferenceCapabilities, TokTrie};
use llguidance::{Matcher, ParserFactory};
use serde_json::{Value, json};

pub use guide::Guide;

use crate::error::{Error, Result};
use crate::tokenizer::{PromptTokens, Tokenizer};

/// Compiled grammars that are kept: an agent sends the same tools with every turn.
const MAX_KEPT: usize = 16;
/// Texts among which an answer may choose.
const MAX_CHOICES: usize = 4096;
/// Bytes of the schemas of a grammar that is kept.
const MAX_KEPT_BYTES: usize = 1 << 20;
/// States of a lexer, about 1.5 kB each.
const MAX_LEXER_STATES: usize = 50_000;

/// Where an answer begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AnswerStart {
    /// In its reasoning.
    Reasoning,
    /// In its text.
    #[default]
    Content,
    /// Behind the opening tag of a tool block that the prompt has written.
    ToolCalls,
}

/// What a request asks of its answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AnswerRules {
    /// Where the prompt ends.
    pub start: AnswerStart,
    /// Tools that may be called; `None` if a tool block is nothing but text.
    pub tools: Option<ToolRules>,
    /// The form of the visible answer.
    pub format: Option<AnswerFormat>,
}

impl AnswerRules {
    /// Bytes of what is large in them.
    fn n_bytes(&self) -> usize {
        let tools = self.tools.iter().flat_map(|tools| &tools.tools);
        let schemas: usize = tools.map(|tool| tool.parameters.to_string().len()).sum();
        schemas
            + match &self.format {
                None | Some(AnswerFormat::JsonObject) => 0,
                Some(AnswerFormat::JsonSchema { schema, .. }) => schema.to_string().len(),
                Some(AnswerFormat::Regex { pattern, .. }) => pattern.len(),
                Some(AnswerFormat::Choice { texts, .. }) => texts.iter().map(String::len).sum(),
            }
    }
}

/// How tools may be called.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ToolRules {
    /// The tools, at least one.
    pub tools: Vec<ToolRule>,
    /// Whether one has to be called.
    pub required: bool,
    /// Whether several calls may be made at once.
    pub several: bool,
}

/// A tool that may be called.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolRule {
    /// Its name.
    pub name: String,
    /// The JSON schema of its arguments, which are an object.
    pub parameters: Value,
    /// Whether a schema that cannot be held to is an error, rather than held to in part.
    pub strict: bool,
    /// Where the schema stands in the request, for errors.
    pub place: String,
}

/// The form of an answer's text.
#[derive(Debug, Clone, PartialEq)]
pub enum AnswerFormat {
    /// A JSON object.
    JsonObject,
    /// JSON that follows a schema.
    JsonSchema {
        /// The schema.
        schema: Value,
        /// Where it stands in the request, for errors.
        place: &'static str,
    },
    /// A text that a regular expression matches as a whole.
    Regex {
        /// The expression, in the syntax of Rust's `regex` crate.
        pattern: String,
        /// Where it stands in the request, for errors.
        place: &'static str,
    },
    /// One of some texts.
    Choice {
        /// The texts.
        texts: Vec<String>,
        /// Where they stand in the request, for errors.
        place: &'static str,
    },
}

/// A set of tokens as bits: token `i` is bit `i % 32` of word `i / 32`.
pub type TokenBits = Vec<u32>;

/// Everything about grammars that depends on the tokenizer alone, and the grammars used last.
pub struct Grammars {
    factory: ParserFactory,
    tokenizer: Arc<Tokenizer>,
    control: PromptTokens,
    /// All tokens but the one that ends an answer.
    all_but_eos: Arc<TokenBits>,
    /// The last rules and what they were compiled to; latest last.
    kept: Mutex<VecDeque<(AnswerRules, Compiled)>>,
}

/// What rules become.
#[derive(Clone)]
struct Compiled {
    /// Of all that follows the reasoning; `None` where that is free.
    whole: Option<Matcher>,
    /// Of a tool block behind its first control token; `None` without tools.
    in_block: Option<Matcher>,
}

impl Compiled {
    /// One for an answer of its own, which leaves no traces in the other.
    fn fresh(&self) -> Self {
        let fresh = |matcher: &Option<Matcher>| matcher.as_ref().map(Matcher::deep_clone);
        Self { whole: fresh(&self.whole), in_block: fresh(&self.in_block) }
    }
}

impl Grammars {
    /// Builds what is needed to compile grammars: less than a second for the published vocabulary.
    ///
    /// # Errors
    /// If the vocabulary lacks control tokens.
    pub fn new(tokenizer: Arc<Tokenizer>) -> Result<Self> {
        let control = tokenizer.prompt_tokens()?;
        let tokens = vocabulary::tokens(Arc::clone(&tokenizer), &control);
        let slices = llguidance::earley::SlicedBiasComputer::general_slices();
        let mut factory = ParserFactory::new(&tokens, InferenceCapabilities::default(), &slices)
            .map_err(|error| Error::Grammar { problem: error.to_string() })?;
        factory.quiet();
        factory.limits_mut().max_lexer_states = MAX_LEXER_STATES;
        factory.limits_mut().verbose_errors = false;
        let all_but_eos = Arc::new(bits_without(tokens.tok_trie(), control.eos));
        Ok(Self { factory, tokenizer, control, all_but_eos, kept: Mutex::default() })
    }

    /// Compiles the rules of a request; `None` if they leave everything open.
    ///
    /// # Errors
    /// If a schema or an expression cannot be held to; the error names its place in the request.
    pub fn guide(&self, rules: &AnswerRules) -> Result<Option<Guide>> {
        if rules.tools.is_none() && rules.format.is_none() {
            return Ok(None);
        }
        let mut compiled = self.kept(rules);
        if compiled.is_none() {
            let fresh = self.compile_rules(rules)?;
            if rules.n_bytes() <= MAX_KEPT_BYTES {
                self.keep(rules.clone(), fresh.fresh());
            }
            compiled = Some(fresh);
        }
        Ok(compiled.map(|compiled| Guide::new(self, rules.start, compiled)))
    }

    fn kept(&self, rules: &AnswerRules) -> Option<Compiled> {
        // Whoever panicked with it left whole entries.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let index = kept.iter().position(|(known, _)| known == rules)?;
        let entry = kept.remove(index)?;
        let compiled = entry.1.fresh();
        kept.push_back(entry);
        Some(compiled)
    }

    fn keep(&self, rules: AnswerRules, compiled: Compiled) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back((rules, compiled));
        if kept.len() > MAX_KEPT {
            kept.pop_front();
        }
    }

    fn compile_rules(&self, rules: &AnswerRules) -> Result<Compiled> {
        let format = rules.format.as_ref().map(|format| self.format(format)).transpose()?;
        let Some(tools) = &rules.tools else {
            return self.compile_with(rules, None, format.as_deref());
        };
        let calls = tools::calls(self, tools, false)?;
        match self.compile_with(rules, Some(&calls), format.as_deref()) {
            Err(Error::Rule { .. }) => {
                let calls = tools::calls(self, tools, true)?;
                self.compile_with(rules, Some(&calls), format.as_deref())
            }
            compiled => compiled,
        }
    }

    fn compile_with(
        &self,
        rules: &AnswerRules,
        calls: Option<&str>,
        format: Option<&str>,
    ) -> Result<Compiled> {
        let required = rules.tools.as_ref().is_some_and(|tools| tools.required);
        let dsml = self.control.dsml;
        let block = format!("block: \"\\n\\n<\" <[{dsml}]> \"tool_calls>\\n\" calls");
        let whole = match (calls, format) {
            (Some(calls), _) if rules.start == AnswerStart::ToolCalls => {
                Some(format!("start: calls\n{calls}"))
            }
            (Some(calls), _) if required => Some(format!("start: block\n{block}\n{calls}")),
            (Some(calls), Some(format)) => {
                Some(format!("start: block | format\n{block}\n{calls}\n{format}"))
            }
            (None, Some(format)) => Some(format!("start: format\n{format}")),
            _ => None,
        };
        let in_block = calls.map(|calls| format!("start: \"tool_calls>\\n\" calls\n{calls}"));
        let compile = |grammar: Option<String>| {
            grammar.map(|grammar| self.compile(grammar, "tools")).transpose()
        };
        Ok(Compiled { whole: compile(whole)?, in_block: compile(in_block)? })
    }

    /// The rule `format`, known to compile.
    fn format(&self, format: &AnswerFormat) -> Result<String> {
        let (rule, place) = match format {
            AnswerFormat::JsonObject => {
                let schema = schema::compact(json!({ "type": "object" }), false);
                (format!("format: %json {schema}\n"), "response format")
            }
            AnswerFormat::JsonSchema { schema, place } => {
                let schema = schema::compact(schema.clone(), false);
                (format!("format: %json {schema}\n"), *place)
            }
            AnswerFormat::Regex { pattern, place } => {
                let pattern = llguidance::regex_to_lark(pattern, "");
                (format!("format: FORMAT\nFORMAT: /{pattern}/\n"), *place)
            }
            AnswerFormat::Choice { texts, place } if texts.len() > MAX_CHOICES => {
                let problem = format!("it has more than {MAX_CHOICES} texts");
                return Err(Error::Rule { place: (*place).to_owned(), problem });
            }
            AnswerFormat::Choice { texts, place } => {
                let texts: Vec<String> = texts.iter().map(|text| tools::literal(text)).collect();
                (format!("format: {}\n", texts.join(" | ")), *place)
            }
        };
        self.compile(format!("start: format\n{rule}"), place)?;
        Ok(rule)
    }

    /// Compiles a grammar, and makes sure that something can be said in it.
    fn compile(&self, grammar: String, place: &str) -> Result<Matcher> {
        let rule = |problem: &str| Error::Rule {
            place: place.to_owned(),
            problem: first_sentence(problem),
        };
        let matcher = Matcher::new(self.factory.create_parser(TopLevelGrammar::from_lark(grammar)));
        if let Some(problem) = matcher.get_error() {
            return Err(rule(&problem));
        }
        let mut tried = matcher.deep_clone();
        tried.compute_mask_or_eos().map_err(|error| rule(&error.to_string()))?;
        Ok(matcher)
    }
}

impl fmt::Debug for Grammars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grammars").field("control", &self.control).finish_non_exhaustive()
    }
}

/// All tokens but one.
fn bits_without(tree: &TokTrie, token: u32) -> TokenBits {
    let mut bits = tree.alloc_token_set();
    bits.set_all(true);
    bits.disallow_token(token);
    bits.as_slice().to_vec()
}

/// What is wrong, without where in the grammar, which is ours.
fn first_sentence(problem: &str) -> String {
    if problem.starts_with("panic") {
        // The crate catches its own asserts, which guard the size of its tables.
        return "it is too large".to_owned();
    }
    problem.lines().next().unwrap_or_default().trim_end_matches(':').to_owned()
}
