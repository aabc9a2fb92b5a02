//! Importance matrices: how large the inputs of each weight's columns are, for quantisation.
//!
//! The file is llama.cpp's: a GGUF file with `general.type` = `imatrix` and, for a weight `NAME`,
//! two F32 tensors. `NAME.in_sum2` is `[n_matrices, columns]`, the sum over inputs of each
//! column's square, and `NAME.counts` is `[n_matrices, 1]`, how many inputs that was. A stack of
//! experts has one matrix each; other weights have one.
//!
//! Refuses: sums that are negative or not finite, and pairs whose shapes do not fit together.

mod collect;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use gguf::{MappedFile, TensorType, WriterBuilder};

use crate::error::{Error, Result};

pub use collect::ImportanceCollector;

const SUMS: &str = ".in_sum2";
const COUNTS: &str = ".counts";

/// Sums of squares of the inputs of one weight.
#[derive(Debug, Clone, PartialEq)]
pub struct InputSquares {
    /// Columns of the weight.
    pub columns: usize,
    /// `[n_matrices, columns]`.
    pub sums: Vec<f32>,
    /// `[n_matrices]`: inputs that were summed.
    pub counts: Vec<f32>,
}

impl InputSquares {
    /// `[columns]` means of matrix `index`, or nothing if it never had an input.
    ///
    /// # Panics
    /// If there is no such matrix.
    pub fn means(&self, index: usize) -> Option<Vec<f32>> {
        let count = self.counts[index];
        let sums = &self.sums[index * self.columns..][..self.columns];
        (count > 0.0).then(|| sums.iter().map(|sum| sum / count).collect())
    }
}

/// What an importance matrix was made of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportanceSource {
    /// Names of the texts.
    pub datasets: Vec<String>,
    /// Chunks that were run.
    pub n_chunks: u32,
    /// Tokens of a chunk.
    pub chunk_len: u32,
}

/// The importance of every weight's columns.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ImportanceMatrix {
    /// By name of the weight.
    pub weights: BTreeMap<String, InputSquares>,
    /// Where it comes from.
    pub source: ImportanceSource,
}

impl ImportanceMatrix {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, or is no importance matrix.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = MappedFile::open(path)
            .map_err(|source| Error::Open { path: path.to_owned(), source })?;
        let refuse = |problem: String| Error::ImportanceMatrix { path: path.to_owned(), problem };
        let metadata = &file.header().metadata;
        let read = |error: gguf::Error| refuse(error.to_string());
        match metadata.optional_string("general.type").map_err(read)? {
            Some("imatrix") => {}
            Some(other) => return Err(refuse(format!("its general.type is {other:?}"))),
            None => return Err(refuse("it has no general.type".to_owned())),
        }
        let number = |key: &str| -> Result<u32> {
            let number = metadata.optional_u64(key).map_err(read)?.unwrap_or(0);
            Ok(u32::try_from(number).unwrap_or(u32::MAX))
        };
        let datasets = metadata.optional_strings("imatrix.datasets").map_err(read)?;
        let source = ImportanceSource {
            datasets: datasets.unwrap_or_default().to_vec(),
            n_chunks: number("imatrix.chunk_count")?,
            chunk_len: number("imatrix.chunk_size")?,
        };
        let mut weights = BTreeMap::new();
        for info in &file.header().tensors {
            if let Some(name) = info.name.strip_suffix(SUMS) {
                weights.insert(name.to_owned(), squares(&file, name).map_err(refuse)?);
            }
        }
        Ok(Self { weights, source })
    }

    /// Writes the file to `out`, which should be buffered.
    ///
    /// # Errors
    /// If writing fails.
    pub fn write<W: Write>(&self, out: W) -> gguf::Result<W> {
        let mut header = WriterBuilder::new();
        header.metadata("general.type", "imatrix")?;
        let datasets = self.source.datasets.clone();
        header.metadata("imatrix.datasets", datasets)?;
        header.metadata("imatrix.chunk_count", self.source.n_chunks)?;
        header.metadata("imatrix.chunk_size", self.source.chunk_len)?;
        for (name, squares) in &self.weights {
            let n_matrices = squares.counts.len() as u64;
            let sums = [squares.columns as u64, n_matrices];
            header.tensor(&format!("{name}{SUMS}"), &sums, TensorType::F32)?;
            header.tensor(&format!("{name}{COUNTS}"), &[1, n_matrices], TensorType::F32)?;
        }
        let mut writer = header.begin(out)?;
        let bytes = |values: &[f32]| -> Vec<u8> {
            values.iter().flat_map(|value| value.to_le_bytes()).collect()
        };
        for (name, squares) in &self.weights {
            writer.tensor(&format!("{name}{SUMS}"), &bytes(&squares.sums))?;
            writer.tensor(&format!("{name}{COUNTS}"), &bytes(&squares.counts))?;
        }
        writer.finish()
    }
}

/// The pair of tensors of a weight, checked.
fn squares(file: &MappedFile, name: &str) -> std::result::Result<InputSquares, String> {
    let decode = |suffix: &str| {
        let name = format!("{name}{suffix}");
        let tensor = file.tensor(&name).ok_or_else(|| format!("{name} is missing"))?;
        if tensor.kind != TensorType::F32 {
            return Err(format!("{name} is stored as {}, expected F32", tensor.kind));
        }
        let values = tensor.decode().map_err(|error| error.to_string())?;
        match values.iter().find(|value| !value.is_finite() || **value < 0.0) {
            Some(value) => Err(format!("{name} holds {value}")),
            None => Ok((tensor, values)),
        }
    };
    let (tensor, sums) = decode(SUMS)?;
    let (_, counts) = decode(COUNTS)?;
    let (columns, n_matrices) = (tensor.columns(), tensor.rows());
    if counts.len() != n_matrices {
        return Err(format!("{name} has {} counts for {n_matrices} matrices", counts.len()));
    }
    Ok(InputSquares { columns, sums, counts })
}
