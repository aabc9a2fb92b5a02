// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size2;
    uint size4;
};

struct type_3 {
    float inner[512];
};
struct type_4 {
    int inner[8];
};
typedef uint type_5[1];
struct Parameters {
    uint first_row;
    uint first_position;
    uint capacity;
};
typedef float type_6[1];
constant uint WIDTH = 512u;
constant uint ROPE_DIM = 64u;
constant uint WORKGROUP = 128u;
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
    uint i_1 = {};
    uint i_2 = {};
    uint word = {};
    uint j = {};
    uint i_3 = {};
    uint i_4 = {};
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
            i_1 = 0u;
            bool loop_init_1 = true;
            while(true) {
                if (!loop_init_1) {
                    uint _e25 = i_1;
                    i_1 = _e25 + 1u;
                }
                loop_init_1 = false;
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
    uint first = row * ROW_WORDS;
    i_2 = thread_1;
    bool loop_init_2 = true;
    while(true) {
        if (!loop_init_2) {
            uint _e79 = i_2;
            i_2 = _e79 + WORKGROUP;
        }
        loop_init_2 = false;
        uint _e40 = i_2;
        if (_e40 < CODE_WORDS) {
        } else {
            break;
        }
        {
            uint _e44 = i_2;
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
                    uint _e59 = i_2;
                    uint _e61 = j;
                    float _e64 = row_values.inner[(4u * _e59) + _e61];
                    uint _e65 = e4m3_code(_e64, exponent_2);
                    uint _e67 = j;
                    word = _e56 | (_e65 << (8u * _e67));
                }
            }
            uint _e75 = i_2;
            uint _e78 = word;
            rows[first + _e75] = _e78;
        }
    }
    i_3 = thread_1;
    bool loop_init_4 = true;
    while(true) {
        if (!loop_init_4) {
            uint _e110 = i_3;
            i_3 = _e110 + WORKGROUP;
        }
        loop_init_4 = false;
        uint _e83 = i_3;
        if (_e83 < ROTARY_WORDS) {
        } else {
            break;
        }
        {
            uint _e88 = i_3;
            uint pair = CODES + (2u * _e88);
            float _e93 = row_values.inner[pair];
            uint _e94 = f16_code(_e93);
            float _e99 = row_values.inner[pair + 1u];
            uint _e100 = f16_code(_e99);
            uint word_2 = _e94 | (_e100 << 16u);
            uint _e107 = i_3;
            rows[(first + CODE_WORDS) + _e107] = word_2;
        }
    }
    i_4 = thread_1;
    bool loop_init_5 = true;
    while(true) {
        if (!loop_init_5) {
            uint _e160 = i_4;
            i_4 = _e160 + WORKGROUP;
        }
        loop_init_5 = false;
        uint _e114 = i_4;
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
            rows[((first + CODE_WORDS) + ROTARY_WORDS) + _e156] = _e159;
        }
    }
    return;
}

struct main_Input {
};
[[max_total_threads_per_threadgroup(128)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, threadgroup type_3& row_values
, threadgroup type_4& group_exponents
, device type_5& rows [[user(fake0)]]
, constant Parameters& p [[user(fake0)]]
, device type_6 const& kv [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    uint i = {};
    uint _e4 = p.first_row;
    uint first_1 = (_e4 + workgroup.x) * WIDTH;
    i = thread_;
    bool loop_init_7 = true;
    while(true) {
        if (!loop_init_7) {
            uint _e21 = i;
            i = _e21 + WORKGROUP;
        }
        loop_init_7 = false;
        uint _e10 = i;
        if (_e10 < WIDTH) {
        } else {
            break;
        }
        {
            uint _e14 = i;
            uint _e17 = i;
            float _e20 = kv[first_1 + _e17];
            row_values.inner[_e14] = _e20;
        }
    }
    uint _e26 = p.first_position;
    uint _e31 = p.capacity;
    pack_row((_e26 + workgroup.x) % _e31, thread_, row_values, group_exponents, rows, _buffer_sizes);
    return;
}
