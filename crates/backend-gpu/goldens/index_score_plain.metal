// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size0;
    uint size2;
    uint size3;
    uint size4;
};

typedef float type_2[1];
struct Parameters {
    uint first_row;
    uint first_query;
    uint first_position;
    uint n_heads;
    uint ratio;
    uint n_scores;
    float scale;
};
typedef metal::float4 type_4[1];
struct type_5 {
    metal::float4 inner[1056];
};
struct type_6 {
    float inner[128];
};
constant uint WIDTH = 128u;
constant uint ROWS = 32u;
constant uint FOURS = 32u;
constant uint STRIDE = 33u;

metal::float4 key_four(
    uint row,
    uint i_2,
    device type_2 const& keys,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint at = (row * WIDTH) + (4u * i_2);
    float _e9 = keys[at];
    float _e14 = keys[at + 1u];
    float _e19 = keys[at + 2u];
    float _e24 = keys[at + 3u];
    return metal::float4(_e9, _e14, _e19, _e24);
}

struct main_Input {
};
[[max_total_threads_per_threadgroup(128)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, device type_2 const& keys [[user(fake0)]]
, constant Parameters& p [[user(fake0)]]
, device type_2& scores [[user(fake0)]]
, device type_4 const& queries [[user(fake0)]]
, device type_2 const& head_weights [[user(fake0)]]
, threadgroup type_5& tile
, threadgroup type_6& partials
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    uint i = {};
    metal::float4 four = {};
    float sum = 0.0;
    uint head = {};
    float product = {};
    uint i_1 = {};
    bool local = {};
    uint token = workgroup.y;
    uint _e5 = p.first_position;
    uint _e11 = p.ratio;
    uint visible = ((_e5 + token) + 1u) / _e11;
    uint first = workgroup.x * ROWS;
    i = thread_;
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e42 = i;
            i = _e42 + 128u;
        }
        loop_init = false;
        uint _e17 = i;
        if (_e17 < 1024u) {
        } else {
            break;
        }
        {
            uint _e20 = i;
            uint row_1 = _e20 / FOURS;
            four = metal::float4(0.0);
            if ((first + row_1) < visible) {
                uint _e29 = i;
                metal::float4 _e32 = key_four(first + row_1, _e29 % FOURS, keys, _buffer_sizes);
                four = _e32;
            }
            uint _e36 = i;
            metal::float4 _e41 = four;
            tile.inner[(row_1 * STRIDE) + (_e36 % FOURS)] = _e41;
        }
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    uint row_2 = thread_ / 4u;
    head = thread_ % 4u;
    bool loop_init_1 = true;
    while(true) {
        if (!loop_init_1) {
            uint _e117 = head;
            head = _e117 + 4u;
        }
        loop_init_1 = false;
        uint _e52 = head;
        uint _e55 = p.n_heads;
        if (_e52 < _e55) {
        } else {
            break;
        }
        {
            uint _e59 = p.first_query;
            uint _e63 = p.n_heads;
            uint _e65 = head;
            uint query = (((_e59 + token) * _e63) + _e65) * FOURS;
            product = 0.0;
            i_1 = 0u;
            bool loop_init_2 = true;
            while(true) {
                if (!loop_init_2) {
                    uint _e92 = i_1;
                    i_1 = _e92 + 1u;
                }
                loop_init_2 = false;
                uint _e73 = i_1;
                if (_e73 < FOURS) {
                } else {
                    break;
                }
                {
                    float _e76 = product;
                    uint _e78 = i_1;
                    metal::float4 _e81 = queries[query + _e78];
                    uint _e85 = i_1;
                    metal::float4 _e88 = tile.inner[(row_2 * STRIDE) + _e85];
                    product = _e76 + metal::dot(_e81, _e88);
                }
            }
            uint _e97 = p.first_row;
            uint _e101 = p.n_heads;
            uint _e103 = head;
            float _e106 = head_weights[((_e97 + token) * _e101) + _e103];
            float _e109 = p.scale;
            float weight = _e106 * _e109;
            float _e111 = sum;
            float _e112 = product;
            sum = _e111 + (weight * metal::max(_e112, 0.0));
        }
    }
    float _e122 = sum;
    partials.inner[thread_] = _e122;
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    if (thread_ < ROWS) {
        local = (first + thread_) < visible;
    } else {
        local = false;
    }
    bool _e130 = local;
    if (_e130) {
        uint at_1 = 4u * thread_;
        float _e135 = partials.inner[at_1];
        float _e140 = partials.inner[at_1 + 1u];
        float _e146 = partials.inner[at_1 + 2u];
        float _e152 = partials.inner[at_1 + 3u];
        float score = ((_e135 + _e140) + _e146) + _e152;
        uint _e157 = p.n_scores;
        scores[((token * _e157) + first) + thread_] = (score == 0.0) ? 0.0 : score;
        return;
    } else {
        return;
    }
}
