// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size1;
    uint size2;
};

struct Parameters {
    uint first_row;
    uint first_position;
    uint ratio;
    uint top_k;
    uint n_scores;
};
typedef uint type_1[1];
typedef float type_3[1];
struct type_5 {
    metal::atomic_uint inner[256];
};
struct type_6 {
    uint inner[256];
};

uint key_at(
    uint index,
    device type_3 const& scores,
    constant _mslBufferSizes& _buffer_sizes
) {
    float _e3 = scores[index];
    uint bits = as_type<uint>(_e3);
    return bits ^ (((bits >> 31u) == 1u) ? 4294967295u : 2147483648u);
}

void narrow(
    uint first,
    uint visible,
    uint shift,
    uint thread_1,
    device type_3 const& scores,
    threadgroup type_5& counts,
    threadgroup uint& found_key,
    threadgroup uint& found_rest,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint i_3 = {};
    uint rest = {};
    uint digit = 255u;
    uint count = {};
    metal::atomic_store_explicit(&counts.inner[thread_1], 0u, metal::memory_order_relaxed);
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    uint known = found_key;
    uint mask = (shift == 24u) ? 0u : (4294967295u << (shift + 8u));
    i_3 = thread_1;
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e32 = i_3;
            i_3 = _e32 + 256u;
        }
        loop_init = false;
        uint _e18 = i_3;
        if (_e18 < visible) {
        } else {
            break;
        }
        {
            uint _e20 = i_3;
            uint _e22 = key_at(first + _e20, scores, _buffer_sizes);
            if ((_e22 & mask) == known) {
                uint _e31 = metal::atomic_fetch_add_explicit(&counts.inner[(_e22 >> shift) & 255u], 1u, metal::memory_order_relaxed);
            }
        }
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    if (thread_1 == 0u) {
        uint _e38 = found_rest;
        rest = _e38;
        uint _e43 = digit;
        uint _e45 = metal::atomic_load_explicit(&counts.inner[_e43], metal::memory_order_relaxed);
        count = _e45;
        while(true) {
            uint _e47 = count;
            uint _e48 = rest;
            if (_e47 < _e48) {
            } else {
                break;
            }
            {
                uint _e50 = rest;
                uint _e51 = count;
                rest = _e50 - _e51;
                uint _e53 = digit;
                digit = _e53 - 1u;
                uint _e57 = digit;
                uint _e59 = metal::atomic_load_explicit(&counts.inner[_e57], metal::memory_order_relaxed);
                count = _e59;
            }
        }
        uint _e61 = digit;
        found_key = known | (_e61 << shift);
        uint _e65 = rest;
        found_rest = _e65;
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    return;
}

