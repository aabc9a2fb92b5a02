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
    uint n_slices;
    uint n_iterations;
    float eps;
    float norm_eps;
};
typedef float type_2[1];
struct type_3 {
    float inner[256];
};
struct type_4 {
    float inner[64];
};
struct type_9 {
    metal::float4 inner[4];
};
constant uint PAIRS = 10u;
constant uint N_ROWS = 24u;
constant uint N_SUMS = 34u;
constant uint LANES = 64u;
constant uint PARTS = 4u;
constant float LARGEST_EXPONENT = 80.0;

metal::float4 sigmoid(
    metal::float4 x
) {
    return metal::float4(1.0) / (metal::float4(1.0) + metal::exp(metal::min(-(x), metal::float4(80.0))));
}

void add_slices(
    uint token,
    uint thread_1,
    constant Parameters& p,
    device type_2 const& slice_sums,
    threadgroup type_3& parts,
    threadgroup type_4& sums,
    constant _mslBufferSizes& _buffer_sizes
) {
    float sum_1 = 0.0;
    uint slice = {};
    uint part = 1u;
    uint i_1 = thread_1 % LANES;
    if (i_1 < N_SUMS) {
        slice = thread_1 / LANES;
        bool loop_init = true;
        while(true) {
            if (!loop_init) {
                uint _e30 = slice;
                slice = _e30 + PARTS;
            }
            loop_init = false;
            uint _e11 = slice;
            uint _e14 = p.n_slices;
            if (_e11 < _e14) {
            } else {
                break;
            }
            {
                float _e16 = sum_1;
                uint _e20 = p.n_slices;
                uint _e22 = slice;
                float _e28 = slice_sums[(((token * _e20) + _e22) * N_SUMS) + i_1];
                sum_1 = _e16 + _e28;
            }
        }
    }
    float _e35 = sum_1;
    parts.inner[thread_1] = _e35;
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    if (thread_1 < LANES) {
        bool loop_init_1 = true;
        while(true) {
            if (!loop_init_1) {
                uint _e53 = part;
                part = _e53 + 1u;
            }
            loop_init_1 = false;
            uint _e40 = part;
            if (_e40 < PARTS) {
            } else {
                break;
            }
            {
                float _e43 = sum_1;
                uint _e45 = part;
                float _e50 = parts.inner[(_e45 * LANES) + thread_1];
                sum_1 = _e43 + _e50;
            }
        }
        float _e57 = sum_1;
        sums.inner[thread_1] = _e57;
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    return;
}

metal::float4 logits(
    uint first,
    float inverse_rms,
    uint group,
    device type_2 const& base,
    device type_2 const& scale,
    threadgroup type_4& sums,
    constant _mslBufferSizes& _buffer_sizes
) {
    float _e5 = sums.inner[first];
    float _e10 = sums.inner[first + 1u];
    float _e15 = sums.inner[first + 2u];
    float _e20 = sums.inner[first + 3u];
    metal::float4 z = metal::float4(_e5, _e10, _e15, _e20);
    float _e24 = base[first];
    float _e29 = base[first + 1u];
    float _e34 = base[first + 2u];
    float _e39 = base[first + 3u];
    metal::float4 b = metal::float4(_e24, _e29, _e34, _e39);
    float _e44 = scale[group];
    return ((z * inverse_rms) * _e44) + b;
}

float square_sum(
    metal::float4 w,
    threadgroup type_4& sums
) {
    float _e3 = sums.inner[24];
    float _e6 = sums.inner[28];
    float _e9 = sums.inner[31];
    float _e12 = sums.inner[33];
    metal::float4 own = metal::float4(_e3, _e6, _e9, _e12);
    float _e16 = sums.inner[25];
    float _e19 = sums.inner[26];
    float _e22 = sums.inner[27];
    metal::float3 of_first = metal::float3(_e16, _e19, _e22);
    float _e26 = sums.inner[29];
    float _e29 = sums.inner[30];
    metal::float2 of_second = metal::float2(_e26, _e29);
    float _e45 = sums.inner[32];
    float mixed = ((w.x * metal::dot(of_first, w.yzw)) + (w.y * metal::dot(of_second, w.zw))) + ((w.z * w.w) * _e45);
    return metal::max(metal::dot(own, w * w) + (2.0 * mixed), 0.0);
}

metal::float4x4 combination(
    float inverse_rms_1,
    constant Parameters& p,
    device type_2 const& base,
    device type_2 const& scale,
    threadgroup type_4& sums,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_9 m = {};
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
            metal::float4 _e13 = logits(8u + (4u * _e9), inverse_rms_1, 2u, base, scale, sums, _buffer_sizes);
            metal::float4 e = metal::exp(_e13 - metal::float4(metal::max(metal::max(_e13.x, _e13.y), metal::max(_e13.z, _e13.w))));
            uint _e24 = a;
            float _e33 = p.eps;
            m.inner[_e24] = (e / metal::float4(metal::dot(e, metal::float4(1.0)))) + metal::float4(_e33);
        }
    }
    bool loop_init_3 = true;
    while(true) {
        if (!loop_init_3) {
            uint _e101 = iteration;
            iteration = _e101 + 1u;
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
                        uint _e70 = a_1;
                        a_1 = _e70 + 1u;
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
                        metal::float4 _e59 = m.inner[_e57];
                        float _e65 = p.eps;
                        m.inner[_e54] = _e56 / metal::float4(metal::dot(_e59, metal::float4(1.0)) + _e65);
                    }
                }
            }
            metal::float4 _e73 = m.inner[0];
            metal::float4 _e75 = m.inner[1];
            metal::float4 _e78 = m.inner[2];
            metal::float4 _e81 = m.inner[3];
            float _e85 = p.eps;
            metal::float4 columns = (((_e73 + _e75) + _e78) + _e81) + metal::float4(_e85);
            a_2 = 0u;
            bool loop_init_5 = true;
            while(true) {
                if (!loop_init_5) {
                    uint _e98 = a_2;
                    a_2 = _e98 + 1u;
                }
                loop_init_5 = false;
                uint _e90 = a_2;
                if (_e90 < 4u) {
                } else {
                    break;
                }
                {
                    uint _e93 = a_2;
                    metal::float4 _e95 = m.inner[_e93];
                    m.inner[_e93] = _e95 / columns;
                }
            }
        }
    }
    metal::float4 _e104 = m.inner[0];
    metal::float4 _e106 = m.inner[1];
    metal::float4 _e108 = m.inner[2];
    metal::float4 _e110 = m.inner[3];
    return metal::float4x4(_e104, _e106, _e108, _e110);
}

