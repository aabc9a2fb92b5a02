//! What stands in for the GPU backend in a build without it: nothing suits.

use gguf::MappedFile;
use model::Inference;

use crate::doctor::{AdapterReport, Check, DeviceReport};
use crate::error::{Error, Result};
use crate::load::{LoadOptions, ModelFile};

/// Share of a device's memory that a model may take.
pub(crate) const MEMORY_SHARE: f64 = 0.9;

/// # Errors
/// Always: this build has no GPU backend.
pub(crate) fn load(
    _: &MappedFile,
    _: &LoadOptions,
    _: &mut dyn FnMut(u64),
) -> Result<model::Result<Box<dyn Inference>>> {
    Err(Error::NoBackend { backend: "gpu" })
}

/// `None`: there is no device.
pub(crate) fn load_if_it_suits(
    _: &ModelFile,
    _: &LoadOptions,
    _: &mut dyn FnMut(u64),
) -> Option<model::Result<Box<dyn Inference>>> {
    None
}

/// None.
pub(crate) fn adapters() -> Vec<AdapterReport> {
    Vec::new()
}

/// # Errors
/// Always: this build has no GPU backend.
pub(crate) fn examine() -> Result<DeviceReport> {
    Err(Error::NoBackend { backend: "gpu" })
}

/// None: there is no device.
pub(crate) fn check(_: bool, _: &mut dyn FnMut(&str)) -> Vec<Check> {
    Vec::new()
}
