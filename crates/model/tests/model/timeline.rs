//! A timeline is lawful: how tokens arrive does not change what comes out.
//!
//! Oracle for the numbers is the reference backend, which is held to outside oracles elsewhere.

use crate::support::{Fixture, all_f32, nano, q2, tokens, wide};
use backend::reference::Reference;
use backend::{Backend, KvRounding};
use backend_cpu::{Cpu, Isa};
use gguf::MappedFile;
use model::{Error, Extend, Inference, KvPart, LogitsWanted, Model, Options};

fn load<B: Backend>(backend: B, file: &MappedFile, kv_rounding: KvRounding) -> Model<B> {
    let options = Options::new(300, kv_rounding);
    Model::load(backend, file, options, &mut |_| ()).expect("the fixture is sound")
}

fn cpu() -> Cpu {
    Cpu::new(backend_cpu::Options::default())
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

/// Every chunking gives the bits of the whole prompt at once.
fn check_chunks<B: Backend>(mut model: Model<B>, n_tokens: usize) {
    let tokens = tokens(model.geometry(), n_tokens, 5);
    let whole = logits(&mut model, &tokens, n_tokens);
    assert!(whole.iter().all(|value| value.is_finite()));
    for chunk in [1, 7, 64, 129] {
        assert!(logits(&mut model, &tokens, chunk) == whole, "chunks of {chunk} differ");
    }
}

#[test]
fn chunks_do_not_change_bits() {
    let file = Fixture::new(&nano(), all_f32, 2).write();
    check_chunks(load(cpu(), &file, KvRounding::Applied), 300);
    check_chunks(load(cpu(), &file, KvRounding::Off), 300);
    check_chunks(load(Reference, &file, KvRounding::Applied), 150);
    // Past the first row of every compressor; these kernels are slow where they are emulated.
    let file = Fixture::new(&wide(), q2, 3).write();
    check_chunks(load(cpu(), &file, KvRounding::Applied), 136);
}

/// The portable definition's bits are those of every kernel, in every chunking.
#[test]
fn instruction_sets_do_not_change_bits() {
    for (fixture, n_tokens) in
        [(Fixture::new(&nano(), all_f32, 2), 150), (Fixture::new(&wide(), q2, 3), 40)]
    {
        let file = fixture.write();
        let logits_of = |isa: Isa, n_threads: usize, chunk: usize| {
            let options = backend_cpu::Options {
                isa: Some(isa),
                n_threads: Some(n_threads),
                ..backend_cpu::Options::default()
            };
            let mut model = load(Cpu::new(options), &file, KvRounding::Applied);
            let tokens = tokens(model.geometry(), n_tokens, 5);
            logits(&mut model, &tokens, chunk)
        };
        let expected = logits_of(Isa::Scalar, 1, n_tokens);
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
            for (n_threads, chunk) in [(1, 1), (2, 7), (3, n_tokens)] {
                let found = logits_of(isa, n_threads, chunk);
                assert!(found == expected, "{isa:?}, {n_threads} threads, chunks of {chunk}");
            }
        }
    }
}

/// Scratch grows to what is needed and stays, so the loop of a conversation asks for no memory.
#[test]
fn a_decoded_token_allocates_nothing() {
    let nano = (Fixture::new(&nano(), all_f32, 2), 1, 300);
    let wide = (Fixture::new(&wide(), q2, 3), 2, 160);
    for (fixture, n_threads, n_tokens) in [nano, wide] {
        let options = backend_cpu::Options { n_threads: Some(n_threads), ..Default::default() };
        let mut model = load(Cpu::new(options), &fixture.write(), KvRounding::Applied);
        let tokens = tokens(model.geometry(), n_tokens, 5);
        let slot = model.open_slot(n_tokens).expect("there is memory");
        let mut extend = |tokens: &[u32]| {
            let extend = Extend { slot, tokens, logits: LogitsWanted::Last };
            model.extend(&[extend], &mut |_, _, _| ()).expect("the tokens are valid and fit");
        };
        extend(&tokens[..100]);
        // Up to a token that closes a row of every compressor.
        tokens[100..130].iter().for_each(|token| extend(&[*token]));
        let counted = allocation_counter::measure(|| {
            tokens[130..].iter().for_each(|token| extend(&[*token]));
        });
        assert_eq!(counted.count_total, 0, "allocations of {} tokens", n_tokens - 130);
    }
}

/// Without roundings nothing amplifies last bits, so cpu and reference agree closely.
#[test]
fn cpu_agrees_with_the_reference() {
    let file = Fixture::new(&nano(), all_f32, 2).write();
    let tokens = tokens(&nano(), 200, 6);
    let expected = logits(&mut load(Reference, &file, KvRounding::Off), &tokens, 200);
    let found = logits(&mut load(cpu(), &file, KvRounding::Off), &tokens, 200);
    let largest = expected.iter().fold(0f32, |max, v| v.abs().max(max));
    for (i, (a, b)) in expected.iter().zip(&found).enumerate() {
        assert!((a - b).abs() <= 1e-5 * largest, "logit {i}: {b}, expected {a}");
    }
}

