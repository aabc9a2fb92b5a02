// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size3;
    uint size4;
    uint size5;
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
typedef metal::simdgroup_half8x8 Left;
typedef metal::simdgroup_half8x8 Right;
typedef metal::simdgroup_float8x8 Sum;
struct type_4 {
    half inner[2560];
};
struct type_5 {
    half inner[1280];
};
typedef metal::uint4 type_8[1];
typedef uint type_9[1];
struct type_11 {
    metal::float4 inner[8];
};
typedef float type_12[1];
typedef metal::half4 type_13[1];
struct type_14 {
    float inner[128];
};
struct type_16 {
    uint inner[1];
};
struct type_17 {
    uint inner[4];
};
struct type_18 {
    metal::half4 inner[8];
};
struct type_19 {
    metal::half4 inner[4];
};
constant uint TOKEN_SUBGROUPS = 1u;
constant uint PLANES = 1u;
constant uint SIDE = 8u;
constant uint SPAN = 32u;
constant uint TOKENS = 32u;
constant uint UNIT = 1u;
constant uint STRIDE = 40u;
constant uint ROWS = 64u;
constant uint WORKGROUP = 64u;
constant uint MY_GROUPS = 1u;
constant uint MY_FOURS = 4u;

Tile tile_at(
    metal::uint3 workgroup_1,
    constant Parameters& p
) {
    uint first = workgroup_1.y * TOKENS;
    uint part = workgroup_1.z;
    uint _e8 = p.n_tokens;
    uint _e13 = p.n_rows;
    uint _e17 = p.columns;
    uint _e21 = p.n_rows;
    return Tile {first, metal::min(TOKENS, _e8 - first), part * _e13, part * _e17, part * _e21};
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

void put_weights(
    uint row,
    uint four,
    metal::half4 values,
    threadgroup type_4& weight_tile
) {
    uint at = (row * STRIDE) + (4u * four);
    weight_tile.inner[at] = values.x;
    weight_tile.inner[at + 1u] = values.y;
    weight_tile.inner[at + 2u] = values.z;
    weight_tile.inner[at + 3u] = values.w;
    return;
}

void put_x(
    uint token_2,
    uint four_1,
    metal::half4 values_1,
    threadgroup type_5& x_tile
) {
    uint at_1 = (token_2 * STRIDE) + (4u * four_1);
    x_tile.inner[at_1] = values_1.x;
    x_tile.inner[at_1 + 1u] = values_1.y;
    x_tile.inner[at_1 + 2u] = values_1.z;
    x_tile.inner[at_1 + 3u] = values_1.w;
    return;
}

type_11 weight_group(
    uint index,
    device type_8 const& weight_quants,
    device type_9 const& weight_scales,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_11 values_2 = {};
    uint i = 0u;
    uint _e5 = weight_scales[index / 2u];
    float scale = float2(as_type<half2>((_e5 >> (16u * (index & 1u))))).x;
    metal::uint4 low = weight_quants[index * 2u];
    metal::uint4 high = weight_quants[(index * 2u) + 1u];
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e48 = i;
            i = _e48 + 1u;
        }
        loop_init = false;
        uint _e28 = i;
        if (_e28 < 4u) {
        } else {
            break;
        }
        {
            uint _e31 = i;
            uint _e33 = i;
            values_2.inner[_e31] = scale * static_cast<metal::float4>(int4(as_type<packed_char4>(low[_e33])));
            uint _e39 = i;
            uint _e42 = i;
            values_2.inner[4u + _e39] = scale * static_cast<metal::float4>(int4(as_type<packed_char4>(high[_e42])));
        }
    }
    type_11 _e50 = values_2;
    return _e50;
}

void weight_begin(
    uint thread_1
) {
    return;
}

