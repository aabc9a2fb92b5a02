//! What differs between the chat APIs: names, signs of life, and what is refused.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::response::sse::Event;
use chat::Api;
use chat::deepseek_recipe::anthropic::MessagesRequest;
use chat::deepseek_recipe::openai::{ChatCompletionRequest, ResponsesRequest};
use chat::deepseek_recipe::request::ProtocolRequest;
use chat::deepseek_recipe::response::ProtocolResponse;
use chat::deepseek_recipe::stream::ChunkGenerator;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::error::{ApiError, Family};

/// A chat API.
pub(crate) trait Endpoint:
    ProtocolRequest<
        Response: ProtocolResponse<ChunkGenerator: ChunkGenerator<Chunk: Send + Sync + Serialize>>,
    > + DeserializeOwned
{
    const API: Api;
    const FAMILY: Family;
    /// How the ids of its responses begin.
    const ID_PREFIX: &'static str;

    /// Refuses what a body asks for and is not done here.
    fn check(body: &Value) -> Result<(), ApiError>;

    /// The field that holds the conversation.
    const PROMPT_FIELD: &'static str;

    /// An event that says nothing, in the form that the API's clients count as a sign of life; a
    /// comment does not reset the watchdog of each of them.
    fn keep_alive(stream: &StreamState<'_>) -> Event;

    /// What is sent for an error after the stream has begun.
    fn error_events(stream: &StreamState<'_>, error: &ApiError) -> Vec<Event>;
}

/// How far a stream is.
pub(crate) struct StreamState<'a> {
    pub(crate) id: &'a str,
    pub(crate) model: &'a str,
    /// The response as the client knows it, if it has begun and the API repeats it.
    pub(crate) response: Option<&'a Value>,
    /// The number of the next event, where events are numbered.
    pub(crate) sequence: u64,
}

impl Endpoint for ChatCompletionRequest {
    const API: Api = Api::Chat;
    const FAMILY: Family = Family::OpenAi;
    const ID_PREFIX: &'static str = "chatcmpl-";
    const PROMPT_FIELD: &'static str = "messages";

    fn check(body: &Value) -> Result<(), ApiError> {
        one_answer(body)
    }

    fn keep_alive(stream: &StreamState<'_>) -> Event {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let chunk = json!({
            "id": stream.id, "object": "chat.completion.chunk", "created": since_epoch.as_secs(),
            "model": stream.model,
            "choices": [{ "index": 0, "delta": {}, "finish_reason": null }],
        });
        Event::default().data(chunk.to_string())
    }

    fn error_events(_: &StreamState<'_>, error: &ApiError) -> Vec<Event> {
        let done = Event::default().data("[DONE]");
        vec![Event::default().data(error.body().to_string()), done]
    }
}

impl Endpoint for MessagesRequest {
    const API: Api = Api::Messages;
    const FAMILY: Family = Family::Anthropic;
    const ID_PREFIX: &'static str = "msg_";
    const PROMPT_FIELD: &'static str = "messages";

    fn check(_: &Value) -> Result<(), ApiError> {
        Ok(())
    }

    fn keep_alive(_: &StreamState<'_>) -> Event {
        Event::default().event("ping").data(r#"{"type":"ping"}"#)
    }

    fn error_events(_: &StreamState<'_>, error: &ApiError) -> Vec<Event> {
        vec![Event::default().event("error").data(error.body().to_string())]
    }
}

impl Endpoint for ResponsesRequest {
    const API: Api = Api::Responses;
    const FAMILY: Family = Family::OpenAi;
    const ID_PREFIX: &'static str = "resp_";
    const PROMPT_FIELD: &'static str = "input";

    fn check(body: &Value) -> Result<(), ApiError> {
        if body.get("conversation").is_some_and(|it| !it.is_null()) {
            let message = "conversations are not kept here; send the input, or a \
                           previous_response_id";
            return Err(ApiError::field(Family::OpenAi, "conversation", message));
        }
        if body.get("background") == Some(&Value::Bool(true)) {
            let message = "answers are not made in the background; leave background out";
            return Err(ApiError::field(Family::OpenAi, "background", message));
        }
        Ok(())
    }

    fn keep_alive(stream: &StreamState<'_>) -> Event {
        let Some(response) = stream.response else {
            // Clients want `response.created` before everything else.
            return Event::default().comment("keep-alive");
        };
        let event = json!({
            "type": "response.in_progress", "response": response,
            "sequence_number": stream.sequence,
        });
        Event::default().event("response.in_progress").data(event.to_string())
    }

    fn error_events(stream: &StreamState<'_>, error: &ApiError) -> Vec<Event> {
        let mut response = stream.response.cloned().unwrap_or_else(|| {
            json!({ "id": stream.id, "object": "response", "model": stream.model, "output": [] })
        });
        let code = error.kind.name(error.family);
        response["status"] = "failed".into();
        response["error"] = json!({ "code": code, "message": error.message });
        let event = json!({
            "type": "response.failed", "response": response, "sequence_number": stream.sequence,
        });
        vec![Event::default().event("response.failed").data(event.to_string())]
    }
}

fn one_answer(body: &Value) -> Result<(), ApiError> {
    match body.get("n") {
        None | Some(Value::Null) => Ok(()),
        Some(n) if n.as_u64() == Some(1) => Ok(()),
        Some(_) => Err(ApiError::field(Family::OpenAi, "n", "n must be 1: one answer is made")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_answer_is_made() {
        assert!(ChatCompletionRequest::check(&json!({ "n": 1 })).is_ok());
        assert!(ChatCompletionRequest::check(&json!({ "n": null })).is_ok());
        assert!(ChatCompletionRequest::check(&json!({ "n": 2 })).is_err());
    }
}
