//! Conversations to prompts, exactly as the model was trained.
//!
//! The text is DeepSeek's own: rendering is done by `deepseek-recipe-encoding`, which marks the
//! control tokens it writes. A [`Prompt`] keeps these marks, so that only the template makes
//! control tokens and everything else is tokenized with none recognised.
//!
//! Plain text, whatever it spells: system and user messages, tool results, tool names,
//! descriptions and schemas, tool call names and arguments, response formats, reminders.
//! One exception, the vendor's: the eight grounding tokens (`<｜ref｜>`, `<｜box｜>`,
//! `<｜point｜>`, `<｜polygon｜>` and their closers) are recognised in the content and reasoning of
//! assistant messages, because a model may have written them; they open or close no turn.
//!
//! Refuses: parsing HTTP bodies (`request`), and inventing a template of our own.

use std::collections::HashMap;
use std::ops::Range;

use deepseek_recipe_core::conversation::Conversation;
use deepseek_recipe_core::messages::InputMessage;
use deepseek_recipe_core::special_tokens::SpecialToken;
use deepseek_recipe_encoding::PromptEncoding;
use deepseek_recipe_encoding::dsv4::DeepseekV4Encoding;

use crate::dialect::{Dialect, Effort, Thinking};
use crate::error::{Error, Result};
use crate::tokenizer::Tokenizer;

/// Stands in front of every answer, whether there was reasoning or not.
const THINK_END: &str = "</think>";

/// A rendered prompt: its text, and which parts of the text are control tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    text: String,
    /// Ascending and disjoint byte ranges of `text`.
    control_ranges: Vec<Range<usize>>,
}

/// A part of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segment<'a> {
    /// The spelling of one control token.
    Control(&'a str),
    /// Text in which nothing is special.
    Text(&'a str),
}

/// What [`Prompt::encode_with`] asks: the tokens of a turn, if they are known.
pub type KnownTurn<'a> = dyn FnMut(&[u32], u32) -> Option<Vec<u32>> + 'a;

impl Prompt {
    /// The prompt as one text, in which control tokens cannot be told from text that spells them.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The prompt in parts, in order; texts are not empty.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        let starts = std::iter::once(0).chain(self.control_ranges.iter().map(|range| range.end));
        let controls = self.control_ranges.iter().cloned().map(Some).chain([None]);
        starts.zip(controls).flat_map(|(start, control)| {
            let end = control.as_ref().map_or(self.text.len(), |range| range.start);
            let text = Some(&self.text[start..end]).filter(|text| !text.is_empty());
            let control = control.map(|range| Segment::Control(&self.text[range]));
            text.map(Segment::Text).into_iter().chain(control)
        })
    }

    /// The token ids of the prompt.
    ///
    /// # Errors
    /// If the vocabulary lacks a control token that the prompt uses.
    pub fn encode(&self, tokenizer: &Tokenizer) -> Result<Vec<u32>> {
        self.encode_with(tokenizer, &mut |_, _| None)
    }

    /// The token ids of the prompt, with other ones for assistant turns of its history.
    ///
    /// For each finished turn, in order, `turn` gets the tokens up to and including its
    /// `<｜Assistant｜>` and the token that follows, which opens or leaves out its reasoning. It may
    /// return tokens to stand for everything from there to the end of the turn.
    ///
    /// # Errors
    /// If the vocabulary lacks a control token that the prompt uses.
    pub fn encode_with(&self, tokenizer: &Tokenizer, turn: &mut KnownTurn<'_>) -> Result<Vec<u32>> {
        let is = |segment: Segment<'_>, token: SpecialToken| match segment {
            Segment::Control(text) => text == token.default_str(),
            Segment::Text(_) => false,
        };
        let segments: Vec<Segment<'_>> = self.segments().collect();
        let mut ids = Vec::new();
        let mut rest = segments.as_slice();
        while let [segment, after @ ..] = rest {
            rest = after;
            match *segment {
                Segment::Text(text) => tokenizer.extend_plain(&mut ids, text),
                Segment::Control(text) => ids.push(control(tokenizer, text)?),
            }
            if is(*segment, SpecialToken::Assistant)
                && let Some(end) = rest.iter().position(|&other| is(other, SpecialToken::Eos))
                && let Some(Segment::Control(opener)) = rest.first()
                && let Some(tokens) = turn(&ids, control(tokenizer, opener)?)
            {
                ids.extend(tokens);
                rest = &rest[end..];
            }
        }
        Ok(ids)
    }

    /// The token ids of the prompt, where `answers` says with which ids the model itself wrote an
    /// answer that is now part of it. A text has many spellings in tokens, and the KV of a
    /// conversation goes on only behind the one that is in it.
    ///
    /// # Errors
    /// As [`Prompt::encode`].
    pub fn encode_recalling(
        &self,
        tokenizer: &Tokenizer,
        answers: &HashMap<&str, &[u32]>,
    ) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        let mut before = "";
        for segment in self.segments() {
            match segment {
                Segment::Text(text) => match answers.get(text) {
                    Some(known) if before == THINK_END => ids.extend_from_slice(known),
                    _ => tokenizer.extend_plain(&mut ids, text),
                },
                Segment::Control(token) => {
                    ids.push(control(tokenizer, token)?);
                    before = token;
                }
            }
        }
        Ok(ids)
    }
}

