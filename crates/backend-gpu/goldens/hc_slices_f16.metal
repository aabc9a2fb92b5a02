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
    uint n_tokens;
};
struct type_9 {
    uint inner[10];
};
typedef float type_10[1];
struct type_11 {
    metal::float4 inner[72];
};
constant uint WORKGROUP = 256u;
constant uint TEAM = 8u;
constant uint SUMS = 1u;
constant uint SUBGROUP = 32u;
constant uint EXPANDS = 1u;
constant uint TOKENS = 1u;
constant uint SLICE = 64u;
constant uint FOURS = 16u;
constant uint PAIRS = 10u;
constant type_9 FIRST_OF_PAIR = type_9 {{0u, 0u, 0u, 0u, 1u, 1u, 1u, 2u, 2u, 3u}};
constant type_9 SECOND_OF_PAIR = type_9 {{0u, 1u, 2u, 3u, 1u, 2u, 3u, 2u, 3u, 3u}};
constant uint HALF_FOURS = 9u;
constant uint SLICE_FOURS = 72u;

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

void add_row(
    uint row,
    uint lane,
    uint first_channel,
    thread type_3& sums_1,
    device type_6 const& weight_values,
    constant Parameters& p,
    threadgroup type_11& slices,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint t_3 = 0u;
    uint i_2 = {};
    uint stream_1 = lane / 2u;
    uint half_ = lane % 2u;
    uint _e10 = p.hidden_size;
    uint group = (((stream_1 * _e10) + first_channel) / 32u) + half_;
    uint _e18 = p.n_groups;
    type_8 _e21 = weight_group((row * _e18) + group, weight_values, _buffer_sizes);
    bool loop_init_7 = true;
    while(true) {
        if (!loop_init_7) {
            uint _e54 = t_3;
            t_3 = _e54 + 1u;
        }
        loop_init_7 = false;
        uint _e24 = t_3;
        if (_e24 < TOKENS) {
        } else {
            break;
        }
        {
            uint _e27 = t_3;
            uint at = (_e27 * SLICE_FOURS) + (lane * HALF_FOURS);
            i_2 = 0u;
            bool loop_init_8 = true;
            while(true) {
                if (!loop_init_8) {
                    uint _e51 = i_2;
                    i_2 = _e51 + 1u;
                }
                loop_init_8 = false;
                uint _e35 = i_2;
                if (_e35 < 8u) {
                } else {
                    break;
                }
                {
                    uint _e38 = t_3;
                    float _e40 = sums_1.inner[_e38];
                    uint _e41 = i_2;
                    uint _e44 = i_2;
                    metal::float4 _e47 = slices.inner[at + _e44];
                    sums_1.inner[_e38] = _e40 + metal::dot(_e21.inner[_e41], _e47);
                }
            }
        }
    }
    return;
}

