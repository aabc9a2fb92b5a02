//! Which model a command runs: a file, or ironstar-tiny, which is part of the program.
//!
//! `-m tiny` names the built-in one; a file of that name is `./tiny`.

use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use engine::ModelFile;

/// What `-m` calls the built-in model.
const TINY: &str = "tiny";

/// Shown as its path; part of the prompt dialect's search, so it names no checkpoint.
const TINY_PATH: &str = "ironstar-tiny (built in)";

/// Weights are read in place, at the alignment of the file format from here on.
#[repr(C, align(64))]
struct Aligned<T: ?Sized>(T);

static TINY_GGUF: &Aligned<[u8]> = &Aligned(*include_bytes!("../models/tiny.gguf"));

/// Opens what `-m` names.
pub(crate) fn open(model: &Path) -> Result<ModelFile> {
    let file = if model == Path::new(TINY) {
        ModelFile::from_static(TINY_PATH, &TINY_GGUF.0)
    } else {
        ModelFile::open(model)
    };
    Ok(file?)
}

/// Opens what `-m` names, or the built-in model with a word on what it is.
pub(crate) fn open_or_default(model: Option<&Path>) -> Result<ModelFile> {
    if let Some(model) = model {
        return open(model);
    }
    writeln!(
        io::stderr(),
        "no model is named, so the built-in ironstar-tiny answers: it knows ironstar and little \
         else; -m FILE runs DeepSeek V4 Flash (GGUF, for instance from antirez/deepseek-v4-gguf \
         on Hugging Face)"
    )
    .context("cannot write to standard error")?;
    open(Path::new(TINY))
}

/// What a model is called by servers: its file's name without the ending, or the built-in one's.
pub(crate) fn name(model: Option<&Path>) -> String {
    match model {
        Some(path) if path != Path::new(TINY) => {
            path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
        }
        _ => "ironstar-tiny".to_owned(),
    }
}
