//! [`Trace`]: spans and events of a socket for the crate `tracing`. There is one span per socket and one span per
//! connection. Each event that a monitor receives is also emitted within one of these spans.
//!
//! A subscriber may run arbitrary code, and may even use the socket. So the subscriber is called while no lock is held,
//! and for each socket by one thread at a time. Events that occur during such a call, perhaps caused by the subscriber,
//! are queued and emitted afterwards, in order.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use sansmq_proto::connection::Fault;
use sansmq_proto::socket::EventQueue;
use sansmq_proto::{ConnectionError, Event, PipeId, SocketType};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing::{Level, Span, error_span};

pub(crate) struct Trace {
    socket: Span,
    records: Mutex<Records>,
}

#[derive(Default)]
struct Records {
    /// Span of each connection, by its pipe.
    // In an `Arc`, because cloning and dropping a `Span` calls the subscriber, which must not happen under the lock.
    links: BTreeMap<PipeId, Arc<Span>>,
    /// Socket events that were not emitted to `tracing` yet.
    queue: EventQueue,
    /// True while a thread emits the queued events. Other threads then only add to the queue.
    emitting: bool,
}

/// Emits a `tracing` event with the target `sansmq`, as a child of the given span.
macro_rules! record {
    ($level:expr, $span:expr, $($fields:tt)+) => {
        tracing::event!(target: "sansmq", parent: $span.id(), $level, $($fields)+)
    };
}

