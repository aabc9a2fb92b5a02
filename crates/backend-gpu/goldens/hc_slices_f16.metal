// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size1;
    uint size3;
    uint size4;
    uint size5;
    uint size6;
};

struct type_2 {
    float inner[8];
};
struct type_3 {
    float inner[1];
};
typedef metal::uint4 type_6[1];
struct type_8 {
    metal::float4 inner[8];
};
struct Parameters {
    uint hidden_size;
    uint n_rows;
    uint n_groups;
};
struct type_9 {
    uint inner[10];
};
typedef float type_10[1];
struct type_11 {
    float inner[256];
};
constant uint WORKGROUP = 256u;
constant uint TEAM = 8u;
constant uint SUMS = 1u;
constant uint SUBGROUP = 32u;
constant uint EXPANDS = 1u;
constant uint SLICE = 64u;
constant uint FOURS = 16u;
constant uint PAIRS = 10u;
constant type_9 FIRST_OF_PAIR = type_9 {{0u, 0u, 0u, 0u, 1u, 1u, 1u, 2u, 2u, 3u}};
constant type_9 SECOND_OF_PAIR = type_9 {{0u, 1u, 2u, 3u, 1u, 2u, 3u, 2u, 3u, 3u}};

void team_sums(
    thread type_3& values,
    uint thread_1,
    threadgroup type_2& team_partials
) {
    uint s = 0u;
    float sum = {};
    uint far = {};
    uint s_1 = 0u;
    uint s_2 = 0u;
    float sum_1 = {};
    uint i = {};
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e31 = s;
            s = _e31 + 1u;
        }
        loop_init = false;
        uint _e4 = s;
        if (_e4 < SUMS) {
        } else {
            break;
        }
        {
            uint _e7 = s;
            float _e9 = values.inner[_e7];
            sum = _e9;
            if (false) {
                float _e12 = sum;
                float unnamed = metal::simd_sum(_e12);
                sum = unnamed;
            } else {
                far = 4u;
                bool loop_init_1 = true;
                while(true) {
                    if (!loop_init_1) {
                        uint _e24 = far;
                        far = _e24 >> 1u;
                    }
                    loop_init_1 = false;
                    uint _e16 = far;
                    if (_e16 > 0u) {
                    } else {
                        break;
                    }
                    {
                        float _e19 = sum;
                        float _e20 = sum;
                        uint _e21 = far;
                        float unnamed_1 = metal::simd_shuffle_xor(_e20, _e21);
                        sum = _e19 + unnamed_1;
                    }
                }
            }
            uint _e27 = s;
            float _e29 = sum;
            values.inner[_e27] = _e29;
        }
    }
    if (false) {
        metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
        if ((thread_1 % SUBGROUP) == 0u) {
            bool loop_init_2 = true;
            while(true) {
                if (!loop_init_2) {
                    uint _e55 = s_1;
                    s_1 = _e55 + 1u;
                }
                loop_init_2 = false;
                uint _e40 = s_1;
                if (_e40 < SUMS) {
                } else {
                    break;
                }
                {
                    uint _e48 = s_1;
                    uint _e51 = s_1;
                    float _e53 = values.inner[_e51];
                    team_partials.inner[((thread_1 / SUBGROUP) * SUMS) + _e48] = _e53;
                }
            }
        }
        metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
        uint first_1 = (thread_1 / TEAM) * 0u;
        bool loop_init_3 = true;
        while(true) {
            if (!loop_init_3) {
                uint _e91 = s_2;
                s_2 = _e91 + 1u;
            }
            loop_init_3 = false;
            uint _e63 = s_2;
            if (_e63 < SUMS) {
            } else {
                break;
            }
            {
                sum_1 = 0.0;
                i = 0u;
                bool loop_init_4 = true;
                while(true) {
                    if (!loop_init_4) {
                        uint _e85 = i;
                        i = _e85 + 1u;
                    }
                    loop_init_4 = false;
                    uint _e70 = i;
                    if (_e70 < 0u) {
                    } else {
                        break;
                    }
                    {
                        float _e73 = sum_1;
                        uint _e75 = i;
                        uint _e79 = s_2;
                        float _e82 = team_partials.inner[((first_1 + _e75) * SUMS) + _e79];
                        sum_1 = _e73 + _e82;
                    }
                }
                uint _e87 = s_2;
                float _e89 = sum_1;
                values.inner[_e87] = _e89;
            }
        }
        return;
    } else {
        return;
    }
}

