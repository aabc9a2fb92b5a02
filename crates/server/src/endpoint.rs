//! What differs between the chat APIs: names, keep-alives, and bodies that need a hand.

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

    /// An event that says nothing, in the form that the API's clients count as a sign of life; a
    /// comment does not reset the watchdog of each of them.
    fn keep_alive(id: &str, model: &str) -> Event;

    /// An error after the stream has begun.
    fn error_event(error: &ApiError) -> Event;
}

impl Endpoint for ChatCompletionRequest {
    const API: Api = Api::Chat;
    const FAMILY: Family = Family::OpenAi;
    const ID_PREFIX: &'static str = "chatcmpl-";

    fn prepare(body: &mut Value) -> Result<(), ApiError> {
        one_answer(body)?;
        // The newer name of the same limit, which the vendor's crate passes over.
        if body.get("max_tokens").is_none_or(Value::is_null)
            && let Some(limit) = body.get("max_completion_tokens").cloned()
        {
            body["max_tokens"] = limit;
        }
        Ok(())
    }

    fn keep_alive(id: &str, model: &str) -> Event {
        let chunk = json!({
            "id": id, "object": "chat.completion.chunk", "created": 0, "model": model,
            "choices": [{ "index": 0, "delta": {}, "finish_reason": null }],
        });
        Event::default().data(chunk.to_string())
    }

    fn error_event(error: &ApiError) -> Event {
        Event::default().data(error.body().to_string())
    }
}

impl Endpoint for MessagesRequest {
    const API: Api = Api::Messages;
    const FAMILY: Family = Family::Anthropic;
    const ID_PREFIX: &'static str = "msg_";

    fn prepare(body: &mut Value) -> Result<(), ApiError> {
        drop_billing_header(body);
        Ok(())
    }

    fn keep_alive(_: &str, _: &str) -> Event {
        Event::default().event("ping").data(r#"{"type":"ping"}"#)
    }

    fn error_event(error: &ApiError) -> Event {
        Event::default().event("error").data(error.body().to_string())
    }
}

impl Endpoint for ResponsesRequest {
    const API: Api = Api::Responses;
    const FAMILY: Family = Family::OpenAi;
    const ID_PREFIX: &'static str = "resp_";

    fn prepare(_: &mut Value) -> Result<(), ApiError> {
        Ok(())
    }

    fn keep_alive(_: &str, _: &str) -> Event {
        Event::default().comment("keep-alive")
    }

    fn error_event(error: &ApiError) -> Event {
        let event = json!({
            "type": "error", "code": error.kind.name(error.family), "message": error.message,
            "param": null,
        });
        Event::default().event("error").data(event.to_string())
    }
}

fn one_answer(body: &Value) -> Result<(), ApiError> {
    match body.get("n") {
        None | Some(Value::Null) => Ok(()),
        Some(n) if n.as_u64() == Some(1) => Ok(()),
        Some(_) => Err(ApiError::bad_request(Family::OpenAi, "n must be 1: one answer is made")),
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
