//! Tests of the spans and records that sockets emit to a subscriber of the crate `tracing`, on each runtime.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use sansmq::curve::KeyPair;
use sansmq::kind::{Dealer, Router};
use sansmq::{Event, Handle, NetworkError, Options, Security};
use sansmq_tests::raw_peer::greeting_and_ready;
use sansmq_tests::runtimes::{ALL, TestRuntime, limited};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Metadata, Subscriber};

const ANY: &str = "tcp://127.0.0.1:*";
const LIMIT: Duration = Duration::from_mins(1);

/// Spans and records that the subscriber of the tests has received so far.
#[derive(Default)]
struct Seen {
    spans: BTreeMap<u64, Span>,
    records: Vec<RawRecord>,
}

struct Span {
    name: &'static str,
    parent: Option<u64>,
    fields: Fields,
    entered: usize,
    /// Number of references to the span that have not been dropped yet.
    references: usize,
}

struct RawRecord {
    level: Level,
    span: Option<u64>,
    fields: Fields,
}

/// Values of the fields of a span or record, as text, by name of the field.
#[derive(Default, Clone)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl Fields {
    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

/// Global `tracing` subscriber of this process. All tests share it, so [`on_each`] runs one test at a time.
static COLLECTOR: Collector = Collector {
    seen: Mutex::new(Seen { spans: BTreeMap::new(), records: Vec::new() }),
    level: Mutex::new(None),
    at_record: Mutex::new(None),
};

struct Collector {
    seen: Mutex<Seen>,
    /// Most verbose level of the records that are kept; `None` to keep no records.
    level: Mutex<Option<Level>>,
    /// Function that is called with the message of each record; `None` for no function.
    at_record: Mutex<Option<Hook>>,
}

type Hook = Arc<dyn Fn(&str) + Send + Sync>;

/// View of the spans and records in [`COLLECTOR`]. It contains only those of sockets that were created after the view,
/// so that a test does not see the records of earlier tests.
#[derive(Clone, Copy)]
struct View {
    first: u64,
}

impl View {
    fn new(level: Option<Level>) -> Self {
        *COLLECTOR.level.lock().unwrap() = level;
        tracing::callsite::rebuild_interest_cache();
        Self { first: COLLECTOR.seen.lock().unwrap().next() }
    }

    /// Returns the records with this message; all records if `message` is empty.
    fn records(self, message: &str) -> Vec<SpannedRecord> {
        let seen = COLLECTOR.seen.lock().unwrap();
        let matching =
            seen.records.iter().filter(|record| message.is_empty() || record.fields.get("message") == message);
        let with_spans = matching.filter_map(|record| {
            let (mut chain, mut span_fields, mut next) = (Vec::new(), Fields::default(), Some(record.span?));
            let mut root = 0;
            while let Some((id, span)) = next.map(|id| (id, &seen.spans[&id])) {
                chain.insert(0, span.name);
                span_fields.0.extend(span.fields.0.clone());
                (root, next) = (id, span.parent);
            }
            let record_with_spans = SpannedRecord {
                level: record.level,
                chain: chain.join("/"),
                span_fields,
                fields: record.fields.clone(),
            };
            (root >= self.first).then_some(record_with_spans)
        });
        with_spans.collect()
    }

    /// Returns true if `condition` holds for all spans of the view.
    fn all(self, condition: fn(&Span) -> bool) -> bool {
        COLLECTOR.seen.lock().unwrap().spans.range(self.first..).all(|(_, span)| condition(span))
    }

    /// Runs the tasks of `runtime` until the view contains at least `count` records with the text `message`.
    fn wait_for(self, runtime: &mut dyn TestRuntime, count: usize, message: &str) {
        until(runtime, message, || self.records(message).len() >= count);
    }
}

