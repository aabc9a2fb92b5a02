// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size0;
    uint size1;
    uint size4;
};

typedef metal::float4 type_3[1];
struct type_4 {
    metal::float4 inner[8];
};
typedef metal::uint4 type_6[1];
struct type_7 {
    float inner[8];
};
struct type_8 {
    float inner[1];
};
struct Parameters {
    uint n_rows;
    uint n_tokens;
    uint columns;
    uint n_groups;
    uint rows_per_part;
    uint x_width;
    uint out_width;
};
typedef float type_10[1];
constant uint WORKGROUP = 256u;
constant uint TEAM = 128u;
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

type_4 weight_group(
    uint index,
    device type_6 const& weight_values,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 values_1 = {};
    uint i_1 = 0u;
    bool loop_init_1 = true;
    while(true) {
        if (!loop_init_1) {
            uint _e35 = i_1;
            i_1 = _e35 + 1u;
        }
        loop_init_1 = false;
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
    type_4 _e37 = values_1;
    return _e37;
}

void team_sums(
    thread type_8& values_2,
    uint thread_1,
    threadgroup type_7& team_partials
) {
    uint s = 0u;
    float sum_1 = {};
    uint far = {};
    uint s_1 = 0u;
    uint s_2 = 0u;
    float sum_2 = {};
    uint i_2 = {};
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
                far = 64u;
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
    if (true) {
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
        uint first_2 = (thread_1 / TEAM) * 4u;
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
                i_2 = 0u;
                bool loop_init_6 = true;
                while(true) {
                    if (!loop_init_6) {
                        uint _e85 = i_2;
                        i_2 = _e85 + 1u;
                    }
                    loop_init_6 = false;
                    uint _e70 = i_2;
                    if (_e70 < 4u) {
                    } else {
                        break;
                    }
                    {
                        float _e73 = sum_2;
                        uint _e75 = i_2;
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
, device type_6 const& weight_values [[user(fake0)]]
, threadgroup type_7& team_partials
, constant Parameters& p [[user(fake0)]]
, device type_10& out [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    type_8 sums = {};
    uint group = {};
    uint t = {};
    bool local = {};
    uint t_1 = 0u;
    uint row = (workgroup.x * 2u) + (thread_ / TEAM);
    uint lane = thread_ % TEAM;
    uint _e13 = p.n_rows;
    if (row < _e13) {
        uint _e17 = p.rows_per_part;
        uint _e21 = p.columns;
        uint part = (row / _e17) * _e21;
        group = lane;
        bool loop_init_7 = true;
        while(true) {
            if (!loop_init_7) {
                uint _e64 = group;
                group = _e64 + TEAM;
            }
            loop_init_7 = false;
            uint _e24 = group;
            uint _e27 = p.n_groups;
            if (_e24 < _e27) {
            } else {
                break;
            }
            {
                uint _e31 = p.n_groups;
                uint _e33 = group;
                type_4 _e35 = weight_group((row * _e31) + _e33, weight_values, _buffer_sizes);
                t = 0u;
                bool loop_init_8 = true;
                while(true) {
                    if (!loop_init_8) {
                        uint _e62 = t;
                        t = _e62 + 1u;
                    }
                    loop_init_8 = false;
                    uint _e38 = t;
                    if (_e38 < SUMS) {
                    } else {
                        break;
                    }
                    {
                        uint _e41 = t;
                        uint _e44 = p.n_tokens;
                        if (_e41 < _e44) {
                            uint _e46 = t;
                            float _e48 = sums.inner[_e46];
                            uint _e49 = t;
                            uint _e52 = p.x_width;
                            uint _e55 = group;
                            uint _e58 = p.columns;
                            float _e59 = group_product(_e35, (_e49 * _e52) + part, _e55, _e58, x, _buffer_sizes);
                            sums.inner[_e46] = _e48 + _e59;
                        }
                    }
                }
            }
        }
    }
    team_sums(sums, thread_, team_partials);
    uint _e69 = p.n_rows;
    if (row < _e69) {
        local = lane == 0u;
    } else {
        local = false;
    }
    bool _e76 = local;
    if (_e76) {
        bool loop_init_9 = true;
        while(true) {
            if (!loop_init_9) {
                uint _e99 = t_1;
                t_1 = _e99 + 1u;
            }
            loop_init_9 = false;
            uint _e79 = t_1;
            if (_e79 < SUMS) {
            } else {
                break;
            }
            {
                uint _e82 = t_1;
                uint _e85 = p.n_tokens;
                if (_e82 < _e85) {
                    uint _e88 = t_1;
                    uint _e91 = p.out_width;
                    uint _e95 = t_1;
                    float _e97 = sums.inner[_e95];
                    out[(_e88 * _e91) + row] = _e97;
                }
            }
        }
        return;
    } else {
        return;
    }
}
