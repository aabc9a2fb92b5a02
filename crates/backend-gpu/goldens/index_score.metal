// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size0;
    uint size2;
    uint size3;
    uint size4;
};

typedef uint type_2[1];
struct Parameters {
    uint first_row;
    uint first_query;
    uint first_position;
    uint n_heads;
    uint ratio;
    uint n_scores;
    float scale;
};
typedef float type_4[1];
typedef metal::float4 type_5[1];
struct type_6 {
    metal::float4 inner[256];
};
struct type_7 {
    float inner[2080];
};
struct type_8 {
    float inner[264];
};
struct type_9 {
    metal::float4 inner[8];
};
struct type_11 {
    float inner[2];
};
struct type_13 {
    float inner[8];
};
constant uint WIDTH = 128u;
constant uint CODE_WORDS = 16u;
constant uint ROW_WORDS = 17u;
constant uint ROWS = 8u;
constant uint HEADS = 64u;
constant uint WORKGROUP = 256u;
constant uint FOURS = 32u;
constant uint OWN_FOURS = 8u;
constant uint ROW_FOURS = 32u;
constant uint PART = 520u;
constant uint LANES = 32u;
constant uint LANE_HEADS = 2u;
constant uint SUM_STRIDE = 33u;

float e2m1_value(
    uint code
) {
    uint exponent = (code >> 1u) & 3u;
    float normal = as_type<float>(((exponent + 126u) << 23u) | ((code & 1u) << 22u));
    float magnitude = (exponent == 0u) ? (0.5 * static_cast<float>(code & 1u)) : normal;
    return ((code & 8u) != 0u) ? -(magnitude) : magnitude;
}

float power_of_two(
    uint code_1
) {
    return as_type<float>(code_1 << 23u);
}

metal::float4 key_four(
    uint row,
    uint i_3,
    device type_2 const& keys,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint first_2 = row * ROW_WORDS;
    uint _e9 = keys[first_2 + (i_3 / 2u)];
    uint codes = _e9 >> (16u * (i_3 & 1u));
    uint group = i_3 / 8u;
    uint _e24 = keys[(first_2 + CODE_WORDS) + (group / 4u)];
    float _e32 = power_of_two((_e24 >> (8u * (group & 3u))) & 255u);
    float _e35 = e2m1_value(codes & 15u);
    float _e40 = e2m1_value((codes >> 4u) & 15u);
    float _e45 = e2m1_value((codes >> 8u) & 15u);
    float _e50 = e2m1_value((codes >> 12u) & 15u);
    return _e32 * metal::float4(_e35, _e40, _e45, _e50);
}

type_9 query_fours(
    uint token,
    uint head,
    uint part,
    constant Parameters& p,
    device type_5 const& queries,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_9 query_1 = {};
    uint i_4 = 0u;
    bool local_1 = {};
    uint _e5 = p.first_query;
    uint _e9 = p.n_heads;
    uint first_3 = (((_e5 + token) * _e9) + head) * FOURS;
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e49 = i_4;
            i_4 = _e49 + 1u;
        }
        loop_init = false;
        uint _e17 = i_4;
        if (_e17 < OWN_FOURS) {
        } else {
            break;
        }
        {
            uint _e20 = i_4;
            query_1.inner[_e20] = metal::float4(0.0);
            uint _e26 = p.n_heads;
            if (head < _e26) {
                uint _e31 = i_4;
                local_1 = ((4u * _e31) + part) < FOURS;
            } else {
                local_1 = false;
            }
            bool _e37 = local_1;
            if (_e37) {
                uint _e38 = i_4;
                uint _e42 = i_4;
                metal::float4 _e47 = queries[(first_3 + (4u * _e42)) + part];
                query_1.inner[_e38] = _e47;
            }
        }
    }
    type_9 _e51 = query_1;
    return _e51;
}

