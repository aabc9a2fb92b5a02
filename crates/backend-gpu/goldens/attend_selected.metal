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
};

struct type_2 {
    float inner[4096];
};
typedef uint type_4[1];
struct type_6 {
    float inner[64];
};
struct type_7 {
    float inner[8];
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
};
typedef float type_9[1];
struct type_11 {
    float inner[16];
};
constant uint WORKGROUP = 256u;
constant uint TEAM = 32u;
constant uint SUMS = 8u;
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
constant uint HEADS = 8u;
constant uint CHANNELS = 16u;

float e4m3_value(
    uint code
) {
    uint low = code & 127u;
    float normal = as_type<float>((low << 20u) + 1006632960u);
    float magnitude = (low < 8u) ? (static_cast<float>(low) * 0.001953125) : normal;
    return ((code & 128u) != 0u) ? -(magnitude) : magnitude;
}

uint scale_word(
    uint i_1
) {
    return VALUE_WORDS + (metal::min(i_1, 111u) / 64u);
}

void put_four(
    uint i_2,
    metal::float4 four,
    threadgroup type_2& tile
) {
    uint j = 0u;
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e14 = j;
            j = _e14 + 1u;
        }
        loop_init = false;
        uint _e4 = j;
        if (_e4 < 4u) {
        } else {
            break;
        }
        {
            uint _e8 = j;
            uint _e11 = j;
            tile.inner[i_2 + _e8] = four[_e11];
        }
    }
    return;
}

void put_two(
    uint i_3,
    uint two,
    threadgroup type_2& tile
) {
    metal::float2 pair = float2(as_type<half2>(two));
    tile.inner[i_3] = pair.x;
    tile.inner[i_3 + 1u] = pair.y;
    return;
}

void put_word(
    uint i_4,
    uint word,
    uint scales,
    uint to,
    threadgroup type_2& tile
) {
    if (i_4 < CODE_WORDS) {
        uint group = i_4 / 16u;
        float scale = as_type<float>(((scales >> (8u * (group & 3u))) & 255u) << 23u);
        float _e20 = e4m3_value(word & 255u);
        float _e25 = e4m3_value((word >> 8u) & 255u);
        float _e30 = e4m3_value((word >> 16u) & 255u);
        float _e33 = e4m3_value(word >> 24u);
        metal::float4 four_1 = scale * metal::float4(_e20, _e25, _e30, _e33);
        put_four(to + (4u * i_4), four_1, tile);
        return;
    } else {
        put_two((to + CODES) + (2u * (i_4 - CODE_WORDS)), word, tile);
        return;
    }
}

uint row_word(
    bool compressed,
    uint i_5,
    device type_4 const& compressed_rows,
    device type_4 const& window_rows,
    constant _mslBufferSizes& _buffer_sizes
) {
    if (compressed) {
        uint _e4 = compressed_rows[i_5];
        return _e4;
    }
    uint _e7 = window_rows[i_5];
    return _e7;
}

void load_word(
    bool compressed_1,
    uint row,
    uint i_6,
    uint to_1,
    threadgroup type_2& tile,
    device type_4 const& compressed_rows,
    device type_4 const& window_rows,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint first_1 = row * ROW_WORDS;
    uint _e6 = scale_word(i_6);
    uint _e8 = row_word(compressed_1, first_1 + _e6, compressed_rows, window_rows, _buffer_sizes);
    uint _e10 = row_word(compressed_1, first_1 + i_6, compressed_rows, window_rows, _buffer_sizes);
    put_word(i_6, _e10, _e8, to_1, tile);
    return;
}

