// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size0;
    uint size1;
    uint size5;
    uint size6;
    uint size7;
    uint size8;
    uint size9;
};

typedef uint type_2[1];
struct type_4 {
    uint inner[4096];
};
struct type_6 {
    float inner[136];
};
struct type_7 {
    float inner[17];
};
struct Parameters {
    uint first_row;
    uint first_position;
    uint n_heads;
    uint window;
    uint capacity;
    uint ratio;
    uint top_k;
    uint n_splits;
    float scale;
    float norm_eps;
    uint n_pairs;
};
typedef metal::float2 type_10[1];
struct type_11 {
    float inner[128];
};
struct type_12 {
    float inner[8];
};
struct type_14 {
    metal::float2 inner[8];
};
constant uint WORKGROUP = 256u;
constant uint TEAM = 32u;
constant uint SUMS = 17u;
constant uint SUBGROUP = 32u;
constant uint WIDTH = 512u;
constant uint COMPRESSED = 0u;
constant uint SELECTED = 0u;
constant uint ROPE_DIM = 64u;
constant uint CODES = 448u;
constant uint CODE_WORDS = 112u;
constant uint ROTARY_WORDS = 32u;
constant uint ROW_WORDS = 146u;
constant uint VALUE_WORDS = 144u;
constant uint TILE = 16u;
constant uint PAIRS = 256u;
constant uint HEADS = 8u;
constant uint TEAM_PAIRS = 8u;
constant uint SUM_PAIRS = 1u;
constant float SMALLEST = -300000000000000000000000000000000000000.0;

float e4m3_value(
    uint code
) {
    uint low = code & 127u;
    float normal = as_type<float>((low << 20u) + 1006632960u);
    float magnitude = (low < 8u) ? (static_cast<float>(low) * 0.001953125) : normal;
    return ((code & 128u) != 0u) ? -(magnitude) : magnitude;
}

uint row_word(
    bool compressed,
    uint i,
    device type_2 const& compressed_rows,
    device type_2 const& window_rows,
    constant _mslBufferSizes& _buffer_sizes
) {
    if (compressed) {
        uint _e4 = compressed_rows[i];
        return _e4;
    }
    uint _e7 = window_rows[i];
    return _e7;
}

void put_four(
    uint i_1,
    metal::float4 four,
    threadgroup type_4& tile
) {
    tile.inner[i_1 / 2u] = as_type<uint>(half2(four.xy));
    tile.inner[(i_1 / 2u) + 1u] = as_type<uint>(half2(four.zw));
    return;
}

void put_two(
    uint i_2,
    uint two,
    threadgroup type_4& tile
) {
    tile.inner[i_2 / 2u] = two;
    return;
}

void load_word(
    bool compressed_1,
    uint row,
    uint i_3,
    uint to,
    device type_2 const& compressed_rows,
    device type_2 const& window_rows,
    threadgroup type_4& tile,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint first_2 = row * ROW_WORDS;
    uint _e7 = row_word(compressed_1, first_2 + i_3, compressed_rows, window_rows, _buffer_sizes);
    if (i_3 < CODE_WORDS) {
        uint group = i_3 / 16u;
        uint _e17 = row_word(compressed_1, (first_2 + VALUE_WORDS) + (group / 4u), compressed_rows, window_rows, _buffer_sizes);
        float scale = as_type<float>(((_e17 >> (8u * (group & 3u))) & 255u) << 23u);
        float _e30 = e4m3_value(_e7 & 255u);
        float _e35 = e4m3_value((_e7 >> 8u) & 255u);
        float _e40 = e4m3_value((_e7 >> 16u) & 255u);
        float _e43 = e4m3_value(_e7 >> 24u);
        metal::float4 four_1 = scale * metal::float4(_e30, _e35, _e40, _e43);
        put_four(to + (4u * i_3), four_1, tile);
        return;
    } else {
        put_two((to + CODES) + (2u * (i_3 - CODE_WORDS)), _e7, tile);
        return;
    }
}

