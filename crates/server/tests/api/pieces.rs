//! Streaming is the same as not streaming, in whatever pieces the model says what it says.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock};

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::client::{Reply, Server, Setup};
use crate::scripted::{STRAYED, Script, tiny};

/// What a reply amounts to, whatever the API: reasoning, content, calls, why it ended.
#[derive(Debug, Default, PartialEq)]
struct Meaning {
    reasoning: String,
    content: String,
    calls: Vec<(String, String)>,
    end: String,
    n_tokens: u64,
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn of_chat(reply: &Reply) -> Meaning {
    let json = reply.json();
    let (choice, message) = (&json["choices"][0], &json["choices"][0]["message"]);
    let calls = message["tool_calls"].as_array().into_iter().flatten();
    let call = |call: &Value| {
        let function = &call["function"];
        (text(&function["name"]).to_owned(), text(&function["arguments"]).to_owned())
    };
    Meaning {
        reasoning: text(&message["reasoning_content"]).to_owned(),
        content: text(&message["content"]).to_owned(),
        calls: calls.map(call).collect(),
        end: text(&choice["finish_reason"]).to_owned(),
        n_tokens: json["usage"]["completion_tokens"].as_u64().expect("usage"),
    }
}

fn of_chat_stream(reply: &Reply) -> Meaning {
    let mut meaning = Meaning::default();
    for chunk in reply.events() {
        let choice = &chunk["choices"][0];
        let delta = &choice["delta"];
        meaning.reasoning += text(&delta["reasoning_content"]);
        meaning.content += text(&delta["content"]);
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            let i = call["index"].as_u64().expect("calls have an index") as usize;
            meaning.calls.resize(meaning.calls.len().max(i + 1), Default::default());
            meaning.calls[i].0 += text(&call["function"]["name"]);
            meaning.calls[i].1 += text(&call["function"]["arguments"]);
        }
        meaning.end += text(&choice["finish_reason"]);
        if let Some(n) = chunk["usage"]["completion_tokens"].as_u64() {
            meaning.n_tokens = n;
        }
    }
    meaning
}

fn of_messages(reply: &Reply) -> Meaning {
    let json = reply.json();
    let mut meaning = Meaning {
        end: text(&json["stop_reason"]).to_owned(),
        n_tokens: json["usage"]["output_tokens"].as_u64().expect("usage"),
        ..Meaning::default()
    };
    for block in json["content"].as_array().expect("blocks") {
        meaning.reasoning += text(&block["thinking"]);
        meaning.content += text(&block["text"]);
        if block["type"] == "tool_use" {
            meaning.calls.push((text(&block["name"]).to_owned(), block["input"].to_string()));
        }
    }
    meaning
}

fn of_messages_stream(reply: &Reply) -> Meaning {
    let mut meaning = Meaning::default();
    for event in reply.events() {
        let delta = &event["delta"];
        if event["content_block"]["type"] == "tool_use" {
            let name = text(&event["content_block"]["name"]).to_owned();
            meaning.calls.push((name, String::new()));
        }
        meaning.reasoning += text(&delta["thinking"]);
        meaning.content += text(&delta["text"]);
        if let Some(json) = delta["partial_json"].as_str() {
            meaning.calls.last_mut().expect("an open call").1 += json;
        }
        if event["type"] == "message_delta" {
            meaning.end += text(&delta["stop_reason"]);
            meaning.n_tokens = event["usage"]["output_tokens"].as_u64().expect("usage");
        }
    }
    // The whole reply shows inputs parsed, and tells of a call that is cut in a text.
    let parsed = |input: &str| serde_json::from_str::<Value>(input).ok();
    for (_, input) in &mut meaning.calls {
        *input = parsed(input).map_or_else(|| input.clone(), |json| json.to_string());
    }
    if let Some((name, input)) = meaning.calls.pop_if(|(_, input)| parsed(input).is_none()) {
        let told = format!("[The call of {name} was cut off by the limit of tokens: {input}]");
        meaning.content.push_str(&told);
    }
    meaning
}