/// A record of a socket, with the names and fields of the spans in which it was emitted.
struct SpannedRecord {
    level: Level,
    /// Names of the spans in which the record was emitted, outermost first, separated by `/`.
    chain: String,
    /// Fields of all spans in which the record was emitted.
    span_fields: Fields,
    fields: Fields,
}

fn until(runtime: &mut dyn TestRuntime, what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LIMIT / 2, "timeout: {what}");
        runtime.step();
    }
}

impl Seen {
    fn next(&self) -> u64 {
        u64::try_from(self.spans.len()).unwrap() + 1
    }
}

impl Subscriber for &'static Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let level = *self.level.lock().unwrap();
        metadata.target() == "sansmq" && level.is_some_and(|level| *metadata.level() <= level)
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let mut seen = self.seen.lock().unwrap();
        let id = seen.next();
        let (name, parent) = (attributes.metadata().name(), attributes.parent().map(Id::into_u64));
        seen.spans.insert(id, Span { name, parent, fields, entered: 0, references: 1 });
        Id::from_u64(id)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let message = fields.get("message").to_owned();
        let record = RawRecord { level: *event.metadata().level(), span: event.parent().map(Id::into_u64), fields };
        self.seen.lock().unwrap().records.push(record);
        let at_record = self.at_record.lock().unwrap().clone();
        if let Some(at_record) = at_record {
            at_record(&message);
        }
    }

    fn enter(&self, span: &Id) {
        self.seen.lock().unwrap().spans.get_mut(&span.into_u64()).unwrap().entered += 1;
    }

    fn exit(&self, _: &Id) {}

    fn clone_span(&self, id: &Id) -> Id {
        self.seen.lock().unwrap().spans.get_mut(&id.into_u64()).unwrap().references += 1;
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let mut seen = self.seen.lock().unwrap();
        let span = seen.spans.get_mut(&id.into_u64()).unwrap();
        span.references -= 1;
        span.references == 0
    }
}

/// Lock of the test that is running.
static TURN: Mutex<()> = Mutex::new(());

/// Runs a test on each runtime, with a new ROUTER, a new DEALER, and a [`View`] of the spans and records of these two
/// sockets. `level` is the most verbose level of the records that are kept; with `None`, no records are kept.
fn on_each(level: Option<Level>, test: fn(&mut dyn TestRuntime, View, Handle<Router>, Handle<Dealer>)) {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = tracing::subscriber::set_global_default(&COLLECTOR);
    limited(LIMIT, move || {
        for (name, make) in ALL {
            eprintln!("on {name}");
            let mut runtime = make();
            let (handle, view) = (runtime.handle(), View::new(level));
            test(&mut *runtime, view, handle.socket(Options::new()), handle.socket(Options::new()));
            let start = Instant::now();
            while runtime.tasks() > 0 {
                assert!(start.elapsed() < LIMIT / 2, "a subscriber must not keep sockets open");
                runtime.step();
            }
        }
    });
    drop(turn);
}

/// Exchanges a request and a reply.
async fn round_trip(router: &Handle<Router>, dealer: &Handle<Dealer>) {
    dealer.send("request").await.unwrap();
    let [client, request] = router.recv().await.unwrap().into_array().unwrap();
    assert_eq!(request, "request");
    router.send((client, "reply")).await.unwrap();
    assert_eq!(dealer.recv().await.unwrap().body(), "reply");
}

