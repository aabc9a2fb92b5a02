// Chooses for each token the TOP_K rows with the largest scores, exactly: of equal scores the lower
// row. A workgroup chooses among CHUNK of a token's scores. Where there are more, its choices are
// candidates for a further dispatch: keys and rows, filled up to TOP_K with the key that nothing is
// below. They ascend by rows as scores do, so that the lower one is that in front.
//
// Scores become integers of the same order, and every thread holds a stretch of them. Four passes
// over eight bits each find the smallest chosen one and how many of its equals are chosen; then every
// thread writes the choices of its stretch, behind those of the stretches in front, so rows come out
// ascending.
struct Parameters {
    // The token's row in the selection.
    first_row: u32,
    first_position: u32,
    ratio: u32,
    top_k: u32,
    // Scores or candidates kept for each token.
    n_inputs: u32,
}
var<immediate> p: Parameters;

const CHUNK: u32 = WORKGROUP * STRETCH;
const NO_ROW: u32 = 0xffffffffu;

// LAST: [n, 1 + top_k], number of rows, then the rows. Else [tokens of the run, chunks, top_k, 2]:
// keys and rows of candidates.
@group(0) @binding(0) var<storage, read_write> chosen: array<u32>;
// FIRST: [tokens of the run, n_inputs], bits of scores. Else [tokens of the run, n_inputs, 2]: keys
// and rows of candidates.
@group(0) @binding(1) var<storage, read> inputs: array<u32>;

var<workgroup> counts: array<atomic<u32>, 256>;
// What the passes have found of the smallest chosen key, and what is still to be chosen of it.
var<workgroup> found_key: u32;
var<workgroup> found_rest: u32;
// What each thread, and sixteen of them, add to a sum.
var<workgroup> addends: array<vec2<u32>, WORKGROUP>;
var<workgroup> sixteens: array<vec2<u32>, WORKGROUP / 16u>;

// Larger scores have larger keys.
fn key_at(index: u32) -> u32 {
    if FIRST == 0u {
        return inputs[2u * index];
    }
    let bits = inputs[index];
    return bits ^ select(0x80000000u, 0xffffffffu, (bits >> 31u) == 1u);
}

// Row of input `i` of a token, whose inputs begin at `first`.
fn row_at(first: u32, i: u32) -> u32 {
    if FIRST == 0u {
        return inputs[2u * (first + i) + 1u];
    }
    return i;
}

fn put_candidate(at: u32, key: u32, row: u32) {
    chosen[2u * at] = key;
    chosen[2u * at + 1u] = row;
}

// Sums of the addends of the threads in front, for the first `n` threads. All threads call together.
fn sum_in_front(addend: vec2<u32>, n: u32, thread: u32) -> vec2<u32> {
    addends[thread] = addend;
    workgroupBarrier();
    let sixteen = thread / 16u;
    var sum = vec2<u32>(0u);
    if thread < n {
        for (var i = 0u; i < 15u; i++) {
            sum += select(vec2<u32>(0u), addends[16u * sixteen + i], i < thread % 16u);
        }
        if thread % 16u == 15u {
            sixteens[sixteen] = sum + addend;
        }
    }
    workgroupBarrier();
    if thread < n {
        for (var first = 0u; first < sixteen; first += 16u) {
            for (var i = 0u; i < 16u; i++) {
                sum += select(vec2<u32>(0u), sixteens[first + i], first + i < sixteen);
            }
        }
    }
    return sum;
}

// Fixes eight more bits of the key of the last chosen row.
fn narrow(keys: ptr<function, array<u32, STRETCH>>, n_own: u32, shift: u32, thread: u32) {
    if thread < 256u {
        atomicStore(&counts[thread], 0u);
    }
    workgroupBarrier();
    let known = found_key;
    let rest = found_rest;
    let mask = select(0xffffffffu << (shift + 8u), 0u, shift == 24u);
    for (var i = 0u; i < STRETCH; i++) {
        let key = (*keys)[i];
        if i < n_own && (key & mask) == known {
            atomicAdd(&counts[(key >> shift) & 255u], 1u);
        }
    }
    workgroupBarrier();
    // The first threads have a digit each, from the largest one down.
    let digit = 255u - min(thread, 255u);
    let count = select(0u, atomicLoad(&counts[digit]), thread < 256u);
    let larger = sum_in_front(vec2<u32>(count, 0u), 256u, thread).x;
    if larger < rest && rest <= larger + count {
        found_key = known | (digit << shift);
        found_rest = rest - larger;
    }
    workgroupBarrier();
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let token = workgroup.y;
    let visible = (p.first_position + token + 1u) / p.ratio;
    var out = (token * grid.x + workgroup.x) * p.top_k;
    if LAST == 1u {
        out = (p.first_row + token) * (1u + p.top_k) + 1u;
        if thread == 0u {
            chosen[out - 1u] = min(visible, p.top_k);
        }
    }
    if visible <= p.top_k {
        if LAST == 1u {
            for (var i = thread; i < visible; i += WORKGROUP) {
                chosen[out + i] = i;
            }
        }
        return;
    }
    let n_inputs = select(p.n_inputs, visible, FIRST == 1u);
    let begin = min(workgroup.x * CHUNK, n_inputs);
    let n_keys = min(n_inputs - begin, CHUNK);
    let first = token * p.n_inputs;
    if LAST == 0u && n_keys <= p.top_k {
        for (var i = thread; i < p.top_k; i += WORKGROUP) {
            if i < n_keys {
                put_candidate(out + i, key_at(first + begin + i), row_at(first, begin + i));
            } else {
                put_candidate(out + i, 0u, NO_ROW);
            }
        }
        return;
    }
    if thread == 0u {
        found_key = 0u;
        found_rest = p.top_k;
    }
    let stretch = (n_keys + WORKGROUP - 1u) / WORKGROUP;
    let own = begin + min(thread * stretch, n_keys);
    let n_own = min(stretch, begin + n_keys - own);
    var keys: array<u32, STRETCH>;
    for (var i = 0u; i < STRETCH; i++) {
        if i < n_own {
            keys[i] = key_at(first + own + i);
        }
    }
    for (var step = 0u; step < 4u; step++) {
        narrow(&keys, n_own, 24u - 8u * step, thread);
    }

    var n_found = vec2<u32>(0u);
    for (var i = 0u; i < STRETCH; i++) {
        if i < n_own {
            n_found += vec2<u32>(u32(keys[i] > found_key), u32(keys[i] == found_key));
        }
    }
    // Rows above that key, and its equals, in the stretches in front.
    let in_front = sum_in_front(n_found, WORKGROUP, thread);
    out += in_front.x + min(in_front.y, found_rest);
    var rank = in_front.y;
    for (var i = 0u; i < STRETCH; i++) {
        if i < n_own {
            let is_equal = keys[i] == found_key;
            if keys[i] > found_key || (is_equal && rank < found_rest) {
                if LAST == 1u {
                    chosen[out] = row_at(first, own + i);
                } else {
                    put_candidate(out, keys[i], row_at(first, own + i));
                }
                out += 1u;
            }
            rank += u32(is_equal);
        }
    }
}
