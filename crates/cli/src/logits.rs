//! `logits`: the numbers themselves, to compare with other implementations.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use engine::{CancelToken, DEFAULT_MAX_BATCH, KvRounding, LoadOptions, LogitsWanted, evaluate};

use crate::args::LogitsArgs;
use crate::models;
use crate::run::load;
use crate::settings::load_options;
use crate::terminal::tokens_bar;

pub(crate) fn logits(args: &LogitsArgs) -> Result<()> {
    let tokens = read_tokens(&args.tokens)?;
    let chunk = args.chunk.unwrap_or(DEFAULT_MAX_BATCH).min(tokens.len());
    let kv_rounding = if args.no_kv_rounding { KvRounding::Off } else { KvRounding::Applied };
    let options =
        LoadOptions { max_batch: Some(chunk), kv_rounding, ..load_options(&args.backend) };
    let file = models::open(&args.model)?;
    let mut model = load(&file, &options)?;
    let wanted = if args.last { LogitsWanted::Last } else { LogitsWanted::All };
    let cannot_write = || format!("cannot write the logits to {}", args.out.display());
    let mut out = BufWriter::new(File::create(&args.out).with_context(cannot_write)?);
    let bar = tokens_bar("running", tokens.len() as u64);
    let mut written: io::Result<()> = Ok(());
    let cancel = CancelToken::new();
    evaluate(model.as_mut(), &tokens, chunk, wanted, &cancel, &mut |position, row| {
        bar.set_position(position as u64 + 1);
        if written.is_ok() {
            written = row.iter().try_for_each(|logit| out.write_all(&logit.to_le_bytes()));
        }
        if written.is_err() {
            cancel.cancel();
        }
    })?;
    bar.finish_and_clear();
    written.and_then(|()| out.flush()).with_context(cannot_write)
}

fn read_tokens(path: &Path) -> Result<Vec<u32>> {
    let json =
        fs::read(path).with_context(|| format!("cannot read the tokens {}", path.display()))?;
    let tokens: Vec<u32> = serde_json::from_slice(&json)
        .with_context(|| format!("{} is not a JSON array of token ids", path.display()))?;
    ensure!(!tokens.is_empty(), "{} holds no tokens", path.display());
    Ok(tokens)
}
