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
    /// The body came too slowly.
    TooSlow,
    /// As many requests wait as may.
    Busy,
    /// The engine failed.
    Internal,
}

impl Kind {
    /// All kinds, in the order of the documents.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 8] = [
        Self::BadRequest,
        Self::Unauthorized,
        Self::NotFound,
        Self::Method,
        Self::TooSlow,
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
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The `type` of the error in an API family.
    pub(crate) fn name(self, family: Family) -> &'static str {
        match (self, family) {
            (Self::NotFound, Family::Anthropic) => "not_found_error",
            (Self::TooLarge, Family::Anthropic) => "request_too_large",
            (Self::Busy, Family::Anthropic) => "overloaded_error",
            (Self::Internal, Family::Anthropic) => "api_error",
            (Self::Busy | Self::Internal, Family::OpenAi) => "server_error",
            (Self::Unauthorized, _) => "authentication_error",
            (Self::BadRequest | Self::Method | Self::TooSlow, _)
            | (Self::NotFound | Self::TooLarge, Family::OpenAi) => "invalid_request_error",
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
            Self::TooLarge => "the body, or what it refers to, is larger than 64 MiB",
            Self::TooSlow => "30 seconds passed without a byte of the body",
            Self::Busy => {
                "the model is loading, the queue is full, other large bodies are being read, or the server is shutting down"
            }
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
            Self::TooSlow => "send the body at once",
            Self::Busy => "try again after the seconds in `Retry-After`",
            Self::Internal => "try again; the server's log has the chain of causes",
        }
    }
}

/// A prompt and the context that it does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Overflow {
    pub(crate) n_prompt: usize,
    pub(crate) context: usize,
}

/// An error on its way to a client.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    pub(crate) kind: Kind,
    pub(crate) family: Family,
    pub(crate) message: String,
    /// The field that is wrong.
    pub(crate) param: Option<String>,
    overflow: Option<Overflow>,
}

impl ApiError {
    pub(crate) fn new(kind: Kind, family: Family, message: impl Into<String>) -> Self {
        Self { kind, family, message: message.into(), param: None, overflow: None }
    }

    pub(crate) fn bad_request(family: Family, message: impl Into<String>) -> Self {
        Self::new(Kind::BadRequest, family, message)
    }

    /// A field that is wrong.
    pub(crate) fn field(family: Family, param: &str, message: impl Into<String>) -> Self {
        Self { param: Some(param.to_owned()), ..Self::bad_request(family, message) }
    }

    /// A prompt, made of the field `param`, that leaves no room for an answer.
    pub(crate) fn overflow(family: Family, param: &str, overflow: Overflow) -> Self {
        let Overflow { n_prompt, context } = overflow;
        let message = match family {
            Family::OpenAi => format!(
                "Prompt has {n_prompt} tokens, but the configured context size is {context} tokens"
            ),
            // Claude Code compacts the conversation when it reads these words.
            Family::Anthropic => {
                format!("prompt is too long: {n_prompt} tokens > {} maximum", context - 1)
            }
        };
        Self { overflow: Some(overflow), ..Self::field(family, param, message) }
    }

    /// An error of the engine. What the client caused is told; the rest goes to the log, and the
    /// client hears the first sentence.
    pub(crate) fn engine(family: Family, error: &engine::Error) -> Self {
        use engine::Error as E;
        let kind = match error {
            E::EmptyPrompt
            | E::PromptTooLong { .. }
            | E::SampleParameter { .. }
            | E::BiasedToken { .. }
            | E::EmptyStopString => Kind::BadRequest,
            E::ShuttingDown => Kind::Busy,
            _ => Kind::Internal,
        };
        if kind == Kind::Internal {
            tracing::error!(chain = %chain(error), "an answer failed");
        }
        Self::new(kind, family, error.to_string())
    }

    /// An error of prompt and request conversion, for a request with this body.
    pub(crate) fn chat(family: Family, error: &chat::Error, body: &Value) -> Self {
        let (message, field) = match error {
            chat::Error::Request { source } => (source.to_string(), None),
            chat::Error::ParseRequest { field, source, .. } if field != "." => {
                (format!("{field}: {source}"), Some(field.clone()))
            }
            chat::Error::ParseRequest { source, .. } => (source.to_string(), None),
            chat::Error::Rule { place, .. } => {
                (error.to_string(), place.split(':').next().map(str::to_owned))
            }
            _ => (chain(error), None),
        };
        let param = field.or_else(|| named_field(&message, body));
        Self { param, ..Self::bad_request(family, message) }
    }

