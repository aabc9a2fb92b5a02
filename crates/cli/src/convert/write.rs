//! Streams the tensors into the file, which appears under its name only when it is complete.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::{Context, bail};
use gguf::{TensorType, Writer, WriterBuilder};
use indicatif::ProgressBar;

use super::checkpoint::Checkpoint;
use super::source::{Scratch, Source};
use super::tensors::Target;
use crate::files::new_temporary_file;
use crate::terminal::bytes_bar;

/// Weights converted at a time, about: 16 MiB as f32.
const PIECE_LEN: usize = 1 << 22;

/// Magnitude from which a value rounds to infinity in F16.
const F16_OVERFLOW: f32 = 65_520.0;

/// The largest code of `Q8_0`, so the factor between a block's largest weight and its F16 scale.
const Q8_0_MAX_CODE: f32 = 127.0;

const CANNOT_WRITE_FILE: &str = "cannot write the model file";

/// A tensor to write, with everything known about it.
pub(super) struct Bound<'a> {
    pub(super) target: &'a Target,
    pub(super) kind: TensorType,
    pub(super) sources: Vec<Source<'a>>,
}

impl Bound<'_> {
    /// Bytes in the file, without padding.
    pub(super) fn n_bytes(&self) -> u64 {
        let row_bytes = |source: &Source| self.kind.row_bytes(source.columns);
        self.sources.iter().map(|source| (source.rows * row_bytes(source)) as u64).sum()
    }
}

/// What a file is made of.
pub(super) struct Content<'a> {
    pub(super) header: WriterBuilder,
    pub(super) tensors: &'a [Bound<'a>],
    pub(super) checkpoint: &'a Checkpoint,
    pub(super) n_experts: u32,
}

/// Writes the file: under a temporary name beside `path`, and then under its own.
pub(super) fn write_file(path: &Path, force: bool, content: Content) -> anyhow::Result<()> {
    let file = new_temporary_file(path)?;
    content.write(file.as_file())?;
    // Somebody else may have created the file while this one was written.
    let persisted = if force { file.persist(path) } else { file.persist_noclobber(path) };
    let persisted = persisted.map_err(|failed| failed.error);
    persisted.map(drop).with_context(|| format!("cannot write {}", path.display()))
}

impl Content<'_> {
    fn write(self, file: &File) -> anyhow::Result<()> {
        let out = BufWriter::with_capacity(1 << 20, file);
        let mut conversion = Conversion {
            checkpoint: self.checkpoint,
            n_experts: self.n_experts,
            writer: self.header.begin(out).context(CANNOT_WRITE_FILE)?,
            progress: bytes_bar("converting", self.tensors.iter().map(Bound::n_bytes).sum()),
            scratch: Scratch::default(),
        };
        for tensor in self.tensors {
            conversion.tensor(tensor)?;
        }
        conversion.progress.finish_and_clear();
        conversion.writer.finish().context(CANNOT_WRITE_FILE)?;
        file.sync_all().context(CANNOT_WRITE_FILE)
    }
}

struct Conversion<'a> {
    checkpoint: &'a Checkpoint,
    n_experts: u32,
    writer: Writer<BufWriter<&'a File>>,
    progress: ProgressBar,
    scratch: Scratch,
}

impl Conversion<'_> {
    fn tensor(&mut self, bound: &Bound) -> anyhow::Result<()> {
        let cannot_write = || format!("cannot write tensor {}", bound.target.name);
        self.writer.begin_tensor(&bound.target.name).with_context(cannot_write)?;
        let (mut weights, mut ids, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
        for source in &bound.sources {
            let rows_per_piece = (PIECE_LEN / source.columns).max(1);
            for first in (0..source.rows).step_by(rows_per_piece) {
                let n_rows = rows_per_piece.min(source.rows - first);
                bytes.clear();
                if bound.kind == TensorType::I32 {
                    let rows = (first, n_rows);
                    let (n_experts, scratch) = (self.n_experts, &mut self.scratch);
                    source.expert_ids(self.checkpoint, rows, n_experts, scratch, &mut ids)?;
                    bytes.extend(ids.iter().flat_map(|id| id.to_le_bytes()));
                } else {
                    let scratch = &mut self.scratch;
                    source.decode(self.checkpoint, first, n_rows, scratch, &mut weights)?;
                    check_range(source.name(), &weights, bound.kind)?;
                    bound.kind.encode_row(&weights, &mut bytes).with_context(cannot_write)?;
                }
                self.writer.append(&bytes).with_context(cannot_write)?;
                self.progress.inc(bytes.len() as u64);
            }
        }
        Ok(())
    }
}

/// Refuses weights that would become infinite.
fn check_range(name: &str, weights: &[f32], kind: TensorType) -> anyhow::Result<()> {
    let limit = match kind {
        TensorType::F16 => F16_OVERFLOW,
        TensorType::Q8_0 => F16_OVERFLOW * Q8_0_MAX_CODE,
        _ => return Ok(()),
    };
    match weights.iter().find(|weight| weight.abs() >= limit) {
        Some(weight) => {
            bail!("{name} holds {weight}, too large for {kind}; convert with --type f32")
        }
        None => Ok(()),
    }
}
