//! Recording: ops put dispatches into a command buffer, and whoever waits submits it.
//!
//! Work is also submitted after a number of dispatches, so that the device starts early and no
//! submission runs into a driver's watchdog. Writes from the host take effect before everything
//! that is recorded and not yet submitted, so they submit first.

use std::collections::{BTreeMap, HashMap};

use crate::buffers::{Buffer, BufferId, Buffers, Scratch, ScratchBuffers};
use crate::device::Device;
use crate::packed::PackedRows;
use crate::pipelines::{Kernel, Pipelines, Variant};
use crate::profile::DeviceProfile;
use crate::rotation::AngleTables;
use crate::timing::Timing;
use crate::weights::SharedArrays;

/// Dispatches of the first submission after a wait, and of any.
const FIRST_SUBMISSION: usize = 16;
const MAX_SUBMISSION: usize = 256;
/// Workgroups along one dimension of a grid.
const MAX_WORKGROUPS: u32 = 65_535;
/// Bytes read back at once.
const STAGING_BYTES: u64 = 64 << 20;

/// A buffer as a kernel sees it: the whole of it, or as much from an offset on as can be bound.
#[derive(Clone, Copy)]
pub(crate) enum Binding<'a> {
    /// `var<storage, read>`.
    Read(&'a Buffer),
    /// `var<storage, read_write>`.
    Write(&'a Buffer),
    /// The same from a byte on, a multiple of [`OFFSET_BYTES`].
    WriteFrom(&'a Buffer, u64),
}

/// Bindings begin at multiples of this on every device.
pub(crate) const OFFSET_BYTES: u64 = 256;

/// A buffer and where its binding begins.
type Bound = (BufferId, u64);

impl<'a> Binding<'a> {
    fn buffer(self) -> &'a Buffer {
        match self {
            Self::Read(buffer) | Self::Write(buffer) | Self::WriteFrom(buffer, _) => buffer,
        }
    }

    fn offset(self) -> u64 {
        match self {
            Self::WriteFrom(_, offset) => offset,
            Self::Read(_) | Self::Write(_) => 0,
        }
    }

    fn bound(self) -> Bound {
        (self.buffer().id(), self.offset())
    }

    fn writes(self) -> bool {
        !matches!(self, Self::Read(_))
    }
}

/// What has been recorded and not yet submitted.
#[derive(Default)]
struct Recording {
    /// Ends before the encoder does: fields drop in order.
    pass: Option<wgpu::ComputePass<'static>>,
    encoder: Option<wgpu::CommandEncoder>,
    n_dispatches: usize,
}

/// What has been handed to a device since it was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Kernels.
    pub n_dispatches: u64,
    /// Command buffers.
    pub n_submissions: u64,
    /// Kernels by name.
    pub by_kernel: BTreeMap<&'static str, u64>,
}

/// Everything ops work with.
pub(crate) struct Context {
    pub(crate) device: Device,
    pub(crate) buffers: Buffers,
    pub(crate) angles: AngleTables,
    pipelines: Pipelines,
    scratch: ScratchBuffers,
    /// Of each pipeline, by what is bound.
    bind_groups: Vec<HashMap<Vec<Bound>, wgpu::BindGroup>>,
    /// Memory for what a dispatch binds.
    bound: Vec<Bound>,
    recording: Recording,
    staging: Option<wgpu::Buffer>,
    pub(crate) shared_arrays: SharedArrays,
    pub(crate) iq2_xxs_grid: Option<Buffer>,
    /// Bytes of weights handed to the device since the last wait.
    pub(crate) staged_bytes: usize,
    /// Experts and weights of a routing of tokens to the one expert there is.
    routing_to_one: Option<[Buffer; 2]>,
    n_submissions: u64,
    /// Dispatches after which the recording is submitted.
    submission_dispatches: usize,
    pub(crate) packed: PackedRows,
    /// Index queries that are rounded already, row by row, and where.
    pub(crate) rounded_queries: Option<(BufferId, Buffer)>,
    /// While kernels are timed.
    pub(crate) timing: Option<Timing>,
}