void write_choices(
    uint out,
    uint first_1,
    metal::uint2 rows,
    uint above_1,
    uint equal_1,
    device type_1& selection,
    device type_3 const& scores,
    threadgroup uint& found_key,
    threadgroup uint& found_rest,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint n_written = {};
    uint rank = {};
    uint i_4 = {};
    bool local = {};
    bool local_1 = {};
    uint _e6 = found_rest;
    n_written = above_1 + metal::min(equal_1, _e6);
    rank = equal_1;
    i_4 = rows.x;
    bool loop_init_1 = true;
    while(true) {
        if (!loop_init_1) {
            uint _e52 = i_4;
            i_4 = _e52 + 1u;
        }
        loop_init_1 = false;
        uint _e13 = i_4;
        if (_e13 < rows.y) {
        } else {
            break;
        }
        {
            uint _e16 = i_4;
            uint _e18 = key_at(first_1 + _e16, scores, _buffer_sizes);
            uint _e20 = found_key;
            bool is_equal = _e18 == _e20;
            uint _e23 = found_key;
            if (!((_e18 > _e23))) {
                if (is_equal) {
                    uint _e30 = rank;
                    uint _e32 = found_rest;
                    local_1 = _e30 < _e32;
                } else {
                    local_1 = false;
                }
                bool _e35 = local_1;
                local = _e35;
            } else {
                local = true;
            }
            bool _e37 = local;
            if (_e37) {
                uint _e41 = n_written;
                uint _e44 = i_4;
                selection[(out + 1u) + _e41] = _e44;
                uint _e45 = n_written;
                n_written = _e45 + 1u;
            }
            uint _e48 = rank;
            rank = _e48 + static_cast<uint>(is_equal);
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
, device type_1& selection [[user(fake0)]]
, device type_3 const& scores [[user(fake0)]]
, threadgroup type_5& counts
, threadgroup uint& found_key
, threadgroup uint& found_rest
, threadgroup type_6& n_above
, threadgroup type_6& n_equal
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    uint i = {};
    uint above = 0u;
    uint equal = 0u;
    uint i_1 = {};
    uint i_2 = 0u;
    uint _e4 = p.first_position;
    uint _e11 = p.ratio;
    uint visible_1 = ((_e4 + workgroup.x) + 1u) / _e11;
    uint _e15 = p.first_row;
    uint _e21 = p.top_k;
    uint out_1 = (_e15 + workgroup.x) * (1u + _e21);
    if (thread_ == 0u) {
        uint _e30 = p.top_k;
        selection[out_1] = metal::min(visible_1, _e30);
        found_key = 0u;
        uint _e37 = p.top_k;
        found_rest = _e37;
    }
    uint _e40 = p.top_k;
    if (visible_1 <= _e40) {
        i = thread_;
        bool loop_init_2 = true;
        while(true) {
            if (!loop_init_2) {
                uint _e52 = i;
                i = _e52 + 256u;
            }
            loop_init_2 = false;
            uint _e43 = i;
            if (_e43 < visible_1) {
            } else {
                break;
            }
            {
                uint _e48 = i;
                uint _e51 = i;
                selection[(out_1 + 1u) + _e48] = _e51;
            }
        }
        return;
    }
    uint _e58 = p.n_scores;
    uint first_2 = workgroup.x * _e58;
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    narrow(first_2, visible_1, 24u, thread_, scores, counts, found_key, found_rest, _buffer_sizes);
    narrow(first_2, visible_1, 16u, thread_, scores, counts, found_key, found_rest, _buffer_sizes);
    narrow(first_2, visible_1, 8u, thread_, scores, counts, found_key, found_rest, _buffer_sizes);
    narrow(first_2, visible_1, 0u, thread_, scores, counts, found_key, found_rest, _buffer_sizes);
    uint stretch = (visible_1 + 255u) / 256u;
    metal::uint2 rows_1 = metal::uint2(metal::min(thread_ * stretch, visible_1), metal::min((thread_ + 1u) * stretch, visible_1));
    i_1 = rows_1.x;
    bool loop_init_3 = true;
    while(true) {
        if (!loop_init_3) {
            uint _e100 = i_1;
            i_1 = _e100 + 1u;
        }
        loop_init_3 = false;
        uint _e81 = i_1;
        if (_e81 < rows_1.y) {
        } else {
            break;
        }
        {
            uint _e84 = i_1;
            uint _e86 = key_at(first_2 + _e84, scores, _buffer_sizes);
            uint _e87 = above;
            uint _e89 = found_key;
            above = _e87 + static_cast<uint>(_e86 > _e89);
            uint _e93 = equal;
            uint _e95 = found_key;
            equal = _e93 + static_cast<uint>(_e86 == _e95);
        }
    }
    uint _e104 = above;
    n_above.inner[thread_] = _e104;
    uint _e107 = equal;
    n_equal.inner[thread_] = _e107;
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    above = 0u;
    equal = 0u;
    bool loop_init_4 = true;
    while(true) {
        if (!loop_init_4) {
            uint _e127 = i_2;
            i_2 = _e127 + 1u;
        }
        loop_init_4 = false;
        uint _e112 = i_2;
        if (_e112 < thread_) {
        } else {
            break;
        }
        {
            uint _e114 = above;
            uint _e116 = i_2;
            uint _e118 = n_above.inner[_e116];
            above = _e114 + _e118;
            uint _e120 = equal;
            uint _e122 = i_2;
            uint _e124 = n_equal.inner[_e122];
            equal = _e120 + _e124;
        }
    }
    uint _e129 = above;
    uint _e130 = equal;
    write_choices(out_1, first_2, rows_1, _e129, _e130, selection, scores, found_key, found_rest, _buffer_sizes);
    return;
}
