//! Which model a command runs: a file, a downloaded one by its short name, or ironstar-tiny, which
//! is part of the program.
//!
//! `-m tiny` names the built-in one and `-m q2` a downloaded one; files of such names are `./tiny`
//! and `./q2`.

use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use engine::ModelFile;

use crate::download;

/// What `-m` calls the built-in model.
const TINY: &str = "tiny";

const TINY_NAME: &str = "ironstar-tiny";

/// Shown as its path; part of the prompt dialect's search, so it names no checkpoint.
const TINY_PATH: &str = "ironstar-tiny (built in)";

/// Weights are read in place, at the alignment of the file format from here on.
#[repr(C, align(64))]
struct Aligned<T: ?Sized>(T);

static TINY_GGUF: &Aligned<[u8]> = &Aligned(*include_bytes!("../models/tiny.gguf"));

/// Opens what `-m` names: the built-in model, a downloaded one by its short name, or a file.
pub(crate) fn open(model: &Path) -> Result<ModelFile> {
    if model == Path::new(TINY) {
        return Ok(ModelFile::from_static(TINY_PATH, &TINY_GGUF.0)?);
    }
    let downloaded = model.to_str().map(download::downloaded).transpose()?.flatten();
    Ok(ModelFile::open(downloaded.as_deref().unwrap_or(model))?)
}

/// Opens what `-m` names; without it what was downloaded, or the built-in model, with a word on
/// which it is.
pub(crate) fn open_or_default(model: Option<&Path>) -> Result<ModelFile> {
    if let Some(model) = model {
        return open(model);
    }
    let mut stderr = io::stderr();
    let told = "cannot write to standard error";
    if let Some((name, path)) = download::best_downloaded() {
        writeln!(stderr, "no model is named, so {name} answers, which was downloaded")
            .context(told)?;
        return Ok(ModelFile::open(&path)?);
    }
    writeln!(
        stderr,
        "no model is named, so the built-in ironstar-tiny answers: it knows ironstar and little \
         else; `ironstar download` lists the files of DeepSeek V4 Flash, -m FILE runs one"
    )
    .context(told)?;
    open(Path::new(TINY))
}

/// What a model is called by servers: its file's name without the ending, its short name, or the
/// built-in one's.
pub(crate) fn name(model: Option<&Path>) -> String {
    let of_file = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    match model {
        Some(path) if path != Path::new(TINY) => of_file(path),
        None => {
            download::best_downloaded().map_or(TINY_NAME.to_owned(), |(name, _)| name.to_owned())
        }
        Some(_) => TINY_NAME.to_owned(),
    }
}
