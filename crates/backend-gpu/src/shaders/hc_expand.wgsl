// `streams[b] = post[b] * y + sum over a of comb[a][b] * streams[a]`, in place.
//
// A thread for each channel holds that channel of all streams.
struct Parameters {
    hidden_size: u32,
}
var<immediate> p: Parameters;

// [n, N_STREAMS, hidden_size]
@group(0) @binding(0) var<storage, read_write> streams: array<f32>;
// [n, hidden_size]
@group(0) @binding(1) var<storage, read> y: array<f32>;
// [n, N_STREAMS + N_STREAMS * N_STREAMS]
@group(0) @binding(2) var<storage, read> gates: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = workgroup.x * 256u + thread;
    if i >= p.hidden_size {
        return;
    }
    let token = workgroup.y;
    let first = token * N_STREAMS * p.hidden_size + i;
    let post = token * (N_STREAMS + N_STREAMS * N_STREAMS);
    let comb = post + N_STREAMS;
    var old: array<f32, N_STREAMS>;
    for (var a = 0u; a < N_STREAMS; a++) {
        old[a] = streams[first + a * p.hidden_size];
    }
    let added = y[token * p.hidden_size + i];
    for (var b = 0u; b < N_STREAMS; b++) {
        var sum = gates[post + b] * added;
        for (var a = 0u; a < N_STREAMS; a++) {
            sum += gates[comb + a * N_STREAMS + b] * old[a];
        }
        streams[first + b * p.hidden_size] = sum;
    }
}
