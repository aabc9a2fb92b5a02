//! `quantize` as a user runs it, on a small file with tensors of every kind.
//!
//! Oracle for the errors: those of the same encoders in `FORMATS.md`, which are compared with
//! ggml's. The importance matrix is laid out here as llama.cpp does it. Everything else is ours.

use std::fs::{self, File};
use std::io::BufWriter;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gguf::{MappedFile, TensorType, Value, WriterBuilder};

use crate::tiny::Folder;

const COLUMNS: u64 = 256;
const N_EXPERTS: u64 = 4;

/// Name, dimensions and type of each tensor of `in.gguf`.
const TENSORS: [(&str, &[u64], TensorType); 9] = [
    ("token_embd.weight", &[COLUMNS, 64], TensorType::F32),
    ("blk.0.attn_norm.weight", &[COLUMNS], TensorType::F32),
    ("blk.0.attn_q_a.weight", &[COLUMNS, 64], TensorType::F32),
    ("blk.0.attn_kv.weight", &[96, 32], TensorType::F32),
    ("blk.0.ffn_gate_exps.weight", &[COLUMNS, 32, N_EXPERTS], TensorType::F32),
    ("blk.0.ffn_up_exps.weight", &[COLUMNS, 32, N_EXPERTS], TensorType::Bf16),
    ("blk.0.ffn_down_exps.weight", &[COLUMNS, 32, N_EXPERTS], TensorType::F16),
    ("blk.0.ffn_gate_tid2eid.weight", &[6, 64], TensorType::I32),
    ("odd.weight", &[20, 3], TensorType::F32),
];

/// Numbers between -1 and 1 whose bits look random: Knuth's generator, its upper half.
fn noise(seed: u64, n: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (state >> 32) as f32 / (1_u64 << 31) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// Weights with a shape like that of trained ones: sums of three, so that large ones are rare.
fn weights(seed: u64, n: usize) -> Vec<f32> {
    let summands = [1, 2, 3].map(|i| noise(seed * 7 + i, n));
    (0..n).map(|i| summands.iter().map(|values| 0.02 * values[i]).sum()).collect()
}

/// Writes a file of tensors and their bytes.
fn write_file(
    folder: &Folder,
    name: &str,
    metadata: &[(&str, Value)],
    tensors: &[(String, Vec<u64>, TensorType, Vec<u8>)],
) {
    let mut header = WriterBuilder::new();
    for (key, value) in metadata {
        header.metadata(key, value.clone()).expect("keys differ");
    }
    for (name, dims, kind, _) in tensors {
        header.tensor(name, dims, *kind).expect("tensors are sound");
    }
    let out = File::create(folder.path(name)).expect("the folder is writable");
    let mut writer = header.begin(BufWriter::new(out)).expect("the header can be written");
    for (name, _, _, bytes) in tensors {
        writer.tensor(name, bytes).expect("the data can be written");
    }
    writer.finish().expect("everything declared was written");
}

fn encoded(kind: TensorType, seed: u64, n: usize) -> Vec<u8> {
    if kind == TensorType::I32 {
        return (0..n).flat_map(|i| (i as i32 % 4).to_le_bytes()).collect();
    }
    let mut bytes = Vec::new();
    kind.encode_row(&weights(seed, n), &mut bytes).expect("finite weights");
    bytes
}

/// A folder with `in.gguf`.
fn folder_with_input() -> Folder {
    let folder = Folder::empty();
    let tensors: Vec<_> = (1..)
        .zip(TENSORS)
        .map(|(seed, (name, dims, kind))| {
            let n = dims.iter().product::<u64>() as usize;
            (name.to_owned(), dims.to_vec(), kind, encoded(kind, seed, n))
        })
        .collect();
    let metadata = [
        ("general.architecture", Value::from("deepseek4")),
        ("general.file_type", 1_u32.into()),
        ("deepseek4.block_count", 1_u32.into()),
    ];
    write_file(&folder, "in.gguf", &metadata, &tensors);
    folder
}

fn quantize(folder: &Folder, recipe: &str, more: &[&str]) -> (MappedFile, String) {
    let args = ["quantize", "in.gguf", "out.gguf", "--recipe", recipe];
    let output = folder.run(&[&args, more].concat(), b"");
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.success(), "{stderr}");
    let file = MappedFile::open(folder.path("out.gguf")).expect("a model file");
    (file, stderr)
}

