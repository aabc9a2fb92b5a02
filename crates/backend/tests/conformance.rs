//! The suite on the reference itself: it has to pass its own cases, so what remains to be seen is
//! that the cases run, that guard rows hold, and that the definitions depend on no batch.

use backend::conformance::{self, Group};
use backend::reference::Reference;

fn check(group: Group) {
    conformance::run_groups(&[group], || Reference);
}

#[test]
fn memory() {
    check(Group::Memory);
}

#[test]
fn linear() {
    check(Group::Linear);
}

#[test]
fn norm() {
    check(Group::Norm);
}

#[test]
fn hyper_connection() {
    check(Group::HyperConnection);
}

#[test]
fn kv() {
    check(Group::Kv);
}

#[test]
fn attention() {
    check(Group::Attention);
}

#[test]
fn experts() {
    check(Group::Experts);
}

#[test]
fn batch_invariance() {
    conformance::batch_invariance(|| Reference);
}