impl Trace {
    /// Creates the span of a socket. If no subscriber of `tracing` enables this span at this moment, the socket never
    /// emits anything to `tracing`.
    pub(crate) fn new(socket_type: SocketType) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        // The span has the level ERROR, so that a filter which admits only warnings still shows the socket of each warning.
        let socket = error_span!(
            target: "sansmq",
            "socket",
            "type" = %socket_type,
            id = NEXT.fetch_add(1, Ordering::Relaxed),
        );
        Self { socket, records: Mutex::default() }
    }

    /// Creates the `Trace` of a socket that this library uses internally, and that emits nothing to `tracing`.
    pub(crate) fn off() -> Self {
        Self { socket: Span::none(), records: Mutex::default() }
    }

    /// Returns true if the socket emits its events to `tracing`.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        !self.socket.is_disabled()
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues an event for `tracing`, to be emitted after the socket is unlocked. Does nothing if the socket emits
    /// nothing to `tracing`.
    pub(crate) fn note(&self, event: &Event) {
        if self.is_on() {
            self.records().queue.push(event.clone());
        }
    }

    /// Emits the queued events, unless this or another thread is already emitting them. The caller must hold no lock.
    pub(crate) fn emit(&self) {
        if core::mem::replace(&mut self.records().emitting, true) {
            return;
        }
        let unwinding = ResetEmitting(self);
        loop {
            let mut records = self.records();
            let Some(event) = records.queue.pop() else {
                records.emitting = false;
                core::mem::forget(unwinding);
                return;
            };
            drop(records);
            self.record(event);
        }
    }

    /// Calls `work` within the `tracing` span of a pipe's connection. If there is no such span, calls `work` without
    /// entering a span.
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

    /// Creates and stores the span of a new connection, as a child of the socket's span. `pipe` and `endpoint` of the
    /// connection become fields of the span.
    fn begin(&self, pipe: PipeId, endpoint: &impl core::fmt::Display) -> Arc<Span> {
        let parent = self.socket.id();
        let span = Arc::new(error_span!(target: "sansmq", parent: parent, "link", pipe = ?pipe, endpoint = %endpoint));
        let former = self.records().links.insert(pipe, Arc::clone(&span));
        drop(former);
        span
    }

    /// Removes and returns the span of the connection of `pipe`, which has ended.
    fn end(&self, pipe: PipeId) -> Option<Arc<Span>> {
        self.records().links.remove(&pipe)
    }

    fn record(&self, event: Event) {
        let socket = &self.socket;
        match event {
            Event::Listening { endpoint } => record!(Level::INFO, socket, %endpoint, "listening"),
            Event::NoAuthenticator { endpoint } => {
                record!(Level::WARN, socket, %endpoint, "every peer is rejected, because no authenticator is configured and no ZAP handler is bound: add `.authenticator(AllowList::new()…)` to the options, or `.any_key()` if a CURVE server must accept every client");
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
                record!(Level::WARN, socket, %endpoint, %error, "could not close the listener cleanly");
            }
            Event::Accepted { pipe, endpoint, from } => {
                let link = self.begin(pipe, &from);
                record!(Level::DEBUG, link, listener = %endpoint, "accepted");
            }
            Event::Rejected { endpoint, from, reason } => {
                record!(Level::WARN, socket, listener = %endpoint, %from, ?reason, "rejected a connection");
            }
            Event::UnknownResource { endpoint, from, reason } => {
                record!(Level::WARN, socket, listener = %endpoint, endpoint = %from, %reason, "a connection ended before it was assigned to a socket");
            }
            Event::Connecting { pipe, endpoint } => record!(Level::DEBUG, socket, ?pipe, %endpoint, "connecting"),
            Event::Connected { pipe, endpoint } => {
                let link = self.begin(pipe, &endpoint);
                record!(Level::DEBUG, link, "connected");
            }
            Event::ConnectFailed { pipe, endpoint, error, attempts, retry } => {
                let retry_ms = retry.map(millis);
                // One failure is usual while programs start. A second one deserves a warning, but only once.
                if retry.is_some() && attempts == 2 {
                    record!(Level::WARN, socket, ?pipe, %endpoint, %error, attempts, retry_ms, "could not connect");
                } else if retry.is_some() {
                    record!(Level::DEBUG, socket, ?pipe, %endpoint, %error, attempts, retry_ms, "could not connect");
                } else {
                    record!(Level::WARN, socket, ?pipe, %endpoint, %error, "could not connect, giving up");
                }
            }
            Event::ConnectCancelled { pipe, endpoint } => {
                record!(Level::DEBUG, socket, ?pipe, %endpoint, "cancelled connecting");
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
                    // With `retry`, this side dialled, and the application waits for this peer.
                    _ if retry.is_some() => {
                        record!(Level::WARN, link, %reason, retry_ms, "handshake failed");
                    }
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
                    // The sender of the lost message has no other sign of the limit of its peer.
                    _ if matches!(reason, ConnectionError::ClosedDuringMessage { .. }) => {
                        record!(Level::WARN, link, ?routing_id, %reason, retry_ms, "disconnected");
                    }
                    Fault::Local => record!(Level::DEBUG, link, ?routing_id, %reason, retry_ms, "disconnected"),
                    Fault::Network => record!(Level::INFO, link, ?routing_id, %reason, retry_ms, "disconnected"),
                    Fault::Peer => record!(Level::WARN, link, ?routing_id, %reason, retry_ms, "disconnected"),
                }
                drop(self.end(pipe));
            }
            Event::Dropped { reason, messages } => record!(Level::DEBUG, socket, ?reason, messages, "messages dropped"),
            Event::DriverLost { unsent } => {
                record!(
                    Level::WARN,
                    socket,
                    unsent,
                    "the runtime ended before all messages were sent: wait for `close` of the socket or of its context first"
                );
            }
            Event::Closed => record!(Level::INFO, socket, "closed"),
            Event::Lagged(events) => {
                record!(Level::WARN, socket, events, "the tracing subscriber is too slow: events were dropped");
                // The dropped events may include ends of connections, and then their spans would never be removed. The spans of
                // live connections are created again by their next event.
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

/// Guard that sets [`Records::emitting`] to false when a `tracing` subscriber panics, so that later events are emitted.
struct ResetEmitting<'a>(&'a Trace);

impl Drop for ResetEmitting<'_> {
    fn drop(&mut self) {
        self.0.records().emitting = false;
    }
}
