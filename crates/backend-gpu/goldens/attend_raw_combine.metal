// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size1;
    uint size2;
    uint size3;
    uint size4;
    uint size5;
};

struct Parameters {
    uint first_row;
    uint n_heads;
    uint n_splits;
    uint n_pairs;
};
typedef metal::float4 type_3[1];
typedef metal::float2 type_5[1];
typedef float type_6[1];
struct type_7 {
    float inner[128];
};
struct type_8 {
    metal::float4 inner[128];
};
constant uint WIDTH = 512u;
constant uint PART = 128u;
constant uint WORKGROUP = 128u;
constant uint MAX_SPLITS = 128u;
constant uint LANES = 4u;
constant uint FOURS = 32u;
constant uint HEAD_FOURS = 128u;

void round_values(
    uint first,
    uint thread_1
) {
    return;
}

metal::float2 turned_back(
    uint row,
    uint pair,
    metal::float2 value,
    constant Parameters& p,
    device type_5 const& angles,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint _e6 = p.n_pairs;
    uint first_rotated = 256u - _e6;
    if (pair < first_rotated) {
        return value;
    }
    uint _e12 = p.n_pairs;
    metal::float2 angle = angles[((row * _e12) + pair) - first_rotated];
    return metal::float2((value.x * angle.x) + (value.y * angle.y), (value.y * angle.x) - (value.x * angle.y));
}

struct main_Input {
};
[[max_total_threads_per_threadgroup(128)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, constant Parameters& p [[user(fake0)]]
, device type_3& out [[user(fake0)]]
, device type_3 const& sums [[user(fake0)]]
, device type_5 const& weights [[user(fake0)]]
, device type_6 const& sinks [[user(fake0)]]
, device type_5 const& angles [[user(fake0)]]
, threadgroup type_7& factors
, threadgroup type_8& values
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    float largest = {};
    uint i = 0u;
    uint i_1 = {};
    metal::float4 sum = metal::float4(0.0);
    uint i_2 = {};
    float total = {};
    uint i_3 = 0u;
    metal::float4 sum_1 = {};
    uint i_4 = 1u;
    uint head = workgroup.x;
    uint _e5 = p.first_row;
    uint row_1 = _e5 + workgroup.y;
    uint _e11 = p.n_heads;
    uint _e16 = p.n_splits;
    uint first_1 = ((workgroup.y * _e11) + head) * _e16;
    uint first_four = workgroup.z * FOURS;
    float _e23 = sinks[head];
    largest = _e23;
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e41 = i;
            i = _e41 + 1u;
        }
        loop_init = false;
        uint _e27 = i;
        uint _e30 = p.n_splits;
        if (_e27 < _e30) {
        } else {
            break;
        }
        {
            float _e32 = largest;
            uint _e34 = i;
            float _e38 = weights[first_1 + _e34].x;
            largest = metal::max(_e32, _e38);
        }
    }
    i_1 = thread_;
    bool loop_init_1 = true;
    while(true) {
        if (!loop_init_1) {
            uint _e61 = i_1;
            i_1 = _e61 + WORKGROUP;
        }
        loop_init_1 = false;
        uint _e44 = i_1;
        uint _e47 = p.n_splits;
        if (_e44 < _e47) {
        } else {
            break;
        }
        {
            uint _e50 = i_1;
            uint _e53 = i_1;
            float _e57 = weights[first_1 + _e53].x;
            float _e58 = largest;
            factors.inner[_e50] = metal::exp(_e57 - _e58);
        }
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    if (thread_ < 128u) {
        i_2 = thread_ / FOURS;
        bool loop_init_2 = true;
        while(true) {
            if (!loop_init_2) {
                uint _e95 = i_2;
                i_2 = _e95 + LANES;
            }
            loop_init_2 = false;
            uint _e72 = i_2;
            uint _e75 = p.n_splits;
            if (_e72 < _e75) {
            } else {
                break;
            }
            {
                metal::float4 _e77 = sum;
                uint _e79 = i_2;
                float _e81 = factors.inner[_e79];
                uint _e83 = i_2;
                metal::float4 _e92 = sums[(((first_1 + _e83) * HEAD_FOURS) + first_four) + (thread_ % FOURS)];
                sum = _e77 + (_e81 * _e92);
            }
        }
        metal::float4 _e100 = sum;
        values.inner[thread_] = _e100;
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    if (thread_ < FOURS) {
        float _e105 = sinks[head];
        float _e106 = largest;
        total = metal::exp(_e105 - _e106);
        bool loop_init_3 = true;
        while(true) {
            if (!loop_init_3) {
                uint _e131 = i_3;
                i_3 = _e131 + 1u;
            }
            loop_init_3 = false;
            uint _e112 = i_3;
            uint _e115 = p.n_splits;
            if (_e112 < _e115) {
            } else {
                break;
            }
            {
                float _e117 = total;
                uint _e119 = i_3;
                float _e121 = factors.inner[_e119];
                uint _e123 = i_3;
                float _e127 = weights[first_1 + _e123].y;
                total = _e117 + (_e121 * _e127);
            }
        }
        metal::float4 _e135 = values.inner[thread_];
        sum_1 = _e135;
        bool loop_init_4 = true;
        while(true) {
            if (!loop_init_4) {
                uint _e152 = i_4;
                i_4 = _e152 + 1u;
            }
            loop_init_4 = false;
            uint _e139 = i_4;
            if (_e139 < LANES) {
            } else {
                break;
            }
            {
                metal::float4 _e142 = sum_1;
                uint _e144 = i_4;
                metal::float4 _e149 = values.inner[(_e144 * FOURS) + thread_];
                sum_1 = _e142 + _e149;
            }
        }
        metal::float4 _e154 = sum_1;
        float _e155 = total;
        sum_1 = _e154 / metal::float4(_e155);
        uint pair_1 = 2u * (first_four + thread_);
        metal::float4 _e161 = sum_1;
        metal::float2 _e163 = turned_back(row_1, pair_1, _e161.xy, p, angles, _buffer_sizes);
        metal::float4 _e166 = sum_1;
        metal::float2 _e168 = turned_back(row_1, pair_1 + 1u, _e166.zw, p, angles, _buffer_sizes);
        sum_1 = metal::float4(_e163, _e168);
        metal::float4 _e172 = sum_1;
        values.inner[thread_] = _e172;
        uint _e176 = p.n_heads;
        metal::float4 _e184 = sum_1;
        out[((((row_1 * _e176) + head) * HEAD_FOURS) + first_four) + thread_] = _e184;
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    uint _e187 = p.n_heads;
    round_values((((row_1 * _e187) + head) * HEAD_FOURS) + first_four, thread_);
    return;
}
