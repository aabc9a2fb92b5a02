// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size1;
    uint size2;
    uint size3;
    uint size6;
};

struct Parameters {
    uint n_rows;
    uint n_tokens;
    uint columns;
    uint n_groups;
    uint x_width;
    uint out_width;
};
struct Tile {
    uint first_token;
    uint n_tokens;
    uint first_weight_row;
    uint first_column;
    uint first_out;
};
typedef metal::float4 type_4[1];
struct type_5 {
    metal::float4 inner[8];
};
typedef metal::uint4 type_7[1];
typedef uint type_8[1];
struct type_9 {
    float inner[2048];
};
typedef float type_10[1];
struct type_11 {
    metal::float4 inner[4];
};
constant uint TOKENS = 64u;
constant uint TOKENS_PER_THREAD = 4u;

Tile tile_at(
    metal::uint3 workgroup_1,
    constant Parameters& p
) {
    uint first_2 = workgroup_1.y * TOKENS;
    uint part = workgroup_1.z;
    uint _e8 = p.n_tokens;
    uint _e13 = p.n_rows;
    uint _e17 = p.columns;
    uint _e21 = p.n_rows;
    return Tile {first_2, metal::min(TOKENS, _e8 - first_2), part * _e13, part * _e17, part * _e21};
}

uint x_row(
    Tile tile,
    uint token
) {
    return tile.first_token + token;
}

uint out_row(
    Tile tile_1,
    uint token_1
) {
    return tile_1.first_token + token_1;
}

float group_product(
    type_5 values,
    uint first,
    uint group_1,
    uint columns,
    device type_4 const& x,
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
    device type_4 const& x,
    constant _mslBufferSizes& _buffer_sizes
) {
    metal::float4 _e8 = x[(first_1 + column) / 4u];
    return _e8;
}

type_5 weight_group(
    uint index,
    device type_7 const& weight_quants,
    device type_8 const& weight_scales,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_5 values_1 = {};
    uint i_1 = 0u;
    uint _e5 = weight_scales[index / 2u];
    float scale = float2(as_type<half2>((_e5 >> (16u * (index & 1u))))).x;
    metal::uint4 low = weight_quants[index * 2u];
    metal::uint4 high = weight_quants[(index * 2u) + 1u];
    bool loop_init_1 = true;
    while(true) {
        if (!loop_init_1) {
            uint _e48 = i_1;
            i_1 = _e48 + 1u;
        }
        loop_init_1 = false;
        uint _e28 = i_1;
        if (_e28 < 4u) {
        } else {
            break;
        }
        {
            uint _e31 = i_1;
            uint _e33 = i_1;
            values_1.inner[_e31] = scale * static_cast<metal::float4>(int4(as_type<packed_char4>(low[_e33])));
            uint _e39 = i_1;
            uint _e42 = i_1;
            values_1.inner[4u + _e39] = scale * static_cast<metal::float4>(int4(as_type<packed_char4>(high[_e42])));
        }
    }
    type_5 _e50 = values_1;
    return _e50;
}

void fill_weight_tile(
    Tile tile_2,
    uint first_row,
    uint group_2,
    uint thread_1,
    constant Parameters& p,
    device type_7 const& weight_quants,
    device type_8 const& weight_scales,
    threadgroup type_9& weight_tile,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_5 values_2 = {};
    uint i_2 = 0u;
    uint j_1 = {};
    if (thread_1 < 64u) {
        uint _e10 = p.n_rows;
        if ((first_row + thread_1) < _e10) {
            uint _e17 = p.n_groups;
            type_5 _e20 = weight_group((((tile_2.first_weight_row + first_row) + thread_1) * _e17) + group_2, weight_quants, weight_scales, _buffer_sizes);
            values_2 = _e20;
        }
        bool loop_init_2 = true;
        while(true) {
            if (!loop_init_2) {
                uint _e50 = i_2;
                i_2 = _e50 + 1u;
            }
            loop_init_2 = false;
            uint _e23 = i_2;
            if (_e23 < 8u) {
            } else {
                break;
            }
            {
                j_1 = 0u;
                bool loop_init_3 = true;
                while(true) {
                    if (!loop_init_3) {
                        uint _e47 = j_1;
                        j_1 = _e47 + 1u;
                    }
                    loop_init_3 = false;
                    uint _e28 = j_1;
                    if (_e28 < 4u) {
                    } else {
                        break;
                    }
                    {
                        uint _e33 = i_2;
                        uint _e35 = j_1;
                        uint _e41 = i_2;
                        uint _e43 = j_1;
                        float _e45 = values_2.inner[_e41][_e43];
                        weight_tile.inner[(((4u * _e33) + _e35) * 64u) + thread_1] = _e45;
                    }
                }
            }
        }
        return;
    } else {
        return;
    }
}

