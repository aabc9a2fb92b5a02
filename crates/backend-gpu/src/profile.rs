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

impl DeviceProfile {
    pub(crate) fn of_adapter(
        adapter: &wgpu::AdapterInfo,
        features: Features,
        limits: &wgpu::Limits,
        choice: ProfileChoice,
    ) -> Self {
        let (smallest, largest) = (adapter.subgroup_min_size, adapter.subgroup_max_size);
        let fixed = features.contains(Features::SUBGROUP) && smallest == largest && smallest > 1;
        let device = Self {
            subgroup_size: fixed.then_some(smallest),
            workgroup_bytes: limits.max_compute_workgroup_storage_size,
            buffer_bytes: limits.max_buffer_size,
            binding_bytes: limits.max_storage_buffer_binding_size,
        };
        match choice {
            ProfileChoice::Device => device,
            ProfileChoice::Apple => device.narrowed_to(&Self::apple()),
            ProfileChoice::Portable => Self { subgroup_size: None, ..device },
        }
    }

    /// An Apple GPU of any generation.
    pub fn apple() -> Self {
        Self {
            subgroup_size: Some(APPLE_SUBGROUP_SIZE),
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
            workgroup_bytes: self.workgroup_bytes.min(other.workgroup_bytes),
            buffer_bytes: self.buffer_bytes.min(other.buffer_bytes),
            binding_bytes: self.binding_bytes.min(other.binding_bytes),
        }
    }
}
