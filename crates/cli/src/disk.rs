//! What came from the disk while a model ran.

use std::time::Instant;

use engine::disk_read_bytes;

/// Less than this is the program itself and its surroundings.
const NEGLIGIBLE_BYTES: u64 = 1 << 28;

/// Counts from its start on.
pub(crate) struct DiskRate {
    start: Instant,
    /// Bytes read before; `None` where the operating system does not count.
    before: Option<u64>,
}

impl DiskRate {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now(), before: disk_read_bytes() }
    }

    /// Bytes read since the start, and 10⁹ of them a second, if they are worth a word.
    pub(crate) fn read(&self) -> Option<(u64, f64)> {
        let bytes = disk_read_bytes()?.saturating_sub(self.before?);
        let rate = bytes as f64 / 1e9 / self.start.elapsed().as_secs_f64();
        (bytes >= NEGLIGIBLE_BYTES).then_some((bytes, rate))
    }

    /// The end of a line of statistics; empty where nothing was read.
    pub(crate) fn note(&self) -> String {
        self.read().map_or(String::new(), |(bytes, rate)| {
            format!("; {:.1} GB from the disk, {rate:.2} GB/s", bytes as f64 / 1e9)
        })
    }
}
