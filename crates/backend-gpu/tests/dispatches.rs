//! What the fused ops record for a decoded token: its small steps are no dispatches of their own.

use backend::conformance::inputs::{Random, plain, weight};
use backend::{
    AttendParams, Attended, Backend, CompressParams, Compressed, CompressedPlace, CompressorInputs,
    CompressorState, IndexInputs, IndexParams, KvInputs, KvLayout, KvPlace, KvRounding,
    RawAttendParams, Rotation, Run,
};
use backend_gpu::{AdapterChoice, Gpu, KvRows, OpenError, Options, ProfileChoice, Tensor, Weight};
use gguf::TensorType;

/// Buffers that the kernel which stores everything binds.
const STORE_ALL_BUFFERS: u32 = 21;
const RANK: usize = 1024;
const HEAD_DIM: usize = 512;
const ROPE_DIM: usize = 64;
const INDEX_DIM: usize = 128;
const N_HEADS: usize = 8;
const N_INDEX_HEADS: usize = 4;
const RATIO: usize = 4;
const TOP_K: usize = 16;
const EPS: f32 = 1e-6;
/// A token that closes a window.
const RUN: Run = Run { first_row: 0, n_rows: 1, first_position: 803 };

fn open() -> Option<Gpu> {
    let options = Options { adapter: AdapterChoice::Any, profile: ProfileChoice::Device };
    match Gpu::open(options) {
        Ok(gpu) => Some(gpu),
        Err(OpenError::NoAdapter) => None,
        Err(error) => panic!("{error}"),
    }
}

fn vector(gpu: &mut Gpu, n: usize) -> Weight {
    gpu.bind(&plain(&[n], &vec![1.0; n])).expect("there is memory")
}

fn zeros(gpu: &mut Gpu, width: usize) -> Tensor {
    gpu.zeros(1, width).expect("there is memory")
}

/// The kernels that `record` records, by name.
fn recorded(gpu: &mut Gpu, record: impl FnOnce(&mut Gpu)) -> Vec<(&'static str, u64)> {
    let before = gpu.counts();
    record(gpu);
    gpu.finish().expect("kernels run");
    let new = gpu
        .counts()
        .by_kernel
        .into_iter()
        .map(|(name, n)| (name, n - before.by_kernel.get(name).copied().unwrap_or(0)));
    new.filter(|(_, n)| *n > 0).collect()
}

/// A compressor's projections, weights, and state.
struct Compressor {
    values: Tensor,
    scores: Tensor,
    ape: Weight,
    gain: Weight,
    state: CompressorState<Tensor>,
}

impl Compressor {
    fn new(gpu: &mut Gpu, width: usize) -> Self {
        let slots = |gpu: &mut Gpu| gpu.zeros(2 * RATIO, 2 * width).expect("there is memory");
        Self {
            values: zeros(gpu, 2 * width),
            scores: zeros(gpu, 2 * width),
            ape: vector(gpu, RATIO * 2 * width),
            gain: vector(gpu, width),
            state: CompressorState { values: slots(gpu), scores: slots(gpu) },
        }
    }

    fn split<'a>(
        &'a mut self,
        rows: &'a mut KvRows,
    ) -> (CompressorInputs<'a, Gpu>, CompressedPlace<'a, Gpu>) {
        let Self { values, scores, ape, gain, state } = self;
        let params =
            CompressParams { ratio: RATIO, overlap: true, norm_eps: EPS, n_stored_rows: 0 };
        let inputs = CompressorInputs { values, scores, ape, gain };
        (inputs, CompressedPlace { rows, state, params })
    }
}

/// Queries of a token, and what they attend to.
struct Layer {
    queries: Tensor,
    index_queries: Tensor,
    window: KvRows,
    compressed: KvRows,
    keys: KvRows,
    rotation: Rotation,
}

