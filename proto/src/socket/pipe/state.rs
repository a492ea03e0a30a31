//! [`PipeState`]: the life of a pipe, from `connect` or an accepted connection to its removal.

use crate::address::Endpoint;
use crate::connection::{ConnectionError, RoundTrip};
use crate::socket::id::ListenerId;
use crate::time::Instant;
use alloc::boxed::Box;
use core::time::Duration;

/// State of a pipe.
///
/// ```text
///         connect                  accepted
/// ┌─ Open ───┼─────────────────────────┼──────────────────────────────────────┐
/// │          ▼         connect         ▼           make_ready                 │
/// │      Connecting ────────► Connected: Handshake ────────► Connected: Ready │
/// │       │      ▲                │        │ fail             │        │ fail │
/// │       │      │ dial           │        └─────► Failed ◄───┼────────┘      │
/// │       ▼      │                ▼                  ▼        ▼               │
/// │      Backoff ┘ ◄──────────────┴──────────────────┴────────┘ back_off      │
/// └──────────┬────────────────────────────────────────────────────────────────┘
///            │ drain: from each state to the same one in Draining
/// ┌─ Draining ▼───────────────────────────────────────────────────────────────┐
/// │      the same states and transitions, while the queue is sent             │
/// └──────────┬────────────────────────────────────────────────────────────────┘
///            │ remove: from each state of Open and Draining
///            ▼
///          Gone ───► freed once the last incoming message is received
/// ```
///
/// Connected and Failed last until [`Socket::disconnected`](crate::Socket::disconnected): a pipe that is aborted while it has a
/// connection becomes Failed, and is removed then. A pipe that is failed without a connection fails its next one.
// `repr(u8)` here and below: `send` and `exchange` read the discriminants, which would otherwise hide in niches of an endpoint.
#[derive(Debug)]
#[repr(u8)]
pub(crate) enum PipeState {
    /// Accepts messages in both directions.
    Open(LinkState),
    /// Accepts no further messages; sends the queued ones.
    Draining(LinkState),
    /// Has no connection and will have none. The last incoming messages wait to be received.
    Gone,
}

/// State of the connection of a pipe.
#[derive(Debug)]
#[repr(u8)]
pub(crate) enum LinkState {
    /// Waits for the outcome of [`Action::Dial`](crate::Action::Dial).
    Connecting(Dialer),
    /// Waits for the time of the next dial.
    Backoff(Dialer),
    /// Exchanges messages with a connection.
    Connected(Established),
    /// Waits for the end of a connection that must be closed for a reason.
    Failed(Established, Box<ConnectionError>),
}

/// Connect side of a pipe.
#[derive(Debug)]
pub(crate) struct Dialer {
    pub(crate) endpoint: Endpoint,
    /// Number of dials and connections in a row that failed early; the base of the back-off.
    failures: u32,
    /// Latest back-off. A connection that lasts longer resets `failures`.
    last_delay: Duration,
    /// Reason to close the next connection at once. The pipe was failed while it had no connection.
    rejection: Option<Box<ConnectionError>>,
}

/// Connection of a pipe.
#[derive(Debug)]
pub(crate) struct Established {
    origin: Origin,
    phase: Phase,
}

/// Side that opened a connection.
#[derive(Debug)]
enum Origin {
    /// The peer, through a listener of this socket.
    Accepted { listener: ListenerId, from: Endpoint },
    /// This socket.
    Dialled { dialer: Dialer, since: Instant },
}

/// Progress of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    /// The handshake is not finished; no messages are exchanged.
    Handshake,
    /// The handshake is finished. `round_trip` is the latest measurement by heartbeats.
    Ready { round_trip: Option<RoundTrip> },
}

impl PipeState {
    /// State of a new `connect`.
    pub(crate) const fn dialled(endpoint: Endpoint) -> Self {
        let dialer = Dialer { endpoint, failures: 0, last_delay: Duration::ZERO, rejection: None };
        Self::Open(LinkState::Connecting(dialer))
    }

    /// State of a pipe whose connection `listener` accepted.
    pub(crate) const fn accepted(listener: ListenerId, from: Endpoint) -> Self {
        let origin = Origin::Accepted { listener, from };
        Self::Open(LinkState::Connected(Established { origin, phase: Phase::Handshake }))
    }

    /// Returns true if messages may be queued for the peer.
    #[inline]
    pub(crate) const fn accepts_messages(&self) -> bool {
        match self {
            Self::Open(LinkState::Failed(..)) | Self::Draining(_) | Self::Gone => false,
            Self::Open(_) => true,
        }
    }

