//! The case table: which sizes and inputs each op is tried with.
//!
//! Two geometries run through it. *nano* is the tiny model of the tests (hidden 64, heads of 80
//! channels, 16 of them rotated, index keys of 32). *Flash-like* keeps the published head sizes
//! (512, 64, 128) and block-sized widths, and shrinks the rest. Sizes are one, prime, one past and
//! one short of a power of two, and large.
//!
//! Rows of half-precision weights have an even number of columns: a device without 16-bit storage
//! reads them as 32-bit words, and no tensor of the model is odd.

use gguf::TensorType::{self, Bf16, F16, F32, Iq2Xxs, Mxfp4, Q2K, Q4K, Q8_0};

use super::attention::{Attend, CompressedRows, Scores};
use super::experts::{AllExperts, Choice, Experts, Route};
use super::hyper_connection::{HyperConnection, Op};
use super::inputs::Activations::{Normal, Spiked, Zero};
use super::kv::{Compress, IndexKeys, IndexSelect, RawRows, StoreAll, StoreKv};
use super::linear::{Embed, GroupedMatmul, Matmul, NormMatmuls};
use super::memory::{KvExchange, Rows};
use super::norm::{RmsNorm, RopeTail};
use crate::kv_row::{KvLayout, KvRounding};
use crate::params::IndexParams;
use crate::rotation::{Direction, Rotation, YarnParams};

/// Types that hold weights.
const KINDS: [TensorType; 8] = [F32, F16, Bf16, Q8_0, Mxfp4, Q2K, Q4K, Iq2Xxs];
const ROUNDINGS: [KvRounding; 2] = [KvRounding::Applied, KvRounding::Off];
/// The largest context, where angles and row numbers are largest.
const FAR: usize = 1_000_000;

/// A rotation by name, so that cases can print it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rope {
    rope_dim: usize,
    /// Base 160,000 and `YaRN` as compressing layers have them; else base 10,000.
    extended: bool,
}

impl Rope {
    pub(super) fn rotation(self) -> Rotation {
        let yarn =
            YarnParams { factor: 16.0, original_context: 65_536, beta_fast: 32.0, beta_slow: 1.0 };
        if self.extended {
            Rotation::new(self.rope_dim, 160_000.0, Some(yarn))
        } else {
            Rotation::new(self.rope_dim, 10_000.0, None)
        }
    }
}

/// Head sizes: (`head_dim`, `rope_dim`, `index_dim`).
const NANO: (usize, usize, usize) = (80, 16, 32);
const FLASH: (usize, usize, usize) = (512, 64, 128);

fn attention_layout((head_dim, rope_dim, _): (usize, usize, usize), r: KvRounding) -> KvLayout {
    KvLayout::attention(head_dim, rope_dim, r)
}

fn index_layout((_, _, dim): (usize, usize, usize), r: KvRounding) -> KvLayout {
    KvLayout::index(dim, r)
}

pub(super) fn rows() -> Vec<Rows> {
    [(1, 1), (3, 7), (5, 64), (33, 257)]
        .into_iter()
        .map(|(capacity, width)| Rows { capacity, width })
        .collect()
}

pub(super) fn kv_exchange() -> Vec<KvExchange> {
    let mut cases = Vec::new();
    for geometry in [NANO, FLASH] {
        for rounding in ROUNDINGS {
            for layout in [attention_layout(geometry, rounding), index_layout(geometry, rounding)] {
                cases.extend([1, 7, 130].map(|capacity| KvExchange { layout, capacity }));
            }
        }
    }
    cases
}

pub(super) fn embed() -> Vec<Embed> {
    let mut cases = Vec::new();
    for kind in [F32, F16, Bf16, Q8_0] {
        for (hidden_size, vocab_size, ids) in [
            (64, 3, vec![2]),
            (64, 101, vec![0, 100, 0, 57, 3]),
            (512, 1021, (0..37).map(|i| i * 271 % 1021).collect()),
        ] {
            cases.push(Embed { kind, hidden_size, n_streams: 4, vocab_size, ids: ids.clone() });
        }
        cases.push(Embed { kind, hidden_size: 96, n_streams: 1, vocab_size: 5, ids: vec![4, 1] });
    }
    cases
}

