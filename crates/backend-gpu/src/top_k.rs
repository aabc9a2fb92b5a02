//! The exact choice of the rows with the largest scores; of equal scores the lower row.
//!
//! A workgroup chooses among a chunk of a token's scores. Where there are more, the choices of all
//! chunks are candidates for the next dispatch: three of them reach 250,000 rows.

use backend::{IndexParams, Run};

use crate::buffers::{Buffer, Scratch};
use crate::encode::{Binding, Context};
use crate::memory::Selection;
use crate::pipelines::{Kernel, Variant};
use crate::profile::DeviceProfile;

/// Threads of a workgroup, and of one for more scores than those hold, where a device has them.
const WORKGROUP: usize = 256;
const LARGE_WORKGROUP: usize = 1024;
/// Scores that a thread holds, or more, so that a workgroup keeps no more than every fourth of its
/// scores.
const STRETCH: usize = 16;
const MIN_CUT: usize = 4;
/// Where all scores fit it: a shorter text, which with its passes in a loop took 14 us instead of 29 for
/// 544 scores (H200).
const SHORT_STRETCH: usize = 4;

/// One dispatch of a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    workgroup: usize,
    /// Scores of a thread.
    stretch: usize,
    /// Whether it reads scores; else candidates.
    pub(crate) is_first: bool,
    /// Whether it writes the selection; else candidates.
    pub(crate) is_last: bool,
}

impl Step {
    /// The step that chooses `top_k` of `n_inputs` scores or candidates.
    pub(crate) fn of(
        profile: &DeviceProfile,
        n_inputs: usize,
        top_k: usize,
        is_first: bool,
    ) -> Self {
        let stretch = if n_inputs <= WORKGROUP * SHORT_STRETCH {
            SHORT_STRETCH
        } else {
            STRETCH.max((MIN_CUT * top_k).div_ceil(WORKGROUP))
        };
        let has_large = profile.workgroup_threads as usize >= LARGE_WORKGROUP;
        let is_large = n_inputs > WORKGROUP * stretch && has_large;
        let workgroup = if is_large { LARGE_WORKGROUP } else { WORKGROUP };
        Self { workgroup, stretch, is_first, is_last: n_inputs <= workgroup * stretch }
    }

    fn n_chunks(self, n_inputs: usize) -> usize {
        n_inputs.div_ceil(self.workgroup * self.stretch).max(1)
    }

    fn variant(self) -> Variant {
        let Self { workgroup, stretch, is_first, is_last } = self;
        let ends = [u32::from(is_first), u32::from(is_last)];
        Variant::new("index_top_k", &[workgroup as u32, stretch as u32, ends[0], ends[1]])
    }

    pub(crate) fn kernel(self) -> Kernel {
        let constants = vec![
            ("WORKGROUP", self.workgroup as u32),
            ("STRETCH", self.stretch as u32),
            ("FIRST", u32::from(self.is_first)),
            ("LAST", u32::from(self.is_last)),
        ];
        let parts = vec![include_str!("shaders/index_top_k.wgsl").into()];
        Kernel { name: "index_top_k", constants, parts }
    }
}

/// Chooses rows for the tokens of a run by their scores, `[tokens of the run, n_scores]`; of a token
/// that sees no more rows than may be chosen, no scores are read.
///
/// `scores` is scratch, and may be overwritten.
pub(crate) fn choose(
    context: &mut Context,
    out: &Selection,
    (scores, n_scores): (&Buffer, usize),
    params: &IndexParams,
    run: Run,
) {
    let IndexParams { ratio, top_k, .. } = *params;
    let (mut inputs, mut n_inputs) = (scores.clone(), n_scores);
    let mut candidates = [Scratch::IndexCandidates, Scratch::IndexScores];
    let mut is_first = true;
    loop {
        let step = Step::of(&context.device.profile, n_inputs, top_k, is_first);
        let n_chunks = step.n_chunks(n_inputs);
        let chosen = if step.is_last {
            out.buffer.clone()
        } else {
            context.scratch(candidates[0], 2 * run.n_rows * n_chunks * top_k)
        };
        let parameters = [run.first_row, run.first_position, ratio, top_k, n_inputs];
        let bindings = [Binding::Write(&chosen), Binding::Read(&inputs)];
        let kernel = (step.variant(), |_: &DeviceProfile| step.kernel());
        let grid = [n_chunks as u32, run.n_rows as u32, 1];
        context.dispatch_variant(kernel, &bindings, &parameters.map(|word| word as u32), grid);
        if step.is_last {
            return;
        }
        (inputs, n_inputs, is_first) = (chosen, n_chunks * top_k, false);
        candidates.reverse();
    }
}

