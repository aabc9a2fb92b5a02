//! `doctor`: what this machine has and can do, as a table or as JSON.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use engine::{AdapterReport, Check, DeviceReport, Diagnosis, Fit, Plan, Thoroughness, diagnose};
use indicatif::HumanBytes;
use serde_json::{Value, json};

use crate::models;
use crate::report::cause_chain;
use crate::terminal::note_spinner;

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Also plan for this model file, and expect rates for it in place of q2.
    #[arg(short, long, value_name = "MODEL")]
    model: Option<PathBuf>,

    /// Write JSON.
    #[arg(long)]
    json: bool,

    /// Check a handful of cases.
    #[arg(long, conflicts_with = "full")]
    quick: bool,

    /// Check all cases on a software graphics device too, which takes minutes.
    #[arg(long)]
    full: bool,
}

pub(crate) fn doctor(args: &DoctorArgs) -> Result<()> {
    let file = args.model.as_deref().map(models::open).transpose()?;
    let thoroughness = match (args.quick, args.full) {
        (true, _) => Thoroughness::Quick,
        (_, true) => Thoroughness::Full,
        _ => Thoroughness::Usual,
    };
    let spinner = note_spinner("looking at this machine");
    let diagnosis =
        diagnose(file.as_ref(), thoroughness, &mut |step| spinner.set_message(step.to_owned()));
    spinner.finish_and_clear();
    let diagnosis = diagnosis?;
    let output = if args.json {
        format!("{:#}\n", to_json(&diagnosis))
    } else {
        to_text(&diagnosis).expect("writing to a string does not fail")
    };
    io::stdout().write_all(output.as_bytes()).context("cannot write the findings")?;
    match diagnosis.n_failed() {
        (0, _) => Ok(()),
        (n_failed, n_checks) => bail!(
            "{n_failed} of {n_checks} checks failed: results of this machine cannot be trusted; a newer \
             driver may help, and `--backend cpu` leaves a graphics device out"
        ),
    }
}

/// Where no graphics device was found.
fn driver_hint() -> &'static str {
    if cfg!(target_os = "macos") {
        "macOS brings the driver; a virtual machine has none"
    } else if cfg!(windows) {
        "install the driver of the card's maker"
    } else {
        "install the card's Vulkan driver: NVIDIA's own, or Mesa's (mesa-vulkan-drivers); in a container, \
         pass the device and its driver through"
    }
}

fn bytes_or_unknown(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "not known".to_owned(), |bytes| HumanBytes(bytes).to_string())
}

fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

/// Memory and what it means for decoding.
fn rate_text(diagnosis: &Diagnosis, read_gb_s: Option<f64>) -> String {
    match read_gb_s {
        None => "could not be measured: memory is short".to_owned(),
        Some(gb_s) => format!(
            "{gb_s:.1} GB/s; {} decodes at most {:.1} tok/s",
            diagnosis.rates_of,
            diagnosis.expected_rate(gb_s)
        ),
    }
}

fn to_text(diagnosis: &Diagnosis) -> Result<String, fmt::Error> {
    let mut out = String::new();
    let cpu = &diagnosis.cpu;
    let machine = diagnosis.machine.as_ref();
    writeln!(out, "processor     {}", machine.map_or("unknown", |machine| &machine.name))?;
    writeln!(out, "  threads     {}", cpu.n_threads)?;
    writeln!(out, "  kernels     {}", cpu.instruction_set)?;
    if let Some(machine) = machine {
        let [free, total] = [machine.available_bytes, machine.total_bytes].map(HumanBytes);
        writeln!(out, "  memory      {free} free of {total}")?;
    }
    writeln!(out, "  reads       {}", rate_text(diagnosis, cpu.read_gb_s))?;
    for adapter in &diagnosis.adapters {
        write_adapter(&mut out, adapter)?;
    }
    match &diagnosis.device {
        Ok(device) => write_device(&mut out, diagnosis, device)?,
        Err(error) => {
            writeln!(out, "\nno graphics device is used: {}", cause_chain(error))?;
            writeln!(out, "  hint        {}", driver_hint())?;
        }
    }
    writeln!(out, "\nmemory")?;
    for plan in &diagnosis.plans {
        write_plan(&mut out, plan)?;
    }
    writeln!(out, "\nresults, against the plain definition of every op")?;
    for check in &diagnosis.checks {
        writeln!(out, "  {}", check_line(check))?;
    }
    Ok(out)
}

