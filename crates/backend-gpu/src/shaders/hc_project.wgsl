// Mixing projections of a hyper-connection site, and the square sum that normalises them.
//
// A workgroup makes one number of one token: the product of the streams with one row of the
// function, or, behind the last row, with themselves. The norm is applied by whoever reads the
// numbers, so the streams are read as they are.
struct Parameters {
    n_rows: u32,
    columns: u32,
    // Groups of 32 a row.
    n_groups: u32,
}
var<immediate> p: Parameters;

// [n, n_rows + 1]
@group(0) @binding(0) var<storage, read_write> projections: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let row = workgroup.x;
    let first = workgroup.y * p.columns;
    var sums: array<f32, SUMS>;
    for (var group = thread; group < p.n_groups; group += WORKGROUP) {
        if row < p.n_rows {
            let values = weight_group(row * p.n_groups + group);
            sums[0] += group_product(values, first, group, p.columns);
        } else {
            for (var i = 0u; i < 8u; i++) {
                let four = activations_at(first, 32u * group + 4u * i, p.columns);
                sums[0] += dot(four, four);
            }
        }
    }
    team_sums(&sums, thread);
    if thread == 0u {
        projections[workgroup.y * (p.n_rows + 1u) + row] = sums[0];
    }
}
