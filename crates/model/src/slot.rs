//! A slot: one timeline of tokens and everything the model remembers of it.
//!
//! Per layer there is a ring of raw rows, longer than the window so that all queries of a chunk
//! find theirs and that the timeline can be cut; where the layer compresses, the compressed rows
//! since the beginning and the inputs of the window that is still open; where it has an indexer,
//! the same for index keys.

use std::ops::Range;

use backend::{Backend, CompressorState, KvLayout};

use crate::geometry::{Geometry, LARGEST_RATIO, OVERLAP_RATIO};
use crate::inference::Options;
use crate::timeline::Timeline;

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

/// Compressed rows, and inputs of the windows that are open now or were not long ago.
pub(crate) struct CompressedKv<B: Backend> {
    pub(crate) ratio: usize,
    pub(crate) rows: B::KvRows,
    pub(crate) state: CompressorState<B::Tensor>,
    /// Rows of the state.
    pub(crate) n_inputs: usize,
}

impl<B: Backend> CompressedKv<B> {
    fn new(
        backend: &mut B,
        layout: KvLayout,
        ratio: usize,
        capacity: usize,
        n_inputs: usize,
    ) -> backend::Result<Self> {
        let width = Geometry::compressor_width(ratio, layout.width);
        Ok(Self {
            ratio,
            rows: backend.kv_rows(layout, (capacity / ratio).max(1))?,
            state: CompressorState {
                values: backend.zeros(n_inputs, width)?,
                scores: backend.zeros(n_inputs, width)?,
            },
            n_inputs,
        })
    }

    /// Copies the rows of `n_tokens` tokens, and the inputs where there are as many.
    fn copy(&mut self, backend: &mut B, from: &Self, n_tokens: usize) {
        backend.copy_kv_rows(&mut self.rows, 0, &from.rows, 0..n_tokens / self.ratio);
        if self.n_inputs == from.n_inputs {
            let (to, from) = (&mut self.state, &from.state);
            backend.copy_rows(&mut to.values, &from.values, 0..self.n_inputs);
            backend.copy_rows(&mut to.scores, &from.scores, 0..self.n_inputs);
        }
    }
}

/// What one layer remembers of a timeline.
pub(crate) struct LayerKv<B: Backend> {
    pub(crate) window: B::KvRows,
    pub(crate) compressed: Option<CompressedKv<B>>,
    pub(crate) index: Option<CompressedKv<B>>,
    /// Raw rows of checkpoints, where there are any: `window - 1` at each place.
    pub(crate) checkpoints: Option<B::KvRows>,
}

impl<B: Backend> LayerKv<B> {
    /// Compressed rows and index rows, where the layer has them.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &CompressedKv<B>> {
        self.compressed.iter().chain(&self.index)
    }

    /// The same, to be written.
    pub(crate) fn parts_mut(&mut self) -> impl Iterator<Item = &mut CompressedKv<B>> {
        self.compressed.iter_mut().chain(&mut self.index)
    }
}

/// One timeline.
pub(crate) struct Slot<B: Backend> {
    pub(crate) attention_row: KvLayout,
    pub(crate) index_row: KvLayout,
    pub(crate) capacity: usize,
    pub(crate) timeline: Timeline,
    pub(crate) layers: Vec<LayerKv<B>>,
    /// Raw rows of a checkpoint.
    checkpoint_rows: usize,
}

/// Places for checkpoints.
const N_CHECKPOINTS: usize = 16;

/// How many checkpoints a slot keeps, and how far apart they are at least. None where the raw ring
/// holds everything.
pub(crate) fn checkpoints(
    geometry: &Geometry,
    options: &Options,
    capacity: usize,
) -> (usize, usize) {
    let interval = (options.rewind_tokens / 2).next_multiple_of(LARGEST_RATIO).max(LARGEST_RATIO);
    let wanted = options.rewind_tokens > 0 && ring_rows(geometry, options, capacity) < capacity;
    (if wanted { N_CHECKPOINTS.min(capacity / interval) } else { 0 }, interval)
}

/// Tokens of compression windows that are kept beyond the open one where windows do not overlap, so
/// that a cut among the last few hundred tokens runs none of them again. The windows that overlap
/// are short; what is missing of them is run again.
const KEPT_INPUTS: usize = 384;

