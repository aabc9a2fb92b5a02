// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size0;
    uint size1;
    uint size2;
    uint size3;
    uint size5;
    uint size7;
};

typedef metal::float4 type_3[1];
struct type_4 {
    metal::float4 inner[8];
};
typedef metal::uint4 type_6[1];
typedef uint type_9[1];
struct Parameters {
    uint n_rows;
    uint columns;
    uint n_chosen;
    uint adds;
};
struct type_10 {
    float inner[8];
};
struct type_11 {
    float inner[1];
};
typedef float type_13[1];
constant uint WORKGROUP = 256u;
constant uint TEAM = 64u;
constant uint SUMS = 1u;
constant uint SUBGROUP = 32u;
constant uint GROUPS = 64u;
constant uint SHARED = 1u;

float group_product(
    type_4 values,
    uint first,
    uint group_1,
    uint columns,
    device type_3 const& x,
    constant _mslBufferSizes& _buffer_sizes
) {
    float sum = 0.0;
    uint i = 0u;
    uint at = (first / 4u) + (group_1 * 8u);
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e27 = i;
            i = _e27 + 1u;
        }
        loop_init = false;
        uint _e13 = i;
        if (_e13 < 8u) {
        } else {
            break;
        }
        {
            float _e16 = sum;
            uint _e17 = i;
            uint _e20 = i;
            metal::float4 _e23 = x[at + _e20];
            sum = _e16 + metal::dot(values.inner[_e17], _e23);
        }
    }
    float _e29 = sum;
    return _e29;
}

metal::float4 activations_at(
    uint first_1,
    uint column,
    uint columns_1,
    device type_3 const& x,
    constant _mslBufferSizes& _buffer_sizes
) {
    metal::float4 _e8 = x[(first_1 + column) / 4u];
    return _e8;
}

uint down_byte(
    uint word,
    uint i_1
) {
    return (word >> (8u * i_1)) & 255u;
}

metal::float2 down_scale_min(
    metal::uint4 head,
    uint g
) {
    uint i_6 = g & 3u;
    if (g < 4u) {
        uint _e7 = down_byte(head.y, i_6);
        uint _e9 = down_byte(head.z, i_6);
        return static_cast<metal::float2>(metal::uint2(_e7, _e9) & metal::uint2(63u));
    }
    uint _e16 = down_byte(head.w, i_6);
    uint _e20 = down_byte(head.y, i_6);
    uint scale = (_e16 & 15u) | ((_e20 >> 6u) << 4u);
    uint _e29 = down_byte(head.z, i_6);
    uint minimum = (_e16 >> 4u) | ((_e29 >> 6u) << 4u);
    return static_cast<metal::float2>(metal::uint2(scale, minimum));
}

type_4 down_group(
    uint index,
    device type_6 const& down_blocks,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 values_1 = {};
    uint i_2 = 0u;
    uint block = (index / 8u) * 9u;
    uint g_1 = index & 7u;
    metal::uint4 head_1 = down_blocks[block];
    metal::float2 _e12 = down_scale_min(head_1, g_1);
    metal::float2 scale_min = float2(as_type<half2>(head_1.x)) * _e12;
    uint quants = (block + 1u) + ((g_1 / 2u) * 2u);
    metal::uint4 shift = metal::uint4(4u * (g_1 & 1u));
    metal::uint4 _e28 = down_blocks[quants];
    metal::uint4 low = (_e28 >> shift) & metal::uint4(252645135u);
    metal::uint4 _e37 = down_blocks[quants + 1u];
    metal::uint4 high = (_e37 >> shift) & metal::uint4(252645135u);
    bool loop_init_1 = true;
    while(true) {
        if (!loop_init_1) {
            uint _e73 = i_2;
            i_2 = _e73 + 1u;
        }
        loop_init_1 = false;
        uint _e45 = i_2;
        if (_e45 < 4u) {
        } else {
            break;
        }
        {
            uint _e48 = i_2;
            uint _e51 = i_2;
            values_1.inner[_e48] = (scale_min.x * static_cast<metal::float4>(uint4(as_type<packed_uchar4>(low[_e51])))) - metal::float4(scale_min.y);
            uint _e60 = i_2;
            uint _e64 = i_2;
            values_1.inner[4u + _e60] = (scale_min.x * static_cast<metal::float4>(uint4(as_type<packed_uchar4>(high[_e64])))) - metal::float4(scale_min.y);
        }
    }
    type_4 _e75 = values_1;
    return _e75;
}

void down_begin(
    uint thread_1
) {
    return;
}

float down_product(
    uint index_1,
    uint first_2,
    uint group_2,
    uint columns_2,
    device type_3 const& x,
    device type_6 const& down_blocks,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 _e4 = down_group(index_1, down_blocks, _buffer_sizes);
    float _e5 = group_product(_e4, first_2, group_2, columns_2, x, _buffer_sizes);
    return _e5;
}

