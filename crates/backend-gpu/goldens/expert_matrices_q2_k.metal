// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size1;
    uint size4;
    uint size5;
    uint size6;
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
struct weight_Words {
    metal::uint4 low;
    metal::uint4 high;
    uint scales;
    uint d;
    char _pad4[8];
};
struct type_10 {
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
    weight_Words inner[1];
};
struct type_19 {
    metal::half4 inner[4];
};
constant uint TOKEN_SUBGROUPS = 1u;
constant uint PLANES = 1u;
constant uint FULL = 0u;
constant uint SIDE = 8u;
constant uint UNIT = 1u;
constant uint STRIDE = 40u;
constant uint SPAN = 32u;
constant uint ROWS = 64u;
constant uint TOKENS = 32u;
constant uint WORKGROUP = 64u;
constant uint STRIPS = 8u;
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

weight_Words weight_words(
    uint index,
    device type_1 const& weight_blocks,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint block = (index / 8u) * 21u;
    uint g = index & 7u;
    uint quants = (block + 4u) + (8u * (g / 4u));
    uint _e16 = weight_blocks[quants];
    uint _e21 = weight_blocks[quants + 1u];
    uint _e26 = weight_blocks[quants + 2u];
    uint _e31 = weight_blocks[quants + 3u];
    uint _e37 = weight_blocks[quants + 4u];
    uint _e42 = weight_blocks[quants + 5u];
    uint _e47 = weight_blocks[quants + 6u];
    uint _e52 = weight_blocks[quants + 7u];
    uint _e59 = weight_blocks[block + (g / 2u)];
    uint _e64 = weight_blocks[block + 20u];
    return weight_Words {metal::uint4(_e16, _e21, _e26, _e31), metal::uint4(_e37, _e42, _e47, _e52), _e59, _e64};
}

metal::float4 weight_bytes(
    uint word
) {
    metal::float2 even = float2(as_type<half2>(((word & 16711935u) | 1677747200u)));
    metal::float2 odd = float2(as_type<half2>((((word >> 8u) & 16711935u) | 1677747200u)));
    return metal::float4(even.x, odd.x, even.y, odd.y) - metal::float4(1024.0);
}

type_10 weight_values_of(
    weight_Words words,
    uint index_1
) {
    type_10 values_2 = {};
    uint i = 0u;
    uint g_1 = index_1 & 7u;
    uint scales = words.scales >> (16u * (g_1 & 1u));
    metal::float2 d = float2(as_type<half2>(words.d));
    metal::float2 first = d * static_cast<metal::float2>(metal::uint2(scales & 15u, (scales >> 4u) & 15u));
    metal::float2 second = d * static_cast<metal::float2>(metal::uint2((scales >> 8u) & 15u, (scales >> 12u) & 15u));
    metal::uint4 shift = metal::uint4(2u * (g_1 & 3u));
    metal::uint4 low = (words.low >> shift) & metal::uint4(50529027u);
    metal::uint4 high = (words.high >> shift) & metal::uint4(50529027u);
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e76 = i;
            i = _e76 + 1u;
        }
        loop_init = false;
        uint _e50 = i;
        if (_e50 < 4u) {
        } else {
            break;
        }
        {
            uint _e53 = i;
            uint _e56 = i;
            metal::float4 _e58 = weight_bytes(low[_e56]);
            values_2.inner[_e53] = (first.x * _e58) - metal::float4(first.y);
            uint _e64 = i;
            uint _e68 = i;
            metal::float4 _e70 = weight_bytes(high[_e68]);
            values_2.inner[4u + _e64] = (second.x * _e70) - metal::float4(second.y);
        }
    }
    type_10 _e78 = values_2;
    return _e78;
}

