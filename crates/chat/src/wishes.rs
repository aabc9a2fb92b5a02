//! What a request body asks of the form of its answer, in the words of its API, and what of it the
//! vendor's conversion does not do.
//!
//! The vendor's crate leaves constrained decoding to its caller, does not know the formats of the
//! Messages API and of vllm's `structured_outputs`, and refuses a forced tool call where the model
//! thinks. There we let it convert the request as if the choice were free, and hold the answer to
//! the choice instead.
//!
//! Refuses: bodies that the vendor's conversion refuses for other reasons.

use std::collections::HashSet;

use deepseek_recipe::request::{ConversationRequest, ConversionError, ProtocolRequest};
use deepseek_recipe_core::conversation::ResponseFormat;
use deepseek_recipe_core::messages::InputMessage;
use deepseek_recipe_core::tools::ToolChoice;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::grammar::{AnswerFormat, AnswerRules, AnswerStart, ToolRule, ToolRules};
use crate::request::{Api, convert_value};

/// Converts a request body and says what its answer is held to.
///
/// # Errors
/// If the body is not JSON of the API, or asks for something the model does not do.
pub fn convert_with_rules<R: ProtocolRequest + DeserializeOwned>(
    api: Api,
    mut body: Value,
) -> Result<(ConversationRequest, AnswerRules)> {
    let choice = Choice::take(api, &mut body)?;
    let one_call = one_call(api, &body);
    let strict = loosen_tools(api, &mut body);
    let format = take_format(api, &mut body)?;
    let mut request = choice.convert::<R>(api, body)?;
    if let Some(AnswerFormat::JsonSchema { schema, .. }) = &format {
        // The model has to be told of it, too.
        request.conversation.response_format = ResponseFormat::JsonSchema(schema.clone());
    }
    let format = format.or_else(|| converted_format(api, &request));
    if format.is_some() && continues_text(&request) {
        return Err(refused("a response format cannot be used with the beginning of an answer"));
    }
    let parsing = &request.parsing_options;
    let start = if parsing.starts_in_tool_calls {
        AnswerStart::ToolCalls
    } else if parsing.thinking_initial_stage.is_some_and(|stage| stage.starts_in_reasoning()) {
        AnswerStart::Reasoning
    } else {
        AnswerStart::Content
    };
    let mut tools = choice.rules(&request, !one_call)?;
    for tool in tools.iter_mut().flat_map(|tools| &mut tools.tools) {
        tool.strict |= strict.contains(&tool.name);
    }
    Ok((request, AnswerRules { start, tools, format }))
}

/// Which tools may or must be called.
#[derive(Debug, Default)]
struct Choice {
    /// Whether one must be.
    required: bool,
    /// The only ones that may be; `None` for all.
    names: Option<Vec<String>>,
    /// The body's own words for a forced choice; in the body stands a free one instead.
    forced: Option<Value>,
}

fn refused(detail: impl Into<String>) -> Error {
    Error::Request { source: ConversionError::bad_request(detail) }
}

/// The text at a path of keys.
fn text_at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    path.iter().try_fold(value, |value, key| value.get(key))?.as_str()
}

impl Choice {
    /// Reads `tool_choice` and replaces a forced one by a free one.
    fn take(api: Api, body: &mut Value) -> Result<Self> {
        let Some(said) = body.get("tool_choice").filter(|said| !said.is_null()).cloned() else {
            return Ok(Self::default());
        };
        let kind = said.as_str().or_else(|| text_at(&said, &["type"])).unwrap_or_default();
        let name = match api {
            Api::Chat => text_at(&said, &["function", "name"]),
            Api::Messages | Api::Responses => text_at(&said, &["name"]),
        };
        let mut choice = Self::default();
        match (api, kind) {
            (Api::Chat | Api::Responses, "required") | (Api::Messages, "any") => {
                choice.required = true;
            }
            (Api::Chat, "function")
            | (Api::Responses, "function" | "custom")
            | (Api::Messages, "tool") => {
                choice.required = true;
                choice.names = name.map(|name| vec![name.to_owned()]);
                // The vendor's conversion says what is missing.
                if choice.names.is_none() {
                    return Ok(Self::default());
                }
            }
            (Api::Chat | Api::Responses, "allowed_tools") => {
                choice = Self::allowed_tools(&said)?;
                body["tool_choice"] = if choice.required { "required" } else { "auto" }.into();
            }
            _ => return Ok(choice),
        }
        if choice.required {
            let free = match api {
                Api::Chat | Api::Responses => json!("auto"),
                Api::Messages => json!({ "type": "auto" }),
            };
            choice.forced = body.get_mut("tool_choice").map(|said| std::mem::replace(said, free));
        }
        Ok(choice)
    }

