//! Who is let in: whoever has a key and brings no more than is read, alone and with all others.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use crate::error::{ApiError, Family, Kind};
use crate::service::{MAX_BODY_BYTES, Service};

/// A body up to this size is let in whatever others bring.
const SMALL_BODY: usize = 1 << 20;
const MIB: usize = 1 << 20;
/// Megabytes of larger bodies that are read and understood at once. In memory they take several
/// times as much.
const LARGE_BODIES: usize = 512;

/// Room for large bodies.
#[derive(Debug, Clone)]
pub(crate) struct BodyRoom(Arc<Semaphore>);

impl Default for BodyRoom {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LARGE_BODIES)))
    }
}

impl BodyRoom {
    /// Takes room for a body of so many bytes, if there is enough; none for a small one.
    fn take(&self, n_bytes: usize) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        let n = if n_bytes <= SMALL_BODY { 0 } else { n_bytes.div_ceil(MIB) as u32 };
        Arc::clone(&self.0).try_acquire_many_owned(n)
    }
}

/// The room that a request's body takes, until the last clone is gone: a handler keeps one for as long
/// as it reads and understands the body, and not while it answers.
pub(crate) type Room = Arc<OwnedSemaphorePermit>;

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
            .and_then(|value| value.split_once(' '))
            // The name of a scheme is written in any case.
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, key)| key.trim());
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
    mut request: Request,
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
    if !open && !service.options().keys.admit(request.headers()) {
        let message = "this server wants an API key, and the request has none that it knows";
        return ApiError::new(Kind::Unauthorized, family, message).into_response();
    }
    // One that does not say how long it is may be as long as any.
    let is_chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    let n_bytes = if is_chunked { MAX_BODY_BYTES } else { length.unwrap_or(0) };
    let Ok(room) = service.body_room().take(n_bytes) else {
        let message = "other large requests are being read; try again in a moment";
        return ApiError::new(Kind::Busy, family, message).into_response();
    };
    request.extensions_mut().insert(Room::new(room));
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_bodies_share_room_and_small_ones_need_none() {
        let room = BodyRoom::default();
        let largest: Vec<_> = (0..LARGE_BODIES * MIB / MAX_BODY_BYTES)
            .map(|_| room.take(MAX_BODY_BYTES).expect("there is room"))
            .collect();
        assert!(room.take(SMALL_BODY + 1).is_err());
        assert!(room.take(SMALL_BODY).is_ok());
        drop(largest);
        assert!(room.take(SMALL_BODY + 1).is_ok());
    }

    #[test]
    fn a_key_is_taken_from_either_header() {
        let keys = ApiKeys::new(["first", "second"]);
        let headers = |name: &'static str, value: &str| {
            let value = value.parse().expect("a header");
            HeaderMap::from_iter([(name.parse().expect("a name"), value)])
        };
        assert!(keys.admit(&headers("authorization", "Bearer second")));
        assert!(keys.admit(&headers("authorization", "bearer first")));
        assert!(!keys.admit(&headers("authorization", "Basic first")));
        assert!(keys.admit(&headers("x-api-key", "first")));
        assert!(!keys.admit(&headers("x-api-key", "firs")));
        assert!(!keys.admit(&headers("authorization", "first")));
        assert!(!keys.admit(&HeaderMap::new()));
        assert!(ApiKeys::default().admit(&HeaderMap::new()));
    }
}
