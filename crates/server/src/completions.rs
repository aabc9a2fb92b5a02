//! `/v1/completions`: text that goes on, without a conversation.
//!
//! The vendor's crate does not have this API, so its bodies are ours. Text of the prompt is plain
//! text: what spells a control token in it is none. With `suffix`, the prompt becomes one of the
//! model's fill-in-the-middle prompts.

use std::time::{SystemTime, UNIX_EPOCH};

use async_stream::stream;
use axum::Json;
use axum::body::Bytes;
use axum::extract::Extension;
use axum::extract::rejection::BytesRejection;
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use chat::{StreamDecoder, Tokenizer};
use engine::{CancelToken, Job, SampleParams, SampledToken, StopReason, StopStrings, Update};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::access::Room;
use crate::answer::{event_stream, off_the_loop, parse, read_body};
use crate::error::{ApiError, Family, Overflow};
use crate::events::{Patience, Updates, engine_lost, shutting_down};
use crate::sampling::{parameter, penalties, random_seed};
use crate::service::Running;
use crate::visit::RequestId;

const FAMILY: Family = Family::OpenAi;
/// Most alternatives that are told beside a token.
const MAX_TOP_LOGPROBS: usize = 20;
/// Most stop strings, as in the chat APIs.
const MAX_STOP_STRINGS: usize = 16;
/// Tokens of an answer where the request does not say, as in the API's reference.
const DEFAULT_MAX_TOKENS: usize = 16;

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a text or a list of token ids")]
enum Prompt {
    Text(String),
    Tokens(Vec<u32>),
    Texts(Vec<String>),
    TokenLists(Vec<Vec<u32>>),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a text or a list of texts")]
enum Stop {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Deserialize)]
struct Asked {
    model: Option<String>,
    prompt: Prompt,
    suffix: Option<String>,
    max_tokens: Option<usize>,
    temperature: Option<f32>,
    top_p: Option<f32>,
    top_k: Option<i64>,
    min_p: Option<f32>,
    seed: Option<i64>,
    stop: Option<Stop>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    echo: Option<bool>,
    logprobs: Option<usize>,
    n: Option<u32>,
    best_of: Option<u32>,
}

/// Answers a completion request.
pub(crate) async fn complete(
    running: Running,
    Extension(id): Extension<RequestId>,
    Extension(room): Extension<Room>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let body = read_body(body, FAMILY)?;
    let begin = {
        let running = running.clone();
        move || begin(&running, &body)
    };
    let Begun { body, job, reply, streams } = off_the_loop(FAMILY, begin).await?;
    drop(room);
    if let Some(trace) = &running.service().options().trace {
        let n_prompt = job.prompt.len();
        let what = json!({ "api": "completions", "body": body, "prompt_tokens": n_prompt });
        trace.write(&id.0, "request", &what);
    }
    let updates = Updates::of(&running, id, job, FAMILY)?;
    if streams { Ok(reply.stream(updates, &running)) } else { reply.whole(updates).await }
}

/// A request that has been understood.
struct Begun {
    body: Value,
    job: Job,
    reply: Reply,
    streams: bool,
}

fn begin(running: &Running, body: &[u8]) -> Result<Begun, ApiError> {
    let body = parse(body, FAMILY)?;
    let asked = understand(&body)?;
    let prompt = prompt_tokens(&asked, &running.tokenizer)?;
    let job = job(running, &body, &asked, prompt.clone())?;
    let reply = Reply::new(running, &asked, prompt)?;
    Ok(Begun { body, job, reply, streams: asked.stream == Some(true) })
}