pub(super) fn matmul() -> Vec<Matmul> {
    let mut cases = Vec::new();
    for kind in KINDS {
        let shapes: &[(usize, usize, usize)] = match (kind, kind.block_len()) {
            (F32, _) => &[(1, 1, 1), (3, 7, 2), (17, 61, 5), (64, 64, 1), (131, 257, 9)],
            (_, 1) => &[(1, 2, 1), (3, 14, 2), (17, 62, 5), (64, 64, 1), (131, 258, 9)],
            (_, 32) => &[(1, 32, 1), (3, 96, 2), (17, 224, 5), (64, 64, 1), (131, 1056, 9)],
            _ => &[(1, 256, 1), (3, 512, 2), (17, 768, 5), (64, 256, 1), (131, 2048, 9)],
        };
        let case = |(rows, columns, n_tokens), activations| Matmul {
            kinds: vec![kind],
            rows,
            columns,
            n_tokens,
            activations,
        };
        cases.extend(shapes.iter().map(|shape| case(*shape, Normal(1.0))));
        cases.push(case((96, 512, 33), Normal(1.0)));
        for activations in [Zero, Spiked, Normal(1e-6), Normal(1e4)] {
            cases.push(case((67, 512, 3), activations));
        }
    }
    cases.push(Matmul {
        kinds: vec![Q8_0],
        rows: 512,
        columns: 4096,
        n_tokens: 2,
        activations: Normal(1.0),
    });
    cases.extend(spot_products());
    cases
}

/// Whole tiles, and tiles that end inside.
pub(super) fn spot_products() -> Vec<Matmul> {
    [(Q8_0, 128, 128), (F16, 160, 150)]
        .map(|(kind, rows, n_tokens)| Matmul {
            kinds: vec![kind],
            rows,
            columns: 256,
            n_tokens,
            activations: Normal(1.0),
        })
        .into()
}

pub(super) fn matmuls() -> Vec<Matmul> {
    [
        (vec![Q8_0, Q8_0], 64, 1),
        (vec![F16, F16, F16, F16], 35, 5),
        (vec![Q8_0, F16, F32], 128, 17),
        (vec![Q4K, Q2K, Mxfp4, Bf16], 5, 3),
    ]
    .map(|(kinds, rows, n_tokens)| Matmul {
        kinds,
        rows,
        columns: 512,
        n_tokens,
        activations: Normal(1.0),
    })
    .into()
}

pub(super) fn norm_matmuls() -> Vec<NormMatmuls> {
    let case = |kinds: &[TensorType], rows, columns, n_tokens, activations| {
        NormMatmuls(Matmul { kinds: kinds.to_vec(), rows, columns, n_tokens, activations })
    };
    vec![
        case(&[Q8_0], 70, 1024, 1, Normal(1.0)),
        case(&[Q8_0, Q8_0], 64, 1024, 1, Normal(1e-3)),
        case(&[Q8_0, Q8_0], 5, 192, 1, Normal(1e4)),
        case(&[Q8_0, Q8_0], 131, 1024, 5, Normal(1.0)),
        case(&[Q8_0, Q8_0], 131, 1024, 19, Normal(1.0)),
        case(&[F16, Q8_0], 33, 512, 1, Normal(1.0)),
        case(&[F32], 17, 62, 2, Normal(1.0)),
        case(&[Q4K], 17, 512, 1, Normal(1.0)),
        case(&[Q8_0], 17, 1024, 1, Zero),
    ]
}

pub(super) fn grouped_matmul() -> Vec<GroupedMatmul> {
    let mut cases = Vec::new();
    for kind in [F32, F16, Q8_0, Q4K] {
        for (n_groups, rank, columns, n_tokens) in
            [(1, 7, 256, 1), (2, 16, 256, 5), (8, 33, 512, 3), (3, 64, 256, 19)]
        {
            cases.push(GroupedMatmul { kind, n_groups, rank, columns, n_tokens });
        }
    }
    cases
}

pub(super) fn rms_norm() -> Vec<RmsNorm> {
    let mut cases = Vec::new();
    for (n_heads, width, n_tokens) in [
        (None, 1, 1),
        (None, 7, 2),
        (None, 64, 5),
        (None, 1023, 3),
        (None, 4096, 17),
        (Some(1), 80, 1),
        (Some(4), 80, 5),
        (Some(8), 512, 3),
        (Some(3), 33, 19),
    ] {
        cases.push(RmsNorm { n_heads, width, n_tokens, activations: Normal(1.0) });
    }
    for activations in [Zero, Spiked, Normal(1e-15), Normal(1e-3), Normal(1e15)] {
        for n_heads in [None, Some(2)] {
            cases.push(RmsNorm { n_heads, width: 96, n_tokens: 3, activations });
        }
    }
    cases
}

