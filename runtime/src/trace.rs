//! [`Trace`]: a socket's life for the crate `tracing`. There is a span for the socket and one for each of its links, and the
//! events of the monitor are records in them.
//!
//! A subscriber may run any code, and even use the socket it hears of. So it is called while no lock is held, and about one
//! socket only by one thread at a time: what happens meanwhile, perhaps by the subscriber's own doing, waits for its turn, in
//! the order it happened.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use sansmq_proto::connection::Fault;
use sansmq_proto::socket::EventQueue;
use sansmq_proto::{Event, PipeId, SocketType};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing::{Level, Span, error_span};

pub(crate) struct Trace {
    socket: Span,
    records: Mutex<Records>,
}

#[derive(Default)]
struct Records {
    /// Shared, because making and dropping a `Span` calls the subscriber.
    links: BTreeMap<PipeId, Arc<Span>>,
    /// What has not been told yet.
    queue: EventQueue,
    /// Somebody is telling it.
    telling: bool,
}

/// A record at a level of its own, of the target that filters know us by.
macro_rules! record {
    ($level:expr, $span:expr, $($fields:tt)+) => {
        tracing::event!(target: "sansmq", parent: $span.id(), $level, $($fields)+)
    };
}

impl Trace {
    /// If anybody subscribes at this moment, the socket is told of until its end.
    pub(crate) fn new(socket_type: SocketType) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        // Of the gravest level, for a filter that lets only warnings pass shall show whose they are.
        let socket = error_span!(
            target: "sansmq",
            "socket",
            "type" = %socket_type,
            id = NEXT.fetch_add(1, Ordering::Relaxed),
        );
        Self { socket, records: Mutex::default() }
    }

    /// Of a socket that is nobody's business.
    pub(crate) fn off() -> Self {
        Self { socket: Span::none(), records: Mutex::default() }
    }

    /// Whether anybody listens.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        !self.socket.is_disabled()
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an event to be told when the socket is unlocked.
    pub(crate) fn note(&self, event: &Event) {
        if self.is_on() {
            self.records().queue.push(event.clone());
        }
    }

    /// Tells what was noted, unless somebody is at it already, who will then tell this too. No lock may be held.
    pub(crate) fn emit(&self) {
        if core::mem::replace(&mut self.records().telling, true) {
            return;
        }
        let unwinding = Telling(self);
        loop {
            let mut records = self.records();
            let Some(event) = records.queue.pop() else {
                records.telling = false;
                core::mem::forget(unwinding);
                return;
            };
            drop(records);
            self.record(event);
        }
    }

    /// Works within a link's span, if it has one.
    #[inline]
    pub(crate) fn within<R>(&self, pipe: PipeId, work: impl FnOnce() -> R) -> R {
        match self.is_on().then(|| self.link(pipe)).flatten() {
            Some(link) => link.in_scope(work),
            None => work(),
        }
    }

    fn link(&self, pipe: PipeId) -> Option<Arc<Span>> {
        self.records().links.get(&pipe).cloned()
    }

    /// The span of a link that begins.
    fn begin(&self, pipe: PipeId, endpoint: &impl core::fmt::Display) -> Arc<Span> {
        let parent = self.socket.id();
        let span = Arc::new(error_span!(target: "sansmq", parent: parent, "link", pipe = ?pipe, endpoint = %endpoint));
        let former = self.records().links.insert(pipe, Arc::clone(&span));
        drop(former);
        span
    }

    /// The span of a link that ends.
    fn end(&self, pipe: PipeId) -> Option<Arc<Span>> {
        self.records().links.remove(&pipe)
    }

    fn record(&self, event: Event) {
        let socket = &self.socket;
        match event {
            Event::Listening { endpoint } => record!(Level::INFO, socket, %endpoint, "listening"),
            Event::NoAuthenticator { endpoint } => {
                record!(Level::WARN, socket, %endpoint, "nobody looks at the keys of those who come in here");
            }
            Event::ListenFailed { endpoint, error } => {
                record!(Level::WARN, socket, %endpoint, %error, "could not listen");
            }
            Event::AcceptFailed { endpoint, error, pause } => {
                let pause_ms = millis(pause);
                record!(Level::WARN, socket, %endpoint, %error, pause_ms, "could not accept, pausing");
            }
            Event::ListenerClosed { endpoint } => record!(Level::INFO, socket, %endpoint, "no longer listening"),
            Event::ListenerCloseFailed { endpoint, error } => {
                record!(Level::WARN, socket, %endpoint, %error, "could not close the listener as it should be");
            }
            Event::Accepted { pipe, endpoint, from } => {
                let link = self.begin(pipe, &from);
                record!(Level::DEBUG, link, listener = %endpoint, "accepted");
            }
            Event::Rejected { endpoint, from, reason } => {
                record!(Level::WARN, socket, listener = %endpoint, %from, ?reason, "turned a peer away");
            }
            Event::UnknownResource { endpoint, from, reason } => {
                record!(Level::WARN, socket, listener = %endpoint, endpoint = %from, %reason, "nobody claimed a connection");
            }
            Event::Connecting { pipe, endpoint } => record!(Level::DEBUG, socket, ?pipe, %endpoint, "connecting"),
            Event::Connected { pipe, endpoint } => {
                let link = self.begin(pipe, &endpoint);
                record!(Level::DEBUG, link, "connected");
            }
            Event::ConnectFailed { pipe, endpoint, error, retry } => {
                let retry_ms = retry.map(millis);
                if retry.is_some() {
                    record!(Level::DEBUG, socket, ?pipe, %endpoint, %error, retry_ms, "could not connect");
                } else {
                    record!(Level::WARN, socket, ?pipe, %endpoint, %error, "could not connect, giving up");
                }
            }
            Event::ConnectCancelled { pipe, endpoint } => {
                record!(Level::DEBUG, socket, ?pipe, %endpoint, "no longer connecting");
            }
            Event::Ready { pipe, endpoint, peer, routing_id } => {
                let link = self.link(pipe).unwrap_or_else(|| self.begin(pipe, &endpoint));
                let peer = peer.socket_type;
                record!(Level::INFO, link, %peer, ?routing_id, "ready");
            }
            Event::HandshakeFailed { pipe, endpoint, reason, retry } => {
                let link = self.end(pipe).unwrap_or_else(|| self.begin(pipe, &endpoint));
                let retry_ms = retry.map(millis);
                match reason.fault() {
                    Fault::Local => record!(Level::DEBUG, link, %reason, retry_ms, "handshake failed"),
                    Fault::Network => record!(Level::INFO, link, %reason, retry_ms, "handshake failed"),
                    Fault::Peer => record!(Level::WARN, link, %reason, retry_ms, "handshake failed"),
                }
                drop(self.end(pipe));
            }
            Event::Disconnected { pipe, endpoint, routing_id, reason, retry } => {
                let link = self.end(pipe).unwrap_or_else(|| self.begin(pipe, &endpoint));
                let retry_ms = retry.map(millis);
                match reason.fault() {
                    Fault::Local => record!(Level::DEBUG, link, ?routing_id, %reason, retry_ms, "disconnected"),
                    Fault::Network => record!(Level::INFO, link, ?routing_id, %reason, retry_ms, "disconnected"),
                    Fault::Peer => record!(Level::WARN, link, ?routing_id, %reason, retry_ms, "disconnected"),
                }
                drop(self.end(pipe));
            }
            Event::Dropped { reason, messages } => record!(Level::DEBUG, socket, ?reason, messages, "messages dropped"),
            Event::Closed => record!(Level::INFO, socket, "closed"),
            Event::Lagged(events) => {
                record!(Level::WARN, socket, events, "the subscriber is too slow and missed events");
                // The ends of links may be among them, whose spans would stay for ever. Those in use come again.
                let links = core::mem::take(&mut self.records().links);
                drop(links);
            }
            event => record!(Level::DEBUG, socket, ?event, "event"),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Lets others tell when a subscriber has panicked.
struct Telling<'a>(&'a Trace);

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        self.0.records().telling = false;
    }
}
