// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size1;
    uint size5;
    uint size6;
    uint size7;
    uint size8;
    uint size9;
    uint size10;
    uint size11;
    uint size12;
    uint size13;
    uint size15;
    uint size17;
    uint size18;
    uint size19;
    uint size20;
    uint size21;
    uint size22;
    uint size24;
    uint size26;
};

struct type_2 {
    float inner[8];
};
struct type_3 {
    float inner[1];
};
typedef uint type_6[1];
struct type_7 {
    float inner[512];
};
struct type_8 {
    int inner[8];
};
struct Parameters {
    uint first_row;
    uint first_position;
    uint capacity;
    uint ratio;
    uint n_pairs;
    float norm_eps;
    uint closes;
    uint compressed_row;
    uint index_row;
    uint n_slots;
    uint n_index_slots;
    uint n_blocks;
    uint n_index_blocks;
    uint n_index_heads;
};
typedef float type_10[1];
typedef metal::float2 type_11[1];
struct type_13 {
    float inner[128];
};
struct type_14 {
    int inner[4];
};
constant uint WORKGROUP = 256u;
constant uint TEAM = 256u;
constant uint SUMS = 1u;
constant uint SUBGROUP = 32u;
constant uint WIDTH = 512u;
constant uint ROPE_DIM = 64u;
constant uint compressed_WIDTH = 512u;
constant uint compressed_ROPE_DIM = 64u;
constant uint compressed_OVERLAP = 1u;
constant uint index_WIDTH = 128u;
constant uint index_HADAMARD_SCALE_BITS = 1035273459u;
constant uint index_OVERLAP = 1u;
constant uint INFINITY_BITS = 2139095040u;
constant uint CODES = 448u;
constant uint GROUPS = 7u;
constant uint CODE_WORDS = 112u;
constant uint ROTARY_WORDS = 32u;
constant uint SCALE_WORDS = 2u;
constant uint ROW_WORDS = 146u;
constant uint FP8_MAX_MANTISSA = 6291456u;
constant int FP8_MAX_EXPONENT = 8;
constant uint FP8_FLOOR_BITS = 953267991u;
constant uint compressed_INPUT_WIDTH = 1024u;
constant uint compressed_CODES = 448u;
constant uint compressed_GROUPS = 7u;
constant uint compressed_FP8_FLOOR_BITS = 953267991u;
constant uint compressed_FP8_MAX_MANTISSA = 6291456u;
constant int compressed_FP8_MAX_EXPONENT = 8;
constant uint compressed_CODE_WORDS = 112u;
constant uint compressed_ROTARY_WORDS = 32u;
constant uint compressed_SCALE_WORDS = 2u;
constant uint compressed_ROW_WORDS = 146u;
constant uint index_INPUT_WIDTH = 256u;
constant uint index_GROUPS = 4u;
constant uint index_FP4_FLOOR_BITS = 29360128u;
constant uint index_FP4_MAX_MANTISSA = 4194304u;
constant int index_FP4_MAX_EXPONENT = 2;
constant uint index_CODE_WORDS = 16u;
constant uint index_SCALE_WORDS = 1u;
constant uint index_ROW_WORDS = 17u;

