// Decodes packed attention rows to f16: FP8 codes with a scale for 64 channels, then F16.
//
// Words of a row: codes, rotated channels, scales.
enable f16;

const CODES: u32 = WIDTH - ROPE_DIM;
const CODE_WORDS: u32 = CODES / 4u;
const ROTARY_WORDS: u32 = ROPE_DIM / 2u;
const ROW_WORDS: u32 = CODE_WORDS + ROTARY_WORDS + (CODES / 64u + 3u) / 4u;
const VALUE_WORDS: u32 = CODE_WORDS + ROTARY_WORDS;

// E4M3 codes in the low bytes of two halves, as values: an F16 whose exponent is 8 too small.
fn e4m3_pair(codes: u32) -> vec2<f32> {
    return unpack2x16float(((codes & 0x00800080u) << 8u) | ((codes & 0x007f007fu) << 7u));
}

// What holds the channels `4 * i ..` of a row: their codes and the word of their scale, or two words.
fn row_words(compressed: bool, row: u32, i: u32) -> vec2<u32> {
    let first = row * ROW_WORDS;
    var at = vec2<u32>(first + i, first + VALUE_WORDS + i / 64u);
    if i >= CODE_WORDS {
        at = first + CODE_WORDS + 2u * (i - CODE_WORDS) + vec2<u32>(0u, 1u);
    }
    return vec2<u32>(row_word(compressed, at.x), row_word(compressed, at.y));
}

// Those channels.
fn four_channels(words: vec2<u32>, i: u32) -> vec4<f16> {
    if i >= CODE_WORDS {
        return vec4<f16>(vec4<f32>(unpack2x16float(words.x), unpack2x16float(words.y)));
    }
    let scale = 256.0 * bitcast<f32>(((words.y >> (8u * ((i / 16u) & 3u))) & 255u) << 23u);
    let even = e4m3_pair(words.x);
    let odd = e4m3_pair(words.x >> 8u);
    return vec4<f16>(scale * vec4<f32>(even.x, odd.x, even.y, odd.y));
}
