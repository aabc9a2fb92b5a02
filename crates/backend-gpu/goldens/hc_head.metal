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
};

struct Parameters {
    uint hidden_size;
    uint n_rows;
    uint n_iterations;
    float eps;
    float norm_eps;
};
typedef float type_2[1];
constant uint N_STREAMS = 4u;
constant float LARGEST_EXPONENT = 80.0;

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
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    float _e8 = inverse_rms(workgroup.y, p, projections, _buffer_sizes);
    collapse(workgroup.y, (workgroup.x * 256u) + thread_, _e8, p, out, streams, projections, base, scale, _buffer_sizes);
    return;
}