type_8 weight_group(
    uint index,
    device type_6 const& weight_values,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_8 values_1 = {};
    uint i_1 = 0u;
    bool loop_init_5 = true;
    while(true) {
        if (!loop_init_5) {
            uint _e35 = i_1;
            i_1 = _e35 + 1u;
        }
        loop_init_5 = false;
        uint _e4 = i_1;
        if (_e4 < 4u) {
        } else {
            break;
        }
        {
            uint _e10 = i_1;
            metal::uint4 eight = weight_values[(index * 4u) + _e10];
            uint _e15 = i_1;
            values_1.inner[2u * _e15] = metal::float4(float2(as_type<half2>(eight.x)), float2(as_type<half2>(eight.y)));
            uint _e24 = i_1;
            values_1.inner[(2u * _e24) + 1u] = metal::float4(float2(as_type<half2>(eight.z)), float2(as_type<half2>(eight.w)));
        }
    }
    type_8 _e37 = values_1;
    return _e37;
}

float expanded(
    uint token,
    uint stream,
    uint channel,
    constant Parameters& p,
    device type_10 const& streams,
    device type_10 const& y,
    device type_10 const& gates,
    constant _mslBufferSizes& _buffer_sizes
) {
    float sum_2 = {};
    uint a = 0u;
    uint _e7 = p.hidden_size;
    uint first_2 = ((token * 4u) * _e7) + channel;
    if (false) {
        uint _e14 = p.hidden_size;
        float _e18 = streams[first_2 + (stream * _e14)];
        return _e18;
    }
    uint post = token * 20u;
    float _e24 = gates[post + stream];
    uint _e28 = p.hidden_size;
    float _e32 = y[(token * _e28) + channel];
    sum_2 = _e24 * _e32;
    bool loop_init_6 = true;
    while(true) {
        if (!loop_init_6) {
            uint _e63 = a;
            a = _e63 + 1u;
        }
        loop_init_6 = false;
        uint _e37 = a;
        if (_e37 < 4u) {
        } else {
            break;
        }
        {
            float _e40 = sum_2;
            uint _e45 = a;
            float _e50 = gates[((post + 4u) + (4u * _e45)) + stream];
            uint _e52 = a;
            uint _e55 = p.hidden_size;
            float _e59 = streams[first_2 + (_e52 * _e55)];
            sum_2 = _e40 + (_e50 * _e59);
        }
    }
    float _e65 = sum_2;
    return _e65;
}

metal::float4 four_at(
    uint i_2,
    threadgroup type_11& slice
) {
    float _e3 = slice.inner[i_2];
    float _e8 = slice.inner[i_2 + 1u];
    float _e13 = slice.inner[i_2 + 2u];
    float _e18 = slice.inner[i_2 + 3u];
    return metal::float4(_e3, _e8, _e13, _e18);
}

