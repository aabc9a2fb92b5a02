//! Responses that later requests refer to, by `previous_response_id` or `item_reference`.
//!
//! They live in memory, up to a number of bytes; the oldest go first, and a reference to one that
//! is gone is an error that says so. The KV of a conversation is another matter: it is found by its
//! tokens.

use std::collections::{HashMap, VecDeque};

use serde_json::{Value, json};

use crate::error::{ApiError, Family, Kind};
use crate::service::MAX_BODY_BYTES;

/// Bytes of JSON that are kept.
const MAX_BYTES: usize = 64 << 20;

/// A conversation as input items.
#[derive(Default)]
pub(crate) struct Items {
    items: Vec<Value>,
    /// Of their JSON.
    n_bytes: usize,
}

impl Items {
    /// Takes items and counts their bytes, which takes time for a long conversation.
    pub(crate) fn new(items: Vec<Value>) -> Self {
        let n_bytes = items.iter().map(n_bytes).sum();
        Self { items, n_bytes }
    }
}

/// Bytes of a value's JSON.
fn n_bytes(value: &Value) -> usize {
    value.to_string().len()
}

struct Entry {
    id: String,
    /// The response as it was sent.
    response: Value,
    /// Everything that was said up to and including this response, as input items.
    items: Vec<Value>,
    n_bytes: usize,
}

/// The last responses.
#[derive(Default)]
pub(crate) struct StoredResponses {
    entries: VecDeque<Entry>,
    n_bytes: usize,
}

impl StoredResponses {
    /// Keeps a response that came of `input`.
    pub(crate) fn store(&mut self, input: Items, response: Value) {
        let Some(id) = response["id"].as_str().map(str::to_owned) else { return };
        let Items { mut items, n_bytes: n_input } = input;
        let output = response["output"].as_array().into_iter().flatten();
        items.extend(output.cloned());
        // What was put out is in both.
        let n_bytes = n_input + 2 * n_bytes(&response);
        self.n_bytes += n_bytes;
        self.entries.push_back(Entry { id, response, items, n_bytes });
        while self.n_bytes > MAX_BYTES
            && let Some(oldest) = self.entries.pop_front()
        {
            self.n_bytes -= oldest.n_bytes;
        }
    }

    /// A response by its id.
    pub(crate) fn response(&self, id: &str) -> Option<&Value> {
        self.entry(id).map(|entry| &entry.response)
    }

    /// Drops a response; says whether it was there.
    pub(crate) fn forget(&mut self, id: &str) -> bool {
        let Some(i) = self.entries.iter().position(|entry| entry.id == id) else { return false };
        self.n_bytes -= self.entries.remove(i).map_or(0, |entry| entry.n_bytes);
        true
    }

    fn entry(&self, id: &str) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.id == id)
    }

    /// All items by their ids; of those that share one, the last.
    fn items(&self) -> HashMap<&str, &Value> {
        let items = self.entries.iter().flat_map(|entry| &entry.items);
        items.filter_map(|item| Some((item["id"].as_str()?, item))).collect()
    }

    /// The items that a request refers to, in their places. Together they may be as large as a body.
    fn refer(&self, input: Vec<Value>, items: &mut Vec<Value>) -> Result<(), ApiError> {
        let (mut known, mut n_referred) = (None, 0);
        for item in input {
            let is_reference = item["type"] == "item_reference";
            let Some(id) = item["id"].as_str().filter(|_| is_reference) else {
                items.push(item);
                continue;
            };
            let known = known.get_or_insert_with(|| self.items());
            let item = *known.get(id).ok_or_else(|| gone("item", id))?;
            n_referred += n_bytes(item);
            if n_referred > MAX_BODY_BYTES {
                let message = "the items that the input refers to are larger than a body may be";
                return Err(ApiError::new(Kind::TooLarge, Family::OpenAi, message));
            }
            items.push(item.clone());
        }
        Ok(())
    }

    /// Replaces the references of a request by what they refer to, and returns its input items.
    pub(crate) fn resolve(&self, body: &mut Value) -> Result<Vec<Value>, ApiError> {
        let mut items = match body.get("previous_response_id").and_then(Value::as_str) {
            None => Vec::new(),
            Some(id) => self.entry(id).ok_or_else(|| gone("response", id))?.items.clone(),
        };
        match body.get_mut("input").map(Value::take) {
            Some(Value::String(text)) => {
                items.push(json!({ "type": "message", "role": "user", "content": text }));
            }
            Some(Value::Array(input)) => self.refer(input, &mut items)?,
            // The conversion says what is wrong with anything else.
            Some(other) => {
                body["input"] = other;
                return Ok(items);
            }
            None => return Ok(items),
        }
        body["input"] = Value::Array(items.clone());
        Ok(items)
    }
}

fn gone(what: &str, id: &str) -> ApiError {
    let message = format!(
        "{what} {id} is not known here: it was never made by this server, or is too long ago; send \
         the conversation itself"
    );
    ApiError::new(Kind::NotFound, Family::OpenAi, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(id: &str) -> Value {
        json!({ "id": id, "output": [{ "type": "message", "id": format!("{id}_0"), "role": "assistant" }] })
    }

    #[test]
    fn references_become_items() {
        let mut stored = StoredResponses::default();
        let mut first = json!({ "input": "hello" });
        let input = stored.resolve(&mut first).expect("no references");
        stored.store(Items::new(input), response("resp_1"));
        let mut second = json!({ "previous_response_id": "resp_1", "input": "and then?" });
        stored.resolve(&mut second).expect("it is stored");
        let said = |text| json!({ "type": "message", "role": "user", "content": text });
        let answer = response("resp_1")["output"][0].clone();
        assert_eq!(second["input"], json!([said("hello"), answer, said("and then?")]));
        let mut third = json!({ "input": [{ "type": "item_reference", "id": "resp_1_0" }] });
        stored.resolve(&mut third).expect("it is stored");
        assert_eq!(third["input"], json!([answer]));
        let mut unknown = json!({ "input": [{ "type": "item_reference", "id": "x" }] });
        assert_eq!(stored.resolve(&mut unknown).expect_err("never made").kind, Kind::NotFound);
    }

    #[test]
    fn references_do_not_multiply_without_end() {
        let mut stored = StoredResponses::default();
        let text = "x".repeat(1 << 20);
        let item = json!({ "type": "message", "id": "large", "role": "user", "content": text });
        stored.store(Items::new(vec![item]), response("resp_1"));
        let ask = |n: usize| {
            let reference = json!({ "type": "item_reference", "id": "large" });
            let mut body = json!({ "input": vec![reference; n] });
            stored.resolve(&mut body).map(|items| items.len())
        };
        assert_eq!(ask(3).expect("it is small"), 3);
        assert_eq!(ask(100).expect_err("too large").kind, Kind::TooLarge);
    }

    #[test]
    fn old_responses_go() {
        let mut stored = StoredResponses::default();
        let large = "x".repeat(MAX_BYTES / 4);
        for i in 0..6 {
            let input = vec![json!({ "type": "message", "role": "user", "content": large })];
            stored.store(Items::new(input), response(&format!("resp_{i}")));
        }
        assert!(stored.n_bytes <= MAX_BYTES);
        assert!(stored.response("resp_0").is_none());
        assert!(stored.response("resp_5").is_some());
    }
}
