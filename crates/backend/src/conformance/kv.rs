//! Driving what makes KV: raw rows, compressed rows, and the indexer's choice.

use std::error::Error;
use std::ops::Range;

use gguf::TensorType;

use super::attention::selected_rows;
use super::cases::Rope;
use super::check::{Arrangement, Case, Outcome, Output, by_batch, ordered_rows};
use super::inputs::{Random, encoded, packed, plain};
use super::limits;
use super::tensors::{Place, collect, input, output, runs};
use crate::kv_row::{KvLayout, KvRounding};
use crate::ops::{
    Backend, CompressedPlace, CompressorInputs, CompressorState, IndexInputs, KvInputs, KvPlace,
};
use crate::params::{CompressParams, IndexParams, Run};

/// What raw rows look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RawRows {
    /// Normal numbers.
    Usual,
    /// Nothing but zeros, of both signs.
    Zero,
    /// Magnitudes from 2^-40 to 2^15 in one row: most of a group falls to zero.
    Wide,
    /// Numbers half way between two codes, with a group maximum that makes the scale one.
    Midpoints,
}

impl RawRows {
    fn rows(self, random: &mut Random, n: usize, width: usize) -> Vec<Vec<f32>> {
        (0..n).map(|_| self.row(random, width)).collect()
    }

    fn row(self, random: &mut Random, width: usize) -> Vec<f32> {
        let mut value = |i: usize| {
            let sign = if random.below(2) == 0 { 1.0 } else { -1.0 };
            match self {
                Self::Usual => random.normal(),
                Self::Zero => 0.0 * sign,
                Self::Wide => {
                    sign * random.uniform(1.0, 2.0) * 2f32.powf(random.uniform(-40.0, 14.0))
                }
                Self::Midpoints if i.is_multiple_of(32) => sign * 448.0,
                // Four bits of mantissa, the last one set: half a step of E4M3.
                Self::Midpoints => {
                    let mantissa = 17 + 2 * random.below(8);
                    sign * mantissa as f32 * 2f32.powi(random.below(12) as i32 - 8)
                }
            }
        };
        (0..width).map(&mut value).collect()
    }
}

/// `store_kv` of a run from `first_position` on.
#[derive(Debug)]
pub(super) struct StoreKv {
    pub(super) layout: KvLayout,
    pub(super) capacity: usize,
    pub(super) first_position: usize,
    pub(super) n_tokens: usize,
    pub(super) rows: RawRows,
}

/// What rows hold that nobody has stored to.
fn stale_bytes(random: &mut Random, layout: &KvLayout, n_rows: usize) -> Vec<u8> {
    packed(layout, &random.rows(n_rows, layout.width, 3.0))
}

/// Rows `first .. first + n` as bytes, one vector per row.
fn read_rows<B: Backend>(
    backend: &mut B,
    rows: &B::KvRows,
    layout: &KvLayout,
    range: Range<usize>,
) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let mut bytes = vec![0; range.len() * layout.row_bytes()];
    backend.read_kv_rows(rows, range, &mut bytes)?;
    Ok(bytes.chunks_exact(layout.row_bytes()).map(<[u8]>::to_vec).collect())
}

impl Case for StoreKv {
    fn op(&self) -> &'static str {
        "store_kv"
    }

    fn n_rows(&self) -> usize {
        self.n_tokens
    }

    fn run<B: Backend>(&self, backend: &mut B, arrangement: &Arrangement) -> Outcome {
        let random = &mut Random::new(10);
        let kv = self.rows.rows(random, self.n_tokens, self.layout.width);
        let positions: Vec<usize> = (0..self.n_tokens).map(|i| self.first_position + i).collect();
        let mut window = backend.kv_rows(self.layout, self.capacity)?;
        backend.write_kv_rows(&mut window, 0, &stale_bytes(random, &self.layout, self.capacity));
        for batch in arrangement {
            let x = input(backend, &kv, batch, Place::Between)?;
            for run in runs(batch, &positions, Place::Between) {
                backend.store_kv(&mut window, &x, run);
            }
        }
        let rows = read_rows(backend, &window, &self.layout, 0..self.capacity)?;
        Ok(vec![Output::bytes("ring", rows, limits::COPY)])
    }
}

