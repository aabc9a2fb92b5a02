use backend::conformance::{Group, run_groups};
use backend_gpu::{Gpu, Options};
fn make() -> Gpu { let g = Gpu::open(Options::default()).unwrap(); eprintln!("{} {:?}", g.device_name(), g.profile()); g }
#[test] fn memory() { run_groups(&[Group::Memory], make); }
#[test] fn linear() { run_groups(&[Group::Linear], make); }
#[test] fn norm() { run_groups(&[Group::Norm], make); }
#[test] fn hyper_connection() { run_groups(&[Group::HyperConnection], make); }
#[test] fn kv() { run_groups(&[Group::Kv], make); }
#[test] fn attention() { run_groups(&[Group::Attention], make); }
#[test] fn experts() { run_groups(&[Group::Experts], make); }
