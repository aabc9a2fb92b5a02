// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size0;
    uint size2;
    uint size9;
    uint size10;
    uint size11;
    uint size12;
    uint size13;
};

typedef metal::float4 type_3[1];
struct type_4 {
    metal::float4 inner[8];
};
struct type_5 {
    float inner[32];
};
struct type_6 {
    float inner[4];
};
struct RoundedBlock {
    metal::uint4 quants;
    float scale;
    char _pad2[12];
};
struct type_9 {
    metal::uint4 inner[64];
};
struct type_11 {
    metal::float2 inner[32];
};
struct type_12 {
    metal::float4 inner[256];
};
struct type_13 {
    float inner[64];
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
struct type_14 {
    metal::float4 inner[4];
};
typedef uint type_15[1];
typedef metal::uint4 type_16[1];
typedef float type_17[1];
struct type_19 {
    metal::float4 inner[2];
};
constant uint WORKGROUP = 256u;
constant uint TEAM = 32u;
constant uint SUMS = 4u;
constant uint SUBGROUP = 32u;
constant uint TOKENS = 1u;
constant uint ROWS = 4u;
constant uint GROUPS = 32u;
constant uint COLUMNS = 1024u;
constant uint BLOCKS = 64u;
constant uint BLOCK_ROWS = 32u;

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
                far = 16u;
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
    if (false) {
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
        uint first_3 = (thread_1 / TEAM) * 1u;
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
                    if (_e70 < 1u) {
                    } else {
                        break;
                    }
                    {
                        float _e73 = sum_2;
                        uint _e75 = i_1;
                        uint _e79 = s_2;
                        float _e82 = team_partials.inner[((first_3 + _e75) * SUMS) + _e79];
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

metal::int4 naga_f2i32(metal::float4 value) {
    return static_cast<metal::int4>(metal::clamp(value, -2147483600.0, 2147483500.0));
}

uint rounded_four(
    metal::float4 four,
    float inverse
) {
    return as_type<uint>(packed_char4(naga_f2i32(metal::rint(four * inverse))));
}

RoundedBlock rounded_block(
    metal::float4 a,
    metal::float4 b,
    metal::float4 c,
    metal::float4 d
) {
    metal::float4 fours_1 = metal::max(metal::max(metal::abs(a), metal::abs(b)), metal::max(metal::abs(c), metal::abs(d)));
    float largest = metal::max(metal::max(fours_1.x, fours_1.y), metal::max(fours_1.z, fours_1.w));
    float inverse_1 = (largest > 0.00000000000000000000000000000000001) ? (127.0 / largest) : 0.0;
    uint _e24 = rounded_four(a, inverse_1);
    uint _e25 = rounded_four(b, inverse_1);
    uint _e26 = rounded_four(c, inverse_1);
    uint _e27 = rounded_four(d, inverse_1);
    return RoundedBlock {metal::uint4(_e24, _e25, _e26, _e27), largest / 127.0};
}

metal::float4 x_four(
    uint at,
    threadgroup type_12& normed_fours
) {
    metal::float4 _e3 = normed_fours.inner[at];
    return _e3;
}

void activations_begin(
    uint thread_2,
    device type_3 const& x,
    device type_3 const& gain,
    threadgroup type_9& x_quants,
    threadgroup type_11& x_scales,
    threadgroup type_12& normed_fours,
    threadgroup type_13& block_squares,
    threadgroup type_13& block_scales,
    constant Parameters& p,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_14 fours = {};
    float squares = 0.0;
    uint i_2 = 0u;
    metal::float2 squares_1 = metal::float2(0.0);
    uint i_3 = 0u;
    uint i_4 = 0u;
    if (thread_2 < BLOCKS) {
        bool loop_init_6 = true;
        while(true) {
            if (!loop_init_6) {
                uint _e32 = i_2;
                i_2 = _e32 + 1u;
            }
            loop_init_6 = false;
            uint _e8 = i_2;
            if (_e8 < 4u) {
            } else {
                break;
            }
            {
                uint _e14 = i_2;
                metal::float4 four_1 = x[(4u * thread_2) + _e14];
                float _e18 = squares;
                squares = _e18 + metal::dot(four_1, four_1);
                uint _e21 = i_2;
                uint _e26 = i_2;
                metal::float4 _e29 = gain[(4u * thread_2) + _e26];
                fours.inner[_e21] = four_1 * _e29;
            }
        }
        float _e36 = squares;
        block_squares.inner[thread_2] = _e36;
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    bool loop_init_7 = true;
    while(true) {
        if (!loop_init_7) {
            uint _e58 = i_3;
            i_3 = _e58 + 2u;
        }
        loop_init_7 = false;
        uint _e42 = i_3;
        if (_e42 < BLOCKS) {
        } else {
            break;
        }
        {
            metal::float2 _e45 = squares_1;
            uint _e47 = i_3;
            float _e49 = block_squares.inner[_e47];
            uint _e51 = i_3;
            float _e55 = block_squares.inner[_e51 + 1u];
            squares_1 = _e45 + metal::float2(_e49, _e55);
        }
    }
    float _e62 = squares_1.x;
    float _e64 = squares_1.y;
    float _e70 = p.norm_eps;
    float scale = 1.0 / metal::sqrt(((_e62 + _e64) / 1024.0) + _e70);
    if (thread_2 < BLOCKS) {
        bool loop_init_8 = true;
        while(true) {
            if (!loop_init_8) {
                uint _e96 = i_4;
                i_4 = _e96 + 1u;
            }
            loop_init_8 = false;
            uint _e79 = i_4;
            if (_e79 < 4u) {
            } else {
                break;
            }
            {
                uint _e82 = i_4;
                metal::float4 _e84 = fours.inner[_e82];
                fours.inner[_e82] = _e84 * scale;
                uint _e89 = i_4;
                uint _e92 = i_4;
                metal::float4 _e94 = fours.inner[_e92];
                normed_fours.inner[(4u * thread_2) + _e89] = _e94;
            }
        }
        metal::float4 _e99 = fours.inner[0];
        metal::float4 _e101 = fours.inner[1];
        metal::float4 _e103 = fours.inner[2];
        metal::float4 _e105 = fours.inner[3];
        RoundedBlock _e106 = rounded_block(_e99, _e101, _e103, _e105);
        x_quants.inner[thread_2] = _e106.quants;
        block_scales.inner[thread_2] = _e106.scale;
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    if (thread_2 < 32u) {
        float _e121 = block_scales.inner[2u * thread_2];
        float _e128 = block_scales.inner[(2u * thread_2) + 1u];
        x_scales.inner[thread_2] = metal::float2(_e121, _e128);
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    return;
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
    device type_15 const& wa_scales,
    device type_16 const& wa_quants,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 values_2 = {};
    uint i_5 = 0u;
    uint _e5 = wa_scales[index / 2u];
    float scale_1 = float2(as_type<half2>((_e5 >> (16u * (index & 1u))))).x;
    metal::uint4 low = wa_quants[index * 2u];
    metal::uint4 high = wa_quants[(index * 2u) + 1u];
    bool loop_init_9 = true;
    while(true) {
        if (!loop_init_9) {
            uint _e48 = i_5;
            i_5 = _e48 + 1u;
        }
        loop_init_9 = false;
        uint _e28 = i_5;
        if (_e28 < 4u) {
        } else {
            break;
        }
        {
            uint _e31 = i_5;
            uint _e33 = i_5;
            values_2.inner[_e31] = scale_1 * static_cast<metal::float4>(int4(as_type<packed_char4>(low[_e33])));
            uint _e39 = i_5;
            uint _e42 = i_5;
            values_2.inner[4u + _e39] = scale_1 * static_cast<metal::float4>(int4(as_type<packed_char4>(high[_e42])));
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
    device type_15 const& wa_scales,
    device type_16 const& wa_quants,
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
    device type_17& wa_out,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint r = 0u;
    uint t = {};
    bool local = {};
    if ((thread_4 % TEAM) != 0u) {
        return;
    }
    bool loop_init_10 = true;
    while(true) {
        if (!loop_init_10) {
            uint _e48 = r;
            r = _e48 + 1u;
        }
        loop_init_10 = false;
        uint _e10 = r;
        if (_e10 < ROWS) {
        } else {
            break;
        }
        {
            t = 0u;
            bool loop_init_11 = true;
            while(true) {
                if (!loop_init_11) {
                    uint _e45 = t;
                    t = _e45 + 1u;
                }
                loop_init_11 = false;
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
    device type_15 const& wa_scales,
    device type_16 const& wa_quants,
    device type_17& wa_out,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_6 sums_1 = {};
    uint step = 0u;
    bool local_1 = {};
    uint r_1 = {};
    uint t_1 = {};
    wa_begin(thread_5);
    uint first_row_2 = (block * BLOCK_ROWS) + ((thread_5 / TEAM) * ROWS);
    uint lane = thread_5 % TEAM;
    bool loop_init_12 = true;
    while(true) {
        if (!loop_init_12) {
            uint _e85 = step;
            step = _e85 + 1u;
        }
        loop_init_12 = false;
        uint _e15 = step;
        if (_e15 < 1u) {
        } else {
            break;
        }
        {
            uint _e18 = step;
            uint group_2 = (_e18 * TEAM) + lane;
            if (false) {
                local_1 = group_2 >= GROUPS;
            } else {
                local_1 = false;
            }
            bool _e28 = local_1;
            if (_e28) {
                break;
            }
            r_1 = 0u;
            bool loop_init_13 = true;
            while(true) {
                if (!loop_init_13) {
                    uint _e82 = r_1;
                    r_1 = _e82 + 1u;
                }
                loop_init_13 = false;
                uint _e31 = r_1;
                if (_e31 < ROWS) {
                } else {
                    break;
                }
                {
                    uint _e34 = r_1;
                    uint row = metal::min(first_row_2 + _e34, n_rows_2 - 1u);
                    uint index_4 = (row * GROUPS) + group_2;
                    uint _e44 = p.rows_per_part;
                    uint _e48 = p.columns;
                    uint part = (row / _e44) * _e48;
                    t_1 = 0u;
                    bool loop_init_14 = true;
                    while(true) {
                        if (!loop_init_14) {
                            uint _e79 = t_1;
                            t_1 = _e79 + 1u;
                        }
                        loop_init_14 = false;
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
                                uint first_4 = (_e60 * _e63) + part;
                                uint _e66 = r_1;
                                uint _e69 = t_1;
                                float _e72 = sums_1.inner[(_e66 * TOKENS) + _e69];
                                uint _e75 = p.columns;
                                float _e76 = wa_product(index_4, first_4, group_2, _e75, x, wa_scales, wa_quants, _buffer_sizes);
                                sums_1.inner[(_e66 * TOKENS) + _e69] = _e72 + _e76;
                            }
                        }
                    }
                }
            }
        }
    }
    team_sums(sums_1, thread_5, team_partials);
    wa_store(first_row_2, n_rows_2, thread_5, sums_1, p, wa_out, _buffer_sizes);
    return;
}

type_19 wb_eight(
    uint index_2,
    device type_16 const& wb_values,
    constant _mslBufferSizes& _buffer_sizes
) {
    metal::uint4 eight = wb_values[index_2];
    return type_19 {{metal::float4(float2(as_type<half2>(eight.x)), float2(as_type<half2>(eight.y))), metal::float4(float2(as_type<half2>(eight.z)), float2(as_type<half2>(eight.w)))}};
}

void wb_store(
    uint first_row_1,
    uint n_rows_3,
    uint thread_6,
    thread type_6& sums_2,
    constant Parameters& p,
    device type_17& wb_out,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint r_2 = 0u;
    uint t_2 = {};
    bool local_2 = {};
    if ((thread_6 % TEAM) != 0u) {
        return;
    }
    bool loop_init_15 = true;
    while(true) {
        if (!loop_init_15) {
            uint _e48 = r_2;
            r_2 = _e48 + 1u;
        }
        loop_init_15 = false;
        uint _e10 = r_2;
        if (_e10 < ROWS) {
        } else {
            break;
        }
        {
            t_2 = 0u;
            bool loop_init_16 = true;
            while(true) {
                if (!loop_init_16) {
                    uint _e45 = t_2;
                    t_2 = _e45 + 1u;
                }
                loop_init_16 = false;
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
    uint thread_7,
    threadgroup type_5& team_partials,
    threadgroup type_12& normed_fours,
    constant Parameters& p,
    device type_16 const& wb_values,
    device type_17& wb_out,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_6 sums_3 = {};
    uint step_1 = 0u;
    bool local_3 = {};
    uint r_3 = {};
    uint t_3 = {};
    uint first_row_3 = (block_1 * BLOCK_ROWS) + ((thread_7 / TEAM) * ROWS);
    bool loop_init_17 = true;
    while(true) {
        if (!loop_init_17) {
            uint _e98 = step_1;
            step_1 = _e98 + 1u;
        }
        loop_init_17 = false;
        uint _e13 = step_1;
        if (_e13 < 4u) {
        } else {
            break;
        }
        {
            uint _e16 = step_1;
            uint i_7 = (_e16 * TEAM) + (thread_7 % TEAM);
            if (false) {
                local_3 = i_7 >= 128u;
            } else {
                local_3 = false;
            }
            bool _e28 = local_3;
            if (_e28) {
                break;
            }
            r_3 = 0u;
            bool loop_init_18 = true;
            while(true) {
                if (!loop_init_18) {
                    uint _e95 = r_3;
                    r_3 = _e95 + 1u;
                }
                loop_init_18 = false;
                uint _e31 = r_3;
                if (_e31 < ROWS) {
                } else {
                    break;
                }
                {
                    uint _e34 = r_3;
                    uint row_1 = metal::min(first_row_3 + _e34, n_rows_4 - 1u);
                    type_19 _e44 = wb_eight(((row_1 * 4u) * GROUPS) + i_7, wb_values, _buffer_sizes);
                    uint _e47 = p.rows_per_part;
                    uint _e51 = p.columns;
                    uint part_1 = (row_1 / _e47) * _e51;
                    t_3 = 0u;
                    bool loop_init_19 = true;
                    while(true) {
                        if (!loop_init_19) {
                            uint _e92 = t_3;
                            t_3 = _e92 + 1u;
                        }
                        loop_init_19 = false;
                        uint _e55 = t_3;
                        if (_e55 < TOKENS) {
                        } else {
                            break;
                        }
                        {
                            uint _e58 = t_3;
                            uint _e61 = p.n_tokens;
                            if (_e58 < _e61) {
                                uint _e63 = t_3;
                                uint _e66 = p.x_width;
                                uint at_2 = (((_e63 * _e66) + part_1) / 4u) + (2u * i_7);
                                uint _e74 = r_3;
                                uint _e77 = t_3;
                                float _e80 = sums_3.inner[(_e74 * TOKENS) + _e77];
                                metal::float4 _e82 = x_four(at_2, normed_fours);
                                metal::float4 _e87 = x_four(at_2 + 1u, normed_fours);
                                sums_3.inner[(_e74 * TOKENS) + _e77] = _e80 + (metal::dot(_e44.inner[0], _e82) + metal::dot(_e44.inner[1], _e87));
                            }
                        }
                    }
                }
            }
        }
    }
    team_sums(sums_3, thread_7, team_partials);
    wb_store(first_row_3, n_rows_4, thread_7, sums_3, p, wb_out, _buffer_sizes);
    return;
}

void wc_rows(
    uint block_2,
    uint n_rows_5,
    uint thread_8
) {
    return;
}

void wd_rows(
    uint block_3,
    uint n_rows_6,
    uint thread_9
) {
    return;
}

void we_rows(
    uint block_4,
    uint n_rows_7,
    uint thread_10
) {
    return;
}

void wf_rows(
    uint block_5,
    uint n_rows_8,
    uint thread_11
) {
    return;
}

void wg_rows(
    uint block_6,
    uint n_rows_9,
    uint thread_12
) {
    return;
}

void wh_rows(
    uint block_7,
    uint n_rows_10,
    uint thread_13
) {
    return;
}

type_4 wb_group(
    uint index_3,
    device type_16 const& wb_values,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_4 values_3 = {};
    uint i_6 = 0u;
    bool loop_init_20 = true;
    while(true) {
        if (!loop_init_20) {
            uint _e35 = i_6;
            i_6 = _e35 + 1u;
        }
        loop_init_20 = false;
        uint _e4 = i_6;
        if (_e4 < 4u) {
        } else {
            break;
        }
        {
            uint _e10 = i_6;
            metal::uint4 eight_1 = wb_values[(index_3 * 4u) + _e10];
            uint _e15 = i_6;
            values_3.inner[2u * _e15] = metal::float4(float2(as_type<half2>(eight_1.x)), float2(as_type<half2>(eight_1.y)));
            uint _e24 = i_6;
            values_3.inner[(2u * _e24) + 1u] = metal::float4(float2(as_type<half2>(eight_1.z)), float2(as_type<half2>(eight_1.w)));
        }
    }
    type_4 _e37 = values_3;
    return _e37;
}

struct main_Input {
};
[[max_total_threads_per_threadgroup(256)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, device type_3 const& x [[user(fake0)]]
, threadgroup type_5& team_partials
, device type_3 const& gain [[user(fake0)]]
, threadgroup type_9& x_quants
, threadgroup type_11& x_scales
, threadgroup type_12& normed_fours
, threadgroup type_13& block_squares
, threadgroup type_13& block_scales
, constant Parameters& p [[user(fake0)]]
, device type_15 const& wa_scales [[user(fake0)]]
, device type_16 const& wa_quants [[user(fake0)]]
, device type_17& wa_out [[user(fake0)]]
, device type_16 const& wb_values [[user(fake0)]]
, device type_17& wb_out [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    activations_begin(thread_, x, gain, x_quants, x_scales, normed_fours, block_squares, block_scales, p, _buffer_sizes);
    uint _e4 = p.n_rows_a;
    uint _e5 = n_blocks(_e4);
    uint _e8 = p.n_rows_b;
    uint _e9 = n_blocks(_e8);
    uint c_1 = _e5 + _e9;
    uint _e13 = p.n_rows_c;
    uint _e14 = n_blocks(_e13);
    uint d_1 = c_1 + _e14;
    uint _e18 = p.n_rows_d;
    uint _e19 = n_blocks(_e18);
    uint e = d_1 + _e19;
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
        if (block_8 < c_1) {
            uint _e45 = p.n_rows_b;
            wb_rows(block_8 - _e5, _e45, thread_, team_partials, normed_fours, p, wb_values, wb_out, _buffer_sizes);
            return;
        } else {
            if (block_8 < d_1) {
                uint _e50 = p.n_rows_c;
                wc_rows(block_8 - c_1, _e50, thread_);
                return;
            } else {
                if (block_8 < e) {
                    uint _e55 = p.n_rows_d;
                    wd_rows(block_8 - d_1, _e55, thread_);
                    return;
                } else {
                    if (block_8 < f) {
                        uint _e60 = p.n_rows_e;
                        we_rows(block_8 - e, _e60, thread_);
                        return;
                    } else {
                        if (block_8 < g) {
                            uint _e65 = p.n_rows_f;
                            wf_rows(block_8 - f, _e65, thread_);
                            return;
                        } else {
                            if (block_8 < h) {
                                uint _e70 = p.n_rows_g;
                                wg_rows(block_8 - g, _e70, thread_);
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
