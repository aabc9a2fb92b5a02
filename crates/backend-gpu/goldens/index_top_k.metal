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
    uint n_inputs;
};
typedef uint type_1[1];
struct type_3 {
    metal::atomic_uint inner[256];
};
struct type_5 {
    metal::uint2 inner[256];
};
struct type_6 {
    metal::uint2 inner[16];
};
struct type_7 {
    uint inner[4];
};
constant uint WORKGROUP = 256u;
constant uint STRETCH = 4u;
constant uint FIRST = 1u;
constant uint LAST = 1u;
constant uint CHUNK = 1024u;
constant uint NO_ROW = 4294967295u;

uint key_at(
    uint index,
    device type_1 const& inputs,
    constant _mslBufferSizes& _buffer_sizes
) {
    if (false) {
        uint _e6 = inputs[2u * index];
        return _e6;
    }
    uint bits = inputs[index];
    return bits ^ (((bits >> 31u) == 1u) ? 4294967295u : 2147483648u);
}

uint row_at(
    uint first,
    uint i_5,
    device type_1 const& inputs,
    constant _mslBufferSizes& _buffer_sizes
) {
    if (false) {
        uint _e10 = inputs[(2u * (first + i_5)) + 1u];
        return _e10;
    }
    return i_5;
}

void put_candidate(
    uint at,
    uint key,
    uint row,
    device type_1& chosen,
    constant _mslBufferSizes& _buffer_sizes
) {
    chosen[2u * at] = key;
    chosen[(2u * at) + 1u] = row;
    return;
}

