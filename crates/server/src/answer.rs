//! The three chat APIs: a body in, the vendor's chunks out, as a stream or as one reply.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use async_stream::stream;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, Path};
use axum::http::header::HeaderName;
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response, Sse};
use chat::deepseek_recipe::anthropic::MessagesRequest;
use chat::deepseek_recipe::request::{ConversationRequest, ProtocolRequest};
use chat::deepseek_recipe::response::{Accumulate as _, ProtocolResponse};
use chat::deepseek_recipe::stream::{ChunkGenerator, StreamError, StreamProcessor};
use chat::{
    AnswerRules, Api, Listener, convert_with_rules, prepare_request, render_converted,
    tell_cut_call,
};
use engine::{CancelToken, Constraint, Job};
use futures::{Stream, StreamExt as _};
use serde_json::{Map, Value, json};
use tower_http::timeout::TimeoutError;

use crate::access::Room;
use crate::endpoint::{Endpoint, StreamState};
use crate::error::{ApiError, Family, Kind, Overflow};
use crate::events::{Failure, Patience, Updates, inference};
use crate::replay::Told;
use crate::sampling::{penalties, sample_params};
use crate::service::Running;
use crate::stored::Items;
use crate::tokenizer::Yielding;
use crate::visit::RequestId;

/// A chunk of an API's stream.
type Chunk<E> =
    <<<E as ProtocolRequest>::Response as ProtocolResponse>::ChunkGenerator as ChunkGenerator>::Chunk;

/// A request that has been understood.
struct Asked {
    request: ConversationRequest,
    prompt: Vec<u32>,
    rules: AnswerRules,
    /// What holds the answer to its rules.
    constraint: Option<Box<dyn Constraint>>,
    /// The body, as it was prepared.
    body: Value,
    /// The conversation, where the API stores it.
    items: Items,
    model: String,
}

/// Answers a request of the API `E`.
pub(crate) async fn answer<E: Endpoint>(
    running: Running,
    Extension(id): Extension<RequestId>,
    Extension(room): Extension<Room>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let body = read_body(body, E::FAMILY)?;
    let mut asked = {
        let running = running.clone();
        off_the_loop(E::FAMILY, move || {
            let mut asked = convert::<E>(&running, &body)?;
            constrain::<E>(&running, &mut asked)?;
            Ok(asked)
        })
        .await?
    };
    drop(room);
    if let Some(trace) = &running.service().options().trace {
        let prompt = running.tokenizer.decode(&asked.prompt).unwrap_or_default();
        let prompt = String::from_utf8_lossy(&prompt);
        let n_prompt = asked.prompt.len();
        let what = json!({
            "api": E::API.to_string(), "body": asked.body, "prompt": prompt, "prompt_tokens": n_prompt,
        });
        trace.write(&id.0, "request", &what);
    }
    let updates = Updates::of(&running, id, job::<E>(&running, &mut asked)?, E::FAMILY)?;
    let id = format!("{}{}", E::ID_PREFIX, uuid::Uuid::new_v4().simple());
    let failure = Failure::default();
    let told = Told::new(&running, &asked.prompt);
    let generator = E::chunk_generator(&asked.request, id.clone(), asked.model.clone());
    let generator = Listener::new(generator, told.at_end());
    let streams = asked.request.stream;
    let patience = streams.then(|| running.service().options().keep_alive);
    let chunks = StreamProcessor::new(generator, asked.request.parsing_options.clone())
        .with_tokenizer(Yielding(Arc::clone(&running.tokenizer)))
        .into_protocol_stream(told.listen(inference(
            updates,
            E::FAMILY,
            failure.clone(),
            patience,
        )));
    let repeated = repeated::<E>(&asked.body);
    // It may be large, and an answer takes its time.
    asked.body = Value::Null;
    let reply = Reply::<E> {
        running,
        id,
        asked,
        repeated,
        failure,
        told,
        response: None,
        sequence: 0,
        has_own_numbers: false,
    };
    if streams { Ok(reply.stream(Box::pin(chunks))) } else { reply.whole(Box::pin(chunks)).await }
}

