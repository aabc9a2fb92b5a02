//! What the machine has: its name, its memory, and how much of that this program holds.

use std::fs;

use sysinfo::{
    CGroupLimits, CpuRefreshKind, MemoryRefreshKind, ProcessRefreshKind, ProcessesToUpdate,
    RefreshKind, System,
};

/// The machine that the program runs on, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// The processor's name and the number of its cores that may be used.
    pub name: String,
    /// Memory that this process may use at most: the machine's, or its control group's limit.
    pub total_bytes: u64,
    /// Memory that could be taken now without swapping; cached files count as free.
    pub available_bytes: u64,
}

impl Machine {
    /// Asks the operating system; `None` on one that is not known.
    pub fn now() -> Option<Self> {
        let what = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing())
            .with_memory(MemoryRefreshKind::nothing().with_ram());
        let mut system = System::new_with_specifics(what).ok()?;
        let limits = group_limits(&mut system);
        let brand = system.cpus().first().map_or("unknown processor", |cpu| cpu.brand().trim());
        let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (mut total, mut available) = (system.total_memory(), system.available_memory());
        if let Some(group) = limits {
            total = total.min(group.total_memory);
            // What the group calls free leaves out its cached files, and a model file is one.
            available = available.min(group.total_memory.saturating_sub(group.rss));
        }
        Some(Self {
            name: format!("{brand}, {n_cores} cores"),
            total_bytes: total,
            available_bytes: available,
        })
    }
}

/// Limits of the control group that this process is in, if it is in one.
fn group_limits(system: &mut System) -> Option<CGroupLimits> {
    let own = sysinfo::get_current_pid().ok()?;
    let update = ProcessesToUpdate::Some(&[own]);
    system.refresh_processes_specifics(update, false, ProcessRefreshKind::nothing());
    system.process(own)?.cgroup_limits()
}

/// Bytes that this process has had read from disks so far, mapped files among them; `None` where the
/// operating system does not say.
pub fn disk_read_bytes() -> Option<u64> {
    let io = fs::read_to_string("/proc/self/io").ok()?;
    io.lines().find_map(|line| line.strip_prefix("read_bytes:"))?.trim().parse().ok()
}

/// Memory that this process holds for itself, mapped files not counted; `None` where the operating
/// system does not say.
pub fn private_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
