// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size0;
    uint size7;
    uint size8;
    uint size9;
};

typedef float type_2[1];
struct type_3 {
    float inner[256];
};
struct type_4 {
    float inner[64];
};
struct type_5 {
    uint inner[64];
};
struct type_7 {
    uint inner[6];
};
struct Parameters {
    float scale;
};
typedef uint type_8[1];
constant uint N_EXPERTS = 256u;
constant uint N_CHOSEN = 6u;
constant uint HAS_BIAS = 1u;
constant float TAKEN = -340000000000000000000000000000000000000.0;

bool is_better(
    float score,
    uint expert,
    float than_score,
    uint than_expert
) {
    bool local = {};
    bool local_1 = {};
    if (!((score > than_score))) {
        if (score == than_score) {
            local_1 = expert < than_expert;
        } else {
            local_1 = false;
        }
        bool _e13 = local_1;
        local = _e13;
    } else {
        local = true;
    }
    bool _e15 = local;
    return _e15;
}

void choose(
    uint token,
    uint thread_1,
    device type_2 const& bias,
    threadgroup type_3& scores,
    threadgroup type_4& best_scores,
    threadgroup type_5& best_experts,
    threadgroup type_3& probabilities,
    threadgroup type_7& chosen,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint e_1 = {};
    uint i_2 = 0u;
    float best = {};
    uint expert_1 = {};
    uint e_2 = {};
    uint half_ = {};
    e_1 = thread_1;
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e23 = e_1;
            e_1 = _e23 + 64u;
        }
        loop_init = false;
        uint _e3 = e_1;
        if (_e3 < N_EXPERTS) {
        } else {
            break;
        }
        {
            uint _e7 = e_1;
            uint _e10 = e_1;
            float _e12 = probabilities.inner[_e10];
            scores.inner[_e7] = _e12;
            if (true) {
                uint _e15 = e_1;
                float _e17 = scores.inner[_e15];
                uint _e19 = e_1;
                float _e21 = bias[_e19];
                scores.inner[_e15] = _e17 + _e21;
            }
        }
    }
    bool loop_init_1 = true;
    while(true) {
        if (!loop_init_1) {
            uint _e111 = i_2;
            i_2 = _e111 + 1u;
        }
        loop_init_1 = false;
        uint _e28 = i_2;
        if (_e28 < N_CHOSEN) {
        } else {
            break;
        }
        {
            metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
            best = TAKEN;
            expert_1 = 255u;
            e_2 = thread_1;
            bool loop_init_2 = true;
            while(true) {
                if (!loop_init_2) {
                    uint _e52 = e_2;
                    e_2 = _e52 + 64u;
                }
                loop_init_2 = false;
                uint _e36 = e_2;
                if (_e36 < N_EXPERTS) {
                } else {
                    break;
                }
                {
                    uint _e40 = e_2;
                    float _e42 = scores.inner[_e40];
                    uint _e43 = e_2;
                    float _e44 = best;
                    uint _e45 = expert_1;
                    bool _e46 = is_better(_e42, _e43, _e44, _e45);
                    if (_e46) {
                        uint _e48 = e_2;
                        float _e50 = scores.inner[_e48];
                        best = _e50;
                        uint _e51 = e_2;
                        expert_1 = _e51;
                    }
                }
            }
            float _e57 = best;
            best_scores.inner[thread_1] = _e57;
            uint _e60 = expert_1;
            best_experts.inner[thread_1] = _e60;
            half_ = 32u;
            bool loop_init_3 = true;
            while(true) {
                if (!loop_init_3) {
                    uint _e93 = half_;
                    half_ = _e93 / 2u;
                }
                loop_init_3 = false;
                uint _e63 = half_;
                if (_e63 > 0u) {
                } else {
                    break;
                }
                {
                    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
                    uint _e66 = half_;
                    if (thread_1 < _e66) {
                        uint _e68 = half_;
                        uint other = thread_1 + _e68;
                        float _e72 = best_scores.inner[other];
                        uint _e75 = best_experts.inner[other];
                        float _e78 = best_scores.inner[thread_1];
                        uint _e81 = best_experts.inner[thread_1];
                        bool _e82 = is_better(_e72, _e75, _e78, _e81);
                        if (_e82) {
                            float _e87 = best_scores.inner[other];
                            best_scores.inner[thread_1] = _e87;
                            uint _e92 = best_experts.inner[other];
                            best_experts.inner[thread_1] = _e92;
                        }
                    }
                }
            }
            if (thread_1 == 0u) {
                uint _e99 = i_2;
                uint _e103 = best_experts.inner[0];
                chosen.inner[_e99] = _e103;
                uint _e107 = best_experts.inner[0];
                scores.inner[_e107] = TAKEN;
            }
        }
    }
    return;
}

float ln_1p(
    float e_3
) {
    float z = e_3 / (2.0 + e_3);
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
, device type_2 const& bias [[user(fake0)]]
, threadgroup type_3& scores
, threadgroup type_4& best_scores
, threadgroup type_5& best_experts
, threadgroup type_3& probabilities
, threadgroup type_7& chosen
, constant Parameters& p [[user(fake0)]]
, device type_8& experts [[user(fake0)]]
, device type_2& weights [[user(fake0)]]
, device type_2 const& logits [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    uint e = {};
    float sum = 0.0;
    uint i = 0u;
    uint i_1 = 0u;
    uint token_1 = workgroup.x;
    e = thread_;
    bool loop_init_4 = true;
    while(true) {
        if (!loop_init_4) {
            uint _e19 = e;
            e = _e19 + 64u;
        }
        loop_init_4 = false;
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
    choose(token_1, thread_, bias, scores, best_scores, best_experts, probabilities, chosen, _buffer_sizes);
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    if (thread_ == 0u) {
        bool loop_init_5 = true;
        while(true) {
            if (!loop_init_5) {
                uint _e41 = i;
                i = _e41 + 1u;
            }
            loop_init_5 = false;
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
        bool loop_init_6 = true;
        while(true) {
            if (!loop_init_6) {
                uint _e78 = i_1;
                i_1 = _e78 + 1u;
            }
            loop_init_6 = false;
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
