//! The forward pass, from token ids to logits (specification c.1).
//!
//! Every token carries four residual streams; there is no other residual path. A batch holds runs
//! of one or more slots: all rows pass the matrices together, and only what touches KV goes run by
//! run.

use std::ops::Range;

use backend::{Backend, HcSite, KernelTime, Rotation, Run};
use gguf::MappedFile;

use crate::attention::{self, AttentionActivations, PerRun, Timeline};
use crate::error::{Error, Result};
use crate::feed_forward::{self, FeedForwardActivations};
use crate::fill;
use crate::geometry::Geometry;
use crate::inference::{Extend, Inference, LogitsWanted, Options};
use crate::plan::ActiveBytes;
use crate::slot::{KvPart, Slot, SlotId};
use crate::weights::{self, Weights};

/// Rows that pass the output head at once: it makes `vocab_size` floats of each.
pub(crate) const HEAD_ROWS: usize = 32;

/// What a [`SlotId`] promises.
const OPEN: &str = "slots are used between open and close";

/// Activations that live across sublayers.
struct Activations<B: Backend> {
    tokens: B::TokenIds,
    /// `[n, n_streams * hidden_size]`.
    streams: B::Tensor,
    /// `[n, hidden_size]`: streams collapsed to a sublayer's input.
    mixed: B::Tensor,
    /// `[n, hidden_size]`: the same, normed.
    normed: B::Tensor,
    /// `[n, hidden_size]`: a sublayer's output.
    y: B::Tensor,
    /// `[n, HcParams::gates_width]`.
    gates: B::Tensor,
    attention: AttentionActivations<B>,
    feed_forward: FeedForwardActivations<B>,
    head: HeadActivations<B>,
}

/// Activations of the output head, for at most [`HEAD_ROWS`] rows.
struct HeadActivations<B: Backend> {
    streams: B::Tensor,
    mixed: B::Tensor,
    normed: B::Tensor,
    logits: B::Tensor,
}

impl<B: Backend> Activations<B> {
    fn new(backend: &mut B, g: &Geometry, max_batch: usize) -> backend::Result<Self> {
        let streams_width = g.hyper_connection.n_streams * g.hidden_size;
        let head_rows = HEAD_ROWS.min(max_batch);
        Ok(Self {
            tokens: backend.token_ids(max_batch)?,
            streams: backend.zeros(max_batch, streams_width)?,
            mixed: backend.zeros(max_batch, g.hidden_size)?,
            normed: backend.zeros(max_batch, g.hidden_size)?,
            y: backend.zeros(max_batch, g.hidden_size)?,
            gates: backend.zeros(max_batch, g.hyper_connection.gates_width())?,
            attention: AttentionActivations::new(backend, g, max_batch)?,
            feed_forward: FeedForwardActivations::new(backend, g, max_batch)?,
            head: HeadActivations {
                streams: backend.zeros(head_rows, streams_width)?,
                mixed: backend.zeros(head_rows, g.hidden_size)?,
                normed: backend.zeros(head_rows, g.hidden_size)?,
                logits: backend.zeros(head_rows, g.vocab_size)?,
            },
        })
    }

    fn set_rows(&mut self, backend: &mut B, n: usize) {
        for x in
            [&mut self.streams, &mut self.mixed, &mut self.normed, &mut self.y, &mut self.gates]
        {
            backend.set_rows(x, n);
        }
        self.attention.set_rows(backend, n);
    }
}

/// The two rotations of the model, by kind of layer.
pub(crate) struct Rotations {
    sliding: Rotation,
    compressing: Rotation,
}

impl Rotations {
    fn new(g: &Geometry) -> Self {
        Self {
            sliding: Rotation::new(g.rope_dim, g.rope_base, None),
            compressing: Rotation::new(g.rope_dim, g.compress_rope_base, Some(g.yarn)),
        }
    }

    /// The rotation of everything in a layer: queries, window rows, compressed rows, indexer.
    pub(crate) fn of_layer(&self, ratio: usize) -> &Rotation {
        if ratio == 0 { &self.sliding } else { &self.compressing }
    }
}

/// A sublayer of a layer, or none behind the last layer.
#[derive(Clone, Copy)]
enum Sublayer {
    Attention(usize),
    FeedForward(usize),
}