/// The body's bytes, or why they could not be read.
pub(crate) fn read_body(
    body: Result<Bytes, BytesRejection>,
    family: Family,
) -> Result<Bytes, ApiError> {
    body.map_err(|rejection| {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&rejection);
        while let Some(error) = cause {
            if error.is::<TimeoutError>() {
                return ApiError::new(Kind::TooSlow, family, "the body did not come");
            }
            cause = error.source();
        }
        let too_large = rejection.status() == Kind::TooLarge.status();
        let kind = if too_large { Kind::TooLarge } else { Kind::BadRequest };
        ApiError::new(kind, family, rejection.body_text())
    })
}

/// Parses a body as JSON.
pub(crate) fn parse(body: &[u8], family: Family) -> Result<Value, ApiError> {
    let not_json = |error| ApiError::bad_request(family, format!("the body is not JSON: {error}"));
    let value: Value = serde_json::from_slice(body).map_err(not_json)?;
    if value.is_object() {
        return Ok(value);
    }
    Err(ApiError::bad_request(family, "the body is not a JSON object"))
}

/// Works on a request on a thread that may take its time; the others are for what waits.
pub(crate) async fn off_the_loop<T: Send + 'static>(
    family: Family,
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        let message = format!("the request could not be converted: {error}");
        Err(ApiError::new(Kind::Internal, family, message))
    })
}

/// Converts a body and tokenizes its prompt.
fn convert<E: Endpoint>(running: &Running, body: &[u8]) -> Result<Asked, ApiError> {
    let mut body = parse(body, E::FAMILY)?;
    if body.get("model").is_none_or(Value::is_null) {
        body["model"] = running.model_name.clone().into();
    }
    E::check(&body)?;
    prepare_request(E::API, &mut body);
    let model = body["model"].as_str().unwrap_or_default().to_owned();
    let items = match E::API {
        Api::Responses => running.service().stored().resolve(&mut body)?,
        Api::Chat | Api::Messages => Vec::new(),
    };
    let items = Items::new(items);
    let refused = |error: chat::Error| ApiError::chat(E::FAMILY, &error, &body);
    let (request, rules) = convert_with_rules::<E>(E::API, body.clone()).map_err(refused)?;
    let prompt = render_converted(running.dialect, &request).map_err(refused)?;
    let turns = running.service().turns();
    let prompt = turns.encode(&running.tokenizer, &prompt, &request.conversation);
    let prompt = prompt.map_err(refused)?;
    Ok(Asked { request, prompt, rules, constraint: None, body, items, model })
}

/// Compiles the rules of an answer, if its prompt fits the context: tools and schemas are in the prompt,
/// so that none are compiled that are larger than the context.
fn constrain<E: Endpoint>(running: &Running, asked: &mut Asked) -> Result<(), ApiError> {
    let (n_prompt, context) = (asked.prompt.len(), running.context);
    if n_prompt >= context {
        return Err(ApiError::overflow(E::FAMILY, E::PROMPT_FIELD, Overflow { n_prompt, context }));
    }
    let forms = running.service().forms();
    let constraint = forms.constraint(&running.tokenizer, &asked.rules);
    asked.constraint =
        constraint.map_err(|error| ApiError::chat(E::FAMILY, &error, &asked.body))?;
    Ok(())
}

fn job<E: Endpoint>(running: &Running, asked: &mut Asked) -> Result<Job, ApiError> {
    let inference = &asked.request.inference_options;
    // Agents ask for tens of thousands of tokens whatever the context is: a limit that does not
    // fit is lowered rather than refused.
    let wanted = asked
        .request
        .resolve_max_tokens(0, u32::MAX)
        .map_err(|error| ApiError::bad_request(E::FAMILY, error.to_string()))?;
    Ok(Job {
        prompt: asked.prompt.clone(),
        sampling: sample_params(running.sampling, &asked.body, &asked.request, E::FAMILY)?,
        penalties: penalties(
            &asked.body,
            asked.request.conversation.thinking_mode,
            running.tokenizer.vocab_size(),
            E::FAMILY,
        )?,
        max_tokens: (running.context - asked.prompt.len()).min(wanted as usize),
        top_logprobs: inference.logprobs.then(|| usize::from(inference.top_logprobs.unwrap_or(0))),
        prompt_logprobs: false,
        constraint: asked.constraint.take(),
        cancel: CancelToken::new(),
    })
}

