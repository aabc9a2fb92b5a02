// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size1;
    uint size2;
    uint size3;
    uint size4;
    uint size5;
    uint size6;
    uint size7;
};

struct Parameters {
    uint hidden_size;
    uint n_iterations;
    float eps;
    float norm_eps;
};
typedef float type_2[1];
typedef metal::float2 type_4[1];
struct type_5 {
    metal::float2 inner[255];
};
struct type_6 {
    float inner[34];
};
struct type_7 {
    float inner[24];
};
struct type_8 {
    float inner[3];
};
struct type_12 {
    metal::float4 inner[4];
};
constant uint N_SLICES = 64u;
constant uint PAIRS = 10u;
constant uint N_ROWS = 24u;
constant uint N_SUMS = 34u;
constant uint LANES = 17u;
constant uint PARTS = 15u;
constant float LARGEST_EXPONENT = 80.0;

metal::float4 sigmoid(
    metal::float4 x
) {
    return metal::float4(1.0) / (metal::float4(1.0) + metal::exp(metal::min(-(x), metal::float4(80.0))));
}

void add_slices(
    uint token,
    uint thread_1,
    device type_4 const& slice_sums,
    device type_2 const& base,
    device type_2 const& scale,
    threadgroup type_5& parts,
    threadgroup type_6& sums,
    threadgroup type_7& biases,
    threadgroup type_8& scales,
    constant _mslBufferSizes& _buffer_sizes
) {
    metal::float2 sum = metal::float2(0.0);
    uint slice = {};
    metal::float2 sum_1 = metal::float2(0.0);
    uint part = 0u;
    if (thread_1 < N_ROWS) {
        float _e8 = base[thread_1];
        biases.inner[thread_1] = _e8;
    }
    if (thread_1 < 3u) {
        float _e15 = scale[thread_1];
        scales.inner[thread_1] = _e15;
    }
    if (thread_1 < 255u) {
        slice = thread_1 / LANES;
        bool loop_init = true;
        while(true) {
            if (!loop_init) {
                uint _e41 = slice;
                slice = _e41 + PARTS;
            }
            loop_init = false;
            uint _e24 = slice;
            if (_e24 < N_SLICES) {
            } else {
                break;
            }
            {
                metal::float2 _e27 = sum;
                uint _e31 = slice;
                metal::float2 _e39 = slice_sums[(((token * N_SLICES) + _e31) * LANES) + (thread_1 % LANES)];
                sum = _e27 + _e39;
            }
        }
        metal::float2 _e46 = sum;
        parts.inner[thread_1] = _e46;
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    if (thread_1 < LANES) {
        bool loop_init_1 = true;
        while(true) {
            if (!loop_init_1) {
                uint _e67 = part;
                part = _e67 + 1u;
            }
            loop_init_1 = false;
            uint _e54 = part;
            if (_e54 < PARTS) {
            } else {
                break;
            }
            {
                metal::float2 _e57 = sum_1;
                uint _e59 = part;
                metal::float2 _e64 = parts.inner[(_e59 * LANES) + thread_1];
                sum_1 = _e57 + _e64;
            }
        }
        float _e74 = sum_1.x;
        sums.inner[2u * thread_1] = _e74;
        float _e82 = sum_1.y;
        sums.inner[(2u * thread_1) + 1u] = _e82;
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    return;
}

metal::float4 logits(
    uint first,
    float inverse_rms,
    uint group,
    threadgroup type_6& sums,
    threadgroup type_7& biases,
    threadgroup type_8& scales
) {
    float _e5 = sums.inner[first];
    float _e10 = sums.inner[first + 1u];
    float _e15 = sums.inner[first + 2u];
    float _e20 = sums.inner[first + 3u];
    metal::float4 z = metal::float4(_e5, _e10, _e15, _e20);
    float _e24 = biases.inner[first];
    float _e29 = biases.inner[first + 1u];
    float _e34 = biases.inner[first + 2u];
    float _e39 = biases.inner[first + 3u];
    metal::float4 b = metal::float4(_e24, _e29, _e34, _e39);
    float _e43 = scales.inner[group];
    return (z * (inverse_rms * _e43)) + b;
}

float square_sum(
    metal::float4 w,
    threadgroup type_6& sums
) {
    float _e3 = sums.inner[24];
    float _e6 = sums.inner[28];
    float _e9 = sums.inner[31];
    float _e12 = sums.inner[33];
    metal::float4 own_1 = metal::float4(_e3, _e6, _e9, _e12);
    float _e16 = sums.inner[25];
    float _e19 = sums.inner[26];
    float _e22 = sums.inner[27];
    metal::float3 of_first = metal::float3(_e16, _e19, _e22);
    float _e26 = sums.inner[29];
    float _e29 = sums.inner[30];
    metal::float2 of_second = metal::float2(_e26, _e29);
    float _e45 = sums.inner[32];
    float mixed = ((w.x * metal::dot(of_first, w.yzw)) + (w.y * metal::dot(of_second, w.zw))) + ((w.z * w.w) * _e45);
    return metal::max(metal::dot(own_1, w * w) + (2.0 * mixed), 0.0);
}

metal::float4x4 combination(
    float inverse_rms_1,
    constant Parameters& p,
    threadgroup type_6& sums,
    threadgroup type_7& biases,
    threadgroup type_8& scales
) {
    type_12 m = {};
    uint a = 0u;
    uint iteration = 0u;
    uint a_1 = {};
    uint a_2 = {};
    bool loop_init_2 = true;
    while(true) {
        if (!loop_init_2) {
            uint _e37 = a;
            a = _e37 + 1u;
        }
        loop_init_2 = false;
        uint _e4 = a;
        if (_e4 < 4u) {
        } else {
            break;
        }
        {
            uint _e9 = a;
            metal::float4 _e13 = logits(8u + (4u * _e9), inverse_rms_1, 2u, sums, biases, scales);
            metal::float4 e = metal::exp(_e13 - metal::float4(metal::max(metal::max(_e13.x, _e13.y), metal::max(_e13.z, _e13.w))));
            uint _e24 = a;
            float _e33 = p.eps;
            m.inner[_e24] = (e / metal::float4(metal::dot(e, metal::float4(1.0)))) + metal::float4(_e33);
        }
    }
    bool loop_init_3 = true;
    while(true) {
        if (!loop_init_3) {
            uint _e118 = iteration;
            iteration = _e118 + 1u;
        }
        loop_init_3 = false;
        uint _e41 = iteration;
        uint _e44 = p.n_iterations;
        if (_e41 < _e44) {
        } else {
            break;
        }
        {
            uint _e46 = iteration;
            if (_e46 > 0u) {
                a_1 = 0u;
                bool loop_init_4 = true;
                while(true) {
                    if (!loop_init_4) {
                        uint _e84 = a_1;
                        a_1 = _e84 + 1u;
                    }
                    loop_init_4 = false;
                    uint _e51 = a_1;
                    if (_e51 < 4u) {
                    } else {
                        break;
                    }
                    {
                        uint _e54 = a_1;
                        metal::float4 _e56 = m.inner[_e54];
                        uint _e57 = a_1;
                        float _e60 = m.inner[_e57].x;
                        uint _e61 = a_1;
                        float _e64 = m.inner[_e61].y;
                        uint _e66 = a_1;
                        float _e69 = m.inner[_e66].z;
                        uint _e70 = a_1;
                        float _e73 = m.inner[_e70].w;
                        float _e78 = p.eps;
                        m.inner[_e54] = _e56 * (1.0 / (((_e60 + _e64) + (_e69 + _e73)) + _e78));
                    }
                }
            }
            metal::float4 _e87 = m.inner[0];
            metal::float4 _e89 = m.inner[1];
            metal::float4 _e92 = m.inner[2];
            metal::float4 _e94 = m.inner[3];
            float _e99 = p.eps;
            metal::float4 inverse = metal::float4(1.0) / (((_e87 + _e89) + (_e92 + _e94)) + metal::float4(_e99));
            a_2 = 0u;
            bool loop_init_5 = true;
            while(true) {
                if (!loop_init_5) {
                    uint _e115 = a_2;
                    a_2 = _e115 + 1u;
                }
                loop_init_5 = false;
                uint _e107 = a_2;
                if (_e107 < 4u) {
                } else {
                    break;
                }
                {
                    uint _e110 = a_2;
                    metal::float4 _e112 = m.inner[_e110];
                    m.inner[_e110] = _e112 * inverse;
                }
            }
        }
    }
    metal::float4 _e121 = m.inner[0];
    metal::float4 _e123 = m.inner[1];
    metal::float4 _e125 = m.inner[2];
    metal::float4 _e127 = m.inner[3];
    return metal::float4x4(_e121, _e123, _e125, _e127);
}

void write_gates(
    uint token_1,
    float inverse_rms_2,
    constant Parameters& p,
    device type_2& gates,
    threadgroup type_6& sums,
    threadgroup type_7& biases,
    threadgroup type_8& scales,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint i = 0u;
    uint j_1 = {};
    uint first_1 = token_1 * 20u;
    metal::float4 _e6 = logits(4u, inverse_rms_2, 1u, sums, biases, scales);
    metal::float4 _e7 = sigmoid(_e6);
    metal::float4 post = 2.0 * _e7;
    metal::float4x4 _e10 = combination(inverse_rms_2, p, sums, biases, scales);
    bool loop_init_6 = true;
    while(true) {
        if (!loop_init_6) {
            uint _e45 = i;
            i = _e45 + 1u;
        }
        loop_init_6 = false;
        uint _e13 = i;
        if (_e13 < 4u) {
        } else {
            break;
        }
        {
            uint _e17 = i;
            uint _e20 = i;
            gates[first_1 + _e17] = post[_e20];
            j_1 = 0u;
            bool loop_init_7 = true;
            while(true) {
                if (!loop_init_7) {
                    uint _e42 = j_1;
                    j_1 = _e42 + 1u;
                }
                loop_init_7 = false;
                uint _e24 = j_1;
                if (_e24 < 4u) {
                } else {
                    break;
                }
                {
                    uint _e31 = i;
                    uint _e34 = j_1;
                    uint _e37 = i;
                    uint _e39 = j_1;
                    gates[((first_1 + 4u) + (4u * _e31)) + _e34] = _e10[_e37][_e39];
                }
            }
        }
    }
    return;
}

void pack_normed(
    uint token_2,
    uint channel,
    uint thread_2,
    float value
) {
    return;
}

struct main_Input {
};
[[max_total_threads_per_threadgroup(256)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, constant Parameters& p [[user(fake0)]]
, device type_2& normed [[user(fake0)]]
, device type_2& gates [[user(fake0)]]
, device type_2 const& streams [[user(fake0)]]
, device type_4 const& slice_sums [[user(fake0)]]
, device type_2 const& base [[user(fake0)]]
, device type_2 const& scale [[user(fake0)]]
, device type_2 const& gain [[user(fake0)]]
, threadgroup type_5& parts
, threadgroup type_6& sums
, threadgroup type_7& biases
, threadgroup type_8& scales
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    metal::float4 own = {};
    float own_gain = 0.0;
    uint j = 0u;
    uint token_3 = workgroup.y;
    uint _e8 = p.hidden_size;
    bool makes_gates = (workgroup.x * 256u) >= _e8;
    uint channel_1 = (workgroup.x * 256u) + thread_;
    if (!(makes_gates)) {
        bool loop_init_8 = true;
        while(true) {
            if (!loop_init_8) {
                uint _e38 = j;
                j = _e38 + 1u;
            }
            loop_init_8 = false;
            uint _e20 = j;
            if (_e20 < 4u) {
            } else {
                break;
            }
            {
                uint _e23 = j;
                uint _e28 = j;
                uint _e32 = p.hidden_size;
                float _e36 = streams[(((token_3 * 4u) + _e28) * _e32) + channel_1];
                own[_e23] = _e36;
            }
        }
        float _e42 = gain[channel_1];
        own_gain = _e42;
    }
    add_slices(token_3, thread_, slice_sums, base, scale, parts, sums, biases, scales, _buffer_sizes);
    float _e45 = sums.inner[24];
    float _e48 = sums.inner[28];
    float _e52 = sums.inner[31];
    float _e56 = sums.inner[33];
    float squares = ((_e45 + _e48) + _e52) + _e56;
    uint _e61 = p.hidden_size;
    float _e67 = p.norm_eps;
    float inverse_rms_3 = 1.0 / metal::sqrt((squares / static_cast<float>(4u * _e61)) + _e67);
    if (makes_gates) {
        if (thread_ == 0u) {
            write_gates(token_3, inverse_rms_3, p, gates, sums, biases, scales, _buffer_sizes);
        }
        return;
    }
    metal::float4 _e76 = logits(0u, inverse_rms_3, 0u, sums, biases, scales);
    metal::float4 _e77 = sigmoid(_e76);
    float _e80 = p.eps;
    metal::float4 pre = _e77 + metal::float4(_e80);
    float _e83 = square_sum(pre, sums);
    uint _e86 = p.hidden_size;
    float _e91 = p.norm_eps;
    float norm = 1.0 / metal::sqrt((_e83 / static_cast<float>(_e86)) + _e91);
    metal::float4 _e96 = own;
    float _e99 = own_gain;
    float value_1 = (metal::dot(pre, _e96) * norm) * _e99;
    uint _e104 = p.hidden_size;
    normed[(token_3 * _e104) + channel_1] = value_1;
    pack_normed(token_3, channel_1, thread_, value_1);
    return;
}
