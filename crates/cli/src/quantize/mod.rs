//! `ironstar quantize`: a model file with its weights in other types.
//!
//! A [recipe] says which tensor gets which type; metadata is kept. Tensors are streamed, a
//! few rows at a time on all cores, so memory stays small whatever the file has, and an interrupted
//! run is continued where it was. Weights that are quantised already are decoded first.
//!
//! Refuses: weights that are not finite, importances of another model.

mod encode;
mod output;
mod recipe;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use engine::{ImportanceMatrix, InputSquares};
use gguf::{MappedFile, TensorType, Writer, WriterBuilder};
use indicatif::{DecimalBytes, ProgressBar};

use crate::files::check_output;
use crate::terminal::bytes_bar;

pub(crate) use encode::{RowEncoder, n_threads};
use output::{Beginning, FileIdentity, Origin, Output};
pub(crate) use recipe::{Choice, Recipe};

/// Recipes are TOML files; q2, q4 and mxfp4 are built in and give the types of the published files.
///
/// An interrupted run is continued when the same is asked for again.
#[derive(Debug, clap::Args)]
pub(crate) struct QuantizeArgs {
    /// Model file to read.
    #[arg(value_name = "IN.gguf")]
    input: PathBuf,

    /// Model file to write.
    #[arg(value_name = "OUT.gguf")]
    out: PathBuf,

    /// Which tensor gets which type: q2, q4, mxfp4 or a file.
    #[arg(long, value_name = "RECIPE")]
    recipe: String,

    /// Importance of columns, as `ironstar imatrix` or llama.cpp write it.
    #[arg(long, value_name = "FILE")]
    imatrix: Option<PathBuf>,

    /// Threads [default: one per core].
    #[arg(long, value_name = "N", value_parser = crate::args::thread_count)]
    threads: Option<usize>,

    /// Replace the model file if it exists.
    #[arg(long)]
    force: bool,
}

/// What becomes of a tensor of the input.
#[derive(Debug)]
struct Step {
    name: String,
    dims: Vec<u64>,
    from: TensorType,
    to: TensorType,
    /// Bytes in the output.
    bytes: u64,
}

/// Quantises a file and says on stderr what became of it.
pub(crate) fn quantize(args: &QuantizeArgs) -> anyhow::Result<()> {
    check_output(&args.out, args.force)?;
    let recipe = Recipe::open(&args.recipe)?;
    let input = MappedFile::open(&args.input)
        .with_context(|| format!("cannot read {}", args.input.display()))?;
    let importance = args.imatrix.as_deref().map(ImportanceMatrix::open).transpose()?;
    let (steps, mut notes) = plan(&input, &recipe)?;
    let importance = Importance::matched(importance, &steps)?;
    notes.extend(importance.notes(&steps));
    say(&notes)?;

    let origin = Origin {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        input: FileIdentity::of(&args.input)?,
        recipe_name: recipe.name.clone(),
        recipe: recipe.text.clone(),
        imatrix: args.imatrix.as_deref().map(FileIdentity::of).transpose()?,
    };
    let (mut output, beginning) = Output::open(&args.out, origin)?;
    let n_done = match beginning {
        Beginning::New => 0,
        Beginning::Continued(n_done) => {
            say(&[format!("continuing after {n_done} of {} tensors", steps.len())])?;
            n_done
        }
        Beginning::StartedOver => {
            say(&["an unfinished output was made from something else; starting over".to_owned()])?;
            0
        }
    };
    let header = describe(input.header().metadata.iter(), &recipe, &importance, &steps)?;
    let total = steps.iter().map(|step| step.bytes).sum();
    let progress = bytes_bar("quantising", total);
    progress.set_position(steps[..n_done.min(steps.len())].iter().map(|step| step.bytes).sum());
    progress.reset_eta();
    let mut job = Job {
        input: &input,
        importance: &importance,
        n_threads: n_threads(args.threads),
        writer: output.writer(header)?,
        progress,
    };
    for step in steps.iter().skip(n_done) {
        job.tensor(step)?;
        output.tensor_done(step.bytes)?;
    }
    job.progress.finish_and_clear();
    job.writer.finish().context("cannot write the model file")?;
    output.finish()?;
    let input_bytes = input.header().tensors.iter().map(|tensor| tensor.bytes).sum();
    say(&[summary(&args.out, &steps, input_bytes)])
}