pub(super) fn rope_tail() -> Vec<RopeTail> {
    let mut cases = Vec::new();
    for (head_dim, rope_dim, _) in [NANO, FLASH] {
        for extended in [false, true] {
            for direction in [Direction::Forward, Direction::Inverse] {
                let case = |n_heads, positions| RopeTail {
                    n_heads,
                    head_dim,
                    rope: Rope { rope_dim, extended },
                    direction,
                    positions,
                };
                cases.push(case(1, vec![0]));
                // Several timelines in one batch, of one token and of more.
                cases.push(case(3, vec![0, 1, 2, 65_537, 17, 18, 999_999, FAR]));
                cases.push(case(2, (FAR - 17..FAR).collect()));
            }
        }
    }
    // A head that rotates as a whole.
    cases.push(RopeTail {
        n_heads: 5,
        head_dim: 64,
        rope: Rope { rope_dim: 64, extended: true },
        direction: Direction::Forward,
        positions: vec![3, 127, 128],
    });
    cases
}

pub(super) fn hyper_connection() -> Vec<HyperConnection> {
    let mut cases = Vec::new();
    for op in [Op::Mix, Op::Expand, Op::Head, Op::Enter, Op::Next] {
        let case = |kind, hidden_size, n_tokens, activations, scale| HyperConnection {
            op,
            kind,
            hidden_size,
            n_tokens,
            activations,
            scale,
        };
        cases.push(case(F16, 64, 1, Normal(1.0), 1.0));
        cases.push(case(F32, 64, 5, Normal(1.0), 1.0));
        cases.push(case(F16, 256, 17, Normal(1.0), 0.3));
        cases.push(case(F32, 1024, 3, Normal(1.0), 1.0));
        cases.push(case(F16, 512, 1, Normal(1.0), 1.0));
        cases.push(case(F16, 96, 3, Zero, 1.0));
        cases.push(case(F16, 64, 3, Normal(1e-4), 1.0));
        cases.push(case(F16, 64, 3, Normal(1e4), 1.0));
        // Gates at their ends: exponentials of some hundred must not overflow.
        cases.push(case(F32, 64, 7, Normal(1.0), 30.0));
        cases.push(case(F32, 64, 7, Normal(1.0), -100.0));
    }
    cases
}

pub(super) fn store_kv() -> Vec<StoreKv> {
    let mut cases = Vec::new();
    for geometry in [NANO, FLASH] {
        for rounding in ROUNDINGS {
            let layout = attention_layout(geometry, rounding);
            for (capacity, first_position, n_tokens) in
                [(1, 0, 1), (8, 0, 5), (8, 6, 5), (13, FAR, 13), (128, 127, 1), (160, 301, 33)]
            {
                let rows = RawRows::Usual;
                cases.push(StoreKv { layout, capacity, first_position, n_tokens, rows });
            }
            for rows in [RawRows::Zero, RawRows::Wide, RawRows::Midpoints] {
                cases.push(StoreKv { layout, capacity: 11, first_position: 9, n_tokens: 7, rows });
            }
        }
    }
    cases
}

pub(super) fn compress() -> Vec<Compress> {
    let mut cases = Vec::new();
    for geometry in [NANO, FLASH] {
        for rounding in ROUNDINGS {
            for layout in [attention_layout(geometry, rounding), index_layout(geometry, rounding)] {
                let rope = Rope { rope_dim: geometry.1, extended: true };
                let case = |ratio, n_slots, first_position, n_tokens| Compress {
                    layout,
                    rope,
                    ratio,
                    overlap: ratio == 4,
                    n_slots,
                    first_position,
                    n_tokens,
                    n_stored_rows: 0,
                };
                // Nothing closes; the first window has no previous one; room for a rewind.
                cases.push(case(4, 8, 0, 3));
                cases.push(case(4, 8, 0, 23));
                cases.push(case(4, 32, 0, 41));
                // A restored session that starts inside a window, and one far away.
                cases.push(case(4, 8, 6, 11));
                cases.push(case(4, 16, FAR - 7, 14));
                // Tokens that are run again: some of their rows are there, or all.
                cases.push(Compress { n_stored_rows: 4, ..case(4, 8, 6, 25) });
                cases.push(Compress { n_stored_rows: 9, ..case(4, 8, 20, 15) });
            }
            let layout = attention_layout(geometry, rounding);
            let rope = Rope { rope_dim: geometry.1, extended: true };
            let case = |n_slots, first_position, n_tokens| Compress {
                layout,
                rope,
                ratio: 128,
                overlap: false,
                n_slots,
                first_position,
                n_tokens,
                n_stored_rows: 0,
            };
            cases.push(case(128, 0, 300));
            cases.push(Compress { n_stored_rows: 1, ..case(128, 100, 160) });
            cases.push(case(256, 120, 19));
            cases.push(case(384, FAR - 130, 131));
        }
    }
    cases
}

