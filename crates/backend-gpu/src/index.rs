//! The lightning indexer: scores of index rows, among which [`top_k`] chooses.

use backend::kv_row::{KvLayout, KvRounding};
use backend::{IndexParams, Run};

use crate::buffers::{Buffer, Scratch};
use crate::encode::{Binding, Context};
use crate::kv::hadamard_scale;
use crate::linear::MATVEC_TOKENS;
use crate::memory::{KvRows, Selection, Tensor};
use crate::pipelines::{Kernel, Variant};
use crate::profile::DeviceProfile;
use crate::top_k;

/// Index rows that a workgroup scores at once, and workgroups that a run has at most, or one for each
/// token: a workgroup reads all heads' queries before it scores.
const SCORE_ROWS: usize = 8;
const SCORE_WORKGROUPS: usize = 2048;
/// Scores that are kept at once; more tokens are taken in turn.
const MAX_SCORES: usize = 16 << 20;
/// Scores of a token from which a few tokens are worth matrix units as well, whose queries want a
/// dispatch of their own.
const MATRIX_SCORES: usize = 4096;
/// Of the kernel on matrix units: heads that it is written for, rows and tokens of a workgroup, and the
/// workgroup memory that it takes.
const MATRIX_HEADS: usize = 64;
const MATRIX_ROWS: usize = 64;
const MATRIX_TOKENS: usize = 16;
const MATRIX_WORKGROUP_BYTES: u32 = 36 << 10;
/// Threads of a workgroup that rounds a query.
const QUERY_WORKGROUP: u32 = 64;

pub(crate) fn query_kernel(width: usize) -> Kernel {
    let constants =
        vec![("WIDTH", width as u32), ("WORKGROUP", QUERY_WORKGROUP), hadamard_scale(width)];
    let parts = vec![
        include_str!("shaders/kv/round.wgsl").into(),
        include_str!("shaders/kv/index_codes.wgsl").into(),
        include_str!("shaders/kv/e2m1.wgsl").into(),
        include_str!("shaders/index_query.wgsl").into(),
    ];
    Kernel { name: "index_query", constants, parts }
}

pub(crate) fn score_kernel(layout: &KvLayout) -> Kernel {
    let mut parts = match layout.rounding {
        KvRounding::Applied => vec![
            include_str!("shaders/kv/e2m1.wgsl").into(),
            include_str!("shaders/kv/load_index.wgsl").into(),
        ],
        KvRounding::Off => vec![include_str!("shaders/kv/load_plain_index.wgsl").into()],
    };
    parts.push(include_str!("shaders/index_score.wgsl").into());
    Kernel { name: "index_score", constants: vec![("WIDTH", layout.width as u32)], parts }
}

/// The kernel on matrix units, for many tokens or many rows.
pub(crate) fn score_matrices_kernel(width: usize) -> Kernel {
    let constants = vec![("WIDTH", width as u32), ("TOKENS", MATRIX_TOKENS as u32)];
    let parts = vec![
        include_str!("shaders/kv/e2m1.wgsl").into(),
        include_str!("shaders/kv/load_index.wgsl").into(),
        include_str!("shaders/index_score_matrices.wgsl").into(),
    ];
    Kernel { name: "index_score_matrices", constants, parts }
}

/// Whether that kernel is for this.
fn suits_matrices(
    profile: &DeviceProfile,
    scored: Scored<'_>,
    n_tokens: usize,
    n_scores: usize,
) -> bool {
    (n_tokens > MATVEC_TOKENS || n_scores >= MATRIX_SCORES)
        && profile.matrix_size == Some(16)
        && profile.workgroup_bytes >= MATRIX_WORKGROUP_BYTES
        && scored.keys.layout.rounding == KvRounding::Applied
        && scored.params.n_heads == MATRIX_HEADS
        && scored.keys.layout.width.is_multiple_of(16)
}

/// Queries, their weights and the keys they meet.
#[derive(Clone, Copy)]
struct Scored<'a> {
    queries: &'a Tensor,
    head_weights: &'a Tensor,
    keys: &'a KvRows,
    params: &'a IndexParams,
}