impl Sublayer {
    /// Where it begins; `None` if there is no such layer.
    fn site<W>(self, weights: &Weights<W>) -> Option<HcSite<'_, W>> {
        let (Self::Attention(layer) | Self::FeedForward(layer)) = self;
        let layer = weights.layers.get(layer)?;
        Some(match self {
            Self::Attention(_) => {
                HcSite { weights: layer.hc_attn.weights(), gain: &layer.attn_norm }
            }
            Self::FeedForward(_) => {
                HcSite { weights: layer.hc_ffn.weights(), gain: &layer.ffn_norm }
            }
        })
    }
}

/// What the host keeps from batch to batch, so that a token allocates nothing.
#[derive(Default)]
struct HostBuffers {
    ids: Vec<u32>,
    runs: Vec<Run>,
    logits: Vec<f32>,
}

/// A model on a backend, with its slots.
pub struct Model<B: Backend> {
    backend: B,
    geometry: Geometry,
    options: Options,
    weights: Weights<B::Weight>,
    active_bytes: ActiveBytes,
    rotations: Rotations,
    activations: Activations<B>,
    host: HostBuffers,
    slots: Vec<Option<Slot<B>>>,
}

impl<B: Backend> Model<B> {
    /// Checks and binds a file.
    ///
    /// `on_progress` hears the bytes bound so far.
    ///
    /// # Errors
    /// If the file is no V4 model, does not fit together, or does not fit the device.
    ///
    /// # Panics
    /// If `options.max_batch` is 0.
    pub fn load(
        mut backend: B,
        file: &MappedFile,
        options: Options,
        on_progress: &mut dyn FnMut(u64),
    ) -> Result<Self> {
        assert!(options.max_batch > 0, "a batch holds a token");
        let geometry = Geometry::from_metadata(&file.header().metadata)?;
        let weights = weights::bind(&mut backend, file, &geometry, on_progress)?;
        let activations = Activations::new(&mut backend, &geometry, options.max_batch)
            .map_err(|source| Error::Backend { backend: backend.name(), source })?;
        Ok(Self {
            active_bytes: ActiveBytes::of_file(file, &geometry),
            rotations: Rotations::new(&geometry),
            backend,
            geometry,
            options,
            weights,
            activations,
            host: HostBuffers::default(),
            slots: Vec::new(),
        })
    }

