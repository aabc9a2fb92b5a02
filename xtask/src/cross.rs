//! The platforms we do not own, verified as far as can be from Linux.
//!
//! - Apple silicon and Windows: the workspace type-checks, which needs no linker and no SDK.
//! - 64-bit Arm: the CPU tests run under user-mode qemu, so that NEON code is executed.
//!
//! The standard library is built from source for each target, because only distribution compilers
//! come with everything that this takes from a package archive: Debian's `rustc-web`, `cargo-web`
//! and `rust-web-src`. `-Zbuild-std` is an unstable flag, hence `RUSTC_BOOTSTRAP`; nothing that is
//! shipped is built this way.
//!
//! C code in dependencies is not compiled for the checked targets: nothing is linked, and the
//! compilers are not to be had. `xtask/no-c` stands in for them.
//!
//! A step whose tools are missing says so and is skipped; where `IRONSTAR_REQUIRE_CROSS` is `1`,
//! as in CI, a skipped step is a failed step.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::steps::{Steps, succeed};

/// Where distributions put their compiler; a compiler managed by `rustup` comes earlier in `PATH`
/// and lacks the library source.
const SYSTEM_CARGO: &str = "/usr/bin/cargo";
const SYSTEM_RUSTC: &str = "/usr/bin/rustc";

/// Targets that are type-checked, with the name of the step.
const CHECKED: [(&str, &str); 2] =
    [("Apple silicon", "aarch64-apple-darwin"), ("Windows", "x86_64-pc-windows-msvc")];

const ARM: &str = "aarch64-unknown-linux-gnu";
const ARM_LINKER: &str = "aarch64-linux-gnu-gcc";
const ARM_RUNNER: &str = "qemu-aarch64";

/// What runs on Arm, as arguments of `cargo test`: the crates with arithmetic in them. The others
/// have none that could differ between instruction sets.
///
/// Emulated code is ten times slower, so three things are left out: the scalar kernels and those of
/// a GPU, which run on any machine, and `backend`'s tests of the conformance suite itself, which compare the plain
/// definition with itself.
const ARM_TESTS: [&[&str]; 3] = [
    &["--package=ironstar-backend-cpu", "--lib", "--tests", "--", "--skip=scalar"],
    &[
        "--package=ironstar-gguf",
        "--package=ironstar-model",
        "--lib",
        "--tests",
        "--",
        "--skip=gpu",
    ],
    &["--package=ironstar-backend", "--lib", "--test=oracle"],
];

/// Runs every step whose tools are there.
///
/// # Errors
/// When a step failed, or was skipped though `IRONSTAR_REQUIRE_CROSS` is `1`.
pub(crate) fn run(root: &Path) -> Result<()> {
    let required = skipping_fails();
    let mut steps = Steps::default();
    for (name, target) in CHECKED {
        steps.run(name, || {
            let missing = missing(&Tool::compiler());
            with_tools(&missing, required, || succeed(&mut type_check(root, target)))
        });
    }
    for tests in ARM_TESTS {
        let packages: Vec<_> =
            tests.iter().filter_map(|word| word.strip_prefix("--package=ironstar-")).collect();
        steps.run(&format!("64-bit Arm: {}", packages.join(", ")), || {
            let missing = missing(&[Tool::compiler().as_slice(), &Tool::arm()].concat());
            with_tools(&missing, required, || succeed(&mut arm_tests(root, tests)))
        });
    }
    steps.finish()
}

#[expect(clippy::disallowed_methods, reason = "a switch of the chores, not of the product")]
fn skipping_fails() -> bool {
    std::env::var("IRONSTAR_REQUIRE_CROSS").is_ok_and(|value| value == "1")
}

/// A program that a step needs.
#[derive(Clone, Copy)]
struct Tool {
    program: &'static str,
    arguments: &'static [&'static str],
    /// Debian's name of the package that brings it.
    package: &'static str,
}

impl Tool {
    fn compiler() -> [Self; 2] {
        [
            Self { program: SYSTEM_CARGO, arguments: &["--version"], package: "cargo-web" },
            Self { program: SYSTEM_RUSTC, arguments: &["--version"], package: "rustc-web" },
        ]
    }

