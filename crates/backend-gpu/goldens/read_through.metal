// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size1;
    uint size2;
};

struct Parameters {
    uint n_vectors;
};
typedef uint type_1[1];
typedef metal::uint4 type_3[1];
constant uint WORKGROUP = 256u;
constant uint VECTORS = 64u;

struct main_Input {
};
[[max_total_threads_per_threadgroup(256)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, constant Parameters& p [[user(fake0)]]
, device type_1& sums [[user(fake0)]]
, device type_3 const& x [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    metal::uint4 sum = metal::uint4(0u);
    uint i = 0u;
    uint first = (workgroup.x * 16384u) + thread_;
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e27 = i;
            i = _e27 + 1u;
        }
        loop_init = false;
        uint _e11 = i;
        if (_e11 < VECTORS) {
        } else {
            break;
        }
        {
            uint _e14 = i;
            uint vector = first + (_e14 * WORKGROUP);
            uint _e20 = p.n_vectors;
            if (vector < _e20) {
                metal::uint4 _e22 = sum;
                metal::uint4 _e25 = x[vector];
                sum = _e22 + _e25;
            }
        }
    }
    uint _e37 = sum.x;
    uint _e39 = sum.y;
    uint _e42 = sum.z;
    uint _e45 = sum.w;
    sums[(workgroup.x * WORKGROUP) + thread_] = ((_e37 + _e39) + _e42) + _e45;
    return;
}
