//! Device memory: buffers with an identity, and scratch that ops share.
//!
//! Bind groups are cached by the identities of their buffers. A buffer that goes away says so in
//! a list, so that the cache lets go of the memory as well.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::device::Device;

/// Names a buffer for as long as the process runs.
pub(crate) type BufferId = u64;

/// Buffers that have gone since somebody last asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gone(Arc<GoneList>);

#[derive(Debug, Default)]
struct GoneList {
    /// Whether there are any: asked with every dispatch.
    any: AtomicBool,
    ids: Mutex<Vec<BufferId>>,
}

impl Gone {
    fn push(&self, id: BufferId) {
        self.0.ids.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        self.0.any.store(true, Ordering::Release);
    }

    /// Takes the list.
    pub(crate) fn take(&self) -> Vec<BufferId> {
        if !self.0.any.swap(false, Ordering::Acquire) {
            return Vec::new();
        }
        std::mem::take(&mut *self.0.ids.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Memory on the device; clones are the same memory.
#[derive(Debug, Clone)]
pub(crate) struct Buffer(Arc<Allocation>);

#[derive(Debug)]
struct Allocation {
    id: BufferId,
    buffer: wgpu::Buffer,
    gone: Gone,
}

impl Drop for Allocation {
    fn drop(&mut self) {
        self.gone.push(self.id);
    }
}

impl Buffer {
    pub(crate) fn id(&self) -> BufferId {
        self.0.id
    }

    pub(crate) fn raw(&self) -> &wgpu::Buffer {
        &self.0.buffer
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.0.buffer.size()
    }
}

/// Makes buffers.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    gone: Gone,
}

impl Buffers {
    pub(crate) fn gone(&self) -> Gone {
        self.gone.clone()
    }

    /// A storage buffer of zeros, of at least `bytes` bytes, of which kernels see everything.
    ///
    /// # Errors
    /// If the device has no room, or takes no buffer of that size.
    pub(crate) fn storage(
        &self,
        device: &Device,
        purpose: &'static str,
        bytes: u64,
    ) -> backend::Result<Buffer> {
        if bytes > device.profile.binding_bytes {
            return Err(backend::Error::OutOfMemory { purpose, wanted_bytes: bytes });
        }
        self.large_storage(device, purpose, bytes)
    }

    /// The same without a promise about what kernels see at once.
    ///
    /// # Errors
    /// If the device has no room, or takes no buffer of that size.
    pub(crate) fn large_storage(
        &self,
        device: &Device,
        purpose: &'static str,
        bytes: u64,
    ) -> backend::Result<Buffer> {
        // Kernels read whole vectors of 16 bytes.
        let size = bytes.next_multiple_of(16).max(16);
        if size > device.profile.buffer_bytes {
            return Err(backend::Error::OutOfMemory { purpose, wanted_bytes: bytes });
        }
        let buffer =
            device.allocate(purpose, bytes, || Self::raw_storage(device, purpose, size))?;
        Ok(self.wrap(buffer))
    }

    /// The same for an op, which cannot fail: the device remembers that it did.
    pub(crate) fn scratch(&self, device: &Device, purpose: &'static str, bytes: u64) -> Buffer {
        let size = bytes.next_multiple_of(16).max(16);
        self.wrap(Self::raw_storage(device, purpose, size))
    }

    fn raw_storage(device: &Device, label: &'static str, size: u64) -> wgpu::Buffer {
        use wgpu::BufferUsages as Usage;
        device.raw.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size,
            usage: Usage::STORAGE | Usage::COPY_SRC | Usage::COPY_DST,
            mapped_at_creation: false,
        })
    }

    fn wrap(&self, buffer: wgpu::Buffer) -> Buffer {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Buffer(Arc::new(Allocation { id, buffer, gone: self.gone.clone() }))
    }
}

/// What a scratch buffer holds. Each is used from one dispatch to the next ones of the same op.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scratch {
    /// Mixing projections of a hyper-connection site.
    Projections,
    /// Router logits.
    RouterLogits,
    /// Index queries, rounded.
    IndexQueries,
    /// Scores of index rows.
    IndexScores,
    /// Rows that parts of a choice have chosen, with their scores.
    IndexCandidates,
    /// Partial sums of attention.
    AttentionPartials,
    /// Their largest scores and sums of weights, for few tokens.
    AttentionWeights,
    /// Gate values of experts, and their hidden values.
    ExpertGate,
    /// Up values of experts.
    ExpertUp,
    /// Rows of experts' results.
    ExpertDown,
    /// Which token goes to which expert.
    ExpertLists,
}

/// Scratch buffers, made when first asked for and enlarged when too small.
#[derive(Debug, Default)]
pub(crate) struct ScratchBuffers {
    buffers: Vec<(Scratch, Buffer)>,
}

impl ScratchBuffers {
    /// Room for `n_words` words of four bytes.
    pub(crate) fn words(
        &mut self,
        device: &Device,
        buffers: &Buffers,
        what: Scratch,
        n_words: usize,
    ) -> Buffer {
        let bytes = 4 * n_words as u64;
        let found = self.buffers.iter_mut().find(|(other, _)| *other == what);
        match found {
            Some((_, buffer)) if buffer.bytes() >= bytes => buffer.clone(),
            Some((_, buffer)) => {
                *buffer = buffers.scratch(device, "scratch", bytes);
                buffer.clone()
            }
            None => {
                let buffer = buffers.scratch(device, "scratch", bytes);
                self.buffers.push((what, buffer.clone()));
                buffer
            }
        }
    }
}
