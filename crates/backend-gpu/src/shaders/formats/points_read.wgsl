// A point of the grid, as it lies in the buffer.
fn weight_point(i: u32) -> vec2<u32> {
    return weight_grid[i];
}
