// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size1;
    uint size2;
    uint size5;
    uint size6;
    uint size7;
    uint size8;
    uint size9;
};

struct type_2 {
    uint inner[2048];
};
typedef uint type_4[1];
struct type_6 {
    float inner[72];
};
struct type_7 {
    float inner[9];
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
    float inner[64];
};
struct type_12 {
    float inner[8];
};
struct type_14 {
    metal::uint2 inner[5];
};
struct type_15 {
    uint inner[1];
};
struct type_16 {
    type_14 inner[1];
};
struct type_18 {
    metal::float2 inner[8];
};
constant uint WORKGROUP = 256u;
constant uint TEAM = 32u;
constant uint SUMS = 9u;
constant uint SUBGROUP = 32u;
constant uint WIDTH = 512u;
constant uint COMPRESSED = 1u;
constant uint SELECTED = 1u;
constant uint ROPE_DIM = 64u;
constant uint CODES = 448u;
constant uint CODE_WORDS = 112u;
constant uint ROTARY_WORDS = 32u;
constant uint ROW_WORDS = 146u;
constant uint VALUE_WORDS = 144u;
constant uint TILE = 8u;
constant uint PAIRS = 256u;
constant uint HEADS = 8u;
constant uint TEAM_PAIRS = 8u;
constant uint SUM_PAIRS = 1u;
constant uint TEAM_ROWS = 1u;
constant uint TEAM_WORDS = 5u;
constant float SMALLEST = -300000000000000000000000000000000000000.0;

float e4m3_value(
    uint code
) {
    uint low = code & 127u;
    float normal = as_type<float>((low << 20u) + 1006632960u);
    float magnitude = (low < 8u) ? (static_cast<float>(low) * 0.001953125) : normal;
    return ((code & 128u) != 0u) ? -(magnitude) : magnitude;
}

uint scale_word(
    uint i
) {
    return VALUE_WORDS + (metal::min(i, 111u) / 64u);
}

void put_four(
    uint i_1,
    metal::float4 four,
    threadgroup type_2& tile
) {
    tile.inner[i_1 / 2u] = as_type<uint>(half2(four.xy));
    tile.inner[(i_1 / 2u) + 1u] = as_type<uint>(half2(four.zw));
    return;
}

void put_two(
    uint i_2,
    uint two,
    threadgroup type_2& tile
) {
    tile.inner[i_2 / 2u] = two;
    return;
}

void put_word(
    uint i_3,
    uint word,
    uint scales,
    uint to,
    threadgroup type_2& tile
) {
    if (i_3 < CODE_WORDS) {
        uint group = i_3 / 16u;
        float scale = as_type<float>(((scales >> (8u * (group & 3u))) & 255u) << 23u);
        float _e20 = e4m3_value(word & 255u);
        float _e25 = e4m3_value((word >> 8u) & 255u);
        float _e30 = e4m3_value((word >> 16u) & 255u);
        float _e33 = e4m3_value(word >> 24u);
        metal::float4 four_1 = scale * metal::float4(_e20, _e25, _e30, _e33);
        put_four(to + (4u * i_3), four_1, tile);
        return;
    } else {
        put_two((to + CODES) + (2u * (i_3 - CODE_WORDS)), word, tile);
        return;
    }
}

uint row_word(
    bool compressed,
    uint i_4,
    device type_4 const& compressed_rows,
    device type_4 const& window_rows,
    constant _mslBufferSizes& _buffer_sizes
) {
    if (compressed) {
        uint _e4 = compressed_rows[i_4];
        return _e4;
    }
    uint _e7 = window_rows[i_4];
    return _e7;
}

