// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size1;
    uint size2;
};

struct Parameters {
    uint width;
    uint n_chosen;
    uint adds;
};
typedef float type_2[1];

struct main_Input {
};
[[max_total_threads_per_threadgroup(256)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, constant Parameters& p [[user(fake0)]]
, device type_2& out [[user(fake0)]]
, device type_2 const& down [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    float sum = 0.0;
    uint choice = 0u;
    uint i = (workgroup.x * 256u) + thread_;
    uint _e8 = p.width;
    if (i >= _e8) {
        return;
    }
    uint token = workgroup.y;
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e37 = choice;
            choice = _e37 + 1u;
        }
        loop_init = false;
        uint _e15 = choice;
        uint _e18 = p.n_chosen;
        if (_e15 < _e18) {
        } else {
            break;
        }
        {
            float _e20 = sum;
            uint _e24 = p.n_chosen;
            uint _e26 = choice;
            uint _e30 = p.width;
            float _e34 = down[(((token * _e24) + _e26) * _e30) + i];
            sum = _e20 + _e34;
        }
    }
    uint _e41 = p.width;
    uint at = (token * _e41) + i;
    uint _e46 = p.adds;
    if (_e46 == 1u) {
        float _e49 = sum;
        float _e52 = out[at];
        sum = _e49 + _e52;
    }
    float _e56 = sum;
    out[at] = _e56;
    return;
}
