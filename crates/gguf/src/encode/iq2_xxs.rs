//! `IQ2_XXS`: the nearest grid points under importance, over scales.
//!
//! For a run of eight weights `x` with importances `c`, the error of grid point `p` at scale `s` is
//! `s^2 * A[p] - 2 s * B[p]` and a constant, where `A = sum c p^2` and `B = sum c |x| p`. Both are
//! computed once for all 256 points, after which a scale costs one multiplication a point, and the
//! best point at a scale is found exactly.
//!
//! Signs are those of the weights, except that their parity is fixed: a run with an odd number of
//! negative weights has to flip one. Flipping weight `j` takes `2 c_j |x_j| p_j` off `B`, so each
//! point flips the weight where that is least, which no scale changes either.
//!
//! Over the scales the error has many local minima. Each group of 32 is sampled over a range of
//! scales; then several `d` for the block, each group taking its best integer scale near its own
//! optimum; then `d` is solved for the chosen points, as long as that helps.

use crate::blocks::f16::{f16_to_f32, f32_to_f16};
use crate::blocks::iq2_xxs::{BYTES, D_OFFSET, GRID, GROUP_LEN, LEN, WORDS_OFFSET};

const N_GROUPS: usize = LEN / GROUP_LEN;
const RUN_LEN: usize = 8;
const RUNS_PER_GROUP: usize = GROUP_LEN / RUN_LEN;
const N_POINTS: usize = 256;
/// The largest coordinate of a grid point.
const LARGEST_COORDINATE: f32 = 43.0;
/// Largest integer scale of a group.
const MAX_SCALE: i32 = 15;
/// Scales tried for a group alone, relative to the one that puts its largest weight on the largest
/// coordinate.
const GROUP_SCALES: [f32; 12] =
    [0.36, 0.42, 0.48, 0.54, 0.60, 0.66, 0.72, 0.78, 0.84, 0.90, 0.97, 1.05];
/// Where the search of `d` begins, relative to the one that gives the largest group the largest
/// integer scale.
const STARTS: [f32; 7] = [0.82, 0.88, 0.94, 1.0, 1.06, 1.13, 1.22];
/// Rounds of choosing points and solving for `d`; each only ever lowers the error.
const MAX_ROUNDS: usize = 4;

/// Grid coordinates by position: `COLUMNS[j][p]` is coordinate `j` of point `p`.
static COLUMNS: [[f32; N_POINTS]; RUN_LEN] = columns();

const fn columns() -> [[f32; N_POINTS]; RUN_LEN] {
    let mut columns = [[0.0; N_POINTS]; RUN_LEN];
    let mut j = 0;
    while j < RUN_LEN {
        let mut p = 0;
        while p < N_POINTS {
            columns[j][p] = GRID[p][j] as f32;
            p += 1;
        }
        j += 1;
    }
    columns
}

/// What a run of eight weights costs at each point: `s * (s * a[p] - b[p])` and a constant.
#[derive(Clone)]
struct Run {
    a: [f32; N_POINTS],
    /// Twice `B` of the head of this file.
    b: [f32; N_POINTS],
}

impl Run {
    fn new(weights: &[f32; RUN_LEN], importance: &[f32; RUN_LEN]) -> Self {
        let mut run = Self { a: [0.0; N_POINTS], b: [0.0; N_POINTS] };
        let is_odd = negatives(weights).count_ones() % 2 == 1;
        let mut flip = [f32::INFINITY; N_POINTS];
        for ((column, weight), &importance) in COLUMNS.iter().zip(weights).zip(importance) {
            let pull = 2.0 * importance * weight.abs();
            for ((a, b), coordinate) in run.a.iter_mut().zip(&mut run.b).zip(column) {
                *a += importance * coordinate * coordinate;
                *b += pull * coordinate;
            }
            if is_odd {
                for (flip, coordinate) in flip.iter_mut().zip(column) {
                    let cost = pull * coordinate;
                    *flip = if cost < *flip { cost } else { *flip };
                }
            }
        }
        if is_odd {
            for (b, flip) in run.b.iter_mut().zip(flip) {
                *b -= 2.0 * flip;
            }
        }
        run
    }

