// [n_tokens, n_rows]
@group(0) @binding(0) var<storage, read_write> weight_out: array<f32>;
