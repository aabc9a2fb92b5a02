// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size2;
    uint size5;
    uint size6;
    uint size7;
    uint size8;
    uint size9;
    uint size10;
    uint size11;
};

struct type_3 {
    float inner[512];
};
struct type_4 {
    int inner[8];
};
typedef uint type_5[1];
struct type_6 {
    float inner[8];
};
struct type_7 {
    float inner[1];
};
struct Parameters {
    uint first_row;
    uint first_position;
    uint first_window;
    uint bound_from;
    uint ratio;
    uint n_slots;
    uint n_pairs;
    float norm_eps;
};
typedef float type_10[1];
typedef metal::float2 type_12[1];
constant uint WIDTH = 512u;
constant uint ROPE_DIM = 64u;
constant uint WORKGROUP = 256u;
constant uint TEAM = 256u;
constant uint SUMS = 1u;
constant uint SUBGROUP = 32u;
constant uint OVERLAP = 0u;
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
constant uint INPUT_WIDTH = 512u;

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

uint e4m3_code(
    float value_1,
    int exponent_1
) {
    uint bits_2 = as_type<uint>(value_1);
    uint sign = (bits_2 >> 24u) & 128u;
    uint magnitude = bits_2 & 2147483647u;
    if (magnitude >= INFINITY_BITS) {
        return sign | ((magnitude > INFINITY_BITS) ? 127u : 126u);
    }
    int e = as_type<int>(as_type<uint>(as_type<int>(as_type<uint>(static_cast<int>(magnitude >> 23u)) - as_type<uint>(127))) - as_type<uint>(exponent_1));
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
    uint magnitude_1 = bits_3 & 2147483647u;
    if (magnitude_1 > INFINITY_BITS) {
        return sign_1 | 32256u;
    }
    if (magnitude_1 >= 1199566848u) {
        return sign_1 | 31744u;
    }
    if (magnitude_1 >= 947912704u) {
        uint rounded_1 = (magnitude_1 + 4095u) + ((magnitude_1 >> 13u) & 1u);
        return sign_1 | ((rounded_1 >> 13u) - 114688u);
    }
    uint e_1 = magnitude_1 >> 23u;
    if (e_1 < 102u) {
        return sign_1;
    }
    uint _e40 = shift_rounded((magnitude_1 & 8388607u) | 8388608u, 126u - e_1);
    return sign_1 | _e40;
}