#[cfg(test)]
mod tests {
    use backend::conformance::inputs::Random;

    use super::*;
    use crate::device::Device;
    use crate::{AdapterChoice, OpenError, Options, ProfileChoice};

    fn open(profile: ProfileChoice) -> Option<Context> {
        match Device::open(Options { adapter: AdapterChoice::Any, profile }) {
            Ok(device) => Some(Context::new(device)),
            Err(OpenError::NoAdapter) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// What a sort chooses of the first `visible` scores.
    fn sorted(scores: &[f32], visible: usize, top_k: usize) -> Vec<u32> {
        let mut rows: Vec<usize> = (0..visible).collect();
        rows.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
        rows.truncate(top_k);
        rows.sort_unstable();
        rows.iter().map(|row| *row as u32).collect()
    }

    /// Chooses for tokens of which the last sees `n_scores` rows.
    fn check(context: &mut Context, scores: &[f32], n_scores: usize, top_k: usize) {
        const LEAD: usize = 1;
        let n_tokens = scores.len() / n_scores;
        let run = Run { first_row: LEAD, n_rows: n_tokens, first_position: n_scores - n_tokens };
        let params = IndexParams { n_heads: 1, ratio: 1, top_k };
        let out = Selection::new(context, LEAD + n_tokens, top_k).expect("there is memory");
        let buffer = context.scratch(Scratch::IndexScores, scores.len());
        context.write(&buffer, 0, bytemuck::cast_slice(scores));
        choose(context, &out, (&buffer, n_scores), &params, run);
        let mut words = vec![0; (LEAD + n_tokens) * (1 + top_k)];
        context.read(&out.buffer, 0, &mut words).expect("kernels run");
        let chosen = words.chunks_exact(1 + top_k).skip(LEAD);
        for (token, (chosen, scores)) in chosen.zip(scores.chunks_exact(n_scores)).enumerate() {
            let visible = run.first_position + token + 1;
            let wanted = sorted(scores, visible, top_k);
            assert_eq!(chosen[0] as usize, wanted.len(), "{top_k} of {visible}");
            assert!(chosen[1..][..wanted.len()] == wanted, "{top_k} of {visible}");
        }
    }

    /// One chunk, its borders in either size of workgroup, and as many steps as there are.
    const N_SCORES: [(usize, usize); 12] = [
        (3, 1),
        (300, 299),
        (514, 512),
        (4096, 512),
        (4097, 512),
        (4098, 1),
        (16_384, 512),
        (16_385, 512),
        (16_385, 3000),
        (49_152, 16),
        (100_001, 3000),
        (250_000, 512),
    ];

    fn check_all(profile: ProfileChoice) {
        let Some(mut context) = open(profile) else { return };
        let random = &mut Random::new(5);
        for (n_scores, top_k) in N_SCORES {
            let n = n_scores * if n_scores < 20_000 { 3 } else { 1 };
            let usual: Vec<f32> = (0..n).map(|_| random.normal()).collect();
            // Equals across all borders, some of them chosen.
            let ties: Vec<f32> = usual.iter().map(|score| score.round()).collect();
            let few: Vec<f32> = usual.iter().map(|score| (score.abs() - 3.0).max(0.0)).collect();
            for scores in [usual, ties, few, vec![-1.5; n]] {
                check(&mut context, &scores, n_scores, top_k);
            }
        }
    }

    #[test]
    fn a_choice_is_that_of_a_sort() {
        check_all(ProfileChoice::Device);
    }

    #[test]
    fn small_workgroups_choose_the_same() {
        check_all(ProfileChoice::Portable);
    }

    #[test]
    fn candidates_become_fewer_until_one_chunk_is_left() {
        let large = DeviceProfile::apple();
        let small = DeviceProfile { workgroup_threads: 256, ..large };
        for (profile, n_steps) in [(large, 2), (small, 3)] {
            let (mut n_inputs, mut n) = (250_000, 1);
            loop {
                let step = Step::of(&profile, n_inputs, 512, n == 1);
                if step.is_last {
                    break;
                }
                n_inputs = step.n_chunks(n_inputs) * 512;
                n += 1;
            }
            assert_eq!(n, n_steps);
        }
    }
}
