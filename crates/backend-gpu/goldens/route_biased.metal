// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size0;
    uint size4;
    uint size5;
    uint size6;
};

typedef float type_2[1];
struct type_3 {
    uint inner[256];
};
struct type_5 {
    uint inner[6];
};
struct Parameters {
    float scale;
};
typedef uint type_6[1];
struct type_7 {
    float inner[256];
};
constant uint N_EXPERTS = 256u;
constant uint N_CHOSEN = 6u;
constant uint HAS_BIAS = 1u;
constant uint SIDE = 32u;
constant uint N_KEYS = 256u;
constant uint THREADS = 256u;

uint score_key(
    float score
) {
    uint bits = as_type<uint>(score);
    if ((bits & 2147483647u) > 2139095040u) {
        return 0u;
    }
    return ((bits & 2147483648u) != 0u) ? ~(bits) : (bits | 2147483648u);
}

void consider(
    uint expert,
    float probability,
    device type_2 const& bias,
    threadgroup type_3& keys,
    constant _mslBufferSizes& _buffer_sizes
) {
    float score_1 = {};
    score_1 = probability;
    if (true) {
        float _e4 = score_1;
        float _e7 = bias[expert];
        score_1 = _e4 + _e7;
    }
    float _e11 = score_1;
    uint _e12 = score_key(_e11);
    keys.inner[expert] = _e12;
    return;
}

uint naga_dot_uint4(metal::uint4 a, metal::uint4 b) {
    return ( + a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w);
}

uint n_in_front(
    uint expert_1,
    threadgroup type_3& keys
) {
    uint n = 0u;
    uint i_1 = 0u;
    uint i_2 = {};
    uint i_3 = {};
    uint key = keys.inner[expert_1];
    uint own = (expert_1 / SIDE) * SIDE;
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e45 = i_1;
            i_1 = _e45 + 4u;
        }
        loop_init = false;
        uint _e12 = i_1;
        if (_e12 < own) {
        } else {
            break;
        }
        {
            uint _e15 = i_1;
            uint _e17 = keys.inner[_e15];
            uint _e19 = i_1;
            uint _e23 = keys.inner[_e19 + 1u];
            uint _e25 = i_1;
            uint _e29 = keys.inner[_e25 + 2u];
            uint _e31 = i_1;
            uint _e35 = keys.inner[_e31 + 3u];
            metal::uint4 four = metal::uint4(_e17, _e23, _e29, _e35);
            uint _e37 = n;
            n = _e37 + naga_dot_uint4(static_cast<metal::uint4>(four >= metal::uint4(key)), metal::uint4(1u));
        }
    }
    i_2 = own;
    bool loop_init_1 = true;
    while(true) {
        if (!loop_init_1) {
            uint _e67 = i_2;
            i_2 = _e67 + 1u;
        }
        loop_init_1 = false;
        uint _e49 = i_2;
        if (_e49 < (own + SIDE)) {
        } else {
            break;
        }
        {
            uint _e54 = i_2;
            uint other = keys.inner[_e54];
            uint _e57 = n;
            uint _e60 = i_2;
            n = _e57 + static_cast<uint>((other > key) | ((other == key) & (_e60 < expert_1)));
        }
    }
    i_3 = own + SIDE;
    bool loop_init_2 = true;
    while(true) {
        if (!loop_init_2) {
            uint _e106 = i_3;
            i_3 = _e106 + 4u;
        }
        loop_init_2 = false;
        uint _e72 = i_3;
        if (_e72 < N_KEYS) {
        } else {
            break;
        }
        {
            uint _e76 = i_3;
            uint _e78 = keys.inner[_e76];
            uint _e80 = i_3;
            uint _e84 = keys.inner[_e80 + 1u];
            uint _e86 = i_3;
            uint _e90 = keys.inner[_e86 + 2u];
            uint _e92 = i_3;
            uint _e96 = keys.inner[_e92 + 3u];
            metal::uint4 four_1 = metal::uint4(_e78, _e84, _e90, _e96);
            uint _e98 = n;
            n = _e98 + naga_dot_uint4(static_cast<metal::uint4>(four_1 > metal::uint4(key)), metal::uint4(1u));
        }
    }
    uint _e109 = n;
    return _e109;
}

