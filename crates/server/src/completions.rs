//! `/v1/completions`: text that goes on, without a conversation.
//!
//! The vendor's crate does not have this API, so its bodies are ours. Text of the prompt is plain
//! text: what spells a control token in it is none. With `suffix`, the prompt becomes one of the
//! model's fill-in-the-middle prompts.

use std::convert::Infallible;
use std::time::{SystemTime, UNIX_EPOCH};

use async_stream::stream;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use chat::{StreamDecoder, Tokenizer};
use engine::{CancelToken, Job, SampleParams, SampledToken, StopReason, StopStrings, Update};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::answer::{parse, read_body};
use crate::error::{ApiError, Family};
use crate::events::{Updates, engine_lost};
use crate::sampling::random_seed;
use crate::service::Service;

const FAMILY: Family = Family::OpenAi;
/// Tokens of an answer where the request does not say, as in the API's reference.
const DEFAULT_MAX_TOKENS: usize = 16;

#[derive(Deserialize)]
#[serde(untagged)]
enum Prompt {
    Text(String),
    Tokens(Vec<u32>),
    Texts(Vec<String>),
    TokenLists(Vec<Vec<u32>>),
}

#[derive(Deserialize)]
#[serde(untagged)]
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
    top_k: Option<usize>,
    min_p: Option<f32>,
    seed: Option<u64>,
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
    State(service): State<Service>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let body = parse(&read_body(body, FAMILY)?, FAMILY)?;
    let asked: Asked = serde_json::from_value(body).map_err(|error| {
        ApiError::bad_request(FAMILY, format!("the body is not a completion request: {error}"))
    })?;
    if asked.n.is_some_and(|n| n != 1) || asked.best_of.is_some_and(|n| n != 1) {
        return Err(ApiError::bad_request(FAMILY, "n and best_of must be 1: one answer is made"));
    }
    let tokenizer = service.tokenizer();
    let prompt = prompt_tokens(&asked, tokenizer)?;
    let reply = Reply::new(&service, &asked, prompt.clone())?;
    let updates = Updates::of(service.scheduler(), job(&service, &asked, prompt), FAMILY)?;
    if asked.stream == Some(true) {
        Ok(reply.stream(updates, &service))
    } else {
        reply.whole(updates).await
    }
}

fn prompt_tokens(asked: &Asked, tokenizer: &Tokenizer) -> Result<Vec<u32>, ApiError> {
    let text = match &asked.prompt {
        Prompt::Tokens(tokens) => return Ok(tokens.clone()),
        Prompt::TokenLists(lists) if lists.len() == 1 => return Ok(lists[0].clone()),
        Prompt::Text(text) => text,
        Prompt::Texts(texts) if texts.len() == 1 => &texts[0],
        Prompt::Texts(_) | Prompt::TokenLists(_) => {
            return Err(ApiError::bad_request(FAMILY, "prompt must be one prompt, not a list"));
        }
    };
    let mut tokens: Vec<u32> = tokenizer.bos().into_iter().collect();
    let Some(suffix) = &asked.suffix else {
        tokens.extend(tokenizer.encode_plain(text));
        return Ok(tokens);
    };
    let control = |name: &str| {
        tokenizer.token_id(name).ok_or_else(|| {
            let message = "this model cannot fill in the middle: its vocabulary lacks the tokens";
            ApiError::bad_request(FAMILY, message)
        })
    };
    tokens.push(control("<｜fim▁begin｜>")?);
    tokens.extend(tokenizer.encode_plain(text));
    tokens.push(control("<｜fim▁hole｜>")?);
    tokens.extend(tokenizer.encode_plain(suffix));
    tokens.push(control("<｜fim▁end｜>")?);
    Ok(tokens)
}

fn job(service: &Service, asked: &Asked, prompt: Vec<u32>) -> Job {
    let model = service.options().sampling;
    let room = service.options().context.saturating_sub(prompt.len());
    Job {
        sampling: SampleParams {
            temperature: asked.temperature.unwrap_or(model.temperature),
            top_p: asked.top_p.unwrap_or(model.top_p),
            top_k: asked.top_k.unwrap_or(model.top_k),
            min_p: asked.min_p.unwrap_or(model.min_p),
            seed: asked.seed.unwrap_or_else(random_seed),
        },
        max_tokens: asked.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS).min(room),
        top_logprobs: asked.logprobs,
        prompt_logprobs: asked.echo == Some(true) && asked.logprobs.is_some(),
        constraint: None,
        cancel: CancelToken::new(),
        prompt,
    }
}

