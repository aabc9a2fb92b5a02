// Q4_K: blocks of 256 weights in 144 bytes, nine vectors of words as stored: a head (d, dmin and
// twelve bytes of scales and minimums), then 128 bytes of nibbles.
@group(0) @binding(0) var<storage, read> weight_blocks: array<vec4<u32>>;

fn weight_byte(word: u32, i: u32) -> u32 {
    return (word >> (8u * i)) & 255u;
}

// Scale and minimum of group `g` of a block, six bits each.
fn weight_scale_min(head: vec4<u32>, g: u32) -> vec2<f32> {
    let i = g & 3u;
    if g < 4u {
        return vec2<f32>(vec2<u32>(weight_byte(head.y, i), weight_byte(head.z, i)) & vec2<u32>(63u));
    }
    let low = weight_byte(head.w, i);
    let scale = (low & 15u) | ((weight_byte(head.y, i) >> 6u) << 4u);
    let minimum = (low >> 4u) | ((weight_byte(head.z, i) >> 6u) << 4u);
    return vec2<f32>(vec2<u32>(scale, minimum));
}

struct weight_Words {
    head: vec4<u32>,
    low: vec4<u32>,
    high: vec4<u32>,
}

// What is stored of group `index`, counted over all rows: an eighth of a block.
fn weight_words(index: u32) -> weight_Words {
    let block = index / 8u * 9u;
    let quants = block + 1u + ((index & 7u) / 2u) * 2u;
    return weight_Words(weight_blocks[block], weight_blocks[quants], weight_blocks[quants + 1u]);
}

// Its 32 weights.
fn weight_values_of(words: weight_Words, index: u32) -> array<vec4<f32>, 8> {
    let g = index & 7u;
    let scale_min = unpack2x16float(words.head.x) * weight_scale_min(words.head, g);
    let shift = vec4<u32>(4u * (g & 1u));
    let low = (words.low >> shift) & vec4<u32>(0x0f0f0f0fu);
    let high = (words.high >> shift) & vec4<u32>(0x0f0f0f0fu);
    var values: array<vec4<f32>, 8>;
    for (var i = 0u; i < 4u; i++) {
        values[i] = scale_min.x * weight_bytes(low[i]) - scale_min.y;
        values[4u + i] = scale_min.x * weight_bytes(high[i]) - scale_min.y;
    }
    return values;
}
