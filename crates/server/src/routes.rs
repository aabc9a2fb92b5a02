//! The paths of the server, in one table, so that its description can be held against it.

use axum::Router;
use axum::routing::{MethodRouter, delete, get, post};
use chat::deepseek_recipe::anthropic::MessagesRequest;
use chat::deepseek_recipe::openai::{ChatCompletionRequest, ResponsesRequest};

use crate::service::Service;
use crate::{answer, completions, page, status};

/// Every path, its methods as they are written in `openapi.json`, and who answers.
pub(crate) fn table() -> Vec<(&'static str, &'static [&'static str], MethodRouter<Service>)> {
    vec![
        ("/", &["get"], get(page::page)),
        ("/api/hello", &["get"], get(status::hello)),
        ("/health", &["get"], get(status::health)),
        ("/metrics", &["get"], get(status::metrics)),
        ("/openapi.json", &["get"], get(page::openapi)),
        ("/v1/stats", &["get"], get(status::stats)),
        ("/v1/models", &["get"], get(status::models)),
        ("/v1/models/{id}", &["get"], get(status::model)),
        ("/v1/chat/completions", &["post"], post(answer::answer::<ChatCompletionRequest>)),
        ("/v1/messages", &["post"], post(answer::answer::<MessagesRequest>)),
        ("/v1/messages/count_tokens", &["post"], post(answer::count_tokens)),
        ("/v1/responses", &["post"], post(answer::answer::<ResponsesRequest>)),
        (
            "/v1/responses/{id}",
            &["get", "delete"],
            get(answer::stored_response).merge(delete(answer::forget_response)),
        ),
        ("/v1/completions", &["post"], post(completions::complete)),
    ]
}

/// The table as axum takes it.
pub(crate) fn routes() -> Router<Service> {
    table()
        .into_iter()
        .fold(Router::new(), |router, (path, _, answers)| router.route(path, answers))
}
