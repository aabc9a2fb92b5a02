// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size1;
    uint size2;
    uint size3;
};

struct RoundedBlock {
    metal::uint4 quants;
    float scale;
    char _pad2[12];
};
struct Parameters {
    uint n_blocks;
};
typedef metal::float4 type_4[1];
typedef metal::uint4 type_5[1];
typedef float type_6[1];
constant uint WORKGROUP = 64u;

metal::int4 naga_f2i32(metal::float4 value) {
    return static_cast<metal::int4>(metal::clamp(value, -2147483600.0, 2147483500.0));
}

uint rounded_four(
    metal::float4 four,
    float inverse
) {
    return as_type<uint>(packed_char4(naga_f2i32(metal::rint(four * inverse))));
}

RoundedBlock rounded_block(
    metal::float4 a,
    metal::float4 b,
    metal::float4 c,
    metal::float4 d
) {
    metal::float4 fours = metal::max(metal::max(metal::abs(a), metal::abs(b)), metal::max(metal::abs(c), metal::abs(d)));
    float largest = metal::max(metal::max(fours.x, fours.y), metal::max(fours.z, fours.w));
    float inverse_1 = (largest > 0.00000000000000000000000000000000001) ? (127.0 / largest) : 0.0;
    uint _e24 = rounded_four(a, inverse_1);
    uint _e25 = rounded_four(b, inverse_1);
    uint _e26 = rounded_four(c, inverse_1);
    uint _e27 = rounded_four(d, inverse_1);
    return RoundedBlock {metal::uint4(_e24, _e25, _e26, _e27), largest / 127.0};
}

struct main_Input {
};
[[max_total_threads_per_threadgroup(64)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, metal::uint3 n_workgroups [[threadgroups_per_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, constant Parameters& p [[user(fake0)]]
, device type_4 const& x [[user(fake0)]]
, device type_5& quants [[user(fake0)]]
, device type_6& scales [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    uint i = (((workgroup.y * n_workgroups.x) + workgroup.x) * WORKGROUP) + thread_;
    uint _e13 = p.n_blocks;
    if (i < _e13) {
        metal::float4 _e19 = x[4u * i];
        metal::float4 _e26 = x[(4u * i) + 1u];
        metal::float4 _e33 = x[(4u * i) + 2u];
        metal::float4 _e40 = x[(4u * i) + 3u];
        RoundedBlock _e41 = rounded_block(_e19, _e26, _e33, _e40);
        quants[i] = _e41.quants;
        scales[i] = _e41.scale;
        return;
    } else {
        return;
    }
}
