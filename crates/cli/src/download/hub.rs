//! HTTP to the Hugging Face Hub: what a file is, and bytes of it.

use std::io::Read;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use hf_hub::Repo;
use ureq::{Agent, Response};

use super::catalogue::Entry;

const HUB: &str = "https://huggingface.co";
/// A server that says nothing for so long has lost us.
const SILENCE: Duration = Duration::from_secs(30);

/// A server with the Hub's paths and headers.
pub(super) struct Hub {
    endpoint: String,
    token: Option<String>,
    agent: Agent,
    /// The Hub says what a file is where it redirects to the file.
    agent_that_stays: Agent,
}

/// A file as the server describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remote {
    pub(super) size: u64,
    /// SHA-256, 64 hexadecimal digits.
    pub(super) sha256: String,
    /// The repository's revision.
    pub(super) commit: String,
}

/// Why bytes did not come.
#[derive(Debug)]
pub(super) enum Failure {
    /// Asking again may help.
    Passing(anyhow::Error),
    /// It will not.
    Lasting(anyhow::Error),
}

impl Hub {
    pub(super) fn new(endpoint: Option<&str>, token: Option<String>) -> Self {
        let agent = |redirects| {
            ureq::AgentBuilder::new()
                .timeout_connect(SILENCE)
                .timeout_read(SILENCE)
                .try_proxy_from_env(true)
                .redirects(redirects)
                .user_agent(concat!("ironstar/", env!("CARGO_PKG_VERSION")))
                .build()
        };
        let endpoint = endpoint.unwrap_or(HUB).trim_end_matches('/').to_owned();
        Self { endpoint, token, agent: agent(5), agent_that_stays: agent(0) }
    }

    fn url(&self, entry: &Entry) -> String {
        let repository = Repo::model(entry.repository.to_owned());
        let (path, revision) = (repository.url(), repository.url_revision());
        format!("{}/{path}/resolve/{revision}/{}", self.endpoint, entry.file)
    }

    fn call(&self, agent: &Agent, url: &str, range: &str) -> Result<Response, Failure> {
        let request = agent.get(url).set("Range", range);
        let request = match &self.token {
            Some(token) => request.set("Authorization", &format!("Bearer {token}")),
            None => request,
        };
        request.call().map_err(|error| self.failure(error))
    }

    fn failure(&self, error: ureq::Error) -> Failure {
        let server = &self.endpoint;
        match error {
            ureq::Error::Status(401 | 403, _) => Failure::Lasting(anyhow!(
                "{server} does not let us have the file; HF_TOKEN names a token that may"
            )),
            ureq::Error::Status(404, _) => {
                Failure::Lasting(anyhow!("{server} does not have the file"))
            }
            ureq::Error::Status(code @ (408 | 429 | 500..), _) => {
                Failure::Passing(anyhow!("{server} answers with status {code}"))
            }
            ureq::Error::Status(code, _) => {
                Failure::Lasting(anyhow!("{server} answers with status {code}"))
            }
            ureq::Error::Transport(error) => {
                let error = anyhow::Error::from(error);
                Failure::Passing(error.context(format!("cannot reach {server}")))
            }
        }
    }

    /// What the file is, with some patience for a server that is not well.
    pub(super) fn look_up(&self, entry: &Entry) -> Result<Remote> {
        const N_TRIES: u32 = 4;
        let url = self.url(entry);
        let mut n_tries = 0;
        let response = loop {
            match self.call(&self.agent_that_stays, &url, "bytes=0-0") {
                Ok(response) => break response,
                Err(Failure::Lasting(error)) => return Err(error),
                Err(Failure::Passing(error)) => {
                    n_tries += 1;
                    if n_tries == N_TRIES {
                        return Err(error);
                    }
                    std::thread::sleep(pause(n_tries));
                }
            }
        };
        self.describe(&response).with_context(|| format!("cannot tell what {url} is"))
    }

    fn describe(&self, response: &Response) -> Result<Remote> {
        let header = |name: &str| response.header(name);
        let tag = header("x-linked-etag").or_else(|| header("etag")).unwrap_or_default();
        let sha256 = tag.trim_start_matches("W/").trim_matches('"').to_ascii_lowercase();
        ensure!(
            sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{} does not give its SHA-256, so it could not be checked",
            self.endpoint
        );
        let from_range = || header("content-range")?.rsplit('/').next();
        let size = header("x-linked-size").or_else(from_range).unwrap_or_default();
        let size =
            size.parse().with_context(|| format!("{} does not give its size", self.endpoint))?;
        let commit = header("x-repo-commit").unwrap_or("main").to_owned();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric();
        ensure!(!commit.is_empty() && commit.bytes().all(is_plain), "{commit:?} is no revision");
        Ok(Remote { size, sha256, commit })
    }

    /// The bytes of a file from `start` up to `end`.
    pub(super) fn read(
        &self,
        entry: &Entry,
        start: u64,
        end: u64,
    ) -> Result<impl Read + use<>, Failure> {
        let range = format!("bytes={start}-{}", end - 1);
        let response = self.call(&self.agent, &self.url(entry), &range)?;
        if response.status() != 206 {
            let error = anyhow!("{} does not send parts of files", self.endpoint);
            return Err(Failure::Lasting(error));
        }
        let begins_there = response
            .header("content-range")
            .is_some_and(|range| range.trim().starts_with(&format!("bytes {start}-")));
        if !begins_there {
            let error = anyhow!("{} sent another part than was asked for", self.endpoint);
            return Err(Failure::Passing(error));
        }
        Ok(response.into_reader().take(end - start))
    }
}

/// How long to wait after the `n`-th failure in a row.
pub(super) fn pause(n: u32) -> Duration {
    const LONGEST: Duration = Duration::from_secs(10);
    (Duration::from_millis(100) * 2_u32.saturating_pow(n)).min(LONGEST)
}

/// Turns a failure into what the user is told.
pub(super) fn told(failure: Failure) -> anyhow::Error {
    match failure {
        Failure::Passing(error) | Failure::Lasting(error) => error,
    }
}

/// A piece ended before it was whole.
pub(super) fn cut_short(missing: u64) -> Failure {
    Failure::Passing(anyhow!("the connection ended {missing} bytes too early"))
}

/// Refuses a size that would make no sense.
pub(super) fn check_size(size: u64) -> Result<()> {
    if size == 0 {
        bail!("the file is empty on the server");
    }
    Ok(())
}
