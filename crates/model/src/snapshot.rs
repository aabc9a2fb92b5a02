//! A timeline as bytes that any backend reads: blocks of what stays, and frontiers to go on from.
//!
//! A *block* is the compressed rows and index rows that [`BLOCK_TOKENS`] tokens close, layer by
//! layer. All windows end where a block ends, so blocks follow one another. A *frontier* is the raw
//! rows with which running can begin again near the end of a block. Inputs of compression windows
//! are in neither: the window that overlaps the border is run again, four tokens.
//!
//! All bytes are rows as in [`backend::kv_row`], which every backend reads and writes, so they go
//! from one machine to another. How many there are follows from the geometry and the position.
//!
//! Refuses: what names bytes, checks them or keeps them.

use backend::Backend;

use crate::error::{Error, Result};
use crate::forward::Model;
use crate::geometry::LARGEST_RATIO;
use crate::slot::{CompressedKv, LayerKv, Slot, SlotId};

/// Tokens of a block: a multiple of every compression window.
pub const BLOCK_TOKENS: usize = LARGEST_RATIO;

/// Where the rows of a block are: `(layer, index of the part, rows, bytes)`, in the order of bytes.
fn block_rows<B: Backend>(slot: &Slot<B>) -> Vec<(usize, usize, usize, usize)> {
    let layouts = [slot.attention_row, slot.index_row];
    let of_layer = |(layer, kv): (usize, &LayerKv<B>)| {
        let rows = |(part, compressed): (usize, &CompressedKv<B>)| {
            let n_rows = BLOCK_TOKENS / compressed.ratio;
            (layer, part, n_rows, n_rows * layouts[part].row_bytes())
        };
        kv.parts().enumerate().map(rows).collect::<Vec<_>>()
    };
    slot.layers.iter().enumerate().flat_map(of_layer).collect()
}

fn check_bytes(part: &'static str, expected: usize, found: usize) -> Result<()> {
    if expected == found { Ok(()) } else { Err(Error::KvBytes { part, expected, found }) }
}

impl<B: Backend> Model<B> {
    pub(crate) fn read_block(&mut self, slot: SlotId, block: usize) -> Result<Vec<u8>> {
        let (backend, slot) = self.backend_and_slot(slot);
        assert!((block + 1) * BLOCK_TOKENS <= slot.timeline.n_stored(), "the block is stored");
        let rows = block_rows(slot);
        let mut bytes = vec![0; rows.iter().map(|(.., bytes)| bytes).sum()];
        let mut rest = bytes.as_mut_slice();
        let mut parts = Vec::with_capacity(rows.len());
        for (layer, part, n_rows, n_bytes) in rows {
            let (bytes, more) = rest.split_at_mut(n_bytes);
            let part = slot.layers[layer].parts().nth(part).expect("listed above");
            parts.push((&part.rows, block * n_rows..(block + 1) * n_rows, bytes));
            rest = more;
        }
        let read = backend.read_kv_parts(&mut parts);
        read.map_err(|source| self.device_error(source))?;
        Ok(bytes)
    }

    pub(crate) fn write_block(&mut self, slot: SlotId, tokens: &[u32], bytes: &[u8]) -> Result<()> {
        self.check_tokens(tokens)?;
        let (backend, slot) = self.backend_and_slot(slot);
        let n_stored = slot.timeline.n_stored();
        assert!(n_stored.is_multiple_of(BLOCK_TOKENS), "a block follows a block");
        assert_eq!(tokens.len(), BLOCK_TOKENS, "a block is whole");
        let (wanted, capacity) = (n_stored + BLOCK_TOKENS, slot.capacity);
        if wanted > capacity {
            return Err(Error::ContextFull { wanted, capacity });
        }
        let rows = block_rows(slot);
        check_bytes("block", rows.iter().map(|(.., bytes)| bytes).sum(), bytes.len())?;
        let block = n_stored / BLOCK_TOKENS;
        let mut rest = bytes;
        for (layer, part, n_rows, n_bytes) in rows {
            let (bytes, more) = rest.split_at(n_bytes);
            let part = slot.layers[layer].parts_mut().nth(part).expect("listed above");
            backend.write_kv_rows(&mut part.rows, block * n_rows, bytes);
            rest = more;
        }
        slot.timeline.store(tokens);
        Ok(())
    }

    pub(crate) fn read_frontier(&mut self, slot: SlotId, at: usize) -> Result<Option<Vec<u8>>> {
        let (backend, slot) = self.backend_and_slot(slot);
        assert!(at.is_multiple_of(BLOCK_TOKENS), "a frontier is where a block ends");
        let rows = slot.timeline.frontier(at);
        if rows.start < slot.timeline.rows_from() || rows.end > slot.timeline.n_run() {
            return Ok(None);
        }
        let row_bytes = slot.attention_row.row_bytes();
        let mut bytes = vec![0; slot.layers.len() * rows.len() * row_bytes];
        let mut rest = bytes.as_mut_slice();
        let mut parts = Vec::new();
        for layer in &slot.layers {
            for rows in slot.ring_rows(rows.clone()) {
                let (bytes, more) = rest.split_at_mut(rows.len() * row_bytes);
                parts.push((&layer.window, rows, bytes));
                rest = more;
            }
        }
        let read = backend.read_kv_parts(&mut parts);
        read.map_err(|source| self.device_error(source))?;
        Ok(Some(bytes))
    }

    pub(crate) fn write_frontier(
        &mut self,
        slot: SlotId,
        at: usize,
        bytes: &[u8],
    ) -> Result<usize> {
        let (backend, slot) = self.backend_and_slot(slot);
        assert!(at.is_multiple_of(BLOCK_TOKENS), "a frontier is where a block ends");
        assert!(at <= slot.timeline.n_stored(), "the blocks in front of a frontier are stored");
        let rows = slot.timeline.frontier(at);
        let of_layer = rows.len() * slot.attention_row.row_bytes();
        check_bytes("frontier", slot.layers.len() * of_layer, bytes.len())?;
        for layer in 0..slot.layers.len() {
            let bytes = &bytes[layer * of_layer..][..of_layer];
            slot.write_window(backend, layer, rows.clone(), bytes);
        }
        Ok(slot.timeline.enter(at))
    }
}