void load_word(
    bool compressed_1,
    uint row,
    uint i_5,
    uint to_1,
    threadgroup type_2& tile,
    device type_4 const& compressed_rows,
    device type_4 const& window_rows,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint first_2 = row * ROW_WORDS;
    uint _e6 = scale_word(i_5);
    uint _e8 = row_word(compressed_1, first_2 + _e6, compressed_rows, window_rows, _buffer_sizes);
    uint _e10 = row_word(compressed_1, first_2 + i_5, compressed_rows, window_rows, _buffer_sizes);
    put_word(i_5, _e10, _e8, to_1, tile);
    return;
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
    uint i_6 = {};
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
                i_6 = 0u;
                bool loop_init_4 = true;
                while(true) {
                    if (!loop_init_4) {
                        uint _e85 = i_6;
                        i_6 = _e85 + 1u;
                    }
                    loop_init_4 = false;
                    uint _e70 = i_6;
                    if (_e70 < 1u) {
                    } else {
                        break;
                    }
                    {
                        float _e73 = sum_2;
                        uint _e75 = i_6;
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
    device type_4 const& selection,
    constant _mslBufferSizes& _buffer_sizes
) {
    if (false) {
        return 0u;
    }
    if (true) {
        uint _e9 = p.top_k;
        uint _e13 = selection[row_1 * (1u + _e9)];
        return _e13;
    }
    uint _e18 = p.ratio;
    return (position + 1u) / _e18;
}

uint row_source(
    uint row_2,
    uint first_in_window,
    uint n_window,
    uint i_7,
    constant Parameters& p,
    device type_4 const& selection,
    constant _mslBufferSizes& _buffer_sizes
) {
    if (i_7 < n_window) {
        uint _e8 = p.capacity;
        return (first_in_window + i_7) % _e8;
    }
    if (true) {
        uint _e15 = p.top_k;
        uint _e23 = selection[(((row_2 * (1u + _e15)) + 1u) + i_7) - n_window];
        return _e23;
    }
    return i_7 - n_window;
}

type_14 row_words(
    bool compressed_2,
    uint source,
    uint lane,
    device type_4 const& compressed_rows,
    device type_4 const& window_rows,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_14 words = {};
    uint k = 0u;
    uint k_1 = 0u;
    uint first_4 = source * ROW_WORDS;
    if (compressed_2) {
        bool loop_init_5 = true;
        while(true) {
            if (!loop_init_5) {
                uint _e30 = k;
                k = _e30 + 1u;
            }
            loop_init_5 = false;
            uint _e8 = k;
            if (_e8 < TEAM_WORDS) {
            } else {
                break;
            }
            {
                uint _e11 = k;
                uint i_8 = metal::min(lane + (_e11 * TEAM), 143u);
                uint _e17 = k;
                uint _e22 = compressed_rows[first_4 + i_8];
                uint _e24 = scale_word(i_8);
                uint _e27 = compressed_rows[first_4 + _e24];
                words.inner[_e17] = metal::uint2(_e22, _e27);
            }
        }
    } else {
        bool loop_init_6 = true;
        while(true) {
            if (!loop_init_6) {
                uint _e56 = k_1;
                k_1 = _e56 + 1u;
            }
            loop_init_6 = false;
            uint _e34 = k_1;
            if (_e34 < TEAM_WORDS) {
            } else {
                break;
            }
            {
                uint _e37 = k_1;
                uint i_9 = metal::min(lane + (_e37 * TEAM), 143u);
                uint _e43 = k_1;
                uint _e48 = window_rows[first_4 + i_9];
                uint _e50 = scale_word(i_9);
                uint _e53 = window_rows[first_4 + _e50];
                words.inner[_e43] = metal::uint2(_e48, _e53);
            }
        }
    }
    type_14 _e58 = words;
    return _e58;
}

void load_tile(
    uint row_3,
    uint first_in_window_1,
    uint n_window_1,
    uint first_1,
    uint n,
    uint thread_2,
    threadgroup type_2& tile,
    device type_4 const& compressed_rows,
    device type_4 const& window_rows,
    constant Parameters& p,
    device type_4 const& selection,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_15 sources = {};
    uint a = 0u;
    type_16 words_1 = {};
    uint a_1 = 0u;
    uint a_2 = 0u;
    uint k_2 = {};
    bool local_2 = {};
    uint team = thread_2 / TEAM;
    uint lane_1 = thread_2 % TEAM;
    bool loop_init_7 = true;
    while(true) {
        if (!loop_init_7) {
            uint _e28 = a;
            a = _e28 + 1u;
        }
        loop_init_7 = false;
        uint _e13 = a;
        if (_e13 < TEAM_ROWS) {
        } else {
            break;
        }
        {
            uint _e16 = a;
            uint i_10 = first_1 + metal::min(team + (_e16 * HEADS), n - 1u);
            uint _e24 = a;
            uint _e26 = row_source(row_3, first_in_window_1, n_window_1, i_10, p, selection, _buffer_sizes);
            sources.inner[_e24] = _e26;
        }
    }
    bool loop_init_8 = true;
    while(true) {
        if (!loop_init_8) {
            uint _e52 = a_1;
            a_1 = _e52 + 1u;
        }
        loop_init_8 = false;
        uint _e33 = a_1;
        if (_e33 < TEAM_ROWS) {
        } else {
            break;
        }
        {
            uint _e36 = a_1;
            uint i_11 = first_1 + metal::min(team + (_e36 * HEADS), n - 1u);
            uint _e44 = a_1;
            uint _e47 = a_1;
            uint _e49 = sources.inner[_e47];
            type_14 _e50 = row_words(i_11 >= n_window_1, _e49, lane_1, compressed_rows, window_rows, _buffer_sizes);
            words_1.inner[_e44] = _e50;
        }
    }
    bool loop_init_9 = true;
    while(true) {
        if (!loop_init_9) {
            uint _e97 = a_2;
            a_2 = _e97 + 1u;
        }
        loop_init_9 = false;
        uint _e56 = a_2;
        if (_e56 < TEAM_ROWS) {
        } else {
            break;
        }
        {
            uint _e59 = a_2;
            uint r_4 = team + (_e59 * HEADS);
            k_2 = 0u;
            bool loop_init_10 = true;
            while(true) {
                if (!loop_init_10) {
                    uint _e94 = k_2;
                    k_2 = _e94 + 1u;
                }
                loop_init_10 = false;
                uint _e65 = k_2;
                if (_e65 < TEAM_WORDS) {
                } else {
                    break;
                }
                {
                    uint _e68 = k_2;
                    uint i_12 = lane_1 + (_e68 * TEAM);
                    if (r_4 < n) {
                        local_2 = i_12 < VALUE_WORDS;
                    } else {
                        local_2 = false;
                    }
                    bool _e78 = local_2;
                    if (_e78) {
                        uint _e79 = a_2;
                        uint _e81 = k_2;
                        uint _e84 = words_1.inner[_e79].inner[_e81].x;
                        uint _e85 = a_2;
                        uint _e87 = k_2;
                        uint _e90 = words_1.inner[_e85].inner[_e87].y;
                        put_word(i_12, _e84, _e90, r_4 * WIDTH, tile);
                    }
                }
            }
        }
    }
    return;
}

metal::float2 query_pair(
    uint row_4,
    uint head,
    uint pair,
    constant Parameters& p,
    device type_10 const& queries,
    device type_10 const& angles,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint _e6 = p.n_heads;
    metal::float2 value = queries[(((row_4 * _e6) + head) * PAIRS) + pair];
    uint _e17 = p.n_pairs;
    uint first_rotated = PAIRS - _e17;
    if (pair < first_rotated) {
        return value;
    }
    uint _e23 = p.n_pairs;
    metal::float2 angle = angles[((row_4 * _e23) + pair) - first_rotated];
    return metal::float2((value.x * angle.x) - (value.y * angle.y), (value.x * angle.y) + (value.y * angle.x));
}

struct main_Input {
};
[[max_total_threads_per_threadgroup(256)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, threadgroup type_2& tile
, device type_4 const& compressed_rows [[user(fake0)]]
, device type_4 const& window_rows [[user(fake0)]]
, threadgroup type_6& team_partials
, constant Parameters& p [[user(fake0)]]
, device type_10& sums [[user(fake0)]]
, device type_10& weights [[user(fake0)]]
, device type_10 const& queries [[user(fake0)]]
, device type_10 const& angles [[user(fake0)]]
, device type_4 const& selection [[user(fake0)]]
, threadgroup type_11& row_weights
, threadgroup type_12& kept
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    type_18 query = {};
    uint c = 0u;
    float largest = SMALLEST;
    float weight_sum = 0.0;
    type_18 sum = {};
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
    uint row_5 = _e4 + workgroup.y;
    uint _e9 = p.first_position;
    uint position_1 = _e9 + workgroup.y;
    uint _e16 = p.window;
    uint n_window_2 = metal::min(position_1 + 1u, _e16);
    uint first_in_window_2 = (position_1 + 1u) - n_window_2;
    uint _e21 = count_compressed(row_5, position_1, p, selection, _buffer_sizes);
    uint n_rows = n_window_2 + _e21;
    uint _e25 = p.n_splits;
    uint _e33 = p.n_splits;
    uint share = (((n_rows + (_e25 * TILE)) - 1u) / (_e33 * TILE)) * TILE;
    uint begin = metal::min(workgroup.z * share, n_rows);
    uint end = metal::min(begin + share, n_rows);
    uint team_1 = thread_ / TEAM;
    uint lane_2 = thread_ % TEAM;
    uint head_1 = (workgroup.x * HEADS) + team_1;
    uint _e55 = p.n_heads;
    if (head_1 < _e55) {
        bool loop_init_11 = true;
        while(true) {
            if (!loop_init_11) {
                uint _e76 = c;
                c = _e76 + 1u;
            }
            loop_init_11 = false;
            uint _e59 = c;
            if (_e59 < TEAM_PAIRS) {
            } else {
                break;
            }
            {
                uint _e62 = c;
                if ((lane_2 + (_e62 * TEAM)) < PAIRS) {
                    uint _e68 = c;
                    uint _e70 = c;
                    metal::float2 _e74 = query_pair(row_5, head_1, lane_2 + (_e70 * TEAM), p, queries, angles, _buffer_sizes);
                    query.inner[_e68] = _e74;
                }
            }
        }
    }
    first = begin;
    bool loop_init_12 = true;
    while(true) {
        if (!loop_init_12) {
            uint _e287 = first;
            first = _e287 + TILE;
        }
        loop_init_12 = false;
        uint _e84 = first;
        if (_e84 < end) {
        } else {
            break;
        }
        {
            uint _e87 = first;
            uint n_1 = metal::min(TILE, end - _e87);
            uint _e90 = first;
            load_tile(row_5, first_in_window_2, n_window_2, _e90, n_1, thread_, tile, compressed_rows, window_rows, p, selection, _buffer_sizes);
            metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
            scores = type_7 {};
            c_1 = 0u;
            bool loop_init_13 = true;
            while(true) {
                if (!loop_init_13) {
                    uint _e139 = c_1;
                    c_1 = _e139 + 1u;
                }
                loop_init_13 = false;
                uint _e95 = c_1;
                if (_e95 < TEAM_PAIRS) {
                } else {
                    break;
                }
                {
                    uint _e98 = c_1;
                    uint pair_1 = lane_2 + (_e98 * TEAM);
                    if (pair_1 < PAIRS) {
                        r = 0u;
                        bool loop_init_14 = true;
                        while(true) {
                            if (!loop_init_14) {
                                uint _e126 = r;
                                r = _e126 + 1u;
                            }
                            loop_init_14 = false;
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
                        float _e129 = scores.inner[8];
                        uint _e130 = c_1;
                        metal::float2 _e132 = query.inner[_e130];
                        uint _e133 = c_1;
                        metal::float2 _e135 = query.inner[_e133];
                        scores.inner[8] = _e129 + metal::dot(_e132, _e135);
                    }
                }
            }
            team_sums(scores, thread_, team_partials);
            float _e143 = p.scale;
            float _e145 = scores.inner[8];
            float _e150 = p.norm_eps;
            float scale_1 = _e143 / metal::sqrt((_e145 / 512.0) + _e150);
            float before = largest;
            r_1 = 0u;
            bool loop_init_15 = true;
            while(true) {
                if (!loop_init_15) {
                    uint _e172 = r_1;
                    r_1 = _e172 + 1u;
                }
                loop_init_15 = false;
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
            if (lane_2 == 0u) {
                kept.inner[team_1] = still;
            }
            r_2 = 0u;
            bool loop_init_16 = true;
            while(true) {
                if (!loop_init_16) {
                    uint _e211 = r_2;
                    r_2 = _e211 + 1u;
                }
                loop_init_16 = false;
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
                    if (lane_2 == 0u) {
                        uint _e204 = r_2;
                        float _e209 = weight;
                        row_weights.inner[(_e204 * HEADS) + team_1] = _e209;
                    }
                }
            }
            metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
            c_2 = 0u;
            bool loop_init_17 = true;
            while(true) {
                if (!loop_init_17) {
                    uint _e285 = c_2;
                    c_2 = _e285 + 1u;
                }
                loop_init_17 = false;
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
                        bool loop_init_18 = true;
                        while(true) {
                            if (!loop_init_18) {
                                uint _e242 = h;
                                h = _e242 + 1u;
                            }
                            loop_init_18 = false;
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
                        bool loop_init_19 = true;
                        while(true) {
                            if (!loop_init_19) {
                                uint _e282 = r_3;
                                r_3 = _e282 + 1u;
                            }
                            loop_init_19 = false;
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
                                bool loop_init_20 = true;
                                while(true) {
                                    if (!loop_init_20) {
                                        uint _e279 = h_1;
                                        h_1 = _e279 + 1u;
                                    }
                                    loop_init_20 = false;
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
    if (lane_2 == 0u) {
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
        weights[first_partial + (team_1 * _e318)] = metal::float2(_e322, _e323);
    }
    bool loop_init_21 = true;
    while(true) {
        if (!loop_init_21) {
            uint _e376 = c_3;
            c_3 = _e376 + 1u;
        }
        loop_init_21 = false;
        uint _e327 = c_3;
        if (_e327 < SUM_PAIRS) {
        } else {
            break;
        }
        {
            uint _e330 = c_3;
            uint pair_3 = thread_ + (_e330 * WORKGROUP);
            h_2 = 0u;
            bool loop_init_22 = true;
            while(true) {
                if (!loop_init_22) {
                    uint _e373 = h_2;
                    h_2 = _e373 + 1u;
                }
                loop_init_22 = false;
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
