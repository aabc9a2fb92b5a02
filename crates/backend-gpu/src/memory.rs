//! What ops work on: activations, KV rows, token ids, choices; and how they come and go.
//!
//! KV rows are kept as words in an order of their own, because the fields of
//! [`backend::kv_row`] are not aligned to words. An attention row is its FP8 codes, then the
//! rotated channels, then the scales; an index row is its FP4 codes, then the scales; either is
//! filled up to a whole word. Rows are put into the common order when they leave the device.

use std::ops::Range;

use backend::kv_row::{FP4_GROUP, FP8_GROUP, KvKind, KvLayout, KvRounding};

use crate::buffers::Buffer;
use crate::encode::Context;

/// Activations `[capacity, width]`, f32.
#[derive(Debug)]
pub struct Tensor {
    pub(crate) buffer: Buffer,
    pub(crate) width: usize,
    pub(crate) capacity: usize,
    pub(crate) n_rows: usize,
}

impl Tensor {
    pub(crate) fn zeros(context: &Context, capacity: usize, width: usize) -> backend::Result<Self> {
        let bytes = 4 * (capacity * width) as u64;
        let buffer = context.buffers.storage(&context.device, "activations", bytes)?;
        Ok(Self { buffer, width, capacity, n_rows: capacity })
    }

    pub(crate) fn set_rows(&mut self, n_rows: usize) {
        assert!(n_rows <= self.capacity, "rows fit the capacity");
        self.n_rows = n_rows;
    }

    pub(crate) fn write(&self, context: &mut Context, first_row: usize, values: &[f32]) {
        self.check_whole_rows(first_row, values.len());
        context.write(&self.buffer, first_row * self.width, bytemuck::cast_slice(values));
    }

    pub(crate) fn read(
        &self,
        context: &mut Context,
        first_row: usize,
        values: &mut [f32],
    ) -> backend::Result<()> {
        self.check_whole_rows(first_row, values.len());
        context.read(&self.buffer, first_row * self.width, bytemuck::cast_slice_mut(values))
    }

    fn check_whole_rows(&self, first_row: usize, n_values: usize) {
        assert!(n_values.is_multiple_of(self.width), "whole rows are written and read");
        assert!(first_row * self.width + n_values <= self.capacity * self.width, "rows exist");
    }

    pub(crate) fn copy_rows(&mut self, context: &mut Context, from: &Self, rows: &Range<usize>) {
        assert_eq!(self.width, from.width, "row width");
        assert!(rows.end <= from.capacity, "rows exist");
        self.set_rows(rows.len());
        let row_bytes = 4 * self.width as u64;
        let first = row_bytes * rows.start as u64;
        let bytes = row_bytes * rows.len() as u64;
        context.copy((&from.buffer, first), (&self.buffer, 0), bytes);
    }
}

/// Token ids of a batch.
#[derive(Debug)]
pub struct TokenIds {
    pub(crate) buffer: Buffer,
    capacity: usize,
    pub(crate) n_tokens: usize,
}

impl TokenIds {
    pub(crate) fn new(context: &Context, capacity: usize) -> backend::Result<Self> {
        let bytes = 4 * capacity as u64;
        let buffer = context.buffers.storage(&context.device, "token ids", bytes)?;
        Ok(Self { buffer, capacity, n_tokens: 0 })
    }

    pub(crate) fn write(&mut self, context: &mut Context, ids: &[u32]) {
        assert!(ids.len() <= self.capacity, "ids fit the capacity");
        context.write(&self.buffer, 0, ids);
        self.n_tokens = ids.len();
    }
}

/// Rows that each token reads: `[capacity, 1 + top_k]` words, a count and then ascending rows.
#[derive(Debug)]
pub struct Selection {
    pub(crate) buffer: Buffer,
    pub(crate) capacity: usize,
    pub(crate) top_k: usize,
}

impl Selection {
    pub(crate) fn new(context: &Context, capacity: usize, top_k: usize) -> backend::Result<Self> {
        let bytes = 4 * (capacity * (1 + top_k)) as u64;
        let buffer = context.buffers.storage(&context.device, "selections", bytes)?;
        Ok(Self { buffer, capacity, top_k })
    }
}

/// Experts of each token and their weights.
#[derive(Debug)]
pub struct Routing {
    /// `[capacity, n_experts_per_token]`, u32.
    pub(crate) experts: Buffer,
    /// `[capacity, n_experts_per_token]`, f32.
    pub(crate) weights: Buffer,
    pub(crate) capacity: usize,
    pub(crate) n_experts_per_token: usize,
}

impl Routing {
    pub(crate) fn new(
        context: &Context,
        capacity: usize,
        n_experts_per_token: usize,
    ) -> backend::Result<Self> {
        let bytes = 4 * (capacity * n_experts_per_token) as u64;
        let buffer = || context.buffers.storage(&context.device, "routings", bytes);
        Ok(Self { experts: buffer()?, weights: buffer()?, capacity, n_experts_per_token })
    }
}

/// Packed KV rows.
#[derive(Debug)]
pub struct KvRows {
    pub(crate) layout: KvLayout,
    pub(crate) capacity: usize,
    /// `[capacity, row_words]`, u32.
    pub(crate) buffer: Buffer,
}

