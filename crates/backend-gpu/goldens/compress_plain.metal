// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size0;
    uint size4;
    uint size5;
    uint size6;
    uint size7;
    uint size8;
    uint size9;
    uint size10;
};

typedef uint type_1[1];
struct type_3 {
    float inner[128];
};
struct type_4 {
    float inner[8];
};
struct type_5 {
    float inner[1];
};
struct Parameters {
    uint first_row;
    uint first_position;
    uint first_window;
    uint bound_from;
    uint ratio;
    uint n_slots;
    uint n_pairs;
    float norm_eps;
};
typedef float type_7[1];
typedef metal::float2 type_9[1];
constant uint WIDTH = 128u;
constant uint WORKGROUP = 256u;
constant uint TEAM = 256u;
constant uint SUMS = 1u;
constant uint SUBGROUP = 32u;
constant uint OVERLAP = 1u;
constant uint INPUT_WIDTH = 256u;

void pack_row(
    uint row,
    uint thread_1,
    device type_1& rows,
    threadgroup type_3& row_values,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint i_2 = {};
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    i_2 = thread_1;
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e17 = i_2;
            i_2 = _e17 + WORKGROUP;
        }
        loop_init = false;
        uint _e3 = i_2;
        if (_e3 < WIDTH) {
        } else {
            break;
        }
        {
            uint _e9 = i_2;
            uint _e13 = i_2;
            float _e15 = row_values.inner[_e13];
            rows[(row * WIDTH) + _e9] = as_type<uint>(_e15);
        }
    }
    return;
}

void team_sums(
    thread type_5& values,
    uint thread_2,
    threadgroup type_4& team_partials
) {
    uint s = 0u;
    float sum = {};
    uint far = {};
    uint s_1 = 0u;
    uint s_2 = 0u;
    float sum_1 = {};
    uint i_3 = {};
    bool loop_init_1 = true;
    while(true) {
        if (!loop_init_1) {
            uint _e31 = s;
            s = _e31 + 1u;
        }
        loop_init_1 = false;
        uint _e4 = s;
        if (_e4 < SUMS) {
        } else {
            break;
        }
        {
            uint _e7 = s;
            float _e9 = values.inner[_e7];
            sum = _e9;
            if (true) {
                float _e12 = sum;
                float unnamed = metal::simd_sum(_e12);
                sum = unnamed;
            } else {
                far = 128u;
                bool loop_init_2 = true;
                while(true) {
                    if (!loop_init_2) {
                        uint _e24 = far;
                        far = _e24 >> 1u;
                    }
                    loop_init_2 = false;
                    uint _e16 = far;
                    if (_e16 > 0u) {
                    } else {
                        break;
                    }
                    {
                        float _e19 = sum;
                        float _e20 = sum;
                        uint _e21 = far;
                        float unnamed_1 = metal::simd_shuffle_xor(_e20, _e21);
                        sum = _e19 + unnamed_1;
                    }
                }
            }
            uint _e27 = s;
            float _e29 = sum;
            values.inner[_e27] = _e29;
        }
    }
    if (true) {
        metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
        if ((thread_2 % SUBGROUP) == 0u) {
            bool loop_init_3 = true;
            while(true) {
                if (!loop_init_3) {
                    uint _e55 = s_1;
                    s_1 = _e55 + 1u;
                }
                loop_init_3 = false;
                uint _e40 = s_1;
                if (_e40 < SUMS) {
                } else {
                    break;
                }
                {
                    uint _e48 = s_1;
                    uint _e51 = s_1;
                    float _e53 = values.inner[_e51];
                    team_partials.inner[((thread_2 / SUBGROUP) * SUMS) + _e48] = _e53;
                }
            }
        }
        metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
        uint first = (thread_2 / TEAM) * 8u;
        bool loop_init_4 = true;
        while(true) {
            if (!loop_init_4) {
                uint _e91 = s_2;
                s_2 = _e91 + 1u;
            }
            loop_init_4 = false;
            uint _e63 = s_2;
            if (_e63 < SUMS) {
            } else {
                break;
            }
            {
                sum_1 = 0.0;
                i_3 = 0u;
                bool loop_init_5 = true;
                while(true) {
                    if (!loop_init_5) {
                        uint _e85 = i_3;
                        i_3 = _e85 + 1u;
                    }
                    loop_init_5 = false;
                    uint _e70 = i_3;
                    if (_e70 < 8u) {
                    } else {
                        break;
                    }
                    {
                        float _e73 = sum_1;
                        uint _e75 = i_3;
                        uint _e79 = s_2;
                        float _e82 = team_partials.inner[((first + _e75) * SUMS) + _e79];
                        sum_1 = _e73 + _e82;
                    }
                }
                uint _e87 = s_2;
                float _e89 = sum_1;
                values.inner[_e87] = _e89;
            }
        }
        return;
    } else {
        return;
    }
}

