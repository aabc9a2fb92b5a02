// A lane's share of a value of the routed experts (see expert_down.wgsl), Q2_K with int8 activations.
//
// A lane takes four words of a block, which hold four times sixteen weights, 32 columns apart (see
// formats/q2_k.wgsl): every word is read once, and neighbours read neighbouring ones. A team goes
// through the experts' rows as if they were one.
fn weight_share(token: u32, row: u32, lane: u32) -> f32 {
    let first_choice = token * (p.n_chosen + SHARED);
    let n_blocks = GROUPS / 8u;
    let n_quarters = 4u * n_blocks;
    var sum = 0.0;
    for (var i = lane; i < p.n_chosen * n_quarters; i += TEAM) {
        let choice = i / n_quarters;
        let block = i % n_quarters / 4u;
        let quarter = i % 4u;
        let expert = experts[token * p.n_chosen + choice];
        let at = ((expert * p.n_rows + row) * n_blocks + block) * 21u;
        let quants = vec4<u32>(
            weight_blocks[at + 4u + 4u * quarter],
            weight_blocks[at + 5u + 4u * quarter],
            weight_blocks[at + 6u + 4u * quarter],
            weight_blocks[at + 7u + 4u * quarter],
        );
        let half = quarter / 2u;
        let side = quarter % 2u;
        // Scale and minimum of a sixteen are a byte; two of this lane's are in a word.
        let scales = vec2<u32>(weight_blocks[at + 2u * half], weight_blocks[at + 2u * half + 1u])
            >> vec2<u32>(8u * side);
        let d = unpack2x16float(weight_blocks[at + 20u]);
        let first = (first_choice + choice) * p.columns / 16u + 16u * block + 8u * half + side;
        for (var k = 0u; k < 4u; k++) {
            let x = x_quants[first + 2u * k];
            let code = scales[k / 2u] >> (16u * (k % 2u));
            let product = packed_dot((quants >> vec4<u32>(2u * k)) & vec4<u32>(0x03030303u), x);
            let factors = vec2<f32>(
                f32(i32(code & 15u) * product),
                -f32(i32((code >> 4u) & 15u) * packed_sum(x)),
            );
            sum += dot(d, factors) * x_scales[(first + 2u * k) / 2u][side];
        }
    }
    return sum;
}
