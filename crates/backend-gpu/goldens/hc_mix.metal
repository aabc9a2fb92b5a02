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
};

struct Parameters {
    uint hidden_size;
    uint n_rows;
    uint n_iterations;
    float eps;
    float norm_eps;
};
typedef float type_2[1];
struct type_3 {
    float inner[16];
};
constant uint N_STREAMS = 4u;
constant float LARGEST_EXPONENT = 80.0;
constant uint N_GATES = 16u;

float sigmoid(
    float x
) {
    return 1.0 / (1.0 + metal::exp(metal::min(-(x), LARGEST_EXPONENT)));
}

float inverse_rms(
    uint token,
    constant Parameters& p,
    device type_2 const& projections,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint _e4 = p.n_rows;
    uint _e10 = p.n_rows;
    float squares = projections[(token * (_e4 + 1u)) + _e10];
    uint _e17 = p.hidden_size;
    float _e23 = p.norm_eps;
    return 1.0 / metal::sqrt((squares / static_cast<float>(N_STREAMS * _e17)) + _e23);
}

float gate_logit(
    uint token_1,
    uint row,
    float inverse_rms_1,
    uint group,
    constant Parameters& p,
    device type_2 const& projections,
    device type_2 const& base,
    device type_2 const& scale,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint _e7 = p.n_rows;
    float _e13 = projections[(token_1 * (_e7 + 1u)) + row];
    float _e17 = scale[group];
    float _e21 = base[row];
    return ((_e13 * inverse_rms_1) * _e17) + _e21;
}

void collapse(
    uint token_2,
    uint i,
    float inverse_rms_2,
    constant Parameters& p,
    device type_2& out,
    device type_2 const& streams,
    device type_2 const& projections,
    device type_2 const& base,
    device type_2 const& scale,
    constant _mslBufferSizes& _buffer_sizes
) {
    float sum = 0.0;
    uint j = 0u;
    uint _e5 = p.hidden_size;
    if (i < _e5) {
        bool loop_init = true;
        while(true) {
            if (!loop_init) {
                uint _e38 = j;
                j = _e38 + 1u;
            }
            loop_init = false;
            uint _e11 = j;
            if (_e11 < N_STREAMS) {
            } else {
                break;
            }
            {
                uint _e14 = j;
                float _e16 = gate_logit(token_2, _e14, inverse_rms_2, 0u, p, projections, base, scale, _buffer_sizes);
                float _e17 = sigmoid(_e16);
                float _e20 = p.eps;
                float pre = _e17 + _e20;
                float _e22 = sum;
                uint _e26 = j;
                uint _e30 = p.hidden_size;
                float _e34 = streams[(((token_2 * N_STREAMS) + _e26) * _e30) + i];
                sum = _e22 + (pre * _e34);
            }
        }
        uint _e43 = p.hidden_size;
        float _e47 = sum;
        out[(token_2 * _e43) + i] = _e47;
        return;
    } else {
        return;
    }
}

void normalise(
    thread type_3& m,
    uint apart,
    uint step,
    constant Parameters& p
) {
    uint line = 0u;
    float sum_1 = {};
    uint i_1 = {};
    uint i_2 = {};
    bool loop_init_1 = true;
    while(true) {
        if (!loop_init_1) {
            uint _e47 = line;
            line = _e47 + 1u;
        }
        loop_init_1 = false;
        uint _e5 = line;
        if (_e5 < N_STREAMS) {
        } else {
            break;
        }
        {
            float _e10 = p.eps;
            sum_1 = _e10;
            i_1 = 0u;
            bool loop_init_2 = true;
            while(true) {
                if (!loop_init_2) {
                    uint _e27 = i_1;
                    i_1 = _e27 + 1u;
                }
                loop_init_2 = false;
                uint _e14 = i_1;
                if (_e14 < N_STREAMS) {
                } else {
                    break;
                }
                {
                    float _e17 = sum_1;
                    uint _e18 = line;
                    uint _e20 = i_1;
                    float _e24 = m.inner[(_e18 * apart) + (_e20 * step)];
                    sum_1 = _e17 + _e24;
                }
            }
            i_2 = 0u;
            bool loop_init_3 = true;
            while(true) {
                if (!loop_init_3) {
                    uint _e44 = i_2;
                    i_2 = _e44 + 1u;
                }
                loop_init_3 = false;
                uint _e31 = i_2;
                if (_e31 < N_STREAMS) {
                } else {
                    break;
                }
                {
                    uint _e34 = line;
                    uint _e36 = i_2;
                    float _e40 = m.inner[(_e34 * apart) + (_e36 * step)];
                    float _e41 = sum_1;
                    m.inner[(_e34 * apart) + (_e36 * step)] = _e40 / _e41;
                }
            }
        }
    }
    return;
}

