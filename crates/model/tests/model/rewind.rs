//! A timeline may be cut, copied, stored and restored: what follows are the bits of a fresh run.

use std::collections::HashMap;

use crate::support::{Fixture, all_f32, nano, tokens};
use backend::KvRounding;
use backend_cpu::Cpu;
use gguf::MappedFile;
use model::{BLOCK_TOKENS, Error, Extend, Inference, LogitsWanted, Model, Options, SlotId};
use proptest::prelude::*;

/// Tokens of a slot in these tests: more than two blocks.
const CAPACITY: usize = 320;
const MAX_BATCH: usize = 128;

fn cpu(file: &MappedFile, rewind_tokens: usize) -> Model<Cpu> {
    let backend = Cpu::new(backend_cpu::Options::default());
    let options = Options { rewind_tokens, ..Options::new(MAX_BATCH, KvRounding::Applied) };
    Model::load(backend, file, options, &mut |_| ()).expect("the fixture is sound")
}

/// Runs tokens and returns the logits after the last one.
fn run(model: &mut dyn Inference, slot: SlotId, tokens: &[u32]) -> Vec<f32> {
    let mut logits = Vec::new();
    for tokens in tokens.chunks(MAX_BATCH) {
        let extend = Extend { slot, tokens, logits: LogitsWanted::Last };
        model.extend(&[extend], &mut |_, _, row| logits = row.to_vec()).expect("they fit");
    }
    logits
}

/// What is done to one of two slots; numbers between 0 and 1 are shares of its timeline.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Tokens are run, in chunks of a length.
    Run { n: usize, chunk: usize, seed: u64 },
    /// The timeline is cut, and what is to be run again is run.
    Rewind(f64),
    /// The same, but only some of it is run again before the next step.
    RewindAndRunSome(f64, f64),
    /// The other slot becomes a copy.
    Fork(f64),
    /// The timeline goes through bytes to the other slot, up to a block.
    Move(f64),
    /// A frontier is put back where it was taken.
    Enter(f64),
}

fn step() -> impl Strategy<Value = Step> {
    let share = || 0.0..1.0;
    prop_oneof![
        4 => (1..150_usize, 1..70_usize, 0..1000_u64)
            .prop_map(|(n, chunk, seed)| Step::Run { n, chunk, seed }),
        3 => share().prop_map(Step::Rewind),
        2 => (share(), share()).prop_map(|(at, some)| Step::RewindAndRunSome(at, some)),
        1 => share().prop_map(Step::Fork),
        1 => share().prop_map(Step::Move),
        1 => share().prop_map(Step::Enter),
    ]
}

/// From none to all of `n`.
fn part(share: f64, n: usize) -> usize {
    (share * (n + 1) as f64) as usize
}

/// Two slots and what they should hold.
struct Pair<'a> {
    model: &'a mut dyn Inference,
    slots: [SlotId; 2],
    /// Tokens of each: all that are stored.
    tokens: [Vec<u32>; 2],
    /// Logits after a timeline, of a fresh run.
    fresh: HashMap<Vec<u32>, Vec<f32>>,
    /// Whether logits are as a fresh run's.
    equal: fn(&[f32], &[f32]) -> bool,
}

