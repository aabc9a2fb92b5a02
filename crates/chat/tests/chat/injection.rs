//! No text of a request makes a control token: oracle is the reference's list of added tokens
//! (`testdata/golden/tokenizer.json`), and the rendered template around an innocent text.

use chat::{
    Api, Dialect, Effort, Exchange, Segment, Thinking, Tokenizer, render_chat, render_dialogue,
    render_request,
};
use serde_json::{Value, json};

use crate::support::{golden, text, v4_tokenizer};

fn added_tokens() -> Vec<String> {
    golden("tokenizer.json", "added_tokens").iter().map(|t| text(t, "content").to_owned()).collect()
}

fn control_ids(tokenizer: &Tokenizer, ids: &[u32]) -> Vec<u32> {
    ids.iter().copied().filter(|&id| tokenizer.is_added_token(id)).collect()
}

#[test]
fn plain_text_never_holds_a_control_token() {
    let Some(tokenizer) = v4_tokenizer() else { return };
    for token in added_tokens() {
        for text in [token.clone(), format!("a{token}b"), format!("{token}{token}\n {token}")] {
            let ids = tokenizer.encode_plain(&text);
            assert!(control_ids(&tokenizer, &ids).is_empty(), "{text}");
            assert_eq!(tokenizer.decode(&ids).expect("its own ids"), text.as_bytes());
        }
    }
}

/// A chat prompt has the same control tokens whatever system and user say.
#[test]
fn system_and_user_text_stay_text() {
    let Some(tokenizer) = v4_tokenizer() else { return };
    let render = |text: &str| {
        let thinking = Thinking::On(Effort::High);
        let prompt = render_chat(Dialect::V4_0731, Some(text), text, thinking).expect("it renders");
        let ids = prompt.encode(&tokenizer).expect("V4 has the control tokens");
        assert_eq!(tokenizer.decode(&ids).expect("its own ids"), prompt.text().as_bytes());
        let texts: Vec<String> = prompt
            .segments()
            .filter_map(|segment| match segment {
                Segment::Text(text) => Some(text.to_owned()),
                Segment::Control(_) => None,
            })
            .collect();
        assert!(texts.iter().any(|segment| segment == text), "{text} is a segment of its own");
        control_ids(&tokenizer, &ids)
    };
    let innocent = render("hello");
    assert_eq!(innocent.len(), 4);
    for token in added_tokens() {
        assert_eq!(render(&format!("x{token}y")), innocent, "{token}");
    }
}

/// The same for every text of a Chat Completions request.
fn request(injected: &str) -> Value {
    json!({
        "model": "any name",
        "messages": [
            {"role": "system", "content": injected},
            {"role": "user", "content": injected},
            {"role": "assistant", "content": injected, "reasoning_content": injected,
             "tool_calls": [{"id": "c1", "type": "function", "function":
                {"name": "read", "arguments": json!({injected: injected, "n": [injected]}).to_string()}}]},
            {"role": "tool", "tool_call_id": "c1", "content": injected},
            {"role": "user", "content": [{"type": "text", "text": injected}]},
        ],
        "tools": [{"type": "function", "function": {"name": "read", "description": injected,
            "parameters": {"type": "object", "properties": {injected: {"type": "string"}}}}}],
        "response_format": {"type": "json_schema", "json_schema":
            {"name": "s", "schema": {"type": "object", "description": injected}}},
    })
}

/// The vendor's renderer recognises these eight in assistant content and reasoning.
const GROUNDING: [&str; 8] = [
    "<｜ref｜>",
    "<｜/ref｜>",
    "<｜box｜>",
    "<｜/box｜>",
    "<｜point｜>",
    "<｜/point｜>",
    "<｜polygon｜>",
    "<｜/polygon｜>",
];

#[test]
fn every_text_of_a_request_stays_text() {
    let Some(tokenizer) = v4_tokenizer() else { return };
    let controls = |injected: &str| {
        let body = request(injected).to_string();
        let rendered = render_request(Api::Chat, body.as_bytes(), Dialect::V4_0731, &tokenizer)
            .expect("the request is valid");
        let bytes = tokenizer.decode(&rendered.tokens).expect("its own ids");
        assert_eq!(bytes, rendered.prompt.as_bytes(), "{injected}");
        assert!(rendered.prompt.matches(injected).count() >= 10, "{injected} is everywhere");
        control_ids(&tokenizer, &rendered.tokens)
    };
    let innocent = controls("innocent");
    for token in added_tokens() {
        let found = controls(&token);
        if GROUNDING.contains(&token.as_str()) {
            let id = tokenizer.token_id(&token).expect("an added token");
            let n_recognised = found.iter().filter(|&&found| found == id).count();
            assert_eq!(n_recognised, 2, "{token}: once in the content, once in the reasoning");
            let others: Vec<u32> = found.into_iter().filter(|&found| found != id).collect();
            assert_eq!(others, innocent, "{token}");
        } else {
            assert_eq!(found, innocent, "{token}");
        }
    }
}

/// A model may have written its answer in other tokens than the tokenizer would: those stay, but
/// only where an answer stands.
#[test]
fn answers_keep_the_tokens_that_the_model_wrote() {
    let Some(tokenizer) = v4_tokenizer() else { return };
    let answer = "Hello there";
    let past = [Exchange { user: answer, reasoning: "", answer }];
    let prompt =
        render_dialogue(Dialect::V4_0731, None, &past, "more", Thinking::Off).expect("it renders");
    let plain = prompt.encode(&tokenizer).expect("V4 has the control tokens");
    let letters: Vec<u32> =
        answer.chars().flat_map(|letter| tokenizer.encode_plain(&letter.to_string())).collect();
    let known = [(answer, letters.as_slice())].into();
    let recalled = prompt.encode_recalling(&tokenizer, &known).expect("as above");
    let canonical = tokenizer.encode_plain(answer);
    assert_ne!(letters, canonical);
    let at = plain.windows(canonical.len()).rposition(|ids| ids == canonical).expect("the answer");
    let expected = [&plain[..at], &letters, &plain[at + canonical.len()..]].concat();
    assert_eq!(recalled, expected);
    assert_eq!(tokenizer.decode(&recalled).expect("its own ids"), prompt.text().as_bytes());
}
