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
    uint columns;
    uint n_groups;
};
typedef float type_10[1];
constant uint WORKGROUP = 256u;
constant uint TEAM = 256u;
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

type_4 weight_group(
    uint index,
    device type_6 const& weight_values,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 values_1 = {};
    uint i_2 = 0u;
    bool loop_init_1 = true;
    while(true) {
        if (!loop_init_1) {
            uint _e35 = i_2;
            i_2 = _e35 + 1u;
        }
        loop_init_1 = false;
        uint _e4 = i_2;
        if (_e4 < 4u) {
        } else {
            break;
        }
        {
            uint _e10 = i_2;
            metal::uint4 eight = weight_values[(index * 4u) + _e10];
            uint _e15 = i_2;
            values_1.inner[2u * _e15] = metal::float4(float2(as_type<half2>(eight.x)), float2(as_type<half2>(eight.y)));
            uint _e24 = i_2;
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
    uint i_3 = {};
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
                far = 128u;
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
        uint first_2 = (thread_1 / TEAM) * 8u;
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
                i_3 = 0u;
                bool loop_init_6 = true;
                while(true) {
                    if (!loop_init_6) {
                        uint _e85 = i_3;
                        i_3 = _e85 + 1u;
                    }
                    loop_init_6 = false;
                    uint _e70 = i_3;
                    if (_e70 < 8u) {
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
, device type_10& projections [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    type_8 sums = {};
    uint group = {};
    uint i = {};
    uint row = workgroup.x;
    uint _e6 = p.columns;
    uint first_3 = workgroup.y * _e6;
    group = thread_;
    bool loop_init_7 = true;
    while(true) {
        if (!loop_init_7) {
            uint _e57 = group;
            group = _e57 + WORKGROUP;
        }
        loop_init_7 = false;
        uint _e10 = group;
        uint _e13 = p.n_groups;
        if (_e10 < _e13) {
        } else {
            break;
        }
        {
            uint _e17 = p.n_rows;
            if (row < _e17) {
                uint _e21 = p.n_groups;
                uint _e23 = group;
                type_4 _e25 = weight_group((row * _e21) + _e23, weight_values, _buffer_sizes);
                float _e27 = sums.inner[0];
                uint _e28 = group;
                uint _e31 = p.columns;
                float _e32 = group_product(_e25, first_3, _e28, _e31, x, _buffer_sizes);
                sums.inner[0] = _e27 + _e32;
            } else {
                i = 0u;
                bool loop_init_8 = true;
                while(true) {
                    if (!loop_init_8) {
                        uint _e55 = i;
                        i = _e55 + 1u;
                    }
                    loop_init_8 = false;
                    uint _e36 = i;
                    if (_e36 < 8u) {
                    } else {
                        break;
                    }
                    {
                        uint _e40 = group;
                        uint _e43 = i;
                        uint _e48 = p.columns;
                        metal::float4 _e49 = activations_at(first_3, (32u * _e40) + (4u * _e43), _e48, x, _buffer_sizes);
                        float _e51 = sums.inner[0];
                        sums.inner[0] = _e51 + metal::dot(_e49, _e49);
                    }
                }
            }
        }
    }
    team_sums(sums, thread_, team_partials);
    if (thread_ == 0u) {
        uint _e66 = p.n_rows;
        float _e73 = sums.inner[0];
        projections[(workgroup.y * (_e66 + 1u)) + row] = _e73;
        return;
    } else {
        return;
    }
}
