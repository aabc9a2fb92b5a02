//! A turn: prefill a prompt, then sample until something ends the answer.
//!
//! Everything that happens is told through [`Event`]s as it happens; what it amounted to is in the
//! [`Turn`] at the end. Cancellation is looked at between prefill chunks and between tokens, and
//! leaves a session that can go on.
//!
//! Refuses: prompt rendering, terminals, more than one session at a time.

use std::time::Instant;

use chat::{OutputStart, StreamDecoder, Tokenizer};
use model::Inference;

use crate::cancel::CancelToken;
use crate::error::{Error, Result};
use crate::sampler::{SampleParams, Sampler};
use crate::session::{Evaluated, Session};
use crate::stop::StopStrings;

/// How an answer is made.
#[derive(Debug, Clone)]
pub struct GenerateOptions {
    /// How tokens are drawn.
    pub sampling: SampleParams,
    /// Texts that end the answer; they are not looked for in reasoning.
    pub stop: Vec<String>,
    /// Most tokens to generate, reasoning included.
    pub max_tokens: usize,
    /// Where the prompt leaves the model.
    pub start: OutputStart,
}

/// A part of what a model says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// What comes before `</think>`, where the prompt asked for it.
    Reasoning,
    /// The answer.
    Content,
}

/// Something that happened in a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// Prompt tokens are in KV.
    Prefill {
        /// How many.
        done: usize,
        /// Out of how many.
        total: usize,
    },
    /// New text, never empty. `</think>` itself is not part of it.
    Text {
        /// Whether it is reasoning or answer.
        section: Section,
        /// Whole characters.
        text: &'a str,
    },
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The model said so.
    EndOfTurn,
    /// A stop string appeared.
    StopString,
    /// It was as long as was asked for.
    MaxTokens,
    /// The session was full.
    ContextFull,
    /// The cancel token was raised.
    Cancelled,
}

/// What a turn cost.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Statistics {
    /// Tokens that prefill put into KV.
    pub prefill_tokens: usize,
    /// Time of prefill.
    pub prefill_seconds: f64,
    /// Tokens of the answer, without the one that ended it.
    pub generated_tokens: usize,
    /// Tokens that were run to get the answer: the first one comes from prefill.
    pub decode_steps: usize,
    /// Time from the end of prefill to the end of the answer.
    pub decode_seconds: f64,
    /// Weight bytes that each step of decode read.
    pub bytes_per_token: u64,
}

impl Statistics {
    /// Speed of prefill; `None` where nothing was run.
    pub fn prefill_tokens_per_second(&self) -> Option<f64> {
        (self.prefill_tokens > 0).then(|| self.prefill_tokens as f64 / self.prefill_seconds)
    }

    /// Speed of decode; `None` where nothing was run.
    pub fn decode_tokens_per_second(&self) -> Option<f64> {
        (self.decode_steps > 0).then(|| self.decode_steps as f64 / self.decode_seconds)
    }

    /// Weight bytes read by decode, in 10⁹ bytes per second.
    pub fn decode_gb_per_second(&self) -> Option<f64> {
        Some(self.decode_tokens_per_second()? * self.bytes_per_token as f64 / 1e9)
    }
}

/// A finished turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// The answer's tokens, without the one that ended it.
    pub tokens: Vec<u32>,
    /// Why it ended.
    pub reason: StopReason,
    /// What it cost.
    pub statistics: Statistics,
}

