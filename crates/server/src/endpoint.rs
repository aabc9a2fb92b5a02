//! What differs between the chat APIs: names, keep-alives, and bodies that need a hand.

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

    /// Brings a body into the form that the vendor's crate takes.
    fn prepare(body: &mut Value) -> Result<(), ApiError>;

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

    fn prepare(body: &mut Value) -> Result<(), ApiError> {
        one_answer(body)?;
        switch_by_model_name(body, |body, thinks| {
            let kind = if thinks { "enabled" } else { "disabled" };
            if is_absent(body, "thinking") && is_absent(body, "reasoning_effort") {
                body["thinking"] = json!({ "type": kind });
            }
        });
        // The newer name of the same limit, which the vendor's crate passes over.
        if is_absent(body, "max_tokens")
            && let Some(limit) = body.get("max_completion_tokens").cloned()
        {
            body["max_tokens"] = limit;
        }
        // The API's seeds are signed.
        if let Some(seed) = body.get("seed").and_then(Value::as_i64).filter(|&seed| seed < 0) {
            body["seed"] = (seed & i64::MAX).into();
        }
        for message in body.get_mut("messages").and_then(Value::as_array_mut).into_iter().flatten()
        {
            prepare_message(message);
        }
        Ok(())
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

    fn prepare(body: &mut Value) -> Result<(), ApiError> {
        drop_billing_header(body);
        switch_by_model_name(body, |body, thinks| {
            let kind = if thinks { "enabled" } else { "disabled" };
            if is_absent(body, "thinking") {
                body["thinking"] = json!({ "type": kind });
            }
        });
        // The type of ordinary tools may be named; the vendor's crate takes a type for a sign of a
        // tool that runs at the provider.
        for tool in body.get_mut("tools").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(tool) = tool.as_object_mut()
                && tool.get("type").is_some_and(|kind| kind.is_null() || kind == "custom")
            {
                tool.shift_remove("type");
            }
        }
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

    fn prepare(body: &mut Value) -> Result<(), ApiError> {
        if !is_absent(body, "conversation") {
            let message = "conversations are not kept here; send the input, or a \
                           previous_response_id";
            return Err(ApiError::field(Family::OpenAi, "conversation", message));
        }
        if body.get("background") == Some(&Value::Bool(true)) {
            let message = "answers are not made in the background; leave background out";
            return Err(ApiError::field(Family::OpenAi, "background", message));
        }
        switch_by_model_name(body, |body, thinks| {
            let effort = if thinks { "high" } else { "none" };
            if is_absent(body, "reasoning") {
                body["reasoning"] = json!({});
            }
            if body["reasoning"].is_object() && is_absent(&body["reasoning"], "effort") {
                body["reasoning"]["effort"] = effort.into();
            }
        });
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

fn is_absent(body: &Value, key: &str) -> bool {
    body.get(key).is_none_or(Value::is_null)
}

/// The hosted service has two names for one model, of which one thinks and the other does not.
fn switch_by_model_name(body: &mut Value, switch: impl FnOnce(&mut Value, bool)) {
    match body.get("model").and_then(Value::as_str) {
        Some("deepseek-chat") => switch(body, false),
        Some("deepseek-reasoner") => switch(body, true),
        _ => {}
    }
}

/// Brings a chat message into the form that the vendor's crate takes.
fn prepare_message(message: &mut Value) {
    if message["role"] == "developer" {
        message["role"] = "system".into();
    }
    if message.is_object() && message["role"] != "assistant" && is_absent(message, "content") {
        message["content"] = "".into();
    }
    for call in message.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten() {
        let arguments = call.get_mut("function").and_then(|function| function.get_mut("arguments"));
        if let Some(arguments) = arguments.filter(|arguments| arguments.is_object()) {
            *arguments = arguments.to_string().into();
        }
    }
}

fn one_answer(body: &Value) -> Result<(), ApiError> {
    match body.get("n") {
        None | Some(Value::Null) => Ok(()),
        Some(n) if n.as_u64() == Some(1) => Ok(()),
        Some(_) => Err(ApiError::field(Family::OpenAi, "n", "n must be 1: one answer is made")),
    }
}

/// Claude Code's first system block names its version and a hash of the first user message: with
/// it, two conversations share no beginning. It is for billing, not for the model.
fn drop_billing_header(body: &mut Value) {
    let Some(Value::Array(blocks)) = body.get_mut("system") else { return };
    blocks.retain(|block| {
        let text = block.get("text").and_then(Value::as_str);
        !text.is_some_and(|text| text.starts_with("x-anthropic-billing-header:"))
    });
    if blocks.is_empty()
        && let Some(body) = body.as_object_mut()
    {
        body.shift_remove("system");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_billing_block_goes_and_others_stay() {
        let mut body = json!({ "system": [
            { "type": "text", "text": "x-anthropic-billing-header: cc_version=2; x" },
            { "type": "text", "text": "You are careful." },
        ] });
        MessagesRequest::prepare(&mut body).expect("a sound body");
        assert_eq!(body["system"], json!([{ "type": "text", "text": "You are careful." }]));
        let mut alone = json!({ "system": [
            { "type": "text", "text": "x-anthropic-billing-header: cc_version=2; x" },
        ] });
        MessagesRequest::prepare(&mut alone).expect("a sound body");
        assert_eq!(alone, json!({}));
    }

    #[test]
    fn a_limit_has_two_names() {
        let mut body = json!({ "max_completion_tokens": 7 });
        ChatCompletionRequest::prepare(&mut body).expect("a sound body");
        assert_eq!(body["max_tokens"], 7);
        let mut both = json!({ "max_completion_tokens": 7, "max_tokens": 5 });
        ChatCompletionRequest::prepare(&mut both).expect("a sound body");
        assert_eq!(both["max_tokens"], 5);
        assert!(ChatCompletionRequest::prepare(&mut json!({ "n": 2 })).is_err());
    }
}
