//! `doctor` as a user runs it, on whatever this machine is.

use serde_json::Value;

use crate::tiny::Folder;

fn findings(args: &[&str]) -> Value {
    let json = Folder::empty().succeed(&[&["doctor", "--json"], args].concat(), b"");
    serde_json::from_slice(&json).expect("JSON")
}

/// Names of the checks of a backend.
fn checked<'a>(findings: &'a Value, backend: &str) -> Vec<&'a str> {
    let checks = findings["checks"].as_array().expect("checks");
    let of_backend = checks.iter().filter(|check| check["backend"] == backend);
    of_backend.map(|check| check["group"].as_str().expect("a name")).collect()
}

#[test]
fn a_quick_look_says_what_is_there() {
    let found = findings(&["--quick", "-m", "tiny"]);
    assert_eq!(found["passed"], true, "{found}");
    assert_eq!(checked(&found, "cpu"), ["spot check"]);
    assert!(found["cpu"]["read_gb_s"].as_f64().expect("measured") > 0.0);
    let plans = found["plans"].as_array().expect("plans");
    let names: Vec<_> = plans.iter().map(|plan| plan["name"].as_str().expect("text")).collect();
    assert_eq!(names, ["ironstar-tiny (built in)", "q2", "q4"]);
    assert_eq!(plans[0]["machine"], "fits");
    assert_eq!(found["rates_of"], names[0]);
    let device = &found["device"];
    if device["hint"].is_null() {
        assert_eq!(checked(&found, "gpu"), ["spot check"]);
        assert!(device["read_gb_s"].as_f64().expect("measured") > 0.0, "{device}");
        assert!(device["dispatch_us"].as_f64().expect("measured") > 0.0, "{device}");
        assert!(found["adapters"][0]["binding_bytes"].as_u64().expect("a limit") > 0);
    } else {
        assert!(device["error"].as_str().expect("text").contains("graphics device"), "{device}");
        assert_eq!(checked(&found, "gpu"), [""; 0]);
    }
}

#[test]
fn every_group_of_the_processor_is_named_and_flags_are_checked() {
    let found = findings(&[]);
    let groups = ["memory", "linear", "norm", "hyper-connection", "kv", "attention", "experts"];
    assert_eq!(checked(&found, "cpu"), groups);
    let usage = Folder::empty().run(&["doctor", "--quick", "--full"], b"");
    assert_eq!(usage.status.code(), Some(2));
    let missing = Folder::empty().run(&["doctor", "-m", "missing.gguf"], b"");
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("cannot read the model"));
}