    /// Returns true if messages of the peer reach the application.
    #[inline]
    pub(crate) const fn is_heard(&self) -> bool {
        matches!(self, Self::Open(LinkState::Connected(Established { phase: Phase::Ready { .. }, .. })))
    }

    /// Returns true if the pipe sends only what is queued.
    #[inline]
    pub(crate) const fn is_draining(&self) -> bool {
        matches!(self, Self::Draining(_))
    }

    #[inline]
    pub(crate) const fn is_gone(&self) -> bool {
        matches!(self, Self::Gone)
    }

    /// Returns true between the beginning and the end of a connection.
    #[inline]
    pub(crate) const fn is_connected(&self) -> bool {
        matches!(self.link(), Some(LinkState::Connected(_) | LinkState::Failed(..)))
    }

    /// Returns true if the connection has finished its handshake.
    #[inline]
    pub(crate) const fn is_ready(&self) -> bool {
        match self.established() {
            Some(established) => established.is_ready(),
            None => false,
        }
    }

    pub(crate) const fn is_connecting(&self) -> bool {
        matches!(self.link(), Some(LinkState::Connecting(_)))
    }

    pub(crate) fn is_accepted_by(&self, id: ListenerId) -> bool {
        let origin = self.established().map(|established| &established.origin);
        matches!(origin, Some(Origin::Accepted { listener, .. }) if *listener == id)
    }

    pub(crate) fn is_dialled_to(&self, endpoint: &Endpoint) -> bool {
        self.dialer().is_some_and(|dialer| dialer.endpoint == *endpoint)
    }

    /// Returns true if this socket dialled the peer.
    pub(crate) fn is_dialled(&self) -> bool {
        self.dialer().is_some()
    }

    /// Peer's side of the connection; `None` if there will be no connection.
    pub(crate) fn endpoint(&self) -> Option<&Endpoint> {
        match self.link()? {
            LinkState::Connecting(dialer) | LinkState::Backoff(dialer) => Some(&dialer.endpoint),
            LinkState::Connected(established) | LinkState::Failed(established, _) => Some(match &established.origin {
                Origin::Accepted { from, .. } => from,
                Origin::Dialled { dialer, .. } => &dialer.endpoint,
            }),
        }
    }

    /// Reason for which the connection must be closed.
    #[inline]
    pub(crate) const fn failure(&self) -> Option<&ConnectionError> {
        match self.link() {
            Some(LinkState::Failed(_, reason)) => Some(reason),
            Some(LinkState::Connecting(_) | LinkState::Backoff(_) | LinkState::Connected(_)) | None => None,
        }
    }

    /// Round trip to the peer, if the connection has measured it.
    pub(crate) const fn round_trip(&self) -> Option<RoundTrip> {
        match self.established() {
            Some(Established { phase: Phase::Ready { round_trip }, .. }) => *round_trip,
            Some(Established { phase: Phase::Handshake, .. }) | None => None,
        }
    }

    pub(crate) const fn set_round_trip(&mut self, latest: RoundTrip) {
        if let Some(Established { phase: Phase::Ready { round_trip }, .. }) = self.established_mut() {
            *round_trip = Some(latest);
        }
    }

    /// Returns true if the connection finished its handshake and lasted longer than the back-off before it.
    pub(crate) fn has_lasted(&self, now: Instant) -> bool {
        match self.established().map(|established| &established.origin) {
            Some(Origin::Dialled { dialer, since }) => self.is_ready() && now.since(*since) > dialer.last_delay,
            Some(Origin::Accepted { .. }) | None => false,
        }
    }

    /// State of the connection; `None` if there will be no connection.
    #[inline]
    pub(crate) const fn link(&self) -> Option<&LinkState> {
        match self {
            Self::Open(link) | Self::Draining(link) => Some(link),
            Self::Gone => None,
        }
    }

    #[inline]
    const fn established(&self) -> Option<&Established> {
        match self.link() {
            Some(LinkState::Connected(established) | LinkState::Failed(established, _)) => Some(established),
            Some(LinkState::Connecting(_) | LinkState::Backoff(_)) | None => None,
        }
    }

    #[inline]
    const fn established_mut(&mut self) -> Option<&mut Established> {
        match self {
            Self::Open(LinkState::Connected(established) | LinkState::Failed(established, _))
            | Self::Draining(LinkState::Connected(established) | LinkState::Failed(established, _)) => {
                Some(established)
            }
            Self::Open(_) | Self::Draining(_) | Self::Gone => None,
        }
    }

