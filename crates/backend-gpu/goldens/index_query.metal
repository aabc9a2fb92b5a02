// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size3;
    uint size4;
};

struct type_3 {
    float inner[128];
};
struct type_4 {
    int inner[4];
};
struct Parameters {
    uint first_row;
    uint n_heads;
};
typedef float type_5[1];
constant uint WIDTH = 128u;
constant uint WORKGROUP = 64u;
constant uint HADAMARD_SCALE_BITS = 1035273459u;
constant uint INFINITY_BITS = 2139095040u;
constant uint GROUPS = 4u;
constant uint FP4_MAX_MANTISSA = 4194304u;
constant int FP4_MAX_EXPONENT = 2;
constant uint FP4_FLOOR_BITS = 29360128u;

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

void hadamard(
    uint thread_1,
    threadgroup type_3& row_values
) {
    uint stride = 1u;
    uint i_2 = {};
    uint i_3 = {};
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e40 = stride;
            stride = _e40 * 2u;
        }
        loop_init = false;
        uint _e3 = stride;
        if (_e3 < WIDTH) {
        } else {
            break;
        }
        {
            metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
            i_2 = thread_1;
            bool loop_init_1 = true;
            while(true) {
                if (!loop_init_1) {
                    uint _e37 = i_2;
                    i_2 = _e37 + WORKGROUP;
                }
                loop_init_1 = false;
                uint _e7 = i_2;
                if (_e7 < 64u) {
                } else {
                    break;
                }
                {
                    uint _e10 = i_2;
                    uint _e11 = stride;
                    uint _e15 = stride;
                    uint _e17 = i_2;
                    uint _e18 = stride;
                    uint low = (((_e10 / _e11) * 2u) * _e15) + (_e17 % _e18);
                    float a = row_values.inner[low];
                    uint _e25 = stride;
                    float b = row_values.inner[low + _e25];
                    row_values.inner[low] = a + b;
                    uint _e33 = stride;
                    row_values.inner[low + _e33] = a - b;
                }
            }
        }
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    i_3 = thread_1;
    bool loop_init_2 = true;
    while(true) {
        if (!loop_init_2) {
            uint _e54 = i_3;
            i_3 = _e54 + WORKGROUP;
        }
        loop_init_2 = false;
        uint _e44 = i_3;
        if (_e44 < WIDTH) {
        } else {
            break;
        }
        {
            uint _e48 = i_3;
            float _e50 = row_values.inner[_e48];
            row_values.inner[_e48] = _e50 * as_type<float>(HADAMARD_SCALE_BITS);
        }
    }
    return;
}

