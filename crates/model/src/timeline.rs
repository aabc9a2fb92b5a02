//! Which tokens a slot remembers, and what of them: the bookkeeping of cutting and running again.
//!
//! A slot keeps three things of its tokens. Compressed rows and index rows stay for good. Raw rows
//! stay in a ring that is longer than the window. The inputs of compression windows stay for as
//! long as their slots are not needed again, which is not for long. So when a timeline is cut, its
//! rows are there, and inputs of the windows that are open at the cut may be missing. They are
//! had back by running the last tokens before the cut again: at most a window of them, whose rows
//! are *stored* already and are not made anew. Where the cut goes back further than the ring, the
//! raw rows of a *checkpoint* help: copies of them are kept at some places, the more of them the
//! nearer the end.
//!
//! Refuses: rows and devices.

use crate::error::{Error, Result};

/// Inputs of one kind of compression window that a slot has.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Inputs {
    /// Tokens per window.
    ratio: usize,
    /// Whether a row also pools the window before its own.
    overlap: bool,
    /// Tokens whose inputs are kept.
    n_slots: usize,
    /// Inputs are there from this position on.
    from: usize,
}

impl Inputs {
    /// The first position whose inputs the windows need that are open behind `n_tokens` tokens.
    fn needed(&self, n_tokens: usize) -> usize {
        let open = n_tokens - n_tokens % self.ratio;
        if self.overlap { open.saturating_sub(self.ratio) } else { open }
    }
}

/// The tokens of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Timeline {
    /// Tokens whose compressed rows are stored.
    tokens: Vec<u32>,
    /// Tokens whose raw rows and inputs are there too, so that the next one can be run.
    n_run: usize,
    window: usize,
    ring_rows: usize,
    /// Raw rows are there from this position on.
    rows_from: usize,
    inputs: Vec<Inputs>,
    checkpoints: Checkpoints,
}

/// Where raw rows have been copied aside.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Checkpoints {
    /// Checkpoints are made at multiples of this many tokens.
    interval: usize,
    /// Positions, and the place of their rows.
    made: Vec<(usize, usize)>,
    n_places: usize,
}

impl Checkpoints {
    /// The place for a new one: a free one, or that of the one that helps least. That is the one
    /// whose neighbours are near each other, measured by how far back it is.
    fn place(&mut self, n_run: usize) -> usize {
        if self.made.len() < self.n_places {
            let is_free = |place: &usize| self.made.iter().all(|made| made.1 != *place);
            return (0..self.n_places).find(is_free).expect("one is free");
        }
        let worth = |i: usize| {
            let before = if i == 0 { 0 } else { self.made[i - 1].0 };
            let behind = self.made.get(i + 1).map_or(n_run, |made| made.0);
            (behind - before) as f64 / (n_run - self.made[i].0 + self.interval) as f64
        };
        let least = (0..self.made.len()).min_by(|&a, &b| worth(a).total_cmp(&worth(b)));
        self.made.remove(least.expect("there are places")).1
    }
}

impl Timeline {
    /// An empty timeline with room for `capacity` tokens. `compressors` are `(ratio, overlap, n_slots)`; of `checkpoints` there is a
    /// number, and a distance that all windows divide.
    pub(crate) fn new(
        capacity: usize,
        window: usize,
        ring_rows: usize,
        compressors: impl IntoIterator<Item = (usize, bool, usize)>,
        checkpoints: (usize, usize),
    ) -> Self {
        let (n_places, interval) = checkpoints;
        let checkpoints = Checkpoints { interval, made: Vec::new(), n_places };
        let mut inputs = Vec::new();
        for (ratio, overlap, n_slots) in compressors {
            let kind = Inputs { ratio, overlap, n_slots, from: 0 };
            if !inputs.contains(&kind) {
                inputs.push(kind);
            }
        }
        let tokens = Vec::with_capacity(capacity);
        Self { tokens, n_run: 0, window, ring_rows, rows_from: 0, inputs, checkpoints }
    }

