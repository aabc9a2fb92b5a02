//! What this machine can do for the model: its processor and graphics device, how fast they read
//! memory, whether their results are right, and which published files fit.
//!
//! Nothing here needs a model file. Expected rates are the limit of decoding: what a device reads in
//! a second, divided by the weights that a token reads.
//!
//! Refuses: words for people, and deciding which backend runs.

use std::panic::{self, AssertUnwindSafe};
use std::time::Instant;

use backend::conformance::{Group, check_group, spot_check};
use backend::{Backend, KvRounding};
use backend_cpu::{Cpu, Isa};
use model::{Geometry, MemoryPlan, Options};

use crate::error::Result;
use crate::gpu;
use crate::load::{DEFAULT_MAX_BATCH, ModelFile};
use crate::machine::Machine;
use crate::session::default_context;

/// Weight bytes that a token of the published q2 file reads while all its context can be attended.
const Q2_ACTIVE_BYTES: u64 = 9_200_000_000;

/// The published files by name, and the bytes of their tensors.
const PUBLISHED: [(&str, u64); 2] = [("q2", 86_714_775_900), ("q4", 164_628_167_004)];

/// How much is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Thoroughness {
    /// A handful of cases.
    Quick,
    /// All cases, but a handful on a graphics device that a processor pretends to be, which takes
    /// minutes for all.
    #[default]
    Usual,
    /// All cases.
    Full,
}

/// A file that is planned for.
#[derive(Debug, Clone, PartialEq)]
struct Weighed {
    /// What people call it.
    name: String,
    /// Bytes of its weights.
    weight_bytes: u64,
    /// Weight bytes that a token reads, where that is known.
    active_bytes: Option<u64>,
    /// Its dimensions.
    geometry: Geometry,
}

/// Memory of a graphics device.
#[derive(Debug, Clone, Copy)]
enum DeviceMemory {
    Bytes(u64),
    /// Its driver does not tell.
    Untold,
}

/// Whether something fits memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// All of it.
    Whole,
    /// What belongs to a session, but not the weights, which are read from the disk again and again.
    FromDisk,
    /// Not even what belongs to a session; or, on a device, anything.
    No,
    /// The memory of the device is not known.
    Unknown,
}

/// What a file costs and where it fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What people call the file.
    pub name: String,
    /// Bytes of its weights.
    pub weight_bytes: u64,
    /// Tokens of the session that is planned for.
    pub context: usize,
    /// KV and activations of that session.
    pub session_bytes: u64,
    /// Memory of the machine, as much as is free now.
    pub machine: Fit,
    /// Memory of the graphics device; `None` if there is none.
    pub device: Option<Fit>,
}

/// The processor.
#[derive(Debug, Clone, PartialEq)]
pub struct CpuReport {
    /// Threads that compute.
    pub n_threads: usize,
    /// Instruction set of the kernels.
    pub instruction_set: &'static str,
    /// 10⁹ bytes per second; `None` where memory is short.
    pub read_gb_s: Option<f64>,
}

/// A graphics device, as its driver presents it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterReport {
    /// Name of the device.
    pub name: String,
    /// The interface that it is reached through.
    pub interface: String,
    /// Name and version of the driver.
    pub driver: String,
    /// Discrete, integrated, virtual, a processor that pretends, or another.
    pub kind: String,
    /// Memory in bytes, where the driver tells.
    pub memory_bytes: Option<u64>,
    /// Threads of a subgroup where that is one number.
    pub subgroup_size: Option<u32>,
    /// Whether products of four pairs of bytes are one instruction.
    pub packed_dot: bool,
    /// Sides of the matrices of its matrix units, as the driver tells.
    pub matrix_size: Option<u32>,
    /// Largest buffer.
    pub buffer_bytes: u64,
    /// What a kernel may see of a buffer.
    pub binding_bytes: u64,
    /// Workgroup memory that a kernel may take.
    pub workgroup_bytes: u32,
    /// Threads that a workgroup may have.
    pub workgroup_threads: u32,
}

