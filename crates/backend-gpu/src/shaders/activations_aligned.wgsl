// Reads of activations `[rows, width]` where every width and offset is a multiple of 32.
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;

// The product of 32 weights with the activations from `first + 32 * group` on.
fn group_product(values: array<vec4<f32>, 8>, first: u32, group: u32, columns: u32) -> f32 {
    let at = first / 4u + group * 8u;
    var sum = 0.0;
    for (var i = 0u; i < 8u; i++) {
        sum += dot(values[i], x[at + i]);
    }
    return sum;
}

// Four activations from `first + column` on.
fn activations_at(first: u32, column: u32, columns: u32) -> vec4<f32> {
    return x[(first + column) / 4u];
}
