//! [`SessionSet`]: every stream of a socket and who of them is due, for loops that are not asynchronous. Waits for nothing.

use crate::address::{Endpoint, NetworkError};
use crate::session::buffers::SessionBuffers;
use crate::session::stream::Stream;
use crate::session::{Interest, Session, Turn};
use crate::socket::{ListenerId, PipeId, Socket};
use crate::time::{Instant, earliest};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;
use core::ops::BitOr;

/// The links of a socket in a loop of one's own: each has a stream, and a [`Session`] once that is connected.
///
/// In each round a loop waits for what [`waiting`](Self::waiting) names, or until [`poll_timeout`](Self::poll_timeout);
/// [calls](Self::call) the links that are ready; and has those that are due take their [`turn`](Self::turn). It closes no
/// stream but by dropping it, and opens none.
pub struct SessionSet<S> {
    links: BTreeMap<PipeId, Link<S>>,
    /// For one link after the other.
    buffers: SessionBuffers,
}

struct Link<S> {
    stage: Stage<S>,
    turn: Turn,
}

enum Stage<S> {
    /// The attempt that is under way, what became of the last one, and those that are left.
    Dialling(Option<S>, NetworkError, Box<dyn Iterator<Item = Result<S, NetworkError>> + Send>),
    Talking(S, Box<Session>),
}

impl<S: Stream> SessionSet<S> {
    /// No links.
    pub fn new() -> Self {
        Self { links: BTreeMap::new(), buffers: SessionBuffers::new() }
    }

    /// A listener has accepted a connection. `None`: the socket does not want it any more, and the stream is dropped.
    pub fn accepted(
        &mut self,
        socket: &mut Socket,
        listener: ListenerId,
        from: Endpoint,
        stream: S,
        now: Instant,
    ) -> Option<PipeId> {
        let (pipe, connection) = socket.accepted(listener, from, now)?;
        self.links.insert(pipe, Link::new(Stage::Talking(stream, Box::new(Session::new(connection)))));
        Some(pipe)
    }

    /// The answer to [`Action::Dial`](crate::Action::Dial): one attempt for each address, which begins to connect when the
    /// iterator is asked for it. [`Stream::established`] tells how it went. When none is left, the dial has failed.
    ///
    /// The attempts are `Send`, so that `SessionSet` is. A stream that is not `Send` needs a [`Session`] of its own, and
    /// [`Socket::connected`].
    pub fn dial<E: Into<NetworkError>>(
        &mut self,
        pipe: PipeId,
        attempts: impl Iterator<Item = Result<S, E>> + Send + 'static,
    ) {
        let attempts = attempts.map(|attempt| attempt.map_err(Into::into));
        let stage = Stage::Dialling(None, NetworkError::UnknownHost, Box::new(attempts));
        self.links.insert(pipe, Link::new(stage));
    }

    /// The answer to [`Action::StopDialling`](crate::Action::StopDialling).
    pub fn stop_dialling(&mut self, pipe: PipeId) {
        self.links.remove(&pipe);
    }

    /// Marks a link as due: its stream is ready, or [`Action::Service`](crate::Action::Service) names it. A link that is
    /// dialled must be called only when its stream is writable, because [`Stream::established`] is asked then.
    pub fn call(&mut self, pipe: PipeId) {
        if let Some(link) = self.links.get_mut(&pipe) {
            link.turn = Turn::Again;
        }
    }

    /// A link's stream: one that is connected, or is being so. `None`: there is none, or none any more.
    pub fn get(&self, pipe: PipeId) -> Option<&S> {
        match &self.links.get(&pipe)?.stage {
            Stage::Dialling(stream, ..) => stream.as_ref(),
            Stage::Talking(stream, _) => Some(stream),
        }
    }

