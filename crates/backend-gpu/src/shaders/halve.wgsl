// Activations rounded to f16 for matrix units, four a thread; with two PLANES, rows are cut to
// what f16 holds and followed by what that took from them, so that their sum is as good as f32.
struct Parameters {
    n_fours: u32,
    // Vectors of four a row.
    row_fours: u32,
}
var<immediate> p: Parameters;

enable f16;

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
// [rows, PLANES, row_fours]
@group(0) @binding(1) var<storage, read_write> halves: array<vec4<f16>>;

// The largest f16.
const LARGEST: vec4<f32> = vec4<f32>(65504.0);
// Sign, exponent and the ten bits of mantissa that f16 has.
const HALF_BITS: u32 = 0xffffe000u;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = (workgroup.y * grid.x + workgroup.x) * WORKGROUP + thread;
    if i < p.n_fours {
        let four = clamp(x[i], -LARGEST, LARGEST);
        let at = i / p.row_fours * (PLANES * p.row_fours) + i % p.row_fours;
        if PLANES == 1u {
            halves[at] = vec4<f16>(four);
        } else {
            // Cut on the bits: a conversion there and back may be taken for nothing.
            let cut = bitcast<vec4<f32>>(bitcast<vec4<u32>>(four) & vec4<u32>(HALF_BITS));
            halves[at] = vec4<f16>(cut);
            halves[at + p.row_fours] = vec4<f16>(four - cut);
        }
    }
}
