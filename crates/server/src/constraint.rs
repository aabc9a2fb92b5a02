//! What an answer is held to: the rules of a request as a constraint of the engine.
//!
//! Grammars know text and no logits, the engine knows logits and no text; here a grammar's set of
//! tokens becomes the engine's mask. Rules are compiled where the request is converted, off the
//! engine thread.

use std::sync::{Arc, OnceLock};

use chat::{AnswerRules, Grammars, Guide, Tokenizer};
use engine::{Constraint, Error, Result, TokenMask};

/// The grammars of a tokenizer, built when first needed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Forms(Arc<OnceLock<std::result::Result<Grammars, String>>>);

impl Forms {
    /// Builds them on a thread of their own, so that no request waits for them.
    pub(crate) fn prepare(&self, tokenizer: &Arc<Tokenizer>) {
        let (forms, tokenizer) = (self.clone(), Arc::clone(tokenizer));
        std::thread::spawn(move || forms.grammars(&tokenizer).is_ok());
    }

    fn grammars(&self, tokenizer: &Arc<Tokenizer>) -> std::result::Result<&Grammars, String> {
        let built = self.0.get_or_init(|| {
            Grammars::new(Arc::clone(tokenizer)).map_err(|error| error.to_string())
        });
        built.as_ref().map_err(Clone::clone)
    }

    /// A constraint for an answer under `rules`; `None` if they leave everything open.
    ///
    /// # Errors
    /// If answers cannot be held to them.
    pub(crate) fn constraint(
        &self,
        tokenizer: &Arc<Tokenizer>,
        rules: &AnswerRules,
    ) -> chat::Result<Option<Box<dyn Constraint>>> {
        if rules.tools.is_none() && rules.format.is_none() {
            return Ok(None);
        }
        let grammars = self.grammars(tokenizer);
        let grammars = grammars.map_err(|problem| chat::Error::Grammar { problem })?;
        let guide = grammars.guide(rules)?;
        Ok(guide.map(|guide| Box::new(Held(guide)) as Box<dyn Constraint>))
    }
}

/// A guide as the engine asks it.
struct Held(Guide);

fn failed(source: chat::Error) -> Error {
    Error::Constraint { source: source.into() }
}

impl Constraint for Held {
    fn allowed(&mut self) -> Result<Option<TokenMask>> {
        let bits = self.0.allowed().map_err(failed)?;
        Ok(bits.map(TokenMask::from_words))
    }

    fn accept(&mut self, token: u32) -> Result<()> {
        self.0.accept(token).map_err(failed)
    }
}
