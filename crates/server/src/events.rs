//! From the engine thread to a client: the updates of a job as a stream.

use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_stream::stream;
use chat::deepseek_recipe::stream::{
    InferenceChunk, InferenceFinishReason, InferenceTokenLogprob, PromptUsage,
};
use engine::{CancelToken, Job, SampledToken, Statistics, StopReason, Update};
use futures::Stream;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Sleep, sleep};

use crate::error::{ApiError, Family, Kind};
use crate::measure::Stopwatch;
use crate::service::Running;
use crate::visit::RequestId;

/// The updates of a job. Dropping them cancels it: nobody is left to hear.
pub(crate) struct Updates {
    running: Running,
    request: RequestId,
    receiver: UnboundedReceiver<(Instant, Update)>,
    cancel: CancelToken,
    stopwatch: Stopwatch,
    n_prompt: usize,
    n_reused: usize,
    /// The answer so far, where it is written down.
    traced: Option<Vec<u32>>,
}

impl Updates {
    /// Hands a job to the engine.
    pub(crate) fn of(
        running: &Running,
        request: RequestId,
        job: Job,
        family: Family,
    ) -> Result<Self, ApiError> {
        let (cancel, n_prompt) = (job.cancel.clone(), job.prompt.len());
        // The engine may not wait for a slow client. What waits in here is at most the whole answer.
        let (sender, receiver) = unbounded_channel();
        // The other end is gone once nobody wants the answer, which the engine hears by `cancel`.
        let sink = Box::new(move |update| drop(sender.send((Instant::now(), update))));
        let submitted = running.scheduler.submit(job, sink);
        submitted.map_err(|busy| ApiError::new(Kind::Busy, family, busy.to_string()))?;
        let service = running.service();
        Ok(Self {
            receiver,
            cancel,
            stopwatch: Stopwatch::start(service.measures()),
            n_prompt,
            n_reused: 0,
            traced: service.options().trace.as_ref().map(|_| Vec::new()),
            running: running.clone(),
            request,
        })
    }

    /// The next one; `None` if the engine thread has died. Asking for it says that the one before
    /// has been delivered.
    pub(crate) async fn next(&mut self) -> Option<Update> {
        self.stopwatch.delivered();
        let (at, update) = self.receiver.recv().await?;
        match &update {
            Update::Prefill { reused, .. } => self.n_reused = *reused,
            Update::Token(token) => {
                self.stopwatch.token(at);
                if let Some(traced) = &mut self.traced {
                    traced.push(token.id);
                }
            }
            Update::Finished { reason, statistics } => self.note(*reason, statistics),
            Update::Queued { .. } | Update::PromptLogprobs(_) | Update::Failed(_) => {}
        }
        Some(update)
    }

    /// Leaves the numbers of an answer in the log, and its text in the trace if there is one.
    fn note(&mut self, reason: StopReason, statistics: &Statistics) {
        let speed = statistics.decode_tokens_per_second().unwrap_or_default();
        tracing::info!(
            id = self.request.0,
            prompt = self.n_prompt,
            reused = self.n_reused,
            generated = statistics.generated_tokens,
            prefill_s = format_args!("{:.2}", statistics.prefill_seconds),
            decode_tok_s = format_args!("{speed:.1}"),
            ?reason,
            "done"
        );
        if let Some(tokens) = self.traced.take() {
            let what = json!({
                "reason": format!("{reason:?}"),
                "generated_tokens": statistics.generated_tokens,
                "prefill_seconds": statistics.prefill_seconds,
                "decode_seconds": statistics.decode_seconds,
            });
            self.trace(&tokens, what);
        }
    }

    fn trace(&self, tokens: &[u32], mut what: Value) {
        let text = self.running.tokenizer.decode(tokens).unwrap_or_default();
        what["text"] = String::from_utf8_lossy(&text).into();
        what["prompt_tokens"] = self.n_prompt.into();
        what["reused_tokens"] = self.n_reused.into();
        if let Some(trace) = &self.running.service().options().trace {
            trace.write(&self.request.0, "answer", &what);
        }
    }
}

impl Drop for Updates {
    fn drop(&mut self) {
        self.cancel.cancel();
        if let Some(tokens) = self.traced.take() {
            self.trace(&tokens, json!({ "reason": "ended by a stop sequence or by the client" }));
        }
    }
}

/// Listens to something that comes now and then, and notices when it is silent. Its timer is set when
/// it has run out, and not anew for each token.
pub(crate) struct Patience {
    silence: Duration,
    /// When something came last, or silence was noticed.
    last: tokio::time::Instant,
    timer: Pin<Box<Sleep>>,
}

