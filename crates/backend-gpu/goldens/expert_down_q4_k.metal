// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size0;
    uint size1;
    uint size4;
    uint size5;
};

typedef metal::float4 type_3[1];
struct type_4 {
    metal::float4 inner[8];
};
typedef metal::uint4 type_6[1];
struct type_9 {
    float inner[8];
};
struct type_10 {
    float inner[1];
};
struct Parameters {
    uint n_rows;
    uint columns;
    uint n_groups;
    uint n_chosen;
    uint adds;
};
typedef float type_12[1];
typedef uint type_13[1];
constant uint WORKGROUP = 256u;
constant uint TEAM = 32u;
constant uint SUMS = 1u;
constant uint SUBGROUP = 32u;

float group_product(
    type_4 values,
    uint first,
    uint group_1,
    uint columns,
    device type_3 const& x,
    constant _mslBufferSizes& _buffer_sizes
) {
    float sum = 0.0;
    uint i_1 = 0u;
    uint at = (first / 4u) + (group_1 * 8u);
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e27 = i_1;
            i_1 = _e27 + 1u;
        }
        loop_init = false;
        uint _e13 = i_1;
        if (_e13 < 8u) {
        } else {
            break;
        }
        {
            float _e16 = sum;
            uint _e17 = i_1;
            uint _e20 = i_1;
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

uint weight_byte(
    uint word,
    uint i_2
) {
    return (word >> (8u * i_2)) & 255u;
}

metal::float2 weight_scale_min(
    metal::uint4 head,
    uint g
) {
    uint i_5 = g & 3u;
    if (g < 4u) {
        uint _e7 = weight_byte(head.y, i_5);
        uint _e9 = weight_byte(head.z, i_5);
        return static_cast<metal::float2>(metal::uint2(_e7, _e9) & metal::uint2(63u));
    }
    uint _e16 = weight_byte(head.w, i_5);
    uint _e20 = weight_byte(head.y, i_5);
    uint scale = (_e16 & 15u) | ((_e20 >> 6u) << 4u);
    uint _e29 = weight_byte(head.z, i_5);
    uint minimum = (_e16 >> 4u) | ((_e29 >> 6u) << 4u);
    return static_cast<metal::float2>(metal::uint2(scale, minimum));
}

type_4 weight_group(
    uint index,
    device type_6 const& weight_blocks,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 values_1 = {};
    uint i_3 = 0u;
    uint block = (index / 8u) * 9u;
    uint g_1 = index & 7u;
    metal::uint4 head_1 = weight_blocks[block];
    metal::float2 _e12 = weight_scale_min(head_1, g_1);
    metal::float2 scale_min = float2(as_type<half2>(head_1.x)) * _e12;
    uint quants = (block + 1u) + ((g_1 / 2u) * 2u);
    metal::uint4 shift = metal::uint4(4u * (g_1 & 1u));
    metal::uint4 _e28 = weight_blocks[quants];
    metal::uint4 low = (_e28 >> shift) & metal::uint4(252645135u);
    metal::uint4 _e37 = weight_blocks[quants + 1u];
    metal::uint4 high = (_e37 >> shift) & metal::uint4(252645135u);
    bool loop_init_1 = true;
    while(true) {
        if (!loop_init_1) {
            uint _e73 = i_3;
            i_3 = _e73 + 1u;
        }
        loop_init_1 = false;
        uint _e45 = i_3;
        if (_e45 < 4u) {
        } else {
            break;
        }
        {
            uint _e48 = i_3;
            uint _e51 = i_3;
            values_1.inner[_e48] = (scale_min.x * static_cast<metal::float4>(uint4(as_type<packed_uchar4>(low[_e51])))) - metal::float4(scale_min.y);
            uint _e60 = i_3;
            uint _e64 = i_3;
            values_1.inner[4u + _e60] = (scale_min.x * static_cast<metal::float4>(uint4(as_type<packed_uchar4>(high[_e64])))) - metal::float4(scale_min.y);
        }
    }
    type_4 _e75 = values_1;
    return _e75;
}

void team_sums(
    thread type_10& values_2,
    uint thread_1,
    threadgroup type_9& team_partials
) {
    uint s = 0u;
    float sum_1 = {};
    uint far = {};
    uint s_1 = 0u;
    uint s_2 = 0u;
    float sum_2 = {};
    uint i_4 = {};
    bool loop_init_2 = true;
    while(true) {
        if (!loop_init_2) {
            uint _e31 = s;
            s = _e31 + 1u;
        }
        loop_init_2 = false;
        uint _e4 = s;
        if (_e4 < SUMS) {
        } else {
            break;
        }
        {
            uint _e7 = s;
            float _e9 = values_2.inner[_e7];
            sum_1 = _e9;
            if (true) {
                float _e12 = sum_1;
                float unnamed = metal::simd_sum(_e12);
                sum_1 = unnamed;
            } else {
                far = 16u;
                bool loop_init_3 = true;
                while(true) {
                    if (!loop_init_3) {
                        uint _e24 = far;
                        far = _e24 >> 1u;
                    }
                    loop_init_3 = false;
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
            values_2.inner[_e27] = _e29;
        }
    }
    if (false) {
        metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
        if ((thread_1 % SUBGROUP) == 0u) {
            bool loop_init_4 = true;
            while(true) {
                if (!loop_init_4) {
                    uint _e55 = s_1;
                    s_1 = _e55 + 1u;
                }
                loop_init_4 = false;
                uint _e40 = s_1;
                if (_e40 < SUMS) {
                } else {
                    break;
                }
                {
                    uint _e48 = s_1;
                    uint _e51 = s_1;
                    float _e53 = values_2.inner[_e51];
                    team_partials.inner[((thread_1 / SUBGROUP) * SUMS) + _e48] = _e53;
                }
            }
        }
        metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
        uint first_2 = (thread_1 / TEAM) * 1u;
        bool loop_init_5 = true;
        while(true) {
            if (!loop_init_5) {
                uint _e91 = s_2;
                s_2 = _e91 + 1u;
            }
            loop_init_5 = false;
            uint _e63 = s_2;
            if (_e63 < SUMS) {
            } else {
                break;
            }
            {
                sum_2 = 0.0;
                i_4 = 0u;
                bool loop_init_6 = true;
                while(true) {
                    if (!loop_init_6) {
                        uint _e85 = i_4;
                        i_4 = _e85 + 1u;
                    }
                    loop_init_6 = false;
                    uint _e70 = i_4;
                    if (_e70 < 1u) {
                    } else {
                        break;
                    }
                    {
                        float _e73 = sum_2;
                        uint _e75 = i_4;
                        uint _e79 = s_2;
                        float _e82 = team_partials.inner[((first_2 + _e75) * SUMS) + _e79];
                        sum_2 = _e73 + _e82;
                    }
                }
                uint _e87 = s_2;
                float _e89 = sum_2;
                values_2.inner[_e87] = _e89;
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
, device type_6 const& weight_blocks [[user(fake0)]]
, threadgroup type_9& team_partials
, constant Parameters& p [[user(fake0)]]
, device type_12& out [[user(fake0)]]
, device type_13 const& experts [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    type_10 sums = {};
    uint i = 0u;
    uint group = {};
    bool local = {};
    uint row = (workgroup.x * 8u) + (thread_ / TEAM);
    uint lane = thread_ % TEAM;
    uint token = workgroup.y;
    uint _e14 = p.n_rows;
    if (row < _e14) {
        bool loop_init_7 = true;
        while(true) {
            if (!loop_init_7) {
                uint _e66 = i;
                i = _e66 + 1u;
            }
            loop_init_7 = false;
            uint _e18 = i;
            uint _e21 = p.n_chosen;
            if (_e18 < _e21) {
            } else {
                break;
            }
            {
                uint _e25 = p.n_chosen;
                uint _e27 = i;
                uint choice = (token * _e25) + _e27;
                uint _e31 = experts[choice];
                uint _e34 = p.n_rows;
                uint weight_row = (_e31 * _e34) + row;
                group = lane;
                bool loop_init_8 = true;
                while(true) {
                    if (!loop_init_8) {
                        uint _e62 = group;
                        group = _e62 + TEAM;
                    }
                    loop_init_8 = false;
                    uint _e38 = group;
                    uint _e41 = p.n_groups;
                    if (_e38 < _e41) {
                    } else {
                        break;
                    }
                    {
                        uint _e45 = p.n_groups;
                        uint _e47 = group;
                        type_4 _e49 = weight_group((weight_row * _e45) + _e47, weight_blocks, _buffer_sizes);
                        float _e51 = sums.inner[0];
                        uint _e54 = p.columns;
                        uint _e56 = group;
                        uint _e59 = p.columns;
                        float _e60 = group_product(_e49, choice * _e54, _e56, _e59, x, _buffer_sizes);
                        sums.inner[0] = _e51 + _e60;
                    }
                }
            }
        }
    }
    team_sums(sums, thread_, team_partials);
    uint _e70 = p.n_rows;
    if (row < _e70) {
        local = lane == 0u;
    } else {
        local = false;
    }
    bool _e77 = local;
    if (_e77) {
        uint _e80 = p.n_rows;
        uint at_1 = (token * _e80) + row;
        uint _e85 = p.adds;
        if (_e85 == 1u) {
            float _e90 = out[at_1];
            float _e92 = sums.inner[0];
            out[at_1] = _e90 + _e92;
            return;
        } else {
            float _e97 = sums.inner[0];
            out[at_1] = _e97;
            return;
        }
    } else {
        return;
    }
}