pub(crate) fn index_select(
    context: &mut Context,
    out: &mut Selection,
    queries: &Tensor,
    head_weights: &Tensor,
    keys: &KvRows,
    params: &IndexParams,
    run: Run,
) {
    assert_eq!(queries.width, params.n_heads * keys.layout.width, "queries");
    assert_eq!(head_weights.width, params.n_heads, "head weights");
    assert_eq!(out.top_k, params.top_k, "rows chosen");
    let end = run.first_row + run.n_rows;
    assert!(end <= queries.n_rows.min(head_weights.n_rows), "rows in use");
    assert!(end <= out.capacity, "the selection has room");
    let visible = (run.first_position + run.n_rows) / params.ratio;
    assert!(visible <= keys.capacity, "keys exist");
    if !context.sees(&keys.buffer, keys.stored_bytes(visible)) {
        return;
    }
    let scored = Scored { queries, head_weights, keys, params };
    let tokens_at_once = if visible <= params.top_k {
        run.n_rows
    } else {
        (MAX_SCORES / visible).clamp(1, run.n_rows)
    };
    for first in (0..run.n_rows).step_by(tokens_at_once) {
        let part = Run {
            first_row: run.first_row + first,
            n_rows: tokens_at_once.min(run.n_rows - first),
            first_position: run.first_position + first,
        };
        select_part(context, out, scored, part);
    }
}

fn select_part(context: &mut Context, out: &Selection, scored: Scored<'_>, run: Run) {
    let IndexParams { ratio, top_k, .. } = *scored.params;
    let n_scores = (run.first_position + run.n_rows) / ratio;
    let scores = context.scratch(Scratch::IndexScores, run.n_rows * n_scores);
    if n_scores > top_k {
        score(context, &scores, scored, run, n_scores);
    }
    top_k::choose(context, out, (&scores, n_scores), scored.params, run);
}

/// Queries rounded as the keys are, and the row of the run's first token among them.
fn rounded_queries(context: &mut Context, scored: Scored<'_>, run: Run) -> (Buffer, usize) {
    let Scored { queries, keys, params, .. } = scored;
    if keys.layout.rounding == KvRounding::Off {
        return (queries.buffer.clone(), run.first_row);
    }
    let known = context.rounded_queries.as_ref().filter(|(id, _)| *id == queries.buffer.id());
    if let Some((_, rounded)) = known {
        return (rounded.clone(), run.first_row);
    }
    let rounded = context.scratch(Scratch::IndexQueries, run.n_rows * queries.width);
    let bindings = [Binding::Write(&rounded), Binding::Read(&queries.buffer)];
    let parameters = [run.first_row as u32, params.n_heads as u32];
    let grid = [params.n_heads as u32, run.n_rows as u32, 1];
    context.dispatch(&query_kernel(keys.layout.width), &bindings, &parameters, grid);
    (rounded, 0)
}

fn score(context: &mut Context, scores: &Buffer, scored: Scored<'_>, run: Run, n_scores: usize) {
    let Scored { queries, head_weights, keys, params } = scored;
    let layout = keys.layout;
    let (rounded, first_query) = rounded_queries(context, scored, run);
    let on_matrices = suits_matrices(&context.device.profile, scored, run.n_rows, n_scores);
    let read = if on_matrices {
        context.halves(&rounded, first_query + run.n_rows, queries.width, 1)
    } else {
        rounded
    };
    let bindings = [
        Binding::Write(scores),
        Binding::Read(&read),
        Binding::Read(&head_weights.buffer),
        Binding::Read(&keys.buffer),
    ];
    let scale = 1.0 / ((layout.width * params.n_heads) as f64).sqrt();
    let parameters = [
        run.first_row as u32,
        first_query as u32,
        run.first_position as u32,
        if on_matrices { run.n_rows } else { params.n_heads } as u32,
        params.ratio as u32,
        n_scores as u32,
        (scale as f32).to_bits(),
    ];
    if on_matrices {
        let variant = Variant::new("index_score_matrices", &[layout.width as u32]);
        let kernel = (variant, |_: &DeviceProfile| score_matrices_kernel(layout.width));
        let n_tiles = n_scores.div_ceil(MATRIX_ROWS);
        let grid = [n_tiles as u32, run.n_rows.div_ceil(MATRIX_TOKENS) as u32, 1];
        context.dispatch_variant(kernel, &bindings, &parameters, grid);
    } else {
        let rounding = u32::from(layout.rounding == KvRounding::Applied);
        let variant = Variant::new("index_score", &[layout.width as u32, rounding]);
        let kernel = (variant, |_: &DeviceProfile| score_kernel(&layout));
        let n_tiles = n_scores.div_ceil(SCORE_ROWS).min(SCORE_WORKGROUPS.div_ceil(run.n_rows));
        let grid = [n_tiles as u32, run.n_rows as u32, 1];
        context.dispatch_variant(kernel, &bindings, &parameters, grid);
    }
}