/// The id of a control token.
fn control(tokenizer: &Tokenizer, text: &str) -> Result<u32> {
    let missing = || Error::MissingControlTokens { missing: vec![text.to_owned()] };
    tokenizer.control_token(text).ok_or_else(missing)
}

/// Renders a conversation, up to where the model's answer begins.
///
/// # Errors
/// If the dialect does not have the conversation's reasoning effort.
pub fn render(dialect: Dialect, conversation: &Conversation) -> Result<Prompt> {
    let effort = conversation.reasoning_effort.map_or_else(Effort::default, Effort::from);
    let reasoning_effort = Some(dialect.rendered_effort(effort)?);
    let conversation = Conversation { reasoning_effort, ..conversation.clone() };
    let rendered = DeepseekV4Encoding::new().render_conversation(&conversation);
    Ok(Prompt { text: rendered.prompt, control_ranges: rendered.special_ranges })
}

/// A question and what the model said to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange<'a> {
    /// What the user said.
    pub user: &'a str,
    /// How the model reasoned; empty if it did not.
    pub reasoning: &'a str,
    /// What it answered.
    pub answer: &'a str,
}

/// Renders one question with an optional system text in front of it.
///
/// # Errors
/// If the dialect does not have the reasoning effort.
pub fn render_chat(
    dialect: Dialect,
    system: Option<&str>,
    user: &str,
    thinking: Thinking,
) -> Result<Prompt> {
    render_dialogue(dialect, system, &[], user, thinking)
}

/// Renders a question behind what was said before, with an optional system text in front.
///
/// # Errors
/// If the dialect does not have the reasoning effort.
pub fn render_dialogue(
    dialect: Dialect,
    system: Option<&str>,
    past: &[Exchange<'_>],
    user: &str,
    thinking: Thinking,
) -> Result<Prompt> {
    let system = system.map(|text| InputMessage::System {
        content: deepseek_recipe_core::prompt::Prompt::plain(text),
        image_sources: Vec::new(),
        tools: None,
    });
    let past = past.iter().flat_map(|exchange| [user_message(exchange.user), answer(exchange)]);
    let (thinking_mode, reasoning_effort) = match thinking {
        Thinking::Off => (false, None),
        Thinking::On(effort) => (true, Some(effort.into())),
    };
    let conversation = Conversation {
        messages: system.into_iter().chain(past).chain([user_message(user)]).collect(),
        thinking_mode,
        reasoning_effort,
        ..Conversation::default()
    };
    render(dialect, &conversation)
}

fn user_message(text: &str) -> InputMessage {
    InputMessage::User {
        content: deepseek_recipe_core::prompt::Prompt::plain(text),
        image_sources: Vec::new(),
    }
}

fn answer(exchange: &Exchange<'_>) -> InputMessage {
    let reasoning = Some(exchange.reasoning).filter(|text| !text.is_empty());
    InputMessage::Assistant {
        content: exchange.answer.to_owned(),
        reasoning_content: reasoning.map(str::to_owned),
        tool_calls: None,
        prefix: false,
    }
}
