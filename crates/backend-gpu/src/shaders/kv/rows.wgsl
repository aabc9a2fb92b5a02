// Where packed rows go.
@group(0) @binding(0) var<storage, read_write> rows: array<u32>;
