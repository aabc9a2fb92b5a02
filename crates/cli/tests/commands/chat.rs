//! `chat` from a pipe, with the built-in model.
//!
//! Oracles: the commands' own names, which the model was trained to know; and `run`, whose answer
//! to the same prompt must be the same. What a turn costs is algebra on the prompt's tokens.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};

use crate::tiny::Folder;

/// Answers that do not depend on chance.
const GREEDY: &[&str] = &["chat", "-m", "tiny", "--temp", "0"];

/// Everything that was written to a conversation's standard output and error.
fn talk(folder: &Folder, flags: &[&str], lines: &[&str]) -> (String, String) {
    let (stdout, stderr, code) = talk_to_end(folder, flags, lines);
    assert_eq!(code, Some(0), "{stderr}");
    (stdout, stderr)
}

fn talk_to_end(folder: &Folder, flags: &[&str], lines: &[&str]) -> (String, String, Option<i32>) {
    let output = folder.run(&[GREEDY, flags].concat(), (lines.join("\n") + "\n").as_bytes());
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("text"));
    (stdout, stderr, output.status.code())
}

/// The numbers of the line of `/stats` on the last turn: prompt, reused, run, generated.
fn figures(stdout: &str) -> Vec<[usize; 4]> {
    let lines = stdout.lines().filter(|line| line.starts_with("last turn: "));
    let numbers = |line: &str| {
        let words = line.split([' ', ',']);
        let numbers: Vec<usize> = words.filter_map(|word| word.parse().ok()).collect();
        [numbers[0], numbers[1], numbers[2], numbers[3]]
    };
    lines.map(numbers).collect()
}

#[test]
fn later_turns_run_only_what_is_new() {
    let folder = Folder::empty();
    let questions = ["How do I start the server?", "How do I get the real model?"];
    let lines = [questions[0], "/stats", questions[1], "/stats"];
    let (stdout, _) = talk(&folder, &["--nothink"], &lines);
    assert!(stdout.contains("ironstar serve"), "{stdout}");
    assert!(stdout.contains("ironstar download"), "{stdout}");
    let [first, second] = figures(&stdout)[..] else { panic!("two turns: {stdout}") };
    assert_eq!(first[1], 0, "nothing was there before");
    // The whole first turn is the beginning of the second prompt.
    assert_eq!(second[1], first[0] + first[3], "{stdout}");
    let question = folder.succeed(&["tokenize", "-m", "tiny"], questions[1].as_bytes());
    let question: Vec<u32> = serde_json::from_slice(&question).expect("ids");
    // EOS, the user's mark, the question, the assistant's mark, and the end of reasoning.
    assert_eq!(second[2], question.len() + 4, "{stdout}");
}

/// Reasoning is no part of later prompts, so KV goes on from where it began.
#[test]
fn after_reasoning_only_the_last_answer_is_run_again() {
    let folder = Folder::empty();
    let lines = ["What is 3+4?", "/stats", "What is 5+8?", "/stats"];
    let (stdout, _) = talk(&folder, &[], &lines);
    let [first, second] = figures(&stdout)[..] else { panic!("two turns: {stdout}") };
    // All but the mark that begins reasoning, less what an exact rewind runs again.
    let kept = first[0] - 1;
    assert!((kept - 127..=kept).contains(&second[1]), "{stdout}");
}

#[test]
fn a_turn_that_is_taken_back_leaves_no_trace() {
    let folder = Folder::empty();
    let (plain, _) = talk(&folder, &["--nothink"], &["What is 3+4?", "What is 5+8?"]);
    let lines = ["What is 3+4?", "How do I start the server?", "/undo", "What is 5+8?", "/retry"];
    let (undone, notes) = talk(&folder, &["--nothink"], &lines);
    assert!(notes.contains("taken back: How do I start the server?"), "{notes}");
    let (plain, undone): (Vec<_>, Vec<_>) = (plain.lines().collect(), undone.lines().collect());
    assert_eq!(plain.len(), 2, "{plain:?}");
    assert_eq!(undone.len(), 4, "{undone:?}");
    assert_eq!([undone[0], undone[2], undone[3]], [plain[0], plain[1], plain[1]]);
}

