//! The server as a whole: what all requests share, the paths, and the life of the process.

use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Router, http};
use chat::deepseek_recipe::anthropic::MessagesRequest;
use chat::deepseek_recipe::openai::{ChatCompletionRequest, ResponsesRequest};
use chat::{Dialect, Tokenizer};
use engine::{SampleParams, Scheduler};
use tower_http::cors::CorsLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

use crate::access::{self, ApiKeys};
use crate::constraint::Forms;
use crate::error::{ApiError, Family, Kind};
use crate::stored::StoredResponses;
use crate::{answer, completions, status};

/// Largest body that is read: a million tokens of text, escaped, and room.
const MAX_BODY_BYTES: usize = 64 << 20;
/// How long a client may pause inside a body.
const BODY_PAUSE: Duration = Duration::from_secs(30);

/// How a service is set up.
#[derive(Debug, Clone)]
pub struct ServiceOptions {
    /// The model's id in lists and replies.
    pub model_name: String,
    /// Tokens of a conversation.
    pub context: usize,
    /// How prompts are written.
    pub dialect: Dialect,
    /// The model's own way to draw tokens.
    pub sampling: SampleParams,
    /// Who is let in.
    pub keys: ApiKeys,
    /// Whether pages of other origins may use the server.
    pub cors: bool,
    /// Silence after which a stream sends a sign of life.
    pub keep_alive: Duration,
}

struct Shared {
    scheduler: Scheduler,
    tokenizer: Arc<Tokenizer>,
    forms: Forms,
    options: ServiceOptions,
    stored: Mutex<StoredResponses>,
    started: Instant,
}

/// What all requests share; clones are handles of the same.
#[derive(Clone)]
pub struct Service(Arc<Shared>);

impl Service {
    /// A service over a running scheduler.
    pub fn new(scheduler: Scheduler, tokenizer: Tokenizer, options: ServiceOptions) -> Self {
        let (tokenizer, forms) = (Arc::new(tokenizer), Forms::default());
        forms.prepare(&tokenizer);
        Self(Arc::new(Shared {
            scheduler,
            tokenizer,
            forms,
            options,
            stored: Mutex::default(),
            started: Instant::now(),
        }))
    }

    pub(crate) fn scheduler(&self) -> &Scheduler {
        &self.0.scheduler
    }

    pub(crate) fn tokenizer(&self) -> &Arc<Tokenizer> {
        &self.0.tokenizer
    }

    pub(crate) fn forms(&self) -> &Forms {
        &self.0.forms
    }

    pub(crate) fn options(&self) -> &ServiceOptions {
        &self.0.options
    }

    pub(crate) fn keys(&self) -> &ApiKeys {
        &self.0.options.keys
    }

    pub(crate) fn uptime(&self) -> Duration {
        self.0.started.elapsed()
    }

    pub(crate) fn stored(&self) -> MutexGuard<'_, StoredResponses> {
        // Whoever panicked with it left whole entries.
        self.0.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn router(&self) -> Router {
        let mut router = Router::new()
            .route("/", get(status::hello))
            .route("/api/hello", get(status::hello))
            .route("/health", get(status::health))
            .route("/metrics", get(status::metrics))
            .route("/v1/stats", get(status::stats))
            .route("/v1/models", get(status::models))
            .route("/v1/models/{*id}", get(status::model))
            .route("/v1/chat/completions", post(answer::answer::<ChatCompletionRequest>))
            .route("/v1/messages", post(answer::answer::<MessagesRequest>))
            .route("/v1/messages/count_tokens", post(answer::count_tokens))
            .route("/v1/responses", post(answer::answer::<ResponsesRequest>))
            .route("/v1/responses/{id}", get(answer::stored_response))
            .route("/v1/completions", post(completions::complete))
            .fallback(no_such_path)
            .method_not_allowed_fallback(no_such_method)
            .layer(middleware::from_fn_with_state(self.clone(), access::check))
            .layer(middleware::from_fn(number))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .layer(RequestBodyTimeoutLayer::new(BODY_PAUSE));
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
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let scheduler = self.0.scheduler.clone();
        let stopped = async move {
            stop.await;
            // Streams end when their jobs do; without that, open connections would be waited for.
            let closed = tokio::task::spawn_blocking(move || scheduler.shutdown()).await;
            if let Err(error) = closed {
                tracing::error!(%error, "the engine did not shut down");
            }
        };
        let router = self.router();
        axum::serve(listener, router).with_graceful_shutdown(stopped).await
    }
}

/// Serves on `listener` until the process is asked to end (Ctrl-C, SIGTERM). Blocks.
///
/// # Errors
/// If the runtime does not start or the listener fails.
pub fn serve(listener: TcpListener, service: Service) -> io::Result<()> {
    // Fails if the process logs already, which is as well.
    let _ = tracing_subscriber::fmt().with_writer(io::stderr).with_target(false).try_init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        service.run(listener, asked_to_end()).await
    })
}

/// Done when the process is asked to end.
async fn asked_to_end() {
    #[cfg(unix)]
    let terminated = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => {
            if interrupted.is_err() {
                std::future::pending::<()>().await;
            }
        }
        () = terminated => {}
    }
}

/// Gives every reply a number, under the names that both families of clients report.
async fn number(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Ok(id) = HeaderValue::from_str(&format!("req_{}", uuid::Uuid::new_v4().simple())) {
        let headers = response.headers_mut();
        headers.insert(HeaderName::from_static("x-request-id"), id.clone());
        headers.insert(HeaderName::from_static("request-id"), id);
    }
    response
}

async fn no_such_path(method: Method, uri: Uri) -> Response {
    let message = format!("there is no {method} {}", uri.path());
    ApiError::new(Kind::NotFound, Family::of_path(uri.path()), message).into_response()
}

async fn no_such_method(State(_): State<Service>, method: http::Method, uri: Uri) -> Response {
    let message = format!("{} is not asked with {method}", uri.path());
    ApiError::new(Kind::Method, Family::of_path(uri.path()), message).into_response()
}
