//! A slot: one timeline of tokens and everything the model remembers of it.
//!
//! Per layer there is a ring of raw rows, longer than the window so that all queries of a chunk
//! find theirs; where the layer compresses, the compressed rows since the beginning and the
//! inputs of the window that is still open; where it has an indexer, the same for index keys.

use backend::{Backend, CompressorState, KvLayout, KvRounding};

use crate::geometry::{Geometry, OVERLAP_RATIO};

/// Names a slot of a [`crate::Model`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SlotId(pub(crate) usize);

/// Compressed rows and the window being filled.
pub(crate) struct CompressedKv<B: Backend> {
    pub(crate) rows: B::KvRows,
    pub(crate) state: CompressorState<B::Tensor>,
}

impl<B: Backend> CompressedKv<B> {
    fn new(
        backend: &mut B,
        layout: KvLayout,
        ratio: usize,
        capacity: usize,
    ) -> backend::Result<Self> {
        let width = Geometry::compressor_width(ratio, layout.width);
        // An overlapping row also pools the window before its own.
        let n_slots = if ratio == OVERLAP_RATIO { 2 * ratio } else { ratio };
        Ok(Self {
            rows: backend.kv_rows(layout, (capacity / ratio).max(1))?,
            state: CompressorState {
                values: backend.zeros(n_slots, width)?,
                scores: backend.zeros(n_slots, width)?,
            },
        })
    }
}

/// What one layer remembers of a timeline.
pub(crate) struct LayerKv<B: Backend> {
    pub(crate) window: B::KvRows,
    pub(crate) compressed: Option<CompressedKv<B>>,
    pub(crate) index: Option<CompressedKv<B>>,
}

/// One timeline.
pub(crate) struct Slot<B: Backend> {
    pub(crate) n_tokens: usize,
    pub(crate) capacity: usize,
    pub(crate) layers: Vec<LayerKv<B>>,
}

/// Rows of the raw ring: a chunk of `max_batch` tokens and the windows of all its queries.
pub(crate) fn ring_rows(geometry: &Geometry, max_batch: usize) -> usize {
    geometry.window + max_batch - 1
}

impl<B: Backend> Slot<B> {
    pub(crate) fn new(
        backend: &mut B,
        geometry: &Geometry,
        rounding: KvRounding,
        capacity: usize,
        max_batch: usize,
    ) -> backend::Result<Self> {
        let rows = KvLayout::attention(geometry.head_dim, geometry.rope_dim, rounding);
        let layers: backend::Result<Vec<_>> = geometry
            .compress_ratios
            .iter()
            .map(|&ratio| {
                let window = backend.kv_rows(rows, ring_rows(geometry, max_batch))?;
                let compressed = match ratio {
                    0 => None,
                    _ => Some(CompressedKv::new(backend, rows, ratio, capacity)?),
                };
                let index = match ratio {
                    OVERLAP_RATIO => {
                        let keys = KvLayout::index(geometry.index_dim, rounding);
                        Some(CompressedKv::new(backend, keys, ratio, capacity)?)
                    }
                    _ => None,
                };
                Ok(LayerKv { window, compressed, index })
            })
            .collect();
        Ok(Self { n_tokens: 0, capacity, layers: layers? })
    }
}
