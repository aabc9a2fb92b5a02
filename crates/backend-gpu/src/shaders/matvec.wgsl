// Products of weights with the same few tokens: decode.
//
// `out[t][j] = weight[j] . x[t][part of j]` for up to eight weights, `wa` to `wh`; those that there
// are not have no rows. A workgroup makes a block of rows of one weight. A team of TEAM threads
// makes ROWS rows at a time, each read once for all tokens; a thread takes every TEAM-th group of
// 32, so neighbours read neighbouring blocks. Teams are as wide as a row is long (see linear.rs):
// short rows would leave threads of a wide team idle, and long rows need many reads under way.
struct Parameters {
    n_tokens: u32,
    columns: u32,
    // Rows that meet the same part of x: all of them, or those of one group of the projection.
    rows_per_part: u32,
    // Width of a row of x.
    x_width: u32,
    // Rows of each weight, which are the width of its output.
    n_rows_a: u32,
    n_rows_b: u32,
    n_rows_c: u32,
    n_rows_d: u32,
    n_rows_e: u32,
    n_rows_f: u32,
    n_rows_g: u32,
    n_rows_h: u32,
    // Of the norm of the activations, where they are normed.
    norm_eps: f32,
}
var<immediate> p: Parameters;

const BLOCK_ROWS: u32 = WORKGROUP / TEAM * ROWS;

fn n_blocks(n_rows: u32) -> u32 {
    return (n_rows + BLOCK_ROWS - 1u) / BLOCK_ROWS;
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    activations_begin(thread);
    let b = n_blocks(p.n_rows_a);
    let c = b + n_blocks(p.n_rows_b);
    let d = c + n_blocks(p.n_rows_c);
    let e = d + n_blocks(p.n_rows_d);
    let f = e + n_blocks(p.n_rows_e);
    let g = f + n_blocks(p.n_rows_f);
    let h = g + n_blocks(p.n_rows_g);
    let block = workgroup.x;
    if block < b {
        wa_rows(block, p.n_rows_a, thread);
    } else if block < c {
        wb_rows(block - b, p.n_rows_b, thread);
    } else if block < d {
        wc_rows(block - c, p.n_rows_c, thread);
    } else if block < e {
        wd_rows(block - d, p.n_rows_d, thread);
    } else if block < f {
        we_rows(block - e, p.n_rows_e, thread);
    } else if block < g {
        wf_rows(block - f, p.n_rows_f, thread);
    } else if block < h {
        wg_rows(block - g, p.n_rows_g, thread);
    } else {
        wh_rows(block - h, p.n_rows_h, thread);
    }
}
