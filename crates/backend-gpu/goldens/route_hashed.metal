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
struct type_3 {
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
constant uint THREADS = 256u;

void consider(
    uint expert,
    float probability
) {
    return;
}

void choose(
    uint token,
    uint thread_1,
    device type_1 const& tokens,
    device type_1 const& table,
    threadgroup type_3& chosen,
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
[[max_total_threads_per_threadgroup(256)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, device type_1 const& tokens [[user(fake0)]]
, device type_1 const& table [[user(fake0)]]
, threadgroup type_3& chosen
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
    uint token_1 = workgroup.x;
    e = thread_;
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e20 = e;
            e = _e20 + THREADS;
        }
        loop_init = false;
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
            consider(_e19, probability_1);
        }
    }
    choose(token_1, thread_, tokens, table, chosen, _buffer_sizes);
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    if (thread_ < N_CHOSEN) {
        bool loop_init_1 = true;
        while(true) {
            if (!loop_init_1) {
                uint _e42 = i;
                i = _e42 + 1u;
            }
            loop_init_1 = false;
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
