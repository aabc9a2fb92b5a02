//! Which crate may use which: the table of allowed doors, checked against the manifests.
//!
//! The table is the architecture. A door that is missing here is missing on purpose; adding one is
//! a decision to write into `ARCHITECTURE.md`, not a line to slip in.

use std::path::Path;

use anyhow::{Context as _, Result};
use cargo_metadata::{DependencyKind, MetadataCommand};

use super::Finding;

/// What one crate may use of the others.
struct Row {
    room: &'static str,
    /// Always.
    uses: &'static [&'static str],
    /// Only as an optional dependency, behind a feature.
    optional: &'static [&'static str],
    /// Only in tests and benches.
    tests: &'static [&'static str],
}

/// Every room, lowest first. `xtask` is not listed: it does chores and may use anything.
const ROWS: [Row; 10] = [
    Row { room: "gguf", uses: &[], optional: &[], tests: &[] },
    Row { room: "backend", uses: &["gguf"], optional: &[], tests: &[] },
    Row { room: "backend-cpu", uses: &["gguf", "backend"], optional: &[], tests: &[] },
    Row { room: "backend-gpu", uses: &["gguf", "backend"], optional: &[], tests: &[] },
    Row {
        room: "model",
        uses: &["gguf", "backend"],
        optional: &[],
        tests: &["backend-cpu", "backend-gpu"],
    },
    Row { room: "chat", uses: &[], optional: &[], tests: &[] },
    Row { room: "kv-store", uses: &[], optional: &[], tests: &[] },
    Row {
        room: "engine",
        uses: &["gguf", "backend", "backend-cpu", "model", "chat", "kv-store"],
        optional: &["backend-gpu"],
        tests: &["backend-gpu"],
    },
    Row { room: "server", uses: &["chat", "engine"], optional: &[], tests: &["model"] },
    Row {
        room: "cli",
        uses: &["gguf", "chat", "kv-store", "engine", "server"],
        optional: &[],
        tests: &["backend", "backend-cpu", "backend-gpu", "model"],
    },
];

/// A dependency from outside that only some rooms may bring in.
struct Outside {
    /// The name of the package, or its beginning where it ends in `*`.
    package: &'static str,
    rooms: &'static [&'static str],
    why: &'static str,
}

const OUTSIDE: [Outside; 10] = [
    Outside { package: "tokio", rooms: &["server", "cli"], why: ASYNC },
    Outside { package: "axum", rooms: &["server", "cli"], why: ASYNC },
    Outside { package: "hyper", rooms: &["server", "cli"], why: ASYNC },
    Outside { package: "tower*", rooms: &["server", "cli"], why: ASYNC },
    Outside { package: "wgpu*", rooms: &["backend-gpu"], why: GPU },
    Outside { package: "naga", rooms: &["backend-gpu"], why: GPU },
    Outside { package: "tokenizers", rooms: &["chat"], why: "only `chat` knows text" },
    Outside {
        package: "deepseek-recipe*",
        rooms: &["chat", "server"],
        why: "prompts are rendered in `chat` and protocols converted in `server`",
    },
    Outside {
        package: "anyhow",
        rooms: &["cli", "xtask"],
        why: "libraries have typed errors; use `thiserror`",
    },
    Outside { package: "clap", rooms: &["cli"], why: "only the front door reads arguments" },
];

const ASYNC: &str = "the engine is a thread with bounded channels; async stops at the edge";
const GPU: &str = "which GPU stack is used is one crate's business";

/// A crate of this workspace and what it depends on.
#[derive(Debug)]
pub(super) struct Package {
    /// The room: the folder name under `crates`, or `xtask`.
    room: String,
    needs: Vec<Need>,
}

/// One dependency.
#[derive(Debug)]
struct Need {
    /// The room where it is one of ours, else the name of the package.
    name: String,
    is_ours: bool,
    is_optional: bool,
    is_for_tests: bool,
}

/// Reads the workspace's crates from `cargo metadata`.
///
/// # Errors
/// When cargo cannot read the manifests.
pub(super) fn packages(root: &Path) -> Result<Vec<Package>> {
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("could not read the manifests")?;
    let mut packages = Vec::new();
    for package in &metadata.packages {
        let folder = package.manifest_path.parent().context("a manifest lies in a folder")?;
        let mut needs = Vec::new();
        for dependency in &package.dependencies {
            let room = dependency.path.as_ref().and_then(|path| path.file_name());
            needs.push(Need {
                name: room.unwrap_or(&dependency.name).to_owned(),
                is_ours: room.is_some(),
                is_optional: dependency.optional,
                is_for_tests: dependency.kind == DependencyKind::Development,
            });
        }
        let room = folder.file_name().context("a crate's folder has a name")?.to_owned();
        packages.push(Package { room, needs });
    }
    Ok(packages)
}

