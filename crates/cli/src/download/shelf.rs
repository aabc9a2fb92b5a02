//! Where downloaded files lie: the Hugging Face Hub's cache folder, in the layout that its own
//! programs use.
//!
//! ```text
//! hub/models--OWNER--NAME/
//!     blobs/SHA256                      the file
//!     blobs/SHA256.ironstar             the file while it is being fetched
//!     blobs/SHA256.ironstar.json        which pieces of it are there
//!     snapshots/COMMIT/FILE -> ../../blobs/SHA256
//!     refs/main                         the commit that was seen last
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use hf_hub::{Cache, Repo};

use super::catalogue::Entry;
use super::hub::Remote;
use crate::env;

/// The ending of unfinished files.
const UNFINISHED: &str = "ironstar";

/// The cache folder.
pub(super) struct Shelf {
    cache: Cache,
}

impl Shelf {
    pub(super) fn open() -> Result<Self> {
        let home =
            || env::hub_home().or_else(|| Some(dirs::home_dir()?.join(".cache/huggingface")));
        let place = env::hub_cache().or_else(|| Some(home()?.join("hub")));
        let place = place.context("this system names no home folder; HF_HOME can")?;
        Ok(Self { cache: Cache::new(place) })
    }

    /// The user's token, if there is one.
    pub(super) fn token(&self) -> Option<String> {
        env::hub_token().or_else(|| self.cache.token())
    }

    pub(super) fn path(&self) -> &Path {
        self.cache.path()
    }

    fn repository(&self, entry: &Entry) -> PathBuf {
        self.cache.path().join(Repo::model(entry.repository.to_owned()).folder_name())
    }

    /// Where a file goes when it is whole.
    pub(super) fn blob(&self, entry: &Entry, remote: &Remote) -> PathBuf {
        self.repository(entry).join("blobs").join(&remote.sha256)
    }

    /// Where it is while it is not.
    pub(super) fn unfinished(&self, entry: &Entry, remote: &Remote) -> PathBuf {
        self.repository(entry).join("blobs").join(format!("{}.{UNFINISHED}", remote.sha256))
    }

    /// The file, if it is here: that of the revision seen last, else any.
    pub(super) fn find(&self, entry: &Entry) -> Option<PathBuf> {
        let newest = self.cache.model(entry.repository.to_owned()).get(entry.file);
        newest.or_else(|| self.pointers(entry).into_iter().find(|path| path.exists()))
    }

    /// The file's names in all revisions.
    fn pointers(&self, entry: &Entry) -> Vec<PathBuf> {
        let snapshots = fs::read_dir(self.repository(entry).join("snapshots"));
        let folders = snapshots.into_iter().flatten().flatten();
        let mut pointers: Vec<_> = folders
            .map(|folder| folder.path().join(entry.file))
            .filter(|path| path.symlink_metadata().is_ok())
            .collect();
        pointers.sort();
        pointers
    }

    /// Gives a whole blob its name in the revision it is from.
    pub(super) fn install(&self, entry: &Entry, remote: &Remote) -> Result<PathBuf> {
        let pointer =
            self.repository(entry).join("snapshots").join(&remote.commit).join(entry.file);
        let cannot_install = || format!("cannot make {}", pointer.display());
        fs::create_dir_all(crate::files::folder(&pointer)).with_context(cannot_install)?;
        if pointer.symlink_metadata().is_ok() {
            fs::remove_file(&pointer).with_context(cannot_install)?;
        }
        link(&self.blob(entry, remote), &remote.sha256, &pointer).with_context(cannot_install)?;
        let repository = self.cache.model(entry.repository.to_owned());
        repository.create_ref(&remote.commit).with_context(cannot_install)?;
        Ok(pointer)
    }

    /// Bytes on disk of files that were begun and not finished, whatever they are.
    pub(super) fn unfinished_bytes(&self, entry: &Entry) -> u64 {
        self.leftovers(entry).iter().filter_map(|path| path.metadata().ok()).map(|m| m.len()).sum()
    }

    /// Unfinished files, whose record says that they are this one.
    fn leftovers(&self, entry: &Entry) -> Vec<PathBuf> {
        let blobs = fs::read_dir(self.repository(entry).join("blobs"));
        let paths = blobs.into_iter().flatten().flatten().map(|blob| blob.path());
        let is_of_entry = |path: &PathBuf| {
            let record = fs::read_to_string(path.with_extension(format!("{UNFINISHED}.json")));
            path.extension().is_some_and(|ending| ending == UNFINISHED)
                && record.is_ok_and(|record| super::fetch::is_record_of(&record, entry))
        };
        paths.filter(is_of_entry).collect()
    }

    /// Deletes the file and everything unfinished, and returns how many bytes that frees.
    pub(super) fn remove(&self, entry: &Entry) -> Result<u64> {
        let mut doomed = Vec::new();
        for pointer in self.pointers(entry) {
            doomed.extend(fs::canonicalize(&pointer).ok());
            doomed.push(pointer);
        }
        for unfinished in self.leftovers(entry) {
            doomed.push(unfinished.with_extension(format!("{UNFINISHED}.json")));
            doomed.push(unfinished);
        }
        if doomed.is_empty() {
            bail!("{} is not on this machine", entry.name);
        }
        let mut freed = 0;
        for path in doomed {
            let size = path.symlink_metadata().map_or(0, |data| data.len());
            match fs::remove_file(&path) {
                Ok(()) => freed += size,
                // Two revisions may share a blob.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot delete {}", path.display()));
                }
            }
        }
        Ok(freed)
    }
}

/// Names a blob; relative, so that the cache may be moved.
#[cfg(unix)]
fn link(_blob: &Path, sha256: &str, pointer: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(Path::new("../../blobs").join(sha256), pointer)
}

/// Links need rights that few have; a second name for the same file does as well.
#[cfg(not(unix))]
fn link(blob: &Path, _sha256: &str, pointer: &Path) -> std::io::Result<()> {
    fs::hard_link(blob, pointer)
}
