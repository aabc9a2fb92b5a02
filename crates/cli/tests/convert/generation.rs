//! How tokens are drawn: from `generation_config.json` to the file, and from there to `run`.
//!
//! Oracle: the metadata keys are those of the `gguf` package (`Keys.General.SAMPLING_*`).

use std::fs;

use engine::{ModelFile, SampleParams};
use tempfile::TempDir;

use crate::checkpoint::Checkpoint;
use crate::{convert, convert_well};

fn check(config: &str, expected: SampleParams) {
    let temp = TempDir::new().unwrap();
    let dir = temp.path().join("tiny");
    Checkpoint::tiny().write(&dir);
    fs::write(dir.join("generation_config.json"), config).unwrap();
    let (file, _) = convert_well(&dir, &temp.path().join("out.gguf"), &["--type", "f32"]);
    assert_eq!(ModelFile::from(file).sampling().unwrap(), expected, "{config}");
}

#[test]
fn the_file_says_how_tokens_are_drawn() {
    let default = SampleParams::default();
    check("{}", default);
    check(r#"{"eos_token_id": 1, "do_sample": true}"#, default);
    check(
        r#"{"temperature": 0.5, "top_p": 0.75, "top_k": 40, "min_p": 0.25}"#,
        SampleParams { temperature: 0.5, top_p: 0.75, top_k: 40, min_p: 0.25, ..default },
    );
    check(
        r#"{"do_sample": false, "temperature": 0.5}"#,
        SampleParams { temperature: 0.0, ..default },
    );
}

#[test]
fn a_file_of_another_kind_is_refused() {
    let temp = TempDir::new().unwrap();
    let dir = temp.path().join("tiny");
    Checkpoint::tiny().write(&dir);
    fs::write(dir.join("generation_config.json"), r#"{"temperature": "hot"}"#).unwrap();
    let output = convert(&dir, &temp.path().join("out.gguf"), &[]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("generation_config.json is not what it should be"), "{stderr}");
}
