// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size1;
    uint size2;
};

struct Parameters {
    uint n_heads;
    uint head_dim;
    uint n_pairs;
    float direction;
};
typedef float type_2[1];
typedef metal::float2 type_4[1];

struct main_Input {
};
[[max_total_threads_per_threadgroup(64)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, constant Parameters& p [[user(fake0)]]
, device type_2& x [[user(fake0)]]
, device type_4 const& angles [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    uint i = (workgroup.x * 64u) + thread_;
    uint _e8 = p.n_heads;
    uint _e11 = p.n_pairs;
    if (i >= (_e8 * _e11)) {
        return;
    }
    uint row = workgroup.y;
    uint _e17 = p.n_pairs;
    uint head = i / _e17;
    uint _e21 = p.n_pairs;
    uint pair = i % _e21;
    uint _e26 = p.n_pairs;
    metal::float2 angle = angles[(row * _e26) + pair];
    float _e34 = p.direction;
    float sine = angle.y * _e34;
    uint _e38 = p.n_heads;
    uint _e45 = p.head_dim;
    uint _e50 = p.n_pairs;
    uint at = ((((row * _e38) + head) + 1u) * _e45) - (2u * (_e50 - pair));
    float a = x[at];
    float b = x[at + 1u];
    x[at] = (a * angle.x) - (b * sine);
    x[at + 1u] = (a * sine) + (b * angle.x);
    return;
}
