//! A model's finished output to reasoning, content and tool calls.
//!
//! The parser is the vendor's (`deepseek-recipe`), and it is lenient: what does not parse as
//! markup is content, and nothing a model writes is an error.
//!
//! Refuses: running tools, and checking arguments against schemas.

use std::sync::Arc;

use deepseek_recipe::stream::{
    ChunkGenerator, InferenceChunk, InferenceFinishReason, OutputChunk, ParsingOptions,
    StreamProcessor, ThinkingInitialStage,
};
use futures::executor::block_on_stream;
use futures::stream;

use crate::error::{Error, Result};
use crate::tokenizer::Tokenizer;

/// What a model said in one turn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// Reasoning, without its brackets.
    pub reasoning: String,
    /// The answer.
    pub content: String,
    /// Tool calls, in the order they were written.
    pub tool_calls: Vec<ToolCall>,
}

/// A tool call as the model wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolCall {
    /// The tool's name.
    pub name: String,
    /// A JSON object; not valid JSON when the model wrote a parameter that is not.
    pub arguments: String,
}

/// Where the prompt left the model: in its reasoning or in its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputStart {
    /// The prompt ended in `<think>`.
    Reasoning,
    /// The prompt ended in `</think>`.
    Content,
}

/// Parses output tokens, without the EOS that ended them. Markup is recognised only where the
/// model produced its control tokens.
///
/// # Errors
/// If an id is outside the vocabulary.
pub fn parse_tokens(tokenizer: &Arc<Tokenizer>, ids: &[u32], start: OutputStart) -> Result<Output> {
    // One by one: of tokens that come together, all are lost if the last one ends in a character.
    let tokens = |&id: &u32| InferenceChunk::Tokens { token_ids: vec![id], logprobs: None };
    parse(processor(start).with_tokenizer(Arc::clone(tokenizer)), ids.iter().map(tokens))
}

/// Parses output text, without the EOS that ended it. Text does not tell control tokens from
/// their spelling, so prefer [`parse_tokens`] for what a model has just generated.
///
/// # Errors
/// None that text can cause.
pub fn parse_text(text: &str, start: OutputStart) -> Result<Output> {
    let text = InferenceChunk::Text { content: text.to_owned(), token_count: 0 };
    parse(processor(start), [text])
}

fn processor(start: OutputStart) -> StreamProcessor<Collector> {
    let thinking_initial_stage =
        (start == OutputStart::Reasoning).then_some(ThinkingInitialStage::ReasoningStart);
    StreamProcessor::new(Collector, ParsingOptions { thinking_initial_stage, ..Default::default() })
}

fn parse(
    processor: StreamProcessor<Collector>,
    output: impl IntoIterator<Item = InferenceChunk, IntoIter: Send>,
) -> Result<Output> {
    let finish = InferenceChunk::Finish { finish_reason: InferenceFinishReason::Stop };
    let chunks = processor.into_protocol_stream(stream::iter(output.into_iter().chain([finish])));
    let mut parsed = Output::default();
    for chunk in block_on_stream(Box::pin(chunks)) {
        parsed.extend(chunk.map_err(|source| Error::ParseOutput { source })?);
    }
    Ok(parsed)
}

impl Output {
    fn extend(&mut self, chunk: OutputChunk) {
        match chunk {
            OutputChunk::Reasoning { content, .. } => self.reasoning += &content,
            OutputChunk::Content { content, .. } => self.content += &content,
            OutputChunk::ToolCallNamed { tool_name } => {
                self.tool_calls.push(ToolCall { name: tool_name, arguments: String::new() });
            }
            OutputChunk::ToolCallArgumentsDelta { arguments } => {
                if let Some(call) = self.tool_calls.last_mut() {
                    call.arguments += &arguments;
                }
            }
            OutputChunk::Start { .. } | OutputChunk::ToolCallBegin | OutputChunk::Finish { .. } => {
            }
        }
    }
}

/// Hands the parser's chunks through.
struct Collector;

impl ChunkGenerator for Collector {
    type Chunk = OutputChunk;

    async fn generate(&mut self, chunk: OutputChunk) -> Vec<OutputChunk> {
        vec![chunk]
    }
}