fn write_adapter(out: &mut String, adapter: &AdapterReport) -> fmt::Result {
    writeln!(out, "\ngraphics      {}", adapter.name)?;
    writeln!(out, "  type        {}, through {}", adapter.kind, adapter.interface)?;
    writeln!(out, "  driver      {}", adapter.driver)?;
    writeln!(out, "  memory      {}", bytes_or_unknown(adapter.memory_bytes))?;
    let or_none = |size: Option<u32>| size.map_or_else(|| "none".to_owned(), |n| n.to_string());
    let subgroup = adapter.subgroup_size.map_or_else(|| "varies".to_owned(), |n| n.to_string());
    let matrices = or_none(adapter.matrix_size);
    let packed = yes_no(adapter.packed_dot);
    writeln!(out, "  features    subgroups {subgroup}, packed dot {packed}, matrices {matrices}")?;
    writeln!(
        out,
        "  limits      buffer {}, binding {}, workgroup {} and {} threads",
        HumanBytes(adapter.buffer_bytes),
        HumanBytes(adapter.binding_bytes),
        HumanBytes(u64::from(adapter.workgroup_bytes)),
        adapter.workgroup_threads
    )
}

fn write_device(out: &mut String, diagnosis: &Diagnosis, device: &DeviceReport) -> fmt::Result {
    writeln!(out, "\nin use        {}", device.name)?;
    if device.is_software {
        writeln!(out, "  software    a processor pretends; only --backend gpu takes it")?;
    }
    let matrices = match (&device.refused_matrices, device.matrix_size) {
        (Some(reason), _) => format!("not used, because results were wrong: {reason}"),
        (None, Some(size)) => format!("used, {size} x {size}"),
        (None, None) => "none that kernels know".to_owned(),
    };
    writeln!(out, "  matrices    {matrices}")?;
    writeln!(out, "  reads       {}", rate_text(diagnosis, device.read_gb_s))?;
    match &device.dispatch_seconds {
        Ok(seconds) => writeln!(out, "  dispatch    {:.2} us, one after another", seconds * 1e6),
        Err(reason) => writeln!(out, "  dispatch    failed: {reason}"),
    }
}

fn write_plan(out: &mut String, plan: &Plan) -> fmt::Result {
    writeln!(
        out,
        "  {:<10}  {} of weights, {} for a context of {}",
        plan.name,
        HumanBytes(plan.weight_bytes),
        HumanBytes(plan.session_bytes),
        plan.context
    )?;
    writeln!(out, "              this machine: {}", fit_text(plan.machine))?;
    match plan.device {
        Some(fit) => writeln!(out, "              the graphics device: {}", fit_text(fit)),
        None => Ok(()),
    }
}

fn fit_text(fit: Fit) -> &'static str {
    match fit {
        Fit::Whole => "fits",
        Fit::FromDisk => "weights do not fit and are read from the disk for every token",
        Fit::No => "does not fit",
        Fit::Unknown => "its memory is not known",
    }
}

fn fit_word(fit: Fit) -> &'static str {
    match fit {
        Fit::Whole => "fits",
        Fit::FromDisk => "from_disk",
        Fit::No => "does_not_fit",
        Fit::Unknown => "unknown",
    }
}

/// A group in a line; the first failure stands on that line too.
fn check_line(check: &Check) -> String {
    let Check { backend, group, n_cases, n_failures, first_failure, seconds } = check;
    let cases = n_cases.map_or_else(String::new, |n| format!("{n} cases, "));
    let outcome = match first_failure {
        None => format!("right ({cases}{seconds:.1} s)"),
        Some(failure) => {
            let failure = failure.split_whitespace().collect::<Vec<_>>().join(" ");
            let of = n_cases.map_or_else(String::new, |n| format!("{n_failures} of {n} cases: "));
            format!("WRONG: {of}{failure}")
        }
    };
    format!("{backend:<4} {group:<17} {outcome}")
}

