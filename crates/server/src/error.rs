//! What goes wrong with a request, in the words of its API.
//!
//! Every error is one row of [`Kind`]: its status, its name in both families of APIs, and whether
//! trying again helps. 429 is not among them, since clients give up on it: a busy server says 503.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Which family of APIs a path belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// `OpenAI`: chat completions, responses, completions, models.
    OpenAi,
    /// Anthropic: messages.
    Anthropic,
}

impl Family {
    pub(crate) fn of_path(path: &str) -> Self {
        if path.starts_with("/v1/messages") { Self::Anthropic } else { Self::OpenAi }
    }
}

/// What kind of error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The request is wrong and will stay wrong.
    BadRequest,
    /// There is no such path, model or stored item.
    NotFound,
    /// The path has other methods.
    Method,
    /// No key, or none that is known.
    Unauthorized,
    /// The body is larger than is read.
    TooLarge,
    /// As many requests wait as may.
    Busy,
    /// The engine failed.
    Internal,
}

impl Kind {
    /// All kinds, in the order of the documents.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 7] = [
        Self::BadRequest,
        Self::Unauthorized,
        Self::NotFound,
        Self::Method,
        Self::TooLarge,
        Self::Internal,
        Self::Busy,
    ];

    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The `type` of the error in an API family.
    pub(crate) fn name(self, family: Family) -> &'static str {
        match (self, family) {
            (Self::BadRequest | Self::Method, _) => "invalid_request_error",
            (Self::NotFound, Family::OpenAi) => "invalid_request_error",
            (Self::NotFound, Family::Anthropic) => "not_found_error",
            (Self::Unauthorized, _) => "authentication_error",
            (Self::TooLarge, Family::OpenAi) => "invalid_request_error",
            (Self::TooLarge, Family::Anthropic) => "request_too_large",
            (Self::Busy, Family::OpenAi) => "server_error",
            (Self::Busy, Family::Anthropic) => "overloaded_error",
            (Self::Internal, Family::OpenAi) => "server_error",
            (Self::Internal, Family::Anthropic) => "api_error",
        }
    }

    /// When the error comes.
    #[cfg(test)]
    pub(crate) fn cause(self) -> &'static str {
        match self {
            Self::BadRequest => {
                "the body is not JSON of the API, asks for what is not done, or does not fit the context"
            }
            Self::NotFound => "no such path, model, response or item",
            Self::Method => "the path takes another method",
            Self::Unauthorized => {
                "the server was started with keys and the request has none of them"
            }
            Self::TooLarge => "the body is larger than 64 MiB",
            Self::Busy => "the queue is full, or the server is shutting down",
            Self::Internal => "the engine failed while answering",
        }
    }

    /// What a client does about it.
    #[cfg(test)]
    pub(crate) fn remedy(self) -> &'static str {
        match self {
            Self::BadRequest => "change the request; the message says what is wrong",
            Self::NotFound => "check the base URL (`/v1` is part of every path) and the id",
            Self::Method => "send the request with the method in `Allow`",
            Self::Unauthorized => "send the key as `Authorization: Bearer KEY` or `x-api-key: KEY`",
            Self::TooLarge => "shorten the conversation",
            Self::Busy => "try again after the seconds in `Retry-After`",
            Self::Internal => "try again; the server's log has the chain of causes",
        }
    }
}

/// An error on its way to a client.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    pub(crate) kind: Kind,
    pub(crate) family: Family,
    pub(crate) message: String,
}

impl ApiError {
    pub(crate) fn new(kind: Kind, family: Family, message: impl Into<String>) -> Self {
        Self { kind, family, message: message.into() }
    }

    pub(crate) fn bad_request(family: Family, message: impl Into<String>) -> Self {
        Self::new(Kind::BadRequest, family, message)
    }

    /// An error of the engine. What the client caused is told; the rest goes to the log, and the
    /// client hears the first sentence.
    pub(crate) fn engine(family: Family, error: &engine::Error) -> Self {
        use engine::Error as E;
        let kind = match error {
            E::EmptyPrompt
            | E::PromptTooLong { .. }
            | E::SampleParameter { .. }
            | E::EmptyStopString => Kind::BadRequest,
            E::ShuttingDown => Kind::Busy,
            _ => Kind::Internal,
        };
        if kind == Kind::Internal {
            tracing::error!(chain = %chain(error), "an answer failed");
        }
        Self::new(kind, family, error.to_string())
    }

    /// An error of prompt and request conversion.
    pub(crate) fn chat(family: Family, error: &chat::Error) -> Self {
        let message = match error {
            chat::Error::Request { source } => source.to_string(),
            _ => chain(error),
        };
        Self::bad_request(family, message)
    }

    pub(crate) fn body(&self) -> Value {
        let (kind, message) = (self.kind.name(self.family), &self.message);
        match self.family {
            Family::OpenAi => json!({
                "error": { "message": message, "type": kind, "param": null, "code": self.code() }
            }),
            Family::Anthropic => {
                json!({ "type": "error", "error": { "type": kind, "message": message } })
            }
        }
    }

    fn code(&self) -> Value {
        match self.kind {
            Kind::NotFound => "not_found".into(),
            Kind::Unauthorized => "invalid_api_key".into(),
            _ => Value::Null,
        }
    }
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line = format!("{line}: {cause}");
        source = cause.source();
    }
    line
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.kind.status(), Json(self.body())).into_response();
        if self.kind == Kind::Busy {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }
}
