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
struct type_2 {
    uint inner[256];
};
constant uint N_EXPERTS = 256u;
constant uint TOKENS = 64u;

void write_list(
    uint expert_2,
    constant Parameters& p,
    device type_1& lists,
    device type_1 const& experts,
    threadgroup type_2& counts,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint first = 0u;
    uint tile = 0u;
    uint e = 0u;
    uint i = 0u;
    uint at = {};
    uint choice_1 = 0u;
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e28 = e;
            e = _e28 + 1u;
        }
        loop_init = false;
        uint _e7 = e;
        if (_e7 < expert_2) {
        } else {
            break;
        }
        {
            uint _e9 = first;
            uint _e11 = e;
            uint _e13 = counts.inner[_e11];
            first = _e9 + _e13;
            uint _e15 = tile;
            uint _e17 = e;
            uint _e19 = counts.inner[_e17];
            tile = _e15 + (((_e19 + TOKENS) - 1u) / TOKENS);
        }
    }
    bool loop_init_1 = true;
    while(true) {
        if (!loop_init_1) {
            uint _e69 = i;
            i = _e69 + TOKENS;
        }
        loop_init_1 = false;
        uint _e32 = i;
        uint _e35 = counts.inner[expert_2];
        if (_e32 < _e35) {
        } else {
            break;
        }
        {
            uint _e39 = tile;
            lists[3u * _e39] = expert_2;
            uint _e44 = tile;
            uint _e49 = first;
            uint _e50 = i;
            lists[(3u * _e44) + 1u] = _e49 + _e50;
            uint _e54 = tile;
            uint _e62 = counts.inner[expert_2];
            uint _e63 = i;
            lists[(3u * _e54) + 2u] = metal::min(TOKENS, _e62 - _e63);
            uint _e66 = tile;
            tile = _e66 + 1u;
        }
    }
    uint _e75 = p.max_tiles;
    uint _e77 = first;
    at = (3u * _e75) + _e77;
    bool loop_init_2 = true;
    while(true) {
        if (!loop_init_2) {
            uint _e100 = choice_1;
            choice_1 = _e100 + 1u;
        }
        loop_init_2 = false;
        uint _e82 = choice_1;
        uint _e85 = p.n_choices;
        if (_e82 < _e85) {
        } else {
            break;
        }
        {
            uint _e88 = choice_1;
            uint _e90 = experts[_e88];
            if (_e90 == expert_2) {
                uint _e93 = at;
                uint _e95 = choice_1;
                lists[_e93] = _e95;
                uint _e96 = at;
                at = _e96 + 1u;
            }
        }
    }
    if (expert_2 == 255u) {
        bool loop_init_3 = true;
        while(true) {
            if (!loop_init_3) {
                uint _e118 = tile;
                tile = _e118 + 1u;
            }
            loop_init_3 = false;
            uint _e104 = tile;
            uint _e107 = p.max_tiles;
            if (_e104 < _e107) {
            } else {
                break;
            }
            {
                uint _e111 = tile;
                lists[(3u * _e111) + 2u] = 0u;
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
, threadgroup type_2& counts
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    uint expert = {};
    uint count = {};
    uint choice = {};
    uint expert_1 = {};
    expert = thread_;
    bool loop_init_4 = true;
    while(true) {
        if (!loop_init_4) {
            uint _e30 = expert;
            expert = _e30 + 256u;
        }
        loop_init_4 = false;
        uint _e2 = expert;
        if (_e2 < N_EXPERTS) {
        } else {
            break;
        }
        {
            count = 0u;
            choice = 0u;
            bool loop_init_5 = true;
            while(true) {
                if (!loop_init_5) {
                    uint _e24 = choice;
                    choice = _e24 + 1u;
                }
                loop_init_5 = false;
                uint _e9 = choice;
                uint _e12 = p.n_choices;
                if (_e9 < _e12) {
                } else {
                    break;
                }
                {
                    uint _e14 = count;
                    uint _e16 = choice;
                    uint _e18 = experts[_e16];
                    uint _e19 = expert;
                    count = _e14 + static_cast<uint>(_e18 == _e19);
                }
            }
            uint _e27 = expert;
            uint _e29 = count;
            counts.inner[_e27] = _e29;
        }
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    expert_1 = thread_;
    bool loop_init_6 = true;
    while(true) {
        if (!loop_init_6) {
            uint _e38 = expert_1;
            expert_1 = _e38 + 256u;
        }
        loop_init_6 = false;
        uint _e34 = expert_1;
        if (_e34 < N_EXPERTS) {
        } else {
            break;
        }
        {
            uint _e37 = expert_1;
            write_list(_e37, p, lists, experts, counts, _buffer_sizes);
        }
    }
    return;
}