void choose(
    uint token,
    uint thread_1,
    threadgroup type_3& keys,
    threadgroup type_5& chosen
) {
    uint i_4 = {};
    uint e_1 = {};
    i_4 = N_EXPERTS + thread_1;
    bool loop_init_3 = true;
    while(true) {
        if (!loop_init_3) {
            uint _e12 = i_4;
            i_4 = _e12 + THREADS;
        }
        loop_init_3 = false;
        uint _e5 = i_4;
        if (_e5 < N_KEYS) {
        } else {
            break;
        }
        {
            uint _e9 = i_4;
            keys.inner[_e9] = 0u;
        }
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    e_1 = thread_1;
    bool loop_init_4 = true;
    while(true) {
        if (!loop_init_4) {
            uint _e26 = e_1;
            e_1 = _e26 + THREADS;
        }
        loop_init_4 = false;
        uint _e16 = e_1;
        if (_e16 < N_EXPERTS) {
        } else {
            break;
        }
        {
            uint _e19 = e_1;
            uint _e20 = n_in_front(_e19, keys);
            if (_e20 < N_CHOSEN) {
                uint _e25 = e_1;
                chosen.inner[_e20] = _e25;
            }
        }
    }
    return;
}

float ln_1p(
    float e_2
) {
    float z = e_2 / (2.0 + e_2);
    float s = z * z;
    float odd = 1.0 + (s * (0.33333334 + (s * (0.2 + (s * (0.14285715 + (s * (0.11111111 + (s * (0.09090909 + (s * (0.07692308 + (s * 0.06666667)))))))))))));
    return (2.0 * z) * odd;
}

float softplus(
    float x
) {
    float _e6 = ln_1p(metal::exp(-(metal::abs(x))));
    return metal::max(x, 0.0) + _e6;
}

struct main_Input {
};
[[max_total_threads_per_threadgroup(256)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, device type_2 const& bias [[user(fake0)]]
, threadgroup type_3& keys
, threadgroup type_5& chosen
, constant Parameters& p [[user(fake0)]]
, device type_6& experts [[user(fake0)]]
, device type_2& weights [[user(fake0)]]
, device type_2 const& logits [[user(fake0)]]
, threadgroup type_7& probabilities
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    uint e = {};
    float sum = 0.0;
    uint i = 0u;
    uint token_1 = workgroup.x;
    e = thread_;
    bool loop_init_5 = true;
    while(true) {
        if (!loop_init_5) {
            uint _e20 = e;
            e = _e20 + THREADS;
        }
        loop_init_5 = false;
        uint _e4 = e;
        if (_e4 < N_EXPERTS) {
        } else {
            break;
        }
        {
            uint _e10 = e;
            float _e13 = logits[(token_1 * N_EXPERTS) + _e10];
            float _e14 = softplus(_e13);
            float probability_1 = metal::sqrt(_e14);
            uint _e17 = e;
            probabilities.inner[_e17] = probability_1;
            uint _e19 = e;
            consider(_e19, probability_1, bias, keys, _buffer_sizes);
        }
    }
    choose(token_1, thread_, keys, chosen);
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    if (thread_ < N_CHOSEN) {
        bool loop_init_6 = true;
        while(true) {
            if (!loop_init_6) {
                uint _e42 = i;
                i = _e42 + 1u;
            }
            loop_init_6 = false;
            uint _e29 = i;
            if (_e29 < N_CHOSEN) {
            } else {
                break;
            }
            {
                float _e32 = sum;
                uint _e35 = i;
                uint _e37 = chosen.inner[_e35];
                float _e39 = probabilities.inner[_e37];
                sum = _e32 + _e39;
            }
        }
        uint at = (token_1 * N_CHOSEN) + thread_;
        uint _e51 = chosen.inner[thread_];
        experts[at] = _e51;
        uint _e57 = chosen.inner[thread_];
        float _e59 = probabilities.inner[_e57];
        float _e60 = sum;
        float _e64 = p.scale;
        weights[at] = (_e59 / _e60) * _e64;
        return;
    } else {
        return;
    }
}
