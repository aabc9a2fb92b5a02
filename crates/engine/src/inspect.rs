//! What a file is, for people: everything that can be said without running it.
//!
//! Each part stands alone, so a file that cannot run still shows what it is and why it cannot.

use std::collections::BTreeMap;

use backend::KvRounding;
use chat::{Dialect, Tokenizer};
use model::{ActiveBytes, Geometry, MemoryPlan, Options};

use crate::error::Result;
use crate::load::{BackendChoice, DEFAULT_MAX_BATCH, LoadOptions, ModelFile};
use crate::session::default_context;

/// All tensors of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorGroup {
    /// The type as ggml spells it.
    pub kind: String,
    /// How many there are.
    pub n_tensors: usize,
    /// Their bytes; 0 for types of unknown size.
    pub bytes: u64,
}

/// What decided the prompt dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DialectSource {
    /// `general.name`, `general.version` or the file name, with its text.
    Named {
        /// Which of them.
        origin: &'static str,
        /// What it says.
        text: String,
    },
    /// Nothing names a checkpoint, so it is the default.
    Default,
}

/// A file's geometry and what follows from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Cost {
    /// Dimensions of the model.
    pub geometry: Geometry,
    /// Weight bytes that a decoded token reads.
    pub active_bytes: ActiveBytes,
    /// The context that `memory` was planned for, in tokens.
    pub context: usize,
    /// Memory beside the weights.
    pub memory: MemoryPlan,
}

/// Everything about a file.
#[derive(Debug)]
pub struct Inspection {
    /// `general.name`.
    pub name: Option<String>,
    /// `general.architecture`.
    pub architecture: Option<String>,
    /// Bytes in the file.
    pub file_bytes: u64,
    /// Tensors by type, the largest group first.
    pub tensors: Vec<TensorGroup>,
    /// Geometry and costs, or why there are none.
    pub cost: Result<Cost>,
    /// Whether the file can run, or why not.
    pub runs: Result<()>,
    /// The prompt dialect.
    pub dialect: Dialect,
    /// What decided the dialect.
    pub dialect_source: DialectSource,
    /// The tokenizer, or why there is none.
    pub tokenizer: Result<Tokenizer>,
}

impl ModelFile {
    /// Looks at everything, planning memory for a session of `context` tokens: the default context
    /// if `None`.
    pub fn inspect(&self, context: Option<usize>) -> Inspection {
        let metadata = &self.file.header().metadata;
        let text = |key: &str| metadata.optional_string(key).ok().flatten().map(str::to_owned);
        let (dialect, dialect_source) = self.dialect();
        // The reference backend takes every type and copies nothing, so it only checks.
        let check = LoadOptions {
            backend: BackendChoice::Reference,
            max_batch: Some(1),
            ..LoadOptions::default()
        };
        Inspection {
            name: text("general.name"),
            architecture: text("general.architecture"),
            file_bytes: self.file.file_bytes(),
            tensors: self.tensor_groups(),
            cost: self.cost(context),
            runs: self.load(&check, &mut |_| {}).map(|_| ()),
            dialect,
            dialect_source,
            tokenizer: self.tokenizer(),
        }
    }

    /// The prompt dialect that the file speaks, and what says so: the first of its name, its
    /// version and its file name that mentions a checkpoint.
    pub fn dialect(&self) -> (Dialect, DialectSource) {
        let metadata = &self.file.header().metadata;
        let text = |key: &str| metadata.optional_string(key).ok().flatten().map(str::to_owned);
        let file_name = self.path().file_name().map(|name| name.to_string_lossy().into_owned());
        let texts = [
            ("general.name", text("general.name")),
            ("general.version", text("general.version")),
            ("file name", file_name),
        ];
        for (origin, text) in texts {
            let Some(text) = text else { continue };
            // A text decides exactly if no hint behind it can.
            let dialects = ["0731", "preview"].map(|hint| Dialect::detect(Some(&text), Some(hint)));
            if dialects[0] == dialects[1] {
                return (dialects[0], DialectSource::Named { origin, text });
            }
        }
        (Dialect::default(), DialectSource::Default)
    }

    fn tensor_groups(&self) -> Vec<TensorGroup> {
        let mut groups: BTreeMap<String, TensorGroup> = BTreeMap::new();
        for tensor in &self.file.header().tensors {
            let kind = tensor.kind.to_string();
            let group =
                groups.entry(kind.clone()).or_insert(TensorGroup { kind, n_tensors: 0, bytes: 0 });
            group.n_tensors += 1;
            group.bytes += tensor.bytes;
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.bytes));
        groups
    }

    fn cost(&self, context: Option<usize>) -> Result<Cost> {
        let geometry = self.geometry()?;
        let context = context.unwrap_or_else(|| default_context(&geometry));
        let options = Options::new(DEFAULT_MAX_BATCH, KvRounding::Applied);
        let scratch_bytes = LoadOptions::default().scratch_bytes(&geometry);
        let plan = MemoryPlan::new(&geometry, &options, context, 1);
        Ok(Cost {
            active_bytes: ActiveBytes::of_file(&self.file, &geometry),
            memory: MemoryPlan { scratch_bytes, ..plan },
            context,
            geometry,
        })
    }
}
