// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size1;
    uint size4;
    uint size5;
    uint size6;
    uint size7;
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
typedef metal::simdgroup_half8x8 Left;
typedef metal::simdgroup_half8x8 Right;
typedef metal::simdgroup_float8x8 Sum;
struct type_5 {
    half inner[2560];
};
struct type_6 {
    half inner[1280];
};
typedef metal::uint2 type_9[1];
struct type_12 {
    metal::float4 inner[8];
};
typedef float type_13[1];
typedef metal::half4 type_14[1];
struct type_15 {
    float inner[128];
};
struct type_17 {
    uint inner[1];
};
struct type_18 {
    uint inner[4];
};
struct type_19 {
    metal::half4 inner[8];
};
struct type_20 {
    metal::half4 inner[4];
};
constant uint TOKEN_SUBGROUPS = 1u;
constant uint IN_ORDER = 0u;
constant uint SIDE = 8u;
constant uint UNIT = 1u;
constant uint STRIDE = 40u;
constant uint SPAN = 32u;
constant uint ROWS = 64u;
constant uint TOKENS = 32u;
constant uint WORKGROUP = 64u;
constant uint MY_GROUPS = 1u;
constant uint MY_FOURS = 4u;

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

void put_weights(
    uint row,
    uint four,
    metal::half4 values,
    threadgroup type_5& weight_tile
) {
    uint at_1 = (row * STRIDE) + (4u * four);
    weight_tile.inner[at_1] = values.x;
    weight_tile.inner[at_1 + 1u] = values.y;
    weight_tile.inner[at_1 + 2u] = values.z;
    weight_tile.inner[at_1 + 3u] = values.w;
    return;
}

void put_x(
    uint token_2,
    uint four_1,
    metal::half4 values_1,
    threadgroup type_6& x_tile
) {
    uint at_2 = (token_2 * STRIDE) + (4u * four_1);
    x_tile.inner[at_2] = values_1.x;
    x_tile.inner[at_2 + 1u] = values_1.y;
    x_tile.inner[at_2 + 2u] = values_1.z;
    x_tile.inner[at_2 + 3u] = values_1.w;
    return;
}

metal::float4 weight_signs(
    uint bits
) {
    metal::uint4 negative = (metal::uint4(bits) >> metal::uint4(0u, 1u, 2u, 3u)) & metal::uint4(1u);
    return metal::float4(1.0) - (2.0 * static_cast<metal::float4>(negative));
}

type_12 weight_group(
    uint index,
    device type_9 const& weight_quants,
    device type_1 const& weight_scales,
    device type_9 const& weight_grid,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_12 values_2 = {};
    uint i_8 = 0u;
    uint block = index / 8u;
    uint _e7 = weight_scales[block / 2u];
    float d = float2(as_type<half2>((_e7 >> (16u * (block & 1u))))).x;
    metal::uint2 words = weight_quants[index];
    float scale = (d * (0.5 + static_cast<float>(words.y >> 28u))) * 0.25;
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e81 = i_8;
            i_8 = _e81 + 1u;
        }
        loop_init = false;
        uint _e30 = i_8;
        if (_e30 < 4u) {
        } else {
            break;
        }
        {
            uint _e36 = i_8;
            metal::uint2 point = weight_grid[(words.x >> (8u * _e36)) & 255u];
            uint _e45 = i_8;
            uint seven = (words.y >> (7u * _e45)) & 127u;
            uint signs = seven | ((metal::popcount(seven) & 1u) << 7u);
            uint _e57 = i_8;
            metal::float4 _e64 = weight_signs(signs);
            values_2.inner[2u * _e57] = (scale * static_cast<metal::float4>(uint4(as_type<packed_uchar4>(point.x)))) * _e64;
            uint _e67 = i_8;
            metal::float4 _e78 = weight_signs(signs >> 4u);
            values_2.inner[(2u * _e67) + 1u] = (scale * static_cast<metal::float4>(uint4(as_type<packed_uchar4>(point.y)))) * _e78;
        }
    }
    type_12 _e83 = values_2;
    return _e83;
}