/// The graphics device that would run a model.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceReport {
    /// Name of the device and of its driver.
    pub name: String,
    /// Whether it is a processor that pretends.
    pub is_software: bool,
    /// Memory in bytes, where the driver tells.
    pub memory_bytes: Option<u64>,
    /// Sides of the matrices that kernels multiply.
    pub matrix_size: Option<u32>,
    /// Why its matrix units are not used, if they gave wrong results.
    pub refused_matrices: Option<String>,
    /// 10⁹ bytes per second; `None` where memory is short or the device failed.
    pub read_gb_s: Option<f64>,
    /// Seconds from one dependent kernel to the next, or what the device said instead.
    pub dispatch_seconds: std::result::Result<f64, String>,
}

/// Ops held against their plain definition.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// What computed.
    pub backend: &'static str,
    /// Which ops: a group of the conformance suite, or `spot check`.
    pub group: &'static str,
    /// Cases that were run; `None` where they are not counted.
    pub n_cases: Option<usize>,
    /// Cases that are off.
    pub n_failures: usize,
    /// What the first of them says about itself.
    pub first_failure: Option<String>,
    /// What it took.
    pub seconds: f64,
}

/// Everything about a machine.
#[derive(Debug)]
pub struct Diagnosis {
    /// Name and memory; `None` on an operating system that is not known.
    pub machine: Option<Machine>,
    /// The processor.
    pub cpu: CpuReport,
    /// All graphics devices, the one that would run a model first.
    pub adapters: Vec<AdapterReport>,
    /// The one that would, or why there is none.
    pub device: Result<DeviceReport>,
    /// What fits.
    pub plans: Vec<Plan>,
    /// Whether results are right.
    pub checks: Vec<Check>,
    /// The file that rates are expected for.
    pub rates_of: String,
    /// Weight bytes that a token of it reads.
    pub active_bytes: u64,
}

impl Diagnosis {
    /// Checks that failed, and all.
    pub fn n_failed(&self) -> (usize, usize) {
        let failed = self.checks.iter().filter(|check| check.n_failures > 0);
        (failed.count(), self.checks.len())
    }

    /// Tokens a second that a device decodes at most.
    pub fn expected_rate(&self, read_gb_s: f64) -> f64 {
        read_gb_s * 1e9 / self.active_bytes.max(1) as f64
    }
}

impl Weighed {
    fn published() -> impl Iterator<Item = Self> {
        PUBLISHED.into_iter().map(|(name, weight_bytes)| Self {
            name: name.to_owned(),
            weight_bytes,
            active_bytes: (name == "q2").then_some(Q2_ACTIVE_BYTES),
            geometry: Geometry::flash(),
        })
    }

    /// A file that can be inspected.
    ///
    /// # Errors
    /// If it holds another architecture, or its metadata does not fit together.
    fn of_file(file: &ModelFile) -> Result<Self> {
        let cost = file.inspect(None).cost?;
        Ok(Self {
            name: file.path().display().to_string(),
            weight_bytes: file.tensor_bytes(),
            active_bytes: Some(cost.active_bytes.total),
            geometry: cost.geometry,
        })
    }

    /// What it costs on a machine with so many bytes free and a device with such memory.
    fn plan(&self, free_bytes: Option<u64>, device: Option<DeviceMemory>) -> Plan {
        let context = default_context(&self.geometry);
        let options = Options::new(DEFAULT_MAX_BATCH, KvRounding::Applied);
        let session_bytes = MemoryPlan::new(&self.geometry, &options, context, 1).total_bytes();
        let wanted = self.weight_bytes + session_bytes;
        Plan {
            name: self.name.clone(),
            weight_bytes: self.weight_bytes,
            context,
            session_bytes,
            machine: match free_bytes {
                None => Fit::Unknown,
                Some(free) if wanted <= free => Fit::Whole,
                Some(free) if session_bytes <= free => Fit::FromDisk,
                Some(_) => Fit::No,
            },
            device: device.map(|memory| match memory {
                DeviceMemory::Untold => Fit::Unknown,
                DeviceMemory::Bytes(memory)
                    if wanted as f64 <= gpu::MEMORY_SHARE * memory as f64 =>
                {
                    Fit::Whole
                }
                DeviceMemory::Bytes(_) => Fit::No,
            }),
        }
    }
}