void team_sums(
    thread type_7& values,
    uint thread_1,
    threadgroup type_6& team_partials
) {
    uint s = 0u;
    float sum_1 = {};
    uint far = {};
    uint s_1 = 0u;
    uint s_2 = 0u;
    float sum_2 = {};
    uint i_4 = {};
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e31 = s;
            s = _e31 + 1u;
        }
        loop_init = false;
        uint _e4 = s;
        if (_e4 < SUMS) {
        } else {
            break;
        }
        {
            uint _e7 = s;
            float _e9 = values.inner[_e7];
            sum_1 = _e9;
            if (true) {
                float _e12 = sum_1;
                float unnamed = metal::simd_sum(_e12);
                sum_1 = unnamed;
            } else {
                far = 16u;
                bool loop_init_1 = true;
                while(true) {
                    if (!loop_init_1) {
                        uint _e24 = far;
                        far = _e24 >> 1u;
                    }
                    loop_init_1 = false;
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
            values.inner[_e27] = _e29;
        }
    }
    if (false) {
        metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
        if ((thread_1 % SUBGROUP) == 0u) {
            bool loop_init_2 = true;
            while(true) {
                if (!loop_init_2) {
                    uint _e55 = s_1;
                    s_1 = _e55 + 1u;
                }
                loop_init_2 = false;
                uint _e40 = s_1;
                if (_e40 < SUMS) {
                } else {
                    break;
                }
                {
                    uint _e48 = s_1;
                    uint _e51 = s_1;
                    float _e53 = values.inner[_e51];
                    team_partials.inner[((thread_1 / SUBGROUP) * SUMS) + _e48] = _e53;
                }
            }
        }
        metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
        uint first_3 = (thread_1 / TEAM) * 1u;
        bool loop_init_3 = true;
        while(true) {
            if (!loop_init_3) {
                uint _e91 = s_2;
                s_2 = _e91 + 1u;
            }
            loop_init_3 = false;
            uint _e63 = s_2;
            if (_e63 < SUMS) {
            } else {
                break;
            }
            {
                sum_2 = 0.0;
                i_4 = 0u;
                bool loop_init_4 = true;
                while(true) {
                    if (!loop_init_4) {
                        uint _e85 = i_4;
                        i_4 = _e85 + 1u;
                    }
                    loop_init_4 = false;
                    uint _e70 = i_4;
                    if (_e70 < 1u) {
                    } else {
                        break;
                    }
                    {
                        float _e73 = sum_2;
                        uint _e75 = i_4;
                        uint _e79 = s_2;
                        float _e82 = team_partials.inner[((first_3 + _e75) * SUMS) + _e79];
                        sum_2 = _e73 + _e82;
                    }
                }
                uint _e87 = s_2;
                float _e89 = sum_2;
                values.inner[_e87] = _e89;
            }
        }
        return;
    } else {
        return;
    }
}

uint count_compressed(
    uint row_1,
    uint position,
    constant Parameters& p,
    device type_2 const& selection,
    constant _mslBufferSizes& _buffer_sizes
) {
    if (true) {
        return 0u;
    }
    if (false) {
        uint _e9 = p.top_k;
        uint _e13 = selection[row_1 * (1u + _e9)];
        return _e13;
    }
    uint _e18 = p.ratio;
    return (position + 1u) / _e18;
}

void load_tile(
    uint row_2,
    uint first_in_window,
    uint n_window,
    uint first_1,
    uint n,
    uint thread_2,
    device type_2 const& compressed_rows,
    device type_2 const& window_rows,
    threadgroup type_4& tile,
    constant Parameters& p,
    device type_2 const& selection,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint r_4 = {};
    uint source = {};
    uint word = {};
    r_4 = thread_2 / TEAM;
    bool loop_init_5 = true;
    while(true) {
        if (!loop_init_5) {
            uint _e49 = r_4;
            r_4 = _e49 + HEADS;
        }
        loop_init_5 = false;
        uint _e9 = r_4;
        if (_e9 < n) {
        } else {
            break;
        }
        {
            uint _e11 = r_4;
            uint i_5 = first_1 + _e11;
            bool compressed_2 = i_5 >= n_window;
            uint _e17 = p.capacity;
            source = (first_in_window + i_5) % _e17;
            if (compressed_2) {
                source = i_5 - n_window;
                if (false) {
                    uint _e26 = p.top_k;
                    uint _e31 = source;
                    uint _e34 = selection[((row_2 * (1u + _e26)) + 1u) + _e31];
                    source = _e34;
                }
            }
            word = thread_2 % TEAM;
            bool loop_init_6 = true;
            while(true) {
                if (!loop_init_6) {
                    uint _e46 = word;
                    word = _e46 + TEAM;
                }
                loop_init_6 = false;
                uint _e38 = word;
                if (_e38 < VALUE_WORDS) {
                } else {
                    break;
                }
                {
                    uint _e41 = source;
                    uint _e42 = word;
                    uint _e43 = r_4;
                    load_word(compressed_2, _e41, _e42, _e43 * WIDTH, compressed_rows, window_rows, tile, _buffer_sizes);
                }
            }
        }
    }
    return;
}

