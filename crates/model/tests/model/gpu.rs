//! The whole forward pass on a GPU, where there is one.
//!
//! Oracle for the numbers is the reference backend. Bits may depend on the batch here: products
//! of a few tokens run other kernels than products of many.

use crate::rewind::{self, Step};
use crate::support::{Fixture, all_f32, nano, q2, tokens, wide};
use backend::reference::Reference;
use backend::{Backend, KvRounding};
use backend_gpu::{AdapterChoice, Gpu, OpenError, Options as GpuOptions, ProfileChoice};
use gguf::MappedFile;
use model::{Extend, Inference, KvPart, LogitsWanted, Model, Options};

/// Opens a device, or says that the test is skipped.
fn open(profile: ProfileChoice) -> Option<Gpu> {
    match Gpu::open(GpuOptions { adapter: AdapterChoice::Any, profile }) {
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

fn load<B: Backend>(backend: B, file: &MappedFile, kv_rounding: KvRounding) -> Model<B> {
    let options = Options::new(300, kv_rounding);
    Model::load(backend, file, options, &mut |_| ()).expect("the fixture is sound")
}

/// Logits after every token, the prompt fed in chunks.
fn logits<B: Backend>(model: &mut Model<B>, tokens: &[u32], chunk: usize) -> Vec<f32> {
    let slot = model.open_slot(tokens.len()).expect("there is memory");
    let mut all = Vec::new();
    for tokens in tokens.chunks(chunk) {
        let extend = Extend { slot, tokens, logits: LogitsWanted::All };
        model
            .extend(&[extend], &mut |_, _, row| all.extend_from_slice(row))
            .expect("the tokens are valid and fit");
    }
    model.close_slot(slot);
    all
}

/// Largest difference relative to the largest expected value.
fn apart(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0f32, |max, v| v.abs().max(max));
    let far = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    far.fold(0f32, |max, v| if v.is_nan() { f32::INFINITY } else { v.max(max) }) / largest
}

/// Without roundings nothing amplifies last bits, so every chunking agrees closely with the
/// reference.
fn check_agreement(profile: ProfileChoice) {
    let Some(gpu) = open(profile) else { return };
    let file = Fixture::new(&nano(), all_f32, 2).write();
    let tokens = tokens(&nano(), 200, 6);
    let expected = logits(&mut load(Reference, &file, KvRounding::Off), &tokens, 200);
    let mut model = load(gpu, &file, KvRounding::Off);
    for chunk in [200, 64, 7, 1] {
        let far = apart(&logits(&mut model, &tokens, chunk), &expected);
        assert!(far <= 1e-5, "chunks of {chunk} are off by {far:e}");
    }
}

#[test]
fn gpu_agrees_with_the_reference() {
    check_agreement(ProfileChoice::Device);
}

#[test]
fn gpu_agrees_with_the_reference_as_on_an_apple_gpu() {
    check_agreement(ProfileChoice::Apple);
}

/// Weights of the published recipe, in the variant that leaves activations in front of them as they
/// are.
#[test]
fn gpu_agrees_with_the_reference_on_quantised_weights() {
    let Some(gpu) = open(ProfileChoice::Apple) else { return };
    let file = Fixture::new(&wide(), q2, 3).write();
    let tokens = tokens(&wide(), 12, 6);
    let expected = logits(&mut load(Reference, &file, KvRounding::Off), &tokens, 12);
    let mut model = load(gpu, &file, KvRounding::Off);
    for chunk in [12, 1] {
        let far = apart(&logits(&mut model, &tokens, chunk), &expected);
        assert!(far <= 1e-4, "chunks of {chunk} are off by {far:e}");
    }
}

/// 8-bit activations add noise of about half a per cent per product, as on the cpu backend, whose
/// test has the same limit.
#[test]
fn gpu_stays_close_to_the_reference_with_rounded_activations() {
    let Some(gpu) = open(ProfileChoice::Device) else { return };
    let file = Fixture::new(&wide(), q2, 3).write();
    let tokens = tokens(&wide(), 12, 6);
    let expected = logits(&mut load(Reference, &file, KvRounding::Off), &tokens, 12);
    let found = logits(&mut load(gpu, &file, KvRounding::Off), &tokens, 1);
    let product: f64 = expected.iter().zip(&found).map(|(a, b)| f64::from(a * b)).sum();
    let norm = |x: &[f32]| x.iter().map(|v| f64::from(v * v)).sum::<f64>().sqrt();
    let correlation = product / norm(&expected) / norm(&found);
    assert!(correlation > 0.998, "correlation {correlation}");
}

/// Cuts, copies, blocks and frontiers, within the limit of any chunking.
#[test]
fn gpu_timelines_can_be_cut_copied_and_moved() {
    let Some(gpu) = open(ProfileChoice::Device) else { return };
    let file = Fixture::new(&nano(), all_f32, 2).write();
    let mut model = load(gpu, &file, KvRounding::Off);
    let steps = [
        (false, Step::Run { n: 150, chunk: 150, seed: 1 }),
        (false, Step::Rewind(0.9)),
        (false, Step::RewindAndRunSome(0.3, 0.02)),
        (false, Step::Run { n: 110, chunk: 110, seed: 3 }),
        (false, Step::Fork(0.95)),
        (true, Step::Move(0.9)),
        (false, Step::Enter(0.9)),
    ];
    rewind::check(&mut model, &steps, |found, expected| apart(found, expected) <= 1e-5);
}

/// The same batches give the same bits, and slots of one batch do not see each other.
#[test]
fn gpu_repeats_itself_and_keeps_slots_apart() {
    let Some(gpu) = open(ProfileChoice::Device) else { return };
    let file = Fixture::new(&nano(), all_f32, 2).write();
    let mut model = load(gpu, &file, KvRounding::Applied);
    let prompts = [tokens(&nano(), 90, 7), tokens(&nano(), 61, 8)];
    let alone: Vec<Vec<f32>> = prompts.iter().map(|p| logits(&mut model, p, 300)).collect();
    assert!(logits(&mut model, &prompts[0], 300) == alone[0], "a second run differs");

    let slots: Vec<_> = prompts.iter().map(|p| model.open_slot(p.len()).unwrap()).collect();
    let batch: Vec<_> = prompts
        .iter()
        .zip(&slots)
        .map(|(tokens, slot)| Extend { slot: *slot, tokens, logits: LogitsWanted::All })
        .collect();
    let mut together = vec![Vec::new(); prompts.len()];
    model.extend(&batch, &mut |i, _, row| together[i].extend_from_slice(row)).unwrap();
    for (together, alone) in together.iter().zip(&alone) {
        let far = apart(together, alone);
        assert!(far <= 1e-5, "slots of one batch are off by {far:e}");
    }
}

/// A session's rows leave the device as the reference would have written them, but for a flipped
/// code here and there.
#[test]
fn stored_rows_are_those_of_the_reference() {
    let Some(gpu) = open(ProfileChoice::Device) else { return };
    let file = Fixture::new(&nano(), all_f32, 2).write();
    let tokens = tokens(&nano(), 130, 10);
    let parts = [(KvPart::Window, 100..130), (KvPart::Compressed, 0..1), (KvPart::Index, 0..32)];
    let mut differing = 0;
    let mut total = 0;
    let mut gpu = load(gpu, &file, KvRounding::Applied);
    let mut reference = load(Reference, &file, KvRounding::Applied);
    let slots = [gpu.open_slot(130).unwrap(), reference.open_slot(130).unwrap()];
    let extend = |slot| Extend { slot, tokens: &tokens, logits: LogitsWanted::Nothing };
    gpu.extend(&[extend(slots[0])], &mut |_, _, _| ()).unwrap();
    reference.extend(&[extend(slots[1])], &mut |_, _, _| ()).unwrap();
    // The first layers have nothing in front of them that could have flipped.
    for layer in 0..3 {
        for (part, rows) in parts.clone() {
            let found = gpu.read_kv(slots[0], layer, part, rows.clone()).unwrap();
            let expected = reference.read_kv(slots[1], layer, part, rows).unwrap();
            assert_eq!(found.is_some(), expected.is_some());
            let (found, expected) = (found.unwrap_or_default(), expected.unwrap_or_default());
            differing += found.iter().zip(&expected).filter(|(a, b)| a != b).count();
            total += expected.len();
        }
    }
    assert!(total > 9_000 && differing * 100 < total, "{differing} of {total} bytes differ");
}