    fn dialer(&self) -> Option<&Dialer> {
        match self.link()? {
            LinkState::Connecting(dialer) | LinkState::Backoff(dialer) => Some(dialer),
            LinkState::Connected(established) | LinkState::Failed(established, _) => match &established.origin {
                Origin::Dialled { dialer, .. } => Some(dialer),
                Origin::Accepted { .. } => None,
            },
        }
    }
}

/// Transitions. Each leaves a state alone for which it does not exist.
impl PipeState {
    /// Backoff → Connecting.
    pub(crate) fn dial(&mut self) {
        self.change(|link| match link {
            LinkState::Connecting(dialer) | LinkState::Backoff(dialer) => LinkState::Connecting(dialer),
            LinkState::Connected(_) | LinkState::Failed(..) => link,
        });
    }

    /// Connecting → Connected, or Failed if the pipe was failed before. Returns false in any other state.
    pub(crate) fn connect(&mut self, now: Instant) -> bool {
        let is_connecting = self.is_connecting();
        self.change(|link| match link {
            LinkState::Connecting(mut dialer) => {
                let rejection = dialer.rejection.take();
                let origin = Origin::Dialled { dialer, since: now };
                let established = Established { origin, phase: Phase::Handshake };
                match rejection {
                    Some(reason) => LinkState::Failed(established, reason),
                    None => LinkState::Connected(established),
                }
            }
            LinkState::Backoff(_) | LinkState::Connected(_) | LinkState::Failed(..) => link,
        });
        is_connecting
    }

    /// Handshake → Ready.
    pub(crate) const fn make_ready(&mut self) {
        if let Some(Established { phase: phase @ Phase::Handshake, .. }) = self.established_mut() {
            *phase = Phase::Ready { round_trip: None };
        }
    }

    /// Connecting, Connected or Failed → Backoff. `delay` returns the time until the next dial, given the number of failures
    /// in a row before this one. Returns `None` if this socket did not dial the peer.
    pub(crate) fn back_off(&mut self, now: Instant, delay: impl FnOnce(u32) -> Duration) -> Option<Duration> {
        let has_lasted = self.has_lasted(now);
        let mut chosen = None;
        self.change(|link| {
            let mut dialer = match link {
                LinkState::Connecting(dialer) | LinkState::Backoff(dialer) => dialer,
                LinkState::Connected(established) | LinkState::Failed(established, _) => match established.origin {
                    Origin::Dialled { dialer, .. } => dialer,
                    // No dial leads to the peer: the pipe is removed next.
                    origin @ Origin::Accepted { .. } => {
                        return LinkState::Connected(Established { origin, phase: established.phase });
                    }
                },
            };
            let failures = if has_lasted { 0 } else { dialer.failures };
            let delay = delay(failures);
            dialer.failures = failures.saturating_add(1);
            dialer.last_delay = delay;
            chosen = Some(delay);
            LinkState::Backoff(dialer)
        });
        chosen
    }

    /// Connected → Failed. Before a connection, the reason is kept for the next one. The first reason counts.
    pub(crate) fn fail(&mut self, reason: ConnectionError) {
        self.change(|link| match link {
            LinkState::Connecting(dialer) => LinkState::Connecting(dialer.reject(reason)),
            LinkState::Backoff(dialer) => LinkState::Backoff(dialer.reject(reason)),
            LinkState::Connected(established) => LinkState::Failed(established, Box::new(reason)),
            LinkState::Failed(..) => link,
        });
    }

    /// Open → Draining. Returns false in any other state.
    pub(crate) fn drain(&mut self) -> bool {
        let is_open = matches!(self, Self::Open(_));
        *self = match core::mem::replace(self, Self::Gone) {
            Self::Open(link) | Self::Draining(link) => Self::Draining(link),
            Self::Gone => Self::Gone,
        };
        is_open
    }

    fn change(&mut self, next: impl FnOnce(LinkState) -> LinkState) {
        *self = match core::mem::replace(self, Self::Gone) {
            Self::Open(link) => Self::Open(next(link)),
            Self::Draining(link) => Self::Draining(next(link)),
            Self::Gone => Self::Gone,
        };
    }
}

impl Established {
    #[inline]
    pub(crate) const fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready { .. })
    }
}

impl Dialer {
    fn reject(mut self, reason: ConnectionError) -> Self {
        self.rejection.get_or_insert_with(|| Box::new(reason));
        self
    }
}
