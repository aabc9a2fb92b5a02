//! The three chat APIs: a body in, the vendor's chunks out, as a stream or as one reply.

use std::convert::Infallible;
use std::time::{SystemTime, UNIX_EPOCH};

use async_stream::stream;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use chat::deepseek_recipe::anthropic::MessagesRequest;
use chat::deepseek_recipe::request::{ConversationRequest, ProtocolRequest};
use chat::deepseek_recipe::response::{Accumulate as _, ProtocolResponse};
use chat::deepseek_recipe::stream::{ChunkGenerator, StreamError, StreamProcessor};
use chat::{Api, convert_value, render};
use engine::{CancelToken, Job};
use futures::{Stream, StreamExt as _};
use serde_json::{Value, json};

use crate::endpoint::Endpoint;
use crate::error::{ApiError, Family, Kind};
use crate::events::{Failure, Updates, inference};
use crate::sampling::sample_params;
use crate::service::Service;

/// A chunk of an API's stream.
type Chunk<E> =
    <<<E as ProtocolRequest>::Response as ProtocolResponse>::ChunkGenerator as ChunkGenerator>::Chunk;

/// A request that has been understood.
struct Asked {
    request: ConversationRequest,
    prompt: Vec<u32>,
    /// The body, as the endpoint prepared it.
    body: Value,
    /// The conversation as input items, where the API stores it.
    items: Vec<Value>,
    model: String,
}

/// Answers a request of the API `E`.
pub(crate) async fn answer<E: Endpoint>(
    State(service): State<Service>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let body = read_body(body, E::FAMILY)?;
    let asked = understand::<E>(&service, body).await?;
    let updates = Updates::of(service.scheduler(), job(&service, &asked)?, E::FAMILY)?;
    let id = format!("{}{}", E::ID_PREFIX, uuid::Uuid::new_v4().simple());
    let failure = Failure::default();
    let generator = E::chunk_generator(&asked.request, id.clone(), asked.model.clone());
    let chunks = StreamProcessor::new(generator, asked.request.parsing_options.clone())
        .with_tokenizer(std::sync::Arc::clone(service.tokenizer()))
        .into_protocol_stream(inference(updates, asked.prompt.len(), E::FAMILY, failure.clone()));
    let reply = Reply::<E> { service, id, asked, failure, response: None };
    if reply.asked.request.stream {
        Ok(reply.stream(Box::pin(chunks)))
    } else {
        reply.whole(Box::pin(chunks)).await
    }
}

