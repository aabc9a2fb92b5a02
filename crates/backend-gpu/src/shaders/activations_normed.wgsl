// Activations of one token, normed and rounded to int8 on the way: every workgroup does it for
// itself, which takes less time than a kernel in front would. A thread has a block of sixteen.
@group(0) @binding(2) var<storage, read> gain: array<vec4<f32>>;

const BLOCKS: u32 = COLUMNS / 16u;

var<workgroup> x_quants: array<vec4<u32>, BLOCKS>;
// Of two blocks of sixteen, which meet 32 weights.
var<workgroup> x_scales: array<vec2<f32>, BLOCKS / 2u>;
// As they are, for weights of plain floats.
var<workgroup> normed_fours: array<vec4<f32>, COLUMNS / 4u>;
var<workgroup> block_squares: array<f32, BLOCKS>;
var<workgroup> block_scales: array<f32, BLOCKS>;

fn x_four(at: u32) -> vec4<f32> {
    return normed_fours[at];
}

fn activations_begin(thread: u32) {
    var fours: array<vec4<f32>, 4>;
    if thread < BLOCKS {
        var squares = 0.0;
        for (var i = 0u; i < 4u; i++) {
            let four = x[4u * thread + i];
            squares += dot(four, four);
            fours[i] = four * gain[4u * thread + i];
        }
        block_squares[thread] = squares;
    }
    workgroupBarrier();
    // Blocks come by twos.
    var squares = vec2<f32>(0.0);
    for (var i = 0u; i < BLOCKS; i += 2u) {
        squares += vec2<f32>(block_squares[i], block_squares[i + 1u]);
    }
    let scale = 1.0 / sqrt((squares.x + squares.y) / f32(COLUMNS) + p.norm_eps);
    if thread < BLOCKS {
        for (var i = 0u; i < 4u; i++) {
            fours[i] *= scale;
            normed_fours[4u * thread + i] = fours[i];
        }
        let block = rounded_block(fours[0], fours[1], fours[2], fours[3]);
        x_quants[thread] = block.quants;
        block_scales[thread] = block.scale;
    }
    workgroupBarrier();
    if thread < BLOCKS / 2u {
        x_scales[thread] = vec2<f32>(block_scales[2u * thread], block_scales[2u * thread + 1u]);
    }
    workgroupBarrier();
}
