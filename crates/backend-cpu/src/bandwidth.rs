//! How fast this machine reads memory: what decoding is measured against.

use std::time::Instant;

use crate::parts::Parts;

/// Larger than the caches of one machine's share, small enough to find room.
const BUFFER_BYTES: usize = 1 << 29;
const ITEM_BYTES: usize = 1 << 20;
/// The best of some passes: a neighbour's noise only makes one slower.
const N_PASSES: usize = 6;

/// Reads a buffer with all threads, in 10⁹ bytes per second; `None` where memory is short.
pub(crate) fn read_bandwidth(parts: &mut Parts<'_>) -> Option<f64> {
    let n = BUFFER_BYTES / size_of::<u64>();
    let mut buffer: Vec<u64> = Vec::new();
    buffer.try_reserve_exact(n).ok()?;
    // Written, because pages that were never touched all show one page of zeros.
    buffer.extend(0..n as u64);
    let mut best = 0.0_f64;
    for _ in 0..N_PASSES {
        let start = Instant::now();
        let items = buffer.chunks(ITEM_BYTES / size_of::<u64>());
        parts.pool.for_each(parts.workers, items, |_, item| {
            std::hint::black_box(item.iter().fold(0, |all, word| all ^ word));
        });
        best = best.max(BUFFER_BYTES as f64 / start.elapsed().as_secs_f64() / 1e9);
    }
    Some(best)
}
