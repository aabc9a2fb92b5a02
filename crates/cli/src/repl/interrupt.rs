//! Ctrl-C while the program does not read a line: the first ends the answer, another one the
//! program.

use std::process;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use engine::CancelToken;

/// What shells report for a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Hears Ctrl-C from its making on.
#[derive(Debug, Default)]
pub(super) struct Interrupt {
    /// The turn that runs, if one does.
    turn: Arc<Mutex<Option<CancelToken>>>,
}

impl Interrupt {
    pub(super) fn listen() -> Result<Self> {
        let interrupt = Self::default();
        let turn = Arc::clone(&interrupt.turn);
        ctrlc::set_handler(move || match &*turn.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(turn) if !turn.is_cancelled() => turn.cancel(),
            _ => process::exit(INTERRUPTED),
        })
        .context("cannot listen for Ctrl-C")?;
        Ok(interrupt)
    }

    /// Says that a turn begins, and gives the token that Ctrl-C raises.
    pub(super) fn begin(&self) -> CancelToken {
        let cancel = CancelToken::new();
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = Some(cancel.clone());
        cancel
    }

    /// Says that the turn is over.
    pub(super) fn end(&self) {
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
