//! What bodies of the three APIs ask of their answers.

use chat::deepseek_recipe::anthropic::MessagesRequest;
use chat::deepseek_recipe::openai::{ChatCompletionRequest, ResponsesRequest};
use chat::deepseek_recipe::request::ConversationRequest;
use chat::{
    AnswerFormat, AnswerRules, AnswerStart, Api, Dialect, convert_with_rules, render_converted,
};
use serde_json::{Value, json};

/// A body of an API with two tools, `a` and `b`, and whatever else.
fn body(api: Api, thinks: bool, more: &Value) -> Value {
    let schema = json!({ "type": "object", "properties": {} });
    let tool = |name: &str| match api {
        Api::Chat => {
            json!({ "type": "function", "function": { "name": name, "parameters": schema } })
        }
        Api::Messages => json!({ "name": name, "input_schema": schema }),
        Api::Responses => json!({ "type": "function", "name": name, "parameters": schema }),
    };
    let mut body = json!({ "model": "x", "tools": [tool("a"), tool("b")] });
    match api {
        Api::Responses => {
            body["input"] = "as json".into();
            body["reasoning"] = json!({ "effort": if thinks { "high" } else { "none" } });
        }
        Api::Chat | Api::Messages => {
            body["messages"] = json!([{ "role": "user", "content": "as json" }]);
            body["max_tokens"] = 9.into();
            let kind = if thinks { "enabled" } else { "disabled" };
            body["thinking"] = json!({ "type": kind });
        }
    }
    body.as_object_mut().expect("an object").extend(more.as_object().expect("fields").clone());
    body
}

fn convert(api: Api, body: Value) -> chat::Result<(ConversationRequest, AnswerRules)> {
    match api {
        Api::Chat => convert_with_rules::<ChatCompletionRequest>(api, body),
        Api::Messages => convert_with_rules::<MessagesRequest>(api, body),
        Api::Responses => convert_with_rules::<ResponsesRequest>(api, body),
    }
}

/// Tools that may be called, whether one must be, whether several may be.
fn tools(rules: &AnswerRules) -> Option<(Vec<&str>, bool, bool)> {
    let tools = rules.tools.as_ref()?;
    let names = tools.tools.iter().map(|tool| tool.name.as_str()).collect();
    Some((names, tools.required, tools.several))
}

#[test]
fn choices_of_all_apis() {
    let both = vec!["a", "b"];
    let named = json!({ "type": "function", "function": { "name": "b" } });
    let some = |mode: &str| json!({ "type": "allowed_tools", "mode": mode, "tools": [{ "type": "function", "name": "b" }] });
    let cases = [
        (Api::Chat, json!({}), Some((both.clone(), false, true))),
        (Api::Chat, json!({ "tool_choice": null }), Some((both.clone(), false, true))),
        (Api::Chat, json!({ "tool_choice": "auto" }), Some((both.clone(), false, true))),
        (Api::Chat, json!({ "tool_choice": "none" }), None),
        (Api::Chat, json!({ "tool_choice": "required" }), Some((both.clone(), true, true))),
        (Api::Chat, json!({ "tool_choice": named }), Some((vec!["b"], true, true))),
        (Api::Chat, json!({ "parallel_tool_calls": false }), Some((both.clone(), false, false))),
        (Api::Responses, json!({ "tool_choice": "required" }), Some((both.clone(), true, true))),
        (Api::Responses, json!({ "tool_choice": "none" }), None),
        (
            Api::Responses,
            json!({ "tool_choice": { "type": "function", "name": "a" }, "parallel_tool_calls": false }),
            Some((vec!["a"], true, false)),
        ),
        (Api::Responses, json!({ "tool_choice": some("auto") }), Some((vec!["b"], false, true))),
        (Api::Responses, json!({ "tool_choice": some("required") }), Some((vec!["b"], true, true))),
        (
            Api::Messages,
            json!({ "tool_choice": { "type": "any" } }),
            Some((both.clone(), true, true)),
        ),
        (Api::Messages, json!({ "tool_choice": { "type": "none" } }), None),
        (
            Api::Messages,
            json!({ "tool_choice": { "type": "tool", "name": "b", "disable_parallel_tool_use": true } }),
            Some((vec!["b"], true, false)),
        ),
        (
            Api::Messages,
            json!({ "tool_choice": { "type": "auto", "disable_parallel_tool_use": true } }),
            Some((both, false, false)),
        ),
    ];
    for (api, more, expected) in cases {
        for thinks in [true, false] {
            let (request, rules) =
                convert(api, body(api, thinks, &more)).unwrap_or_else(|e| panic!("{more}: {e:?}"));
            assert_eq!(tools(&rules), expected, "{api}: {more}");
            assert_eq!(request.conversation.thinking_mode, thinks);
            if thinks {
                assert_eq!(rules.start, AnswerStart::Reasoning);
            }
            for dialect in [Dialect::V4_0731, Dialect::V4Preview] {
                let prompt = render_converted(dialect, &request).expect("it renders");
                let opened = prompt.text().ends_with("<｜DSML｜tool_calls>\n");
                assert_eq!(opened, rules.start == AnswerStart::ToolCalls, "{api}: {more}");
            }
        }
    }
}

