//! The backend against the reference (the oracle: the formulas, in f64), on the adapter of this
//! machine, in the variants for it, for an Apple GPU, and for devices without subgroups.

use backend::conformance::{Group, run_groups};
use backend_gpu::{AdapterChoice, Gpu, OpenError, Options, ProfileChoice};

/// Opens a device, or says that the test is skipped.
fn open(profile: ProfileChoice) -> Option<Gpu> {
    match Gpu::open(Options { adapter: AdapterChoice::Any, profile }) {
        Ok(gpu) => Some(gpu),
        Err(OpenError::NoAdapter) => {
            #[expect(clippy::disallowed_methods, reason = "a switch of the test run")]
            let required = std::env::var_os("IRONSTAR_REQUIRE_GPU").is_some();
            assert!(!required, "there is no GPU, and IRONSTAR_REQUIRE_GPU is set");
            say_skipped();
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn say_skipped() {
    eprintln!("skipped: no GPU (a software one such as lavapipe will do)");
}

fn check(groups: &[Group], profile: ProfileChoice) {
    if open(profile).is_some() {
        run_groups(groups, || open(profile).expect("it could be opened before"));
    }
}

#[test]
fn memory() {
    check(&[Group::Memory], ProfileChoice::Device);
}

#[test]
fn linear() {
    check(&[Group::Linear], ProfileChoice::Device);
}

#[test]
fn norms_and_hyper_connections() {
    check(&[Group::Norm, Group::HyperConnection], ProfileChoice::Device);
}

#[test]
fn kv() {
    check(&[Group::Kv], ProfileChoice::Device);
}

#[test]
fn attention() {
    check(&[Group::Attention], ProfileChoice::Device);
}

#[test]
fn experts() {
    check(&[Group::Experts], ProfileChoice::Device);
}

/// Memory has no variants.
#[test]
fn as_on_an_apple_gpu() {
    check(&Group::ALL[1..], ProfileChoice::Apple);
}

/// Where subgroups are not those of an Apple GPU, the test above has done without already.
#[test]
fn without_subgroups() {
    let apple = open(ProfileChoice::Apple);
    if apple.is_some_and(|gpu| gpu.profile().subgroup_size.is_some()) {
        check(&Group::ALL[1..], ProfileChoice::Portable);
    }
}

/// Only devices with matrix units have anything to show here.
#[test]
fn matrix_units_are_right() {
    if let Some(gpu) = open(ProfileChoice::Device) {
        assert_eq!(gpu.refused_matrices(), None);
    }
}
