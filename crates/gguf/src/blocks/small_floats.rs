//! Floats of eight bits and less: E8M0, E4M3 and E2M1.
//!
//! Source: the OCP Microscaling Formats specification, version 1.0.

/// The 16 values of E2M1: sign in bit 3, then two bits of exponent and one of mantissa.
pub const E2M1: [f32; 16] =
    [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0];

/// Decodes a power-of-two scale, `2^(code − 127)`; 255 is NaN.
#[inline]
pub const fn e8m0_to_f32(code: u8) -> f32 {
    match code {
        // 2^-127 is subnormal in f32: one bit below the implicit one.
        0 => f32::from_bits(1 << 22),
        255 => f32::NAN,
        _ => f32::from_bits((code as u32) << 23),
    }
}

/// Decodes an E4M3 of the finite variety: sign, four bits of exponent with bias 7, three bits of
/// mantissa; no infinities, 0x7f and 0xff are NaN, the largest value is 448.
#[inline]
pub const fn e4m3_to_f32(code: u8) -> f32 {
    let (exponent, mantissa) = ((code >> 3) & 15, code & 7);
    let magnitude = match (exponent, mantissa) {
        (15, 7) => f32::NAN,
        // Subnormals count in steps of 2^-9.
        (0, _) => mantissa as f32 / 512.0,
        _ => f32::from_bits(((exponent as u32 + 127 - 7) << 23) | (mantissa as u32) << 20),
    };
    if code & 0x80 == 0 { magnitude } else { -magnitude }
}