#[test]
fn formats_of_all_apis() {
    let schema = json!({ "type": "object", "$defs": { "x": { "type": "string" } },
        "properties": { "x": { "$ref": "#/$defs/x" } }, "required": ["x"],
        "additionalProperties": false });
    let of_schema = |place| Some(AnswerFormat::JsonSchema { schema: schema.clone(), place });
    let format = json!({ "type": "json_schema", "name": "x", "schema": schema, "strict": true });
    let chat = json!({ "type": "json_schema", "json_schema": format });
    let cases = [
        (Api::Chat, json!({ "response_format": { "type": "text" } }), None),
        (
            Api::Chat,
            json!({ "response_format": { "type": "json_object" } }),
            Some(AnswerFormat::JsonObject),
        ),
        (
            Api::Chat,
            json!({ "response_format": chat }),
            of_schema("response_format.json_schema.schema"),
        ),
        (
            Api::Chat,
            json!({ "guided_json": schema.to_string() }),
            of_schema("structured_outputs.json"),
        ),
        (Api::Responses, json!({ "text": { "format": format } }), of_schema("text.format.schema")),
        (
            Api::Messages,
            json!({ "output_config": { "effort": "high", "format": format } }),
            of_schema("output_config.format.schema"),
        ),
        (Api::Messages, json!({ "output_format": format }), of_schema("output_format.schema")),
    ];
    for (api, more, expected) in cases {
        let (request, rules) =
            convert(api, body(api, true, &more)).unwrap_or_else(|e| panic!("{more}: {e:?}"));
        assert_eq!(rules.format, expected, "{api}: {more}");
        if let Some(AnswerFormat::JsonSchema { .. }) = rules.format {
            let prompt = render_converted(Dialect::V4_0731, &request).expect("it renders");
            assert!(prompt.text().contains("## Response Format"), "the model is told: {more}");
        }
    }
}

#[test]
fn strict_tools_keep_their_definitions() {
    let schema = json!({ "type": "object", "properties": { "x": { "$ref": "#/$defs/X" } },
        "required": ["x"], "additionalProperties": false, "$defs": { "X": { "type": "integer" } } });
    let tool = |name: &str, strict: bool| {
        json!({ "type": "function", "function": {
            "name": name, "parameters": schema, "strict": strict } })
    };
    let more = json!({ "tools": [tool("a", true), tool("b", false)] });
    let (_, rules) = convert(Api::Chat, body(Api::Chat, false, &more)).expect("both kinds at once");
    let tools = rules.tools.expect("tools").tools;
    assert_eq!(tools.iter().map(|tool| tool.strict).collect::<Vec<_>>(), [true, false]);
    assert!(tools.iter().all(|tool| tool.parameters == schema));
}
