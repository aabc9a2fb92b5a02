//! Passes of the benchmark on a small random model, and plans against a machine's memory.
//!
//! No oracle: rates are what they are. What holds is what was counted.

use std::time::Instant;

use crate::small_model::SmallModel;
use engine::{
    BackendChoice, BenchOptions, CancelToken, Error, Inference, LoadOptions, Machine, MemoryPlan,
    ModelFile, bench,
};

fn load() -> Box<dyn Inference> {
    let file = ModelFile::from(SmallModel::new().write());
    let backend = BackendChoice::Cpu;
    let options = LoadOptions { backend, max_batch: Some(16), ..LoadOptions::default() };
    file.load(&options, &mut |_| {}).expect("the file is sound")
}

fn options(frontiers: &[usize], made_up: Option<usize>) -> BenchOptions {
    BenchOptions {
        frontiers: frontiers.to_vec(),
        decode_tokens: 4,
        tokens: vec![1, 2, 3],
        made_up,
        time_kernels: false,
    }
}

/// Contexts and prefilled tokens of a pass, and the last count it told.
fn check(options: &BenchOptions, cancel: &CancelToken, expected: &[(usize, usize)], last: usize) {
    let mut model = load();
    let mut told = 0;
    let start = Instant::now();
    let frontiers =
        bench(model.as_mut(), options, cancel, &mut |done| told = done).expect("it runs");
    let elapsed = start.elapsed().as_secs_f64();
    let found: Vec<_> = frontiers.iter().map(|f| (f.context, f.prefill_tokens)).collect();
    assert_eq!(found, expected);
    assert_eq!(told, last);
    for frontier in &frontiers {
        assert_eq!(frontier.decode_tokens, 4);
        assert!(frontier.decode_seconds > 0.0 && frontier.decode_seconds < elapsed);
        let stored = MemoryPlan::stored_bytes(model.geometry(), frontier.context);
        assert_eq!(frontier.kv_bytes, stored);
    }
}

#[test]
fn intervals_are_what_lies_between_frontiers() {
    let going = CancelToken::new();
    check(&options(&[10, 40, 41 + 4], None), &going, &[(10, 10), (40, 26), (45, 1)], 49);
    check(&options(&[40, 200], Some(1)), &going, &[(40, 1), (200, 1)], 204);
    check(&options(&[40, 200], Some(50)), &going, &[(40, 40), (200, 50)], 204);
}

#[test]
fn a_cancelled_pass_keeps_what_it_has() {
    let cancelled = CancelToken::new();
    cancelled.cancel();
    check(&options(&[10], None), &cancelled, &[], 0);
}

#[test]
fn frontiers_that_overlap_are_refused() {
    for frontiers in [&[10, 14][..], &[10, 10], &[0]] {
        let error = options(frontiers, None).check().expect_err("they overlap");
        assert!(matches!(error, Error::Frontier { .. }), "{error}");
    }
    options(&[10, 15], None).check().expect("there is room for the decoded tokens");
}

#[test]
fn no_batch_is_larger_than_the_widest_gap() {
    let largest = |made_up| options(&[10, 40], made_up).largest_prefill();
    assert_eq!(largest(None), 40 - options(&[10], None).context());
    assert_eq!([largest(Some(3)), largest(Some(64))], [3, 40]);
}

#[test]
fn a_plan_that_does_not_fit_says_what_would() {
    let file = ModelFile::from(SmallModel::new().write());
    let options = LoadOptions::default();
    let plan = |context, available_bytes| {
        let machine =
            Machine { name: String::new(), total_bytes: available_bytes, available_bytes };
        file.plan_memory(&options, context, 2, &machine)
    };
    let bytes = |context| plan(context, u64::MAX).expect("it fits").total_bytes();
    for context in [1024, 2048, 3072] {
        plan(context, bytes(context)).expect("a plan that fits to the byte is taken");
        let error = plan(context + 512, bytes(context)).expect_err("one that is larger is not");
        let Error::Memory { fitting, planned_bytes, .. } = error else { panic!("{error}") };
        assert_eq!(fitting, Some(context));
        assert_eq!(planned_bytes, bytes(context + 512));
    }
    let error = plan(4096, 1000).expect_err("nothing fits a kilobyte");
    assert!(matches!(error, Error::Memory { fitting: None, .. }), "{error}");
}
