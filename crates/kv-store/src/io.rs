//! The few things asked of the operating system, behind a trait, so that tests can make each fail.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// What the store asks of a file system and a clock.
pub trait Io: Send + Sync {
    /// Seconds since 1970.
    fn now(&self) -> u64;
    /// Makes a directory, and those above it, for the owner alone; one that is there is fine.
    ///
    /// # Errors
    /// As the file system's.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// The names in a directory; those that are not UTF-8 are left out.
    ///
    /// # Errors
    /// As the file system's.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
    /// Length of a file.
    ///
    /// # Errors
    /// As the file system's.
    fn len(&self, path: &Path) -> io::Result<u64>;
    /// At most the first `most` bytes of a file, and its length.
    ///
    /// # Errors
    /// As the file system's.
    fn read(&self, path: &Path, most: u64) -> io::Result<(Vec<u8>, u64)>;
    /// Makes a file for the owner alone, in place of one that may be there, and writes `parts` into
    /// it one after the other.
    ///
    /// # Errors
    /// As the file system's; part of the file may be there then.
    fn write(&self, path: &Path, parts: &[&[u8]]) -> io::Result<Box<dyn Unsynced>>;
    /// Writes at the end of a file, which is made if it is not there.
    ///
    /// # Errors
    /// As the file system's.
    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Gives a file another name, in place of a file that may have it.
    ///
    /// # Errors
    /// As the file system's.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    /// As the file system's.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory outlive a power cut.
    ///
    /// # Errors
    /// As the file system's.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Opens a lock file, which is made if need be, and locks it; `None` while someone else holds it.
    ///
    /// # Errors
    /// As the file system's.
    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>>;
}

/// A file whose bytes may still be on their way to the disk.
pub trait Unsynced {
    /// Makes the bytes outlive a power cut.
    ///
    /// # Errors
    /// As the file system's; what is on the disk then is unknown.
    fn sync(self: Box<Self>) -> io::Result<()>;
}

/// A held lock. The file holds a number.
pub trait Lock {
    /// The number; 0 in a new file.
    ///
    /// # Errors
    /// As the file system's.
    fn number(&mut self) -> io::Result<u64>;
    /// Writes the number.
    ///
    /// # Errors
    /// As the file system's.
    fn set_number(&mut self, number: u64) -> io::Result<()>;
}

/// From so many bytes on, what is read is asked for in advance.
const LONG_READ: u64 = 64 << 10;

/// The operating system's own.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemIo;

impl Io for SystemIo {
    fn now(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for item in fs::read_dir(path)? {
            names.extend(item?.file_name().into_string());
        }
        Ok(names)
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        fs::metadata(path).map(|metadata| metadata.len())
    }

    fn read(&self, path: &Path, most: u64) -> io::Result<(Vec<u8>, u64)> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let wanted = length.min(most);
        if wanted > LONG_READ {
            ask_for_all(&file);
        }
        let mut bytes = Vec::with_capacity(wanted as usize);
        file.take(most).read_to_end(&mut bytes)?;
        Ok((bytes, length))
    }

    fn write(&self, path: &Path, parts: &[&[u8]]) -> io::Result<Box<dyn Unsynced>> {
        let mut file =
            private(OpenOptions::new().write(true).create(true).truncate(true)).open(path)?;
        for part in parts {
            file.write_all(part)?;
        }
        Ok(Box::new(file))
    }

    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        private(OpenOptions::new().append(true).create(true)).open(path)?.write_all(bytes)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        // Elsewhere a directory cannot be opened as a file, and names are durable without.
        if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        let mut options = OpenOptions::new();
        let file =
            private(options.read(true).write(true).create(true).truncate(false)).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// Tells the system that a whole file is going to be read. Else it would read little by little, and
/// each time the disk's latency would be waited for.
#[cfg(target_os = "linux")]
fn ask_for_all(file: &File) {
    // A hint; without it the file is read all the same.
    _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::WillNeed);
}

#[cfg(not(target_os = "linux"))]
fn ask_for_all(_: &File) {}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

impl Unsynced for File {
    fn sync(self: Box<Self>) -> io::Result<()> {
        self.sync_all()
    }
}

/// The operating system unlocks the file when it is closed, also by the end of a process.
impl Lock for File {
    fn number(&mut self) -> io::Result<u64> {
        let mut bytes = Vec::new();
        self.rewind()?;
        (&*self).take(8).read_to_end(&mut bytes)?;
        Ok(bytes.try_into().map_or(0, u64::from_le_bytes))
    }

    fn set_number(&mut self, number: u64) -> io::Result<()> {
        self.rewind()?;
        self.write_all(&number.to_le_bytes())
    }
}