type_11 lane_weights(
    uint token_1,
    uint head_1,
    constant Parameters& p,
    device type_4 const& head_weights,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_11 weights_1 = {};
    uint i_5 = 0u;
    uint _e4 = p.first_row;
    uint _e8 = p.n_heads;
    uint first_4 = (_e4 + token_1) * _e8;
    bool loop_init_1 = true;
    while(true) {
        if (!loop_init_1) {
            uint _e42 = i_5;
            i_5 = _e42 + 1u;
        }
        loop_init_1 = false;
        uint _e13 = i_5;
        if (_e13 < LANE_HEADS) {
        } else {
            break;
        }
        {
            uint _e16 = i_5;
            weights_1.inner[_e16] = 0.0;
            uint _e19 = i_5;
            uint _e25 = p.n_heads;
            if ((head_1 + (_e19 * LANES)) < _e25) {
                uint _e27 = i_5;
                uint _e31 = i_5;
                float _e36 = head_weights[(first_4 + head_1) + (_e31 * LANES)];
                float _e39 = p.scale;
                weights_1.inner[_e27] = _e36 * _e39;
            }
        }
    }
    type_11 _e44 = weights_1;
    return _e44;
}

void load_tile(
    uint first_1,
    uint visible,
    uint thread_1,
    device type_2 const& keys,
    threadgroup type_6& tile,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint i_6 = {};
    metal::float4 four = {};
    bool local_2 = {};
    i_6 = thread_1;
    bool loop_init_2 = true;
    while(true) {
        if (!loop_init_2) {
            uint _e32 = i_6;
            i_6 = _e32 + WORKGROUP;
        }
        loop_init_2 = false;
        uint _e4 = i_6;
        if (_e4 < 256u) {
        } else {
            break;
        }
        {
            uint _e7 = i_6;
            uint row_1 = first_1 + (_e7 / ROW_FOURS);
            four = metal::float4(0.0);
            if (row_1 < visible) {
                uint _e17 = i_6;
                local_2 = (_e17 % ROW_FOURS) < FOURS;
            } else {
                local_2 = false;
            }
            bool _e23 = local_2;
            if (_e23) {
                uint _e24 = i_6;
                metal::float4 _e27 = key_four(row_1, _e24 % ROW_FOURS, keys, _buffer_sizes);
                four = _e27;
            }
            uint _e29 = i_6;
            metal::float4 _e31 = four;
            tile.inner[_e29] = _e31;
        }
    }
    return;
}