fn of_response(json: &Value) -> Meaning {
    let mut meaning = Meaning {
        end: text(&json["status"]).to_owned(),
        n_tokens: json["usage"]["output_tokens"].as_u64().expect("usage"),
        ..Meaning::default()
    };
    for item in json["output"].as_array().expect("items") {
        let said = item["content"].as_array().into_iter().flatten();
        let said: String = said.map(|part| text(&part["text"])).collect();
        match text(&item["type"]) {
            "reasoning" => meaning.reasoning += &said,
            "message" => meaning.content += &said,
            _ => {
                let (name, arguments) = (text(&item["name"]), text(&item["arguments"]));
                meaning.calls.push((name.to_owned(), arguments.to_owned()));
            }
        }
    }
    meaning
}

fn of_response_stream(reply: &Reply) -> Meaning {
    let mut meaning = Meaning::default();
    let events = reply.events();
    for (i, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], i, "events are numbered");
        match text(&event["type"]) {
            "response.reasoning_text.delta" => meaning.reasoning += text(&event["delta"]),
            "response.output_text.delta" => meaning.content += text(&event["delta"]),
            "response.output_item.added" if event["item"]["type"] == "function_call" => {
                meaning.calls.push((text(&event["item"]["name"]).to_owned(), String::new()));
            }
            "response.function_call_arguments.delta" => {
                meaning.calls.last_mut().expect("an open call").1 += text(&event["delta"]);
            }
            _ => {}
        }
    }
    let last = of_response(&events.last().expect("events")["response"]);
    (meaning.end, meaning.n_tokens) = (last.end.clone(), last.n_tokens);
    assert_eq!(last, meaning, "the last event repeats what was streamed");
    meaning
}

/// Answers of all kinds. Their calls are what the tool's schema allows; where the server holds the
/// model to another spelling, the answer goes on as it may, and always the same.
fn answer() -> impl Strategy<Value = String> {
    let words = "[a-z<>&\"\\\\ \n日é🤭|｜{}]{0,24}";
    let text = words.prop_map(|text: String| format!("name=\"text\" string=\"true\">{text}"));
    let number = any::<i16>().prop_map(|n| format!("name=\"number\" string=\"false\">{n}"));
    let list = prop::collection::vec(any::<bool>(), 0..3)
        .prop_map(|list| format!("name=\"list\" string=\"false\">{}", json!(list)));
    let call = (text, prop::option::of(number), prop::option::of(list)).prop_map(|(a, b, c)| {
        let parameter = |value| format!("<｜DSML｜parameter {value}</｜DSML｜parameter>\n");
        let parameters: String = [Some(a), b, c].into_iter().flatten().map(parameter).collect();
        format!("<｜DSML｜invoke name=\"bash\">\n{parameters}</｜DSML｜invoke>\n")
    });
    let calls = prop::collection::vec(call, 0..3).prop_map(|calls| match calls.len() {
        0 => String::new(),
        _ => format!("\n\n<｜DSML｜tool_calls>\n{}</｜DSML｜tool_calls>", calls.concat()),
    });
    (words, words, calls)
        .prop_map(|(thought, words, calls)| format!("{thought}</think>{words}{calls}"))
}

/// The tokens of a text, cut into pieces at random places; control tokens stay whole.
fn in_pieces(text: &str, cuts: &[bool]) -> Vec<u32> {
    let tokenizer = &tiny().tokenizer;
    let mut cuts = cuts.iter().cycle();
    let mut tokens = Vec::new();
    for token in tokenizer.encode(text) {
        let piece = std::str::from_utf8(tokenizer.token_bytes(token));
        match piece {
            Ok(piece) if !tokenizer.is_added_token(token) => {
                let mut rest = String::new();
                for c in piece.chars() {
                    rest.push(c);
                    if cuts.next() == Some(&true) {
                        tokens.extend(tokenizer.encode_plain(&std::mem::take(&mut rest)));
                    }
                }
                tokens.extend(tokenizer.encode_plain(&rest));
            }
            _ => tokens.push(token),
        }
    }
    tokens
}

/// One server for all cases, whose script is exchanged.
fn server() -> &'static (Server, Arc<Mutex<Vec<Script>>>) {
    static SERVER: OnceLock<(Server, Arc<Mutex<Vec<Script>>>)> = OnceLock::new();
    SERVER.get_or_init(|| {
        let setup = Setup::default();
        let scripts = Arc::clone(&setup.scripts);
        (setup.start(), scripts)
    })
}

