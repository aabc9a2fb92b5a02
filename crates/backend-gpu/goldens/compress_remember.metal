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
    uint first_row;
    uint first_position;
    uint width;
    uint ratio;
    uint n_slots;
};
typedef float type_2[1];

struct main_Input {
};
[[max_total_threads_per_threadgroup(128)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, constant Parameters& p [[user(fake0)]]
, device type_2& state_values [[user(fake0)]]
, device type_2& state_scores [[user(fake0)]]
, device type_2 const& values [[user(fake0)]]
, device type_2 const& scores [[user(fake0)]]
, device type_2 const& ape [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    uint i = (workgroup.x * 128u) + thread_;
    uint _e8 = p.width;
    if (i >= _e8) {
        return;
    }
    uint _e12 = p.first_position;
    uint position = _e12 + workgroup.y;
    uint _e17 = p.n_slots;
    uint _e21 = p.width;
    uint slot = ((position % _e17) * _e21) + i;
    uint _e26 = p.first_row;
    uint _e31 = p.width;
    uint at = ((_e26 + workgroup.y) * _e31) + i;
    float _e38 = values[at];
    state_values[slot] = _e38;
    float _e43 = scores[at];
    uint _e47 = p.ratio;
    uint _e51 = p.width;
    float _e55 = ape[((position % _e47) * _e51) + i];
    state_scores[slot] = _e43 + _e55;
    return;
}
