//! Conversations written down, for whoever asks for it with `--trace`: the one place where what
//! people say leaves memory.
//!
//! Lines of JSON. An answer makes two: what was asked (the body, the prompt, its number of tokens),
//! and what came of it (the text as the model wrote it, why it ended, what was reused, how fast).

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// A file that conversations are appended to.
#[derive(Debug)]
pub struct Trace(Mutex<File>);

impl Trace {
    /// Opens a file, which may exist.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(Mutex::new(File::options().create(true).append(true).open(path)?)))
    }

    /// Writes an event of the request `id`.
    pub(crate) fn write(&self, id: &str, event: &str, what: &Value) {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut line = json!({ "time": since_epoch.as_secs_f64(), "request": id, "event": event });
        if let (Some(line), Some(what)) = (line.as_object_mut(), what.as_object()) {
            line.extend(what.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One write, so that lines stay whole.
        if let Err(error) = file.write_all(format!("{line}\n").as_bytes()) {
            tracing::warn!(%error, "the trace could not be written");
        }
    }
}
