// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size0;
    uint size3;
    uint size4;
    uint size5;
    uint size6;
    uint size7;
    uint size8;
    uint size9;
    uint size10;
    uint size11;
    uint size12;
    uint size13;
    uint size14;
    uint size15;
    uint size16;
    uint size17;
    uint size18;
};

typedef metal::float4 type_3[1];
struct type_4 {
    metal::float4 inner[8];
};
struct type_5 {
    float inner[16];
};
struct type_6 {
    float inner[2];
};
struct Parameters {
    uint n_tokens;
    uint columns;
    uint rows_per_part;
    uint x_width;
    uint n_rows_a;
    uint n_rows_b;
    uint n_rows_c;
    uint n_rows_d;
    uint n_rows_e;
    uint n_rows_f;
    uint n_rows_g;
    uint n_rows_h;
    float norm_eps;
};
typedef uint type_8[1];
typedef metal::uint4 type_10[1];
typedef float type_11[1];
struct type_13 {
    metal::float4 inner[2];
};
constant uint WORKGROUP = 256u;
constant uint TEAM = 128u;
constant uint SUMS = 2u;
constant uint SUBGROUP = 32u;
constant uint TOKENS = 1u;
constant uint ROWS = 2u;
constant uint GROUPS = 128u;
constant uint BLOCK_ROWS = 4u;