void write_gates(
    uint token_1,
    float inverse_rms_2,
    constant Parameters& p,
    device type_2& gates,
    device type_2 const& base,
    device type_2 const& scale,
    threadgroup type_4& sums,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint i = 0u;
    uint j_1 = {};
    uint first_1 = token_1 * 20u;
    metal::float4 _e6 = logits(4u, inverse_rms_2, 1u, base, scale, sums, _buffer_sizes);
    metal::float4 _e7 = sigmoid(_e6);
    metal::float4 post = 2.0 * _e7;
    metal::float4x4 _e10 = combination(inverse_rms_2, p, base, scale, sums, _buffer_sizes);
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
, device type_2 const& slice_sums [[user(fake0)]]
, device type_2 const& base [[user(fake0)]]
, device type_2 const& scale [[user(fake0)]]
, device type_2 const& gain [[user(fake0)]]
, threadgroup type_3& parts
, threadgroup type_4& sums
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    float sum = 0.0;
    uint j = 0u;
    uint token_3 = workgroup.y;
    add_slices(token_3, thread_, p, slice_sums, parts, sums, _buffer_sizes);
    float _e5 = sums.inner[24];
    float _e8 = sums.inner[28];
    float _e12 = sums.inner[31];
    float _e16 = sums.inner[33];
    float squares = ((_e5 + _e8) + _e12) + _e16;
    uint _e21 = p.hidden_size;
    float _e27 = p.norm_eps;
    float inverse_rms_3 = 1.0 / metal::sqrt((squares / static_cast<float>(4u * _e21)) + _e27);
    uint _e37 = p.hidden_size;
    if ((workgroup.x * 256u) >= _e37) {
        if (thread_ == 0u) {
            write_gates(token_3, inverse_rms_3, p, gates, base, scale, sums, _buffer_sizes);
        }
        return;
    }
    metal::float4 _e43 = logits(0u, inverse_rms_3, 0u, base, scale, sums, _buffer_sizes);
    metal::float4 _e44 = sigmoid(_e43);
    float _e47 = p.eps;
    metal::float4 pre = _e44 + metal::float4(_e47);
    float _e50 = square_sum(pre, sums);
    uint _e53 = p.hidden_size;
    float _e58 = p.norm_eps;
    float norm = 1.0 / metal::sqrt((_e50 / static_cast<float>(_e53)) + _e58);
    uint channel_1 = (workgroup.x * 256u) + thread_;
    bool loop_init_8 = true;
    while(true) {
        if (!loop_init_8) {
            uint _e92 = j;
            j = _e92 + 1u;
        }
        loop_init_8 = false;
        uint _e71 = j;
        if (_e71 < 4u) {
        } else {
            break;
        }
        {
            float _e74 = sum;
            uint _e75 = j;
            uint _e80 = j;
            uint _e84 = p.hidden_size;
            float _e88 = streams[(((token_3 * 4u) + _e80) * _e84) + channel_1];
            sum = _e74 + (pre[_e75] * _e88);
        }
    }
    float _e94 = sum;
    float _e98 = gain[channel_1];
    float value_1 = (_e94 * norm) * _e98;
    uint _e103 = p.hidden_size;
    normed[(token_3 * _e103) + channel_1] = value_1;
    pack_normed(token_3, channel_1, thread_, value_1);
    return;
}