    /// Which streams to wait for, and for what, in the words of a poller: given its two flags, or the two of [`Interest`].
    /// Those that wait for nothing are [left out](Interest::flags).
    pub fn waiting<F: BitOr<Output = F> + Clone>(
        &self,
        readable: F,
        writable: F,
    ) -> impl Iterator<Item = (PipeId, &S, F)> {
        self.links.iter().filter_map(move |(&pipe, link)| match (link.turn, &link.stage) {
            (Turn::Wait(interest), Stage::Dialling(Some(stream), ..) | Stage::Talking(stream, _)) => {
                interest.flags(readable.clone(), writable.clone()).map(|flags| (pipe, stream, flags))
            }
            (Turn::Again, _) | (_, Stage::Dialling(None, ..)) => None,
        })
    }

    /// Returns the time at which [`turn`](Self::turn) must be called at the latest. If a link is due, it is
    /// [`Instant::ORIGIN`]: a clock that is driven by deadlines must not go back to it.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        earliest(self.links.values().map(Link::poll_timeout))
    }

    /// Gives each link that is due one [turn](Session::turn), and what has ended back to the socket.
    pub fn turn(&mut self, socket: &mut Socket, now: Instant) {
        let is_due = |link: &Link<S>| link.poll_timeout().is_some_and(|at| at <= now);
        let due: Vec<_> = self.links.iter().filter(|(_, link)| is_due(link)).map(|(&pipe, _)| pipe).collect();
        for pipe in due {
            let link = self.links.remove(&pipe);
            if let Some(link) = link.and_then(|link| link.turn(pipe, socket, &mut self.buffers, now)) {
                self.links.insert(pipe, link);
            }
        }
    }
}

impl<S: Stream> Link<S> {
    /// Both sides greet, and a dial has to begin: so the first turn comes without an event.
    const fn new(stage: Stage<S>) -> Self {
        Self { stage, turn: Turn::Again }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match (self.turn, &self.stage) {
            (Turn::Again, _) => Some(Instant::ORIGIN),
            // How long a dial may take is the socket's affair.
            (Turn::Wait(_), Stage::Dialling(..)) => None,
            (Turn::Wait(_), Stage::Talking(_, session)) => session.poll_timeout(),
        }
    }

    /// `None`: it is over.
    fn turn(self, pipe: PipeId, socket: &mut Socket, buffers: &mut SessionBuffers, now: Instant) -> Option<Self> {
        let (mut stream, mut session) = match self.stage {
            Stage::Talking(stream, session) => (stream, session),
            Stage::Dialling(attempt, failure, rest) => {
                let stream = match attempt.map(|mut stream| stream.established().map(|()| stream)) {
                    Some(Ok(stream)) => stream,
                    Some(Err(error)) => return Self::dial(pipe, socket, error, rest, now),
                    None => return Self::dial(pipe, socket, failure, rest, now),
                };
                (stream, Box::new(Session::new(socket.connected(pipe, now)?)))
            }
        };
        match session.turn(&mut stream, buffers, now, |link| socket.exchange(pipe, link)) {
            Ok(turn) => Some(Self { stage: Stage::Talking(stream, session), turn }),
            Err(reason) => {
                socket.disconnected(pipe, session.into_connection(), &reason, now);
                None
            }
        }
    }