fn decoded(file: &MappedFile, name: &str) -> Vec<f32> {
    file.tensor(name).expect("it is kept").decode().expect("it holds weights")
}

/// Error in percent of the weights: `sum c (decoded - weight)^2 / sum c weight^2`, its root.
fn percent(found: &[f32], expected: &[f32], importance: impl Fn(usize) -> f32) -> f64 {
    let (mut error, mut total) = (0.0, 0.0);
    for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let (found, expected) = (f64::from(found), f64::from(expected));
        error += f64::from(importance(i)) * (found - expected).powi(2);
        total += f64::from(importance(i)) * expected.powi(2);
    }
    100.0 * (error / total).sqrt()
}

/// The error that a type may have on weights like these, without importance: a little more than
/// what `FORMATS.md` says of normal ones.
fn allowed(kind: TensorType) -> f64 {
    match kind {
        TensorType::Q8_0 => 0.6,
        TensorType::Q4K => 7.3,
        TensorType::Q2K => 27.0,
        TensorType::Iq2Xxs => 34.0,
        TensorType::Mxfp4 => 11.6,
        TensorType::F16 => 0.03,
        _ => 0.0,
    }
}

fn check_recipe(recipe: &str, more: &[&str], expected: [TensorType; 9]) -> Folder {
    let folder = folder_with_input();
    let (out, _) = quantize(&folder, recipe, more);
    let input = MappedFile::open(folder.path("in.gguf")).expect("it was written");
    assert_eq!(out.header().tensors.len(), TENSORS.len());
    for ((name, dims, from), kind) in TENSORS.into_iter().zip(expected) {
        let tensor = out.tensor(name).unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!((tensor.kind, tensor.dims.as_slice()), (kind, dims), "{recipe}: {name}");
        if kind == from {
            let kept = input.tensor(name).expect("it was written");
            assert!(tensor.data[..] == kept.data[..], "{recipe}: {name} changed");
        } else {
            let error = percent(&decoded(&out, name), &decoded(&input, name), |_| 1.0);
            assert!(error <= allowed(kind), "{recipe}: {name} as {kind} is off by {error:.2} %");
            assert!(error > 0.0 || kind == TensorType::F32, "{recipe}: {name} as {kind}");
        }
    }
    folder
}

#[test]
fn built_in_recipes_give_types_and_errors_as_documented() {
    use TensorType::{F16, F32, I32, Iq2Xxs, Mxfp4, Q2K, Q4K, Q8_0};
    for (recipe, [gate, up, down], file_type) in
        [("q2", [Iq2Xxs, Iq2Xxs, Q2K], 19), ("q4", [Q4K; 3], 15), ("mxfp4", [Mxfp4; 3], 38)]
    {
        let folder = check_recipe(recipe, &[], [F16, F32, Q8_0, Q8_0, gate, up, down, I32, F32]);
        let out = MappedFile::open(folder.path("out.gguf")).expect("it was written");
        let metadata = &out.header().metadata;
        assert_eq!(metadata.u64("general.file_type").expect("it is there"), file_type);
        assert_eq!(metadata.string("quantize.recipe").expect("it is there"), recipe);
        assert_eq!(metadata.u64("deepseek4.block_count").expect("it is kept"), 1);
        assert_eq!(fs::read_dir(folder.path("")).expect("a folder").count(), 2, "no other files");
    }
}