fn understand(body: &Value) -> Result<Asked, ApiError> {
    let asked: Asked = serde_path_to_error::deserialize(body).map_err(|error| {
        let field = error.path().to_string();
        let message = error.into_inner().to_string();
        match (field.as_str(), message.split('`').nth(1)) {
            (".", Some(missing)) => ApiError::field(FAMILY, missing, message.clone()),
            (".", None) => ApiError::bad_request(FAMILY, message),
            (field, _) => ApiError::field(FAMILY, field, format!("{field}: {message}")),
        }
    })?;
    for (field, n) in [("n", asked.n), ("best_of", asked.best_of)] {
        if n.is_some_and(|n| n != 1) {
            let message = format!("{field} must be 1: one answer is made");
            return Err(ApiError::field(FAMILY, field, message));
        }
    }
    if asked.logprobs.is_some_and(|n| n > MAX_TOP_LOGPROBS) {
        let message = format!("logprobs is more than {MAX_TOP_LOGPROBS}");
        return Err(ApiError::field(FAMILY, "logprobs", message));
    }
    if matches!(&asked.stop, Some(Stop::Several(several)) if several.len() > MAX_STOP_STRINGS) {
        let message = format!("stop has more than {MAX_STOP_STRINGS} texts");
        return Err(ApiError::field(FAMILY, "stop", message));
    }
    Ok(asked)
}

fn prompt_tokens(asked: &Asked, tokenizer: &Tokenizer) -> Result<Vec<u32>, ApiError> {
    let wrong = |message: &str| ApiError::field(FAMILY, "prompt", message);
    let tokens = match &asked.prompt {
        Prompt::Tokens(tokens) => tokens.clone(),
        Prompt::TokenLists(lists) if lists.len() == 1 => lists[0].clone(),
        Prompt::Text(text) => return text_tokens(text, asked.suffix.as_deref(), tokenizer),
        Prompt::Texts(texts) if texts.len() == 1 => {
            return text_tokens(&texts[0], asked.suffix.as_deref(), tokenizer);
        }
        Prompt::Texts(_) | Prompt::TokenLists(_) => {
            return Err(wrong("prompt must be one prompt, not a list"));
        }
    };
    if asked.suffix.is_some() {
        return Err(ApiError::field(FAMILY, "suffix", "a suffix goes with a prompt of text"));
    }
    let vocab_size = tokenizer.vocab_size();
    if let Some(token) = tokens.iter().find(|&&token| token as usize >= vocab_size) {
        let message = format!("token {token} is outside the vocabulary of {vocab_size} tokens");
        return Err(wrong(&message));
    }
    if tokens.is_empty() {
        return Err(wrong("the prompt is empty"));
    }
    Ok(tokens)
}

fn text_tokens(
    text: &str,
    suffix: Option<&str>,
    tokenizer: &Tokenizer,
) -> Result<Vec<u32>, ApiError> {
    let mut tokens: Vec<u32> = tokenizer.bos().into_iter().collect();
    let Some(suffix) = suffix else {
        tokens.extend(tokenizer.encode_plain(text));
        return Ok(tokens);
    };
    let control = |name: &str| {
        tokenizer.token_id(name).ok_or_else(|| {
            let message = "this model cannot fill in the middle: its vocabulary lacks the tokens";
            ApiError::field(FAMILY, "suffix", message)
        })
    };
    tokens.push(control("<｜fim▁begin｜>")?);
    tokens.extend(tokenizer.encode_plain(text));
    tokens.push(control("<｜fim▁hole｜>")?);
    tokens.extend(tokenizer.encode_plain(suffix));
    tokens.push(control("<｜fim▁end｜>")?);
    Ok(tokens)
}

fn job(running: &Running, body: &Value, asked: &Asked, prompt: Vec<u32>) -> Result<Job, ApiError> {
    let (n_prompt, context) = (prompt.len(), running.context);
    if n_prompt >= context {
        return Err(ApiError::overflow(FAMILY, "prompt", Overflow { n_prompt, context }));
    }
    let model = running.sampling;
    let sampling = SampleParams {
        temperature: asked.temperature.unwrap_or(model.temperature),
        top_p: asked.top_p.unwrap_or(model.top_p),
        top_k: asked.top_k.map_or(model.top_k, |k| usize::try_from(k).unwrap_or(0)),
        min_p: asked.min_p.unwrap_or(model.min_p),
        seed: asked.seed.map_or_else(random_seed, |seed| seed as u64),
    };
    sampling.check().map_err(|error| parameter(FAMILY, &error))?;
    Ok(Job {
        sampling,
        // There is no conversation in which the model could think.
        penalties: penalties(body, false, running.tokenizer.vocab_size(), FAMILY)?,
        max_tokens: asked.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS).min(context - n_prompt),
        top_logprobs: asked.logprobs,
        prompt_logprobs: asked.echo == Some(true) && asked.logprobs.is_some(),
        constraint: None,
        cancel: CancelToken::new(),
        prompt,
    })
}