/// The lists that stand beside the text.
#[derive(Default)]
struct Logprobs {
    tokens: Vec<String>,
    token_logprobs: Vec<Option<f32>>,
    top_logprobs: Vec<Value>,
    text_offset: Vec<usize>,
    /// Characters of text so far.
    offset: usize,
}

impl Logprobs {
    fn push(&mut self, text: String, logprob: Option<f32>, top: Value) {
        self.text_offset.push(self.offset);
        self.offset += text.chars().count();
        self.tokens.push(text);
        self.token_logprobs.push(logprob);
        self.top_logprobs.push(top);
    }

    /// What has come since the last call.
    fn take(&mut self) -> Value {
        json!({
            "tokens": std::mem::take(&mut self.tokens),
            "token_logprobs": std::mem::take(&mut self.token_logprobs),
            "top_logprobs": std::mem::take(&mut self.top_logprobs),
            "text_offset": std::mem::take(&mut self.text_offset),
        })
    }
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
    fn new(service: &Service, asked: &Asked, prompt: Vec<u32>) -> Result<Self, ApiError> {
        let stop = match &asked.stop {
            None => Vec::new(),
            Some(Stop::One(one)) => vec![one.clone()],
            Some(Stop::Several(several)) => several.clone(),
        };
        let stop = StopStrings::new(stop).map_err(|error| ApiError::engine(FAMILY, &error))?;
        let tokenizer = std::sync::Arc::clone(service.tokenizer());
        let echo = asked.echo == Some(true);
        let special = usize::from(prompt.first() == tokenizer.bos().as_ref());
        let echo = echo.then(|| tokenizer.decode(&prompt[special..])).transpose();
        let echo = echo.map_err(|error| ApiError::chat(FAMILY, &error))?;
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            id: format!("cmpl-{}", uuid::Uuid::new_v4().simple()),
            created: since_epoch.as_secs(),
            model: asked.model.clone().unwrap_or_else(|| service.options().model_name.clone()),
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

    fn text_of(&self, token: u32) -> String {
        String::from_utf8_lossy(self.tokenizer.token_bytes(token)).into_owned()
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
                let prompt = std::mem::take(&mut self.prompt);
                for (&token, logprob) in prompt.iter().zip(logprobs) {
                    let text = self.text_of(token);
                    if let Some(list) = &mut self.logprobs {
                        list.push(text, logprob, Value::Null);
                    }
                }
                self.prompt = prompt;
                None
            }
            Some(Update::Token(token)) => Some(self.token(&token)),
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
        if self.logprobs.is_some() {
            let text = self.text_of(token.id);
            let top: Map<String, Value> =
                token.top.iter().map(|&(id, p)| (self.text_of(id), json!(p))).collect();
            if let Some(list) = &mut self.logprobs {
                list.push(text, token.logprob, top.into());
            }
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

    fn stream(mut self, mut updates: Updates, service: &Service) -> Response {
        let keep_alive = KeepAlive::new().interval(service.options().keep_alive);
        let events = stream! {
            let data = |value: &Value| Ok::<_, Infallible>(Event::default().data(value.to_string()));
            if let Some(echo) = self.echo.take() {
                yield data(&self.body(&echo, None, None));
            }
            loop {
                let update = updates.next().await;
                match self.take(update) {
                    None => {}
                    Some(Step::Text(text)) if text.is_empty() && self.logprobs.is_none() => {}
                    Some(Step::Text(text)) => yield data(&self.body(&text, None, None)),
                    Some(Step::Fail(error)) => {
                        yield data(&error.body());
                        return;
                    }
                    Some(Step::End(text, reason)) => {
                        yield data(&self.body(&text, Some(reason), None));
                        break;
                    }
                }
            }
            if self.include_usage {
                let mut last = self.body("", None, Some(self.usage()));
                last["choices"] = json!([]);
                yield data(&last);
            }
            yield Ok(Event::default().data("[DONE]"));
        };
        Sse::new(events).keep_alive(keep_alive).into_response()
    }
}
