// Rotates pair `pair` of the `p.n_pairs` at the end of `row_values`.
fn turn_pair(pair: u32, angle: vec2<f32>) {
    let at = WIDTH - 2u * (p.n_pairs - pair);
    let a = row_values[at];
    let b = row_values[at + 1u];
    row_values[at] = a * angle.x - b * angle.y;
    row_values[at + 1u] = a * angle.y + b * angle.x;
}
