//! Tool blocks that are cut, wrong or come in pieces.
//!
//! Oracle for pieces: the same text at once. For cuts: the whole block, of which nothing but a
//! beginning may be told, and never a call as whole that was not.

use std::sync::{Arc, Mutex};

use chat::deepseek_recipe::openai::ChatCompletionRequest;
use chat::deepseek_recipe::request::ProtocolRequest;
use chat::deepseek_recipe::stream::{
    InferenceChunk, InferenceFinishReason, ParsingOptions, StreamProcessor, ThinkingInitialStage,
};
use chat::{Api, Listener, Said, Tokenizer, convert_request, tell_cut_call};
use futures::executor::block_on_stream;
use futures::stream;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::byte_tokenizer;

/// What a client of the chat API gets.
#[derive(Debug, PartialEq)]
struct Got {
    said: Said,
    /// The same, put together from the chunks that went out.
    content: String,
    arguments: Vec<String>,
    finish_reason: String,
}

/// Runs an answer through the parser, the listener and the chunks of the chat API.
fn run(answer: Vec<InferenceChunk>, thinks: bool, tokenizer: Option<&Arc<Tokenizer>>) -> Got {
    let body = json!({ "model": "x", "messages": [{ "role": "user", "content": "x" }] });
    let request = convert_request(Api::Chat, body.to_string().as_bytes()).expect("a sound body");
    let generator = ChatCompletionRequest::chunk_generator(&request, "id".into(), "x".into());
    let said = Arc::new(Mutex::new(None));
    let listener = Listener::new(generator, {
        let said = Arc::clone(&said);
        move |ended| *said.lock().expect("nobody panics with it") = Some(ended)
    });
    let options = ParsingOptions {
        thinking_initial_stage: thinks.then_some(ThinkingInitialStage::ReasoningStart),
        ..ParsingOptions::default()
    };
    let mut processor = StreamProcessor::new(listener, options);
    if let Some(tokenizer) = tokenizer {
        processor = processor.with_tokenizer(Arc::clone(tokenizer));
    }
    let chunks = processor.into_protocol_stream(stream::iter(answer));
    let mut got = Got {
        said: Said::default(),
        content: String::new(),
        arguments: Vec::new(),
        finish_reason: String::new(),
    };
    for chunk in block_on_stream(Box::pin(chunks)) {
        let chunk = serde_json::to_value(chunk.expect("nothing is an error")).expect("JSON");
        let choice = &chunk["choices"][0];
        let text = |place: &str| choice.pointer(place).and_then(Value::as_str);
        got.content += text("/delta/content").unwrap_or_default();
        if text("/delta/tool_calls/0/id").is_some() {
            got.arguments.push(String::new());
        }
        if let Some(arguments) = text("/delta/tool_calls/0/function/arguments") {
            got.arguments.last_mut().expect("a call is open").push_str(arguments);
        }
        got.finish_reason += text("/finish_reason").unwrap_or_default();
    }
    got.said = said.lock().expect("nobody panics with it").take().expect("it ended");
    // Ids are drawn at random.
    for call in &mut got.said.calls {
        assert!(call.id.starts_with("call_"), "{call:?}");
        call.id.clear();
    }
    got
}

fn finish(finish_reason: InferenceFinishReason) -> InferenceChunk {
    InferenceChunk::Finish { finish_reason }
}

/// An answer in pieces of text, whose markup is known by its spelling.
fn texts(pieces: &[&str], reason: InferenceFinishReason) -> Got {
    let text = |piece: &&str| InferenceChunk::Text { content: (*piece).to_owned(), token_count: 1 };
    run(pieces.iter().map(text).chain([finish(reason)]).collect(), false, None)
}

const BLOCKS: [&str; 4] = [
    "Let me see.\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"bash\">\n\
     <｜DSML｜parameter name=\"command\" string=\"true\">rm -rf /tmp/x\n\"q\" \\ é</｜DSML｜parameter>\n\
     <｜DSML｜parameter name=\"timeout\" string=\"false\">120</｜DSML｜parameter>\n\
     </｜DSML｜invoke>\n</｜DSML｜tool_calls>",
    "\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"none\">\n</｜DSML｜invoke>\n\
     <｜DSML｜invoke name=\"edit\">\n\
     <｜DSML｜parameter name=\"edits\" string=\"false\">[{\"old\": \"a}\", \"new\": {}}, true]</｜DSML｜parameter>\n\
     </｜DSML｜invoke>\n</｜DSML｜tool_calls>",
    "\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"write\">\n\
     <｜DSML｜parameter name=\"text\" string=\"true\"></｜DSML｜parameter>\n\
     <｜DSML｜parameter name=\"html\" string=\"true\"></div> </｜x</｜DSML｜parameter>\n\
     </｜DSML｜invoke>\n</｜DSML｜tool_calls>",
    "\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"a\">\n\
     <｜DSML｜parameter name=\"n\" string=\"false\">null</｜DSML｜parameter>\n\
     </｜DSML｜invoke>\n<｜DSML｜invoke name=\"b\">\n\
     <｜DSML｜parameter name=\"n\" string=\"false\">-1.5e3</｜DSML｜parameter>\n\
     </｜DSML｜invoke>\n</｜DSML｜tool_calls>",
];

