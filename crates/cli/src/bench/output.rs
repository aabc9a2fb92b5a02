//! A finished measurement: the table people read, the JSON and CSV that programs read.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use engine::{Frontier, KernelTime};
use serde::Serialize;

use super::energy::Energy;

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) machine: MachineReport,
    /// The model file.
    pub(super) model: String,
    pub(super) memory: Memory,
    /// `None` where next to nothing was read.
    pub(super) disk: Option<Disk>,
    /// Of the processor during all passes; `None` where it is not told.
    pub(super) energy: Option<Energy>,
    pub(super) rows: Vec<Row>,
}

/// What came from the disk during all passes.
#[derive(Debug, Serialize)]
pub(super) struct Disk {
    pub(super) read_bytes: u64,
    /// 10⁹ bytes per second.
    pub(super) gb_s: f64,
}

/// What it was measured on.
#[derive(Debug, Serialize)]
pub(super) struct MachineReport {
    pub(super) name: String,
    pub(super) backend: &'static str,
    /// 10⁹ bytes per second, measured after the passes.
    pub(super) peak_read_gb_s: Option<f64>,
}

/// Memory beside the weights.
#[derive(Debug, Serialize)]
pub(super) struct Memory {
    /// What the plan says.
    pub(super) planned_bytes: Option<u64>,
    /// What the process held at the end of the last pass, less what it held before loading.
    pub(super) measured_bytes: Option<u64>,
}

/// The rates at one context; the median of all passes.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    /// Tokens in KV when decode began.
    pub(super) ctx: usize,
    prefill_tokens: usize,
    /// `None` where KV was made up.
    pub(super) prefill_tok_s: Option<f64>,
    prefill_tok_s_min: Option<f64>,
    prefill_tok_s_max: Option<f64>,
    decode_tokens: usize,
    pub(super) decode_tok_s: f64,
    decode_tok_s_min: f64,
    decode_tok_s_max: f64,
    /// Weight bytes read in decode, 10⁹ a second.
    gb_s: f64,
    share_of_peak: Option<f64>,
    kv_bytes: u64,
    /// What kernels took in prefill and in decode, in the first pass; empty unless they were timed.
    kernels: [Vec<KernelRow>; 2],
}

/// Time of one kernel over one grid.
#[derive(Debug, Serialize)]
struct KernelRow {
    name: String,
    n_dispatches: u64,
    seconds: f64,
}

impl Row {
    /// Sums up what all passes measured at one context. `bytes_per_token` are weight bytes.
    pub(super) fn new(
        passes: &[Frontier],
        bytes_per_token: u64,
        peak_read_gb_s: Option<f64>,
        made_up: bool,
    ) -> Self {
        let sorted = |rate: &dyn Fn(&Frontier) -> f64| {
            let mut rates: Vec<f64> = passes.iter().map(rate).collect();
            rates.sort_by(f64::total_cmp);
            rates
        };
        let prefill = sorted(&|pass| pass.prefill_tokens as f64 / pass.prefill_seconds);
        let decode = sorted(&|pass| pass.decode_tokens as f64 / pass.decode_seconds);
        let of_prefill = |rate: f64| (!made_up).then_some(rate);
        let first = &passes[0];
        let kernels = first.kernels.each_ref().map(|times| {
            let row = |time: &KernelTime| KernelRow {
                name: time.name.clone(),
                n_dispatches: time.n_dispatches,
                seconds: time.seconds,
            };
            times.iter().map(row).collect()
        });
        let gb_s = median(&decode) * bytes_per_token as f64 / 1e9;
        Self {
            ctx: first.context,
            prefill_tokens: first.prefill_tokens,
            prefill_tok_s: of_prefill(median(&prefill)),
            prefill_tok_s_min: of_prefill(prefill[0]),
            prefill_tok_s_max: of_prefill(prefill[prefill.len() - 1]),
            decode_tokens: first.decode_tokens,
            decode_tok_s: median(&decode),
            decode_tok_s_min: decode[0],
            decode_tok_s_max: decode[decode.len() - 1],
            gb_s,
            share_of_peak: peak_read_gb_s.map(|peak| gb_s / peak),
            kv_bytes: first.kv_bytes,
            kernels,
        }
    }