/// `compress` of a timeline from `first_position` on.
#[derive(Debug)]
pub(super) struct Compress {
    pub(super) layout: KvLayout,
    pub(super) rope: Rope,
    pub(super) ratio: usize,
    pub(super) overlap: bool,
    /// Slots of the state, a multiple of the ratio.
    pub(super) n_slots: usize,
    /// A later start continues a restored session whose slots hold earlier tokens.
    pub(super) first_position: usize,
    pub(super) n_tokens: usize,
    /// Rows that an earlier run has stored.
    pub(super) n_stored_rows: usize,
}

impl Compress {
    fn width(&self) -> usize {
        if self.overlap { 2 * self.layout.width } else { self.layout.width }
    }

    fn state<B: Backend>(
        &self,
        backend: &mut B,
        random: &mut Random,
    ) -> Result<CompressorState<B::Tensor>, Box<dyn Error>> {
        let width = self.width();
        let mut slots = |backend: &mut B| -> Result<B::Tensor, Box<dyn Error>> {
            let mut x = backend.zeros(self.n_slots, width)?;
            backend.write(&mut x, 0, &random.normals(self.n_slots * width, 1.0));
            Ok(x)
        };
        Ok(CompressorState { values: slots(backend)?, scores: slots(backend)? })
    }
}

impl Case for Compress {
    fn op(&self) -> &'static str {
        "compress"
    }

    fn n_rows(&self) -> usize {
        self.n_tokens
    }

    fn arrangements(&self) -> Vec<Arrangement> {
        ordered_rows(self.n_tokens)
    }

    fn run<B: Backend>(&self, backend: &mut B, arrangement: &Arrangement) -> Outcome {
        let random = &mut Random::new(11);
        let width = self.width();
        let values = random.rows(self.n_tokens, width, 1.0);
        let scores = random.rows(self.n_tokens, width, 2.0);
        let ape = random.normals(width * self.ratio, 1.0);
        let ape = backend.bind(&encoded(TensorType::F16, &[width, self.ratio], &ape))?;
        let gain = random.normals(self.layout.width, 1.0);
        let gain = backend.bind(&plain(&[self.layout.width], &gain))?;
        let mut state = self.state(backend, random)?;
        let params = CompressParams {
            ratio: self.ratio,
            overlap: self.overlap,
            norm_eps: 1e-6,
            n_stored_rows: self.n_stored_rows,
        };
        let rotation = self.rope.rotation();
        let positions: Vec<usize> = (0..self.n_tokens).map(|i| self.first_position + i).collect();

        // The rows that close, and a row on either side that must stay as it is.
        let first = self.first_position / self.ratio;
        let capacity = (self.first_position + self.n_tokens) / self.ratio + 1;
        let seen = first.saturating_sub(1)..capacity;
        let mut rows = backend.kv_rows(self.layout, capacity)?;
        let stale = stale_bytes(random, &self.layout, seen.len());
        backend.write_kv_rows(&mut rows, seen.start, &stale);

        for batch in arrangement {
            let values = input(backend, &values, batch, Place::Between)?;
            let scores = input(backend, &scores, batch, Place::Between)?;
            for run in runs(batch, &positions, Place::Between) {
                backend.compress(
                    &mut rows, &mut state, &values, &scores, &ape, &gain, &rotation, &params, run,
                );
            }
        }

        let limit = match self.layout.rounding {
            KvRounding::Applied => limits::rounded(self.layout),
            KvRounding::Off => limits::pooled(),
        };
        let rows = read_rows(backend, &rows, &self.layout, seen)?;
        let rows = match self.layout.rounding {
            KvRounding::Applied => Output::bytes("rows", rows, limit),
            KvRounding::Off => {
                let floats = |bytes: &Vec<u8>| {
                    let mut row = vec![0.0; self.layout.width];
                    self.layout.unpack(bytes, &mut row);
                    row
                };
                Output::floats("rows", rows.iter().map(floats).collect(), limit)
            }
        };
        let mut slots = |x: &B::Tensor| -> Result<Vec<Vec<f32>>, Box<dyn Error>> {
            let mut values = vec![0.0; self.n_slots * width];
            backend.read(x, 0, &mut values)?;
            Ok(values.chunks_exact(width).map(<[f32]>::to_vec).collect())
        };
        Ok(vec![
            rows,
            Output::floats("state values", slots(&state.values)?, limits::COPY),
            Output::floats("state scores", slots(&state.scores)?, limits::COPY),
        ])
    }
}

