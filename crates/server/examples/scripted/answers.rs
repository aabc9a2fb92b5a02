//! What the scripted model says: to a request for a file, a call of a tool that writes it; to the
//! result of the call, that it is done.
//!
//! The tool is taken from those in the prompt, by its schema: one that runs a command, or one that
//! writes a file. Parameters have the names and types of the schema, and what else is required gets
//! a value of its type. A path is as the user says it, or absolute where the schema wants that and the
//! prompt names a directory. Without tools, a prompt that explains blocks of edits gets one, and one that
//! asks for JSON gets JSON of its schema.

use serde_json::{Map, Value, json};

/// Which kind of tool is called where there are both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Preference {
    /// One that runs a command.
    Shell,
    /// One that writes a file.
    Write,
}

const SCHEMAS: &str = "### Available Tool Schemas\n\n";
const RESPONSE_FORMAT: &str = "adhere to the following schema to reply:\n";
const USER: &str = "<｜User｜>";
const ASSISTANT: &str = "<｜Assistant｜>";

/// Names of parameters that hold a command, a path and a text.
const COMMAND: [&str; 4] = ["command", "cmd", "commands", "script"];
const PATH: [&str; 7] =
    ["path", "file_path", "filepath", "filePath", "filename", "file", "absolute_path"];
const TEXT: [&str; 6] = ["content", "contents", "text", "file_text", "new_text", "body"];

/// The answer to a prompt, which ends in the token that says whether to think. Control tokens are
/// spelled.
pub(crate) fn answer(prompt: &str, preference: Preference) -> String {
    let thinks = prompt.ends_with("<think>");
    let (thought, said) = reply(prompt, preference);
    if thinks { format!("{thought}</think>{said}") } else { said }
}

/// What is thought and what is said.
fn reply(prompt: &str, preference: Preference) -> (String, String) {
    let done = || ("The work is done.".to_owned(), "done".to_owned());
    // What the last user turn holds: the request, or the result of a call.
    let turn = prompt.rsplit(USER).next().unwrap_or_default();
    let turn = turn.split(ASSISTANT).next().unwrap_or_default();
    if turn.contains("<tool_result>") {
        return done();
    }
    let (file, content) = wanted(turn);
    let file = File { name: &file, directory: directory(prompt) };
    if let Some((name, arguments)) = call(&tools(prompt), preference, file, &content) {
        return (format!("I will call {name}."), block(&name, &arguments));
    }
    if prompt.contains("<<<<<<< SEARCH") {
        let edit = format!("<<<<<<< SEARCH\n=======\n{content}\n>>>>>>> REPLACE");
        let said = format!("{}\n```\n{edit}\n```\n\ndone", file.name);
        return ("I will write a block.".to_owned(), said);
    }
    match prompt.rsplit_once(RESPONSE_FORMAT).map(|(_, schema)| first_json(schema)) {
        Some(Some(schema)) => ("I will write JSON.".to_owned(), value_of(&schema).to_string()),
        _ => done(),
    }
}

/// The file that a request names and the text that it quotes.
fn wanted(request: &str) -> (String, String) {
    let is_name = |word: &&str| {
        let mut parts = word.splitn(2, '.');
        let stem = parts.next().unwrap_or_default();
        let end = parts.next().unwrap_or_default();
        let is_plain = |part: &str| !part.is_empty() && part.chars().all(char::is_alphanumeric);
        is_plain(stem) && is_plain(end) && end.chars().any(char::is_alphabetic)
    };
    // The last paragraph that names one and quotes; clients put notes of their own around it.
    let request = without_reminders(request);
    let names =
        |part: &&str| part.contains('\'') && part.split_whitespace().any(|word| is_name(&word));
    let request = request.rsplit("\n\n").find(names).unwrap_or_default();
    let file = request.split_whitespace().find(is_name).unwrap_or("hello.txt");
    let content = request.split('\'').nth(1).unwrap_or("hello");
    (file.to_owned(), content.to_owned())
}

/// A file in the client's working directory.
#[derive(Clone, Copy)]
struct File<'a> {
    name: &'a str,
    /// Where that is, if the prompt says so.
    directory: Option<&'a str>,
}

impl File<'_> {
    /// Its path as a parameter of this schema wants it.
    fn path(self, schema: &Value) -> String {
        let is_absolute = schema["description"].as_str().is_some_and(|it| it.contains("absolute"));
        match self.directory.filter(|_| is_absolute) {
            Some(directory) => format!("{}/{}", directory.trim_end_matches('/'), self.name),
            None => self.name.to_owned(),
        }
    }
}

/// The directory that a prompt says the client works in.
fn directory(prompt: &str) -> Option<&str> {
    let (_, rest) = prompt.split_once("directory: /")?;
    let n = rest.find(|c: char| c.is_whitespace()).unwrap_or(rest.len());
    let start = prompt.len() - rest.len() - 1;
    Some(&prompt[start..=start + n])
}