#[test]
fn a_recipe_in_a_file_decides_tensor_by_tensor() {
    use TensorType::{F16, F32, I32, Iq2Xxs, Q2K, Q4K, Q8_0};
    let recipe = r#"
        default = "Q4_K"
        fallback = ["Q8_0", "f16"]
        [[tensor]]
        name = "*_norm.weight"
        type = "keep"
        [[tensor]]
        name = "blk.0.ffn_{gate,up}_exps.weight"
        type = "iq2_xxs"
        [[tensor]]
        name = "blk.*.ffn_*.weight"
        type = "Q2_K"
    "#;
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("mine.toml");
    fs::write(&path, recipe).expect("the folder is writable");
    let path = path.to_str().expect("it is UTF-8");
    let expected = [Q4K, F32, Q4K, Q8_0, Iq2Xxs, Iq2Xxs, Q2K, I32, F16];
    let folder = check_recipe(path, &["--threads", "3"], expected);
    let out = MappedFile::open(folder.path("out.gguf")).expect("it was written");
    let metadata = &out.header().metadata;
    assert_eq!(metadata.string("quantize.recipe").expect("it is there"), "mine");
    assert_eq!(metadata.u64("general.file_type").expect("it is kept"), 1, "no number in the file");
}

#[test]
fn quantised_weights_are_decoded_and_the_user_is_told() {
    let folder = folder_with_input();
    let (_, stderr) = quantize(&folder, "q4", &[]);
    assert!(!stderr.contains("warning: 3"), "{stderr}");
    fs::rename(folder.path("out.gguf"), folder.path("in.gguf")).expect("both exist");
    fs::write(folder.path("f32.toml"), "default = \"F32\"").expect("the folder is writable");
    let before = MappedFile::open(folder.path("in.gguf")).expect("it was renamed");
    let (out, stderr) = quantize(&folder, "f32.toml", &[]);
    assert!(stderr.contains("quantised already; what that lost stays lost"), "{stderr}");
    for (name, _, kind) in TENSORS {
        if kind != TensorType::I32 {
            assert_eq!(decoded(&out, name), decoded(&before, name), "{name}");
        }
    }
}

/// Writes an importance matrix as llama.cpp does: sums of squares and counts, by expert.
fn write_importance(folder: &Folder, weights: &[(&str, u64)], squares: &[f32], counts: &[f32]) {
    let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let mut tensors = Vec::new();
    for (name, n_matrices) in weights {
        let (n_sums, n_counts) = ((COLUMNS * n_matrices) as usize, *n_matrices as usize);
        let (sums, counts) = (bytes(&squares[..n_sums]), bytes(&counts[..n_counts]));
        let dims = vec![COLUMNS, *n_matrices];
        tensors.push((format!("{name}.in_sum2"), dims, TensorType::F32, sums));
        tensors.push((format!("{name}.counts"), vec![1, *n_matrices], TensorType::F32, counts));
    }
    let metadata = [
        ("general.type", Value::from("imatrix")),
        ("imatrix.datasets", vec!["text.txt".to_owned()].into()),
        ("imatrix.chunk_count", 7_u32.into()),
        ("imatrix.chunk_size", 512_u32.into()),
    ];
    write_file(folder, "imatrix.gguf", &metadata, &tensors);
}

const EXPERTS: [&str; 3] =
    ["blk.0.ffn_gate_exps.weight", "blk.0.ffn_up_exps.weight", "blk.0.ffn_down_exps.weight"];