fn to_json(diagnosis: &Diagnosis) -> Value {
    let rate = |gb_s: Option<f64>| gb_s.map(|gb_s| diagnosis.expected_rate(gb_s));
    let cpu = &diagnosis.cpu;
    let machine = diagnosis.machine.as_ref();
    let device = match &diagnosis.device {
        Ok(device) => json!({
            "name": device.name,
            "software": device.is_software,
            "matrix_size": device.matrix_size,
            "refused_matrices": device.refused_matrices,
            "read_gb_s": device.read_gb_s,
            "decode_tok_s": rate(device.read_gb_s),
            "dispatch_us": device.dispatch_seconds.as_ref().ok().map(|seconds| seconds * 1e6),
            "error": device.dispatch_seconds.as_ref().err(),
        }),
        Err(error) => json!({ "error": cause_chain(error), "hint": driver_hint() }),
    };
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "cpu": {
            "name": machine.map(|machine| &machine.name),
            "threads": cpu.n_threads,
            "instruction_set": cpu.instruction_set,
            "memory_bytes": machine.map(|machine| machine.total_bytes),
            "free_bytes": machine.map(|machine| machine.available_bytes),
            "read_gb_s": cpu.read_gb_s,
            "decode_tok_s": rate(cpu.read_gb_s),
        },
        "adapters": diagnosis.adapters.iter().map(adapter_json).collect::<Vec<_>>(),
        "device": device,
        "rates_of": diagnosis.rates_of,
        "active_bytes_per_token": diagnosis.active_bytes,
        "plans": diagnosis.plans.iter().map(plan_json).collect::<Vec<_>>(),
        "checks": diagnosis.checks.iter().map(check_json).collect::<Vec<_>>(),
        "passed": diagnosis.n_failed().0 == 0,
    })
}

fn adapter_json(adapter: &AdapterReport) -> Value {
    json!({
        "name": adapter.name,
        "interface": adapter.interface,
        "driver": adapter.driver,
        "type": adapter.kind,
        "memory_bytes": adapter.memory_bytes,
        "subgroup_size": adapter.subgroup_size,
        "packed_dot": adapter.packed_dot,
        "matrix_size": adapter.matrix_size,
        "buffer_bytes": adapter.buffer_bytes,
        "binding_bytes": adapter.binding_bytes,
        "workgroup_bytes": adapter.workgroup_bytes,
        "workgroup_threads": adapter.workgroup_threads,
    })
}

fn plan_json(plan: &Plan) -> Value {
    json!({
        "name": plan.name,
        "weight_bytes": plan.weight_bytes,
        "context": plan.context,
        "session_bytes": plan.session_bytes,
        "machine": fit_word(plan.machine),
        "device": plan.device.map(fit_word),
    })
}

fn check_json(check: &Check) -> Value {
    json!({
        "backend": check.backend,
        "group": check.group,
        "cases": check.n_cases,
        "failures": check.n_failures,
        "first_failure": check.first_failure,
        "seconds": check.seconds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_a_line_with_its_reason() {
        let check = Check {
            backend: "gpu",
            group: "linear",
            n_cases: Some(96),
            n_failures: 2,
            first_failure: Some("matmul: output `out` is off\n    in Matmul { n: 3 }".to_owned()),
            seconds: 1.25,
        };
        assert_eq!(
            check_line(&check),
            "gpu  linear            WRONG: 2 of 96 cases: matmul: output `out` is off in Matmul { n: 3 }"
        );
        assert_eq!(check_json(&check)["failures"], 2);
        let right = Check { n_failures: 0, first_failure: None, ..check };
        assert_eq!(check_line(&right), "gpu  linear            right (96 cases, 1.2 s)");
        let spot = Check { group: "spot check", n_cases: None, ..right };
        assert_eq!(check_line(&spot), "gpu  spot check        right (1.2 s)");
    }
}
