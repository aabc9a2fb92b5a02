//! Energy that the processor counts, where the operating system lets it be read: RAPL on Linux.
//!
//! Counts whole packages, whatever runs on them, and neither graphics cards nor the rest of the
//! machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

const POWERCAP: &str = "/sys/class/powercap";

/// Energy of a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Energy {
    pub(super) joules: f64,
    pub(super) watts: f64,
}

/// Counts from its start on.
pub(super) struct EnergyMeter {
    packages: Vec<Package>,
    start: Instant,
}

/// A counter of one package.
struct Package {
    counter: PathBuf,
    /// Microjoules at which it begins again.
    range: u64,
    before: u64,
}

impl EnergyMeter {
    /// `None` where nothing may be read.
    pub(super) fn start() -> Option<Self> {
        Self::start_in(Path::new(POWERCAP))
    }

    fn start_in(folder: &Path) -> Option<Self> {
        let zones = fs::read_dir(folder).ok()?.flatten().map(|zone| zone.path());
        let packages: Vec<_> = zones.filter_map(|zone| Package::open(&zone)).collect();
        (!packages.is_empty()).then(|| Self { packages, start: Instant::now() })
    }

    /// What was used since the start. Right as long as no counter went round twice, which takes
    /// many minutes at full power.
    pub(super) fn read(&self) -> Option<Energy> {
        let used = |package: &Package| -> Option<u64> {
            let now = number(&package.counter)?;
            Some(if now >= package.before {
                now - package.before
            } else {
                now + package.range - package.before
            })
        };
        let microjoules: u64 = self.packages.iter().map(used).sum::<Option<u64>>()?;
        let joules = microjoules as f64 / 1e6;
        Some(Energy { joules, watts: joules / self.start.elapsed().as_secs_f64() })
    }
}

impl Package {
    fn open(zone: &Path) -> Option<Self> {
        let name = fs::read_to_string(zone.join("name")).ok()?;
        if !name.starts_with("package") {
            return None;
        }
        let counter = zone.join("energy_uj");
        let before = number(&counter)?;
        Some(Self { counter, range: number(&zone.join("max_energy_range_uj"))?, before })
    }
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn packages_are_summed_and_may_go_round() {
        let folder = TempDir::new().expect("a temporary folder");
        let zone = |zone: &str, name: &str, counter: u64| {
            let path = folder.path().join(zone);
            fs::create_dir_all(&path).expect("it is writable");
            let write = |file: &str, text: String| {
                fs::write(path.join(file), text).expect("it is writable");
            };
            write("name", format!("{name}\n"));
            write("energy_uj", format!("{counter}\n"));
            write("max_energy_range_uj", "10000000\n".to_owned());
        };
        assert!(EnergyMeter::start_in(folder.path()).is_none());
        zone("a", "package-0", 9_000_000);
        zone("b", "package-1", 1_000_000);
        zone("c", "core", 5_000_000);
        let meter = EnergyMeter::start_in(folder.path()).expect("two packages");
        zone("a", "package-0", 2_000_000);
        zone("b", "package-1", 1_500_000);
        zone("c", "core", 9_000_000);
        let energy = meter.read().expect("they are there");
        assert!((energy.joules - 3.5).abs() < 1e-9, "{energy:?}");
        assert!(energy.watts > 0.0);
    }
}
