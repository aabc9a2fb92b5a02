//! The search that `Q2_K` and `Q4_K` share: 256 weights in groups, each group with a scale and a
//! minimum that are small integers times the block's `d` and `dmin`.
//!
//! 1. Each group alone: for ranges of different width, round to codes, solve for the scale and
//!    minimum that suit those codes best, and repeat while that helps.
//! 2. The block: from several `d` and `dmin` around those that cover the largest group, choose
//!    each group's integers next to its own optimum, solve for the `d` and `dmin` that suit these
//!    best, and repeat while that helps. The best end wins.

use crate::blocks::f16::{f16_to_f32, f32_to_f16};

use super::nearest;

/// Weights per block.
const LEN: usize = 256;
/// Most groups of a block.
const MAX_GROUPS: usize = 16;
/// Ranges tried for a group, as the width in codes that its weights are spread over, relative to
/// the largest code: from a little wider than all codes to so narrow that outliers are cut.
const N_RANGES: usize = 16;
const WIDEST: f32 = -0.6;
const RANGE_STEP: f32 = 0.12;
/// Rounds of choosing codes and solving; each only ever lowers the error.
const MAX_ROUNDS: usize = 6;
/// Where the search of `d` and `dmin` begins, relative to what covers the largest group.
const STARTS: [(f32, f32); 5] = [(1.0, 1.0), (0.93, 1.0), (1.0, 0.93), (0.93, 0.93), (0.86, 0.9)];

/// What distinguishes the formats.
pub(super) struct Shape {
    /// Weights per group.
    pub(super) group_len: usize,
    /// Largest code of a weight.
    pub(super) max_code: f32,
    /// Largest integer scale or minimum of a group.
    pub(super) max_scale: f32,
}

/// `w = d * scale[g] * code - dmin * min[g]`.
#[derive(Clone)]
pub(super) struct Affine {
    pub(super) d: [u8; 2],
    pub(super) dmin: [u8; 2],
    /// `(scale, min)`.
    pub(super) groups: [(u8, u8); MAX_GROUPS],
    pub(super) codes: [u8; LEN],
}

/// A group's real scale and minimum: `w = scale * code - min`, neither negative.
#[derive(Clone, Copy, Default)]
struct Line {
    scale: f32,
    min: f32,
}

/// Finds the numbers of a block, or nothing if a scale is beyond the range of F16.
pub(super) fn search(
    weights: &[f32; LEN],
    importance: &[f32; LEN],
    shape: &Shape,
) -> Option<Affine> {
    let block = Block { weights, importance, shape };
    let mut lines = [Line::default(); MAX_GROUPS];
    for (g, line) in lines.iter_mut().enumerate().take(block.n_groups()) {
        *line = block.fit_group(g);
    }
    let largest = |of: fn(&Line) -> f32| lines.iter().map(of).fold(0.0, f32::max) / shape.max_scale;
    let (d, dmin) = (largest(|line| line.scale), largest(|line| line.min));
    let mut best: Option<Trial> = None;
    for (d_factor, dmin_factor) in STARTS {
        let trial = block.descend(&lines, Steps::rounded(d * d_factor, dmin * dmin_factor)?);
        if best.as_ref().is_none_or(|best| trial.error < best.error) {
            best = Some(trial);
        }
    }
    best.map(|best| block.finish(&best))
}

/// `d` and `dmin` as F16 holds them.
#[derive(Clone, Copy)]
struct Steps {
    d: f32,
    dmin: f32,
}

impl Steps {
    fn rounded(d: f32, dmin: f32) -> Option<Self> {
        let [d, dmin] = [d, dmin].map(|step| f16_to_f32(f32_to_f16(step)));
        (d.is_finite() && dmin.is_finite()).then_some(Self { d, dmin })
    }

    fn line(self, (scale, min): (u8, u8)) -> Line {
        Line { scale: self.d * f32::from(scale), min: self.dmin * f32::from(min) }
    }
}

#[derive(Clone)]
struct Trial {
    steps: Steps,
    groups: [(u8, u8); MAX_GROUPS],
    error: f32,
}

