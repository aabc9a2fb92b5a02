//! `imatrix`: text through a model, and how large the inputs of its weights were, for `quantize`.

use std::fs;
use std::io::{BufWriter, IntoInnerError, Write as _};

use anyhow::{Context as _, Result, bail, ensure};
use engine::{CancelToken, DEFAULT_MAX_BATCH, ImportanceCollector, LoadOptions};

use crate::args::ImatrixArgs;
use crate::files::{check_output, new_temporary_file};
use crate::models;
use crate::settings::load_options;
use crate::terminal::{bytes_bar, tokens_bar};

/// Tokens of a chunk unless told otherwise, as in llama.cpp.
const DEFAULT_CHUNK_LEN: usize = 512;

pub(crate) fn imatrix(args: &ImatrixArgs) -> Result<()> {
    check_output(&args.out, args.force)?;
    let text = fs::read_to_string(&args.file)
        .with_context(|| format!("cannot read the text {}", args.file.display()))?;
    let file = models::open(&args.model)?;
    let tokenizer = file.tokenizer()?;
    let tokens = tokenizer.encode(&text);
    ensure!(!tokens.is_empty(), "{} holds no text", args.file.display());
    let chunk_len = args.ctx.unwrap_or(DEFAULT_CHUNK_LEN);
    ensure!(chunk_len >= 2, "--ctx must be at least 2");

    let max_batch = DEFAULT_MAX_BATCH.min(chunk_len);
    let options = LoadOptions { max_batch: Some(max_batch), ..load_options(&args.backend) };
    let bar = bytes_bar("loading", file.tensor_bytes());
    let loaded =
        ImportanceCollector::load(&file, &options, chunk_len, &mut |done| bar.set_position(done));
    bar.finish_and_clear();
    let mut collector = loaded?;
    let Some(bos) = tokenizer.bos() else { bail!("the vocabulary has no BOS token") };
    let mut chunks = collector.chunks(&tokens, bos);
    chunks.truncate(args.chunks.unwrap_or(usize::MAX));
    let n_tokens: usize = chunks.iter().map(Vec::len).sum();
    let bar = tokens_bar("observing", n_tokens as u64);
    let cancel = CancelToken::new();
    for chunk in &chunks {
        collector.run(chunk, &cancel)?;
        bar.inc(chunk.len() as u64);
    }
    bar.finish_and_clear();

    let perplexity = collector.perplexity();
    let dataset = args.file.file_name().unwrap_or_default().to_string_lossy();
    let matrix = collector.finish(&dataset);
    let cannot_write = || format!("cannot write {}", args.out.display());
    let new = new_temporary_file(&args.out)?;
    let out = matrix.write(BufWriter::new(new)).with_context(cannot_write)?;
    let new = out.into_inner().map_err(IntoInnerError::into_error).with_context(cannot_write)?;
    new.persist(&args.out).with_context(cannot_write)?;
    let summary = format!(
        "{}: {} weights, {} chunks, {n_tokens} tokens, perplexity {perplexity:.4}\n",
        args.out.display(),
        matrix.weights.len(),
        chunks.len(),
    );
    std::io::stderr().write_all(summary.as_bytes()).context("cannot write to stderr")
}
