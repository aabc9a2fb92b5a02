//! Logits of given tokens, without sampling: what comparisons with other implementations need.

use model::{Extend, Inference, LogitsWanted};

use crate::cancel::CancelToken;
use crate::error::{Error, Result};

/// Runs `tokens` through a fresh slot in chunks of at most `chunk` tokens.
///
/// `on_logits` gets the position whose successor the logits predict, and `[vocab_size]` f32 logits:
/// for every token, or for the last one alone, as `logits` says. Cancellation is looked at between
/// chunks and ends the run early.
///
/// # Errors
/// If there are no tokens, an id is outside the vocabulary, or the device failed.
///
/// # Panics
/// If `chunk` is 0 or more than the model's [`Inference::max_batch`].
pub fn evaluate(
    model: &mut dyn Inference,
    tokens: &[u32],
    chunk: usize,
    logits: LogitsWanted,
    cancel: &CancelToken,
    on_logits: &mut dyn FnMut(usize, &[f32]),
) -> Result<()> {
    assert!((1..=model.max_batch()).contains(&chunk), "a chunk fits a batch");
    if tokens.is_empty() {
        return Err(Error::EmptyPrompt);
    }
    let slot = model.open_slot(tokens.len())?;
    let n_chunks = tokens.len().div_ceil(chunk);
    let result = tokens.chunks(chunk).enumerate().try_for_each(|(i, tokens)| {
        if cancel.is_cancelled() {
            return Ok(());
        }
        let logits = match logits {
            LogitsWanted::Last if i + 1 < n_chunks => LogitsWanted::Nothing,
            wanted => wanted,
        };
        model.extend(&[Extend { slot, tokens, logits }], &mut |_, position, row| {
            on_logits(position, row);
        })
    });
    model.close_slot(slot);
    Ok(result?)
}
