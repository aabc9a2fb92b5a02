//! What the server says of itself.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine::SlotState;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::error::{ApiError, Family, Kind};
use crate::service::{Running, Service};

/// For clients that only ask whether somebody is there.
pub(crate) async fn hello() -> &'static str {
    "ironstar\n"
}

/// Whether requests are answered.
pub(crate) async fn health(State(service): State<Service>) -> Response {
    if service.answers() {
        return Json(json!({ "status": "ok" })).into_response();
    }
    let status = if service.loaded().is_some() { "stopped" } else { "loading" };
    let retry = [(header::RETRY_AFTER, "2")];
    (StatusCode::SERVICE_UNAVAILABLE, retry, Json(json!({ "status": status }))).into_response()
}

/// The model in the shapes of both families at once: clients skip what they do not know.
fn description(running: &Running) -> Value {
    let context = running.context;
    let created = OffsetDateTime::now_utc() - running.service().uptime();
    json!({
        "id": running.model_name, "object": "model", "type": "model",
        "created": created.unix_timestamp(),
        "created_at": created.format(&Rfc3339).unwrap_or_default(),
        "owned_by": "ironstar", "name": running.model_name, "display_name": running.model_name,
        "context_length": context, "max_model_len": context,
        "max_input_tokens": context - 1, "max_tokens": context - 1,
    })
}

pub(crate) async fn models(running: Running) -> Json<Value> {
    let id = &running.model_name;
    Json(json!({
        "object": "list", "data": [description(&running)],
        "first_id": id, "last_id": id, "has_more": false,
    }))
}

/// Any name is answered by the one model, in requests; here only its own is known.
pub(crate) async fn model(
    running: Running,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    if id == running.model_name {
        return Ok(Json(description(&running)));
    }
    let message = format!("there is no model {id}; this server has {}", running.model_name);
    Err(ApiError::new(Kind::NotFound, Family::OpenAi, message))
}

fn state(state: SlotState) -> &'static str {
    match state {
        SlotState::Idle => "idle",
        SlotState::Prefill => "prefill",
        SlotState::Decode => "decode",
    }
}

/// Slots and sums, for the page and for scripts.
pub(crate) async fn stats(running: Running) -> Json<Value> {
    let snapshot = running.scheduler.snapshot();
    let slots: Vec<Value> = snapshot
        .slots
        .iter()
        .map(|slot| {
            json!({
                "state": state(slot.state), "tokens": slot.n_tokens, "capacity": slot.capacity,
                "prompt_tokens": slot.n_prompt, "reused_tokens": slot.n_reused,
                "generated_tokens": slot.n_generated,
            })
        })
        .collect();
    let totals = snapshot.totals;
    Json(json!({
        "model": running.model_name,
        "uptime_seconds": running.service().uptime().as_secs_f64(),
        "waiting": snapshot.waiting,
        "slots": slots,
        "totals": {
            "started": totals.started, "finished": totals.finished,
            "cancelled": totals.cancelled, "failed": totals.failed,
            "prompt_tokens": totals.prompt_tokens, "reused_tokens": totals.reused_tokens,
            "generated_tokens": totals.generated_tokens, "steps": totals.steps,
            "busy_seconds": totals.busy_seconds,
        },
    }))
}

/// The text format of Prometheus. It answers while the model loads, too.
pub(crate) async fn metrics(State(service): State<Service>) -> impl IntoResponse {
    let snapshot = service.loaded().map(|loaded| loaded.scheduler.snapshot());
    let text = service.measures().render(snapshot.as_ref());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}