struct main_Input {
};
[[max_total_threads_per_threadgroup(256)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, metal::uint3 grid [[threadgroups_per_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, device type_2 const& keys [[user(fake0)]]
, constant Parameters& p [[user(fake0)]]
, device type_4& scores [[user(fake0)]]
, device type_5 const& queries [[user(fake0)]]
, device type_4 const& head_weights [[user(fake0)]]
, threadgroup type_6& tile
, threadgroup type_7& products
, threadgroup type_8& sums
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    uint first_head = 0u;
    type_9 query = {};
    type_11 weights = {};
    uint first = {};
    type_13 product = {};
    uint i = {};
    uint r = {};
    uint r_1 = {};
    float sum = {};
    uint i_1 = {};
    bool local = {};
    float score = {};
    uint i_2 = {};
    uint token_2 = workgroup.y;
    uint _e6 = p.first_position;
    uint _e12 = p.ratio;
    uint visible_1 = ((_e6 + token_2) + 1u) / _e12;
    uint head_2 = thread_ / 4u;
    uint part_1 = thread_ % 4u;
    uint row_2 = thread_ / LANES;
    uint lane = thread_ % LANES;
    bool loop_init_3 = true;
    while(true) {
        if (!loop_init_3) {
            uint _e207 = first_head;
            first_head = _e207 + HEADS;
        }
        loop_init_3 = false;
        uint _e24 = first_head;
        uint _e27 = p.n_heads;
        if (_e24 < _e27) {
        } else {
            break;
        }
        {
            uint _e29 = first_head;
            type_9 _e31 = query_fours(token_2, _e29 + head_2, part_1, p, queries, _buffer_sizes);
            query = _e31;
            uint _e33 = first_head;
            type_11 _e35 = lane_weights(token_2, _e33 + lane, p, head_weights, _buffer_sizes);
            weights = _e35;
            first = workgroup.x * ROWS;
            bool loop_init_4 = true;
            while(true) {
                if (!loop_init_4) {
                    uint _e202 = first;
                    first = _e202 + (grid.x * ROWS);
                }
                loop_init_4 = false;
                uint _e41 = first;
                if (_e41 < visible_1) {
                } else {
                    break;
                }
                {
                    uint _e43 = first;
                    load_tile(_e43, visible_1, thread_, keys, tile, _buffer_sizes);
                    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
                    product = type_13 {};
                    i = 0u;
                    bool loop_init_5 = true;
                    while(true) {
                        if (!loop_init_5) {
                            uint _e79 = i;
                            i = _e79 + 1u;
                        }
                        loop_init_5 = false;
                        uint _e48 = i;
                        if (_e48 < OWN_FOURS) {
                        } else {
                            break;
                        }
                        {
                            r = 0u;
                            bool loop_init_6 = true;
                            while(true) {
                                if (!loop_init_6) {
                                    uint _e76 = r;
                                    r = _e76 + 1u;
                                }
                                loop_init_6 = false;
                                uint _e53 = r;
                                if (_e53 < ROWS) {
                                } else {
                                    break;
                                }
                                {
                                    uint _e56 = r;
                                    float _e58 = product.inner[_e56];
                                    uint _e59 = i;
                                    metal::float4 _e61 = query.inner[_e59];
                                    uint _e63 = r;
                                    uint _e67 = i;
                                    metal::float4 _e72 = tile.inner[((_e63 * ROW_FOURS) + (4u * _e67)) + part_1];
                                    product.inner[_e56] = _e58 + metal::dot(_e61, _e72);
                                }
                            }
                        }
                    }
                    r_1 = 0u;
                    bool loop_init_7 = true;
                    while(true) {
                        if (!loop_init_7) {
                            uint _e99 = r_1;
                            r_1 = _e99 + 1u;
                        }
                        loop_init_7 = false;
                        uint _e83 = r_1;
                        if (_e83 < ROWS) {
                        } else {
                            break;
                        }
                        {
                            uint _e89 = r_1;
                            uint _e95 = r_1;
                            float _e97 = product.inner[_e95];
                            products.inner[((part_1 * PART) + (_e89 * HEADS)) + head_2] = _e97;
                        }
                    }
                    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
                    sum = 0.0;
                    i_1 = 0u;
                    bool loop_init_8 = true;
                    while(true) {
                        if (!loop_init_8) {
                            uint _e145 = i_1;
                            i_1 = _e145 + 1u;
                        }
                        loop_init_8 = false;
                        uint _e105 = i_1;
                        if (_e105 < LANE_HEADS) {
                        } else {
                            break;
                        }
                        {
                            uint _e111 = i_1;
                            uint at = ((row_2 * HEADS) + lane) + (_e111 * LANES);
                            float _e117 = products.inner[at];
                            float _e122 = products.inner[PART + at];
                            float _e128 = products.inner[1040u + at];
                            float _e134 = products.inner[1560u + at];
                            float whole = ((_e117 + _e122) + _e128) + _e134;
                            float _e136 = sum;
                            uint _e137 = i_1;
                            float _e139 = weights.inner[_e137];
                            sum = _e136 + (_e139 * metal::max(whole, 0.0));
                        }
                    }
                    float _e152 = sum;
                    sums.inner[(row_2 * SUM_STRIDE) + lane] = _e152;
                    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
                    if (thread_ < ROWS) {
                        uint _e157 = first;
                        local = (_e157 + thread_) < visible_1;
                    } else {
                        local = false;
                    }
                    bool _e161 = local;
                    if (_e161) {
                        uint _e164 = p.n_scores;
                        uint _e166 = first;
                        uint at_1 = ((token_2 * _e164) + _e166) + thread_;
                        score = 0.0;
                        uint _e171 = first_head;
                        if (_e171 > 0u) {
                            float _e176 = scores[at_1];
                            score = _e176;
                        }
                        i_2 = 0u;
                        bool loop_init_9 = true;
                        while(true) {
                            if (!loop_init_9) {
                                uint _e192 = i_2;
                                i_2 = _e192 + 1u;
                            }
                            loop_init_9 = false;
                            uint _e179 = i_2;
                            if (_e179 < LANES) {
                            } else {
                                break;
                            }
                            {
                                float _e182 = score;
                                uint _e186 = i_2;
                                float _e189 = sums.inner[(thread_ * SUM_STRIDE) + _e186];
                                score = _e182 + _e189;
                            }
                        }
                        float _e196 = score;
                        float _e197 = score;
                        scores[at_1] = (_e197 == 0.0) ? 0.0 : _e196;
                    }
                }
            }
        }
    }
    return;
}