impl Pair<'_> {
    fn fresh(&mut self, tokens: &[u32]) -> Vec<f32> {
        if let Some(logits) = self.fresh.get(tokens) {
            return logits.clone();
        }
        let slot = self.model.open_slot(CAPACITY).expect("there is memory");
        let logits = run(self.model, slot, tokens);
        self.model.close_slot(slot);
        self.fresh.insert(tokens.to_vec(), logits.clone());
        logits
    }

    /// Runs again what a cut of slot `i` has left to be run, but for the last `but` tokens.
    fn run_again(&mut self, i: usize, but: usize) {
        let slot = self.slots[i];
        let waiting = self.model.n_tokens(slot)..self.model.n_stored(slot).saturating_sub(but);
        if !waiting.is_empty() {
            let tokens = self.tokens[i][waiting].to_vec();
            run(self.model, slot, &tokens);
        }
    }

    fn step(&mut self, i: usize, step: &Step) {
        let (slot, other) = (self.slots[i], self.slots[1 - i]);
        let n = self.tokens[i].len();
        match *step {
            Step::Run { n: more, chunk, seed } => {
                self.run_again(i, 0);
                let more = more.min(CAPACITY - n);
                let new = tokens(self.model.geometry(), more, seed);
                self.tokens[i].extend(&new);
                let mut logits = Vec::new();
                for chunk in new.chunks(chunk) {
                    logits = run(self.model, slot, chunk);
                }
                if more > 0 {
                    let expected = self.fresh(&self.tokens[i].clone());
                    assert!(
                        (self.equal)(&logits, &expected),
                        "other logits after {} tokens",
                        n + more
                    );
                }
            }
            Step::Rewind(at) => {
                self.cut(i, part(at, n));
                self.run_again(i, 0);
            }
            Step::RewindAndRunSome(at, some) => {
                self.cut(i, part(at, n));
                self.run_again(i, part(some, n));
            }
            Step::Fork(at) => {
                let at = part(at, n);
                let n_run = self.model.fork(slot, other, at).expect("slots are of one size");
                assert!(n_run <= at && self.model.n_stored(other) == at);
                self.tokens[1 - i] = self.tokens[i][..at].to_vec();
            }
            Step::Move(block) => {
                let n_blocks = part(block, n / BLOCK_TOKENS);
                let frontier = self.model.export_frontier(slot, n_blocks * BLOCK_TOKENS);
                self.model.rewind(other, 0);
                for (block, tokens) in
                    self.tokens[i].chunks(BLOCK_TOKENS).take(n_blocks).enumerate()
                {
                    let bytes = self.model.export_block(slot, block).expect("the device works");
                    self.model.import_block(other, tokens, &bytes).expect("it is this model's");
                }
                self.tokens[1 - i] = self.tokens[i][..n_blocks * BLOCK_TOKENS].to_vec();
                if let Some(frontier) = frontier.expect("the device works") {
                    let at = n_blocks * BLOCK_TOKENS;
                    let n_run = self.model.import_frontier(other, at, &frontier).expect("it fits");
                    assert!(n_run + 4 >= at);
                }
            }
            Step::Enter(block) => {
                let at = part(block, n / BLOCK_TOKENS) * BLOCK_TOKENS;
                let frontier = self.model.export_frontier(slot, at).expect("the device works");
                if let Some(frontier) = frontier {
                    self.model.import_frontier(slot, at, &frontier).expect("it fits");
                }
            }
        }
        assert_eq!(self.model.n_stored(self.slots[i]), self.tokens[i].len());
    }

    fn cut(&mut self, i: usize, n_tokens: usize) {
        self.model.rewind(self.slots[i], n_tokens);
        self.tokens[i].truncate(n_tokens);
    }
}

/// Any sequence of steps on slot 0 or 1, and what a token gives at their end.
pub(crate) fn check(
    model: &mut dyn Inference,
    steps: &[(bool, Step)],
    equal: fn(&[f32], &[f32]) -> bool,
) {
    let slots = [(); 2].map(|()| model.open_slot(CAPACITY).expect("there is memory"));
    let tokens = [Vec::new(), Vec::new()];
    let mut pair = Pair { model, slots, tokens, fresh: HashMap::new(), equal };
    for (second, step) in steps {
        pair.step(usize::from(*second), step);
    }
    let last = Step::Run { n: 1, chunk: 1, seed: 1 };
    for (i, slot) in slots.into_iter().enumerate() {
        pair.step(i, &last);
        pair.model.close_slot(slot);
    }
}

fn bit_identical(a: &[f32], b: &[f32]) -> bool {
    a == b
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, max_shrink_iters: 30, ..ProptestConfig::default() })]

    /// Far cuts leave the ring in the first model and never in the second.
    #[test]
    fn any_way_to_a_timeline_gives_the_bits_of_a_fresh_run(
        steps in prop::collection::vec((any::<bool>(), step()), 1..12),
        short in any::<bool>(),
    ) {
        let file = Fixture::new(&nano(), all_f32, 2).write();
        let mut model = cpu(&file, if short { 20 } else { 4096 });
        check(&mut model, &steps, bit_identical);
    }
}

/// Every cut of one timeline, each followed by another continuation.
#[test]
fn every_cut_is_exact() {
    let file = Fixture::new(&nano(), all_f32, 2).write();
    let mut model = cpu(&file, 4096);
    let (text, other) = (tokens(&nano(), 270, 5), tokens(&nano(), 2, 6));
    let slot = model.open_slot(CAPACITY).unwrap();
    run(&mut model, slot, &text);
    for at in (0..270).rev().step_by(7) {
        let n_run = model.rewind(slot, at);
        assert!(at - n_run < BLOCK_TOKENS, "{} tokens to run again", at - n_run);
        let rest = [&text[n_run..at], &other].concat();
        let found = run(&mut model, slot, &rest);
        let fresh = model.open_slot(CAPACITY).unwrap();
        let expected = run(&mut model, fresh, &[&text[..at], &other].concat());
        model.close_slot(fresh);
        assert!(found == expected, "cut at {at}");
    }
}