void transform_row(
    uint thread_2,
    threadgroup type_3& row_values,
    threadgroup type_4& group_exponents
) {
    uint group = {};
    uint largest = {};
    uint i_4 = {};
    hadamard(thread_2, row_values);
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    group = thread_2;
    bool loop_init_3 = true;
    while(true) {
        if (!loop_init_3) {
            uint _e33 = group;
            group = _e33 + WORKGROUP;
        }
        loop_init_3 = false;
        uint _e2 = group;
        if (_e2 < GROUPS) {
        } else {
            break;
        }
        {
            largest = FP4_FLOOR_BITS;
            i_4 = 0u;
            bool loop_init_4 = true;
            while(true) {
                if (!loop_init_4) {
                    uint _e24 = i_4;
                    i_4 = _e24 + 1u;
                }
                loop_init_4 = false;
                uint _e9 = i_4;
                if (_e9 < 32u) {
                } else {
                    break;
                }
                {
                    uint _e12 = largest;
                    uint _e15 = group;
                    uint _e17 = i_4;
                    float _e20 = row_values.inner[(32u * _e15) + _e17];
                    uint _e21 = magnitude_bits(_e20);
                    largest = metal::max(_e12, _e21);
                }
            }
            uint _e27 = group;
            uint _e29 = largest;
            int _e32 = scale_exponent(_e29, FP4_MAX_MANTISSA, FP4_MAX_EXPONENT);
            group_exponents.inner[_e27] = _e32;
        }
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    return;
}

uint e2m1_code(
    float value_1,
    int exponent_1
) {
    uint code = 7u;
    uint bits_2 = as_type<uint>(value_1);
    uint sign = (bits_2 >> 28u) & 8u;
    int e = as_type<int>(as_type<uint>(as_type<int>(as_type<uint>(static_cast<int>((bits_2 >> 23u) & 255u)) - as_type<uint>(127))) - as_type<uint>(exponent_1));
    if (e < -2) {
        return sign;
    }
    float scaled = as_type<float>((static_cast<uint>(as_type<int>(as_type<uint>(metal::min(e, 3)) + as_type<uint>(127))) << 23u) | (bits_2 & 8388607u));
    if (scaled <= 0.25) {
        code = 0u;
    } else {
        if (scaled < 0.75) {
            code = 1u;
        } else {
            if (scaled <= 1.25) {
                code = 2u;
            } else {
                if (scaled < 1.75) {
                    code = 3u;
                } else {
                    if (scaled <= 2.5) {
                        code = 4u;
                    } else {
                        if (scaled < 3.5) {
                            code = 5u;
                        } else {
                            if (scaled <= 5.0) {
                                code = 6u;
                            }
                        }
                    }
                }
            }
        }
    }
    uint _e51 = code;
    return sign | _e51;
}

float e2m1_value(
    uint code_1
) {
    uint exponent_2 = (code_1 >> 1u) & 3u;
    float normal = as_type<float>(((exponent_2 + 126u) << 23u) | ((code_1 & 1u) << 22u));
    float magnitude = (exponent_2 == 0u) ? (0.5 * static_cast<float>(code_1 & 1u)) : normal;
    return ((code_1 & 8u) != 0u) ? -(magnitude) : magnitude;
}

float power_of_two(
    uint code_2
) {
    return as_type<float>(code_2 << 23u);
}

struct main_Input {
};
[[max_total_threads_per_threadgroup(64)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, threadgroup type_3& row_values
, threadgroup type_4& group_exponents
, constant Parameters& p [[user(fake0)]]
, device type_5& rounded [[user(fake0)]]
, device type_5 const& queries [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    uint i = {};
    uint i_1 = {};
    uint _e4 = p.first_row;
    uint _e9 = p.n_heads;
    uint first = (((_e4 + workgroup.y) * _e9) + workgroup.x) * WIDTH;
    i = thread_;
    bool loop_init_5 = true;
    while(true) {
        if (!loop_init_5) {
            uint _e27 = i;
            i = _e27 + WORKGROUP;
        }
        loop_init_5 = false;
        uint _e16 = i;
        if (_e16 < WIDTH) {
        } else {
            break;
        }
        {
            uint _e20 = i;
            uint _e23 = i;
            float _e26 = queries[first + _e23];
            row_values.inner[_e20] = _e26;
        }
    }
    transform_row(thread_, row_values, group_exponents);
    uint _e33 = p.n_heads;
    uint out = ((workgroup.y * _e33) + workgroup.x) * WIDTH;
    i_1 = thread_;
    bool loop_init_6 = true;
    while(true) {
        if (!loop_init_6) {
            uint _e64 = i_1;
            i_1 = _e64 + WORKGROUP;
        }
        loop_init_6 = false;
        uint _e40 = i_1;
        if (_e40 < WIDTH) {
        } else {
            break;
        }
        {
            uint _e44 = i_1;
            int exponent_3 = group_exponents.inner[_e44 / 32u];
            uint _e50 = i_1;
            float _e52 = row_values.inner[_e50];
            uint _e53 = e2m1_code(_e52, exponent_3);
            float _e54 = e2m1_value(_e53);
            uint _e56 = i_1;
            float _e62 = power_of_two(static_cast<uint>(as_type<int>(as_type<uint>(exponent_3) + as_type<uint>(127))));
            rounded[out + _e56] = _e54 * _e62;
        }
    }
    return;
}
