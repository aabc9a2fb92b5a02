// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size1;
    uint size2;
};

struct Parameters {
    uint n_fours;
};
typedef metal::float4 type_2[1];
typedef metal::half4 type_4[1];
constant uint WORKGROUP = 256u;
constant metal::float4 LARGEST = metal::float4(65504.0);

struct main_Input {
};
[[max_total_threads_per_threadgroup(256)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, metal::uint3 grid [[threadgroups_per_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, constant Parameters& p [[user(fake0)]]
, device type_2 const& x [[user(fake0)]]
, device type_4& halves [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    uint i = (((workgroup.y * grid.x) + workgroup.x) * WORKGROUP) + thread_;
    uint _e13 = p.n_fours;
    if (i < _e13) {
        metal::float4 _e19 = x[i];
        halves[i] = static_cast<metal::half4>(metal::clamp(_e19, metal::float4(-65504.0, -65504.0, -65504.0, -65504.0), LARGEST));
        return;
    } else {
        return;
    }
}