/// Findings about doors that should not be open.
pub(super) fn check(packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        let manifest = match package.room.as_str() {
            "xtask" => "xtask/Cargo.toml".to_owned(),
            room => format!("crates/{room}/Cargo.toml"),
        };
        let row = ROWS.iter().find(|row| row.room == package.room);
        if row.is_none() && package.room != "xtask" {
            findings.push(Finding::whole(
                &manifest,
                "is a room that nobody planned; make it a module, or give it a row in \
                 xtask/src/tidy/doors.rs and a paragraph in ARCHITECTURE.md",
            ));
        }
        for need in &package.needs {
            let broken = if need.is_ours {
                row.and_then(|row| inside_door(row, need))
            } else {
                outside_door(&package.room, need)
            };
            findings.extend(broken.map(|message| Finding::whole(&manifest, message)));
        }
    }
    findings
}

fn inside_door(row: &Row, need: &Need) -> Option<String> {
    let name = need.name.as_str();
    let (room, uses) = (row.room, row.uses.join(", "));
    if row.uses.contains(&name) || (need.is_for_tests && row.tests.contains(&name)) {
        return None;
    }
    if row.optional.contains(&name) {
        let message = format!("`{room}` may use `{name}` only behind a feature; make it optional");
        return (!need.is_optional).then_some(message);
    }
    if row.tests.contains(&name) {
        return Some(format!(
            "`{room}` may use `{name}` in tests only; move it to [dev-dependencies]"
        ));
    }
    let may = if uses.is_empty() { "no other room".to_owned() } else { format!("only {uses}") };
    Some(format!("`{room}` may not use `{name}`, {may}; hand it the data it needs instead"))
}

fn outside_door(room: &str, need: &Need) -> Option<String> {
    let rule = OUTSIDE.iter().find(|rule| match rule.package.strip_suffix('*') {
        Some(start) => need.name.starts_with(start),
        None => need.name == rule.package,
    })?;
    let message = format!(
        "`{}` belongs in {} only, not in `{room}`: {}",
        need.name,
        rule.rooms.join(" and "),
        rule.why
    );
    (!rule.rooms.contains(&room)).then_some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(name: &str) -> Need {
        Need { name: name.to_owned(), is_ours: true, is_optional: false, is_for_tests: false }
    }

    fn outside(name: &str) -> Need {
        Need { is_ours: false, ..ours(name) }
    }

    /// The oracle is the table of doors in the house plan, written again by hand.
    fn check_need(room: &str, need: Need, expected: Option<&str>) {
        let found = check(&[Package { room: room.to_owned(), needs: vec![need] }]);
        match expected {
            None => assert_eq!(found, Vec::new()),
            Some(expected) => {
                assert_eq!(found.len(), 1, "{found:?}");
                assert!(found[0].message.contains(expected), "{}", found[0].message);
            }
        }
    }

    #[test]
    fn a_low_room_never_reaches_up() {
        check_need("gguf", ours("backend"), Some("`gguf` may not use `backend`, no other room"));
        check_need(
            "model",
            ours("engine"),
            Some("`model` may not use `engine`, only gguf, backend"),
        );
        check_need("chat", ours("gguf"), Some("may not use"));
        check_need("server", ours("gguf"), Some("may not use"));
        check_need("server", ours("model"), Some("in tests only"));
        check_need("cli", ours("model"), Some("in tests only"));
        check_need("backend", ours("gguf"), None);
        check_need("cli", ours("gguf"), None);
        check_need("xtask", ours("model"), None);
    }

    #[test]
    fn some_doors_open_for_tests_only() {
        check_need("model", ours("backend-cpu"), Some("in tests only"));
        check_need("model", Need { is_for_tests: true, ..ours("backend-cpu") }, None);
        check_need("gguf", Need { is_for_tests: true, ..ours("model") }, Some("may not use"));
    }

    #[test]
    fn the_gpu_is_optional_above_its_crate() {
        check_need("engine", ours("backend-gpu"), Some("make it optional"));
        check_need("engine", Need { is_optional: true, ..ours("backend-gpu") }, None);
        check_need("engine", Need { is_for_tests: true, ..ours("backend-gpu") }, None);
    }

    #[test]
    fn heavy_dependencies_stay_in_their_room() {
        check_need("engine", outside("tokio"), Some("belongs in server and cli only"));
        check_need(
            "engine",
            outside("deepseek-recipe-encoding"),
            Some("belongs in chat and server"),
        );
        check_need("model", outside("wgpu"), Some("belongs in backend-gpu only"));
        check_need("server", outside("tokenizers"), Some("only `chat` knows text"));
        check_need("gguf", outside("anyhow"), Some("thiserror"));
        check_need("server", outside("axum"), None);
        check_need("chat", outside("tokenizers"), None);
        check_need("gguf", outside("half"), None);
    }

    #[test]
    fn a_new_room_is_a_decision() {
        let found = check(&[Package { room: "misc".to_owned(), needs: vec![] }]);
        assert!(found[0].message.contains("nobody planned"), "{found:?}");
    }

    #[test]
    fn every_room_of_this_workspace_is_read() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
        let packages = packages(root).expect("cargo metadata");
        assert!(ROWS.iter().all(|row| packages.iter().any(|package| package.room == row.room)));
        let engine = packages.iter().find(|package| package.room == "engine").expect("engine");
        assert!(engine.needs.iter().any(|need| need.is_ours && need.name == "model"));
    }
}