#[test]
fn an_answer_is_that_of_run() {
    let folder = Folder::empty();
    let question = "How do I start the server?";
    let run = folder.succeed(&["run", "-m", "tiny", "--temp", "0", question], b"");
    let (chat, _) = talk(&folder, &[], &[question]);
    assert_eq!(chat.as_bytes(), run);
    let (folded, notes) = talk(&folder, &["--fold"], &[question, "/thoughts"]);
    let (reasoning, answer) = chat.split_once("</think>").expect("it reasons");
    assert_eq!(folded, format!("{answer}{reasoning}\n"));
    assert!(notes.starts_with("[thought "), "{notes}");
}

#[test]
fn saved_conversations_go_on_in_another_process() {
    let folder = Folder::empty();
    let lines = ["What is 3+4?", "/save sums", "What is 5+8?"];
    let (whole, _) = talk(&folder, &["--nothink"], &lines);
    let (resumed, notes) = talk(&folder, &["--resume", "sums"], &["What is 5+8?", "/list"]);
    let mut lines = resumed.lines();
    assert_eq!(lines.next(), whole.lines().nth(1), "{notes}");
    let list = lines.next().expect("a list");
    assert!(list.starts_with("* sums "), "{list}");
    assert!(list.contains(" 2 turns, live with "), "{list}");
    // From a pipe only /save writes: the file still has one turn.
    let file = folder.path("data/conversations/sums.json");
    let saved: serde_json::Value =
        serde_json::from_slice(&fs::read(&file).expect("it was saved")).expect("JSON");
    assert_eq!(saved["version"], 1);
    assert_eq!(saved["turns"].as_array().map(Vec::len), Some(1), "{saved}");
    let path = file.to_str().expect("text").to_owned();
    let load = format!("/load {path}");
    let (stdout, _) = talk(&folder, &[], &["/new other", &load, "/stats"]);
    assert!(stdout.contains("1 turns"), "{stdout}");
}

#[test]
fn several_conversations_stay_live() {
    let folder = Folder::empty();
    let lines = [
        "What is 3+4?",
        "/save first",
        "/new second",
        "What is 20+5?",
        "/switch fir",
        "What is 5+8?",
        "/stats",
        "/list",
    ];
    let (stdout, _) = talk(&folder, &["--nothink"], &lines);
    let [turn] = figures(&stdout)[..] else { panic!("one line: {stdout}") };
    assert!(turn[1] > 0, "the first conversation was still in KV: {stdout}");
    let live: Vec<_> = stdout.lines().filter(|line| line.contains(" live with ")).collect();
    assert_eq!(live.len(), 2, "{stdout}");
    assert!(live[0].starts_with("* first "), "{stdout}");
}

#[test]
fn a_pipe_gets_plain_text_and_wrong_lines_are_told() {
    let folder = Folder::empty();
    let lines = ["/halp", "What is \\", "3+4?", "/load nothing", "  /help is a word", "/ctx 1"];
    let (stdout, stderr, code) = talk_to_end(&folder, &["--nothink"], &lines);
    assert_eq!(code, Some(1), "{stderr}");
    for text in [&stdout, &stderr] {
        assert!(!text.contains('\x1b'), "{text:?}");
    }
    assert!(stdout.starts_with('7'), "{stdout}");
    let expected = [
        "error: there is no command /halp (did you mean /help?); /help lists them",
        "error: no conversation is called nothing; /list shows them",
        "error: a context of 1 tokens is not between 2 and the 1048576 that the model knows",
        "error: some messages were not answered",
    ];
    assert_eq!(stderr.lines().collect::<Vec<_>>(), expected);
    assert!(!folder.path("data/conversations").exists(), "nothing was saved");
}

