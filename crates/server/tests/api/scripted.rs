//! Scripts for the model that says what it is told to.
//!
//! A script is chosen by what the conversation holds: of all texts that scripts answer to, the one
//! that stands last. Answers are token ids, so that the same text may be said in other pieces.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use chat::Tokenizer;
use engine::{Geometry, Inference, ModelFile};

use crate::scripted_model::{Next, ScriptedModel};

/// What is said to whom.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    /// Text that the conversation holds.
    pub(crate) asked: String,
    /// The answer, without the token that ends it.
    pub(crate) said: Vec<u32>,
    /// Time that each token takes, of the prompt as of the answer.
    pub(crate) pace: Duration,
    /// The device fails after so many tokens of the answer.
    pub(crate) fails_after: Option<usize>,
}

/// The vocabulary and the dimensions of the built-in model.
pub(crate) struct Tiny {
    pub(crate) tokenizer: Arc<Tokenizer>,
    pub(crate) geometry: Geometry,
}

/// Where the built-in model is.
pub(crate) fn tiny_path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../cli/models/tiny.gguf"))
}

pub(crate) fn tiny() -> &'static Tiny {
    static TINY: OnceLock<Tiny> = OnceLock::new();
    TINY.get_or_init(|| {
        let file = ModelFile::open(tiny_path()).expect("the built-in model is there");
        let tokenizer = Arc::new(file.tokenizer().expect("it has a vocabulary"));
        Tiny { tokenizer, geometry: file.geometry().expect("it is a model") }
    })
}

/// An answer in which control tokens are spelled.
pub(crate) fn says(asked: &str, text: &str) -> Script {
    let said = tiny().tokenizer.encode(text);
    Script { asked: asked.to_owned(), said, ..Script::default() }
}

/// Whether something else was said than a script wants, since somebody cleared this: rules may allow a
/// text in one cut only.
pub(crate) static STRAYED: AtomicBool = AtomicBool::new(false);

/// A model that follows scripts, which may be exchanged while it runs.
pub(crate) fn scripted(scripts: Arc<Mutex<Vec<Script>>>) -> impl Inference {
    let eos = tiny().tokenizer.eos().expect("the vocabulary has an end");
    ScriptedModel::new(tiny().geometry.clone(), move |timeline: &[u32]| {
        let scripts = scripts.lock().expect("nobody panics with it");
        let (script, n_said) = script(&scripts, timeline).unwrap_or_default();
        let wanted = n_said.checked_sub(1).and_then(|last| script.said.get(last));
        if wanted.is_some_and(|wanted| timeline.last() != Some(wanted)) {
            STRAYED.store(true, Ordering::Relaxed);
        }
        Next {
            token: script.said.get(n_said).copied().unwrap_or(eos),
            pace: script.pace,
            fails: script.fails_after == Some(n_said),
        }
    })
}

/// The script of a timeline, and how many tokens of its answer have been said.
fn script(scripts: &[Script], timeline: &[u32]) -> Option<(Script, usize)> {
    let tokenizer = &tiny().tokenizer;
    let assistant = tokenizer.token_id("<｜Assistant｜>").expect("a control token");
    // A conversation ends in this token and one that says whether to think.
    let turn = timeline.iter().rposition(|&token| token == assistant).map(|last| last + 2);
    let text = |tokens: &[u32]| {
        let bytes = tokenizer.decode(tokens).expect("tokens of the vocabulary");
        String::from_utf8_lossy(&bytes).into_owned()
    };
    if let Some(n_prompt) = turn {
        let prompt = text(&timeline[..n_prompt.min(timeline.len())]);
        let place = |script: &&Script| prompt.rfind(&script.asked);
        let script = scripts.iter().filter(|s| place(s).is_some()).max_by_key(place)?;
        return Some((script.clone(), timeline.len().saturating_sub(n_prompt)));
    }
    // Without a conversation, the prompt is the text that a script answers to.
    scripts.iter().find_map(|script| {
        let n = (1..=timeline.len()).find(|&n| text(&timeline[..n]).ends_with(&script.asked))?;
        Some((script.clone(), timeline.len() - n))
    })
}