#[test]
fn records_are_inside_spans_of_socket_and_connection() {
    on_each(Some(Level::DEBUG), |runtime, view, router, dealer| {
        runtime.run(Box::pin(async {
            let endpoint = router.bind(ANY).await.unwrap();
            dealer.connect(&endpoint).unwrap();
            round_trip(&router, &dealer).await;
            router.send(("unknown", "lost")).await.unwrap();
        }));
        view.wait_for(runtime, 2, "ready");
        let listening = view.records("listening").remove(0);
        assert_eq!((listening.level, listening.chain.as_str()), (Level::INFO, "socket"));
        assert_eq!(listening.span_fields.get("type"), "ROUTER");
        let endpoint = listening.fields.get("endpoint");
        assert!(endpoint.starts_with("tcp://127.0.0.1:"));

        let accepted = view.records("accepted").remove(0);
        assert_eq!((accepted.level, accepted.chain.as_str()), (Level::DEBUG, "socket/link"));
        assert_eq!((accepted.span_fields.get("type"), accepted.fields.get("listener")), ("ROUTER", endpoint));
        assert!(
            accepted.span_fields.get("endpoint") != endpoint && accepted.span_fields.get("pipe").starts_with("pipe ")
        );

        let connecting = view.records("connecting").remove(0);
        assert_eq!((connecting.level, connecting.chain.as_str()), (Level::DEBUG, "socket"));
        assert_eq!((connecting.span_fields.get("type"), connecting.fields.get("endpoint")), ("DEALER", endpoint));

        let connected = view.records("connected").remove(0);
        assert_eq!((connected.level, connected.chain.as_str()), (Level::DEBUG, "socket/link"));
        assert_eq!((connected.span_fields.get("type"), connected.span_fields.get("endpoint")), ("DEALER", endpoint));

        for ready in view.records("ready") {
            assert_eq!((ready.level, ready.chain.as_str()), (Level::INFO, "socket/link"));
            let is_router = ready.span_fields.get("type") == "ROUTER";
            assert_eq!(ready.fields.get("peer"), if is_router { "DEALER" } else { "ROUTER" });
            // A generated routing id begins with a zero byte, which must be escaped.
            assert_eq!(ready.fields.get("routing_id").starts_with("\"\\x00"), is_router);
        }
        view.wait_for(runtime, 1, "messages dropped");
        let dropped = view.records("messages dropped").remove(0);
        assert_eq!((dropped.level, dropped.chain.as_str()), (Level::DEBUG, "socket"));
        assert_eq!((dropped.fields.get("reason"), dropped.fields.get("messages")), ("Unroutable", "1"));
        assert!(view.all(|span| span.name != "link" || span.entered > 0), "a task of a connection must enter its span");

        drop((router, dealer));
        view.wait_for(runtime, 2, "disconnected");
        view.wait_for(runtime, 1, "no longer listening");
        view.wait_for(runtime, 2, "closed");
        assert!(
            view.records("closed")
                .iter()
                .all(|closed| (closed.level, closed.chain.as_str()) == (Level::INFO, "socket"))
        );
        assert!(view.records("disconnected").iter().all(|disconnected| disconnected.chain == "socket/link"));
        until(runtime, "all spans are closed", || view.all(|span| span.references == 0));
    });
}

#[test]
fn failed_operations_are_recorded_with_reasons() {
    on_each(Some(Level::DEBUG), |runtime, view, router, dealer| {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("tcp://{}", taken.local_addr().unwrap());
        runtime.run(Box::pin(async {
            router.bind(endpoint.as_str()).await.unwrap_err();
            drop(taken);
            dealer.connect(endpoint.as_str()).unwrap();
        }));
        view.wait_for(runtime, 1, "could not listen");
        let failed = view.records("could not listen").remove(0);
        assert_eq!((failed.level, failed.fields.get("endpoint")), (Level::WARN, endpoint.as_str()));
        assert_eq!(failed.fields.get("error"), NetworkError::AddressInUse.to_string());
        view.wait_for(runtime, 1, "could not connect");
        let failed = view.records("could not connect").remove(0);
        assert_eq!((failed.level, failed.span_fields.get("type")), (Level::DEBUG, "DEALER"));
        assert!(failed.fields.get("retry_ms").parse::<u64>().is_ok());
        // One warning for each row of failures, and not for the first failure, which is usual while programs start.
        view.wait_for(runtime, 3, "could not connect");
        let levels: Vec<_> = view.records("could not connect").iter().take(3).map(|record| record.level).collect();
        assert_eq!(levels, [Level::DEBUG, Level::WARN, Level::DEBUG]);

        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("tcp://{}", silent.local_addr().unwrap());
        dealer.connect(endpoint.as_str()).unwrap();
        view.wait_for(runtime, 1, "connected");
        drop(silent.accept().unwrap());
        view.wait_for(runtime, 1, "handshake failed");
        let failed = view.records("handshake failed").remove(0);
        assert_eq!((failed.level, failed.chain.as_str()), (Level::WARN, "socket/link"));
        assert_eq!(failed.span_fields.get("endpoint"), endpoint);
        assert!(view.records("disconnected").is_empty());
    });
}

