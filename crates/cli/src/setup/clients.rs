//! What each client takes: files, variables, command.
//!
//! Facts were found by running the clients against a server that records (November 2026):
//! Claude Code 2.1.330, Codex CLI 0.169.0, `OpenCode` 1.18.33, Pi 0.87.1, oh-my-pi 18.2.3, Qwen Code
//! 0.24.4, Cline CLI 3.0.65, Continue 1.5.47, aider 0.86.2, mini-swe-agent 2.4.6, llm 0.36.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::env::{self, ClientFolder};

/// Tokens that an answer may have; clients leave that much of the context free.
const MAX_ANSWER: usize = 32_000;

/// A program that speaks to servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Client {
    ClaudeCode,
    Codex,
    #[value(name = "opencode")]
    OpenCode,
    Pi,
    Omp,
    QwenCode,
    Cline,
    Continue,
    Aider,
    MiniSweAgent,
    Llm,
}

/// The server as clients see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Server<'a> {
    /// Without `/v1`.
    pub(super) url: &'a str,
    pub(super) model: &'a str,
    pub(super) key: &'a str,
    pub(super) context: usize,
}

/// How a file is written, and so how ours is put into one that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    Json,
    Toml,
    /// `NAME=value` or `name: value`, a line each.
    Lines,
    /// A file of our own, or one whose layout we do not change.
    Whole,
}

/// A file of a client's settings.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) layout: Layout,
    pub(super) text: String,
}

/// All that a client needs.
#[derive(Debug, Default)]
pub(super) struct Setup {
    pub(super) files: Vec<File>,
    /// Commands to run once.
    pub(super) before: Vec<String>,
    /// How it is started.
    pub(super) command: String,
    pub(super) notes: Vec<&'static str>,
}

impl Client {
    /// As it is typed.
    pub(super) fn name(self) -> String {
        let value = self.to_possible_value().expect("none is hidden");
        value.get_name().to_owned()
    }

    pub(super) fn about(self) -> &'static str {
        match self {
            Self::ClaudeCode => "Claude Code, over the Messages API",
            Self::Codex => "Codex CLI, over the Responses API",
            Self::OpenCode => "OpenCode",
            Self::Pi => "Pi",
            Self::Omp => "oh-my-pi",
            Self::QwenCode => "Qwen Code",
            Self::Cline => "Cline CLI",
            Self::Continue => "Continue CLI",
            Self::Aider => "aider",
            Self::MiniSweAgent => "mini-swe-agent",
            Self::Llm => "llm",
        }
    }

    /// What it takes, for a user whose home is `home`.
    pub(super) fn setup(self, server: &Server<'_>, home: &Path) -> Setup {
        match self {
            Self::ClaudeCode => claude_code(server, home),
            Self::Codex => codex(server, home),
            Self::OpenCode => opencode(server, home),
            Self::Pi => pi(server, home),
            Self::Omp => omp(server, home),
            Self::QwenCode => qwen_code(server, home),
            Self::Cline => cline(server),
            Self::Continue => continue_cli(server, home),
            Self::Aider => aider(server, home),
            Self::MiniSweAgent => mini_swe_agent(server),
            Self::Llm => llm(server, home),
        }
    }
}

fn claude_code(server: &Server<'_>, home: &Path) -> Setup {
    let Server { url, model, key, .. } = server;
    let folder = env::client_folder(ClientFolder::Claude).unwrap_or_else(|| home.join(".claude"));
    let text = format!(
        r#"{{
  "env": {{
    "ANTHROPIC_BASE_URL": "{url}",
    "ANTHROPIC_AUTH_TOKEN": "{key}",
    "ANTHROPIC_MODEL": "{model}",
    "ANTHROPIC_DEFAULT_OPUS_MODEL": "{model}",
    "ANTHROPIC_DEFAULT_SONNET_MODEL": "{model}",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL": "{model}",
    "CLAUDE_CODE_SUBAGENT_MODEL": "{model}",
    "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "API_TIMEOUT_MS": "3000000"
  }}
}}
"#
    );
    Setup {
        files: vec![File { path: folder.join("settings.json"), layout: Layout::Json, text }],
        command: "claude".to_owned(),
        notes: vec![
            "the address is without /v1",
            "CLAUDE_CODE_ATTRIBUTION_HEADER=0 keeps a line out of the prompt that differs from \
             session to session, so that sessions share what the server has read",
            "without CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC a request for a title comes first",
        ],
        ..Setup::default()
    }
}

