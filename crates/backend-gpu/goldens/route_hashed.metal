// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size0;
    uint size1;
    uint size4;
    uint size5;
    uint size6;
};

typedef uint type_1[1];
struct type_2 {
    uint inner[6];
};
struct Parameters {
    float scale;
};
typedef float type_4[1];
struct type_5 {
    float inner[256];
};
constant uint N_EXPERTS = 256u;
constant uint N_CHOSEN = 6u;

void choose(
    uint token,
    uint thread_1,
    device type_1 const& tokens,
    device type_1 const& table,
    threadgroup type_2& chosen,
    constant _mslBufferSizes& _buffer_sizes
) {
    if (thread_1 < N_CHOSEN) {
        uint _e9 = tokens[token];
        uint _e14 = table[(_e9 * N_CHOSEN) + thread_1];
        chosen.inner[thread_1] = _e14;
        return;
    } else {
        return;
    }
}

float ln_1p(
    float e_1
) {
    float z = e_1 / (2.0 + e_1);
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
[[max_total_threads_per_threadgroup(64)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, device type_1 const& tokens [[user(fake0)]]
, device type_1 const& table [[user(fake0)]]
, threadgroup type_2& chosen
, constant Parameters& p [[user(fake0)]]
, device type_1& experts [[user(fake0)]]
, device type_4& weights [[user(fake0)]]
, device type_4 const& logits [[user(fake0)]]
, threadgroup type_5& probabilities
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    uint e = {};
    float sum = 0.0;
    uint i = 0u;
    uint i_1 = 0u;
    uint token_1 = workgroup.x;
    e = thread_;
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e19 = e;
            e = _e19 + 64u;
        }
        loop_init = false;
        uint _e4 = e;
        if (_e4 < N_EXPERTS) {
        } else {
            break;
        }
        {
            uint _e8 = e;
            uint _e13 = e;
            float _e16 = logits[(token_1 * N_EXPERTS) + _e13];
            float _e17 = softplus(_e16);
            probabilities.inner[_e8] = metal::sqrt(_e17);
        }
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    choose(token_1, thread_, tokens, table, chosen, _buffer_sizes);
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    if (thread_ == 0u) {
        bool loop_init_1 = true;
        while(true) {
            if (!loop_init_1) {
                uint _e41 = i;
                i = _e41 + 1u;
            }
            loop_init_1 = false;
            uint _e28 = i;
            if (_e28 < N_CHOSEN) {
            } else {
                break;
            }
            {
                float _e31 = sum;
                uint _e34 = i;
                uint _e36 = chosen.inner[_e34];
                float _e38 = probabilities.inner[_e36];
                sum = _e31 + _e38;
            }
        }
        bool loop_init_2 = true;
        while(true) {
            if (!loop_init_2) {
                uint _e78 = i_1;
                i_1 = _e78 + 1u;
            }
            loop_init_2 = false;
            uint _e45 = i_1;
            if (_e45 < N_CHOSEN) {
            } else {
                break;
            }
            {
                uint _e51 = i_1;
                uint _e55 = i_1;
                uint _e57 = chosen.inner[_e55];
                experts[(token_1 * N_CHOSEN) + _e51] = _e57;
                uint _e61 = i_1;
                uint _e66 = i_1;
                uint _e68 = chosen.inner[_e66];
                float _e70 = probabilities.inner[_e68];
                float _e71 = sum;
                float _e75 = p.scale;
                weights[(token_1 * N_CHOSEN) + _e61] = (_e70 / _e71) * _e75;
            }
        }
        return;
    } else {
        return;
    }
}
