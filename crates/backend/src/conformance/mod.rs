//! The cases that every backend passes.
//!
//! A backend's whole op test is [`run`]: each op on a table of sizes and inputs, against the
//! reference within named limits. On the way it checks what holds for any op: the same input gives
//! the same bits twice, rows that belong to others stay as they are, and a result does not depend,
//! within the limit, on how tokens were spread over batches. [`batch_invariance`] asks for the last
//! to the bit; it is a promise that not every backend makes. [`spot_check`] is a handful of cases for
//! programs to run on a user's device.
//!
//! Failures are collected; the panic at the end lists every case with the numbers that are off.
//!
//! | file | holds |
//! |---|---|
//! | `cases` | the table |
//! | `inputs` | seeded activations, weights and rows |
//! | `limits` | how far a result may be off, and why |
//! | `metrics` | how far it is off |
//! | `check` | running a case under a law |
//! | the others | driving the ops, under the names of the reference's files |
//!
//! Refuses: knowing any backend but the reference; timing.

mod attention;
mod cases;
mod check;
mod experts;
mod hyper_connection;
pub mod inputs;
mod kv;
mod limits;
mod linear;
mod memory;
mod metrics;
mod norm;
mod tensors;

use check::{Checker, Law};

use crate::ops::Backend;

/// A group of ops, for backends that test them one group at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Activations and KV rows, written and read.
    Memory,
    /// `embed`, `matmul`, `matmuls`, `norm_matmuls`, `grouped_matmul`.
    Linear,
    /// `rms_norm`, `rms_norm_heads`, `rope_tail`.
    Norm,
    /// `hc_mix`, `hc_expand`, `hc_head`, `hc_enter`, `hc_next`.
    HyperConnection,
    /// `store_kv`, `compress`, `store_all`, `index_select`.
    Kv,
    /// `attend`, `attend_raw`.
    Attention,
    /// `route`, `routed_experts`, `shared_expert`, `all_experts`.
    Experts,
}

impl Group {
    /// All groups, in an order in which each uses only ops of itself and of those in front, except
    /// that a selection is seen through `attend`.
    pub const ALL: [Self; 7] = [
        Self::Memory,
        Self::Linear,
        Self::Norm,
        Self::HyperConnection,
        Self::Kv,
        Self::Attention,
        Self::Experts,
    ];

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Linear => "linear",
            Self::Norm => "norm",
            Self::HyperConnection => "hyper-connection",
            Self::Kv => "kv",
            Self::Attention => "attention",
            Self::Experts => "experts",
        }
    }

    fn check<F, B>(self, checker: &mut Checker<F, B>)
    where
        F: FnMut() -> std::result::Result<B, String>,
        B: Backend,
    {
        match self {
            Self::Memory => {
                checker.check_all(&cases::rows());
                checker.check_all(&cases::kv_exchange());
            }
            Self::Linear => {
                checker.check_all(&cases::embed());
                checker.check_all(&cases::matmul());
                checker.check_all(&cases::matmuls());
                checker.check_all(&cases::norm_matmuls());
                checker.check_all(&cases::grouped_matmul());
            }
            Self::Norm => {
                checker.check_all(&cases::rms_norm());
                checker.check_all(&cases::rope_tail());
            }
            Self::HyperConnection => checker.check_all(&cases::hyper_connection()),
            Self::Kv => {
                checker.check_all(&cases::store_kv());
                checker.check_all(&cases::compress());
                checker.check_all(&cases::store_all());
                checker.check_all(&cases::index_select());
            }
            Self::Attention => {
                checker.check_all(&cases::attend());
                checker.check_all(&cases::attend_raw());
            }
            Self::Experts => {
                checker.check_all(&cases::route());
                checker.check_all(&cases::routed_experts());
                checker.check_all(&cases::shared_expert());
                checker.check_all(&cases::all_experts());
            }
        }
    }
}

/// What came of the cases of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupOutcome {
    /// Cases that were run.
    pub n_cases: usize,
    /// What those that are off say about themselves, in their order.
    pub failures: Vec<String>,
}

/// Holds a few products, attentions and choices of many tokens against the reference: what a device may
/// run on matrix units. For backends that ask before they trust a device; it takes about a tenth of a
/// second beside the device's own time.
///
/// # Errors
/// What the first case that is off says about itself.
pub fn spot_check<B: Backend>(backend: &mut B) -> std::result::Result<(), String> {
    check::agree(backend, &cases::spot_products())?;
    check::agree(backend, &cases::spot_experts())?;
    check::agree(backend, &cases::attend_with_many_heads())?;
    check::agree(backend, &cases::select_with_many_heads())
}

/// Compares every op of a backend with the reference.
///
/// `make` is called once, and again after a case that panicked.
///
/// # Panics
/// If a case fails, at the end, with the list of all that did.
pub fn run<B: Backend>(make: impl FnMut() -> B) {
    run_groups(&Group::ALL, make);
}

/// Like [`run`], for some groups of ops.
///
/// # Panics
/// As [`run`].
pub fn run_groups<B: Backend>(groups: &[Group], mut make: impl FnMut() -> B) {
    let mut checker = Checker::new(|| Ok(make()), Law::Reference);
    for group in groups {
        group.check(&mut checker);
    }
    checker.finish();
}

/// Like [`run_groups`] for one group, with failures as data: for programs to run on a user's device.
///
/// A backend that cannot be made, now or again after a case that panicked, is a failure of the case
/// that needed it.
pub fn check_group<B: Backend>(
    group: Group,
    make: impl FnMut() -> std::result::Result<B, String>,
) -> GroupOutcome {
    let mut checker = Checker::new(make, Law::Reference);
    group.check(&mut checker);
    checker.outcome()
}

/// Checks that a token's results have the same bits alone, in any batch, and at any row of it, and
/// that a timeline's KV has the same bytes however its tokens were chunked.
///
/// # Panics
/// As [`run`].
pub fn batch_invariance<B: Backend>(mut make: impl FnMut() -> B) {
    let mut checker = Checker::new(|| Ok(make()), Law::BatchInvariance);
    for group in Group::ALL {
        group.check(&mut checker);
    }
    checker.finish();
}
