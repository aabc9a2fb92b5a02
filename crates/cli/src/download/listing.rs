//! Which files there are, which are here, and which fit this machine.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use anyhow::{Context as _, Result};
use engine::Machine;
use indicatif::HumanBytes;

use super::catalogue::{Entry, Kind};
use super::note;
use super::shelf::Shelf;

/// What a context of 32,768 tokens takes beside the weights (`inspect` has the exact number), and
/// what the operating system wants for itself.
const BESIDE_THE_WEIGHTS: u64 = 4 << 30;

/// Whether a machine holds a file in memory and has room to work.
pub(super) fn fits(entry: &Entry, machine: &Machine) -> bool {
    entry.about_bytes + BESIDE_THE_WEIGHTS <= machine.total_bytes
}

/// Warns before a download that will not run well here.
pub(super) fn warn_if_large(entry: &Entry, machine: &Machine) -> Result<()> {
    if entry.kind == Kind::Companion || fits(entry, machine) {
        return Ok(());
    }
    note(&format!(
        "{} has about {} and this machine {} of memory: it will run from the disk, and slowly",
        entry.name,
        HumanBytes(entry.about_bytes),
        HumanBytes(machine.total_bytes)
    ))
}

/// Writes the catalogue.
pub(super) fn list(shelf: &Shelf) -> Result<()> {
    let machine = Machine::now();
    io::stdout()
        .write_all(table(shelf, machine.as_ref()).as_bytes())
        .context("cannot write the list")
}

fn table(shelf: &Shelf, machine: Option<&Machine>) -> String {
    let mut text =
        String::from("name            size        here        this machine  what it is\n");
    for entry in Entry::all() {
        let unfinished = shelf.unfinished_bytes(entry);
        let here = match shelf.find(entry) {
            Some(_) => "yes",
            None if unfinished > 0 => "begun",
            None => "-",
        };
        let verdict = match (entry.kind, machine) {
            (Kind::Companion, _) | (_, None) => "-",
            (Kind::Model, Some(machine)) if fits(entry, machine) => "fits",
            (Kind::Model, Some(_)) => "from the disk",
        };
        let size = HumanBytes(entry.about_bytes).to_string();
        writeln!(text, "{:<15} {size:<11} {here:<11} {verdict:<13} {}", entry.name, entry.about)
            .expect("strings take any text");
    }
    writeln!(text, "\n{}", advice(machine)).expect("strings take any text");
    writeln!(text, "files lie in {}", shelf.path().display()).expect("strings take any text");
    text
}

/// Which file to take.
fn advice(machine: Option<&Machine>) -> String {
    let Some(machine) = machine else {
        return "the operating system does not say how much memory there is; q2 takes 85 GiB"
            .to_owned();
    };
    let memory = HumanBytes(machine.total_bytes);
    let newest = Entry::models().filter(|entry| !entry.name.ends_with("-preview"));
    match newest.filter(|entry| fits(entry, machine)).last() {
        Some(best) => {
            format!("with {memory} of memory, take {}: ironstar download {}", best.name, best.name)
        }
        None => format!(
            "{memory} of memory hold none of them; q2 runs from the disk, a token in seconds \
             (docs/memory.md has measurements)"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_follows_memory() {
        let check = |gib: u64, expected: &str| {
            let bytes = gib << 30;
            let machine =
                Machine { name: String::new(), total_bytes: bytes, available_bytes: bytes };
            let advice = advice(Some(&machine));
            assert!(advice.contains(expected), "{gib} GiB: {advice}");
        };
        check(24, "hold none");
        check(64, "hold none");
        check(96, "download mixed");
        check(92, "download q2");
        check(128, "download mixed");
        check(192, "download q4");
        check(512, "download q4");
    }
}
