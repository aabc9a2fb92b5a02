//! Running a model on a graphics device: when asked for, or when one suits; and looking at the devices.

use backend::Backend as _;
use backend_gpu::{Adapter, AdapterChoice, Gpu, Options as GpuOptions};
use gguf::MappedFile;
use model::{Inference, MemoryPlan, Model};

use crate::doctor::{AdapterReport, Check, DeviceReport, check_backend, quietly};
use crate::error::{Error, Result};
use crate::load::{DEFAULT_MAX_BATCH, LoadOptions, ModelFile};
use crate::session::default_context;

/// Share of a device's memory that a model may take: scratch and other programs need some too.
pub(crate) const MEMORY_SHARE: f64 = 0.9;

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
    let gpu = open()?;
    let options = options.of_model(default_batch(&gpu));
    Ok(Model::load(gpu, file, options, on_progress).map(|model| Box::new(model) as _))
}

/// Opens the best device there is.
fn open() -> Result<Gpu> {
    Gpu::open(GpuOptions::default())
        .map_err(|source| Error::Device { backend: "gpu", source: Box::new(source) })
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

/// All graphics devices, the one that [`load`] takes first.
pub(crate) fn adapters() -> Vec<AdapterReport> {
    let report = |adapter: Adapter| AdapterReport {
        name: adapter.name,
        interface: adapter.interface,
        driver: adapter.driver,
        kind: adapter.kind,
        memory_bytes: adapter.memory_bytes,
        subgroup_size: adapter.profile.subgroup_size,
        packed_dot: adapter.profile.packed_dot,
        matrix_size: adapter.profile.matrix_size,
        buffer_bytes: adapter.profile.buffer_bytes,
        binding_bytes: adapter.profile.binding_bytes,
        workgroup_bytes: adapter.profile.workgroup_bytes,
        workgroup_threads: adapter.profile.workgroup_threads,
    };
    backend_gpu::adapters().into_iter().map(report).collect()
}

/// Opens the device that [`load`] takes and measures it.
///
/// # Errors
/// If none can be opened.
pub(crate) fn examine() -> Result<DeviceReport> {
    let failed = |panic: String| Error::Device { backend: "gpu", source: panic.into() };
    quietly(|| {
        let mut gpu = open()?;
        Ok(DeviceReport {
            name: gpu.device_name(),
            is_software: gpu.is_software(),
            memory_bytes: gpu.memory_bytes(),
            matrix_size: gpu.profile().matrix_size,
            refused_matrices: gpu.refused_matrices().map(str::to_owned),
            dispatch_seconds: gpu.dispatch_seconds().map_err(|error| error.to_string()),
            read_gb_s: gpu.read_bandwidth(),
        })
    })
    .map_err(failed)?
}

/// Holds the device that [`load`] takes against the reference.
pub(crate) fn check(all: bool, on_step: &mut dyn FnMut(&str)) -> Vec<Check> {
    check_backend("gpu", all, on_step, || {
        Gpu::open(GpuOptions::default()).map_err(|error| error.to_string())
    })
}
