// The product of sixteen bytes with sixteen bytes.
fn packed_dot(w: vec4<u32>, x: vec4<u32>) -> i32 {
    return dot4I8Packed(w.x, x.x) + dot4I8Packed(w.y, x.y)
        + dot4I8Packed(w.z, x.z) + dot4I8Packed(w.w, x.w);
}

// The sum of sixteen bytes.
fn packed_sum(x: vec4<u32>) -> i32 {
    return packed_dot(vec4<u32>(0x01010101u), x);
}
