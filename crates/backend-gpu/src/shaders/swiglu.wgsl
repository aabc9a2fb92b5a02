// The gated unit of an expert: `silu(gate) * up`, both clamped.

// Beyond this an exponential's reciprocal is nothing against any value, and infinity is avoided.
const LARGEST_EXPONENT: f32 = 80.0;

fn swiglu(gate: f32, up: f32, limit: f32) -> f32 {
    let clamped = min(gate, limit);
    let silu = clamped / (1.0 + exp(min(-clamped, LARGEST_EXPONENT)));
    return silu * clamp(up, -limit, limit);
}
