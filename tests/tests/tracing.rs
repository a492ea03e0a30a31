//! What a subscriber of the crate `tracing` sees of sockets, on every runtime.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use sansmq::kind::{Dealer, Router};
use sansmq::{Event, Handle, NetworkError, Options};
use sansmq_tests::runtimes::{ALL, TestRuntime, limited};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Metadata, Subscriber};

const ANY: &str = "tcp://127.0.0.1:*";
const LIMIT: Duration = Duration::from_mins(1);

/// Everything a subscriber was told.
#[derive(Default)]
struct Seen {
    spans: BTreeMap<u64, Span>,
    records: Vec<Told>,
}

struct Span {
    name: &'static str,
    parent: Option<u64>,
    fields: Fields,
    entered: usize,
    /// How many hold it.
    holders: usize,
}

struct Told {
    level: Level,
    span: Option<u64>,
    fields: Fields,
}

/// By name, as text.
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

/// The subscriber of the process. Its tests take turns.
static COLLECTOR: Collector = Collector {
    seen: Mutex::new(Seen { spans: BTreeMap::new(), records: Vec::new() }),
    level: Mutex::new(None),
    at_record: Mutex::new(None),
};

struct Collector {
    seen: Mutex<Seen>,
    /// `None`: it wants to hear nothing.
    level: Mutex<Option<Level>>,
    /// What it does at each record.
    at_record: Mutex<Option<Hook>>,
}

type Hook = Arc<dyn Fn(&str) + Send + Sync>;

/// The subscriber, as far as sockets are concerned that were made after this.
#[derive(Clone, Copy)]
struct Ear {
    first: u64,
}

impl Ear {
    fn new(level: Option<Level>) -> Self {
        *COLLECTOR.level.lock().unwrap() = level;
        tracing::callsite::rebuild_interest_cache();
        Self { first: COLLECTOR.seen.lock().unwrap().next() }
    }

    /// The records of that text; of any, if it is empty.
    fn told(self, message: &str) -> Vec<Whole> {
        let seen = COLLECTOR.seen.lock().unwrap();
        let of_text =
            seen.records.iter().filter(|record| message.is_empty() || record.fields.get("message") == message);
        let whole = of_text.filter_map(|record| {
            let (mut chain, mut of, mut next) = (Vec::new(), Fields::default(), Some(record.span?));
            let mut root = 0;
            while let Some((id, span)) = next.map(|id| (id, &seen.spans[&id])) {
                chain.insert(0, span.name);
                of.0.extend(span.fields.0.clone());
                (root, next) = (id, span.parent);
            }
            let whole = Whole { level: record.level, chain: chain.join("/"), of, fields: record.fields.clone() };
            (root >= self.first).then_some(whole)
        });
        whole.collect()
    }

    /// Whether that is so of all spans.
    fn all(self, is_so: fn(&Span) -> bool) -> bool {
        COLLECTOR.seen.lock().unwrap().spans.range(self.first..).all(|(_, span)| is_so(span))
    }

    /// Runs the runtime until there are so many records of that text.
    fn wait_for(self, runtime: &mut dyn TestRuntime, count: usize, message: &str) {
        until(runtime, message, || self.told(message).len() >= count);
    }
}

/// A record with its spans.
struct Whole {
    level: Level,
    /// The names of its spans.
    chain: String,
    /// The fields of its spans.
    of: Fields,
    fields: Fields,
}

fn until(runtime: &mut dyn TestRuntime, what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LIMIT / 2, "never so: {what}");
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
        seen.spans.insert(id, Span { name, parent, fields, entered: 0, holders: 1 });
        Id::from_u64(id)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let message = fields.get("message").to_owned();
        let told = Told { level: *event.metadata().level(), span: event.parent().map(Id::into_u64), fields };
        self.seen.lock().unwrap().records.push(told);
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
        self.seen.lock().unwrap().spans.get_mut(&id.into_u64()).unwrap().holders += 1;
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let mut seen = self.seen.lock().unwrap();
        let span = seen.spans.get_mut(&id.into_u64()).unwrap();
        span.holders -= 1;
        span.holders == 0
    }
}

