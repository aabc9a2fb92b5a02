//! Two measurements side by side: this program's CSV files, or those of ds4-bench.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use crate::files::read_bounded;

const MAX_BYTES: u64 = 1 << 24;

/// The rates of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rates {
    ctx: usize,
    /// `None` where it was not measured.
    prefill: Option<f64>,
    decode: f64,
}

/// A table of the contexts that both files have.
pub(super) fn compare(before: &Path, after: &Path) -> Result<String> {
    let (old, new) = (read(before)?, read(after)?);
    let mut text = format!(
        "    context       prefill tok/s                decode tok/s\n{:>11}  {:>10}  {:>10}          \
         {:>8}  {:>8}\n",
        "", "before", "after", "before", "after"
    );
    let mut n_rows = 0;
    for old in &old {
        let Some(new) = new.iter().find(|new| new.ctx == old.ctx) else { continue };
        let prefill = match (old.prefill, new.prefill) {
            (Some(old), Some(new)) => format!("{old:>10.1}  {new:>10.1} {}", change(old, new)),
            _ => format!("{:>10}  {:>10} {:>7}", "-", "-", ""),
        };
        let (before, after) = (old.decode, new.decode);
        let change = change(before, after);
        writeln!(text, "{:>11}  {prefill}  {before:>8.2}  {after:>8.2} {change}", old.ctx)
            .expect("strings take any text");
        n_rows += 1;
    }
    ensure!(n_rows > 0, "{} and {} have no context in common", before.display(), after.display());
    Ok(text)
}

/// By how much a rate grew.
fn change(before: f64, after: f64) -> String {
    format!("{:>+6.1}%", (after / before - 1.0) * 100.0)
}

fn read(path: &Path) -> Result<Vec<Rates>> {
    let bytes = read_bounded(path, MAX_BYTES)?;
    let is_no_report = || format!("{} is no CSV file of bench", path.display());
    let text = String::from_utf8(bytes).with_context(is_no_report)?;
    parse(&text).with_context(is_no_report)
}

fn parse(text: &str) -> Result<Vec<Rates>> {
    let mut lines = text.lines().filter(|line| !line.is_empty());
    let header = fields(lines.next().context("it is empty")?);
    let column = |names: [&str; 2]| {
        let found = header.iter().position(|name| names.contains(&name.as_str()));
        found.with_context(|| format!("it has no column {}", names[0]))
    };
    let ctx = column(["ctx", "ctx_tokens"])?;
    let prefill = column(["prefill_tok_s", "prefill_tps"])?;
    let decode = column(["decode_tok_s", "gen_tps"])?;
    let row = |(index, line): (usize, &str)| -> Result<Rates> {
        let number = index + 2;
        let fields = fields(line);
        let field = |column: usize| match fields.get(column) {
            Some(field) => Ok(field.as_str()),
            None => bail!("line {number} is too short"),
        };
        let rate = |column| -> Result<f64> {
            field(column)?.parse().with_context(|| format!("line {number} has no rate"))
        };
        Ok(Rates {
            ctx: field(ctx)?.parse().with_context(|| format!("line {number} has no context"))?,
            prefill: if field(prefill)?.is_empty() { None } else { Some(rate(prefill)?) },
            decode: rate(decode)?,
        })
    };
    lines.enumerate().map(row).collect()
}

/// The fields of a line; those in quotes may hold commas, and quotes twice.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        let field = fields.last_mut().expect("there is always one");
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            _ => field.push(letter),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_programs_files_are_read() {
        let ours = "machine,ctx,prefill_tok_s,decode_tok_s\n\"a, \"\"b\"\"\",512,,2.5\n";
        let rates = Rates { ctx: 512, prefill: None, decode: 2.5 };
        assert_eq!(parse(ours).expect("our layout"), [rates]);
        let theirs = "ctx_tokens,prefill_tokens,prefill_tps,gen_tokens,gen_tps,kvcache_bytes\n\
                      2048,2048,343.76,128,26.76,52184460\n";
        let rates = Rates { ctx: 2048, prefill: Some(343.76), decode: 26.76 };
        assert_eq!(parse(theirs).expect("ds4's layout"), [rates]);
        for bad in [
            "",
            "a,b\n1,2\n",
            "ctx,prefill_tok_s,decode_tok_s\n512\n",
            "ctx,prefill_tok_s,decode_tok_s\nx,1,1\n",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