    /// [`Inference::extend`], and shows the streams after every layer.
    ///
    /// `on_layer` gets the layer and `[n, n_streams, hidden_size]` f32 streams of the whole batch;
    /// reading them back costs time, so engines do without.
    ///
    /// # Errors
    /// As [`Inference::extend`].
    ///
    /// # Panics
    /// As [`Inference::extend`].
    pub fn extend_observed(
        &mut self,
        batch: &[Extend<'_>],
        on_layer: &mut dyn FnMut(usize, &[f32]),
        on_logits: &mut dyn FnMut(usize, usize, &[f32]),
    ) -> Result<()> {
        let n: usize = batch.iter().map(|extend| extend.tokens.len()).sum();
        let width = self.geometry.hyper_connection.n_streams * self.geometry.hidden_size;
        let mut streams = vec![0.0; n * width];
        let mut observe = |backend: &mut B, layer: usize, x: &B::Tensor| {
            backend.read(x, 0, &mut streams)?;
            on_layer(layer, &streams);
            Ok(())
        };
        self.run(batch, Some(&mut observe), on_logits)
    }

    /// Reads stored KV rows of a slot in logical order, as the bytes of [`backend::kv_row`].
    ///
    /// `rows` are positions for [`KvPart::Window`] and row numbers for the others. `None` if the
    /// layer has no such part.
    ///
    /// # Errors
    /// If the device failed.
    ///
    /// # Panics
    /// If the slot is not open, or a row was never stored or is no longer in the raw ring.
    pub fn read_kv(
        &mut self,
        slot: SlotId,
        layer: usize,
        part: KvPart,
        rows: Range<usize>,
    ) -> Result<Option<Vec<u8>>> {
        let slot = self.slots[slot.0].as_ref().expect(OPEN);
        let read = slot.read_rows(&mut self.backend, layer, part, rows);
        read.map_err(|source| self.device_error(source))
    }

    pub(crate) fn device_error(&self, source: backend::Error) -> Error {
        Error::Backend { backend: self.backend.name(), source }
    }

    fn new_slot(&mut self, capacity: usize) -> Result<Slot<B>> {
        Slot::new(&mut self.backend, &self.geometry, &self.options, capacity)
            .map_err(|source| self.device_error(source))
    }

    fn slot(&self, slot: SlotId) -> &Slot<B> {
        self.slots[slot.0].as_ref().expect(OPEN)
    }

    pub(crate) fn backend_and_slot(&mut self, slot: SlotId) -> (&mut B, &mut Slot<B>) {
        (&mut self.backend, self.slots[slot.0].as_mut().expect(OPEN))
    }

    pub(crate) fn check_tokens(&self, tokens: &[u32]) -> Result<()> {
        let vocab_size = self.geometry.vocab_size;
        match tokens.iter().find(|token| **token as usize >= vocab_size) {
            Some(&token) => Err(Error::Token { token, vocab_size }),
            None => Ok(()),
        }
    }

    /// Ids and room, before anything changes.
    fn check(&self, batch: &[Extend<'_>]) -> Result<()> {
        let n_tokens: usize = batch.iter().map(|extend| extend.tokens.len()).sum();
        assert!((1..=self.options.max_batch).contains(&n_tokens), "a batch fits the activations");
        for (i, extend) in batch.iter().enumerate() {
            assert!(!extend.tokens.is_empty(), "an extension has tokens");
            assert!(batch[..i].iter().all(|other| other.slot != extend.slot), "slots differ");
            self.check_tokens(extend.tokens)?;
            let slot = self.slot(extend.slot);
            let wanted = slot.timeline.n_run() + extend.tokens.len();
            if wanted > slot.capacity {
                return Err(Error::ContextFull { wanted, capacity: slot.capacity });
            }
            slot.timeline.check(extend.tokens)?;
        }
        Ok(())
    }

    fn list_runs(&self, batch: &[Extend<'_>], runs: &mut Vec<Run>) {
        runs.clear();
        let mut first_row = 0;
        runs.extend(batch.iter().map(|extend| {
            let run = Run {
                first_row,
                n_rows: extend.tokens.len(),
                first_position: self.slot(extend.slot).timeline.n_run(),
            };
            first_row += run.n_rows;
            run
        }));
    }

    fn run(
        &mut self,
        batch: &[Extend<'_>],
        observe: Option<Observe<'_, B>>,
        on_logits: &mut dyn FnMut(usize, usize, &[f32]),
    ) -> Result<()> {
        self.check(batch)?;
        let mut host = std::mem::take(&mut self.host);
        self.list_runs(batch, &mut host.runs);
        host.ids.clear();
        host.ids.extend(batch.iter().flat_map(|extend| extend.tokens));
        let result = self.run_with(batch, &mut host, observe, on_logits);
        self.host = host;
        result
    }

    fn run_with(
        &mut self,
        batch: &[Extend<'_>],
        HostBuffers { ids, runs, logits }: &mut HostBuffers,
        mut observe: Option<Observe<'_, B>>,
        on_logits: &mut dyn FnMut(usize, usize, &[f32]),
    ) -> Result<()> {
        self.activations.set_rows(&mut self.backend, ids.len());
        self.backend.write_tokens(&mut self.activations.tokens, ids);
        self.backend.embed(
            &mut self.activations.streams,
            &self.activations.tokens,
            &self.weights.token_embd,
        );
        self.prefetch(0);
        self.enter();
        for layer in 0..self.geometry.n_layers {
            self.prefetch(layer + 1);
            self.attention_sublayer(layer, batch, runs);
            self.next(Sublayer::FeedForward(layer));
            self.feed_forward_sublayer(layer);
            self.next(Sublayer::Attention(layer + 1));
            if let Some(observe) = &mut observe {
                observe(&mut self.backend, layer, &self.activations.streams)
                    .map_err(|source| self.device_error(source))?;
            }
        }
        for extend in batch {
            let (backend, slot) = self.backend_and_slot(extend.slot);
            slot.extend(backend, extend.tokens);
        }
        self.hand_out_logits(batch, runs, logits, on_logits)
            .map_err(|source| self.device_error(source))
    }

    /// A disk works on the next layer's weights while this layer's are multiplied.
    fn prefetch(&mut self, layer: usize) {
        for weight in self.weights.dense(layer) {
            self.backend.prefetch(weight);
        }
    }

    /// From the embedding to the first sublayer's input.
    fn enter(&mut self) {
        let (backend, act) = (&mut self.backend, &mut self.activations);
        let site = Sublayer::Attention(0).site(&self.weights).expect("a model has layers");
        let (normed, mixed) = (&mut act.normed, &mut act.mixed);
        let hc = &self.geometry.hyper_connection;
        backend.hc_enter(normed, mixed, &mut act.gates, &act.streams, &site, hc);
    }

    /// From a sublayer's output to the next one's input, or into the streams behind the last.
    fn next(&mut self, sublayer: Sublayer) {
        let (backend, act) = (&mut self.backend, &mut self.activations);
        let hc = &self.geometry.hyper_connection;
        let (streams, y) = (&mut act.streams, &act.y);
        match sublayer.site(&self.weights) {
            None => backend.hc_expand(streams, y, &act.gates, hc),
            Some(site) => {
                let (normed, mixed) = (&mut act.normed, &mut act.mixed);
                backend.hc_next(streams, y, normed, mixed, &mut act.gates, &site, hc);
            }
        }
    }

    fn attention_sublayer(&mut self, layer: usize, batch: &[Extend<'_>], runs: &[Run]) {
        let (backend, act) = (&mut self.backend, &mut self.activations);
        let weights = &self.weights.layers[layer];
        let rotation = self.rotations.of_layer(self.geometry.compress_ratios[layer]);
        let site = attention::Site { geometry: &self.geometry, weights, rotation, layer };
        site.project(backend, &mut act.attention, &act.normed, runs);
        let mut slots: PerRun<_> = self.slots.iter_mut().map(Option::as_mut).collect();
        let timelines = batch.iter().map(|extend| {
            let slot = slots[extend.slot.0].take().expect(OPEN);
            Timeline { kv: &mut slot.layers[layer], n_stored: slot.timeline.n_stored() }
        });
        let mut timelines: PerRun<Timeline<'_, B>> = timelines.collect();
        site.store(backend, &mut act.attention, &mut timelines, runs);
        site.attend(backend, &mut act.attention, &timelines, runs);
        site.output(backend, &mut act.y, &mut act.attention);
    }

    fn feed_forward_sublayer(&mut self, layer: usize) {
        let (backend, act) = (&mut self.backend, &mut self.activations);
        let weights = &self.weights.layers[layer];
        let site = feed_forward::Site { geometry: &self.geometry, weights, layer };
        site.run(backend, &mut act.feed_forward, &mut act.y, &act.normed, &act.tokens);
    }

    /// Rows that stand side by side pass the head together, whosever they are: of slots that decode,
    /// all.
    fn hand_out_logits(
        &mut self,
        batch: &[Extend<'_>],
        runs: &[Run],
        logits: &mut Vec<f32>,
        on_logits: &mut dyn FnMut(usize, usize, &[f32]),
    ) -> backend::Result<()> {
        let vocab_size = self.geometry.vocab_size;
        let mut wanted = batch.iter().zip(runs).enumerate().flat_map(|(i, (extend, run))| {
            let end = run.first_row + run.n_rows;
            let first = match extend.logits {
                LogitsWanted::Nothing => end,
                LogitsWanted::Last => end - 1,
                LogitsWanted::All => run.first_row,
            };
            (first..end).map(move |row| (row, i, run.first_position + row - run.first_row))
        });
        while let Some((first, ..)) = wanted.clone().next() {
            let rows = wanted.clone().map(|(row, ..)| row).take(HEAD_ROWS);
            let n = rows.zip(first..).take_while(|(row, next)| row == next).count();
            logits.resize(n * vocab_size, 0.0);
            self.head(first..first + n, logits)?;
            for (row, (_, i, position)) in logits.chunks_exact(vocab_size).zip(&mut wanted) {
                on_logits(i, position, row);
            }
        }
        self.backend.finish()
    }

    /// Logits of the given rows of the batch: only these pass the largest matrix (c.12).
    fn head(&mut self, rows: Range<usize>, logits: &mut [f32]) -> backend::Result<()> {
        let (backend, act) = (&mut self.backend, &mut self.activations.head);
        let n = rows.len();
        backend.copy_rows(&mut act.streams, &self.activations.streams, rows);
        for x in [&mut act.mixed, &mut act.normed, &mut act.logits] {
            backend.set_rows(x, n);
        }
        let site = self.weights.output_hc.weights();
        backend.hc_head(&mut act.mixed, &act.streams, &site, &self.geometry.hyper_connection);
        let eps = self.geometry.norm_eps;
        backend.rms_norm(&mut act.normed, &act.mixed, &self.weights.output_norm, eps);
        backend.matmul(&mut act.logits, &act.normed, &self.weights.output);
        backend.read(&act.logits, 0, logits)
    }
}

/// Reads the streams after a layer.
type Observe<'a, B> =
    &'a mut dyn FnMut(&mut B, usize, &<B as Backend>::Tensor) -> backend::Result<()>;

impl<B: Backend> Inference for Model<B> {
    fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn backend_name(&self) -> &'static str {
        self.backend.name()
    }

    fn active_bytes(&self) -> ActiveBytes {
        self.active_bytes
    }

    fn max_batch(&self) -> usize {
        self.options.max_batch
    }

    fn read_bandwidth(&mut self) -> Option<f64> {
        self.backend.read_bandwidth()
    }

    fn time_kernels(&mut self, on: bool) -> bool {
        self.backend.time_kernels(on)
    }

    fn kernel_times(&mut self) -> Result<Vec<KernelTime>> {
        self.backend.kernel_times().map_err(|source| self.device_error(source))
    }

    fn open_slot(&mut self, capacity: usize) -> Result<SlotId> {
        let slot = self.new_slot(capacity)?;
        let free = self.slots.iter().position(Option::is_none);
        let index = free.unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[index] = Some(slot);
        Ok(SlotId(index))
    }

    fn close_slot(&mut self, slot: SlotId) {
        self.slots[slot.0] = None;
    }

    fn n_tokens(&self, slot: SlotId) -> usize {
        self.slot(slot).timeline.n_run()
    }

    fn n_stored(&self, slot: SlotId) -> usize {
        self.slot(slot).timeline.n_stored()
    }

    fn rewind(&mut self, slot: SlotId, n_tokens: usize) -> usize {
        let (backend, slot) = self.backend_and_slot(slot);
        assert!(n_tokens <= slot.timeline.n_stored(), "a timeline is cut, not extended");
        slot.cut(backend, n_tokens)
    }

    fn fork(&mut self, from: SlotId, to: SlotId, n_tokens: usize) -> Result<usize> {
        assert!(from != to, "a timeline goes to another slot");
        assert!(n_tokens <= self.slot(from).timeline.n_stored(), "a timeline is cut, not extended");
        let capacity = self.slot(to).capacity;
        if n_tokens > capacity {
            return Err(Error::ContextFull { wanted: n_tokens, capacity });
        }
        let mut copy = self.slots[to.0].take().expect(OPEN);
        let source = self.slots[from.0].as_ref().expect(OPEN);
        let n_run = copy.copy(&mut self.backend, source, n_tokens);
        self.slots[to.0] = Some(copy);
        Ok(n_run)
    }

    fn export_block(&mut self, slot: SlotId, block: usize) -> Result<Vec<u8>> {
        self.read_block(slot, block)
    }

    fn export_frontier(&mut self, slot: SlotId, at: usize) -> Result<Option<Vec<u8>>> {
        self.read_frontier(slot, at)
    }

    fn import_block(&mut self, slot: SlotId, tokens: &[u32], bytes: &[u8]) -> Result<()> {
        self.write_block(slot, tokens, bytes)
    }

    fn import_frontier(&mut self, slot: SlotId, at: usize, bytes: &[u8]) -> Result<usize> {
        self.write_frontier(slot, at, bytes)
    }

    fn fill(&mut self, slot: SlotId, n_tokens: usize) {
        let (backend, slot) = self.backend_and_slot(slot);
        assert!(
            slot.timeline.n_stored() == 0 && n_tokens <= slot.capacity,
            "an empty slot with room"
        );
        fill::fill(backend, slot, n_tokens);
    }

    fn extend(
        &mut self,
        batch: &[Extend<'_>],
        on_logits: &mut dyn FnMut(usize, usize, &[f32]),
    ) -> Result<()> {
        self.run(batch, None, on_logits)
    }
}
