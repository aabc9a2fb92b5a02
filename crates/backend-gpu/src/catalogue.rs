//! Every kernel in the variants that the published model needs, by name: what tests translate and
//! compare.

use backend::kv_row::{KvLayout, KvRounding};

use crate::attention::{self, Reads};
use crate::attention_matrices;
use crate::experts::{self, Choosing, FewTokens};
use crate::linear::{MatrixTiles, Streamed};
use crate::pipelines::Kernel;
use crate::profile::DeviceProfile;
use crate::store::Stored;
use crate::top_k::Step;
use crate::weights::Format;
use crate::{hyper_connection, index, kv, linear, measure, norm, packed, store};

/// Formats by name.
pub(crate) const FORMATS: [(&str, Format); 8] = [
    ("f32", Format::F32),
    ("f16", Format::F16),
    ("bf16", Format::Bf16),
    ("q8_0", Format::Q8_0),
    ("q4_k", Format::Q4K),
    ("q2_k", Format::Q2K),
    ("iq2_xxs", Format::Iq2Xxs),
    ("mxfp4", Format::Mxfp4),
];

/// Groups of 32 in a row of the published hidden size, and in an expert's.
const HIDDEN_GROUPS: usize = 4096 / 32;
const EXPERT_GROUPS: usize = 2048 / 32;

fn attention_rows(rounding: KvRounding) -> KvLayout {
    KvLayout::attention(512, 64, rounding)
}

fn index_rows(rounding: KvRounding) -> KvLayout {
    KvLayout::index(128, rounding)
}

/// Kernels that read a weight of one format.
pub(crate) fn of_format(
    profile: &DeviceProfile,
    format: Format,
    aligned: bool,
) -> Vec<(&'static str, Kernel)> {
    let formats = [format];
    let streamed = |n_groups, n_tokens, packs_out| Streamed {
        formats: &formats,
        n_groups,
        n_rows: 4096,
        n_tokens,
        aligned,
        packable: aligned,
        packs_out,
        norms: None,
    };
    let matvec = |n_groups, n_tokens, packs_out| {
        linear::matvec_kernel(profile, &streamed(n_groups, n_tokens, packs_out))
    };
    let few = FewTokens {
        routed: [format; 3],
        shared: aligned.then_some([Format::Q8_0; 3]),
        n_groups: [HIDDEN_GROUPS, EXPERT_GROUPS],
        aligned: [aligned; 2],
        packable: [aligned; 2],
    };
    let mut kernels = vec![
        ("matvec", matvec(HIDDEN_GROUPS, 1, false)),
        ("matvec_few", matvec(HIDDEN_GROUPS, 4, false)),
        ("matvec_short", matvec(4, 8, false)),
        ("matvec_pack", matvec(HIDDEN_GROUPS, 1, true)),
        ("matmul", linear::matmul_kernel(format, aligned)),
        ("embed", linear::embed_kernel(format)),
        ("hc_project", hyper_connection::project_kernel(profile, format, aligned)),
        (
            "hc_slices",
            hyper_connection::slices_kernel(profile, format, true, if aligned { 1 } else { 9 }),
        ),
        ("expert_gate_up", experts::gate_up_kernel(profile, &few)),
        ("expert_down", experts::down_kernel(profile, &few)),
        ("expert_matmul", experts::tiled_kernel(format, aligned)),
    ];
    let tiles = |narrow| MatrixTiles::of(profile, &formats, aligned, narrow);
    let dense = tiles(false).map(|tiles| linear::matrix_kernel(tiles, format));
    kernels.extend(dense.map(|kernel| ("matmul_matrices", kernel)));
    let narrow = tiles(true).map(|tiles| experts::matrix_kernel(tiles, format));
    kernels.extend(narrow.map(|kernel| ("expert_matrices", kernel)));
    kernels
}