float score_at(
    uint position,
    uint channel,
    constant Parameters& p,
    device type_7 const& state_scores,
    device type_7 const& scores,
    device type_7 const& ape,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint _e4 = p.first_position;
    if (position < _e4) {
        uint _e9 = p.n_slots;
        float _e15 = state_scores[((position % _e9) * INPUT_WIDTH) + channel];
        return _e15;
    }
    uint _e18 = p.first_row;
    uint _e22 = p.first_position;
    uint row_1 = (_e18 + position) - _e22;
    float _e29 = scores[(row_1 * INPUT_WIDTH) + channel];
    uint _e33 = p.ratio;
    float _e39 = ape[((position % _e33) * INPUT_WIDTH) + channel];
    return _e29 + _e39;
}

float value_at(
    uint position_1,
    uint channel_1,
    constant Parameters& p,
    device type_7 const& state_values,
    device type_7 const& values_1,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint _e4 = p.first_position;
    if (position_1 < _e4) {
        uint _e9 = p.n_slots;
        float _e15 = state_values[((position_1 % _e9) * INPUT_WIDTH) + channel_1];
        return _e15;
    }
    uint _e19 = p.first_row;
    uint _e23 = p.first_position;
    float _e29 = values_1[(((_e19 + position_1) - _e23) * INPUT_WIDTH) + channel_1];
    return _e29;
}

float pooled(
    uint window,
    uint channel_2,
    constant Parameters& p,
    device type_7 const& state_values,
    device type_7 const& state_scores,
    device type_7 const& values_1,
    device type_7 const& scores,
    device type_7 const& ape,
    constant _mslBufferSizes& _buffer_sizes
) {
    bool local = {};
    float largest = {};
    uint i_4 = 0u;
    float sum_2 = 0.0;
    float weights = 0.0;
    uint i_5 = 0u;
    uint _e4 = p.ratio;
    uint own = window * _e4;
    uint _e9 = p.ratio;
    if (true) {
        local = window > 0u;
    } else {
        local = false;
    }
    bool _e16 = local;
    uint n_previous = _e16 ? _e9 : 0u;
    uint first_1 = own - n_previous;
    uint _e21 = p.ratio;
    uint n = n_previous + _e21;
    float _e27 = score_at(own, (channel_2 + INPUT_WIDTH) - WIDTH, p, state_scores, scores, ape, _buffer_sizes);
    largest = _e27;
    bool loop_init_6 = true;
    while(true) {
        if (!loop_init_6) {
            uint _e46 = i_4;
            i_4 = _e46 + 1u;
        }
        loop_init_6 = false;
        uint _e31 = i_4;
        if (_e31 < n) {
        } else {
            break;
        }
        {
            uint _e37 = i_4;
            uint at = (_e37 < n_previous) ? channel_2 : ((channel_2 + INPUT_WIDTH) - WIDTH);
            float _e40 = largest;
            uint _e41 = i_4;
            float _e43 = score_at(first_1 + _e41, at, p, state_scores, scores, ape, _buffer_sizes);
            largest = metal::max(_e40, _e43);
        }
    }
    bool loop_init_7 = true;
    while(true) {
        if (!loop_init_7) {
            uint _e78 = i_5;
            i_5 = _e78 + 1u;
        }
        loop_init_7 = false;
        uint _e54 = i_5;
        if (_e54 < n) {
        } else {
            break;
        }
        {
            uint _e60 = i_5;
            uint at_1 = (_e60 < n_previous) ? channel_2 : ((channel_2 + INPUT_WIDTH) - WIDTH);
            uint _e63 = i_5;
            float _e65 = score_at(first_1 + _e63, at_1, p, state_scores, scores, ape, _buffer_sizes);
            float _e66 = largest;
            float weight = metal::exp(_e65 - _e66);
            float _e69 = sum_2;
            uint _e70 = i_5;
            float _e72 = value_at(first_1 + _e70, at_1, p, state_values, values_1, _buffer_sizes);
            sum_2 = _e69 + (weight * _e72);
            float _e75 = weights;
            weights = _e75 + weight;
        }
    }
    float _e80 = sum_2;
    float _e81 = weights;
    return _e80 / _e81;
}

