// Packs an attention row: FP8 (E4M3) codes with a scale for 64 channels, then F16.
//
// Words of a row: codes, rotated channels, scales.
// [WIDTH]: the row, filled by the kernel
var<workgroup> row_values: array<f32, WIDTH>;
var<workgroup> group_exponents: array<i32, GROUPS + 1u>;

const CODES: u32 = WIDTH - ROPE_DIM;
const GROUPS: u32 = CODES / 64u;
const CODE_WORDS: u32 = CODES / 4u;
const ROTARY_WORDS: u32 = ROPE_DIM / 2u;
const SCALE_WORDS: u32 = (GROUPS + 3u) / 4u;
const ROW_WORDS: u32 = CODE_WORDS + ROTARY_WORDS + SCALE_WORDS;

// 448, the largest E4M3, is 1.75 * 2^8.
const FP8_MAX_MANTISSA: u32 = 0x600000u;
const FP8_MAX_EXPONENT: i32 = 8;
// Bits of 1e-4, the floor of a group's largest magnitude.
const FP8_FLOOR_BITS: u32 = 0x38d1b717u;

// Code of the E4M3 value nearest to `value / 2^exponent`, ties to even, saturating.
fn e4m3_code(value: f32, exponent: i32) -> u32 {
    let bits = bitcast<u32>(value);
    let sign = (bits >> 24u) & 0x80u;
    let magnitude = bits & 0x7fffffffu;
    if magnitude >= INFINITY_BITS {
        return sign | select(0x7eu, 0x7fu, magnitude > INFINITY_BITS);
    }
    let e = i32(magnitude >> 23u) - 127 - exponent;
    let mantissa = bits & 0x7fffffu;
    if e >= -6 {
        let scaled = (u32(e + 127) << 23u) | mantissa;
        let rounded = scaled + 0x7ffffu + ((scaled >> 20u) & 1u);
        return sign | min((rounded >> 20u) - (120u << 3u), 0x7eu);
    }
    // Subnormal: multiples of 2^-9. Half of the first one goes to zero, as the even code.
    if e < -10 {
        return sign;
    }
    return sign | shift_rounded(mantissa | 0x800000u, u32(14 - e));
}

fn f16_code(value: f32) -> u32 {
    let bits = bitcast<u32>(value);
    let sign = (bits >> 16u) & 0x8000u;
    let magnitude = bits & 0x7fffffffu;
    if magnitude > INFINITY_BITS {
        return sign | 0x7e00u;
    }
    // From the middle of the largest F16 and the next one, which there is not.
    if magnitude >= 0x477ff000u {
        return sign | 0x7c00u;
    }
    if magnitude >= 0x38800000u {
        let rounded = magnitude + 0xfffu + ((magnitude >> 13u) & 1u);
        return sign | ((rounded >> 13u) - (112u << 10u));
    }
    // Subnormal: multiples of 2^-24.
    let e = magnitude >> 23u;
    if e < 102u {
        return sign;
    }
    return sign | shift_rounded((magnitude & 0x7fffffu) | 0x800000u, 126u - e);
}

// Rounds `row_values` into row `row`. All threads call together, after the last of them wrote.
fn pack_row(row: u32, thread: u32) {
    workgroupBarrier();
    for (var group = thread; group < GROUPS; group += WORKGROUP) {
        var largest = FP8_FLOOR_BITS;
        for (var i = 0u; i < 64u; i++) {
            largest = max(largest, magnitude_bits(row_values[64u * group + i]));
        }
        group_exponents[group] = scale_exponent(largest, FP8_MAX_MANTISSA, FP8_MAX_EXPONENT);
    }
    workgroupBarrier();
    let first = row * ROW_WORDS;
    for (var i = thread; i < CODE_WORDS; i += WORKGROUP) {
        let exponent = group_exponents[i / 16u];
        var word = 0u;
        for (var j = 0u; j < 4u; j++) {
            word |= e4m3_code(row_values[4u * i + j], exponent) << (8u * j);
        }
        rows[first + i] = word;
    }
    for (var i = thread; i < ROTARY_WORDS; i += WORKGROUP) {
        let pair = CODES + 2u * i;
        let word = f16_code(row_values[pair]) | (f16_code(row_values[pair + 1u]) << 16u);
        rows[first + CODE_WORDS + i] = word;
    }
    for (var i = thread; i < SCALE_WORDS; i += WORKGROUP) {
        var word = 0u;
        for (var j = 0u; j < 4u; j++) {
            if 4u * i + j < GROUPS {
                word |= u32(group_exponents[4u * i + j] + 127) << (8u * j);
            }
        }
        rows[first + CODE_WORDS + ROTARY_WORDS + i] = word;
    }
}
