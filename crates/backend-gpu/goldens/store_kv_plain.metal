// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size1;
    uint size3;
};

struct type_2 {
    float inner[512];
};
typedef uint type_3[1];
struct Parameters {
    uint first_row;
    uint first_position;
    uint capacity;
};
typedef float type_4[1];
constant uint WIDTH = 512u;
constant uint WORKGROUP = 128u;

void pack_row(
    uint row,
    uint thread_1,
    threadgroup type_2& row_values,
    device type_3& rows,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint i_1 = {};
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    i_1 = thread_1;
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e17 = i_1;
            i_1 = _e17 + WORKGROUP;
        }
        loop_init = false;
        uint _e3 = i_1;
        if (_e3 < WIDTH) {
        } else {
            break;
        }
        {
            uint _e9 = i_1;
            uint _e13 = i_1;
            float _e15 = row_values.inner[_e13];
            rows[(row * WIDTH) + _e9] = as_type<uint>(_e15);
        }
    }
    return;
}

struct main_Input {
};
[[max_total_threads_per_threadgroup(128)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, threadgroup type_2& row_values
, device type_3& rows [[user(fake0)]]
, constant Parameters& p [[user(fake0)]]
, device type_4 const& kv [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    uint i = {};
    uint _e4 = p.first_row;
    uint first = (_e4 + workgroup.x) * WIDTH;
    i = thread_;
    bool loop_init_1 = true;
    while(true) {
        if (!loop_init_1) {
            uint _e21 = i;
            i = _e21 + WORKGROUP;
        }
        loop_init_1 = false;
        uint _e10 = i;
        if (_e10 < WIDTH) {
        } else {
            break;
        }
        {
            uint _e14 = i;
            uint _e17 = i;
            float _e20 = kv[first + _e17];
            row_values.inner[_e14] = _e20;
        }
    }
    uint _e26 = p.first_position;
    uint _e31 = p.capacity;
    pack_row((_e26 + workgroup.x) % _e31, thread_, row_values, rows, _buffer_sizes);
    return;
}