struct main_Input {
};
[[max_total_threads_per_threadgroup(256)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, device type_1& rows [[user(fake0)]]
, threadgroup type_3& row_values
, threadgroup type_4& team_partials
, constant Parameters& p [[user(fake0)]]
, device type_7 const& state_values [[user(fake0)]]
, device type_7 const& state_scores [[user(fake0)]]
, device type_7 const& values_1 [[user(fake0)]]
, device type_7 const& scores [[user(fake0)]]
, device type_7 const& ape [[user(fake0)]]
, device type_7 const& gain [[user(fake0)]]
, device type_9 const& angles [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    type_5 squares = {};
    uint i = {};
    uint i_1 = {};
    uint pair = {};
    uint _e4 = p.first_window;
    uint window_1 = _e4 + workgroup.x;
    i = thread_;
    bool loop_init_8 = true;
    while(true) {
        if (!loop_init_8) {
            uint _e21 = i;
            i = _e21 + WORKGROUP;
        }
        loop_init_8 = false;
        uint _e9 = i;
        if (_e9 < WIDTH) {
        } else {
            break;
        }
        {
            uint _e12 = i;
            float _e13 = pooled(window_1, _e12, p, state_values, state_scores, values_1, scores, ape, _buffer_sizes);
            uint _e15 = i;
            row_values.inner[_e15] = _e13;
            float _e18 = squares.inner[0];
            squares.inner[0] = _e18 + (_e13 * _e13);
        }
    }
    team_sums(squares, thread_, team_partials);
    float _e25 = squares.inner[0];
    float _e30 = p.norm_eps;
    float scale = 1.0 / metal::sqrt((_e25 / 128.0) + _e30);
    i_1 = thread_;
    bool loop_init_9 = true;
    while(true) {
        if (!loop_init_9) {
            uint _e49 = i_1;
            i_1 = _e49 + WORKGROUP;
        }
        loop_init_9 = false;
        uint _e36 = i_1;
        if (_e36 < WIDTH) {
        } else {
            break;
        }
        {
            uint _e40 = i_1;
            float _e42 = row_values.inner[_e40];
            uint _e44 = i_1;
            float _e46 = gain[_e44];
            row_values.inner[_e40] = _e42 * (scale * _e46);
        }
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    pair = thread_;
    bool loop_init_10 = true;
    while(true) {
        if (!loop_init_10) {
            uint _e101 = pair;
            pair = _e101 + WORKGROUP;
        }
        loop_init_10 = false;
        uint _e53 = pair;
        uint _e56 = p.n_pairs;
        if (_e53 < _e56) {
        } else {
            break;
        }
        {
            uint _e62 = p.n_pairs;
            uint _e64 = pair;
            metal::float2 angle = angles[(workgroup.x * _e62) + _e64];
            uint _e72 = p.n_pairs;
            uint _e73 = pair;
            uint at_2 = WIDTH - (2u * (_e72 - _e73));
            float a = row_values.inner[at_2];
            float b = row_values.inner[at_2 + 1u];
            row_values.inner[at_2] = (a * angle.x) - (b * angle.y);
            row_values.inner[at_2 + 1u] = (a * angle.y) + (b * angle.x);
        }
    }
    uint _e106 = p.bound_from;
    pack_row(window_1 - _e106, thread_, rows, row_values, _buffer_sizes);
    return;
}
