//! What is done around every request: it gets a number, is counted, and leaves a line in the log.
//!
//! The line has no word of what was said.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use crate::service::Service;

/// The number of a request, in its reply and in the log.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

/// Numbers a request, answers it and notes that it was answered.
pub(crate) async fn attend(
    State(service): State<Service>,
    mut request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let id = format!("req_{}", uuid::Uuid::new_v4().simple());
    request.extensions_mut().insert(RequestId(id.clone()));
    let method = request.method().clone();
    // As the route spells it, so that there are few of them.
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let path = path.unwrap_or_else(|| "other".to_owned());
    let mut response = next.run(request).await;
    let status = response.status().as_u16();
    service.measures().request(&path, status);
    tracing::info!(%method, path, status, ms = began.elapsed().as_millis() as u64, id, "answered");
    if let Ok(id) = HeaderValue::from_str(&id) {
        let headers = response.headers_mut();
        // Under the names that both families of clients report.
        headers.insert(HeaderName::from_static("x-request-id"), id.clone());
        headers.insert(HeaderName::from_static("request-id"), id);
    }
    response
}
