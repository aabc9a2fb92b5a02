//! Driving the memory ops: what is written is read, and only there.

use super::check::{Arrangement, Case, Outcome, Output};
use super::inputs::{Random, packed};
use super::limits;
use crate::kv_row::KvLayout;
use crate::ops::Backend;
use crate::reference::Reference;

/// `zeros`, `write`, `read`, `set_rows` and `copy_rows` on a tensor of this shape.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) capacity: usize,
    pub(super) width: usize,
}

impl Case for Rows {
    fn op(&self) -> &'static str {
        "memory"
    }

    fn n_rows(&self) -> usize {
        1
    }

    fn run<B: Backend>(&self, backend: &mut B, _: &Arrangement) -> Outcome {
        let (capacity, width) = (self.capacity, self.width);
        let mut x = backend.zeros(capacity, width)?;
        let read = |backend: &mut B, x: &B::Tensor, first, n| {
            let mut values = vec![f32::NAN; n * width];
            backend.read(x, first, &mut values).map(|()| vec![values])
        };
        let zeros = read(backend, &x, 0, capacity)?;

        let random = &mut Random::new(15);
        let first = capacity / 3;
        backend.write(&mut x, first, &random.normals((capacity - first) * width, 1.0));
        backend.write(&mut x, capacity - 1, &random.normals(width, 1.0));
        let written = read(backend, &x, 0, capacity)?;
        let part = read(backend, &x, first, 1)?;

        let mut copy = backend.zeros(capacity, width)?;
        backend.write(&mut copy, 0, &random.normals(capacity * width, 1.0));
        backend.copy_rows(&mut copy, &x, first..capacity);
        let copied = read(backend, &copy, 0, capacity - first)?;

        // Fewer rows in use leave those rows as they are.
        backend.set_rows(&mut x, 1);
        let kept = read(backend, &x, 0, 1)?;
        backend.finish()?;
        let exact = |name, values| Output::floats(name, values, limits::COPY);
        Ok(vec![
            exact("zeros", zeros),
            exact("written", written),
            exact("one row", part),
            exact("copied", copied),
            exact("after set_rows", kept),
        ])
    }
}

/// Rows written on one backend, read on it, put on the reference and back, and copied to others.
#[derive(Debug)]
pub(super) struct KvExchange {
    pub(super) layout: KvLayout,
    pub(super) capacity: usize,
}

impl Case for KvExchange {
    fn op(&self) -> &'static str {
        "kv exchange"
    }

    fn n_rows(&self) -> usize {
        1
    }

    fn run<B: Backend>(&self, backend: &mut B, _: &Arrangement) -> Outcome {
        let (layout, capacity) = (self.layout, self.capacity);
        let row_bytes = layout.row_bytes();
        let random = &mut Random::new(16);
        let bytes = packed(&layout, &random.rows(capacity, layout.width, 1.0));
        let mut rows = backend.kv_rows(layout, capacity)?;
        backend.write_kv_rows(&mut rows, 0, &bytes);
        // A part of the rows moves to the reference and from there over other rows.
        let middle = capacity / 3..capacity / 3 + capacity.div_ceil(3);
        let mut moved = vec![0; middle.len() * row_bytes];
        backend.read_kv_rows(&rows, middle.clone(), &mut moved)?;
        let mut there = Reference.kv_rows(layout, capacity)?;
        Reference.write_kv_rows(&mut there, middle.start, &moved);
        let mut back = vec![0; moved.len()];
        Reference.read_kv_rows(&there, middle.clone(), &mut back)?;
        backend.write_kv_rows(&mut rows, 0, &back);
        let mut all = vec![0; capacity * row_bytes];
        backend.read_kv_rows(&rows, 0..capacity, &mut all)?;
        // The last rows of another set become copies.
        let mut others = backend.kv_rows(layout, capacity)?;
        backend.write_kv_rows(
            &mut others,
            0,
            &packed(&layout, &random.rows(capacity, layout.width, 1.0)),
        );
        backend.copy_kv_rows(&mut others, capacity - middle.len(), &rows, middle);
        let mut copied = vec![0; capacity * row_bytes];
        let mut last = vec![0; row_bytes];
        backend.read_kv_parts(&mut [
            (&others, 0..capacity, &mut copied),
            (&rows, capacity - 1..capacity, &mut last),
        ])?;
        Ok(vec![
            Output::bytes("moved rows", vec![moved], limits::COPY),
            Output::bytes("all rows", vec![all], limits::COPY),
            Output::bytes("copied rows", vec![copied], limits::COPY),
            Output::bytes("last row", vec![last], limits::COPY),
        ])
    }
}