pub(super) fn store_all() -> Vec<StoreAll> {
    let mut cases = Vec::new();
    for geometry in [NANO, FLASH] {
        for rounding in ROUNDINGS {
            let case = |ratio, first_position, n_tokens, n_index_heads| StoreAll {
                row: attention_layout(geometry, rounding),
                key: index_layout(geometry, rounding),
                rope: Rope { rope_dim: geometry.1, extended: true },
                ratio,
                first_position,
                n_tokens,
                n_index_heads,
            };
            cases.push(case(None, 126, 5, None));
            cases.push(case(Some(4), 0, 13, Some(3)));
            cases.push(case(Some(4), 65_531, 9, Some(8)));
            cases.push(case(Some(128), 120, 11, None));
        }
    }
    cases
}

pub(super) fn index_select() -> Vec<IndexSelect> {
    let mut cases = Vec::new();
    for (geometry, n_heads) in [(NANO, 2), (FLASH, 8)] {
        for rounding in ROUNDINGS {
            let layout = index_layout(geometry, rounding);
            let case = |top_k, first_position, n_tokens, keys| IndexSelect {
                layout,
                params: IndexParams { n_heads, ratio: 4, top_k },
                first_position,
                n_tokens,
                keys,
            };
            // From no visible row to more than may be chosen.
            cases.push(case(3, 0, 29, IndexKeys::Usual));
            cases.push(case(16, 400, 5, IndexKeys::Usual));
            cases.push(case(1, 100, 3, IndexKeys::Usual));
            cases.push(case(7, 161, 9, IndexKeys::Ties));
            cases.push(case(5, 77, 4, IndexKeys::ZeroHeadWeights));
            // More heads than a kernel may take at once.
            let params = IndexParams { n_heads: 70, ratio: 4, top_k: 9 };
            cases.push(IndexSelect { params, ..case(9, 290, 3, IndexKeys::Ties) });
        }
        let layout = index_layout(geometry, KvRounding::Applied);
        cases.push(IndexSelect {
            layout,
            // The border at which the published model starts to choose.
            params: IndexParams { n_heads, ratio: 4, top_k: 512 },
            first_position: 2046,
            n_tokens: 9,
            keys: IndexKeys::Usual,
        });
    }
    cases.extend(select_with_many_heads());
    // More rows than a kernel may look at as a whole, by one, with equals all over them.
    cases.push(IndexSelect {
        layout: index_layout(FLASH, KvRounding::Applied),
        params: IndexParams { n_heads: 64, ratio: 4, top_k: 900 },
        first_position: 16_387,
        n_tokens: 1,
        keys: IndexKeys::Ties,
    });
    cases
}

/// As many heads as the published model has, which may be the rows of a matrix.
pub(super) fn select_with_many_heads() -> Vec<IndexSelect> {
    let mut cases = Vec::new();
    for (first_position, n_tokens, keys) in [
        (290, 35, IndexKeys::Usual),
        (161, 9, IndexKeys::Ties),
        (77, 20, IndexKeys::ZeroHeadWeights),
    ] {
        cases.push(IndexSelect {
            layout: index_layout(FLASH, KvRounding::Applied),
            params: IndexParams { n_heads: 64, ratio: 4, top_k: 19 },
            first_position,
            n_tokens,
            keys,
        });
    }
    cases
}