/// Words of a row on the device.
pub(crate) fn row_words(layout: &KvLayout) -> usize {
    match (layout.rounding, layout.kind) {
        (KvRounding::Off, _) => layout.width,
        (KvRounding::Applied, KvKind::Attention { rope_dim }) => {
            let n_codes = layout.width - rope_dim;
            n_codes / 4 + rope_dim / 2 + (n_codes / FP8_GROUP).div_ceil(4)
        }
        (KvRounding::Applied, KvKind::Index) => {
            layout.width / 8 + (layout.width / FP4_GROUP).div_ceil(4)
        }
    }
}

/// Bytes of a row's fields in the common order, as `(in the common order, on the device, bytes)`.
fn fields(layout: &KvLayout) -> Vec<(usize, usize, usize)> {
    match (layout.rounding, layout.kind) {
        (KvRounding::Applied, KvKind::Attention { rope_dim }) => {
            let n_codes = layout.width - rope_dim;
            let (n_scales, rotary) = (n_codes / FP8_GROUP, 2 * rope_dim);
            vec![
                (0, 0, n_codes),
                (n_codes, n_codes + rotary, n_scales),
                (n_codes + n_scales, n_codes, rotary),
            ]
        }
        _ => vec![(0, 0, layout.row_bytes())],
    }
}

/// Reads rows of several sets, waiting once.
pub(crate) fn read_kv_parts(
    context: &mut Context,
    parts: &mut [(&KvRows, Range<usize>, &mut [u8])],
) -> backend::Result<()> {
    let mut places = Vec::with_capacity(parts.len());
    let mut n_words = 0;
    for (kv, rows, bytes) in &*parts {
        assert!(rows.end <= kv.capacity, "rows exist");
        assert_eq!(bytes.len(), rows.len() * kv.layout.row_bytes(), "bytes of the rows");
        let of_row = row_words(&kv.layout);
        places.push((&kv.buffer, rows.start * of_row, rows.len() * of_row));
        n_words += rows.len() * of_row;
    }
    let mut words = vec![0; n_words];
    context.read_parts(&places, &mut words)?;
    let mut words = words.as_slice();
    for ((kv, _, bytes), (.., n_words)) in parts.iter_mut().zip(places) {
        let (own, rest) = words.split_at(n_words);
        kv.to_common_order(own, bytes);
        words = rest;
    }
    Ok(())
}

impl KvRows {
    pub(crate) fn new(
        context: &Context,
        layout: KvLayout,
        capacity: usize,
    ) -> backend::Result<Self> {
        if let (KvRounding::Applied, KvKind::Attention { rope_dim }) =
            (layout.rounding, layout.kind)
        {
            assert!(rope_dim.is_multiple_of(2), "rotated channels come in pairs");
        }
        let bytes = 4 * (capacity * row_words(&layout)) as u64;
        let buffer = context.buffers.large_storage(&context.device, "KV rows", bytes)?;
        Ok(Self { layout, capacity, buffer })
    }

    /// Bytes of `n_rows` rows on the device.
    pub(crate) fn stored_bytes(&self, n_rows: usize) -> u64 {
        4 * (n_rows * row_words(&self.layout)) as u64
    }

    pub(crate) fn read(
        &self,
        context: &mut Context,
        rows: Range<usize>,
        bytes: &mut [u8],
    ) -> backend::Result<()> {
        let (n_words, row_bytes) = (row_words(&self.layout), self.layout.row_bytes());
        assert!(rows.end <= self.capacity && bytes.len() == rows.len() * row_bytes, "rows exist");
        let mut words = vec![0; rows.len() * n_words];
        context.read(&self.buffer, rows.start * n_words, &mut words)?;
        self.to_common_order(&words, bytes);
        Ok(())
    }

    fn to_common_order(&self, words: &[u32], bytes: &mut [u8]) {
        let (n_words, row_bytes) = (row_words(&self.layout), self.layout.row_bytes());
        let fields = fields(&self.layout);
        for (row, words) in bytes.chunks_exact_mut(row_bytes).zip(words.chunks_exact(n_words)) {
            let stored: &[u8] = bytemuck::cast_slice(words);
            for &(to, from, n) in &fields {
                row[to..to + n].copy_from_slice(&stored[from..from + n]);
            }
        }
    }

    pub(crate) fn copy(
        &mut self,
        context: &mut Context,
        first_row: usize,
        from: &Self,
        rows: &Range<usize>,
    ) {
        assert_eq!(self.layout, from.layout, "layout");
        assert!(rows.end <= from.capacity && first_row + rows.len() <= self.capacity, "rows exist");
        let (first, bytes) = (from.stored_bytes(rows.start), from.stored_bytes(rows.len()));
        if bytes > 0 {
            let to = self.stored_bytes(first_row);
            context.copy((&from.buffer, first), (&self.buffer, to), bytes);
        }
    }

    pub(crate) fn write(&self, context: &mut Context, first_row: usize, bytes: &[u8]) {
        let (n_words, row_bytes) = (row_words(&self.layout), self.layout.row_bytes());
        let n_rows = bytes.len() / row_bytes;
        assert!(bytes.len().is_multiple_of(row_bytes), "whole rows are written");
        assert!(first_row + n_rows <= self.capacity, "rows exist");
        let mut words = vec![0; n_rows * n_words];
        let fields = fields(&self.layout);
        for (row, words) in bytes.chunks_exact(row_bytes).zip(words.chunks_exact_mut(n_words)) {
            let stored: &mut [u8] = bytemuck::cast_slice_mut(words);
            for &(from, to, n) in &fields {
                stored[to..to + n].copy_from_slice(&row[from..from + n]);
            }
        }
        context.write(&self.buffer, first_row * n_words, &words);
    }
}