    /// The least cost at a scale.
    fn cost(&self, scale: f32) -> f32 {
        let mut least = [f32::INFINITY; 16];
        let chunks = self.a.as_chunks::<16>().0.iter().zip(self.b.as_chunks::<16>().0);
        for (a, b) in chunks {
            for ((least, a), b) in least.iter_mut().zip(a).zip(b) {
                let cost = scale * a - b;
                *least = if cost < *least { cost } else { *least };
            }
        }
        scale * least.iter().fold(f32::INFINITY, |a, &b| a.min(b))
    }

    /// The point with the least cost at a scale; the first one of equals.
    fn point(&self, scale: f32) -> usize {
        let cost = |p: usize| scale * self.a[p] - self.b[p];
        (1..N_POINTS).fold(0, |best, p| if cost(p) < cost(best) { p } else { best })
    }
}

/// Bit `j` is set where weight `j` is negative.
fn negatives(weights: &[f32; RUN_LEN]) -> u8 {
    (0..RUN_LEN).fold(0, |bits, j| bits | u8::from(weights[j] < 0.0) << j)
}

/// The four runs of a group.
type Group = [Run; RUNS_PER_GROUP];

fn group_cost(group: &Group, scale: f32) -> f32 {
    group.iter().map(|run| run.cost(scale)).sum()
}

/// `(sum of b/2, sum of a)` at the best points of a scale: their quotient is the best scale for
/// those points.
fn group_sums(group: &Group, scale: f32) -> (f32, f32) {
    group.iter().fold((0.0, 0.0), |(b, a), run| {
        let p = run.point(scale);
        (b + run.b[p] / 2.0, a + run.a[p])
    })
}

/// The scale that suits a group alone.
fn group_scale(group: &Group, largest: f32) -> f32 {
    let peak = largest / LARGEST_COORDINATE;
    let (mut best, mut least) = (peak, f32::INFINITY);
    for factor in GROUP_SCALES {
        let cost = group_cost(group, peak * factor);
        if cost < least {
            (best, least) = (peak * factor, cost);
        }
    }
    for _ in 0..MAX_ROUNDS {
        let (b, a) = group_sums(group, best);
        let next = b / a;
        // With only flipped signs left, no positive scale helps.
        if next <= 0.0 {
            break;
        }
        let cost = group_cost(group, next);
        if cost >= least {
            break;
        }
        (best, least) = (next, cost);
    }
    best
}

/// The scale of a group with integer `scale` in a block with `d`.
fn scale_of(d: f32, scale: i32) -> f32 {
    d * (0.5 + scale as f32) * 0.25
}

#[derive(Clone, Copy)]
struct Trial {
    d: f32,
    scales: [i32; N_GROUPS],
    cost: f32,
}

/// Each group's integer scale near its own optimum, with the least cost.
fn choose(groups: &[Group], wanted: &[f32; N_GROUPS], d: f32) -> Trial {
    let mut trial = Trial { d, scales: [0; N_GROUPS], cost: 0.0 };
    for ((group, wanted), chosen) in groups.iter().zip(wanted).zip(&mut trial.scales) {
        let centre = ((wanted / d * 4.0 - 0.5).round() as i32).clamp(0, MAX_SCALE);
        let mut least = f32::INFINITY;
        for scale in (centre - 1).max(0)..=(centre + 1).min(MAX_SCALE) {
            let cost = group_cost(group, scale_of(d, scale));
            if cost < least {
                (*chosen, least) = (scale, cost);
            }
        }
        trial.cost += least;
    }
    trial
}