impl Context {
    pub(crate) fn new(device: Device) -> Self {
        Self {
            device,
            buffers: Buffers::default(),
            angles: AngleTables::default(),
            pipelines: Pipelines::default(),
            scratch: ScratchBuffers::default(),
            bind_groups: Vec::new(),
            bound: Vec::new(),
            recording: Recording::default(),
            staging: None,
            shared_arrays: SharedArrays::default(),
            iq2_xxs_grid: None,
            staged_bytes: 0,
            routing_to_one: None,
            n_submissions: 0,
            submission_dispatches: FIRST_SUBMISSION,
            packed: PackedRows::default(),
            rounded_queries: None,
            timing: None,
        }
    }

    /// Scratch with room for `n_words` words.
    pub(crate) fn scratch(&mut self, what: Scratch, n_words: usize) -> Buffer {
        self.scratch.words(&self.device, &self.buffers, what, n_words)
    }

    /// Expert 0 with weight 1 for each of `n_tokens` tokens.
    pub(crate) fn routing_to_one(&mut self, n_tokens: usize) -> [Buffer; 2] {
        let bytes = 4 * n_tokens as u64;
        if let Some(routing) = &self.routing_to_one
            && routing[0].bytes() >= bytes
        {
            return routing.clone();
        }
        let buffer = || self.buffers.scratch(&self.device, "routing to one expert", bytes);
        let routing = [buffer(), buffer()];
        let n_words = routing[1].bytes() as usize / 4;
        self.write_unused(&routing[1], 0, &vec![1f32.to_bits(); n_words]);
        self.routing_to_one = Some(routing.clone());
        routing
    }

    /// Number of the submission that is being recorded.
    pub(crate) fn submission(&self) -> u64 {
        self.n_submissions
    }

