// Q2_K: blocks of 256 weights in 84 bytes, 21 words as stored: sixteen bytes of scales (low four
// bits) and minimums (high), 64 bytes of 2-bit values, then d and dmin.
@group(0) @binding(0) var<storage, read> weight_blocks: array<u32>;

struct weight_Words {
    low: vec4<u32>,
    high: vec4<u32>,
    scales: u32,
    d: u32,
}

// What is stored of group `index`, counted over all rows: two of a block's sixteen subgroups.
fn weight_words(index: u32) -> weight_Words {
    let block = index / 8u * 21u;
    let g = index & 7u;
    let quants = block + 4u + 8u * (g / 4u);
    return weight_Words(
        vec4<u32>(
            weight_blocks[quants],
            weight_blocks[quants + 1u],
            weight_blocks[quants + 2u],
            weight_blocks[quants + 3u],
        ),
        vec4<u32>(
            weight_blocks[quants + 4u],
            weight_blocks[quants + 5u],
            weight_blocks[quants + 6u],
            weight_blocks[quants + 7u],
        ),
        weight_blocks[block + g / 2u],
        weight_blocks[block + 20u],
    );
}

// Its 32 weights.
fn weight_values_of(words: weight_Words, index: u32) -> array<vec4<f32>, 8> {
    let g = index & 7u;
    let scales = words.scales >> (16u * (g & 1u));
    let d = unpack2x16float(words.d);
    let first = d * vec2<f32>(vec2<u32>(scales & 15u, (scales >> 4u) & 15u));
    let second = d * vec2<f32>(vec2<u32>((scales >> 8u) & 15u, (scales >> 12u) & 15u));
    let shift = vec4<u32>(2u * (g & 3u));
    let low = (words.low >> shift) & vec4<u32>(0x03030303u);
    let high = (words.high >> shift) & vec4<u32>(0x03030303u);
    var values: array<vec4<f32>, 8>;
    for (var i = 0u; i < 4u; i++) {
        values[i] = first.x * weight_bytes(low[i]) - first.y;
        values[4u + i] = second.x * weight_bytes(high[i]) - second.y;
    }
    return values;
}
