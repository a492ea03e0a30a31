//! [`Output`]: what a guest requests from its event loop.

use crate::address::{Endpoint, IpcName, Route};
use crate::guest::link::Link;
use crate::guest::{Deadline, Guest, Key, Slot, SocketId};
use crate::session::Interest;

/// Next step for the event loop, from [`Guest::poll`]. A loop must handle every variant, so a new variant is a breaking change.
#[derive(Debug)]
pub enum Output<'a, S, L> {
    /// Listen at the endpoint. Answer with [`Guest::listening`].
    Listen(Key, Endpoint),
    /// Accept a connection. Answer with [`Guest::accepted`], at once, or when a connection has arrived. Requested first when the
    /// listener is open; then after each accepted connection, for one listener at a time, and rarely while there is other work,
    /// so that peers that connect do not delay the others.
    Accept(Key, &'a mut L),
    /// Close the listener, which has been removed from the guest. A poller that does not notice this must be informed first. The
    /// listener was not registered if the request for it had ended before the answer.
    StopListening(Key, L),
    /// Look up the addresses of the host of the endpoint. Answer with [`Guest::resolved`], at any later time, because a lookup
    /// may block. Requested only for names.
    Resolve(Key, Endpoint),
    /// Connect to the address. Answer with [`Guest::dialled`].
    Dial(Key, Target),
    /// Begin to watch a new stream or listener with a poller, and report its events with [`Guest::ready`]. An edge-triggered
    /// poller watches for both directions, and does not need [`Interest`](Self::Interest). A poller that disarms an entry after
    /// each event uses [`Guest::interest`].
    Register(Key, Source<'a, S, L>, Interest),
    /// Watch the stream or listener for these events from now on. Needed by pollers that report an event until it is handled.
    /// There are no events while a stream waits for its application, and while a listener pauses after an error.
    Interest(Key, Source<'a, S, L>, Interest),
    /// The guest may have read from the stream, written to it, or closed its sending direction. A loop that moves the bytes of
    /// the stream itself, such as a completion ring, does so now; all others ignore it.
    Turned(Key, &'a mut S),
    /// Close the stream, which has been removed from the guest, by dropping it. A poller that does not notice this must be
    /// informed first. The stream was not registered if its connection was rejected or has failed at once, so a poller must accept
    /// the removal of an unknown stream: peers can cause it. After an attempt to connect, [`Dial`](Self::Dial) requests the
    /// next one with another key.
    Gone(Key, S),
    /// [`Socket::recv`](crate::Socket::recv) may return another result than before, for example a message.
    Readable(SocketId),
    /// [`Socket::send`](crate::Socket::send) may return another result than before, for example because a peer has room again.
    Writable(SocketId),
    /// Wait for events and report them, at most until the deadline; `None`: without a limit.
    Wait(Option<Deadline>),
}

/// Address of a connection attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// TCP.
    Tcp(Route),
    /// Unix domain socket.
    Ipc(IpcName),
}

/// Stream or listener of a guest. With the feature `std` on Unix it has a descriptor, if both have one.
#[derive(Debug)]
pub enum Source<'a, S, L> {
    /// Stream of a connection.
    Stream(&'a S),
    /// Listener.
    Listener(&'a L),
}

impl<S, L> Clone for Source<'_, S, L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S, L> Copy for Source<'_, S, L> {}

/// Output that refers to the streams and listeners by key.
pub(super) enum Queued<S, L> {
    Listen(Key, Endpoint),
    Accept(Key),
    StopListening(Key, L),
    Resolve(Key),
    Dial(Key),
    Register(Key, Interest),
    Interest(Key, Interest),
    Turned(Key),
    Gone(Key, S),
    Readable(SocketId),
    Writable(SocketId),
}

impl<S, L> Guest<S, L> {
    /// Returns false if the stream or listener of the output has ended since.
    pub(super) fn is_current(&self, queued: &Queued<S, L>) -> bool {
        match queued {
            Queued::Listen(key, _) | Queued::Resolve(key) | Queued::Dial(key) => self.slots.get(*key).is_some(),
            Queued::Accept(key) | Queued::Register(key, _) | Queued::Interest(key, _) | Queued::Turned(key) => {
                self.slots.get(*key).is_some_and(|slot| slot.source().is_some())
            }
            Queued::StopListening(..) | Queued::Gone(..) | Queued::Readable(_) | Queued::Writable(_) => true,
        }
    }

    /// Returns the output, or `None` if its stream or listener has ended since.
    pub(super) fn output(&mut self, queued: Queued<S, L>) -> Option<Output<'_, S, L>> {
        match queued {
            Queued::Listen(key, endpoint) => self.slots.get(key).map(|_| Output::Listen(key, endpoint)),
            Queued::Resolve(key) => {
                let dial = self.slots.link_mut(key)?.dialling()?;
                Some(Output::Resolve(key, dial.endpoint.clone()))
            }
            Queued::Dial(key) => {
                let dial = self.slots.link_mut(key)?.dialling()?;
                Some(Output::Dial(key, dial.targets.front()?.clone()))
            }
            Queued::Accept(key) => Some(Output::Accept(key, self.slots.listener_mut(key)?.open.as_mut()?)),
            Queued::Register(key, interest) => {
                let source = self.slots.get(key)?.source()?;
                Some(Output::Register(key, source, interest))
            }
            Queued::Interest(key, interest) => {
                let source = self.slots.get(key)?.source()?;
                Some(Output::Interest(key, source, interest))
            }
            Queued::Turned(key) => Some(Output::Turned(key, self.slots.link_mut(key)?.stream_mut()?)),
            Queued::StopListening(key, listener) => Some(Output::StopListening(key, listener)),
            Queued::Gone(key, stream) => Some(Output::Gone(key, stream)),
            Queued::Readable(id) => Some(Output::Readable(id)),
            Queued::Writable(id) => Some(Output::Writable(id)),
        }
    }
}

impl<S, L> Slot<S, L> {
    pub(super) fn source(&self) -> Option<Source<'_, S, L>> {
        match self {
            Self::Listener(listener) => listener.open.as_ref().map(Source::Listener),
            Self::Link(link) => Link::stream(link).map(Source::Stream),
        }
    }
}
