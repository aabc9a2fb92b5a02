//! What an answer came to, and tool calls that are not whole.
//!
//! A [`Listener`] stands between the vendor's parser and an API's chunk generator. It keeps what the
//! client gets to see, the ids of calls among it, and sees to calls that have no end. Where the
//! grammar holds the answer, only a limit of tokens can cut a call. Then the client gets what there
//! is, and the reason `length`: closing the arguments would make a command out of half a command.
//! A model that ends its turn inside a call, which a grammar does not let it, is mended if all that
//! is missing are closing tags behind a whole parameter; otherwise that call counts as cut, too.
//!
//! Refuses: guessing what a cut call would have said.

use deepseek_recipe::stream::{ChunkGenerator, FinishReason, OutputChunk};
use serde::Serialize;
use serde_json::{Value, json};

use crate::request::Api;

/// What a client saw of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// Reasoning, without its brackets.
    pub reasoning: String,
    /// The answer.
    pub content: String,
    /// Tool calls, in the order they were written.
    pub calls: Vec<SaidCall>,
    /// Whether the last call is cut off.
    pub is_cut: bool,
    /// Whether a stop string ended the answer.
    pub is_stopped: bool,
}

/// A tool call that a client saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SaidCall {
    /// What the client calls it; empty if its chunk does not say.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// Its arguments: a JSON object, or the beginning of one in a call that is cut.
    pub arguments: String,
}

impl SaidCall {
    fn is_whole(&self) -> bool {
        is_object(&self.arguments)
    }
}

fn is_object(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object())
}

/// Hears an answer on its way to a chunk generator, and tells what it came to when it ends.
pub struct Listener<G, F> {
    inner: G,
    said: Said,
    /// A call has begun and has no name yet.
    is_unnamed: bool,
    on_end: Option<F>,
}

impl<G, F> Listener<G, F> {
    /// A listener in front of `inner`.
    pub fn new(inner: G, on_end: F) -> Self {
        Self { inner, said: Said::default(), is_unnamed: false, on_end: Some(on_end) }
    }

    fn hear(&mut self, chunk: &OutputChunk) {
        match chunk {
            OutputChunk::Reasoning { content, .. } => self.said.reasoning += content,
            OutputChunk::Content { content, .. } => self.said.content += content,
            OutputChunk::ToolCallBegin => self.is_unnamed = true,
            OutputChunk::ToolCallNamed { tool_name } => {
                self.is_unnamed = false;
                self.said.calls.push(SaidCall { name: tool_name.clone(), ..SaidCall::default() });
            }
            OutputChunk::ToolCallArgumentsDelta { arguments } => {
                if let Some(call) = self.said.calls.last_mut() {
                    call.arguments += arguments;
                }
            }
            OutputChunk::Start { .. } | OutputChunk::Finish { .. } => {}
        }
    }

    /// What is missing of the last call, if it can be mended.
    fn missing(&mut self, reason: &mut FinishReason) -> Option<&'static str> {
        let last = self.said.calls.last();
        let is_cut = self.is_unnamed || last.is_some_and(|call| !call.is_whole());
        if !is_cut {
            return None;
        }
        let by_itself = matches!(reason, FinishReason::Stop | FinishReason::ToolCalls);
        if let Some(call) = last
            && by_itself
            && !self.is_unnamed
            // An object that has only been opened had something coming.
            && call.arguments != "{"
            && is_object(&format!("{}}}", call.arguments))
        {
            *reason = FinishReason::ToolCalls;
            return Some("}");
        }
        self.said.is_cut = true;
        if by_itself {
            *reason = FinishReason::Length;
        }
        None
    }
}

impl<G, F> ChunkGenerator for Listener<G, F>
where
    G: ChunkGenerator<Chunk: Serialize + Send>,
    F: FnOnce(Said) + Send + 'static,
{
    type Chunk = G::Chunk;

    async fn generate(&mut self, mut chunk: OutputChunk) -> Vec<G::Chunk> {
        self.hear(&chunk);
        let mut chunks = Vec::new();
        if let OutputChunk::Finish { finish_reason, .. } = &mut chunk {
            self.said.is_stopped = *finish_reason == FinishReason::StopSequence;
            if let Some(missing) = self.missing(finish_reason) {
                let arguments = missing.to_owned();
                let delta = OutputChunk::ToolCallArgumentsDelta { arguments };
                self.hear(&delta);
                chunks = self.inner.generate(delta).await;
            }
            if let Some(on_end) = self.on_end.take() {
                on_end(std::mem::take(&mut self.said));
            }
        }
        let names_call = matches!(chunk, OutputChunk::ToolCallNamed { .. });
        let made = self.inner.generate(chunk).await;
        if names_call && let Some(call) = self.said.calls.last_mut() {
            call.id = made.iter().find_map(call_id).unwrap_or_default();
        }
        chunks.extend(made);
        chunks
    }
}

/// The id of the call that a chunk opens, in whichever API.
fn call_id(chunk: &impl Serialize) -> Option<String> {
    let chunk = serde_json::to_value(chunk).ok()?;
    ["/choices/0/delta/tool_calls/0/id", "/content_block/id", "/item/call_id"]
        .iter()
        .find_map(|place| chunk.pointer(place)?.as_str().map(str::to_owned))
}

/// Brings the cut call of a whole reply into a form that its API can carry.
///
/// A message has its calls' inputs as objects. The vendor's crate puts an empty one for a call that
/// is cut, which a client would take for a call without arguments; a text says what there is.
pub fn tell_cut_call(api: Api, said: &Said, reply: &mut Value) {
    let Some(call) = said.calls.last().filter(|call| said.is_cut && !call.is_whole()) else {
        return;
    };
    if api != Api::Messages {
        return;
    }
    let blocks = reply.get_mut("content").and_then(Value::as_array_mut);
    let last = blocks.and_then(|blocks| blocks.last_mut());
    if let Some(block) = last.filter(|block| block["type"] == "tool_use") {
        let SaidCall { name, arguments, .. } = call;
        let text = format!("[The call of {name} was cut off by the limit of tokens: {arguments}]");
        *block = json!({ "type": "text", "text": text });
    }
}
