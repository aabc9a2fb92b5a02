// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size1;
    uint size2;
};

struct Parameters {
    uint n_choices;
    uint max_tiles;
};
typedef uint type_1[1];
struct type_3 {
    metal::atomic_uint inner[256];
};
constant uint N_EXPERTS = 256u;
constant uint TOKENS = 64u;

void write_tiles(
    uint expert_2,
    constant Parameters& p,
    device type_1& lists,
    threadgroup type_3& counts,
    threadgroup type_3& ends,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint first = 0u;
    uint tile = 0u;
    uint e = 0u;
    uint i = 0u;
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e24 = e;
            e = _e24 + 1u;
        }
        loop_init = false;
        uint _e7 = e;
        if (_e7 < expert_2) {
        } else {
            break;
        }
        {
            uint _e10 = e;
            uint count = metal::atomic_load_explicit(&counts.inner[_e10], metal::memory_order_relaxed);
            uint _e13 = first;
            first = _e13 + count;
            uint _e15 = tile;
            tile = _e15 + (((count + TOKENS) - 1u) / TOKENS);
        }
    }
    uint count_1 = metal::atomic_load_explicit(&counts.inner[expert_2], metal::memory_order_relaxed);
    bool loop_init_1 = true;
    while(true) {
        if (!loop_init_1) {
            uint _e62 = i;
            i = _e62 + TOKENS;
        }
        loop_init_1 = false;
        uint _e31 = i;
        if (_e31 < count_1) {
        } else {
            break;
        }
        {
            uint _e35 = tile;
            lists[3u * _e35] = expert_2;
            uint _e40 = tile;
            uint _e45 = first;
            uint _e46 = i;
            lists[(3u * _e40) + 1u] = _e45 + _e46;
            uint _e50 = tile;
            uint _e56 = i;
            lists[(3u * _e50) + 2u] = metal::min(TOKENS, count_1 - _e56);
            uint _e59 = tile;
            tile = _e59 + 1u;
        }
    }
    uint _e67 = first;
    metal::atomic_store_explicit(&ends.inner[expert_2], _e67, metal::memory_order_relaxed);
    if (expert_2 == 255u) {
        bool loop_init_2 = true;
        while(true) {
            if (!loop_init_2) {
                uint _e84 = tile;
                tile = _e84 + 1u;
            }
            loop_init_2 = false;
            uint _e70 = tile;
            uint _e73 = p.max_tiles;
            if (_e70 < _e73) {
            } else {
                break;
            }
            {
                uint _e77 = tile;
                lists[(3u * _e77) + 2u] = 0u;
            }
        }
        return;
    } else {
        return;
    }
}

struct main_Input {
};
[[max_total_threads_per_threadgroup(256)]] kernel void main_(
  uint thread_ [[thread_index_in_threadgroup]]
, constant Parameters& p [[user(fake0)]]
, device type_1& lists [[user(fake0)]]
, device type_1 const& experts [[user(fake0)]]
, threadgroup type_3& counts
, threadgroup type_3& ends
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    uint expert = {};
    uint choice = {};
    uint expert_1 = {};
    uint choice_1 = {};
    expert = thread_;
    bool loop_init_3 = true;
    while(true) {
        if (!loop_init_3) {
            uint _e9 = expert;
            expert = _e9 + 256u;
        }
        loop_init_3 = false;
        uint _e2 = expert;
        if (_e2 < N_EXPERTS) {
        } else {
            break;
        }
        {
            uint _e6 = expert;
            metal::atomic_store_explicit(&counts.inner[_e6], 0u, metal::memory_order_relaxed);
        }
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    choice = thread_;
    bool loop_init_4 = true;
    while(true) {
        if (!loop_init_4) {
            uint _e26 = choice;
            choice = _e26 + 256u;
        }
        loop_init_4 = false;
        uint _e13 = choice;
        uint _e16 = p.n_choices;
        if (_e13 < _e16) {
        } else {
            break;
        }
        {
            uint _e20 = choice;
            uint _e22 = experts[_e20];
            uint _e25 = metal::atomic_fetch_add_explicit(&counts.inner[_e22], 1u, metal::memory_order_relaxed);
        }
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    expert_1 = thread_;
    bool loop_init_5 = true;
    while(true) {
        if (!loop_init_5) {
            uint _e34 = expert_1;
            expert_1 = _e34 + 256u;
        }
        loop_init_5 = false;
        uint _e30 = expert_1;
        if (_e30 < N_EXPERTS) {
        } else {
            break;
        }
        {
            uint _e33 = expert_1;
            write_tiles(_e33, p, lists, counts, ends, _buffer_sizes);
        }
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    choice_1 = thread_;
    bool loop_init_6 = true;
    while(true) {
        if (!loop_init_6) {
            uint _e60 = choice_1;
            choice_1 = _e60 + 256u;
        }
        loop_init_6 = false;
        uint _e38 = choice_1;
        uint _e41 = p.n_choices;
        if (_e38 < _e41) {
        } else {
            break;
        }
        {
            uint _e45 = choice_1;
            uint _e47 = experts[_e45];
            uint _e50 = metal::atomic_fetch_add_explicit(&ends.inner[_e47], 1u, metal::memory_order_relaxed);
            uint _e55 = p.max_tiles;
            uint _e59 = choice_1;
            lists[(3u * _e55) + _e50] = _e59;
        }
    }
    return;
}
