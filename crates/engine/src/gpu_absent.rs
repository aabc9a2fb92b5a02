//! What stands in for the GPU backend in a build without it: nothing suits.

use gguf::MappedFile;
use model::{Inference, Options};

use crate::error::{Error, Result};
use crate::load::ModelFile;

/// # Errors
/// Always: this build has no GPU backend.
pub(crate) fn load(
    _: &MappedFile,
    _: Options,
    _: &mut dyn FnMut(u64),
) -> Result<model::Result<Box<dyn Inference>>> {
    Err(Error::NoBackend { backend: "gpu" })
}

/// `None`: there is no device.
pub(crate) fn load_if_it_suits(
    _: &ModelFile,
    _: Options,
    _: &mut dyn FnMut(u64),
) -> Option<model::Result<Box<dyn Inference>>> {
    None
}
