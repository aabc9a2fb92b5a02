//! The attention sublayer: queries, KV rows, compressors, indexer, output projection
//! (specification c.4 to c.9).

use backend::{
    AttendParams, Attended, Backend, CompressParams, Compressed, Direction, IndexParams, Rotation,
    Run,
};

use crate::geometry::{Geometry, OVERLAP_RATIO};
use crate::slot::{CompressedKv, LayerKv};
use crate::weights::{Compressor, Indexer, Layer};

/// Projections of a batch for one compressor.
struct CompressorActivations<B: Backend> {
    /// `[n, width]`.
    values: B::Tensor,
    /// `[n, width]`.
    scores: B::Tensor,
}

impl<B: Backend> CompressorActivations<B> {
    fn new(backend: &mut B, max_batch: usize, width: usize) -> backend::Result<Self> {
        Ok(Self {
            values: backend.zeros(max_batch, width)?,
            scores: backend.zeros(max_batch, width)?,
        })
    }
}

/// Activations of the indexer.
struct IndexActivations<B: Backend> {
    compressor: CompressorActivations<B>,
    /// `[n, n_index_heads, index_dim]`.
    queries: B::Tensor,
    /// `[n, n_index_heads]`.
    head_weights: B::Tensor,
    selection: B::Selection,
}

impl<B: Backend> IndexActivations<B> {
    fn new(backend: &mut B, g: &Geometry, max_batch: usize) -> backend::Result<Self> {
        Ok(Self {
            compressor: CompressorActivations::new(backend, max_batch, 2 * g.index_dim)?,
            queries: backend.zeros(max_batch, g.n_index_heads * g.index_dim)?,
            head_weights: backend.zeros(max_batch, g.n_index_heads)?,
            selection: backend.selection(max_batch, g.index_top_k)?,
        })
    }
}

/// Activations inside the sublayer.
pub(crate) struct AttentionActivations<B: Backend> {
    /// `[n, q_rank]`.
    q_low: B::Tensor,
    /// `[n, q_rank]`, also the indexer's input.
    q_low_normed: B::Tensor,
    /// `[n, n_heads, head_dim]`.
    queries: B::Tensor,
    /// `[n, head_dim]`.
    kv: B::Tensor,
    /// `[n, head_dim]`.
    kv_normed: B::Tensor,
    /// `[n, n_heads, head_dim]`.
    heads: B::Tensor,
    /// `[n, n_output_groups * output_rank]`.
    low: B::Tensor,
    /// Of layers with overlapping windows.
    overlapping: Option<CompressorActivations<B>>,
    /// Of the other compressing layers.
    disjoint: Option<CompressorActivations<B>>,
    index: Option<IndexActivations<B>>,
}

impl<B: Backend> AttentionActivations<B> {
    pub(crate) fn new(backend: &mut B, g: &Geometry, max_batch: usize) -> backend::Result<Self> {
        let overlaps = g.compress_ratios.contains(&OVERLAP_RATIO);
        let disjoint = g.compress_ratios.iter().any(|r| !matches!(*r, 0 | OVERLAP_RATIO));
        let index = overlaps.then(|| IndexActivations::new(backend, g, max_batch)).transpose()?;
        let mut compressor = |wanted: bool, width| {
            wanted.then(|| CompressorActivations::new(backend, max_batch, width)).transpose()
        };
        let overlapping = compressor(overlaps, 2 * g.head_dim)?;
        let disjoint = compressor(disjoint, g.head_dim)?;
        Ok(Self {
            q_low: backend.zeros(max_batch, g.q_rank)?,
            q_low_normed: backend.zeros(max_batch, g.q_rank)?,
            queries: backend.zeros(max_batch, g.heads_width())?,
            kv: backend.zeros(max_batch, g.head_dim)?,
            kv_normed: backend.zeros(max_batch, g.head_dim)?,
            heads: backend.zeros(max_batch, g.heads_width())?,
            low: backend.zeros(max_batch, g.n_output_groups * g.output_rank)?,
            overlapping,
            disjoint,
            index,
        })
    }