    /// A choice among some of the tools.
    fn allowed_tools(said: &Value) -> Result<Self> {
        let allowed = said.get("allowed_tools").unwrap_or(said);
        let required = match text_at(allowed, &["mode"]) {
            Some("required") => true,
            Some("auto") | None => false,
            Some(mode) => {
                return Err(refused(format!(
                    "tool_choice: mode `{mode}` is neither auto nor required"
                )));
            }
        };
        let tools = allowed.get("tools").and_then(Value::as_array);
        let names: Vec<String> = tools
            .into_iter()
            .flatten()
            .filter_map(|tool| text_at(tool, &["function", "name"]).or(text_at(tool, &["name"])))
            .map(str::to_owned)
            .collect();
        if names.is_empty() {
            return Err(refused("tool_choice: allowed_tools names no tool"));
        }
        Ok(Self { required, names: Some(names), forced: None })
    }

    /// Converts the body: with the forced choice where the vendor's crate takes it, else as if the
    /// choice were free.
    fn convert<R: ProtocolRequest + DeserializeOwned>(
        &self,
        api: Api,
        mut body: Value,
    ) -> Result<ConversationRequest> {
        let Some(forced) = &self.forced else { return convert_value::<R>(api, body) };
        let free = convert_value::<R>(api, body.clone())?;
        // The names are checked with those of the conversion; a web search is dropped in it.
        if free.conversation.thinking_mode || free.conversation.tools.is_empty() {
            return Ok(free);
        }
        body["tool_choice"] = forced.clone();
        convert_value::<R>(api, body)
    }

    /// The rules for the tools that the conversion has left.
    fn rules(&self, request: &ConversationRequest, several: bool) -> Result<Option<ToolRules>> {
        let conversation = &request.conversation;
        if conversation.tool_choice == ToolChoice::None || conversation.tools.is_empty() {
            if self.required && !request.parsing_options.parse_tool_calls {
                return Err(refused(
                    "tool_choice: a tool has to be called, and there are no tools",
                ));
            }
            return Ok(None);
        }
        if let Some(unknown) = self
            .names
            .iter()
            .flatten()
            .find(|name| !conversation.tools.iter().any(|tool| tool.name == **name))
        {
            return Err(refused(format!("tool_choice: there is no tool `{unknown}` in tools")));
        }
        let chosen = |name: &String| self.names.as_ref().is_none_or(|names| names.contains(name));
        let tools = conversation.tools.iter().filter(|tool| chosen(&tool.name));
        let tools = tools.map(|tool| ToolRule {
            name: tool.name.clone(),
            parameters: tool.parameters.clone(),
            strict: tool.strict == Some(true),
            place: format!("tools: the parameters of `{}`", tool.name),
        });
        Ok(Some(ToolRules { tools: tools.collect(), required: self.required, several }))
    }
}

/// Whether no more than one call may be made.
fn one_call(api: Api, body: &Value) -> bool {
    match api {
        Api::Chat | Api::Responses => body.get("parallel_tool_calls") == Some(&Value::Bool(false)),
        Api::Messages => {
            let choice = body.get("tool_choice").unwrap_or(&Value::Null);
            choice.get("disable_parallel_tool_use") == Some(&Value::Bool(true))
        }
    }
}

/// Names of the tools whose strictness was taken out of the body.
///
/// The vendor's conversion brings schemas of strict tools into a form of its own, in which their
/// definitions are lost, and does not take strict tools together with others. There the schemas go
/// as they are into the prompt, and the grammar is as strict.
fn loosen_tools(api: Api, body: &mut Value) -> HashSet<String> {
    /// The object that has the strictness.
    fn function(api: Api, tool: &mut Value) -> Option<&mut Map<String, Value>> {
        match api {
            Api::Chat => tool.get_mut("function")?.as_object_mut(),
            Api::Messages | Api::Responses => tool.as_object_mut(),
        }
    }
    let Some(tools) = body.get_mut("tools").and_then(Value::as_array_mut) else {
        return HashSet::new();
    };
    let (mut n_strict, mut defines) = (0, false);
    for tool in tools.iter_mut() {
        let Some(function) = function(api, tool) else { continue };
        if function.get("strict") == Some(&Value::Bool(true)) {
            n_strict += 1;
            let schema = function.get("parameters");
            defines |= schema.is_some_and(|schema| {
                schema.get("$defs").is_some() || schema.get("definitions").is_some()
            });
        }
    }
    if !defines && n_strict == tools.len() && api != Api::Messages {
        return HashSet::new();
    }
    let taken = tools.iter_mut().filter_map(|tool| {
        let function = function(api, tool)?;
        let strict = function.shift_remove("strict")?;
        let name = function.get("name")?.as_str()?.to_owned();
        (strict == true).then_some(name)
    });
    taken.collect()
}

