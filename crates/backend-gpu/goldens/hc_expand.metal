// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size1;
    uint size2;
    uint size3;
};

struct Parameters {
    uint hidden_size;
};
typedef float type_2[1];
struct type_4 {
    float inner[4];
};
constant uint N_STREAMS = 4u;

struct main_Input {
};
[[max_total_threads_per_threadgroup(256)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, constant Parameters& p [[user(fake0)]]
, device type_2& streams [[user(fake0)]]
, device type_2 const& y [[user(fake0)]]
, device type_2 const& gates [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    type_4 old = {};
    uint a = 0u;
    uint b = 0u;
    float sum = {};
    uint a_1 = {};
    uint i = (workgroup.x * 256u) + thread_;
    uint _e8 = p.hidden_size;
    if (i >= _e8) {
        return;
    }
    uint token = workgroup.y;
    uint _e15 = p.hidden_size;
    uint first = ((token * N_STREAMS) * _e15) + i;
    uint post = token * 20u;
    uint comb = post + N_STREAMS;
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e40 = a;
            a = _e40 + 1u;
        }
        loop_init = false;
        uint _e25 = a;
        if (_e25 < N_STREAMS) {
        } else {
            break;
        }
        {
            uint _e28 = a;
            uint _e31 = a;
            uint _e34 = p.hidden_size;
            float _e38 = streams[first + (_e31 * _e34)];
            old.inner[_e28] = _e38;
        }
    }
    uint _e45 = p.hidden_size;
    float added = y[(token * _e45) + i];
    bool loop_init_1 = true;
    while(true) {
        if (!loop_init_1) {
            uint _e95 = b;
            b = _e95 + 1u;
        }
        loop_init_1 = false;
        uint _e52 = b;
        if (_e52 < N_STREAMS) {
        } else {
            break;
        }
        {
            uint _e56 = b;
            float _e59 = gates[post + _e56];
            sum = _e59 * added;
            a_1 = 0u;
            bool loop_init_2 = true;
            while(true) {
                if (!loop_init_2) {
                    uint _e83 = a_1;
                    a_1 = _e83 + 1u;
                }
                loop_init_2 = false;
                uint _e64 = a_1;
                if (_e64 < N_STREAMS) {
                } else {
                    break;
                }
                {
                    float _e67 = sum;
                    uint _e69 = a_1;
                    uint _e73 = b;
                    float _e76 = gates[(comb + (_e69 * N_STREAMS)) + _e73];
                    uint _e77 = a_1;
                    float _e79 = old.inner[_e77];
                    sum = _e67 + (_e76 * _e79);
                }
            }
            uint _e86 = b;
            uint _e89 = p.hidden_size;
            float _e93 = sum;
            streams[first + (_e86 * _e89)] = _e93;
        }
    }
    return;
}
