//! Oracle: prompts by vllm's encoders of both dialects (`testdata/golden/prompt_v4_*.json`).
//!
//! Rendering is DeepSeek's own crate. Where it and vllm disagree the crate wins: each such case is
//! listed with its reason, and must really differ, so that the list cannot rot.

use chat::deepseek_recipe_core::conversation::{Conversation, ReasoningEffort, ResponseFormat};
use chat::deepseek_recipe_core::messages::{self, InputMessage};
use chat::deepseek_recipe_core::prompt::Prompt;
use chat::deepseek_recipe_core::tools::ToolDefinition;
use chat::{Dialect, render};
use serde_json::Value;

use crate::support::{golden, text};

const BOS: &str = "<｜begin▁of▁sentence｜>";

/// Cases in which both of vllm's encoders differ from the vendor's crate: name and reason.
const DIFFERENT_IN_BOTH: &[(&str, &str)] = &[
    ("system_in_the_middle/thinking", SYSTEMS),
    ("system_last/thinking", SYSTEMS),
    ("two_systems/thinking", SYSTEMS),
    (
        "tools_twice/chat",
        "tools belong to the request, not to a message: one section, at the start",
    ),
    ("tools_empty_system/thinking", "a missing tool description is written as an empty one"),
    ("tools_order_strict/chat", "a tool's `strict` flag constrains decoding and is not written"),
    ("argument_none/thinking", "a call without arguments has no empty line in it"),
    ("argument_floats/thinking", "a float's exponent has no leading zero (1e-7, Python: 1e-07)"),
    ("history_ends_assistant/thinking", "a last assistant message is answered by another turn"),
    ("history_keep/thinking", "earlier reasoning is kept with tools only, there is no switch"),
    ("developer/thinking", DEVELOPER),
    ("developer_tools/thinking", DEVELOPER),
    ("developer_then_history/thinking", DEVELOPER),
    ("task_title/thinking", TASK),
    ("task_action/thinking", TASK),
    ("task_query/thinking", TASK),
    ("task_domain/thinking", TASK),
    ("task_authority/thinking", TASK),
    ("task_read_url/thinking", TASK),
    ("task_history/thinking", TASK),
];
const SYSTEMS: &str = "system messages move to the start and are parted by blank lines";
const DEVELOPER: &str = "there is no developer turn: it is an ordinary user turn, which stays when \
                         an earlier developer turn would be dropped, and never carries tools";
const TASK: &str = "there are no task messages; no chat API can ask for one";

/// Cases in which only the encoder of the April weights differs.
const DIFFERENT_IN_PREVIEW: &[(&str, &str)] = &[
    ("system_only/thinking", "the model's turn is opened even if nobody but the system has spoken"),
    ("content_blocks/chat", "a list of text blocks is joined, where the Python code fails"),
];

fn content(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            let texts: Vec<&str> = blocks.iter().map(|block| text(block, "text")).collect();
            texts.join("\n\n")
        }
        other => panic!("content {other}"),
    }
}

