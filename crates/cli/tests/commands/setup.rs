//! `setup`, `config`, `completions` and `man`: what they write, and what they leave alone.

use std::fs;

use crate::tiny::Folder;

const CLIENTS: [&str; 11] = [
    "claude-code",
    "codex",
    "opencode",
    "pi",
    "omp",
    "qwen-code",
    "cline",
    "continue",
    "aider",
    "mini-swe-agent",
    "llm",
];

/// Standard output, standard error and exit code.
fn run(folder: &Folder, args: &[&str]) -> (String, String, Option<i32>) {
    let output = folder.run(args, b"");
    let [out, err] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("text"));
    (out, err, output.status.code())
}

#[test]
fn every_client_is_told_where_the_server_is() {
    let folder = Folder::empty();
    let (list, _, _) = run(&folder, &["setup"]);
    let names: Vec<_> = list.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names, CLIENTS);
    for client in CLIENTS {
        let (text, error, _) =
            run(&folder, &["setup", client, "--url", "http://127.0.0.1:9999/v1/"]);
        assert!(text.contains("http://127.0.0.1:9999"), "{client}: {text}{error}");
        assert!(!text.contains("9999/v1/v1"), "{client}: {text}");
        assert!(text.contains("deepseek-v4-flash"), "{client}: {text}");
        assert!(text.contains("client:  "), "{client}: {text}");
    }
    assert!(!folder.path("home").exists(), "printing writes nothing");
}

