// Hidden values of the experts of a few tokens: `swiglu(gate . x, up . x) * weight`. Decode.
//
// A team of TEAM threads makes ROWS hidden values of one choice and reads both matrices' rows side
// by side, so that more reads are under way. Where SHARED is 1, the expert that all tokens pass is
// one more choice, behind those of the routing. A token's choices take turns in workgroups: the
// shared expert waits for memory while routed ones calculate.
struct Parameters {
    // Rows of one expert's matrices.
    n_rows: u32,
    columns: u32,
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
    let n_choices = p.n_chosen + SHARED;
    let choice = workgroup.x % n_choices;
    let row_block = workgroup.x / n_choices;
    let token = workgroup.y;
    let first_row = row_block * BLOCK_ROWS + thread / TEAM * ROWS;
    let lane = thread % TEAM;
    let first = token * p.columns;
    // Gates, then ups.
    var sums: array<f32, SUMS>;
    // Asked for before anything is waited for.
    var expert = 0u;
    var weight = 1.0;
    if choice < p.n_chosen {
        expert = experts[token * p.n_chosen + choice];
        weight = weights[token * p.n_chosen + choice];
    }
    if choice == p.n_chosen {
        shared_rows_begin(thread);
        shared_rows(0u, first_row, lane, first, &sums);
    } else {
        routed_rows_begin(thread);
        routed_rows(expert, first_row, lane, first, &sums);
    }
    team_sums(&sums, thread);
    let hidden_row = token * n_choices + choice;
    var values: array<f32, ROWS>;
    for (var r = 0u; r < ROWS; r++) {
        values[r] = swiglu(sums[r], sums[ROWS + r], p.limit) * weight;
        if lane == 0u && first_row + r < p.n_rows {
            hidden[hidden_row * p.n_rows + first_row + r] = values[r];
        }
    }
    pack_hidden(hidden_row, row_block, first_row, thread, &values);
}