    fn arm() -> [Self; 2] {
        [
            Self {
                program: ARM_LINKER,
                arguments: &["--version"],
                package: "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
            },
            Self { program: ARM_RUNNER, arguments: &["--version"], package: "qemu-user" },
        ]
    }

    fn is_there(&self) -> bool {
        let mut command = Command::new(self.program);
        command.args(self.arguments).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }
}

/// The packages that would bring what is not there.
fn missing(tools: &[Tool]) -> Vec<&'static str> {
    let mut packages: Vec<_> =
        tools.iter().filter(|tool| !tool.is_there()).map(|tool| tool.package).collect();
    if !library_source_is_there() {
        packages.push("rust-web-src");
    }
    packages
}

fn library_source_is_there() -> bool {
    let Ok(output) = Command::new(SYSTEM_RUSTC).args(["--print", "sysroot"]).output() else {
        return false;
    };
    let sysroot = String::from_utf8_lossy(&output.stdout);
    Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/Cargo.lock").exists()
}

/// Runs the step, or says what it lacks.
fn with_tools(missing: &[&str], required: bool, step: impl FnOnce() -> Result<()>) -> Result<()> {
    if missing.is_empty() {
        return step();
    }
    let needs = missing.join(" ");
    if required {
        bail!("needs {needs}, and IRONSTAR_REQUIRE_CROSS=1 allows no skipping");
    }
    println!("skipped: needs {needs} (Debian's names)");
    Ok(())
}

fn type_check(root: &Path, target: &str) -> Command {
    let mut check = system_cargo(root);
    check.args(["check", "--workspace", "--exclude", "xtask", "--target", target]);
    check.arg("-Zbuild-std=std,panic_unwind");
    // Nothing but build scripts and macros is run.
    check.args(["--config", "profile.dev.package.\"*\".opt-level=0"]);
    let no_c = root.join("xtask/no-c");
    for variable in ["CC", "CXX", "AR"] {
        check.env(format!("{variable}_{}", target.replace('-', "_")), &no_c);
    }
    // Asked for before any compiler is run; only has to be a folder.
    check.env("SDKROOT", root);
    check
}

fn arm_tests(root: &Path, tests: &[&str]) -> Command {
    let mut test = system_cargo(root);
    test.args(["test", "--no-fail-fast", "--target", ARM, "-Zbuild-std=std,panic_unwind,test"]);
    test.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", ARM_LINKER);
    // `max` has every extension that a kernel may detect: dot products, 8-bit matrix products.
    let runner = format!("{ARM_RUNNER} -cpu max -L /usr/aarch64-linux-gnu");
    test.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", runner);
    // Emulation is slow enough: our crates keep their assertions but are optimised as a release is,
    // and properties are tried on fewer cases than at home. Dependencies are optimised just so
    // far that building them takes no longer than it saves.
    test.env("CARGO_PROFILE_DEV_OPT_LEVEL", "3").env("CARGO_PROFILE_DEV_DEBUG", "false");
    test.args(["--config", "profile.dev.package.\"*\".opt-level=1"]);
    test.env("PROPTEST_CASES", "16");
    test.args(tests);
    test
}

/// The distribution's cargo and compiler, free of what the calling `cargo` put in the environment.
fn system_cargo(root: &Path) -> Command {
    let mut cargo = Command::new(SYSTEM_CARGO);
    cargo.current_dir(root).env("RUSTC", SYSTEM_RUSTC).env("RUSTC_BOOTSTRAP", "1");
    cargo.env("CARGO_TARGET_DIR", root.join("target/cross"));
    // Libraries of another compiler must not be found before its own.
    cargo.env_remove("LD_LIBRARY_PATH").env_remove("RUSTUP_TOOLCHAIN");
    cargo
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tool_skips_the_step_unless_it_is_required() {
        let never = || -> Result<()> { panic!("the step must not run without its tools") };
        assert!(with_tools(&["qemu-user"], false, never).is_ok());
        let error = with_tools(&["qemu-user"], true, never).expect_err("it is required");
        assert!(error.to_string().starts_with("needs qemu-user"), "{error}");
        assert!(with_tools(&[], true, || bail!("ran")).is_err());
    }

    #[test]
    fn a_program_that_is_not_there_is_missing() {
        let tool = Tool { program: "no-such-program", arguments: &[], package: "a-package" };
        assert!(missing(&[tool]).contains(&"a-package"));
    }
}
