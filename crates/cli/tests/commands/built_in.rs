//! The built-in model, as a user meets it: no file, no flag, an answer.
//!
//! Oracle: the commands' own names. The model was trained to know them, so an answer that names
//! the right one has come through everything from the tokenizer to the sampler.

use crate::tiny::Folder;

/// The answer to a question, and what was said on standard error.
fn ask(args: &[&str]) -> (String, String) {
    let folder = Folder::empty();
    let output = folder.run(&[&["run"], args].concat(), b"");
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("text"));
    assert!(output.status.success(), "{stderr}");
    (stdout, stderr)
}

#[test]
fn the_readme_question_is_answered_without_a_model_file() {
    for thinking in [&[][..], &["--nothink"]] {
        let (answer, notes) = ask(&[&["How do I start the server?"], thinking].concat());
        assert!(answer.contains("ironstar serve"), "{answer}");
        assert!(notes.starts_with("no model is named, so the built-in"), "{notes}");
    }
}

#[test]
fn the_built_in_model_has_a_name() {
    let (answer, notes) = ask(&["-m", "tiny", "--nothink", "How do I start the server?"]);
    assert!(answer.contains("ironstar serve"), "{answer}");
    assert!(notes.starts_with("prompt "), "{notes}");
    let folder = Folder::empty();
    let summary = String::from_utf8(folder.succeed(&["inspect", "tiny"], b"")).expect("text");
    assert!(summary.contains("runs          yes"), "{summary}");
    let tokens = folder.succeed(&["tokenize", "-m", "tiny"], b"ironstar");
    assert_eq!(folder.succeed(&["detokenize", "-m", "tiny"], &tokens), b"ironstar");
}

#[test]
fn a_file_of_that_name_is_reached_by_its_path() {
    let folder = Folder::empty();
    let output = folder.run(&["inspect", "./tiny"], b"");
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("./tiny"), "{stderr}");
}
