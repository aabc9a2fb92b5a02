//! The server as a whole: what all requests share, the paths, and the life of the process.
//!
//! A service exists before its model: it listens at once and answers 503 until [`Service::begin`]
//! has given it what was loaded.

use std::future::Future;
use std::io;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Method, Uri};
use axum::middleware;
use axum::response::{IntoResponse as _, Response};
use chat::{Dialect, Tokenizer};
use engine::{SampleParams, Scheduler};
use tower_http::cors::CorsLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

use crate::access::{self, ApiKeys, BodyRoom};
use crate::connection::serve_connections;
use crate::constraint::Forms;
use crate::error::{ApiError, Family, Kind};
use crate::measure::Measures;
use crate::replay::Turns;
use crate::routes::routes;
use crate::stored::StoredResponses;
use crate::trace::Trace;
use crate::visit;

/// Largest body that is read: a million tokens of text, escaped, and room.
pub(crate) const MAX_BODY_BYTES: usize = 64 << 20;
/// How long a client may pause inside a body.
const BODY_PAUSE: Duration = Duration::from_secs(30);
/// How often measurements are put in order.
const SETTLE: Duration = Duration::from_secs(5);

/// How a service is set up.
#[derive(Debug)]
pub struct ServiceOptions {
    /// Who is let in.
    pub keys: ApiKeys,
    /// Whether pages of other origins may use the server.
    pub cors: bool,
    /// Silence after which a stream sends a sign of life.
    pub keep_alive: Duration,
    /// Where conversations are written down, if they are.
    pub trace: Option<Trace>,
}

/// What answers, once it is there.
#[derive(Debug)]
pub struct Loaded {
    /// The model's id in lists and replies.
    pub model_name: String,
    /// The engine.
    pub scheduler: Scheduler,
    /// The model's vocabulary.
    pub tokenizer: Arc<Tokenizer>,
    /// Tokens of a conversation.
    pub context: usize,
    /// How prompts are written.
    pub dialect: Dialect,
    /// The model's own way to draw tokens.
    pub sampling: SampleParams,
}

struct Shared {
    forms: Forms,
    options: ServiceOptions,
    loaded: OnceLock<Loaded>,
    stored: Mutex<StoredResponses>,
    turns: Turns,
    measures: Measures,
    bodies: BodyRoom,
    started: Instant,
}

/// What all requests share; clones are handles of the same.
#[derive(Clone)]
pub struct Service(Arc<Shared>);

impl Service {
    /// A service without a model, which asks its clients for patience.
    pub fn new(options: ServiceOptions) -> Self {
        Self(Arc::new(Shared {
            forms: Forms::default(),
            options,
            loaded: OnceLock::new(),
            stored: Mutex::default(),
            turns: Turns::default(),
            measures: Measures::new(),
            bodies: BodyRoom::default(),
            started: Instant::now(),
        }))
    }

    /// Gives the service its model; requests are answered from now on.
    ///
    /// # Panics
    /// If it has one.
    pub fn begin(&self, loaded: Loaded) {
        self.0.forms.prepare(&loaded.tokenizer);
        assert!(self.0.loaded.set(loaded).is_ok(), "a service has one model");
    }

    pub(crate) fn loaded(&self) -> Option<&Loaded> {
        self.0.loaded.get()
    }

    pub(crate) fn forms(&self) -> &Forms {
        &self.0.forms
    }

    pub(crate) fn options(&self) -> &ServiceOptions {
        &self.0.options
    }

    pub(crate) fn measures(&self) -> &Measures {
        &self.0.measures
    }

    pub(crate) fn body_room(&self) -> &BodyRoom {
        &self.0.bodies
    }

    /// Whether there is a model whose engine answers.
    pub(crate) fn answers(&self) -> bool {
        self.loaded().is_some_and(|loaded| loaded.scheduler.is_running())
    }

    pub(crate) fn uptime(&self) -> Duration {
        self.0.started.elapsed()
    }

    pub(crate) fn stored(&self) -> MutexGuard<'_, StoredResponses> {
        // Whoever panicked with it left whole entries.
        self.0.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last answers, as they were drawn.
    pub(crate) fn turns(&self) -> &Turns {
        &self.0.turns
    }

    fn router(&self) -> Router {
        let mut router = routes()
            .fallback(no_such_path)
            .method_not_allowed_fallback(no_such_method)
            .layer(middleware::from_fn_with_state(self.clone(), access::check))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .layer(RequestBodyTimeoutLayer::new(BODY_PAUSE))
            .layer(middleware::from_fn_with_state(self.clone(), visit::attend));
        if self.0.options.cors {
            router = router.layer(CorsLayer::permissive());
        }
        router.with_state(self.clone())
    }

    /// Answers requests until `stop` is done, then cancels what is running.
    ///
    /// # Errors
    /// If the listener fails.
    pub async fn run(
        self,
        listener: tokio::net::TcpListener,
        stop: impl Future<Output = ()> + Send,
    ) -> io::Result<()> {
        let router = self.router();
        let stopped = async {
            stop.await;
            // Streams end when their jobs do; without that, open connections would be waited for.
            let service = self.clone();
            let closed = tokio::task::spawn_blocking(move || {
                if let Some(loaded) = service.loaded() {
                    loaded.scheduler.shutdown();
                }
            });
            if let Err(error) = closed.await {
                tracing::error!(%error, "the engine did not shut down");
            }
        };
        let settling = async {
            let mut tick = tokio::time::interval(SETTLE);
            loop {
                tick.tick().await;
                self.measures().settle();
            }
        };
        tokio::select! {
            ended = serve_connections(listener, router, stopped) => ended,
            () = settling => Ok(()),
        }
    }
}

/// A service that has its model. As an argument of a handler, it sends away requests that come
/// too early.
#[derive(Clone)]
pub(crate) struct Running(Service);

impl Running {
    pub(crate) fn service(&self) -> &Service {
        &self.0
    }
}

impl Deref for Running {
    type Target = Loaded;

    fn deref(&self) -> &Loaded {
        self.0.loaded().expect("a service does not lose its model")
    }
}

impl FromRequestParts<Service> for Running {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, ApiError> {
        if service.loaded().is_some() {
            return Ok(Self(service.clone()));
        }
        let family = Family::of_path(parts.uri.path());
        Err(ApiError::new(Kind::Busy, family, "the model is loading; try again in a moment"))
    }
}

async fn no_such_path(method: Method, uri: Uri) -> Response {
    let message = format!("there is no {method} {}", uri.path());
    ApiError::new(Kind::NotFound, Family::of_path(uri.path()), message).into_response()
}

async fn no_such_method(method: Method, uri: Uri) -> Response {
    let message = format!("{} is not asked with {method}", uri.path());
    ApiError::new(Kind::Method, Family::of_path(uri.path()), message).into_response()
}