fn is_object(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object())
}

/// Checks what is told of the beginning of a block, cut for this reason.
fn check_cut(whole: &Got, cut: &Got, reason: InferenceFinishReason, context: &str) {
    let (known, found) = (&whole.said.calls, &cut.said.calls);
    assert!(found.len() <= known.len(), "{context}");
    assert_eq!(cut.arguments.len(), found.len(), "{context}");
    for (i, call) in found.iter().enumerate() {
        assert_eq!(call.name, known[i].name, "{context}");
        assert_eq!(cut.arguments[i], call.arguments, "what streams is what is said: {context}");
        let is_last = i + 1 == found.len();
        if !is_last || !cut.said.is_cut {
            assert!(is_object(&call.arguments), "{call:?}: {context}");
        }
        // A mended call has an end that the whole one does not have there.
        let told = call.arguments.strip_suffix('}').unwrap_or(&call.arguments);
        // Nor can a closing tag that has only begun be told from text.
        let told = if cut.said.is_cut { told.trim_end_matches(['/', '<']) } else { told };
        assert!(known[i].arguments.starts_with(told), "{call:?}: {context}");
        if call.arguments == "{}" {
            assert_eq!(known[i].arguments, "{}", "{context}");
        }
    }
    if cut.said.is_cut {
        assert_eq!(cut.finish_reason, "length", "{context}");
    } else if reason == InferenceFinishReason::Stop && !found.is_empty() {
        assert_eq!(cut.finish_reason, "tool_calls", "{context}");
    }
}

#[test]
fn every_cut_of_a_block_is_told() {
    let tokenizer = byte_tokenizer();
    for block in BLOCKS {
        let whole = texts(&[block], InferenceFinishReason::Stop);
        assert!(!whole.said.is_cut && whole.finish_reason == "tool_calls", "{whole:?}");
        assert!(whole.said.calls.iter().all(|call| is_object(&call.arguments)), "{whole:?}");
        let ids = tokenizer.encode(block);
        for n in 0..=ids.len() {
            for reason in [InferenceFinishReason::Length, InferenceFinishReason::Stop] {
                let tokens =
                    InferenceChunk::Tokens { token_ids: ids[..n].to_vec(), logprobs: None };
                let cut = run(vec![tokens, finish(reason)], false, Some(&tokenizer));
                let context = format!("{n} of {block:?}, {reason:?}: {cut:?}");
                check_cut(&whole, &cut, reason, &context);
            }
        }
    }
}