/// Rows of the raw ring: a chunk of `max_batch` tokens and the windows of all its queries, and
/// enough for a cut of `rewind_tokens`. No timeline needs more than there may be tokens.
pub(crate) fn ring_rows(geometry: &Geometry, options: &Options, capacity: usize) -> usize {
    let ratio = geometry.compress_ratios.iter().max().copied().unwrap_or(0);
    // A cut runs as many tokens again as a window has; the first one sees a raw window.
    let behind_cut = geometry.window + ratio.max(1) - 2;
    let ring_rows = options.rewind_tokens + behind_cut;
    ring_rows.max(geometry.window + options.max_batch - 1).min(capacity).max(1)
}

/// Tokens whose inputs a compressor keeps: those of the open window, of the one before it where
/// windows overlap, and of [`KEPT_INPUTS`] more elsewhere.
pub(crate) fn kept_inputs(ratio: usize, options: &Options, capacity: usize) -> usize {
    if ratio == OVERLAP_RATIO {
        return 2 * ratio;
    }
    let more = KEPT_INPUTS.min(options.rewind_tokens).min(capacity);
    ratio + more - more % ratio
}

impl<B: Backend> Slot<B> {
    pub(crate) fn new(
        backend: &mut B,
        geometry: &Geometry,
        options: &Options,
        capacity: usize,
    ) -> backend::Result<Self> {
        let rounding = options.kv_rounding;
        let attention_row = KvLayout::attention(geometry.head_dim, geometry.rope_dim, rounding);
        let index_row = KvLayout::index(geometry.index_dim, rounding);
        let ring_rows = ring_rows(geometry, options, capacity);
        let checkpoints = checkpoints(geometry, options, capacity);
        let checkpoint_rows = geometry.window - 1;
        let inputs = |ratio| kept_inputs(ratio, options, capacity);
        let layers: backend::Result<Vec<_>> = geometry
            .compress_ratios
            .iter()
            .map(|&ratio| {
                let window = backend.kv_rows(attention_row, ring_rows)?;
                let mut part = |layout, wanted: bool| {
                    let n_inputs = if wanted { inputs(ratio) } else { 0 };
                    wanted
                        .then(|| CompressedKv::new(backend, layout, ratio, capacity, n_inputs))
                        .transpose()
                };
                let compressed = part(attention_row, ratio != 0)?;
                let index = part(index_row, ratio == OVERLAP_RATIO)?;
                let checkpoints = match checkpoints.0 * checkpoint_rows {
                    0 => None,
                    n_rows => Some(backend.kv_rows(attention_row, n_rows)?),
                };
                Ok(LayerKv { window, compressed, index, checkpoints })
            })
            .collect();
        let layers = layers?;
        let ratios = geometry.compress_ratios.iter().copied().filter(|&ratio| ratio != 0);
        let compressors = ratios.map(|ratio| (ratio, ratio == OVERLAP_RATIO, inputs(ratio)));
        let timeline =
            Timeline::new(capacity, geometry.window, ring_rows, compressors, checkpoints);
        Ok(Self { attention_row, index_row, capacity, timeline, layers, checkpoint_rows })
    }

    /// Raw rows that all checkpoints of a layer have together.
    pub(crate) fn n_checkpoint_rows(&self) -> usize {
        self.timeline.n_places() * self.checkpoint_rows
    }

    /// Hears that the tokens have been run.
    pub(crate) fn extend(&mut self, backend: &mut B, tokens: &[u32]) {
        self.timeline.extend(tokens);
        let Some((at, place)) = self.timeline.new_checkpoint() else { return };
        let rows: Vec<Range<usize>> = self.ring_rows(self.timeline.frontier(at)).collect();
        for layer in &mut self.layers {
            let Some(checkpoints) = &mut layer.checkpoints else { continue };
            let mut to = place * self.checkpoint_rows;
            for rows in &rows {
                backend.copy_kv_rows(checkpoints, to, &layer.window, rows.clone());
                to += rows.len();
            }
        }
    }

    /// Cuts the timeline and returns how many tokens count as run, with the help of a checkpoint
    /// where it helps.
    pub(crate) fn cut(&mut self, backend: &mut B, n_tokens: usize) -> usize {
        self.timeline.cut(n_tokens);
        let Some((at, place)) = self.timeline.checkpoint() else { return self.timeline.n_run() };
        let rows: Vec<Range<usize>> = self.ring_rows(self.timeline.frontier(at)).collect();
        for layer in &mut self.layers {
            let Some(checkpoints) = &layer.checkpoints else { continue };
            let mut from = place * self.checkpoint_rows;
            for rows in &rows {
                let there = from..from + rows.len();
                backend.copy_kv_rows(&mut layer.window, rows.start, checkpoints, there);
                from += rows.len();
            }
        }
        self.timeline.enter(at)
    }