#[test]
fn importance_lowers_the_error_where_it_counts() {
    let folder = folder_with_input();
    let input = MappedFile::open(folder.path("in.gguf")).expect("it was written");
    let n = (COLUMNS * N_EXPERTS) as usize;
    // Few columns with large inputs, other ones for each expert; the last expert had no input.
    let squares: Vec<f32> = noise(99, n).iter().map(|x| 40.0 * x.powi(8) + 0.05).collect();
    let counts = [10.0, 20.0, 5.0, 0.0];
    write_importance(&folder, &EXPERTS.map(|name| (name, N_EXPERTS)), &squares, &counts);

    let (plain, stderr) = quantize(&folder, "q2", &[]);
    assert!(stderr.contains("IQ2_XXS without --imatrix is noticeably worse"), "{stderr}");
    let importance = |i: usize| {
        let expert = i / (COLUMNS as usize * 32);
        squares[expert * COLUMNS as usize + i % COLUMNS as usize] / counts[expert]
    };
    let n_seen = 3 * COLUMNS as usize * 32;
    let errors = |file: &MappedFile, name: &str| {
        percent(&decoded(file, name)[..n_seen], &decoded(&input, name)[..n_seen], importance)
    };
    let before = EXPERTS.map(|name| errors(&plain, name));
    let unseen = EXPERTS.map(|name| decoded(&plain, name)[n_seen..].to_vec());
    let (weighted, stderr) = quantize(&folder, "q2", &["--imatrix", "imatrix.gguf", "--force"]);
    assert!(!stderr.contains("warning"), "{stderr}");
    for ((name, before), unseen) in EXPERTS.into_iter().zip(before).zip(unseen) {
        let after = errors(&weighted, name);
        assert!(
            after < 0.8 * before,
            "{name}: {after:.2} % with importance, {before:.2} % without"
        );
        assert_eq!(decoded(&weighted, name)[n_seen..], unseen, "an expert without inputs");
    }
    let metadata = &weighted.header().metadata;
    assert_eq!(metadata.u64("quantize.imatrix.chunks_count").expect("it is there"), 7);
}

#[test]
fn the_same_importance_may_count_for_all_experts() {
    let folder = folder_with_input();
    let squares: Vec<f32> = noise(5, 256).iter().map(|x| x * x).collect();
    write_importance(&folder, &[(EXPERTS[0], 1)], &squares, &[1.0]);
    let args = ["--imatrix", "imatrix.gguf"];
    let (_, stderr) = quantize(&folder, "q2", &args);
    assert!(stderr.contains("warning: 1 tensors of IQ2_XXS are not in the importance"), "{stderr}");
}

/// Runs `quantize` and expects one line of error, and no output.
fn check_refused(folder: &Folder, args: &[&str], expected: &str) {
    let output = folder.run(&[&["quantize"], args].concat(), b"");
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{args:?}: {stderr}");
    assert!(stderr.contains(expected), "{args:?}: {stderr}");
    assert!(!folder.path("out.gguf").exists(), "{args:?}");
}

#[test]
fn recipes_that_say_nothing_sensible_are_refused() {
    let folder = folder_with_input();
    let check = |text: &str, expected: &str| {
        fs::write(folder.path("bad.toml"), text).expect("the folder is writable");
        check_refused(&folder, &["in.gguf", "out.gguf", "--recipe", "bad.toml"], expected);
    };
    check("default = \"Q3_K\"", "\"Q3_K\" is no type of weights; there are F32, F16, Q8_0");
    check("default = ", "TOML parse error");
    check("file_type = 3", "missing field `default`");
    check("default = \"keep\"\ntypes = []", "unknown field `types`");
    check(
        "default = \"Q4_K\"",
        "blk.0.attn_kv.weight has rows of 96 weights, which are no whole blocks of Q4_K",
    );
    fs::write(folder.path("bad.toml"), [0xff, 0xfe]).expect("the folder is writable");
    let args = ["in.gguf", "out.gguf", "--recipe"];
    check_refused(&folder, &[&args[..], &["bad.toml"]].concat(), "is not UTF-8 text");
    check_refused(&folder, &[&args[..], &["q3"]].concat(), "there is no recipe \"q3\"");
    assert!(!folder.path("out.gguf.part").exists(), "nothing was begun");

    fs::write(
        folder.path("idle.toml"),
        "default = \"keep\"\n[[tensor]]\nname = \"blk.0.ffn_gate_exp\"\ntype = \"F16\"",
    )
    .expect("the folder is writable");
    let (_, stderr) = quantize(&folder, "idle.toml", &[]);
    assert!(stderr.contains("no tensor takes the rule for \"blk.0.ffn_gate_exp\""), "{stderr}");
}

