// Rounds an index row: a Hadamard transform, then FP4 (E2M1) with a scale for 32 channels.

// [WIDTH]: the row, filled by the kernel
var<workgroup> row_values: array<f32, WIDTH>;
var<workgroup> group_exponents: array<i32, GROUPS>;

const GROUPS: u32 = WIDTH / 32u;

// 6, the largest E2M1, is 1.5 * 2^2.
const FP4_MAX_MANTISSA: u32 = 0x400000u;
const FP4_MAX_EXPONENT: i32 = 2;
// Bits of 6 * 2^-126, the floor of a group's largest magnitude.
const FP4_FLOOR_BITS: u32 = 0x01c00000u;

// Walsh-Hadamard transform in natural order, in place. The order of additions is part of the
// format: rounding follows.
fn hadamard(thread: u32) {
    for (var stride = 1u; stride < WIDTH; stride *= 2u) {
        workgroupBarrier();
        for (var i = thread; i < WIDTH / 2u; i += WORKGROUP) {
            let low = i / stride * 2u * stride + i % stride;
            let a = row_values[low];
            let b = row_values[low + stride];
            row_values[low] = a + b;
            row_values[low + stride] = a - b;
        }
    }
    workgroupBarrier();
    for (var i = thread; i < WIDTH; i += WORKGROUP) {
        row_values[i] *= bitcast<f32>(HADAMARD_SCALE_BITS);
    }
}

// Transforms `row_values` and finds the groups' scales. All threads call together, after the last
// of them wrote.
fn transform_row(thread: u32) {
    hadamard(thread);
    workgroupBarrier();
    for (var group = thread; group < GROUPS; group += WORKGROUP) {
        var largest = FP4_FLOOR_BITS;
        for (var i = 0u; i < 32u; i++) {
            largest = max(largest, magnitude_bits(row_values[32u * group + i]));
        }
        group_exponents[group] = scale_exponent(largest, FP4_MAX_MANTISSA, FP4_MAX_EXPONENT);
    }
    workgroupBarrier();
}

// Code of the E2M1 value nearest to `value / 2^exponent`, ties to the even code, saturating.
fn e2m1_code(value: f32, exponent: i32) -> u32 {
    let bits = bitcast<u32>(value);
    let sign = (bits >> 28u) & 8u;
    let e = i32((bits >> 23u) & 255u) - 127 - exponent;
    if e < -2 {
        return sign;
    }
    let scaled = bitcast<f32>((u32(min(e, 3) + 127) << 23u) | (bits & 0x7fffffu));
    var code = 7u;
    if scaled <= 0.25 {
        code = 0u;
    } else if scaled < 0.75 {
        code = 1u;
    } else if scaled <= 1.25 {
        code = 2u;
    } else if scaled < 1.75 {
        code = 3u;
    } else if scaled <= 2.5 {
        code = 4u;
    } else if scaled < 3.5 {
        code = 5u;
    } else if scaled <= 5.0 {
        code = 6u;
    }
    return sign | code;
}