impl Layer {
    fn new(gpu: &mut Gpu) -> Self {
        let row = KvLayout::attention(HEAD_DIM, ROPE_DIM, KvRounding::Applied);
        let key = KvLayout::index(INDEX_DIM, KvRounding::Applied);
        let queries = zeros(gpu, N_HEADS * HEAD_DIM);
        let index_queries = zeros(gpu, N_INDEX_HEADS * INDEX_DIM);
        let mut rows = |layout, n| gpu.kv_rows(layout, n).expect("there is memory");
        Self {
            queries,
            index_queries,
            window: rows(row, 200),
            compressed: rows(row, 201),
            keys: rows(key, 201),
            rotation: Rotation::new(ROPE_DIM, 10_000.0, None),
        }
    }

    fn project(&mut self, gpu: &mut Gpu) {
        let random = &mut Random::new(1);
        let mut product = |n| {
            let tensor = weight(random, TensorType::Q8_0, &[RANK, n], 1.0);
            gpu.bind(&tensor).expect("there is memory")
        };
        let q_b = product(N_HEADS * HEAD_DIM);
        let index_q_b = product(N_INDEX_HEADS * INDEX_DIM);
        let gain = vector(gpu, RANK);
        let (low, mut normed) = (zeros(gpu, RANK), zeros(gpu, RANK));
        let outs = &mut [(&mut self.queries, &q_b), (&mut self.index_queries, &index_q_b)];
        gpu.norm_matmuls(outs, &mut normed, &low, &gain, EPS);
    }

    fn store(&mut self, gpu: &mut Gpu) {
        let mut compressor = Compressor::new(gpu, HEAD_DIM);
        let mut index = Compressor::new(gpu, INDEX_DIM);
        let (kv, mut normed) = (zeros(gpu, HEAD_DIM), zeros(gpu, HEAD_DIM));
        let gain = vector(gpu, HEAD_DIM);
        let (compressor, compressed) = compressor.split(&mut self.compressed);
        let (index_compressor, index) = index.split(&mut self.keys);
        let mut inputs = KvInputs {
            kv: &kv,
            normed: &mut normed,
            gain: &gain,
            norm_eps: EPS,
            head_dim: HEAD_DIM,
            rotation: &self.rotation,
            compressor: Some(compressor),
            index: Some(IndexInputs {
                compressor: index_compressor,
                queries: Some(&mut self.index_queries),
                index_dim: INDEX_DIM,
            }),
        };
        let (compressed, index) = (Some(compressed), Some(index));
        let place = KvPlace { window: &mut self.window, compressed, index };
        gpu.store_all(&mut inputs, &mut [place], &[RUN]);
    }

    fn attend(&mut self, gpu: &mut Gpu) {
        let head_weights = zeros(gpu, N_INDEX_HEADS);
        let mut chosen = gpu.selection(1, TOP_K).expect("there is memory");
        let params = IndexParams { n_heads: N_INDEX_HEADS, ratio: RATIO, top_k: TOP_K };
        let queries = &self.index_queries;
        gpu.index_select(&mut chosen, queries, &head_weights, &self.keys, &params, RUN);
        let rows = &self.compressed;
        let attended = Attended {
            window: &self.window,
            compressed: Some(Compressed { rows, ratio: RATIO, selection: Some(&chosen) }),
            sinks: &vector(gpu, N_HEADS),
        };
        let attend = AttendParams { n_heads: N_HEADS, window: 128 };
        let params = RawAttendParams { attend, head_dim: HEAD_DIM, norm_eps: EPS };
        let mut out = zeros(gpu, N_HEADS * HEAD_DIM);
        let queries = &mut self.queries;
        gpu.attend_raw(&mut out, queries, &[attended], &self.rotation, &params, &[RUN]);
    }
}

#[test]
fn the_attention_of_a_decoded_token_is_six_dispatches() {
    let Some(mut gpu) = open() else { return };
    if !gpu.profile().packed_dot || gpu.profile().storage_buffers < STORE_ALL_BUFFERS {
        return;
    }
    let layer = &mut Layer::new(&mut gpu);
    assert_eq!(recorded(&mut gpu, |gpu| layer.project(gpu)), [("matvec", 1)]);
    assert_eq!(recorded(&mut gpu, |gpu| layer.store(gpu)), [("store_all", 1)]);
    let attention =
        [("attend_raw", 1), ("attend_raw_combine", 1), ("index_score", 1), ("index_top_k", 1)];
    assert_eq!(recorded(&mut gpu, |gpu| layer.attend(gpu)), attention);
}