struct Block<'a> {
    weights: &'a [f32; LEN],
    importance: &'a [f32; LEN],
    shape: &'a Shape,
}

/// Sums over a group from which the best line for given codes follows.
#[derive(Default)]
struct Sums {
    one: f32,
    code: f32,
    code_code: f32,
    weight: f32,
    code_weight: f32,
}

impl Sums {
    /// The line with the least error, with neither number negative.
    fn solve(&self) -> Line {
        let determinant = self.one * self.code_code - self.code * self.code;
        if determinant > 0.0 {
            let scale = (self.one * self.code_weight - self.code * self.weight) / determinant;
            let min = (self.code * self.code_weight - self.code_code * self.weight) / determinant;
            if scale > 0.0 && min > 0.0 {
                return Line { scale, min };
            }
        }
        let without_min =
            if self.code_code > 0.0 { self.code_weight / self.code_code } else { 0.0 };
        let without_scale = -self.weight / self.one;
        // Of the two borders, the one that explains more of the weights.
        let gain_of_scale = without_min.max(0.0) * self.code_weight;
        let gain_of_min = without_scale.max(0.0) * -self.weight;
        if gain_of_scale >= gain_of_min {
            Line { scale: without_min.max(0.0), min: 0.0 }
        } else {
            Line { scale: 0.0, min: without_scale.max(0.0) }
        }
    }
}

