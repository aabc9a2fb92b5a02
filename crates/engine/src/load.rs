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
use model::{ARCHITECTURE, DEFAULT_REWIND_TOKENS, Geometry, Inference, MemoryPlan, Model, Options};

use crate::error::{Error, Result};
use crate::gpu;
use crate::machine::Machine;
use crate::sampler::SampleParams;
use crate::session::check_context;

/// Tokens of a prefill chunk unless told otherwise: enough for each routed expert of the published
/// model to serve a dozen of them, which is what makes reading its weights worthwhile.
pub const DEFAULT_MAX_BATCH: usize = 512;

/// Contexts are proposed in multiples of this many tokens.
const CONTEXT_STEP: usize = 1024;

/// Which backend runs the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackendChoice {
    /// A graphics device if there is one on which the model fits, else vector units.
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
    /// Most tokens of one batch, at least 1; prefill goes in chunks of this. If `None`, what suits the
    /// device: [`DEFAULT_MAX_BATCH`], and more where matrix units have to be fed.
    pub max_batch: Option<usize>,
    /// Whether KV rows are rounded as the model was trained.
    pub kv_rounding: KvRounding,
    /// Tokens by which a conversation can be cut back without being run from its beginning. They
    /// cost memory: 25 KB each for the published model.
    pub rewind_tokens: usize,
    /// Threads of the cpu backend, at least 1; one per core if `None`.
    pub n_threads: Option<usize>,
    /// Whether the cpu backend asks for weights before it uses them: right where memory does not
    /// hold the file, a waste of time where it does.
    pub readahead: bool,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            backend: BackendChoice::Auto,
            max_batch: None,
            kv_rounding: KvRounding::Applied,
            rewind_tokens: DEFAULT_REWIND_TOKENS,
            n_threads: None,
            readahead: false,
        }
    }
}

impl LoadOptions {
    /// What the model is told, with a batch that suits the device unless the caller chose one.
    pub(crate) fn of_model(&self, default_batch: usize) -> Options {
        Options {
            max_batch: self.max_batch.unwrap_or(default_batch),
            kv_rounding: self.kv_rounding,
            rewind_tokens: self.rewind_tokens,
        }
    }

    /// What the cpu backend keeps beside the activations, vectors in f32 among it. A graphics device
    /// has them in its own memory.
    pub(crate) fn scratch_bytes(&self, g: &Geometry) -> u64 {
        if !matches!(self.backend, BackendChoice::Cpu | BackendChoice::Auto) {
            return 0;
        }
        let dimensions = backend_cpu::Dimensions {
            max_batch: self.of_model(DEFAULT_MAX_BATCH).max_batch,
            hidden_size: g.hidden_size,
            n_streams: g.hyper_connection.n_streams,
            n_heads: g.n_heads,
            head_dim: g.head_dim,
            n_output_groups: g.n_output_groups,
            output_rank: g.output_rank,
            n_experts: g.n_experts,
            n_experts_per_token: g.n_experts_per_token,
            expert_width: g.expert_width,
        };
        backend_cpu::scratch_bytes(&dimensions, self.n_threads) + MemoryPlan::vector_bytes(g)
    }
}

