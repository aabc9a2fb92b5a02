// Reads four channels of a packed index row.
@group(0) @binding(3) var<storage, read> keys: array<u32>;

const CODE_WORDS: u32 = WIDTH / 8u;
const ROW_WORDS: u32 = CODE_WORDS + (WIDTH / 32u + 3u) / 4u;

// Channels `4 * i ..` of row `row`.
fn key_four(row: u32, i: u32) -> vec4<f32> {
    let first = row * ROW_WORDS;
    let codes = keys[first + i / 2u] >> (16u * (i & 1u));
    let group = i / 8u;
    let scale = power_of_two((keys[first + CODE_WORDS + group / 4u] >> (8u * (group & 3u))) & 255u);
    return scale * vec4<f32>(
        e2m1_value(codes & 15u),
        e2m1_value((codes >> 4u) & 15u),
        e2m1_value((codes >> 8u) & 15u),
        e2m1_value((codes >> 12u) & 15u),
    );
}