    /// Kernels by their time, prefill first.
    fn write_kernels(&self, text: &mut String) {
        let parts = [("prefill", self.prefill_tokens), ("decode", self.decode_tokens)];
        for ((part, n_tokens), kernels) in parts.into_iter().zip(&self.kernels) {
            let total: f64 = kernels.iter().map(|kernel| kernel.seconds).sum();
            for KernelRow { name, n_dispatches, seconds } in kernels {
                let share = 100.0 * seconds / total;
                let each = 1e6 * seconds / *n_dispatches as f64;
                let a_token = 1e6 * seconds / n_tokens as f64;
                writeln!(
                    text,
                    "{part:>11}  {share:>5.1} %  {a_token:>9.1} us a token  {n_dispatches:>7} x {each:>9.1} us  {name}"
                )
                .expect("strings take any text");
            }
        }
    }
}

/// A rate at one context, over all passes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub(super) ctx: f64,
    pub(super) min: f64,
    pub(super) median: f64,
    pub(super) max: f64,
}

impl Row {
    /// The rate of prefill; `None` where KV was made up.
    pub(super) fn prefill(&self) -> Option<Spread> {
        let (min, max) = (self.prefill_tok_s_min?, self.prefill_tok_s_max?);
        Some(Spread { ctx: self.ctx as f64, min, median: self.prefill_tok_s?, max })
    }

    /// The rate of decode.
    pub(super) fn decode(&self) -> Spread {
        let (min, max) = (self.decode_tok_s_min, self.decode_tok_s_max);
        Spread { ctx: self.ctx as f64, min, median: self.decode_tok_s, max }
    }
}

/// The middle of sorted rates, or between the two in the middle.
fn median(sorted: &[f64]) -> f64 {
    f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2])
}

impl Report {
    /// One line a context, and one on the machine.
    pub(super) fn table(&self) -> String {
        let mut text = String::from(
            "    context  prefill tok/s  decode tok/s  (min to max)      GB/s  of peak     KV MiB\n",
        );
        for row in &self.rows {
            let prefill = row.prefill_tok_s.map_or("-".to_owned(), |rate| format!("{rate:.1}"));
            let share =
                row.share_of_peak.map_or("-".to_owned(), |share| format!("{:.0} %", share * 100.0));
            let range = format!("({:.2} to {:.2})", row.decode_tok_s_min, row.decode_tok_s_max);
            let kv_mib = row.kv_bytes as f64 / f64::from(1 << 20);
            writeln!(
                text,
                "{:>11}  {prefill:>13}  {:>12.2}  {range:<16}  {:>4.1}  {share:>7}  {kv_mib:>9.1}",
                row.ctx, row.decode_tok_s, row.gb_s
            )
            .expect("strings take any text");
        }
        self.rows.iter().for_each(|row| row.write_kernels(&mut text));
        let MachineReport { name, backend, peak_read_gb_s } = &self.machine;
        let peak = peak_read_gb_s.map_or(String::new(), |peak| format!(", reads {peak:.1} GB/s"));
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        writeln!(text, "{name}; {backend}{peak}").expect("strings take any text");
        if let (Some(planned), Some(measured)) =
            (self.memory.planned_bytes, self.memory.measured_bytes)
        {
            let (planned, measured) = (mib(planned), mib(measured));
            writeln!(text, "memory beside the weights: {measured:.1} MiB, planned {planned:.1}")
                .expect("strings take any text");
        }
        if let Some(Disk { read_bytes, gb_s }) = &self.disk {
            let read = *read_bytes as f64 / 1e9;
            writeln!(text, "from the disk: {read:.1} GB, {gb_s:.2} GB/s")
                .expect("strings take any text");
        }
        if let Some(Energy { joules, watts }) = &self.energy {
            writeln!(text, "energy of the processor: {joules:.0} J, {watts:.1} W")
                .expect("strings take any text");
        }
        text
    }

