//! `bench` as a user runs it: the files it writes and what it refuses.

use std::fs;

use crate::tiny::Folder;
use serde_json::Value;

#[test]
fn a_run_writes_table_json_csv_and_plot() {
    let folder = Folder::with_tiny();
    let table = folder.succeed(
        &[
            "bench",
            "-m",
            "tiny.gguf",
            "--ctx",
            "200,64",
            "--gen",
            "4",
            "--repeat",
            "3",
            "--json",
            "out.json",
            "--csv",
            "out.csv",
            "--plot",
            "out.svg",
        ],
        b"",
    );
    let table = String::from_utf8(table).expect("text");
    assert_eq!(table.lines().count(), 5, "a header, two rows, machine and memory: {table}");
    let read = |name: &str| fs::read_to_string(folder.path(name)).expect("it was written");
    let report: Value = serde_json::from_str(&read("out.json")).expect("JSON");
    let rows = report["rows"].as_array().expect("rows");
    let counts: Vec<_> = rows.iter().map(|row| (&row["ctx"], &row["prefill_tokens"])).collect();
    assert_eq!(counts, [(&64.into(), &64.into()), (&200.into(), &132.into())]);
    for row in rows {
        let rate = |key: &str| row[key].as_f64().expect("a number");
        for what in ["prefill_tok_s", "decode_tok_s"] {
            let [min, max] = ["min", "max"].map(|end| rate(&format!("{what}_{end}")));
            assert!(0.0 < min && min <= rate(what) && rate(what) <= max, "{row}");
        }
        assert!(rate("share_of_peak") > 0.0, "{row}");
    }
    assert_eq!(read("out.csv").lines().count(), 3);
    let svg = read("out.svg");
    assert!(svg.starts_with("<svg") && svg.matches("<polyline").count() >= 2, "two curves");
}

#[test]
fn made_up_kv_measures_decode_alone() {
    let folder = Folder::with_tiny();
    let args = ["bench", "-m", "tiny.gguf", "--ctx", "1000", "--gen", "2", "--made-up-kv"];
    folder.succeed(&[&args[..], &["--json", "out.json"]].concat(), b"");
    let json = fs::read_to_string(folder.path("out.json")).expect("it was written");
    let report: Value = serde_json::from_str(&json).expect("JSON");
    assert!(report["rows"][0]["prefill_tok_s"].is_null());
    assert!(report["rows"][0]["decode_tok_s"].as_f64().expect("a number") > 0.0);
    folder.succeed(&[&args[..], &["40", "--json", "out.json"]].concat(), b"");
    let json = fs::read_to_string(folder.path("out.json")).expect("it was written");
    let report: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(report["rows"][0]["prefill_tokens"], 40);
    assert!(report["rows"][0]["prefill_tok_s"].as_f64().expect("a number") > 0.0);
}

#[test]
fn contexts_that_cannot_be_measured_are_refused() {
    let folder = Folder::with_tiny();
    let check = |ctx: &str, code: i32, expected: &str| {
        let output = folder.run(&["bench", "-m", "tiny.gguf", "--ctx", ctx], b"");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
    };
    check("512,600", 1, "frontier 600 is not past the 640 tokens that are there by then");
    check("512,", 2, "it is not a whole number");
    check("0", 2, "at least 1");
    check("100000000", 1, "tokens");
}

#[test]
fn two_measurements_are_compared() {
    let folder = Folder::empty();
    let header = "machine,ctx,prefill_tok_s,decode_tok_s";
    fs::write(folder.path("a.csv"), format!("{header}\n\"a, b\",512,100,10\nx,2048,90,9\n"))
        .expect("it is writable");
    fs::write(folder.path("b.csv"), format!("{header}\ny,2048,99,13.5\n")).expect("it is writable");
    fs::write(folder.path("c.csv"), "nothing\n").expect("it is writable");
    let table = folder.succeed(&["bench", "--compare", "a.csv", "b.csv"], b"");
    let table = String::from_utf8(table).expect("text");
    let rows: Vec<Vec<_>> =
        table.lines().skip(2).map(|row| row.split_whitespace().collect()).collect();
    assert_eq!(rows, [["2048", "90.0", "99.0", "+10.0%", "9.00", "13.50", "+50.0%"]]);
    let output = folder.run(&["bench", "--compare", "a.csv", "c.csv"], b"");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(stderr, "error: c.csv is no CSV file of bench: it has no column ctx\n");
}

#[test]
fn contexts_may_be_ranges() {
    let folder = Folder::empty();
    let args =
        ["bench", "-m", "tiny", "--ctx", "32..128*2,0..300+100", "--gen", "2", "--csv", "r.csv"];
    folder.succeed(&args, b"");
    let csv = fs::read_to_string(folder.path("r.csv")).expect("it was written");
    let contexts: Vec<_> =
        csv.lines().skip(1).filter_map(|row| row.split(',').rev().nth(11)).collect();
    assert_eq!(contexts, ["32", "64", "100", "128", "200", "300"], "{csv}");
}