    /// Records a kernel over `grid` workgroups. `parameters` are its immediates, word by word.
    ///
    /// # Panics
    /// If the grid is larger than devices take.
    pub(crate) fn dispatch(
        &mut self,
        kernel: &Kernel,
        bindings: &[Binding<'_>],
        parameters: &[u32],
        grid: [u32; 3],
    ) {
        let writes = bindings.iter().map(|binding| binding.writes());
        let pipeline = self.pipelines.of_kernel(&self.device, kernel, writes);
        self.record(pipeline, bindings, parameters, grid);
    }

    /// The same for a kernel that `build` makes the first time.
    ///
    /// # Panics
    /// As [`Context::dispatch`].
    pub(crate) fn dispatch_variant(
        &mut self,
        (variant, build): (Variant, impl FnOnce(&DeviceProfile) -> Kernel),
        bindings: &[Binding<'_>],
        parameters: &[u32],
        grid: [u32; 3],
    ) {
        let writes = bindings.iter().map(|binding| binding.writes());
        let pipeline = self.pipelines.of_variant(&self.device, variant, build, writes);
        self.record(pipeline, bindings, parameters, grid);
    }

    fn record(
        &mut self,
        pipeline: usize,
        bindings: &[Binding<'_>],
        parameters: &[u32],
        grid: [u32; 3],
    ) {
        let id = pipeline;
        let pipeline = &mut self.pipelines.compiled[id];
        let name = pipeline.name;
        assert!(grid.iter().all(|n| *n <= MAX_WORKGROUPS), "{name}: {grid:?} workgroups");
        if grid.contains(&0) {
            return;
        }
        pipeline.n_dispatches += 1;
        self.release_bind_groups();
        self.bind_group(id, bindings);
        let pipeline = &self.pipelines.compiled[id];
        let recording = &mut self.recording;
        let encoder = recording.encoder.get_or_insert_with(|| new_encoder(&self.device));
        if let Some(timing) = &mut self.timing {
            recording.pass = None;
            recording.pass = Some(timing.begin(encoder, name, grid));
        }
        let pass = recording.pass.get_or_insert_with(|| {
            encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()).forget_lifetime()
        });
        pass.set_pipeline(&pipeline.raw);
        pass.set_bind_group(0, &self.bind_groups[id][&self.bound], &[]);
        pass.set_immediates(0, bytemuck::cast_slice(parameters));
        let [x, y, z] = grid;
        pass.dispatch_workgroups(x, y, z);
        recording.n_dispatches += 1;
        for binding in bindings.iter().filter(|binding| binding.writes()) {
            self.forget_rounded(binding.buffer().id());
        }
        if self.recording.n_dispatches >= self.submission_dispatches {
            self.submit();
        }
    }

    /// Sees to it that there is a bind group of these bindings, whose place is `self.bound`.
    fn bind_group(&mut self, pipeline: usize, bindings: &[Binding<'_>]) {
        self.bound.clear();
        self.bound.extend(bindings.iter().map(|binding| binding.bound()));
        if self.bind_groups.len() <= pipeline {
            self.bind_groups.resize_with(pipeline + 1, HashMap::new);
        }
        let groups = &mut self.bind_groups[pipeline];
        if !groups.contains_key(&self.bound) {
            let layout = &self.pipelines.compiled[pipeline].layout;
            groups.insert(self.bound.clone(), bind_group(&self.device, layout, bindings));
        }
    }

    /// What has been handed to the device since it was opened.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts { n_submissions: self.n_submissions, ..Counts::default() };
        for pipeline in &self.pipelines.compiled {
            counts.n_dispatches += pipeline.n_dispatches;
            *counts.by_kernel.entry(pipeline.name).or_default() += pipeline.n_dispatches;
        }
        counts
    }

    /// What was rounded of a buffer that is written now is stale.
    fn forget_rounded(&mut self, buffer: BufferId) {
        self.packed.forget(buffer);
        if let Some((queries, rounded)) = &self.rounded_queries
            && (*queries == buffer || rounded.id() == buffer)
        {
            self.rounded_queries = None;
        }
    }

    /// Records a copy of `bytes` bytes.
    pub(crate) fn copy(&mut self, from: (&Buffer, u64), to: (&Buffer, u64), bytes: u64) {
        self.forget_rounded(to.0.id());
        self.copy_raw((from.0.raw(), from.1), (to.0.raw(), to.1), bytes);
    }

    fn copy_raw(&mut self, from: (&wgpu::Buffer, u64), to: (&wgpu::Buffer, u64), bytes: u64) {
        self.recording.pass = None;
        let encoder = self.recording.encoder.get_or_insert_with(|| new_encoder(&self.device));
        encoder.copy_buffer_to_buffer(from.0, from.1, to.0, to.1, bytes);
    }

    /// Hands what is recorded to the device.
    pub(crate) fn submit(&mut self) {
        let Recording { pass, encoder, .. } = std::mem::take(&mut self.recording);
        drop(pass);
        if let Some(mut encoder) = encoder {
            if let Some(timing) = &self.timing {
                timing.resolve(&mut encoder);
            }
            self.device.queue.submit([encoder.finish()]);
            self.n_submissions += 1;
            self.submission_dispatches = (2 * self.submission_dispatches).min(MAX_SUBMISSION);
        }
        if let Some(timing) = &mut self.timing {
            timing.collect(&self.device);
        }
    }

    /// Submits and waits.
    ///
    /// # Errors
    /// If the device failed.
    pub(crate) fn finish(&mut self) -> backend::Result<()> {
        self.submit();
        self.wait()
    }

    /// Waits for what is submitted. The next submission is a first one.
    fn wait(&mut self) -> backend::Result<()> {
        self.submission_dispatches = FIRST_SUBMISSION;
        self.device.wait()
    }

    /// Writes words behind everything recorded so far.
    pub(crate) fn write(&mut self, buffer: &Buffer, first_word: usize, words: &[u32]) {
        self.forget_rounded(buffer.id());
        self.submit();
        self.write_unused(buffer, first_word, words);
    }

    /// Writes words to a buffer that nothing recorded uses.
    pub(crate) fn write_unused(&self, buffer: &Buffer, first_word: usize, words: &[u32]) {
        self.write_bytes(buffer, first_word, bytemuck::cast_slice(words));
    }

    /// The same for whole words as bytes.
    pub(crate) fn write_bytes(&self, buffer: &Buffer, first_word: usize, bytes: &[u8]) {
        self.device.queue.write_buffer(buffer.raw(), 4 * first_word as u64, bytes);
    }

    /// Waits for everything recorded and reads words.
    ///
    /// # Errors
    /// If the device failed.
    pub(crate) fn read(
        &mut self,
        buffer: &Buffer,
        first_word: usize,
        words: &mut [u32],
    ) -> backend::Result<()> {
        let mut offset = 4 * first_word as u64;
        for words in words.chunks_mut(STAGING_BYTES as usize / 4) {
            let bytes = 4 * words.len() as u64;
            self.read_staged(&[(buffer, offset, bytes)], words)?;
            offset += bytes;
        }
        Ok(())
    }

    /// Waits for everything recorded and reads words of several buffers, `(buffer, first word,
    /// words)` each, one behind the other.
    ///
    /// # Errors
    /// If the device failed.
    pub(crate) fn read_parts(
        &mut self,
        parts: &[(&Buffer, usize, usize)],
        words: &mut [u32],
    ) -> backend::Result<()> {
        if 4 * words.len() as u64 <= STAGING_BYTES {
            let in_bytes = |&(buffer, first, n)| (buffer, 4 * first as u64, 4 * n as u64);
            let parts: Vec<(&Buffer, u64, u64)> = parts.iter().map(in_bytes).collect();
            return self.read_staged(&parts, words);
        }
        let mut rest = words;
        for &(buffer, first, n) in parts {
            let (words, more) = rest.split_at_mut(n);
            self.read(buffer, first, words)?;
            rest = more;
        }
        Ok(())
    }

    /// Reads `(buffer, offset, bytes)`, which are no more than may be staged.
    fn read_staged(
        &mut self,
        parts: &[(&Buffer, u64, u64)],
        words: &mut [u32],
    ) -> backend::Result<()> {
        let bytes = 4 * words.len() as u64;
        if bytes == 0 {
            return Ok(());
        }
        if self.staging.as_ref().is_none_or(|staging| staging.size() < bytes) {
            self.staging = Some(staging_buffer(&self.device, bytes)?);
        }
        let staging = self.staging.clone().expect("made above");
        let mut to = 0;
        for &(buffer, offset, bytes) in parts {
            self.copy_raw((buffer.raw(), offset), (&staging, to), bytes);
            to += bytes;
        }
        self.submit();
        // Whether mapping works is told by the wait and by the mapped range.
        staging.map_async(wgpu::MapMode::Read, 0..bytes, |_| ());
        self.wait()?;
        let mapped = staging.slice(0..bytes).get_mapped_range().map_err(|error| {
            backend::Error::Device { backend: crate::NAME, reason: error.to_string() }
        })?;
        bytemuck::cast_slice_mut::<u32, u8>(words).copy_from_slice(&mapped);
        drop(mapped);
        staging.unmap();
        Ok(())
    }

    /// Whether kernels see the first `bytes` bytes of a buffer. If not, the device has failed with
    /// a word about it, and the op that asked does nothing.
    pub(crate) fn sees(&self, buffer: &Buffer, bytes: u64) -> bool {
        let fits = bytes.min(buffer.bytes()) <= self.device.profile.binding_bytes;
        if !fits {
            self.device.fail(format!(
                "{bytes} bytes of KV rows are more than its kernels can see; try a smaller context"
            ));
        }
        fits
    }

    /// Lets go of bind groups whose buffers have gone, and with them of the memory.
    fn release_bind_groups(&mut self) {
        let gone = self.buffers.gone().take();
        if !gone.is_empty() {
            self.packed.release(&gone);
            for groups in &mut self.bind_groups {
                groups.retain(|bound, _| bound.iter().all(|(id, _)| !gone.contains(id)));
            }
        }
    }
}

fn new_encoder(device: &Device) -> wgpu::CommandEncoder {
    device.raw.create_command_encoder(&wgpu::CommandEncoderDescriptor::default())
}

fn staging_buffer(device: &Device, bytes: u64) -> backend::Result<wgpu::Buffer> {
    let size = bytes.next_power_of_two().max(1 << 16);
    device.allocate("results on their way to the host", size, || {
        device.raw.create_buffer(&wgpu::BufferDescriptor {
            label: Some("staging"),
            size,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    })
}

fn bind_group(
    device: &Device,
    layout: &wgpu::BindGroupLayout,
    bindings: &[Binding<'_>],
) -> wgpu::BindGroup {
    let entries: Vec<_> = bindings
        .iter()
        .zip(0..)
        .map(|(bound, binding)| {
            let (buffer, offset) = (bound.buffer(), bound.offset());
            let size = (buffer.bytes() - offset).min(device.profile.binding_bytes);
            let size = std::num::NonZeroU64::new(size);
            let buffer = buffer.raw();
            let resource =
                wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size });
            wgpu::BindGroupEntry { binding, resource }
        })
        .collect();
    let descriptor = wgpu::BindGroupDescriptor { label: None, layout, entries: &entries };
    device.raw.create_bind_group(&descriptor)
}