void store_edge(
    Tile tile_2,
    uint first_token,
    uint first_row,
    uint thread_2,
    constant Parameters& p,
    device type_12& out,
    threadgroup type_14& edge,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint i_1 = {};
    bool local = {};
    uint mine = ((thread_2 / 32u) * SIDE) * SIDE;
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    i_1 = thread_2 % 32u;
    bool loop_init_1 = true;
    while(true) {
        if (!loop_init_1) {
            uint _e49 = i_1;
            i_1 = _e49 + 32u;
        }
        loop_init_1 = false;
        uint _e13 = i_1;
        if (_e13 < 64u) {
        } else {
            break;
        }
        {
            uint _e16 = i_1;
            uint token_3 = first_token + (_e16 / SIDE);
            uint _e20 = i_1;
            uint row_1 = first_row + (_e20 % SIDE);
            if (token_3 < tile_2.n_tokens) {
                uint _e30 = p.n_rows;
                local = row_1 < _e30;
            } else {
                local = false;
            }
            bool _e33 = local;
            if (_e33) {
                uint _e35 = out_row(tile_2, token_3);
                uint _e38 = p.out_width;
                uint _e45 = i_1;
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

void multiply(
    metal::uint3 workgroup_2,
    uint thread_3,
    constant Parameters& p,
    threadgroup type_4& weight_tile,
    threadgroup type_5& x_tile,
    device type_8 const& weight_quants,
    device type_9 const& weight_scales,
    device type_12& out,
    device type_13 const& x,
    threadgroup type_14& edge,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_16 group_at = {};
    uint i_2 = 0u;
    type_17 four_at = {};
    uint i_3 = 0u;
    type_18 weights = {};
    type_19 fours = {};
    uint i_4 = 0u;
    uint j = {};
    uint i_5 = 0u;
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
    uint i_6 = {};
    uint j_1 = {};
    uint i_7 = {};
    uint i_8 = {};
    uint i_9 = {};
    uint j_2 = {};
    uint column = {};
    Tile _e2 = tile_at(workgroup_2, p);
    uint first_row_1 = workgroup_2.x * ROWS;
    uint subgroup = thread_3 / 32u;
    uint my_rows = (subgroup % 2u) * SPAN;
    uint my_tokens = (subgroup / 2u) * SPAN;
    bool loop_init_2 = true;
    while(true) {
        if (!loop_init_2) {
            uint _e42 = i_2;
            i_2 = _e42 + 1u;
        }
        loop_init_2 = false;
        uint _e19 = i_2;
        if (_e19 < MY_GROUPS) {
        } else {
            break;
        }
        {
            uint _e23 = i_2;
            uint _e29 = p.n_rows;
            uint row_2 = metal::min((first_row_1 + thread_3) + (_e23 * WORKGROUP), _e29 - 1u);
            uint _e33 = i_2;
            uint _e39 = p.n_groups;
            group_at.inner[_e33] = (_e2.first_weight_row + row_2) * _e39;
        }
    }
    bool loop_init_3 = true;
    while(true) {
        if (!loop_init_3) {
            uint _e77 = i_3;
            i_3 = _e77 + 1u;
        }
        loop_init_3 = false;
        uint _e47 = i_3;
        if (_e47 < MY_FOURS) {
        } else {
            break;
        }
        {
            uint _e50 = i_3;
            uint at_2 = thread_3 + (_e50 * WORKGROUP);
            uint token_4 = metal::min(at_2 / 8u, _e2.n_tokens - 1u);
            uint _e61 = x_row(_e2, token_4);
            uint _e65 = p.x_width;
            uint first_1 = ((PLANES * _e61) * _e65) + _e2.first_column;
            uint _e69 = i_3;
            four_at.inner[_e69] = (first_1 / 4u) + (at_2 % 8u);
        }
    }
    weight_begin(thread_3);
    bool loop_init_4 = true;
    while(true) {
        if (!loop_init_4) {
            uint _e108 = i_4;
            i_4 = _e108 + 1u;
        }
        loop_init_4 = false;
        uint _e83 = i_4;
        if (_e83 < MY_GROUPS) {
        } else {
            break;
        }
        {
            uint _e86 = i_4;
            uint _e88 = group_at.inner[_e86];
            type_11 _e89 = weight_group(_e88, weight_quants, weight_scales, _buffer_sizes);
            j = 0u;
            bool loop_init_5 = true;
            while(true) {
                if (!loop_init_5) {
                    uint _e105 = j;
                    j = _e105 + 1u;
                }
                loop_init_5 = false;
                uint _e92 = j;
                if (_e92 < 8u) {
                } else {
                    break;
                }
                {
                    uint _e96 = i_4;
                    uint _e98 = j;
                    uint _e101 = j;
                    weights.inner[(8u * _e96) + _e98] = static_cast<metal::half4>(_e89.inner[_e101]);
                }
            }
        }
    }
    bool loop_init_6 = true;
    while(true) {
        if (!loop_init_6) {
            uint _e124 = i_5;
            i_5 = _e124 + 1u;
        }
        loop_init_6 = false;
        uint _e112 = i_5;
        if (_e112 < MY_FOURS) {
        } else {
            break;
        }
        {
            uint _e115 = i_5;
            uint _e118 = i_5;
            uint _e120 = four_at.inner[_e118];
            metal::half4 _e122 = x[_e120];
            fours.inner[_e115] = _e122;
        }
    }
    bool loop_init_7 = true;
    while(true) {
        if (!loop_init_7) {
            uint _e386 = group;
            group = _e386 + 1u;
        }
        loop_init_7 = false;
        uint _e160 = group;
        uint _e164 = p.n_groups;
        if (_e160 < (PLANES * _e164)) {
        } else {
            break;
        }
        {
            metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
            i_6 = 0u;
            bool loop_init_8 = true;
            while(true) {
                if (!loop_init_8) {
                    uint _e193 = i_6;
                    i_6 = _e193 + 1u;
                }
                loop_init_8 = false;
                uint _e169 = i_6;
                if (_e169 < MY_GROUPS) {
                } else {
                    break;
                }
                {
                    j_1 = 0u;
                    bool loop_init_9 = true;
                    while(true) {
                        if (!loop_init_9) {
                            uint _e190 = j_1;
                            j_1 = _e190 + 1u;
                        }
                        loop_init_9 = false;
                        uint _e174 = j_1;
                        if (_e174 < 8u) {
                        } else {
                            break;
                        }
                        {
                            uint _e177 = i_6;
                            uint _e181 = j_1;
                            uint _e183 = i_6;
                            uint _e185 = j_1;
                            metal::half4 _e188 = weights.inner[(8u * _e183) + _e185];
                            put_weights(thread_3 + (_e177 * WORKGROUP), _e181, _e188, weight_tile);
                        }
                    }
                }
            }
            i_7 = 0u;
            bool loop_init_10 = true;
            while(true) {
                if (!loop_init_10) {
                    uint _e212 = i_7;
                    i_7 = _e212 + 1u;
                }
                loop_init_10 = false;
                uint _e197 = i_7;
                if (_e197 < MY_FOURS) {
                } else {
                    break;
                }
                {
                    uint _e200 = i_7;
                    uint at_3 = thread_3 + (_e200 * WORKGROUP);
                    uint _e208 = i_7;
                    metal::half4 _e210 = fours.inner[_e208];
                    put_x(at_3 / 8u, at_3 % 8u, _e210, x_tile);
                }
            }
            metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
            uint _e214 = group;
            uint _e220 = p.n_groups;
            uint next = metal::min(_e214 + 1u, (PLANES * _e220) - 1u);
            uint _e227 = p.n_groups;
            uint next_group = next % _e227;
            uint _e231 = p.n_groups;
            uint _e235 = p.x_width;
            uint next_fours = ((next / _e231) * (_e235 / 4u)) + (8u * next_group);
            i_8 = 0u;
            bool loop_init_11 = true;
            while(true) {
                if (!loop_init_11) {
                    uint _e257 = i_8;
                    i_8 = _e257 + 1u;
                }
                loop_init_11 = false;
                uint _e244 = i_8;
                if (_e244 < MY_FOURS) {
                } else {
                    break;
                }
                {
                    uint _e247 = i_8;
                    uint _e250 = i_8;
                    uint _e252 = four_at.inner[_e250];
                    metal::half4 _e255 = x[_e252 + next_fours];
                    fours.inner[_e247] = _e255;
                }
            }
            i_9 = 0u;
            bool loop_init_12 = true;
            while(true) {
                if (!loop_init_12) {
                    uint _e287 = i_9;
                    i_9 = _e287 + 1u;
                }
                loop_init_12 = false;
                uint _e261 = i_9;
                if (_e261 < MY_GROUPS) {
                } else {
                    break;
                }
                {
                    uint _e264 = i_9;
                    uint _e266 = group_at.inner[_e264];
                    type_11 _e268 = weight_group(_e266 + next_group, weight_quants, weight_scales, _buffer_sizes);
                    j_2 = 0u;
                    bool loop_init_13 = true;
                    while(true) {
                        if (!loop_init_13) {
                            uint _e284 = j_2;
                            j_2 = _e284 + 1u;
                        }
                        loop_init_13 = false;
                        uint _e271 = j_2;
                        if (_e271 < 8u) {
                        } else {
                            break;
                        }
                        {
                            uint _e275 = i_9;
                            uint _e277 = j_2;
                            uint _e280 = j_2;
                            weights.inner[(8u * _e275) + _e277] = static_cast<metal::half4>(_e268.inner[_e280]);
                        }
                    }
                }
            }
            column = 0u;
            bool loop_init_14 = true;
            while(true) {
                if (!loop_init_14) {
                    uint _e382 = column;
                    column = _e382 + SIDE;
                }
                loop_init_14 = false;
                uint _e291 = column;
                if (_e291 < 32u) {
                } else {
                    break;
                }
                {
                    uint _e296 = column;
                    uint x_at = (my_tokens * STRIDE) + (_e296 / UNIT);
                    uint _e302 = column;
                    uint weight_at = (my_rows * STRIDE) + (_e302 / UNIT);
                    metal::simdgroup_half8x8 x0_ = NagaCooperativeLoad(&x_tile.inner[x_at], STRIDE, false);
                    metal::simdgroup_half8x8 x1_ = NagaCooperativeLoad(&x_tile.inner[x_at + 320u], STRIDE, false);
                    metal::simdgroup_half8x8 x2_ = NagaCooperativeLoad(&x_tile.inner[x_at + 640u], STRIDE, false);
                    metal::simdgroup_half8x8 x3_ = NagaCooperativeLoad(&x_tile.inner[x_at + 960u], STRIDE, false);
                    metal::simdgroup_half8x8 w0_ = NagaCooperativeLoad(&weight_tile.inner[weight_at], STRIDE, true);
                    Sum _e332 = s00_;
                    s00_ = NagaCooperativeMultiplyAdd(x0_, w0_, _e332);
                    Sum _e334 = s10_;
                    s10_ = NagaCooperativeMultiplyAdd(x1_, w0_, _e334);
                    Sum _e336 = s20_;
                    s20_ = NagaCooperativeMultiplyAdd(x2_, w0_, _e336);
                    Sum _e338 = s30_;
                    s30_ = NagaCooperativeMultiplyAdd(x3_, w0_, _e338);
                    metal::simdgroup_half8x8 w1_ = NagaCooperativeLoad(&weight_tile.inner[weight_at + 320u], STRIDE, true);
                    Sum _e346 = s01_;
                    s01_ = NagaCooperativeMultiplyAdd(x0_, w1_, _e346);
                    Sum _e348 = s11_;
                    s11_ = NagaCooperativeMultiplyAdd(x1_, w1_, _e348);
                    Sum _e350 = s21_;
                    s21_ = NagaCooperativeMultiplyAdd(x2_, w1_, _e350);
                    Sum _e352 = s31_;
                    s31_ = NagaCooperativeMultiplyAdd(x3_, w1_, _e352);
                    metal::simdgroup_half8x8 w2_ = NagaCooperativeLoad(&weight_tile.inner[weight_at + 640u], STRIDE, true);
                    Sum _e360 = s02_;
                    s02_ = NagaCooperativeMultiplyAdd(x0_, w2_, _e360);
                    Sum _e362 = s12_;
                    s12_ = NagaCooperativeMultiplyAdd(x1_, w2_, _e362);
                    Sum _e364 = s22_;
                    s22_ = NagaCooperativeMultiplyAdd(x2_, w2_, _e364);
                    Sum _e366 = s32_;
                    s32_ = NagaCooperativeMultiplyAdd(x3_, w2_, _e366);
                    metal::simdgroup_half8x8 w3_ = NagaCooperativeLoad(&weight_tile.inner[weight_at + 960u], STRIDE, true);
                    Sum _e374 = s03_;
                    s03_ = NagaCooperativeMultiplyAdd(x0_, w3_, _e374);
                    Sum _e376 = s13_;
                    s13_ = NagaCooperativeMultiplyAdd(x1_, w3_, _e376);
                    Sum _e378 = s23_;
                    s23_ = NagaCooperativeMultiplyAdd(x2_, w3_, _e378);
                    Sum _e380 = s33_;
                    s33_ = NagaCooperativeMultiplyAdd(x3_, w3_, _e380);
                }
            }
        }
    }
    uint row_3 = first_row_1 + my_rows;
    uint mine_1 = (subgroup * SIDE) * SIDE;
    Sum _e393 = s00_;
    simdgroup_store(_e393, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens, row_3, thread_3, p, out, edge, _buffer_sizes);
    Sum _e397 = s01_;
    simdgroup_store(_e397, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens, row_3 + SIDE, thread_3, p, out, edge, _buffer_sizes);
    Sum _e403 = s02_;
    simdgroup_store(_e403, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens, row_3 + 16u, thread_3, p, out, edge, _buffer_sizes);
    Sum _e409 = s03_;
    simdgroup_store(_e409, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens, row_3 + 24u, thread_3, p, out, edge, _buffer_sizes);
    Sum _e415 = s10_;
    simdgroup_store(_e415, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens + SIDE, row_3, thread_3, p, out, edge, _buffer_sizes);
    Sum _e421 = s11_;
    simdgroup_store(_e421, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens + SIDE, row_3 + SIDE, thread_3, p, out, edge, _buffer_sizes);
    Sum _e429 = s12_;
    simdgroup_store(_e429, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens + SIDE, row_3 + 16u, thread_3, p, out, edge, _buffer_sizes);
    Sum _e437 = s13_;
    simdgroup_store(_e437, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens + SIDE, row_3 + 24u, thread_3, p, out, edge, _buffer_sizes);
    Sum _e445 = s20_;
    simdgroup_store(_e445, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens + 16u, row_3, thread_3, p, out, edge, _buffer_sizes);
    Sum _e451 = s21_;
    simdgroup_store(_e451, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens + 16u, row_3 + SIDE, thread_3, p, out, edge, _buffer_sizes);
    Sum _e459 = s22_;
    simdgroup_store(_e459, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens + 16u, row_3 + 16u, thread_3, p, out, edge, _buffer_sizes);
    Sum _e467 = s23_;
    simdgroup_store(_e467, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens + 16u, row_3 + 24u, thread_3, p, out, edge, _buffer_sizes);
    Sum _e475 = s30_;
    simdgroup_store(_e475, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens + 24u, row_3, thread_3, p, out, edge, _buffer_sizes);
    Sum _e481 = s31_;
    simdgroup_store(_e481, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens + 24u, row_3 + SIDE, thread_3, p, out, edge, _buffer_sizes);
    Sum _e489 = s32_;
    simdgroup_store(_e489, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens + 24u, row_3 + 16u, thread_3, p, out, edge, _buffer_sizes);
    Sum _e497 = s33_;
    simdgroup_store(_e497, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens + 24u, row_3 + 24u, thread_3, p, out, edge, _buffer_sizes);
    return;
}

struct main_Input {
};
[[max_total_threads_per_threadgroup(64)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, constant Parameters& p [[user(fake0)]]
, threadgroup type_4& weight_tile
, threadgroup type_5& x_tile
, device type_8 const& weight_quants [[user(fake0)]]
, device type_9 const& weight_scales [[user(fake0)]]
, device type_12& out [[user(fake0)]]
, device type_13 const& x [[user(fake0)]]
, threadgroup type_14& edge
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    multiply(workgroup, thread_, p, weight_tile, x_tile, weight_quants, weight_scales, out, x, edge, _buffer_sizes);
    return;
}
