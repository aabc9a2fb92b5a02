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
    uint size9;
    uint size10;
    uint size11;
};

typedef metal::float4 type_3[1];
struct type_4 {
    metal::float4 inner[8];
};
typedef metal::uint2 type_6[1];
typedef uint type_7[1];
struct type_9 {
    float inner[16];
};
struct type_10 {
    float inner[2];
};
struct Parameters {
    uint n_rows;
    uint columns;
    uint n_groups;
    uint n_chosen;
    float limit;
};
typedef float type_12[1];
constant uint WORKGROUP = 256u;
constant uint TEAM = 128u;
constant uint SUMS = 2u;
constant uint SUBGROUP = 32u;
constant float LARGEST_EXPONENT = 80.0;

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
    type_4 values_1 = {};
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
            values_1.inner[2u * _e57] = (scale * static_cast<metal::float4>(uint4(as_type<packed_uchar4>(point.x)))) * _e64;
            uint _e67 = i_1;
            metal::float4 _e78 = gate_signs(signs >> 4u);
            values_1.inner[(2u * _e67) + 1u] = (scale * static_cast<metal::float4>(uint4(as_type<packed_uchar4>(point.y)))) * _e78;
        }
    }
    type_4 _e83 = values_1;
    return _e83;
}

metal::float4 up_signs(
    uint bits_1
) {
    metal::uint4 negative_1 = (metal::uint4(bits_1) >> metal::uint4(0u, 1u, 2u, 3u)) & metal::uint4(1u);
    return metal::float4(1.0) - (2.0 * static_cast<metal::float4>(negative_1));
}

type_4 up_group(
    uint index_1,
    device type_6 const& up_quants,
    device type_7 const& up_scales,
    device type_6 const& up_grid,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 values_2 = {};
    uint i_2 = 0u;
    uint block_1 = index_1 / 8u;
    uint _e7 = up_scales[block_1 / 2u];
    float d_1 = float2(as_type<half2>((_e7 >> (16u * (block_1 & 1u))))).x;
    metal::uint2 words_1 = up_quants[index_1];
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
            values_2.inner[2u * _e57] = (scale_1 * static_cast<metal::float4>(uint4(as_type<packed_uchar4>(point_1.x)))) * _e64;
            uint _e67 = i_2;
            metal::float4 _e78 = up_signs(signs_1 >> 4u);
            values_2.inner[(2u * _e67) + 1u] = (scale_1 * static_cast<metal::float4>(uint4(as_type<packed_uchar4>(point_1.y)))) * _e78;
        }
    }
    type_4 _e83 = values_2;
    return _e83;
}

