// Packs an index row. Words of a row: eight codes each, then scales.
const CODE_WORDS: u32 = WIDTH / 8u;
const SCALE_WORDS: u32 = (GROUPS + 3u) / 4u;
const ROW_WORDS: u32 = CODE_WORDS + SCALE_WORDS;

// Rounds `row_values` into row `row`. All threads call together, after the last of them wrote.
fn pack_row(row: u32, thread: u32) {
    transform_row(thread);
    let first = row * ROW_WORDS;
    for (var i = thread; i < CODE_WORDS; i += WORKGROUP) {
        var word = 0u;
        for (var j = 0u; j < 8u; j++) {
            word |= e2m1_code(row_values[8u * i + j], group_exponents[i / 4u]) << (4u * j);
        }
        rows[first + i] = word;
    }
    for (var i = thread; i < SCALE_WORDS; i += WORKGROUP) {
        var word = 0u;
        for (var j = 0u; j < 4u; j++) {
            if 4u * i + j < GROUPS {
                word |= u32(group_exponents[4u * i + j] + 127) << (8u * j);
            }
        }
        rows[first + CODE_WORDS + i] = word;
    }
}