void pack_row(
    uint row,
    uint thread_1,
    threadgroup type_3& row_values,
    threadgroup type_4& group_exponents,
    device type_5& rows,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint group = {};
    uint largest = {};
    uint i = {};
    uint i_1 = {};
    uint word = {};
    uint j = {};
    uint i_2 = {};
    uint i_3 = {};
    uint word_1 = {};
    uint j_1 = {};
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    group = thread_1;
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e34 = group;
            group = _e34 + WORKGROUP;
        }
        loop_init = false;
        uint _e3 = group;
        if (_e3 < GROUPS) {
        } else {
            break;
        }
        {
            largest = FP8_FLOOR_BITS;
            i = 0u;
            bool loop_init_1 = true;
            while(true) {
                if (!loop_init_1) {
                    uint _e25 = i;
                    i = _e25 + 1u;
                }
                loop_init_1 = false;
                uint _e10 = i;
                if (_e10 < 64u) {
                } else {
                    break;
                }
                {
                    uint _e13 = largest;
                    uint _e16 = group;
                    uint _e18 = i;
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
    uint first = row * ROW_WORDS;
    i_1 = thread_1;
    bool loop_init_2 = true;
    while(true) {
        if (!loop_init_2) {
            uint _e79 = i_1;
            i_1 = _e79 + WORKGROUP;
        }
        loop_init_2 = false;
        uint _e40 = i_1;
        if (_e40 < CODE_WORDS) {
        } else {
            break;
        }
        {
            uint _e44 = i_1;
            int exponent_2 = group_exponents.inner[_e44 / 16u];
            word = 0u;
            j = 0u;
            bool loop_init_3 = true;
            while(true) {
                if (!loop_init_3) {
                    uint _e72 = j;
                    j = _e72 + 1u;
                }
                loop_init_3 = false;
                uint _e53 = j;
                if (_e53 < 4u) {
                } else {
                    break;
                }
                {
                    uint _e56 = word;
                    uint _e59 = i_1;
                    uint _e61 = j;
                    float _e64 = row_values.inner[(4u * _e59) + _e61];
                    uint _e65 = e4m3_code(_e64, exponent_2);
                    uint _e67 = j;
                    word = _e56 | (_e65 << (8u * _e67));
                }
            }
            uint _e75 = i_1;
            uint _e78 = word;
            rows[first + _e75] = _e78;
        }
    }
    i_2 = thread_1;
    bool loop_init_4 = true;
    while(true) {
        if (!loop_init_4) {
            uint _e110 = i_2;
            i_2 = _e110 + WORKGROUP;
        }
        loop_init_4 = false;
        uint _e83 = i_2;
        if (_e83 < ROTARY_WORDS) {
        } else {
            break;
        }
        {
            uint _e88 = i_2;
            uint pair_2 = CODES + (2u * _e88);
            float _e93 = row_values.inner[pair_2];
            uint _e94 = f16_code(_e93);
            float _e99 = row_values.inner[pair_2 + 1u];
            uint _e100 = f16_code(_e99);
            uint word_2 = _e94 | (_e100 << 16u);
            uint _e107 = i_2;
            rows[(first + CODE_WORDS) + _e107] = word_2;
        }
    }
    i_3 = thread_1;
    bool loop_init_5 = true;
    while(true) {
        if (!loop_init_5) {
            uint _e160 = i_3;
            i_3 = _e160 + WORKGROUP;
        }
        loop_init_5 = false;
        uint _e114 = i_3;
        if (_e114 < SCALE_WORDS) {
        } else {
            break;
        }
        {
            word_1 = 0u;
            j_1 = 0u;
            bool loop_init_6 = true;
            while(true) {
                if (!loop_init_6) {
                    uint _e149 = j_1;
                    j_1 = _e149 + 1u;
                }
                loop_init_6 = false;
                uint _e121 = j_1;
                if (_e121 < 4u) {
                } else {
                    break;
                }
                {
                    uint _e125 = i_3;
                    uint _e127 = j_1;
                    if (((4u * _e125) + _e127) < GROUPS) {
                        uint _e131 = word_1;
                        uint _e134 = i_3;
                        uint _e136 = j_1;
                        int _e139 = group_exponents.inner[(4u * _e134) + _e136];
                        uint _e144 = j_1;
                        word_1 = _e131 | (static_cast<uint>(as_type<int>(as_type<uint>(_e139) + as_type<uint>(127))) << (8u * _e144));
                    }
                }
            }
            uint _e156 = i_3;
            uint _e159 = word_1;
            rows[((first + CODE_WORDS) + ROTARY_WORDS) + _e156] = _e159;
        }
    }
    return;
}

void team_sums(
    thread type_7& values,
    uint thread_2,
    threadgroup type_6& team_partials
) {
    uint s = 0u;
    float sum = {};
    uint far = {};
    uint s_1 = 0u;
    uint s_2 = 0u;
    float sum_1 = {};
    uint i_4 = {};
    bool loop_init_7 = true;
    while(true) {
        if (!loop_init_7) {
            uint _e31 = s;
            s = _e31 + 1u;
        }
        loop_init_7 = false;
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
                bool loop_init_8 = true;
                while(true) {
                    if (!loop_init_8) {
                        uint _e24 = far;
                        far = _e24 >> 1u;
                    }
                    loop_init_8 = false;
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
        if ((thread_2 % SUBGROUP) == 0u) {
            bool loop_init_9 = true;
            while(true) {
                if (!loop_init_9) {
                    uint _e55 = s_1;
                    s_1 = _e55 + 1u;
                }
                loop_init_9 = false;
                uint _e40 = s_1;
                if (_e40 < SUMS) {
                } else {
                    break;
                }
                {
                    uint _e48 = s_1;
                    uint _e51 = s_1;
                    float _e53 = values.inner[_e51];
                    team_partials.inner[((thread_2 / SUBGROUP) * SUMS) + _e48] = _e53;
                }
            }
        }
        metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
        uint first_1 = (thread_2 / TEAM) * 8u;
        bool loop_init_10 = true;
        while(true) {
            if (!loop_init_10) {
                uint _e91 = s_2;
                s_2 = _e91 + 1u;
            }
            loop_init_10 = false;
            uint _e63 = s_2;
            if (_e63 < SUMS) {
            } else {
                break;
            }
            {
                sum_1 = 0.0;
                i_4 = 0u;
                bool loop_init_11 = true;
                while(true) {
                    if (!loop_init_11) {
                        uint _e85 = i_4;
                        i_4 = _e85 + 1u;
                    }
                    loop_init_11 = false;
                    uint _e70 = i_4;
                    if (_e70 < 8u) {
                    } else {
                        break;
                    }
                    {
                        float _e73 = sum_1;
                        uint _e75 = i_4;
                        uint _e79 = s_2;
                        float _e82 = team_partials.inner[((first_1 + _e75) * SUMS) + _e79];
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

void turn_pair(
    uint pair,
    metal::float2 angle,
    threadgroup type_3& row_values,
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

float score_at(
    uint position,
    uint channel,
    uint n_slots,
    constant Parameters& p,
    device type_10 const& state_scores,
    device type_10 const& scores,
    device type_10 const& ape,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint _e5 = p.first_position;
    if (position < _e5) {
        float _e13 = state_scores[((position % n_slots) * INPUT_WIDTH) + channel];
        return _e13;
    }
    uint _e16 = p.first_row;
    uint _e20 = p.first_position;
    uint row_1 = (_e16 + position) - _e20;
    float _e27 = scores[(row_1 * INPUT_WIDTH) + channel];
    uint _e31 = p.ratio;
    float _e37 = ape[((position % _e31) * INPUT_WIDTH) + channel];
    return _e27 + _e37;
}

float value_at(
    uint position_1,
    uint channel_1,
    uint n_slots_1,
    constant Parameters& p,
    device type_10 const& state_values,
    device type_10 const& values_1,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint _e5 = p.first_position;
    if (position_1 < _e5) {
        float _e13 = state_values[((position_1 % n_slots_1) * INPUT_WIDTH) + channel_1];
        return _e13;
    }
    uint _e17 = p.first_row;
    uint _e21 = p.first_position;
    float _e27 = values_1[(((_e17 + position_1) - _e21) * INPUT_WIDTH) + channel_1];
    return _e27;
}

float pooled(
    uint window,
    uint channel_2,
    uint n_slots_2,
    constant Parameters& p,
    device type_10 const& state_scores,
    device type_10 const& scores,
    device type_10 const& ape,
    device type_10 const& state_values,
    device type_10 const& values_1,
    constant _mslBufferSizes& _buffer_sizes
) {
    bool local = {};
    float largest_1 = {};
    uint i_5 = 0u;
    float sum_2 = 0.0;
    float weights = 0.0;
    uint i_6 = 0u;
    uint _e5 = p.ratio;
    uint own = window * _e5;
    uint _e10 = p.ratio;
    if (false) {
        local = window > 0u;
    } else {
        local = false;
    }
    bool _e17 = local;
    uint n_previous = _e17 ? _e10 : 0u;
    uint first_2 = own - n_previous;
    uint _e22 = p.ratio;
    uint n = n_previous + _e22;
    float _e28 = score_at(own, (channel_2 + INPUT_WIDTH) - WIDTH, n_slots_2, p, state_scores, scores, ape, _buffer_sizes);
    largest_1 = _e28;
    bool loop_init_12 = true;
    while(true) {
        if (!loop_init_12) {
            uint _e47 = i_5;
            i_5 = _e47 + 1u;
        }
        loop_init_12 = false;
        uint _e32 = i_5;
        if (_e32 < n) {
        } else {
            break;
        }
        {
            uint _e38 = i_5;
            uint at_1 = (_e38 < n_previous) ? channel_2 : ((channel_2 + INPUT_WIDTH) - WIDTH);
            float _e41 = largest_1;
            uint _e42 = i_5;
            float _e44 = score_at(first_2 + _e42, at_1, n_slots_2, p, state_scores, scores, ape, _buffer_sizes);
            largest_1 = metal::max(_e41, _e44);
        }
    }
    bool loop_init_13 = true;
    while(true) {
        if (!loop_init_13) {
            uint _e79 = i_6;
            i_6 = _e79 + 1u;
        }
        loop_init_13 = false;
        uint _e55 = i_6;
        if (_e55 < n) {
        } else {
            break;
        }
        {
            uint _e61 = i_6;
            uint at_2 = (_e61 < n_previous) ? channel_2 : ((channel_2 + INPUT_WIDTH) - WIDTH);
            uint _e64 = i_6;
            float _e66 = score_at(first_2 + _e64, at_2, n_slots_2, p, state_scores, scores, ape, _buffer_sizes);
            float _e67 = largest_1;
            float weight = metal::exp(_e66 - _e67);
            float _e70 = sum_2;
            uint _e71 = i_6;
            float _e73 = value_at(first_2 + _e71, at_2, n_slots_2, p, state_values, values_1, _buffer_sizes);
            sum_2 = _e70 + (weight * _e73);
            float _e76 = weights;
            weights = _e76 + weight;
        }
    }
    float _e81 = sum_2;
    float _e82 = weights;
    return _e81 / _e82;
}

void pool_row(
    uint window_1,
    uint first_angle,
    uint n_slots_3,
    uint thread_3,
    threadgroup type_3& row_values,
    threadgroup type_6& team_partials,
    constant Parameters& p,
    device type_10 const& state_scores,
    device type_10 const& scores,
    device type_10 const& ape,
    device type_10 const& state_values,
    device type_10 const& values_1,
    device type_10 const& gain,
    device type_12 const& row_angles,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_7 squares = {};
    uint i_7 = {};
    uint i_8 = {};
    uint pair_1 = {};
    i_7 = thread_3;
    bool loop_init_14 = true;
    while(true) {
        if (!loop_init_14) {
            uint _e18 = i_7;
            i_7 = _e18 + WORKGROUP;
        }
        loop_init_14 = false;
        uint _e6 = i_7;
        if (_e6 < WIDTH) {
        } else {
            break;
        }
        {
            uint _e9 = i_7;
            float _e10 = pooled(window_1, _e9, n_slots_3, p, state_scores, scores, ape, state_values, values_1, _buffer_sizes);
            uint _e12 = i_7;
            row_values.inner[_e12] = _e10;
            float _e15 = squares.inner[0];
            squares.inner[0] = _e15 + (_e10 * _e10);
        }
    }
    team_sums(squares, thread_3, team_partials);
    float _e22 = squares.inner[0];
    float _e27 = p.norm_eps;
    float scale = 1.0 / metal::sqrt((_e22 / 512.0) + _e27);
    i_8 = thread_3;
    bool loop_init_15 = true;
    while(true) {
        if (!loop_init_15) {
            uint _e46 = i_8;
            i_8 = _e46 + WORKGROUP;
        }
        loop_init_15 = false;
        uint _e33 = i_8;
        if (_e33 < WIDTH) {
        } else {
            break;
        }
        {
            uint _e37 = i_8;
            float _e39 = row_values.inner[_e37];
            uint _e41 = i_8;
            float _e43 = gain[_e41];
            row_values.inner[_e37] = _e39 * (scale * _e43);
        }
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    pair_1 = thread_3;
    bool loop_init_16 = true;
    while(true) {
        if (!loop_init_16) {
            uint _e61 = pair_1;
            pair_1 = _e61 + WORKGROUP;
        }
        loop_init_16 = false;
        uint _e50 = pair_1;
        uint _e53 = p.n_pairs;
        if (_e50 < _e53) {
        } else {
            break;
        }
        {
            uint _e55 = pair_1;
            uint _e57 = pair_1;
            metal::float2 _e60 = row_angles[first_angle + _e57];
            turn_pair(_e55, _e60, row_values, p);
        }
    }
    return;
}

struct main_Input {
};
[[max_total_threads_per_threadgroup(256)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, threadgroup type_3& row_values
, threadgroup type_4& group_exponents
, device type_5& rows [[user(fake0)]]
, threadgroup type_6& team_partials
, constant Parameters& p [[user(fake0)]]
, device type_10 const& state_scores [[user(fake0)]]
, device type_10 const& scores [[user(fake0)]]
, device type_10 const& ape [[user(fake0)]]
, device type_10 const& state_values [[user(fake0)]]
, device type_10 const& values_1 [[user(fake0)]]
, device type_10 const& gain [[user(fake0)]]
, device type_12 const& row_angles [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    uint _e4 = p.first_window;
    uint window_2 = _e4 + workgroup.x;
    uint _e10 = p.n_pairs;
    uint _e14 = p.n_slots;
    pool_row(window_2, workgroup.x * _e10, _e14, thread_, row_values, team_partials, p, state_scores, scores, ape, state_values, values_1, gain, row_angles, _buffer_sizes);
    uint _e17 = p.bound_from;
    pack_row(window_2 - _e17, thread_, row_values, group_exponents, rows, _buffer_sizes);
    return;
}