void team_sums(
    thread type_10& values_3,
    uint thread_1,
    threadgroup type_9& team_partials
) {
    uint s = 0u;
    float sum_1 = {};
    uint far = {};
    uint s_1 = 0u;
    uint s_2 = 0u;
    float sum_2 = {};
    uint i_3 = {};
    bool loop_init_3 = true;
    while(true) {
        if (!loop_init_3) {
            uint _e31 = s;
            s = _e31 + 1u;
        }
        loop_init_3 = false;
        uint _e4 = s;
        if (_e4 < SUMS) {
        } else {
            break;
        }
        {
            uint _e7 = s;
            float _e9 = values_3.inner[_e7];
            sum_1 = _e9;
            if (true) {
                float _e12 = sum_1;
                float unnamed = metal::simd_sum(_e12);
                sum_1 = unnamed;
            } else {
                far = 64u;
                bool loop_init_4 = true;
                while(true) {
                    if (!loop_init_4) {
                        uint _e24 = far;
                        far = _e24 >> 1u;
                    }
                    loop_init_4 = false;
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
            values_3.inner[_e27] = _e29;
        }
    }
    if (true) {
        metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
        if ((thread_1 % SUBGROUP) == 0u) {
            bool loop_init_5 = true;
            while(true) {
                if (!loop_init_5) {
                    uint _e55 = s_1;
                    s_1 = _e55 + 1u;
                }
                loop_init_5 = false;
                uint _e40 = s_1;
                if (_e40 < SUMS) {
                } else {
                    break;
                }
                {
                    uint _e48 = s_1;
                    uint _e51 = s_1;
                    float _e53 = values_3.inner[_e51];
                    team_partials.inner[((thread_1 / SUBGROUP) * SUMS) + _e48] = _e53;
                }
            }
        }
        metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
        uint first_2 = (thread_1 / TEAM) * 4u;
        bool loop_init_6 = true;
        while(true) {
            if (!loop_init_6) {
                uint _e91 = s_2;
                s_2 = _e91 + 1u;
            }
            loop_init_6 = false;
            uint _e63 = s_2;
            if (_e63 < SUMS) {
            } else {
                break;
            }
            {
                sum_2 = 0.0;
                i_3 = 0u;
                bool loop_init_7 = true;
                while(true) {
                    if (!loop_init_7) {
                        uint _e85 = i_3;
                        i_3 = _e85 + 1u;
                    }
                    loop_init_7 = false;
                    uint _e70 = i_3;
                    if (_e70 < 4u) {
                    } else {
                        break;
                    }
                    {
                        float _e73 = sum_2;
                        uint _e75 = i_3;
                        uint _e79 = s_2;
                        float _e82 = team_partials.inner[((first_2 + _e75) * SUMS) + _e79];
                        sum_2 = _e73 + _e82;
                    }
                }
                uint _e87 = s_2;
                float _e89 = sum_2;
                values_3.inner[_e87] = _e89;
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
, threadgroup type_9& team_partials
, constant Parameters& p [[user(fake0)]]
, device type_12& hidden [[user(fake0)]]
, device type_7 const& experts [[user(fake0)]]
, device type_12 const& weights [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    type_10 sums = {};
    uint group = {};
    bool local = {};
    uint row = (workgroup.x * 2u) + (thread_ / TEAM);
    uint lane = thread_ % TEAM;
    uint choice = workgroup.y;
    uint _e14 = p.n_rows;
    if (row < _e14) {
        uint _e18 = p.n_chosen;
        uint _e22 = p.columns;
        uint first_3 = (choice / _e18) * _e22;
        uint _e26 = experts[choice];
        uint _e29 = p.n_rows;
        uint weight_row = (_e26 * _e29) + row;
        group = lane;
        bool loop_init_8 = true;
        while(true) {
            if (!loop_init_8) {
                uint _e62 = group;
                group = _e62 + TEAM;
            }
            loop_init_8 = false;
            uint _e33 = group;
            uint _e36 = p.n_groups;
            if (_e33 < _e36) {
            } else {
                break;
            }
            {
                uint _e40 = p.n_groups;
                uint _e42 = group;
                uint index_2 = (weight_row * _e40) + _e42;
                float _e45 = sums.inner[0];
                type_4 _e46 = gate_group(index_2, gate_quants, gate_scales, gate_grid, _buffer_sizes);
                uint _e47 = group;
                uint _e50 = p.columns;
                float _e51 = group_product(_e46, first_3, _e47, _e50, x, _buffer_sizes);
                sums.inner[0] = _e45 + _e51;
                float _e54 = sums.inner[1];
                type_4 _e55 = up_group(index_2, up_quants, up_scales, up_grid, _buffer_sizes);
                uint _e56 = group;
                uint _e59 = p.columns;
                float _e60 = group_product(_e55, first_3, _e56, _e59, x, _buffer_sizes);
                sums.inner[1] = _e54 + _e60;
            }
        }
    }
    team_sums(sums, thread_, team_partials);
    uint _e67 = p.n_rows;
    if (row < _e67) {
        local = lane == 0u;
    } else {
        local = false;
    }
    bool _e74 = local;
    if (_e74) {
        uint _e78 = p.n_rows;
        float _e83 = sums.inner[0];
        float _e85 = sums.inner[1];
        float _e88 = p.limit;
        float _e89 = swiglu(_e83, _e85, _e88);
        float _e92 = weights[choice];
        hidden[(choice * _e78) + row] = _e89 * _e92;
        return;
    } else {
        return;
    }
}
