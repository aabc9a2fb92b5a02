// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size0;
    uint size1;
    uint size2;
    uint size3;
    uint size4;
    uint size5;
    uint size6;
    uint size8;
    uint size9;
    uint size10;
    uint size11;
    uint size13;
    uint size14;
    uint size15;
};

typedef metal::float4 type_3[1];
struct type_4 {
    metal::float4 inner[8];
};
typedef metal::uint2 type_6[1];
typedef uint type_7[1];
struct Parameters {
    uint n_rows;
    uint columns;
    uint n_chosen;
    float limit;
};
struct type_9 {
    float inner[4];
};
typedef metal::uint4 type_12[1];
struct type_13 {
    float inner[2];
};
struct type_15 {
    float inner[32];
};
typedef float type_16[1];
constant uint WORKGROUP = 256u;
constant uint TEAM = 32u;
constant uint SUMS = 4u;
constant uint SUBGROUP = 32u;
constant uint ROWS = 2u;
constant uint GROUPS = 128u;
constant uint SHARED = 1u;
constant float LARGEST_EXPONENT = 80.0;
constant uint BLOCK_ROWS = 16u;

float group_product(
    type_4 values_1,
    uint first,
    uint group,
    uint columns,
    device type_3 const& x,
    constant _mslBufferSizes& _buffer_sizes
) {
    float sum = 0.0;
    uint i = 0u;
    uint at = (first / 4u) + (group * 8u);
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
            sum = _e16 + metal::dot(values_1.inner[_e17], _e23);
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

metal::float4 routed_gate_signed(
    metal::float4 magnitudes,
    uint signs
) {
    metal::uint4 turned = (metal::uint4(signs) << metal::uint4(31u, 30u, 29u, 28u)) & metal::uint4(2147483648u);
    return as_type<metal::float4>(as_type<metal::uint4>(magnitudes) ^ turned);
}

metal::uint2 routed_gate_point(
    uint i_1,
    device type_6 const& routed_gate_grid,
    constant _mslBufferSizes& _buffer_sizes
) {
    metal::uint2 _e3 = routed_gate_grid[i_1];
    return _e3;
}

type_4 routed_gate_group(
    uint index,
    device type_6 const& routed_gate_quants,
    device type_7 const& routed_gate_scales,
    device type_6 const& routed_gate_grid,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 values_2 = {};
    uint i_2 = 0u;
    uint block = index / 8u;
    uint _e7 = routed_gate_scales[block / 2u];
    float d = float2(as_type<half2>((_e7 >> (16u * (block & 1u))))).x;
    metal::uint2 words = routed_gate_quants[index];
    float scale = (d * (0.5 + static_cast<float>(words.y >> 28u))) * 0.25;
    bool loop_init_1 = true;
    while(true) {
        if (!loop_init_1) {
            uint _e75 = i_2;
            i_2 = _e75 + 1u;
        }
        loop_init_1 = false;
        uint _e30 = i_2;
        if (_e30 < 4u) {
        } else {
            break;
        }
        {
            uint _e35 = i_2;
            metal::uint2 _e40 = routed_gate_point((words.x >> (8u * _e35)) & 255u, routed_gate_grid, _buffer_sizes);
            uint _e43 = i_2;
            uint seven = (words.y >> (7u * _e43)) & 127u;
            uint signs_2 = seven | (metal::popcount(seven) << 7u);
            uint _e53 = i_2;
            metal::float4 _e60 = routed_gate_signed(scale * static_cast<metal::float4>(uint4(as_type<packed_uchar4>(_e40.x))), signs_2);
            values_2.inner[2u * _e53] = _e60;
            uint _e62 = i_2;
            metal::float4 _e73 = routed_gate_signed(scale * static_cast<metal::float4>(uint4(as_type<packed_uchar4>(_e40.y))), signs_2 >> 4u);
            values_2.inner[(2u * _e62) + 1u] = _e73;
        }
    }
    type_4 _e77 = values_2;
    return _e77;
}

void routed_gate_begin(
    uint thread_1
) {
    return;
}

float routed_gate_product(
    uint index_1,
    uint first_2,
    uint group_1,
    uint columns_2,
    device type_3 const& x,
    device type_6 const& routed_gate_quants,
    device type_7 const& routed_gate_scales,
    device type_6 const& routed_gate_grid,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 _e4 = routed_gate_group(index_1, routed_gate_quants, routed_gate_scales, routed_gate_grid, _buffer_sizes);
    float _e5 = group_product(_e4, first_2, group_1, columns_2, x, _buffer_sizes);
    return _e5;
}

metal::float4 routed_up_signed(
    metal::float4 magnitudes_1,
    uint signs_1
) {
    metal::uint4 turned_1 = (metal::uint4(signs_1) << metal::uint4(31u, 30u, 29u, 28u)) & metal::uint4(2147483648u);
    return as_type<metal::float4>(as_type<metal::uint4>(magnitudes_1) ^ turned_1);
}

metal::uint2 routed_up_point(
    uint i_3,
    device type_6 const& routed_up_grid,
    constant _mslBufferSizes& _buffer_sizes
) {
    metal::uint2 _e3 = routed_up_grid[i_3];
    return _e3;
}

type_4 routed_up_group(
    uint index_2,
    device type_6 const& routed_up_quants,
    device type_7 const& routed_up_scales,
    device type_6 const& routed_up_grid,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 values_3 = {};
    uint i_4 = 0u;
    uint block_1 = index_2 / 8u;
    uint _e7 = routed_up_scales[block_1 / 2u];
    float d_1 = float2(as_type<half2>((_e7 >> (16u * (block_1 & 1u))))).x;
    metal::uint2 words_1 = routed_up_quants[index_2];
    float scale_1 = (d_1 * (0.5 + static_cast<float>(words_1.y >> 28u))) * 0.25;
    bool loop_init_2 = true;
    while(true) {
        if (!loop_init_2) {
            uint _e75 = i_4;
            i_4 = _e75 + 1u;
        }
        loop_init_2 = false;
        uint _e30 = i_4;
        if (_e30 < 4u) {
        } else {
            break;
        }
        {
            uint _e35 = i_4;
            metal::uint2 _e40 = routed_up_point((words_1.x >> (8u * _e35)) & 255u, routed_up_grid, _buffer_sizes);
            uint _e43 = i_4;
            uint seven_1 = (words_1.y >> (7u * _e43)) & 127u;
            uint signs_3 = seven_1 | (metal::popcount(seven_1) << 7u);
            uint _e53 = i_4;
            metal::float4 _e60 = routed_up_signed(scale_1 * static_cast<metal::float4>(uint4(as_type<packed_uchar4>(_e40.x))), signs_3);
            values_3.inner[2u * _e53] = _e60;
            uint _e62 = i_4;
            metal::float4 _e73 = routed_up_signed(scale_1 * static_cast<metal::float4>(uint4(as_type<packed_uchar4>(_e40.y))), signs_3 >> 4u);
            values_3.inner[(2u * _e62) + 1u] = _e73;
        }
    }
    type_4 _e77 = values_3;
    return _e77;
}

void routed_up_begin(
    uint thread_2
) {
    return;
}

float routed_up_product(
    uint index_3,
    uint first_3,
    uint group_2,
    uint columns_3,
    device type_3 const& x,
    device type_6 const& routed_up_quants,
    device type_7 const& routed_up_scales,
    device type_6 const& routed_up_grid,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 _e4 = routed_up_group(index_3, routed_up_quants, routed_up_scales, routed_up_grid, _buffer_sizes);
    float _e5 = group_product(_e4, first_3, group_2, columns_3, x, _buffer_sizes);
    return _e5;
}

void routed_rows_begin(
    uint thread_3
) {
    routed_gate_begin(thread_3);
    routed_up_begin(thread_3);
    return;
}

void routed_rows(
    uint expert_1,
    uint first_row,
    uint lane,
    uint first_4,
    thread type_9& sums_1,
    device type_3 const& x,
    device type_6 const& routed_gate_quants,
    device type_7 const& routed_gate_scales,
    device type_6 const& routed_gate_grid,
    device type_6 const& routed_up_quants,
    device type_7 const& routed_up_scales,
    device type_6 const& routed_up_grid,
    constant Parameters& p,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint step = 0u;
    bool local_1 = {};
    uint r_1 = {};
    bool loop_init_3 = true;
    while(true) {
        if (!loop_init_3) {
            uint _e64 = step;
            step = _e64 + 1u;
        }
        loop_init_3 = false;
        uint _e7 = step;
        if (_e7 < 4u) {
        } else {
            break;
        }
        {
            uint _e10 = step;
            uint group_5 = (_e10 * TEAM) + lane;
            if (false) {
                local_1 = group_5 >= GROUPS;
            } else {
                local_1 = false;
            }
            bool _e20 = local_1;
            if (_e20) {
                break;
            }
            r_1 = 0u;
            bool loop_init_4 = true;
            while(true) {
                if (!loop_init_4) {
                    uint _e61 = r_1;
                    r_1 = _e61 + 1u;
                }
                loop_init_4 = false;
                uint _e23 = r_1;
                if (_e23 < ROWS) {
                } else {
                    break;
                }
                {
                    uint _e26 = r_1;
                    uint _e30 = p.n_rows;
                    uint row = metal::min(first_row + _e26, _e30 - 1u);
                    uint _e36 = p.n_rows;
                    uint index_8 = (((expert_1 * _e36) + row) * GROUPS) + group_5;
                    uint _e42 = r_1;
                    float _e44 = sums_1.inner[_e42];
                    uint _e47 = p.columns;
                    float _e48 = routed_gate_product(index_8, first_4, group_5, _e47, x, routed_gate_quants, routed_gate_scales, routed_gate_grid, _buffer_sizes);
                    sums_1.inner[_e42] = _e44 + _e48;
                    uint _e51 = r_1;
                    float _e54 = sums_1.inner[ROWS + _e51];
                    uint _e57 = p.columns;
                    float _e58 = routed_up_product(index_8, first_4, group_5, _e57, x, routed_up_quants, routed_up_scales, routed_up_grid, _buffer_sizes);
                    sums_1.inner[ROWS + _e51] = _e54 + _e58;
                }
            }
        }
    }
    return;
}

type_4 shared_gate_group(
    uint index_4,
    device type_12 const& shared_gate_quants,
    device type_7 const& shared_gate_scales,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 values_4 = {};
    uint i_5 = 0u;
    uint _e5 = shared_gate_scales[index_4 / 2u];
    float scale_2 = float2(as_type<half2>((_e5 >> (16u * (index_4 & 1u))))).x;
    metal::uint4 low = shared_gate_quants[index_4 * 2u];
    metal::uint4 high = shared_gate_quants[(index_4 * 2u) + 1u];
    bool loop_init_5 = true;
    while(true) {
        if (!loop_init_5) {
            uint _e48 = i_5;
            i_5 = _e48 + 1u;
        }
        loop_init_5 = false;
        uint _e28 = i_5;
        if (_e28 < 4u) {
        } else {
            break;
        }
        {
            uint _e31 = i_5;
            uint _e33 = i_5;
            values_4.inner[_e31] = scale_2 * static_cast<metal::float4>(int4(as_type<packed_char4>(low[_e33])));
            uint _e39 = i_5;
            uint _e42 = i_5;
            values_4.inner[4u + _e39] = scale_2 * static_cast<metal::float4>(int4(as_type<packed_char4>(high[_e42])));
        }
    }
    type_4 _e50 = values_4;
    return _e50;
}

void shared_gate_begin(
    uint thread_4
) {
    return;
}

float shared_gate_product(
    uint index_5,
    uint first_5,
    uint group_3,
    uint columns_4,
    device type_3 const& x,
    device type_12 const& shared_gate_quants,
    device type_7 const& shared_gate_scales,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 _e4 = shared_gate_group(index_5, shared_gate_quants, shared_gate_scales, _buffer_sizes);
    float _e5 = group_product(_e4, first_5, group_3, columns_4, x, _buffer_sizes);
    return _e5;
}

type_4 shared_up_group(
    uint index_6,
    device type_12 const& shared_up_quants,
    device type_7 const& shared_up_scales,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 values_5 = {};
    uint i_6 = 0u;
    uint _e5 = shared_up_scales[index_6 / 2u];
    float scale_3 = float2(as_type<half2>((_e5 >> (16u * (index_6 & 1u))))).x;
    metal::uint4 low_1 = shared_up_quants[index_6 * 2u];
    metal::uint4 high_1 = shared_up_quants[(index_6 * 2u) + 1u];
    bool loop_init_6 = true;
    while(true) {
        if (!loop_init_6) {
            uint _e48 = i_6;
            i_6 = _e48 + 1u;
        }
        loop_init_6 = false;
        uint _e28 = i_6;
        if (_e28 < 4u) {
        } else {
            break;
        }
        {
            uint _e31 = i_6;
            uint _e33 = i_6;
            values_5.inner[_e31] = scale_3 * static_cast<metal::float4>(int4(as_type<packed_char4>(low_1[_e33])));
            uint _e39 = i_6;
            uint _e42 = i_6;
            values_5.inner[4u + _e39] = scale_3 * static_cast<metal::float4>(int4(as_type<packed_char4>(high_1[_e42])));
        }
    }
    type_4 _e50 = values_5;
    return _e50;
}

void shared_up_begin(
    uint thread_5
) {
    return;
}

float shared_up_product(
    uint index_7,
    uint first_6,
    uint group_4,
    uint columns_5,
    device type_3 const& x,
    device type_12 const& shared_up_quants,
    device type_7 const& shared_up_scales,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 _e4 = shared_up_group(index_7, shared_up_quants, shared_up_scales, _buffer_sizes);
    float _e5 = group_product(_e4, first_6, group_4, columns_5, x, _buffer_sizes);
    return _e5;
}

void shared_rows_begin(
    uint thread_6
) {
    shared_gate_begin(thread_6);
    shared_up_begin(thread_6);
    return;
}

void shared_rows(
    uint expert_2,
    uint first_row_1,
    uint lane_1,
    uint first_7,
    thread type_9& sums_2,
    device type_3 const& x,
    constant Parameters& p,
    device type_12 const& shared_gate_quants,
    device type_7 const& shared_gate_scales,
    device type_12 const& shared_up_quants,
    device type_7 const& shared_up_scales,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint step_1 = 0u;
    bool local_2 = {};
    uint r_2 = {};
    bool loop_init_7 = true;
    while(true) {
        if (!loop_init_7) {
            uint _e64 = step_1;
            step_1 = _e64 + 1u;
        }
        loop_init_7 = false;
        uint _e7 = step_1;
        if (_e7 < 4u) {
        } else {
            break;
        }
        {
            uint _e10 = step_1;
            uint group_6 = (_e10 * TEAM) + lane_1;
            if (false) {
                local_2 = group_6 >= GROUPS;
            } else {
                local_2 = false;
            }
            bool _e20 = local_2;
            if (_e20) {
                break;
            }
            r_2 = 0u;
            bool loop_init_8 = true;
            while(true) {
                if (!loop_init_8) {
                    uint _e61 = r_2;
                    r_2 = _e61 + 1u;
                }
                loop_init_8 = false;
                uint _e23 = r_2;
                if (_e23 < ROWS) {
                } else {
                    break;
                }
                {
                    uint _e26 = r_2;
                    uint _e30 = p.n_rows;
                    uint row_1 = metal::min(first_row_1 + _e26, _e30 - 1u);
                    uint _e36 = p.n_rows;
                    uint index_9 = (((expert_2 * _e36) + row_1) * GROUPS) + group_6;
                    uint _e42 = r_2;
                    float _e44 = sums_2.inner[_e42];
                    uint _e47 = p.columns;
                    float _e48 = shared_gate_product(index_9, first_7, group_6, _e47, x, shared_gate_quants, shared_gate_scales, _buffer_sizes);
                    sums_2.inner[_e42] = _e44 + _e48;
                    uint _e51 = r_2;
                    float _e54 = sums_2.inner[ROWS + _e51];
                    uint _e57 = p.columns;
                    float _e58 = shared_up_product(index_9, first_7, group_6, _e57, x, shared_up_quants, shared_up_scales, _buffer_sizes);
                    sums_2.inner[ROWS + _e51] = _e54 + _e58;
                }
            }
        }
    }
    return;
}

void pack_hidden(
    uint hidden_row,
    uint row_block,
    uint first_row_2,
    uint thread_7,
    thread type_13& values_6
) {
    return;
}

void team_sums(
    thread type_9& values_7,
    uint thread_8,
    threadgroup type_15& team_partials
) {
    uint s = 0u;
    float sum_1 = {};
    uint far = {};
    uint s_1 = 0u;
    uint s_2 = 0u;
    float sum_2 = {};
    uint i_7 = {};
    bool loop_init_9 = true;
    while(true) {
        if (!loop_init_9) {
            uint _e31 = s;
            s = _e31 + 1u;
        }
        loop_init_9 = false;
        uint _e4 = s;
        if (_e4 < SUMS) {
        } else {
            break;
        }
        {
            uint _e7 = s;
            float _e9 = values_7.inner[_e7];
            sum_1 = _e9;
            if (true) {
                float _e12 = sum_1;
                float unnamed = metal::simd_sum(_e12);
                sum_1 = unnamed;
            } else {
                far = 16u;
                bool loop_init_10 = true;
                while(true) {
                    if (!loop_init_10) {
                        uint _e24 = far;
                        far = _e24 >> 1u;
                    }
                    loop_init_10 = false;
                    uint _e16 = far;
                    if (_e16 > 0u) {
                    } else {
                        break;
                    }
                    {
                        float _e19 = sum_1;
                        float _e20 = sum_1;
                        uint _e21 = far;
                        float unnamed_1 = metal::simd_shuffle_xor(_e20, _e21);
                        sum_1 = _e19 + unnamed_1;
                    }
                }
            }
            uint _e27 = s;
            float _e29 = sum_1;
            values_7.inner[_e27] = _e29;
        }
    }
    if (false) {
        metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
        if ((thread_8 % SUBGROUP) == 0u) {
            bool loop_init_11 = true;
            while(true) {
                if (!loop_init_11) {
                    uint _e55 = s_1;
                    s_1 = _e55 + 1u;
                }
                loop_init_11 = false;
                uint _e40 = s_1;
                if (_e40 < SUMS) {
                } else {
                    break;
                }
                {
                    uint _e48 = s_1;
                    uint _e51 = s_1;
                    float _e53 = values_7.inner[_e51];
                    team_partials.inner[((thread_8 / SUBGROUP) * SUMS) + _e48] = _e53;
                }
            }
        }
        metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
        uint first_8 = (thread_8 / TEAM) * 1u;
        bool loop_init_12 = true;
        while(true) {
            if (!loop_init_12) {
                uint _e91 = s_2;
                s_2 = _e91 + 1u;
            }
            loop_init_12 = false;
            uint _e63 = s_2;
            if (_e63 < SUMS) {
            } else {
                break;
            }
            {
                sum_2 = 0.0;
                i_7 = 0u;
                bool loop_init_13 = true;
                while(true) {
                    if (!loop_init_13) {
                        uint _e85 = i_7;
                        i_7 = _e85 + 1u;
                    }
                    loop_init_13 = false;
                    uint _e70 = i_7;
                    if (_e70 < 1u) {
                    } else {
                        break;
                    }
                    {
                        float _e73 = sum_2;
                        uint _e75 = i_7;
                        uint _e79 = s_2;
                        float _e82 = team_partials.inner[((first_8 + _e75) * SUMS) + _e79];
                        sum_2 = _e73 + _e82;
                    }
                }
                uint _e87 = s_2;
                float _e89 = sum_2;
                values_7.inner[_e87] = _e89;
            }
        }
        return;
    } else {
        return;
    }
}

float swiglu(
    float gate,
    float up,
    float limit
) {
    float clamped = metal::min(gate, limit);
    float silu = clamped / (1.0 + metal::exp(metal::min(-(clamped), LARGEST_EXPONENT)));
    return silu * metal::clamp(up, -(limit), limit);
}

struct main_Input {
};
[[max_total_threads_per_threadgroup(256)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, device type_3 const& x [[user(fake0)]]
, device type_6 const& routed_gate_quants [[user(fake0)]]
, device type_7 const& routed_gate_scales [[user(fake0)]]
, device type_6 const& routed_gate_grid [[user(fake0)]]
, device type_6 const& routed_up_quants [[user(fake0)]]
, device type_7 const& routed_up_scales [[user(fake0)]]
, device type_6 const& routed_up_grid [[user(fake0)]]
, constant Parameters& p [[user(fake0)]]
, device type_12 const& shared_gate_quants [[user(fake0)]]
, device type_7 const& shared_gate_scales [[user(fake0)]]
, device type_12 const& shared_up_quants [[user(fake0)]]
, device type_7 const& shared_up_scales [[user(fake0)]]
, threadgroup type_15& team_partials
, device type_16& hidden [[user(fake0)]]
, device type_7 const& experts [[user(fake0)]]
, device type_16 const& weights [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    type_9 sums = {};
    uint expert = 0u;
    float weight = 1.0;
    type_13 values = {};
    uint r = 0u;
    bool local = {};
    uint _e4 = p.n_chosen;
    uint n_choices = _e4 + SHARED;
    uint choice = workgroup.x % n_choices;
    uint row_block_1 = workgroup.x / n_choices;
    uint token = workgroup.y;
    uint first_row_3 = (row_block_1 * BLOCK_ROWS) + ((thread_ / TEAM) * ROWS);
    uint lane_2 = thread_ % TEAM;
    uint _e23 = p.columns;
    uint first_9 = token * _e23;
    uint _e32 = p.n_chosen;
    if (choice < _e32) {
        uint _e37 = p.n_chosen;
        uint _e41 = experts[(token * _e37) + choice];
        expert = _e41;
        uint _e45 = p.n_chosen;
        float _e49 = weights[(token * _e45) + choice];
        weight = _e49;
    }
    uint _e52 = p.n_chosen;
    if (choice == _e52) {
        shared_rows_begin(thread_);
        shared_rows(0u, first_row_3, lane_2, first_9, sums, x, p, shared_gate_quants, shared_gate_scales, shared_up_quants, shared_up_scales, _buffer_sizes);
    } else {
        routed_rows_begin(thread_);
        uint _e55 = expert;
        routed_rows(_e55, first_row_3, lane_2, first_9, sums, x, routed_gate_quants, routed_gate_scales, routed_gate_grid, routed_up_quants, routed_up_scales, routed_up_grid, p, _buffer_sizes);
    }
    team_sums(sums, thread_, team_partials);
    uint hidden_row_1 = (token * n_choices) + choice;
    bool loop_init_14 = true;
    while(true) {
        if (!loop_init_14) {
            uint _e105 = r;
            r = _e105 + 1u;
        }
        loop_init_14 = false;
        uint _e61 = r;
        if (_e61 < ROWS) {
        } else {
            break;
        }
        {
            uint _e64 = r;
            uint _e66 = r;
            float _e68 = sums.inner[_e66];
            uint _e70 = r;
            float _e73 = sums.inner[ROWS + _e70];
            float _e76 = p.limit;
            float _e77 = swiglu(_e68, _e73, _e76);
            float _e78 = weight;
            values.inner[_e64] = _e77 * _e78;
            if (lane_2 == 0u) {
                uint _e84 = r;
                uint _e88 = p.n_rows;
                local = (first_row_3 + _e84) < _e88;
            } else {
                local = false;
            }
            bool _e91 = local;
            if (_e91) {
                uint _e95 = p.n_rows;
                uint _e98 = r;
                uint _e101 = r;
                float _e103 = values.inner[_e101];
                hidden[((hidden_row_1 * _e95) + first_row_3) + _e98] = _e103;
            }
        }
    }
    pack_hidden(hidden_row_1, row_block_1, first_row_3, thread_, values);
    return;
}
