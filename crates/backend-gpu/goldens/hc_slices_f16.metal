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
    float inner[16];
};
struct type_3 {
    float inner[2];
};
typedef metal::uint4 type_6[1];
struct type_8 {
    metal::float4 inner[8];
};
struct Parameters {
    uint hidden_size;
    uint n_groups;
    uint n_tokens;
};
struct type_9 {
    uint inner[10];
};
typedef float type_10[1];
typedef metal::float4 type_11[1];
struct type_12 {
    metal::float4 inner[72];
};
constant uint WORKGROUP = 256u;
constant uint TEAM = 8u;
constant uint SUMS = 2u;
constant uint SUBGROUP = 32u;
constant uint EXPANDS = 1u;
constant uint TOKENS = 1u;
constant uint SLICE = 64u;
constant uint FOURS = 16u;
constant uint N_ROWS = 24u;
constant uint PAIRS = 10u;
constant type_9 FIRST_OF_PAIR = type_9 {{0u, 0u, 0u, 0u, 1u, 1u, 1u, 2u, 2u, 3u}};
constant type_9 SECOND_OF_PAIR = type_9 {{0u, 1u, 2u, 3u, 1u, 2u, 3u, 2u, 3u, 3u}};
constant uint PAIR_TEAMS = 8u;
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
        uint first = (thread_1 / TEAM) * 0u;
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
                        float _e82 = team_partials.inner[((first + _e75) * SUMS) + _e79];
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

metal::float4 expanded(
    uint token,
    uint stream,
    uint four,
    constant Parameters& p,
    device type_11 const& streams,
    device type_11 const& y,
    device type_10 const& gates,
    constant _mslBufferSizes& _buffer_sizes
) {
    metal::float4 sum_2 = {};
    uint a = 0u;
    uint _e5 = p.hidden_size;
    uint hidden_fours = _e5 / 4u;
    uint first_1 = ((token * 4u) * hidden_fours) + four;
    if (false) {
        metal::float4 _e17 = streams[first_1 + (stream * hidden_fours)];
        return _e17;
    }
    uint post = token * 20u;
    float _e23 = gates[post + stream];
    metal::float4 _e28 = y[(token * hidden_fours) + four];
    sum_2 = _e23 * _e28;
    bool loop_init_6 = true;
    while(true) {
        if (!loop_init_6) {
            uint _e56 = a;
            a = _e56 + 1u;
        }
        loop_init_6 = false;
        uint _e33 = a;
        if (_e33 < 4u) {
        } else {
            break;
        }
        {
            metal::float4 _e36 = sum_2;
            uint _e41 = a;
            float _e46 = gates[((post + 4u) + (4u * _e41)) + stream];
            uint _e48 = a;
            metal::float4 _e52 = streams[first_1 + (_e48 * hidden_fours)];
            sum_2 = _e36 + (_e46 * _e52);
        }
    }
    metal::float4 _e58 = sum_2;
    return _e58;
}

