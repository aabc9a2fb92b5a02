//! `tokenize` and `detokenize`: text to token ids and back.

use std::io::{self, Write as _};

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::args::{DetokenizeArgs, TokenizeArgs};
use crate::settings::{open_tokenizer, stdin_bytes, stdin_text};

pub(crate) fn tokenize(args: &TokenizeArgs) -> Result<()> {
    let (tokenizer, _) = open_tokenizer(&args.tokenizer)?;
    let text = stdin_text()?;
    let tokens = if args.plain { tokenizer.encode_plain(&text) } else { tokenizer.encode(&text) };
    let output = if args.json {
        let piece = |id: &u32| String::from_utf8_lossy(tokenizer.token_bytes(*id)).into_owned();
        json!({ "tokens": tokens, "pieces": tokens.iter().map(piece).collect::<Vec<_>>() })
    } else {
        json!(tokens)
    };
    writeln!(io::stdout(), "{output}").context("cannot write the tokens")
}

pub(crate) fn detokenize(args: &DetokenizeArgs) -> Result<()> {
    let (tokenizer, _) = open_tokenizer(&args.tokenizer)?;
    let tokens: Vec<u32> = serde_json::from_slice(&stdin_bytes()?)
        .context("standard input is not a JSON array of token ids")?;
    let bytes = tokenizer.decode(&tokens)?;
    let mut out = io::stdout().lock();
    out.write_all(&bytes).and_then(|()| out.flush()).context("cannot write the text")
}
