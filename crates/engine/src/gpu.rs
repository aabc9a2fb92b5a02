//! Running a model on a graphics device: when asked for, or when one suits.

use backend_gpu::{AdapterChoice, Gpu, Options as GpuOptions};
use gguf::MappedFile;
use model::{Inference, MemoryPlan, Model};

use crate::error::{Error, Result};
use crate::load::{DEFAULT_MAX_BATCH, LoadOptions, ModelFile};
use crate::session::default_context;

/// Share of a device's memory that a model may take: scratch and other programs need some too.
const MEMORY_SHARE: f64 = 0.9;

/// Tokens of a prefill chunk where matrix units multiply: about fifty for each routed expert of the
/// published model, which is most of a tile.
const MATRIX_MAX_BATCH: usize = 2048;

/// Loads onto the best device there is, a software one if there is no other.
///
/// # Errors
/// The outer one if no device can be opened, the inner one if the model cannot be loaded.
pub(crate) fn load(
    file: &MappedFile,
    options: &LoadOptions,
    on_progress: &mut dyn FnMut(u64),
) -> Result<model::Result<Box<dyn Inference>>> {
    let gpu = Gpu::open(GpuOptions::default())
        .map_err(|source| Error::Device { backend: "gpu", source: Box::new(source) })?;
    let options = options.of_model(default_batch(&gpu));
    Ok(Model::load(gpu, file, options, on_progress).map(|model| Box::new(model) as _))
}

fn default_batch(gpu: &Gpu) -> usize {
    if let Some(reason) = gpu.refused_matrices() {
        tracing::warn!(
            reason,
            "matrix units give wrong results and are not used; prefill is slower"
        );
    }
    if gpu.profile().matrix_size.is_some() { MATRIX_MAX_BATCH } else { DEFAULT_MAX_BATCH }
}

/// Loads onto a real graphics device, or not at all: `None` if there is none, or the model and a
/// session of the usual context do not fit its memory.
pub(crate) fn load_if_it_suits(
    file: &ModelFile,
    options: &LoadOptions,
    on_progress: &mut dyn FnMut(u64),
) -> Option<model::Result<Box<dyn Inference>>> {
    let choice = GpuOptions { adapter: AdapterChoice::Hardware, ..GpuOptions::default() };
    let gpu = Gpu::open(choice).ok()?;
    let geometry = file.geometry().ok()?;
    let options = options.of_model(default_batch(&gpu));
    let plan = MemoryPlan::new(&geometry, &options, default_context(&geometry), 1);
    let wanted = file.tensor_bytes() + plan.total_bytes();
    let memory = gpu.memory_bytes().unwrap_or(u64::MAX);
    if wanted as f64 > MEMORY_SHARE * memory as f64 {
        return None;
    }
    match Model::load(gpu, &file.file, options, on_progress) {
        Ok(model) => Some(Ok(Box::new(model))),
        // What did not fit after all, or has no kernel there, may well run elsewhere.
        Err(model::Error::Backend { .. }) => None,
        Err(error) => Some(Err(error)),
    }
}