void add_pair(
    uint pair,
    uint lane_1,
    thread type_3& sums_2,
    threadgroup type_11& slices
) {
    uint t_4 = 0u;
    uint mine = ((lane_1 / 4u) * HALF_FOURS) + (2u * (lane_1 % 4u));
    bool loop_init_9 = true;
    while(true) {
        if (!loop_init_9) {
            uint _e63 = t_4;
            t_4 = _e63 + 1u;
        }
        loop_init_9 = false;
        uint _e14 = t_4;
        if (_e14 < TOKENS) {
        } else {
            break;
        }
        {
            uint _e17 = t_4;
            uint a_1 = ((_e17 * SLICE_FOURS) + ((2u * FIRST_OF_PAIR.inner[pair]) * HALF_FOURS)) + mine;
            uint _e28 = t_4;
            uint b = ((_e28 * SLICE_FOURS) + ((2u * SECOND_OF_PAIR.inner[pair]) * HALF_FOURS)) + mine;
            uint _e39 = t_4;
            float _e41 = sums_2.inner[_e39];
            metal::float4 _e44 = slices.inner[a_1];
            metal::float4 _e47 = slices.inner[b];
            metal::float4 _e53 = slices.inner[a_1 + 1u];
            metal::float4 _e58 = slices.inner[b + 1u];
            sums_2.inner[_e39] = _e41 + (metal::dot(_e44, _e47) + metal::dot(_e53, _e58));
        }
    }
    return;
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
, threadgroup type_11& slices
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    uint t = 0u;
    uint t_1 = 0u;
    bool local = {};
    uint first = 0u;
    type_3 sums = {};
    bool local_1 = {};
    uint t_2 = {};
    bool local_2 = {};
    uint first_token = workgroup.y * TOKENS;
    uint first_channel_1 = workgroup.x * SLICE;
    uint stream_2 = thread_ / SLICE;
    uint channel_1 = first_channel_1 + (thread_ % SLICE);
    uint my_four = ((thread_ / 32u) * HALF_FOURS) + ((thread_ % 32u) / 4u);
    bool loop_init_10 = true;
    while(true) {
        if (!loop_init_10) {
            uint _e47 = t;
            t = _e47 + 1u;
        }
        loop_init_10 = false;
        uint _e25 = t;
        if (_e25 < TOKENS) {
        } else {
            break;
        }
        {
            uint _e28 = t;
            uint _e32 = p.n_tokens;
            uint token_1 = metal::min(first_token + _e28, _e32 - 1u);
            uint _e37 = t;
            float _e45 = expanded(token_1, stream_2, channel_1, p, streams, y, gates, _buffer_sizes);
            slices.inner[(_e37 * SLICE_FOURS) + my_four][thread_ % 4u] = _e45;
        }
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_device);
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    if (true) {
        bool loop_init_11 = true;
        while(true) {
            if (!loop_init_11) {
                uint _e88 = t_1;
                t_1 = _e88 + 1u;
            }
            loop_init_11 = false;
            uint _e52 = t_1;
            if (_e52 < TOKENS) {
                uint _e57 = t_1;
                uint _e61 = p.n_tokens;
                local = (first_token + _e57) < _e61;
            } else {
                local = false;
            }
            bool _e64 = local;
            if (_e64) {
            } else {
                break;
            }
            {
                uint _e65 = t_1;
                uint _e72 = p.hidden_size;
                uint at_1 = ((((first_token + _e65) * 4u) + stream_2) * _e72) + channel_1;
                uint _e78 = t_1;
                float _e86 = slices.inner[(_e78 * SLICE_FOURS) + my_four][thread_ % 4u];
                streams[at_1] = _e86;
            }
        }
    }
    uint _e92 = p.n_rows;
    uint n_sums = _e92 + PAIRS;
    uint lane_2 = thread_ % TEAM;
    bool loop_init_12 = true;
    while(true) {
        if (!loop_init_12) {
            uint _e154 = first;
            first = _e154 + 32u;
        }
        loop_init_12 = false;
        uint _e99 = first;
        if (_e99 < n_sums) {
        } else {
            break;
        }
        {
            uint _e101 = first;
            uint i_3 = _e101 + (thread_ / TEAM);
            sums = type_3 {};
            uint _e109 = p.n_rows;
            if (i_3 < _e109) {
                add_row(i_3, lane_2, first_channel_1, sums, weight_values, p, slices, _buffer_sizes);
            } else {
                if (i_3 < n_sums) {
                    uint _e114 = p.n_rows;
                    add_pair(i_3 - _e114, lane_2, sums, slices);
                }
            }
            team_sums(sums, thread_, team_partials);
            if (lane_2 == 0u) {
                local_1 = i_3 < n_sums;
            } else {
                local_1 = false;
            }
            bool _e122 = local_1;
            if (_e122) {
                t_2 = 0u;
                bool loop_init_13 = true;
                while(true) {
                    if (!loop_init_13) {
                        uint _e152 = t_2;
                        t_2 = _e152 + 1u;
                    }
                    loop_init_13 = false;
                    uint _e125 = t_2;
                    if (_e125 < TOKENS) {
                        uint _e130 = t_2;
                        uint _e134 = p.n_tokens;
                        local_2 = (first_token + _e130) < _e134;
                    } else {
                        local_2 = false;
                    }
                    bool _e137 = local_2;
                    if (_e137) {
                    } else {
                        break;
                    }
                    {
                        uint _e139 = t_2;
                        uint _e148 = t_2;
                        float _e150 = sums.inner[_e148];
                        slice_sums[((((first_token + _e139) * grid.x) + workgroup.x) * n_sums) + i_3] = _e150;
                    }
                }
            }
        }
    }
    return;
}