#[test]
fn warn_filter_passes_only_warnings_with_spans() {
    on_each(Some(Level::WARN), |runtime, view, router, dealer| {
        runtime.run(Box::pin(async {
            let endpoint = router.bind(ANY).await.unwrap();
            dealer.connect(&endpoint).unwrap();
            round_trip(&router, &dealer).await;
            router.bind(&endpoint).await.unwrap_err();
        }));
        view.wait_for(runtime, 1, "could not listen");
        assert_eq!(view.records("could not listen").remove(0).chain, "socket");
        assert_eq!(view.records("").len(), 1);
    });
}

#[test]
fn message_that_a_limit_refuses_is_a_warning_at_both_sides() {
    on_each(Some(Level::INFO), |runtime, view, router, dealer| {
        runtime.run(Box::pin(async {
            dealer.connect(router.bind(ANY).await.unwrap()).unwrap();
            dealer.send(vec![7; 65 << 20]).await.unwrap();
        }));
        view.wait_for(runtime, 2, "disconnected");
        let records = view.records("disconnected");
        assert!(records.iter().all(|record| record.level == Level::WARN));
        for text in ["see `Options::max_message_size` at the peer, and", "but the limit is 67108864; see"] {
            assert_eq!(records.iter().filter(|record| record.fields.get("reason").contains(text)).count(), 1, "{text}");
        }
    });
}

#[test]
fn connection_closed_within_a_message_is_a_warning() {
    on_each(Some(Level::INFO), |runtime, view, _, dealer| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
        // The peer has no socket of sansmq, and gives no reason.
        let peer = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(&greeting_and_ready("ROUTER")).unwrap();
            stream.read_exact(&mut vec![0; 100_000]).unwrap();
        });
        runtime.run(Box::pin(async {
            dealer.connect(endpoint.as_str()).unwrap();
            dealer.send(vec![7; 50 << 20]).await.unwrap();
        }));
        view.wait_for(runtime, 1, "disconnected");
        peer.join().unwrap();
        let record = view.records("disconnected").remove(0);
        assert_eq!(record.level, Level::WARN);
        let reason = record.fields.get("reason");
        assert!(reason.contains("while a message of 52428809 bytes was being sent"), "{reason}");
        assert!(reason.contains("`Options::max_message_size`"), "{reason}");
    });
}

#[test]
fn monitor_may_be_added_and_dropped_with_subscriber() {
    on_each(Some(Level::INFO), |runtime, view, router, dealer| {
        runtime.run(Box::pin(async {
            let endpoint = router.bind(ANY).await.unwrap();
            let mut monitor = router.monitor();
            dealer.connect(&endpoint).unwrap();
            round_trip(&router, &dealer).await;
            assert!(
                matches!(monitor.next().await, Some(Event::Accepted { .. })),
                "a monitor must not receive earlier events"
            );
            assert!(matches!(monitor.next().await, Some(Event::Ready { .. })));
            drop(monitor);
            router.unbind(&endpoint).await.unwrap();
        }));
        view.wait_for(runtime, 1, "no longer listening");
    });
}