/// A turn without what clients remind the model of.
fn without_reminders(turn: &str) -> String {
    let mut parts = turn.split("<system-reminder>");
    let first = parts.next().unwrap_or_default();
    let behind = parts.map(|part| part.split_once("</system-reminder>").map_or("", |part| part.1));
    std::iter::once(first).chain(behind).collect()
}

/// The tools of a prompt, as it lists them: one on each line.
fn tools(prompt: &str) -> Vec<Value> {
    let lists = prompt.split(SCHEMAS).skip(1);
    let lines = lists.flat_map(|list| list.lines().take_while(|line| line.starts_with('{')));
    lines.filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The call that writes the file, if a tool can.
fn call(
    tools: &[Value],
    preference: Preference,
    file: File<'_>,
    content: &str,
) -> Option<(String, Map<String, Value>)> {
    let command = |_: &Value| format!("printf '%s\\n' '{content}' > {}", file.name);
    let (path, text) = (|schema: &Value| file.path(schema), |_: &Value| content.to_owned());
    let shell = tools.iter().find_map(|tool| fill(tool, &[(&COMMAND, &command)]));
    let write = tools.iter().find_map(|tool| fill(tool, &[(&PATH, &path), (&TEXT, &text)]));
    match preference {
        Preference::Shell => shell.or(write),
        Preference::Write => write.or(shell),
    }
}

/// What a parameter of a schema is filled with.
type Text<'a> = &'a dyn Fn(&Value) -> String;

/// A call of a tool that has a parameter for each of these texts; each may have one of several names.
fn fill(tool: &Value, texts: &[(&[&str], Text<'_>)]) -> Option<(String, Map<String, Value>)> {
    let name = tool["name"].as_str()?;
    let schema = &tool["parameters"];
    let properties = schema["properties"].as_object()?;
    let mut arguments = Map::new();
    for (names, text) in texts {
        let name = names.iter().find(|name| takes_text(properties.get(**name)))?;
        let schema = &properties[*name];
        let text = text(schema);
        let value = match kind(schema) {
            "array" => json!([text]),
            _ => json!(text),
        };
        arguments.insert((*name).to_owned(), value);
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        let required = required.as_str()?;
        if !arguments.contains_key(required) {
            arguments.insert(required.to_owned(), value_of(properties.get(required)?));
        }
    }
    Some((name.to_owned(), arguments))
}

fn kind(schema: &Value) -> &str {
    let one = schema["type"].as_array().and_then(|kinds| kinds.first());
    one.unwrap_or(&schema["type"]).as_str().unwrap_or_default()
}

/// Whether a parameter can hold a text, or a list of them.
fn takes_text(schema: Option<&Value>) -> bool {
    schema.is_some_and(|schema| match kind(schema) {
        "string" => schema.get("enum").is_none(),
        "array" => kind(&schema["items"]) == "string",
        _ => false,
    })
}

/// A small value that a schema takes.
fn value_of(schema: &Value) -> Value {
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    if let Some(first) = schema["anyOf"].as_array().and_then(|schemas| schemas.first()) {
        return value_of(first);
    }
    match kind(schema) {
        "string" => json!("writes a file"),
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or(json!(1)),
        "boolean" => json!(false),
        "null" => Value::Null,
        "array" if schema["minItems"].as_u64().unwrap_or(0) > 0 => {
            json!([value_of(&schema["items"])])
        }
        "array" => json!([]),
        _ => {
            let properties = schema["properties"].as_object();
            let required = schema["required"].as_array().into_iter().flatten();
            let names = required.filter_map(Value::as_str);
            let value = |name: &str| Some((name.to_owned(), value_of(properties?.get(name)?)));
            names.filter_map(value).collect::<Map<_, _>>().into()
        }
    }
}

/// The JSON value that a text begins with.
fn first_json(text: &str) -> Option<Value> {
    serde_json::Deserializer::from_str(text).into_iter().next()?.ok()
}

/// A tool block as the model writes it.
fn block(name: &str, arguments: &Map<String, Value>) -> String {
    let parameter = |(name, value): (&String, &Value)| {
        let (is_string, text) = match value {
            Value::String(text) => (true, text.clone()),
            value => (false, value.to_string()),
        };
        let open = format!("<｜DSML｜parameter name=\"{name}\" string=\"{is_string}\">");
        format!("{open}{text}</｜DSML｜parameter>\n")
    };
    let parameters: String = arguments.iter().map(parameter).collect();
    format!(
        "\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"{name}\">\n{parameters}\
         </｜DSML｜invoke>\n</｜DSML｜tool_calls>"
    )
}
