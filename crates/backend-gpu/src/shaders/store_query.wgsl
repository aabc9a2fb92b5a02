// Rotates a head of the index queries in place, and rounds it as the keys it will meet.

// [n, n_index_heads, WIDTH]
@group(0) @binding(7) var<storage, read_write> queries: array<f32>;
@group(0) @binding(8) var<storage, read_write> rounded: array<f32>;

fn round_query(head: u32, thread: u32) {
    let first = (p.first_row * p.n_index_heads + head) * WIDTH;
    for (var i = thread; i < WIDTH; i += WORKGROUP) {
        row_values[i] = queries[first + i];
    }
    workgroupBarrier();
    for (var pair = thread; pair < p.n_pairs; pair += WORKGROUP) {
        turn_pair(pair, angles[p.first_row * p.n_pairs + pair]);
    }
    workgroupBarrier();
    for (var i = thread; i < WIDTH; i += WORKGROUP) {
        queries[first + i] = row_values[i];
    }
    transform_row(thread);
    for (var i = thread; i < WIDTH; i += WORKGROUP) {
        let exponent = group_exponents[i / 32u];
        let value = e2m1_value(e2m1_code(row_values[i], exponent));
        rounded[first + i] = value * power_of_two(u32(exponent + 127));
    }
}
