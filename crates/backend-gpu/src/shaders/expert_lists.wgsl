// Sorts choices by expert and cuts each expert's list into tiles of TOKENS: prefill.
//
// One workgroup; a thread counts and lists the choices of an expert. Lists are in the order of the
// choices, so the result is the same every time.
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

var<workgroup> counts: array<u32, N_EXPERTS>;

fn write_list(expert: u32) {
    var first = 0u;
    var tile = 0u;
    for (var e = 0u; e < expert; e++) {
        first += counts[e];
        tile += (counts[e] + TOKENS - 1u) / TOKENS;
    }
    for (var i = 0u; i < counts[expert]; i += TOKENS) {
        lists[3u * tile] = expert;
        lists[3u * tile + 1u] = first + i;
        lists[3u * tile + 2u] = min(TOKENS, counts[expert] - i);
        tile += 1u;
    }
    var at = 3u * p.max_tiles + first;
    for (var choice = 0u; choice < p.n_choices; choice++) {
        if experts[choice] == expert {
            lists[at] = choice;
            at += 1u;
        }
    }
    if expert == N_EXPERTS - 1u {
        for (; tile < p.max_tiles; tile++) {
            lists[3u * tile + 2u] = 0u;
        }
    }
}

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) thread: u32) {
    for (var expert = thread; expert < N_EXPERTS; expert += 256u) {
        var count = 0u;
        for (var choice = 0u; choice < p.n_choices; choice++) {
            count += u32(experts[choice] == expert);
        }
        counts[expert] = count;
    }
    workgroupBarrier();
    for (var expert = thread; expert < N_EXPERTS; expert += 256u) {
        write_list(expert);
    }
}