pub(super) fn attend() -> Vec<Attend> {
    let mut cases = Vec::new();
    for (geometry, n_heads) in [(NANO, 4), (FLASH, 3)] {
        for rounding in ROUNDINGS {
            let layout = attention_layout(geometry, rounding);
            let case =
                |(window, capacity), (first_position, n_tokens), compressed, scores| Attend {
                    layout,
                    n_heads,
                    window,
                    capacity,
                    first_position,
                    n_tokens,
                    compressed,
                    scores,
                    raw: None,
                };
            let none = CompressedRows::None;
            let visible = |ratio| CompressedRows::Visible { ratio };
            let selected = |top_k| CompressedRows::Selected { ratio: 4, top_k };
            cases.push(case((1, 1), (0, 1), none, Scores::Usual));
            // Fewer positions than the window, a full one, and a ring that wraps.
            cases.push(case((8, 16), (0, 9), none, Scores::Usual));
            cases.push(case((8, 12), (9, 5), none, Scores::Usual));
            cases.push(case((128, 161), (FAR - 20, 33), none, Scores::Usual));
            cases.push(case((16, 40), (100, 7), visible(4), Scores::Usual));
            cases.push(case((128, 140), (120, 11), visible(128), Scores::Usual));
            cases.push(case((32, 37), (40_007, 3), visible(128), Scores::Usual));
            cases.push(case((16, 40), (0, 19), selected(3), Scores::Usual));
            cases.push(case((16, 40), (300, 5), selected(33), Scores::Usual));
            cases.push(case((128, 130), (2046, 3), selected(512), Scores::Usual));
            for scores in [
                Scores::Peaked,
                Scores::VeryNegative,
                Scores::VanishingRows,
                Scores::DominantSinks,
                Scores::Equal,
            ] {
                cases.push(case((16, 20), (50, 3), selected(7), scores));
            }
        }
    }
    cases.extend(attend_with_many_heads());
    // As far as the context reaches: 250,000 index rows.
    cases.push(Attend {
        layout: attention_layout(NANO, KvRounding::Applied),
        n_heads: 2,
        window: 16,
        capacity: 17,
        first_position: FAR,
        n_tokens: 1,
        compressed: CompressedRows::Selected { ratio: 4, top_k: 64 },
        scores: Scores::Usual,
        raw: None,
    });
    cases
}

/// Few tokens and more, shares of any number of rows, and scores of the ends; the length of a query
/// is its norm's affair.
/// As many heads as the published model has, which may be the rows of a matrix.
pub(super) fn attend_with_many_heads() -> Vec<Attend> {
    let mut cases = Vec::new();
    let many = |(window, capacity), (first_position, n_tokens), compressed, scores| Attend {
        layout: attention_layout(FLASH, KvRounding::Applied),
        n_heads: 64,
        window,
        capacity,
        first_position,
        n_tokens,
        compressed,
        scores,
        raw: None,
    };
    let selected = |top_k| CompressedRows::Selected { ratio: 4, top_k };
    cases.push(many((128, 161), (FAR - 20, 33), CompressedRows::None, Scores::Usual));
    let visible = CompressedRows::Visible { ratio: 128 };
    cases.push(many((128, 140), (120, 11), visible, Scores::Usual));
    for scores in [Scores::Usual, Scores::Peaked, Scores::DominantSinks, Scores::VanishingRows] {
        cases.push(many((16, 40), (0, 19), selected(3), scores));
        cases.push(many((16, 40), (300, 13), selected(65), scores));
    }
    cases
}

pub(super) fn attend_raw() -> Vec<Attend> {
    let mut cases = Vec::new();
    for (geometry, n_heads) in [(NANO, 4), (FLASH, 11)] {
        for rounding in ROUNDINGS {
            let layout = attention_layout(geometry, rounding);
            let case = |(first_position, n_tokens), compressed, scores| Attend {
                layout,
                n_heads,
                window: 128,
                capacity: 161,
                first_position,
                n_tokens,
                compressed,
                scores,
                raw: Some(Rope { rope_dim: geometry.1, extended: true }),
            };
            let selected = CompressedRows::Selected { ratio: 4, top_k: 512 };
            let visible = |ratio| CompressedRows::Visible { ratio };
            cases.push(case((0, 1), CompressedRows::None, Scores::Usual));
            cases.push(case((20, 9), CompressedRows::None, Scores::Usual));
            cases.push(case((FAR, 1), CompressedRows::None, Scores::Usual));
            cases.push(case((613, 3), visible(4), Scores::Usual));
            cases.push(case((40_007, 2), visible(128), Scores::Usual));
            cases.push(case((2_090, 2), selected, Scores::Usual));
            for scores in [Scores::VeryNegative, Scores::DominantSinks, Scores::Equal] {
                cases.push(case((300, 2), visible(4), scores));
            }
        }
    }
    cases
}

