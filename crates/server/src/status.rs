//! What the server says of itself.

use std::fmt::Write as _;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use engine::SlotState;
use serde_json::{Value, json};

use crate::error::{ApiError, Family, Kind};
use crate::service::Service;

/// For clients that only ask whether somebody is there.
pub(crate) async fn hello() -> &'static str {
    "ironstar\n"
}

pub(crate) async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

fn description(service: &Service) -> Value {
    let options = service.options();
    json!({
        "id": options.model_name, "object": "model", "type": "model", "created": 0,
        "owned_by": "ironstar", "display_name": options.model_name,
        "context_length": options.context, "max_model_len": options.context,
    })
}

pub(crate) async fn models(State(service): State<Service>) -> Json<Value> {
    let model = description(&service);
    let id = model["id"].clone();
    Json(json!({
        "object": "list", "data": [model], "first_id": id, "last_id": id, "has_more": false,
    }))
}

/// Any name is answered by the one model, in requests; here only its own is known.
pub(crate) async fn model(
    State(service): State<Service>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    if id == service.options().model_name {
        return Ok(Json(description(&service)));
    }
    let message =
        format!("there is no model {id}; this server has {}", service.options().model_name);
    Err(ApiError::new(Kind::NotFound, Family::OpenAi, message))
}

fn state(state: SlotState) -> &'static str {
    match state {
        SlotState::Idle => "idle",
        SlotState::Prefill => "prefill",
        SlotState::Decode => "decode",
    }
}

pub(crate) async fn stats(State(service): State<Service>) -> Json<Value> {
    let snapshot = service.scheduler().snapshot();
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
        "model": service.options().model_name,
        "uptime_seconds": service.uptime().as_secs_f64(),
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

/// The text format of Prometheus.
pub(crate) async fn metrics(State(service): State<Service>) -> impl IntoResponse {
    let snapshot = service.scheduler().snapshot();
    let totals = snapshot.totals;
    let count = |wanted| snapshot.slots.iter().filter(|slot| slot.state == wanted).count() as f64;
    let held: usize = snapshot.slots.iter().map(|slot| slot.n_tokens).sum();
    let rows = [
        ("requests_waiting", "gauge", "Requests that wait for a slot", snapshot.waiting as f64),
        ("slots_prefill", "gauge", "Slots that run a prompt", count(SlotState::Prefill)),
        ("slots_decode", "gauge", "Slots that answer", count(SlotState::Decode)),
        ("slots_idle", "gauge", "Slots that do nothing", count(SlotState::Idle)),
        ("kv_tokens", "gauge", "Tokens in KV over all slots", held as f64),
        ("requests_started_total", "counter", "Requests that got a slot", totals.started as f64),
        ("requests_finished_total", "counter", "Requests answered", totals.finished as f64),
        ("requests_cancelled_total", "counter", "Requests cancelled", totals.cancelled as f64),
        ("requests_failed_total", "counter", "Requests that failed", totals.failed as f64),
        ("prompt_tokens_total", "counter", "Tokens of prompts", totals.prompt_tokens as f64),
        (
            "reused_tokens_total",
            "counter",
            "Tokens of prompts that were in KV already",
            totals.reused_tokens as f64,
        ),
        ("generated_tokens_total", "counter", "Tokens of answers", totals.generated_tokens as f64),
        ("steps_total", "counter", "Batches that were run", totals.steps as f64),
        ("busy_seconds_total", "counter", "Time in which the model ran", totals.busy_seconds),
    ];
    let mut text = String::new();
    for (name, kind, help, value) in rows {
        writeln!(
            text,
            "# HELP ironstar_{name} {help}.\n# TYPE ironstar_{name} {kind}\nironstar_{name} {value}"
        )
        .expect("strings take everything");
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}
