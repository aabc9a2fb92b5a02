// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size1;
    uint size2;
    uint size3;
    uint size4;
    uint size5;
    uint size8;
};

struct Parameters {
    uint n_rows;
    uint columns;
    uint n_groups;
    uint x_width;
    uint out_width;
    uint choices_per_row;
    uint max_tiles;
};
typedef uint type_1[1];
struct Tile {
    uint first_choice;
    uint n_tokens;
    uint first_weight_row;
    uint first_column;
    uint first_out;
};
typedef metal::float4 type_5[1];
struct type_6 {
    metal::float4 inner[8];
};
typedef metal::uint2 type_8[1];
struct type_10 {
    float inner[2048];
};
struct type_11 {
    float inner[1024];
};
typedef float type_12[1];
struct type_13 {
    metal::float4 inner[2];
};
constant uint TOKENS = 32u;
constant uint TOKENS_PER_THREAD = 2u;

Tile tile_at(
    metal::uint3 workgroup_1,
    constant Parameters& p,
    device type_1 const& lists,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint at = 3u * workgroup_1.y;
    uint _e7 = p.max_tiles;
    uint _e13 = lists[at + 1u];
    uint _e19 = lists[at + 2u];
    uint _e22 = lists[at];
    uint _e25 = p.n_rows;
    return Tile {(3u * _e7) + _e13, _e19, _e22 * _e25, 0u, 0u};
}

uint x_row(
    Tile tile,
    uint token,
    constant Parameters& p,
    device type_1 const& lists,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint _e6 = lists[tile.first_choice + token];
    uint _e9 = p.choices_per_row;
    return _e6 / _e9;
}

uint out_row(
    Tile tile_1,
    uint token_1,
    device type_1 const& lists,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint _e6 = lists[tile_1.first_choice + token_1];
    return _e6;
}

float group_product(
    type_6 values,
    uint first,
    uint group_1,
    uint columns,
    device type_5 const& x,
    constant _mslBufferSizes& _buffer_sizes
) {
    float sum = 0.0;
    uint i = 0u;
    uint at_1 = (first / 4u) + (group_1 * 8u);
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
    device type_5 const& x,
    constant _mslBufferSizes& _buffer_sizes
) {
    metal::float4 _e8 = x[(first_1 + column) / 4u];
    return _e8;
}

metal::float4 weight_signed(
    metal::float4 magnitudes,
    uint signs
) {
    metal::uint4 turned = (metal::uint4(signs) << metal::uint4(31u, 30u, 29u, 28u)) & metal::uint4(2147483648u);
    return as_type<metal::float4>(as_type<metal::uint4>(magnitudes) ^ turned);
}

metal::uint2 weight_point(
    uint i_1,
    device type_8 const& weight_grid,
    constant _mslBufferSizes& _buffer_sizes
) {
    metal::uint2 _e3 = weight_grid[i_1];
    return _e3;
}

type_6 weight_group(
    uint index,
    device type_8 const& weight_quants,
    device type_1 const& weight_scales,
    device type_8 const& weight_grid,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_6 values_1 = {};
    uint i_2 = 0u;
    uint block = index / 8u;
    uint _e7 = weight_scales[block / 2u];
    float d = float2(as_type<half2>((_e7 >> (16u * (block & 1u))))).x;
    metal::uint2 words = weight_quants[index];
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
            metal::uint2 _e40 = weight_point((words.x >> (8u * _e35)) & 255u, weight_grid, _buffer_sizes);
            uint _e43 = i_2;
            uint seven = (words.y >> (7u * _e43)) & 127u;
            uint signs_1 = seven | (metal::popcount(seven) << 7u);
            uint _e53 = i_2;
            metal::float4 _e60 = weight_signed(scale * static_cast<metal::float4>(uint4(as_type<packed_uchar4>(_e40.x))), signs_1);
            values_1.inner[2u * _e53] = _e60;
            uint _e62 = i_2;
            metal::float4 _e73 = weight_signed(scale * static_cast<metal::float4>(uint4(as_type<packed_uchar4>(_e40.y))), signs_1 >> 4u);
            values_1.inner[(2u * _e62) + 1u] = _e73;
        }
    }
    type_6 _e77 = values_1;
    return _e77;
}

