//! An opened model file, and the one `match` on the backend that runs it.
//!
//! A file is opened once and then asked for what a command needs: its summary, its tokenizer, its
//! weights on a backend. None of them needs another, so a file with a broken vocabulary still
//! gives logits, and a file that cannot run can still be inspected.

use std::path::{Path, PathBuf};

use backend::observe::{Observed, Observer};
use backend::reference::Reference;
use backend::{Backend, KvRounding};
use backend_cpu::Cpu;
use chat::{Tokenizer, Vocabulary};
use gguf::MappedFile;
use model::{ARCHITECTURE, Geometry, Inference, Model, Options};

use crate::error::{Error, Result};

/// Tokens of a prefill chunk unless told otherwise: enough for each routed expert of the published
/// model to serve a dozen of them, which is what makes reading its weights worthwhile.
pub const DEFAULT_MAX_BATCH: usize = 512;

/// Which backend runs the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackendChoice {
    /// The fastest one of this build.
    #[default]
    Auto,
    /// The plain definition of every op.
    Reference,
    /// Vector units and threads.
    Cpu,
    /// A graphics device.
    Gpu,
}

/// How a model is loaded.
#[derive(Debug, Clone, Copy)]
pub struct LoadOptions {
    /// Which backend runs it.
    pub backend: BackendChoice,
    /// Most tokens of one batch, at least 1; prefill goes in chunks of this.
    pub max_batch: usize,
    /// Whether KV rows are rounded as the model was trained.
    pub kv_rounding: KvRounding,
    /// Threads of the cpu backend, at least 1; one per core if `None`.
    pub n_threads: Option<usize>,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            backend: BackendChoice::Auto,
            max_batch: DEFAULT_MAX_BATCH,
            kv_rounding: KvRounding::Applied,
            n_threads: None,
        }
    }
}

/// A GGUF file, opened and mapped; no weight has been read.
#[derive(Clone)]
pub struct ModelFile {
    pub(crate) file: MappedFile,
}

impl From<MappedFile> for ModelFile {
    fn from(file: MappedFile) -> Self {
        Self { file }
    }
}

impl ModelFile {
    /// Opens a file.
    ///
    /// # Errors
    /// If it cannot be mapped or is not a valid GGUF file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = MappedFile::open(path)
            .map_err(|source| Error::Open { path: path.to_owned(), source })?;
        Ok(Self { file })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    fn owned_path(&self) -> PathBuf {
        self.path().to_owned()
    }

    /// Bytes of all tensors that [`ModelFile::load`] may bind.
    pub fn tensor_bytes(&self) -> u64 {
        self.file.header().tensors.iter().map(|tensor| tensor.bytes).sum()
    }

    /// The dimensions of the model in the file.
    ///
    /// # Errors
    /// If the file holds another architecture, or its metadata does not fit together.
    pub fn geometry(&self) -> Result<Geometry> {
        Geometry::from_metadata(&self.file.header().metadata)
            .map_err(|source| Error::Load { path: self.owned_path(), source })
    }

    /// Binds the weights to a backend.
    ///
    /// `on_progress` hears the bytes bound so far, out of at most [`ModelFile::tensor_bytes`].
    ///
    /// # Errors
    /// If the backend is not there, or the file is not a model that it can run.
    ///
    /// # Panics
    /// If `options.max_batch` or `options.n_threads` is 0.
    pub fn load(
        &self,
        options: &LoadOptions,
        on_progress: &mut dyn FnMut(u64),
    ) -> Result<Box<dyn Inference>> {
        self.load_observed(options, None, on_progress)
    }

    /// Like [`ModelFile::load`], with the inputs of all products summed in `observer` if there is
    /// one; the model then runs slowly.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there.
    pub(crate) fn load_observed(
        &self,
        options: &LoadOptions,
        observer: Option<Observer>,
        on_progress: &mut dyn FnMut(u64),
    ) -> Result<Box<dyn Inference>> {
        let LoadOptions { backend, n_threads, .. } = *options;
        match backend {
            BackendChoice::Reference => self.bind(Reference, options, observer, on_progress),
            BackendChoice::Cpu | BackendChoice::Auto => {
                let cpu = Cpu::new(backend_cpu::Options { n_threads, isa: None });
                self.bind(cpu, options, observer, on_progress)
            }
            BackendChoice::Gpu => Err(Error::NoBackend { backend: "gpu" }),
        }
    }

    fn bind<B: Backend>(
        &self,
        backend: B,
        options: &LoadOptions,
        observer: Option<Observer>,
        on_progress: &mut dyn FnMut(u64),
    ) -> Result<Box<dyn Inference>> {
        let LoadOptions { max_batch, kv_rounding, .. } = *options;
        let options = Options { max_batch, kv_rounding };
        let loaded: model::Result<Box<dyn Inference>> = match observer {
            None => Model::load(backend, &self.file, options, on_progress)
                .map(|model| Box::new(model) as _),
            Some(observer) => {
                let backend = Observed::new(backend, observer);
                Model::load(backend, &self.file, options, on_progress)
                    .map(|model| Box::new(model) as _)
            }
        };
        loaded.map_err(|source| Error::Load { path: self.owned_path(), source })
    }

    /// Builds the tokenizer from the file's vocabulary.
    ///
    /// # Errors
    /// If the file has no vocabulary, one of another size than its model's, or one that is not
    /// `DeepSeek` V4's.
    pub fn tokenizer(&self) -> Result<Tokenizer> {
        let vocabulary = self
            .vocabulary()
            .map_err(|source| Error::VocabularyMetadata { path: self.owned_path(), source })?;
        let metadata = &self.file.header().metadata;
        let vocab_size = metadata.optional_u64(&format!("{ARCHITECTURE}.vocab_size"));
        let n_tokens = vocabulary.tokens.len();
        // A vocabulary without a model is fine, so a missing or odd key is not this method's error.
        if let Ok(Some(vocab_size)) = vocab_size
            && vocab_size != n_tokens as u64
        {
            return Err(Error::VocabularySize { n_tokens, vocab_size });
        }
        Tokenizer::from_gguf_parts(vocabulary)
            .map_err(|source| Error::Vocabulary { path: self.owned_path(), source })
    }

    fn vocabulary(&self) -> gguf::Result<Vocabulary> {
        let metadata = &self.file.header().metadata;
        let id = |key: &str| -> gguf::Result<Option<u32>> {
            // An id too large for any vocabulary is refused where ids are checked.
            Ok(metadata.optional_u64(key)?.map(|id| u32::try_from(id).unwrap_or(u32::MAX)))
        };
        let token_types = metadata.integers("tokenizer.ggml.token_type")?;
        Ok(Vocabulary {
            tokens: metadata.strings("tokenizer.ggml.tokens")?.to_vec(),
            token_types: token_types.iter().map(|kind| *kind as i32).collect(),
            merges: metadata.strings("tokenizer.ggml.merges")?.to_vec(),
            pre: metadata.optional_string("tokenizer.ggml.pre")?.map(str::to_owned),
            bos: id("tokenizer.ggml.bos_token_id")?,
            eos: id("tokenizer.ggml.eos_token_id")?,
        })
    }
}
