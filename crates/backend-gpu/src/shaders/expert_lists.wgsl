// Sorts choices by expert and cuts each expert's list into tiles of TOKENS: prefill.
//
// One workgroup counts the choices of each expert, finds where the lists begin, and puts the choices
// there. Their order in a list differs from run to run; results do not depend on it, because every
// choice has rows of its own on both sides of a product.
struct Parameters {
    // Tokens times experts per token.
    n_choices: u32,
    max_tiles: u32,
}
var<immediate> p: Parameters;

// [max_tiles, 3]: expert, where its choices begin in the list, how many; then the list. Tiles that
// are not needed have no choices.
@group(0) @binding(0) var<storage, read_write> lists: array<u32>;
// [n, experts per token]
@group(0) @binding(1) var<storage, read> experts: array<u32>;

var<workgroup> counts: array<atomic<u32>, N_EXPERTS>;
var<workgroup> ends: array<atomic<u32>, N_EXPERTS>;

// Writes the tiles of an expert and sets where its list begins.
fn write_tiles(expert: u32) {
    var first = 0u;
    var tile = 0u;
    for (var e = 0u; e < expert; e++) {
        let count = atomicLoad(&counts[e]);
        first += count;
        tile += (count + TOKENS - 1u) / TOKENS;
    }
    let count = atomicLoad(&counts[expert]);
    for (var i = 0u; i < count; i += TOKENS) {
        lists[3u * tile] = expert;
        lists[3u * tile + 1u] = first + i;
        lists[3u * tile + 2u] = min(TOKENS, count - i);
        tile += 1u;
    }
    atomicStore(&ends[expert], first);
    if expert == N_EXPERTS - 1u {
        for (; tile < p.max_tiles; tile++) {
            lists[3u * tile + 2u] = 0u;
        }
    }
}

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) thread: u32) {
    for (var expert = thread; expert < N_EXPERTS; expert += 256u) {
        atomicStore(&counts[expert], 0u);
    }
    workgroupBarrier();
    for (var choice = thread; choice < p.n_choices; choice += 256u) {
        atomicAdd(&counts[experts[choice]], 1u);
    }
    workgroupBarrier();
    for (var expert = thread; expert < N_EXPERTS; expert += 256u) {
        write_tiles(expert);
    }
    workgroupBarrier();
    for (var choice = thread; choice < p.n_choices; choice += 256u) {
        let at = atomicAdd(&ends[experts[choice]], 1u);
        lists[3u * p.max_tiles + at] = choice;
    }
}