/// `store_all` of a timeline from `first_position` on: what all its parts leave.
#[derive(Debug)]
pub(super) struct StoreAll {
    pub(super) row: KvLayout,
    pub(super) key: KvLayout,
    pub(super) rope: Rope,
    /// Windows overlap if it is 4; `None` does not compress.
    pub(super) ratio: Option<usize>,
    pub(super) first_position: usize,
    pub(super) n_tokens: usize,
    /// With an indexer.
    pub(super) n_index_heads: Option<usize>,
}

/// Rows of the ring of raw rows.
const STORE_ALL_RING: usize = 24;

/// Projections, weights, rows and state of one compressor.
struct CompressorParts<B: Backend> {
    layout: KvLayout,
    width: usize,
    values: Vec<Vec<f32>>,
    scores: Vec<Vec<f32>>,
    ape: B::Weight,
    gain: B::Weight,
    rows: B::KvRows,
    /// Rows that are looked at afterwards.
    seen: Range<usize>,
    state: CompressorState<B::Tensor>,
    n_slots: usize,
    params: CompressParams,
}

impl<B: Backend> CompressorParts<B> {
    fn new(
        backend: &mut B,
        case: &StoreAll,
        layout: KvLayout,
        ratio: usize,
        seed: u64,
    ) -> Result<Self, Box<dyn Error>> {
        let random = &mut Random::new(seed);
        let overlap = ratio == 4;
        let width = layout.width * (1 + usize::from(overlap));
        let n_slots = 2 * ratio;
        let ape = random.normals(width * ratio, 1.0);
        let gain = random.normals(layout.width, 1.0);
        let mut slots = |backend: &mut B| -> Result<B::Tensor, Box<dyn Error>> {
            let mut x = backend.zeros(n_slots, width)?;
            backend.write(&mut x, 0, &random.normals(n_slots * width, 1.0));
            Ok(x)
        };
        let state = CompressorState { values: slots(backend)?, scores: slots(backend)? };
        let capacity = (case.first_position + case.n_tokens) / ratio + 1;
        let seen = (case.first_position / ratio).saturating_sub(1)..capacity;
        let mut rows = backend.kv_rows(layout, capacity)?;
        backend.write_kv_rows(&mut rows, seen.start, &stale_bytes(random, &layout, seen.len()));
        Ok(Self {
            layout,
            width,
            values: random.rows(case.n_tokens, width, 1.0),
            scores: random.rows(case.n_tokens, width, 2.0),
            ape: backend.bind(&encoded(TensorType::F16, &[width, ratio], &ape))?,
            gain: backend.bind(&plain(&[layout.width], &gain))?,
            rows,
            seen,
            state,
            n_slots,
            params: CompressParams { ratio, overlap, norm_eps: 1e-6, n_stored_rows: 0 },
        })
    }

    /// Values and scores of a batch.
    fn inputs(&self, backend: &mut B, batch: &[usize]) -> Result<[B::Tensor; 2], Box<dyn Error>> {
        let mut part = |rows| input(backend, rows, batch, Place::Whole);
        Ok([part(&self.values)?, part(&self.scores)?])
    }

    fn outputs(
        &self,
        backend: &mut B,
        [rows, values, scores]: [&'static str; 3],
    ) -> Result<Vec<Output>, Box<dyn Error>> {
        let mut slots = |x: &B::Tensor| -> Result<Vec<Vec<f32>>, Box<dyn Error>> {
            let mut values = vec![0.0; self.n_slots * self.width];
            backend.read(x, 0, &mut values)?;
            Ok(values.chunks_exact(self.width).map(<[f32]>::to_vec).collect())
        };
        let values = Output::floats(values, slots(&self.state.values)?, limits::COPY);
        let scores = Output::floats(scores, slots(&self.state.scores)?, limits::COPY);
        let found = read_rows(backend, &self.rows, &self.layout, self.seen.clone())?;
        Ok(vec![made_rows(rows, &self.layout, found), values, scores])
    }
}

/// Stored rows of which the last bits of the unrounded values are open.
fn made_rows(name: &'static str, layout: &KvLayout, rows: Vec<Vec<u8>>) -> Output {
    match layout.rounding {
        KvRounding::Applied => Output::bytes(name, rows, limits::rounded(*layout)),
        KvRounding::Off => {
            let floats = |bytes: &Vec<u8>| {
                let mut row = vec![0.0; layout.width];
                layout.unpack(bytes, &mut row);
                row
            };
            Output::floats(name, rows.iter().map(floats).collect(), limits::pooled())
        }
    }
}

impl Case for StoreAll {
    fn op(&self) -> &'static str {
        "store_all"
    }