#[test]
fn written_settings_leave_others_alone_and_are_written_once() {
    let folder = Folder::empty();
    let home = |name: &str| folder.path("home").join(name);
    let put = |name: &str, text: &str| {
        fs::create_dir_all(home(name).parent().expect("a folder")).expect("it is writable");
        fs::write(home(name), text).expect("it is writable");
    };
    put(".claude/settings.json", r#"{"permissions": {"allow": ["Bash"]}, "env": {"MINE": "1"}}"#);
    put(".codex/config.toml", "# mine\nmodel = \"other\"\n\n[mcp_servers.x]\ncommand = \"y\"\n");
    put(".qwen/.env", "MINE=1\nOPENAI_API_KEY=old\n");
    put(".pi/agent/models.json", r#"{"providers": {"mine": {"baseUrl": "http://x"}}}"#);

    for client in CLIENTS.into_iter().filter(|c| !["cline", "mini-swe-agent"].contains(c)) {
        let (text, error, code) = run(&folder, &["setup", client, "--write"]);
        assert_eq!(code, Some(0), "{client}: {error}");
        assert!(text.contains(" was changed; ") || text.contains(" was made"), "{client}: {text}");
        let (text, _, _) = run(&folder, &["setup", client, "--write"]);
        assert!(text.contains(" has it already"), "{client}: {text}");
    }
    let read = |name: &str| fs::read_to_string(home(name)).expect("it was written");
    let json =
        |name: &str| -> serde_json::Value { serde_json::from_str(&read(name)).expect("JSON") };
    let claude = json(".claude/settings.json");
    assert_eq!(claude["permissions"]["allow"][0], "Bash");
    assert_eq!(claude["env"]["MINE"], "1");
    assert_eq!(claude["env"]["ANTHROPIC_BASE_URL"], "http://127.0.0.1:8000");
    let codex = read(".codex/config.toml");
    assert!(codex.starts_with("# mine\nmodel = \"deepseek-v4-flash\"\n"), "{codex}");
    assert!(codex.contains("[mcp_servers.x]\ncommand = \"y\"\n"), "{codex}");
    assert!(codex.contains("[model_providers.ironstar]\n"), "{codex}");
    let table: toml::Table = codex.parse().expect("TOML");
    assert_eq!(table["model_context_window"].as_integer(), Some(131_072));
    let qwen = read(".qwen/.env");
    assert!(qwen.starts_with("MINE=1\nOPENAI_API_KEY=local\n"), "{qwen}");
    let pi = json(".pi/agent/models.json");
    assert_eq!(pi["providers"]["mine"]["baseUrl"], "http://x");
    assert_eq!(pi["providers"]["ironstar"]["models"][0]["contextWindow"], 131_072);
    assert!(home(".config/opencode/opencode.json").exists());
    assert_eq!(read(".codex/config.toml.before-ironstar-1").lines().next(), Some("# mine"));
    assert!(!home(".codex/config.toml.before-ironstar-2").exists(), "it was changed once");
}

#[test]
fn files_that_are_not_understood_stay_as_they_are() {
    let folder = Folder::empty();
    let settings = folder.path("home/.claude/settings.json");
    fs::create_dir_all(settings.parent().expect("a folder")).expect("it is writable");
    fs::write(&settings, "// mine\n{}").expect("it is writable");
    let (_, error, code) = run(&folder, &["setup", "claude-code", "--write"]);
    assert_eq!(code, Some(1));
    assert!(error.contains("stays as it is: it is not plain JSON"), "{error}");
    assert_eq!(fs::read_to_string(&settings).expect("it is there"), "// mine\n{}");
    let (_, error, code) = run(&folder, &["setup", "cline", "--write"]);
    assert_eq!(code, Some(1));
    assert!(error.contains("cline keeps no settings in a file"), "{error}");
    let (_, error, _) = run(&folder, &["setup", "codex", "--url", "localhost"]);
    assert!(error.contains("localhost is no address of a server"), "{error}");
    let (_, error, _) = run(&folder, &["setup", "codex", "--api-key", "a\"b"]);
    assert!(error.contains("may not hold quotes"), "{error}");
}

/// What is typed counts before the environment, that before the file, that before what is built in.
#[test]
fn settings_come_from_four_places_in_order() {
    let folder = Folder::empty();
    let context = |file: Option<&str>, variable: Option<&str>, flag: Option<&str>| {
        let path = folder.path("config.toml");
        let _ = fs::remove_file(&path);
        let mut variables = Vec::new();
        if let Some(text) = file {
            fs::write(&path, text).expect("it is writable");
            variables.push(("IRONSTAR_CONFIG", path.to_str().expect("text").to_owned()));
        }
        variables.extend(variable.map(|value| ("IRONSTAR_CTX", value.to_owned())));
        let mut args = vec!["run", "-m", "tiny", "--nothink", "-n", "1"];
        args.extend(flag.map(|value| ["--ctx", value]).into_iter().flatten());
        // A prompt that fits none of the contexts: the message says which it was.
        let prompt = "word ".repeat(200);
        args.push(&prompt);
        let output = folder.run_with(&args, b"", &variables);
        let said = String::from_utf8(output.stderr).expect("text");
        said.split("the context of ").nth(1)?.split(' ').next().map(str::to_owned)
    };
    let is = |found: Option<String>, expected: Option<&str>| assert_eq!(found.as_deref(), expected);
    is(context(None, None, None), None);
    is(context(Some("ctx = 64\n"), None, None), Some("64"));
    is(context(Some("ctx = 64\n[run]\nctx = 65\n"), None, None), Some("65"));
    is(context(Some("ctx = 64\n[serve]\nctx = 65\n"), None, None), Some("64"));
    is(context(Some("ctx = 64\n"), Some("66"), None), Some("66"));
    is(context(Some("ctx = 64\n"), Some("66"), Some("67")), Some("67"));
}

#[test]
fn a_configuration_is_checked() {
    let folder = Folder::empty();
    let check = |text: &str| {
        fs::write(folder.path("c.toml"), text).expect("it is writable");
        run(&folder, &["config", "check", "c.toml"])
    };
    let (text, _, _) = check("model = \"tiny\"\n[serve]\nport = 9000\n");
    assert!(text.starts_with("c.toml is fine\n"), "{text}");
    assert!(text.contains("chat --model tiny\n") && text.contains("serve --port 9000\n"), "{text}");
    let (_, error, code) = check("[serve]\nprot = 9000\n");
    assert_eq!(code, Some(1));
    assert_eq!(
        error,
        "error: cannot use the configuration c.toml: [serve] has no key `prot`; the nearest is `port`\n"
    );
    let (_, error, code) = run(&folder, &["config", "check", "none.toml"]);
    assert_eq!(code, Some(1));
    assert!(error.contains("there is no none.toml"), "{error}");
    // A broken file is said by every command that would use it.
    let broken = folder.path("c.toml").to_str().expect("text").to_owned();
    fs::write(folder.path("c.toml"), "[serve]\nprot = 9000\n").expect("it is writable");
    let output = folder.run_with(&["run", "hi"], b"", &[("IRONSTAR_CONFIG", broken)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no key `prot`"));
}

#[test]
fn shells_and_manuals_get_every_command() {
    let folder = Folder::empty();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (script, _, _) = run(&folder, &["completions", shell]);
        assert!(script.contains("download") && script.contains("connections"), "{shell}");
    }
    let (page, _, _) = run(&folder, &["man"]);
    assert!(page.contains(".TH ironstar 1"), "{page}");
    run(&folder, &["man", "--out", "man"]);
    for page in ["ironstar", "ironstar-chat", "ironstar-serve", "ironstar-download"] {
        assert!(folder.path("man").join(format!("{page}.1")).exists(), "{page}");
    }
}