void fill_weight_tile(
    Tile tile_2,
    uint first_row,
    uint group_2,
    uint thread_1,
    constant Parameters& p,
    device type_8 const& weight_quants,
    device type_1 const& weight_scales,
    device type_8 const& weight_grid,
    threadgroup type_10& weight_tile,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_6 values_2 = {};
    uint i_3 = 0u;
    uint j_1 = {};
    if (thread_1 < 64u) {
        uint _e10 = p.n_rows;
        if ((first_row + thread_1) < _e10) {
            uint _e17 = p.n_groups;
            type_6 _e20 = weight_group((((tile_2.first_weight_row + first_row) + thread_1) * _e17) + group_2, weight_quants, weight_scales, weight_grid, _buffer_sizes);
            values_2 = _e20;
        }
        bool loop_init_2 = true;
        while(true) {
            if (!loop_init_2) {
                uint _e50 = i_3;
                i_3 = _e50 + 1u;
            }
            loop_init_2 = false;
            uint _e23 = i_3;
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
                        uint _e33 = i_3;
                        uint _e35 = j_1;
                        uint _e41 = i_3;
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
    device type_1 const& lists,
    device type_5 const& x,
    threadgroup type_11& x_tile,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint i_4 = {};
    metal::float4 four = {};
    uint j_2 = {};
    i_4 = thread_2;
    bool loop_init_4 = true;
    while(true) {
        if (!loop_init_4) {
            uint _e52 = i_4;
            i_4 = _e52 + 256u;
        }
        loop_init_4 = false;
        uint _e4 = i_4;
        if (_e4 < 256u) {
        } else {
            break;
        }
        {
            uint _e7 = i_4;
            uint token_2 = _e7 / 8u;
            uint _e11 = i_4;
            uint column_1 = 4u * (_e11 % 8u);
            four = metal::float4(0.0);
            if (token_2 < tile_3.n_tokens) {
                uint _e20 = x_row(tile_3, token_2, p, lists, _buffer_sizes);
                uint _e23 = p.x_width;
                uint first_2 = (_e20 * _e23) + tile_3.first_column;
                uint _e32 = p.columns;
                metal::float4 _e33 = activations_at(first_2, (32u * group_3) + column_1, _e32, x, _buffer_sizes);
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
, device type_1 const& lists [[user(fake0)]]
, device type_5 const& x [[user(fake0)]]
, device type_8 const& weight_quants [[user(fake0)]]
, device type_1 const& weight_scales [[user(fake0)]]
, device type_8 const& weight_grid [[user(fake0)]]
, threadgroup type_10& weight_tile
, threadgroup type_11& x_tile
, device type_12& out [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    type_13 sums = {};
    uint group = 0u;
    uint k = {};
    uint t = {};
    uint t_1 = 0u;
    uint j = {};
    Tile _e2 = tile_at(workgroup, p, lists, _buffer_sizes);
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
            fill_weight_tile(_e2, first_row_1, _e25, thread_, p, weight_quants, weight_scales, weight_grid, weight_tile, _buffer_sizes);
            uint _e26 = group;
            fill_x_tile(_e2, _e26, thread_, p, lists, x, x_tile, _buffer_sizes);
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
                    uint at_2 = (_e32 * 64u) + my_row;
                    float _e38 = weight_tile.inner[at_2];
                    float _e43 = weight_tile.inner[at_2 + 1u];
                    float _e48 = weight_tile.inner[at_2 + 2u];
                    float _e53 = weight_tile.inner[at_2 + 3u];
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
                uint _e94 = out_row(_e2, my_token + _e92, lists, _buffer_sizes);
                uint _e97 = p.out_width;
                uint first_3 = (_e94 * _e97) + _e2.first_out;
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
                            out[((first_3 + first_row_1) + my_row) + _e116] = _e123;
                        }
                    }
                }
            }
        }
    }
    return;
}