fn codex(server: &Server<'_>, home: &Path) -> Setup {
    let Server { url, model, key, context } = server;
    let folder = env::client_folder(ClientFolder::Codex).unwrap_or_else(|| home.join(".codex"));
    let text = format!(
        r#"model = "{model}"
model_provider = "ironstar"
model_context_window = {context}

[model_providers.ironstar]
name = "ironstar"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "IRONSTAR_API_KEY"
stream_idle_timeout_ms = 1000000
"#
    );
    Setup {
        files: vec![File { path: folder.join("config.toml"), layout: Layout::Toml, text }],
        command: format!("IRONSTAR_API_KEY={key} codex"),
        notes: vec!["a long prompt is read in silence: stream_idle_timeout_ms makes it wait"],
        ..Setup::default()
    }
}

fn opencode(server: &Server<'_>, home: &Path) -> Setup {
    let Server { url, model, key, context } = server;
    let folder =
        env::client_folder(ClientFolder::XdgConfig).unwrap_or_else(|| home.join(".config"));
    let text = format!(
        r#"{{
  "$schema": "https://opencode.ai/config.json",
  "model": "ironstar/{model}",
  "small_model": "ironstar/{model}",
  "provider": {{
    "ironstar": {{
      "name": "ironstar",
      "npm": "@ai-sdk/openai-compatible",
      "options": {{ "baseURL": "{url}/v1", "apiKey": "{key}" }},
      "models": {{
        "{model}": {{
          "name": "DeepSeek V4 Flash",
          "reasoning": true,
          "tool_call": true,
          "limit": {{ "context": {context}, "output": {MAX_ANSWER} }}
        }}
      }}
    }}
  }}
}}
"#
    );
    let path = folder.join("opencode/opencode.json");
    Setup {
        files: vec![File { path, layout: Layout::Json, text }],
        command: "opencode".to_owned(),
        ..Setup::default()
    }
}

fn pi(server: &Server<'_>, home: &Path) -> Setup {
    let Server { url, model, key, context } = server;
    let text = format!(
        r#"{{
  "providers": {{
    "ironstar": {{
      "name": "ironstar",
      "baseUrl": "{url}/v1",
      "api": "openai-completions",
      "apiKey": "{key}",
      "compat": {{
        "supportsStore": false,
        "supportsDeveloperRole": false,
        "supportsReasoningEffort": true,
        "supportsUsageInStreaming": true,
        "maxTokensField": "max_tokens",
        "supportsStrictMode": false,
        "thinkingFormat": "deepseek",
        "requiresReasoningContentOnAssistantMessages": true
      }},
      "models": [
        {{
          "id": "{model}",
          "name": "DeepSeek V4 Flash",
          "reasoning": true,
          "input": ["text"],
          "contextWindow": {context},
          "maxTokens": {MAX_ANSWER},
          "cost": {{ "input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0 }}
        }}
      ]
    }}
  }}
}}
"#
    );
    let path = home.join(".pi/agent/models.json");
    Setup {
        files: vec![File { path, layout: Layout::Json, text }],
        command: format!("pi --provider ironstar --model {model}"),
        ..Setup::default()
    }
}

