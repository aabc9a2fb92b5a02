//! Request bodies of the three chat APIs to prompts and sampling parameters.
//!
//! Conversion and validation are the vendor's (`deepseek-recipe`); the defaults are therefore the
//! hosted service's: thinking on, effort high, and a temperature of 1 whenever the model thinks.
//! Any model name is accepted, and web-search tools are dropped in all three APIs.
//!
//! Refuses: HTTP, streaming, and anything about how an answer is made.

use std::fmt;
use std::str::FromStr;

use deepseek_recipe::anthropic::MessagesRequest;
use deepseek_recipe::openai::{ChatCompletionRequest, ResponsesRequest};
use deepseek_recipe::request::{
    ConversationRequest, ConversionOptions, ModelVersion, ProtocolRequest, WebSearchBehavior,
};
use deepseek_recipe_core::conversation::{Conversation, ReasoningEffort};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::prepare::prepare_request;
use crate::prompt::{Prompt, render};
use crate::tokenizer::Tokenizer;
use crate::wishes::convert_with_rules;

/// The largest limit of tokens that a client may name. Longer than any context: the context is what
/// bounds an answer, and clients name what they like.
const MOST_TOKENS: u32 = i32::MAX as u32;

/// A chat API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Api {
    /// OpenAI Chat Completions.
    Chat,
    /// Anthropic Messages.
    Messages,
    /// OpenAI Responses.
    Responses,
}

/// Written as the command line takes it: `chat`, `messages` or `responses`.
impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chat => "chat",
            Self::Messages => "messages",
            Self::Responses => "responses",
        })
    }
}

impl FromStr for Api {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "chat" => Ok(Self::Chat),
            "messages" => Ok(Self::Messages),
            "responses" => Ok(Self::Responses),
            _ => Err(Error::UnknownName {
                kind: "chat API",
                found: name.to_owned(),
                expected: "chat, messages or responses",
            }),
        }
    }
}

/// A request as the model sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RenderedRequest {
    /// The prompt as one text.
    pub prompt: String,
    /// The prompt's token ids.
    pub tokens: Vec<u32>,
    /// How the answer is to be sampled.
    pub sampling: Sampling,
}

/// The resolved sampling parameters of a request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sampling {
    /// Divides the logits; 1 whenever the model thinks.
    pub temperature: f32,
    /// Probability mass that is sampled from.
    pub top_p: f32,
    /// Most tokens to generate, reasoning included, before the context's limit is considered.
    pub max_tokens: u32,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// Seed of the random numbers, if the client fixed one.
    pub seed: Option<u64>,
    /// Number of alternatives to report with each token's log probability, if any are wanted.
    pub top_logprobs: Option<u8>,
}

impl Sampling {
    fn of(request: &ConversationRequest) -> Result<Self> {
        let options = &request.inference_options;
        Ok(Self {
            temperature: options.temperature.unwrap_or(1.0),
            top_p: options.top_p.unwrap_or(1.0),
            max_tokens: request
                .resolve_max_tokens(0, u32::MAX)
                .map_err(|source| Error::Request { source })?,
            stop: request.parsing_options.stop_sequences.clone(),
            seed: options.seed,
            top_logprobs: options.logprobs.then(|| options.top_logprobs.unwrap_or(0)),
        })
    }
}

/// Converts a request body into the vendor's form of a conversation with its settings.
///
/// # Errors
/// If the body is not JSON of the API, or asks for something the model does not do.
pub fn convert_request(api: Api, body: &[u8]) -> Result<ConversationRequest> {
    let body = serde_json::from_slice(body);
    let mut body =
        body.map_err(|source| Error::ParseRequest { api, field: ".".to_owned(), source })?;
    prepare_request(api, &mut body);
    match api {
        Api::Chat => convert_with_rules::<ChatCompletionRequest>(api, body),
        Api::Messages => convert_with_rules::<MessagesRequest>(api, body),
        Api::Responses => convert_with_rules::<ResponsesRequest>(api, body),
    }
    .map(|(request, _)| request)
}

/// Renders a converted request.
///
/// The preview dialect has no low effort. Agents ask for it where a question is small, whatever
/// the model, so they get the least there is.
///
/// # Errors
/// None that a converted request can cause.
pub fn render_converted(dialect: Dialect, request: &ConversationRequest) -> Result<Prompt> {
    let conversation = &request.conversation;
    match (dialect, conversation.reasoning_effort) {
        (Dialect::V4Preview, Some(ReasoningEffort::Low)) => {
            let reasoning_effort = Some(ReasoningEffort::High);
            render(dialect, &Conversation { reasoning_effort, ..conversation.clone() })
        }
        _ => render(dialect, conversation),
    }
}

/// Renders and tokenizes a request body.
///
/// # Errors
/// If the body is refused, the dialect lacks its reasoning effort, or the vocabulary lacks a
/// control token.
pub fn render_request(
    api: Api,
    body: &[u8],
    dialect: Dialect,
    tokenizer: &Tokenizer,
) -> Result<RenderedRequest> {
    let request = convert_request(api, body)?;
    let prompt = render_converted(dialect, &request)?;
    Ok(RenderedRequest {
        tokens: prompt.encode(tokenizer)?,
        prompt: prompt.text().to_owned(),
        sampling: Sampling::of(&request)?,
    })
}

/// Converts a request body that has been parsed and prepared, for servers that look into it.
///
/// # Errors
/// As [`convert_request`].
pub fn convert_value<R: ProtocolRequest + DeserializeOwned>(
    api: Api,
    body: serde_json::Value,
) -> Result<ConversationRequest> {
    let model = body.get("model").and_then(|model| model.as_str()).unwrap_or_default().to_owned();
    let request: R =
        serde_path_to_error::deserialize(body).map_err(|error| not_valid(api, error))?;
    convert_as(request, model)
}

fn not_valid(api: Api, error: serde_path_to_error::Error<serde_json::Error>) -> Error {
    Error::ParseRequest { api, field: error.path().to_string(), source: error.into_inner() }
}

fn convert_as<R: ProtocolRequest>(request: R, model: String) -> Result<ConversationRequest> {
    let options = ConversionOptions::new()
        .with_messages_web_search(WebSearchBehavior::Drop)
        .with_responses_web_search(WebSearchBehavior::Drop)
        .with_thinking_max_tokens_upper_bound(MOST_TOKENS)
        .with_non_thinking_max_tokens_upper_bound(MOST_TOKENS)
        // The version selects the V4 prompt format; Flash and Pro share it.
        .with_model_versions_by_name([(model, ModelVersion::DeepseekV4Pro)]);
    request.convert(options).map_err(|source| Error::Request { source })
}
