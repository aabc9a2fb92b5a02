// Reads of activations `[rows, width]` of any width: behind the last column there are zeros.
@group(0) @binding(1) var<storage, read> x: array<f32>;

// Four activations from `first + column` on.
fn activations_at(first: u32, column: u32, columns: u32) -> vec4<f32> {
    var four = vec4<f32>(0.0);
    for (var i = 0u; i < 4u; i++) {
        if column + i < columns {
            four[i] = x[first + column + i];
        }
    }
    return four;
}

// The product of 32 weights with the activations from `first + 32 * group` on.
fn group_product(values: array<vec4<f32>, 8>, first: u32, group: u32, columns: u32) -> f32 {
    var sum = 0.0;
    for (var i = 0u; i < 8u; i++) {
        sum += dot(values[i], activations_at(first, 32u * group + 4u * i, columns));
    }
    return sum;
}
