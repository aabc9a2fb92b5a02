// Rounding of floats to shorter ones, on their bits: WGSL leaves its own conversions open, and
// stored rows have to be the same bytes on every device.

const INFINITY_BITS: u32 = 0x7f800000u;

// `mantissa / 2^shift` to the nearest integer, ties to even; `shift` is 1 to 24.
fn shift_rounded(mantissa: u32, shift: u32) -> u32 {
    let half = (1u << (shift - 1u)) - 1u;
    return (mantissa + half + ((mantissa >> shift) & 1u)) >> shift;
}

// The bits of a float without its sign, or zero for NaN: the largest of these is the largest
// magnitude.
fn magnitude_bits(value: f32) -> u32 {
    let bits = bitcast<u32>(value) & 0x7fffffffu;
    return select(bits, 0u, bits > INFINITY_BITS);
}

// `ceil(log2(x / (1.m * 2^e)))` for the float `x`, where `m` is given as 23 bits of mantissa. The
// division is a comparison of mantissas, so nothing is rounded on the way.
fn scale_exponent(bits: u32, mantissa: u32, exponent: i32) -> i32 {
    let above = select(0, 1, (bits & 0x7fffffu) > mantissa);
    return clamp(i32(bits >> 23u) - 127 - exponent + above, -127, 127);
}