/// What of a request its responses repeat and the vendor's crate does not know of.
fn repeated<E: Endpoint>(body: &Value) -> Map<String, Value> {
    if E::API != Api::Responses {
        return Map::new();
    }
    let said = |key: &str| body.get(key).cloned();
    let store = body.get("store") != Some(&Value::Bool(false));
    let mut fields = Map::from_iter([
        ("store".to_owned(), store.into()),
        ("previous_response_id".to_owned(), said("previous_response_id").unwrap_or_default()),
        ("metadata".to_owned(), said("metadata").filter(Value::is_object).unwrap_or(json!({}))),
    ]);
    for key in ["presence_penalty", "frequency_penalty"] {
        fields.extend(said(key).filter(Value::is_number).map(|value| (key.to_owned(), value)));
    }
    fields
}

/// A reply in the making.
struct Reply<E: Endpoint> {
    running: Running,
    id: String,
    asked: Asked,
    /// Fields of every response that come from the request.
    repeated: Map<String, Value>,
    failure: Failure,
    told: Told,
    /// All chunks so far, put together.
    response: Option<E::Response>,
    /// Number of the next event, where events are numbered.
    sequence: u64,
    /// Whether it is not the vendor's, since signs of life are numbered too.
    has_own_numbers: bool,
}

impl<E: Endpoint> Reply<E> {
    fn add(&mut self, chunk: Chunk<E>) {
        let response = self.response.get_or_insert_with(|| {
            let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let (id, model) = (self.id.clone(), self.asked.model.clone());
            E::Response::new(id, model, since_epoch.as_secs(), self.asked.prompt.len(), 0)
        });
        response.accumulate(chunk);
    }

    fn stores(&self) -> bool {
        self.repeated.get("store") == Some(&Value::Bool(true))
    }

    fn repeat(&self, response: &mut Value) {
        if let Some(response) = response.as_object_mut() {
            response.extend(self.repeated.clone());
        }
    }

    /// The response so far, as the client sees it.
    fn response(&self) -> Option<Value> {
        let mut response = serde_json::to_value(self.response.as_ref()?).ok()?;
        self.repeat(&mut response);
        Some(response)
    }

    /// Keeps the finished reply where later requests may refer to it.
    fn store(&mut self) {
        if self.stores()
            && let Some(response) = self.response()
        {
            let items = std::mem::take(&mut self.asked.items);
            self.running.service().stored().store(items, response);
        }
    }

    /// The error that ended the reply before its time.
    fn error(&self, chunk: Option<&StreamError>) -> Option<ApiError> {
        let of_stream = chunk.map(|error| {
            let message = format!("the answer could not be read: {error}");
            ApiError::new(Kind::Internal, E::FAMILY, message)
        });
        of_stream.or_else(|| self.failure.get().cloned())
    }

    async fn whole(
        mut self,
        mut chunks: impl Stream<Item = Result<Chunk<E>, StreamError>> + Send + Unpin,
    ) -> Result<Response, ApiError> {
        while let Some(chunk) = chunks.next().await {
            if let Some(error) = self.error(chunk.as_ref().err()) {
                return Err(error);
            }
            if let Ok(chunk) = chunk {
                self.add(chunk);
            }
        }
        if let Some(error) = self.error(None) {
            return Err(error);
        }
        self.store();
        match self.response() {
            Some(mut response) => {
                tell_cut_call(E::API, &self.told.said(), &mut response);
                Ok(Json(response).into_response())
            }
            None => Err(ApiError::new(Kind::Internal, E::FAMILY, "the answer has no beginning")),
        }
    }

