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
struct type_15 {
    uint inner[4];
};
struct type_17 {
    uint inner[1];
};
struct type_18 {
    metal::half4 inner[8];
};
struct type_19 {
    metal::half4 inner[4];
};
constant uint TOKEN_SUBGROUPS = 1u;
constant uint STEPS = 1u;
constant uint PLANES = 1u;
constant uint FULL = 1u;
constant uint SIDE = 8u;
constant uint SPAN = 32u;
constant uint TOKENS = 32u;
constant uint UNIT = 1u;
constant uint STRIDE = 40u;
constant uint ROWS = 64u;
constant uint WORKGROUP = 64u;
constant uint STRIPS = 8u;
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
    threadgroup type_15& n_tokens,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_17 group_at = {};
    uint i_2 = 0u;
    type_15 four_at = {};
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
    if (thread_3 == 0u) {
        n_tokens.inner[0] = _e2.n_tokens;
    }
    uint first_row_1 = workgroup_2.x * ROWS;
    uint subgroup = thread_3 / 32u;
    uint my_rows = (subgroup % 2u) * SPAN;
    uint my_strip = (subgroup / 2u) * SIDE;
    bool loop_init_2 = true;
    while(true) {
        if (!loop_init_2) {
            uint _e47 = i_2;
            i_2 = _e47 + 1u;
        }
        loop_init_2 = false;
        uint _e24 = i_2;
        if (_e24 < MY_GROUPS) {
        } else {
            break;
        }
        {
            uint _e28 = i_2;
            uint _e34 = p.n_rows;
            uint row_2 = metal::min((first_row_1 + thread_3) + (_e28 * WORKGROUP), _e34 - 1u);
            uint _e38 = i_2;
            uint _e44 = p.n_groups;
            group_at.inner[_e38] = (_e2.first_weight_row + row_2) * _e44;
        }
    }
    bool loop_init_3 = true;
    while(true) {
        if (!loop_init_3) {
            uint _e82 = i_3;
            i_3 = _e82 + 1u;
        }
        loop_init_3 = false;
        uint _e52 = i_3;
        if (_e52 < MY_FOURS) {
        } else {
            break;
        }
        {
            uint _e55 = i_3;
            uint at_2 = thread_3 + (_e55 * WORKGROUP);
            uint token_4 = metal::min(at_2 / 8u, _e2.n_tokens - 1u);
            uint _e66 = x_row(_e2, token_4);
            uint _e70 = p.x_width;
            uint first_1 = ((PLANES * _e66) * _e70) + _e2.first_column;
            uint _e74 = i_3;
            four_at.inner[_e74] = (first_1 / 4u) + (at_2 % 8u);
        }
    }
    weight_begin(thread_3);
    bool loop_init_4 = true;
    while(true) {
        if (!loop_init_4) {
            uint _e113 = i_4;
            i_4 = _e113 + 1u;
        }
        loop_init_4 = false;
        uint _e88 = i_4;
        if (_e88 < MY_GROUPS) {
        } else {
            break;
        }
        {
            uint _e91 = i_4;
            uint _e93 = group_at.inner[_e91];
            type_11 _e94 = weight_group(_e93, weight_quants, weight_scales, _buffer_sizes);
            j = 0u;
            bool loop_init_5 = true;
            while(true) {
                if (!loop_init_5) {
                    uint _e110 = j;
                    j = _e110 + 1u;
                }
                loop_init_5 = false;
                uint _e97 = j;
                if (_e97 < 8u) {
                } else {
                    break;
                }
                {
                    uint _e101 = i_4;
                    uint _e103 = j;
                    uint _e106 = j;
                    weights.inner[(8u * _e101) + _e103] = static_cast<metal::half4>(_e94.inner[_e106]);
                }
            }
        }
    }
    bool loop_init_6 = true;
    while(true) {
        if (!loop_init_6) {
            uint _e129 = i_5;
            i_5 = _e129 + 1u;
        }
        loop_init_6 = false;
        uint _e117 = i_5;
        if (_e117 < MY_FOURS) {
        } else {
            break;
        }
        {
            uint _e120 = i_5;
            uint _e123 = i_5;
            uint _e125 = four_at.inner[_e123];
            metal::half4 _e127 = x[_e125];
            fours.inner[_e120] = _e127;
        }
    }
    bool loop_init_7 = true;
    while(true) {
        if (!loop_init_7) {
            uint _e428 = group;
            group = _e428 + 1u;
        }
        loop_init_7 = false;
        uint _e165 = group;
        uint _e169 = p.n_groups;
        if (_e165 < (PLANES * _e169)) {
        } else {
            break;
        }
        {
            uint _e172 = group;
            uint side = _e172 % STEPS;
            if (true) {
                metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
            }
            i_6 = 0u;
            bool loop_init_8 = true;
            while(true) {
                if (!loop_init_8) {
                    uint _e205 = i_6;
                    i_6 = _e205 + 1u;
                }
                loop_init_8 = false;
                uint _e178 = i_6;
                if (_e178 < MY_GROUPS) {
                } else {
                    break;
                }
                {
                    j_1 = 0u;
                    bool loop_init_9 = true;
                    while(true) {
                        if (!loop_init_9) {
                            uint _e202 = j_1;
                            j_1 = _e202 + 1u;
                        }
                        loop_init_9 = false;
                        uint _e183 = j_1;
                        if (_e183 < 8u) {
                        } else {
                            break;
                        }
                        {
                            uint _e189 = i_6;
                            uint _e193 = j_1;
                            uint _e195 = i_6;
                            uint _e197 = j_1;
                            metal::half4 _e200 = weights.inner[(8u * _e195) + _e197];
                            put_weights(((side * ROWS) + thread_3) + (_e189 * WORKGROUP), _e193, _e200, weight_tile);
                        }
                    }
                }
            }
            i_7 = 0u;
            bool loop_init_10 = true;
            while(true) {
                if (!loop_init_10) {
                    uint _e227 = i_7;
                    i_7 = _e227 + 1u;
                }
                loop_init_10 = false;
                uint _e209 = i_7;
                if (_e209 < MY_FOURS) {
                } else {
                    break;
                }
                {
                    uint _e212 = i_7;
                    uint at_3 = thread_3 + (_e212 * WORKGROUP);
                    uint _e223 = i_7;
                    metal::half4 _e225 = fours.inner[_e223];
                    put_x((side * TOKENS) + (at_3 / 8u), at_3 % 8u, _e225, x_tile);
                }
            }
            metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
            uint _e229 = group;
            uint _e235 = p.n_groups;
            uint next = metal::min(_e229 + 1u, (PLANES * _e235) - 1u);
            uint _e242 = p.n_groups;
            uint next_group = next % _e242;
            uint _e246 = p.n_groups;
            uint _e250 = p.x_width;
            uint next_fours = ((next / _e246) * (_e250 / 4u)) + (8u * next_group);
            i_8 = 0u;
            bool loop_init_11 = true;
            while(true) {
                if (!loop_init_11) {
                    uint _e272 = i_8;
                    i_8 = _e272 + 1u;
                }
                loop_init_11 = false;
                uint _e259 = i_8;
                if (_e259 < MY_FOURS) {
                } else {
                    break;
                }
                {
                    uint _e262 = i_8;
                    uint _e265 = i_8;
                    uint _e267 = four_at.inner[_e265];
                    metal::half4 _e270 = x[_e267 + next_fours];
                    fours.inner[_e262] = _e270;
                }
            }
            i_9 = 0u;
            bool loop_init_12 = true;
            while(true) {
                if (!loop_init_12) {
                    uint _e302 = i_9;
                    i_9 = _e302 + 1u;
                }
                loop_init_12 = false;
                uint _e276 = i_9;
                if (_e276 < MY_GROUPS) {
                } else {
                    break;
                }
                {
                    uint _e279 = i_9;
                    uint _e281 = group_at.inner[_e279];
                    type_11 _e283 = weight_group(_e281 + next_group, weight_quants, weight_scales, _buffer_sizes);
                    j_2 = 0u;
                    bool loop_init_13 = true;
                    while(true) {
                        if (!loop_init_13) {
                            uint _e299 = j_2;
                            j_2 = _e299 + 1u;
                        }
                        loop_init_13 = false;
                        uint _e286 = j_2;
                        if (_e286 < 8u) {
                        } else {
                            break;
                        }
                        {
                            uint _e290 = i_9;
                            uint _e292 = j_2;
                            uint _e295 = j_2;
                            weights.inner[(8u * _e290) + _e292] = static_cast<metal::half4>(_e283.inner[_e295]);
                        }
                    }
                }
            }
            column = 0u;
            bool loop_init_14 = true;
            while(true) {
                if (!loop_init_14) {
                    uint _e424 = column;
                    column = _e424 + SIDE;
                }
                loop_init_14 = false;
                uint _e306 = column;
                if (_e306 < 32u) {
                } else {
                    break;
                }
                {
                    uint _e314 = column;
                    uint x_at = (((side * TOKENS) + my_strip) * STRIDE) + (_e314 / UNIT);
                    uint _e323 = column;
                    uint weight_at = (((side * ROWS) + my_rows) * STRIDE) + (_e323 / UNIT);
                    metal::simdgroup_half8x8 w0_ = NagaCooperativeLoad(&weight_tile.inner[weight_at], STRIDE, true);
                    metal::simdgroup_half8x8 w1_ = NagaCooperativeLoad(&weight_tile.inner[weight_at + 320u], STRIDE, true);
                    metal::simdgroup_half8x8 w2_ = NagaCooperativeLoad(&weight_tile.inner[weight_at + 640u], STRIDE, true);
                    metal::simdgroup_half8x8 w3_ = NagaCooperativeLoad(&weight_tile.inner[weight_at + 960u], STRIDE, true);
                    metal::simdgroup_half8x8 x0_ = NagaCooperativeLoad(&x_tile.inner[x_at], STRIDE, false);
                    Sum _e353 = s00_;
                    s00_ = NagaCooperativeMultiplyAdd(x0_, w0_, _e353);
                    Sum _e355 = s01_;
                    s01_ = NagaCooperativeMultiplyAdd(x0_, w1_, _e355);
                    Sum _e357 = s02_;
                    s02_ = NagaCooperativeMultiplyAdd(x0_, w2_, _e357);
                    Sum _e359 = s03_;
                    s03_ = NagaCooperativeMultiplyAdd(x0_, w3_, _e359);
                    uint _e364 = n_tokens.inner[0];
                    if (true | (_e364 > STRIPS)) {
                        metal::simdgroup_half8x8 x1_ = NagaCooperativeLoad(&x_tile.inner[x_at + 320u], STRIDE, false);
                        Sum _e374 = s10_;
                        s10_ = NagaCooperativeMultiplyAdd(x1_, w0_, _e374);
                        Sum _e376 = s11_;
                        s11_ = NagaCooperativeMultiplyAdd(x1_, w1_, _e376);
                        Sum _e378 = s12_;
                        s12_ = NagaCooperativeMultiplyAdd(x1_, w2_, _e378);
                        Sum _e380 = s13_;
                        s13_ = NagaCooperativeMultiplyAdd(x1_, w3_, _e380);
                    }
                    uint _e385 = n_tokens.inner[0];
                    if (true | (_e385 > 16u)) {
                        metal::simdgroup_half8x8 x2_ = NagaCooperativeLoad(&x_tile.inner[x_at + 640u], STRIDE, false);
                        Sum _e395 = s20_;
                        s20_ = NagaCooperativeMultiplyAdd(x2_, w0_, _e395);
                        Sum _e397 = s21_;
                        s21_ = NagaCooperativeMultiplyAdd(x2_, w1_, _e397);
                        Sum _e399 = s22_;
                        s22_ = NagaCooperativeMultiplyAdd(x2_, w2_, _e399);
                        Sum _e401 = s23_;
                        s23_ = NagaCooperativeMultiplyAdd(x2_, w3_, _e401);
                    }
                    uint _e406 = n_tokens.inner[0];
                    if (true | (_e406 > 24u)) {
                        metal::simdgroup_half8x8 x3_ = NagaCooperativeLoad(&x_tile.inner[x_at + 960u], STRIDE, false);
                        Sum _e416 = s30_;
                        s30_ = NagaCooperativeMultiplyAdd(x3_, w0_, _e416);
                        Sum _e418 = s31_;
                        s31_ = NagaCooperativeMultiplyAdd(x3_, w1_, _e418);
                        Sum _e420 = s32_;
                        s32_ = NagaCooperativeMultiplyAdd(x3_, w2_, _e420);
                        Sum _e422 = s33_;
                        s33_ = NagaCooperativeMultiplyAdd(x3_, w3_, _e422);
                    }
                }
            }
        }
    }
    uint row_3 = first_row_1 + my_rows;
    uint mine_1 = (subgroup * SIDE) * SIDE;
    Sum _e435 = s00_;
    simdgroup_store(_e435, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip, row_3, thread_3, p, out, edge, _buffer_sizes);
    Sum _e439 = s01_;
    simdgroup_store(_e439, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip, row_3 + SIDE, thread_3, p, out, edge, _buffer_sizes);
    Sum _e445 = s02_;
    simdgroup_store(_e445, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip, row_3 + 16u, thread_3, p, out, edge, _buffer_sizes);
    Sum _e451 = s03_;
    simdgroup_store(_e451, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip, row_3 + 24u, thread_3, p, out, edge, _buffer_sizes);
    Sum _e457 = s10_;
    simdgroup_store(_e457, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip + STRIPS, row_3, thread_3, p, out, edge, _buffer_sizes);
    Sum _e463 = s11_;
    simdgroup_store(_e463, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip + STRIPS, row_3 + SIDE, thread_3, p, out, edge, _buffer_sizes);
    Sum _e471 = s12_;
    simdgroup_store(_e471, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip + STRIPS, row_3 + 16u, thread_3, p, out, edge, _buffer_sizes);
    Sum _e479 = s13_;
    simdgroup_store(_e479, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip + STRIPS, row_3 + 24u, thread_3, p, out, edge, _buffer_sizes);
    Sum _e487 = s20_;
    simdgroup_store(_e487, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip + 16u, row_3, thread_3, p, out, edge, _buffer_sizes);
    Sum _e493 = s21_;
    simdgroup_store(_e493, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip + 16u, row_3 + SIDE, thread_3, p, out, edge, _buffer_sizes);
    Sum _e501 = s22_;
    simdgroup_store(_e501, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip + 16u, row_3 + 16u, thread_3, p, out, edge, _buffer_sizes);
    Sum _e509 = s23_;
    simdgroup_store(_e509, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip + 16u, row_3 + 24u, thread_3, p, out, edge, _buffer_sizes);
    Sum _e517 = s30_;
    simdgroup_store(_e517, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip + 24u, row_3, thread_3, p, out, edge, _buffer_sizes);
    Sum _e523 = s31_;
    simdgroup_store(_e523, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip + 24u, row_3 + SIDE, thread_3, p, out, edge, _buffer_sizes);
    Sum _e531 = s32_;
    simdgroup_store(_e531, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip + 24u, row_3 + 16u, thread_3, p, out, edge, _buffer_sizes);
    Sum _e539 = s33_;
    simdgroup_store(_e539, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip + 24u, row_3 + 24u, thread_3, p, out, edge, _buffer_sizes);
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
, threadgroup type_15& n_tokens
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    multiply(workgroup, thread_, p, weight_tile, x_tile, weight_quants, weight_scales, out, x, edge, n_tokens, _buffer_sizes);
    return;
}
