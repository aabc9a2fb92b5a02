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
    uint row_fours;
};
typedef metal::float4 type_2[1];
typedef metal::half4 type_4[1];
constant uint WORKGROUP = 256u;
constant uint PLANES = 2u;
constant metal::float4 LARGEST = metal::float4(65504.0);
constant uint HALF_BITS = 4294959104u;

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
        metal::float4 _e17 = x[i];
        metal::float4 four = metal::clamp(_e17, metal::float4(-65504.0, -65504.0, -65504.0, -65504.0), LARGEST);
        uint _e27 = p.row_fours;
        uint _e32 = p.row_fours;
        uint _e37 = p.row_fours;
        uint at = ((i / _e27) * (PLANES * _e32)) + (i % _e37);
        if (false) {
            halves[at] = static_cast<metal::half4>(four);
            return;
        } else {
            metal::float4 cut = as_type<metal::float4>(as_type<metal::uint4>(four) & metal::uint4(4294959104u));
            halves[at] = static_cast<metal::half4>(cut);
            uint _e55 = p.row_fours;
            halves[at + _e55] = static_cast<metal::half4>(four - cut);
            return;
        }
    } else {
        return;
    }
}