impl Block<'_> {
    fn n_groups(&self) -> usize {
        LEN / self.shape.group_len
    }

    fn group(&self, g: usize) -> (&[f32], &[f32]) {
        let range = g * self.shape.group_len..(g + 1) * self.shape.group_len;
        (&self.weights[range.clone()], &self.importance[range])
    }

    /// The code of a weight: nearest on the line. `inverse` is 1 / scale, or 0.
    #[inline]
    fn code(&self, weight: f32, line: Line, inverse: f32) -> f32 {
        let position = (weight + line.min) * inverse;
        let position = if position > 0.0 { position } else { 0.0 };
        nearest(if position < self.shape.max_code { position } else { self.shape.max_code })
    }

    /// The group's error with the best codes on a line.
    fn error(&self, g: usize, line: Line) -> f32 {
        let (weights, importance) = self.group(g);
        let inverse = inverse(line.scale);
        let mut lanes = [0.0_f32; 8];
        let chunks = weights.as_chunks::<8>().0.iter().zip(importance.as_chunks::<8>().0);
        for (weights, importance) in chunks {
            for ((lane, &weight), &importance) in lanes.iter_mut().zip(weights).zip(importance) {
                let code = self.code(weight, line, inverse);
                let difference = line.scale * code - line.min - weight;
                *lane += importance * difference * difference;
            }
        }
        lanes.iter().sum()
    }

    fn sums(&self, g: usize, line: Line) -> Sums {
        let (weights, importance) = self.group(g);
        let inverse = inverse(line.scale);
        let mut sums = Sums::default();
        for (&weight, &importance) in weights.iter().zip(importance) {
            let code = self.code(weight, line, inverse);
            sums.one += importance;
            sums.code += importance * code;
            sums.code_code += importance * code * code;
            sums.weight += importance * weight;
            sums.code_weight += importance * code * weight;
        }
        sums
    }

    /// The line that suits a group alone.
    fn fit_group(&self, g: usize) -> Line {
        let (weights, _) = self.group(g);
        let low = weights.iter().fold(0.0_f32, |low, &weight| low.min(weight));
        let high = weights.iter().fold(low, |high, &weight| high.max(weight));
        let (mut best, mut least) = (Line { scale: 0.0, min: -low }, f32::INFINITY);
        for i in 0..N_RANGES {
            let width = self.shape.max_code + WIDEST + RANGE_STEP * i as f32;
            let mut line = Line { scale: (high - low) / width, min: -low };
            let mut error = f32::INFINITY;
            for _ in 0..MAX_ROUNDS {
                let next = self.sums(g, line).solve();
                let next_error = self.error(g, next);
                if next_error >= error {
                    break;
                }
                (line, error) = (next, next_error);
            }
            if error < least {
                (best, least) = (line, error);
            }
        }
        best
    }

    /// Alternates between choosing the groups' integers and solving for the steps.
    fn descend(&self, lines: &[Line; MAX_GROUPS], start: Steps) -> Trial {
        let mut best = self.choose(lines, start);
        for _ in 0..MAX_ROUNDS {
            let Some(steps) = self.solve_steps(&best) else { break };
            let next = self.choose(lines, steps);
            if next.error >= best.error {
                break;
            }
            best = next;
        }
        best
    }

    /// Each group's integers next to its own line, or zeros, with the least error: where the steps
    /// are the smallest that F16 has, nothing is nearer to a tiny weight than zero.
    fn choose(&self, lines: &[Line; MAX_GROUPS], steps: Steps) -> Trial {
        let mut trial = Trial { steps, groups: [(0, 0); MAX_GROUPS], error: 0.0 };
        for (g, line) in lines.iter().enumerate().take(self.n_groups()) {
            let at = |value: f32, step: f32| {
                let multiple = value * inverse(step);
                nearest(multiple.min(self.shape.max_scale)) as i32
            };
            let (scale, min) = (at(line.scale, steps.d), at(line.min, steps.dmin));
            let mut least = self.error(g, Line::default());
            for scale in around(scale, self.shape.max_scale) {
                for min in around(min, self.shape.max_scale) {
                    let error = self.error(g, steps.line((scale, min)));
                    if error < least {
                        (least, trial.groups[g]) = (error, (scale, min));
                    }
                }
            }
            trial.error += least;
        }
        trial
    }

    /// The steps with the least error for a trial's integers and codes.
    fn solve_steps(&self, trial: &Trial) -> Option<Steps> {
        // Weighted least squares of w = d * a - dmin * b with a = scale * code and b = min.
        let (mut aa, mut ab, mut bb, mut aw, mut bw) = (0.0_f64, 0.0, 0.0, 0.0, 0.0);
        for (g, &(scale, min)) in trial.groups.iter().enumerate().take(self.n_groups()) {
            let sums = self.sums(g, trial.steps.line((scale, min)));
            let (scale, min) = (f64::from(scale), f64::from(min));
            aa += scale * scale * f64::from(sums.code_code);
            ab += scale * min * f64::from(sums.code);
            bb += min * min * f64::from(sums.one);
            aw += scale * f64::from(sums.code_weight);
            bw += min * f64::from(sums.weight);
        }
        let determinant = aa * bb - ab * ab;
        let (d, dmin) = if determinant > 1e-9 * aa * bb {
            ((aw * bb - bw * ab) / determinant, (aw * ab - bw * aa) / determinant)
        } else if aa > 0.0 {
            (aw / aa, 0.0)
        } else if bb > 0.0 {
            (0.0, -bw / bb)
        } else {
            return None;
        };
        if d < 0.0 || dmin < 0.0 { None } else { Steps::rounded(d as f32, dmin as f32) }
    }

    fn finish(&self, trial: &Trial) -> Affine {
        let mut codes = [0; LEN];
        for (g, &group) in trial.groups.iter().enumerate().take(self.n_groups()) {
            let line = trial.steps.line(group);
            let inverse = inverse(line.scale);
            let codes = &mut codes[g * self.shape.group_len..][..self.shape.group_len];
            for (code, &weight) in codes.iter_mut().zip(self.group(g).0) {
                *code = self.code(weight, line, inverse) as u8;
            }
        }
        let Steps { d, dmin } = trial.steps;
        Affine { d: f32_to_f16(d), dmin: f32_to_f16(dmin), groups: trial.groups, codes }
    }
}

fn inverse(value: f32) -> f32 {
    if value > 0.0 { 1.0 / value } else { 0.0 }
}

/// An integer and its neighbours, as far as they are between 0 and `max`.
fn around(centre: i32, max: f32) -> impl Iterator<Item = u8> {
    (centre - 1..=centre + 1).filter(move |&i| (0..=max as i32).contains(&i)).map(|i| i as u8)
}
