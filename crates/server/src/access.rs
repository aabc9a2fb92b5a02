//! Who is let in: whoever has a key and brings no more than is read.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::error::{ApiError, Family, Kind};
use crate::service::{MAX_BODY_BYTES, Service};

/// The keys that are let in; none means that everybody is.
#[derive(Debug, Clone, Default)]
pub struct ApiKeys {
    /// Hashes, so that no comparison depends on how much of a key is right.
    hashes: Vec<blake3::Hash>,
}

impl ApiKeys {
    /// Takes the keys of a configuration.
    pub fn new<K: AsRef<str>>(keys: impl IntoIterator<Item = K>) -> Self {
        let hash = |key: K| blake3::hash(key.as_ref().as_bytes());
        Self { hashes: keys.into_iter().map(hash).collect() }
    }

    fn admit(&self, headers: &HeaderMap) -> bool {
        let value = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = value(header::AUTHORIZATION.as_str())
            .and_then(|value| value.strip_prefix("Bearer "))
            .map(str::trim);
        let keys = [bearer, value("x-api-key")];
        self.hashes.is_empty()
            || keys.into_iter().flatten().any(|key| {
                let found = blake3::hash(key.as_bytes());
                // Equality of hashes takes the same time wherever they differ, and all are compared.
                self.hashes.iter().filter(|hash| **hash == found).count() > 0
            })
    }
}

/// Refuses requests without a key, except those that only ask whether the server is there, and
/// bodies that announce that they are too large, before they are sent.
pub(crate) async fn check(
    State(service): State<Service>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let family = Family::of_path(path);
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > MAX_BODY_BYTES) {
        let message =
            format!("the body is larger than the {} MiB that are read", MAX_BODY_BYTES >> 20);
        return ApiError::new(Kind::TooLarge, family, message).into_response();
    }
    let open = request.method() == Method::OPTIONS
        || matches!(path, "/" | "/health" | "/api/hello" | "/openapi.json");
    if open || service.options().keys.admit(request.headers()) {
        return next.run(request).await;
    }
    let message = "this server wants an API key, and the request has none that it knows";
    ApiError::new(Kind::Unauthorized, family, message).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_from_either_header() {
        let keys = ApiKeys::new(["first", "second"]);
        let headers = |name: &'static str, value: &str| {
            let value = value.parse().expect("a header");
            HeaderMap::from_iter([(name.parse().expect("a name"), value)])
        };
        assert!(keys.admit(&headers("authorization", "Bearer second")));
        assert!(keys.admit(&headers("x-api-key", "first")));
        assert!(!keys.admit(&headers("x-api-key", "firs")));
        assert!(!keys.admit(&headers("authorization", "first")));
        assert!(!keys.admit(&HeaderMap::new()));
        assert!(ApiKeys::default().admit(&HeaderMap::new()));
    }
}
