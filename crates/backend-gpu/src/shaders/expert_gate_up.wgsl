// Hidden values of the experts of a few tokens: `swiglu(gate . x, up . x) * weight`. Decode.
//
// A team of TEAM threads makes ROWS hidden values of one choice and reads both matrices' rows side
// by side, so that more reads are under way. Where SHARED is 1, the expert that all tokens pass is
// one more choice, behind those of the routing.
struct Parameters {
    // Rows of one expert's matrices.
    n_rows: u32,
    columns: u32,
    // Groups of 32 a row.
    n_groups: u32,
    n_chosen: u32,
    limit: f32,
}
var<immediate> p: Parameters;

// [n, n_chosen + SHARED, n_rows]
@group(0) @binding(0) var<storage, read_write> hidden: array<f32>;
// [n, n_chosen]
@group(0) @binding(4) var<storage, read> experts: array<u32>;
@group(0) @binding(5) var<storage, read> weights: array<f32>;

const BLOCK_ROWS: u32 = WORKGROUP / TEAM * ROWS;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    gate_begin(thread);
    up_begin(thread);
    let token = workgroup.y / (p.n_chosen + SHARED);
    let choice = workgroup.y % (p.n_chosen + SHARED);
    let is_shared = choice == p.n_chosen;
    let first_row = workgroup.x * BLOCK_ROWS + thread / TEAM * ROWS;
    let lane = thread % TEAM;
    var expert = 0u;
    var weight = 1.0;
    if !is_shared {
        expert = experts[token * p.n_chosen + choice];
        weight = weights[token * p.n_chosen + choice];
    }
    let first = token * p.columns;
    // Gates, then ups.
    var sums: array<f32, SUMS>;
    for (var group = lane; group < p.n_groups; group += TEAM) {
        for (var r = 0u; r < ROWS; r++) {
            let row = min(first_row + r, p.n_rows - 1u);
            let index = (expert * p.n_rows + row) * p.n_groups + group;
            if is_shared {
                sums[r] += shared_gate_product(index, first, group, p.columns);
                sums[ROWS + r] += shared_up_product(index, first, group, p.columns);
            } else {
                sums[r] += gate_product(index, first, group, p.columns);
                sums[ROWS + r] += up_product(index, first, group, p.columns);
            }
        }
    }
    team_sums(&sums, thread);
    var values: array<f32, ROWS>;
    for (var r = 0u; r < ROWS; r++) {
        values[r] = swiglu(sums[r], sums[ROWS + r], p.limit) * weight;
        if lane == 0u && first_row + r < p.n_rows {
            hidden[workgroup.y * p.n_rows + first_row + r] = values[r];
        }
    }
    pack_hidden(workgroup, first_row, thread, &values);
}