    /// Tokens that have been run and not cut off.
    pub(crate) fn n_run(&self) -> usize {
        self.n_run
    }

    /// Tokens whose compressed rows are stored: those that have been run, and what a cut left to be
    /// run again.
    pub(crate) fn n_stored(&self) -> usize {
        self.tokens.len()
    }

    /// The first position whose raw row is there.
    pub(crate) fn rows_from(&self) -> usize {
        self.rows_from
    }

    /// Rows of the raw ring.
    pub(crate) fn ring_rows(&self) -> usize {
        self.ring_rows
    }

    /// Whether the tokens may follow: what is run again has to be what was run before.
    pub(crate) fn check(&self, tokens: &[u32]) -> Result<()> {
        let stored = &self.tokens[self.n_run..];
        match stored.iter().zip(tokens).position(|(a, b)| a != b) {
            Some(i) => Err(Error::NotRepeated { position: self.n_run + i }),
            None => Ok(()),
        }
    }

    /// Takes tokens that have been run; they were checked.
    pub(crate) fn extend(&mut self, tokens: &[u32]) {
        let n_repeated = tokens.len().min(self.n_stored() - self.n_run);
        self.tokens.extend_from_slice(&tokens[n_repeated..]);
        self.n_run += tokens.len();
        self.rows_from = self.rows_from.max(self.n_run.saturating_sub(self.ring_rows));
        for inputs in &mut self.inputs {
            inputs.from = inputs.from.max(self.n_run.saturating_sub(inputs.n_slots));
        }
    }

    /// Takes tokens whose compressed rows have been stored without running them.
    pub(crate) fn store(&mut self, tokens: &[u32]) {
        self.tokens.extend_from_slice(tokens);
    }

    /// Cuts the timeline to `n_tokens` stored tokens and returns how many count as run: those from
    /// there on have to be run again.
    pub(crate) fn cut(&mut self, n_tokens: usize) -> usize {
        self.tokens.truncate(n_tokens);
        self.checkpoints.made.retain(|made| made.0 <= n_tokens);
        let run = self.n_run.min(n_tokens);
        let from = |inputs: &Inputs| match inputs.needed(n_tokens) {
            needed if inputs.from <= needed => run,
            needed => run.min(needed),
        };
        let start = self.inputs.iter().map(from).min().unwrap_or(run);
        // The first token that is run again sees the rows of a window before it.
        let has_window = self.rows_from <= self.first_seen(start);
        self.start(if has_window { start } else { 0 });
        self.n_run
    }

    /// Places that checkpoints may take.
    pub(crate) fn n_places(&self) -> usize {
        self.checkpoints.n_places
    }

    /// Places of checkpoints whose rows are to be copied with the timeline.
    pub(crate) fn n_checkpoint_places(&self) -> usize {
        self.checkpoints.made.iter().map(|made| made.1 + 1).max().unwrap_or(0)
    }

    /// The checkpoint with which least is run again, if that is less than without one: its position
    /// and place.
    pub(crate) fn checkpoint(&self) -> Option<(usize, usize)> {
        let last = self.checkpoints.made.last().copied();
        last.filter(|made| self.restart(made.0) > self.n_run)
    }

    /// Whether raw rows are to be copied aside now: at which position, and to which place.
    pub(crate) fn new_checkpoint(&mut self) -> Option<(usize, usize)> {
        let Checkpoints { interval, ref made, n_places } = self.checkpoints;
        if n_places == 0 {
            return None;
        }
        let at = self.n_run - self.n_run % interval;
        let rows = self.frontier(at);
        let is_new = made.last().is_none_or(|made| made.0 < at);
        if at == 0 || !is_new || rows.start < self.rows_from {
            return None;
        }
        let place = self.checkpoints.place(self.n_run);
        self.checkpoints.made.push((at, place));
        Some((at, place))
    }

