//! Every command of the documents, run in order as a reader runs it.
//!
//! The built-in model stands in for the published ones: a server on this machine gives it out
//! under their names. Port 8000 becomes a free one.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::fences::{Block, Trial, blocks, calls, pages};
use crate::hub::{Fault, Hub};
use crate::tiny::Folder;

/// A reader with a folder of their own.
struct Reader<'a> {
    folder: Folder,
    hub: &'a Hub,
    port: u16,
    server: Option<Child>,
}

impl Reader<'_> {
    fn shell(&self, script: &str) -> Command {
        let bin = Path::new(env!("CARGO_BIN_EXE_ironstar")).parent().expect("it is in a folder");
        let mut command = Command::new("sh");
        command
            .args(["-e", "-c", &script.replace("8000", &self.port.to_string())])
            .current_dir(self.folder.path("."))
            .env_clear()
            .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()))
            .env("HOME", self.folder.path("home"))
            .env("IRONSTAR_DATA_DIR", self.folder.path("data"))
            .env("HF_HOME", self.folder.path("hf"))
            .env("HF_ENDPOINT", &self.hub.endpoint)
            .env("NODEVICE_SELECT", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&mut self, place: &str, block: &Block) {
        match (block.trial, block.language.as_str()) {
            (Trial::Server, "sh") => self.serve(place, block),
            (Trial::Run, "sh") => {
                for line in block.text.lines().filter(|line| !line.is_empty()) {
                    let output = self.shell(line).output().expect("sh is there");
                    let [out, err] =
                        [&output.stdout, &output.stderr].map(|b| String::from_utf8_lossy(b));
                    assert!(output.status.success(), "{place}: {line}\n{out}{err}");
                }
            }
            // The page on settings writes a file and checks it.
            (Trial::Run, "toml") => {
                fs::write(self.folder.path("config.toml"), &block.text).expect("it is writable");
            }
            _ => {}
        }
    }

    /// Starts a server and waits until it answers.
    fn serve(&mut self, place: &str, block: &Block) {
        self.stop();
        let line = block.text.trim();
        let line = line.strip_prefix("ironstar ").unwrap_or_else(|| panic!("{place}: {line}"));
        let port = if line.contains("--port") { "" } else { " --port 8000" };
        let mut server =
            self.shell(&format!("exec ironstar {line}{port}")).spawn().expect("sh is there");
        let mut stderr = BufReader::new(server.stderr.take().expect("it was piped"));
        let mut said = String::new();
        while !said.contains("listening on") {
            let before = said.len();
            stderr.read_line(&mut said).expect("text");
            assert!(said.len() > before, "{place}: the server ended: {said}");
        }
        thread::spawn(move || stderr.read_to_string(&mut String::new()));
        self.server = Some(server);
    }

    fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().expect("it runs");
            server.wait().expect("it was started");
        }
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.stop();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

fn read_page(name: &str) {
    let tiny = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/models/tiny.gguf"));
    let hub = Hub::start(tiny.expect("it is in the repository"), Fault::Nothing);
    let page = pages().into_iter().find(|page| page.ends_with(name)).expect("the page is there");
    let mut reader = Reader { folder: Folder::empty(), hub: &hub, port: free_port(), server: None };
    let has = reader.shell("ironstar download q2").output().expect("sh is there");
    assert!(has.status.success(), "{}", String::from_utf8_lossy(&has.stderr));
    let blocks = blocks(&page);
    assert!(blocks.iter().any(|block| !calls(block).is_empty()), "{name} calls nothing");
    for block in blocks {
        reader.run(&format!("{name}:{}", block.line), &block);
    }
}

#[test]
fn commands_of_the_readme() {
    read_page("README.md");
}

#[test]
fn commands_on_chat() {
    read_page("docs/chat.md");
}

#[test]
fn commands_on_clients() {
    read_page("docs/clients.md");
}

#[test]
fn commands_on_memory() {
    read_page("docs/memory.md");
}

#[test]
fn commands_on_tuning() {
    read_page("docs/tuning.md");
}

#[test]
fn commands_on_configuration() {
    read_page("docs/configuration.md");
}

/// Pages without a command to run are known, so that a new page is not left out.
#[test]
fn every_page_is_read() {
    let with_commands = |page: &Path| {
        blocks(page).iter().any(|block| block.language == "sh" && block.trial != Trial::Parse)
    };
    let pages: Vec<_> = pages()
        .iter()
        .filter(|page| with_commands(page))
        .map(|page| page.file_name().expect("a name").to_string_lossy().into_owned())
        .collect();
    let mut known =
        ["README.md", "chat.md", "clients.md", "configuration.md", "memory.md", "tuning.md"];
    known.sort_unstable();
    let mut found = pages.clone();
    found.sort_unstable();
    assert_eq!(found, known);
}

/// Messages that the troubleshooting page explains are messages of the program.
#[test]
fn explained_errors_exist() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut sources = String::new();
    gather(&crates, &mut sources);
    // Literals go on behind a backslash at the end of a line.
    let sources: String =
        sources.replace("\\\n", "\n").split_whitespace().collect::<Vec<_>>().join(" ");
    let page = pages().into_iter().find(|page| page.ends_with("troubleshooting.md"));
    let text = fs::read_to_string(page.expect("the page is there")).expect("text");
    let mut n_messages = 0;
    for heading in text.lines().filter_map(|line| line.strip_prefix("### ")) {
        let messages: Vec<_> = heading.split('`').skip(1).step_by(2).collect();
        assert!(!messages.is_empty(), "{heading} quotes no message");
        for part in messages.iter().flat_map(|message| message.split('…')) {
            let part = part.trim();
            assert!(part.is_empty() || sources.contains(part), "no source says {part:?}");
            n_messages += 1;
        }
    }
    assert!(n_messages > 20);
}

fn gather(folder: &Path, sources: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder of ours") {
        let path = entry.expect("it is listed").path();
        if path.is_dir() && !path.ends_with("tests") {
            gather(&path, sources);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            sources.push_str(&fs::read_to_string(&path).expect("text"));
        }
    }
}
