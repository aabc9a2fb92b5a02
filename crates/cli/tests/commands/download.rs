//! `download` and `models` against a server that misbehaves in every way we could think of.
//!
//! Oracle: the bytes that the server has.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crate::hub::{COMMIT, Fault, Hub, noise};
use crate::tiny::Folder;

const Q2: &str = "DeepSeek-V4-Flash-IQ2XXS-w2Q2K-AProjQ8-SExpQ8-OutQ8-chat-v2-imatrix-0731.gguf";

fn repository(folder: &Folder) -> PathBuf {
    folder.path("hf/hub/models--antirez--deepseek-v4-gguf")
}

fn downloaded(folder: &Folder) -> PathBuf {
    repository(folder).join("snapshots").join(COMMIT).join(Q2)
}

/// Runs `download q2`; its exit code and what it said.
fn download(folder: &Folder, hub: &Hub) -> (Option<i32>, String) {
    let output = folder.run(&["download", "q2", "--endpoint", &hub.endpoint], b"");
    (output.status.code(), String::from_utf8(output.stderr).expect("text"))
}

/// Files in the folder of blobs.
fn n_blobs(folder: &Folder) -> usize {
    fs::read_dir(repository(folder).join("blobs")).map_or(0, Iterator::count)
}

fn check_arrives(content: &[u8], fault: Fault) {
    let folder = Folder::empty();
    let hub = Hub::start(content.to_vec(), fault);
    let (code, said) = download(&folder, &hub);
    assert_eq!(code, Some(0), "{fault:?}: {said}");
    assert!(said.contains("checked and ready: `ironstar chat -m q2`"), "{said}");
    assert!(fs::read(downloaded(&folder)).expect("it is there") == content, "{fault:?}");
    assert_eq!(n_blobs(&folder), 1, "nothing unfinished is left");
    let main = fs::read_to_string(repository(&folder).join("refs/main"));
    assert_eq!(main.expect("it was written"), COMMIT);
}

#[test]
fn files_arrive_whole_whatever_the_server_does() {
    let content = noise(3_000_001);
    check_arrives(&content, Fault::Nothing);
    check_arrives(&content, Fault::CutsParts);
    check_arrives(&content, Fault::EveryThirdIs(503));
    check_arrives(b"short", Fault::Nothing);
}

#[test]
fn what_cannot_be_had_is_said_and_leaves_nothing() {
    let check = |fault, expected: &str| {
        let folder = Folder::empty();
        let hub = Hub::start(noise(600_000), fault);
        let (code, said) = download(&folder, &hub);
        let said = said.replace(&hub.endpoint, "SERVER");
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(expected), "{fault:?}: {said}");
        assert!(!downloaded(&folder).exists());
        said
    };
    let denied = "error: SERVER does not let us have the file; HF_TOKEN names a token that may";
    check(Fault::AllAre(401), denied);
    check(Fault::AllAre(404), "error: SERVER does not have the file");
    check(Fault::ClaimsToBeHuge, "error: the download needs 888.18 PiB more and 1.00 GiB to spare");
    check(Fault::HasNoChecksum, "SERVER does not give its SHA-256, so it could not be checked");
    check(Fault::IgnoresRanges, "SERVER does not send parts of files");
    let said = check(Fault::SendsOtherBytes, "error: what was downloaded has SHA-256 ");
    assert!(said.contains("it was deleted, and the same command begins again"), "{said}");
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let folder = Folder::empty();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("it is bound"));
    drop(listener);
    let output = folder.run(&["download", "q2", "--endpoint", &endpoint], b"");
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(said.contains(&format!("error: cannot reach {endpoint}")), "{said}");
}

