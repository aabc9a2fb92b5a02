//! What clients send and the vendor's conversion does not take as it is meant.
//!
//! Each row is a client or an API's reference: newer names of a limit, roles and types that say the
//! same, arguments that come as objects, headers that are not for the model. A body without any of
//! these stays as it is.
//!
//! Refuses: judging a body; the conversion does that.

use serde_json::{Value, json};

use crate::request::Api;

/// Brings a body into the form that the vendor's crate takes.
pub fn prepare_request(api: Api, body: &mut Value) {
    match api {
        Api::Chat => prepare_chat(body),
        Api::Messages => prepare_messages(body),
        Api::Responses => prepare_responses(body),
    }
}

fn prepare_chat(body: &mut Value) {
    let says_nothing = is_absent(body, "thinking") && is_absent(body, "reasoning_effort");
    if let Some(kind) = thinking_by_model_name(body).filter(|_| says_nothing) {
        body["thinking"] = json!({ "type": kind });
    }
    // The newer name of the same limit.
    if is_absent(body, "max_tokens")
        && let Some(limit) = body.get("max_completion_tokens").cloned()
    {
        body["max_tokens"] = limit;
    }
    // The API's seeds are signed.
    if let Some(seed) = body.get("seed").and_then(Value::as_i64).filter(|&seed| seed < 0) {
        body["seed"] = (seed & i64::MAX).into();
    }
    for message in list(body, "messages") {
        prepare_chat_message(message);
    }
}

fn prepare_chat_message(message: &mut Value) {
    if !message.is_object() {
        return;
    }
    if message["role"] == "developer" {
        message["role"] = "system".into();
    }
    if message["role"] != "assistant" && is_absent(message, "content") {
        message["content"] = "".into();
    }
    for call in list(message, "tool_calls") {
        let arguments = call.get_mut("function").and_then(|function| function.get_mut("arguments"));
        if let Some(arguments) = arguments.filter(|arguments| arguments.is_object()) {
            *arguments = arguments.to_string().into();
        }
    }
}

fn prepare_messages(body: &mut Value) {
    drop_billing_header(body);
    if let Some(kind) = thinking_by_model_name(body).filter(|_| is_absent(body, "thinking")) {
        body["thinking"] = json!({ "type": kind });
    }
    // The type of ordinary tools may be named; the vendor's crate takes a type for a sign of a tool
    // that runs at the provider.
    for tool in list(body, "tools") {
        if let Some(tool) = tool.as_object_mut()
            && tool.get("type").is_some_and(|kind| kind.is_null() || kind == "custom")
        {
            tool.shift_remove("type");
        }
    }
}

fn prepare_responses(body: &mut Value) {
    let Some(kind) = thinking_by_model_name(body) else { return };
    if is_absent(body, "reasoning") {
        body["reasoning"] = json!({});
    }
    if body["reasoning"].is_object() && is_absent(&body["reasoning"], "effort") {
        body["reasoning"]["effort"] = if kind == "enabled" { "high" } else { "none" }.into();
    }
}

/// The hosted service has two names for one model, of which one thinks and the other does not.
fn thinking_by_model_name(body: &Value) -> Option<&'static str> {
    match body.get("model")?.as_str()? {
        "deepseek-chat" => Some("disabled"),
        "deepseek-reasoner" => Some("enabled"),
        _ => None,
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

fn is_absent(body: &Value, key: &str) -> bool {
    body.get(key).is_none_or(Value::is_null)
}

/// The items of a list, or none if it is not there or not a list.
fn list<'a>(body: &'a mut Value, key: &str) -> impl Iterator<Item = &'a mut Value> {
    body.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(api: Api, mut body: Value) -> Value {
        prepare_request(api, &mut body);
        body
    }

    #[test]
    fn the_billing_block_goes_and_others_stay() {
        let billing =
            json!({ "type": "text", "text": "x-anthropic-billing-header: cc_version=2; x" });
        let careful = json!({ "type": "text", "text": "You are careful." });
        let body = prepared(Api::Messages, json!({ "system": [billing, careful] }));
        assert_eq!(body["system"], json!([careful]));
        assert_eq!(prepared(Api::Messages, json!({ "system": [billing] })), json!({}));
    }

    #[test]
    fn a_limit_has_two_names() {
        let body = prepared(Api::Chat, json!({ "max_completion_tokens": 7 }));
        assert_eq!(body["max_tokens"], 7);
        let body = prepared(Api::Chat, json!({ "max_completion_tokens": 7, "max_tokens": 5 }));
        assert_eq!(body["max_tokens"], 5);
    }

    #[test]
    fn messages_in_other_words_mean_the_same() {
        let call = json!({ "function": { "name": "f", "arguments": { "a": 1 } } });
        let body = json!({ "seed": -1, "messages": [
            { "role": "developer", "content": "x" },
            { "role": "assistant", "content": null, "tool_calls": [call] },
            { "role": "tool", "content": null },
        ] });
        let body = prepared(Api::Chat, body);
        let messages = &body["messages"];
        assert_eq!(body["seed"], i64::MAX);
        assert_eq!(messages[0]["role"], "system");
        assert_eq!(messages[1]["content"], Value::Null);
        assert_eq!(messages[1]["tool_calls"][0]["function"]["arguments"], "{\"a\":1}");
        assert_eq!(messages[2]["content"], "");
        let tools =
            json!({ "tools": [{ "type": "custom", "name": "t" }, { "type": "bash_20250124" }] });
        let tools = &prepared(Api::Messages, tools)["tools"];
        assert_eq!(*tools, json!([{ "name": "t" }, { "type": "bash_20250124" }]));
    }

    #[test]
    fn the_names_of_the_hosted_service_say_whether_to_think() {
        for (model, kind, effort) in
            [("deepseek-chat", "disabled", "none"), ("deepseek-reasoner", "enabled", "high")]
        {
            let body = json!({ "model": model });
            assert_eq!(prepared(Api::Chat, body.clone())["thinking"]["type"], kind);
            assert_eq!(prepared(Api::Messages, body.clone())["thinking"]["type"], kind);
            assert_eq!(prepared(Api::Responses, body)["reasoning"]["effort"], effort);
        }
        let said = json!({ "model": "deepseek-chat", "reasoning_effort": "max" });
        assert_eq!(prepared(Api::Chat, said.clone()), said);
    }

    /// Bodies of any shape pass.
    #[test]
    fn what_is_not_understood_stays() {
        for body in [
            json!(3),
            json!([]),
            json!({ "messages": 3, "tools": [1], "system": {} }),
            json!({ "messages": [1, { "tool_calls": [1, { "function": 2 }] }] }),
        ] {
            for api in [Api::Chat, Api::Messages, Api::Responses] {
                let after = prepared(api, body.clone());
                assert_eq!(after["tools"], body["tools"]);
            }
        }
    }
}