fn omp(server: &Server<'_>, home: &Path) -> Setup {
    let Server { url, model, key, context } = server;
    let text = format!(
        "providers:
  ironstar:
    baseUrl: {url}/v1
    apiKey: {key}
    api: openai-completions
    models:
      - id: {model}
        name: DeepSeek V4 Flash
        reasoning: true
        input: [text]
        contextWindow: {context}
        maxTokens: {MAX_ANSWER}
        cost: {{input: 0, output: 0, cacheRead: 0, cacheWrite: 0}}
"
    );
    let path = home.join(".omp/agent/models.yml");
    Setup {
        files: vec![File { path, layout: Layout::Whole, text }],
        command: format!("omp --model ironstar/{model}"),
        ..Setup::default()
    }
}

fn qwen_code(server: &Server<'_>, home: &Path) -> Setup {
    let Server { url, model, key, .. } = server;
    let text = format!("OPENAI_BASE_URL={url}/v1\nOPENAI_API_KEY={key}\nOPENAI_MODEL={model}\n");
    Setup {
        files: vec![File { path: home.join(".qwen/.env"), layout: Layout::Lines, text }],
        command: "qwen --auth-type openai".to_owned(),
        notes: vec![
            "it gives up after about four minutes without text, whatever the server sends \
             meanwhile; on a slow machine begin with short prompts",
        ],
        ..Setup::default()
    }
}

fn cline(server: &Server<'_>) -> Setup {
    let Server { url, model, key, .. } = server;
    Setup {
        before: vec![format!("cline auth -p openai-compatible -k {key} -m {model} -b {url}/v1")],
        command: format!("cline -P openai-compatible -m {model}"),
        ..Setup::default()
    }
}

fn continue_cli(server: &Server<'_>, home: &Path) -> Setup {
    let Server { url, model, key, .. } = server;
    let text = format!(
        "name: ironstar
version: 0.0.1
schema: v1
models:
  - name: ironstar
    provider: openai
    model: {model}
    apiBase: {url}/v1
    apiKey: {key}
    roles: [chat, edit, apply]
    capabilities: [tool_use]
"
    );
    let path = home.join(".continue/ironstar.yaml");
    Setup {
        command: format!("cn --config {}", path.display()),
        files: vec![File { path, layout: Layout::Whole, text }],
        ..Setup::default()
    }
}

fn aider(server: &Server<'_>, home: &Path) -> Setup {
    let Server { url, model, key, .. } = server;
    let text = format!(
        "model: openai/{model}\nopenai-api-base: {url}/v1\nopenai-api-key: {key}\nedit-format: diff\n\
         show-model-warnings: false\n"
    );
    Setup {
        files: vec![File { path: home.join(".aider.conf.yml"), layout: Layout::Lines, text }],
        command: "aider".to_owned(),
        notes: vec!["it edits by blocks of text and calls no tools"],
        ..Setup::default()
    }
}

fn mini_swe_agent(server: &Server<'_>) -> Setup {
    let Server { url, model, key, .. } = server;
    Setup {
        command: format!(
            "OPENAI_API_BASE={url}/v1 OPENAI_API_KEY={key} MSWEA_COST_TRACKING=ignore_errors mini -m \
             openai/{model}"
        ),
        ..Setup::default()
    }
}

fn llm(server: &Server<'_>, home: &Path) -> Setup {
    let Server { url, model, key, .. } = server;
    let folder =
        env::client_folder(ClientFolder::XdgConfig).unwrap_or_else(|| home.join(".config"));
    let text = format!(
        "- model_id: ironstar
  model_name: {model}
  api_base: \"{url}/v1\"
  api_key_name: ironstar
  supports_tools: true
"
    );
    let path = folder.join("io.datasette.llm/extra-openai-models.yaml");
    Setup {
        files: vec![File { path, layout: Layout::Whole, text }],
        command: format!("llm -m ironstar --key {key} 'hello'"),
        notes: vec!["`dirname \"$(llm logs path)\"` says where the file belongs, if not there"],
        ..Setup::default()
    }
}
