//! The device: which adapter is taken, what it can do, and how its failures are told.
//!
//! Data: the `wgpu` device and queue, the [`DeviceProfile`] that kernels are built for, and the
//! first failure that the device has reported. wgpu reports failures on its own time; they are
//! kept here and handed out when somebody waits.
//!
//! Refuses: kernels, and deciding whether a model fits.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wgpu::{DeviceType, Features};

use crate::hardware;
use crate::profile::{DeviceProfile, ProfileChoice};

/// Longest wait for recorded work. A driver's own watchdog is faster; this ends the rest.
const DEVICE_TIMEOUT: Duration = Duration::from_mins(10);
/// Bytes of kernel parameters handed over with a dispatch.
pub(crate) const IMMEDIATE_BYTES: u32 = 64;
/// Storage buffers that a kernel binds at most.
pub(crate) const STORAGE_BUFFERS: u32 = 10;

/// Which adapters are good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AdapterChoice {
    /// The best there is, a software one if there is no other.
    #[default]
    Any,
    /// A real graphics device.
    Hardware,
}

/// What a [`crate::Gpu`] is opened with; the default is the best for the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Which adapters are good enough.
    pub adapter: AdapterChoice,
    /// Which variants of the kernels run.
    pub profile: ProfileChoice,
}

/// Why no device could be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// No adapter of the wanted kind.
    #[error("no graphics device was found; a Vulkan, Metal or DX12 driver must be installed")]
    NoAdapter,
    /// An adapter that lacks what every kernel needs.
    #[error("{adapter} lacks {what}, which every kernel needs")]
    Unfit {
        /// Name of the adapter.
        adapter: String,
        /// What it lacks.
        what: &'static str,
    },
    /// The driver refused.
    #[error("{adapter} could not be opened")]
    Refused {
        /// Name of the adapter.
        adapter: String,
        /// What the driver said.
        source: wgpu::RequestDeviceError,
    },
}

/// A graphics device as its driver presents it, opened or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapter {
    /// Name of the device.
    pub name: String,
    /// The interface that it is reached through: `Vulkan`, `Metal`, `Dx12`.
    pub interface: String,
    /// Name and version of the driver.
    pub driver: String,
    /// What it is: `DiscreteGpu`, `IntegratedGpu`, `VirtualGpu`, `Cpu`, `Other`.
    pub kind: String,
    /// Whether it is a processor that pretends.
    pub is_software: bool,
    /// Memory of the device in bytes, where its driver tells.
    pub memory_bytes: Option<u64>,
    /// The facts that choose between kernels, as the driver tells them.
    pub profile: DeviceProfile,
}

impl Adapter {
    fn new(adapter: &wgpu::Adapter) -> Self {
        let info = adapter.get_info();
        let profile = DeviceProfile::of_adapter(
            &info,
            adapter.features(),
            &adapter.limits(),
            &adapter.cooperative_matrix_properties(),
            ProfileChoice::Device,
        );
        Self {
            interface: format!("{:?}", info.backend),
            driver: [info.driver, info.driver_info].join(" ").trim().to_owned(),
            kind: format!("{:?}", info.device_type),
            is_software: info.device_type == DeviceType::Cpu,
            memory_bytes: memory_bytes(adapter),
            name: info.name,
            profile,
        }
    }
}

/// Every graphics device of this machine, the one that [`AdapterChoice::Any`] takes first.
pub fn adapters() -> Vec<Adapter> {
    ranked_adapters().iter().map(Adapter::new).collect()
}

/// The first failure that a device reported, shared with wgpu's callbacks.
#[derive(Debug, Clone, Default)]
struct Failure(Arc<Mutex<Option<Cause>>>);

#[derive(Debug, Clone)]
enum Cause {
    OutOfMemory,
    Other(String),
}

impl Failure {
    fn note(&self, cause: Cause) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(cause);
    }

    fn noted(&self) -> Option<Cause> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl From<wgpu::Error> for Cause {
    fn from(error: wgpu::Error) -> Self {
        match error {
            wgpu::Error::OutOfMemory { .. } => Self::OutOfMemory,
            wgpu::Error::Validation { description, .. }
            | wgpu::Error::Internal { description, .. } => Self::Other(description),
        }
    }
}

/// An open device.
pub(crate) struct Device {
    pub(crate) raw: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    pub(crate) profile: DeviceProfile,
    pub(crate) adapter: wgpu::AdapterInfo,
    /// Memory of the device, where its driver tells.
    pub(crate) memory_bytes: Option<u64>,
    failure: Failure,
}