type_10 weight_group(
    uint index_2,
    device type_1 const& weight_blocks,
    constant _mslBufferSizes& _buffer_sizes
) {
    weight_Words _e1 = weight_words(index_2, weight_blocks, _buffer_sizes);
    type_10 _e2 = weight_values_of(_e1, index_2);
    return _e2;
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
    device type_1 const& lists,
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
                uint _e35 = out_row(tile_2, token_3, lists, _buffer_sizes);
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
    device type_1 const& lists,
    threadgroup type_5& weight_tile,
    threadgroup type_6& x_tile,
    device type_1 const& weight_blocks,
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
    type_18 words_1 = {};
    type_19 fours = {};
    uint i_4 = 0u;
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
    uint j = {};
    uint i_7 = {};
    uint i_8 = {};
    uint i_9 = {};
    uint column = {};
    Tile _e2 = tile_at(workgroup_2, p, lists, _buffer_sizes);
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
            uint at_3 = thread_3 + (_e55 * WORKGROUP);
            uint token_4 = metal::min(at_3 / 8u, _e2.n_tokens - 1u);
            uint _e66 = x_row(_e2, token_4, p, lists, _buffer_sizes);
            uint _e70 = p.x_width;
            uint first_1 = ((PLANES * _e66) * _e70) + _e2.first_column;
            uint _e74 = i_3;
            four_at.inner[_e74] = (first_1 / 4u) + (at_3 % 8u);
        }
    }
    weight_begin(thread_3);
    bool loop_init_4 = true;
    while(true) {
        if (!loop_init_4) {
            uint _e98 = i_4;
            i_4 = _e98 + 1u;
        }
        loop_init_4 = false;
        uint _e88 = i_4;
        if (_e88 < MY_GROUPS) {
        } else {
            break;
        }
        {
            uint _e91 = i_4;
            uint _e93 = i_4;
            uint _e95 = group_at.inner[_e93];
            weight_Words _e96 = weight_words(_e95, weight_blocks, _buffer_sizes);
            words_1.inner[_e91] = _e96;
        }
    }
    bool loop_init_5 = true;
    while(true) {
        if (!loop_init_5) {
            uint _e114 = i_5;
            i_5 = _e114 + 1u;
        }
        loop_init_5 = false;
        uint _e102 = i_5;
        if (_e102 < MY_FOURS) {
        } else {
            break;
        }
        {
            uint _e105 = i_5;
            uint _e108 = i_5;
            uint _e110 = four_at.inner[_e108];
            metal::half4 _e112 = x[_e110];
            fours.inner[_e105] = _e112;
        }
    }
    bool loop_init_6 = true;
    while(true) {
        if (!loop_init_6) {
            uint _e391 = group;
            group = _e391 + 1u;
        }
        loop_init_6 = false;
        uint _e150 = group;
        uint _e154 = p.n_groups;
        if (_e150 < (PLANES * _e154)) {
        } else {
            break;
        }
        {
            metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
            i_6 = 0u;
            bool loop_init_7 = true;
            while(true) {
                if (!loop_init_7) {
                    uint _e192 = i_6;
                    i_6 = _e192 + 1u;
                }
                loop_init_7 = false;
                uint _e159 = i_6;
                if (_e159 < MY_GROUPS) {
                } else {
                    break;
                }
                {
                    uint _e162 = i_6;
                    weight_Words _e164 = words_1.inner[_e162];
                    uint _e165 = i_6;
                    uint _e167 = group_at.inner[_e165];
                    uint _e168 = group;
                    uint _e171 = p.n_groups;
                    type_10 _e174 = weight_values_of(_e164, _e167 + (_e168 % _e171));
                    j = 0u;
                    bool loop_init_8 = true;
                    while(true) {
                        if (!loop_init_8) {
                            uint _e189 = j;
                            j = _e189 + 1u;
                        }
                        loop_init_8 = false;
                        uint _e177 = j;
                        if (_e177 < 8u) {
                        } else {
                            break;
                        }
                        {
                            uint _e180 = i_6;
                            uint _e184 = j;
                            uint _e185 = j;
                            put_weights(thread_3 + (_e180 * WORKGROUP), _e184, static_cast<metal::half4>(_e174.inner[_e185]), weight_tile);
                        }
                    }
                }
            }
            i_7 = 0u;
            bool loop_init_9 = true;
            while(true) {
                if (!loop_init_9) {
                    uint _e211 = i_7;
                    i_7 = _e211 + 1u;
                }
                loop_init_9 = false;
                uint _e196 = i_7;
                if (_e196 < MY_FOURS) {
                } else {
                    break;
                }
                {
                    uint _e199 = i_7;
                    uint at_4 = thread_3 + (_e199 * WORKGROUP);
                    uint _e207 = i_7;
                    metal::half4 _e209 = fours.inner[_e207];
                    put_x(at_4 / 8u, at_4 % 8u, _e209, x_tile);
                }
            }
            metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
            uint _e213 = group;
            uint _e219 = p.n_groups;
            uint next = metal::min(_e213 + 1u, (PLANES * _e219) - 1u);
            uint _e226 = p.n_groups;
            uint next_group = next % _e226;
            uint _e230 = p.n_groups;
            uint _e234 = p.x_width;
            uint next_fours = ((next / _e230) * (_e234 / 4u)) + (8u * next_group);
            i_8 = 0u;
            bool loop_init_10 = true;
            while(true) {
                if (!loop_init_10) {
                    uint _e256 = i_8;
                    i_8 = _e256 + 1u;
                }
                loop_init_10 = false;
                uint _e243 = i_8;
                if (_e243 < MY_FOURS) {
                } else {
                    break;
                }
                {
                    uint _e246 = i_8;
                    uint _e249 = i_8;
                    uint _e251 = four_at.inner[_e249];
                    metal::half4 _e254 = x[_e251 + next_fours];
                    fours.inner[_e246] = _e254;
                }
            }
            i_9 = 0u;
            bool loop_init_11 = true;
            while(true) {
                if (!loop_init_11) {
                    uint _e271 = i_9;
                    i_9 = _e271 + 1u;
                }
                loop_init_11 = false;
                uint _e260 = i_9;
                if (_e260 < MY_GROUPS) {
                } else {
                    break;
                }
                {
                    uint _e263 = i_9;
                    uint _e265 = i_9;
                    uint _e267 = group_at.inner[_e265];
                    weight_Words _e269 = weight_words(_e267 + next_group, weight_blocks, _buffer_sizes);
                    words_1.inner[_e263] = _e269;
                }
            }
            column = 0u;
            bool loop_init_12 = true;
            while(true) {
                if (!loop_init_12) {
                    uint _e387 = column;
                    column = _e387 + SIDE;
                }
                loop_init_12 = false;
                uint _e275 = column;
                if (_e275 < 32u) {
                } else {
                    break;
                }
                {
                    uint _e280 = column;
                    uint x_at = (my_strip * STRIDE) + (_e280 / UNIT);
                    uint _e286 = column;
                    uint weight_at = (my_rows * STRIDE) + (_e286 / UNIT);
                    metal::simdgroup_half8x8 w0_ = NagaCooperativeLoad(&weight_tile.inner[weight_at], STRIDE, true);
                    metal::simdgroup_half8x8 w1_ = NagaCooperativeLoad(&weight_tile.inner[weight_at + 320u], STRIDE, true);
                    metal::simdgroup_half8x8 w2_ = NagaCooperativeLoad(&weight_tile.inner[weight_at + 640u], STRIDE, true);
                    metal::simdgroup_half8x8 w3_ = NagaCooperativeLoad(&weight_tile.inner[weight_at + 960u], STRIDE, true);
                    metal::simdgroup_half8x8 x0_ = NagaCooperativeLoad(&x_tile.inner[x_at], STRIDE, false);
                    Sum _e316 = s00_;
                    s00_ = NagaCooperativeMultiplyAdd(x0_, w0_, _e316);
                    Sum _e318 = s01_;
                    s01_ = NagaCooperativeMultiplyAdd(x0_, w1_, _e318);
                    Sum _e320 = s02_;
                    s02_ = NagaCooperativeMultiplyAdd(x0_, w2_, _e320);
                    Sum _e322 = s03_;
                    s03_ = NagaCooperativeMultiplyAdd(x0_, w3_, _e322);
                    uint _e327 = n_tokens.inner[0];
                    if (false | (_e327 > STRIPS)) {
                        metal::simdgroup_half8x8 x1_ = NagaCooperativeLoad(&x_tile.inner[x_at + 320u], STRIDE, false);
                        Sum _e337 = s10_;
                        s10_ = NagaCooperativeMultiplyAdd(x1_, w0_, _e337);
                        Sum _e339 = s11_;
                        s11_ = NagaCooperativeMultiplyAdd(x1_, w1_, _e339);
                        Sum _e341 = s12_;
                        s12_ = NagaCooperativeMultiplyAdd(x1_, w2_, _e341);
                        Sum _e343 = s13_;
                        s13_ = NagaCooperativeMultiplyAdd(x1_, w3_, _e343);
                    }
                    uint _e348 = n_tokens.inner[0];
                    if (false | (_e348 > 16u)) {
                        metal::simdgroup_half8x8 x2_ = NagaCooperativeLoad(&x_tile.inner[x_at + 640u], STRIDE, false);
                        Sum _e358 = s20_;
                        s20_ = NagaCooperativeMultiplyAdd(x2_, w0_, _e358);
                        Sum _e360 = s21_;
                        s21_ = NagaCooperativeMultiplyAdd(x2_, w1_, _e360);
                        Sum _e362 = s22_;
                        s22_ = NagaCooperativeMultiplyAdd(x2_, w2_, _e362);
                        Sum _e364 = s23_;
                        s23_ = NagaCooperativeMultiplyAdd(x2_, w3_, _e364);
                    }
                    uint _e369 = n_tokens.inner[0];
                    if (false | (_e369 > 24u)) {
                        metal::simdgroup_half8x8 x3_ = NagaCooperativeLoad(&x_tile.inner[x_at + 960u], STRIDE, false);
                        Sum _e379 = s30_;
                        s30_ = NagaCooperativeMultiplyAdd(x3_, w0_, _e379);
                        Sum _e381 = s31_;
                        s31_ = NagaCooperativeMultiplyAdd(x3_, w1_, _e381);
                        Sum _e383 = s32_;
                        s32_ = NagaCooperativeMultiplyAdd(x3_, w2_, _e383);
                        Sum _e385 = s33_;
                        s33_ = NagaCooperativeMultiplyAdd(x3_, w3_, _e385);
                    }
                }
            }
        }
    }
    uint row_3 = first_row_1 + my_rows;
    uint mine_1 = (subgroup * SIDE) * SIDE;
    Sum _e398 = s00_;
    simdgroup_store(_e398, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip, row_3, thread_3, p, lists, out, edge, _buffer_sizes);
    Sum _e402 = s01_;
    simdgroup_store(_e402, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip, row_3 + SIDE, thread_3, p, lists, out, edge, _buffer_sizes);
    Sum _e408 = s02_;
    simdgroup_store(_e408, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip, row_3 + 16u, thread_3, p, lists, out, edge, _buffer_sizes);
    Sum _e414 = s03_;
    simdgroup_store(_e414, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip, row_3 + 24u, thread_3, p, lists, out, edge, _buffer_sizes);
    Sum _e420 = s10_;
    simdgroup_store(_e420, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip + STRIPS, row_3, thread_3, p, lists, out, edge, _buffer_sizes);
    Sum _e426 = s11_;
    simdgroup_store(_e426, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip + STRIPS, row_3 + SIDE, thread_3, p, lists, out, edge, _buffer_sizes);
    Sum _e434 = s12_;
    simdgroup_store(_e434, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip + STRIPS, row_3 + 16u, thread_3, p, lists, out, edge, _buffer_sizes);
    Sum _e442 = s13_;
    simdgroup_store(_e442, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip + STRIPS, row_3 + 24u, thread_3, p, lists, out, edge, _buffer_sizes);
    Sum _e450 = s20_;
    simdgroup_store(_e450, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip + 16u, row_3, thread_3, p, lists, out, edge, _buffer_sizes);
    Sum _e456 = s21_;
    simdgroup_store(_e456, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip + 16u, row_3 + SIDE, thread_3, p, lists, out, edge, _buffer_sizes);
    Sum _e464 = s22_;
    simdgroup_store(_e464, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip + 16u, row_3 + 16u, thread_3, p, lists, out, edge, _buffer_sizes);
    Sum _e472 = s23_;
    simdgroup_store(_e472, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip + 16u, row_3 + 24u, thread_3, p, lists, out, edge, _buffer_sizes);
    Sum _e480 = s30_;
    simdgroup_store(_e480, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip + 24u, row_3, thread_3, p, lists, out, edge, _buffer_sizes);
    Sum _e486 = s31_;
    simdgroup_store(_e486, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip + 24u, row_3 + SIDE, thread_3, p, lists, out, edge, _buffer_sizes);
    Sum _e494 = s32_;
    simdgroup_store(_e494, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip + 24u, row_3 + 16u, thread_3, p, lists, out, edge, _buffer_sizes);
    Sum _e502 = s33_;
    simdgroup_store(_e502, &edge.inner[mine_1], SIDE);
    store_edge(_e2, my_strip + 24u, row_3 + 24u, thread_3, p, lists, out, edge, _buffer_sizes);
    return;
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
, device type_1 const& weight_blocks [[user(fake0)]]
, device type_12& out [[user(fake0)]]
, device type_13 const& x [[user(fake0)]]
, threadgroup type_14& edge
, threadgroup type_15& n_tokens
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    uint _e9 = lists[(3u * workgroup.y) + 2u];
    if (_e9 > 0u) {
        multiply(workgroup, thread_, p, lists, weight_tile, x_tile, weight_blocks, out, x, edge, n_tokens, _buffer_sizes);
        return;
    } else {
        return;
    }
}