pub(super) fn route() -> Vec<Route> {
    let mut cases = Vec::new();
    for choice in [Choice::Learned, Choice::Biased, Choice::Hashed] {
        for (kind, hidden_size, n_experts, n_experts_per_token, n_tokens) in [
            (F32, 64, 1, 1, 1),
            (F32, 64, 8, 2, 5),
            (F16, 256, 17, 5, 19),
            (F16, 512, 256, 6, 3),
            (Bf16, 256, 64, 6, 2),
        ] {
            for activations in [Normal(1.0), Normal(20.0), Zero] {
                // The large one is slow to see; one of it is enough.
                if n_experts < 256 || (choice, activations) == (Choice::Biased, Normal(1.0)) {
                    cases.push(Route {
                        kind,
                        hidden_size,
                        n_experts,
                        n_experts_per_token,
                        n_tokens,
                        choice,
                        activations,
                    });
                }
            }
        }
    }
    cases
}

/// Types of gate, up and down: the published recipes, and mixtures a converter may make.
const EXPERT_KINDS: [[TensorType; 3]; 9] = [
    [Iq2Xxs, Iq2Xxs, Q2K],
    [Q4K, Q4K, Q4K],
    [Mxfp4, Mxfp4, Mxfp4],
    [Q8_0, Q8_0, Q8_0],
    [F16, F16, F16],
    [F32, F32, F32],
    [Bf16, Bf16, Bf16],
    [Q2K, Q2K, Q8_0],
    [Q4K, Q4K, Q2K],
];

fn expert_cases(route: Option<(Choice, usize, usize)>) -> Vec<Experts> {
    let mut cases = Vec::new();
    let case = |kinds, (hidden_size, width), n_tokens, activations, limit| Experts {
        kinds,
        route,
        hidden_size,
        width,
        n_tokens,
        activations,
        limit,
    };
    for kinds in EXPERT_KINDS {
        cases.push(case(kinds, (256, 512), 1, Normal(1.0), 10.0));
        cases.push(case(kinds, (512, 256), 5, Normal(1.0), 10.0));
        // Most values meet the clamp.
        cases.push(case(kinds, (256, 256), 3, Normal(20.0), 10.0));
        cases.push(case(kinds, (256, 256), 2, Zero, 10.0));
        if kinds.iter().all(|kind: &TensorType| kind.block_len() <= 32) {
            cases.push(case(kinds, (64, 96), 5, Normal(1.0), 0.5));
            cases.push(case(kinds, (64, 32), 19, Normal(1.0), 10.0));
        }
    }
    cases
}

pub(super) fn routed_experts() -> Vec<Experts> {
    let mut cases = expert_cases(Some((Choice::Hashed, 5, 2)));
    cases.extend(expert_cases(Some((Choice::Biased, 3, 3))).into_iter().step_by(4));
    cases
}

/// Enough tokens for tiles, with the shared expert beside.
pub(super) fn spot_experts() -> Vec<AllExperts> {
    let cases = all_experts().into_iter();
    cases.filter(|case| case.routed.n_tokens > 8).collect()
}

pub(super) fn shared_expert() -> Vec<Experts> {
    expert_cases(None)
}

pub(super) fn all_experts() -> Vec<AllExperts> {
    let case = |kinds, shared, n_tokens, activations| AllExperts {
        routed: Experts {
            kinds,
            route: Some((Choice::Hashed, 5, 2)),
            hidden_size: 512,
            width: 256,
            n_tokens,
            activations,
            limit: 10.0,
        },
        shared,
    };
    vec![
        case([F32; 3], [F32; 3], 3, Normal(1.0)),
        case([Iq2Xxs, Iq2Xxs, Q2K], [Q8_0; 3], 1, Normal(1.0)),
        case([Iq2Xxs, Iq2Xxs, Q2K], [Q8_0; 3], 5, Normal(1.0)),
        case([Q4K; 3], [Q8_0; 3], 3, Normal(1.0)),
        case([Q4K; 3], [Q8_0; 3], 13, Normal(1.0)),
        case([Iq2Xxs, Iq2Xxs, Q2K], [Q8_0; 3], 29, Normal(1.0)),
        case([Mxfp4; 3], [Q8_0; 3], 2, Normal(1.0)),
        case([Q4K; 3], [F16; 3], 2, Normal(1.0)),
        case([Iq2Xxs, Iq2Xxs, Q2K], [Q8_0; 3], 2, Zero),
    ]
}
