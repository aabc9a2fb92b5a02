//! Everything that is asked of a change before it lands, in one command.
//!
//! CI runs exactly this, so what is red there is red here. Each step runs whatever became of the
//! one before.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::steps::{Steps, succeed};
use crate::tidy;

/// Runs all steps.
///
/// # Errors
/// When any of them failed.
pub(crate) fn run(root: &Path) -> Result<()> {
    let mut steps = Steps::default();
    steps.run("format", || succeed(cargo(root).args(["fmt", "--all", "--check"])));
    steps.run("lints", || {
        succeed(cargo(root).args([
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]))
    });
    steps.run("tidy", || tidy::run(root));
    steps.run("docs", || {
        let mut doc = cargo(root);
        succeed(doc.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
    });
    steps.run("tests", || tests(root));
    steps.run("doc tests", || {
        succeed(cargo(root).args(["test", "--workspace", "--doc", "--no-fail-fast"]))
    });
    fuzz(&mut steps, root);
    steps.finish()
}

/// Unit and integration tests, by `nextest` where it is installed.
fn tests(root: &Path) -> Result<()> {
    if nextest_is_installed(root) {
        return succeed(cargo(root).args(["nextest", "run", "--workspace", "--no-fail-fast"]));
    }
    println!("cargo-nextest is not installed: using cargo test");
    succeed(cargo(root).args([
        "test",
        "--workspace",
        "--lib",
        "--bins",
        "--tests",
        "--no-fail-fast",
    ]))
}

fn nextest_is_installed(root: &Path) -> bool {
    let mut version = cargo(root);
    version.args(["nextest", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}

/// The fuzz targets live outside the workspace, with their own lock file; their format and lints
/// are held to the same rules, and each target runs for a moment.
fn fuzz(steps: &mut Steps, root: &Path) {
    let manifest = ["--manifest-path", "fuzz/Cargo.toml"];
    steps.run("fuzz format", || succeed(cargo(root).arg("fmt").args(manifest).arg("--check")));
    steps.run("fuzz lints", || {
        let mut clippy = cargo(root);
        succeed(clippy.arg("clippy").args(manifest).args(["--all-targets", "--", "-D", "warnings"]))
    });
    steps.run("fuzz smoke", || {
        succeed(cargo(root).args(["run", "--release"]).args(manifest).args(["--bin", "smoke"]))
    });
}

fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root);
    cargo
}
