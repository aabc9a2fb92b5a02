//! How the checkpoint wants its tokens drawn: `generation_config.json` to `general.sampling.*`.
//!
//! The file is optional, as is everything in it. Keys that the engine does not know are left out.

use std::path::Path;

use anyhow::Context as _;
use gguf::WriterBuilder;
use serde::Deserialize;

use crate::files::read_bounded;

const FILE_NAME: &str = "generation_config.json";
const MAX_BYTES: u64 = 1 << 20;

/// What Hugging Face calls the sampling parameters.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Generation {
    do_sample: Option<bool>,
    temperature: Option<f32>,
    top_k: Option<u32>,
    top_p: Option<f32>,
    min_p: Option<f32>,
}

impl Generation {
    /// Reads the file of a checkpoint; without one nothing is said.
    pub(super) fn read(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join(FILE_NAME);
        if !path.exists() {
            return Ok(Self::default());
        }
        let bytes = read_bounded(&path, MAX_BYTES)?;
        serde_json::from_slice(&bytes)
            .with_context(|| format!("{} is not what it should be", path.display()))
    }

    pub(super) fn add_metadata(&self, builder: &mut WriterBuilder) -> gguf::Result<()> {
        // Not to sample is to take the most probable token, whatever the temperature beside it.
        let temperature = if self.do_sample == Some(false) { Some(0.0) } else { self.temperature };
        for (key, value) in [("temp", temperature), ("top_p", self.top_p), ("min_p", self.min_p)] {
            if let Some(value) = value {
                builder.metadata(&format!("general.sampling.{key}"), value)?;
            }
        }
        if let Some(top_k) = self.top_k {
            builder.metadata("general.sampling.top_k", top_k)?;
        }
        Ok(())
    }
}