type_4 shared_down_group(
    uint index_2,
    device type_6 const& shared_down_quants,
    device type_9 const& shared_down_scales,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 values_2 = {};
    uint i_3 = 0u;
    uint _e5 = shared_down_scales[index_2 / 2u];
    float scale_1 = float2(as_type<half2>((_e5 >> (16u * (index_2 & 1u))))).x;
    metal::uint4 low_1 = shared_down_quants[index_2 * 2u];
    metal::uint4 high_1 = shared_down_quants[(index_2 * 2u) + 1u];
    bool loop_init_2 = true;
    while(true) {
        if (!loop_init_2) {
            uint _e48 = i_3;
            i_3 = _e48 + 1u;
        }
        loop_init_2 = false;
        uint _e28 = i_3;
        if (_e28 < 4u) {
        } else {
            break;
        }
        {
            uint _e31 = i_3;
            uint _e33 = i_3;
            values_2.inner[_e31] = scale_1 * static_cast<metal::float4>(int4(as_type<packed_char4>(low_1[_e33])));
            uint _e39 = i_3;
            uint _e42 = i_3;
            values_2.inner[4u + _e39] = scale_1 * static_cast<metal::float4>(int4(as_type<packed_char4>(high_1[_e42])));
        }
    }
    type_4 _e50 = values_2;
    return _e50;
}

void shared_down_begin(
    uint thread_2
) {
    return;
}

float shared_down_product(
    uint index_3,
    uint first_3,
    uint group_3,
    uint columns_3,
    device type_3 const& x,
    device type_6 const& shared_down_quants,
    device type_9 const& shared_down_scales,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 _e4 = shared_down_group(index_3, shared_down_quants, shared_down_scales, _buffer_sizes);
    float _e5 = group_product(_e4, first_3, group_3, columns_3, x, _buffer_sizes);
    return _e5;
}

float down_share(
    uint token,
    uint row,
    uint lane,
    device type_3 const& x,
    device type_6 const& down_blocks,
    constant Parameters& p,
    device type_9 const& experts,
    constant _mslBufferSizes& _buffer_sizes
) {
    float sum_1 = 0.0;
    uint i_4 = 0u;
    uint group_4 = {};
    uint _e5 = p.n_chosen;
    uint first_choice = token * (_e5 + SHARED);
    bool loop_init_3 = true;
    while(true) {
        if (!loop_init_3) {
            uint _e57 = i_4;
            i_4 = _e57 + 1u;
        }
        loop_init_3 = false;
        uint _e13 = i_4;
        uint _e16 = p.n_chosen;
        if (_e13 < _e16) {
        } else {
            break;
        }
        {
            uint _e21 = p.n_chosen;
            uint _e23 = i_4;
            uint _e26 = experts[(token * _e21) + _e23];
            uint _e29 = p.n_rows;
            uint index_4 = ((_e26 * _e29) + row) * GROUPS;
            uint _e34 = i_4;
            uint _e38 = p.columns;
            uint first_4 = (first_choice + _e34) * _e38;
            group_4 = lane;
            bool loop_init_4 = true;
            while(true) {
                if (!loop_init_4) {
                    uint _e53 = group_4;
                    group_4 = _e53 + TEAM;
                }
                loop_init_4 = false;
                uint _e41 = group_4;
                if (_e41 < GROUPS) {
                } else {
                    break;
                }
                {
                    float _e44 = sum_1;
                    uint _e45 = group_4;
                    uint _e47 = group_4;
                    uint _e50 = p.columns;
                    float _e51 = down_product(index_4 + _e45, first_4, _e47, _e50, x, down_blocks, _buffer_sizes);
                    sum_1 = _e44 + _e51;
                }
            }
        }
    }
    float _e59 = sum_1;
    return _e59;
}