metal::float2 query_pair(
    uint row_3,
    uint head,
    uint pair,
    constant Parameters& p,
    device type_10 const& queries,
    device type_10 const& angles,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint _e6 = p.n_heads;
    metal::float2 value = queries[(((row_3 * _e6) + head) * PAIRS) + pair];
    uint _e17 = p.n_pairs;
    uint first_rotated = PAIRS - _e17;
    if (pair < first_rotated) {
        return value;
    }
    uint _e23 = p.n_pairs;
    metal::float2 angle = angles[((row_3 * _e23) + pair) - first_rotated];
    return metal::float2((value.x * angle.x) - (value.y * angle.y), (value.x * angle.y) + (value.y * angle.x));
}

struct main_Input {
};
[[max_total_threads_per_threadgroup(256)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, device type_2 const& compressed_rows [[user(fake0)]]
, device type_2 const& window_rows [[user(fake0)]]
, threadgroup type_4& tile
, threadgroup type_6& team_partials
, constant Parameters& p [[user(fake0)]]
, device type_10& sums [[user(fake0)]]
, device type_10& weights [[user(fake0)]]
, device type_10 const& queries [[user(fake0)]]
, device type_10 const& angles [[user(fake0)]]
, device type_2 const& selection [[user(fake0)]]
, threadgroup type_11& row_weights
, threadgroup type_12& kept
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    type_14 query = {};
    uint c = 0u;
    float largest = SMALLEST;
    float weight_sum = 0.0;
    type_14 sum = {};
    uint first = {};
    type_7 scores = {};
    uint c_1 = {};
    uint r = {};
    uint r_1 = {};
    uint r_2 = {};
    float weight = {};
    uint c_2 = {};
    uint h = {};
    uint r_3 = {};
    uint h_1 = {};
    bool local = {};
    uint c_3 = 0u;
    uint h_2 = {};
    bool local_1 = {};
    uint _e4 = p.first_row;
    uint row_4 = _e4 + workgroup.y;
    uint _e9 = p.first_position;
    uint position_1 = _e9 + workgroup.y;
    uint _e16 = p.window;
    uint n_window_1 = metal::min(position_1 + 1u, _e16);
    uint first_in_window_1 = (position_1 + 1u) - n_window_1;
    uint _e21 = count_compressed(row_4, position_1, p, selection, _buffer_sizes);
    uint n_rows = n_window_1 + _e21;
    uint _e25 = p.n_splits;
    uint _e33 = p.n_splits;
    uint share = (((n_rows + (_e25 * TILE)) - 1u) / (_e33 * TILE)) * TILE;
    uint begin = metal::min(workgroup.z * share, n_rows);
    uint end = metal::min(begin + share, n_rows);
    uint team = thread_ / TEAM;
    uint lane = thread_ % TEAM;
    uint head_1 = (workgroup.x * HEADS) + team;
    uint _e55 = p.n_heads;
    if (head_1 < _e55) {
        bool loop_init_7 = true;
        while(true) {
            if (!loop_init_7) {
                uint _e76 = c;
                c = _e76 + 1u;
            }
            loop_init_7 = false;
            uint _e59 = c;
            if (_e59 < TEAM_PAIRS) {
            } else {
                break;
            }
            {
                uint _e62 = c;
                if ((lane + (_e62 * TEAM)) < PAIRS) {
                    uint _e68 = c;
                    uint _e70 = c;
                    metal::float2 _e74 = query_pair(row_4, head_1, lane + (_e70 * TEAM), p, queries, angles, _buffer_sizes);
                    query.inner[_e68] = _e74;
                }
            }
        }
    }
    first = begin;
    bool loop_init_8 = true;
    while(true) {
        if (!loop_init_8) {
            uint _e287 = first;
            first = _e287 + TILE;
        }
        loop_init_8 = false;
        uint _e84 = first;
        if (_e84 < end) {
        } else {
            break;
        }
        {
            uint _e87 = first;
            uint n_1 = metal::min(TILE, end - _e87);
            uint _e90 = first;
            load_tile(row_4, first_in_window_1, n_window_1, _e90, n_1, thread_, compressed_rows, window_rows, tile, p, selection, _buffer_sizes);
            metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
            scores = type_7 {};
            c_1 = 0u;
            bool loop_init_9 = true;
            while(true) {
                if (!loop_init_9) {
                    uint _e139 = c_1;
                    c_1 = _e139 + 1u;
                }
                loop_init_9 = false;
                uint _e95 = c_1;
                if (_e95 < TEAM_PAIRS) {
                } else {
                    break;
                }
                {
                    uint _e98 = c_1;
                    uint pair_1 = lane + (_e98 * TEAM);
                    if (pair_1 < PAIRS) {
                        r = 0u;
                        bool loop_init_10 = true;
                        while(true) {
                            if (!loop_init_10) {
                                uint _e126 = r;
                                r = _e126 + 1u;
                            }
                            loop_init_10 = false;
                            uint _e106 = r;
                            if (_e106 < TILE) {
                            } else {
                                break;
                            }
                            {
                                uint _e109 = r;
                                float _e111 = scores.inner[_e109];
                                uint _e112 = c_1;
                                metal::float2 _e114 = query.inner[_e112];
                                uint _e116 = r;
                                uint _e121 = tile.inner[(_e116 * PAIRS) + pair_1];
                                scores.inner[_e109] = _e111 + metal::dot(_e114, float2(as_type<half2>(_e121)));
                            }
                        }
                        float _e129 = scores.inner[16];
                        uint _e130 = c_1;
                        metal::float2 _e132 = query.inner[_e130];
                        uint _e133 = c_1;
                        metal::float2 _e135 = query.inner[_e133];
                        scores.inner[16] = _e129 + metal::dot(_e132, _e135);
                    }
                }
            }
            team_sums(scores, thread_, team_partials);
            float _e143 = p.scale;
            float _e145 = scores.inner[16];
            float _e150 = p.norm_eps;
            float scale_1 = _e143 / metal::sqrt((_e145 / 512.0) + _e150);
            float before = largest;
            r_1 = 0u;
            bool loop_init_11 = true;
            while(true) {
                if (!loop_init_11) {
                    uint _e172 = r_1;
                    r_1 = _e172 + 1u;
                }
                loop_init_11 = false;
                uint _e157 = r_1;
                if (_e157 < TILE) {
                } else {
                    break;
                }
                {
                    uint _e160 = r_1;
                    if (_e160 < n_1) {
                        uint _e162 = r_1;
                        float _e164 = scores.inner[_e162];
                        scores.inner[_e162] = _e164 * scale_1;
                        float _e166 = largest;
                        uint _e167 = r_1;
                        float _e169 = scores.inner[_e167];
                        largest = metal::max(_e166, _e169);
                    }
                }
            }
            float _e174 = largest;
            float still = metal::exp(before - _e174);
            float _e177 = weight_sum;
            weight_sum = _e177 * still;
            if (lane == 0u) {
                kept.inner[team] = still;
            }
            r_2 = 0u;
            bool loop_init_12 = true;
            while(true) {
                if (!loop_init_12) {
                    uint _e211 = r_2;
                    r_2 = _e211 + 1u;
                }
                loop_init_12 = false;
                uint _e185 = r_2;
                if (_e185 < TILE) {
                } else {
                    break;
                }
                {
                    weight = 0.0;
                    uint _e190 = r_2;
                    if (_e190 < n_1) {
                        uint _e192 = r_2;
                        float _e194 = scores.inner[_e192];
                        float _e195 = largest;
                        weight = metal::exp(_e194 - _e195);
                    }
                    float _e198 = weight_sum;
                    float _e199 = weight;
                    weight_sum = _e198 + _e199;
                    if (lane == 0u) {
                        uint _e204 = r_2;
                        float _e209 = weight;
                        row_weights.inner[(_e204 * HEADS) + team] = _e209;
                    }
                }
            }
            metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
            c_2 = 0u;
            bool loop_init_13 = true;
            while(true) {
                if (!loop_init_13) {
                    uint _e285 = c_2;
                    c_2 = _e285 + 1u;
                }
                loop_init_13 = false;
                uint _e215 = c_2;
                if (_e215 < SUM_PAIRS) {
                } else {
                    break;
                }
                {
                    uint _e218 = c_2;
                    uint pair_2 = thread_ + (_e218 * WORKGROUP);
                    if (pair_2 < PAIRS) {
                        h = 0u;
                        bool loop_init_14 = true;
                        while(true) {
                            if (!loop_init_14) {
                                uint _e242 = h;
                                h = _e242 + 1u;
                            }
                            loop_init_14 = false;
                            uint _e226 = h;
                            if (_e226 < HEADS) {
                            } else {
                                break;
                            }
                            {
                                uint _e229 = c_2;
                                uint _e232 = h;
                                metal::float2 _e235 = sum.inner[(_e229 * HEADS) + _e232];
                                uint _e237 = h;
                                float _e239 = kept.inner[_e237];
                                sum.inner[(_e229 * HEADS) + _e232] = _e235 * _e239;
                            }
                        }
                        r_3 = 0u;
                        bool loop_init_15 = true;
                        while(true) {
                            if (!loop_init_15) {
                                uint _e282 = r_3;
                                r_3 = _e282 + 1u;
                            }
                            loop_init_15 = false;
                            uint _e246 = r_3;
                            if (_e246 < n_1) {
                            } else {
                                break;
                            }
                            {
                                uint _e249 = r_3;
                                uint _e254 = tile.inner[(_e249 * PAIRS) + pair_2];
                                metal::float2 value_1 = float2(as_type<half2>(_e254));
                                h_1 = 0u;
                                bool loop_init_16 = true;
                                while(true) {
                                    if (!loop_init_16) {
                                        uint _e279 = h_1;
                                        h_1 = _e279 + 1u;
                                    }
                                    loop_init_16 = false;
                                    uint _e258 = h_1;
                                    if (_e258 < HEADS) {
                                    } else {
                                        break;
                                    }
                                    {
                                        uint _e261 = c_2;
                                        uint _e264 = h_1;
                                        metal::float2 _e267 = sum.inner[(_e261 * HEADS) + _e264];
                                        uint _e269 = r_3;
                                        uint _e272 = h_1;
                                        float _e275 = row_weights.inner[(_e269 * HEADS) + _e272];
                                        sum.inner[(_e261 * HEADS) + _e264] = _e267 + (_e275 * value_1);
                                    }
                                }
                            }
                        }
                    }
                }
            }
            metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
        }
    }
    uint _e293 = p.n_heads;
    uint _e301 = p.n_splits;
    uint first_partial = (((workgroup.y * _e293) + (workgroup.x * HEADS)) * _e301) + workgroup.z;
    if (lane == 0u) {
        uint _e311 = p.n_heads;
        local = head_1 < _e311;
    } else {
        local = false;
    }
    bool _e314 = local;
    if (_e314) {
        uint _e318 = p.n_splits;
        float _e322 = largest;
        float _e323 = weight_sum;
        weights[first_partial + (team * _e318)] = metal::float2(_e322, _e323);
    }
    bool loop_init_17 = true;
    while(true) {
        if (!loop_init_17) {
            uint _e376 = c_3;
            c_3 = _e376 + 1u;
        }
        loop_init_17 = false;
        uint _e327 = c_3;
        if (_e327 < SUM_PAIRS) {
        } else {
            break;
        }
        {
            uint _e330 = c_3;
            uint pair_3 = thread_ + (_e330 * WORKGROUP);
            h_2 = 0u;
            bool loop_init_18 = true;
            while(true) {
                if (!loop_init_18) {
                    uint _e373 = h_2;
                    h_2 = _e373 + 1u;
                }
                loop_init_18 = false;
                uint _e336 = h_2;
                if (_e336 < HEADS) {
                } else {
                    break;
                }
                {
                    if (pair_3 < PAIRS) {
                        uint _e346 = h_2;
                        uint _e350 = p.n_heads;
                        local_1 = ((workgroup.x * HEADS) + _e346) < _e350;
                    } else {
                        local_1 = false;
                    }
                    bool _e353 = local_1;
                    if (_e353) {
                        uint _e355 = h_2;
                        uint _e358 = p.n_splits;
                        uint _e365 = c_3;
                        uint _e368 = h_2;
                        metal::float2 _e371 = sum.inner[(_e365 * HEADS) + _e368];
                        sums[((first_partial + (_e355 * _e358)) * PAIRS) + pair_3] = _e371;
                    }
                }
            }
        }
    }
    return;
}