fn load_on<B: Backend>(
    backend: B,
    file: &MappedFile,
    options: Options,
    on_progress: &mut dyn FnMut(u64),
) -> model::Result<Box<dyn Inference>> {
    Model::load(backend, file, options, on_progress).map(|model| Box::new(model) as _)
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

    /// A model that is part of the program, under a name that stands where a path would.
    ///
    /// # Errors
    /// If the bytes are not a valid GGUF file.
    ///
    /// # Panics
    /// If `bytes` do not begin at a multiple of 64.
    pub fn from_static(name: &str, bytes: &'static [u8]) -> Result<Self> {
        let file = MappedFile::from_static(name, bytes)
            .map_err(|source| Error::Open { path: name.into(), source })?;
        Ok(Self { file })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    fn owned_path(&self) -> PathBuf {
        self.path().to_owned()
    }

    /// Bytes in the file.
    pub fn file_bytes(&self) -> u64 {
        self.file.file_bytes()
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
        let LoadOptions { backend, n_threads, readahead, .. } = *options;
        let model_options = options.of_model(DEFAULT_MAX_BATCH);
        let cpu = backend_cpu::Options { n_threads, isa: None, readahead };
        let loaded: model::Result<Box<dyn Inference>> = match backend {
            BackendChoice::Reference => load_on(Reference, &self.file, model_options, on_progress),
            BackendChoice::Cpu => load_on(Cpu::new(cpu), &self.file, model_options, on_progress),
            BackendChoice::Gpu => gpu::load(&self.file, options, on_progress)?,
            BackendChoice::Auto => gpu::load_if_it_suits(self, options, on_progress)
                .unwrap_or_else(|| load_on(Cpu::new(cpu), &self.file, model_options, on_progress)),
        };
        loaded.map_err(|source| Error::Load { path: self.owned_path(), source })
    }

    /// Like [`ModelFile::load`], with the inputs of all products summed in `observer`; the model runs
    /// slowly, and not on a graphics device.
    ///
    /// # Errors
    /// As there, and if a graphics device is asked for.
    ///
    /// # Panics
    /// As there.
    pub(crate) fn load_observed(
        &self,
        options: &LoadOptions,
        observer: Observer,
        on_progress: &mut dyn FnMut(u64),
    ) -> Result<Box<dyn Inference>> {
        let LoadOptions { backend, n_threads, readahead, .. } = *options;
        let model_options = options.of_model(DEFAULT_MAX_BATCH);
        let loaded = match backend {
            BackendChoice::Reference => {
                let backend = Observed::new(Reference, observer);
                load_on(backend, &self.file, model_options, on_progress)
            }
            BackendChoice::Cpu | BackendChoice::Auto => {
                let cpu = Cpu::new(backend_cpu::Options { n_threads, isa: None, readahead });
                let backend = Observed::new(cpu, observer);
                load_on(backend, &self.file, model_options, on_progress)
            }
            BackendChoice::Gpu => return Err(Error::NotObservable { backend: "gpu" }),
        };
        loaded.map_err(|source| Error::Load { path: self.owned_path(), source })
    }

    /// Plans the memory of `n_slots` slots of `context` tokens beside the weights, and refuses what
    /// is not free.
    ///
    /// Weights stay in the mapped file, whose pages the operating system takes back when it needs
    /// them, so they are no part of it.
    ///
    /// # Errors
    /// If the model does not know that many positions, the plan does not fit `machine`, or the
    /// file's geometry cannot be read.
    pub fn plan_memory(
        &self,
        options: &LoadOptions,
        context: usize,
        n_slots: usize,
        machine: &Machine,
    ) -> Result<MemoryPlan> {
        let geometry = self.geometry()?;
        check_context(&geometry, context)?;
        let scratch_bytes = options.scratch_bytes(&geometry);
        let options = options.of_model(DEFAULT_MAX_BATCH);
        let plan = |context| {
            let plan = MemoryPlan::new(&geometry, &options, context, n_slots);
            MemoryPlan { scratch_bytes, ..plan }
        };
        let available_bytes = machine.available_bytes;
        let fits = |context: usize| plan(context).total_bytes() <= available_bytes;
        if fits(context) {
            return Ok(plan(context));
        }
        // The plan grows with the context, so the border can be searched for.
        let lengths: Vec<usize> = (1..context.div_ceil(CONTEXT_STEP)).collect();
        let n_fitting = lengths.partition_point(|steps| fits(steps * CONTEXT_STEP));
        Err(Error::Memory {
            n_slots,
            context,
            planned_bytes: plan(context).total_bytes(),
            available_bytes,
            fitting: (n_fitting > 0).then(|| n_fitting * CONTEXT_STEP),
        })
    }

    /// How the file wants its tokens drawn: its `general.sampling.*` over our defaults.
    ///
    /// # Errors
    /// If a key has another type than a number.
    pub fn sampling(&self) -> Result<SampleParams> {
        let metadata = &self.file.header().metadata;
        let read = || -> gguf::Result<SampleParams> {
            let default = SampleParams::default();
            let float = |key: &str, default: f32| -> gguf::Result<f32> {
                let key = format!("general.sampling.{key}");
                Ok(metadata.optional_f64(&key)?.map_or(default, |value| value as f32))
            };
            Ok(SampleParams {
                temperature: float("temp", default.temperature)?,
                top_p: float("top_p", default.top_p)?,
                min_p: float("min_p", default.min_p)?,
                top_k: metadata
                    .optional_u64("general.sampling.top_k")?
                    .map_or(default.top_k, |top_k| usize::try_from(top_k).unwrap_or(0)),
                seed: default.seed,
            })
        };
        read().map_err(|source| Error::SamplingMetadata { path: self.owned_path(), source })
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