/// What happens to each tensor, and what the user should know.
fn plan(input: &MappedFile, recipe: &Recipe) -> anyhow::Result<(Vec<Step>, Vec<String>)> {
    let mut steps = Vec::new();
    for info in &input.header().tensors {
        if !info.kind.is_known() {
            bail!("{} is of {}, whose size is unknown; it cannot be copied", info.name, info.kind);
        }
        let columns = *info.dims.first().context("every tensor has a dimension")?;
        let to = match recipe.choice(&info.name) {
            Choice::As(kind) if info.kind.is_float() => {
                recipe.fitting(&info.name, kind, columns)?
            }
            _ => info.kind,
        };
        let n_weights: u64 = info.dims.iter().product();
        let bytes = n_weights / to.block_len() as u64 * to.block_bytes() as u64;
        let (name, dims) = (info.name.clone(), info.dims.clone());
        steps.push(Step { name, dims, from: info.kind, to, bytes });
    }
    let mut notes = recipe.unused_notes(steps.iter().map(|step: &Step| step.name.as_str()));
    let requantised = steps.iter().filter(|step| step.to != step.from && is_lossy(step.from));
    match requantised.count() {
        0 => {}
        n => notes
            .push(format!("warning: {n} tensors are quantised already; what that lost stays lost")),
    }
    Ok((steps, notes))
}

/// Whether values in this type were rounded to blocks.
pub(crate) fn is_lossy(kind: TensorType) -> bool {
    kind.is_float() && kind.block_len() > 1
}

/// The importances that belong to the input's tensors.
struct Importance {
    squares: BTreeMap<String, InputSquares>,
    is_given: bool,
    n_chunks: u32,
}

impl Importance {
    fn matched(matrix: Option<ImportanceMatrix>, steps: &[Step]) -> anyhow::Result<Self> {
        let is_given = matrix.is_some();
        let matrix = matrix.unwrap_or_default();
        for step in steps {
            let Some(squares) = matrix.weights.get(&step.name) else { continue };
            let n_matrices = squares.counts.len() as u64;
            let (columns, stack) = (step.dims[0], step.dims.get(2).copied().unwrap_or(1));
            if squares.columns as u64 != columns || (n_matrices != stack && n_matrices != 1) {
                bail!(
                    "the importance matrix is of another model: {} has {} matrices of {} columns \
                     there, and {stack} of {columns} here",
                    step.name,
                    n_matrices,
                    squares.columns
                );
            }
        }
        Ok(Self { squares: matrix.weights, is_given, n_chunks: matrix.source.n_chunks })
    }

    fn notes(&self, steps: &[Step]) -> Option<String> {
        let is_coarse = |step: &&Step| step.to == TensorType::Iq2Xxs && step.from != step.to;
        let mut coarse = steps.iter().filter(is_coarse);
        if self.is_given {
            let missing = coarse.filter(|step| !self.squares.contains_key(&step.name)).count();
            return (missing > 0).then(|| {
                format!("warning: {missing} tensors of IQ2_XXS are not in the importance matrix")
            });
        }
        coarse.next().map(|_| {
            "warning: IQ2_XXS without --imatrix is noticeably worse; `ironstar imatrix` makes one"
                .to_owned()
        })
    }
}

