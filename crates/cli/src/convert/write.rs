//! Streams the tensors into the file, which appears under its name only when it is complete.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::Context;
use gguf::{TensorType, Writer, WriterBuilder};
use indicatif::ProgressBar;

use super::checkpoint::Checkpoint;
use super::source::{Scratch, Source};
use super::tensors::Target;
use crate::files::new_temporary_file;
use crate::quantize::RowEncoder;
use crate::terminal::bytes_bar;

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
    pub(super) n_threads: usize,
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
            n_threads: self.n_threads,
            writer: self.header.begin(out).context(CANNOT_WRITE_FILE)?,
            progress: bytes_bar("converting", self.tensors.iter().map(Bound::n_bytes).sum()),
            scratch: Scratch::default(),
            weights: Vec::new(),
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
    n_threads: usize,
    writer: Writer<BufWriter<&'a File>>,
    progress: ProgressBar,
    scratch: Scratch,
    weights: Vec<f32>,
}

impl Conversion<'_> {
    fn tensor(&mut self, bound: &Bound) -> anyhow::Result<()> {
        let cannot_write = || format!("cannot write tensor {}", bound.target.name);
        self.writer.begin_tensor(&bound.target.name).with_context(cannot_write)?;
        for source in &bound.sources {
            let encoder = RowEncoder::new(bound.kind, source.columns, self.n_threads);
            let rows_per_piece = encoder.rows_per_piece();
            for first in (0..source.rows).step_by(rows_per_piece) {
                let rows = (first, rows_per_piece.min(source.rows - first));
                let parts = if bound.kind == TensorType::I32 {
                    vec![self.expert_ids(source, rows)?]
                } else {
                    self.weights(source, rows, &encoder)?
                };
                for part in parts {
                    self.writer.append(&part).with_context(cannot_write)?;
                    self.progress.inc(part.len() as u64);
                }
            }
        }
        Ok(())
    }

    fn expert_ids(&mut self, source: &Source, rows: (usize, usize)) -> anyhow::Result<Vec<u8>> {
        let mut ids = Vec::new();
        source.expert_ids(self.checkpoint, rows, self.n_experts, &mut self.scratch, &mut ids)?;
        Ok(ids.iter().flat_map(|id| id.to_le_bytes()).collect())
    }

    fn weights(
        &mut self,
        source: &Source,
        (first, n_rows): (usize, usize),
        encoder: &RowEncoder,
    ) -> anyhow::Result<Vec<Vec<u8>>> {
        let weights = &mut self.weights;
        source.decode(self.checkpoint, first, n_rows, &mut self.scratch, weights)?;
        let read = |row: usize, out: &mut [f32]| {
            out.copy_from_slice(&weights[(row - first) * out.len()..][..out.len()]);
        };
        encoder.encode(first, n_rows, &read).with_context(|| {
            format!("{} cannot be converted; --type f32 holds every weight", source.name())
        })
    }
}