#[test]
fn closing_tags_that_are_missing_are_mended_and_values_are_not() {
    let until = |end: &str| {
        let block = BLOCKS[0];
        let n = block.find(end).unwrap_or_else(|| panic!("no {end}")) + end.len();
        texts(&[&block[..n]], InferenceFinishReason::Stop)
    };
    let mended = until("120</｜DSML｜parameter>\n");
    assert!(!mended.said.is_cut);
    assert_eq!(mended.finish_reason, "tool_calls");
    let arguments: Value = serde_json::from_str(&mended.arguments[0]).expect("an object");
    assert_eq!(arguments, json!({ "command": "rm -rf /tmp/x\n\"q\" \\ é", "timeout": 120 }));
    let cut = until("rm -rf /");
    assert!(cut.said.is_cut);
    assert_eq!(cut.finish_reason, "length");
    assert_eq!(cut.arguments, [r#"{"command": "rm -rf /"#]);
    // A name without anything behind it is no call without arguments.
    let named = until("name=\"bash\"");
    assert!(named.said.is_cut && named.arguments == [""], "{named:?}");
    let begun = until("invoke name=\"ba");
    assert!(begun.said.is_cut && begun.said.calls.is_empty(), "{begun:?}");
    assert_eq!(begun.finish_reason, "length");
}

#[test]
fn what_is_wrong_is_told_as_it_is() {
    // A value that is not JSON: the client sees it, and that the call is not whole.
    let block = BLOCKS[0].replace("120", "soon");
    let wrong = texts(&[&block], InferenceFinishReason::Stop);
    assert!(wrong.arguments[0].contains("soon") && wrong.said.is_cut, "{wrong:?}");
    assert_eq!(wrong.finish_reason, "length");
    // Another name is the client's to refuse.
    let other = texts(&[&BLOCKS[0].replace("bash", "bush")], InferenceFinishReason::Stop);
    assert_eq!(other.said.calls[0].name, "bush");
    // Without its control tokens, a block is text.
    let tokenizer = byte_tokenizer();
    let token_ids = tokenizer.encode_plain(BLOCKS[0]);
    let tokens = InferenceChunk::Tokens { token_ids, logprobs: None };
    let spelled = run(vec![tokens, finish(InferenceFinishReason::Stop)], false, Some(&tokenizer));
    assert_eq!(spelled.content, BLOCKS[0]);
    assert!(spelled.said.calls.is_empty());
}

#[test]
fn a_cut_call_of_a_message_says_so() {
    let said = texts(
        &[&BLOCKS[0][..BLOCKS[0].find("/tmp").expect("it is there")]],
        InferenceFinishReason::Length,
    )
    .said;
    let reply = json!({ "content": [{ "type": "text", "text": "Let me see." },
        { "type": "tool_use", "id": "x", "name": "bash", "input": {} }] });
    let mut told = reply.clone();
    tell_cut_call(Api::Messages, &said, &mut told);
    assert_eq!(told["content"][0], reply["content"][0]);
    assert_eq!(told["content"][1]["type"], "text");
    let text = told["content"][1]["text"].as_str().expect("text");
    assert!(text.contains("bash") && text.contains("rm -rf ") && !text.contains("/tmp"), "{text}");
    let mut whole = reply.clone();
    tell_cut_call(Api::Messages, &Said { is_cut: false, ..said }, &mut whole);
    assert_eq!(whole, reply);
}

/// Pieces of markup and of text, in any order.
fn fragments() -> impl Strategy<Value = Vec<String>> {
    let fragment = prop_oneof![
        3 => prop::sample::select(vec![
            "<", "</", "｜DSML｜", "<｜DSML｜", "</｜DSML｜", "tool_calls>", "\n\n", "\n", "invoke>\n",
            "invoke name=\"f\">\n", "parameter name=\"x\" string=\"true\">", "parameter>\n",
            "parameter name=\"y\" string=\"false\">", "{\"a\": [1, ", "\"", "}", "</think>", "<think>",
            "]", "12", " ", "invoke name=\"", "true\">", "é",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    prop::collection::vec(fragment, 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_chunking_is_the_same_answer(
        fragments in fragments(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        thinks in any::<bool>(),
    ) {
        let text = fragments.concat();
        let mut places: Vec<usize> = text.char_indices().map(|(i, _)| i).collect();
        places.push(text.len());
        let mut at: Vec<usize> = cuts.iter().map(|cut| places[cut.index(places.len())]).collect();
        at.extend([0, text.len()]);
        at.sort_unstable();
        let chunk = |content: &str| InferenceChunk::Text { content: content.to_owned(), token_count: 1 };
        let pieces = at.windows(2).map(|pair| chunk(&text[pair[0]..pair[1]]));
        let end = || finish(InferenceFinishReason::Stop);
        let in_pieces = run(pieces.chain([end()]).collect(), thinks, None);
        let at_once = run(vec![chunk(&text), end()], thinks, None);
        prop_assert_eq!(in_pieces, at_once);
    }

    #[test]
    fn any_tokens_are_an_answer(
        tokens in prop::collection::vec(0_u32..263, 0..80),
        blocks in prop::collection::vec(prop::sample::select(BLOCKS.to_vec()), 0..2),
        thinks in any::<bool>(),
        size in 1_usize..9,
    ) {
        let tokenizer = byte_tokenizer();
        let mut ids = tokens;
        for block in blocks {
            ids.extend(tokenizer.encode(block));
        }
        let chunk = |ids: &[u32]| InferenceChunk::Tokens { token_ids: ids.to_vec(), logprobs: None };
        let end = || finish(InferenceFinishReason::Length);
        let pieces = ids.chunks(size).map(chunk).chain([end()]).collect();
        let in_pieces = run(pieces, thinks, Some(&tokenizer));
        let one_by_one = ids.chunks(1).map(chunk).chain([end()]).collect();
        let one_by_one = run(one_by_one, thinks, Some(&tokenizer));
        prop_assert_eq!(&in_pieces.arguments.len(), &in_pieces.said.calls.len());
        prop_assert_eq!(&one_by_one.arguments.len(), &one_by_one.said.calls.len());
        // The vendor's decoder holds a chunk back as a whole whose last character is not complete.
        if std::str::from_utf8(&tokenizer.decode(&ids).expect("its tokens")).is_ok() {
            prop_assert_eq!(in_pieces, one_by_one);
        }
    }
}
