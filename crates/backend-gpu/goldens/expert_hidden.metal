// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size1;
    uint size2;
    uint size3;
};

struct Parameters {
    uint width;
    float limit;
};
typedef float type_2[1];
constant float LARGEST_EXPONENT = 80.0;

float swiglu(
    float gate,
    float up,
    float limit
) {
    float clamped = metal::min(gate, limit);
    float silu = clamped / (1.0 + metal::exp(metal::min(-(clamped), LARGEST_EXPONENT)));
    return silu * metal::clamp(up, -(limit), limit);
}

struct main_Input {
};
[[max_total_threads_per_threadgroup(256)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, constant Parameters& p [[user(fake0)]]
, device type_2& gate_1 [[user(fake0)]]
, device type_2 const& up_1 [[user(fake0)]]
, device type_2 const& weights [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    uint i = (workgroup.x * 256u) + thread_;
    uint _e8 = p.width;
    if (i < _e8) {
        uint _e13 = p.width;
        uint at = (workgroup.y * _e13) + i;
        float _e20 = gate_1[at];
        float _e23 = up_1[at];
        float _e26 = p.limit;
        float _e27 = swiglu(_e20, _e23, _e26);
        float _e31 = weights[workgroup.y];
        gate_1[at] = _e27 * _e31;
        return;
    } else {
        return;
    }
}