/// Gives each runtime in turn, with what the subscriber hears of two sockets there.
fn on_each(level: Option<Level>, test: fn(&mut dyn TestRuntime, Ear, Handle<Router>, Handle<Dealer>)) {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = tracing::subscriber::set_global_default(&COLLECTOR);
    limited(LIMIT, move || {
        for (name, make) in ALL {
            eprintln!("on {name}");
            let mut runtime = make();
            let (handle, ear) = (runtime.handle(), Ear::new(level));
            test(&mut *runtime, ear, handle.socket(Options::new()), handle.socket(Options::new()));
            let start = Instant::now();
            while runtime.tasks() > 0 {
                assert!(start.elapsed() < LIMIT / 2, "a subscriber keeps no socket");
                runtime.step();
            }
        }
    });
    drop(turn);
}

/// Question and answer.
async fn converse(router: &Handle<Router>, dealer: &Handle<Dealer>) {
    dealer.send("question").await.unwrap();
    let [client, question] = router.recv().await.unwrap().into_array().unwrap();
    assert_eq!(question, "question");
    router.send((client, "answer")).await.unwrap();
    assert_eq!(dealer.recv().await.unwrap().body(), "answer");
}

#[test]
fn a_conversation_is_told_within_the_spans_of_its_sockets_and_links() {
    on_each(Some(Level::DEBUG), |runtime, ear, router, dealer| {
        runtime.run(Box::pin(async {
            let endpoint = router.bind(ANY).await.unwrap();
            dealer.connect(&endpoint).unwrap();
            converse(&router, &dealer).await;
            router.send(("nobody", "lost")).await.unwrap();
        }));
        ear.wait_for(runtime, 2, "ready");
        let listening = ear.told("listening").remove(0);
        assert_eq!((listening.level, listening.chain.as_str()), (Level::INFO, "socket"));
        assert_eq!(listening.of.get("type"), "ROUTER");
        let endpoint = listening.fields.get("endpoint");
        assert!(endpoint.starts_with("tcp://127.0.0.1:"));

        let accepted = ear.told("accepted").remove(0);
        assert_eq!((accepted.level, accepted.chain.as_str()), (Level::DEBUG, "socket/link"));
        assert_eq!((accepted.of.get("type"), accepted.fields.get("listener")), ("ROUTER", endpoint));
        assert!(accepted.of.get("endpoint") != endpoint && accepted.of.get("pipe").starts_with("pipe "));

        let connecting = ear.told("connecting").remove(0);
        assert_eq!((connecting.level, connecting.chain.as_str()), (Level::DEBUG, "socket"));
        assert_eq!((connecting.of.get("type"), connecting.fields.get("endpoint")), ("DEALER", endpoint));

        let connected = ear.told("connected").remove(0);
        assert_eq!((connected.level, connected.chain.as_str()), (Level::DEBUG, "socket/link"));
        assert_eq!((connected.of.get("type"), connected.of.get("endpoint")), ("DEALER", endpoint));

        for ready in ear.told("ready") {
            assert_eq!((ready.level, ready.chain.as_str()), (Level::INFO, "socket/link"));
            let is_router = ready.of.get("type") == "ROUTER";
            assert_eq!(ready.fields.get("peer"), if is_router { "DEALER" } else { "ROUTER" });
            // An automatic routing id begins with a zero, which has to be escaped.
            assert_eq!(ready.fields.get("routing_id").starts_with("\"\\x00"), is_router);
        }
        ear.wait_for(runtime, 1, "messages dropped");
        let dropped = ear.told("messages dropped").remove(0);
        assert_eq!((dropped.level, dropped.chain.as_str()), (Level::DEBUG, "socket"));
        assert_eq!((dropped.fields.get("reason"), dropped.fields.get("messages")), ("Unroutable", "1"));
        assert!(ear.all(|span| span.name != "link" || span.entered > 0), "a link runs within its span");

        drop((router, dealer));
        ear.wait_for(runtime, 2, "disconnected");
        ear.wait_for(runtime, 1, "no longer listening");
        ear.wait_for(runtime, 2, "closed");
        assert!(
            ear.told("closed").iter().all(|closed| (closed.level, closed.chain.as_str()) == (Level::INFO, "socket"))
        );
        assert!(ear.told("disconnected").iter().all(|disconnected| disconnected.chain == "socket/link"));
        until(runtime, "all spans are closed", || ear.all(|span| span.holders == 0));
    });
}

