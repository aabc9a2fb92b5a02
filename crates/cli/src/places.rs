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

/// The configuration file, whether it is there or not.
pub(crate) fn config() -> Result<PathBuf> {
    let own = env::config_file();
    let place = own.or_else(|| Some(dirs::config_dir()?.join("ironstar/config.toml")));
    place.context("this system names no folder for configurations; IRONSTAR_CONFIG names a file")
}
