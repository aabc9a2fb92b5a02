//! `bench`: speed by length of context, as a table and as files.
//!
//! Passes come from `engine::bench`; here they are repeated, set against the machine's measured
//! limit, and written: `output` makes JSON and CSV, `plot` a picture.

mod compare;
mod energy;
mod frontiers;
mod output;
mod plot;

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use engine::{
    BenchOptions, CancelToken, DEFAULT_MAX_BATCH, LoadOptions, Machine, ModelFile, bench,
    private_bytes,
};

use self::energy::EnergyMeter;
use self::frontiers::Frontiers;
use self::output::{Disk, MachineReport, Memory, Report, Row};
use crate::args::{BackendArgs, positive};
use crate::disk::DiskRate;
use crate::models;
use crate::run::{cancel_on_interrupt, load};
use crate::settings::load_options;
use crate::terminal::tokens_bar;

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Model file (GGUF), or `tiny`, which is built in.
    #[arg(short, long, value_name = "MODEL")]
    model: Option<PathBuf>,

    #[command(flatten)]
    backend: BackendArgs,

    /// Contexts at which decode is measured, in tokens: numbers, and ranges that add or multiply,
    /// such as 512,2k..64k*2 or 0..32k+4k.
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "512,2048,8192")]
    ctx: Vec<Frontiers>,

    /// Tokens to decode at each of them.
    #[arg(long = "gen", value_name = "N", value_parser = positive, default_value = "128")]
    decode_tokens: usize,

    /// Text to read [default: made-up tokens].
    #[arg(long, value_name = "FILE")]
    prompt_file: Option<PathBuf>,

    /// Passes; rates are the median.
    #[arg(long, value_name = "R", value_parser = positive, default_value = "1")]
    repeat: usize,

    /// Make up the KV below each context instead of running a prompt, but for the last N tokens;
    /// without N, only decode is measured.
    #[arg(long, value_name = "N", value_parser = positive, num_args = 0..=1, default_missing_value = "1")]
    made_up_kv: Option<usize>,

    /// Most tokens of one batch of prefill.
    #[arg(long, value_name = "N", value_parser = positive)]
    batch: Option<usize>,

    /// Also time the device's kernels one by one, which makes the rates lower, and list them.
    #[arg(long)]
    kernels: bool,

    /// Measure nothing; show two CSV files of bench, or of ds4-bench, side by side.
    #[arg(long, num_args = 2, value_names = ["A.csv", "B.csv"], exclusive = true)]
    compare: Option<Vec<PathBuf>>,

    /// Write the report as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write the rows as CSV.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,

    /// Draw the rates over the context as SVG.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

pub(crate) fn run(args: &BenchArgs) -> Result<()> {
    if let Some([before, after]) = args.compare.as_deref() {
        let table = compare::compare(before, after)?;
        return io::stdout().write_all(table.as_bytes()).context("cannot write the table");
    }
    let file = models::open_or_default(args.model.as_deref())?;
    let options = bench_options(args, &file)?;
    options.check()?;
    let mut load_options = load_options(&args.backend);
    load_options.max_batch = args.batch.or(load_options.max_batch);
    if load_options.max_batch.is_none() && options.largest_prefill() < DEFAULT_MAX_BATCH {
        load_options.max_batch = Some(options.largest_prefill());
    }
    let cancel = cancel_on_interrupt()?;
    let report = measure(args, &file, &load_options, &options, &cancel)?;
    io::stdout().write_all(report.table().as_bytes()).context("cannot write the table")?;
    let write = |path: &Option<PathBuf>, text: &dyn Fn() -> Result<String>| match path {
        None => Ok(()),
        Some(path) => {
            fs::write(path, text()?).with_context(|| format!("cannot write {}", path.display()))
        }
    };
    write(&args.json, &|| report.json())?;
    write(&args.csv, &|| Ok(report.csv()))?;
    write(&args.plot, &|| plot::draw(&report))
}

fn bench_options(args: &BenchArgs, file: &ModelFile) -> Result<BenchOptions> {
    let mut frontiers: Vec<usize> = args.ctx.iter().flat_map(|item| &item.0).copied().collect();
    frontiers.sort_unstable();
    frontiers.dedup();
    let tokens = match &args.prompt_file {
        Some(path) => {
            let text = fs::read_to_string(path)
                .with_context(|| format!("cannot read the prompt {}", path.display()))?;
            file.tokenizer()?.encode(&text)
        }
        None => made_up_tokens(file.geometry()?.vocab_size),
    };
    Ok(BenchOptions {
        frontiers,
        decode_tokens: args.decode_tokens,
        tokens,
        made_up: args.made_up_kv,
        time_kernels: args.kernels,
    })
}

/// Tokens that spread over the vocabulary, and so over the experts, as no two alike.
fn made_up_tokens(vocab_size: usize) -> Vec<u32> {
    const N_TOKENS: u64 = 4093;
    // Multiplicative hashing by 2^32 divided by the golden ratio.
    let spread = |i: u64| ((i * 2_654_435_769) % (1 << 32) * vocab_size as u64) >> 32;
    (0..N_TOKENS).map(|i| spread(i) as u32).collect()
}

fn measure(
    args: &BenchArgs,
    file: &ModelFile,
    load_options: &LoadOptions,
    options: &BenchOptions,
    cancel: &CancelToken,
) -> Result<Report> {
    let machine = Machine::now();
    let plan = |machine| file.plan_memory(load_options, options.context(), 1, machine);
    let planned_bytes = machine.as_ref().map(plan).transpose()?.map(|plan| plan.total_bytes());
    let before_bytes = private_bytes();
    let mut model = load(file, load_options)?;
    let mut passes = Vec::new();
    let mut full_bytes = None;
    let disk = DiskRate::start();
    let energy = EnergyMeter::start();
    for _ in 0..args.repeat {
        let bar = tokens_bar("measuring", options.context() as u64);
        let pass = bench(model.as_mut(), options, cancel, &mut |done| {
            bar.set_position(done as u64);
            if done == options.context() {
                full_bytes = private_bytes();
            }
        });
        bar.finish_and_clear();
        passes.push(pass?);
    }
    let energy = energy.and_then(|meter| meter.read());
    let disk = disk.read().map(|(read_bytes, gb_s)| Disk { read_bytes, gb_s });
    // A pass that was stopped has fewer frontiers; those that all passes have are reported.
    let n_frontiers = passes.iter().map(Vec::len).min().unwrap_or(0);
    let bytes_per_token = model.active_bytes().total;
    let peak = model.read_bandwidth();
    let row = |i: usize| {
        let frontiers: Vec<_> = passes.iter().map(|pass| pass[i].clone()).collect();
        Row::new(&frontiers, bytes_per_token, peak, args.made_up_kv == Some(1))
    };
    Ok(Report {
        machine: MachineReport {
            name: machine.map_or_else(|| "unknown".to_owned(), |machine| machine.name),
            backend: model.backend_name(),
            peak_read_gb_s: peak,
        },
        model: file.path().display().to_string(),
        memory: Memory {
            planned_bytes,
            measured_bytes: full_bytes.zip(before_bytes).map(|(full, before)| full - before),
        },
        disk,
        energy,
        rows: (0..n_frontiers).map(row).collect(),
    })
}
