// Sums the experts of a few tokens: `out[t] = sum over choices of down . hidden`. Decode.
//
// A team of TEAM threads makes one value of a token from all its experts, and from the one that all
// tokens pass where SHARED is 1.
struct Parameters {
    // Rows of one expert's matrix.
    n_rows: u32,
    columns: u32,
    n_chosen: u32,
    // Whether to add to what `out` holds.
    adds: u32,
}
var<immediate> p: Parameters;

// [n, n_rows]
@group(0) @binding(0) var<storage, read_write> out: array<f32>;
// [n, n_chosen]
@group(0) @binding(4) var<storage, read> experts: array<u32>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    down_begin(thread);
    let row = workgroup.x * (WORKGROUP / TEAM) + thread / TEAM;
    let lane = thread % TEAM;
    let token = workgroup.y;
    var sums: array<f32, SUMS>;
    if row < p.n_rows {
        sums[0] = down_share(token, row, lane);
        if SHARED == 1u {
            let first = (token * (p.n_chosen + 1u) + p.n_chosen) * p.columns;
            for (var group = lane; group < GROUPS; group += TEAM) {
                sums[0] += shared_down_product(row * GROUPS + group, first, group, p.columns);
            }
        }
    }
    team_sums(&sums, thread);
    if row < p.n_rows && lane == 0u {
        let at = token * p.n_rows + row;
        if p.adds == 1u {
            out[at] += sums[0];
        } else {
            out[at] = sums[0];
        }
    }
}
