//! [`SessionSet`]: all streams and sessions of a socket, for event loops without an async runtime. It never blocks.

use crate::address::{Endpoint, NetworkError};
use crate::session::buffers::SessionBuffers;
use crate::session::stream::{Stream, StreamError};
use crate::session::{Interest, Session, Turn};
use crate::socket::{ListenerId, PipeId, Socket};
use crate::time::{Instant, earliest};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;
use core::ops::{BitOr, Bound};

/// Set of the sessions of a socket, for a hand-written event loop. For each pipe with a connection or a dial in
/// progress, the set holds the stream, and a [`Session`] once the stream is connected.
///
/// Each round of the loop has three steps. First, the loop waits for the events of [`waiting`](Self::waiting), but at
/// most until the time [`poll_timeout`](Self::poll_timeout). Second, it calls [`set_ready`](Self::set_ready) for each
/// pipe with a ready stream. Third, it calls [`turn`](Self::turn). `SessionSet` opens no streams, and closes a stream
/// only by dropping it.
pub struct SessionSet<S> {
    sessions: BTreeMap<PipeId, SetEntry<S>>,
    /// Read buffer and encoding buffers, which all sessions of the set share.
    buffers: SessionBuffers,
    /// Pipe of the session that the latest [`turn`](Self::turn) continued after [`Turn::Background`].
    background: Option<PipeId>,
}

struct SetEntry<S> {
    stage: Stage<S>,
    turn: Turn,
}

enum Stage<S> {
    /// The stream of the pipe is not connected yet. The values are the stream of the current connection attempt (`None`
    /// before the first attempt), the error of the previous attempt (`UnknownHost` before the first attempt), and the
    /// remaining attempts.
    Connecting(Option<S>, NetworkError, Box<dyn Iterator<Item = Result<S, NetworkError>> + Send>),
    Connected(S, Box<Session>),
}

impl<S: Stream> SessionSet<S> {
    /// Creates an empty set of sessions.
    pub fn new() -> Self {
        Self { sessions: BTreeMap::new(), buffers: SessionBuffers::new(), background: None }
    }

    /// Adds the stream of a connection that `listener`, a listener of `socket`, has accepted. `from` is the address of
    /// the peer. Returns the pipe of the new connection. If the socket rejects the connection, drops the stream and
    /// returns `None`.
    pub fn accepted(
        &mut self,
        socket: &mut Socket,
        listener: ListenerId,
        from: Endpoint,
        stream: S,
        now: Instant,
    ) -> Option<PipeId> {
        let (pipe, connection) = socket.accepted(listener, from, now)?;
        self.sessions.insert(pipe, SetEntry::new(Stage::Connected(stream, Box::new(Session::new(connection)))));
        Some(pipe)
    }

    /// Connects to a peer, in response to [`Action::Dial`](crate::Action::Dial). Each item of `attempts` is a
    /// connection attempt to one address of the peer: a stream that has begun to connect, or an error. After an error,
    /// or a failure that [`Stream::established`] returns, [`turn`](Self::turn) takes the next item. If no item is left,
    /// `turn` reports the last error to the socket with [`Socket::dial_failed`].
    ///
    /// The attempts must be `Send`, so that `SessionSet` is `Send`. A stream that is not `Send` must be used with a
    /// [`Session`] and [`Socket::connected`] instead.
    pub fn dial<E: Into<NetworkError>>(
        &mut self,
        pipe: PipeId,
        attempts: impl Iterator<Item = Result<S, E>> + Send + 'static,
    ) {
        let attempts = attempts.map(|attempt| attempt.map_err(Into::into));
        let stage = Stage::Connecting(None, NetworkError::UnknownHost, Box::new(attempts));
        self.sessions.insert(pipe, SetEntry::new(stage));
    }

    /// Cancels the connection attempt of the pipe `pipe` and drops its stream, in response to
    /// [`Action::CancelDial`](crate::Action::CancelDial).
    pub fn cancel_dial(&mut self, pipe: PipeId) {
        self.sessions.remove(&pipe);
    }

