// F16 weights: rows filled up with zeros to whole groups of 32.
@group(0) @binding(0) var<storage, read> weight_values: array<vec4<u32>>;

alias weight_Words = array<vec4<u32>, 4>;

// What is stored of group `index`, counted over all rows.
fn weight_words(index: u32) -> weight_Words {
    let at = index * 4u;
    return weight_Words(
        weight_values[at], weight_values[at + 1u], weight_values[at + 2u], weight_values[at + 3u],
    );
}

// Its 32 weights.
fn weight_values_of(words: weight_Words, index: u32) -> array<vec4<f32>, 8> {
    var values: array<vec4<f32>, 8>;
    for (var i = 0u; i < 4u; i++) {
        let eight = words[i];
        values[2u * i] = vec4<f32>(unpack2x16float(eight.x), unpack2x16float(eight.y));
        values[2u * i + 1u] = vec4<f32>(unpack2x16float(eight.z), unpack2x16float(eight.w));
    }
    return values;
}
