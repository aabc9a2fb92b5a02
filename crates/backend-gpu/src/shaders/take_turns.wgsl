// Adds to one number, so that each dispatch waits for the one before it.
struct Parameters {
    step: u32,
}
var<immediate> p: Parameters;

// [1]
@group(0) @binding(0) var<storage, read_write> count: array<u32>;

@compute @workgroup_size(1)
fn main() {
    count[0] += p.step;
}