impl Device {
    /// Opens the best adapter.
    pub(crate) fn open(options: Options) -> Result<Self, OpenError> {
        let adapter = best_adapter(options.adapter)?;
        let info = adapter.get_info();
        let unfit = |what| OpenError::Unfit { adapter: info.name.clone(), what };
        if !adapter.features().contains(Features::IMMEDIATES) {
            return Err(unfit("parameters in commands (push constants)"));
        }
        let limits = adapter.limits();
        if limits.max_immediate_size < IMMEDIATE_BYTES {
            return Err(unfit("64 bytes of parameters a command"));
        }
        if limits.max_storage_buffers_per_shader_stage < STORAGE_BUFFERS {
            return Err(unfit("ten storage buffers a kernel"));
        }
        let optional = Features::SUBGROUP
            | Features::PIPELINE_CACHE
            | Features::SHADER_F16
            | Features::EXPERIMENTAL_COOPERATIVE_MATRIX
            | Features::TIMESTAMP_QUERY
            | Features::MAPPABLE_PRIMARY_BUFFERS;
        let features = Features::IMMEDIATES | adapter.features() & optional;
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("ironstar"),
            required_features: features,
            required_limits: limits.clone(),
            experimental_features: experimental_features(),
            memory_hints: wgpu::MemoryHints::Performance,
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))
            .map_err(|source| OpenError::Refused { adapter: info.name.clone(), source })?;
        let failure = Failure::default();
        let uncaptured = failure.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            uncaptured.note(error.into());
        }));
        let lost = failure.clone();
        device.set_device_lost_callback(move |reason, message| {
            // Dropping the device reports its own end, which is no failure.
            if reason != wgpu::DeviceLostReason::Destroyed {
                lost.note(Cause::Other(format!("the device was lost: {message}")));
            }
        });
        let offered = adapter.cooperative_matrix_properties();
        let profile =
            DeviceProfile::of_adapter(&info, features, &limits, &offered, options.profile);
        let memory_bytes = memory_bytes(&adapter);
        Ok(Self { raw: device, queue, profile, adapter: info, memory_bytes, failure })
    }

    /// Runs `make` and reports what it could not allocate.
    ///
    /// # Errors
    /// [`backend::Error::OutOfMemory`], or what else the device said.
    pub(crate) fn allocate<T>(
        &self,
        purpose: &'static str,
        wanted_bytes: u64,
        make: impl FnOnce() -> T,
    ) -> backend::Result<T> {
        let memory = self.raw.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let validation = self.raw.push_error_scope(wgpu::ErrorFilter::Validation);
        let made = make();
        let validation = pollster::block_on(validation.pop());
        let memory = pollster::block_on(memory.pop());
        match (memory, validation) {
            (None, None) => Ok(made),
            (Some(_), _) => Err(backend::Error::OutOfMemory { purpose, wanted_bytes }),
            (None, Some(error)) => Err(device_error(error.to_string())),
        }
    }

    /// Waits for everything submitted so far.
    ///
    /// # Errors
    /// If the device failed, now or since the last wait.
    pub(crate) fn wait(&self) -> backend::Result<()> {
        let wait = wgpu::PollType::Wait { submission_index: None, timeout: Some(DEVICE_TIMEOUT) };
        let waited = self.raw.poll(wait);
        self.check()?;
        waited.map(|_| ()).map_err(|error| {
            device_error(format!("it did not finish in time ({error}); try a smaller batch"))
        })
    }

    /// Remembers a failure of ours until somebody waits.
    pub(crate) fn fail(&self, reason: String) {
        self.failure.note(Cause::Other(reason));
    }

    /// What the device has reported so far.
    ///
    /// # Errors
    /// If it failed.
    pub(crate) fn check(&self) -> backend::Result<()> {
        match self.failure.noted() {
            None => Ok(()),
            Some(Cause::OutOfMemory) => {
                Err(device_error("it ran out of memory; try a smaller context".to_owned()))
            }
            Some(Cause::Other(reason)) => Err(device_error(reason)),
        }
    }
}

#[expect(unsafe_code, reason = "matrices that subgroups multiply are an experimental feature")]
fn experimental_features() -> wgpu::ExperimentalFeatures {
    // SAFETY: the one such feature in use is matrices, in kernels whose texts and shapes are ours.
    unsafe { wgpu::ExperimentalFeatures::enabled() }
}

/// Memory that is the device's own. Only Vulkan tells: wgpu has no question for it.
#[cfg(not(target_vendor = "apple"))]
#[expect(unsafe_code, reason = "a question to the driver below wgpu")]
fn memory_bytes(adapter: &wgpu::Adapter) -> Option<u64> {
    const DEVICE_LOCAL: u32 = 1;
    // SAFETY: the handle is used to ask, and dropped before the adapter is.
    let vulkan = unsafe { adapter.as_hal::<wgpu::hal::api::Vulkan>() }?;
    let instance = vulkan.shared_instance().raw_instance();
    // SAFETY: the physical device belongs to that instance, and both are alive.
    let memory =
        unsafe { instance.get_physical_device_memory_properties(vulkan.raw_physical_device()) };
    let heaps = memory.memory_heaps_as_slice().iter();
    Some(heaps.filter(|heap| heap.flags.as_raw() & DEVICE_LOCAL != 0).map(|heap| heap.size).sum())
}

/// Metal's own question is not in reach of wgpu.
#[cfg(target_vendor = "apple")]
fn memory_bytes(_: &wgpu::Adapter) -> Option<u64> {
    None
}

fn device_error(reason: String) -> backend::Error {
    backend::Error::Device { backend: crate::NAME, reason }
}

/// The adapter that is likely the fastest.
fn best_adapter(choice: AdapterChoice) -> Result<wgpu::Adapter, OpenError> {
    if choice == AdapterChoice::Hardware && !hardware::may_be_present() {
        return Err(OpenError::NoAdapter);
    }
    ranked_adapters()
        .into_iter()
        .find(|adapter| choice == AdapterChoice::Any || rank(adapter) > 0)
        .ok_or(OpenError::NoAdapter)
}

/// How fast an adapter likely is; 0 is a software one.
fn rank(adapter: &wgpu::Adapter) -> u32 {
    match adapter.get_info().device_type {
        DeviceType::DiscreteGpu => 4,
        DeviceType::IntegratedGpu => 3,
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 1,
        DeviceType::Cpu => 0,
    }
}

/// All adapters, the one that is likely the fastest first.
fn ranked_adapters() -> Vec<wgpu::Adapter> {
    let backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = backends;
    descriptor.flags = wgpu::InstanceFlags::empty();
    let instance = wgpu::Instance::new(descriptor);
    let mut adapters = pollster::block_on(instance.enumerate_adapters(backends));
    adapters.sort_by_key(|adapter| std::cmp::Reverse(rank(adapter)));
    adapters
}
