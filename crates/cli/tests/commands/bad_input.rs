//! The bad-input table of `CONTRIBUTING.md`: what people really type, and what they get.
//!
//! No oracle: the messages are ours. Each case runs the binary; a second test compares the table
//! in the document with the cases.

use std::fs;
use std::path::Path;

use crate::tiny::{Content, Folder};
use gguf::{Array, Tensor, TensorType, Value};

/// One line of the table.
struct Case {
    /// What is wrong.
    input: &'static str,
    /// Makes `bad.gguf`, if the case needs one.
    make: fn(&Folder),
    /// What is typed behind `ironstar`.
    args: &'static [&'static str],
    /// All of standard error.
    message: &'static str,
    exit_code: i32,
}

const RUN_BAD: &[&str] = &["run", "-m", "bad.gguf", "-p", "hello"];

fn nothing(_: &Folder) {}

fn write(folder: &Folder, bytes: &[u8]) {
    fs::write(folder.path("bad.gguf"), bytes).expect("the folder is writable");
}

fn tiny(folder: &Folder) -> Vec<u8> {
    fs::read(folder.path("tiny.gguf")).expect("it was converted")
}

fn rewrite(folder: &Folder, change: fn(&mut Content)) {
    folder.rewrite("bad.gguf", change);
}

fn replace(content: &mut Content, name: &str, dims: &[u64], kind: TensorType) {
    let n_bytes = dims[1..].iter().product::<u64>() as usize * kind.row_bytes(dims[0] as usize);
    let tensor = content.tensors.iter_mut().find(|t| t.name == name).expect("it is in the file");
    *tensor = Tensor::new(name, dims, kind, vec![0; n_bytes]).expect("it fits together");
}

fn drop_last_token(content: &mut Content) {
    for (key, value) in &mut content.metadata {
        match (key.as_str(), value) {
            ("tokenizer.ggml.tokens", Value::Array(Array::String(tokens))) => drop(tokens.pop()),
            ("tokenizer.ggml.token_type", Value::Array(Array::I32(types))) => drop(types.pop()),
            _ => {}
        }
    }
}