    /// Marks the pipe `pipe`, so that the next [`turn`](Self::turn) continues the session or the connection attempt of
    /// this pipe. Must be called when the stream of the pipe is ready, and in response to
    /// [`Action::Service`](crate::Action::Service).
    ///
    /// While the stream connects, this method must be called only when the stream is writable, because `turn` then
    /// calls [`Stream::established`].
    pub fn set_ready(&mut self, pipe: PipeId) {
        if let Some(link) = self.sessions.get_mut(&pipe) {
            link.turn = Turn::Again;
        }
    }

    /// Returns the connected or connecting stream of a pipe, or `None` if the pipe has no stream.
    pub fn get(&self, pipe: PipeId) -> Option<&S> {
        match &self.sessions.get(&pipe)?.stage {
            Stage::Connecting(stream, ..) => stream.as_ref(),
            Stage::Connected(stream, _) => Some(stream),
        }
    }

    /// Returns the streams that the event loop must wait for, each with its pipe and with the flags of the events to
    /// wait for. `readable` and `writable` are the flags that the caller's poller uses for the two events, such as
    /// `POLLIN` and `POLLOUT`. A stream with both events gets `readable | writable`. To get an [`Interest`] per stream
    /// instead, pass [`Interest::READ`] and [`Interest::WRITE`].
    ///
    /// A stream without an event to wait for is left out, for the reason given at [`Interest::flags`]. A stream is also
    /// left out if the next [`turn`](Self::turn) continues its session without waiting.
    pub fn waiting<F: BitOr<Output = F> + Clone>(
        &self,
        readable: F,
        writable: F,
    ) -> impl Iterator<Item = (PipeId, &S, F)> {
        self.sessions.iter().filter_map(move |(&pipe, link)| match (link.turn, &link.stage) {
            (Turn::Wait(interest), Stage::Connecting(Some(stream), ..) | Stage::Connected(stream, _)) => {
                interest.flags(readable.clone(), writable.clone()).map(|flags| (pipe, stream, flags))
            }
            (Turn::Again | Turn::Background, _) | (_, Stage::Connecting(None, ..)) => None,
        })
    }

    /// Returns the time at which [`turn`](Self::turn) must be called at the latest; `None` if no timer runs.
    ///
    /// If `turn` must be called now, the returned time is [`Instant::ORIGIN`], which is usually in the past. A caller
    /// that sets a simulated clock to the returned time must therefore leave the clock unchanged if this time is
    /// earlier than the time of the clock.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        earliest(self.sessions.values().map(SetEntry::poll_timeout))
    }

    /// Calls [`Session::turn`] once for each session that is new, has work left, has an expired timer, or was marked by
    /// [`set_ready`](Self::set_ready), but for only one of the sessions with [background](Turn::Background) work. Also
    /// begins the dials that are new, and continues the dials that `set_ready` has marked. Reports ended connections and
    /// failed dials to the socket.
    pub fn turn(&mut self, socket: &mut Socket, now: Instant) {
        self.background = self.next_background();
        let is_due = |pipe, link: &SetEntry<S>| match link.turn {
            Turn::Background => self.background == Some(pipe) || link.session_timeout().is_some_and(|at| at <= now),
            Turn::Again | Turn::Wait(_) => link.poll_timeout().is_some_and(|at| at <= now),
        };
        let due = self.sessions.iter().filter(|&(&pipe, link)| is_due(pipe, link)).map(|(&pipe, _)| pipe);
        let due: Vec<_> = due.collect();
        for pipe in due {
            let link = self.sessions.remove(&pipe);
            if let Some(link) = link.and_then(|link| link.turn(pipe, socket, &mut self.buffers, now)) {
                self.sessions.insert(pipe, link);
            }
        }
    }
}

impl<S> SessionSet<S> {
    /// Returns the next pipe with [background](Turn::Background) work, in turn.
    fn next_background(&self) -> Option<PipeId> {
        let later = self.background.map_or(Bound::Unbounded, Bound::Excluded);
        let mut others = self.sessions.range((later, Bound::Unbounded)).chain(&self.sessions);
        others.find(|(_, link)| link.turn == Turn::Background).map(|(&pipe, _)| pipe)
    }
}