    /// Makes `start` the number of tokens that count as run.
    fn start(&mut self, start: usize) {
        if start == 0 {
            self.rows_from = 0;
        }
        self.n_run = start;
        for inputs in &mut self.inputs {
            inputs.from = inputs.from.min(start);
        }
    }

    /// The first position whose raw row the token at `position` sees.
    fn first_seen(&self, position: usize) -> usize {
        (position + 1).saturating_sub(self.window)
    }

    /// Where running begins again at `n_tokens`, a border of all windows, if no inputs are there.
    pub(crate) fn restart(&self, n_tokens: usize) -> usize {
        self.inputs.iter().map(|inputs| inputs.needed(n_tokens)).min().unwrap_or(n_tokens)
    }

    /// The raw rows with which running can begin again at `n_tokens` without any inputs.
    pub(crate) fn frontier(&self, n_tokens: usize) -> std::ops::Range<usize> {
        let start = self.restart(n_tokens);
        self.first_seen(start)..start
    }

    /// Hears that the raw rows of [`Timeline::frontier`] have been put back, and returns how many
    /// tokens count as run.
    pub(crate) fn enter(&mut self, n_tokens: usize) -> usize {
        let rows = self.frontier(n_tokens);
        self.n_run = rows.end;
        self.rows_from = rows.start;
        for inputs in &mut self.inputs {
            inputs.from = rows.end;
        }
        self.n_run
    }