/// 8-bit activations add noise of about half a per cent per product; the result stays close.
#[test]
fn cpu_stays_close_to_the_reference_on_quantised_weights() {
    let file = Fixture::new(&wide(), q2, 3).write();
    let tokens = tokens(&wide(), 12, 6);
    let expected = logits(&mut load(Reference, &file, KvRounding::Off), &tokens, 12);
    let found = logits(&mut load(cpu(), &file, KvRounding::Off), &tokens, 12);
    let product: f64 = expected.iter().zip(&found).map(|(a, b)| f64::from(a * b)).sum();
    let norm = |x: &[f32]| x.iter().map(|v| f64::from(v * v)).sum::<f64>().sqrt();
    let correlation = product / norm(&expected) / norm(&found);
    assert!(correlation > 0.998, "correlation {correlation}");
}

/// Slots of one batch do not see each other.
#[test]
fn slots_of_one_batch_are_independent() {
    let file = Fixture::new(&nano(), all_f32, 2).write();
    let mut model = load(cpu(), &file, KvRounding::Applied);
    let prompts = [tokens(&nano(), 90, 7), tokens(&nano(), 131, 8), tokens(&nano(), 40, 9)];
    let alone: Vec<Vec<f32>> = prompts.iter().map(|p| logits(&mut model, p, 300)).collect();

    let slots: Vec<_> = prompts.iter().map(|p| model.open_slot(p.len()).unwrap()).collect();
    let mut together = vec![Vec::new(); prompts.len()];
    for from in (0..131).step_by(10) {
        let mut batch = Vec::new();
        let mut owners = Vec::new();
        for (i, prompt) in prompts.iter().enumerate() {
            if from < prompt.len() {
                let tokens = &prompt[from..prompt.len().min(from + 10)];
                batch.push(Extend { slot: slots[i], tokens, logits: LogitsWanted::All });
                owners.push(i);
            }
        }
        model
            .extend(&batch, &mut |i, position, row| {
                let logits: &mut Vec<f32> = &mut together[owners[i]];
                assert_eq!(position * row.len(), logits.len());
                logits.extend_from_slice(row);
            })
            .unwrap();
    }
    assert!(together == alone);
}

/// KV rows are the same bytes whichever chunking made them.
#[test]
fn stored_rows_do_not_depend_on_chunks() {
    let file = Fixture::new(&wide(), q2, 3).write();
    let mut model = load(cpu(), &file, KvRounding::Applied);
    let tokens = tokens(&wide(), 260, 10);
    let mut stored = |chunk: usize| -> Vec<Option<Vec<u8>>> {
        let slot = model.open_slot(260).unwrap();
        for tokens in tokens.chunks(chunk) {
            let extend = Extend { slot, tokens, logits: LogitsWanted::Nothing };
            model.extend(&[extend], &mut |_, _, _| unreachable!("no logits are wanted")).unwrap();
        }
        let parts = [(KvPart::Window, 0..260), (KvPart::Compressed, 0..2), (KvPart::Index, 0..65)];
        let read = (0..5).flat_map(|layer| {
            parts.clone().map(|(part, rows)| model.read_kv(slot, layer, part, rows).unwrap())
        });
        read.collect()
    };
    let whole = stored(260);
    assert!(whole.iter().filter(|part| part.is_some()).count() == 5 + 3 + 2);
    assert!(stored(13) == whole);
}

#[test]
fn streams_can_be_observed() {
    let file = Fixture::new(&nano(), all_f32, 2).write();
    let mut model = load(Reference, &file, KvRounding::Applied);
    let slot = model.open_slot(3).unwrap();
    let batch = [Extend { slot, tokens: &[1, 2, 3], logits: LogitsWanted::Last }];
    let (mut layers, mut n_logits) = (Vec::new(), 0);
    let on_layer = &mut |layer, streams: &[f32]| layers.push((layer, streams.len()));
    model.extend_observed(&batch, on_layer, &mut |_, _, row| n_logits += row.len()).unwrap();
    assert_eq!(layers, (0..5).map(|layer| (layer, 3 * 4 * 64)).collect::<Vec<_>>());
    assert_eq!(n_logits, 320);
}

#[test]
fn bad_ids_and_full_slots_change_nothing() {
    let file = Fixture::new(&nano(), all_f32, 2).write();
    let mut model = load(Reference, &file, KvRounding::Applied);
    let slot = model.open_slot(4).unwrap();
    let mut extend = |tokens: &[u32]| {
        let batch = [Extend { slot, tokens, logits: LogitsWanted::Nothing }];
        model.extend(&batch, &mut |_, _, _| ()).map(|()| model.n_tokens(slot))
    };
    assert_eq!(extend(&[1, 2]).unwrap(), 2);
    assert!(matches!(extend(&[1, 320]), Err(Error::Token { token: 320, vocab_size: 320 })));
    assert!(matches!(extend(&[1, 2, 3]), Err(Error::ContextFull { wanted: 5, capacity: 4 })));
    assert_eq!(extend(&[3, 4]).unwrap(), 4);
}