    pub(crate) fn body(&self) -> Value {
        let (kind, message) = (self.kind.name(self.family), &self.message);
        let mut error = match self.family {
            Family::OpenAi => json!({
                "message": message, "type": kind, "param": self.param, "code": self.code(),
            }),
            Family::Anthropic => json!({ "type": kind, "message": message }),
        };
        if let Some(Overflow { n_prompt, context }) = self.overflow {
            error["n_prompt_tokens"] = n_prompt.into();
            error["n_ctx"] = context.into();
        }
        match self.family {
            Family::OpenAi => json!({ "error": error }),
            Family::Anthropic => json!({ "type": "error", "error": error }),
        }
    }

    fn code(&self) -> Value {
        match self.kind {
            _ if self.overflow.is_some() => "context_length_exceeded".into(),
            Kind::NotFound => "not_found".into(),
            Kind::Unauthorized => "invalid_api_key".into(),
            _ => Value::Null,
        }
    }
}

/// The field that a message speaks of: the first word of it that is a field of the body, or that
/// the message says is missing.
fn named_field(message: &str, body: &Value) -> Option<String> {
    if let Some((_, rest)) = message.split_once("missing field `") {
        return rest.split_once('`').map(|(field, _)| field.to_owned());
    }
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let words = message.split(|c| !is_part(c)).filter(|word| !word.is_empty());
    // The conversion has one name for this limit, the APIs have several.
    let names = words.flat_map(|word| match word {
        "max_tokens" => vec![word, "max_completion_tokens", "max_output_tokens"],
        word => vec![word],
    });
    let is_said = |name: &&str| body.get(name).is_some_and(|value| !value.is_null());
    names.into_iter().find(is_said).map(str::to_owned)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the documents, as it should be.
    fn table() -> String {
        let mut table = "| status | OpenAI `type` | Anthropic `type` | when | what to do |\n\
                         |---|---|---|---|---|\n"
            .to_owned();
        let row = |kind: Kind| {
            format!(
                "| {} | `{}` | `{}` | {} | {} |\n",
                kind.status().as_u16(),
                kind.name(Family::OpenAi),
                kind.name(Family::Anthropic),
                kind.cause(),
                kind.remedy(),
            )
        };
        table.extend(Kind::ALL.map(row));
        table
    }

    #[test]
    fn the_documents_list_the_errors() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors.md");
        let documented = std::fs::read_to_string(path).unwrap_or_default();
        let table = table();
        assert!(documented.contains(&table), "docs/errors.md should hold this table:\n{table}");
    }

    #[test]
    fn the_field_that_is_wrong_is_named() {
        let body = json!({ "temperature": 9, "top_p": null });
        let named = |message| named_field(message, &body);
        assert_eq!(named("Invalid temperature value, the valid range"), Some("temperature".into()));
        assert_eq!(named("missing field `messages`"), Some("messages".into()));
        assert_eq!(named("Invalid top_p value"), None);
        let limit = named_field("Invalid max_tokens value", &json!({ "max_output_tokens": 0 }));
        assert_eq!(limit.as_deref(), Some("max_output_tokens"));
    }

    #[test]
    fn an_overflow_is_told_in_the_words_that_clients_look_for() {
        let overflow = Overflow { n_prompt: 9, context: 8 };
        let open_ai = ApiError::overflow(Family::OpenAi, "messages", overflow).body();
        assert_eq!(open_ai["error"]["code"], "context_length_exceeded");
        assert_eq!(open_ai["error"]["param"], "messages");
        assert_eq!(
            (&open_ai["error"]["n_prompt_tokens"], &open_ai["error"]["n_ctx"]),
            (&9.into(), &8.into())
        );
        let anthropic = ApiError::overflow(Family::Anthropic, "messages", overflow).body();
        assert_eq!(anthropic["error"]["message"], "prompt is too long: 9 tokens > 7 maximum");
    }
}
