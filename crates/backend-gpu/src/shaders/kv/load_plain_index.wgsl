// Reads four channels of an index row that is kept in f32.
@group(0) @binding(3) var<storage, read> keys: array<f32>;

// Channels `4 * i ..` of row `row`.
fn key_four(row: u32, i: u32) -> vec4<f32> {
    let at = row * WIDTH + 4u * i;
    return vec4<f32>(keys[at], keys[at + 1u], keys[at + 2u], keys[at + 3u]);
}
