// Reads attention rows that are kept in f32.
const ROW_WORDS: u32 = WIDTH;
// Words that hold channels.
const VALUE_WORDS: u32 = WIDTH;

// Puts the channel of word `i` of a row into the tile from `to` on.
fn load_word(compressed: bool, row: u32, i: u32, to: u32) {
    tile[to + i] = bitcast<f32>(row_word(compressed, row * ROW_WORDS + i));
}