/// Looks at this machine, with `file` among the plans and in place of q2 for the rates.
///
/// `on_step` hears what is being done.
///
/// # Errors
/// If `file` is no model of ours. What is wrong with the machine is part of the diagnosis.
pub fn diagnose(
    file: Option<&ModelFile>,
    thoroughness: Thoroughness,
    on_step: &mut dyn FnMut(&str),
) -> Result<Diagnosis> {
    let mut candidates: Vec<Weighed> = Weighed::published().collect();
    if let Some(file) = file {
        candidates.insert(0, Weighed::of_file(file)?);
    }
    let machine = Machine::now();
    on_step("measuring the processor");
    let cpu = examine_cpu();
    on_step("measuring the graphics device");
    let adapters = quietly(gpu::adapters).unwrap_or_default();
    let device = gpu::examine();
    let free_bytes = machine.as_ref().map(|machine| machine.available_bytes);
    let device_memory = device
        .as_ref()
        .ok()
        .map(|device| device.memory_bytes.map_or(DeviceMemory::Untold, DeviceMemory::Bytes));
    let mut checks =
        check_backend("cpu", thoroughness != Thoroughness::Quick, on_step, || Ok(Cpu::default()));
    if let Ok(device) = &device {
        let all = match thoroughness {
            Thoroughness::Quick => false,
            Thoroughness::Usual => !device.is_software,
            Thoroughness::Full => true,
        };
        checks.extend(gpu::check(all, on_step));
    }
    Ok(Diagnosis {
        machine,
        cpu,
        adapters,
        device,
        plans: candidates.iter().map(|file| file.plan(free_bytes, device_memory)).collect(),
        checks,
        rates_of: candidates[0].name.clone(),
        active_bytes: candidates[0].active_bytes.unwrap_or(Q2_ACTIVE_BYTES),
    })
}

fn examine_cpu() -> CpuReport {
    let mut cpu = Cpu::default();
    let instruction_set = match cpu.isa() {
        Isa::Scalar => "none: portable code",
        Isa::Avx2 => "AVX2",
        Isa::Avx512 => "AVX-512",
        Isa::Neon => "NEON",
    };
    CpuReport { n_threads: cpu.n_threads(), instruction_set, read_gb_s: cpu.read_bandwidth() }
}

/// Holds a backend against the reference: group by group, or a handful of cases.
pub(crate) fn check_backend<B: Backend>(
    name: &'static str,
    all: bool,
    on_step: &mut dyn FnMut(&str),
    make: impl Fn() -> std::result::Result<B, String>,
) -> Vec<Check> {
    if !all {
        on_step(&format!("checking {name}"));
        let start = Instant::now();
        let found = quietly(|| make().and_then(|mut backend| spot_check(&mut backend)));
        let failures = found.and_then(|outcome| outcome).err();
        return vec![check("spot check", name, None, failures.as_slice(), start)];
    }
    let of_group = |group: Group| {
        on_step(&format!("checking {name}: {}", group.name()));
        let start = Instant::now();
        let (n_cases, failures) = match quietly(|| check_group(group, &make)) {
            Ok(outcome) => (Some(outcome.n_cases), outcome.failures),
            Err(panic) => (None, vec![panic]),
        };
        check(group.name(), name, n_cases, &failures, start)
    };
    Group::ALL.into_iter().map(of_group).collect()
}

