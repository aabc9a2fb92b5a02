//! Where the program keeps what belongs to the user.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::env;

/// Folder of conversations and the history of `chat`.
pub(crate) fn data() -> Result<PathBuf> {
    let own = env::data_dir();
    let place = own.or_else(|| Some(dirs::data_dir()?.join("ironstar")));
    place.context("this system names no folder for data; IRONSTAR_DATA_DIR can")
}