float row_product(
    uint row,
    uint lane,
    uint first_channel,
    device type_6 const& weight_values,
    constant Parameters& p,
    threadgroup type_11& slice,
    constant _mslBufferSizes& _buffer_sizes
) {
    float sum_3 = 0.0;
    uint i_3 = 0u;
    uint stream_1 = lane / 2u;
    uint half_ = lane % 2u;
    uint _e9 = p.hidden_size;
    uint group = (((stream_1 * _e9) + first_channel) / 32u) + half_;
    uint _e17 = p.n_groups;
    type_8 _e20 = weight_group((row * _e17) + group, weight_values, _buffer_sizes);
    bool loop_init_7 = true;
    while(true) {
        if (!loop_init_7) {
            uint _e44 = i_3;
            i_3 = _e44 + 1u;
        }
        loop_init_7 = false;
        uint _e25 = i_3;
        if (_e25 < 8u) {
        } else {
            break;
        }
        {
            float _e28 = sum_3;
            uint _e29 = i_3;
            uint _e37 = i_3;
            metal::float4 _e40 = four_at(((stream_1 * SLICE) + (32u * half_)) + (4u * _e37), slice);
            sum_3 = _e28 + metal::dot(_e20.inner[_e29], _e40);
        }
    }
    float _e46 = sum_3;
    return _e46;
}

float pair_product(
    uint pair,
    uint lane_1,
    threadgroup type_11& slice
) {
    uint a_1 = (FIRST_OF_PAIR.inner[pair] * SLICE) + (8u * lane_1);
    uint b = (SECOND_OF_PAIR.inner[pair] * SLICE) + (8u * lane_1);
    metal::float4 _e16 = four_at(a_1, slice);
    metal::float4 _e17 = four_at(b, slice);
    metal::float4 _e21 = four_at(a_1 + 4u, slice);
    metal::float4 _e24 = four_at(b + 4u, slice);
    return metal::dot(_e16, _e17) + metal::dot(_e21, _e24);
}

struct main_Input {
};
[[max_total_threads_per_threadgroup(256)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, metal::uint3 grid [[threadgroups_per_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, threadgroup type_2& team_partials
, device type_6 const& weight_values [[user(fake0)]]
, constant Parameters& p [[user(fake0)]]
, device type_10& slice_sums [[user(fake0)]]
, device type_10& streams [[user(fake0)]]
, device type_10 const& y [[user(fake0)]]
, device type_10 const& gates [[user(fake0)]]
, threadgroup type_11& slice
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    uint first = 0u;
    type_3 sums = {};
    bool local = {};
    uint token_1 = workgroup.y;
    uint first_channel_1 = workgroup.x * SLICE;
    uint stream_2 = thread_ / SLICE;
    uint channel_1 = first_channel_1 + (thread_ % SLICE);
    float _e12 = expanded(token_1, stream_2, channel_1, p, streams, y, gates, _buffer_sizes);
    slice.inner[thread_] = _e12;
    metal::threadgroup_barrier(metal::mem_flags::mem_device);
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    if (true) {
        uint _e22 = p.hidden_size;
        streams[(((token_1 * 4u) + stream_2) * _e22) + channel_1] = _e12;
    }
    uint _e28 = p.n_rows;
    uint n_sums = _e28 + PAIRS;
    uint lane_2 = thread_ % TEAM;
    bool loop_init_8 = true;
    while(true) {
        if (!loop_init_8) {
            uint _e73 = first;
            first = _e73 + 32u;
        }
        loop_init_8 = false;
        uint _e35 = first;
        if (_e35 < n_sums) {
        } else {
            break;
        }
        {
            uint _e37 = first;
            uint i_4 = _e37 + (thread_ / TEAM);
            sums = type_3 {};
            uint _e45 = p.n_rows;
            if (i_4 < _e45) {
                float _e48 = row_product(i_4, lane_2, first_channel_1, weight_values, p, slice, _buffer_sizes);
                sums.inner[0] = _e48;
            } else {
                if (i_4 < n_sums) {
                    uint _e53 = p.n_rows;
                    float _e55 = pair_product(i_4 - _e53, lane_2, slice);
                    sums.inner[0] = _e55;
                }
            }
            team_sums(sums, thread_, team_partials);
            if (lane_2 == 0u) {
                local = i_4 < n_sums;
            } else {
                local = false;
            }
            bool _e62 = local;
            if (_e62) {
                float _e72 = sums.inner[0];
                slice_sums[(((token_1 * grid.x) + workgroup.x) * n_sums) + i_4] = _e72;
            }
        }
    }
    return;
}
