//! What is counted and timed, and how Prometheus reads it.
//!
//! Sums and states come from the scheduler at the moment of asking; the distributions are ours.

use std::time::{Duration, Instant};

use engine::{SlotState, Snapshot};
use metrics::{Counter, Histogram, Key, KeyName, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

const METADATA: Metadata<'static> = Metadata::new("server", Level::INFO, None);

const FIRST_TOKEN: &str = "ironstar_first_token_seconds";
const TOKEN: &str = "ironstar_token_seconds";
const DELIVERY: &str = "ironstar_delivery_seconds";
const REQUESTS: &str = "ironstar_http_requests_total";

/// Bounds of the distributions, in seconds.
const DISTRIBUTIONS: [(&str, &str, &[f64]); 3] = [
    (
        FIRST_TOKEN,
        "From a request's arrival at the engine to its first token",
        &[0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0],
    ),
    (
        TOKEN,
        "From one token of an answer to the next",
        &[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0],
    ),
    (
        DELIVERY,
        "From a token's being drawn to its being handed to the connection",
        &[1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 1e-2, 0.1, 1.0],
    ),
];

/// The distributions and counters of a service.
pub(crate) struct Measures {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    first_token: Histogram,
    token: Histogram,
    delivery: Histogram,
}

impl Measures {
    pub(crate) fn new() -> Self {
        let mut builder = PrometheusBuilder::new();
        for (name, _, bounds) in DISTRIBUTIONS {
            let matcher = Matcher::Full(name.to_owned());
            builder = builder.set_buckets_for_metric(matcher, bounds).expect("there are bounds");
        }
        let recorder = builder.build_recorder();
        for (name, help, _) in DISTRIBUTIONS {
            recorder.describe_histogram(KeyName::from_const_str(name), None, help.into());
        }
        let help = "Requests answered, by path and status";
        recorder.describe_counter(KeyName::from_const_str(REQUESTS), None, help.into());
        let histogram = |name| recorder.register_histogram(&Key::from_static_name(name), &METADATA);
        let (first_token, token) = (histogram(FIRST_TOKEN), histogram(TOKEN));
        let delivery = histogram(DELIVERY);
        Self { handle: recorder.handle(), recorder, first_token, token, delivery }
    }

    /// Counts an answered request.
    pub(crate) fn request(&self, path: &str, status: u16) {
        let labels =
            vec![Label::new("path", path.to_owned()), Label::new("status", status.to_string())];
        let key = Key::from_parts(REQUESTS, labels);
        self.recorder.register_counter(&key, &METADATA).increment(1);
    }

    /// Puts what was timed into its distribution. To be called now and then: until then, each
    /// value is held by itself.
    pub(crate) fn settle(&self) {
        self.handle.run_upkeep();
    }

    /// Everything, in the text format of Prometheus.
    pub(crate) fn render(&self, snapshot: Option<&Snapshot>) -> String {
        if let Some(snapshot) = snapshot {
            self.take_in(snapshot);
        }
        self.handle.render()
    }

    fn take_in(&self, snapshot: &Snapshot) {
        let totals = snapshot.totals;
        let count = |state| snapshot.slots.iter().filter(|slot| slot.state == state).count() as f64;
        let held: usize = snapshot.slots.iter().map(|slot| slot.n_tokens).sum();
        let gauges = [
            ("ironstar_requests_waiting", "Requests that wait for a slot", snapshot.waiting as f64),
            ("ironstar_slots_prefill", "Slots that run a prompt", count(SlotState::Prefill)),
            ("ironstar_slots_decode", "Slots that answer", count(SlotState::Decode)),
            ("ironstar_slots_idle", "Slots that do nothing", count(SlotState::Idle)),
            ("ironstar_kv_tokens", "Tokens in KV over all slots", held as f64),
            ("ironstar_busy_seconds", "Time in which the model ran", totals.busy_seconds),
        ];
        for (name, help, value) in gauges {
            self.recorder.describe_gauge(KeyName::from_const_str(name), None, help.into());
            self.recorder.register_gauge(&Key::from_static_name(name), &METADATA).set(value);
        }
        let counters = [
            ("ironstar_requests_started_total", "Requests that got a slot", totals.started),
            ("ironstar_requests_finished_total", "Requests answered to the end", totals.finished),
            ("ironstar_requests_cancelled_total", "Requests cancelled", totals.cancelled),
            ("ironstar_requests_failed_total", "Requests that failed", totals.failed),
            ("ironstar_prompt_tokens_total", "Tokens of prompts", totals.prompt_tokens),
            (
                "ironstar_reused_tokens_total",
                "Tokens of prompts that were in KV already",
                totals.reused_tokens,
            ),
            ("ironstar_generated_tokens_total", "Tokens of answers", totals.generated_tokens),
            ("ironstar_steps_total", "Batches that were run", totals.steps),
        ];
        for (name, help, value) in counters {
            self.recorder.describe_counter(KeyName::from_const_str(name), None, help.into());
            let counter: Counter =
                self.recorder.register_counter(&Key::from_static_name(name), &METADATA);
            counter.absolute(value);
        }
    }
}

/// The times of one answer.
pub(crate) struct Stopwatch {
    first_token: Histogram,
    token: Histogram,
    delivery: Histogram,
    /// When the last token was drawn; before the first one, when the request arrived.
    last: Instant,
    n_tokens: usize,
    /// When the token that is being delivered was drawn.
    drawn: Option<Instant>,
}

impl Stopwatch {
    pub(crate) fn start(measures: &Measures) -> Self {
        Self {
            first_token: measures.first_token.clone(),
            token: measures.token.clone(),
            delivery: measures.delivery.clone(),
            last: Instant::now(),
            n_tokens: 0,
            drawn: None,
        }
    }

    /// A token that was drawn at `drawn` is about to be delivered.
    pub(crate) fn token(&mut self, drawn: Instant) {
        let waited: Duration = drawn.saturating_duration_since(self.last);
        let distribution = if self.n_tokens == 0 { &self.first_token } else { &self.token };
        distribution.record(waited);
        (self.last, self.drawn) = (drawn, Some(drawn));
        self.n_tokens += 1;
    }

    /// What was about to be delivered has been.
    pub(crate) fn delivered(&mut self) {
        if let Some(drawn) = self.drawn.take() {
            self.delivery.record(drawn.elapsed());
        }
    }
}