void fill_x_tile(
    Tile tile_3,
    uint group_3,
    uint thread_2,
    constant Parameters& p,
    device type_4 const& x,
    threadgroup type_9& x_tile,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint i_3 = {};
    metal::float4 four = {};
    uint j_2 = {};
    i_3 = thread_2;
    bool loop_init_4 = true;
    while(true) {
        if (!loop_init_4) {
            uint _e52 = i_3;
            i_3 = _e52 + 256u;
        }
        loop_init_4 = false;
        uint _e4 = i_3;
        if (_e4 < 512u) {
        } else {
            break;
        }
        {
            uint _e7 = i_3;
            uint token_2 = _e7 / 8u;
            uint _e11 = i_3;
            uint column_1 = 4u * (_e11 % 8u);
            four = metal::float4(0.0);
            if (token_2 < tile_3.n_tokens) {
                uint _e20 = x_row(tile_3, token_2);
                uint _e23 = p.x_width;
                uint first_3 = (_e20 * _e23) + tile_3.first_column;
                uint _e32 = p.columns;
                metal::float4 _e33 = activations_at(first_3, (32u * group_3) + column_1, _e32, x, _buffer_sizes);
                four = _e33;
            }
            j_2 = 0u;
            bool loop_init_5 = true;
            while(true) {
                if (!loop_init_5) {
                    uint _e50 = j_2;
                    j_2 = _e50 + 1u;
                }
                loop_init_5 = false;
                uint _e36 = j_2;
                if (_e36 < 4u) {
                } else {
                    break;
                }
                {
                    uint _e40 = j_2;
                    uint _e46 = j_2;
                    float _e48 = four[_e46];
                    x_tile.inner[((column_1 + _e40) * TOKENS) + token_2] = _e48;
                }
            }
        }
    }
    return;
}

struct main_Input {
};
[[max_total_threads_per_threadgroup(256)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, constant Parameters& p [[user(fake0)]]
, device type_4 const& x [[user(fake0)]]
, device type_7 const& weight_quants [[user(fake0)]]
, device type_8 const& weight_scales [[user(fake0)]]
, threadgroup type_9& weight_tile
, threadgroup type_9& x_tile
, device type_10& out [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    type_11 sums = {};
    uint group = 0u;
    uint k = {};
    uint t = {};
    uint t_1 = 0u;
    uint j = {};
    Tile _e2 = tile_at(workgroup, p);
    if (_e2.n_tokens == 0u) {
        return;
    }
    uint first_row_1 = workgroup.x * 64u;
    uint my_row = 4u * (thread_ % 16u);
    uint my_token = TOKENS_PER_THREAD * (thread_ / 16u);
    bool loop_init_6 = true;
    while(true) {
        if (!loop_init_6) {
            uint _e81 = group;
            group = _e81 + 1u;
        }
        loop_init_6 = false;
        uint _e20 = group;
        uint _e23 = p.n_groups;
        if (_e20 < _e23) {
        } else {
            break;
        }
        {
            metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
            uint _e25 = group;
            fill_weight_tile(_e2, first_row_1, _e25, thread_, p, weight_quants, weight_scales, weight_tile, _buffer_sizes);
            uint _e26 = group;
            fill_x_tile(_e2, _e26, thread_, p, x, x_tile, _buffer_sizes);
            metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
            k = 0u;
            bool loop_init_7 = true;
            while(true) {
                if (!loop_init_7) {
                    uint _e78 = k;
                    k = _e78 + 1u;
                }
                loop_init_7 = false;
                uint _e29 = k;
                if (_e29 < 32u) {
                } else {
                    break;
                }
                {
                    uint _e32 = k;
                    uint at_1 = (_e32 * 64u) + my_row;
                    float _e38 = weight_tile.inner[at_1];
                    float _e43 = weight_tile.inner[at_1 + 1u];
                    float _e48 = weight_tile.inner[at_1 + 2u];
                    float _e53 = weight_tile.inner[at_1 + 3u];
                    metal::float4 four_1 = metal::float4(_e38, _e43, _e48, _e53);
                    t = 0u;
                    bool loop_init_8 = true;
                    while(true) {
                        if (!loop_init_8) {
                            uint _e75 = t;
                            t = _e75 + 1u;
                        }
                        loop_init_8 = false;
                        uint _e57 = t;
                        if (_e57 < TOKENS_PER_THREAD) {
                        } else {
                            break;
                        }
                        {
                            uint _e60 = t;
                            metal::float4 _e62 = sums.inner[_e60];
                            uint _e64 = k;
                            uint _e68 = t;
                            float _e71 = x_tile.inner[((_e64 * TOKENS) + my_token) + _e68];
                            sums.inner[_e60] = _e62 + (four_1 * _e71);
                        }
                    }
                }
            }
        }
    }
    bool loop_init_9 = true;
    while(true) {
        if (!loop_init_9) {
            uint _e128 = t_1;
            t_1 = _e128 + 1u;
        }
        loop_init_9 = false;
        uint _e85 = t_1;
        if (_e85 < TOKENS_PER_THREAD) {
        } else {
            break;
        }
        {
            uint _e88 = t_1;
            if ((my_token + _e88) < _e2.n_tokens) {
                uint _e92 = t_1;
                uint _e94 = out_row(_e2, my_token + _e92);
                uint _e97 = p.out_width;
                uint first_4 = (_e94 * _e97) + _e2.first_out;
                j = 0u;
                bool loop_init_10 = true;
                while(true) {
                    if (!loop_init_10) {
                        uint _e125 = j;
                        j = _e125 + 1u;
                    }
                    loop_init_10 = false;
                    uint _e103 = j;
                    if (_e103 < 4u) {
                    } else {
                        break;
                    }
                    {
                        uint _e107 = j;
                        uint _e111 = p.n_rows;
                        if (((first_row_1 + my_row) + _e107) < _e111) {
                            uint _e116 = j;
                            uint _e119 = t_1;
                            uint _e121 = j;
                            float _e123 = sums.inner[_e119][_e121];
                            out[((first_4 + first_row_1) + my_row) + _e116] = _e123;
                        }
                    }
                }
            }
        }
    }
    return;
}
