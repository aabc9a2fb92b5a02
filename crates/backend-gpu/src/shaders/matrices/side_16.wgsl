// Matrices of sixteen rows and columns, four values of a row together in workgroup memory.
enable f16;
enable wgpu_cooperative_matrix;

alias Left = coop_mat16x16<f16, A>;
alias Right = coop_mat16x16<f16, B>;
alias Sum = coop_mat16x16<f32, C>;

const SIDE: u32 = 16u;
// Values of an element of a tile, and elements from one row to the next: eight values apart, so that
// rows begin in different banks.
const UNIT: u32 = 4u;
const STRIDE: u32 = 10u;

var<workgroup> weight_tile: array<vec4<f16>, ROWS * STRIDE>;
var<workgroup> x_tile: array<vec4<f16>, TOKENS * STRIDE>;

fn put_weights(row: u32, four: u32, values: vec4<f16>) {
    weight_tile[row * STRIDE + four] = values;
}

fn put_x(token: u32, four: u32, values: vec4<f16>) {
    x_tile[token * STRIDE + four] = values;
}