fn tools(message: &Value) -> Vec<ToolDefinition> {
    let tools = message["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    tools
        .iter()
        .map(|tool| ToolDefinition {
            name: text(&tool["function"], "name").to_owned(),
            description: tool["function"]["description"].as_str().map(str::to_owned),
            parameters: tool["function"]["parameters"].clone(),
            strict: None,
            defer_loading: false,
        })
        .collect()
}

fn tool_calls(message: &Value) -> Option<Vec<messages::ToolCall>> {
    let calls = message["tool_calls"].as_array()?;
    let call = |call: &Value| messages::ToolCall {
        id: call["id"].as_str().unwrap_or_default().to_owned(),
        name: text(&call["function"], "name").to_owned(),
        arguments: text(&call["function"], "arguments").to_owned(),
    };
    Some(calls.iter().map(call).collect())
}

/// The nearest thing the vendor's types can say.
fn input_message(message: &Value, thinking_mode: bool) -> InputMessage {
    let content = content(&message["content"]);
    let plain = Prompt::plain(content.as_str());
    let image_sources = Vec::new();
    match text(message, "role") {
        "system" => InputMessage::System { content: plain, image_sources, tools: None },
        // The vendor's conversion makes a developer message a user message in V4.
        "user" | "developer" => InputMessage::User { content: plain, image_sources },
        "assistant" => InputMessage::Assistant {
            content,
            reasoning_content: thinking_mode
                .then(|| message["reasoning"].as_str().unwrap_or_default().to_owned()),
            tool_calls: tool_calls(message),
            prefix: message["wo_eos"] == true,
        },
        "tool" => InputMessage::Tool {
            content: plain,
            image_sources,
            tool_call_id: message["tool_call_id"].as_str().map(str::to_owned),
        },
        "latest_reminder" => InputMessage::LatestReminder { content },
        role => panic!("role {role}"),
    }
}

fn conversation(case: &Value, default_effort: ReasoningEffort) -> Conversation {
    let thinking_mode = text(case, "thinking_mode") == "thinking";
    let context = case["context"].as_array().map(Vec::as_slice).unwrap_or_default();
    let messages = context.iter().chain(case["messages"].as_array().expect("messages"));
    let response_format = messages.clone().find_map(|message| message.get("response_format"));
    Conversation {
        messages: messages.clone().map(|message| input_message(message, thinking_mode)).collect(),
        thinking_mode,
        tools: messages.flat_map(tools).collect(),
        reasoning_effort: Some(
            case["reasoning_effort"].as_str().map_or(default_effort, |effort| {
                serde_json::from_value(effort.into()).expect("an effort")
            }),
        ),
        response_format: response_format
            .map_or(ResponseFormat::Text, |schema| ResponseFormat::JsonSchema(schema.clone())),
        ..Conversation::default()
    }
}

/// What the crate writes where the case expects its text, or the refusal.
fn rendered(dialect: Dialect, default_effort: ReasoningEffort, case: &Value) -> String {
    let prompt = match render(dialect, &conversation(case, default_effort)) {
        Ok(prompt) => prompt.text().to_owned(),
        Err(error) => return format!("error: {error}"),
    };
    if case["add_default_bos_token"] == false {
        return prompt.strip_prefix(BOS).expect("every prompt begins with BOS").to_owned();
    }
    // With a context, vllm writes only what follows it; the crate always writes everything.
    match case["expected"].as_str() {
        Some(expected) if !case["context"].is_null() && prompt.ends_with(expected) => {
            expected.to_owned()
        }
        _ => prompt,
    }
}

fn check(
    file: &str,
    dialect: Dialect,
    default_effort: ReasoningEffort,
    different: &[&(&str, &str)],
) {
    let cases = golden(file, "cases");
    for (name, _) in different {
        assert!(cases.iter().any(|case| case["name"] == *name), "{file} has no case {name}");
    }
    let mut failures = Vec::new();
    for case in &cases {
        let name = text(case, "name");
        let ours = rendered(dialect, default_effort, case);
        // The reference's refusals are Python exceptions; only that it refuses is compared.
        let (ours, theirs) = match case["expected"].as_str() {
            Some(expected) => (ours.as_str(), expected),
            None => (ours.split(": ").next().unwrap_or_default(), "error"),
        };
        let listed = different.iter().any(|(listed, _)| *listed == name);
        if listed == (ours == theirs) {
            failures.push(format!("{name} (listed: {listed}) {}", first_difference(ours, theirs)));
        }
    }
    assert!(failures.is_empty(), "{file}: {} cases\n{}", failures.len(), failures.join("\n"));
}

fn first_difference(ours: &str, theirs: &str) -> String {
    let alike = ours.chars().zip(theirs.chars()).take_while(|(a, b)| a == b).count();
    let from =
        |text: &str| text.chars().skip(alike.saturating_sub(20)).take(80).collect::<String>();
    format!("ours {:?} theirs {:?}", from(ours), from(theirs))
}

#[test]
fn prompts_of_0731() {
    let different: Vec<_> = DIFFERENT_IN_BOTH.iter().collect();
    check("prompt_v4_0731.json", Dialect::V4_0731, ReasoningEffort::Low, &different);
}

#[test]
fn prompts_of_the_preview() {
    let different: Vec<_> = DIFFERENT_IN_BOTH.iter().chain(DIFFERENT_IN_PREVIEW).collect();
    check("prompt_v4_preview.json", Dialect::V4Preview, ReasoningEffort::High, &different);
}