/// The lists that stand beside the text.
#[derive(Default)]
struct Logprobs {
    tokens: Vec<String>,
    of_tokens: Vec<Option<f32>>,
    of_others: Vec<Value>,
    text_offset: Vec<usize>,
    /// Characters of text so far.
    offset: usize,
    /// Holds the beginning of a character.
    decoder: StreamDecoder,
}

impl Logprobs {
    /// Adds a token of the text.
    fn push(&mut self, tokenizer: &Tokenizer, token: u32, logprob: Option<f32>, top: Value) {
        self.text_offset.push(self.offset);
        // The token that begins every text is none of it.
        if Some(token) != tokenizer.bos() {
            self.offset += self.decoder.push(tokenizer, token).chars().count();
        }
        self.tokens.push(text_of(tokenizer, token));
        self.of_tokens.push(logprob);
        self.of_others.push(top);
    }

    /// Hears that the prompt has ended: what follows is decoded by itself.
    fn end_prompt(&mut self) {
        self.offset += self.decoder.finish().chars().count();
    }

    /// What has come since the last call.
    fn take(&mut self) -> Value {
        json!({
            "tokens": std::mem::take(&mut self.tokens),
            "token_logprobs": std::mem::take(&mut self.of_tokens),
            "top_logprobs": std::mem::take(&mut self.of_others),
            "text_offset": std::mem::take(&mut self.text_offset),
        })
    }
}

fn text_of(tokenizer: &Tokenizer, token: u32) -> String {
    String::from_utf8_lossy(tokenizer.token_bytes(token)).into_owned()
}

/// A reply in the making.
struct Reply {
    tokenizer: std::sync::Arc<Tokenizer>,
    id: String,
    created: u64,
    model: String,
    prompt: Vec<u32>,
    /// Text that stands before the answer.
    echo: Option<String>,
    include_usage: bool,
    decoder: StreamDecoder,
    stop: StopStrings,
    logprobs: Option<Logprobs>,
    n_reused: usize,
    n_generated: usize,
}