    pub(super) fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self).context("cannot write the report as JSON")? + "\n")
    }

    /// A header and a line for each context; rates that were not measured are empty.
    pub(super) fn csv(&self) -> String {
        let mut text = String::from(
            "machine,backend,model,peak_read_gb_s,ctx,prefill_tokens,prefill_tok_s,\
             prefill_tok_s_min,prefill_tok_s_max,decode_tokens,decode_tok_s,decode_tok_s_min,\
             decode_tok_s_max,gb_s,share_of_peak,kv_bytes\n",
        );
        let MachineReport { name, backend, peak_read_gb_s } = &self.machine;
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
        for row in &self.rows {
            let fields = [
                quoted(name),
                quoted(backend),
                quoted(&self.model),
                number(*peak_read_gb_s),
                row.ctx.to_string(),
                row.prefill_tokens.to_string(),
                number(row.prefill_tok_s),
                number(row.prefill_tok_s_min),
                number(row.prefill_tok_s_max),
                row.decode_tokens.to_string(),
                row.decode_tok_s.to_string(),
                row.decode_tok_s_min.to_string(),
                row.decode_tok_s_max.to_string(),
                row.gb_s.to_string(),
                number(row.share_of_peak),
                row.kv_bytes.to_string(),
            ];
            text += &fields.join(",");
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frontier(prefill_seconds: f64, decode_seconds: f64) -> Frontier {
        Frontier {
            context: 512,
            prefill_tokens: 512,
            prefill_seconds,
            decode_tokens: 128,
            decode_seconds,
            kv_bytes: 1 << 20,
            kernels: Default::default(),
        }
    }

    fn report(made_up: bool) -> Report {
        let passes = [frontier(2.0, 64.0), frontier(1.0, 32.0), frontier(4.0, 128.0)];
        Report {
            machine: MachineReport {
                name: "A \"fast\" one".to_owned(),
                backend: "cpu",
                peak_read_gb_s: Some(40.0),
            },
            model: "m.gguf".to_owned(),
            memory: Memory { planned_bytes: Some(3 << 20), measured_bytes: Some(2 << 20) },
            disk: Some(Disk { read_bytes: 5_000_000_000, gb_s: 1.25 }),
            energy: Some(Energy { joules: 1234.5, watts: 65.04 }),
            rows: vec![Row::new(&passes, 10_000_000_000, Some(40.0), made_up)],
        }
    }

    #[test]
    fn the_table_has_medians_and_the_share_of_the_limit() {
        let expected = "    \
context  prefill tok/s  decode tok/s  (min to max)      GB/s  of peak     KV MiB
        512          256.0          2.00  (1.00 to 4.00)    20.0     50 %        1.0
A \"fast\" one; cpu, reads 40.0 GB/s
memory beside the weights: 2.0 MiB, planned 3.0
from the disk: 5.0 GB, 1.25 GB/s
energy of the processor: 1234 J, 65.0 W
";
        assert_eq!(report(false).table(), expected);
    }

    /// Golden: what scripts read.
    #[test]
    fn csv_quotes_names_and_leaves_out_what_was_not_measured() {
        let csv = report(true).csv();
        let line = csv.lines().nth(1).expect("a row");
        assert_eq!(
            line,
            r#""A ""fast"" one","cpu","m.gguf",40,512,512,,,,128,2,1,4,20,0.5,1048576"#
        );
        assert_eq!(csv.lines().next().expect("a header").split(',').count(), 16);
    }

    /// Oracle: the command line's contract (design, section 10).
    #[test]
    fn json_has_the_settled_keys() {
        let json: serde_json::Value =
            serde_json::from_str(&report(false).json().expect("plain data")).expect("JSON");
        for key in ["name", "backend", "peak_read_gb_s"] {
            assert!(json["machine"].get(key).is_some(), "{key}");
        }
        let keys = [
            "ctx",
            "prefill_tokens",
            "prefill_tok_s",
            "decode_tokens",
            "decode_tok_s",
            "gb_s",
            "share_of_peak",
            "kv_bytes",
        ];
        for key in keys {
            assert!(json["rows"][0][key].is_number(), "{key}");
        }
        assert_eq!(json["rows"][0]["prefill_tok_s"], 256.0);
        assert_eq!(json["rows"][0]["share_of_peak"], 0.5);
    }
}
