//! A slot: one timeline of tokens and everything the model remembers of it.
//!
//! Per layer there is a ring of raw rows, longer than the window so that all queries of a chunk
//! find theirs; where the layer compresses, the compressed rows since the beginning and the
//! inputs of the window that is still open; where it has an indexer, the same for index keys.

use std::ops::Range;

use backend::{Backend, CompressorState, KvLayout, KvRounding};

use crate::geometry::{Geometry, OVERLAP_RATIO};

/// Names a slot of a [`crate::Model`], or of whatever else is an [`crate::Inference`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SlotId(pub(crate) usize);

impl SlotId {
    /// The name of the slot that its model counts as `index`.
    pub fn of_index(index: usize) -> Self {
        Self(index)
    }

    /// What the model counts the slot as.
    pub fn index(self) -> usize {
        self.0
    }
}

/// The three kinds of KV rows that a layer may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KvPart {
    /// Raw rows, one per position; only the last ones are kept.
    Window,
    /// Compressed rows, one per closed window.
    Compressed,
    /// Index keys, one per closed window.
    Index,
}

/// Compressed rows and the window being filled.
pub(crate) struct CompressedKv<B: Backend> {
    pub(crate) ratio: usize,
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
            ratio,
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
    pub(crate) attention_row: KvLayout,
    pub(crate) index_row: KvLayout,
    pub(crate) ring_rows: usize,
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
        let attention_row = KvLayout::attention(geometry.head_dim, geometry.rope_dim, rounding);
        let index_row = KvLayout::index(geometry.index_dim, rounding);
        let ring_rows = ring_rows(geometry, max_batch);
        let layers: backend::Result<Vec<_>> = geometry
            .compress_ratios
            .iter()
            .map(|&ratio| {
                let window = backend.kv_rows(attention_row, ring_rows)?;
                let compressed = match ratio {
                    0 => None,
                    _ => Some(CompressedKv::new(backend, attention_row, ratio, capacity)?),
                };
                let index = match ratio {
                    OVERLAP_RATIO => Some(CompressedKv::new(backend, index_row, ratio, capacity)?),
                    _ => None,
                };
                Ok(LayerKv { window, compressed, index })
            })
            .collect();
        Ok(Self { attention_row, index_row, ring_rows, n_tokens: 0, capacity, layers: layers? })
    }

    /// Stored rows in logical order; see [`crate::Model::read_kv`].
    pub(crate) fn read_rows(
        &self,
        backend: &mut B,
        layer: usize,
        part: KvPart,
        rows: Range<usize>,
    ) -> backend::Result<Option<Vec<u8>>> {
        let kv = &self.layers[layer];
        if part == KvPart::Window {
            assert!(rows.end <= self.n_tokens && rows.start + self.ring_rows >= self.n_tokens);
            return self.read_window(backend, kv, rows).map(Some);
        }
        let (compressed, layout) = match part {
            KvPart::Index => (&kv.index, &self.index_row),
            _ => (&kv.compressed, &self.attention_row),
        };
        let Some(compressed) = compressed else { return Ok(None) };
        assert!(rows.end <= self.n_tokens / compressed.ratio, "the row has closed");
        let mut bytes = vec![0; rows.len() * layout.row_bytes()];
        backend.read_kv_rows(&compressed.rows, rows, &mut bytes)?;
        Ok(Some(bytes))
    }

    fn read_window(
        &self,
        backend: &mut B,
        kv: &LayerKv<B>,
        positions: Range<usize>,
    ) -> backend::Result<Vec<u8>> {
        let row_bytes = self.attention_row.row_bytes();
        let mut bytes = vec![0; positions.len() * row_bytes];
        for (position, bytes) in positions.zip(bytes.chunks_exact_mut(row_bytes)) {
            let row = position % self.ring_rows;
            backend.read_kv_rows(&kv.window, row..row + 1, bytes)?;
        }
        Ok(bytes)
    }
}
