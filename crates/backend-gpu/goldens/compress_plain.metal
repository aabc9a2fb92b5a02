// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size1;
    uint size4;
    uint size5;
    uint size6;
    uint size7;
    uint size8;
    uint size9;
    uint size10;
};

struct type_2 {
    float inner[128];
};
typedef uint type_3[1];
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
typedef float type_8[1];
typedef metal::float2 type_10[1];
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
    threadgroup type_2& row_values,
    device type_3& rows,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint i = {};
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    i = thread_1;
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e17 = i;
            i = _e17 + WORKGROUP;
        }
        loop_init = false;
        uint _e3 = i;
        if (_e3 < WIDTH) {
        } else {
            break;
        }
        {
            uint _e9 = i;
            uint _e13 = i;
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
    uint i_1 = {};
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
                i_1 = 0u;
                bool loop_init_5 = true;
                while(true) {
                    if (!loop_init_5) {
                        uint _e85 = i_1;
                        i_1 = _e85 + 1u;
                    }
                    loop_init_5 = false;
                    uint _e70 = i_1;
                    if (_e70 < 8u) {
                    } else {
                        break;
                    }
                    {
                        float _e73 = sum_1;
                        uint _e75 = i_1;
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

void turn_pair(
    uint pair,
    metal::float2 angle,
    threadgroup type_2& row_values,
    constant Parameters& p
) {
    uint _e6 = p.n_pairs;
    uint at = WIDTH - (2u * (_e6 - pair));
    float a = row_values.inner[at];
    float b = row_values.inner[at + 1u];
    row_values.inner[at] = (a * angle.x) - (b * angle.y);
    row_values.inner[at + 1u] = (a * angle.y) + (b * angle.x);
    return;
}

float score_at(
    uint position,
    uint channel,
    uint n_slots,
    constant Parameters& p,
    device type_8 const& state_scores,
    device type_8 const& scores,
    device type_8 const& ape,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint _e5 = p.first_position;
    if (position < _e5) {
        float _e13 = state_scores[((position % n_slots) * INPUT_WIDTH) + channel];
        return _e13;
    }
    uint _e16 = p.first_row;
    uint _e20 = p.first_position;
    uint row_1 = (_e16 + position) - _e20;
    float _e27 = scores[(row_1 * INPUT_WIDTH) + channel];
    uint _e31 = p.ratio;
    float _e37 = ape[((position % _e31) * INPUT_WIDTH) + channel];
    return _e27 + _e37;
}

float value_at(
    uint position_1,
    uint channel_1,
    uint n_slots_1,
    constant Parameters& p,
    device type_8 const& state_values,
    device type_8 const& values_1,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint _e5 = p.first_position;
    if (position_1 < _e5) {
        float _e13 = state_values[((position_1 % n_slots_1) * INPUT_WIDTH) + channel_1];
        return _e13;
    }
    uint _e17 = p.first_row;
    uint _e21 = p.first_position;
    float _e27 = values_1[(((_e17 + position_1) - _e21) * INPUT_WIDTH) + channel_1];
    return _e27;
}

float pooled(
    uint window,
    uint channel_2,
    uint n_slots_2,
    constant Parameters& p,
    device type_8 const& state_scores,
    device type_8 const& scores,
    device type_8 const& ape,
    device type_8 const& state_values,
    device type_8 const& values_1,
    constant _mslBufferSizes& _buffer_sizes
) {
    bool local = {};
    float largest = {};
    uint i_2 = 0u;
    float sum_2 = 0.0;
    float weights = 0.0;
    uint i_3 = 0u;
    uint _e5 = p.ratio;
    uint own = window * _e5;
    uint _e10 = p.ratio;
    if (true) {
        local = window > 0u;
    } else {
        local = false;
    }
    bool _e17 = local;
    uint n_previous = _e17 ? _e10 : 0u;
    uint first_1 = own - n_previous;
    uint _e22 = p.ratio;
    uint n = n_previous + _e22;
    float _e28 = score_at(own, (channel_2 + INPUT_WIDTH) - WIDTH, n_slots_2, p, state_scores, scores, ape, _buffer_sizes);
    largest = _e28;
    bool loop_init_6 = true;
    while(true) {
        if (!loop_init_6) {
            uint _e47 = i_2;
            i_2 = _e47 + 1u;
        }
        loop_init_6 = false;
        uint _e32 = i_2;
        if (_e32 < n) {
        } else {
            break;
        }
        {
            uint _e38 = i_2;
            uint at_1 = (_e38 < n_previous) ? channel_2 : ((channel_2 + INPUT_WIDTH) - WIDTH);
            float _e41 = largest;
            uint _e42 = i_2;
            float _e44 = score_at(first_1 + _e42, at_1, n_slots_2, p, state_scores, scores, ape, _buffer_sizes);
            largest = metal::max(_e41, _e44);
        }
    }
    bool loop_init_7 = true;
    while(true) {
        if (!loop_init_7) {
            uint _e79 = i_3;
            i_3 = _e79 + 1u;
        }
        loop_init_7 = false;
        uint _e55 = i_3;
        if (_e55 < n) {
        } else {
            break;
        }
        {
            uint _e61 = i_3;
            uint at_2 = (_e61 < n_previous) ? channel_2 : ((channel_2 + INPUT_WIDTH) - WIDTH);
            uint _e64 = i_3;
            float _e66 = score_at(first_1 + _e64, at_2, n_slots_2, p, state_scores, scores, ape, _buffer_sizes);
            float _e67 = largest;
            float weight = metal::exp(_e66 - _e67);
            float _e70 = sum_2;
            uint _e71 = i_3;
            float _e73 = value_at(first_1 + _e71, at_2, n_slots_2, p, state_values, values_1, _buffer_sizes);
            sum_2 = _e70 + (weight * _e73);
            float _e76 = weights;
            weights = _e76 + weight;
        }
    }
    float _e81 = sum_2;
    float _e82 = weights;
    return _e81 / _e82;
}

void pool_row(
    uint window_1,
    uint first_angle,
    uint n_slots_3,
    uint thread_3,
    threadgroup type_2& row_values,
    threadgroup type_4& team_partials,
    constant Parameters& p,
    device type_8 const& state_scores,
    device type_8 const& scores,
    device type_8 const& ape,
    device type_8 const& state_values,
    device type_8 const& values_1,
    device type_8 const& gain,
    device type_10 const& row_angles,
    constant _mslBufferSizes& _buffer_sizes
) {
    type_5 squares = {};
    uint i_4 = {};
    uint i_5 = {};
    uint pair_1 = {};
    i_4 = thread_3;
    bool loop_init_8 = true;
    while(true) {
        if (!loop_init_8) {
            uint _e18 = i_4;
            i_4 = _e18 + WORKGROUP;
        }
        loop_init_8 = false;
        uint _e6 = i_4;
        if (_e6 < WIDTH) {
        } else {
            break;
        }
        {
            uint _e9 = i_4;
            float _e10 = pooled(window_1, _e9, n_slots_3, p, state_scores, scores, ape, state_values, values_1, _buffer_sizes);
            uint _e12 = i_4;
            row_values.inner[_e12] = _e10;
            float _e15 = squares.inner[0];
            squares.inner[0] = _e15 + (_e10 * _e10);
        }
    }
    team_sums(squares, thread_3, team_partials);
    float _e22 = squares.inner[0];
    float _e27 = p.norm_eps;
    float scale = 1.0 / metal::sqrt((_e22 / 128.0) + _e27);
    i_5 = thread_3;
    bool loop_init_9 = true;
    while(true) {
        if (!loop_init_9) {
            uint _e46 = i_5;
            i_5 = _e46 + WORKGROUP;
        }
        loop_init_9 = false;
        uint _e33 = i_5;
        if (_e33 < WIDTH) {
        } else {
            break;
        }
        {
            uint _e37 = i_5;
            float _e39 = row_values.inner[_e37];
            uint _e41 = i_5;
            float _e43 = gain[_e41];
            row_values.inner[_e37] = _e39 * (scale * _e43);
        }
    }
    metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
    pair_1 = thread_3;
    bool loop_init_10 = true;
    while(true) {
        if (!loop_init_10) {
            uint _e61 = pair_1;
            pair_1 = _e61 + WORKGROUP;
        }
        loop_init_10 = false;
        uint _e50 = pair_1;
        uint _e53 = p.n_pairs;
        if (_e50 < _e53) {
        } else {
            break;
        }
        {
            uint _e55 = pair_1;
            uint _e57 = pair_1;
            metal::float2 _e60 = row_angles[first_angle + _e57];
            turn_pair(_e55, _e60, row_values, p);
        }
    }
    return;
}

struct main_Input {
};
[[max_total_threads_per_threadgroup(256)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, threadgroup type_2& row_values
, device type_3& rows [[user(fake0)]]
, threadgroup type_4& team_partials
, constant Parameters& p [[user(fake0)]]
, device type_8 const& state_scores [[user(fake0)]]
, device type_8 const& scores [[user(fake0)]]
, device type_8 const& ape [[user(fake0)]]
, device type_8 const& state_values [[user(fake0)]]
, device type_8 const& values_1 [[user(fake0)]]
, device type_8 const& gain [[user(fake0)]]
, device type_10 const& row_angles [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    uint _e4 = p.first_window;
    uint window_2 = _e4 + workgroup.x;
    uint _e10 = p.n_pairs;
    uint _e14 = p.n_slots;
    pool_row(window_2, workgroup.x * _e10, _e14, thread_, row_values, team_partials, p, state_scores, scores, ape, state_values, values_1, gain, row_angles, _buffer_sizes);
    uint _e17 = p.bound_from;
    pack_row(window_2 - _e17, thread_, row_values, rows, _buffer_sizes);
    return;
}
