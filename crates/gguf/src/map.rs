//! Model files as bytes: mapped from a disk, or part of the program. The only room of this crate
//! with `unsafe`.
//!
//! What is assumed: nobody changes or shortens the file while it is mapped. The bytes are treated
//! as plain bytes and every length taken from them is checked once, at [`MappedFile::open`], so a
//! file that is *changed* underneath yields other weights but nothing worse. A file that is
//! *shortened* underneath makes the operating system end the process when a lost page is touched;
//! no portable program can prevent that.

use std::fs::{self, File};
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;

use crate::{Error, Header, Result, Tensor, TensorBytes};

/// The bytes of a model file.
pub(crate) enum Mapping {
    /// Of a file that stays open while they are in use.
    File {
        mmap: Mmap,
        /// Holds the file open: on some systems an open handle keeps others from replacing it.
        _file: File,
    },
    /// Part of the program.
    Static(&'static [u8]),
}

impl Mapping {
    fn open(path: &Path) -> Result<Self> {
        let failed = |action| {
            let path = path.to_owned();
            move |source| Error::Io { action, path, source }
        };
        // Opening a pipe would wait for a writer, so the kind of file is asked first.
        let status = fs::metadata(path).map_err(failed("open"))?;
        if !status.is_file() {
            return Err(Error::NotAFile { path: path.to_owned() });
        }
        let file = File::open(path).map_err(failed("open"))?;
        #[expect(unsafe_code, reason = "mapping is the purpose of this module")]
        // SAFETY: the mapping is read-only and private to this struct, which hands out `&[u8]`
        // only; the module head states what is assumed of other processes.
        let mmap = unsafe { Mmap::map(&file) }.map_err(failed("map"))?;
        Ok(Self::File { mmap, _file: file })
    }
}

impl Mapping {
    /// Tells the operating system that bytes will soon be read, so that it reads them from the disk
    /// all at once; it may ignore that.
    pub(crate) fn will_need(&self, range: Range<usize>) {
        #[cfg(unix)]
        if let Self::File { mmap, .. } = self {
            // A hint that cannot be given costs nothing but time.
            let _ = mmap.advise_range(memmap2::Advice::WillNeed, range.start, range.len());
        }
        #[cfg(not(unix))]
        let _ = range;
    }

    /// Tells the operating system that bytes will hardly be read again, so that they no longer count
    /// as this process's memory; it may ignore that.
    pub(crate) fn will_not_need(&self, range: Range<usize>) {
        #[cfg(unix)]
        if let Self::File { mmap, .. } = self {
            #[expect(unsafe_code, reason = "the only way to give memory back")]
            // SAFETY: the mapping is of a file and never written, so bytes that are dropped and read
            // again are the file's, the same as before.
            let _ = unsafe {
                mmap.unchecked_advise_range(
                    memmap2::UncheckedAdvice::DontNeed,
                    range.start,
                    range.len(),
                )
            };
        }
        #[cfg(not(unix))]
        let _ = range;
    }
}

impl Deref for Mapping {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::File { mmap, .. } => mmap,
            Self::Static(bytes) => bytes,
        }
    }
}

/// A GGUF file mapped read-only, with its parsed header.
#[derive(Clone)]
pub struct MappedFile {
    path: PathBuf,
    header: Arc<Header>,
    mapping: Arc<Mapping>,
}

impl MappedFile {
    /// Maps the file and parses its header. Tensor data is not read.
    ///
    /// # Errors
    /// If the path is no regular file, cannot be opened or mapped, or is not a valid GGUF file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mapping = Mapping::open(path)?;
        let header = Header::parse(&mapping)?;
        Ok(Self { path: path.to_owned(), header: Arc::new(header), mapping: Arc::new(mapping) })
    }

    /// A model that is part of the program, under a name that stands where a path would.
    ///
    /// Kernels read weights at the alignment that the file format promises from the first byte on,
    /// so `bytes` are to begin at a multiple of 64.
    ///
    /// # Errors
    /// If the bytes are not a valid GGUF file.
    ///
    /// # Panics
    /// If `bytes` do not begin at a multiple of 64.
    pub fn from_static(name: &str, bytes: &'static [u8]) -> Result<Self> {
        assert!(bytes.as_ptr().addr().is_multiple_of(64), "the bytes of a model are aligned");
        let header = Arc::new(Header::parse(bytes)?);
        Ok(Self { path: name.into(), header, mapping: Arc::new(Mapping::Static(bytes)) })
    }

    /// The path it was opened with.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The parsed header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The bytes in front of the tensor data: everything that the header says.
    pub fn head(&self) -> &[u8] {
        let n_bytes = self.header.data_offset.min(self.file_bytes());
        &self.mapping[..n_bytes as usize]
    }

    /// Bytes in the file.
    pub fn file_bytes(&self) -> u64 {
        self.mapping.len() as u64
    }

    /// The tensor of this name. Its bytes keep the file mapped.
    ///
    /// The data of a tensor of [`TensorType::Other`](crate::TensorType::Other) is empty.
    pub fn tensor(&self, name: &str) -> Option<Tensor> {
        let info = self.header.tensor(name)?;
        // The header proved that the tensor lies inside these bytes, so the casts keep the values.
        let start = info.offset as usize;
        let range = start..start + info.bytes as usize;
        Some(Tensor {
            name: info.name.clone(),
            dims: info.dims.clone(),
            kind: info.kind,
            data: TensorBytes::from_mapping(Arc::clone(&self.mapping), range),
        })
    }
}