#[test]
fn inputs_that_are_no_models_are_refused() {
    let folder = folder_with_input();
    let check = |expected: &str| {
        check_refused(&folder, &["bad.gguf", "out.gguf", "--recipe", "q2"], expected);
    };
    check("cannot read bad.gguf");
    fs::write(folder.path("bad.gguf"), "GIF89a").expect("the folder is writable");
    check("not a GGUF file");
    let whole = fs::read(folder.path("in.gguf")).expect("it was written");
    fs::write(folder.path("bad.gguf"), &whole[..whole.len() / 2]).expect("it is writable");
    check("the download may be incomplete");
    let write_weight = |weight: f32| {
        let mut values = weights(1, 256);
        values[77] = weight;
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let name = "blk.0.ffn_gate_exps.weight".to_owned();
        let tensor = (name, vec![256, 1, 1], TensorType::F32, bytes);
        write_file(&folder, "bad.gguf", &[], &[tensor]);
    };
    write_weight(f32::NAN);
    check("cannot quantise blk.0.ffn_gate_exps.weight: a weight is NaN; the file is damaged");
    write_weight(1e9);
    check("cannot quantise blk.0.ffn_gate_exps.weight: ");
    for kind in ["F16", "Q8_0"] {
        fs::write(folder.path("one.toml"), format!("default = \"{kind}\"")).expect("writable");
        let expected = format!("the weight 1000000000 is too large for {kind}");
        check_refused(&folder, &["bad.gguf", "out.gguf", "--recipe", "one.toml"], &expected);
    }
}

#[test]
fn importances_that_do_not_belong_are_refused() {
    let folder = folder_with_input();
    let args = ["in.gguf", "out.gguf", "--recipe", "q2", "--imatrix"];
    let check = |file: &str, expected: &str| {
        check_refused(&folder, &[&args[..], &[file]].concat(), expected);
    };
    check("none.gguf", "none.gguf");
    check("in.gguf", "it has no general.type");
    fs::write(folder.path("old.dat"), [1, 0, 0, 0, 5]).expect("the folder is writable");
    check("old.dat", "not a GGUF file");
    let ones = [1.0; 1024];
    write_importance(&folder, &[(EXPERTS[0], 3)], &ones, &ones);
    check(
        "imatrix.gguf",
        "the importance matrix is of another model: blk.0.ffn_gate_exps.weight has 3 matrices of \
         256 columns there, and 4 of 256 here",
    );
    let mut negative = ones;
    negative[7] = -1.0;
    write_importance(&folder, &[(EXPERTS[0], 4)], &negative, &ones);
    check("imatrix.gguf", "blk.0.ffn_gate_exps.weight.in_sum2 holds -1");
}

#[test]
fn an_existing_output_is_kept_unless_forced_and_two_runs_do_not_mix() {
    let folder = folder_with_input();
    fs::write(folder.path("out.gguf"), "precious").expect("the folder is writable");
    let args = ["quantize", "in.gguf", "out.gguf", "--recipe", "q4"];
    let output = folder.run(&args, b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--force"));
    assert_eq!(fs::read(folder.path("out.gguf")).expect("it is kept"), b"precious");
    let part = File::create(folder.path("out.gguf.part")).expect("the folder is writable");
    part.lock().expect("nobody else has it");
    let output = folder.run(&[&args[..], &["--force"]].concat(), b"");
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("another process is writing out.gguf.part"), "{stderr}");
    drop(part);
    quantize(&folder, "q4", &["--force"]);
}

/// A folder with an input whose first tensors are quick to do and whose last ones are slow.
fn folder_with_work() -> Folder {
    let folder = Folder::empty();
    let (columns, rows) = (1024, 1024);
    let values = weights(1, columns * rows);
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let tensors: Vec<_> = (0..6)
        .map(|i| {
            let speed = if i < 4 { "quick" } else { "slow" };
            let dims = vec![columns as u64, rows as u64];
            (format!("{speed}.{i}"), dims, TensorType::F32, bytes.clone())
        })
        .collect();
    write_file(&folder, "in.gguf", &[], &tensors);
    let recipe = "default = \"F16\"\n[[tensor]]\nname = \"slow.*\"\ntype = \"IQ2_XXS\"";
    fs::write(folder.path("r.toml"), recipe).expect("the folder is writable");
    folder
}