/// What an update means for the text.
enum Step {
    Text(String),
    End(String, &'static str),
    Fail(ApiError),
}

impl Reply {
    fn new(running: &Running, asked: &Asked, prompt: Vec<u32>) -> Result<Self, ApiError> {
        let stop = match &asked.stop {
            None => Vec::new(),
            Some(Stop::One(one)) => vec![one.clone()],
            Some(Stop::Several(several)) => several.clone(),
        };
        let stop = StopStrings::new(stop)
            .map_err(|error| ApiError::field(FAMILY, "stop", error.to_string()))?;
        let tokenizer = std::sync::Arc::clone(&running.tokenizer);
        let echo = asked.echo == Some(true);
        let special = usize::from(prompt.first() == tokenizer.bos().as_ref());
        let echo = echo.then(|| tokenizer.decode(&prompt[special..])).transpose();
        let echo = echo.map_err(|error| ApiError::field(FAMILY, "prompt", error.to_string()))?;
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            id: format!("cmpl-{}", uuid::Uuid::new_v4().simple()),
            created: since_epoch.as_secs(),
            model: asked.model.clone().unwrap_or_else(|| running.model_name.clone()),
            prompt,
            echo: echo.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
            include_usage: asked
                .stream_options
                .as_ref()
                .is_some_and(|options| options.include_usage == Some(true)),
            decoder: StreamDecoder::new(),
            stop,
            logprobs: asked.logprobs.map(|_| Logprobs::default()),
            n_reused: 0,
            n_generated: 0,
            tokenizer,
        })
    }

    fn take(&mut self, update: Option<Update>) -> Option<Step> {
        match update {
            None => Some(Step::Fail(engine_lost(FAMILY))),
            Some(Update::Failed(error)) => Some(Step::Fail(ApiError::engine(FAMILY, &error))),
            Some(Update::Queued { .. }) => None,
            Some(Update::Prefill { reused, .. }) => {
                self.n_reused = reused;
                None
            }
            Some(Update::PromptLogprobs(logprobs)) => {
                let list = self.logprobs.as_mut()?;
                for (&token, logprob) in self.prompt.iter().zip(logprobs) {
                    list.push(&self.tokenizer, token, logprob, Value::Null);
                }
                list.end_prompt();
                None
            }
            Some(Update::Token(token)) => Some(self.token(&token)),
            Some(Update::Finished { reason: StopReason::Cancelled, .. }) => {
                Some(Step::Fail(shutting_down(FAMILY)))
            }
            Some(Update::Finished { reason, .. }) => {
                let rest = self.decoder.finish();
                let mut text = self.stop.push(&rest).visible;
                text += &self.stop.finish();
                let limited = matches!(reason, StopReason::MaxTokens | StopReason::ContextFull);
                Some(Step::End(text, if limited { "length" } else { "stop" }))
            }
        }
    }

    fn token(&mut self, token: &SampledToken) -> Step {
        self.n_generated += 1;
        if let Some(list) = &mut self.logprobs {
            let top = token.top.iter().map(|&(id, p)| (text_of(&self.tokenizer, id), json!(p)));
            let top: Map<String, Value> = top.collect();
            list.push(&self.tokenizer, token.id, token.logprob, top.into());
        }
        let text = self.decoder.push(&self.tokenizer, token.id);
        let scan = self.stop.push(&text);
        if scan.stopped { Step::End(scan.visible, "stop") } else { Step::Text(scan.visible) }
    }

    fn usage(&self) -> Value {
        let n_prompt = self.prompt.len();
        json!({
            "prompt_tokens": n_prompt, "completion_tokens": self.n_generated,
            "total_tokens": n_prompt + self.n_generated,
            "prompt_tokens_details": { "cached_tokens": self.n_reused },
        })
    }

    /// A chunk of a stream, or all of a reply.
    fn body(&mut self, text: &str, finish_reason: Option<&str>, usage: Option<Value>) -> Value {
        let logprobs = self.logprobs.as_mut().map(Logprobs::take);
        let mut body = json!({
            "id": self.id, "object": "text_completion", "created": self.created,
            "model": self.model,
            "choices": [{
                "text": text, "index": 0, "logprobs": logprobs, "finish_reason": finish_reason,
            }],
        });
        if let Some(usage) = usage {
            body["usage"] = usage;
        }
        body
    }

    async fn whole(mut self, mut updates: Updates) -> Result<Response, ApiError> {
        let mut text = self.echo.take().unwrap_or_default();
        loop {
            let update = updates.next().await;
            match self.take(update) {
                None => {}
                Some(Step::Text(more)) => text += &more,
                Some(Step::Fail(error)) => return Err(error),
                Some(Step::End(more, reason)) => {
                    text += &more;
                    let usage = Some(self.usage());
                    return Ok(Json(self.body(&text, Some(reason), usage)).into_response());
                }
            }
        }
    }

    fn stream(mut self, mut updates: Updates, running: &Running) -> Response {
        let mut patience = Patience::new(running.service().options().keep_alive);
        let events = stream! {
            let data = |value: &Value| Event::default().data(value.to_string());
            if let Some(echo) = self.echo.take() {
                yield data(&self.body(&echo, None, None));
            }
            loop {
                let Some(update) = patience.wait_for(updates.next()).await else {
                    yield data(&self.body("", None, None));
                    continue;
                };
                match self.take(update) {
                    None => {}
                    Some(Step::Text(text)) if text.is_empty() && self.logprobs.is_none() => {}
                    Some(Step::Text(text)) => yield data(&self.body(&text, None, None)),
                    Some(Step::Fail(error)) => {
                        yield data(&error.body());
                        yield Event::default().data("[DONE]");
                        return;
                    }
                    Some(Step::End(text, reason)) => {
                        yield data(&self.body(&text, Some(reason), None));
                        break;
                    }
                }
            }
            drop(updates);
            if self.include_usage {
                let mut last = self.body("", None, Some(self.usage()));
                last["choices"] = json!([]);
                yield data(&last);
            }
            yield Event::default().data("[DONE]");
        };
        event_stream(events)
    }
}