#[test]
fn a_download_survives_twenty_interruptions() {
    const N_INTERRUPTIONS: u32 = 20;
    let folder = Folder::empty();
    let content = noise(24 << 20);
    let hub = Hub::start(content.clone(), Fault::CutsParts);
    // Pieces of 256 KiB in eight chunks: 50 ms each, on four connections.
    hub.delay.store(6, Ordering::Relaxed);
    let mut chance = 88_172_645_463_325_252_u64;
    let mut n_interruptions = 0;
    while n_interruptions < N_INTERRUPTIONS {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        let mut child = Command::new(env!("CARGO_BIN_EXE_ironstar"))
            .args(["download", "q2", "--endpoint", &hub.endpoint])
            .env("HF_HOME", folder.path("hf"))
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        thread::sleep(Duration::from_millis(20 + chance % 200));
        // SIGKILL: it is not asked.
        child.kill().expect("it was started");
        let status = child.wait().expect("it was started");
        assert!(!status.success(), "it was too fast for {n_interruptions} interruptions");
        n_interruptions += 1;
    }
    let before = hub.sent.load(Ordering::Relaxed);
    hub.delay.store(0, Ordering::Relaxed);
    let (code, said) = download(&folder, &hub);
    assert_eq!(code, Some(0), "{said}");
    assert!(fs::read(downloaded(&folder)).expect("it is there") == content);
    let after = hub.sent.load(Ordering::Relaxed) - before;
    assert!(after < content.len() as u64, "it began again: {after} bytes");
}

#[test]
fn two_downloads_of_one_file_do_not_meet() {
    let folder = Folder::empty();
    let hub = Hub::start(noise(2 << 20), Fault::Nothing);
    hub.delay.store(200, Ordering::Relaxed);
    let mut first = Command::new(env!("CARGO_BIN_EXE_ironstar"))
        .args(["download", "q2", "--endpoint", &hub.endpoint])
        .env("HF_HOME", folder.path("hf"))
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    while hub.sent.load(Ordering::Relaxed) == 0 {
        assert_eq!(first.try_wait().expect("it was started"), None, "it has much to do");
        thread::sleep(Duration::from_millis(5));
    }
    let (code, said) = download(&folder, &hub);
    assert_eq!(code, Some(1));
    assert!(said.ends_with("error: another ironstar is downloading this file\n"), "{said}");
    hub.delay.store(0, Ordering::Relaxed);
    assert!(first.wait().expect("it was started").success());
}

#[test]
fn a_downloaded_model_runs_by_its_name_until_it_is_removed() {
    let folder = Folder::empty();
    let ask = |args: &[&str]| {
        let output = folder.run(args, b"");
        let [out, err] =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("text"));
        (output.status.code(), out, err)
    };
    let question = ["run", "--nothink", "-p", "How do I start the server?"];
    let (code, _, said) = ask(&[&question[..], &["-m", "q2"]].concat());
    assert_eq!(code, Some(1));
    assert_eq!(
        said,
        "error: the model q2 is not on this machine\n\
         hint: ironstar download q2 fetches it; a file of that name is ./q2\n"
    );
    let (_, before, _) = ask(&["models", "ls"]);
    assert!(before.contains("q2              80.76 GiB   -"), "{before}");

    let tiny = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/models/tiny.gguf"));
    let hub = Hub::start(tiny.expect("it is in the repository"), Fault::CutsParts);
    let (code, said) = download(&folder, &hub);
    assert_eq!(code, Some(0), "{said}");
    let sent = hub.sent.load(Ordering::Relaxed);
    let (code, said) = download(&folder, &hub);
    assert!(code == Some(0) && said.starts_with("q2 is here already: "), "{said}");
    assert_eq!(hub.sent.load(Ordering::Relaxed), sent, "nothing is fetched twice");

    let (_, listed, _) = ask(&["download"]);
    assert!(listed.contains("q2              80.76 GiB   yes"), "{listed}");
    for (model, note) in
        [(&["-m", "0731"][..], "prompt "), (&[], "no model is named, so q2 answers")]
    {
        let (_, answer, said) = ask(&[&question[..], model].concat());
        assert!(answer.contains("ironstar serve"), "{answer}");
        assert!(said.starts_with(note), "{said}");
    }
    let (code, _, said) = ask(&["models", "rm", "q2"]);
    assert!(code == Some(0) && said.starts_with("q2 is gone; 16.87 MiB"), "{said}");
    assert!(!downloaded(&folder).exists());
    let (code, _, said) = ask(&["models", "rm", "q2"]);
    assert_eq!((code, &*said), (Some(1), "error: q2 is not on this machine\n"));
    let (code, _, said) = ask(&["download", "q3"]);
    assert_eq!(code, Some(1));
    assert!(said.starts_with("error: there is no published file q3; there are q2, "), "{said}");
}