#[test]
fn disabled_subscriber_receives_no_records_or_spans() {
    on_each(None, |runtime, view, router, dealer| {
        runtime.run(Box::pin(async {
            let mut monitor = router.monitor();
            dealer.connect(router.bind(ANY).await.unwrap()).unwrap();
            round_trip(&router, &dealer).await;
            assert!(matches!(monitor.next().await, Some(Event::Listening { .. })));
        }));
        assert_eq!(view.records("").len(), 0);
        assert!(view.all(|_| false), "no span may be created");
    });
}

#[test]
fn subscriber_may_use_the_socket_of_a_record() {
    on_each(Some(Level::DEBUG), |runtime, view, router, dealer| {
        let hook: Hook = Arc::new({
            let router = router.clone();
            move |message| {
                drop((format!("{router:?}"), router.monitor()));
                if message == "ready" {
                    // The drop of this message emits a record, and so calls the hook again.
                    router.try_send(("unknown", "lost")).unwrap();
                }
            }
        });
        *COLLECTOR.at_record.lock().unwrap() = Some(hook);
        runtime.run(Box::pin(async {
            dealer.connect(router.bind(ANY).await.unwrap()).unwrap();
            round_trip(&router, &dealer).await;
        }));
        view.wait_for(runtime, 2, "messages dropped");
        let hook = COLLECTOR.at_record.lock().unwrap().take();
        drop(hook);
    });
}

/// Ends each runtime while a DEALER has sent a message and holds two more.
#[test]
fn runtime_end_with_unsent_messages_is_a_warning() {
    const MESSAGE: &str =
        "the runtime ended before all messages were sent: wait for `close` of the socket or of its context first";
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = tracing::subscriber::set_global_default(&COLLECTOR);
    for (name, make) in ALL {
        for is_dropped in [false, true] {
            let mut runtime = make();
            let (handle, view) = (runtime.handle(), View::new(Some(Level::WARN)));
            let (router, dealer) = (handle.socket(Options::<Router>::new()), handle.socket(Options::<Dealer>::new()));
            runtime.run(Box::pin(async {
                dealer.connect(router.bind(ANY).await.unwrap()).unwrap();
                round_trip(&router, &dealer).await;
                router.close().await;
            }));
            dealer.try_send("unsent").unwrap();
            dealer.try_send("unsent").unwrap();
            if is_dropped {
                drop(dealer);
            }
            assert!(view.records(MESSAGE).is_empty());
            drop((handle, runtime));
            let records = view.records(MESSAGE);
            assert_eq!(records.len(), 1, "on {name}");
            assert_eq!((records[0].level, records[0].fields.get("unsent")), (Level::WARN, "2"), "on {name}");
            assert_eq!(records[0].span_fields.get("type"), "DEALER");
        }
    }
}

#[test]
fn server_without_authenticator_is_a_warning_per_endpoint() {
    const MESSAGE: &str = "every peer is rejected, because no authenticator is configured and no ZAP handler is bound: add \
                           `.authenticator(AllowList::new()…)` to the options, or `.any_key()` if a CURVE server must accept every \
                           client";
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = tracing::subscriber::set_global_default(&COLLECTOR);
    for (name, make) in ALL {
        for security in [Security::PlainServer, Security::curve_server(KeyPair::random())] {
            let mut runtime = make();
            let (handle, view) = (runtime.handle(), View::new(Some(Level::WARN)));
            let router = handle.socket(Options::<Router>::new().security(security));
            let mut endpoints = Vec::new();
            runtime.run(Box::pin(async {
                let bound = router.bind(ANY).await.unwrap();
                router.connect("tcp://localhost:1").unwrap();
                router.close().await;
                endpoints.extend([bound.to_string(), "tcp://localhost:1".to_owned()]);
            }));
            let records = view.records(MESSAGE);
            assert!(records.iter().all(|record| record.level == Level::WARN), "on {name}");
            let warned: Vec<_> = records.iter().map(|record| record.fields.get("endpoint").to_owned()).collect();
            assert_eq!(warned, endpoints, "on {name}");
        }
    }
}
