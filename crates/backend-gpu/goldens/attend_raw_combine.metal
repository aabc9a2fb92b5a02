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
    metal::float2 inner[128];
};
struct type_8 {
    float inner[8];
};
struct type_9 {
    metal::float4 inner[256];
};
constant uint WIDTH = 512u;
constant uint PART = 128u;
constant uint WORKGROUP = 256u;
constant uint MAX_SPLITS = 128u;
constant uint LANES = 8u;
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
[[max_total_threads_per_threadgroup(256)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, constant Parameters& p [[user(fake0)]]
, device type_3& out [[user(fake0)]]
, device type_3 const& sums [[user(fake0)]]
, device type_5 const& weights [[user(fake0)]]
, device type_6 const& sinks [[user(fake0)]]
, device type_5 const& angles [[user(fake0)]]
, threadgroup type_7& shares
, threadgroup type_8& totals
, threadgroup type_9& values
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    uint i = {};
    float largest = {};
    uint i_1 = 0u;
    metal::float4 sum = metal::float4(0.0);
    float total = 0.0;
    uint i_2 = {};
    float total_1 = {};
    metal::float4 sum_1 = metal::float4(0.0);
    uint i_3 = 0u;
    uint head = workgroup.x;
    uint _e5 = p.first_row;
    uint row_1 = _e5 + workgroup.y;
    uint _e11 = p.n_heads;
    uint _e16 = p.n_splits;
    uint first_1 = ((workgroup.y * _e11) + head) * _e16;
    uint first_four = workgroup.z * FOURS;
    float sink = sinks[head];
    i = thread_;
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e38 = i;
            i = _e38 + WORKGROUP;
        }
        loop_init = false;
        uint _e25 = i;
        uint _e28 = p.n_splits;
        if (_e25 < _e28) {
        } else {
            break;
        }
        {
            uint _e31 = i;
            uint _e34 = i;
            metal::float2 _e37 = weights[first_1 + _e34];
            shares.inner[_e31] = _e37;
        }
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    largest = sink;
    bool loop_init_1 = true;
    while(true) {
        if (!loop_init_1) {
            uint _e57 = i_1;
            i_1 = _e57 + 1u;
        }
        loop_init_1 = false;
        uint _e44 = i_1;
        uint _e47 = p.n_splits;
        if (_e44 < _e47) {
        } else {
            break;
        }
        {
            float _e49 = largest;
            uint _e51 = i_1;
            float _e54 = shares.inner[_e51].x;
            largest = metal::max(_e49, _e54);
        }
    }
    if (thread_ < 256u) {
        i_2 = thread_ / FOURS;
        bool loop_init_2 = true;
        while(true) {
            if (!loop_init_2) {
                uint _e104 = i_2;
                i_2 = _e104 + LANES;
            }
            loop_init_2 = false;
            uint _e69 = i_2;
            uint _e72 = p.n_splits;
            if (_e69 < _e72) {
            } else {
                break;
            }
            {
                uint _e75 = i_2;
                float _e78 = shares.inner[_e75].x;
                float _e79 = largest;
                float factor = metal::exp(_e78 - _e79);
                float _e82 = total;
                uint _e84 = i_2;
                float _e87 = shares.inner[_e84].y;
                total = _e82 + (factor * _e87);
                metal::float4 _e90 = sum;
                uint _e92 = i_2;
                metal::float4 _e101 = sums[(((first_1 + _e92) * HEAD_FOURS) + first_four) + (thread_ % FOURS)];
                sum = _e90 + (factor * _e101);
            }
        }
        metal::float4 _e109 = sum;
        values.inner[thread_] = _e109;
        if ((thread_ % FOURS) == 0u) {
            float _e118 = total;
            totals.inner[thread_ / FOURS] = _e118;
        }
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    if (thread_ < FOURS) {
        float _e121 = largest;
        total_1 = metal::exp(sink - _e121);
        bool loop_init_3 = true;
        while(true) {
            if (!loop_init_3) {
                uint _e149 = i_3;
                i_3 = _e149 + 1u;
            }
            loop_init_3 = false;
            uint _e130 = i_3;
            if (_e130 < LANES) {
            } else {
                break;
            }
            {
                float _e133 = total_1;
                uint _e135 = i_3;
                float _e137 = totals.inner[_e135];
                total_1 = _e133 + _e137;
                metal::float4 _e139 = sum_1;
                uint _e141 = i_3;
                metal::float4 _e146 = values.inner[(_e141 * FOURS) + thread_];
                sum_1 = _e139 + _e146;
            }
        }
        metal::float4 _e151 = sum_1;
        float _e152 = total_1;
        sum_1 = _e151 / metal::float4(_e152);
        uint pair_1 = 2u * (first_four + thread_);
        metal::float4 _e158 = sum_1;
        metal::float2 _e160 = turned_back(row_1, pair_1, _e158.xy, p, angles, _buffer_sizes);
        metal::float4 _e163 = sum_1;
        metal::float2 _e165 = turned_back(row_1, pair_1 + 1u, _e163.zw, p, angles, _buffer_sizes);
        sum_1 = metal::float4(_e160, _e165);
        metal::float4 _e169 = sum_1;
        values.inner[thread_] = _e169;
        uint _e173 = p.n_heads;
        metal::float4 _e181 = sum_1;
        out[((((row_1 * _e173) + head) * HEAD_FOURS) + first_four) + thread_] = _e181;
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    uint _e184 = p.n_heads;
    round_values((((row_1 * _e184) + head) * HEAD_FOURS) + first_four, thread_);
    return;
}