float group_product(
    type_4 values,
    uint first,
    uint group,
    uint columns,
    device type_3 const& x,
    constant _mslBufferSizes& _buffer_sizes
) {
    float sum = 0.0;
    uint i = 0u;
    uint at_1 = (first / 4u) + (group * 8u);
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
            metal::float4 _e23 = x[at_1 + _e20];
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

void team_sums(
    thread type_6& values_1,
    uint thread_1,
    threadgroup type_5& team_partials
) {
    uint s = 0u;
    float sum_1 = {};
    uint far = {};
    uint s_1 = 0u;
    uint s_2 = 0u;
    float sum_2 = {};
    uint i_1 = {};
    bool loop_init_1 = true;
    while(true) {
        if (!loop_init_1) {
            uint _e31 = s;
            s = _e31 + 1u;
        }
        loop_init_1 = false;
        uint _e4 = s;
        if (_e4 < SUMS) {
        } else {
            break;
        }
        {
            uint _e7 = s;
            float _e9 = values_1.inner[_e7];
            sum_1 = _e9;
            if (true) {
                float _e12 = sum_1;
                float unnamed = metal::simd_sum(_e12);
                sum_1 = unnamed;
            } else {
                far = 64u;
                bool loop_init_2 = true;
                while(true) {
                    if (!loop_init_2) {
                        uint _e24 = far;
                        far = _e24 >> 1u;
                    }
                    loop_init_2 = false;
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
            values_1.inner[_e27] = _e29;
        }
    }
    if (true) {
        metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
        if ((thread_1 % SUBGROUP) == 0u) {
            bool loop_init_3 = true;
            while(true) {
                if (!loop_init_3) {
                    uint _e55 = s_1;
                    s_1 = _e55 + 1u;
                }
                loop_init_3 = false;
                uint _e40 = s_1;
                if (_e40 < SUMS) {
                } else {
                    break;
                }
                {
                    uint _e48 = s_1;
                    uint _e51 = s_1;
                    float _e53 = values_1.inner[_e51];
                    team_partials.inner[((thread_1 / SUBGROUP) * SUMS) + _e48] = _e53;
                }
            }
        }
        metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
        uint first_4 = (thread_1 / TEAM) * 4u;
        bool loop_init_4 = true;
        while(true) {
            if (!loop_init_4) {
                uint _e91 = s_2;
                s_2 = _e91 + 1u;
            }
            loop_init_4 = false;
            uint _e63 = s_2;
            if (_e63 < SUMS) {
            } else {
                break;
            }
            {
                sum_2 = 0.0;
                i_1 = 0u;
                bool loop_init_5 = true;
                while(true) {
                    if (!loop_init_5) {
                        uint _e85 = i_1;
                        i_1 = _e85 + 1u;
                    }
                    loop_init_5 = false;
                    uint _e70 = i_1;
                    if (_e70 < 4u) {
                    } else {
                        break;
                    }
                    {
                        float _e73 = sum_2;
                        uint _e75 = i_1;
                        uint _e79 = s_2;
                        float _e82 = team_partials.inner[((first_4 + _e75) * SUMS) + _e79];
                        sum_2 = _e73 + _e82;
                    }
                }
                uint _e87 = s_2;
                float _e89 = sum_2;
                values_1.inner[_e87] = _e89;
            }
        }
        return;
    } else {
        return;
    }
}

void activations_begin(
    uint thread_2
) {
    return;
}

metal::float4 x_four(
    uint at,
    device type_3 const& x,
    constant _mslBufferSizes& _buffer_sizes
) {
    metal::float4 _e3 = x[at];
    return _e3;
}

uint n_blocks(
    uint n_rows
) {
    return ((n_rows + BLOCK_ROWS) - 1u) / BLOCK_ROWS;
}

void wa_begin(
    uint thread_3
) {
    return;
}

type_4 wa_group(
    uint index,
    device type_8 const& wa_scales,
    device type_10 const& wa_quants,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 values_2 = {};
    uint i_2 = 0u;
    uint _e5 = wa_scales[index / 2u];
    float scale = float2(as_type<half2>((_e5 >> (16u * (index & 1u))))).x;
    metal::uint4 low = wa_quants[index * 2u];
    metal::uint4 high = wa_quants[(index * 2u) + 1u];
    bool loop_init_6 = true;
    while(true) {
        if (!loop_init_6) {
            uint _e48 = i_2;
            i_2 = _e48 + 1u;
        }
        loop_init_6 = false;
        uint _e28 = i_2;
        if (_e28 < 4u) {
        } else {
            break;
        }
        {
            uint _e31 = i_2;
            uint _e33 = i_2;
            values_2.inner[_e31] = scale * static_cast<metal::float4>(int4(as_type<packed_char4>(low[_e33])));
            uint _e39 = i_2;
            uint _e42 = i_2;
            values_2.inner[4u + _e39] = scale * static_cast<metal::float4>(int4(as_type<packed_char4>(high[_e42])));
        }
    }
    type_4 _e50 = values_2;
    return _e50;
}

float wa_product(
    uint index_1,
    uint first_2,
    uint group_1,
    uint columns_2,
    device type_3 const& x,
    device type_8 const& wa_scales,
    device type_10 const& wa_quants,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 _e4 = wa_group(index_1, wa_scales, wa_quants, _buffer_sizes);
    float _e5 = group_product(_e4, first_2, group_1, columns_2, x, _buffer_sizes);
    return _e5;
}

void wa_store(
    uint first_row,
    uint n_rows_1,
    uint thread_4,
    thread type_6& sums,
    constant Parameters& p,
    device type_11& wa_out,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint r = 0u;
    uint t = {};
    bool local = {};
    if ((thread_4 % TEAM) != 0u) {
        return;
    }
    bool loop_init_7 = true;
    while(true) {
        if (!loop_init_7) {
            uint _e48 = r;
            r = _e48 + 1u;
        }
        loop_init_7 = false;
        uint _e10 = r;
        if (_e10 < ROWS) {
        } else {
            break;
        }
        {
            t = 0u;
            bool loop_init_8 = true;
            while(true) {
                if (!loop_init_8) {
                    uint _e45 = t;
                    t = _e45 + 1u;
                }
                loop_init_8 = false;
                uint _e15 = t;
                if (_e15 < TOKENS) {
                } else {
                    break;
                }
                {
                    uint _e18 = r;
                    if ((first_row + _e18) < n_rows_1) {
                        uint _e23 = t;
                        uint _e26 = p.n_tokens;
                        local = _e23 < _e26;
                    } else {
                        local = false;
                    }
                    bool _e29 = local;
                    if (_e29) {
                        uint _e31 = t;
                        uint _e34 = r;
                        uint _e37 = r;
                        uint _e40 = t;
                        float _e43 = sums.inner[(_e37 * TOKENS) + _e40];
                        wa_out[((_e31 * n_rows_1) + first_row) + _e34] = _e43;
                    }
                }
            }
        }
    }
    return;
}

void wa_rows(
    uint block,
    uint n_rows_2,
    uint thread_5,
    device type_3 const& x,
    threadgroup type_5& team_partials,
    constant Parameters& p,
    device type_8 const& wa_scales,
    device type_10 const& wa_quants,
    device type_11& wa_out,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_6 sums_1 = {};
    uint step = 0u;
    bool local_1 = {};
    uint r_1 = {};
    uint t_1 = {};
    wa_begin(thread_5);
    uint first_row_7 = (block * BLOCK_ROWS) + ((thread_5 / TEAM) * ROWS);
    uint lane = thread_5 % TEAM;
    bool loop_init_9 = true;
    while(true) {
        if (!loop_init_9) {
            uint _e85 = step;
            step = _e85 + 1u;
        }
        loop_init_9 = false;
        uint _e15 = step;
        if (_e15 < 1u) {
        } else {
            break;
        }
        {
            uint _e18 = step;
            uint group_3 = (_e18 * TEAM) + lane;
            if (false) {
                local_1 = group_3 >= GROUPS;
            } else {
                local_1 = false;
            }
            bool _e28 = local_1;
            if (_e28) {
                break;
            }
            r_1 = 0u;
            bool loop_init_10 = true;
            while(true) {
                if (!loop_init_10) {
                    uint _e82 = r_1;
                    r_1 = _e82 + 1u;
                }
                loop_init_10 = false;
                uint _e31 = r_1;
                if (_e31 < ROWS) {
                } else {
                    break;
                }
                {
                    uint _e34 = r_1;
                    uint row = metal::min(first_row_7 + _e34, n_rows_2 - 1u);
                    uint index_14 = (row * GROUPS) + group_3;
                    uint _e44 = p.rows_per_part;
                    uint _e48 = p.columns;
                    uint part = (row / _e44) * _e48;
                    t_1 = 0u;
                    bool loop_init_11 = true;
                    while(true) {
                        if (!loop_init_11) {
                            uint _e79 = t_1;
                            t_1 = _e79 + 1u;
                        }
                        loop_init_11 = false;
                        uint _e52 = t_1;
                        if (_e52 < TOKENS) {
                        } else {
                            break;
                        }
                        {
                            uint _e55 = t_1;
                            uint _e58 = p.n_tokens;
                            if (_e55 < _e58) {
                                uint _e60 = t_1;
                                uint _e63 = p.x_width;
                                uint first_5 = (_e60 * _e63) + part;
                                uint _e66 = r_1;
                                uint _e69 = t_1;
                                float _e72 = sums_1.inner[(_e66 * TOKENS) + _e69];
                                uint _e75 = p.columns;
                                float _e76 = wa_product(index_14, first_5, group_3, _e75, x, wa_scales, wa_quants, _buffer_sizes);
                                sums_1.inner[(_e66 * TOKENS) + _e69] = _e72 + _e76;
                            }
                        }
                    }
                }
            }
        }
    }
    team_sums(sums_1, thread_5, team_partials);
    wa_store(first_row_7, n_rows_2, thread_5, sums_1, p, wa_out, _buffer_sizes);
    return;
}

void wb_begin(
    uint thread_6
) {
    return;
}

type_4 wb_group(
    uint index_2,
    device type_8 const& wb_scales,
    device type_10 const& wb_quants,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 values_3 = {};
    uint i_3 = 0u;
    uint _e5 = wb_scales[index_2 / 2u];
    float scale_1 = float2(as_type<half2>((_e5 >> (16u * (index_2 & 1u))))).x;
    metal::uint4 low_1 = wb_quants[index_2 * 2u];
    metal::uint4 high_1 = wb_quants[(index_2 * 2u) + 1u];
    bool loop_init_12 = true;
    while(true) {
        if (!loop_init_12) {
            uint _e48 = i_3;
            i_3 = _e48 + 1u;
        }
        loop_init_12 = false;
        uint _e28 = i_3;
        if (_e28 < 4u) {
        } else {
            break;
        }
        {
            uint _e31 = i_3;
            uint _e33 = i_3;
            values_3.inner[_e31] = scale_1 * static_cast<metal::float4>(int4(as_type<packed_char4>(low_1[_e33])));
            uint _e39 = i_3;
            uint _e42 = i_3;
            values_3.inner[4u + _e39] = scale_1 * static_cast<metal::float4>(int4(as_type<packed_char4>(high_1[_e42])));
        }
    }
    type_4 _e50 = values_3;
    return _e50;
}

float wb_product(
    uint index_3,
    uint first_3,
    uint group_2,
    uint columns_3,
    device type_3 const& x,
    device type_8 const& wb_scales,
    device type_10 const& wb_quants,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 _e4 = wb_group(index_3, wb_scales, wb_quants, _buffer_sizes);
    float _e5 = group_product(_e4, first_3, group_2, columns_3, x, _buffer_sizes);
    return _e5;
}

void wb_store(
    uint first_row_1,
    uint n_rows_3,
    uint thread_7,
    thread type_6& sums_2,
    constant Parameters& p,
    device type_11& wb_out,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint r_2 = 0u;
    uint t_2 = {};
    bool local_2 = {};
    if ((thread_7 % TEAM) != 0u) {
        return;
    }
    bool loop_init_13 = true;
    while(true) {
        if (!loop_init_13) {
            uint _e48 = r_2;
            r_2 = _e48 + 1u;
        }
        loop_init_13 = false;
        uint _e10 = r_2;
        if (_e10 < ROWS) {
        } else {
            break;
        }
        {
            t_2 = 0u;
            bool loop_init_14 = true;
            while(true) {
                if (!loop_init_14) {
                    uint _e45 = t_2;
                    t_2 = _e45 + 1u;
                }
                loop_init_14 = false;
                uint _e15 = t_2;
                if (_e15 < TOKENS) {
                } else {
                    break;
                }
                {
                    uint _e18 = r_2;
                    if ((first_row_1 + _e18) < n_rows_3) {
                        uint _e23 = t_2;
                        uint _e26 = p.n_tokens;
                        local_2 = _e23 < _e26;
                    } else {
                        local_2 = false;
                    }
                    bool _e29 = local_2;
                    if (_e29) {
                        uint _e31 = t_2;
                        uint _e34 = r_2;
                        uint _e37 = r_2;
                        uint _e40 = t_2;
                        float _e43 = sums_2.inner[(_e37 * TOKENS) + _e40];
                        wb_out[((_e31 * n_rows_3) + first_row_1) + _e34] = _e43;
                    }
                }
            }
        }
    }
    return;
}

void wb_rows(
    uint block_1,
    uint n_rows_4,
    uint thread_8,
    device type_3 const& x,
    threadgroup type_5& team_partials,
    constant Parameters& p,
    device type_8 const& wb_scales,
    device type_10 const& wb_quants,
    device type_11& wb_out,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_6 sums_3 = {};
    uint step_1 = 0u;
    bool local_3 = {};
    uint r_3 = {};
    uint t_3 = {};
    wb_begin(thread_8);
    uint first_row_8 = (block_1 * BLOCK_ROWS) + ((thread_8 / TEAM) * ROWS);
    uint lane_1 = thread_8 % TEAM;
    bool loop_init_15 = true;
    while(true) {
        if (!loop_init_15) {
            uint _e85 = step_1;
            step_1 = _e85 + 1u;
        }
        loop_init_15 = false;
        uint _e15 = step_1;
        if (_e15 < 1u) {
        } else {
            break;
        }
        {
            uint _e18 = step_1;
            uint group_4 = (_e18 * TEAM) + lane_1;
            if (false) {
                local_3 = group_4 >= GROUPS;
            } else {
                local_3 = false;
            }
            bool _e28 = local_3;
            if (_e28) {
                break;
            }
            r_3 = 0u;
            bool loop_init_16 = true;
            while(true) {
                if (!loop_init_16) {
                    uint _e82 = r_3;
                    r_3 = _e82 + 1u;
                }
                loop_init_16 = false;
                uint _e31 = r_3;
                if (_e31 < ROWS) {
                } else {
                    break;
                }
                {
                    uint _e34 = r_3;
                    uint row_1 = metal::min(first_row_8 + _e34, n_rows_4 - 1u);
                    uint index_15 = (row_1 * GROUPS) + group_4;
                    uint _e44 = p.rows_per_part;
                    uint _e48 = p.columns;
                    uint part_1 = (row_1 / _e44) * _e48;
                    t_3 = 0u;
                    bool loop_init_17 = true;
                    while(true) {
                        if (!loop_init_17) {
                            uint _e79 = t_3;
                            t_3 = _e79 + 1u;
                        }
                        loop_init_17 = false;
                        uint _e52 = t_3;
                        if (_e52 < TOKENS) {
                        } else {
                            break;
                        }
                        {
                            uint _e55 = t_3;
                            uint _e58 = p.n_tokens;
                            if (_e55 < _e58) {
                                uint _e60 = t_3;
                                uint _e63 = p.x_width;
                                uint first_6 = (_e60 * _e63) + part_1;
                                uint _e66 = r_3;
                                uint _e69 = t_3;
                                float _e72 = sums_3.inner[(_e66 * TOKENS) + _e69];
                                uint _e75 = p.columns;
                                float _e76 = wb_product(index_15, first_6, group_4, _e75, x, wb_scales, wb_quants, _buffer_sizes);
                                sums_3.inner[(_e66 * TOKENS) + _e69] = _e72 + _e76;
                            }
                        }
                    }
                }
            }
        }
    }
    team_sums(sums_3, thread_8, team_partials);
    wb_store(first_row_8, n_rows_4, thread_8, sums_3, p, wb_out, _buffer_sizes);
    return;
}

type_13 wc_eight(
    uint index_4,
    device type_10 const& wc_values,
    constant _mslBufferSizes& _buffer_sizes
) {
    metal::uint4 eight = wc_values[index_4];
    return type_13 {{metal::float4(float2(as_type<half2>(eight.x)), float2(as_type<half2>(eight.y))), metal::float4(float2(as_type<half2>(eight.z)), float2(as_type<half2>(eight.w)))}};
}

void wc_store(
    uint first_row_2,
    uint n_rows_5,
    uint thread_9,
    thread type_6& sums_4,
    constant Parameters& p,
    device type_11& wc_out,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint r_4 = 0u;
    uint t_4 = {};
    bool local_4 = {};
    if ((thread_9 % TEAM) != 0u) {
        return;
    }
    bool loop_init_18 = true;
    while(true) {
        if (!loop_init_18) {
            uint _e48 = r_4;
            r_4 = _e48 + 1u;
        }
        loop_init_18 = false;
        uint _e10 = r_4;
        if (_e10 < ROWS) {
        } else {
            break;
        }
        {
            t_4 = 0u;
            bool loop_init_19 = true;
            while(true) {
                if (!loop_init_19) {
                    uint _e45 = t_4;
                    t_4 = _e45 + 1u;
                }
                loop_init_19 = false;
                uint _e15 = t_4;
                if (_e15 < TOKENS) {
                } else {
                    break;
                }
                {
                    uint _e18 = r_4;
                    if ((first_row_2 + _e18) < n_rows_5) {
                        uint _e23 = t_4;
                        uint _e26 = p.n_tokens;
                        local_4 = _e23 < _e26;
                    } else {
                        local_4 = false;
                    }
                    bool _e29 = local_4;
                    if (_e29) {
                        uint _e31 = t_4;
                        uint _e34 = r_4;
                        uint _e37 = r_4;
                        uint _e40 = t_4;
                        float _e43 = sums_4.inner[(_e37 * TOKENS) + _e40];
                        wc_out[((_e31 * n_rows_5) + first_row_2) + _e34] = _e43;
                    }
                }
            }
        }
    }
    return;
}

void wc_rows(
    uint block_2,
    uint n_rows_6,
    uint thread_10,
    device type_3 const& x,
    threadgroup type_5& team_partials,
    constant Parameters& p,
    device type_10 const& wc_values,
    device type_11& wc_out,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_6 sums_5 = {};
    uint step_2 = 0u;
    bool local_5 = {};
    uint r_5 = {};
    uint t_5 = {};
    uint first_row_9 = (block_2 * BLOCK_ROWS) + ((thread_10 / TEAM) * ROWS);
    bool loop_init_20 = true;
    while(true) {
        if (!loop_init_20) {
            uint _e98 = step_2;
            step_2 = _e98 + 1u;
        }
        loop_init_20 = false;
        uint _e13 = step_2;
        if (_e13 < 4u) {
        } else {
            break;
        }
        {
            uint _e16 = step_2;
            uint i_9 = (_e16 * TEAM) + (thread_10 % TEAM);
            if (false) {
                local_5 = i_9 >= 512u;
            } else {
                local_5 = false;
            }
            bool _e28 = local_5;
            if (_e28) {
                break;
            }
            r_5 = 0u;
            bool loop_init_21 = true;
            while(true) {
                if (!loop_init_21) {
                    uint _e95 = r_5;
                    r_5 = _e95 + 1u;
                }
                loop_init_21 = false;
                uint _e31 = r_5;
                if (_e31 < ROWS) {
                } else {
                    break;
                }
                {
                    uint _e34 = r_5;
                    uint row_2 = metal::min(first_row_9 + _e34, n_rows_6 - 1u);
                    type_13 _e44 = wc_eight(((row_2 * 4u) * GROUPS) + i_9, wc_values, _buffer_sizes);
                    uint _e47 = p.rows_per_part;
                    uint _e51 = p.columns;
                    uint part_2 = (row_2 / _e47) * _e51;
                    t_5 = 0u;
                    bool loop_init_22 = true;
                    while(true) {
                        if (!loop_init_22) {
                            uint _e92 = t_5;
                            t_5 = _e92 + 1u;
                        }
                        loop_init_22 = false;
                        uint _e55 = t_5;
                        if (_e55 < TOKENS) {
                        } else {
                            break;
                        }
                        {
                            uint _e58 = t_5;
                            uint _e61 = p.n_tokens;
                            if (_e58 < _e61) {
                                uint _e63 = t_5;
                                uint _e66 = p.x_width;
                                uint at_2 = (((_e63 * _e66) + part_2) / 4u) + (2u * i_9);
                                uint _e74 = r_5;
                                uint _e77 = t_5;
                                float _e80 = sums_5.inner[(_e74 * TOKENS) + _e77];
                                metal::float4 _e82 = x_four(at_2, x, _buffer_sizes);
                                metal::float4 _e87 = x_four(at_2 + 1u, x, _buffer_sizes);
                                sums_5.inner[(_e74 * TOKENS) + _e77] = _e80 + (metal::dot(_e44.inner[0], _e82) + metal::dot(_e44.inner[1], _e87));
                            }
                        }
                    }
                }
            }
        }
    }
    team_sums(sums_5, thread_10, team_partials);
    wc_store(first_row_9, n_rows_6, thread_10, sums_5, p, wc_out, _buffer_sizes);
    return;
}

type_13 wd_eight(
    uint index_5,
    device type_10 const& wd_values,
    constant _mslBufferSizes& _buffer_sizes
) {
    metal::uint4 eight_1 = wd_values[index_5];
    return type_13 {{metal::float4(float2(as_type<half2>(eight_1.x)), float2(as_type<half2>(eight_1.y))), metal::float4(float2(as_type<half2>(eight_1.z)), float2(as_type<half2>(eight_1.w)))}};
}

void wd_store(
    uint first_row_3,
    uint n_rows_7,
    uint thread_11,
    thread type_6& sums_6,
    constant Parameters& p,
    device type_11& wd_out,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint r_6 = 0u;
    uint t_6 = {};
    bool local_6 = {};
    if ((thread_11 % TEAM) != 0u) {
        return;
    }
    bool loop_init_23 = true;
    while(true) {
        if (!loop_init_23) {
            uint _e48 = r_6;
            r_6 = _e48 + 1u;
        }
        loop_init_23 = false;
        uint _e10 = r_6;
        if (_e10 < ROWS) {
        } else {
            break;
        }
        {
            t_6 = 0u;
            bool loop_init_24 = true;
            while(true) {
                if (!loop_init_24) {
                    uint _e45 = t_6;
                    t_6 = _e45 + 1u;
                }
                loop_init_24 = false;
                uint _e15 = t_6;
                if (_e15 < TOKENS) {
                } else {
                    break;
                }
                {
                    uint _e18 = r_6;
                    if ((first_row_3 + _e18) < n_rows_7) {
                        uint _e23 = t_6;
                        uint _e26 = p.n_tokens;
                        local_6 = _e23 < _e26;
                    } else {
                        local_6 = false;
                    }
                    bool _e29 = local_6;
                    if (_e29) {
                        uint _e31 = t_6;
                        uint _e34 = r_6;
                        uint _e37 = r_6;
                        uint _e40 = t_6;
                        float _e43 = sums_6.inner[(_e37 * TOKENS) + _e40];
                        wd_out[((_e31 * n_rows_7) + first_row_3) + _e34] = _e43;
                    }
                }
            }
        }
    }
    return;
}

void wd_rows(
    uint block_3,
    uint n_rows_8,
    uint thread_12,
    device type_3 const& x,
    threadgroup type_5& team_partials,
    constant Parameters& p,
    device type_10 const& wd_values,
    device type_11& wd_out,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_6 sums_7 = {};
    uint step_3 = 0u;
    bool local_7 = {};
    uint r_7 = {};
    uint t_7 = {};
    uint first_row_10 = (block_3 * BLOCK_ROWS) + ((thread_12 / TEAM) * ROWS);
    bool loop_init_25 = true;
    while(true) {
        if (!loop_init_25) {
            uint _e98 = step_3;
            step_3 = _e98 + 1u;
        }
        loop_init_25 = false;
        uint _e13 = step_3;
        if (_e13 < 4u) {
        } else {
            break;
        }
        {
            uint _e16 = step_3;
            uint i_10 = (_e16 * TEAM) + (thread_12 % TEAM);
            if (false) {
                local_7 = i_10 >= 512u;
            } else {
                local_7 = false;
            }
            bool _e28 = local_7;
            if (_e28) {
                break;
            }
            r_7 = 0u;
            bool loop_init_26 = true;
            while(true) {
                if (!loop_init_26) {
                    uint _e95 = r_7;
                    r_7 = _e95 + 1u;
                }
                loop_init_26 = false;
                uint _e31 = r_7;
                if (_e31 < ROWS) {
                } else {
                    break;
                }
                {
                    uint _e34 = r_7;
                    uint row_3 = metal::min(first_row_10 + _e34, n_rows_8 - 1u);
                    type_13 _e44 = wd_eight(((row_3 * 4u) * GROUPS) + i_10, wd_values, _buffer_sizes);
                    uint _e47 = p.rows_per_part;
                    uint _e51 = p.columns;
                    uint part_3 = (row_3 / _e47) * _e51;
                    t_7 = 0u;
                    bool loop_init_27 = true;
                    while(true) {
                        if (!loop_init_27) {
                            uint _e92 = t_7;
                            t_7 = _e92 + 1u;
                        }
                        loop_init_27 = false;
                        uint _e55 = t_7;
                        if (_e55 < TOKENS) {
                        } else {
                            break;
                        }
                        {
                            uint _e58 = t_7;
                            uint _e61 = p.n_tokens;
                            if (_e58 < _e61) {
                                uint _e63 = t_7;
                                uint _e66 = p.x_width;
                                uint at_3 = (((_e63 * _e66) + part_3) / 4u) + (2u * i_10);
                                uint _e74 = r_7;
                                uint _e77 = t_7;
                                float _e80 = sums_7.inner[(_e74 * TOKENS) + _e77];
                                metal::float4 _e82 = x_four(at_3, x, _buffer_sizes);
                                metal::float4 _e87 = x_four(at_3 + 1u, x, _buffer_sizes);
                                sums_7.inner[(_e74 * TOKENS) + _e77] = _e80 + (metal::dot(_e44.inner[0], _e82) + metal::dot(_e44.inner[1], _e87));
                            }
                        }
                    }
                }
            }
        }
    }
    team_sums(sums_7, thread_12, team_partials);
    wd_store(first_row_10, n_rows_8, thread_12, sums_7, p, wd_out, _buffer_sizes);
    return;
}

type_13 we_eight(
    uint index_6,
    device type_10 const& we_values,
    constant _mslBufferSizes& _buffer_sizes
) {
    metal::uint4 eight_2 = we_values[index_6];
    return type_13 {{metal::float4(float2(as_type<half2>(eight_2.x)), float2(as_type<half2>(eight_2.y))), metal::float4(float2(as_type<half2>(eight_2.z)), float2(as_type<half2>(eight_2.w)))}};
}

void we_store(
    uint first_row_4,
    uint n_rows_9,
    uint thread_13,
    thread type_6& sums_8,
    constant Parameters& p,
    device type_11& we_out,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint r_8 = 0u;
    uint t_8 = {};
    bool local_8 = {};
    if ((thread_13 % TEAM) != 0u) {
        return;
    }
    bool loop_init_28 = true;
    while(true) {
        if (!loop_init_28) {
            uint _e48 = r_8;
            r_8 = _e48 + 1u;
        }
        loop_init_28 = false;
        uint _e10 = r_8;
        if (_e10 < ROWS) {
        } else {
            break;
        }
        {
            t_8 = 0u;
            bool loop_init_29 = true;
            while(true) {
                if (!loop_init_29) {
                    uint _e45 = t_8;
                    t_8 = _e45 + 1u;
                }
                loop_init_29 = false;
                uint _e15 = t_8;
                if (_e15 < TOKENS) {
                } else {
                    break;
                }
                {
                    uint _e18 = r_8;
                    if ((first_row_4 + _e18) < n_rows_9) {
                        uint _e23 = t_8;
                        uint _e26 = p.n_tokens;
                        local_8 = _e23 < _e26;
                    } else {
                        local_8 = false;
                    }
                    bool _e29 = local_8;
                    if (_e29) {
                        uint _e31 = t_8;
                        uint _e34 = r_8;
                        uint _e37 = r_8;
                        uint _e40 = t_8;
                        float _e43 = sums_8.inner[(_e37 * TOKENS) + _e40];
                        we_out[((_e31 * n_rows_9) + first_row_4) + _e34] = _e43;
                    }
                }
            }
        }
    }
    return;
}

void we_rows(
    uint block_4,
    uint n_rows_10,
    uint thread_14,
    device type_3 const& x,
    threadgroup type_5& team_partials,
    constant Parameters& p,
    device type_10 const& we_values,
    device type_11& we_out,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_6 sums_9 = {};
    uint step_4 = 0u;
    bool local_9 = {};
    uint r_9 = {};
    uint t_9 = {};
    uint first_row_11 = (block_4 * BLOCK_ROWS) + ((thread_14 / TEAM) * ROWS);
    bool loop_init_30 = true;
    while(true) {
        if (!loop_init_30) {
            uint _e98 = step_4;
            step_4 = _e98 + 1u;
        }
        loop_init_30 = false;
        uint _e13 = step_4;
        if (_e13 < 4u) {
        } else {
            break;
        }
        {
            uint _e16 = step_4;
            uint i_11 = (_e16 * TEAM) + (thread_14 % TEAM);
            if (false) {
                local_9 = i_11 >= 512u;
            } else {
                local_9 = false;
            }
            bool _e28 = local_9;
            if (_e28) {
                break;
            }
            r_9 = 0u;
            bool loop_init_31 = true;
            while(true) {
                if (!loop_init_31) {
                    uint _e95 = r_9;
                    r_9 = _e95 + 1u;
                }
                loop_init_31 = false;
                uint _e31 = r_9;
                if (_e31 < ROWS) {
                } else {
                    break;
                }
                {
                    uint _e34 = r_9;
                    uint row_4 = metal::min(first_row_11 + _e34, n_rows_10 - 1u);
                    type_13 _e44 = we_eight(((row_4 * 4u) * GROUPS) + i_11, we_values, _buffer_sizes);
                    uint _e47 = p.rows_per_part;
                    uint _e51 = p.columns;
                    uint part_4 = (row_4 / _e47) * _e51;
                    t_9 = 0u;
                    bool loop_init_32 = true;
                    while(true) {
                        if (!loop_init_32) {
                            uint _e92 = t_9;
                            t_9 = _e92 + 1u;
                        }
                        loop_init_32 = false;
                        uint _e55 = t_9;
                        if (_e55 < TOKENS) {
                        } else {
                            break;
                        }
                        {
                            uint _e58 = t_9;
                            uint _e61 = p.n_tokens;
                            if (_e58 < _e61) {
                                uint _e63 = t_9;
                                uint _e66 = p.x_width;
                                uint at_4 = (((_e63 * _e66) + part_4) / 4u) + (2u * i_11);
                                uint _e74 = r_9;
                                uint _e77 = t_9;
                                float _e80 = sums_9.inner[(_e74 * TOKENS) + _e77];
                                metal::float4 _e82 = x_four(at_4, x, _buffer_sizes);
                                metal::float4 _e87 = x_four(at_4 + 1u, x, _buffer_sizes);
                                sums_9.inner[(_e74 * TOKENS) + _e77] = _e80 + (metal::dot(_e44.inner[0], _e82) + metal::dot(_e44.inner[1], _e87));
                            }
                        }
                    }
                }
            }
        }
    }
    team_sums(sums_9, thread_14, team_partials);
    we_store(first_row_11, n_rows_10, thread_14, sums_9, p, we_out, _buffer_sizes);
    return;
}

type_13 wf_eight(
    uint index_7,
    device type_10 const& wf_values,
    constant _mslBufferSizes& _buffer_sizes
) {
    metal::uint4 eight_3 = wf_values[index_7];
    return type_13 {{metal::float4(float2(as_type<half2>(eight_3.x)), float2(as_type<half2>(eight_3.y))), metal::float4(float2(as_type<half2>(eight_3.z)), float2(as_type<half2>(eight_3.w)))}};
}

void wf_store(
    uint first_row_5,
    uint n_rows_11,
    uint thread_15,
    thread type_6& sums_10,
    constant Parameters& p,
    device type_11& wf_out,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint r_10 = 0u;
    uint t_10 = {};
    bool local_10 = {};
    if ((thread_15 % TEAM) != 0u) {
        return;
    }
    bool loop_init_33 = true;
    while(true) {
        if (!loop_init_33) {
            uint _e48 = r_10;
            r_10 = _e48 + 1u;
        }
        loop_init_33 = false;
        uint _e10 = r_10;
        if (_e10 < ROWS) {
        } else {
            break;
        }
        {
            t_10 = 0u;
            bool loop_init_34 = true;
            while(true) {
                if (!loop_init_34) {
                    uint _e45 = t_10;
                    t_10 = _e45 + 1u;
                }
                loop_init_34 = false;
                uint _e15 = t_10;
                if (_e15 < TOKENS) {
                } else {
                    break;
                }
                {
                    uint _e18 = r_10;
                    if ((first_row_5 + _e18) < n_rows_11) {
                        uint _e23 = t_10;
                        uint _e26 = p.n_tokens;
                        local_10 = _e23 < _e26;
                    } else {
                        local_10 = false;
                    }
                    bool _e29 = local_10;
                    if (_e29) {
                        uint _e31 = t_10;
                        uint _e34 = r_10;
                        uint _e37 = r_10;
                        uint _e40 = t_10;
                        float _e43 = sums_10.inner[(_e37 * TOKENS) + _e40];
                        wf_out[((_e31 * n_rows_11) + first_row_5) + _e34] = _e43;
                    }
                }
            }
        }
    }
    return;
}

void wf_rows(
    uint block_5,
    uint n_rows_12,
    uint thread_16,
    device type_3 const& x,
    threadgroup type_5& team_partials,
    constant Parameters& p,
    device type_10 const& wf_values,
    device type_11& wf_out,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_6 sums_11 = {};
    uint step_5 = 0u;
    bool local_11 = {};
    uint r_11 = {};
    uint t_11 = {};
    uint first_row_12 = (block_5 * BLOCK_ROWS) + ((thread_16 / TEAM) * ROWS);
    bool loop_init_35 = true;
    while(true) {
        if (!loop_init_35) {
            uint _e98 = step_5;
            step_5 = _e98 + 1u;
        }
        loop_init_35 = false;
        uint _e13 = step_5;
        if (_e13 < 4u) {
        } else {
            break;
        }
        {
            uint _e16 = step_5;
            uint i_12 = (_e16 * TEAM) + (thread_16 % TEAM);
            if (false) {
                local_11 = i_12 >= 512u;
            } else {
                local_11 = false;
            }
            bool _e28 = local_11;
            if (_e28) {
                break;
            }
            r_11 = 0u;
            bool loop_init_36 = true;
            while(true) {
                if (!loop_init_36) {
                    uint _e95 = r_11;
                    r_11 = _e95 + 1u;
                }
                loop_init_36 = false;
                uint _e31 = r_11;
                if (_e31 < ROWS) {
                } else {
                    break;
                }
                {
                    uint _e34 = r_11;
                    uint row_5 = metal::min(first_row_12 + _e34, n_rows_12 - 1u);
                    type_13 _e44 = wf_eight(((row_5 * 4u) * GROUPS) + i_12, wf_values, _buffer_sizes);
                    uint _e47 = p.rows_per_part;
                    uint _e51 = p.columns;
                    uint part_5 = (row_5 / _e47) * _e51;
                    t_11 = 0u;
                    bool loop_init_37 = true;
                    while(true) {
                        if (!loop_init_37) {
                            uint _e92 = t_11;
                            t_11 = _e92 + 1u;
                        }
                        loop_init_37 = false;
                        uint _e55 = t_11;
                        if (_e55 < TOKENS) {
                        } else {
                            break;
                        }
                        {
                            uint _e58 = t_11;
                            uint _e61 = p.n_tokens;
                            if (_e58 < _e61) {
                                uint _e63 = t_11;
                                uint _e66 = p.x_width;
                                uint at_5 = (((_e63 * _e66) + part_5) / 4u) + (2u * i_12);
                                uint _e74 = r_11;
                                uint _e77 = t_11;
                                float _e80 = sums_11.inner[(_e74 * TOKENS) + _e77];
                                metal::float4 _e82 = x_four(at_5, x, _buffer_sizes);
                                metal::float4 _e87 = x_four(at_5 + 1u, x, _buffer_sizes);
                                sums_11.inner[(_e74 * TOKENS) + _e77] = _e80 + (metal::dot(_e44.inner[0], _e82) + metal::dot(_e44.inner[1], _e87));
                            }
                        }
                    }
                }
            }
        }
    }
    team_sums(sums_11, thread_16, team_partials);
    wf_store(first_row_12, n_rows_12, thread_16, sums_11, p, wf_out, _buffer_sizes);
    return;
}

type_13 wg_eight(
    uint index_8,
    device type_10 const& wg_values,
    constant _mslBufferSizes& _buffer_sizes
) {
    metal::uint4 eight_4 = wg_values[index_8];
    return type_13 {{metal::float4(float2(as_type<half2>(eight_4.x)), float2(as_type<half2>(eight_4.y))), metal::float4(float2(as_type<half2>(eight_4.z)), float2(as_type<half2>(eight_4.w)))}};
}

void wg_store(
    uint first_row_6,
    uint n_rows_13,
    uint thread_17,
    thread type_6& sums_12,
    constant Parameters& p,
    device type_11& wg_out,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint r_12 = 0u;
    uint t_12 = {};
    bool local_12 = {};
    if ((thread_17 % TEAM) != 0u) {
        return;
    }
    bool loop_init_38 = true;
    while(true) {
        if (!loop_init_38) {
            uint _e48 = r_12;
            r_12 = _e48 + 1u;
        }
        loop_init_38 = false;
        uint _e10 = r_12;
        if (_e10 < ROWS) {
        } else {
            break;
        }
        {
            t_12 = 0u;
            bool loop_init_39 = true;
            while(true) {
                if (!loop_init_39) {
                    uint _e45 = t_12;
                    t_12 = _e45 + 1u;
                }
                loop_init_39 = false;
                uint _e15 = t_12;
                if (_e15 < TOKENS) {
                } else {
                    break;
                }
                {
                    uint _e18 = r_12;
                    if ((first_row_6 + _e18) < n_rows_13) {
                        uint _e23 = t_12;
                        uint _e26 = p.n_tokens;
                        local_12 = _e23 < _e26;
                    } else {
                        local_12 = false;
                    }
                    bool _e29 = local_12;
                    if (_e29) {
                        uint _e31 = t_12;
                        uint _e34 = r_12;
                        uint _e37 = r_12;
                        uint _e40 = t_12;
                        float _e43 = sums_12.inner[(_e37 * TOKENS) + _e40];
                        wg_out[((_e31 * n_rows_13) + first_row_6) + _e34] = _e43;
                    }
                }
            }
        }
    }
    return;
}

void wg_rows(
    uint block_6,
    uint n_rows_14,
    uint thread_18,
    device type_3 const& x,
    threadgroup type_5& team_partials,
    constant Parameters& p,
    device type_10 const& wg_values,
    device type_11& wg_out,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_6 sums_13 = {};
    uint step_6 = 0u;
    bool local_13 = {};
    uint r_13 = {};
    uint t_13 = {};
    uint first_row_13 = (block_6 * BLOCK_ROWS) + ((thread_18 / TEAM) * ROWS);
    bool loop_init_40 = true;
    while(true) {
        if (!loop_init_40) {
            uint _e98 = step_6;
            step_6 = _e98 + 1u;
        }
        loop_init_40 = false;
        uint _e13 = step_6;
        if (_e13 < 4u) {
        } else {
            break;
        }
        {
            uint _e16 = step_6;
            uint i_13 = (_e16 * TEAM) + (thread_18 % TEAM);
            if (false) {
                local_13 = i_13 >= 512u;
            } else {
                local_13 = false;
            }
            bool _e28 = local_13;
            if (_e28) {
                break;
            }
            r_13 = 0u;
            bool loop_init_41 = true;
            while(true) {
                if (!loop_init_41) {
                    uint _e95 = r_13;
                    r_13 = _e95 + 1u;
                }
                loop_init_41 = false;
                uint _e31 = r_13;
                if (_e31 < ROWS) {
                } else {
                    break;
                }
                {
                    uint _e34 = r_13;
                    uint row_6 = metal::min(first_row_13 + _e34, n_rows_14 - 1u);
                    type_13 _e44 = wg_eight(((row_6 * 4u) * GROUPS) + i_13, wg_values, _buffer_sizes);
                    uint _e47 = p.rows_per_part;
                    uint _e51 = p.columns;
                    uint part_6 = (row_6 / _e47) * _e51;
                    t_13 = 0u;
                    bool loop_init_42 = true;
                    while(true) {
                        if (!loop_init_42) {
                            uint _e92 = t_13;
                            t_13 = _e92 + 1u;
                        }
                        loop_init_42 = false;
                        uint _e55 = t_13;
                        if (_e55 < TOKENS) {
                        } else {
                            break;
                        }
                        {
                            uint _e58 = t_13;
                            uint _e61 = p.n_tokens;
                            if (_e58 < _e61) {
                                uint _e63 = t_13;
                                uint _e66 = p.x_width;
                                uint at_6 = (((_e63 * _e66) + part_6) / 4u) + (2u * i_13);
                                uint _e74 = r_13;
                                uint _e77 = t_13;
                                float _e80 = sums_13.inner[(_e74 * TOKENS) + _e77];
                                metal::float4 _e82 = x_four(at_6, x, _buffer_sizes);
                                metal::float4 _e87 = x_four(at_6 + 1u, x, _buffer_sizes);
                                sums_13.inner[(_e74 * TOKENS) + _e77] = _e80 + (metal::dot(_e44.inner[0], _e82) + metal::dot(_e44.inner[1], _e87));
                            }
                        }
                    }
                }
            }
        }
    }
    team_sums(sums_13, thread_18, team_partials);
    wg_store(first_row_13, n_rows_14, thread_18, sums_13, p, wg_out, _buffer_sizes);
    return;
}

void wh_rows(
    uint block_7,
    uint n_rows_15,
    uint thread_19
) {
    return;
}

type_4 wc_group(
    uint index_9,
    device type_10 const& wc_values,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 values_4 = {};
    uint i_4 = 0u;
    bool loop_init_43 = true;
    while(true) {
        if (!loop_init_43) {
            uint _e35 = i_4;
            i_4 = _e35 + 1u;
        }
        loop_init_43 = false;
        uint _e4 = i_4;
        if (_e4 < 4u) {
        } else {
            break;
        }
        {
            uint _e10 = i_4;
            metal::uint4 eight_5 = wc_values[(index_9 * 4u) + _e10];
            uint _e15 = i_4;
            values_4.inner[2u * _e15] = metal::float4(float2(as_type<half2>(eight_5.x)), float2(as_type<half2>(eight_5.y)));
            uint _e24 = i_4;
            values_4.inner[(2u * _e24) + 1u] = metal::float4(float2(as_type<half2>(eight_5.z)), float2(as_type<half2>(eight_5.w)));
        }
    }
    type_4 _e37 = values_4;
    return _e37;
}

type_4 wd_group(
    uint index_10,
    device type_10 const& wd_values,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 values_5 = {};
    uint i_5 = 0u;
    bool loop_init_44 = true;
    while(true) {
        if (!loop_init_44) {
            uint _e35 = i_5;
            i_5 = _e35 + 1u;
        }
        loop_init_44 = false;
        uint _e4 = i_5;
        if (_e4 < 4u) {
        } else {
            break;
        }
        {
            uint _e10 = i_5;
            metal::uint4 eight_6 = wd_values[(index_10 * 4u) + _e10];
            uint _e15 = i_5;
            values_5.inner[2u * _e15] = metal::float4(float2(as_type<half2>(eight_6.x)), float2(as_type<half2>(eight_6.y)));
            uint _e24 = i_5;
            values_5.inner[(2u * _e24) + 1u] = metal::float4(float2(as_type<half2>(eight_6.z)), float2(as_type<half2>(eight_6.w)));
        }
    }
    type_4 _e37 = values_5;
    return _e37;
}

type_4 we_group(
    uint index_11,
    device type_10 const& we_values,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 values_6 = {};
    uint i_6 = 0u;
    bool loop_init_45 = true;
    while(true) {
        if (!loop_init_45) {
            uint _e35 = i_6;
            i_6 = _e35 + 1u;
        }
        loop_init_45 = false;
        uint _e4 = i_6;
        if (_e4 < 4u) {
        } else {
            break;
        }
        {
            uint _e10 = i_6;
            metal::uint4 eight_7 = we_values[(index_11 * 4u) + _e10];
            uint _e15 = i_6;
            values_6.inner[2u * _e15] = metal::float4(float2(as_type<half2>(eight_7.x)), float2(as_type<half2>(eight_7.y)));
            uint _e24 = i_6;
            values_6.inner[(2u * _e24) + 1u] = metal::float4(float2(as_type<half2>(eight_7.z)), float2(as_type<half2>(eight_7.w)));
        }
    }
    type_4 _e37 = values_6;
    return _e37;
}

type_4 wf_group(
    uint index_12,
    device type_10 const& wf_values,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 values_7 = {};
    uint i_7 = 0u;
    bool loop_init_46 = true;
    while(true) {
        if (!loop_init_46) {
            uint _e35 = i_7;
            i_7 = _e35 + 1u;
        }
        loop_init_46 = false;
        uint _e4 = i_7;
        if (_e4 < 4u) {
        } else {
            break;
        }
        {
            uint _e10 = i_7;
            metal::uint4 eight_8 = wf_values[(index_12 * 4u) + _e10];
            uint _e15 = i_7;
            values_7.inner[2u * _e15] = metal::float4(float2(as_type<half2>(eight_8.x)), float2(as_type<half2>(eight_8.y)));
            uint _e24 = i_7;
            values_7.inner[(2u * _e24) + 1u] = metal::float4(float2(as_type<half2>(eight_8.z)), float2(as_type<half2>(eight_8.w)));
        }
    }
    type_4 _e37 = values_7;
    return _e37;
}

type_4 wg_group(
    uint index_13,
    device type_10 const& wg_values,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 values_8 = {};
    uint i_8 = 0u;
    bool loop_init_47 = true;
    while(true) {
        if (!loop_init_47) {
            uint _e35 = i_8;
            i_8 = _e35 + 1u;
        }
        loop_init_47 = false;
        uint _e4 = i_8;
        if (_e4 < 4u) {
        } else {
            break;
        }
        {
            uint _e10 = i_8;
            metal::uint4 eight_9 = wg_values[(index_13 * 4u) + _e10];
            uint _e15 = i_8;
            values_8.inner[2u * _e15] = metal::float4(float2(as_type<half2>(eight_9.x)), float2(as_type<half2>(eight_9.y)));
            uint _e24 = i_8;
            values_8.inner[(2u * _e24) + 1u] = metal::float4(float2(as_type<half2>(eight_9.z)), float2(as_type<half2>(eight_9.w)));
        }
    }
    type_4 _e37 = values_8;
    return _e37;
}

struct main_Input {
};
[[max_total_threads_per_threadgroup(256)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, device type_3 const& x [[user(fake0)]]
, threadgroup type_5& team_partials
, constant Parameters& p [[user(fake0)]]
, device type_8 const& wa_scales [[user(fake0)]]
, device type_10 const& wa_quants [[user(fake0)]]
, device type_11& wa_out [[user(fake0)]]
, device type_8 const& wb_scales [[user(fake0)]]
, device type_10 const& wb_quants [[user(fake0)]]
, device type_11& wb_out [[user(fake0)]]
, device type_10 const& wc_values [[user(fake0)]]
, device type_11& wc_out [[user(fake0)]]
, device type_10 const& wd_values [[user(fake0)]]
, device type_11& wd_out [[user(fake0)]]
, device type_10 const& we_values [[user(fake0)]]
, device type_11& we_out [[user(fake0)]]
, device type_10 const& wf_values [[user(fake0)]]
, device type_11& wf_out [[user(fake0)]]
, device type_10 const& wg_values [[user(fake0)]]
, device type_11& wg_out [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    activations_begin(thread_);
    uint _e4 = p.n_rows_a;
    uint _e5 = n_blocks(_e4);
    uint _e8 = p.n_rows_b;
    uint _e9 = n_blocks(_e8);
    uint c = _e5 + _e9;
    uint _e13 = p.n_rows_c;
    uint _e14 = n_blocks(_e13);
    uint d = c + _e14;
    uint _e18 = p.n_rows_d;
    uint _e19 = n_blocks(_e18);
    uint e = d + _e19;
    uint _e23 = p.n_rows_e;
    uint _e24 = n_blocks(_e23);
    uint f = e + _e24;
    uint _e28 = p.n_rows_f;
    uint _e29 = n_blocks(_e28);
    uint g = f + _e29;
    uint _e33 = p.n_rows_g;
    uint _e34 = n_blocks(_e33);
    uint h = g + _e34;
    uint block_8 = workgroup.x;
    if (block_8 < _e5) {
        uint _e40 = p.n_rows_a;
        wa_rows(block_8, _e40, thread_, x, team_partials, p, wa_scales, wa_quants, wa_out, _buffer_sizes);
        return;
    } else {
        if (block_8 < c) {
            uint _e45 = p.n_rows_b;
            wb_rows(block_8 - _e5, _e45, thread_, x, team_partials, p, wb_scales, wb_quants, wb_out, _buffer_sizes);
            return;
        } else {
            if (block_8 < d) {
                uint _e50 = p.n_rows_c;
                wc_rows(block_8 - c, _e50, thread_, x, team_partials, p, wc_values, wc_out, _buffer_sizes);
                return;
            } else {
                if (block_8 < e) {
                    uint _e55 = p.n_rows_d;
                    wd_rows(block_8 - d, _e55, thread_, x, team_partials, p, wd_values, wd_out, _buffer_sizes);
                    return;
                } else {
                    if (block_8 < f) {
                        uint _e60 = p.n_rows_e;
                        we_rows(block_8 - e, _e60, thread_, x, team_partials, p, we_values, we_out, _buffer_sizes);
                        return;
                    } else {
                        if (block_8 < g) {
                            uint _e65 = p.n_rows_f;
                            wf_rows(block_8 - f, _e65, thread_, x, team_partials, p, wf_values, wf_out, _buffer_sizes);
                            return;
                        } else {
                            if (block_8 < h) {
                                uint _e70 = p.n_rows_g;
                                wg_rows(block_8 - g, _e70, thread_, x, team_partials, p, wg_values, wg_out, _buffer_sizes);
                                return;
                            } else {
                                uint _e74 = p.n_rows_h;
                                wh_rows(block_8 - h, _e74, thread_);
                                return;
                            }
                        }
                    }
                }
            }
        }
    }
}
