//! Putting rows on a backend and taking them back, with guard rows around them.
//!
//! Rows that an op has no business with hold [`SENTINEL`], before and after. It is finite, so that
//! reading it is a visible error and not a NaN that arithmetic may pass over.

use std::error::Error;

use crate::ops::Backend;
use crate::params::Run;

/// What guard rows hold.
pub(super) const SENTINEL: f32 = -7.25e30;
/// Guard rows behind the rows of a batch.
const TRAIL: usize = 2;

/// Where the rows of a batch lie in their tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// From row 0; rows behind are not in use. For ops that take all rows in use.
    Whole,
    /// From row 1; the rows around are in use by other timelines. For ops that take a run.
    Between,
}

impl Place {
    /// First row of the batch.
    pub(super) fn lead(self) -> usize {
        usize::from(self == Self::Between)
    }

    fn capacity(self, n: usize) -> usize {
        self.lead() + n + TRAIL
    }

    fn in_use(self, n: usize) -> usize {
        if self == Self::Whole { n } else { self.capacity(n) }
    }
}

/// A tensor that holds the rows `batch` of `rows`.
pub(super) fn input<B: Backend>(
    backend: &mut B,
    rows: &[Vec<f32>],
    batch: &[usize],
    place: Place,
) -> Result<B::Tensor, Box<dyn Error>> {
    let width = rows[0].len();
    let mut x = output(backend, batch.len(), width, place)?;
    let values: Vec<f32> = batch.iter().flat_map(|i| rows[*i].iter().copied()).collect();
    backend.write(&mut x, place.lead(), &values);
    Ok(x)
}

/// A tensor for `n` rows of results, nothing but sentinels yet.
pub(super) fn output<B: Backend>(
    backend: &mut B,
    n: usize,
    width: usize,
    place: Place,
) -> Result<B::Tensor, Box<dyn Error>> {
    let capacity = place.capacity(n);
    let mut x = backend.zeros(capacity, width)?;
    backend.write(&mut x, 0, &vec![SENTINEL; capacity * width]);
    backend.set_rows(&mut x, place.in_use(n));
    Ok(x)
}

/// The `n` rows of a batch, read back.
///
/// # Errors
/// If the device fails, or the op wrote to a guard row.
pub(super) fn collect<B: Backend>(
    backend: &mut B,
    x: &mut B::Tensor,
    n: usize,
    width: usize,
    place: Place,
) -> Result<Vec<Vec<f32>>, Box<dyn Error>> {
    let capacity = place.capacity(n);
    backend.set_rows(x, capacity);
    let mut values = vec![0.0; capacity * width];
    backend.read(x, 0, &mut values)?;
    backend.set_rows(x, place.in_use(n));
    let mut rows: Vec<Vec<f32>> = values.chunks_exact(width).map(<[f32]>::to_vec).collect();
    let found: Vec<Vec<f32>> = rows.drain(place.lead()..place.lead() + n).collect();
    if rows.iter().flatten().any(|value| value.to_bits() != SENTINEL.to_bits()) {
        return Err("wrote to rows that are not its own".into());
    }
    Ok(found)
}

/// The runs of a batch: longest stretches of rows with consecutive positions.
pub(super) fn runs(batch: &[usize], positions: &[usize], place: Place) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (row, index) in batch.iter().enumerate() {
        let position = positions[*index];
        match runs.last_mut() {
            Some(run) if run.first_position + run.n_rows == position => run.n_rows += 1,
            _ => runs.push(Run {
                first_row: place.lead() + row,
                n_rows: 1,
                first_position: position,
            }),
        }
    }
    runs
}
