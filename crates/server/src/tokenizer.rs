//! The vocabulary as the vendor's stream processor asks it, from a thread that others wait for.

use std::sync::Arc;

use chat::Tokenizer;
use chat::deepseek_recipe::stream::StreamTokenizer;
use tokio::runtime::{Handle, RuntimeFlavor};

/// Bytes of text that are tokenized in less time than it takes to make room for others.
const SHORT_TEXT: usize = 1 << 10;

/// A tokenizer that lets the other conversations go on while it counts the tokens of a long text, as it
/// does with the whole reasoning of an answer at its end.
pub(crate) struct Yielding(pub(crate) Arc<Tokenizer>);

impl StreamTokenizer for Yielding {
    fn decode_ids(&self, ids: &[u32], skip_special_tokens: bool) -> Result<String, String> {
        self.0.decode_ids(ids, skip_special_tokens)
    }

    fn id_to_token(&self, id: u32) -> Option<String> {
        self.0.id_to_token(id)
    }

    fn count_tokens(&self, text: &str) -> Option<usize> {
        let count = || self.0.count_tokens(text);
        let has_others = Handle::try_current()
            .is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
        if has_others && text.len() > SHORT_TEXT {
            return tokio::task::block_in_place(count);
        }
        count()
    }

    fn is_special_token(&self, id: u32) -> bool {
        self.0.is_special_token(id)
    }
}