impl<S: Stream> SetEntry<S> {
    /// Creates an entry of the set. The next call of [`SessionSet::turn`] runs the entry, even if its stream is not
    /// ready.
    // The first turn needs no event: it sends the greeting, or begins the first connection attempt.
    const fn new(stage: Stage<S>) -> Self {
        Self { stage, turn: Turn::Again }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match (self.turn, &self.stage) {
            (Turn::Again | Turn::Background, _) => Some(Instant::ORIGIN),
            (Turn::Wait(_), _) => self.session_timeout(),
        }
    }

    /// Returns the deadline of the session.
    fn session_timeout(&self) -> Option<Instant> {
        match &self.stage {
            // The socket limits the time of a dial.
            Stage::Connecting(..) => None,
            Stage::Connected(_, session) => session.poll_timeout(),
        }
    }

    /// Continues the connection attempt, or calls [`Session::turn`] once. Returns the entry for the next call, or
    /// `None` if the dial has failed or the connection has ended.
    fn turn(self, pipe: PipeId, socket: &mut Socket, buffers: &mut SessionBuffers, now: Instant) -> Option<Self> {
        let (mut stream, mut session) = match self.stage {
            Stage::Connected(stream, session) => (stream, session),
            Stage::Connecting(attempt, failure, rest) => {
                let Some(mut stream) = attempt else { return Self::dial(pipe, socket, failure, rest, now) };
                match stream.established() {
                    Ok(()) => {}
                    Err(StreamError::WouldBlock | StreamError::Interrupted) => {
                        let stage = Stage::Connecting(Some(stream), failure, rest);
                        return Some(Self { stage, turn: Turn::Wait(Interest::WRITE) });
                    }
                    Err(StreamError::Eof) => return Self::dial(pipe, socket, NetworkError::Reset, rest, now),
                    Err(StreamError::Failed(error)) => return Self::dial(pipe, socket, error, rest, now),
                }
                (stream, Box::new(Session::new(socket.connected(pipe, now)?)))
            }
        };
        match session.turn(&mut stream, buffers, now, |link| socket.exchange(pipe, link)) {
            Ok(turn) => Some(Self { stage: Stage::Connected(stream, session), turn }),
            Err(reason) => {
                socket.disconnected(pipe, session.into_connection(), &reason, now);
                None
            }
        }
    }

    /// Begins the next connection attempt of the pipe, taken from `rest`. If no attempt is left, reports the failed
    /// dial to the socket and returns `None`. `failure` is the error of the previous attempt.
    fn dial(
        pipe: PipeId,
        socket: &mut Socket,
        mut failure: NetworkError,
        mut rest: Box<dyn Iterator<Item = Result<S, NetworkError>> + Send>,
        now: Instant,
    ) -> Option<Self> {
        while let Some(attempt) = rest.next() {
            match attempt {
                Ok(stream) => {
                    let turn = Turn::Wait(Interest::WRITE);
                    return Some(Self { stage: Stage::Connecting(Some(stream), failure, rest), turn });
                }
                Err(error) => failure = error,
            }
        }
        socket.dial_failed(pipe, failure, now);
        None
    }
}