#[test]
fn bytes_that_are_no_text_are_told_and_passed_over() {
    let folder = Folder::empty();
    let args = [GREEDY, &["--nothink"]].concat();
    let output = folder.run(&args, b"\xff\xfe\n\n\nWhat is 3+4?\n/nonsense \xff\n/stats");
    let stdout = String::from_utf8(output.stdout).expect("text");
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert!(stdout.starts_with("7\n"), "{stdout}{stderr}");
    assert!(stdout.contains("; 1 turns; "), "{stdout}");
    assert_eq!(stderr.matches("error: a message is not UTF-8 text").count(), 2, "{stderr}");
}

#[test]
fn a_conversation_that_does_not_fit_keeps_its_turns() {
    let folder = Folder::empty();
    let long = "word ".repeat(100);
    let lines = ["What is 3+4?", &long, "/ctx 4096", "What is 5+8?", "/stats"];
    let (stdout, stderr, code) = talk_to_end(&folder, &["--nothink", "--ctx", "64"], &lines);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("but the context of 64 has room for 63 and an answer"), "{stderr}");
    assert!(stdout.contains("of 4096 tokens; 2 turns"), "{stdout}");
}

/// Ctrl-C is a signal that a terminal sends; a test sends it itself.
#[cfg(unix)]
#[test]
fn an_interrupted_answer_is_kept() {
    let folder = Folder::empty();
    let words: Vec<_> = (0..300).map(|n| ["alpha", "beta", "gamma"][n % 3]).collect();
    let mut child = Command::new(env!("CARGO_BIN_EXE_ironstar"))
        .args([GREEDY, &["--nothink"]].concat())
        .env("IRONSTAR_DATA_DIR", folder.path("data"))
        .env("NODEVICE_SELECT", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("it was piped");
    let mut stdout = BufReader::new(child.stdout.take().expect("it was piped"));
    writeln!(stdin, "Repeat: {}", words.join(" ")).expect("it reads");
    let mut begun = [0; 5];
    stdout.read_exact(&mut begun).expect("an answer");
    assert_eq!(&begun, b"alpha");
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("kill is there").success());
    let mut rest = String::new();
    stdout.read_line(&mut rest).expect("text");
    writeln!(stdin, "/stats\n/save cut\nWhat is 3+4?\n/quit").expect("it goes on reading");
    let mut after = String::new();
    stdout.read_to_string(&mut after).expect("text");
    let output = child.wait_with_output().expect("it ends");
    let notes = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{notes}");
    assert!(notes.contains("[stopped; what was said is kept]"), "{notes}");
    assert!(rest.len() < words.join(" ").len(), "it was stopped: {rest}");
    assert!(after.contains("1 turns"), "{after}");
    assert_eq!(after.lines().last(), Some("7"), "{after}");
    let file = fs::read(folder.path("data/conversations/cut.json")).expect("it was saved");
    let saved: serde_json::Value = serde_json::from_slice(&file).expect("JSON");
    assert_eq!(saved["turns"][0]["finished"], false);
    assert_eq!(saved["turns"][0]["answer"], format!("alpha{}", rest.trim_end_matches('\n')));
}

/// Tokens of a block on disk; four in front of the end of a restored prefix are run again.
const BLOCK_TOKENS: usize = 128;
const RUN_AGAIN: usize = 4;

/// A folder with a long text in `text.txt`.
fn with_text() -> Folder {
    let folder = Folder::empty();
    let words: Vec<_> = (0..300).map(|n| ["alpha", "beta", "gamma"][n % 3]).collect();
    fs::write(folder.path("text.txt"), words.join(" ") + "\nWhat is 3+4?").expect("a folder");
    folder
}