void add_row(
    uint row,
    uint lane,
    uint first_channel,
    thread type_3& sums_1,
    device type_6 const& weight_values,
    constant Parameters& p,
    threadgroup type_12& slices,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint t_1 = 0u;
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
            uint _e54 = t_1;
            t_1 = _e54 + 1u;
        }
        loop_init_7 = false;
        uint _e24 = t_1;
        if (_e24 < TOKENS) {
        } else {
            break;
        }
        {
            uint _e27 = t_1;
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
                    uint _e38 = t_1;
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
    uint to,
    thread type_3& sums_2,
    threadgroup type_12& slices
) {
    uint t_2 = 0u;
    uint mine = ((lane_1 / 4u) * HALF_FOURS) + (2u * (lane_1 % 4u));
    bool loop_init_9 = true;
    while(true) {
        if (!loop_init_9) {
            uint _e65 = t_2;
            t_2 = _e65 + 1u;
        }
        loop_init_9 = false;
        uint _e15 = t_2;
        if (_e15 < TOKENS) {
        } else {
            break;
        }
        {
            uint _e18 = t_2;
            uint a_1 = ((_e18 * SLICE_FOURS) + ((2u * FIRST_OF_PAIR.inner[pair]) * HALF_FOURS)) + mine;
            uint _e29 = t_2;
            uint b = ((_e29 * SLICE_FOURS) + ((2u * SECOND_OF_PAIR.inner[pair]) * HALF_FOURS)) + mine;
            uint _e40 = t_2;
            float _e43 = sums_2.inner[to + _e40];
            metal::float4 _e46 = slices.inner[a_1];
            metal::float4 _e49 = slices.inner[b];
            metal::float4 _e55 = slices.inner[a_1 + 1u];
            metal::float4 _e60 = slices.inner[b + 1u];
            sums_2.inner[to + _e40] = _e43 + (metal::dot(_e46, _e49) + metal::dot(_e55, _e60));
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
, device type_11& streams [[user(fake0)]]
, device type_11 const& y [[user(fake0)]]
, device type_10 const& gates [[user(fake0)]]
, threadgroup type_12& slices
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    bool local = {};
    metal::float4 value = metal::float4(0.0);
    bool local_1 = {};
    type_3 sums = {};
    uint t = 0u;
    bool local_2 = {};
    bool local_3 = {};
    uint first_token = workgroup.y * TOKENS;
    uint first_channel_1 = workgroup.x * SLICE;
    uint own = thread_ / 64u;
    uint stream_2 = (thread_ / FOURS) % 4u;
    uint four_1 = (first_channel_1 / 4u) + (thread_ % FOURS);
    if (own < TOKENS) {
        uint _e27 = p.n_tokens;
        local = (first_token + own) < _e27;
    } else {
        local = false;
    }
    bool has_own = local;
    if (has_own) {
        metal::float4 _e35 = expanded(first_token + own, stream_2, four_1, p, streams, y, gates, _buffer_sizes);
        value = _e35;
    }
    if (own < TOKENS) {
        uint half_1 = (thread_ % FOURS) / 8u;
        uint at_1 = (own * SLICE_FOURS) + (((2u * stream_2) + half_1) * HALF_FOURS);
        metal::float4 _e55 = value;
        slices.inner[at_1 + (thread_ % 8u)] = _e55;
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_device);
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    if (true) {
        local_1 = has_own;
    } else {
        local_1 = false;
    }
    bool _e60 = local_1;
    if (_e60) {
        uint _e68 = p.hidden_size;
        metal::float4 _e74 = value;
        streams[((((first_token + own) * 4u) + stream_2) * (_e68 / 4u)) + four_1] = _e74;
    }
    uint team = thread_ / TEAM;
    uint lane_2 = thread_ % TEAM;
    uint second_pair = (team - N_ROWS) + PAIR_TEAMS;
    if (team < N_ROWS) {
        add_row(team, lane_2, first_channel_1, sums, weight_values, p, slices, _buffer_sizes);
    } else {
        add_pair(team - N_ROWS, lane_2, 0u, sums, slices);
        if (second_pair < PAIRS) {
            add_pair(second_pair, lane_2, TOKENS, sums, slices);
        }
    }
    team_sums(sums, thread_, team_partials);
    if (lane_2 != 0u) {
        return;
    }
    bool loop_init_10 = true;
    while(true) {
        if (!loop_init_10) {
            uint _e142 = t;
            t = _e142 + 1u;
        }
        loop_init_10 = false;
        uint _e96 = t;
        if (_e96 < TOKENS) {
            uint _e101 = t;
            uint _e105 = p.n_tokens;
            local_2 = (first_token + _e101) < _e105;
        } else {
            local_2 = false;
        }
        bool _e108 = local_2;
        if (_e108) {
        } else {
            break;
        }
        {
            uint _e109 = t;
            uint to_1 = (((first_token + _e109) * grid.x) + workgroup.x) * 34u;
            uint _e120 = t;
            float _e122 = sums.inner[_e120];
            slice_sums[to_1 + team] = _e122;
            if (team >= N_ROWS) {
                local_3 = second_pair < PAIRS;
            } else {
                local_3 = false;
            }
            bool _e130 = local_3;
            if (_e130) {
                uint _e137 = t;
                float _e140 = sums.inner[TOKENS + _e137];
                slice_sums[(to_1 + N_ROWS) + second_pair] = _e140;
            }
        }
    }
    return;
}