metal::uint2 sum_in_front(
    metal::uint2 addend,
    uint n,
    uint thread_1,
    threadgroup type_5& addends,
    threadgroup type_6& sixteens
) {
    metal::uint2 sum = metal::uint2(0u);
    uint i_6 = 0u;
    uint first_1 = 0u;
    uint i_7 = {};
    addends.inner[thread_1] = addend;
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    uint sixteen = thread_1 / 16u;
    if (thread_1 < n) {
        bool loop_init = true;
        while(true) {
            if (!loop_init) {
                uint _e33 = i_6;
                i_6 = _e33 + 1u;
            }
            loop_init = false;
            uint _e13 = i_6;
            if (_e13 < 15u) {
            } else {
                break;
            }
            {
                metal::uint2 _e16 = sum;
                uint _e22 = i_6;
                metal::uint2 _e25 = addends.inner[(16u * sixteen) + _e22];
                uint _e26 = i_6;
                sum = _e16 + ((_e26 < (thread_1 % 16u)) ? _e25 : metal::uint2(0u));
            }
        }
        if ((thread_1 % 16u) == 15u) {
            metal::uint2 _e41 = sum;
            sixteens.inner[sixteen] = _e41 + addend;
        }
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    if (thread_1 < n) {
        bool loop_init_1 = true;
        while(true) {
            if (!loop_init_1) {
                uint _e71 = first_1;
                first_1 = _e71 + 16u;
            }
            loop_init_1 = false;
            uint _e46 = first_1;
            if (_e46 < sixteen) {
            } else {
                break;
            }
            {
                i_7 = 0u;
                bool loop_init_2 = true;
                while(true) {
                    if (!loop_init_2) {
                        uint _e69 = i_7;
                        i_7 = _e69 + 1u;
                    }
                    loop_init_2 = false;
                    uint _e50 = i_7;
                    if (_e50 < 16u) {
                    } else {
                        break;
                    }
                    {
                        metal::uint2 _e53 = sum;
                        uint _e57 = first_1;
                        uint _e58 = i_7;
                        metal::uint2 _e61 = sixteens.inner[_e57 + _e58];
                        uint _e62 = first_1;
                        uint _e63 = i_7;
                        sum = _e53 + (((_e62 + _e63) < sixteen) ? _e61 : metal::uint2(0u));
                    }
                }
            }
        }
    }
    metal::uint2 _e74 = sum;
    return _e74;
}

void narrow(
    thread type_7& keys_1,
    uint n_own,
    uint shift,
    uint thread_2,
    threadgroup type_3& counts,
    threadgroup uint& found_key,
    threadgroup uint& found_rest,
    threadgroup type_5& addends,
    threadgroup type_6& sixteens
) {
    uint i_8 = 0u;
    bool local_3 = {};
    bool local_4 = {};
    if (thread_2 < 256u) {
        metal::atomic_store_explicit(&counts.inner[thread_2], 0u, metal::memory_order_relaxed);
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    uint known = found_key;
    uint rest = found_rest;
    uint mask = (shift == 24u) ? 0u : (4294967295u << (shift + 8u));
    bool loop_init_3 = true;
    while(true) {
        if (!loop_init_3) {
            uint _e45 = i_8;
            i_8 = _e45 + 1u;
        }
        loop_init_3 = false;
        uint _e23 = i_8;
        if (_e23 < STRETCH) {
        } else {
            break;
        }
        {
            uint _e26 = i_8;
            uint key_1 = keys_1.inner[_e26];
            uint _e29 = i_8;
            if (_e29 < n_own) {
                local_3 = (key_1 & mask) == known;
            } else {
                local_3 = false;
            }
            bool _e36 = local_3;
            if (_e36) {
                uint _e43 = metal::atomic_fetch_add_explicit(&counts.inner[(key_1 >> shift) & 255u], 1u, metal::memory_order_relaxed);
            }
        }
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    uint digit = 255u - metal::min(thread_2, 255u);
    uint _e54 = metal::atomic_load_explicit(&counts.inner[digit], metal::memory_order_relaxed);
    uint count = (thread_2 < 256u) ? _e54 : 0u;
    metal::uint2 _e61 = sum_in_front(metal::uint2(count, 0u), 256u, thread_2, addends, sixteens);
    uint larger = _e61.x;
    if (larger < rest) {
        local_4 = rest <= (larger + count);
    } else {
        local_4 = false;
    }
    bool _e69 = local_4;
    if (_e69) {
        found_key = known | (digit << shift);
        found_rest = rest - larger;
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    return;
}

struct main_Input {
};
[[max_total_threads_per_threadgroup(256)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, metal::uint3 grid [[threadgroups_per_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, constant Parameters& p [[user(fake0)]]
, device type_1& chosen [[user(fake0)]]
, device type_1 const& inputs [[user(fake0)]]
, threadgroup type_3& counts
, threadgroup uint& found_key
, threadgroup uint& found_rest
, threadgroup type_5& addends
, threadgroup type_6& sixteens
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    uint out = {};
    uint i = {};
    bool local = {};
    uint i_1 = {};
    type_7 keys = {};
    uint i_2 = 0u;
    uint step = 0u;
    metal::uint2 n_found = metal::uint2(0u);
    uint i_3 = 0u;
    uint rank = {};
    uint i_4 = 0u;
    bool local_1 = {};
    bool local_2 = {};
    uint token = workgroup.y;
    uint _e6 = p.first_position;
    uint _e12 = p.ratio;
    uint visible = ((_e6 + token) + 1u) / _e12;
    uint _e20 = p.top_k;
    out = ((token * grid.x) + workgroup.x) * _e20;
    if (true) {
        uint _e26 = p.first_row;
        uint _e31 = p.top_k;
        out = ((_e26 + token) * (1u + _e31)) + 1u;
        if (thread_ == 0u) {
            uint _e39 = out;
            uint _e45 = p.top_k;
            chosen[_e39 - 1u] = metal::min(visible, _e45);
        }
    }
    uint _e49 = p.top_k;
    if (visible <= _e49) {
        if (true) {
            i = thread_;
            bool loop_init_4 = true;
            while(true) {
                if (!loop_init_4) {
                    uint _e61 = i;
                    i = _e61 + WORKGROUP;
                }
                loop_init_4 = false;
                uint _e53 = i;
                if (_e53 < visible) {
                } else {
                    break;
                }
                {
                    uint _e56 = out;
                    uint _e57 = i;
                    uint _e60 = i;
                    chosen[_e56 + _e57] = _e60;
                }
            }
        }
        return;
    }
    uint _e66 = p.n_inputs;
    uint n_inputs = true ? visible : _e66;
    uint begin = metal::min(workgroup.x * CHUNK, n_inputs);
    uint n_keys = metal::min(n_inputs - begin, CHUNK);
    uint _e78 = p.n_inputs;
    uint first_2 = token * _e78;
    if (false) {
        uint _e85 = p.top_k;
        local = n_keys <= _e85;
    } else {
        local = false;
    }
    bool _e88 = local;
    if (_e88) {
        i_1 = thread_;
        bool loop_init_5 = true;
        while(true) {
            if (!loop_init_5) {
                uint _e112 = i_1;
                i_1 = _e112 + WORKGROUP;
            }
            loop_init_5 = false;
            uint _e90 = i_1;
            uint _e93 = p.top_k;
            if (_e90 < _e93) {
            } else {
                break;
            }
            {
                uint _e95 = i_1;
                if (_e95 < n_keys) {
                    uint _e97 = out;
                    uint _e98 = i_1;
                    uint _e101 = i_1;
                    uint _e103 = key_at((first_2 + begin) + _e101, inputs, _buffer_sizes);
                    uint _e104 = i_1;
                    uint _e106 = row_at(first_2, begin + _e104, inputs, _buffer_sizes);
                    put_candidate(_e97 + _e98, _e103, _e106, chosen, _buffer_sizes);
                } else {
                    uint _e107 = out;
                    uint _e108 = i_1;
                    put_candidate(_e107 + _e108, 0u, NO_ROW, chosen, _buffer_sizes);
                }
            }
        }
        return;
    }
    if (thread_ == 0u) {
        found_key = 0u;
        uint _e122 = p.top_k;
        found_rest = _e122;
    }
    uint stretch = ((n_keys + WORKGROUP) - 1u) / WORKGROUP;
    uint own = begin + metal::min(thread_ * stretch, n_keys);
    uint n_own_1 = metal::min(stretch, (begin + n_keys) - own);
    bool loop_init_6 = true;
    while(true) {
        if (!loop_init_6) {
            uint _e150 = i_2;
            i_2 = _e150 + 1u;
        }
        loop_init_6 = false;
        uint _e138 = i_2;
        if (_e138 < STRETCH) {
        } else {
            break;
        }
        {
            uint _e141 = i_2;
            if (_e141 < n_own_1) {
                uint _e143 = i_2;
                uint _e146 = i_2;
                uint _e148 = key_at((first_2 + own) + _e146, inputs, _buffer_sizes);
                keys.inner[_e143] = _e148;
            }
        }
    }
    bool loop_init_7 = true;
    while(true) {
        if (!loop_init_7) {
            uint _e163 = step;
            step = _e163 + 1u;
        }
        loop_init_7 = false;
        uint _e154 = step;
        if (_e154 < 4u) {
        } else {
            break;
        }
        {
            uint _e159 = step;
            narrow(keys, n_own_1, 24u - (8u * _e159), thread_, counts, found_key, found_rest, addends, sixteens);
        }
    }
    bool loop_init_8 = true;
    while(true) {
        if (!loop_init_8) {
            uint _e193 = i_3;
            i_3 = _e193 + 1u;
        }
        loop_init_8 = false;
        uint _e170 = i_3;
        if (_e170 < STRETCH) {
        } else {
            break;
        }
        {
            uint _e173 = i_3;
            if (_e173 < n_own_1) {
                metal::uint2 _e175 = n_found;
                uint _e176 = i_3;
                uint _e178 = keys.inner[_e176];
                uint _e180 = found_key;
                uint _e183 = i_3;
                uint _e185 = keys.inner[_e183];
                uint _e187 = found_key;
                n_found = _e175 + metal::uint2(static_cast<uint>(_e178 > _e180), static_cast<uint>(_e185 == _e187));
            }
        }
    }
    metal::uint2 _e195 = n_found;
    metal::uint2 _e197 = sum_in_front(_e195, WORKGROUP, thread_, addends, sixteens);
    uint _e198 = out;
    uint _e202 = found_rest;
    out = _e198 + (_e197.x + metal::min(_e197.y, _e202));
    rank = _e197.y;
    bool loop_init_9 = true;
    while(true) {
        if (!loop_init_9) {
            uint _e261 = i_4;
            i_4 = _e261 + 1u;
        }
        loop_init_9 = false;
        uint _e210 = i_4;
        if (_e210 < STRETCH) {
        } else {
            break;
        }
        {
            uint _e213 = i_4;
            if (_e213 < n_own_1) {
                uint _e215 = i_4;
                uint _e217 = keys.inner[_e215];
                uint _e219 = found_key;
                bool is_equal = _e217 == _e219;
                uint _e221 = i_4;
                uint _e223 = keys.inner[_e221];
                uint _e225 = found_key;
                if (!((_e223 > _e225))) {
                    if (is_equal) {
                        uint _e232 = rank;
                        uint _e234 = found_rest;
                        local_2 = _e232 < _e234;
                    } else {
                        local_2 = false;
                    }
                    bool _e237 = local_2;
                    local_1 = _e237;
                } else {
                    local_1 = true;
                }
                bool _e239 = local_1;
                if (_e239) {
                    if (true) {
                        uint _e242 = out;
                        uint _e244 = i_4;
                        uint _e246 = row_at(first_2, own + _e244, inputs, _buffer_sizes);
                        chosen[_e242] = _e246;
                    } else {
                        uint _e247 = out;
                        uint _e248 = i_4;
                        uint _e250 = keys.inner[_e248];
                        uint _e251 = i_4;
                        uint _e253 = row_at(first_2, own + _e251, inputs, _buffer_sizes);
                        put_candidate(_e247, _e250, _e253, chosen, _buffer_sizes);
                    }
                    uint _e254 = out;
                    out = _e254 + 1u;
                }
                uint _e257 = rank;
                rank = _e257 + static_cast<uint>(is_equal);
            }
        }
    }
    return;
}
