// Hidden values of the experts of a few tokens: `swiglu(gate . x, up . x) * weight`. Decode.
//
// A team of TEAM threads makes one hidden value of one choice and reads both matrices' rows side
// by side, so that twice as many reads are under way.
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

// [n, n_chosen, n_rows]
@group(0) @binding(0) var<storage, read_write> hidden: array<f32>;
// [n, n_chosen]
@group(0) @binding(2) var<storage, read> experts: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let row = workgroup.x * (WORKGROUP / TEAM) + thread / TEAM;
    let lane = thread % TEAM;
    let choice = workgroup.y;
    // Gate and up.
    var sums: array<f32, SUMS>;
    if row < p.n_rows {
        let first = choice / p.n_chosen * p.columns;
        let weight_row = experts[choice] * p.n_rows + row;
        for (var group = lane; group < p.n_groups; group += TEAM) {
            let index = weight_row * p.n_groups + group;
            sums[0] += group_product(gate_group(index), first, group, p.columns);
            sums[1] += group_product(up_group(index), first, group, p.columns);
        }
    }
    team_sums(&sums, thread);
    if row < p.n_rows && lane == 0u {
        hidden[choice * p.n_rows + row] = swiglu(sums[0], sums[1], p.limit) * weights[choice];
    }
}
