// Chooses by a table of experts per token id, whose ids were checked when the model was loaded.

// [n]
@group(0) @binding(3) var<storage, read> tokens: array<u32>;
// [vocab_size, N_CHOSEN]
@group(0) @binding(4) var<storage, read> table: array<u32>;

// Probabilities have no say.
fn consider(expert: u32, probability: f32) {}

// All threads call together.
fn choose(token: u32, thread: u32) {
    if thread < N_CHOSEN {
        chosen[thread] = table[tokens[token] * N_CHOSEN + thread];
    }
}
