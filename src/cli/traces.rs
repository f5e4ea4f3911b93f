//! A run as an OpenTelemetry trace: one span for the run, below it one for each
//! stage, below those the model calls and the trials.
//!
//! There with the feature `opentelemetry` alone, and silent unless the
//! environment names a collector. Tells ids, names, counts, times and costs;
//! never code, output of tests, prompts or messages of errors.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::SystemTime;

use heal::event::Event;
use heal::event::Listener;
use opentelemetry::Context;
use opentelemetry::KeyValue;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::Span as _;
use opentelemetry::trace::SpanBuilder;
use opentelemetry::trace::SpanKind;
use opentelemetry::trace::Status;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::trace::Tracer;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::Protocol;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracer;
use opentelemetry_sdk::trace::SdkTracerProvider;
use opentelemetry_sdk::trace::Span;

/// Either of these makes heal tell its runs
/// (<https://opentelemetry.io/docs/specs/otel/protocol/exporter/>).
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// What they are told in; where neither says it, as the specification has it.
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];

/// The longest that the end of a run waits for the collector.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tells a collector of one run.
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    state: Mutex<State>,
}

/// The spans that have not ended.
#[derive(Default)]
struct State {
    run: Option<Span>,
    stage: Option<Span>,
    /// By model, the earliest call first.
    calls: HashMap<String, Vec<Span>>,
}

impl Traces {
    /// Traces for this process; `None` where no collector is named, or the
    /// SDK is switched off by `OTEL_SDK_DISABLED`.
    ///
    /// # Errors
    /// The variables name no collector that can be used: why.
    pub fn named() -> Result<Option<Arc<Traces>>, String> {
        let set = |name: &str| std::env::var(name).is_ok_and(|value| !value.is_empty());
        let is_off = std::env::var("OTEL_SDK_DISABLED").is_ok_and(|value| value.eq_ignore_ascii_case("true"));
        if is_off || !ENDPOINTS.into_iter().any(set) {
            return Ok(None);
        }
        heal::http::provide_tls();
        let mut exporter = SpanExporter::builder().with_http();
        if !PROTOCOLS.into_iter().any(set) {
            exporter = exporter.with_protocol(Protocol::HttpBinary);
        }
        let exporter = exporter.build().map_err(|error| error.to_string())?;
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let mut about = Resource::builder().with_attribute(version);
        if !set("OTEL_SERVICE_NAME") {
            about = about.with_service_name("heal");
        }
        let provider = SdkTracerProvider::builder().with_resource(about.build()).with_batch_exporter(exporter).build();
        let tracer = provider.tracer("heal");
        Ok(Some(Arc::new(Traces { provider, tracer, state: Mutex::default() })))
    }

    /// Ends what has not ended, and hands it to the collector. `failed`: heal
    /// itself was stuck.
    ///
    /// # Errors
    /// The collector did not take it in time: why.
    pub fn end(&self, exit: i32, failed: bool) -> Result<(), String> {
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.calls.clear();
            state.stage = None;
            if let Some(mut run) = state.run.take() {
                run.set_attribute(KeyValue::new("process.exit.code", i64::from(exit)));
                if failed {
                    run.set_status(Status::error("heal is stuck"));
                }
            }
        }
        let flushed = self.provider.force_flush();
        let closed = self.provider.shutdown_with_timeout(PATIENCE);
        flushed.and(closed).map_err(|error| error.to_string())
    }

    fn start(&self, name: String, parent: Option<&Span>) -> Span {
        self.started(self.tracer.span_builder(name), parent)
    }

    fn started(&self, builder: SpanBuilder, parent: Option<&Span>) -> Span {
        let parent = match parent {
            Some(span) => Context::new().with_remote_span_context(span.span_context().clone()),
            None => around(),
        };
        builder.start_with_context(&self.tracer, &parent)
    }

    /// A span that is over already, and took `seconds`.
    fn over(&self, name: &'static str, seconds: f64, state: &State, attributes: Vec<KeyValue>) {
        let now = SystemTime::now();
        let took = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let builder = self.tracer.span_builder(name).with_attributes(attributes);
        let builder = builder.with_start_time(now.checked_sub(took).unwrap_or(now));
        self.started(builder, state.parent()).end_with_timestamp(now);
    }
}

impl State {
    /// What the next span is a part of.
    fn parent(&self) -> Option<&Span> {
        self.stage.as_ref().or(self.run.as_ref())
    }

    /// Notes on the stage what happened at a moment of it.
    fn moment(&mut self, name: &'static str, attributes: Vec<KeyValue>) {
        if let Some(span) = self.stage.as_mut().or(self.run.as_mut()) {
            span.add_event(name, attributes);
        }
    }

    fn call(&mut self, model: &str) -> Option<Span> {
        let calls = self.calls.get_mut(model).filter(|calls| !calls.is_empty())?;
        Some(calls.remove(0))
    }
}

