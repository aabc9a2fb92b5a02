// Products of a weight with up to SUMS tokens: decode.
//
// `out[t][j] = weight[j] . x[t][group of j]`. A team of TEAM threads shares a row of the weight and
// reads it once for all tokens; a thread takes every TEAM-th group of 32, so neighbours read
// neighbouring blocks. Teams are as wide as a row is long (see linear.rs): short rows would leave
// threads of a wide team idle, and long rows need many reads under way.
struct Parameters {
    n_rows: u32,
    n_tokens: u32,
    columns: u32,
    // Groups of 32 a row.
    n_groups: u32,
    // Rows that meet the same part of x: all of them, or those of one group of the projection.
    rows_per_part: u32,
    // Widths of rows of x and out.
    x_width: u32,
    out_width: u32,
}
var<immediate> p: Parameters;

// [n_tokens, out_width]
@group(0) @binding(0) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let row = workgroup.x * (WORKGROUP / TEAM) + thread / TEAM;
    let lane = thread % TEAM;
    var sums: array<f32, SUMS>;
    if row < p.n_rows {
        let part = row / p.rows_per_part * p.columns;
        for (var group = lane; group < p.n_groups; group += TEAM) {
            let values = weight_group(row * p.n_groups + group);
            for (var t = 0u; t < SUMS; t++) {
                if t < p.n_tokens {
                    sums[t] += group_product(values, t * p.x_width + part, group, p.columns);
                }
            }
        }
    }
    team_sums(&sums, thread);
    if row < p.n_rows && lane == 0u {
        for (var t = 0u; t < SUMS; t++) {
            if t < p.n_tokens {
                out[t * p.out_width + row] = sums[t];
            }
        }
    }
}
