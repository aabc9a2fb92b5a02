// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size0;
    uint size1;
    uint size2;
    uint size5;
    uint size6;
    uint size7;
};

typedef metal::float4 type_3[1];
struct type_4 {
    metal::float4 inner[8];
};
typedef metal::uint4 type_6[1];
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
typedef uint type_13[1];
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

uint gate_byte(
    uint word,
    uint i_1
) {
    return (word >> (8u * i_1)) & 255u;
}

metal::float2 gate_scale_min(
    metal::uint4 head,
    uint g
) {
    uint i_6 = g & 3u;
    if (g < 4u) {
        uint _e7 = gate_byte(head.y, i_6);
        uint _e9 = gate_byte(head.z, i_6);
        return static_cast<metal::float2>(metal::uint2(_e7, _e9) & metal::uint2(63u));
    }
    uint _e16 = gate_byte(head.w, i_6);
    uint _e20 = gate_byte(head.y, i_6);
    uint scale = (_e16 & 15u) | ((_e20 >> 6u) << 4u);
    uint _e29 = gate_byte(head.z, i_6);
    uint minimum = (_e16 >> 4u) | ((_e29 >> 6u) << 4u);
    return static_cast<metal::float2>(metal::uint2(scale, minimum));
}

type_4 gate_group(
    uint index,
    device type_6 const& gate_blocks,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 values_1 = {};
    uint i_2 = 0u;
    uint block = (index / 8u) * 9u;
    uint g_2 = index & 7u;
    metal::uint4 head_2 = gate_blocks[block];
    metal::float2 _e12 = gate_scale_min(head_2, g_2);
    metal::float2 scale_min = float2(as_type<half2>(head_2.x)) * _e12;
    uint quants = (block + 1u) + ((g_2 / 2u) * 2u);
    metal::uint4 shift = metal::uint4(4u * (g_2 & 1u));
    metal::uint4 _e28 = gate_blocks[quants];
    metal::uint4 low = (_e28 >> shift) & metal::uint4(252645135u);
    metal::uint4 _e37 = gate_blocks[quants + 1u];
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

uint up_byte(
    uint word_1,
    uint i_3
) {
    return (word_1 >> (8u * i_3)) & 255u;
}

metal::float2 up_scale_min(
    metal::uint4 head_1,
    uint g_1
) {
    uint i_7 = g_1 & 3u;
    if (g_1 < 4u) {
        uint _e7 = up_byte(head_1.y, i_7);
        uint _e9 = up_byte(head_1.z, i_7);
        return static_cast<metal::float2>(metal::uint2(_e7, _e9) & metal::uint2(63u));
    }
    uint _e16 = up_byte(head_1.w, i_7);
    uint _e20 = up_byte(head_1.y, i_7);
    uint scale_1 = (_e16 & 15u) | ((_e20 >> 6u) << 4u);
    uint _e29 = up_byte(head_1.z, i_7);
    uint minimum_1 = (_e16 >> 4u) | ((_e29 >> 6u) << 4u);
    return static_cast<metal::float2>(metal::uint2(scale_1, minimum_1));
}

type_4 up_group(
    uint index_1,
    device type_6 const& up_blocks,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 values_2 = {};
    uint i_4 = 0u;
    uint block_1 = (index_1 / 8u) * 9u;
    uint g_3 = index_1 & 7u;
    metal::uint4 head_3 = up_blocks[block_1];
    metal::float2 _e12 = up_scale_min(head_3, g_3);
    metal::float2 scale_min_1 = float2(as_type<half2>(head_3.x)) * _e12;
    uint quants_1 = (block_1 + 1u) + ((g_3 / 2u) * 2u);
    metal::uint4 shift_1 = metal::uint4(4u * (g_3 & 1u));
    metal::uint4 _e28 = up_blocks[quants_1];
    metal::uint4 low_1 = (_e28 >> shift_1) & metal::uint4(252645135u);
    metal::uint4 _e37 = up_blocks[quants_1 + 1u];
    metal::uint4 high_1 = (_e37 >> shift_1) & metal::uint4(252645135u);
    bool loop_init_2 = true;
    while(true) {
        if (!loop_init_2) {
            uint _e73 = i_4;
            i_4 = _e73 + 1u;
        }
        loop_init_2 = false;
        uint _e45 = i_4;
        if (_e45 < 4u) {
        } else {
            break;
        }
        {
            uint _e48 = i_4;
            uint _e51 = i_4;
            values_2.inner[_e48] = (scale_min_1.x * static_cast<metal::float4>(uint4(as_type<packed_uchar4>(low_1[_e51])))) - metal::float4(scale_min_1.y);
            uint _e60 = i_4;
            uint _e64 = i_4;
            values_2.inner[4u + _e60] = (scale_min_1.x * static_cast<metal::float4>(uint4(as_type<packed_uchar4>(high_1[_e64])))) - metal::float4(scale_min_1.y);
        }
    }
    type_4 _e75 = values_2;
    return _e75;
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
    uint i_5 = {};
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
                i_5 = 0u;
                bool loop_init_7 = true;
                while(true) {
                    if (!loop_init_7) {
                        uint _e85 = i_5;
                        i_5 = _e85 + 1u;
                    }
                    loop_init_7 = false;
                    uint _e70 = i_5;
                    if (_e70 < 4u) {
                    } else {
                        break;
                    }
                    {
                        float _e73 = sum_2;
                        uint _e75 = i_5;
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
, device type_6 const& gate_blocks [[user(fake0)]]
, device type_6 const& up_blocks [[user(fake0)]]
, threadgroup type_9& team_partials
, constant Parameters& p [[user(fake0)]]
, device type_12& hidden [[user(fake0)]]
, device type_13 const& experts [[user(fake0)]]
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
                type_4 _e46 = gate_group(index_2, gate_blocks, _buffer_sizes);
                uint _e47 = group;
                uint _e50 = p.columns;
                float _e51 = group_product(_e46, first_3, _e47, _e50, x, _buffer_sizes);
                sums.inner[0] = _e45 + _e51;
                float _e54 = sums.inner[1];
                type_4 _e55 = up_group(index_2, up_blocks, _buffer_sizes);
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