void team_sums(
    thread type_3& values,
    uint thread_1,
    threadgroup type_2& team_partials
) {
    uint s = 0u;
    float sum = {};
    uint far = {};
    uint s_1 = 0u;
    uint s_2 = 0u;
    float sum_1 = {};
    uint i = {};
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
            sum = _e9;
            if (true) {
                float _e12 = sum;
                float unnamed = metal::simd_sum(_e12);
                sum = unnamed;
            } else {
                far = 128u;
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
    if (true) {
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
        uint first = (thread_1 / TEAM) * 8u;
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
                sum_1 = 0.0;
                i = 0u;
                bool loop_init_4 = true;
                while(true) {
                    if (!loop_init_4) {
                        uint _e85 = i;
                        i = _e85 + 1u;
                    }
                    loop_init_4 = false;
                    uint _e70 = i;
                    if (_e70 < 8u) {
                    } else {
                        break;
                    }
                    {
                        float _e73 = sum_1;
                        uint _e75 = i;
                        uint _e79 = s_2;
                        float _e82 = team_partials.inner[((first + _e75) * SUMS) + _e79];
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

uint shift_rounded(
    uint mantissa,
    uint shift
) {
    uint half_ = (1u << (shift - 1u)) - 1u;
    return ((mantissa + half_) + ((mantissa >> shift) & 1u)) >> shift;
}

uint magnitude_bits(
    float value
) {
    uint bits_1 = as_type<uint>(value) & 2147483647u;
    return (bits_1 > INFINITY_BITS) ? 0u : bits_1;
}

int scale_exponent(
    uint bits,
    uint mantissa_1,
    int exponent
) {
    int above = ((bits & 8388607u) > mantissa_1) ? 1 : 0;
    return metal::clamp(as_type<int>(as_type<uint>(as_type<int>(as_type<uint>(as_type<int>(as_type<uint>(static_cast<int>(bits >> 23u)) - as_type<uint>(127))) - as_type<uint>(exponent))) + as_type<uint>(above)), -127, 127);
}

float e2m1_value(
    uint code
) {
    uint exponent_4 = (code >> 1u) & 3u;
    float normal = as_type<float>(((exponent_4 + 126u) << 23u) | ((code & 1u) << 22u));
    float magnitude = (exponent_4 == 0u) ? (0.5 * static_cast<float>(code & 1u)) : normal;
    return ((code & 8u) != 0u) ? -(magnitude) : magnitude;
}

float power_of_two(
    uint code_1
) {
    return as_type<float>(code_1 << 23u);
}

uint e4m3_code(
    float value_1,
    int exponent_1
) {
    uint bits_2 = as_type<uint>(value_1);
    uint sign = (bits_2 >> 24u) & 128u;
    uint magnitude_1 = bits_2 & 2147483647u;
    if (magnitude_1 >= INFINITY_BITS) {
        return sign | ((magnitude_1 > INFINITY_BITS) ? 127u : 126u);
    }
    int e = as_type<int>(as_type<uint>(as_type<int>(as_type<uint>(static_cast<int>(magnitude_1 >> 23u)) - as_type<uint>(127))) - as_type<uint>(exponent_1));
    uint mantissa_2 = bits_2 & 8388607u;
    if (e >= -6) {
        uint scaled = (static_cast<uint>(as_type<int>(as_type<uint>(e) + as_type<uint>(127))) << 23u) | mantissa_2;
        uint rounded = (scaled + 524287u) + ((scaled >> 20u) & 1u);
        return sign | metal::min((rounded >> 20u) - 960u, 126u);
    }
    if (e < -10) {
        return sign;
    }
    uint _e54 = shift_rounded(mantissa_2 | 8388608u, static_cast<uint>(as_type<int>(as_type<uint>(14) - as_type<uint>(e))));
    return sign | _e54;
}

uint f16_code(
    float value_2
) {
    uint bits_3 = as_type<uint>(value_2);
    uint sign_1 = (bits_3 >> 16u) & 32768u;
    uint magnitude_2 = bits_3 & 2147483647u;
    if (magnitude_2 > INFINITY_BITS) {
        return sign_1 | 32256u;
    }
    if (magnitude_2 >= 1199566848u) {
        return sign_1 | 31744u;
    }
    if (magnitude_2 >= 947912704u) {
        uint rounded_1 = (magnitude_2 + 4095u) + ((magnitude_2 >> 13u) & 1u);
        return sign_1 | ((rounded_1 >> 13u) - 114688u);
    }
    uint e_1 = magnitude_2 >> 23u;
    if (e_1 < 102u) {
        return sign_1;
    }
    uint _e40 = shift_rounded((magnitude_2 & 8388607u) | 8388608u, 126u - e_1);
    return sign_1 | _e40;
}

void pack_row(
    uint row,
    uint thread_2,
    device type_6& rows,
    threadgroup type_7& row_values,
    threadgroup type_8& group_exponents,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint group = {};
    uint largest = {};
    uint i_1 = {};
    uint i_2 = {};
    uint word = {};
    uint j = {};
    uint i_3 = {};
    uint i_4 = {};
    uint word_1 = {};
    uint j_1 = {};
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    group = thread_2;
    bool loop_init_5 = true;
    while(true) {
        if (!loop_init_5) {
            uint _e34 = group;
            group = _e34 + WORKGROUP;
        }
        loop_init_5 = false;
        uint _e3 = group;
        if (_e3 < GROUPS) {
        } else {
            break;
        }
        {
            largest = FP8_FLOOR_BITS;
            i_1 = 0u;
            bool loop_init_6 = true;
            while(true) {
                if (!loop_init_6) {
                    uint _e25 = i_1;
                    i_1 = _e25 + 1u;
                }
                loop_init_6 = false;
                uint _e10 = i_1;
                if (_e10 < 64u) {
                } else {
                    break;
                }
                {
                    uint _e13 = largest;
                    uint _e16 = group;
                    uint _e18 = i_1;
                    float _e21 = row_values.inner[(64u * _e16) + _e18];
                    uint _e22 = magnitude_bits(_e21);
                    largest = metal::max(_e13, _e22);
                }
            }
            uint _e28 = group;
            uint _e30 = largest;
            int _e33 = scale_exponent(_e30, FP8_MAX_MANTISSA, FP8_MAX_EXPONENT);
            group_exponents.inner[_e28] = _e33;
        }
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    uint first_1 = row * ROW_WORDS;
    i_2 = thread_2;
    bool loop_init_7 = true;
    while(true) {
        if (!loop_init_7) {
            uint _e79 = i_2;
            i_2 = _e79 + WORKGROUP;
        }
        loop_init_7 = false;
        uint _e40 = i_2;
        if (_e40 < CODE_WORDS) {
        } else {
            break;
        }
        {
            uint _e44 = i_2;
            int exponent_5 = group_exponents.inner[_e44 / 16u];
            word = 0u;
            j = 0u;
            bool loop_init_8 = true;
            while(true) {
                if (!loop_init_8) {
                    uint _e72 = j;
                    j = _e72 + 1u;
                }
                loop_init_8 = false;
                uint _e53 = j;
                if (_e53 < 4u) {
                } else {
                    break;
                }
                {
                    uint _e56 = word;
                    uint _e59 = i_2;
                    uint _e61 = j;
                    float _e64 = row_values.inner[(4u * _e59) + _e61];
                    uint _e65 = e4m3_code(_e64, exponent_5);
                    uint _e67 = j;
                    word = _e56 | (_e65 << (8u * _e67));
                }
            }
            uint _e75 = i_2;
            uint _e78 = word;
            rows[first_1 + _e75] = _e78;
        }
    }
    i_3 = thread_2;
    bool loop_init_9 = true;
    while(true) {
        if (!loop_init_9) {
            uint _e110 = i_3;
            i_3 = _e110 + WORKGROUP;
        }
        loop_init_9 = false;
        uint _e83 = i_3;
        if (_e83 < ROTARY_WORDS) {
        } else {
            break;
        }
        {
            uint _e88 = i_3;
            uint pair_6 = CODES + (2u * _e88);
            float _e93 = row_values.inner[pair_6];
            uint _e94 = f16_code(_e93);
            float _e99 = row_values.inner[pair_6 + 1u];
            uint _e100 = f16_code(_e99);
            uint word_6 = _e94 | (_e100 << 16u);
            uint _e107 = i_3;
            rows[(first_1 + CODE_WORDS) + _e107] = word_6;
        }
    }
    i_4 = thread_2;
    bool loop_init_10 = true;
    while(true) {
        if (!loop_init_10) {
            uint _e160 = i_4;
            i_4 = _e160 + WORKGROUP;
        }
        loop_init_10 = false;
        uint _e114 = i_4;
        if (_e114 < SCALE_WORDS) {
        } else {
            break;
        }
        {
            word_1 = 0u;
            j_1 = 0u;
            bool loop_init_11 = true;
            while(true) {
                if (!loop_init_11) {
                    uint _e149 = j_1;
                    j_1 = _e149 + 1u;
                }
                loop_init_11 = false;
                uint _e121 = j_1;
                if (_e121 < 4u) {
                } else {
                    break;
                }
                {
                    uint _e125 = i_4;
                    uint _e127 = j_1;
                    if (((4u * _e125) + _e127) < GROUPS) {
                        uint _e131 = word_1;
                        uint _e134 = i_4;
                        uint _e136 = j_1;
                        int _e139 = group_exponents.inner[(4u * _e134) + _e136];
                        uint _e144 = j_1;
                        word_1 = _e131 | (static_cast<uint>(as_type<int>(as_type<uint>(_e139) + as_type<uint>(127))) << (8u * _e144));
                    }
                }
            }
            uint _e156 = i_4;
            uint _e159 = word_1;
            rows[((first_1 + CODE_WORDS) + ROTARY_WORDS) + _e156] = _e159;
        }
    }
    return;
}

void turn_pair(
    uint pair,
    metal::float2 angle,
    threadgroup type_7& row_values,
    constant Parameters& p
) {
    uint _e6 = p.n_pairs;
    uint at = WIDTH - (2u * (_e6 - pair));
    float a = row_values.inner[at];
    float b = row_values.inner[at + 1u];
    row_values.inner[at] = (a * angle.x) - (b * angle.y);
    row_values.inner[at + 1u] = (a * angle.y) + (b * angle.x);
    return;
}

void store_raw(
    uint thread_3,
    threadgroup type_2& team_partials,
    device type_6& rows,
    threadgroup type_7& row_values,
    threadgroup type_8& group_exponents,
    constant Parameters& p,
    device type_10 const& kv,
    device type_10 const& kv_gain,
    device type_11 const& angles,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_3 squares = {};
    uint i_5 = {};
    uint i_6 = {};
    uint pair_1 = {};
    i_5 = thread_3;
    bool loop_init_12 = true;
    while(true) {
        if (!loop_init_12) {
            uint _e23 = i_5;
            i_5 = _e23 + WORKGROUP;
        }
        loop_init_12 = false;
        uint _e3 = i_5;
        if (_e3 < WIDTH) {
        } else {
            break;
        }
        {
            uint _e9 = p.first_row;
            uint _e12 = i_5;
            float value_6 = kv[(_e9 * WIDTH) + _e12];
            uint _e17 = i_5;
            row_values.inner[_e17] = value_6;
            float _e20 = squares.inner[0];
            squares.inner[0] = _e20 + (value_6 * value_6);
        }
    }
    team_sums(squares, thread_3, team_partials);
    float _e27 = squares.inner[0];
    float _e32 = p.norm_eps;
    float scale = 1.0 / metal::sqrt((_e27 / 512.0) + _e32);
    i_6 = thread_3;
    bool loop_init_13 = true;
    while(true) {
        if (!loop_init_13) {
            uint _e51 = i_6;
            i_6 = _e51 + WORKGROUP;
        }
        loop_init_13 = false;
        uint _e38 = i_6;
        if (_e38 < WIDTH) {
        } else {
            break;
        }
        {
            uint _e42 = i_6;
            float _e44 = row_values.inner[_e42];
            uint _e46 = i_6;
            float _e48 = kv_gain[_e46];
            row_values.inner[_e42] = _e44 * (scale * _e48);
        }
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    pair_1 = thread_3;
    bool loop_init_14 = true;
    while(true) {
        if (!loop_init_14) {
            uint _e73 = pair_1;
            pair_1 = _e73 + WORKGROUP;
        }
        loop_init_14 = false;
        uint _e55 = pair_1;
        uint _e58 = p.n_pairs;
        if (_e55 < _e58) {
        } else {
            break;
        }
        {
            uint _e60 = pair_1;
            uint _e64 = p.first_row;
            uint _e67 = p.n_pairs;
            uint _e69 = pair_1;
            metal::float2 _e72 = angles[(_e64 * _e67) + _e69];
            turn_pair(_e60, _e72, row_values, p);
        }
    }
    uint _e78 = p.first_position;
    uint _e81 = p.capacity;
    pack_row(_e78 % _e81, thread_3, rows, row_values, group_exponents, _buffer_sizes);
    return;
}

float compressed_score_at(
    uint position,
    uint channel,
    uint n_slots,
    constant Parameters& p,
    device type_10 const& compressed_state_scores,
    device type_10 const& compressed_scores,
    device type_10 const& compressed_ape,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint _e5 = p.first_position;
    if (position < _e5) {
        float _e13 = compressed_state_scores[((position % n_slots) * compressed_INPUT_WIDTH) + channel];
        return _e13;
    }
    uint _e16 = p.first_row;
    uint _e20 = p.first_position;
    uint row_5 = (_e16 + position) - _e20;
    float _e27 = compressed_scores[(row_5 * compressed_INPUT_WIDTH) + channel];
    uint _e31 = p.ratio;
    float _e37 = compressed_ape[((position % _e31) * compressed_INPUT_WIDTH) + channel];
    return _e27 + _e37;
}

float compressed_value_at(
    uint position_1,
    uint channel_1,
    uint n_slots_1,
    constant Parameters& p,
    device type_10 const& compressed_state_values,
    device type_10 const& compressed_values,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint _e5 = p.first_position;
    if (position_1 < _e5) {
        float _e13 = compressed_state_values[((position_1 % n_slots_1) * compressed_INPUT_WIDTH) + channel_1];
        return _e13;
    }
    uint _e17 = p.first_row;
    uint _e21 = p.first_position;
    float _e27 = compressed_values[(((_e17 + position_1) - _e21) * compressed_INPUT_WIDTH) + channel_1];
    return _e27;
}

float compressed_pooled(
    uint window,
    uint channel_2,
    uint n_slots_2,
    constant Parameters& p,
    device type_10 const& compressed_state_scores,
    device type_10 const& compressed_scores,
    device type_10 const& compressed_ape,
    device type_10 const& compressed_state_values,
    device type_10 const& compressed_values,
    constant _mslBufferSizes& _buffer_sizes
) {
    bool local = {};
    float largest_1 = {};
    uint i_7 = 0u;
    float sum_2 = 0.0;
    float weights = 0.0;
    uint i_8 = 0u;
    uint _e5 = p.ratio;
    uint own = window * _e5;
    uint _e10 = p.ratio;
    if (true) {
        local = window > 0u;
    } else {
        local = false;
    }
    bool _e17 = local;
    uint n_previous = _e17 ? _e10 : 0u;
    uint first_2 = own - n_previous;
    uint _e22 = p.ratio;
    uint n = n_previous + _e22;
    float _e28 = compressed_score_at(own, (channel_2 + compressed_INPUT_WIDTH) - compressed_WIDTH, n_slots_2, p, compressed_state_scores, compressed_scores, compressed_ape, _buffer_sizes);
    largest_1 = _e28;
    bool loop_init_15 = true;
    while(true) {
        if (!loop_init_15) {
            uint _e47 = i_7;
            i_7 = _e47 + 1u;
        }
        loop_init_15 = false;
        uint _e32 = i_7;
        if (_e32 < n) {
        } else {
            break;
        }
        {
            uint _e38 = i_7;
            uint at_1 = (_e38 < n_previous) ? channel_2 : ((channel_2 + compressed_INPUT_WIDTH) - compressed_WIDTH);
            float _e41 = largest_1;
            uint _e42 = i_7;
            float _e44 = compressed_score_at(first_2 + _e42, at_1, n_slots_2, p, compressed_state_scores, compressed_scores, compressed_ape, _buffer_sizes);
            largest_1 = metal::max(_e41, _e44);
        }
    }
    bool loop_init_16 = true;
    while(true) {
        if (!loop_init_16) {
            uint _e79 = i_8;
            i_8 = _e79 + 1u;
        }
        loop_init_16 = false;
        uint _e55 = i_8;
        if (_e55 < n) {
        } else {
            break;
        }
        {
            uint _e61 = i_8;
            uint at_2 = (_e61 < n_previous) ? channel_2 : ((channel_2 + compressed_INPUT_WIDTH) - compressed_WIDTH);
            uint _e64 = i_8;
            float _e66 = compressed_score_at(first_2 + _e64, at_2, n_slots_2, p, compressed_state_scores, compressed_scores, compressed_ape, _buffer_sizes);
            float _e67 = largest_1;
            float weight = metal::exp(_e66 - _e67);
            float _e70 = sum_2;
            uint _e71 = i_8;
            float _e73 = compressed_value_at(first_2 + _e71, at_2, n_slots_2, p, compressed_state_values, compressed_values, _buffer_sizes);
            sum_2 = _e70 + (weight * _e73);
            float _e76 = weights;
            weights = _e76 + weight;
        }
    }
    float _e81 = sum_2;
    float _e82 = weights;
    return _e81 / _e82;
}

void compressed_turn_pair(
    uint pair_2,
    metal::float2 angle_1,
    constant Parameters& p,
    threadgroup type_7& compressed_row_values
) {
    uint _e6 = p.n_pairs;
    uint at_3 = compressed_WIDTH - (2u * (_e6 - pair_2));
    float a_1 = compressed_row_values.inner[at_3];
    float b_1 = compressed_row_values.inner[at_3 + 1u];
    compressed_row_values.inner[at_3] = (a_1 * angle_1.x) - (b_1 * angle_1.y);
    compressed_row_values.inner[at_3 + 1u] = (a_1 * angle_1.y) + (b_1 * angle_1.x);
    return;
}

void compressed_pool_row(
    uint window_1,
    uint first_angle,
    uint n_slots_3,
    uint thread_4,
    threadgroup type_2& team_partials,
    constant Parameters& p,
    device type_11 const& row_angles,
    device type_10 const& compressed_state_scores,
    device type_10 const& compressed_scores,
    device type_10 const& compressed_ape,
    device type_10 const& compressed_state_values,
    device type_10 const& compressed_values,
    threadgroup type_7& compressed_row_values,
    device type_10 const& compressed_gain,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_3 squares_1 = {};
    uint i_9 = {};
    uint i_10 = {};
    uint pair_3 = {};
    i_9 = thread_4;
    bool loop_init_17 = true;
    while(true) {
        if (!loop_init_17) {
            uint _e18 = i_9;
            i_9 = _e18 + WORKGROUP;
        }
        loop_init_17 = false;
        uint _e6 = i_9;
        if (_e6 < compressed_WIDTH) {
        } else {
            break;
        }
        {
            uint _e9 = i_9;
            float _e10 = compressed_pooled(window_1, _e9, n_slots_3, p, compressed_state_scores, compressed_scores, compressed_ape, compressed_state_values, compressed_values, _buffer_sizes);
            uint _e12 = i_9;
            compressed_row_values.inner[_e12] = _e10;
            float _e15 = squares_1.inner[0];
            squares_1.inner[0] = _e15 + (_e10 * _e10);
        }
    }
    team_sums(squares_1, thread_4, team_partials);
    float _e22 = squares_1.inner[0];
    float _e27 = p.norm_eps;
    float scale_1 = 1.0 / metal::sqrt((_e22 / 512.0) + _e27);
    i_10 = thread_4;
    bool loop_init_18 = true;
    while(true) {
        if (!loop_init_18) {
            uint _e46 = i_10;
            i_10 = _e46 + WORKGROUP;
        }
        loop_init_18 = false;
        uint _e33 = i_10;
        if (_e33 < compressed_WIDTH) {
        } else {
            break;
        }
        {
            uint _e37 = i_10;
            float _e39 = compressed_row_values.inner[_e37];
            uint _e41 = i_10;
            float _e43 = compressed_gain[_e41];
            compressed_row_values.inner[_e37] = _e39 * (scale_1 * _e43);
        }
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    pair_3 = thread_4;
    bool loop_init_19 = true;
    while(true) {
        if (!loop_init_19) {
            uint _e61 = pair_3;
            pair_3 = _e61 + WORKGROUP;
        }
        loop_init_19 = false;
        uint _e50 = pair_3;
        uint _e53 = p.n_pairs;
        if (_e50 < _e53) {
        } else {
            break;
        }
        {
            uint _e55 = pair_3;
            uint _e57 = pair_3;
            metal::float2 _e60 = row_angles[first_angle + _e57];
            compressed_turn_pair(_e55, _e60, p, compressed_row_values);
        }
    }
    return;
}

uint compressed_e4m3_code(
    float value_3,
    int exponent_2
) {
    uint bits_4 = as_type<uint>(value_3);
    uint sign_2 = (bits_4 >> 24u) & 128u;
    uint magnitude_3 = bits_4 & 2147483647u;
    if (magnitude_3 >= INFINITY_BITS) {
        return sign_2 | ((magnitude_3 > INFINITY_BITS) ? 127u : 126u);
    }
    int e_2 = as_type<int>(as_type<uint>(as_type<int>(as_type<uint>(static_cast<int>(magnitude_3 >> 23u)) - as_type<uint>(127))) - as_type<uint>(exponent_2));
    uint mantissa_3 = bits_4 & 8388607u;
    if (e_2 >= -6) {
        uint scaled_1 = (static_cast<uint>(as_type<int>(as_type<uint>(e_2) + as_type<uint>(127))) << 23u) | mantissa_3;
        uint rounded_2 = (scaled_1 + 524287u) + ((scaled_1 >> 20u) & 1u);
        return sign_2 | metal::min((rounded_2 >> 20u) - 960u, 126u);
    }
    if (e_2 < -10) {
        return sign_2;
    }
    uint _e54 = shift_rounded(mantissa_3 | 8388608u, static_cast<uint>(as_type<int>(as_type<uint>(14) - as_type<uint>(e_2))));
    return sign_2 | _e54;
}

uint compressed_f16_code(
    float value_4
) {
    uint bits_5 = as_type<uint>(value_4);
    uint sign_3 = (bits_5 >> 16u) & 32768u;
    uint magnitude_4 = bits_5 & 2147483647u;
    if (magnitude_4 > INFINITY_BITS) {
        return sign_3 | 32256u;
    }
    if (magnitude_4 >= 1199566848u) {
        return sign_3 | 31744u;
    }
    if (magnitude_4 >= 947912704u) {
        uint rounded_3 = (magnitude_4 + 4095u) + ((magnitude_4 >> 13u) & 1u);
        return sign_3 | ((rounded_3 >> 13u) - 114688u);
    }
    uint e_3 = magnitude_4 >> 23u;
    if (e_3 < 102u) {
        return sign_3;
    }
    uint _e40 = shift_rounded((magnitude_4 & 8388607u) | 8388608u, 126u - e_3);
    return sign_3 | _e40;
}

void compressed_pack_row(
    uint row_1,
    uint thread_5,
    threadgroup type_7& compressed_row_values,
    threadgroup type_8& compressed_group_exponents,
    device type_6& compressed_rows,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint group_1 = {};
    uint largest_2 = {};
    uint i_11 = {};
    uint i_12 = {};
    uint word_2 = {};
    uint j_2 = {};
    uint i_13 = {};
    uint i_14 = {};
    uint word_3 = {};
    uint j_3 = {};
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    group_1 = thread_5;
    bool loop_init_20 = true;
    while(true) {
        if (!loop_init_20) {
            uint _e34 = group_1;
            group_1 = _e34 + WORKGROUP;
        }
        loop_init_20 = false;
        uint _e3 = group_1;
        if (_e3 < compressed_GROUPS) {
        } else {
            break;
        }
        {
            largest_2 = compressed_FP8_FLOOR_BITS;
            i_11 = 0u;
            bool loop_init_21 = true;
            while(true) {
                if (!loop_init_21) {
                    uint _e25 = i_11;
                    i_11 = _e25 + 1u;
                }
                loop_init_21 = false;
                uint _e10 = i_11;
                if (_e10 < 64u) {
                } else {
                    break;
                }
                {
                    uint _e13 = largest_2;
                    uint _e16 = group_1;
                    uint _e18 = i_11;
                    float _e21 = compressed_row_values.inner[(64u * _e16) + _e18];
                    uint _e22 = magnitude_bits(_e21);
                    largest_2 = metal::max(_e13, _e22);
                }
            }
            uint _e28 = group_1;
            uint _e30 = largest_2;
            int _e33 = scale_exponent(_e30, compressed_FP8_MAX_MANTISSA, compressed_FP8_MAX_EXPONENT);
            compressed_group_exponents.inner[_e28] = _e33;
        }
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    uint first_3 = row_1 * compressed_ROW_WORDS;
    i_12 = thread_5;
    bool loop_init_22 = true;
    while(true) {
        if (!loop_init_22) {
            uint _e79 = i_12;
            i_12 = _e79 + WORKGROUP;
        }
        loop_init_22 = false;
        uint _e40 = i_12;
        if (_e40 < compressed_CODE_WORDS) {
        } else {
            break;
        }
        {
            uint _e44 = i_12;
            int exponent_6 = compressed_group_exponents.inner[_e44 / 16u];
            word_2 = 0u;
            j_2 = 0u;
            bool loop_init_23 = true;
            while(true) {
                if (!loop_init_23) {
                    uint _e72 = j_2;
                    j_2 = _e72 + 1u;
                }
                loop_init_23 = false;
                uint _e53 = j_2;
                if (_e53 < 4u) {
                } else {
                    break;
                }
                {
                    uint _e56 = word_2;
                    uint _e59 = i_12;
                    uint _e61 = j_2;
                    float _e64 = compressed_row_values.inner[(4u * _e59) + _e61];
                    uint _e65 = compressed_e4m3_code(_e64, exponent_6);
                    uint _e67 = j_2;
                    word_2 = _e56 | (_e65 << (8u * _e67));
                }
            }
            uint _e75 = i_12;
            uint _e78 = word_2;
            compressed_rows[first_3 + _e75] = _e78;
        }
    }
    i_13 = thread_5;
    bool loop_init_24 = true;
    while(true) {
        if (!loop_init_24) {
            uint _e110 = i_13;
            i_13 = _e110 + WORKGROUP;
        }
        loop_init_24 = false;
        uint _e83 = i_13;
        if (_e83 < compressed_ROTARY_WORDS) {
        } else {
            break;
        }
        {
            uint _e88 = i_13;
            uint pair_7 = compressed_CODES + (2u * _e88);
            float _e93 = compressed_row_values.inner[pair_7];
            uint _e94 = compressed_f16_code(_e93);
            float _e99 = compressed_row_values.inner[pair_7 + 1u];
            uint _e100 = compressed_f16_code(_e99);
            uint word_7 = _e94 | (_e100 << 16u);
            uint _e107 = i_13;
            compressed_rows[(first_3 + compressed_CODE_WORDS) + _e107] = word_7;
        }
    }
    i_14 = thread_5;
    bool loop_init_25 = true;
    while(true) {
        if (!loop_init_25) {
            uint _e160 = i_14;
            i_14 = _e160 + WORKGROUP;
        }
        loop_init_25 = false;
        uint _e114 = i_14;
        if (_e114 < compressed_SCALE_WORDS) {
        } else {
            break;
        }
        {
            word_3 = 0u;
            j_3 = 0u;
            bool loop_init_26 = true;
            while(true) {
                if (!loop_init_26) {
                    uint _e149 = j_3;
                    j_3 = _e149 + 1u;
                }
                loop_init_26 = false;
                uint _e121 = j_3;
                if (_e121 < 4u) {
                } else {
                    break;
                }
                {
                    uint _e125 = i_14;
                    uint _e127 = j_3;
                    if (((4u * _e125) + _e127) < compressed_GROUPS) {
                        uint _e131 = word_3;
                        uint _e134 = i_14;
                        uint _e136 = j_3;
                        int _e139 = compressed_group_exponents.inner[(4u * _e134) + _e136];
                        uint _e144 = j_3;
                        word_3 = _e131 | (static_cast<uint>(as_type<int>(as_type<uint>(_e139) + as_type<uint>(127))) << (8u * _e144));
                    }
                }
            }
            uint _e156 = i_14;
            uint _e159 = word_3;
            compressed_rows[((first_3 + compressed_CODE_WORDS) + compressed_ROTARY_WORDS) + _e156] = _e159;
        }
    }
    return;
}

void compressed_close(
    uint row_2,
    uint n_slots_4,
    uint thread_6,
    threadgroup type_2& team_partials,
    constant Parameters& p,
    device type_11 const& row_angles,
    device type_10 const& compressed_state_scores,
    device type_10 const& compressed_scores,
    device type_10 const& compressed_ape,
    device type_10 const& compressed_state_values,
    device type_10 const& compressed_values,
    threadgroup type_7& compressed_row_values,
    device type_10 const& compressed_gain,
    threadgroup type_8& compressed_group_exponents,
    device type_6& compressed_rows,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint _e5 = p.first_position;
    uint _e8 = p.ratio;
    compressed_pool_row(_e5 / _e8, 0u, n_slots_4, thread_6, team_partials, p, row_angles, compressed_state_scores, compressed_scores, compressed_ape, compressed_state_values, compressed_values, compressed_row_values, compressed_gain, _buffer_sizes);
    compressed_pack_row(row_2, thread_6, compressed_row_values, compressed_group_exponents, compressed_rows, _buffer_sizes);
    return;
}

float index_score_at(
    uint position_2,
    uint channel_3,
    uint n_slots_5,
    constant Parameters& p,
    device type_10 const& index_state_scores,
    device type_10 const& index_scores,
    device type_10 const& index_ape,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint _e5 = p.first_position;
    if (position_2 < _e5) {
        float _e13 = index_state_scores[((position_2 % n_slots_5) * index_INPUT_WIDTH) + channel_3];
        return _e13;
    }
    uint _e16 = p.first_row;
    uint _e20 = p.first_position;
    uint row_6 = (_e16 + position_2) - _e20;
    float _e27 = index_scores[(row_6 * index_INPUT_WIDTH) + channel_3];
    uint _e31 = p.ratio;
    float _e37 = index_ape[((position_2 % _e31) * index_INPUT_WIDTH) + channel_3];
    return _e27 + _e37;
}

float index_value_at(
    uint position_3,
    uint channel_4,
    uint n_slots_6,
    constant Parameters& p,
    device type_10 const& index_state_values,
    device type_10 const& index_values,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint _e5 = p.first_position;
    if (position_3 < _e5) {
        float _e13 = index_state_values[((position_3 % n_slots_6) * index_INPUT_WIDTH) + channel_4];
        return _e13;
    }
    uint _e17 = p.first_row;
    uint _e21 = p.first_position;
    float _e27 = index_values[(((_e17 + position_3) - _e21) * index_INPUT_WIDTH) + channel_4];
    return _e27;
}

float index_pooled(
    uint window_2,
    uint channel_5,
    uint n_slots_7,
    constant Parameters& p,
    device type_10 const& index_state_scores,
    device type_10 const& index_scores,
    device type_10 const& index_ape,
    device type_10 const& index_state_values,
    device type_10 const& index_values,
    constant _mslBufferSizes& _buffer_sizes
) {
    bool local_1 = {};
    float largest_3 = {};
    uint i_15 = 0u;
    float sum_3 = 0.0;
    float weights_1 = 0.0;
    uint i_16 = 0u;
    uint _e5 = p.ratio;
    uint own_1 = window_2 * _e5;
    uint _e10 = p.ratio;
    if (true) {
        local_1 = window_2 > 0u;
    } else {
        local_1 = false;
    }
    bool _e17 = local_1;
    uint n_previous_1 = _e17 ? _e10 : 0u;
    uint first_4 = own_1 - n_previous_1;
    uint _e22 = p.ratio;
    uint n_1 = n_previous_1 + _e22;
    float _e28 = index_score_at(own_1, (channel_5 + index_INPUT_WIDTH) - index_WIDTH, n_slots_7, p, index_state_scores, index_scores, index_ape, _buffer_sizes);
    largest_3 = _e28;
    bool loop_init_27 = true;
    while(true) {
        if (!loop_init_27) {
            uint _e47 = i_15;
            i_15 = _e47 + 1u;
        }
        loop_init_27 = false;
        uint _e32 = i_15;
        if (_e32 < n_1) {
        } else {
            break;
        }
        {
            uint _e38 = i_15;
            uint at_4 = (_e38 < n_previous_1) ? channel_5 : ((channel_5 + index_INPUT_WIDTH) - index_WIDTH);
            float _e41 = largest_3;
            uint _e42 = i_15;
            float _e44 = index_score_at(first_4 + _e42, at_4, n_slots_7, p, index_state_scores, index_scores, index_ape, _buffer_sizes);
            largest_3 = metal::max(_e41, _e44);
        }
    }
    bool loop_init_28 = true;
    while(true) {
        if (!loop_init_28) {
            uint _e79 = i_16;
            i_16 = _e79 + 1u;
        }
        loop_init_28 = false;
        uint _e55 = i_16;
        if (_e55 < n_1) {
        } else {
            break;
        }
        {
            uint _e61 = i_16;
            uint at_5 = (_e61 < n_previous_1) ? channel_5 : ((channel_5 + index_INPUT_WIDTH) - index_WIDTH);
            uint _e64 = i_16;
            float _e66 = index_score_at(first_4 + _e64, at_5, n_slots_7, p, index_state_scores, index_scores, index_ape, _buffer_sizes);
            float _e67 = largest_3;
            float weight_1 = metal::exp(_e66 - _e67);
            float _e70 = sum_3;
            uint _e71 = i_16;
            float _e73 = index_value_at(first_4 + _e71, at_5, n_slots_7, p, index_state_values, index_values, _buffer_sizes);
            sum_3 = _e70 + (weight_1 * _e73);
            float _e76 = weights_1;
            weights_1 = _e76 + weight_1;
        }
    }
    float _e81 = sum_3;
    float _e82 = weights_1;
    return _e81 / _e82;
}

void index_turn_pair(
    uint pair_4,
    metal::float2 angle_2,
    constant Parameters& p,
    threadgroup type_13& index_row_values
) {
    uint _e6 = p.n_pairs;
    uint at_6 = index_WIDTH - (2u * (_e6 - pair_4));
    float a_2 = index_row_values.inner[at_6];
    float b_2 = index_row_values.inner[at_6 + 1u];
    index_row_values.inner[at_6] = (a_2 * angle_2.x) - (b_2 * angle_2.y);
    index_row_values.inner[at_6 + 1u] = (a_2 * angle_2.y) + (b_2 * angle_2.x);
    return;
}

void index_pool_row(
    uint window_3,
    uint first_angle_1,
    uint n_slots_8,
    uint thread_7,
    threadgroup type_2& team_partials,
    constant Parameters& p,
    device type_11 const& row_angles,
    device type_10 const& index_state_scores,
    device type_10 const& index_scores,
    device type_10 const& index_ape,
    device type_10 const& index_state_values,
    device type_10 const& index_values,
    threadgroup type_13& index_row_values,
    device type_10 const& index_gain,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_3 squares_2 = {};
    uint i_17 = {};
    uint i_18 = {};
    uint pair_5 = {};
    i_17 = thread_7;
    bool loop_init_29 = true;
    while(true) {
        if (!loop_init_29) {
            uint _e18 = i_17;
            i_17 = _e18 + WORKGROUP;
        }
        loop_init_29 = false;
        uint _e6 = i_17;
        if (_e6 < index_WIDTH) {
        } else {
            break;
        }
        {
            uint _e9 = i_17;
            float _e10 = index_pooled(window_3, _e9, n_slots_8, p, index_state_scores, index_scores, index_ape, index_state_values, index_values, _buffer_sizes);
            uint _e12 = i_17;
            index_row_values.inner[_e12] = _e10;
            float _e15 = squares_2.inner[0];
            squares_2.inner[0] = _e15 + (_e10 * _e10);
        }
    }
    team_sums(squares_2, thread_7, team_partials);
    float _e22 = squares_2.inner[0];
    float _e27 = p.norm_eps;
    float scale_2 = 1.0 / metal::sqrt((_e22 / 128.0) + _e27);
    i_18 = thread_7;
    bool loop_init_30 = true;
    while(true) {
        if (!loop_init_30) {
            uint _e46 = i_18;
            i_18 = _e46 + WORKGROUP;
        }
        loop_init_30 = false;
        uint _e33 = i_18;
        if (_e33 < index_WIDTH) {
        } else {
            break;
        }
        {
            uint _e37 = i_18;
            float _e39 = index_row_values.inner[_e37];
            uint _e41 = i_18;
            float _e43 = index_gain[_e41];
            index_row_values.inner[_e37] = _e39 * (scale_2 * _e43);
        }
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    pair_5 = thread_7;
    bool loop_init_31 = true;
    while(true) {
        if (!loop_init_31) {
            uint _e61 = pair_5;
            pair_5 = _e61 + WORKGROUP;
        }
        loop_init_31 = false;
        uint _e50 = pair_5;
        uint _e53 = p.n_pairs;
        if (_e50 < _e53) {
        } else {
            break;
        }
        {
            uint _e55 = pair_5;
            uint _e57 = pair_5;
            metal::float2 _e60 = row_angles[first_angle_1 + _e57];
            index_turn_pair(_e55, _e60, p, index_row_values);
        }
    }
    return;
}

void index_hadamard(
    uint thread_8,
    threadgroup type_13& index_row_values
) {
    uint stride = 1u;
    uint i_19 = {};
    uint i_20 = {};
    bool loop_init_32 = true;
    while(true) {
        if (!loop_init_32) {
            uint _e40 = stride;
            stride = _e40 * 2u;
        }
        loop_init_32 = false;
        uint _e3 = stride;
        if (_e3 < index_WIDTH) {
        } else {
            break;
        }
        {
            metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
            i_19 = thread_8;
            bool loop_init_33 = true;
            while(true) {
                if (!loop_init_33) {
                    uint _e37 = i_19;
                    i_19 = _e37 + WORKGROUP;
                }
                loop_init_33 = false;
                uint _e7 = i_19;
                if (_e7 < 64u) {
                } else {
                    break;
                }
                {
                    uint _e10 = i_19;
                    uint _e11 = stride;
                    uint _e15 = stride;
                    uint _e17 = i_19;
                    uint _e18 = stride;
                    uint low = (((_e10 / _e11) * 2u) * _e15) + (_e17 % _e18);
                    float a_3 = index_row_values.inner[low];
                    uint _e25 = stride;
                    float b_3 = index_row_values.inner[low + _e25];
                    index_row_values.inner[low] = a_3 + b_3;
                    uint _e33 = stride;
                    index_row_values.inner[low + _e33] = a_3 - b_3;
                }
            }
        }
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    i_20 = thread_8;
    bool loop_init_34 = true;
    while(true) {
        if (!loop_init_34) {
            uint _e54 = i_20;
            i_20 = _e54 + WORKGROUP;
        }
        loop_init_34 = false;
        uint _e44 = i_20;
        if (_e44 < index_WIDTH) {
        } else {
            break;
        }
        {
            uint _e48 = i_20;
            float _e50 = index_row_values.inner[_e48];
            index_row_values.inner[_e48] = _e50 * as_type<float>(index_HADAMARD_SCALE_BITS);
        }
    }
    return;
}

void index_transform_row(
    uint thread_9,
    threadgroup type_13& index_row_values,
    threadgroup type_14& index_group_exponents
) {
    uint group_2 = {};
    uint largest_4 = {};
    uint i_21 = {};
    index_hadamard(thread_9, index_row_values);
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    group_2 = thread_9;
    bool loop_init_35 = true;
    while(true) {
        if (!loop_init_35) {
            uint _e33 = group_2;
            group_2 = _e33 + WORKGROUP;
        }
        loop_init_35 = false;
        uint _e2 = group_2;
        if (_e2 < index_GROUPS) {
        } else {
            break;
        }
        {
            largest_4 = index_FP4_FLOOR_BITS;
            i_21 = 0u;
            bool loop_init_36 = true;
            while(true) {
                if (!loop_init_36) {
                    uint _e24 = i_21;
                    i_21 = _e24 + 1u;
                }
                loop_init_36 = false;
                uint _e9 = i_21;
                if (_e9 < 32u) {
                } else {
                    break;
                }
                {
                    uint _e12 = largest_4;
                    uint _e15 = group_2;
                    uint _e17 = i_21;
                    float _e20 = index_row_values.inner[(32u * _e15) + _e17];
                    uint _e21 = magnitude_bits(_e20);
                    largest_4 = metal::max(_e12, _e21);
                }
            }
            uint _e27 = group_2;
            uint _e29 = largest_4;
            int _e32 = scale_exponent(_e29, index_FP4_MAX_MANTISSA, index_FP4_MAX_EXPONENT);
            index_group_exponents.inner[_e27] = _e32;
        }
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    return;
}

uint index_e2m1_code(
    float value_5,
    int exponent_3
) {
    uint code_2 = 7u;
    uint bits_6 = as_type<uint>(value_5);
    uint sign_4 = (bits_6 >> 28u) & 8u;
    int e_4 = as_type<int>(as_type<uint>(as_type<int>(as_type<uint>(static_cast<int>((bits_6 >> 23u) & 255u)) - as_type<uint>(127))) - as_type<uint>(exponent_3));
    if (e_4 < -2) {
        return sign_4;
    }
    float scaled_2 = as_type<float>((static_cast<uint>(as_type<int>(as_type<uint>(metal::min(e_4, 3)) + as_type<uint>(127))) << 23u) | (bits_6 & 8388607u));
    if (scaled_2 <= 0.25) {
        code_2 = 0u;
    } else {
        if (scaled_2 < 0.75) {
            code_2 = 1u;
        } else {
            if (scaled_2 <= 1.25) {
                code_2 = 2u;
            } else {
                if (scaled_2 < 1.75) {
                    code_2 = 3u;
                } else {
                    if (scaled_2 <= 2.5) {
                        code_2 = 4u;
                    } else {
                        if (scaled_2 < 3.5) {
                            code_2 = 5u;
                        } else {
                            if (scaled_2 <= 5.0) {
                                code_2 = 6u;
                            }
                        }
                    }
                }
            }
        }
    }
    uint _e51 = code_2;
    return sign_4 | _e51;
}

void index_pack_row(
    uint row_3,
    uint thread_10,
    threadgroup type_13& index_row_values,
    threadgroup type_14& index_group_exponents,
    device type_6& index_rows,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint i_22 = {};
    uint word_4 = {};
    uint j_4 = {};
    uint i_23 = {};
    uint word_5 = {};
    uint j_5 = {};
    index_transform_row(thread_10, index_row_values, index_group_exponents);
    uint first_5 = row_3 * index_ROW_WORDS;
    i_22 = thread_10;
    bool loop_init_37 = true;
    while(true) {
        if (!loop_init_37) {
            uint _e44 = i_22;
            i_22 = _e44 + WORKGROUP;
        }
        loop_init_37 = false;
        uint _e5 = i_22;
        if (_e5 < index_CODE_WORDS) {
        } else {
            break;
        }
        {
            word_4 = 0u;
            j_4 = 0u;
            bool loop_init_38 = true;
            while(true) {
                if (!loop_init_38) {
                    uint _e37 = j_4;
                    j_4 = _e37 + 1u;
                }
                loop_init_38 = false;
                uint _e12 = j_4;
                if (_e12 < 8u) {
                } else {
                    break;
                }
                {
                    uint _e15 = word_4;
                    uint _e18 = i_22;
                    uint _e20 = j_4;
                    float _e23 = index_row_values.inner[(8u * _e18) + _e20];
                    uint _e25 = i_22;
                    int _e29 = index_group_exponents.inner[_e25 / 4u];
                    uint _e30 = index_e2m1_code(_e23, _e29);
                    uint _e32 = j_4;
                    word_4 = _e15 | (_e30 << (4u * _e32));
                }
            }
            uint _e40 = i_22;
            uint _e43 = word_4;
            index_rows[first_5 + _e40] = _e43;
        }
    }
    i_23 = thread_10;
    bool loop_init_39 = true;
    while(true) {
        if (!loop_init_39) {
            uint _e92 = i_23;
            i_23 = _e92 + WORKGROUP;
        }
        loop_init_39 = false;
        uint _e48 = i_23;
        if (_e48 < index_SCALE_WORDS) {
        } else {
            break;
        }
        {
            word_5 = 0u;
            j_5 = 0u;
            bool loop_init_40 = true;
            while(true) {
                if (!loop_init_40) {
                    uint _e83 = j_5;
                    j_5 = _e83 + 1u;
                }
                loop_init_40 = false;
                uint _e55 = j_5;
                if (_e55 < 4u) {
                } else {
                    break;
                }
                {
                    uint _e59 = i_23;
                    uint _e61 = j_5;
                    if (((4u * _e59) + _e61) < index_GROUPS) {
                        uint _e65 = word_5;
                        uint _e68 = i_23;
                        uint _e70 = j_5;
                        int _e73 = index_group_exponents.inner[(4u * _e68) + _e70];
                        uint _e78 = j_5;
                        word_5 = _e65 | (static_cast<uint>(as_type<int>(as_type<uint>(_e73) + as_type<uint>(127))) << (8u * _e78));
                    }
                }
            }
            uint _e88 = i_23;
            uint _e91 = word_5;
            index_rows[(first_5 + index_CODE_WORDS) + _e88] = _e91;
        }
    }
    return;
}

void index_close(
    uint row_4,
    uint n_slots_9,
    uint thread_11,
    threadgroup type_2& team_partials,
    constant Parameters& p,
    device type_11 const& row_angles,
    device type_10 const& index_state_scores,
    device type_10 const& index_scores,
    device type_10 const& index_ape,
    device type_10 const& index_state_values,
    device type_10 const& index_values,
    threadgroup type_13& index_row_values,
    device type_10 const& index_gain,
    threadgroup type_14& index_group_exponents,
    device type_6& index_rows,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint _e5 = p.first_position;
    uint _e8 = p.ratio;
    index_pool_row(_e5 / _e8, 0u, n_slots_9, thread_11, team_partials, p, row_angles, index_state_scores, index_scores, index_ape, index_state_values, index_values, index_row_values, index_gain, _buffer_sizes);
    index_pack_row(row_4, thread_11, index_row_values, index_group_exponents, index_rows, _buffer_sizes);
    return;
}

void compressed_remember(
    uint i_24,
    uint n_slots_10,
    constant Parameters& p,
    device type_10& compressed_state_scores,
    device type_10 const& compressed_scores,
    device type_10 const& compressed_ape,
    device type_10& compressed_state_values,
    device type_10 const& compressed_values,
    constant _mslBufferSizes& _buffer_sizes
) {
    if (i_24 < compressed_INPUT_WIDTH) {
        uint _e6 = p.first_position;
        uint slot = ((_e6 % n_slots_10) * compressed_INPUT_WIDTH) + i_24;
        uint _e13 = p.first_row;
        uint at_7 = (_e13 * compressed_INPUT_WIDTH) + i_24;
        float _e21 = compressed_values[at_7];
        compressed_state_values[slot] = _e21;
        float _e26 = compressed_scores[at_7];
        uint _e30 = p.first_position;
        uint _e33 = p.ratio;
        float _e39 = compressed_ape[((_e30 % _e33) * compressed_INPUT_WIDTH) + i_24];
        compressed_state_scores[slot] = _e26 + _e39;
        return;
    } else {
        return;
    }
}

void index_remember(
    uint i_25,
    uint n_slots_11,
    constant Parameters& p,
    device type_10& index_state_scores,
    device type_10 const& index_scores,
    device type_10 const& index_ape,
    device type_10& index_state_values,
    device type_10 const& index_values,
    constant _mslBufferSizes& _buffer_sizes
) {
    if (i_25 < index_INPUT_WIDTH) {
        uint _e6 = p.first_position;
        uint slot_1 = ((_e6 % n_slots_11) * index_INPUT_WIDTH) + i_25;
        uint _e13 = p.first_row;
        uint at_8 = (_e13 * index_INPUT_WIDTH) + i_25;
        float _e21 = index_values[at_8];
        index_state_values[slot_1] = _e21;
        float _e26 = index_scores[at_8];
        uint _e30 = p.first_position;
        uint _e33 = p.ratio;
        float _e39 = index_ape[((_e30 % _e33) * index_INPUT_WIDTH) + i_25];
        index_state_scores[slot_1] = _e26 + _e39;
        return;
    } else {
        return;
    }
}

void index_round_query(
    uint head,
    uint thread_12
) {
    return;
}

struct main_Input {
};
[[max_total_threads_per_threadgroup(256)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, threadgroup type_2& team_partials
, device type_6& rows [[user(fake0)]]
, threadgroup type_7& row_values
, threadgroup type_8& group_exponents
, constant Parameters& p [[user(fake0)]]
, device type_10 const& kv [[user(fake0)]]
, device type_10 const& kv_gain [[user(fake0)]]
, device type_11 const& angles [[user(fake0)]]
, device type_11 const& row_angles [[user(fake0)]]
, device type_10& compressed_state_scores [[user(fake0)]]
, device type_10 const& compressed_scores [[user(fake0)]]
, device type_10 const& compressed_ape [[user(fake0)]]
, device type_10& compressed_state_values [[user(fake0)]]
, device type_10 const& compressed_values [[user(fake0)]]
, threadgroup type_7& compressed_row_values
, device type_10 const& compressed_gain [[user(fake0)]]
, threadgroup type_8& compressed_group_exponents
, device type_6& compressed_rows [[user(fake0)]]
, device type_10& index_state_scores [[user(fake0)]]
, device type_10 const& index_scores [[user(fake0)]]
, device type_10 const& index_ape [[user(fake0)]]
, device type_10& index_state_values [[user(fake0)]]
, device type_10 const& index_values [[user(fake0)]]
, threadgroup type_13& index_row_values
, device type_10 const& index_gain [[user(fake0)]]
, threadgroup type_14& index_group_exponents
, device type_6& index_rows [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    uint task = workgroup.x;
    uint _e6 = p.n_blocks;
    uint first_index_block = 3u + _e6;
    uint _e10 = p.n_index_blocks;
    uint first_head = first_index_block + _e10;
    if (task == 0u) {
        store_raw(thread_, team_partials, rows, row_values, group_exponents, p, kv, kv_gain, angles, _buffer_sizes);
        return;
    } else {
        if (task == 1u) {
            uint _e18 = p.closes;
            if (_e18 == 1u) {
                uint _e23 = p.compressed_row;
                uint _e26 = p.n_slots;
                compressed_close(_e23, _e26, thread_, team_partials, p, row_angles, compressed_state_scores, compressed_scores, compressed_ape, compressed_state_values, compressed_values, compressed_row_values, compressed_gain, compressed_group_exponents, compressed_rows, _buffer_sizes);
                return;
            } else {
                return;
            }
        } else {
            if (task == 2u) {
                uint _e31 = p.closes;
                if (_e31 == 1u) {
                    uint _e36 = p.index_row;
                    uint _e39 = p.n_index_slots;
                    index_close(_e36, _e39, thread_, team_partials, p, row_angles, index_state_scores, index_scores, index_ape, index_state_values, index_values, index_row_values, index_gain, index_group_exponents, index_rows, _buffer_sizes);
                    return;
                } else {
                    return;
                }
            } else {
                if (task < first_index_block) {
                    uint _e48 = p.n_slots;
                    compressed_remember(((task - 3u) * WORKGROUP) + thread_, _e48, p, compressed_state_scores, compressed_scores, compressed_ape, compressed_state_values, compressed_values, _buffer_sizes);
                    return;
                } else {
                    if (task < first_head) {
                        uint _e56 = p.n_index_slots;
                        index_remember(((task - first_index_block) * WORKGROUP) + thread_, _e56, p, index_state_scores, index_scores, index_ape, index_state_values, index_values, _buffer_sizes);
                        return;
                    } else {
                        index_round_query(task - first_head, thread_);
                        return;
                    }
                }
            }
        }
    }
}
