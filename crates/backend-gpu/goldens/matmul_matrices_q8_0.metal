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

void store_edge(
    Tile tile_2,
    uint first_token,
    uint first_row,
    uint thread_1,
    constant Parameters& p,
    device type_12& out,
    threadgroup type_14& edge,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint i_1 = {};
    bool local = {};
    uint mine = ((thread_1 / 32u) * SIDE) * SIDE;
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    i_1 = thread_1 % 32u;
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
    uint thread_2,
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
    uint subgroup = thread_2 / 32u;
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
            uint row_2 = metal::min((first_row_1 + thread_2) + (_e23 * WORKGROUP), _e29 - 1u);
            uint _e33 = i_2;
            uint _e39 = p.n_groups;
            group_at.inner[_e33] = (_e2.first_weight_row + row_2) * _e39;
        }
    }
    bool loop_init_3 = true;
    while(true) {
        if (!loop_init_3) {
            uint _e75 = i_3;
            i_3 = _e75 + 1u;
        }
        loop_init_3 = false;
        uint _e47 = i_3;
        if (_e47 < MY_FOURS) {
        } else {
            break;
        }
        {
            uint _e50 = i_3;
            uint at_2 = thread_2 + (_e50 * WORKGROUP);
            uint token_4 = metal::min(at_2 / 8u, _e2.n_tokens - 1u);
            uint _e60 = i_3;
            uint _e62 = x_row(_e2, token_4);
            uint _e65 = p.x_width;
            four_at.inner[_e60] = (((_e62 * _e65) + _e2.first_column) / 4u) + (at_2 % 8u);
        }
    }
    bool loop_init_4 = true;
    while(true) {
        if (!loop_init_4) {
            uint _e106 = i_4;
            i_4 = _e106 + 1u;
        }
        loop_init_4 = false;
        uint _e81 = i_4;
        if (_e81 < MY_GROUPS) {
        } else {
            break;
        }
        {
            uint _e84 = i_4;
            uint _e86 = group_at.inner[_e84];
            type_11 _e87 = weight_group(_e86, weight_quants, weight_scales, _buffer_sizes);
            j = 0u;
            bool loop_init_5 = true;
            while(true) {
                if (!loop_init_5) {
                    uint _e103 = j;
                    j = _e103 + 1u;
                }
                loop_init_5 = false;
                uint _e90 = j;
                if (_e90 < 8u) {
                } else {
                    break;
                }
                {
                    uint _e94 = i_4;
                    uint _e96 = j;
                    uint _e99 = j;
                    weights.inner[(8u * _e94) + _e96] = static_cast<metal::half4>(_e87.inner[_e99]);
                }
            }
        }
    }
    bool loop_init_6 = true;
    while(true) {
        if (!loop_init_6) {
            uint _e122 = i_5;
            i_5 = _e122 + 1u;
        }
        loop_init_6 = false;
        uint _e110 = i_5;
        if (_e110 < MY_FOURS) {
        } else {
            break;
        }
        {
            uint _e113 = i_5;
            uint _e116 = i_5;
            uint _e118 = four_at.inner[_e116];
            metal::half4 _e120 = x[_e118];
            fours.inner[_e113] = _e120;
        }
    }
    bool loop_init_7 = true;
    while(true) {
        if (!loop_init_7) {
            uint _e365 = group;
            group = _e365 + 1u;
        }
        loop_init_7 = false;
        uint _e158 = group;
        uint _e161 = p.n_groups;
        if (_e158 < _e161) {
        } else {
            break;
        }
        {
            metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
            i_6 = 0u;
            bool loop_init_8 = true;
            while(true) {
                if (!loop_init_8) {
                    uint _e189 = i_6;
                    i_6 = _e189 + 1u;
                }
                loop_init_8 = false;
                uint _e165 = i_6;
                if (_e165 < MY_GROUPS) {
                } else {
                    break;
                }
                {
                    j_1 = 0u;
                    bool loop_init_9 = true;
                    while(true) {
                        if (!loop_init_9) {
                            uint _e186 = j_1;
                            j_1 = _e186 + 1u;
                        }
                        loop_init_9 = false;
                        uint _e170 = j_1;
                        if (_e170 < 8u) {
                        } else {
                            break;
                        }
                        {
                            uint _e173 = i_6;
                            uint _e177 = j_1;
                            uint _e179 = i_6;
                            uint _e181 = j_1;
                            metal::half4 _e184 = weights.inner[(8u * _e179) + _e181];
                            put_weights(thread_2 + (_e173 * WORKGROUP), _e177, _e184, weight_tile);
                        }
                    }
                }
            }
            i_7 = 0u;
            bool loop_init_10 = true;
            while(true) {
                if (!loop_init_10) {
                    uint _e208 = i_7;
                    i_7 = _e208 + 1u;
                }
                loop_init_10 = false;
                uint _e193 = i_7;
                if (_e193 < MY_FOURS) {
                } else {
                    break;
                }
                {
                    uint _e196 = i_7;
                    uint at_3 = thread_2 + (_e196 * WORKGROUP);
                    uint _e204 = i_7;
                    metal::half4 _e206 = fours.inner[_e204];
                    put_x(at_3 / 8u, at_3 % 8u, _e206, x_tile);
                }
            }
            metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
            uint _e210 = group;
            uint _e215 = p.n_groups;
            uint next = metal::min(_e210 + 1u, _e215 - 1u);
            i_8 = 0u;
            bool loop_init_11 = true;
            while(true) {
                if (!loop_init_11) {
                    uint _e236 = i_8;
                    i_8 = _e236 + 1u;
                }
                loop_init_11 = false;
                uint _e221 = i_8;
                if (_e221 < MY_FOURS) {
                } else {
                    break;
                }
                {
                    uint _e224 = i_8;
                    uint _e227 = i_8;
                    uint _e229 = four_at.inner[_e227];
                    metal::half4 _e234 = x[_e229 + (8u * next)];
                    fours.inner[_e224] = _e234;
                }
            }
            i_9 = 0u;
            bool loop_init_12 = true;
            while(true) {
                if (!loop_init_12) {
                    uint _e266 = i_9;
                    i_9 = _e266 + 1u;
                }
                loop_init_12 = false;
                uint _e240 = i_9;
                if (_e240 < MY_GROUPS) {
                } else {
                    break;
                }
                {
                    uint _e243 = i_9;
                    uint _e245 = group_at.inner[_e243];
                    type_11 _e247 = weight_group(_e245 + next, weight_quants, weight_scales, _buffer_sizes);
                    j_2 = 0u;
                    bool loop_init_13 = true;
                    while(true) {
                        if (!loop_init_13) {
                            uint _e263 = j_2;
                            j_2 = _e263 + 1u;
                        }
                        loop_init_13 = false;
                        uint _e250 = j_2;
                        if (_e250 < 8u) {
                        } else {
                            break;
                        }
                        {
                            uint _e254 = i_9;
                            uint _e256 = j_2;
                            uint _e259 = j_2;
                            weights.inner[(8u * _e254) + _e256] = static_cast<metal::half4>(_e247.inner[_e259]);
                        }
                    }
                }
            }
            column = 0u;
            bool loop_init_14 = true;
            while(true) {
                if (!loop_init_14) {
                    uint _e361 = column;
                    column = _e361 + SIDE;
                }
                loop_init_14 = false;
                uint _e270 = column;
                if (_e270 < 32u) {
                } else {
                    break;
                }
                {
                    uint _e275 = column;
                    uint x_at = (my_tokens * STRIDE) + (_e275 / UNIT);
                    uint _e281 = column;
                    uint weight_at = (my_rows * STRIDE) + (_e281 / UNIT);
                    metal::simdgroup_half8x8 x0_ = NagaCooperativeLoad(&x_tile.inner[x_at], STRIDE, false);
                    metal::simdgroup_half8x8 x1_ = NagaCooperativeLoad(&x_tile.inner[x_at + 320u], STRIDE, false);
                    metal::simdgroup_half8x8 x2_ = NagaCooperativeLoad(&x_tile.inner[x_at + 640u], STRIDE, false);
                    metal::simdgroup_half8x8 x3_ = NagaCooperativeLoad(&x_tile.inner[x_at + 960u], STRIDE, false);
                    metal::simdgroup_half8x8 w0_ = NagaCooperativeLoad(&weight_tile.inner[weight_at], STRIDE, true);
                    Sum _e311 = s00_;
                    s00_ = NagaCooperativeMultiplyAdd(x0_, w0_, _e311);
                    Sum _e313 = s10_;
                    s10_ = NagaCooperativeMultiplyAdd(x1_, w0_, _e313);
                    Sum _e315 = s20_;
                    s20_ = NagaCooperativeMultiplyAdd(x2_, w0_, _e315);
                    Sum _e317 = s30_;
                    s30_ = NagaCooperativeMultiplyAdd(x3_, w0_, _e317);
                    metal::simdgroup_half8x8 w1_ = NagaCooperativeLoad(&weight_tile.inner[weight_at + 320u], STRIDE, true);
                    Sum _e325 = s01_;
                    s01_ = NagaCooperativeMultiplyAdd(x0_, w1_, _e325);
                    Sum _e327 = s11_;
                    s11_ = NagaCooperativeMultiplyAdd(x1_, w1_, _e327);
                    Sum _e329 = s21_;
                    s21_ = NagaCooperativeMultiplyAdd(x2_, w1_, _e329);
                    Sum _e331 = s31_;
                    s31_ = NagaCooperativeMultiplyAdd(x3_, w1_, _e331);
                    metal::simdgroup_half8x8 w2_ = NagaCooperativeLoad(&weight_tile.inner[weight_at + 640u], STRIDE, true);
                    Sum _e339 = s02_;
                    s02_ = NagaCooperativeMultiplyAdd(x0_, w2_, _e339);
                    Sum _e341 = s12_;
                    s12_ = NagaCooperativeMultiplyAdd(x1_, w2_, _e341);
                    Sum _e343 = s22_;
                    s22_ = NagaCooperativeMultiplyAdd(x2_, w2_, _e343);
                    Sum _e345 = s32_;
                    s32_ = NagaCooperativeMultiplyAdd(x3_, w2_, _e345);
                    metal::simdgroup_half8x8 w3_ = NagaCooperativeLoad(&weight_tile.inner[weight_at + 960u], STRIDE, true);
                    Sum _e353 = s03_;
                    s03_ = NagaCooperativeMultiplyAdd(x0_, w3_, _e353);
                    Sum _e355 = s13_;
                    s13_ = NagaCooperativeMultiplyAdd(x1_, w3_, _e355);
                    Sum _e357 = s23_;
                    s23_ = NagaCooperativeMultiplyAdd(x2_, w3_, _e357);
                    Sum _e359 = s33_;
                    s33_ = NagaCooperativeMultiplyAdd(x3_, w3_, _e359);
                }
            }
        }
    }
    uint row_3 = first_row_1 + my_rows;
    uint mine_1 = (subgroup * SIDE) * SIDE;
    Sum _e372 = s00_;
    simdgroup_store(_e372, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens, row_3, thread_2, p, out, edge, _buffer_sizes);
    Sum _e376 = s01_;
    simdgroup_store(_e376, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens, row_3 + SIDE, thread_2, p, out, edge, _buffer_sizes);
    Sum _e382 = s02_;
    simdgroup_store(_e382, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens, row_3 + 16u, thread_2, p, out, edge, _buffer_sizes);
    Sum _e388 = s03_;
    simdgroup_store(_e388, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens, row_3 + 24u, thread_2, p, out, edge, _buffer_sizes);
    Sum _e394 = s10_;
    simdgroup_store(_e394, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens + SIDE, row_3, thread_2, p, out, edge, _buffer_sizes);
    Sum _e400 = s11_;
    simdgroup_store(_e400, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens + SIDE, row_3 + SIDE, thread_2, p, out, edge, _buffer_sizes);
    Sum _e408 = s12_;
    simdgroup_store(_e408, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens + SIDE, row_3 + 16u, thread_2, p, out, edge, _buffer_sizes);
    Sum _e416 = s13_;
    simdgroup_store(_e416, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens + SIDE, row_3 + 24u, thread_2, p, out, edge, _buffer_sizes);
    Sum _e424 = s20_;
    simdgroup_store(_e424, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens + 16u, row_3, thread_2, p, out, edge, _buffer_sizes);
    Sum _e430 = s21_;
    simdgroup_store(_e430, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens + 16u, row_3 + SIDE, thread_2, p, out, edge, _buffer_sizes);
    Sum _e438 = s22_;
    simdgroup_store(_e438, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens + 16u, row_3 + 16u, thread_2, p, out, edge, _buffer_sizes);
    Sum _e446 = s23_;
    simdgroup_store(_e446, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens + 16u, row_3 + 24u, thread_2, p, out, edge, _buffer_sizes);
    Sum _e454 = s30_;
    simdgroup_store(_e454, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens + 24u, row_3, thread_2, p, out, edge, _buffer_sizes);
    Sum _e460 = s31_;
    simdgroup_store(_e460, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens + 24u, row_3 + SIDE, thread_2, p, out, edge, _buffer_sizes);
    Sum _e468 = s32_;
    simdgroup_store(_e468, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens + 24u, row_3 + 16u, thread_2, p, out, edge, _buffer_sizes);
    Sum _e476 = s33_;
    simdgroup_store(_e476, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_tokens + 24u, row_3 + 24u, thread_2, p, out, edge, _buffer_sizes);
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
