// Decodes packed attention rows: FP8 codes with a scale for 64 channels, then F16.
//
// Words of a row: codes, rotated channels, scales.
const CODES: u32 = WIDTH - ROPE_DIM;
const CODE_WORDS: u32 = CODES / 4u;
const ROTARY_WORDS: u32 = ROPE_DIM / 2u;
const ROW_WORDS: u32 = CODE_WORDS + ROTARY_WORDS + (CODES / 64u + 3u) / 4u;
// Words that hold channels.
const VALUE_WORDS: u32 = CODE_WORDS + ROTARY_WORDS;

fn e4m3_value(code: u32) -> f32 {
    let low = code & 0x7fu;
    let normal = bitcast<f32>((low << 20u) + (120u << 23u));
    // Subnormals count in steps of 2^-9.
    let magnitude = select(normal, f32(low) * 0.001953125, low < 8u);
    return select(magnitude, -magnitude, (code & 0x80u) != 0u);
}

// The word of a row that has the scale of word `i`; rotated channels need none.
fn scale_word(i: u32) -> u32 {
    return VALUE_WORDS + min(i, CODE_WORDS - 1u) / 64u;
}

// Puts the channels of word `i` of a row into the tile from channel `to` on.
fn put_word(i: u32, word: u32, scales: u32, to: u32) {
    if i < CODE_WORDS {
        let group = i / 16u;
        let scale = bitcast<f32>(((scales >> (8u * (group & 3u))) & 255u) << 23u);
        let four = scale * vec4<f32>(
            e4m3_value(word & 255u),
            e4m3_value((word >> 8u) & 255u),
            e4m3_value((word >> 16u) & 255u),
            e4m3_value(word >> 24u),
        );
        put_four(to + 4u * i, four);
    } else {
        put_two(to + CODES + 2u * (i - CODE_WORDS), word);
    }
}

fn load_word(compressed: bool, row: u32, i: u32, to: u32) {
    let first = row * ROW_WORDS;
    let scales = row_word(compressed, first + scale_word(i));
    put_word(i, row_word(compressed, first + i), scales, to);
}
