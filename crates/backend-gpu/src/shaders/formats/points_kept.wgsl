// The grid in workgroup memory, for kernels that look up many points.
var<workgroup> weight_points: array<vec2<u32>, 256>;

// Fills the grid. All threads call together, before any lookup.
fn weight_begin(thread: u32) {
    for (var i = thread; i < 256u; i += WORKGROUP) {
        weight_points[i] = weight_grid[i];
    }
    workgroupBarrier();
}

fn weight_point(i: u32) -> vec2<u32> {
    return weight_points[i];
}