    /// Makes the first `n_tokens` stored tokens of `from` its own. Returns how many count as run.
    pub(crate) fn copy(&mut self, backend: &mut B, from: &Self, n_tokens: usize) -> usize {
        let timeline = from.timeline.on(&self.timeline, n_tokens);
        let rows = timeline.rows_from()..timeline.n_run();
        let rings = (from.timeline.ring_rows(), timeline.ring_rows());
        for (layer, from) in self.layers.iter_mut().zip(&from.layers) {
            for part in pieces(rows.clone(), rings) {
                let first = part.start % rings.1;
                let theirs = part.start % rings.0..part.start % rings.0 + part.len();
                backend.copy_kv_rows(&mut layer.window, first, &from.window, theirs);
            }
            for (part, from) in layer.parts_mut().zip(from.parts()) {
                part.copy(backend, from, n_tokens);
            }
            if let (Some(to), Some(from)) = (&mut layer.checkpoints, &from.checkpoints) {
                let n_rows = timeline.n_checkpoint_places() * self.checkpoint_rows;
                backend.copy_kv_rows(to, 0, from, 0..n_rows);
            }
        }
        self.timeline = timeline;
        self.cut(backend, n_tokens)
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
            let there = self.timeline.rows_from()..=self.timeline.n_run();
            assert!(there.contains(&rows.start) && there.contains(&rows.end), "the row is kept");
            return self.read_window(backend, kv, rows).map(Some);
        }
        let (compressed, layout) = match part {
            KvPart::Index => (&kv.index, &self.index_row),
            _ => (&kv.compressed, &self.attention_row),
        };
        let Some(compressed) = compressed else { return Ok(None) };
        assert!(rows.end <= self.timeline.n_stored() / compressed.ratio, "the row has closed");
        let mut bytes = vec![0; rows.len() * layout.row_bytes()];
        backend.read_kv_rows(&compressed.rows, rows, &mut bytes)?;
        Ok(Some(bytes))
    }

    /// Raw rows of positions that are in the ring.
    fn read_window(
        &self,
        backend: &mut B,
        kv: &LayerKv<B>,
        positions: Range<usize>,
    ) -> backend::Result<Vec<u8>> {
        let row_bytes = self.attention_row.row_bytes();
        let mut bytes = vec![0; positions.len() * row_bytes];
        let mut rest = bytes.as_mut_slice();
        for rows in self.ring_rows(positions) {
            let (bytes, more) = rest.split_at_mut(rows.len() * row_bytes);
            backend.read_kv_rows(&kv.window, rows, bytes)?;
            rest = more;
        }
        Ok(bytes)
    }

    /// Where raw rows of positions are in the ring: in one range, or in two.
    pub(crate) fn ring_rows(
        &self,
        positions: Range<usize>,
    ) -> impl Iterator<Item = Range<usize>> + use<B> {
        let ring_rows = self.timeline.ring_rows();
        pieces(positions, (ring_rows, ring_rows)).map(move |part| {
            let first = part.start % ring_rows;
            first..first + part.len()
        })
    }

    /// Puts raw rows back.
    pub(crate) fn write_window(
        &mut self,
        backend: &mut B,
        layer: usize,
        positions: Range<usize>,
        mut bytes: &[u8],
    ) {
        let row_bytes = self.attention_row.row_bytes();
        for rows in self.ring_rows(positions) {
            let (part, more) = bytes.split_at(rows.len() * row_bytes);
            backend.write_kv_rows(&mut self.layers[layer].window, rows.start, part);
            bytes = more;
        }
    }
}

/// Splits positions into pieces whose rows are consecutive in both of two rings.
fn pieces(positions: Range<usize>, rings: (usize, usize)) -> impl Iterator<Item = Range<usize>> {
    let mut start = positions.start;
    std::iter::from_fn(move || {
        let to_border = |ring: usize| ring - start % ring;
        let n = to_border(rings.0).min(to_border(rings.1)).min(positions.end - start);
        let piece = start..start + n;
        start = piece.end;
        (n > 0).then_some(piece)
    })
}