impl Patience {
    /// Silence is what has lasted for so long.
    pub(crate) fn new(silence: Duration) -> Self {
        Self { silence, last: tokio::time::Instant::now(), timer: Box::pin(sleep(silence)) }
    }

    /// What comes next, or `None` if nothing does for too long.
    pub(crate) async fn wait_for<T>(&mut self, next: impl Future<Output = T>) -> Option<T> {
        let mut next = pin!(next);
        loop {
            tokio::select! {
                biased;
                next = &mut next => {
                    self.last = tokio::time::Instant::now();
                    return Some(next);
                }
                () = self.timer.as_mut() => {
                    let now = tokio::time::Instant::now();
                    let is_silent = now >= self.last + self.silence;
                    if is_silent {
                        self.last = now;
                    }
                    self.timer.as_mut().reset(self.last + self.silence);
                    if is_silent {
                        return None;
                    }
                }
            }
        }
    }
}

/// Where an error of the engine is left for whoever writes the reply.
#[derive(Debug, Clone, Default)]
pub(crate) struct Failure(Arc<OnceLock<ApiError>>);

impl Failure {
    pub(crate) fn set(&self, error: ApiError) {
        // The first one counts.
        let _ = self.0.set(error);
    }

    pub(crate) fn get(&self) -> Option<&ApiError> {
        self.0.get()
    }
}

/// An engine that ended without a word.
pub(crate) fn engine_lost(family: Family) -> ApiError {
    ApiError::new(Kind::Internal, family, "the engine has stopped")
}

/// An answer that was cut off while its client was still there.
pub(crate) fn shutting_down(family: Family) -> ApiError {
    ApiError::new(Kind::Busy, family, "the server is shutting down")
}

/// Updates as the vendor's stream processor takes them.
///
/// Whoever waits for a slot for longer than `patience` is told that the answer has begun, so that
/// signs of life may follow in the forms that come after a beginning. What is reused of the prompt
/// is not known then.
pub(crate) fn inference(
    mut updates: Updates,
    family: Family,
    failure: Failure,
    patience: Option<Duration>,
) -> impl Stream<Item = InferenceChunk> + Send {
    stream! {
        let mut patience = std::pin::pin!(async {
            match patience {
                Some(patience) => tokio::time::sleep(patience).await,
                None => std::future::pending().await,
            }
        });
        let ready = |updates: &Updates| InferenceChunk::Ready {
            system_fingerprint: None,
            prompt_usage: PromptUsage {
                prompt_tokens: updates.n_prompt,
                prompt_cache_hit_tokens: updates.n_reused,
            },
        };
        let mut is_ready = false;
        loop {
            let update = tokio::select! {
                update = updates.next() => update,
                () = &mut patience, if !is_ready => {
                    is_ready = true;
                    yield ready(&updates);
                    continue;
                }
            };
            match update {
                Some(Update::Prefill { .. }) if !is_ready => {
                    is_ready = true;
                    yield ready(&updates);
                }
                Some(Update::Queued { .. } | Update::Prefill { .. } | Update::PromptLogprobs(_)) => {}
                Some(Update::Token(token)) => yield tokens(token),
                Some(Update::Finished { reason, .. }) => {
                    match finish_reason(reason) {
                        Some(finish_reason) => yield InferenceChunk::Finish { finish_reason },
                        None => failure.set(shutting_down(family)),
                    }
                    return;
                }
                Some(Update::Failed(error)) => {
                    failure.set(ApiError::engine(family, &error));
                    return;
                }
                None => {
                    failure.set(engine_lost(family));
                    return;
                }
            }
        }
    }
}

fn tokens(token: SampledToken) -> InferenceChunk {
    let SampledToken { id, logprob, top } = token;
    let logprobs =
        logprob.map(|logprob| vec![InferenceTokenLogprob { logprob, top_logprobs: top }]);
    InferenceChunk::Tokens { token_ids: vec![id], logprobs }
}

/// Why an answer ended, or `None` if it was cut off.
fn finish_reason(reason: StopReason) -> Option<InferenceFinishReason> {
    match reason {
        StopReason::MaxTokens | StopReason::ContextFull => Some(InferenceFinishReason::Length),
        StopReason::EndOfTurn | StopReason::StopString => Some(InferenceFinishReason::Stop),
        StopReason::Cancelled => None,
    }
}