const CASES: [Case; 28] = [
    Case {
        input: "a file that is not there",
        make: nothing,
        args: RUN_BAD,
        message: "error: cannot read the model bad.gguf: cannot open bad.gguf: No such file or directory (os error 2)",
        exit_code: 1,
    },
    Case {
        input: "a file that is not GGUF",
        make: |folder| write(folder, b"<!DOCTYPE html>"),
        args: RUN_BAD,
        message: "error: cannot read the model bad.gguf: not a GGUF file (the first four bytes are 3c 21 44 4f, expected 47 47 55 46)",
        exit_code: 1,
    },
    Case {
        input: "a GGUF file cut short in its header",
        make: |folder| write(folder, &tiny(folder)[..9_000]),
        args: RUN_BAD,
        message: "error: cannot read the model bad.gguf: the file ends inside its header: tensor name at byte 8999 needs 27 bytes and only 1 are left; the download may be incomplete",
        exit_code: 1,
    },
    Case {
        input: "a GGUF file cut short in its data",
        make: |folder| write(folder, &tiny(folder)[..1_000_000]),
        args: RUN_BAD,
        message: "error: cannot read the model bad.gguf: tensor \"blk.2.attn_compressor_kv.weight\" needs 40960 bytes from byte 973088 on, but the file has 1000000 bytes; the download may be incomplete (directory entry at byte 11464)",
        exit_code: 1,
    },
    Case {
        input: "another architecture",
        make: |folder| rewrite(folder, |content| content.set("general.architecture", "llama")),
        args: RUN_BAD,
        message: "error: cannot load the model bad.gguf: the file holds a `llama` model; ironstar runs DeepSeek V4 Flash (`deepseek4`) and nothing else",
        exit_code: 1,
    },
    Case {
        input: "DeepSeek V4.1",
        make: |folder| {
            rewrite(folder, |content| content.set("general.architecture", "deepseek_v41"));
        },
        args: RUN_BAD,
        message: "error: cannot load the model bad.gguf: the file holds DeepSeek V4.1 (`deepseek_v41`), another architecture than V4 (`deepseek4`), which is the one ironstar runs",
        exit_code: 1,
    },
    Case {
        input: "a missing metadata key",
        make: |folder| rewrite(folder, |content| content.remove("deepseek4.block_count")),
        args: RUN_BAD,
        message: "error: cannot load the model bad.gguf: the file's metadata does not describe a DeepSeek V4 model: metadata key \"deepseek4.block_count\" is missing",
        exit_code: 1,
    },
    Case {
        input: "a missing tensor",
        make: |folder| {
            rewrite(folder, |content| content.tensors.retain(|t| t.name != "blk.1.attn_kv.weight"));
        },
        args: RUN_BAD,
        message: "error: cannot load the model bad.gguf: the file's tensors do not fit its metadata: blk.1.attn_kv.weight is missing",
        exit_code: 1,
    },
    Case {
        input: "a tensor of the wrong shape",
        make: |folder| {
            rewrite(folder, |content| {
                replace(content, "blk.1.attn_q_a.weight", &[64, 33], TensorType::F32);
            });
        },
        args: RUN_BAD,
        message: "error: cannot load the model bad.gguf: the file's tensors do not fit its metadata: blk.1.attn_q_a.weight has shape [64, 33], expected [64, 32]",
        exit_code: 1,
    },
    Case {
        input: "a tensor of a type that its role cannot have",
        make: |folder| {
            rewrite(folder, |content| {
                replace(content, "blk.1.attn_q_a.weight", &[64, 32], TensorType::Mxfp4);
            });
        },
        args: RUN_BAD,
        message: "error: cannot load the model bad.gguf: the file's tensors do not fit its metadata: blk.1.attn_q_a.weight is stored as MXFP4, accepted are F32, F16, BF16, Q8_0, Q4_K",
        exit_code: 1,
    },
    Case {
        input: "a vocabulary of another size than the model's",
        make: |folder| rewrite(folder, drop_last_token),
        args: RUN_BAD,
        message: "error: the vocabulary has 319 tokens (tokenizer.ggml.tokens), but the model has 320 (deepseek4.vocab_size)<br>hint: vocabulary and weights come from different models; convert the model again",
        exit_code: 1,
    },
    Case {
        input: "a file without a vocabulary",
        make: |folder| rewrite(folder, |content| content.remove("tokenizer.ggml.tokens")),
        args: RUN_BAD,
        message: "error: cannot read the vocabulary of bad.gguf: metadata key \"tokenizer.ggml.tokens\" is missing<br>hint: the file was written without a tokenizer; `logits` and `inspect` work without",
        exit_code: 1,
    },
    Case {
        input: "an empty prompt",
        make: nothing,
        args: &["run", "-m", "tiny.gguf", "-p", ""],
        message: "error: the prompt is empty<br>hint: -p TEXT or -f FILE gives a prompt",
        exit_code: 1,
    },
    Case {
        input: "a prompt longer than the context",
        make: nothing,
        args: &["run", "-m", "tiny.gguf", "-p", "hello", "--nothink", "--ctx", "8"],
        message: "error: the prompt has 9 tokens, but the context of 8 has room for 7 and an answer<br>hint: --ctx N makes the context larger",
        exit_code: 1,
    },
    Case {
        input: "a context longer than the model knows",
        make: nothing,
        args: &["run", "-m", "tiny.gguf", "-p", "hello", "--ctx", "1000000000000"],
        message: "error: a context of 1000000000000 tokens is not between 2 and the 4096 that the model knows",
        exit_code: 1,
    },
    Case {
        input: "a sampling parameter out of its range",
        make: nothing,
        args: &["run", "-m", "tiny.gguf", "-p", "hello", "--top-p", "1.5"],
        message: "error: top-p is 1.5, expected a number above 0 and at most 1",
        exit_code: 1,
    },
    Case {
        input: "a directory that is no KV store",
        make: nothing,
        args: &["cache", "ls", "--kv-dir", "nowhere"],
        message: "error: nowhere is no KV store",
        exit_code: 1,
    },
    Case {
        input: "an id that nothing has",
        make: |folder| {
            fs::create_dir_all(folder.path("kv/entries")).expect("the folder is writable");
        },
        args: &["cache", "show", "--kv-dir", "kv", "abcd"],
        message: "error: no prefix has an id that begins with \"abcd\"",
        exit_code: 1,
    },
    Case {
        input: "an import of something else",
        make: |folder| write(folder, b"<!DOCTYPE html>"),
        args: &["cache", "import", "--kv-dir", "kv", "bad.gguf"],
        message: "error: cannot import bad.gguf: not an exported prefix (the file does not begin with `IRONSTKX`)",
        exit_code: 1,
    },
    Case {
        input: "an exported prefix cut short",
        make: |folder| write(folder, b"IRONSTKX\x01\0\0\0\x02\0\0\0\xff\0\0\0\0\0\0\0"),
        args: &["cache", "import", "--kv-dir", "kv", "bad.gguf"],
        message: "error: cannot import bad.gguf: the export ends inside an entry; the copy may be incomplete",
        exit_code: 1,
    },
    Case {
        input: "a published model that was not downloaded",
        make: nothing,
        args: &["run", "-m", "q2", "-p", "hello"],
        message: "error: the model q2 is not on this machine<br>hint: ironstar download q2 fetches it; a file of that name is ./q2",
        exit_code: 1,
    },
    Case {
        input: "a name that no published file has",
        make: nothing,
        args: &["download", "q3"],
        message: "error: there is no published file q3; there are q2, mixed, mxfp4, q4, q2-preview, mixed-preview, q4-preview, mtp, dspark",
        exit_code: 1,
    },
    Case {
        input: "a server that is no address",
        make: nothing,
        args: &["setup", "codex", "--url", "localhost"],
        message: "error: localhost is no address of a server; http://127.0.0.1:8000 is one",
        exit_code: 1,
    },
    Case {
        input: "a key that the configuration cannot have",
        make: |folder| write(folder, b"[serve]\nprot = 9000\n"),
        args: &["config", "check", "bad.gguf"],
        message: "error: cannot use the configuration bad.gguf: [serve] has no key `prot`; the nearest is `port`",
        exit_code: 1,
    },
    Case {
        input: "a conversation that was not saved",
        make: nothing,
        args: &["chat", "-m", "tiny.gguf", "--resume", "plans"],
        message: "error: no conversation is called plans; /list shows them",
        exit_code: 1,
    },
    Case {
        input: "a range of contexts without an end",
        make: nothing,
        args: &["bench", "-m", "tiny.gguf", "--ctx", "1..2+0"],
        message: "error: invalid value '1..2+0' for '--ctx <N,...>': it must be at least 1<br>For more information, try '--help'.",
        exit_code: 2,
    },
    Case {
        input: "an unknown flag",
        make: nothing,
        args: &["run", "-m", "tiny.gguf", "-p", "hello", "--frobnicate"],
        message: "error: unexpected argument '--frobnicate' found<br>tip: to pass '--frobnicate' as a value, use '-- --frobnicate'<br>Usage: ironstar run --model <MODEL> --prompt <TEXT> [PROMPT]<br>For more information, try '--help'.",
        exit_code: 2,
    },
    Case {
        input: "a directory for conversations that is a file",
        make: nothing,
        args: &["serve", "-m", "tiny.gguf", "--port", "0", "--kv-dir", "tiny.gguf"],
        message: "error: cannot use tiny.gguf as a KV store: Not a directory (os error 20)",
        exit_code: 1,
    },
];

