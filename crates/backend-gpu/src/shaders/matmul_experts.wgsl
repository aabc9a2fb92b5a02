// Tiles of an expert product: the choices of one expert, by the lists of expert_lists.wgsl.
struct Parameters {
    // Rows of one expert's matrix.
    n_rows: u32,
    columns: u32,
    // Groups of 32 a row.
    n_groups: u32,
    // Widths of rows of x and out.
    x_width: u32,
    out_width: u32,
    // Choices that share a row of x: those of a token, or one.
    choices_per_row: u32,
    max_tiles: u32,
}
var<immediate> p: Parameters;

@group(0) @binding(2) var<storage, read> lists: array<u32>;

struct Tile {
    first_choice: u32,
    n_tokens: u32,
    first_weight_row: u32,
    first_column: u32,
    first_out: u32,
}

fn tile_at(workgroup: vec3<u32>) -> Tile {
    let at = 3u * workgroup.y;
    return Tile(3u * p.max_tiles + lists[at + 1u], lists[at + 2u], lists[at] * p.n_rows, 0u, 0u);
}

fn x_row(tile: Tile, token: u32) -> u32 {
    return lists[tile.first_choice + token] / p.choices_per_row;
}

fn out_row(tile: Tile, token: u32) -> u32 {
    return lists[tile.first_choice + token];
}