/// More than any answer here has.
const MOST_TOKENS: usize = 500;

/// What a question asks beside the answer.
#[derive(Debug, Clone, Default)]
struct Limits {
    stop: Option<String>,
    max_tokens: Option<usize>,
}

fn ask(path: &str, stream: bool, limits: &Limits) -> Reply {
    let parameters = json!({
        "type": "object", "required": ["text"],
        "properties": { "text": { "type": "string" }, "number": { "type": "integer" },
                        "list": { "type": "array", "items": { "type": "boolean" } } },
    });
    let function = json!({ "name": "bash", "parameters": parameters });
    let question = json!([{ "role": "user", "content": "say" }]);
    let mut body = match path {
        "/v1/chat/completions" => json!({
            "messages": question, "tools": [{ "type": "function", "function": function }],
        }),
        "/v1/messages" => json!({
            "messages": question, "tools": [{ "name": "bash", "input_schema": parameters }],
        }),
        _ => json!({
            "input": question,
            "tools": [{ "type": "function", "name": "bash", "parameters": parameters }],
        }),
    };
    if let Some(stop) = limits.stop.as_ref().filter(|_| path != "/v1/responses") {
        body["stop"] = stop.as_str().into();
        body["stop_sequences"] = json!([stop]);
    }
    let limit = limits.max_tokens.unwrap_or(MOST_TOKENS);
    body["max_tokens"] = limit.into();
    body["max_output_tokens"] = limit.into();
    body["stream"] = stream.into();
    let reply = server().0.post(path, &body);
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply
}

/// What all APIs say, not streamed and streamed.
fn ask_all(limits: &Limits) -> [[Meaning; 3]; 2] {
    let whole = [
        of_chat(&ask("/v1/chat/completions", false, limits)),
        of_messages(&ask("/v1/messages", false, limits)),
        of_response(&ask("/v1/responses", false, limits).json()),
    ];
    let streamed = [
        of_chat_stream(&ask("/v1/chat/completions", true, limits)),
        of_messages_stream(&ask("/v1/messages", true, limits)),
        of_response_stream(&ask("/v1/responses", true, limits)),
    ];
    [whole, streamed]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24, max_shrink_iters: 30, ..ProptestConfig::default()
    })]

    #[test]
    fn streams_amount_to_the_whole_reply(
        text in answer(),
        cuts in prop::collection::vec(any::<bool>(), 1..40),
        stop in prop::option::weighted(0.2, "[a-z]{1,2}"),
        max_tokens in prop::option::weighted(0.3, 1_usize..60),
    ) {
        let mut seen: Option<[Meaning; 3]> = None;
        let limits = Limits { stop, max_tokens };
        for cuts in [&[false][..], &[true], &cuts] {
            let said = in_pieces(&text, cuts);
            let n_said = said.len() as u64;
            let script = Script { asked: "say".to_owned(), said, ..Script::default() };
            *server().1.lock().expect("nobody panics with it") = vec![script];
            STRAYED.store(false, Ordering::Relaxed);
            let [mut whole, streamed] = ask_all(&limits);
            prop_assert_eq!(&whole, &streamed);
            let is_cut = whole.iter().any(|meaning| meaning.n_tokens != n_said);
            if is_cut || STRAYED.load(Ordering::Relaxed) {
                // Pieces of another size end elsewhere, and where a rule forces what comes it also
                // forces how that is cut.
                continue;
            }
            // Other pieces are other tokens, but the same words.
            for meaning in &mut whole {
                meaning.n_tokens = 0;
            }
            match &seen {
                None => seen = Some(whole),
                Some(seen) => prop_assert_eq!(seen, &whole),
            }
        }
    }
}

/// The pieces are what they should be: as many as bytes allow, and the same text.
#[test]
fn pieces_spell_the_text() {
    let text = "I think.</think>日本 and 🤭 are <｜DSML｜tool_calls>";
    let tokenizer = &tiny().tokenizer;
    let (whole, cut) = (in_pieces(text, &[false]), in_pieces(text, &[true]));
    assert!(cut.len() > whole.len());
    for tokens in [whole, cut] {
        assert_eq!(tokenizer.decode(&tokens).expect("tokens"), text.as_bytes());
    }
}