    pub(crate) fn set_rows(&mut self, backend: &mut B, n: usize) {
        let own = [
            &mut self.q_low,
            &mut self.q_low_normed,
            &mut self.queries,
            &mut self.kv,
            &mut self.kv_normed,
            &mut self.heads,
            &mut self.low,
        ];
        let index = self.index.iter_mut().flat_map(|index| {
            let CompressorActivations { values, scores } = &mut index.compressor;
            [&mut index.queries, &mut index.head_weights, values, scores]
        });
        let compressors = [&mut self.overlapping, &mut self.disjoint];
        let compressors = compressors.into_iter().flatten();
        let compressors = compressors.flat_map(|c| [&mut c.values, &mut c.scores]);
        for x in own.into_iter().chain(index).chain(compressors) {
            backend.set_rows(x, n);
        }
    }
}

/// One layer's attention: its weights and constants.
pub(crate) struct Site<'a, B: Backend> {
    pub(crate) geometry: &'a Geometry,
    pub(crate) weights: &'a Layer<B::Weight>,
    pub(crate) rotation: &'a Rotation,
    pub(crate) layer: usize,
}

impl<B: Backend> Site<'_, B> {
    fn ratio(&self) -> usize {
        self.geometry.compress_ratios[self.layer]
    }

    /// Everything that needs the whole batch and no KV: all projections of the input `x`
    /// (`[n, hidden_size]`), norms and rotations.
    pub(crate) fn project(
        &self,
        backend: &mut B,
        act: &mut AttentionActivations<B>,
        x: &B::Tensor,
        runs: &[Run],
    ) {
        let (w, g) = (self.weights, self.geometry);
        self.project_input(backend, act, x);

        backend.rms_norm(&mut act.q_low_normed, &act.q_low, &w.attn_q_a_norm, g.norm_eps);
        backend.rms_norm(&mut act.kv_normed, &act.kv, &w.attn_kv_a_norm, g.norm_eps);
        match (&w.indexer, &mut act.index) {
            (Some(indexer), Some(index)) => {
                let outs =
                    &mut [(&mut act.queries, &w.attn_q_b), (&mut index.queries, &indexer.attn_q_b)];
                backend.matmuls(outs, &act.q_low_normed);
                let rotation = self.rotation;
                let forward = Direction::Forward;
                backend.rope_tail(&mut index.queries, g.index_dim, rotation, forward, runs);
            }
            _ => backend.matmul(&mut act.queries, &act.q_low_normed, &w.attn_q_b),
        }
        backend.rms_norm_heads(&mut act.queries, g.head_dim, g.norm_eps);
        for x in [&mut act.queries, &mut act.kv_normed] {
            backend.rope_tail(x, g.head_dim, self.rotation, Direction::Forward, runs);
        }
    }

    /// The products of the sublayer's input, in one call so that a backend reads it once.
    fn project_input(&self, backend: &mut B, act: &mut AttentionActivations<B>, x: &B::Tensor) {
        let w = self.weights;
        let compressor =
            if self.ratio() == OVERLAP_RATIO { &mut act.overlapping } else { &mut act.disjoint };
        let queries = (&mut act.q_low, &w.attn_q_a);
        let keys = (&mut act.kv, &w.attn_kv);
        let (Some(weights), Some(compressed)) = (&w.compressor, compressor) else {
            return backend.matmuls(&mut [queries, keys], x);
        };
        let values = (&mut compressed.values, &weights.kv);
        let scores = (&mut compressed.scores, &weights.gate);
        let (Some(indexer), Some(index)) = (&w.indexer, &mut act.index) else {
            return backend.matmuls(&mut [queries, keys, values, scores], x);
        };
        let index_values = (&mut index.compressor.values, &indexer.compressor.kv);
        let index_scores = (&mut index.compressor.scores, &indexer.compressor.gate);
        let head_weights = (&mut index.head_weights, &indexer.proj);
        let outs = &mut [queries, keys, values, scores, index_values, index_scores, head_weights];
        backend.matmuls(outs, x);
    }

    /// Stores the KV of one run, then attends with its queries.
    ///
    /// Rows that close inside the run are stored before its queries read: the token that closes a
    /// row sees it (d.1). Compressed rows of the first `n_stored` tokens are stored already.
    pub(crate) fn attend(
        &self,
        backend: &mut B,
        act: &mut AttentionActivations<B>,
        kv: &mut LayerKv<B>,
        run: Run,
        n_stored: usize,
    ) {
        let (w, g) = (self.weights, self.geometry);
        backend.store_kv(&mut kv.window, &act.kv_normed, run);
        let compressor =
            if self.ratio() == OVERLAP_RATIO { &act.overlapping } else { &act.disjoint };
        if let (Some(weights), Some(act), Some(kv)) =
            (&w.compressor, compressor, &mut kv.compressed)
        {
            self.compress(backend, weights, act, kv, run, n_stored);
        }
        let mut selection = None;
        if let (Some(indexer), Some(index), Some(kv)) = (&w.indexer, &mut act.index, &mut kv.index)
        {
            self.select(backend, indexer, index, kv, run, n_stored);
            selection = Some(&index.selection);
        }
        let attended = Attended {
            window: &kv.window,
            compressed: kv.compressed.as_ref().map(|compressed| Compressed {
                rows: &compressed.rows,
                ratio: self.ratio(),
                selection,
            }),
            sinks: &w.attn_sinks,
        };
        let params = AttendParams { n_heads: g.n_heads, window: g.window };
        backend.attend(&mut act.heads, &act.queries, &attended, &params, run);
    }

    fn compress(
        &self,
        backend: &mut B,
        weights: &Compressor<B::Weight>,
        act: &CompressorActivations<B>,
        kv: &mut CompressedKv<B>,
        run: Run,
        n_stored: usize,
    ) {
        let params = CompressParams {
            ratio: self.ratio(),
            overlap: self.ratio() == OVERLAP_RATIO,
            norm_eps: self.geometry.norm_eps,
            n_stored_rows: n_stored / self.ratio(),
        };
        backend.compress(
            &mut kv.rows,
            &mut kv.state,
            &act.values,
            &act.scores,
            &weights.ape,
            &weights.norm,
            self.rotation,
            &params,
            run,
        );
    }

    fn select(
        &self,
        backend: &mut B,
        indexer: &Indexer<B::Weight>,
        act: &mut IndexActivations<B>,
        kv: &mut CompressedKv<B>,
        run: Run,
        n_stored: usize,
    ) {
        let g = self.geometry;
        self.compress(backend, &indexer.compressor, &act.compressor, kv, run, n_stored);
        let params =
            IndexParams { n_heads: g.n_index_heads, ratio: self.ratio(), top_k: g.index_top_k };
        let (queries, head_weights) = (&act.queries, &act.head_weights);
        backend.index_select(&mut act.selection, queries, head_weights, &kv.rows, &params, run);
    }

    /// Undoes the rotation that values carry, then projects the heads to `y` (`[n, hidden_size]`).
    pub(crate) fn output(
        &self,
        backend: &mut B,
        y: &mut B::Tensor,
        act: &mut AttentionActivations<B>,
        runs: &[Run],
    ) {
        let (w, g) = (self.weights, self.geometry);
        let inverse = Direction::Inverse;
        backend.rope_tail(&mut act.heads, g.head_dim, self.rotation, inverse, runs);
        backend.grouped_matmul(&mut act.low, &act.heads, &w.attn_output_a, g.n_output_groups);
        backend.matmul(y, &act.low, &w.attn_output_b);
    }
}
