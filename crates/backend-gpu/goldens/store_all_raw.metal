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
constant uint WORKGROUP = 256u;
constant uint TEAM = 256u;
constant uint SUMS = 1u;
constant uint SUBGROUP = 32u;
constant uint WIDTH = 512u;
constant uint ROPE_DIM = 64u;
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
    uint exponent_2 = (code >> 1u) & 3u;
    float normal = as_type<float>(((exponent_2 + 126u) << 23u) | ((code & 1u) << 22u));
    float magnitude = (exponent_2 == 0u) ? (0.5 * static_cast<float>(code & 1u)) : normal;
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
            int exponent_3 = group_exponents.inner[_e44 / 16u];
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
                    uint _e65 = e4m3_code(_e64, exponent_3);
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
            uint pair_2 = CODES + (2u * _e88);
            float _e93 = row_values.inner[pair_2];
            uint _e94 = f16_code(_e93);
            float _e99 = row_values.inner[pair_2 + 1u];
            uint _e100 = f16_code(_e99);
            uint word_2 = _e94 | (_e100 << 16u);
            uint _e107 = i_3;
            rows[(first_1 + CODE_WORDS) + _e107] = word_2;
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
            float value_3 = kv[(_e9 * WIDTH) + _e12];
            uint _e17 = i_5;
            row_values.inner[_e17] = value_3;
            float _e20 = squares.inner[0];
            squares.inner[0] = _e20 + (value_3 * value_3);
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

void compressed_close(
    uint row_1,
    uint n_slots,
    uint thread_4
) {
    return;
}

void index_close(
    uint row_2,
    uint n_slots_1,
    uint thread_5
) {
    return;
}

void compressed_remember(
    uint i_7,
    uint n_slots_2
) {
    return;
}

void index_remember(
    uint i_8,
    uint n_slots_3
) {
    return;
}

void index_round_query(
    uint head,
    uint thread_6
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
                compressed_close(_e23, _e26, thread_);
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
                    index_close(_e36, _e39, thread_);
                    return;
                } else {
                    return;
                }
            } else {
                if (task < first_index_block) {
                    uint _e48 = p.n_slots;
                    compressed_remember(((task - 3u) * WORKGROUP) + thread_, _e48);
                    return;
                } else {
                    if (task < first_head) {
                        uint _e56 = p.n_index_slots;
                        index_remember(((task - first_index_block) * WORKGROUP) + thread_, _e56);
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
