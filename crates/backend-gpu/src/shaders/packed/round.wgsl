// Rounds sixteen activations to int8 with one scale.
struct RoundedBlock {
    quants: vec4<u32>,
    scale: f32,
}

fn rounded_four(four: vec4<f32>, inverse: f32) -> u32 {
    return pack4xI8(vec4<i32>(round(four * inverse)));
}

fn rounded_block(a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>) -> RoundedBlock {
    let fours = max(max(abs(a), abs(b)), max(abs(c), abs(d)));
    let largest = max(max(fours.x, fours.y), max(fours.z, fours.w));
    // Below this the inverse would be infinite; such values are zero beside any others.
    let inverse = select(0.0, 127.0 / largest, largest > 1e-35);
    return RoundedBlock(
        vec4<u32>(
            rounded_four(a, inverse),
            rounded_four(b, inverse),
            rounded_four(c, inverse),
            rounded_four(d, inverse),
        ),
        largest / 127.0,
    );
}