    /// This timeline on the slot of `other`, cut to `n_tokens`. The slot has a ring of its own, to
    /// which the raw rows from [`Timeline::rows_from`] on are to be copied, and room for inputs of
    /// its own, to be copied where there are as many.
    pub(crate) fn on(&self, other: &Self, n_tokens: usize) -> Self {
        let mut copy = Self { ring_rows: other.ring_rows, ..self.clone() };
        copy.tokens.reserve_exact(other.tokens.capacity().saturating_sub(copy.tokens.len()));
        for (inputs, theirs) in copy.inputs.iter_mut().zip(&other.inputs) {
            if inputs.n_slots != theirs.n_slots {
                *inputs = Inputs { from: self.n_run, ..theirs.clone() };
            }
        }
        if self.checkpoints.n_places != other.checkpoints.n_places {
            copy.checkpoints = Checkpoints { made: Vec::new(), ..other.checkpoints.clone() };
        }
        copy.cut(n_tokens);
        copy.rows_from = copy.rows_from.max(copy.n_run.saturating_sub(copy.ring_rows));
        copy
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WINDOW: usize = 16;
    const RING: usize = 60;

    fn timeline() -> Timeline {
        let compressors = [(4, true, 8), (32, false, 64), (4, true, 8)];
        Timeline::new(0, WINDOW, RING, compressors, (3, 32))
    }

    /// What is really in the slots of a timeline: the position that was last put into each.
    struct Memory {
        rows: Vec<Option<usize>>,
        inputs: Vec<(Inputs, Vec<Option<usize>>)>,
    }

    impl Memory {
        fn new(timeline: &Timeline) -> Self {
            let slots = |inputs: &Inputs| (inputs.clone(), vec![None; inputs.n_slots]);
            Self {
                rows: vec![None; timeline.ring_rows],
                inputs: timeline.inputs.iter().map(slots).collect(),
            }
        }

        fn run(&mut self, positions: std::ops::Range<usize>) {
            for position in positions {
                let ring_rows = self.rows.len();
                self.rows[position % ring_rows] = Some(position);
                for (inputs, slots) in &mut self.inputs {
                    slots[position % inputs.n_slots] = Some(position);
                }
            }
        }

        /// Running goes on at `n_run`, and the first window that closes behind `n_stored` is
        /// pooled: everything that is read by then is in its place.
        fn check(&self, timeline: &Timeline) {
            let n_run = timeline.n_run();
            for position in (n_run + 1).saturating_sub(WINDOW)..n_run {
                assert_eq!(self.rows[position % self.rows.len()], Some(position));
            }
            for (inputs, slots) in &self.inputs {
                for position in inputs.needed(timeline.n_stored())..n_run {
                    assert_eq!(slots[position % slots.len()], Some(position));
                }
            }
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Run(usize),
        Cut(prop::sample::Index),
        Enter(prop::sample::Index),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (1..50_usize).prop_map(Step::Run),
            any::<prop::sample::Index>().prop_map(Step::Cut),
            any::<prop::sample::Index>().prop_map(Step::Enter),
        ]
    }

    proptest! {
        #[test]
        fn what_is_said_to_be_there_is_there(steps in prop::collection::vec(step(), 1..40)) {
            let mut timeline = timeline();
            let mut memory = Memory::new(&timeline);
            for step in steps {
                match step {
                    Step::Run(n) => {
                        let n_run = timeline.n_run();
                        memory.run(n_run..n_run + n);
                        timeline.extend(&vec![0; n]);
                        prop_assert_eq!(timeline.n_run(), n_run + n);
                    }
                    Step::Cut(index) => {
                        let n_tokens = index.index(timeline.n_stored() + 1);
                        prop_assert!(timeline.cut(n_tokens) <= n_tokens);
                        prop_assert_eq!(timeline.n_stored(), n_tokens);
                    }
                    Step::Enter(index) => {
                        let at = 32 * index.index(timeline.n_stored() / 32 + 1);
                        let rows = timeline.frontier(at);
                        for position in rows {
                            memory.rows[position % RING] = Some(position);
                        }
                        prop_assert!(timeline.enter(at) <= at);
                    }
                }
                memory.check(&timeline);
            }
        }
    }

    #[test]
    fn checkpoints_are_the_denser_the_nearer() {
        let mut timeline = timeline();
        for _ in 0..100 {
            timeline.extend(&[0; 32]);
            timeline.new_checkpoint().expect("the ring is long enough");
            assert_eq!(timeline.new_checkpoint(), None);
        }
        let made: Vec<usize> = timeline.checkpoints.made.iter().map(|made| made.0).collect();
        assert_eq!((made.len(), made[2]), (3, 3200));
        assert!(3200 - made[1] < made[1] - made[0], "{made:?}");
        // A cut finds the nearest one in front of it.
        assert_eq!(timeline.cut(made[1] + 5), 0);
        assert_eq!(timeline.checkpoint().expect("there is one").0, made[1]);
        timeline.enter(made[1]);
        assert_eq!((timeline.n_run(), timeline.checkpoint()), (made[1] - 4, None));
        assert_eq!(timeline.cut(made[0] - 1), 0);
        assert_eq!(timeline.checkpoint(), None);
    }

    #[test]
    fn a_short_cut_costs_little() {
        let run = |n| {
            let mut timeline = timeline();
            timeline.extend(&vec![0; n]);
            timeline
        };
        // The last window is still there, and so is the one before the overlapping one.
        assert_eq!(run(100).cut(99), 99);
        assert_eq!(run(100).cut(96), 96);
        assert_eq!(run(100).cut(95), 88);
        // Inputs of the window that is open at 70 are in 64 slots, those of 4 tokens are not.
        assert_eq!(run(100).cut(70), 64);
        // What the first token would see has left the ring.
        assert_eq!(run(120).cut(70), 0);
        assert_eq!(run(120).cut(0), 0);
    }

    #[test]
    fn what_is_run_again_is_what_was_there() {
        let mut timeline = timeline();
        timeline.extend(&[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        timeline.extend(&[0; 20]);
        assert_eq!(timeline.cut(9), 4);
        assert!(timeline.check(&[5, 6, 7]).is_ok());
        assert!(matches!(timeline.check(&[5, 6, 8]), Err(Error::NotRepeated { position: 6 })));
        timeline.extend(&[5, 6]);
        assert!(timeline.check(&[7, 8, 9, 100]).is_ok());
        assert_eq!((timeline.n_run(), timeline.n_stored()), (6, 9));
    }
}