void store_edge(
    Tile tile_2,
    uint first_token,
    uint first_row,
    uint thread_1,
    constant Parameters& p,
    device type_1 const& lists,
    device type_13& out,
    threadgroup type_15& edge,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint i_9 = {};
    bool local_2 = {};
    uint mine = ((thread_1 / 32u) * SIDE) * SIDE;
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    i_9 = thread_1 % 32u;
    bool loop_init_1 = true;
    while(true) {
        if (!loop_init_1) {
            uint _e49 = i_9;
            i_9 = _e49 + 32u;
        }
        loop_init_1 = false;
        uint _e13 = i_9;
        if (_e13 < 64u) {
        } else {
            break;
        }
        {
            uint _e16 = i_9;
            uint token_3 = first_token + (_e16 / SIDE);
            uint _e20 = i_9;
            uint row_1 = first_row + (_e20 % SIDE);
            if (token_3 < tile_2.n_tokens) {
                uint _e30 = p.n_rows;
                local_2 = row_1 < _e30;
            } else {
                local_2 = false;
            }
            bool _e33 = local_2;
            if (_e33) {
                uint _e35 = out_row(tile_2, token_3, lists, _buffer_sizes);
                uint _e38 = p.out_width;
                uint _e45 = i_9;
                float _e48 = edge.inner[mine + _e45];
                out[((_e35 * _e38) + tile_2.first_out) + row_1] = _e48;
            }
        }
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    return;
}
metal::simdgroup_half8x8 NagaCooperativeLoad(const threadgroup half* ptr, int stride, bool is_row_major) {
    metal::simdgroup_half8x8 m;
    simdgroup_load(m, ptr, stride, 0, is_row_major);
    return m;
}

metal::simdgroup_float8x8 NagaCooperativeMultiplyAdd(const thread metal::simdgroup_half8x8& a, const thread metal::simdgroup_half8x8& b, const thread metal::simdgroup_float8x8& c) {
    metal::simdgroup_float8x8 d;
    simdgroup_multiply_accumulate(d,a,b,c);
    return d;
}


struct main_Input {
};
[[max_total_threads_per_threadgroup(64)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, constant Parameters& p [[user(fake0)]]
, device type_1 const& lists [[user(fake0)]]
, threadgroup type_5& weight_tile
, threadgroup type_6& x_tile
, device type_9 const& weight_quants [[user(fake0)]]
, device type_1 const& weight_scales [[user(fake0)]]
, device type_9 const& weight_grid [[user(fake0)]]
, device type_13& out [[user(fake0)]]
, device type_14 const& x [[user(fake0)]]
, threadgroup type_15& edge
, threadgroup uint& tokens_of_tile
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    type_17 group_at = {};
    uint i = 0u;
    type_18 four_at = {};
    uint i_1 = 0u;
    type_19 weights = {};
    type_20 fours = {};
    uint i_2 = 0u;
    uint j = {};
    uint i_3 = 0u;
    Sum s00_ = Sum {};
    Sum s01_ = Sum {};
    Sum s02_ = Sum {};
    Sum s03_ = Sum {};
    Sum s10_ = Sum {};
    Sum s11_ = Sum {};
    Sum s12_ = Sum {};
    Sum s13_ = Sum {};
    Sum s20_ = Sum {};
    Sum s21_ = Sum {};
    Sum s22_ = Sum {};
    Sum s23_ = Sum {};
    Sum s30_ = Sum {};
    Sum s31_ = Sum {};
    Sum s32_ = Sum {};
    Sum s33_ = Sum {};
    uint group = 0u;
    uint i_4 = {};
    uint j_1 = {};
    uint i_5 = {};
    uint i_6 = {};
    uint i_7 = {};
    uint j_2 = {};
    uint column = {};
    bool local = {};
    bool local_1 = {};
    Tile _e2 = tile_at(workgroup, p, lists, _buffer_sizes);
    if (thread_ == 0u) {
        tokens_of_tile = _e2.n_tokens;
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    uint unnamed = tokens_of_tile;
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    if (unnamed == 0u) {
        return;
    }
    uint first_row_1 = workgroup.x * ROWS;
    uint subgroup = thread_ / 32u;
    uint my_rows = (subgroup % 2u) * SPAN;
    uint my_tokens = (subgroup / 2u) * SPAN;
    bool loop_init_2 = true;
    while(true) {
        if (!loop_init_2) {
            uint _e50 = i;
            i = _e50 + 1u;
        }
        loop_init_2 = false;
        uint _e27 = i;
        if (_e27 < MY_GROUPS) {
        } else {
            break;
        }
        {
            uint _e31 = i;
            uint _e37 = p.n_rows;
            uint row_2 = metal::min((first_row_1 + thread_) + (_e31 * WORKGROUP), _e37 - 1u);
            uint _e41 = i;
            uint _e47 = p.n_groups;
            group_at.inner[_e41] = (_e2.first_weight_row + row_2) * _e47;
        }
    }
    bool loop_init_3 = true;
    while(true) {
        if (!loop_init_3) {
            uint _e83 = i_1;
            i_1 = _e83 + 1u;
        }
        loop_init_3 = false;
        uint _e55 = i_1;
        if (_e55 < MY_FOURS) {
        } else {
            break;
        }
        {
            uint _e58 = i_1;
            uint at_3 = thread_ + (_e58 * WORKGROUP);
            uint token_4 = metal::min(at_3 / 8u, _e2.n_tokens - 1u);
            uint _e68 = i_1;
            uint _e70 = x_row(_e2, token_4, p, lists, _buffer_sizes);
            uint _e73 = p.x_width;
            four_at.inner[_e68] = (((_e70 * _e73) + _e2.first_column) / 4u) + (at_3 % 8u);
        }
    }
    bool loop_init_4 = true;
    while(true) {
        if (!loop_init_4) {
            uint _e114 = i_2;
            i_2 = _e114 + 1u;
        }
        loop_init_4 = false;
        uint _e89 = i_2;
        if (_e89 < MY_GROUPS) {
        } else {
            break;
        }
        {
            uint _e92 = i_2;
            uint _e94 = group_at.inner[_e92];
            type_12 _e95 = weight_group(_e94, weight_quants, weight_scales, weight_grid, _buffer_sizes);
            j = 0u;
            bool loop_init_5 = true;
            while(true) {
                if (!loop_init_5) {
                    uint _e111 = j;
                    j = _e111 + 1u;
                }
                loop_init_5 = false;
                uint _e98 = j;
                if (_e98 < 8u) {
                } else {
                    break;
                }
                {
                    uint _e102 = i_2;
                    uint _e104 = j;
                    uint _e107 = j;
                    weights.inner[(8u * _e102) + _e104] = static_cast<metal::half4>(_e95.inner[_e107]);
                }
            }
        }
    }
    bool loop_init_6 = true;
    while(true) {
        if (!loop_init_6) {
            uint _e130 = i_3;
            i_3 = _e130 + 1u;
        }
        loop_init_6 = false;
        uint _e118 = i_3;
        if (_e118 < MY_FOURS) {
        } else {
            break;
        }
        {
            uint _e121 = i_3;
            uint _e124 = i_3;
            uint _e126 = four_at.inner[_e124];
            metal::half4 _e128 = x[_e126];
            fours.inner[_e121] = _e128;
        }
    }
    bool loop_init_7 = true;
    while(true) {
        if (!loop_init_7) {
            uint _e373 = group;
            group = _e373 + 1u;
        }
        loop_init_7 = false;
        uint _e166 = group;
        uint _e169 = p.n_groups;
        if (_e166 < _e169) {
        } else {
            break;
        }
        {
            metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
            i_4 = 0u;
            bool loop_init_8 = true;
            while(true) {
                if (!loop_init_8) {
                    uint _e197 = i_4;
                    i_4 = _e197 + 1u;
                }
                loop_init_8 = false;
                uint _e173 = i_4;
                if (_e173 < MY_GROUPS) {
                } else {
                    break;
                }
                {
                    j_1 = 0u;
                    bool loop_init_9 = true;
                    while(true) {
                        if (!loop_init_9) {
                            uint _e194 = j_1;
                            j_1 = _e194 + 1u;
                        }
                        loop_init_9 = false;
                        uint _e178 = j_1;
                        if (_e178 < 8u) {
                        } else {
                            break;
                        }
                        {
                            uint _e181 = i_4;
                            uint _e185 = j_1;
                            uint _e187 = i_4;
                            uint _e189 = j_1;
                            metal::half4 _e192 = weights.inner[(8u * _e187) + _e189];
                            put_weights(thread_ + (_e181 * WORKGROUP), _e185, _e192, weight_tile);
                        }
                    }
                }
            }
            i_5 = 0u;
            bool loop_init_10 = true;
            while(true) {
                if (!loop_init_10) {
                    uint _e216 = i_5;
                    i_5 = _e216 + 1u;
                }
                loop_init_10 = false;
                uint _e201 = i_5;
                if (_e201 < MY_FOURS) {
                } else {
                    break;
                }
                {
                    uint _e204 = i_5;
                    uint at_4 = thread_ + (_e204 * WORKGROUP);
                    uint _e212 = i_5;
                    metal::half4 _e214 = fours.inner[_e212];
                    put_x(at_4 / 8u, at_4 % 8u, _e214, x_tile);
                }
            }
            metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
            uint _e218 = group;
            uint _e223 = p.n_groups;
            uint next = metal::min(_e218 + 1u, _e223 - 1u);
            i_6 = 0u;
            bool loop_init_11 = true;
            while(true) {
                if (!loop_init_11) {
                    uint _e244 = i_6;
                    i_6 = _e244 + 1u;
                }
                loop_init_11 = false;
                uint _e229 = i_6;
                if (_e229 < MY_FOURS) {
                } else {
                    break;
                }
                {
                    uint _e232 = i_6;
                    uint _e235 = i_6;
                    uint _e237 = four_at.inner[_e235];
                    metal::half4 _e242 = x[_e237 + (8u * next)];
                    fours.inner[_e232] = _e242;
                }
            }
            i_7 = 0u;
            bool loop_init_12 = true;
            while(true) {
                if (!loop_init_12) {
                    uint _e274 = i_7;
                    i_7 = _e274 + 1u;
                }
                loop_init_12 = false;
                uint _e248 = i_7;
                if (_e248 < MY_GROUPS) {
                } else {
                    break;
                }
                {
                    uint _e251 = i_7;
                    uint _e253 = group_at.inner[_e251];
                    type_12 _e255 = weight_group(_e253 + next, weight_quants, weight_scales, weight_grid, _buffer_sizes);
                    j_2 = 0u;
                    bool loop_init_13 = true;
                    while(true) {
                        if (!loop_init_13) {
                            uint _e271 = j_2;
                            j_2 = _e271 + 1u;
                        }
                        loop_init_13 = false;
                        uint _e258 = j_2;
                        if (_e258 < 8u) {
                        } else {
                            break;
                        }
                        {
                            uint _e262 = i_7;
                            uint _e264 = j_2;
                            uint _e267 = j_2;
                            weights.inner[(8u * _e262) + _e264] = static_cast<metal::half4>(_e255.inner[_e267]);
                        }
                    }
                }
            }
            column = 0u;
            bool loop_init_14 = true;
            while(true) {
                if (!loop_init_14) {
                    uint _e369 = column;
                    column = _e369 + SIDE;
                }
                loop_init_14 = false;
                uint _e278 = column;
                if (_e278 < 32u) {
                } else {
                    break;
                }
                {
                    uint _e283 = column;
                    uint x_at = (my_tokens * STRIDE) + (_e283 / UNIT);
                    uint _e289 = column;
                    uint weight_at = (my_rows * STRIDE) + (_e289 / UNIT);
                    metal::simdgroup_half8x8 x0_ = NagaCooperativeLoad(&x_tile.inner[x_at], STRIDE, false);
                    metal::simdgroup_half8x8 x1_ = NagaCooperativeLoad(&x_tile.inner[x_at + 320u], STRIDE, false);
                    metal::simdgroup_half8x8 x2_ = NagaCooperativeLoad(&x_tile.inner[x_at + 640u], STRIDE, false);
                    metal::simdgroup_half8x8 x3_ = NagaCooperativeLoad(&x_tile.inner[x_at + 960u], STRIDE, false);
                    metal::simdgroup_half8x8 w0_ = NagaCooperativeLoad(&weight_tile.inner[weight_at], STRIDE, true);
                    Sum _e319 = s00_;
                    s00_ = NagaCooperativeMultiplyAdd(x0_, w0_, _e319);
                    Sum _e321 = s10_;
                    s10_ = NagaCooperativeMultiplyAdd(x1_, w0_, _e321);
                    Sum _e323 = s20_;
                    s20_ = NagaCooperativeMultiplyAdd(x2_, w0_, _e323);
                    Sum _e325 = s30_;
                    s30_ = NagaCooperativeMultiplyAdd(x3_, w0_, _e325);
                    metal::simdgroup_half8x8 w1_ = NagaCooperativeLoad(&weight_tile.inner[weight_at + 320u], STRIDE, true);
                    Sum _e333 = s01_;
                    s01_ = NagaCooperativeMultiplyAdd(x0_, w1_, _e333);
                    Sum _e335 = s11_;
                    s11_ = NagaCooperativeMultiplyAdd(x1_, w1_, _e335);
                    Sum _e337 = s21_;
                    s21_ = NagaCooperativeMultiplyAdd(x2_, w1_, _e337);
                    Sum _e339 = s31_;
                    s31_ = NagaCooperativeMultiplyAdd(x3_, w1_, _e339);
                    metal::simdgroup_half8x8 w2_ = NagaCooperativeLoad(&weight_tile.inner[weight_at + 640u], STRIDE, true);
                    Sum _e347 = s02_;
                    s02_ = NagaCooperativeMultiplyAdd(x0_, w2_, _e347);
                    Sum _e349 = s12_;
                    s12_ = NagaCooperativeMultiplyAdd(x1_, w2_, _e349);
                    Sum _e351 = s22_;
                    s22_ = NagaCooperativeMultiplyAdd(x2_, w2_, _e351);
                    Sum _e353 = s32_;
                    s32_ = NagaCooperativeMultiplyAdd(x3_, w2_, _e353);
                    metal::simdgroup_half8x8 w3_ = NagaCooperativeLoad(&weight_tile.inner[weight_at + 960u], STRIDE, true);
                    Sum _e361 = s03_;
                    s03_ = NagaCooperativeMultiplyAdd(x0_, w3_, _e361);
                    Sum _e363 = s13_;
                    s13_ = NagaCooperativeMultiplyAdd(x1_, w3_, _e363);
                    Sum _e365 = s23_;
                    s23_ = NagaCooperativeMultiplyAdd(x2_, w3_, _e365);
                    Sum _e367 = s33_;
                    s33_ = NagaCooperativeMultiplyAdd(x3_, w3_, _e367);
                }
            }
        }
    }
    uint row_3 = first_row_1 + my_rows;
    if (false) {
        local = unnamed == TOKENS;
    } else {
        local = false;
    }
    bool _e382 = local;
    if (_e382) {
        uint _e389 = p.n_rows;
        local_1 = (first_row_1 + ROWS) <= _e389;
    } else {
        local_1 = false;
    }
    bool _e392 = local_1;
    if (_e392) {
        uint width = p.out_width;
        uint step = SIDE * width;
        uint _e398 = out_row(_e2, my_tokens, lists, _buffer_sizes);
        uint at00_ = ((_e398 * width) + _e2.first_out) + row_3;
        uint at01_ = at00_ + SIDE;
        uint at02_ = at01_ + SIDE;
        uint at03_ = at02_ + SIDE;
        uint at10_ = at00_ + step;
        uint at11_ = at10_ + SIDE;
        uint at12_ = at11_ + SIDE;
        uint at13_ = at12_ + SIDE;
        uint at20_ = at10_ + step;
        uint at21_ = at20_ + SIDE;
        uint at22_ = at21_ + SIDE;
        uint at23_ = at22_ + SIDE;
        uint at30_ = at20_ + step;
        uint at31_ = at30_ + SIDE;
        uint at32_ = at31_ + SIDE;
        uint at33_ = at32_ + SIDE;
        Sum _e430 = s00_;
        simdgroup_store(_e430, &out[at00_], width);
        Sum _e433 = s01_;
        simdgroup_store(_e433, &out[at01_], width);
        Sum _e436 = s02_;
        simdgroup_store(_e436, &out[at02_], width);
        Sum _e439 = s03_;
        simdgroup_store(_e439, &out[at03_], width);
        Sum _e442 = s10_;
        simdgroup_store(_e442, &out[at10_], width);
        Sum _e445 = s11_;
        simdgroup_store(_e445, &out[at11_], width);
        Sum _e448 = s12_;
        simdgroup_store(_e448, &out[at12_], width);
        Sum _e451 = s13_;
        simdgroup_store(_e451, &out[at13_], width);
        Sum _e454 = s20_;
        simdgroup_store(_e454, &out[at20_], width);
        Sum _e457 = s21_;
        simdgroup_store(_e457, &out[at21_], width);
        Sum _e460 = s22_;
        simdgroup_store(_e460, &out[at22_], width);
        Sum _e463 = s23_;
        simdgroup_store(_e463, &out[at23_], width);
        Sum _e466 = s30_;
        simdgroup_store(_e466, &out[at30_], width);
        Sum _e469 = s31_;
        simdgroup_store(_e469, &out[at31_], width);
        Sum _e472 = s32_;
        simdgroup_store(_e472, &out[at32_], width);
        Sum _e475 = s33_;
        simdgroup_store(_e475, &out[at33_], width);
        return;
    } else {
        uint mine_1 = (subgroup * SIDE) * SIDE;
        Sum _e482 = s00_;
        simdgroup_store(_e482, &edge.inner[mine_1], SIDE);
        store_edge(_e2, my_tokens, row_3, thread_, p, lists, out, edge, _buffer_sizes);
        Sum _e486 = s01_;
        simdgroup_store(_e486, &edge.inner[mine_1], SIDE);
        store_edge(_e2, my_tokens, row_3 + SIDE, thread_, p, lists, out, edge, _buffer_sizes);
        Sum _e492 = s02_;
        simdgroup_store(_e492, &edge.inner[mine_1], SIDE);
        store_edge(_e2, my_tokens, row_3 + 16u, thread_, p, lists, out, edge, _buffer_sizes);
        Sum _e498 = s03_;
        simdgroup_store(_e498, &edge.inner[mine_1], SIDE);
        store_edge(_e2, my_tokens, row_3 + 24u, thread_, p, lists, out, edge, _buffer_sizes);
        Sum _e504 = s10_;
        simdgroup_store(_e504, &edge.inner[mine_1], SIDE);
        store_edge(_e2, my_tokens + SIDE, row_3, thread_, p, lists, out, edge, _buffer_sizes);
        Sum _e510 = s11_;
        simdgroup_store(_e510, &edge.inner[mine_1], SIDE);
        store_edge(_e2, my_tokens + SIDE, row_3 + SIDE, thread_, p, lists, out, edge, _buffer_sizes);
        Sum _e518 = s12_;
        simdgroup_store(_e518, &edge.inner[mine_1], SIDE);
        store_edge(_e2, my_tokens + SIDE, row_3 + 16u, thread_, p, lists, out, edge, _buffer_sizes);
        Sum _e526 = s13_;
        simdgroup_store(_e526, &edge.inner[mine_1], SIDE);
        store_edge(_e2, my_tokens + SIDE, row_3 + 24u, thread_, p, lists, out, edge, _buffer_sizes);
        Sum _e534 = s20_;
        simdgroup_store(_e534, &edge.inner[mine_1], SIDE);
        store_edge(_e2, my_tokens + 16u, row_3, thread_, p, lists, out, edge, _buffer_sizes);
        Sum _e540 = s21_;
        simdgroup_store(_e540, &edge.inner[mine_1], SIDE);
        store_edge(_e2, my_tokens + 16u, row_3 + SIDE, thread_, p, lists, out, edge, _buffer_sizes);
        Sum _e548 = s22_;
        simdgroup_store(_e548, &edge.inner[mine_1], SIDE);
        store_edge(_e2, my_tokens + 16u, row_3 + 16u, thread_, p, lists, out, edge, _buffer_sizes);
        Sum _e556 = s23_;
        simdgroup_store(_e556, &edge.inner[mine_1], SIDE);
        store_edge(_e2, my_tokens + 16u, row_3 + 24u, thread_, p, lists, out, edge, _buffer_sizes);
        Sum _e564 = s30_;
        simdgroup_store(_e564, &edge.inner[mine_1], SIDE);
        store_edge(_e2, my_tokens + 24u, row_3, thread_, p, lists, out, edge, _buffer_sizes);
        Sum _e570 = s31_;
        simdgroup_store(_e570, &edge.inner[mine_1], SIDE);
        store_edge(_e2, my_tokens + 24u, row_3 + SIDE, thread_, p, lists, out, edge, _buffer_sizes);
        Sum _e578 = s32_;
        simdgroup_store(_e578, &edge.inner[mine_1], SIDE);
        store_edge(_e2, my_tokens + 24u, row_3 + 16u, thread_, p, lists, out, edge, _buffer_sizes);
        Sum _e586 = s33_;
        simdgroup_store(_e586, &edge.inner[mine_1], SIDE);
        store_edge(_e2, my_tokens + 24u, row_3 + 24u, thread_, p, lists, out, edge, _buffer_sizes);
        return;
    }
}