/// The body's bytes, or why they could not be read.
pub(crate) fn read_body(
    body: Result<Bytes, BytesRejection>,
    family: Family,
) -> Result<Bytes, ApiError> {
    body.map_err(|rejection| {
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

/// Converts a body and tokenizes its prompt, on a thread that may take its time.
async fn understand<E: Endpoint>(service: &Service, body: Bytes) -> Result<Asked, ApiError> {
    let service = service.clone();
    let understood = tokio::task::spawn_blocking(move || convert::<E>(&service, &body)).await;
    understood.unwrap_or_else(|error| {
        let message = format!("the request could not be converted: {error}");
        Err(ApiError::new(Kind::Internal, E::FAMILY, message))
    })
}

fn convert<E: Endpoint>(service: &Service, body: &[u8]) -> Result<Asked, ApiError> {
    let mut body = parse(body, E::FAMILY)?;
    if body.get("model").is_none_or(Value::is_null) {
        body["model"] = service.options().model_name.clone().into();
    }
    let model = body["model"].as_str().unwrap_or_default().to_owned();
    E::prepare(&mut body)?;
    let items = match E::API {
        Api::Responses => service.stored().resolve(&mut body)?,
        Api::Chat | Api::Messages => Vec::new(),
    };
    let refused = |error: chat::Error| ApiError::chat(E::FAMILY, &error);
    let request = convert_value::<E>(E::API, body.clone()).map_err(refused)?;
    let prompt = render(service.options().dialect, &request.conversation).map_err(refused)?;
    let prompt = prompt.encode(service.tokenizer()).map_err(refused)?;
    Ok(Asked { request, prompt, body, items, model })
}

fn job(service: &Service, asked: &Asked) -> Result<Job, ApiError> {
    let context = service.options().context;
    let inference = &asked.request.inference_options;
    // Agents ask for tens of thousands of tokens whatever the context is: a limit that does not
    // fit is lowered rather than refused. A prompt that does not fit is refused by the engine.
    let room = context.saturating_sub(asked.prompt.len()).max(1);
    let wanted = asked
        .request
        .resolve_max_tokens(0, u32::MAX)
        .map_err(|error| ApiError::bad_request(Family::OpenAi, error.to_string()))?;
    Ok(Job {
        prompt: asked.prompt.clone(),
        sampling: sample_params(service.options().sampling, &asked.body, &asked.request),
        max_tokens: room.min(wanted as usize),
        top_logprobs: inference.logprobs.then(|| usize::from(inference.top_logprobs.unwrap_or(0))),
        prompt_logprobs: false,
        constraint: None,
        cancel: CancelToken::new(),
    })
}

/// A reply in the making.
struct Reply<E: Endpoint> {
    service: Service,
    id: String,
    asked: Asked,
    failure: Failure,
    /// All chunks so far, put together.
    response: Option<E::Response>,
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

    /// Keeps the finished reply where later requests may refer to it.
    fn store(&mut self) {
        if E::API == Api::Responses
            && self.asked.body.get("store") != Some(&Value::Bool(false))
            && let Some(Ok(response)) = self.response.as_ref().map(serde_json::to_value)
        {
            let items = std::mem::take(&mut self.asked.items);
            self.service.stored().store(items, response);
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
        match self.response {
            Some(response) => Ok(Json(response).into_response()),
            None => Err(ApiError::new(Kind::Internal, E::FAMILY, "the answer has no beginning")),
        }
    }

    fn stream(
        mut self,
        mut chunks: impl Stream<Item = Result<Chunk<E>, StreamError>> + Send + Unpin + 'static,
    ) -> Response {
        let keep_alive = KeepAlive::new()
            .interval(self.service.options().keep_alive)
            .event(E::keep_alive(&self.id, &self.asked.model));
        let events = stream! {
            while let Some(chunk) = chunks.next().await {
                if let Some(error) = self.error(chunk.as_ref().err()) {
                    yield Ok::<_, Infallible>(E::error_event(&error));
                    return;
                }
                let Ok(chunk) = chunk else { return };
                let mut event = Event::default();
                if let Some(name) = E::Response::sse_event_name(&chunk) {
                    event = event.event(name);
                }
                yield Ok(event.json_data(&chunk).unwrap_or_default());
                if E::API == Api::Responses {
                    self.add(chunk);
                }
            }
            if let Some(error) = self.error(None) {
                yield Ok(E::error_event(&error));
                return;
            }
            self.store();
            if let Some(done) = E::Response::sse_done_data() {
                yield Ok(Event::default().data(done));
            }
        };
        Sse::new(events).keep_alive(keep_alive).into_response()
    }
}

/// How many tokens the prompt of a message request has.
pub(crate) async fn count_tokens(
    State(service): State<Service>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let body = read_body(body, Family::Anthropic)?;
    let asked = understand::<MessagesRequest>(&service, body).await?;
    Ok(Json(json!({ "input_tokens": asked.prompt.len() })))
}

/// A response that was stored.
pub(crate) async fn stored_response(
    State(service): State<Service>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let stored = service.stored();
    stored.response(&id).cloned().map(Json).ok_or_else(|| {
        let message = format!("response {id} is not known here");
        ApiError::new(Kind::NotFound, Family::OpenAi, message)
    })
}
