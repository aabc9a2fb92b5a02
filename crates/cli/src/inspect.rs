//! `inspect`: what a file is and what it costs to run.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use anyhow::{Context as _, Result};
use engine::{Cost, DialectSource, Geometry, Inspection};
use indicatif::HumanBytes;
use serde_json::{Value, json};

use crate::args::InspectArgs;
use crate::models;
use crate::report::sentence;

pub(crate) fn inspect(args: &InspectArgs) -> Result<()> {
    let file = models::open(&args.model)?;
    let inspection = file.inspect(args.ctx);
    let output = if args.json {
        format!("{:#}\n", to_json(inspection))
    } else {
        to_text(inspection).expect("writing to a string does not fail")
    };
    io::stdout().write_all(output.as_bytes()).context("cannot write the summary")
}

fn dialect_reason(source: &DialectSource) -> String {
    match source {
        DialectSource::Named { origin, text } => format!("{origin} is `{text}`"),
        DialectSource::Default => "nothing in the file names another".to_owned(),
    }
}

fn to_text(inspection: Inspection) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    let unknown = || "(not given)".to_owned();
    writeln!(out, "name          {}", inspection.name.unwrap_or_else(unknown))?;
    writeln!(out, "architecture  {}", inspection.architecture.unwrap_or_else(unknown))?;
    writeln!(out, "file          {}", HumanBytes(inspection.file_bytes))?;
    match inspection.runs {
        Ok(()) => writeln!(out, "runs          yes")?,
        Err(error) => writeln!(out, "runs          no: {}", sentence(&error.into()))?,
    }
    writeln!(
        out,
        "prompts       {} ({})",
        inspection.dialect,
        dialect_reason(&inspection.dialect_source)
    )?;
    match inspection.tokenizer {
        Ok(tokenizer) => writeln!(
            out,
            "tokenizer     {} tokens, {} of them added; BOS {}, EOS {}",
            tokenizer.vocab_size(),
            tokenizer.added_token_ids().len(),
            id_text(tokenizer.bos()),
            id_text(tokenizer.eos()),
        )?,
        Err(error) => writeln!(out, "tokenizer     none: {}", sentence(&error.into()))?,
    }
    writeln!(out, "\ntensors")?;
    for group in &inspection.tensors {
        let bytes = HumanBytes(group.bytes);
        writeln!(out, "  {:<10} {:>5}  {bytes}", group.kind, group.n_tensors)?;
    }
    if let Ok(cost) = inspection.cost {
        writeln!(out, "\ngeometry")?;
        for (name, value) in geometry(&cost.geometry) {
            writeln!(out, "  {name:<22} {value}")?;
        }
        writeln!(out, "\nmemory for a context of {} tokens, beside the weights", cost.context)?;
        for (name, bytes) in memory(&cost) {
            writeln!(out, "  {name:<22} {}", HumanBytes(bytes))?;
        }
        let active = cost.active_bytes.total;
        writeln!(out, "\na decoded token reads {} of weights", HumanBytes(active))?;
    }
    Ok(out)
}

fn id_text(id: Option<u32>) -> String {
    id.map_or_else(|| "none".to_owned(), |id| id.to_string())
}

fn memory(cost: &Cost) -> [(&'static str, u64); 5] {
    [
        ("kv_bytes", cost.memory.kv_bytes),
        ("window_bytes", cost.memory.window_bytes),
        ("activation_bytes", cost.memory.activation_bytes),
        ("scratch_bytes", cost.memory.scratch_bytes),
        ("total_bytes", cost.memory.total_bytes()),
    ]
}

/// The dimensions by name, in the order of the forward pass.
fn geometry(g: &Geometry) -> Vec<(&'static str, Value)> {
    vec![
        ("n_layers", json!(g.n_layers)),
        ("hidden_size", json!(g.hidden_size)),
        ("vocab_size", json!(g.vocab_size)),
        ("n_heads", json!(g.n_heads)),
        ("head_dim", json!(g.head_dim)),
        ("rope_dim", json!(g.rope_dim)),
        ("q_rank", json!(g.q_rank)),
        ("n_output_groups", json!(g.n_output_groups)),
        ("output_rank", json!(g.output_rank)),
        ("window", json!(g.window)),
        ("compress_ratios", json!(g.compress_ratios)),
        ("n_index_heads", json!(g.n_index_heads)),
        ("index_dim", json!(g.index_dim)),
        ("index_top_k", json!(g.index_top_k)),
        ("n_experts", json!(g.n_experts)),
        ("n_experts_per_token", json!(g.n_experts_per_token)),
        ("expert_width", json!(g.expert_width)),
        ("n_hash_layers", json!(g.n_hash_layers)),
        ("n_streams", json!(g.hyper_connection.n_streams)),
        ("trained_context", json!(engine::trained_context(g))),
    ]
}

fn to_json(inspection: Inspection) -> Value {
    let cost = inspection.cost.ok();
    let tensors = |group: &engine::TensorGroup| {
        let engine::TensorGroup { kind, n_tensors, bytes } = group;
        json!({ "type": kind, "n_tensors": n_tensors, "bytes": bytes })
    };
    let tokenizer = match inspection.tokenizer {
        Ok(tokenizer) => json!({
            "vocab_size": tokenizer.vocab_size(),
            "n_added_tokens": tokenizer.added_token_ids().len(),
            "bos": tokenizer.bos(),
            "eos": tokenizer.eos(),
        }),
        Err(error) => json!({ "error": sentence(&error.into()) }),
    };
    json!({
        "name": inspection.name,
        "architecture": inspection.architecture,
        "file_bytes": inspection.file_bytes,
        "runs": inspection.runs.is_ok(),
        "runs_not_because": inspection.runs.err().map(|error| sentence(&error.into())),
        "prompt_format": inspection.dialect.to_string(),
        "prompt_format_because": dialect_reason(&inspection.dialect_source),
        "tokenizer": tokenizer,
        "tensors": inspection.tensors.iter().map(tensors).collect::<Vec<_>>(),
        "geometry": cost.as_ref().map(|cost| {
            geometry(&cost.geometry)
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect::<serde_json::Map<_, _>>()
        }),
        "memory": cost.as_ref().map(|cost| {
            let bytes = memory(cost).into_iter().map(|(name, n)| (name.to_owned(), json!(n)));
            std::iter::once(("context".to_owned(), json!(cost.context)))
                .chain(bytes)
                .collect::<serde_json::Map<_, _>>()
        }),
        "active_bytes_per_token": cost.as_ref().map(|cost| cost.active_bytes.total),
    })
}