/// Everything that precedes the data: the input's metadata with what has changed, and the tensors.
fn describe<'a>(
    metadata: impl Iterator<Item = (&'a str, &'a gguf::Value)>,
    recipe: &Recipe,
    importance: &Importance,
    steps: &[Step],
) -> anyhow::Result<WriterBuilder> {
    const OURS: [&str; 4] = [
        "general.file_type",
        "general.quantization_version",
        "quantize.recipe",
        "quantize.imatrix.chunks_count",
    ];
    let mut header = WriterBuilder::new();
    let mut old_file_type = None;
    for (key, value) in metadata {
        if key == OURS[0] {
            old_file_type = Some(value.clone());
        } else if !OURS.contains(&key) {
            header.metadata(key, value.clone())?;
        }
    }
    match (recipe.file_type, old_file_type) {
        (Some(file_type), _) => drop(header.metadata(OURS[0], file_type)?),
        (None, Some(file_type)) => drop(header.metadata(OURS[0], file_type)?),
        (None, None) => {}
    }
    header.metadata(OURS[1], 2_u32)?;
    header.metadata(OURS[2], recipe.name.as_str())?;
    if importance.is_given {
        header.metadata(OURS[3], importance.n_chunks)?;
    }
    for step in steps {
        header.tensor(&step.name, &step.dims, step.to)?;
    }
    Ok(header)
}

/// The conversion of tensor after tensor.
struct Job<'a, W> {
    input: &'a MappedFile,
    importance: &'a Importance,
    n_threads: usize,
    writer: Writer<W>,
    progress: ProgressBar,
}

impl<W: std::io::Write> Job<'_, W> {
    fn tensor(&mut self, step: &Step) -> anyhow::Result<()> {
        let cannot_write = || format!("cannot write tensor {}", step.name);
        let tensor = self.input.tensor(&step.name).context("the plan is of this file")?;
        self.writer.begin_tensor(&step.name).with_context(cannot_write)?;
        let (columns, n_rows) = (tensor.columns(), tensor.rows());
        let mut encoder = RowEncoder::new(step.to, columns, self.n_threads);
        if let Some(squares) = self.importance.squares.get(&step.name) {
            encoder = encoder.weighted_by(squares, n_rows);
        }
        let rows_per_piece = encoder.rows_per_piece();
        let row_bytes = tensor.row_bytes();
        let read = |row: usize, weights: &mut [f32]| {
            step.from.decode_row(&tensor.data[row * row_bytes..][..row_bytes], weights);
        };
        for first in (0..n_rows).step_by(rows_per_piece) {
            let piece_rows = rows_per_piece.min(n_rows - first);
            let piece = first * row_bytes..(first + piece_rows) * row_bytes;
            if step.from == step.to {
                self.append(&tensor.data[piece.clone()]).with_context(cannot_write)?;
            } else {
                let encoded = encoder.encode(first, piece_rows, &read);
                for part in encoded.with_context(|| format!("cannot quantise {}", step.name))? {
                    self.append(&part).with_context(cannot_write)?;
                }
            }
            tensor.data.will_not_need(piece);
        }
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> gguf::Result<()> {
        self.writer.append(bytes)?;
        self.progress.inc(bytes.len() as u64);
        Ok(())
    }
}

fn summary(out: &Path, steps: &[Step], input_bytes: u64) -> String {
    let bytes: u64 = steps.iter().map(|step| step.bytes).sum();
    let mut by_kind: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    for step in steps {
        let sum = by_kind.entry(step.to.name()).or_default();
        *sum = (sum.0 + 1, sum.1 + step.bytes);
    }
    let mut lines = vec![format!(
        "{}: {} tensors, {} (was {})",
        out.display(),
        steps.len(),
        DecimalBytes(bytes),
        DecimalBytes(input_bytes)
    )];
    lines.extend(by_kind.into_iter().map(|(kind, (n, bytes))| {
        format!("  {kind:8} {n:5} tensors {:>12}", DecimalBytes(bytes).to_string())
    }));
    lines.join("\n")
}

fn say(lines: &[String]) -> anyhow::Result<()> {
    let mut text = lines.join("\n");
    if !text.is_empty() {
        text.push('\n');
    }
    std::io::stderr().write_all(text.as_bytes()).context("cannot write to stderr")
}
