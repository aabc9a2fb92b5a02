// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size1;
};

struct Parameters {
    uint step;
};
typedef uint type_1[1];

[[max_total_threads_per_threadgroup(1)]] kernel void main_(
  constant Parameters& p [[user(fake0)]]
, device type_1& count [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    uint _e2 = count[0];
    uint _e5 = p.step;
    count[0] = _e2 + _e5;
    return;
}