/// Takes those formats out of a body that the vendor's conversion does not know, and strictness
/// from those that it does: it would drop definitions and refuse what can be held to.
fn take_format(api: Api, body: &mut Value) -> Result<Option<AnswerFormat>> {
    match api {
        Api::Chat => {
            if let Some(schema) = body.pointer_mut("/response_format/json_schema")
                && let Some(schema) = schema.as_object_mut()
            {
                schema.shift_remove("strict");
            }
            let Some(format) = structured_outputs(body)? else { return Ok(None) };
            match text_at(body, &["response_format", "type"]) {
                None | Some("text") => Ok(Some(format)),
                Some(_) => {
                    Err(refused("response_format and structured_outputs exclude each other"))
                }
            }
        }
        Api::Responses => {
            if let Some(format) = body.pointer_mut("/text/format").and_then(Value::as_object_mut) {
                format.shift_remove("strict");
            }
            Ok(None)
        }
        Api::Messages => {
            let new = body.pointer_mut("/output_config/format").map(Value::take);
            let old = body.get_mut("output_format").map(Value::take);
            let (format, place) = match (new.filter(|new| !new.is_null()), old) {
                (Some(format), _) => (format, "output_config.format.schema"),
                (None, Some(format)) if !format.is_null() => (format, "output_format.schema"),
                _ => return Ok(None),
            };
            match (text_at(&format, &["type"]), format.get("schema")) {
                (Some("json_schema"), Some(schema)) => {
                    Ok(Some(AnswerFormat::JsonSchema { schema: schema.clone(), place }))
                }
                _ => Err(refused(format!(
                    "{}: expected {{\"type\": \"json_schema\", \"schema\": ...}}",
                    place.trim_end_matches(".schema")
                ))),
            }
        }
    }
}

/// The formats that vllm's clients ask for: `structured_outputs` with one of `json`, `regex` and
/// `choice`, and their older names `guided_json`, `guided_regex` and `guided_choice`.
fn structured_outputs(body: &Value) -> Result<Option<AnswerFormat>> {
    let nothing = Map::new();
    let new = body.get("structured_outputs").and_then(Value::as_object).unwrap_or(&nothing);
    let said = |value: Option<&Value>| value.filter(|value| !value.is_null()).cloned();
    let of = |new_name: &str, old_name: &str| said(new.get(new_name)).or(said(body.get(old_name)));
    let (json, regex) = (of("json", "guided_json"), of("regex", "guided_regex"));
    let choice = of("choice", "guided_choice");
    if [&json, &regex, &choice].into_iter().flatten().count() > 1 {
        return Err(refused("structured_outputs: only one of json, regex and choice is possible"));
    }
    if let Some(schema) = json {
        let place = "structured_outputs.json";
        // It may come as text.
        let parsed = match schema {
            Value::String(text) => serde_json::from_str(&text)
                .map_err(|error| refused(format!("{place} is not JSON: {error}")))?,
            schema => schema,
        };
        return Ok(Some(AnswerFormat::JsonSchema { schema: parsed, place }));
    }
    if let Some(regex) = regex {
        let place = "structured_outputs.regex";
        let pattern = regex.as_str().ok_or_else(|| refused(format!("{place} is not a text")))?;
        return Ok(Some(AnswerFormat::Regex { pattern: pattern.to_owned(), place }));
    }
    let Some(choice) = choice else { return Ok(None) };
    let place = "structured_outputs.choice";
    let texts: Option<Vec<String>> = choice
        .as_array()
        .filter(|texts| !texts.is_empty())
        .and_then(|texts| texts.iter().map(|text| text.as_str().map(str::to_owned)).collect());
    let texts = texts.filter(|texts| texts.iter().all(|text| !text.is_empty()));
    let texts = texts.ok_or_else(|| refused(format!("{place} is not a list of texts")))?;
    Ok(Some(AnswerFormat::Choice { texts, place }))
}

/// Whether the client has written the beginning of the answer.
fn continues_text(request: &ConversationRequest) -> bool {
    let last = request.conversation.messages.last();
    matches!(last, Some(InputMessage::Assistant { prefix: true, content, .. }) if !content.is_empty())
}

/// The format that the conversion has found.
fn converted_format(api: Api, request: &ConversationRequest) -> Option<AnswerFormat> {
    let schema_place = match api {
        Api::Chat => "response_format.json_schema.schema",
        Api::Messages => "output_config.format.schema",
        Api::Responses => "text.format.schema",
    };
    match &request.conversation.response_format {
        ResponseFormat::Text => None,
        ResponseFormat::JsonObject => Some(AnswerFormat::JsonObject),
        ResponseFormat::JsonSchema(schema) => {
            Some(AnswerFormat::JsonSchema { schema: schema.clone(), place: schema_place })
        }
        ResponseFormat::Regex(pattern) => {
            Some(AnswerFormat::Regex { pattern: pattern.clone(), place: "response_format.regex" })
        }
    }
}