/// Begins the work and kills it when some tensors, but not all, are done.
fn interrupt(folder: &Folder) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ironstar"))
        // One thread, so that the slow tensors are slow on any machine.
        .args(["quantize", "in.gguf", "out.gguf", "--recipe", "r.toml", "--threads", "1"])
        .current_dir(folder.path(""))
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let deadline = Instant::now() + Duration::from_mins(1);
    while !folder.path("out.gguf.part.json").exists() {
        assert!(Instant::now() < deadline, "no progress within a minute");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().expect("it still runs");
    let status = child.wait().expect("it ends");
    assert!(!status.success(), "it was killed in the middle");
    assert!(!folder.path("out.gguf").exists(), "nothing unfinished has the name");
}

#[test]
fn a_killed_run_is_continued_to_the_same_bytes() {
    let folder = folder_with_work();
    quantize(&folder, "r.toml", &["--threads", "1"]);
    let expected = fs::read(folder.path("out.gguf")).expect("it was written");
    fs::remove_file(folder.path("out.gguf")).expect("it was written");

    interrupt(&folder);
    let (_, stderr) = quantize(&folder, "r.toml", &["--threads", "2"]);
    let n_done = stderr.split_once("continuing after ").map(|(_, rest)| rest.as_bytes()[0]);
    assert!(n_done.is_some_and(|n_done| (b'1'..=b'5').contains(&n_done)), "{stderr}");
    assert!(fs::read(folder.path("out.gguf")).expect("it was written") == expected);
    let count = fs::read_dir(folder.path("")).expect("a folder").count();
    assert_eq!(count, 3, "input, recipe and output");
}

#[test]
fn an_unfinished_run_of_something_else_starts_over() {
    let folder = folder_with_work();
    interrupt(&folder);
    let recipe = "default = \"Q8_0\"";
    fs::write(folder.path("r.toml"), recipe).expect("the folder is writable");
    let (out, stderr) = quantize(&folder, "r.toml", &[]);
    assert!(stderr.contains("made from something else; starting over"), "{stderr}");
    assert!(out.header().tensors.iter().all(|tensor| tensor.kind == TensorType::Q8_0));
    let fresh = folder_with_work();
    fs::write(fresh.path("r.toml"), recipe).expect("the folder is writable");
    quantize(&fresh, "r.toml", &[]);
    let [found, expected] =
        [&folder, &fresh].map(|folder| fs::read(folder.path("out.gguf")).expect("written"));
    assert!(found == expected);
}

/// A file of half a gigabyte, most of which is not on the disk, through less memory than that.
#[test]
#[cfg(target_os = "linux")]
fn memory_does_not_grow_with_the_file() {
    const MAX_RESIDENT_KIB: u64 = 160 << 10;
    let folder = Folder::empty();
    let mut header = WriterBuilder::new();
    header.tensor("blk.0.ffn_down_exps.weight", &[4096, 32_768], TensorType::F32).expect("sound");
    let file = File::create(folder.path("in.gguf")).expect("the folder is writable");
    drop(header.begin(&file).expect("the header can be written"));
    let header_bytes = file.metadata().expect("it is there").len();
    file.set_len(header_bytes + 4 * 4096 * 32_768).expect("files may have holes");
    let mut child = Command::new(env!("CARGO_BIN_EXE_ironstar"))
        .args(["quantize", "in.gguf", "out.gguf", "--recipe", "q2"])
        .current_dir(folder.path(""))
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().expect("it can be asked").is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        most = number.map_or(most, |number| number.parse().expect("a number"));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(child.wait().expect("it has ended").success());
    assert!(0 < most && most < MAX_RESIDENT_KIB, "{most} KiB were resident");
}
