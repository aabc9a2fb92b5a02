// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size0;
    uint size2;
    uint size3;
};

typedef metal::uint4 type_2[1];
struct type_5 {
    metal::float4 inner[8];
};
struct Parameters {
    uint n_streams;
    uint columns;
    uint n_groups;
};
typedef float type_6[1];
typedef uint type_7[1];

type_5 weight_group(
    uint index,
    device type_2 const& weight_values,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_5 values = {};
    uint i_1 = 0u;
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e35 = i_1;
            i_1 = _e35 + 1u;
        }
        loop_init = false;
        uint _e4 = i_1;
        if (_e4 < 4u) {
        } else {
            break;
        }
        {
            uint _e10 = i_1;
            metal::uint4 eight = weight_values[(index * 4u) + _e10];
            uint _e15 = i_1;
            values.inner[2u * _e15] = metal::float4(float2(as_type<half2>(eight.x)), float2(as_type<half2>(eight.y)));
            uint _e24 = i_1;
            values.inner[(2u * _e24) + 1u] = metal::float4(float2(as_type<half2>(eight.z)), float2(as_type<half2>(eight.w)));
        }
    }
    type_5 _e37 = values;
    return _e37;
}

struct main_Input {
};
[[max_total_threads_per_threadgroup(32)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, device type_2 const& weight_values [[user(fake0)]]
, constant Parameters& p [[user(fake0)]]
, device type_6& out [[user(fake0)]]
, device type_7 const& tokens [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    uint stream = 0u;
    uint i = {};
    uint group = (workgroup.x * 32u) + thread_;
    uint _e8 = p.n_groups;
    if (group >= _e8) {
        return;
    }
    uint _e13 = tokens[workgroup.y];
    uint _e16 = p.n_groups;
    type_5 _e19 = weight_group((_e13 * _e16) + group, weight_values, _buffer_sizes);
    uint _e23 = p.columns;
    uint n = metal::min(32u, _e23 - (32u * group));
    bool loop_init_1 = true;
    while(true) {
        if (!loop_init_1) {
            uint _e69 = stream;
            stream = _e69 + 1u;
        }
        loop_init_1 = false;
        uint _e30 = stream;
        uint _e33 = p.n_streams;
        if (_e30 < _e33) {
        } else {
            break;
        }
        {
            uint _e38 = p.n_streams;
            uint _e40 = stream;
            uint _e44 = p.columns;
            uint first = (((workgroup.y * _e38) + _e40) * _e44) + (32u * group);
            i = 0u;
            bool loop_init_2 = true;
            while(true) {
                if (!loop_init_2) {
                    uint _e66 = i;
                    i = _e66 + 1u;
                }
                loop_init_2 = false;
                uint _e51 = i;
                if (_e51 < n) {
                } else {
                    break;
                }
                {
                    uint _e54 = i;
                    uint _e57 = i;
                    uint _e61 = i;
                    out[first + _e54] = _e19.inner[_e57 / 4u][_e61 % 4u];
                }
            }
        }
    }
    return;
}
