// Values of FP4 (E2M1) codes and of power-of-two scales.

// Value of the code in the low four bits.
fn e2m1_value(code: u32) -> f32 {
    let exponent = (code >> 1u) & 3u;
    let normal = bitcast<f32>(((exponent + 126u) << 23u) | ((code & 1u) << 22u));
    let magnitude = select(normal, 0.5 * f32(code & 1u), exponent == 0u);
    return select(magnitude, -magnitude, (code & 8u) != 0u);
}

// Value of an E8M0 scale; stored rows have none below the normal floats.
fn power_of_two(code: u32) -> f32 {
    return bitcast<f32>(code << 23u);
}
