//! The safetensors files of a checkpoint: one file, or shards with an index.
//!
//! Headers are parsed and checked by the `safetensors` crate; data is read from the files on
//! demand, so nothing of it stays in memory.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use safetensors::Dtype;
use safetensors::tensor::Metadata;

use super::refusal;
use crate::files::read_bounded;

const SINGLE_FILE: &str = "model.safetensors";
const INDEX_FILE: &str = "model.safetensors.index.json";

/// Longest header accepted, as in the `safetensors` crate.
const MAX_HEADER_BYTES: u64 = 100_000_000;

/// The tensors of a checkpoint.
pub(super) struct Checkpoint {
    shards: Vec<Shard>,
    tensors: HashMap<String, Entry>,
}

struct Shard {
    path: PathBuf,
    file: File,
}

/// Where a tensor lies, and what it is.
#[derive(Debug)]
pub(super) struct Entry {
    shard: usize,
    /// First byte in the file; the header proved that all bytes lie inside it.
    start: u64,
    pub(super) dtype: Dtype,
    /// The contiguous dimension last.
    pub(super) shape: Vec<usize>,
}

impl Checkpoint {
    /// Opens all files and parses their headers.
    pub(super) fn open(dir: &Path) -> anyhow::Result<Self> {
        let mut checkpoint = Self { shards: Vec::new(), tensors: HashMap::new() };
        if dir.join(SINGLE_FILE).is_file() {
            checkpoint.tensors =
                checkpoint.open_shard(&dir.join(SINGLE_FILE))?.into_iter().collect();
            return Ok(checkpoint);
        }
        let index = dir.join(INDEX_FILE);
        if !index.is_file() {
            bail!("{} has neither {SINGLE_FILE} nor {INDEX_FILE}", dir.display());
        }
        let mut missing = Vec::new();
        for (shard, names) in read_index(&index)? {
            let mut found = checkpoint.open_shard(&dir.join(&shard))?;
            for name in names {
                match found.remove(&name) {
                    Some(entry) => drop(checkpoint.tensors.insert(name, entry)),
                    None => missing.push(format!("{name:?} is not in {shard:?}")),
                }
            }
        }
        match missing.as_slice() {
            [] => Ok(checkpoint),
            missing => {
                Err(refusal(&format!("{} is wrong about its files", index.display()), missing))
            }
        }
    }

    /// Opens one more file and returns its tensors.
    fn open_shard(&mut self, path: &Path) -> anyhow::Result<HashMap<String, Entry>> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let (data_start, metadata) = read_header(&file).with_context(|| {
            format!(
                "{} is not a whole safetensors file; the download may be incomplete",
                path.display()
            )
        })?;
        let shard = self.shards.len();
        self.shards.push(Shard { path: path.to_owned(), file });
        let entry = |info: &safetensors::tensor::TensorInfo| Entry {
            shard,
            start: data_start + info.data_offsets.0 as u64,
            dtype: info.dtype,
            shape: info.shape.clone(),
        };
        Ok(metadata.tensors().into_iter().map(|(name, info)| (name, entry(info))).collect())
    }

    /// The tensor of this name.
    pub(super) fn tensor(&self, name: &str) -> Option<&Entry> {
        self.tensors.get(name)
    }

    /// Names of all tensors, in no order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Reads `n_bytes` of a tensor, from byte `offset` of its data, replacing `buffer`.
    ///
    /// # Panics
    /// If the tensor has fewer bytes.
    pub(super) fn read(
        &self,
        entry: &Entry,
        offset: u64,
        n_bytes: usize,
        buffer: &mut Vec<u8>,
    ) -> anyhow::Result<()> {
        assert!(offset + n_bytes as u64 <= entry.n_bytes(), "bytes of the tensor");
        let Shard { path, file } = &self.shards[entry.shard];
        let mut file = file;
        buffer.resize(n_bytes, 0);
        file.seek(SeekFrom::Start(entry.start + offset))
            .and_then(|_| file.read_exact(buffer))
            .with_context(|| format!("cannot read {}", path.display()))
    }
}

impl Entry {
    fn n_bytes(&self) -> u64 {
        let n_bits: u64 =
            self.shape.iter().map(|&dim| dim as u64).product::<u64>() * self.dtype.bitsize() as u64;
        n_bits / 8
    }
}

/// The header of a safetensors file, and where its data begins.
///
/// The crate only reads headers of files that are in memory as a whole, so their frame is checked
/// here: eight bytes with the length of a JSON text, that text, and data up to the end.
fn read_header(mut file: &File) -> anyhow::Result<(u64, Metadata)> {
    let file_bytes = file.metadata()?.len();
    ensure!(file_bytes >= 8, "it has {file_bytes} bytes, too few for a header");
    let mut length = [0; 8];
    file.read_exact(&mut length)?;
    let header_bytes = u64::from_le_bytes(length);
    ensure!(header_bytes <= MAX_HEADER_BYTES, "its header claims {header_bytes} bytes");
    let data_start = 8 + header_bytes;
    ensure!(data_start <= file_bytes, "it ends inside its header");
    let mut header = vec![0; header_bytes as usize];
    file.read_exact(&mut header)?;
    let metadata: Metadata =
        serde_json::from_slice(&header).context("its header cannot be understood")?;
    let expected = data_start + metadata.data_len() as u64;
    ensure!(expected == file_bytes, "it has {file_bytes} bytes, but its header says {expected}");
    Ok((data_start, metadata))
}

/// The index, by file: which tensors each has.
fn read_index(path: &Path) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let bytes = read_bounded(path, MAX_HEADER_BYTES)?;
    let index: Index = serde_json::from_slice(&bytes)
        .with_context(|| format!("{} is no index of safetensors files", path.display()))?;
    let mut names_by_shard: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, shard) in index.weight_map {
        let is_plain_name =
            Path::new(&shard).file_name().is_some_and(|name| name == shard.as_str());
        ensure!(is_plain_name, "{} names a file outside its folder: {shard:?}", path.display());
        names_by_shard.entry(shard).or_default().push(name);
    }
    Ok(names_by_shard)
}