/// The `d` that suits a trial's points best.
fn solve(groups: &[Group], trial: &Trial) -> f32 {
    let (mut numerator, mut denominator) = (0.0, 0.0);
    for (group, &scale) in groups.iter().zip(&trial.scales) {
        let (b, a) = group_sums(group, scale_of(trial.d, scale));
        let factor = scale_of(1.0, scale);
        numerator += factor * b;
        denominator += factor * factor * a;
    }
    numerator / denominator
}

fn rounded(d: f32) -> f32 {
    f16_to_f32(f32_to_f16(d))
}

pub(super) fn encode(weights: &[f32; LEN], importance: &[f32; LEN]) -> Option<[u8; BYTES]> {
    let group_weights = weights.as_chunks::<GROUP_LEN>().0;
    let group_importance = importance.as_chunks::<GROUP_LEN>().0;
    let mut groups: Vec<Group> = Vec::with_capacity(N_GROUPS);
    let mut wanted = [0.0; N_GROUPS];
    for ((weights, importance), wanted) in
        group_weights.iter().zip(group_importance).zip(&mut wanted)
    {
        let (runs, run_importance) =
            (weights.as_chunks::<RUN_LEN>().0, importance.as_chunks::<RUN_LEN>().0);
        let group: Group = std::array::from_fn(|k| Run::new(&runs[k], &run_importance[k]));
        let largest = weights.iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
        *wanted = group_scale(&group, largest);
        groups.push(group);
    }
    let largest = wanted.iter().fold(0.0_f32, |largest, &scale| largest.max(scale));
    let covering = largest / scale_of(1.0, MAX_SCALE);
    let mut best = Trial { d: 0.0, scales: [0; N_GROUPS], cost: 0.0 };
    for start in STARTS {
        let d = rounded(covering * start);
        if !d.is_finite() {
            return None;
        }
        if d == 0.0 {
            continue;
        }
        let trial = choose(&groups, &wanted, d);
        if trial.cost < best.cost {
            best = trial;
        }
    }
    for _ in 0..MAX_ROUNDS {
        let d = if best.d > 0.0 { rounded(solve(&groups, &best)) } else { 0.0 };
        if d <= 0.0 || !d.is_finite() {
            break;
        }
        let next = choose(&groups, &wanted, d);
        if next.cost >= best.cost {
            break;
        }
        best = next;
    }
    Some(pack(weights, importance, &groups, &best))
}

fn pack(
    weights: &[f32; LEN],
    importance: &[f32; LEN],
    groups: &[Group],
    trial: &Trial,
) -> [u8; BYTES] {
    let mut block = [0; BYTES];
    block[D_OFFSET..WORDS_OFFSET].copy_from_slice(&f32_to_f16(trial.d));
    let words = block[WORDS_OFFSET..].as_chunks_mut::<8>().0;
    let runs = weights.as_chunks::<RUN_LEN>().0;
    let importance = importance.as_chunks::<RUN_LEN>().0;
    for (g, (group, words)) in groups.iter().zip(words).enumerate() {
        let scale = scale_of(trial.d, trial.scales[g]);
        let mut signs_and_scale = (trial.scales[g] as u32) << 28;
        for (k, run) in group.iter().enumerate() {
            let i = g * RUNS_PER_GROUP + k;
            let point = run.point(scale);
            words[k] = point as u8;
            let signs = signs(&runs[i], &importance[i], GRID[point]);
            signs_and_scale |= u32::from(signs & 127) << (7 * k);
        }
        words[4..].copy_from_slice(&signs_and_scale.to_le_bytes());
    }
    block
}

/// The signs of a run with one flipped if they are odd: the cheapest at this point.
fn signs(weights: &[f32; RUN_LEN], importance: &[f32; RUN_LEN], point: [u8; RUN_LEN]) -> u8 {
    let signs = negatives(weights);
    if signs.count_ones().is_multiple_of(2) {
        return signs;
    }
    let cost = |j: usize| importance[j] * weights[j].abs() * f32::from(point[j]);
    let cheapest = (1..RUN_LEN).fold(0, |best, j| if cost(j) < cost(best) { j } else { best });
    signs ^ 1 << cheapest
}
