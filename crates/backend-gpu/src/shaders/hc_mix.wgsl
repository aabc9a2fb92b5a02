// Collapses the streams to a sublayer's input and computes the gates to write back.
//
// A thread for each channel; every thread makes the few pre gates for itself. The first workgroup
// of a token also makes the post gates and the combination, on one thread: some hundred
// operations, which are over before the other workgroups have read the streams.

// [n, N_STREAMS + N_STREAMS * N_STREAMS]: post gates, then the combination (a, b)
@group(0) @binding(5) var<storage, read_write> gates: array<f32>;

const N_GATES: u32 = N_STREAMS * N_STREAMS;

// Softmax over each row, then a column normalisation, then rows and columns in turn.
fn sinkhorn(m: ptr<function, array<f32, N_GATES>>) {
    for (var a = 0u; a < N_STREAMS; a++) {
        let first = a * N_STREAMS;
        var largest = (*m)[first];
        for (var b = 1u; b < N_STREAMS; b++) {
            largest = max(largest, (*m)[first + b]);
        }
        var sum = 0.0;
        for (var b = 0u; b < N_STREAMS; b++) {
            (*m)[first + b] = exp((*m)[first + b] - largest);
            sum += (*m)[first + b];
        }
        for (var b = 0u; b < N_STREAMS; b++) {
            (*m)[first + b] = (*m)[first + b] / sum + p.eps;
        }
    }
    for (var iteration = 0u; iteration < p.n_iterations; iteration++) {
        if iteration > 0u {
            normalise(m, N_STREAMS, 1u);
        }
        normalise(m, 1u, N_STREAMS);
    }
}

// Divides every line of the matrix by its sum: lines start `apart` apart, entries lie `step` apart.
fn normalise(m: ptr<function, array<f32, N_GATES>>, apart: u32, step: u32) {
    for (var line = 0u; line < N_STREAMS; line++) {
        var sum = p.eps;
        for (var i = 0u; i < N_STREAMS; i++) {
            sum += (*m)[line * apart + i * step];
        }
        for (var i = 0u; i < N_STREAMS; i++) {
            (*m)[line * apart + i * step] /= sum;
        }
    }
}

fn write_gates(token: u32, inverse_rms: f32) {
    let first = token * (N_STREAMS + N_GATES);
    for (var j = 0u; j < N_STREAMS; j++) {
        gates[first + j] = 2.0 * sigmoid(gate_logit(token, N_STREAMS + j, inverse_rms, 1u));
    }
    var m: array<f32, N_GATES>;
    for (var i = 0u; i < N_GATES; i++) {
        m[i] = gate_logit(token, 2u * N_STREAMS + i, inverse_rms, 2u);
    }
    sinkhorn(&m);
    for (var i = 0u; i < N_GATES; i++) {
        gates[first + N_STREAMS + i] = m[i];
    }
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let inverse_rms = inverse_rms(workgroup.y);
    if workgroup.x == 0u && thread == 0u {
        write_gates(workgroup.y, inverse_rms);
    }
    collapse(workgroup.y, workgroup.x * 256u + thread, inverse_rms);
}