void team_sums(
    thread type_7& values,
    uint thread_1,
    threadgroup type_6& team_partials
) {
    uint s = 0u;
    float sum = {};
    uint far = {};
    uint s_1 = 0u;
    uint s_2 = 0u;
    float sum_1 = {};
    uint i_7 = {};
    bool loop_init_1 = true;
    while(true) {
        if (!loop_init_1) {
            uint _e31 = s;
            s = _e31 + 1u;
        }
        loop_init_1 = false;
        uint _e4 = s;
        if (_e4 < SUMS) {
        } else {
            break;
        }
        {
            uint _e7 = s;
            float _e9 = values.inner[_e7];
            sum = _e9;
            if (true) {
                float _e12 = sum;
                float unnamed = metal::simd_sum(_e12);
                sum = unnamed;
            } else {
                far = 16u;
                bool loop_init_2 = true;
                while(true) {
                    if (!loop_init_2) {
                        uint _e24 = far;
                        far = _e24 >> 1u;
                    }
                    loop_init_2 = false;
                    uint _e16 = far;
                    if (_e16 > 0u) {
                    } else {
                        break;
                    }
                    {
                        float _e19 = sum;
                        float _e20 = sum;
                        uint _e21 = far;
                        float unnamed_1 = metal::simd_shuffle_xor(_e20, _e21);
                        sum = _e19 + unnamed_1;
                    }
                }
            }
            uint _e27 = s;
            float _e29 = sum;
            values.inner[_e27] = _e29;
        }
    }
    if (false) {
        metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
        if ((thread_1 % SUBGROUP) == 0u) {
            bool loop_init_3 = true;
            while(true) {
                if (!loop_init_3) {
                    uint _e55 = s_1;
                    s_1 = _e55 + 1u;
                }
                loop_init_3 = false;
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
        uint first_2 = (thread_1 / TEAM) * 1u;
        bool loop_init_4 = true;
        while(true) {
            if (!loop_init_4) {
                uint _e91 = s_2;
                s_2 = _e91 + 1u;
            }
            loop_init_4 = false;
            uint _e63 = s_2;
            if (_e63 < SUMS) {
            } else {
                break;
            }
            {
                sum_1 = 0.0;
                i_7 = 0u;
                bool loop_init_5 = true;
                while(true) {
                    if (!loop_init_5) {
                        uint _e85 = i_7;
                        i_7 = _e85 + 1u;
                    }
                    loop_init_5 = false;
                    uint _e70 = i_7;
                    if (_e70 < 1u) {
                    } else {
                        break;
                    }
                    {
                        float _e73 = sum_1;
                        uint _e75 = i_7;
                        uint _e79 = s_2;
                        float _e82 = team_partials.inner[((first_2 + _e75) * SUMS) + _e79];
                        sum_1 = _e73 + _e82;
                    }
                }
                uint _e87 = s_2;
                float _e89 = sum_1;
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

void load_row_word(
    uint row_2,
    uint first_in_window,
    uint n_window,
    uint i_8,
    uint word_1,
    uint to_2,
    threadgroup type_2& tile,
    device type_4 const& compressed_rows,
    device type_4 const& window_rows,
    constant Parameters& p,
    device type_4 const& selection,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint chosen = {};
    if (i_8 < n_window) {
        uint _e11 = p.capacity;
        load_word(false, (first_in_window + i_8) % _e11, word_1, to_2 * WIDTH, tile, compressed_rows, window_rows, _buffer_sizes);
        return;
    } else {
        chosen = i_8 - n_window;
        if (true) {
            uint _e22 = p.top_k;
            uint _e27 = chosen;
            uint _e30 = selection[((row_2 * (1u + _e22)) + 1u) + _e27];
            chosen = _e30;
        }
        uint _e32 = chosen;
        load_word(true, _e32, word_1, to_2 * WIDTH, tile, compressed_rows, window_rows, _buffer_sizes);
        return;
    }
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
, device type_9& out [[user(fake0)]]
, device type_9 const& queries [[user(fake0)]]
, device type_9 const& sinks [[user(fake0)]]
, device type_4 const& selection [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    type_11 query = {};
    type_11 sums = {};
    float largest = 0.0;
    uint c = 0u;
    float weight_sum = 0.0;
    uint first = {};
    uint i = {};
    type_7 scores = {};
    uint c_1 = {};
    uint r = {};
    uint r_1 = {};
    uint c_2 = {};
    uint r_2 = {};
    uint c_3 = {};
    uint c_4 = 0u;
    uint c_5 = 0u;
    uint _e4 = p.first_row;
    uint row_3 = _e4 + workgroup.y;
    uint _e9 = p.first_position;
    uint position_1 = _e9 + workgroup.y;
    uint _e16 = p.window;
    uint n_window_1 = metal::min(position_1 + 1u, _e16);
    uint first_in_window_1 = (position_1 + 1u) - n_window_1;
    uint _e21 = count_compressed(row_3, position_1, p, selection, _buffer_sizes);
    uint n_rows = n_window_1 + _e21;
    uint _e25 = p.n_splits;
    uint _e33 = p.n_splits;
    uint share = (((n_rows + (_e25 * SUMS)) - 1u) / (_e33 * SUMS)) * SUMS;
    uint begin = metal::min(workgroup.z * share, n_rows);
    uint end = metal::min(begin + share, n_rows);
    uint head = (workgroup.x * HEADS) + (thread_ / TEAM);
    uint lane = thread_ % TEAM;
    uint _e58 = p.n_heads;
    if (head < _e58) {
        float _e62 = sinks[head];
        largest = _e62;
        bool loop_init_6 = true;
        while(true) {
            if (!loop_init_6) {
                uint _e92 = c;
                c = _e92 + 1u;
            }
            loop_init_6 = false;
            uint _e65 = c;
            if (_e65 < CHANNELS) {
            } else {
                break;
            }
            {
                uint _e68 = c;
                uint channel = lane + (_e68 * TEAM);
                if (channel < WIDTH) {
                    uint _e74 = c;
                    uint _e79 = p.n_heads;
                    float _e86 = queries[(((row_3 * _e79) + head) * WIDTH) + channel];
                    float _e89 = p.scale;
                    query.inner[_e74] = _e86 * _e89;
                }
            }
        }
    }
    first = begin;
    bool loop_init_7 = true;
    while(true) {
        if (!loop_init_7) {
            uint _e231 = first;
            first = _e231 + SUMS;
        }
        loop_init_7 = false;
        uint _e97 = first;
        if (_e97 < end) {
        } else {
            break;
        }
        {
            metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
            i = thread_;
            bool loop_init_8 = true;
            while(true) {
                if (!loop_init_8) {
                    uint _e114 = i;
                    i = _e114 + WORKGROUP;
                }
                loop_init_8 = false;
                uint _e100 = i;
                if (_e100 < 1152u) {
                } else {
                    break;
                }
                {
                    uint _e103 = i;
                    uint at = _e103 / VALUE_WORDS;
                    uint _e106 = first;
                    if ((_e106 + at) < end) {
                        uint _e109 = first;
                        uint _e111 = i;
                        load_row_word(row_3, first_in_window_1, n_window_1, _e109 + at, _e111 % VALUE_WORDS, at, tile, compressed_rows, window_rows, p, selection, _buffer_sizes);
                    }
                }
            }
            metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
            scores = type_7 {};
            c_1 = 0u;
            bool loop_init_9 = true;
            while(true) {
                if (!loop_init_9) {
                    uint _e154 = c_1;
                    c_1 = _e154 + 1u;
                }
                loop_init_9 = false;
                uint _e121 = c_1;
                if (_e121 < CHANNELS) {
                } else {
                    break;
                }
                {
                    uint _e124 = c_1;
                    uint channel_1 = lane + (_e124 * TEAM);
                    if (channel_1 < WIDTH) {
                        r = 0u;
                        bool loop_init_10 = true;
                        while(true) {
                            if (!loop_init_10) {
                                uint _e151 = r;
                                r = _e151 + 1u;
                            }
                            loop_init_10 = false;
                            uint _e132 = r;
                            if (_e132 < SUMS) {
                            } else {
                                break;
                            }
                            {
                                uint _e135 = r;
                                float _e137 = scores.inner[_e135];
                                uint _e138 = c_1;
                                float _e140 = query.inner[_e138];
                                uint _e142 = r;
                                float _e147 = tile.inner[(_e142 * WIDTH) + channel_1];
                                scores.inner[_e135] = _e137 + (_e140 * _e147);
                            }
                        }
                    }
                }
            }
            team_sums(scores, thread_, team_partials);
            uint _e157 = first;
            uint n = metal::min(SUMS, end - _e157);
            float before = largest;
            r_1 = 0u;
            bool loop_init_11 = true;
            while(true) {
                if (!loop_init_11) {
                    uint _e171 = r_1;
                    r_1 = _e171 + 1u;
                }
                loop_init_11 = false;
                uint _e163 = r_1;
                if (_e163 < n) {
                } else {
                    break;
                }
                {
                    float _e165 = largest;
                    uint _e166 = r_1;
                    float _e168 = scores.inner[_e166];
                    largest = metal::max(_e165, _e168);
                }
            }
            float _e173 = largest;
            float kept = metal::exp(before - _e173);
            float _e176 = weight_sum;
            weight_sum = _e176 * kept;
            c_2 = 0u;
            bool loop_init_12 = true;
            while(true) {
                if (!loop_init_12) {
                    uint _e188 = c_2;
                    c_2 = _e188 + 1u;
                }
                loop_init_12 = false;
                uint _e180 = c_2;
                if (_e180 < CHANNELS) {
                } else {
                    break;
                }
                {
                    uint _e183 = c_2;
                    float _e185 = sums.inner[_e183];
                    sums.inner[_e183] = _e185 * kept;
                }
            }
            r_2 = 0u;
            bool loop_init_13 = true;
            while(true) {
                if (!loop_init_13) {
                    uint _e229 = r_2;
                    r_2 = _e229 + 1u;
                }
                loop_init_13 = false;
                uint _e192 = r_2;
                if (_e192 < n) {
                } else {
                    break;
                }
                {
                    uint _e194 = r_2;
                    float _e196 = scores.inner[_e194];
                    float _e197 = largest;
                    float weight = metal::exp(_e196 - _e197);
                    float _e200 = weight_sum;
                    weight_sum = _e200 + weight;
                    c_3 = 0u;
                    bool loop_init_14 = true;
                    while(true) {
                        if (!loop_init_14) {
                            uint _e226 = c_3;
                            c_3 = _e226 + 1u;
                        }
                        loop_init_14 = false;
                        uint _e204 = c_3;
                        if (_e204 < CHANNELS) {
                        } else {
                            break;
                        }
                        {
                            uint _e207 = c_3;
                            uint channel_2 = lane + (_e207 * TEAM);
                            if (channel_2 < WIDTH) {
                                uint _e213 = c_3;
                                float _e215 = sums.inner[_e213];
                                uint _e217 = r_2;
                                float _e222 = tile.inner[(_e217 * WIDTH) + channel_2];
                                sums.inner[_e213] = _e215 + (weight * _e222);
                            }
                        }
                    }
                }
            }
        }
    }
    uint _e236 = p.n_heads;
    if (head < _e236) {
        uint _e240 = p.n_splits;
        if (_e240 == 1u) {
            float _e243 = weight_sum;
            float _e246 = sinks[head];
            float _e247 = largest;
            float total = _e243 + metal::exp(_e246 - _e247);
            bool loop_init_15 = true;
            while(true) {
                if (!loop_init_15) {
                    uint _e277 = c_4;
                    c_4 = _e277 + 1u;
                }
                loop_init_15 = false;
                uint _e253 = c_4;
                if (_e253 < CHANNELS) {
                } else {
                    break;
                }
                {
                    uint _e256 = c_4;
                    uint channel_3 = lane + (_e256 * TEAM);
                    if (channel_3 < WIDTH) {
                        uint _e265 = p.n_heads;
                        uint _e272 = c_4;
                        float _e274 = sums.inner[_e272];
                        out[(((row_3 * _e265) + head) * WIDTH) + channel_3] = _e274 / total;
                    }
                }
            }
            return;
        } else {
            uint _e282 = p.n_heads;
            uint _e287 = p.n_splits;
            uint partial = (((workgroup.y * _e282) + head) * _e287) + workgroup.z;
            uint first_3 = partial * 514u;
            if (lane == 0u) {
                float _e297 = largest;
                out[first_3] = _e297;
                float _e302 = weight_sum;
                out[first_3 + 1u] = _e302;
            }
            bool loop_init_16 = true;
            while(true) {
                if (!loop_init_16) {
                    uint _e323 = c_5;
                    c_5 = _e323 + 1u;
                }
                loop_init_16 = false;
                uint _e305 = c_5;
                if (_e305 < CHANNELS) {
                } else {
                    break;
                }
                {
                    uint _e308 = c_5;
                    uint channel_4 = lane + (_e308 * TEAM);
                    if (channel_4 < WIDTH) {
                        uint _e319 = c_5;
                        float _e321 = sums.inner[_e319];
                        out[(first_3 + 2u) + channel_4] = _e321;
                    }
                }
            }
            return;
        }
    } else {
        return;
    }
}