void sinkhorn(
    thread type_3& m_1,
    constant Parameters& p
) {
    uint a = 0u;
    float largest = {};
    uint b = {};
    float sum_2 = {};
    uint b_1 = {};
    uint b_2 = {};
    uint iteration = 0u;
    bool loop_init_4 = true;
    while(true) {
        if (!loop_init_4) {
            uint _e74 = a;
            a = _e74 + 1u;
        }
        loop_init_4 = false;
        uint _e3 = a;
        if (_e3 < N_STREAMS) {
        } else {
            break;
        }
        {
            uint _e6 = a;
            uint first = _e6 * N_STREAMS;
            float _e10 = m_1.inner[first];
            largest = _e10;
            b = 1u;
            bool loop_init_5 = true;
            while(true) {
                if (!loop_init_5) {
                    uint _e24 = b;
                    b = _e24 + 1u;
                }
                loop_init_5 = false;
                uint _e14 = b;
                if (_e14 < N_STREAMS) {
                } else {
                    break;
                }
                {
                    float _e17 = largest;
                    uint _e18 = b;
                    float _e21 = m_1.inner[first + _e18];
                    largest = metal::max(_e17, _e21);
                }
            }
            sum_2 = 0.0;
            b_1 = 0u;
            bool loop_init_6 = true;
            while(true) {
                if (!loop_init_6) {
                    uint _e50 = b_1;
                    b_1 = _e50 + 1u;
                }
                loop_init_6 = false;
                uint _e30 = b_1;
                if (_e30 < N_STREAMS) {
                } else {
                    break;
                }
                {
                    uint _e33 = b_1;
                    uint _e36 = b_1;
                    float _e39 = m_1.inner[first + _e36];
                    float _e40 = largest;
                    m_1.inner[first + _e33] = metal::exp(_e39 - _e40);
                    float _e43 = sum_2;
                    uint _e44 = b_1;
                    float _e47 = m_1.inner[first + _e44];
                    sum_2 = _e43 + _e47;
                }
            }
            b_2 = 0u;
            bool loop_init_7 = true;
            while(true) {
                if (!loop_init_7) {
                    uint _e71 = b_2;
                    b_2 = _e71 + 1u;
                }
                loop_init_7 = false;
                uint _e54 = b_2;
                if (_e54 < N_STREAMS) {
                } else {
                    break;
                }
                {
                    uint _e57 = b_2;
                    uint _e60 = b_2;
                    float _e63 = m_1.inner[first + _e60];
                    float _e64 = sum_2;
                    float _e68 = p.eps;
                    m_1.inner[first + _e57] = (_e63 / _e64) + _e68;
                }
            }
        }
    }
    bool loop_init_8 = true;
    while(true) {
        if (!loop_init_8) {
            uint _e91 = iteration;
            iteration = _e91 + 1u;
        }
        loop_init_8 = false;
        uint _e78 = iteration;
        uint _e81 = p.n_iterations;
        if (_e78 < _e81) {
        } else {
            break;
        }
        {
            uint _e83 = iteration;
            if (_e83 > 0u) {
                normalise(m_1, N_STREAMS, 1u, p);
            }
            normalise(m_1, 1u, N_STREAMS, p);
        }
    }
    return;
}

void write_gates(
    uint token_3,
    float inverse_rms_3,
    constant Parameters& p,
    device type_2 const& projections,
    device type_2 const& base,
    device type_2 const& scale,
    device type_2& gates,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint j_1 = 0u;
    type_3 m_2 = {};
    uint i_3 = 0u;
    uint i_4 = 0u;
    uint first_1 = token_3 * 20u;
    bool loop_init_9 = true;
    while(true) {
        if (!loop_init_9) {
            uint _e22 = j_1;
            j_1 = _e22 + 1u;
        }
        loop_init_9 = false;
        uint _e6 = j_1;
        if (_e6 < N_STREAMS) {
        } else {
            break;
        }
        {
            uint _e10 = j_1;
            uint _e14 = j_1;
            float _e17 = gate_logit(token_3, N_STREAMS + _e14, inverse_rms_3, 1u, p, projections, base, scale, _buffer_sizes);
            float _e18 = sigmoid(_e17);
            gates[first_1 + _e10] = 2.0 * _e18;
        }
    }
    bool loop_init_10 = true;
    while(true) {
        if (!loop_init_10) {
            uint _e38 = i_3;
            i_3 = _e38 + 1u;
        }
        loop_init_10 = false;
        uint _e27 = i_3;
        if (_e27 < N_GATES) {
        } else {
            break;
        }
        {
            uint _e30 = i_3;
            uint _e33 = i_3;
            float _e36 = gate_logit(token_3, 8u + _e33, inverse_rms_3, 2u, p, projections, base, scale, _buffer_sizes);
            m_2.inner[_e30] = _e36;
        }
    }
    sinkhorn(m_2, p);
    bool loop_init_11 = true;
    while(true) {
        if (!loop_init_11) {
            uint _e55 = i_4;
            i_4 = _e55 + 1u;
        }
        loop_init_11 = false;
        uint _e42 = i_4;
        if (_e42 < N_GATES) {
        } else {
            break;
        }
        {
            uint _e48 = i_4;
            uint _e51 = i_4;
            float _e53 = m_2.inner[_e51];
            gates[(first_1 + N_STREAMS) + _e48] = _e53;
        }
    }
    return;
}

struct main_Input {
};
[[max_total_threads_per_threadgroup(256)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, constant Parameters& p [[user(fake0)]]
, device type_2& out [[user(fake0)]]
, device type_2 const& streams [[user(fake0)]]
, device type_2 const& projections [[user(fake0)]]
, device type_2 const& base [[user(fake0)]]
, device type_2 const& scale [[user(fake0)]]
, device type_2& gates [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    bool local = {};
    float _e3 = inverse_rms(workgroup.y, p, projections, _buffer_sizes);
    if (workgroup.x == 0u) {
        local = thread_ == 0u;
    } else {
        local = false;
    }
    bool _e12 = local;
    if (_e12) {
        write_gates(workgroup.y, _e3, p, projections, base, scale, gates, _buffer_sizes);
    }
    collapse(workgroup.y, (workgroup.x * 256u) + thread_, _e3, p, out, streams, projections, base, scale, _buffer_sizes);
    return;
}
