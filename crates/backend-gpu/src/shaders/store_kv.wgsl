// Stores the raw rows of a run in their ring, a workgroup for each row.
struct Parameters {
    first_row: u32,
    first_position: u32,
    capacity: u32,
}
var<immediate> p: Parameters;

// [n, WIDTH]
@group(0) @binding(1) var<storage, read> kv: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let first = (p.first_row + workgroup.x) * WIDTH;
    for (var i = thread; i < WIDTH; i += WORKGROUP) {
        row_values[i] = kv[first + i];
    }
    pack_row((p.first_position + workgroup.x) % p.capacity, thread);
}
