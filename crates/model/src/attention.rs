//! The attention sublayer: queries, KV rows, compressors, indexer, output projection
//! (specification c.4 to c.9).

use backend::{
    AttendParams, Attended, Backend, CompressParams, Compressed, CompressedPlace, CompressorInputs,
    IndexInputs, IndexParams, KvInputs, KvPlace, RawAttendParams, Rotation, Run,
};
use smallvec::SmallVec;

use crate::geometry::{Geometry, OVERLAP_RATIO};
use crate::slot::{CompressedKv, LayerKv};
use crate::weights::{Compressor, Layer};

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
    /// `[n, q_rank]`: room for normed rows.
    q_low_normed: B::Tensor,
    /// `[n, n_heads, head_dim]`.
    queries: B::Tensor,
    /// `[n, head_dim]`.
    kv: B::Tensor,
    /// `[n, head_dim]`: room for normed rows.
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

/// Something for each run of a batch, without an allocation where a few slots decode.
pub(crate) type PerRun<T> = SmallVec<[T; 4]>;

/// What a run continues: one layer of its slot.
pub(crate) struct Timeline<'a, B: Backend> {
    pub(crate) kv: &'a mut LayerKv<B>,
    /// Tokens whose compressed rows are stored already.
    pub(crate) n_stored: usize,
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

    /// Whether a run's last token sees more index rows than it may read: only then anybody chooses.
    fn chooses(&self, run: Run) -> bool {
        let visible = (run.first_position + run.n_rows) / self.ratio().max(1);
        self.weights.indexer.is_some() && visible > self.geometry.index_top_k
    }

    /// Everything that needs the whole batch and no KV: all projections of the input `x`
    /// (`[n, hidden_size]`).
    pub(crate) fn project(
        &self,
        backend: &mut B,
        act: &mut AttentionActivations<B>,
        x: &B::Tensor,
        runs: &[Run],
    ) {
        let (w, g) = (self.weights, self.geometry);
        self.project_input(backend, act, x);
        let mut outs = SmallVec::<[_; 2]>::new();
        outs.push((&mut act.queries, &w.attn_q_b));
        if let (Some(indexer), Some(index)) = (&w.indexer, &mut act.index)
            && runs.iter().any(|run| self.chooses(*run))
        {
            outs.push((&mut index.queries, &indexer.attn_q_b));
        }
        let (normed, gain) = (&mut act.q_low_normed, &w.attn_q_a_norm);
        backend.norm_matmuls(&mut outs, normed, &act.q_low, gain, g.norm_eps);
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

    /// Stores the KV of a batch, whose runs belong to these timelines.
    ///
    /// Rows that close inside a run are stored before its queries read: the token that closes a
    /// row sees it (d.1).
    pub(crate) fn store(
        &self,
        backend: &mut B,
        act: &mut AttentionActivations<B>,
        timelines: &mut [Timeline<'_, B>],
        runs: &[Run],
    ) {
        let (w, g) = (self.weights, self.geometry);
        let any_chooses = runs.iter().any(|run| self.chooses(*run));
        let compressor =
            if self.ratio() == OVERLAP_RATIO { &act.overlapping } else { &act.disjoint };
        let compressor = w.compressor.as_ref().zip(compressor.as_ref());
        let index = w.indexer.as_ref().zip(act.index.as_mut());
        let mut inputs = KvInputs {
            kv: &act.kv,
            normed: &mut act.kv_normed,
            gain: &w.attn_kv_a_norm,
            norm_eps: g.norm_eps,
            head_dim: g.head_dim,
            rotation: self.rotation,
            compressor: compressor.map(|(weights, act)| compressor_inputs(weights, act)),
            index: index.map(|(weights, act)| IndexInputs {
                compressor: compressor_inputs(&weights.compressor, &act.compressor),
                queries: any_chooses.then_some(&mut act.queries),
                index_dim: g.index_dim,
            }),
        };
        let places = timelines.iter_mut().map(|Timeline { kv, n_stored }| KvPlace {
            window: &mut kv.window,
            compressed: kv.compressed.as_mut().map(|kv| self.place(kv, *n_stored)),
            index: kv.index.as_mut().map(|kv| self.place(kv, *n_stored)),
        });
        let mut places: PerRun<KvPlace<'_, B>> = places.collect();
        backend.store_all(&mut inputs, &mut places, runs);
    }

    fn place<'a>(&self, kv: &'a mut CompressedKv<B>, n_stored: usize) -> CompressedPlace<'a, B> {
        let params = CompressParams {
            ratio: self.ratio(),
            overlap: self.ratio() == OVERLAP_RATIO,
            norm_eps: self.geometry.norm_eps,
            n_stored_rows: n_stored / self.ratio(),
        };
        CompressedPlace { rows: &mut kv.rows, state: &mut kv.state, params }
    }

    /// Attends with the queries of a batch to what its timelines have stored.
    pub(crate) fn attend(
        &self,
        backend: &mut B,
        act: &mut AttentionActivations<B>,
        timelines: &[Timeline<'_, B>],
        runs: &[Run],
    ) {
        let g = self.geometry;
        for (run, Timeline { kv, .. }) in runs.iter().zip(timelines) {
            if let (true, Some(index), Some(kv)) = (self.chooses(*run), &mut act.index, &kv.index) {
                let params = IndexParams {
                    n_heads: g.n_index_heads,
                    ratio: self.ratio(),
                    top_k: g.index_top_k,
                };
                let (queries, weights) = (&index.queries, &index.head_weights);
                let (selection, keys) = (&mut index.selection, &kv.rows);
                backend.index_select(selection, queries, weights, keys, &params, *run);
            }
        }
        let selection = act.index.as_ref().map(|index| &index.selection);
        let attended = runs.iter().zip(timelines).map(|(run, Timeline { kv, .. })| {
            let compressed = kv.compressed.as_ref().map(|compressed| Compressed {
                rows: &compressed.rows,
                ratio: self.ratio(),
                selection: selection.filter(|_| self.chooses(*run)),
            });
            let sinks = &self.weights.attn_sinks;
            Attended { window: &kv.window, compressed, sinks }
        });
        let attended: PerRun<Attended<'_, B>> = attended.collect();
        let params = RawAttendParams {
            attend: AttendParams { n_heads: g.n_heads, window: g.window },
            head_dim: g.head_dim,
            norm_eps: g.norm_eps,
        };
        let (out, queries) = (&mut act.heads, &mut act.queries);
        backend.attend_raw(out, queries, &attended, self.rotation, &params, runs);
    }

    /// Projects the heads to `y` (`[n, hidden_size]`).
    pub(crate) fn output(
        &self,
        backend: &mut B,
        y: &mut B::Tensor,
        act: &mut AttentionActivations<B>,
    ) {
        let (w, g) = (self.weights, self.geometry);
        backend.grouped_matmul(&mut act.low, &act.heads, &w.attn_output_a, g.n_output_groups);
        backend.matmul(y, &act.low, &w.attn_output_b);
    }
}

fn compressor_inputs<'a, B: Backend>(
    weights: &'a Compressor<B::Weight>,
    act: &'a CompressorActivations<B>,
) -> CompressorInputs<'a, B> {
    CompressorInputs {
        values: &act.values,
        scores: &act.scores,
        ape: &weights.ape,
        gain: &weights.norm,
    }
}