/// Appends `prompt` to the session and generates an answer.
///
/// Afterwards the session's timeline holds prompt and answer, without the token that ended it; the
/// answer's last token may wait to be run. A turn that was cancelled in prefill leaves the part of
/// the prompt that is in KV. A session that is kept on disk is saved behind the prompt and behind the
/// answer. After an error of the device the session is to be closed.
///
/// # Errors
/// If the prompt is empty, too long or not made of this model's tokens, an option is outside its
/// range, or the model fails.
pub fn generate(
    model: &mut dyn Inference,
    tokenizer: &Tokenizer,
    session: &mut Session,
    prompt: &[u32],
    options: &GenerateOptions,
    cancel: &CancelToken,
    on_event: &mut dyn FnMut(Event<'_>),
) -> Result<Turn> {
    let mut sampler = Sampler::new(options.sampling)?;
    let mut output = Output::new(tokenizer, options)?;
    check_room(session, prompt)?;
    session.append(prompt);
    let mut turn = Turn {
        tokens: Vec::new(),
        reason: StopReason::Cancelled,
        statistics: Statistics {
            bytes_per_token: model.active_bytes().total,
            ..Statistics::default()
        },
    };
    let mut logits = Vec::new();
    if prefill(model, session, cancel, &mut logits, &mut turn.statistics, on_event)?
        == Evaluated::Cancelled
    {
        session.end_turn(model);
        return Ok(turn);
    }
    // Rows that going on from here takes may be gone when the answer ends.
    session.save(model);
    let n_prompt = session.n_evaluated();
    let never = CancelToken::new();
    let start = Instant::now();
    turn.reason = loop {
        if cancel.is_cancelled() {
            break StopReason::Cancelled;
        }
        if turn.tokens.len() == options.max_tokens {
            break StopReason::MaxTokens;
        }
        if session.room() == 0 {
            break StopReason::ContextFull;
        }
        // The token before is run only now, when it is known that another one is wanted; and once
        // it was said, it stays in the timeline.
        session.evaluate(model, &never, &mut logits, &mut |_| {})?;
        let token = sampler.sample(&logits)?;
        if Some(token) == tokenizer.eos() {
            break StopReason::EndOfTurn;
        }
        session.append(&[token]);
        turn.tokens.push(token);
        if output.push(token, on_event) {
            break StopReason::StopString;
        }
    };
    output.finish(on_event);
    turn.statistics.decode_seconds = start.elapsed().as_secs_f64();
    turn.statistics.decode_steps = session.n_evaluated() - n_prompt;
    turn.statistics.generated_tokens = turn.tokens.len();
    session.end_turn(model);
    Ok(turn)
}

fn check_room(session: &Session, prompt: &[u32]) -> Result<()> {
    if prompt.is_empty() {
        return Err(Error::EmptyPrompt);
    }
    let room = session.room().saturating_sub(1);
    if prompt.len() > room {
        let (n_tokens, capacity) = (prompt.len(), session.capacity());
        return Err(Error::PromptTooLong { n_tokens, room, capacity });
    }
    Ok(())
}

fn prefill(
    model: &mut dyn Inference,
    session: &mut Session,
    cancel: &CancelToken,
    logits: &mut Vec<f32>,
    statistics: &mut Statistics,
    on_event: &mut dyn FnMut(Event<'_>),
) -> Result<Evaluated> {
    let start = Instant::now();
    let first = session.n_evaluated();
    let total = session.tokens().len() - first;
    on_event(Event::Prefill { done: 0, total });
    let evaluated = session
        .evaluate(model, cancel, logits, &mut |done| on_event(Event::Prefill { done, total }))?;
    statistics.prefill_tokens = session.n_evaluated() - first;
    statistics.prefill_seconds = start.elapsed().as_secs_f64();
    Ok(evaluated)
}

/// Tokens to text events.
struct Output<'a> {
    tokenizer: &'a Tokenizer,
    /// `</think>`, if the vocabulary has it.
    think_end: Option<u32>,
    section: Section,
    decoder: StreamDecoder,
    stop: StopStrings,
}

impl<'a> Output<'a> {
    fn new(tokenizer: &'a Tokenizer, options: &GenerateOptions) -> Result<Self> {
        Ok(Self {
            tokenizer,
            think_end: tokenizer.prompt_tokens().ok().map(|tokens| tokens.think_end),
            section: match options.start {
                OutputStart::Reasoning => Section::Reasoning,
                OutputStart::Content => Section::Content,
            },
            decoder: StreamDecoder::new(),
            stop: StopStrings::new(options.stop.clone())?,
        })
    }

    /// Takes a token and says whether a stop string has appeared.
    fn push(&mut self, token: u32, on_event: &mut dyn FnMut(Event<'_>)) -> bool {
        if self.section == Section::Reasoning && Some(token) == self.think_end {
            let rest = self.decoder.finish();
            self.emit(&rest, on_event);
            self.section = Section::Content;
            return false;
        }
        let text = self.decoder.push(self.tokenizer, token);
        self.emit(&text, on_event)
    }

    fn emit(&mut self, text: &str, on_event: &mut dyn FnMut(Event<'_>)) -> bool {
        let (visible, stopped) = match self.section {
            Section::Reasoning => (text.to_owned(), false),
            Section::Content => {
                let scan = self.stop.push(text);
                (scan.visible, scan.stopped)
            }
        };
        self.tell(&visible, on_event);
        stopped
    }

    /// Lets through what was held back.
    fn finish(&mut self, on_event: &mut dyn FnMut(Event<'_>)) {
        let rest = self.decoder.finish();
        self.emit(&rest, on_event);
        let held = self.stop.finish();
        self.tell(&held, on_event);
    }

    fn tell(&self, text: &str, on_event: &mut dyn FnMut(Event<'_>)) {
        if !text.is_empty() {
            on_event(Event::Text { section: self.section, text });
        }
    }
}

#[cfg(test)]
mod tests {
    use chat::Vocabulary;

    use super::*;

    /// A vocabulary of bytes, each with its own id, and the control tokens that prompts need.
    fn tokenizer() -> Tokenizer {
        const CONTROL: [&str; 7] = [
            "<｜begin▁of▁sentence｜>",
            "<｜end▁of▁sentence｜>",
            "<｜User｜>",
            "<｜Assistant｜>",
            "<think>",
            "</think>",
            "｜DSML｜",
        ];
        let mut shifted = (0x100..).filter_map(char::from_u32);
        let bytes = (0..=u8::MAX).map(|byte| match byte {
            33..=126 | 161..=172 | 174..=255 => char::from(byte),
            _ => shifted.next().expect("there are more characters than bytes"),
        });
        let tokens = bytes.map(String::from).chain(CONTROL.map(str::to_owned)).collect();
        let token_types = [vec![1; 256], vec![3; CONTROL.len()]].concat();
        let vocabulary = Vocabulary { tokens, token_types, ..Vocabulary::default() };
        Tokenizer::from_gguf_parts(vocabulary).expect("the vocabulary is whole")
    }

    #[test]
    fn the_end_of_reasoning_is_a_token_and_not_a_spelling() {
        const THINK_END: u32 = 261;
        let tokenizer = tokenizer();
        let check = |start, tokens: &[&[u32]], expected: &[(Section, &str)]| {
            let options = GenerateOptions {
                sampling: SampleParams::default(),
                stop: vec!["stop".to_owned()],
                max_tokens: 0,
                start,
            };
            let mut output = Output::new(&tokenizer, &options).expect("valid options");
            let mut found: Vec<(Section, String)> = Vec::new();
            let mut on_event = |event: Event<'_>| {
                let Event::Text { section, text } = event else { return };
                match found.last_mut().filter(|last| last.0 == section) {
                    Some(last) => last.1 += text,
                    None => found.push((section, text.to_owned())),
                }
            };
            let ended = tokens.concat().iter().any(|token| output.push(*token, &mut on_event));
            output.finish(&mut on_event);
            let found: Vec<_> =
                found.iter().map(|(section, text)| (*section, text.as_str())).collect();
            assert_eq!(found, expected);
            ended
        };
        let text = |text: &str| text.bytes().map(u32::from).collect::<Vec<_>>();
        let (reasoning, content) = (Section::Reasoning, Section::Content);
        let end: &[u32] = &[THINK_END];
        check(
            OutputStart::Reasoning,
            &[&text("why"), end, &text("so")],
            &[(reasoning, "why"), (content, "so")],
        );
        check(OutputStart::Reasoning, &[&text("a</think>b")], &[(reasoning, "a</think>b")]);
        // Reasoning may spell a stop string, and may end inside a character.
        let ended = check(
            OutputStart::Reasoning,
            &[&text("stop"), &[0xf0, 0x9f], end, &text("go stop on")],
            &[(reasoning, "stop\u{fffd}"), (content, "go ")],
        );
        assert!(ended);
        check(OutputStart::Content, &[&text("so"), end], &[(content, "so</think>")]);
        // What might have become a stop string is let through at the end.
        check(OutputStart::Content, &[&text("sto")], &[(content, "sto")]);
    }
}