    fn n_rows(&self) -> usize {
        self.n_tokens
    }

    fn arrangements(&self) -> Vec<Arrangement> {
        ordered_rows(self.n_tokens)
    }

    fn run<B: Backend>(&self, backend: &mut B, arrangement: &Arrangement) -> Outcome {
        let random = &mut Random::new(16);
        let head_dim = self.row.width;
        let kv = random.rows(self.n_tokens, head_dim, 1.0);
        let gain = backend.bind(&plain(&[head_dim], &random.normals(head_dim, 1.0)))?;
        let rotation = self.rope.rotation();
        let query_width = self.n_index_heads.unwrap_or(0) * self.key.width;
        let queries = random.rows(self.n_tokens, query_width.max(1), 1.0);
        let mut window = backend.kv_rows(self.row, STORE_ALL_RING)?;
        backend.write_kv_rows(&mut window, 0, &stale_bytes(random, &self.row, STORE_ALL_RING));
        let compressor =
            self.ratio.map(|ratio| CompressorParts::new(backend, self, self.row, ratio, 17));
        let mut compressor = compressor.transpose()?;
        let index = self.ratio.filter(|_| self.n_index_heads.is_some());
        let index = index.map(|ratio| CompressorParts::new(backend, self, self.key, ratio, 18));
        let mut index = index.transpose()?;
        let mut rotated = vec![Vec::new(); self.n_tokens];

        for batch in arrangement {
            let x = input(backend, &kv, batch, Place::Whole)?;
            let mut normed = output(backend, batch.len(), head_dim, Place::Whole)?;
            let mut queries = input(backend, &queries, batch, Place::Whole)?;
            let parts =
                compressor.as_ref().map(|parts| parts.inputs(backend, batch)).transpose()?;
            let index_parts =
                index.as_ref().map(|parts| parts.inputs(backend, batch)).transpose()?;
            let first_position = self.first_position + batch[0];
            let run = Run { first_row: 0, n_rows: batch.len(), first_position };
            let (compressed_inputs, compressed) = split(compressor.as_mut(), parts.as_ref());
            let (index_inputs, index_place) = split(index.as_mut(), index_parts.as_ref());
            let mut inputs = KvInputs {
                kv: &x,
                normed: &mut normed,
                gain: &gain,
                norm_eps: 1e-6,
                head_dim,
                rotation: &rotation,
                compressor: compressed_inputs,
                index: index_inputs.map(|compressor| IndexInputs {
                    compressor,
                    queries: Some(&mut queries),
                    index_dim: self.key.width,
                }),
            };
            let place = KvPlace { window: &mut window, compressed, index: index_place };
            backend.store_all(&mut inputs, &mut [place], &[run]);
            if self.n_index_heads.is_some() {
                let rows = collect(backend, &mut queries, batch.len(), query_width, Place::Whole)?;
                for (row, index) in rows.into_iter().zip(batch) {
                    rotated[*index] = row;
                }
            }
        }

        let ring = read_rows(backend, &window, &self.row, 0..STORE_ALL_RING)?;
        let mut outputs = vec![
            made_rows("ring", &self.row, ring),
            Output::floats("index queries", rotated, limits::rotation(1.0)),
        ];
        if let Some(parts) = compressor {
            outputs.extend(parts.outputs(backend, ["rows", "state values", "state scores"])?);
        }
        if let Some(parts) = index {
            let names = ["index rows", "index state values", "index state scores"];
            outputs.extend(parts.outputs(backend, names)?);
        }
        Ok(outputs)
    }
}

/// A compressor's inputs, and where its rows go.
fn split<'a, B: Backend>(
    parts: Option<&'a mut CompressorParts<B>>,
    inputs: Option<&'a [B::Tensor; 2]>,
) -> (Option<CompressorInputs<'a, B>>, Option<CompressedPlace<'a, B>>) {
    let (Some(parts), Some([values, scores])) = (parts, inputs) else {
        return (None, None);
    };
    let CompressorParts { ape, gain, rows, state, params, .. } = parts;
    (
        Some(CompressorInputs { values, scores, ape, gain }),
        Some(CompressedPlace { rows, state, params: *params }),
    )
}

