// Four bytes as floats, by way of f16: 1024 and a byte is one whose mantissa ends with the byte.
// Devices convert integers at a fraction of the speed at which they do this.
fn weight_bytes(word: u32) -> vec4<f32> {
    let even = unpack2x16float((word & 0x00ff00ffu) | 0x64006400u);
    let odd = unpack2x16float(((word >> 8u) & 0x00ff00ffu) | 0x64006400u);
    return vec4<f32>(even.x, odd.x, even.y, odd.y) - 1024.0;
}
