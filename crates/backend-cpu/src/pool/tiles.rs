//! Splits a matrix by columns, so that threads write different columns of the same rows.

use std::marker::PhantomData;
use std::ops::Range;

/// A matrix `[n_rows, width]` cut into tiles of columns, handed out from left to right.
pub(crate) struct Tiles<'a> {
    values: *mut f32,
    n_rows: usize,
    width: usize,
    tile_width: usize,
    next: usize,
    borrowed: PhantomData<&'a mut [f32]>,
}

/// Some columns of all rows of a matrix.
pub(crate) struct Tile<'a> {
    values: *mut f32,
    n_rows: usize,
    width: usize,
    columns: Range<usize>,
    borrowed: PhantomData<&'a mut [f32]>,
}

#[expect(unsafe_code, reason = "a tile is an exclusive borrow that the type system cannot see")]
// SAFETY: it stands for `&mut [f32]`, which is `Send`.
unsafe impl Send for Tiles<'_> {}

#[expect(unsafe_code, reason = "a tile is an exclusive borrow that the type system cannot see")]
// SAFETY: it stands for `&mut` to its own columns, and no other tile has them.
unsafe impl Send for Tile<'_> {}

impl<'a> Tiles<'a> {
    /// Cuts `values` (`[n_rows, width]`) into tiles of `tile_width` columns, the last perhaps
    /// narrower.
    pub(crate) fn new(values: &'a mut [f32], width: usize, tile_width: usize) -> Self {
        assert!(width > 0 && values.len().is_multiple_of(width) && tile_width > 0);
        let n_rows = values.len() / width;
        Self {
            values: values.as_mut_ptr(),
            n_rows,
            width,
            tile_width,
            next: 0,
            borrowed: PhantomData,
        }
    }
}

impl<'a> Iterator for Tiles<'a> {
    type Item = Tile<'a>;

    fn next(&mut self) -> Option<Tile<'a>> {
        if self.next >= self.width {
            return None;
        }
        let columns = self.next..self.width.min(self.next + self.tile_width);
        self.next = columns.end;
        let Self { values, n_rows, width, .. } = *self;
        Some(Tile { values, n_rows, width, columns, borrowed: PhantomData })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let n = (self.width - self.next.min(self.width)).div_ceil(self.tile_width);
        (n, Some(n))
    }
}

impl Tile<'_> {
    /// The columns of the matrix that this tile covers.
    pub(crate) fn columns(&self) -> Range<usize> {
        self.columns.clone()
    }

    /// The tile's part of row `i`.
    pub(crate) fn row_mut(&mut self, i: usize) -> &mut [f32] {
        assert!(i < self.n_rows);
        let start = i * self.width + self.columns.start;
        #[expect(unsafe_code, reason = "a tile is an exclusive borrow of its columns")]
        // SAFETY: row and columns lie inside the matrix that was borrowed for `'a`; tiles do not
        // overlap, and this borrow of the tile is exclusive.
        unsafe {
            std::slice::from_raw_parts_mut(self.values.add(start), self.columns.len())
        }
    }
}