impl<S: Stream> Default for SessionSet<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> fmt::Debug for SessionSet<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionSet").field("sessions", &self.sessions.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Outbox;
    use crate::kind::Dealer;
    use crate::socket::{Action, Event, Options};
    use alloc::vec;

    /// Test stream on which each read and write returns `WouldBlock`. Its field is the error that `established`
    /// returns; `None` if connecting succeeds.
    struct BlockedStream(Option<NetworkError>);

    impl Stream for BlockedStream {
        fn read(&mut self, _: &mut [u8]) -> Result<usize, StreamError> {
            Err(StreamError::WouldBlock)
        }
        fn write(&mut self, _: &Outbox) -> Result<usize, StreamError> {
            Err(StreamError::WouldBlock)
        }
        fn close_write(&mut self) -> Result<(), StreamError> {
            Ok(())
        }
        fn established(&mut self) -> Result<(), StreamError> {
            self.0.map_or(Ok(()), |error| Err(error.into()))
        }
    }

    const NOW: Instant = Instant::ORIGIN;
    const BOTH: Interest = Interest { readable: true, writable: true };

    /// Creates a socket with one pipe that connects to a peer, and a [`SessionSet`] that has taken its first turn with
    /// these connection attempts. Also returns the pipe.
    fn dialling(attempts: Vec<Result<BlockedStream, NetworkError>>) -> (Socket, SessionSet<BlockedStream>, PipeId) {
        let mut socket = Socket::new(Options::<Dealer>::new(), crate::entropy::SeededEntropy::new(1));
        socket.monitor(true);
        let pipe = socket.connect("tcp://host:1".parse().unwrap(), NOW).unwrap();
        assert!(core::iter::from_fn(|| socket.poll_action()).any(|action| matches!(action, Action::Dial(..))));
        assert!(matches!(socket.poll_event(), Some(Event::Connecting { .. })));
        let mut sessions = SessionSet::new();
        sessions.dial(pipe, attempts.into_iter());
        assert_eq!(sessions.poll_timeout(), Some(NOW), "a dial begins at once");
        sessions.turn(&mut socket, NOW);
        (socket, sessions, pipe)
    }

    fn interests(sessions: &SessionSet<BlockedStream>) -> Vec<Interest> {
        sessions.waiting(Interest::READ, Interest::WRITE).map(|(_, _, interest)| interest).collect()
    }

    #[test]
    fn dial_tries_all_addresses_in_order() {
        let refused = BlockedStream(Some(NetworkError::Refused));
        let attempts =
            vec![Err(NetworkError::Unreachable), Ok(refused), Ok(BlockedStream(None)), Ok(BlockedStream(None))];
        let (mut socket, mut sessions, pipe) = dialling(attempts);
        for _ in 0..2 {
            assert_eq!((interests(&sessions), sessions.poll_timeout()), (vec![Interest::WRITE], None));
            assert!(socket.poll_event().is_none());
            sessions.set_ready(pipe);
            sessions.turn(&mut socket, NOW);
        }
        assert!(matches!(socket.poll_event(), Some(Event::Connected { .. })));
        assert_eq!(interests(&sessions), [BOTH], "the session has taken its first turn");
        assert!(sessions.poll_timeout() > Some(NOW), "the handshake has a deadline");
    }

    #[test]
    fn dial_without_further_addresses_fails_with_last_error() {
        let (mut socket, ..) = dialling(vec![]);
        let failed = |event| matches!(event, Some(Event::ConnectFailed { error: NetworkError::UnknownHost, .. }));
        assert!(failed(socket.poll_event()));

        let (mut socket, mut sessions, pipe) = dialling(vec![Ok(BlockedStream(Some(NetworkError::Refused)))]);
        sessions.set_ready(pipe);
        sessions.turn(&mut socket, NOW);
        let failed = |event| matches!(event, Some(Event::ConnectFailed { error: NetworkError::Refused, .. }));
        assert!(failed(socket.poll_event()));
        assert_eq!((interests(&sessions), sessions.poll_timeout()), (vec![], None));
    }

    #[test]
    fn stopped_dial_is_removed() {
        let (_, mut sessions, pipe) = dialling(vec![Ok(BlockedStream(None))]);
        sessions.cancel_dial(pipe);
        assert_eq!(interests(&sessions), []);
        sessions.set_ready(pipe);
        assert_eq!(sessions.poll_timeout(), None);
    }

    #[test]
    fn link_at_deadline_ends_and_returns_its_connection() {
        let (mut socket, mut sessions, pipe) = dialling(vec![Ok(BlockedStream(None))]);
        sessions.set_ready(pipe);
        sessions.turn(&mut socket, NOW);
        let deadline = sessions.poll_timeout().unwrap();
        sessions.turn(&mut socket, Instant::from_nanos(deadline.as_nanos() - 1));
        assert_eq!(interests(&sessions), [BOTH], "the link is unchanged before its deadline");
        sessions.turn(&mut socket, deadline);
        assert_eq!(interests(&sessions), []);
        let events: Vec<_> = core::iter::from_fn(|| socket.poll_event()).collect();
        assert!(
            matches!(&events[..], [Event::Connected { .. }, Event::HandshakeFailed { retry: Some(_), .. }]),
            "{events:?}"
        );
    }
}