/// What index keys and queries look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IndexKeys {
    /// Normal numbers; scores differ.
    Usual,
    /// Few different keys, so that many rows score the same.
    Ties,
    /// No head counts: every score is zero.
    ZeroHeadWeights,
}

/// `index_select` of a run from `first_position` on.
#[derive(Debug)]
pub(super) struct IndexSelect {
    pub(super) layout: KvLayout,
    pub(super) params: IndexParams,
    pub(super) first_position: usize,
    pub(super) n_tokens: usize,
    pub(super) keys: IndexKeys,
}

impl IndexSelect {
    /// Rows visible to the last token, and two that are not.
    fn capacity(&self) -> usize {
        (self.first_position + self.n_tokens) / self.params.ratio + 2
    }

    /// Queries and head weights of every token, and packed keys.
    pub(super) fn inputs(&self) -> (Vec<Vec<f32>>, Vec<Vec<f32>>, Vec<u8>) {
        let random = &mut Random::new(12);
        let (n_heads, dim) = (self.params.n_heads, self.layout.width);
        let queries = random.rows(self.n_tokens, n_heads * dim, 1.0);
        let head_weights = match self.keys {
            IndexKeys::ZeroHeadWeights => vec![vec![0.0; n_heads]; self.n_tokens],
            _ => random.rows(self.n_tokens, n_heads, 1.0),
        };
        let keys = match self.keys {
            IndexKeys::Ties => {
                let few = random.rows(5, dim, 1.0);
                (0..self.capacity()).map(|_| few[random.below(few.len())].clone()).collect()
            }
            _ => random.rows(self.capacity(), dim, 1.0),
        };
        (queries, head_weights, packed(&self.layout, &keys))
    }
}

impl Case for IndexSelect {
    fn op(&self) -> &'static str {
        "index_select"
    }

    fn n_rows(&self) -> usize {
        self.n_tokens
    }

    fn run<B: Backend>(&self, backend: &mut B, arrangement: &Arrangement) -> Outcome {
        let (queries, head_weights, key_bytes) = self.inputs();
        let mut keys = backend.kv_rows(self.layout, self.capacity())?;
        backend.write_kv_rows(&mut keys, 0, &key_bytes);
        let positions: Vec<usize> = (0..self.n_tokens).map(|i| self.first_position + i).collect();
        by_batch(arrangement, |batch| {
            let queries = input(backend, &queries, batch, Place::Between)?;
            let head_weights = input(backend, &head_weights, batch, Place::Between)?;
            let n_rows = Place::Between.lead() + batch.len();
            let mut selection = backend.selection(n_rows, self.params.top_k)?;
            let runs = runs(batch, &positions, Place::Between);
            for run in &runs {
                backend.index_select(
                    &mut selection,
                    &queries,
                    &head_weights,
                    &keys,
                    &self.params,
                    *run,
                );
            }
            let n_visible = self.capacity() - 2;
            let rows = selected_rows(backend, &selection, batch.len(), n_visible, &runs)?;
            Ok(vec![Output::ids("rows", rows)])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::cases;
    use crate::reference::{Reference, index_scores};

    /// The suite compares choices exactly, so no case may have a near tie that is not a tie.
    #[test]
    fn scores_at_the_border_are_equal_or_well_apart() {
        for case in cases::index_select() {
            check_border(&case);
        }
    }

    fn check_border(case: &IndexSelect) {
        let (queries, head_weights, bytes) = case.inputs();
        let mut keys = Reference.kv_rows(case.layout, case.capacity()).unwrap();
        Reference.write_kv_rows(&mut keys, 0, &bytes);
        for token in 0..case.n_tokens {
            let visible = (case.first_position + token + 1) / case.params.ratio;
            if visible <= case.params.top_k {
                continue;
            }
            let (queries, head_weights) = (&queries[token], &head_weights[token]);
            let mut scores = index_scores(queries, head_weights, &keys, &case.params, visible);
            scores.sort_by(|a, b| b.total_cmp(a));
            let largest = scores[0].abs().max(scores[visible - 1].abs());
            let gap = scores[case.params.top_k - 1] - scores[case.params.top_k];
            assert!(gap == 0.0 || gap > 1e-5 * largest, "{case:?}, token {token}: gap {gap:e}");
        }
    }
}
