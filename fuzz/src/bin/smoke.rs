//! Runs the fuzz targets on a stable compiler, with inputs that are the same in every run.
//!
//! `smoke` runs every target and then proves with the canary that a panic would have been caught.
//! `smoke TARGET` runs one; `smoke TARGET N` runs it with N inputs. The status is 0 if no target
//! panicked and the canary did, 1 otherwise, 2 if the arguments are wrong.

use std::panic;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use fastrand::Rng;
use ironstar_fuzz::{CANARY, TARGETS, Target};

/// About a second of work per target.
const DEFAULT_N_INPUTS: u64 = 200_000;
const SEED: u64 = 0x1205_7a12;
const MAX_RANDOM_BYTES: usize = 512;
const MAX_INPUT_BYTES: usize = 1 << 16;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((targets, n_inputs)) = parse(&arguments) else {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        eprintln!("usage: smoke [{}|{} [N_INPUTS]]", names.join("|"), CANARY.name);
        return ExitCode::from(2);
    };
    // Panics are reported below, with the input that caused them; the canary's are expected.
    panic::set_hook(Box::new(|_| ()));
    let held = targets.iter().filter(|target| holds(target, n_inputs)).count();
    if held == targets.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The targets to run and the number of inputs for each; `None` if the arguments are wrong.
fn parse(arguments: &[String]) -> Option<(Vec<&'static Target>, u64)> {
    let all = || TARGETS.iter().chain([&CANARY]);
    match arguments {
        [] => Some((all().collect(), DEFAULT_N_INPUTS)),
        [name, n_inputs @ ..] => {
            let target = all().find(|target| target.name == name)?;
            let n_inputs = match n_inputs {
                [] => DEFAULT_N_INPUTS,
                [n_inputs] => n_inputs.parse().ok()?,
                _ => return None,
            };
            Some((vec![target], n_inputs))
        }
    }
}

/// Whether the target behaved: did not panic or, for the canary, did.
fn holds(target: &Target, n_inputs: u64) -> bool {
    let is_canary = target.name == CANARY.name;
    let start = Instant::now();
    let failure = first_panic(target, n_inputs);
    let seconds = start.elapsed().as_secs_f64();
    match (&failure, is_canary) {
        (None, false) => println!("{}: {n_inputs} inputs held in {seconds:.1} s", target.name),
        (None, true) => println!("canary: MISSED, a panic would go unnoticed"),
        (Some(failure), true) => println!("canary: caught at input {}", failure.index),
        (Some(failure), false) => {
            let Failure { index, input, message } = failure;
            println!("{}: PANIC at input {index}: {message}", target.name);
            match keep(target, *index, input) {
                Ok(path) => println!("{}: input kept in {}", target.name, path.display()),
                Err(error) => println!("{}: input not kept: {error}", target.name),
            }
        }
    }
    failure.is_some() == is_canary
}

struct Failure {
    index: u64,
    input: Vec<u8>,
    message: String,
}

/// Tries the seeds, then mutated seeds and random bytes in turn, until one makes the target panic.
fn first_panic(target: &Target, n_inputs: u64) -> Option<Failure> {
    let mut rng = Rng::with_seed(SEED);
    let seeds = (target.seeds)();
    (0..n_inputs).find_map(|index| {
        let input = match seeds.get(index as usize) {
            Some(seed) => seed.clone(),
            None if index % 4 == 0 => random(&mut rng),
            None => mutated(&mut rng, &seeds),
        };
        let payload = panic::catch_unwind(|| (target.run)(&input)).err()?;
        let message = payload
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| payload.downcast_ref::<&str>().map(|&message| message.to_owned()))
            .unwrap_or_default();
        Some(Failure { index, input, message })
    })
}

fn random(rng: &mut Rng) -> Vec<u8> {
    let n_bytes = rng.usize(..=MAX_RANDOM_BYTES);
    (0..n_bytes).map(|_| rng.u8(..)).collect()
}

fn mutated(rng: &mut Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut input = seeds[rng.usize(..seeds.len())].clone();
    for _ in 0..rng.u32(1..=6) {
        mutate(rng, &mut input, seeds);
    }
    input.truncate(MAX_INPUT_BYTES);
    input
}

/// Changes one thing about `input`.
fn mutate(rng: &mut Rng, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    let at = rng.usize(..=input.len());
    let end = rng.usize(at..=input.len().min(at + 64));
    match rng.u8(..8) {
        0 => input.truncate(at),
        1 => drop(input.drain(at..end)),
        2 => input.extend_from_within(at..end),
        3 => drop(input.splice(at..at, random(rng))),
        4 => {
            let other = &seeds[rng.usize(..seeds.len())];
            input.truncate(at);
            input.extend_from_slice(&other[rng.usize(..=other.len())..]);
        }
        5 => {
            let number = interesting(rng).to_le_bytes();
            let n_bytes = [1, 2, 4, 8][rng.usize(..4)].min(input.len() - at);
            input[at..at + n_bytes].copy_from_slice(&number[..n_bytes]);
        }
        6 => input[at..end].fill_with(|| rng.u8(..)),
        _ => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << rng.u8(..8);
            }
        }
    }
}

/// A number near a border: small, or near a power of two.
fn interesting(rng: &mut Rng) -> u64 {
    let power = 1_u64.checked_shl(rng.u32(..=64)).unwrap_or(0);
    power.wrapping_add(rng.u64(..4)).wrapping_sub(2)
}

/// Keeps an input that made a target panic.
fn keep(target: &Target, index: u64, input: &[u8]) -> std::io::Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts").join(target.name);
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(format!("smoke-{index}"));
    std::fs::write(&path, input)?;
    Ok(path)
}