fn check(
    group: &'static str,
    backend: &'static str,
    n_cases: Option<usize>,
    failures: &[String],
    start: Instant,
) -> Check {
    Check {
        backend,
        group,
        n_cases,
        n_failures: failures.len(),
        first_failure: failures.first().cloned(),
        seconds: start.elapsed().as_secs_f64(),
    }
}

/// Runs something that may panic, because a driver misbehaves or a result has the wrong shape: that
/// is a finding, and nothing is printed about it.
pub(crate) fn quietly<T>(work: impl FnOnce() -> T) -> std::result::Result<T, String> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    panic::set_hook(hook);
    done.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        format!("panicked: {}", text.unwrap_or("no message"))
    })
}

#[cfg(test)]
mod tests {
    use backend::reference::Reference;

    use super::*;

    const GIB: u64 = 1 << 30;

    /// A context of 32,768 tokens takes 110 MiB of KV by the 3,509 bytes of a token, beside windows
    /// and activations.
    #[test]
    fn plans_say_what_fits() {
        let q2 = Weighed::published().next().expect("q2 is published");
        let bytes = |gib| Some(DeviceMemory::Bytes(gib * GIB));
        let check = |free, device, expected| {
            let plan = q2.plan(free, device);
            assert!((110 << 20..GIB).contains(&plan.session_bytes), "{plan:?}");
            assert_eq!((plan.machine, plan.device), expected);
        };
        check(Some(128 * GIB), None, (Fit::Whole, None));
        check(Some(80 * GIB), Some(DeviceMemory::Untold), (Fit::FromDisk, Some(Fit::Unknown)));
        check(Some(100 << 20), bytes(80), (Fit::No, Some(Fit::No)));
        // A tenth of a device is left to others.
        check(None, bytes(96), (Fit::Unknown, Some(Fit::Whole)));
        check(None, bytes(88), (Fit::Unknown, Some(Fit::No)));
    }

    fn diagnosis(checks: Vec<Check>) -> Diagnosis {
        Diagnosis {
            machine: None,
            cpu: CpuReport { n_threads: 1, instruction_set: "none", read_gb_s: None },
            adapters: Vec::new(),
            device: Err(crate::Error::NoBackend { backend: "gpu" }),
            plans: Vec::new(),
            checks,
            rates_of: "q2".to_owned(),
            active_bytes: Q2_ACTIVE_BYTES,
        }
    }

    /// Oracle: design section 2, an H200's 4.8 TB/s are 520 tokens a second.
    #[test]
    fn the_rate_is_bandwidth_over_active_bytes() {
        let rate = diagnosis(Vec::new()).expected_rate(4800.0);
        assert!((520.0..523.0).contains(&rate), "{rate}");
    }

    #[test]
    fn a_backend_that_works_passes() {
        let mut steps = Vec::new();
        let checks =
            check_backend("reference", false, &mut |step| steps.push(step.to_owned()), || {
                Ok(Reference)
            });
        assert_eq!(steps, ["checking reference"]);
        assert_eq!((checks[0].n_failures, &checks[0].first_failure), (0, &None));
    }

    #[test]
    fn a_device_that_is_gone_fails_every_group_with_its_reason() {
        let gone =
            || -> std::result::Result<Reference, String> { Err("the device is gone".into()) };
        let checks = check_backend("gpu", true, &mut |_| {}, gone);
        let groups: Vec<_> = checks.iter().map(|check| check.group).collect();
        assert_eq!(groups, Group::ALL.map(Group::name));
        for check in &checks {
            assert_eq!(Some(check.n_failures), check.n_cases);
            let first = check.first_failure.as_deref().expect("it failed");
            assert!(first.contains("the device is gone"), "{first}");
        }
        assert_eq!(diagnosis(checks).n_failed(), (7, 7));
    }

    #[test]
    fn a_panic_is_a_line() {
        assert_eq!(quietly(|| 1), Ok(1));
        let found: std::result::Result<(), String> = quietly(|| panic!("a driver gave {}", 7));
        assert_eq!(found, Err("panicked: a driver gave 7".to_owned()));
    }
}
