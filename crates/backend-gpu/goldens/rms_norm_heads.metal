// language: metal3.1
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size2;
};

struct type_2 {
    float inner[8];
};
struct type_3 {
    float inner[1];
};
struct Parameters {
    uint head_dim;
    uint n_heads;
    float eps;
};
typedef float type_5[1];
constant uint WORKGROUP = 256u;
constant uint TEAM = 256u;
constant uint SUMS = 1u;
constant uint SUBGROUP = 32u;

void team_sums(
    thread type_3& values,
    uint thread_1,
    threadgroup type_2& team_partials
) {
    uint s = 0u;
    float sum = {};
    uint far = {};
    uint s_1 = 0u;
    uint s_2 = 0u;
    float sum_1 = {};
    uint i_2 = {};
    bool loop_init = true;
    while(true) {
        if (!loop_init) {
            uint _e31 = s;
            s = _e31 + 1u;
        }
        loop_init = false;
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
                bool loop_init_1 = true;
                while(true) {
                    if (!loop_init_1) {
                        uint _e24 = far;
                        far = _e24 >> 1u;
                    }
                    loop_init_1 = false;
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
        if ((thread_1 % SUBGROUP) == 0u) {
            bool loop_init_2 = true;
            while(true) {
                if (!loop_init_2) {
                    uint _e55 = s_1;
                    s_1 = _e55 + 1u;
                }
                loop_init_2 = false;
                uint _e40 = s_1;
                if (_e40 < SUMS) {
                } else {
                    break;
                }
                {
                    uint _e48 = s_1;
                    uint _e51 = s_1;
                    float _e53 = values.inner[_e51];
                    team_partials.inner[((thread_1 / SUBGROUP) * SUMS) + _e48] = _e53;
                }
            }
        }
        metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
        uint first = (thread_1 / TEAM) * 8u;
        bool loop_init_3 = true;
        while(true) {
            if (!loop_init_3) {
                uint _e91 = s_2;
                s_2 = _e91 + 1u;
            }
            loop_init_3 = false;
            uint _e63 = s_2;
            if (_e63 < SUMS) {
            } else {
                break;
            }
            {
                sum_1 = 0.0;
                i_2 = 0u;
                bool loop_init_4 = true;
                while(true) {
                    if (!loop_init_4) {
                        uint _e85 = i_2;
                        i_2 = _e85 + 1u;
                    }
                    loop_init_4 = false;
                    uint _e70 = i_2;
                    if (_e70 < 8u) {
                    } else {
                        break;
                    }
                    {
                        float _e73 = sum_1;
                        uint _e75 = i_2;
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

struct main_Input {
};
[[max_total_threads_per_threadgroup(256)]] kernel void main_(
  metal::uint3 workgroup [[threadgroup_position_in_grid]]
, uint thread_ [[thread_index_in_threadgroup]]
, threadgroup type_2& team_partials
, constant Parameters& p [[user(fake0)]]
, device type_5& x [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    type_3 squares = {};
    uint i = {};
    uint i_1 = {};
    uint _e5 = p.n_heads;
    uint _e11 = p.head_dim;
    uint first_1 = ((workgroup.y * _e5) + workgroup.x) * _e11;
    i = thread_;
    bool loop_init_5 = true;
    while(true) {
        if (!loop_init_5) {
            uint _e34 = i;
            i = _e34 + WORKGROUP;
        }
        loop_init_5 = false;
        uint _e15 = i;
        uint _e18 = p.head_dim;
        if (_e15 < _e18) {
        } else {
            break;
        }
        {
            float _e21 = squares.inner[0];
            uint _e23 = i;
            float _e26 = x[first_1 + _e23];
            uint _e28 = i;
            float _e31 = x[first_1 + _e28];
            squares.inner[0] = _e21 + (_e26 * _e31);
        }
    }
    team_sums(squares, thread_, team_partials);
    float _e38 = squares.inner[0];
    uint _e41 = p.head_dim;
    float _e46 = p.eps;
    float scale = 1.0 / metal::sqrt((_e38 / static_cast<float>(_e41)) + _e46);
    i_1 = thread_;
    bool loop_init_6 = true;
    while(true) {
        if (!loop_init_6) {
            uint _e63 = i_1;
            i_1 = _e63 + WORKGROUP;
        }
        loop_init_6 = false;
        uint _e52 = i_1;
        uint _e55 = p.head_dim;
        if (_e52 < _e55) {
        } else {
            break;
        }
        {
            uint _e58 = i_1;
            float _e61 = x[first_1 + _e58];
            x[first_1 + _e58] = _e61 * scale;
        }
    }
    return;
}