/// Kernels that read no weight, or only vectors.
pub(crate) fn without_format(profile: &DeviceProfile) -> Vec<(&'static str, Kernel)> {
    let (packed, plain) = (KvRounding::Applied, KvRounding::Off);
    let attend =
        |rounding, reads| attention::attend_kernel(profile, &attention_rows(rounding), reads);
    let attend_raw = |reads| attention::raw_kernel(profile, &attention_rows(packed), reads);
    let top_k = |n_inputs, is_first| Step::of(profile, n_inputs, 512, is_first).kernel();
    let learned = |has_bias| experts::route_kernel(256, 6, Choosing::Learned { has_bias });
    let inputs = [Format::Q8_0, Format::Q8_0, Format::F16, Format::F16, Format::F16, Format::F16];
    let streamed = Streamed {
        formats: &[&inputs[..], &[Format::F16]].concat(),
        n_groups: HIDDEN_GROUPS,
        n_rows: 4096,
        n_tokens: 1,
        aligned: true,
        packable: true,
        packs_out: false,
        norms: None,
    };
    let q_b = [Format::Q8_0, Format::F16];
    let normed = Streamed { formats: &q_b, n_groups: 32, norms: Some(1024), ..streamed };
    let mut kernels = vec![
        ("attention_queries", linear::matvec_kernel(profile, &normed)),
        ("attention_inputs", linear::matvec_kernel(profile, &streamed)),
        ("pack", packed::pack_kernel()),
        ("halve", packed::halve_kernel(1)),
        ("halve_twice", packed::halve_kernel(2)),
        ("read_through", measure::read_kernel()),
        ("take_turns", measure::turn_kernel()),
        ("rms_norm", norm::rms_norm_kernel(profile)),
        ("rms_norm_heads", norm::rms_norm_heads_kernel(profile)),
        ("rope_tail", norm::rope_tail_kernel()),
        ("hc_mix", hyper_connection::mix_kernel(4)),
        ("hc_head", hyper_connection::head_kernel(4)),
        ("hc_enter", hyper_connection::enter_kernel(4096, false)),
        ("hc_enter_pack", hyper_connection::enter_kernel(4096, true)),
        ("hc_expand", hyper_connection::expand_kernel(4)),
        ("store_kv", kv::store_kernel(&attention_rows(packed))),
        ("store_kv_plain", kv::store_kernel(&attention_rows(plain))),
        ("compress", kv::compress_kernel(profile, &attention_rows(packed), true)),
        ("compress_disjoint", kv::compress_kernel(profile, &attention_rows(packed), false)),
        ("compress_index", kv::compress_kernel(profile, &index_rows(packed), true)),
        ("compress_plain", kv::compress_kernel(profile, &index_rows(plain), true)),
        ("compress_remember", kv::remember_kernel()),
        ("index_query", index::query_kernel(128)),
        ("index_score", index::score_kernel(&index_rows(packed))),
        ("index_score_plain", index::score_kernel(&index_rows(plain))),
        ("index_top_k", top_k(512, true)),
        ("index_top_k_first", top_k(250_000, true)),
        ("index_top_k_next", top_k(31_744, false)),
        ("index_top_k_last", top_k(1024, false)),
        ("attend_window", attend(packed, Reads::Window)),
        ("attend_visible", attend(packed, Reads::Visible)),
        ("attend_selected", attend(packed, Reads::Selected)),
        ("attend_plain", attend(plain, Reads::Selected)),
        ("attend_combine", attention::combine_kernel(512)),
        ("attend_raw_window", attend_raw(Reads::Window)),
        ("attend_raw_visible", attend_raw(Reads::Visible)),
        ("attend_raw_selected", attend_raw(Reads::Selected)),
        ("attend_raw_combine", attention::raw_combine_kernel(profile, 512)),
        ("route_biased", learned(true)),
        ("route_unbiased", learned(false)),
        ("route_hashed", experts::route_kernel(256, 6, Choosing::Hashed)),
        ("expert_lists", experts::lists_kernel(256, 64)),
        ("expert_hidden", experts::hidden_kernel()),
        ("expert_sum", experts::sum_kernel()),
    ];
    kernels.extend(storing(profile));
    kernels
}

/// Kernels that store a decoded token.
fn storing(profile: &DeviceProfile) -> Vec<(&'static str, Kernel)> {
    let queries = Stored {
        width: 512,
        rope_dim: 64,
        overlap: Some(true),
        index_width: Some(128),
        queries: true,
    };
    let index = Stored { queries: false, ..queries };
    let disjoint = Stored { overlap: Some(false), index_width: None, ..index };
    let raw = Stored { overlap: None, ..disjoint };
    vec![
        ("store_all_raw", store::store_all_kernel(profile, &raw)),
        ("store_all_disjoint", store::store_all_kernel(profile, &disjoint)),
        ("store_all_index", store::store_all_kernel(profile, &index)),
        ("store_all_queries", store::store_all_kernel(profile, &queries)),
    ]
}

/// Kernels that only devices with matrices of sixteen rows run.
pub(crate) fn with_large_matrices() -> Vec<(&'static str, Kernel)> {
    let attend = |reads| attention_matrices::kernel(&attention_rows(KvRounding::Applied), reads);
    vec![
        ("index_score_matrices", index::score_matrices_kernel(128)),
        ("attend_matrices_window", attend(Reads::Window)),
        ("attend_matrices_visible", attend(Reads::Visible)),
        ("attend_matrices_selected", attend(Reads::Selected)),
    ]
}
