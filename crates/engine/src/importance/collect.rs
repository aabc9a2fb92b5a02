//! Runs text through a model and sums what its weights are multiplied with.

use backend::observe::Observer;
use model::{Inference, LogitsWanted};

use crate::cancel::CancelToken;
use crate::error::{Error, Result};
use crate::evaluate::evaluate;
use crate::load::{LoadOptions, ModelFile};
use crate::session::trained_context;

use super::{ImportanceMatrix, ImportanceSource, InputSquares};

/// A model that is watched while it runs.
pub struct ImportanceCollector {
    model: Box<dyn Inference>,
    observer: Observer,
    chunk_len: usize,
    n_chunks: u32,
    negative_log_likelihood: f64,
    n_predicted: u64,
}

impl ImportanceCollector {
    /// Loads a model that is run in chunks of `chunk_len` tokens, each in a fresh slot.
    ///
    /// `on_progress` hears the bytes bound so far, as in [`ModelFile::load`].
    ///
    /// # Errors
    /// As [`ModelFile::load`].
    ///
    /// # Panics
    /// If `chunk_len` is less than 2, or as [`ModelFile::load`].
    pub fn load(
        file: &ModelFile,
        options: &LoadOptions,
        chunk_len: usize,
        on_progress: &mut dyn FnMut(u64),
    ) -> Result<Self> {
        assert!(chunk_len >= 2, "a chunk has a token to predict");
        let trained = trained_context(&file.geometry()?);
        if chunk_len > trained {
            return Err(Error::Context { wanted: chunk_len, trained });
        }
        let observer = Observer::default();
        let model = file.load_observed(options, observer.clone(), on_progress)?;
        let (n_chunks, negative_log_likelihood, n_predicted) = (0, 0.0, 0);
        Ok(Self { model, observer, chunk_len, n_chunks, negative_log_likelihood, n_predicted })
    }

    /// Chunks of text, each with `bos` in front: whole ones, or the only one there is.
    pub fn chunks(&self, tokens: &[u32], bos: u32) -> Vec<Vec<u32>> {
        let text_len = self.chunk_len - 1;
        let is_wanted = |text: &&[u32]| text.len() == text_len || tokens.len() < text_len;
        let with_bos = |text: &[u32]| std::iter::once(bos).chain(text.iter().copied()).collect();
        tokens.chunks(text_len).filter(is_wanted).map(with_bos).collect()
    }

    /// Runs one chunk, of at least two tokens.
    ///
    /// # Errors
    /// If an id is outside the vocabulary, or the device failed.
    pub fn run(&mut self, chunk: &[u32], cancel: &CancelToken) -> Result<()> {
        let batch = self.model.max_batch().min(chunk.len());
        let (mut sum, mut n) = (0.0, 0);
        let mut on_logits = |position: usize, logits: &[f32]| {
            if let Some(&next) = chunk.get(position + 1) {
                sum -= log_probability(logits, next);
                n += 1;
            }
        };
        let wanted = LogitsWanted::All;
        evaluate(self.model.as_mut(), chunk, batch, wanted, cancel, &mut on_logits)?;
        self.negative_log_likelihood += sum;
        self.n_predicted += n;
        self.n_chunks += 1;
        Ok(())
    }

    /// How surprised the model was by the tokens so far: 1 is not at all, the size of the
    /// vocabulary is blind guessing. Every token of a chunk but the first counts.
    pub fn perplexity(&self) -> f64 {
        (self.negative_log_likelihood / self.n_predicted.max(1) as f64).exp()
    }

    /// The sums of all chunks so far, as coming from the text `dataset`.
    pub fn finish(self, dataset: &str) -> ImportanceMatrix {
        let squares = |sums: backend::observe::InputSums| InputSquares {
            columns: sums.columns,
            sums: sums.sums,
            counts: sums.counts.iter().map(|&count| count as f32).collect(),
        };
        let source = ImportanceSource {
            datasets: vec![dataset.to_owned()],
            n_chunks: self.n_chunks,
            chunk_len: self.chunk_len as u32,
        };
        let weights = self.observer.take();
        let weights = weights.into_iter().map(|(name, sums)| (name, squares(sums))).collect();
        ImportanceMatrix { weights, source }
    }
}

/// The natural logarithm of a token's probability.
fn log_probability(logits: &[f32], token: u32) -> f64 {
    let largest = logits.iter().fold(f32::NEG_INFINITY, |largest, &logit| largest.max(logit));
    let sum: f64 = logits.iter().map(|&logit| f64::from(logit - largest).exp()).sum();
    f64::from(logits[token as usize] - largest) - sum.ln()
}