#[test]
fn failures_are_told_with_their_reasons() {
    on_each(Some(Level::DEBUG), |runtime, ear, router, dealer| {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("tcp://{}", taken.local_addr().unwrap());
        runtime.run(Box::pin(async {
            router.bind(endpoint.as_str()).await.unwrap_err();
            drop(taken);
            dealer.connect(endpoint.as_str()).unwrap();
        }));
        ear.wait_for(runtime, 1, "could not listen");
        let failed = ear.told("could not listen").remove(0);
        assert_eq!((failed.level, failed.fields.get("endpoint")), (Level::WARN, endpoint.as_str()));
        assert_eq!(failed.fields.get("error"), NetworkError::AddressInUse.to_string());
        ear.wait_for(runtime, 1, "could not connect");
        let failed = ear.told("could not connect").remove(0);
        assert_eq!((failed.level, failed.of.get("type")), (Level::DEBUG, "DEALER"));
        assert!(failed.fields.get("retry_ms").parse::<u64>().is_ok());

        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("tcp://{}", silent.local_addr().unwrap());
        dealer.connect(endpoint.as_str()).unwrap();
        ear.wait_for(runtime, 1, "connected");
        drop(silent.accept().unwrap());
        ear.wait_for(runtime, 1, "handshake failed");
        let failed = ear.told("handshake failed").remove(0);
        assert_eq!((failed.level, failed.chain.as_str()), (Level::INFO, "socket/link"));
        assert_eq!(failed.of.get("endpoint"), endpoint);
        assert!(ear.told("disconnected").is_empty());
    });
}

#[test]
fn a_filter_for_warnings_shows_them_in_their_spans_and_nothing_else() {
    on_each(Some(Level::WARN), |runtime, ear, router, dealer| {
        runtime.run(Box::pin(async {
            let endpoint = router.bind(ANY).await.unwrap();
            dealer.connect(&endpoint).unwrap();
            converse(&router, &dealer).await;
            router.bind(&endpoint).await.unwrap_err();
        }));
        ear.wait_for(runtime, 1, "could not listen");
        assert_eq!(ear.told("could not listen").remove(0).chain, "socket");
        assert_eq!(ear.told("").len(), 1);
    });
}

#[test]
fn monitors_hear_what_they_would_hear_without_it_and_may_come_and_go() {
    on_each(Some(Level::INFO), |runtime, ear, router, dealer| {
        runtime.run(Box::pin(async {
            let endpoint = router.bind(ANY).await.unwrap();
            let mut monitor = router.monitor();
            dealer.connect(&endpoint).unwrap();
            converse(&router, &dealer).await;
            assert!(matches!(monitor.next().await, Some(Event::Accepted { .. })), "nothing from before it was there");
            assert!(matches!(monitor.next().await, Some(Event::Ready { .. })));
            drop(monitor);
            router.unbind(&endpoint).await.unwrap();
        }));
        ear.wait_for(runtime, 1, "no longer listening");
    });
}

#[test]
fn where_nobody_subscribes_sockets_and_their_monitors_work_in_silence() {
    on_each(None, |runtime, ear, router, dealer| {
        runtime.run(Box::pin(async {
            let mut monitor = router.monitor();
            dealer.connect(router.bind(ANY).await.unwrap()).unwrap();
            converse(&router, &dealer).await;
            assert!(matches!(monitor.next().await, Some(Event::Listening { .. })));
        }));
        assert_eq!(ear.told("").len(), 0);
        assert!(ear.all(|_| false), "there are no spans");
    });
}

#[test]
fn a_subscriber_may_use_the_socket_it_hears_of() {
    on_each(Some(Level::DEBUG), |runtime, ear, router, dealer| {
        let hook: Hook = Arc::new({
            let router = router.clone();
            move |message| {
                drop((format!("{router:?}"), router.monitor()));
                if message == "ready" {
                    // Which is told in its turn.
                    router.try_send(("nobody", "lost")).unwrap();
                }
            }
        });
        *COLLECTOR.at_record.lock().unwrap() = Some(hook);
        runtime.run(Box::pin(async {
            dealer.connect(router.bind(ANY).await.unwrap()).unwrap();
            converse(&router, &dealer).await;
        }));
        ear.wait_for(runtime, 2, "messages dropped");
        let hook = COLLECTOR.at_record.lock().unwrap().take();
        drop(hook);
    });
}
