// Activations rounded to int8 (see packed.rs), where every width and offset is a multiple of 32.
@group(0) @binding(2) var<storage, read> x_quants: array<vec4<u32>>;
// Of two blocks of sixteen, which meet 32 weights.
@group(0) @binding(3) var<storage, read> x_scales: array<vec2<f32>>;
