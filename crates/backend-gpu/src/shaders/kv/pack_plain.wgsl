// Keeps a row as it is, a word for each channel: rounding is off.
// [WIDTH]: the row, filled by the kernel
var<workgroup> row_values: array<f32, WIDTH>;

// Copies `row_values` to row `row`. All threads call together, after the last of them wrote.
fn pack_row(row: u32, thread: u32) {
    workgroupBarrier();
    for (var i = thread; i < WIDTH; i += WORKGROUP) {
        rows[row * WIDTH + i] = bitcast<u32>(row_values[i]);
    }
}
