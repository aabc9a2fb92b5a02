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
    uint size7;
    uint size8;
    uint size9;
    uint size10;
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
typedef metal::uint4 type_9[1];
struct type_11 {
    float inner[2];
};
struct type_13 {
    float inner[32];
};
struct type_14 {
    float inner[4];
};
struct Parameters {
    uint n_rows;
    uint columns;
    uint n_groups;
    uint n_chosen;
    float limit;
};
typedef float type_16[1];
constant uint WORKGROUP = 256u;
constant uint TEAM = 32u;
constant uint SUMS = 4u;
constant uint SUBGROUP = 32u;
constant uint ROWS = 2u;
constant uint SHARED = 1u;
constant float LARGEST_EXPONENT = 80.0;
constant uint BLOCK_ROWS = 16u;

float group_product(
    type_4 values_1,
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

metal::float4 gate_signs(
    uint bits
) {
    metal::uint4 negative = (metal::uint4(bits) >> metal::uint4(0u, 1u, 2u, 3u)) & metal::uint4(1u);
    return metal::float4(1.0) - (2.0 * static_cast<metal::float4>(negative));
}

type_4 gate_group(
    uint index,
    device type_6 const& gate_quants,
    device type_7 const& gate_scales,
    device type_6 const& gate_grid,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 values_2 = {};
    uint i_1 = 0u;
    uint block = index / 8u;
    uint _e7 = gate_scales[block / 2u];
    float d = float2(as_type<half2>((_e7 >> (16u * (block & 1u))))).x;
    metal::uint2 words = gate_quants[index];
    float scale = (d * (0.5 + static_cast<float>(words.y >> 28u))) * 0.25;
    bool loop_init_1 = true;
    while(true) {
        if (!loop_init_1) {
            uint _e81 = i_1;
            i_1 = _e81 + 1u;
        }
        loop_init_1 = false;
        uint _e30 = i_1;
        if (_e30 < 4u) {
        } else {
            break;
        }
        {
            uint _e36 = i_1;
            metal::uint2 point = gate_grid[(words.x >> (8u * _e36)) & 255u];
            uint _e45 = i_1;
            uint seven = (words.y >> (7u * _e45)) & 127u;
            uint signs = seven | ((metal::popcount(seven) & 1u) << 7u);
            uint _e57 = i_1;
            metal::float4 _e64 = gate_signs(signs);
            values_2.inner[2u * _e57] = (scale * static_cast<metal::float4>(uint4(as_type<packed_uchar4>(point.x)))) * _e64;
            uint _e67 = i_1;
            metal::float4 _e78 = gate_signs(signs >> 4u);
            values_2.inner[(2u * _e67) + 1u] = (scale * static_cast<metal::float4>(uint4(as_type<packed_uchar4>(point.y)))) * _e78;
        }
    }
    type_4 _e83 = values_2;
    return _e83;
}

void gate_begin(
    uint thread_1
) {
    return;
}

float gate_product(
    uint index_1,
    uint first_2,
    uint group_2,
    uint columns_2,
    device type_3 const& x,
    device type_6 const& gate_quants,
    device type_7 const& gate_scales,
    device type_6 const& gate_grid,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 _e4 = gate_group(index_1, gate_quants, gate_scales, gate_grid, _buffer_sizes);
    float _e5 = group_product(_e4, first_2, group_2, columns_2, x, _buffer_sizes);
    return _e5;
}

metal::float4 up_signs(
    uint bits_1
) {
    metal::uint4 negative_1 = (metal::uint4(bits_1) >> metal::uint4(0u, 1u, 2u, 3u)) & metal::uint4(1u);
    return metal::float4(1.0) - (2.0 * static_cast<metal::float4>(negative_1));
}

type_4 up_group(
    uint index_2,
    device type_6 const& up_quants,
    device type_7 const& up_scales,
    device type_6 const& up_grid,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 values_3 = {};
    uint i_2 = 0u;
    uint block_1 = index_2 / 8u;
    uint _e7 = up_scales[block_1 / 2u];
    float d_1 = float2(as_type<half2>((_e7 >> (16u * (block_1 & 1u))))).x;
    metal::uint2 words_1 = up_quants[index_2];
    float scale_1 = (d_1 * (0.5 + static_cast<float>(words_1.y >> 28u))) * 0.25;
    bool loop_init_2 = true;
    while(true) {
        if (!loop_init_2) {
            uint _e81 = i_2;
            i_2 = _e81 + 1u;
        }
        loop_init_2 = false;
        uint _e30 = i_2;
        if (_e30 < 4u) {
        } else {
            break;
        }
        {
            uint _e36 = i_2;
            metal::uint2 point_1 = up_grid[(words_1.x >> (8u * _e36)) & 255u];
            uint _e45 = i_2;
            uint seven_1 = (words_1.y >> (7u * _e45)) & 127u;
            uint signs_1 = seven_1 | ((metal::popcount(seven_1) & 1u) << 7u);
            uint _e57 = i_2;
            metal::float4 _e64 = up_signs(signs_1);
            values_3.inner[2u * _e57] = (scale_1 * static_cast<metal::float4>(uint4(as_type<packed_uchar4>(point_1.x)))) * _e64;
            uint _e67 = i_2;
            metal::float4 _e78 = up_signs(signs_1 >> 4u);
            values_3.inner[(2u * _e67) + 1u] = (scale_1 * static_cast<metal::float4>(uint4(as_type<packed_uchar4>(point_1.y)))) * _e78;
        }
    }
    type_4 _e83 = values_3;
    return _e83;
}

void up_begin(
    uint thread_2
) {
    return;
}

float up_product(
    uint index_3,
    uint first_3,
    uint group_3,
    uint columns_3,
    device type_3 const& x,
    device type_6 const& up_quants,
    device type_7 const& up_scales,
    device type_6 const& up_grid,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 _e4 = up_group(index_3, up_quants, up_scales, up_grid, _buffer_sizes);
    float _e5 = group_product(_e4, first_3, group_3, columns_3, x, _buffer_sizes);
    return _e5;
}

type_4 shared_gate_group(
    uint index_4,
    device type_9 const& shared_gate_quants,
    device type_7 const& shared_gate_scales,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 values_4 = {};
    uint i_3 = 0u;
    uint _e5 = shared_gate_scales[index_4 / 2u];
    float scale_2 = float2(as_type<half2>((_e5 >> (16u * (index_4 & 1u))))).x;
    metal::uint4 low = shared_gate_quants[index_4 * 2u];
    metal::uint4 high = shared_gate_quants[(index_4 * 2u) + 1u];
    bool loop_init_3 = true;
    while(true) {
        if (!loop_init_3) {
            uint _e48 = i_3;
            i_3 = _e48 + 1u;
        }
        loop_init_3 = false;
        uint _e28 = i_3;
        if (_e28 < 4u) {
        } else {
            break;
        }
        {
            uint _e31 = i_3;
            uint _e33 = i_3;
            values_4.inner[_e31] = scale_2 * static_cast<metal::float4>(int4(as_type<packed_char4>(low[_e33])));
            uint _e39 = i_3;
            uint _e42 = i_3;
            values_4.inner[4u + _e39] = scale_2 * static_cast<metal::float4>(int4(as_type<packed_char4>(high[_e42])));
        }
    }
    type_4 _e50 = values_4;
    return _e50;
}

void shared_gate_begin(
    uint thread_3
) {
    return;
}

float shared_gate_product(
    uint index_5,
    uint first_4,
    uint group_4,
    uint columns_4,
    device type_3 const& x,
    device type_9 const& shared_gate_quants,
    device type_7 const& shared_gate_scales,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 _e4 = shared_gate_group(index_5, shared_gate_quants, shared_gate_scales, _buffer_sizes);
    float _e5 = group_product(_e4, first_4, group_4, columns_4, x, _buffer_sizes);
    return _e5;
}

type_4 shared_up_group(
    uint index_6,
    device type_9 const& shared_up_quants,
    device type_7 const& shared_up_scales,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 values_5 = {};
    uint i_4 = 0u;
    uint _e5 = shared_up_scales[index_6 / 2u];
    float scale_3 = float2(as_type<half2>((_e5 >> (16u * (index_6 & 1u))))).x;
    metal::uint4 low_1 = shared_up_quants[index_6 * 2u];
    metal::uint4 high_1 = shared_up_quants[(index_6 * 2u) + 1u];
    bool loop_init_4 = true;
    while(true) {
        if (!loop_init_4) {
            uint _e48 = i_4;
            i_4 = _e48 + 1u;
        }
        loop_init_4 = false;
        uint _e28 = i_4;
        if (_e28 < 4u) {
        } else {
            break;
        }
        {
            uint _e31 = i_4;
            uint _e33 = i_4;
            values_5.inner[_e31] = scale_3 * static_cast<metal::float4>(int4(as_type<packed_char4>(low_1[_e33])));
            uint _e39 = i_4;
            uint _e42 = i_4;
            values_5.inner[4u + _e39] = scale_3 * static_cast<metal::float4>(int4(as_type<packed_char4>(high_1[_e42])));
        }
    }
    type_4 _e50 = values_5;
    return _e50;
}

void shared_up_begin(
    uint thread_4
) {
    return;
}

float shared_up_product(
    uint index_7,
    uint first_5,
    uint group_5,
    uint columns_5,
    device type_3 const& x,
    device type_9 const& shared_up_quants,
    device type_7 const& shared_up_scales,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 _e4 = shared_up_group(index_7, shared_up_quants, shared_up_scales, _buffer_sizes);
    float _e5 = group_product(_e4, first_5, group_5, columns_5, x, _buffer_sizes);
    return _e5;
}

void pack_hidden(
    metal::uint3 workgroup_1,
    uint first_row,
    uint thread_5,
    thread type_11& values_6
) {
    return;
}

void team_sums(
    thread type_14& values_7,
    uint thread_6,
    threadgroup type_13& team_partials
) {
    uint s = 0u;
    float sum_1 = {};
    uint far = {};
    uint s_1 = 0u;
    uint s_2 = 0u;
    float sum_2 = {};
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
            float _e9 = values_7.inner[_e7];
            sum_1 = _e9;
            if (true) {
                float _e12 = sum_1;
                float unnamed = metal::simd_sum(_e12);
                sum_1 = unnamed;
            } else {
                far = 16u;
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
        if ((thread_6 % SUBGROUP) == 0u) {
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
                    float _e53 = values_7.inner[_e51];
                    team_partials.inner[((thread_6 / SUBGROUP) * SUMS) + _e48] = _e53;
                }
            }
        }
        metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
        uint first_6 = (thread_6 / TEAM) * 1u;
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
                sum_2 = 0.0;
                i_5 = 0u;
                bool loop_init_9 = true;
                while(true) {
                    if (!loop_init_9) {
                        uint _e85 = i_5;
                        i_5 = _e85 + 1u;
                    }
                    loop_init_9 = false;
                    uint _e70 = i_5;
                    if (_e70 < 1u) {
                    } else {
                        break;
                    }
                    {
                        float _e73 = sum_2;
                        uint _e75 = i_5;
                        uint _e79 = s_2;
                        float _e82 = team_partials.inner[((first_6 + _e75) * SUMS) + _e79];
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
, device type_6 const& gate_quants [[user(fake0)]]
, device type_7 const& gate_scales [[user(fake0)]]
, device type_6 const& gate_grid [[user(fake0)]]
, device type_6 const& up_quants [[user(fake0)]]
, device type_7 const& up_scales [[user(fake0)]]
, device type_6 const& up_grid [[user(fake0)]]
, device type_9 const& shared_gate_quants [[user(fake0)]]
, device type_7 const& shared_gate_scales [[user(fake0)]]
, device type_9 const& shared_up_quants [[user(fake0)]]
, device type_7 const& shared_up_scales [[user(fake0)]]
, threadgroup type_13& team_partials
, constant Parameters& p [[user(fake0)]]
, device type_16& hidden [[user(fake0)]]
, device type_7 const& experts [[user(fake0)]]
, device type_16 const& weights [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    uint expert = 0u;
    float weight = 1.0;
    type_14 sums = {};
    uint group = {};
    uint r = {};
    type_11 values = {};
    uint r_1 = 0u;
    bool local = {};
    gate_begin(thread_);
    up_begin(thread_);
    uint _e5 = p.n_chosen;
    uint token = workgroup.y / (_e5 + SHARED);
    uint _e12 = p.n_chosen;
    uint choice = workgroup.y % (_e12 + SHARED);
    uint _e18 = p.n_chosen;
    bool is_shared = choice == _e18;
    uint first_row_1 = (workgroup.x * BLOCK_ROWS) + ((thread_ / TEAM) * ROWS);
    uint lane = thread_ % TEAM;
    if (!(is_shared)) {
        uint _e38 = p.n_chosen;
        uint _e42 = experts[(token * _e38) + choice];
        expert = _e42;
        uint _e46 = p.n_chosen;
        float _e50 = weights[(token * _e46) + choice];
        weight = _e50;
    }
    uint _e53 = p.columns;
    uint first_7 = token * _e53;
    group = lane;
    bool loop_init_10 = true;
    while(true) {
        if (!loop_init_10) {
            uint _e130 = group;
            group = _e130 + TEAM;
        }
        loop_init_10 = false;
        uint _e57 = group;
        uint _e60 = p.n_groups;
        if (_e57 < _e60) {
        } else {
            break;
        }
        {
            r = 0u;
            bool loop_init_11 = true;
            while(true) {
                if (!loop_init_11) {
                    uint _e128 = r;
                    r = _e128 + 1u;
                }
                loop_init_11 = false;
                uint _e64 = r;
                if (_e64 < ROWS) {
                } else {
                    break;
                }
                {
                    uint _e67 = r;
                    uint _e71 = p.n_rows;
                    uint row = metal::min(first_row_1 + _e67, _e71 - 1u);
                    uint _e75 = expert;
                    uint _e78 = p.n_rows;
                    uint _e83 = p.n_groups;
                    uint _e85 = group;
                    uint index_8 = (((_e75 * _e78) + row) * _e83) + _e85;
                    if (is_shared) {
                        uint _e87 = r;
                        float _e89 = sums.inner[_e87];
                        uint _e90 = group;
                        uint _e93 = p.columns;
                        float _e94 = shared_gate_product(index_8, first_7, _e90, _e93, x, shared_gate_quants, shared_gate_scales, _buffer_sizes);
                        sums.inner[_e87] = _e89 + _e94;
                        uint _e97 = r;
                        float _e100 = sums.inner[ROWS + _e97];
                        uint _e101 = group;
                        uint _e104 = p.columns;
                        float _e105 = shared_up_product(index_8, first_7, _e101, _e104, x, shared_up_quants, shared_up_scales, _buffer_sizes);
                        sums.inner[ROWS + _e97] = _e100 + _e105;
                    } else {
                        uint _e107 = r;
                        float _e109 = sums.inner[_e107];
                        uint _e110 = group;
                        uint _e113 = p.columns;
                        float _e114 = gate_product(index_8, first_7, _e110, _e113, x, gate_quants, gate_scales, gate_grid, _buffer_sizes);
                        sums.inner[_e107] = _e109 + _e114;
                        uint _e117 = r;
                        float _e120 = sums.inner[ROWS + _e117];
                        uint _e121 = group;
                        uint _e124 = p.columns;
                        float _e125 = up_product(index_8, first_7, _e121, _e124, x, up_quants, up_scales, up_grid, _buffer_sizes);
                        sums.inner[ROWS + _e117] = _e120 + _e125;
                    }
                }
            }
        }
    }
    team_sums(sums, thread_, team_partials);
    bool loop_init_12 = true;
    while(true) {
        if (!loop_init_12) {
            uint _e181 = r_1;
            r_1 = _e181 + 1u;
        }
        loop_init_12 = false;
        uint _e136 = r_1;
        if (_e136 < ROWS) {
        } else {
            break;
        }
        {
            uint _e139 = r_1;
            uint _e141 = r_1;
            float _e143 = sums.inner[_e141];
            uint _e145 = r_1;
            float _e148 = sums.inner[ROWS + _e145];
            float _e151 = p.limit;
            float _e152 = swiglu(_e143, _e148, _e151);
            float _e153 = weight;
            values.inner[_e139] = _e152 * _e153;
            if (lane == 0u) {
                uint _e159 = r_1;
                uint _e163 = p.n_rows;
                local = (first_row_1 + _e159) < _e163;
            } else {
                local = false;
            }
            bool _e166 = local;
            if (_e166) {
                uint _e171 = p.n_rows;
                uint _e174 = r_1;
                uint _e177 = r_1;
                float _e179 = values.inner[_e177];
                hidden[((workgroup.y * _e171) + first_row_1) + _e174] = _e179;
            }
        }
    }
    pack_hidden(workgroup, first_row_1, thread_, values);
    return;
}