void team_sums(
    thread type_11& values_3,
    uint thread_3,
    threadgroup type_10& team_partials
) {
    uint s = 0u;
    float sum_2 = {};
    uint far = {};
    uint s_1 = 0u;
    uint s_2 = 0u;
    float sum_3 = {};
    uint i_5 = {};
    bool loop_init_5 = true;
    while(true) {
        if (!loop_init_5) {
            uint _e31 = s;
            s = _e31 + 1u;
        }
        loop_init_5 = false;
        uint _e4 = s;
        if (_e4 < SUMS) {
        } else {
            break;
        }
        {
            uint _e7 = s;
            float _e9 = values_3.inner[_e7];
            sum_2 = _e9;
            if (true) {
                float _e12 = sum_2;
                float unnamed = metal::simd_sum(_e12);
                sum_2 = unnamed;
            } else {
                far = 32u;
                bool loop_init_6 = true;
                while(true) {
                    if (!loop_init_6) {
                        uint _e24 = far;
                        far = _e24 >> 1u;
                    }
                    loop_init_6 = false;
                    uint _e16 = far;
                    if (_e16 > 0u) {
                    } else {
                        break;
                    }
                    {
                        float _e19 = sum_2;
                        float _e20 = sum_2;
                        uint _e21 = far;
                        float unnamed_1 = metal::simd_shuffle_xor(_e20, _e21);
                        sum_2 = _e19 + unnamed_1;
                    }
                }
            }
            uint _e27 = s;
            float _e29 = sum_2;
            values_3.inner[_e27] = _e29;
        }
    }
    if (true) {
        metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
        if ((thread_3 % SUBGROUP) == 0u) {
            bool loop_init_7 = true;
            while(true) {
                if (!loop_init_7) {
                    uint _e55 = s_1;
                    s_1 = _e55 + 1u;
                }
                loop_init_7 = false;
                uint _e40 = s_1;
                if (_e40 < SUMS) {
                } else {
                    break;
                }
                {
                    uint _e48 = s_1;
                    uint _e51 = s_1;
                    float _e53 = values_3.inner[_e51];
                    team_partials.inner[((thread_3 / SUBGROUP) * SUMS) + _e48] = _e53;
                }
            }
        }
        metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
        uint first_5 = (thread_3 / TEAM) * 2u;
        bool loop_init_8 = true;
        while(true) {
            if (!loop_init_8) {
                uint _e91 = s_2;
                s_2 = _e91 + 1u;
            }
            loop_init_8 = false;
            uint _e63 = s_2;
            if (_e63 < SUMS) {
            } else {
                break;
            }
            {
                sum_3 = 0.0;
                i_5 = 0u;
                bool loop_init_9 = true;
                while(true) {
                    if (!loop_init_9) {
                        uint _e85 = i_5;
                        i_5 = _e85 + 1u;
                    }
                    loop_init_9 = false;
                    uint _e70 = i_5;
                    if (_e70 < 2u) {
                    } else {
                        break;
                    }
                    {
                        float _e73 = sum_3;
                        uint _e75 = i_5;
                        uint _e79 = s_2;
                        float _e82 = team_partials.inner[((first_5 + _e75) * SUMS) + _e79];
                        sum_3 = _e73 + _e82;
                    }
                }
                uint _e87 = s_2;
                float _e89 = sum_3;
                values_3.inner[_e87] = _e89;
            }
        }
        return;
    } else {
        return;
    }
}

struct main_Input {
};
[[max_total_threads_per_threadgroup(256)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, device type_3 const& x [[user(fake0)]]
, device type_6 const& down_blocks [[user(fake0)]]
, device type_6 const& shared_down_quants [[user(fake0)]]
, device type_9 const& shared_down_scales [[user(fake0)]]
, constant Parameters& p [[user(fake0)]]
, device type_9 const& experts [[user(fake0)]]
, threadgroup type_10& team_partials
, device type_13& out [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    type_11 sums = {};
    uint group = {};
    bool local = {};
    down_begin(thread_);
    uint row_1 = (workgroup.x * 4u) + (thread_ / TEAM);
    uint lane_1 = thread_ % TEAM;
    uint token_1 = workgroup.y;
    uint _e14 = p.n_rows;
    if (row_1 < _e14) {
        float _e17 = down_share(token_1, row_1, lane_1, x, down_blocks, p, experts, _buffer_sizes);
        sums.inner[0] = _e17;
        if (true) {
            uint _e21 = p.n_chosen;
            uint _e27 = p.n_chosen;
            uint _e31 = p.columns;
            uint first_6 = ((token_1 * (_e21 + 1u)) + _e27) * _e31;
            group = lane_1;
            bool loop_init_10 = true;
            while(true) {
                if (!loop_init_10) {
                    uint _e49 = group;
                    group = _e49 + TEAM;
                }
                loop_init_10 = false;
                uint _e34 = group;
                if (_e34 < GROUPS) {
                } else {
                    break;
                }
                {
                    float _e38 = sums.inner[0];
                    uint _e41 = group;
                    uint _e43 = group;
                    uint _e46 = p.columns;
                    float _e47 = shared_down_product((row_1 * GROUPS) + _e41, first_6, _e43, _e46, x, shared_down_quants, shared_down_scales, _buffer_sizes);
                    sums.inner[0] = _e38 + _e47;
                }
            }
        }
    }
    team_sums(sums, thread_, team_partials);
    uint _e54 = p.n_rows;
    if (row_1 < _e54) {
        local = lane_1 == 0u;
    } else {
        local = false;
    }
    bool _e61 = local;
    if (_e61) {
        uint _e64 = p.n_rows;
        uint at_1 = (token_1 * _e64) + row_1;
        uint _e69 = p.adds;
        if (_e69 == 1u) {
            float _e74 = out[at_1];
            float _e76 = sums.inner[0];
            out[at_1] = _e74 + _e76;
            return;
        } else {
            float _e81 = sums.inner[0];
            out[at_1] = _e81;
            return;
        }
    } else {
        return;
    }
}