#[test]
fn a_later_start_runs_only_what_is_new() {
    let folder = with_text();
    let kept = ["--nothink", "--kv-dir", "kv"];
    let first = ["/read text.txt", "/stats", "/save long"];
    let (whole, _) = talk(&folder, &["--nothink"], &[first[0], "What is 5+8?"]);
    let (stdout, _) = talk(&folder, &kept, &first);
    let [turn] = figures(&stdout)[..] else { panic!("one turn: {stdout}") };
    assert!(stdout.contains(" of KV on disk"), "{stdout}");
    // The answer's last token is not run before the next turn.
    let in_kv = turn[0] + turn[3] - 1;
    let kept_tokens = in_kv - in_kv % BLOCK_TOKENS;
    assert!(kept_tokens > 3 * BLOCK_TOKENS, "the text is long: {stdout}");

    let (stdout, notes) =
        talk(&folder, &[&kept[..], &["--resume", "long"]].concat(), &["What is 5+8?", "/stats"]);
    let [turn] = figures(&stdout)[..] else { panic!("one turn: {stdout}{notes}") };
    assert_eq!(turn[1], kept_tokens - RUN_AGAIN, "{stdout}");
    assert_eq!(stdout.lines().next(), whole.lines().last(), "{whole}");

    // Another one without the directory reads everything, and keeps nothing.
    let resume = ["--nothink", "--resume", "long"];
    let (stdout, _) = talk(&folder, &resume, &["What is 5+8?", "/stats"]);
    assert_eq!(figures(&stdout)[0][1], 0, "{stdout}");
    assert!(!stdout.contains(" on disk"), "{stdout}");
    assert!(!folder.path("data/kv").exists(), "nothing is kept from a pipe");
    talk(&folder, &["--nothink", "--temporary", "--kv-dir", "none"], &["What is 5+8?"]);
    assert!(!folder.path("none").exists(), "nothing is kept of what is temporary");
}

/// Sixteen conversations are live at most, and `/ctx` closes them all.
#[test]
fn switching_to_a_conversation_that_left_memory_runs_only_what_is_new() {
    let folder = with_text();
    let mut lines = vec!["/read text.txt".to_owned(), "/save long".to_owned(), "/stats".to_owned()];
    for n in 0..16 {
        lines.extend([format!("/new n{n}"), format!("What is {n}+2?")]);
    }
    let back =
        ["/list", "/switch long", "What is 5+8?", "/stats", "/ctx 4k", "What is 3+4?", "/stats"];
    lines.extend(back.map(str::to_owned));
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    let (stdout, _) = talk(&folder, &["--nothink", "--ctx", "2k", "--kv-dir", "kv"], &lines);
    let [first, switched, resized] = figures(&stdout)[..] else { panic!("three: {stdout}") };
    let line = stdout.lines().find(|line| line.starts_with("  long ")).expect("it is listed");
    assert!(line.contains(" 1 turns, open: "), "{line}");
    let kept = |in_kv: usize| in_kv - in_kv % BLOCK_TOKENS - RUN_AGAIN;
    assert_eq!(switched[1], kept(first[0] + first[3] - 1), "{stdout}");
    assert_eq!(resized[1], kept(switched[0] + switched[3] - 1), "{stdout}");
}

#[test]
fn what_the_disk_cannot_do_is_no_reason_not_to_answer() {
    let folder = with_text();
    let lines = ["/read text.txt", "What is 5+8?"];
    let (expected, _) = talk(&folder, &["--nothink"], &lines);
    let (small, _) = talk(&folder, &["--nothink", "--kv-dir", "kv", "--kv-size", "1kB"], &lines);
    assert_eq!(small, expected);
    fs::write(folder.path("file"), "").expect("a folder");
    let (_, notes, code) = talk_to_end(&folder, &["--kv-dir", "file"], &lines);
    assert_eq!(code, Some(1));
    assert!(notes.starts_with("error: cannot use file as a KV store"), "{notes}");
}