/// Past the ring, a cut goes back to a checkpoint and not to the beginning.
#[test]
fn a_far_cut_goes_back_to_a_checkpoint() {
    let file = Fixture::new(&nano(), all_f32, 2).write();
    let mut model = cpu(&file, 20);
    let text = tokens(&nano(), 310, 5);
    let [slot, copy] = [(); 2].map(|()| model.open_slot(CAPACITY).unwrap());
    run(&mut model, slot, &text);
    assert_eq!(model.fork(slot, copy, 140).unwrap(), 124);
    for slot in [slot, copy] {
        assert_eq!(model.rewind(slot, 140), 124);
        let found = run(&mut model, slot, &text[124..150]);
        let fresh = model.open_slot(CAPACITY).unwrap();
        assert!(found == run(&mut model, fresh, &text[..150]));
        model.close_slot(fresh);
    }
    assert_eq!(model.rewind(slot, 127), 0);
}

/// The last few hundred tokens cost next to nothing to cut: regenerating is free.
#[test]
fn a_short_cut_runs_a_few_tokens_again() {
    let file = Fixture::new(&nano(), all_f32, 2).write();
    let mut model = cpu(&file, 4096);
    let [slot, copy] = [(); 2].map(|()| model.open_slot(CAPACITY).unwrap());
    run(&mut model, slot, &tokens(&nano(), 300, 5));
    for (at, again) in [(300, 0), (299, 0), (296, 0), (295, 7), (270, 6), (180, 4), (130, 6)] {
        assert_eq!(model.fork(slot, copy, 300).unwrap(), 300);
        assert_eq!(at - model.rewind(copy, at), again, "cut at {at}");
        assert_eq!(at - model.fork(slot, copy, at).unwrap(), again, "copy of {at}");
    }
}

#[test]
fn what_is_not_this_models_is_refused() {
    let file = Fixture::new(&nano(), all_f32, 2).write();
    let mut model = cpu(&file, 4096);
    let [slot, other] = [(); 2].map(|()| model.open_slot(CAPACITY).unwrap());
    let text = tokens(&nano(), 300, 5);
    run(&mut model, slot, &text);
    let block = model.export_block(slot, 0).unwrap();
    let frontier = model.export_frontier(slot, BLOCK_TOKENS).unwrap().expect("the ring is long");
    for length in [0, 1, block.len() - 1] {
        let short = model.import_block(other, &text[..BLOCK_TOKENS], &block[..length]);
        assert!(
            matches!(short, Err(Error::KvBytes { part: "block", found, .. }) if found == length)
        );
    }
    let foreign = model.import_block(other, &[9999; BLOCK_TOKENS], &block);
    assert!(matches!(foreign, Err(Error::Token { token: 9999, .. })));
    assert_eq!(model.n_stored(other), 0);
    for i in 0..2 {
        model.import_block(other, &text[i * BLOCK_TOKENS..][..BLOCK_TOKENS], &block).unwrap();
    }
    let full = model.import_block(other, &text[..BLOCK_TOKENS], &block);
    assert!(matches!(full, Err(Error::ContextFull { wanted: 384, capacity: CAPACITY })));
    let short = model.import_frontier(other, BLOCK_TOKENS, &frontier[1..]);
    assert!(matches!(short, Err(Error::KvBytes { part: "frontier", .. })));
    // What is to be run again is known.
    let extend =
        Extend { slot: other, tokens: &[text[0], text[1] ^ 1], logits: LogitsWanted::Last };
    let differs = model.extend(&[extend], &mut |_, _, _| ());
    assert!(matches!(differs, Err(Error::NotRepeated { position: 1 })));
    assert_eq!((model.n_tokens(other), model.n_stored(other)), (0, 256));
}

/// Any bytes of the right number are rows; what comes of wrong ones is worthless and no panic.
#[test]
fn damaged_rows_are_survived() {
    let file = Fixture::new(&nano(), all_f32, 2).write();
    let mut model = cpu(&file, 4096);
    let [slot, other] = [(); 2].map(|()| model.open_slot(CAPACITY).unwrap());
    let text = tokens(&nano(), 150, 5);
    run(&mut model, slot, &text);
    let block = model.export_block(slot, 0).unwrap();
    let frontier = model.export_frontier(slot, BLOCK_TOKENS).unwrap().expect("the ring is long");
    for byte in [0x00, 0x7f, 0xff] {
        model.rewind(other, 0);
        model.import_block(other, &text[..BLOCK_TOKENS], &vec![byte; block.len()]).unwrap();
        let frontier = vec![byte; frontier.len()];
        let n_run = model.import_frontier(other, BLOCK_TOKENS, &frontier).unwrap();
        run(&mut model, other, &text[n_run..]);
    }
}