/// The trace that this run is a part of, as `TRACEPARENT` tells
/// (<https://opentelemetry.io/docs/specs/otel/context/env-carriers/>).
fn around() -> Context {
    let names = ["traceparent", "tracestate"];
    let value = |name: &str| std::env::var(name.to_uppercase()).ok().map(|value| (name.to_owned(), value));
    let carrier: HashMap<String, String> = names.into_iter().filter_map(value).collect();
    TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier)
}

fn text(key: &'static str, value: &str) -> KeyValue {
    KeyValue::new(key, value.to_owned())
}

fn number(key: &'static str, value: impl TryInto<i64>) -> KeyValue {
    KeyValue::new(key, value.try_into().unwrap_or(i64::MAX))
}

fn price(usd: Option<f64>) -> Option<KeyValue> {
    usd.map(|usd| KeyValue::new("heal.usd", usd))
}

impl Listener for Traces {
    fn hear(&self, event: &Event) {
        let state = &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Started { run, arguments, resumes, .. } => {
                let command = arguments.iter().find(|word| !word.starts_with('-'));
                let mut span = self.start(command.map_or("heal".into(), |word| format!("heal {word}")), None);
                span.set_attribute(text("heal.run", run));
                span.set_attributes(resumes.iter().map(|run| text("heal.resumes", run)));
                state.run = Some(span);
            }
            Event::RunnerChosen { runner, .. } => {
                if let Some(run) = &mut state.run {
                    run.set_attribute(text("heal.runner", runner));
                }
            }
            // It runs beside a stage.
            Event::Stage { name, .. } if name == "baseline" => state.moment("baseline", Vec::new()),
            Event::Stage { name, .. } => {
                // A stage ends where the next one begins.
                state.stage = None;
                state.stage = Some(self.start(name.clone(), state.run.as_ref()));
            }
            Event::SuiteRan { passed, failed, skipped, seconds } => {
                let counts = [("heal.passed", passed), ("heal.failed", failed), ("heal.skipped", skipped)];
                self.over("suite", *seconds, state, counts.map(|(key, count)| number(key, *count)).to_vec());
            }
            Event::Reproduced { id, failed, runs, .. } => {
                let counts = [number("heal.failed", *failed), number("heal.runs", *runs)];
                state.moment("reproduced", [vec![text("heal.test", id)], counts.to_vec()].concat());
            }
            Event::Diagnosed { id, suspects, slice_tokens, .. } => {
                let counts = [number("heal.suspects", *suspects), number("heal.slice_tokens", *slice_tokens)];
                state.moment("diagnosed", [vec![text("heal.test", id)], counts.to_vec()].concat());
            }
            Event::Proposed { source, candidates } => {
                state.moment("proposed", vec![text("heal.source", source), number("heal.candidates", *candidates)]);
            }
            Event::Sieved { candidates, passed, seconds, .. } => {
                let counts = vec![number("heal.candidates", *candidates), number("heal.passed", *passed)];
                self.over("sieve", *seconds, state, counts);
            }
            Event::Asked { model, .. } => {
                // The names of the conventions for generative AI
                // (<https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/>).
                let about = [text("gen_ai.operation.name", "chat"), text("gen_ai.request.model", model)];
                let builder = self.tracer.span_builder(format!("chat {model}")).with_kind(SpanKind::Client);
                let span = self.started(builder.with_attributes(about), state.parent());
                state.calls.entry(model.clone()).or_default().push(span);
            }
            Event::Answered { model, input_tokens, output_tokens, usd, .. } => {
                if let Some(mut span) = state.call(model) {
                    span.set_attribute(number("gen_ai.usage.input_tokens", *input_tokens));
                    span.set_attribute(number("gen_ai.usage.output_tokens", *output_tokens));
                    span.set_attributes(price(*usd));
                }
            }
            Event::Unanswered { model, may_be_billed, .. } => {
                if let Some(mut span) = state.call(model) {
                    span.set_attribute(KeyValue::new("heal.may_be_billed", *may_be_billed));
                    span.set_status(Status::error("no answer"));
                }
            }
            Event::Tried { candidate, source, verdict, seconds, .. } => {
                let about = [("heal.candidate", candidate), ("heal.source", source), ("heal.verdict", verdict)];
                self.over("trial", *seconds, state, about.map(|(key, value)| text(key, value)).to_vec());
            }
            Event::Outcome { id, outcome, reason, fingerprint, proposal, source } => {
                let mut about = vec![text("heal.test", id), text("heal.outcome", outcome)];
                about.push(text("heal.fingerprint", fingerprint));
                let known = [("heal.reason", reason), ("heal.proposal", proposal), ("heal.source", source)];
                about.extend(known.into_iter().filter_map(|(key, value)| Some(text(key, value.as_deref()?))));
                if let Some(run) = &mut state.run {
                    run.add_event("outcome", about);
                }
            }
            Event::Delivered { proposal, .. } => {
                if let Some(run) = &mut state.run {
                    run.add_event("delivered", vec![text("heal.proposal", proposal)]);
                }
            }
            Event::Answering { .. } | Event::Note { .. } | Event::Finished { .. } => {}
        }
    }
}
