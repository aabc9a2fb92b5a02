//! The directory in which conversations outlive their slots and the process.
//!
//! Refuses: files and their safety (see [`kv_store`]); when to save what (see
//! [`Scheduler`](crate::Scheduler)).

use std::fmt;
use std::path::Path;

use backend::KvRounding;
use gguf::MappedFile;
use kv_store::{Fingerprint, Options, Store};
use model::BLOCK_TOKENS;

use crate::error::Result;
use crate::load::ModelFile;

/// Changes when the same tokens of the same model give other bytes than before.
const KV_FORMAT: &[u8] = b"ironstar KV 1";

/// Tensors of which a part goes into the fingerprint, and bytes of each.
const N_SAMPLES: usize = 64;
const SAMPLE_BYTES: usize = 4096;

/// Conversations of one model on disk.
#[derive(Clone)]
pub struct DiskKv {
    pub(crate) store: Store,
    /// The token that begins a user's text: what is in front of the first one is shared by many
    /// conversations.
    pub(crate) user_token: Option<u32>,
}

impl fmt::Debug for DiskKv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskKv").field("stats", &self.store.stats()).finish_non_exhaustive()
    }
}

impl DiskKv {
    /// Opens a directory, which is made if it is not there, for the conversations of `file`. Those of
    /// other models in it are left alone.
    ///
    /// # Errors
    /// If the directory can be neither made nor read.
    pub fn open(
        dir: &Path,
        budget_bytes: u64,
        file: &ModelFile,
        kv_rounding: KvRounding,
    ) -> Result<Self> {
        let options = Options { block_tokens: BLOCK_TOKENS, ..Options::new(budget_bytes) };
        let fingerprint = fingerprint(&file.file, kv_rounding);
        let store = Store::open(dir, fingerprint, &options)?;
        let tokens = file.tokenizer().ok().and_then(|tokenizer| tokenizer.prompt_tokens().ok());
        Ok(Self { store, user_token: tokens.map(|tokens| tokens.user) })
    }

    /// The store itself, which says what it has done so far.
    pub fn store(&self) -> &Store {
        &self.store
    }
}

/// What a stored state belongs to: the head of the file, which holds geometry, vocabulary and the
/// directory of all tensors; parts of the weights, since a model that was trained further differs
/// in nothing else; the roundings; and the form of the bytes.
fn fingerprint(file: &MappedFile, kv_rounding: KvRounding) -> Fingerprint {
    let mut hasher = blake3::Hasher::new();
    hasher.update(KV_FORMAT);
    hasher.update(&[u8::from(kv_rounding == KvRounding::Applied)]);
    hasher.update(&(file.head().len() as u64).to_le_bytes());
    hasher.update(file.head());
    let tensors = &file.header().tensors;
    for i in 0..N_SAMPLES.min(tensors.len()) {
        let tensor = file.tensor(&tensors[i * tensors.len() / N_SAMPLES.min(tensors.len())].name);
        let Some(tensor) = tensor else { continue };
        let middle = tensor.data.len() / 2;
        let end = tensor.data.len().min(middle + SAMPLE_BYTES);
        hasher.update(&tensor.data[middle..end]);
    }
    Fingerprint(*hasher.finalize().as_bytes())
}
