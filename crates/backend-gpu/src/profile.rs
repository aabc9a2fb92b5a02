//! What kernels are built for: the few facts of a device that choose between their variants.
//!
//! A profile can be forced, so that the variant a Mac runs is executed, as far as the machine
//! allows, by everyone who runs the tests.

use wgpu::Features;

/// Which variants of the kernels run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProfileChoice {
    /// Those that suit the device.
    #[default]
    Device,
    /// Those that an Apple GPU runs.
    Apple,
    /// Those that need nothing but WGSL's core: reductions through workgroup memory.
    Portable,
}

/// The facts that choose between variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceProfile {
    /// Threads of a subgroup where that is one number; `None` reduces through workgroup memory.
    pub subgroup_size: Option<u32>,
    /// Whether products of four pairs of bytes are one instruction, so that activations in front of
    /// block formats are worth rounding to int8.
    pub packed_dot: bool,
    /// Rows and columns of the matrices that a subgroup multiplies as one, f16 with sums in f32;
    /// `None` multiplies by plain tiles.
    pub matrix_size: Option<u32>,
    /// Threads that a workgroup may have.
    pub workgroup_threads: u32,
    /// Buffers that a kernel may bind.
    pub storage_buffers: u32,
    /// Workgroup memory that a kernel may take.
    pub workgroup_bytes: u32,
    /// Largest buffer.
    pub buffer_bytes: u64,
    /// What a kernel may see of a buffer.
    pub binding_bytes: u64,
}

/// Workgroup memory of an Apple GPU.
const APPLE_WORKGROUP_BYTES: u32 = 32 << 10;
/// Subgroup size of every Apple GPU.
const APPLE_SUBGROUP_SIZE: u32 = 32;
/// Sides of the only matrices that Metal has.
const APPLE_MATRIX_SIZE: u32 = 8;
/// Threads that share a matrix in the kernels that multiply them.
const MATRIX_SUBGROUP_SIZE: u32 = 32;
/// Threads of the largest workgroup that any kernel asks for.
const MAX_WORKGROUP_THREADS: u32 = 1024;
/// Buffers that wgpu gives a kernel on Metal: its 31 less those that it needs itself.
const APPLE_STORAGE_BUFFERS: u32 = 29;

impl DeviceProfile {
    pub(crate) fn of_adapter(
        adapter: &wgpu::AdapterInfo,
        features: Features,
        limits: &wgpu::Limits,
        offered: &[wgpu::CooperativeMatrixProperties],
        choice: ProfileChoice,
    ) -> Self {
        let (smallest, largest) = (adapter.subgroup_min_size, adapter.subgroup_max_size);
        let fixed = features.contains(Features::SUBGROUP) && smallest == largest && smallest > 1;
        let subgroup_size = fixed.then_some(smallest);
        let device = Self {
            subgroup_size,
            // Metal's is four multiplications.
            packed_dot: adapter.backend != wgpu::Backend::Metal,
            matrix_size: matrix_size(offered, features, subgroup_size),
            workgroup_threads: limits
                .max_compute_invocations_per_workgroup
                .min(limits.max_compute_workgroup_size_x)
                .min(MAX_WORKGROUP_THREADS),
            storage_buffers: limits.max_storage_buffers_per_shader_stage,
            workgroup_bytes: limits.max_compute_workgroup_storage_size,
            buffer_bytes: limits.max_buffer_size,
            binding_bytes: limits.max_storage_buffer_binding_size,
        };
        match choice {
            ProfileChoice::Device => device,
            ProfileChoice::Apple => device.narrowed_to(&Self::apple()),
            ProfileChoice::Portable => Self {
                subgroup_size: None,
                packed_dot: false,
                matrix_size: None,
                workgroup_threads: device.workgroup_threads.min(256),
                storage_buffers: device.storage_buffers.min(crate::device::STORAGE_BUFFERS),
                ..device
            },
        }
    }

    /// An Apple GPU of any generation.
    pub fn apple() -> Self {
        Self {
            subgroup_size: Some(APPLE_SUBGROUP_SIZE),
            packed_dot: false,
            matrix_size: Some(APPLE_MATRIX_SIZE),
            workgroup_threads: MAX_WORKGROUP_THREADS,
            storage_buffers: APPLE_STORAGE_BUFFERS,
            workgroup_bytes: APPLE_WORKGROUP_BYTES,
            buffer_bytes: u64::MAX,
            binding_bytes: u64::MAX,
        }
    }

    /// This device, kept to what `other` has too. Subgroups of another size cannot be had, so they
    /// are done without.
    fn narrowed_to(self, other: &Self) -> Self {
        Self {
            subgroup_size: self.subgroup_size.filter(|size| Some(*size) == other.subgroup_size),
            packed_dot: self.packed_dot && other.packed_dot,
            matrix_size: self.matrix_size.filter(|size| Some(*size) == other.matrix_size),
            workgroup_threads: self.workgroup_threads.min(other.workgroup_threads),
            storage_buffers: self.storage_buffers.min(other.storage_buffers),
            workgroup_bytes: self.workgroup_bytes.min(other.workgroup_bytes),
            buffer_bytes: self.buffer_bytes.min(other.buffer_bytes),
            binding_bytes: self.binding_bytes.min(other.binding_bytes),
        }
    }
}

/// Sides of the matrices that a device multiplies as one, as far as kernels use them: f16 with sums
/// in f32, the largest first.
fn matrix_size(
    offered: &[wgpu::CooperativeMatrixProperties],
    features: Features,
    subgroup_size: Option<u32>,
) -> Option<u32> {
    use wgpu::CooperativeScalarType::{F16, F32};
    let needed = Features::EXPERIMENTAL_COOPERATIVE_MATRIX | Features::SHADER_F16;
    if !features.contains(needed) || subgroup_size != Some(MATRIX_SUBGROUP_SIZE) {
        return None;
    }
    let offers = |size: u32| {
        offered.iter().any(|offer| {
            [offer.m_size, offer.n_size, offer.k_size] == [size; 3]
                && (offer.ab_type, offer.cr_type) == (F16, F32)
        })
    };
    [16, 8].into_iter().find(|size| offers(*size))
}