    /// Makes the next attempt that can be begun.
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
                    return Some(Self { stage: Stage::Dialling(Some(stream), failure, rest), turn });
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
        f.debug_struct("Links").field("links", &self.links.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Outbox;
    use crate::kind::Dealer;
    use crate::session::StreamError;
    use crate::socket::{Action, Event, Options};
    use alloc::vec;

    /// A stream that blocks always, once it is established or has failed to be.
    struct Mute(Option<NetworkError>);

    impl Stream for Mute {
        fn read(&mut self, _: &mut [u8]) -> Result<usize, StreamError> {
            Err(StreamError::WouldBlock)
        }
        fn write(&mut self, _: &Outbox) -> Result<usize, StreamError> {
            Err(StreamError::WouldBlock)
        }
        fn close_write(&mut self) -> Result<(), StreamError> {
            Ok(())
        }
        fn established(&mut self) -> Result<(), NetworkError> {
            self.0.map_or(Ok(()), Err)
        }
    }

    const NOW: Instant = Instant::ORIGIN;
    const BOTH: Interest = Interest { readable: true, writable: true };

    /// A socket that dials, making these attempts.
    fn dialling(attempts: Vec<Result<Mute, NetworkError>>) -> (Socket, SessionSet<Mute>, PipeId) {
        let mut socket = Socket::new(Options::<Dealer>::new(), crate::entropy::SeededEntropy::new(1));
        socket.monitor(true);
        let pipe = socket.connect("tcp://host:1".parse().unwrap(), NOW).unwrap();
        assert!(core::iter::from_fn(|| socket.poll_action()).any(|action| matches!(action, Action::Dial(..))));
        assert!(matches!(socket.poll_event(), Some(Event::Connecting { .. })));
        let mut links = SessionSet::new();
        links.dial(pipe, attempts.into_iter());
        assert_eq!(links.poll_timeout(), Some(NOW), "a dial begins at once");
        links.turn(&mut socket, NOW);
        (socket, links, pipe)
    }

    fn waits(links: &SessionSet<Mute>) -> Vec<Interest> {
        links.waiting(Interest::READ, Interest::WRITE).map(|(_, _, interest)| interest).collect()
    }

    #[test]
    fn every_address_is_tried_one_after_the_other() {
        let refused = Mute(Some(NetworkError::Refused));
        let attempts = vec![Err(NetworkError::Unreachable), Ok(refused), Ok(Mute(None)), Ok(Mute(None))];
        let (mut socket, mut links, pipe) = dialling(attempts);
        for _ in 0..2 {
            assert_eq!((waits(&links), links.poll_timeout()), (vec![Interest::WRITE], None));
            assert!(socket.poll_event().is_none());
            links.call(pipe);
            links.turn(&mut socket, NOW);
        }
        assert!(matches!(socket.poll_event(), Some(Event::Connected { .. })));
        assert_eq!(waits(&links), [BOTH], "the session has taken its first turn");
        assert!(links.poll_timeout() > Some(NOW), "the handshake has a deadline");
    }

    #[test]
    fn a_dial_without_addresses_left_fails_for_the_last_reason() {
        let (mut socket, ..) = dialling(vec![]);
        let failed = |event| matches!(event, Some(Event::ConnectFailed { error: NetworkError::UnknownHost, .. }));
        assert!(failed(socket.poll_event()));

        let (mut socket, mut links, pipe) = dialling(vec![Ok(Mute(Some(NetworkError::Refused)))]);
        links.call(pipe);
        links.turn(&mut socket, NOW);
        let failed = |event| matches!(event, Some(Event::ConnectFailed { error: NetworkError::Refused, .. }));
        assert!(failed(socket.poll_event()));
        assert_eq!((waits(&links), links.poll_timeout()), (vec![], None));
    }

    #[test]
    fn a_dial_that_is_stopped_is_gone() {
        let (_, mut links, pipe) = dialling(vec![Ok(Mute(None))]);
        links.stop_dialling(pipe);
        assert_eq!(waits(&links), []);
        links.call(pipe);
        assert_eq!(links.poll_timeout(), None);
    }

    #[test]
    fn a_link_that_is_late_has_its_turn_and_what_ends_goes_back_to_the_socket() {
        let (mut socket, mut links, pipe) = dialling(vec![Ok(Mute(None))]);
        links.call(pipe);
        links.turn(&mut socket, NOW);
        let deadline = links.poll_timeout().unwrap();
        links.turn(&mut socket, Instant::from_nanos(deadline.as_nanos() - 1));
        assert_eq!(waits(&links), [BOTH], "before its deadline nothing happens");
        links.turn(&mut socket, deadline);
        assert_eq!(waits(&links), []);
        let events: Vec<_> = core::iter::from_fn(|| socket.poll_event()).collect();
        assert!(
            matches!(&events[..], [Event::Connected { .. }, Event::HandshakeFailed { retry: Some(_), .. }]),
            "{events:?}"
        );
    }
}
