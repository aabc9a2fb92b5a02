//! From the engine thread to a client: updates as a stream, and a stream as server-sent events.

use std::sync::{Arc, OnceLock};

use async_stream::stream;
use chat::deepseek_recipe::stream::{
    InferenceChunk, InferenceFinishReason, InferenceTokenLogprob, PromptUsage,
};
use engine::{Busy, CancelToken, Job, SampledToken, Scheduler, StopReason, Update};
use futures::Stream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::error::{ApiError, Family, Kind};

/// The updates of a job. Dropping them cancels it: nobody is left to hear.
#[derive(Debug)]
pub(crate) struct Updates {
    receiver: UnboundedReceiver<Update>,
    cancel: CancelToken,
}

impl Updates {
    /// Hands a job to the engine.
    pub(crate) fn of(scheduler: &Scheduler, job: Job, family: Family) -> Result<Self, ApiError> {
        let cancel = job.cancel.clone();
        let (sender, receiver) = unbounded_channel();
        // The other end is gone once nobody wants the answer, which the engine hears by `cancel`.
        let sink = Box::new(move |update| drop(sender.send(update)));
        let submitted = scheduler.submit(job, sink);
        submitted.map_err(|busy| match busy {
            Busy::Full { .. } | Busy::Closing => {
                ApiError::new(Kind::Busy, family, busy.to_string())
            }
        })?;
        Ok(Self { receiver, cancel })
    }

    /// The next one; `None` if the engine thread has died.
    pub(crate) async fn next(&mut self) -> Option<Update> {
        self.receiver.recv().await
    }
}

impl Drop for Updates {
    fn drop(&mut self) {
        self.cancel.cancel();
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

/// Updates as the vendor's stream processor takes them.
pub(crate) fn inference(
    mut updates: Updates,
    n_prompt: usize,
    family: Family,
    failure: Failure,
) -> impl Stream<Item = InferenceChunk> + Send {
    stream! {
        let mut ready = false;
        while let Some(update) = updates.next().await {
            match update {
                Update::Prefill { reused, .. } if !ready => {
                    ready = true;
                    yield InferenceChunk::Ready {
                        system_fingerprint: None,
                        prompt_usage: PromptUsage {
                            prompt_tokens: n_prompt,
                            prompt_cache_hit_tokens: reused,
                        },
                    };
                }
                Update::Queued { .. } | Update::Prefill { .. } | Update::PromptLogprobs(_) => {}
                Update::Token(token) => yield tokens(token),
                Update::Finished { reason, .. } => {
                    yield InferenceChunk::Finish { finish_reason: finish_reason(reason) };
                    return;
                }
                Update::Failed(error) => {
                    failure.set(ApiError::engine(family, &error));
                    return;
                }
            }
        }
        failure.set(engine_lost(family));
    }
}

fn tokens(token: SampledToken) -> InferenceChunk {
    let SampledToken { id, logprob, top } = token;
    let logprobs =
        logprob.map(|logprob| vec![InferenceTokenLogprob { logprob, top_logprobs: top }]);
    InferenceChunk::Tokens { token_ids: vec![id], logprobs }
}

fn finish_reason(reason: StopReason) -> InferenceFinishReason {
    match reason {
        StopReason::MaxTokens | StopReason::ContextFull => InferenceFinishReason::Length,
        StopReason::EndOfTurn | StopReason::StopString | StopReason::Cancelled => {
            InferenceFinishReason::Stop
        }
    }
}