/// The message as one line: what the table can hold.
fn one_line(message: &str) -> String {
    let lines = message.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("<br>")
}

#[test]
fn every_bad_input_gets_its_message() {
    let folder = Folder::with_tiny();
    let mut wrong = Vec::new();
    for case in &CASES {
        (case.make)(&folder);
        let output = folder.run(case.args, b"");
        let stderr = one_line(&String::from_utf8_lossy(&output.stderr));
        let found = (stderr.as_str(), output.status.code());
        if found != (case.message, Some(case.exit_code)) || !output.stdout.is_empty() {
            wrong.push(format!("{}: exit code {:?}\n{}", case.input, found.1, found.0));
        }
        let _ = fs::remove_file(folder.path("bad.gguf"));
    }
    assert!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn the_table_in_contributing_is_this_one() {
    const BEGIN: &str = "<!-- bad-input:begin -->\n";
    const END: &str = "<!-- bad-input:end -->";
    let rows = CASES.iter().map(|case| {
        // Messages quote with backticks, so code spans need two of them.
        let message = case.message.replace('|', "\\|").replace("<br>", " ``<br>`` ");
        format!("| {} | `` {message} `` | {} |", case.input, case.exit_code)
    });
    let head = ["| input | message | exit code |", "|---|---|---|"].map(str::to_owned);
    let table = head.into_iter().chain(rows).collect::<Vec<_>>().join("\n") + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../CONTRIBUTING.md");
    let document = fs::read_to_string(path).unwrap();
    let (_, rest) = document.split_once(BEGIN).expect("the table's first marker");
    let (found, _) = rest.split_once(END).expect("the table's last marker");
    assert_eq!(found, table, "the table of CONTRIBUTING.md should be:\n{table}");
}
