// Matrices of eight rows and columns, the only ones that Metal has; it also wants tiles of scalars.
enable f16;
enable wgpu_cooperative_matrix;

alias Left = coop_mat8x8<f16, A>;
alias Right = coop_mat8x8<f16, B>;
alias Sum = coop_mat8x8<f32, C>;

const SIDE: u32 = 8u;
// Values of an element of a tile, and elements from one row to the next: eight values apart, so that
// rows begin in different banks.
const UNIT: u32 = 1u;
const STRIDE: u32 = 40u;

var<workgroup> weight_tile: array<f16, ROWS * STRIDE>;
var<workgroup> x_tile: array<f16, TOKENS * STRIDE>;

fn put_weights(row: u32, four: u32, values: vec4<f16>) {
    let at = row * STRIDE + 4u * four;
    weight_tile[at] = values.x;
    weight_tile[at + 1u] = values.y;
    weight_tile[at + 2u] = values.z;
    weight_tile[at + 3u] = values.w;
}

fn put_x(token: u32, four: u32, values: vec4<f16>) {
    let at = token * STRIDE + 4u * four;
    x_tile[at] = values.x;
    x_tile[at + 1u] = values.y;
    x_tile[at + 2u] = values.z;
    x_tile[at + 3u] = values.w;
}