    /// A chunk as an event.
    fn event(&mut self, chunk: Chunk<E>) -> Event {
        let name = E::Response::sse_event_name(&chunk);
        let mut event = Event::default();
        if let Some(name) = name {
            event = event.event(name);
        }
        if E::API != Api::Responses {
            return event.json_data(&chunk).unwrap_or_default();
        }
        let event = match name {
            // Almost all that there is; nothing in it is to be changed.
            Some(name) if is_delta(name) && !self.has_own_numbers => {
                event.json_data(&chunk).unwrap_or_default()
            }
            _ => event.data(self.told(&chunk).to_string()),
        };
        self.sequence += 1;
        self.add(chunk);
        if matches!(name, Some("response.completed" | "response.incomplete")) {
            // Whoever hears of it may refer to it.
            self.store();
        }
        event
    }

    /// A chunk with the number of its event and what its response repeats.
    fn told(&self, chunk: &Chunk<E>) -> Value {
        let mut value = serde_json::to_value(chunk).unwrap_or_default();
        value["sequence_number"] = self.sequence.into();
        if let Some(response) = value.get_mut("response") {
            self.repeat(response);
        }
        value
    }

    fn with_state<T>(&self, say: impl FnOnce(&StreamState<'_>) -> T) -> T {
        let response = self.response();
        say(&StreamState {
            id: &self.id,
            model: &self.asked.model,
            response: response.as_ref(),
            sequence: self.sequence,
        })
    }

    fn stream(
        mut self,
        mut chunks: impl Stream<Item = Result<Chunk<E>, StreamError>> + Send + Unpin + 'static,
    ) -> Response {
        let mut patience = Patience::new(self.running.service().options().keep_alive);
        let events = stream! {
            loop {
                let Some(chunk) = patience.wait_for(chunks.next()).await else {
                    yield self.with_state(E::keep_alive);
                    self.sequence += 1;
                    self.has_own_numbers = true;
                    continue;
                };
                let Some(chunk) = chunk else { break };
                match chunk {
                    Ok(chunk) if self.failure.get().is_none() => yield self.event(chunk),
                    chunk => {
                        if let Err(error) = chunk
                            && let Some(error) = self.error(Some(&error))
                        {
                            self.failure.set(error);
                        }
                        break;
                    }
                }
            }
            if let Some(error) = self.error(None) {
                for event in self.with_state(|state| E::error_events(state, &error)) {
                    yield event;
                }
                return;
            }
            if let Some(done) = E::Response::sse_done_data() {
                yield Event::default().data(done);
            }
        };
        event_stream(events)
    }
}

/// Whether an event of this name adds to a text.
fn is_delta(name: &str) -> bool {
    name.rsplit('.').next() == Some("delta")
}

/// A reply of server-sent events; its headers go out at once.
pub(crate) fn event_stream(events: impl Stream<Item = Event> + Send + 'static) -> Response {
    // Proxies that collect a reply before they pass it on are asked not to.
    let at_once = [(HeaderName::from_static("x-accel-buffering"), "no")];
    (at_once, Sse::new(events.map(Ok::<_, Infallible>))).into_response()
}

/// How many tokens the prompt of a message request has.
pub(crate) async fn count_tokens(
    running: Running,
    Extension(_room): Extension<Room>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let body = read_body(body, Family::Anthropic)?;
    let convert = move || convert::<MessagesRequest>(&running, &body);
    let asked = off_the_loop(Family::Anthropic, convert).await?;
    Ok(Json(json!({ "input_tokens": asked.prompt.len() })))
}

/// A response that was stored.
pub(crate) async fn stored_response(
    running: Running,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let stored = running.service().stored();
    stored.response(&id).cloned().map(Json).ok_or_else(|| not_stored(&id))
}

/// Forgets a response.
pub(crate) async fn forget_response(
    running: Running,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    if running.service().stored().forget(&id) {
        return Ok(Json(json!({ "id": id, "object": "response", "deleted": true })));
    }
    Err(not_stored(&id))
}

fn not_stored(id: &str) -> ApiError {
    let message = format!("response {id} is not known here");
    ApiError::new(Kind::NotFound, Family::OpenAi, message)
}
