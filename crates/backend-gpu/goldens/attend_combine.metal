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
    uint first_row;
    uint n_heads;
    uint n_splits;
};
typedef float type_2[1];
constant uint WIDTH = 512u;
constant uint STRIDE = 514u;

struct main_Input {
};
[[max_total_threads_per_threadgroup(128)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, constant Parameters& p [[user(fake0)]]
, device type_2& out [[user(fake0)]]
, device type_2 const& partials [[user(fake0)]]
, device type_2 const& sinks [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    float largest = {};
    uint i = 0u;
    float total = {};
    uint i_1 = 0u;
    uint channel = {};
    float sum = {};
    uint i_2 = {};
    uint head = workgroup.x;
    uint _e6 = p.n_heads;
    uint _e11 = p.n_splits;
    uint first = (((workgroup.y * _e6) + head) * _e11) * STRIDE;
    float _e17 = sinks[head];
    largest = _e17;
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e36 = i;
            i = _e36 + 1u;
        }
        loop_init = false;
        uint _e21 = i;
        uint _e24 = p.n_splits;
        if (_e21 < _e24) {
        } else {
            break;
        }
        {
            float _e26 = largest;
            uint _e28 = i;
            float _e33 = partials[first + (_e28 * STRIDE)];
            largest = metal::max(_e26, _e33);
        }
    }
    float _e40 = sinks[head];
    float _e41 = largest;
    total = metal::exp(_e40 - _e41);
    bool loop_init_1 = true;
    while(true) {
        if (!loop_init_1) {
            uint _e71 = i_1;
            i_1 = _e71 + 1u;
        }
        loop_init_1 = false;
        uint _e47 = i_1;
        uint _e50 = p.n_splits;
        if (_e47 < _e50) {
        } else {
            break;
        }
        {
            uint _e52 = i_1;
            uint at = first + (_e52 * STRIDE);
            float _e56 = total;
            float _e61 = partials[at + 1u];
            float _e64 = partials[at];
            float _e65 = largest;
            total = _e56 + (_e61 * metal::exp(_e64 - _e65));
        }
    }
    uint _e75 = p.first_row;
    uint _e80 = p.n_heads;
    uint out_first = (((_e75 + workgroup.y) * _e80) + head) * WIDTH;
    channel = thread_;
    bool loop_init_2 = true;
    while(true) {
        if (!loop_init_2) {
            uint _e128 = channel;
            channel = _e128 + 128u;
        }
        loop_init_2 = false;
        uint _e86 = channel;
        if (_e86 < WIDTH) {
        } else {
            break;
        }
        {
            sum = 0.0;
            i_2 = 0u;
            bool loop_init_3 = true;
            while(true) {
                if (!loop_init_3) {
                    uint _e119 = i_2;
                    i_2 = _e119 + 1u;
                }
                loop_init_3 = false;
                uint _e93 = i_2;
                uint _e96 = p.n_splits;
                if (_e93 < _e96) {
                } else {
                    break;
                }
                {
                    uint _e98 = i_2;
                    uint at_1 = first + (_e98 * STRIDE);
                    float _e102 = sum;
                    uint _e106 = channel;
                    float _e109 = partials[(at_1 + 2u) + _e106];
                    float _e112 = partials[at_1];
                    float _e113 = largest;
                    sum = _e102 + (_e109 * metal::exp(_e112 - _e113));
                }
            }
            uint _e122 = channel;
            float _e125 = sum;
            float _e126 = total;
            out[out_first + _e122] = _e125 / _e126;
        }
    }
    return;
}
