// Tiles of a dense product: tokens in order, one part of the activations after the other.
struct Parameters {
    // Rows of the weight that meet the same part of x.
    n_rows: u32,
    n_tokens: u32,
    columns: u32,
    // Groups of 32 a row.
    n_groups: u32,
    // Widths of rows of x and out.
    x_width: u32,
    out_width: u32,
}
var<immediate> p: Parameters;

struct Tile {
    first_token: u32,
    n_tokens: u32,
    first_weight_row: u32,
    first_column: u32,
    first_out: u32,
}

fn tile_at(workgroup: vec3<u32>) -> Tile {
    let first = workgroup.y * TOKENS;
    let part = workgroup.z;
    return Tile(
        first,
        min(TOKENS, p.n_tokens - first),
        part * p.n_rows,
        part * p.columns,
        part * p.n_rows,
    );
}

fn x_row(tile: Tile, token: u32) -> u32 {
    return tile.first_token + token;
}

fn out_row(tile: Tile, token: u32) -> u32 {
    return tile.first_token + token;
}
