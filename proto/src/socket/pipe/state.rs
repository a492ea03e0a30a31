//! [`PipeState`]: the states of a pipe, from `connect` or an accepted connection to its removal.

use crate::address::Endpoint;
use crate::connection::{ConnectionError, RoundTrip};
use crate::socket::id::ListenerId;
use crate::socket::options::Proxy;
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;

/// State of a pipe.
///
/// ```text
///         dialled                  accepted
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
///          Gone ───► freed when the last incoming message is received
/// ```
///
/// The labels are the functions that change the state. `back_off` is possible from Connecting, Connected and Failed.
/// `dialled` and `accepted` create the state of a new pipe: for a peer that this socket dials, and for a peer that it
/// accepted.
///
/// A pipe has a connection in Connected and Failed. It leaves these two states only when the driver, the code that does
/// the IO, has closed the connection and calls [`Socket::disconnected`](crate::Socket::disconnected). This call changes
/// the state to Backoff if the pipe will be dialled again, and to Gone otherwise. So a pipe that is aborted while it
/// has a connection is Failed until this call.
///
/// If `fail` is called in Connecting or Backoff, the state stays the same and stores the reason. When the next dial
/// succeeds, `connect` changes Connecting to Failed instead of Connected.
// `repr(u8)` here and below: `send` and `exchange` read the discriminants, which would otherwise be stored in a niche
// of an endpoint.
#[derive(Debug)]
#[repr(u8)]
pub(crate) enum PipeState {
    /// The pipe accepts messages from the application and from the peer, unless its connection has failed.
    Open(LinkState),
    /// The pipe accepts no further messages. It still sends the queued messages to the peer, and is then removed.
    Draining(LinkState),
    /// The pipe has no connection and will have none. Its last incoming messages wait for the application to receive
    /// them.
    Gone,
}

/// State of the connection of a pipe, or of the dial if there is no connection.
#[derive(Debug)]
#[repr(u8)]
pub(crate) enum LinkState {
    /// The pipe has no connection. It waits for the outcome of [`Action::Dial`](crate::Action::Dial).
    Connecting(Box<Dialer>),
    /// The pipe has no connection. It waits until the back-off (the delay before the next dial) ends.
    Backoff(Box<Dialer>),
    /// The pipe has a connection, with or without a finished handshake.
    Connected(ActiveLink),
    /// The pipe has a connection that must be closed for this reason. This state lasts until the driver, which does the
    /// IO, has closed the connection and calls [`Socket::disconnected`](crate::Socket::disconnected).
    Failed(ActiveLink, Box<ConnectionError>),
}

/// State of a pipe that this socket dials: the endpoint, and the back-off between dials.
#[derive(Debug)]
pub(crate) struct Dialer {
    pub(crate) endpoint: Endpoint,
    /// Proxy of the latest dial; `None` if it was dialled directly.
    via: Option<Arc<Proxy>>,
    /// Number of failures in a row, for each [`FailureKind`]. A failed dial and a lost connection each count as one
    /// failure. A connection that lasted (see [`PipeState::has_lasted`]) ends the row: its own loss is the first failure
    /// of a new row. The back-off after a failure grows with the number of its kind.
    failures: [u32; 2],
    /// Number of attempts (dials and handshakes) that failed since the last finished handshake.
    failed_attempts: u32,
    /// Latest back-off before a dial; zero before the first. A connection resets `failures` if it finishes its
    /// handshake and lasts longer than this time.
    last_delay: Duration,
    /// Reason to close the next connection as soon as it is established. Set if [`PipeState::fail`] was called while
    /// the pipe had no connection; otherwise `None`.
    rejection: Option<Box<ConnectionError>>,
}

/// Kind of a failed dial or connection. Each kind has its own back-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// Time can cure the failure.
    Temporary,
    /// A setting of one of the two sides must be changed before another dial can succeed.
    Refusal,
}

/// Connection of a pipe: the side that opened it, and the progress of its handshake.
#[derive(Debug)]
pub(crate) struct ActiveLink {
    origin: Origin,
    phase: LinkPhase,
}

/// Side that opened a connection: the peer or this socket.
#[derive(Debug)]
enum Origin {
    /// The peer opened the connection, and a listener of this socket accepted it. `from` is the address of the peer.
    Accepted { listener: ListenerId, from: Endpoint },
    /// This socket opened the connection by a dial. `since` is the time at which the dial succeeded.
    Dialled { dialer: Box<Dialer>, since: Instant },
}

/// Progress of the handshake of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum LinkPhase {
    /// The handshake is not finished; no messages are exchanged.
    Handshake,
    /// The handshake is finished. `round_trip` is the latest round trip time that heartbeats measured; `None` if they
    /// have measured none yet.
    Ready { round_trip: Option<RoundTrip> },
}

impl PipeState {
    /// Creates the state of the pipe of a new `connect`.
    pub(crate) fn dialled(endpoint: Endpoint) -> Self {
        let dialer = Dialer {
            endpoint,
            via: None,
            failures: [0; 2],
            failed_attempts: 0,
            last_delay: Duration::ZERO,
            rejection: None,
        };
        Self::Open(LinkState::Connecting(Box::new(dialer)))
    }

    /// Creates the state of a pipe for a connection that `listener` accepted.
    pub(crate) const fn accepted(listener: ListenerId, from: Endpoint) -> Self {
        let origin = Origin::Accepted { listener, from };
        Self::Open(LinkState::Connected(ActiveLink { origin, phase: LinkPhase::Handshake }))
    }

    /// Returns true if this state permits queuing messages for the peer. Does not check if the queue has room.
    #[inline]
    pub(crate) const fn accepts_messages(&self) -> bool {
        match self {
            Self::Open(LinkState::Failed(..)) | Self::Draining(_) | Self::Gone => false,
            Self::Open(_) => true,
        }
    }

    /// Returns true if messages that arrive from the peer in this state are delivered to the application.
    #[inline]
    pub(crate) const fn delivers_messages(&self) -> bool {
        matches!(self, Self::Open(LinkState::Connected(ActiveLink { phase: LinkPhase::Ready { .. }, .. })))
    }

    /// Returns true if the pipe accepts no further messages and sends only the queued ones.
    #[inline]
    pub(crate) const fn is_draining(&self) -> bool {
        matches!(self, Self::Draining(_))
    }

    #[inline]
    pub(crate) const fn is_gone(&self) -> bool {
        matches!(self, Self::Gone)
    }

    /// Returns true if the pipe has a connection, even if the handshake is not finished or the connection must be
    /// closed.
    #[inline]
    pub(crate) const fn is_connected(&self) -> bool {
        matches!(self.link(), Some(LinkState::Connected(_) | LinkState::Failed(..)))
    }

    /// Returns true if the pipe has a connection that has finished its handshake.
    #[inline]
    pub(crate) const fn is_ready(&self) -> bool {
        match self.active() {
            Some(active) => active.is_ready(),
            None => false,
        }
    }

    pub(crate) const fn is_connecting(&self) -> bool {
        matches!(self.link(), Some(LinkState::Connecting(_)))
    }

    pub(crate) fn is_accepted_by(&self, id: ListenerId) -> bool {
        let origin = self.active().map(|active| &active.origin);
        matches!(origin, Some(Origin::Accepted { listener, .. }) if *listener == id)
    }

    pub(crate) fn is_dialled_to(&self, endpoint: &Endpoint) -> bool {
        self.dialer().is_some_and(|dialer| dialer.endpoint == *endpoint)
    }

    /// Returns true if the pipe was created by `connect`; false if its connection was accepted, or in the state Gone.
    pub(crate) fn is_dialled(&self) -> bool {
        self.dialer().is_some()
    }

    /// Returns true if this socket dials the peer, and the pipe still accepts messages.
    pub(crate) fn is_open_dial(&self) -> bool {
        matches!(self, Self::Open(_)) && self.is_dialled()
    }

    /// Returns the endpoint that this socket dials, or the address of the peer that it accepted; `None` in the state
    /// Gone.
    pub(crate) fn endpoint(&self) -> Option<&Endpoint> {
        match self.link()? {
            LinkState::Connecting(dialer) | LinkState::Backoff(dialer) => Some(&dialer.endpoint),
            LinkState::Connected(active) | LinkState::Failed(active, _) => Some(match &active.origin {
                Origin::Accepted { from, .. } => from,
                Origin::Dialled { dialer, .. } => &dialer.endpoint,
            }),
        }
    }

    /// Returns the reason why the connection must be closed; `None` if the connection has not failed.
    #[inline]
    pub(crate) const fn failure(&self) -> Option<&ConnectionError> {
        match self.link() {
            Some(LinkState::Failed(_, reason)) => Some(reason),
            Some(LinkState::Connecting(_) | LinkState::Backoff(_) | LinkState::Connected(_)) | None => None,
        }
    }

    /// Returns the latest round trip time that heartbeats measured on the present connection; `None` without a
    /// connection or a measurement.
    pub(crate) const fn round_trip(&self) -> Option<RoundTrip> {
        match self.active() {
            Some(ActiveLink { phase: LinkPhase::Ready { round_trip }, .. }) => *round_trip,
            Some(ActiveLink { phase: LinkPhase::Handshake, .. }) | None => None,
        }
    }

    pub(crate) const fn set_round_trip(&mut self, latest: RoundTrip) {
        if let Some(ActiveLink { phase: LinkPhase::Ready { round_trip }, .. }) = self.active_mut() {
            *round_trip = Some(latest);
        }
    }

    /// Returns true if this socket dialled the connection, its handshake is finished, and at the time `now` the
    /// connection has lasted longer than the back-off before the dial.
    pub(crate) fn has_lasted(&self, now: Instant) -> bool {
        match self.active().map(|active| &active.origin) {
            Some(Origin::Dialled { dialer, since }) => self.is_ready() && now.since(*since) > dialer.last_delay,
            Some(Origin::Accepted { .. }) | None => false,
        }
    }

    /// Returns the state of the connection of the pipe; `None` in the state Gone.
    #[inline]
    pub(crate) const fn link(&self) -> Option<&LinkState> {
        match self {
            Self::Open(link) | Self::Draining(link) => Some(link),
            Self::Gone => None,
        }
    }

    #[inline]
    const fn active(&self) -> Option<&ActiveLink> {
        match self.link() {
            Some(LinkState::Connected(active) | LinkState::Failed(active, _)) => Some(active),
            Some(LinkState::Connecting(_) | LinkState::Backoff(_)) | None => None,
        }
    }

    #[inline]
    const fn active_mut(&mut self) -> Option<&mut ActiveLink> {
        match self {
            Self::Open(LinkState::Connected(active) | LinkState::Failed(active, _))
            | Self::Draining(LinkState::Connected(active) | LinkState::Failed(active, _)) => Some(active),
            Self::Open(_) | Self::Draining(_) | Self::Gone => None,
        }
    }

    /// Returns the number of attempts to connect that failed since the last finished handshake; 0 if this socket did not
    /// dial the peer.
    pub(crate) fn failed_attempts(&self) -> u32 {
        self.dialer().map_or(0, |dialer| dialer.failed_attempts)
    }

    /// Returns the proxy of the latest dial; `None` without a proxy, and if this socket did not dial the peer.
    pub(crate) fn proxy(&self) -> Option<&Arc<Proxy>> {
        self.dialer()?.via.as_ref()
    }

    /// Sets the proxy of a dial that begins.
    pub(crate) fn set_proxy(&mut self, proxy: Option<Arc<Proxy>>) {
        if let Some(dialer) = self.dialer_mut() {
            dialer.via = proxy;
        }
    }

    fn dialer_mut(&mut self) -> Option<&mut Dialer> {
        let (Self::Open(link) | Self::Draining(link)) = self else { return None };
        match link {
            LinkState::Connecting(dialer) | LinkState::Backoff(dialer) => Some(dialer),
            LinkState::Connected(active) | LinkState::Failed(active, _) => match &mut active.origin {
                Origin::Dialled { dialer, .. } => Some(dialer),
                Origin::Accepted { .. } => None,
            },
        }
    }

    fn dialer(&self) -> Option<&Dialer> {
        match self.link()? {
            LinkState::Connecting(dialer) | LinkState::Backoff(dialer) => Some(dialer),
            LinkState::Connected(active) | LinkState::Failed(active, _) => match &active.origin {
                Origin::Dialled { dialer, .. } => Some(dialer),
                Origin::Accepted { .. } => None,
            },
        }
    }
}

/// Transitions between the states. A transition that does not exist for a state leaves the state unchanged.
impl PipeState {
    /// Changes Backoff to Connecting. Called when the back-off has ended and the next dial begins.
    pub(crate) fn dial(&mut self) {
        self.change(|link| match link {
            LinkState::Connecting(dialer) | LinkState::Backoff(dialer) => LinkState::Connecting(dialer),
            LinkState::Connected(_) | LinkState::Failed(..) => link,
        });
    }

    /// Changes Connecting to Connected, or to Failed if [`fail`](Self::fail) was called while there was no connection.
    /// Returns false in any other state. `now` is the beginning of the connection.
    pub(crate) fn connect(&mut self, now: Instant) -> bool {
        let is_connecting = self.is_connecting();
        self.change(|link| match link {
            LinkState::Connecting(mut dialer) => {
                let rejection = dialer.rejection.take();
                let origin = Origin::Dialled { dialer, since: now };
                let active = ActiveLink { origin, phase: LinkPhase::Handshake };
                match rejection {
                    Some(reason) => LinkState::Failed(active, reason),
                    None => LinkState::Connected(active),
                }
            }
            LinkState::Backoff(_) | LinkState::Connected(_) | LinkState::Failed(..) => link,
        });
        is_connecting
    }

    /// Changes the phase of the connection from Handshake to Ready, and ends the row of failed attempts.
    pub(crate) fn make_ready(&mut self) {
        if let Some(ActiveLink { phase: phase @ LinkPhase::Handshake, origin }) = self.active_mut() {
            *phase = LinkPhase::Ready { round_trip: None };
            if let Origin::Dialled { dialer, .. } = origin {
                dialer.failed_attempts = 0;
            }
        }
    }

    /// Counts a failed attempt: a dial that failed, or a dialled connection that ended before its handshake was
    /// finished. Does nothing for an accepted connection.
    pub(crate) fn fail_attempt(&mut self) {
        if let Some(dialer) = self.dialer_mut() {
            dialer.failed_attempts = dialer.failed_attempts.saturating_add(1);
        }
    }

    /// Changes Connecting, Connected or Failed to Backoff, after a failure of this kind. `delay` is a function that
    /// computes the time until the next dial from the number of failures of the same kind in the row before this one;
    /// the number is 0 if the connection [has lasted](Self::has_lasted). Returns the computed time; `None` if this
    /// socket did not dial the peer.
    pub(crate) fn back_off(
        &mut self,
        kind: FailureKind,
        now: Instant,
        delay: impl FnOnce(u32) -> Duration,
    ) -> Option<Duration> {
        let has_lasted = self.has_lasted(now);
        let mut chosen = None;
        self.change(|link| {
            let mut dialer = match link {
                LinkState::Connecting(dialer) | LinkState::Backoff(dialer) => dialer,
                LinkState::Connected(active) | LinkState::Failed(active, _) => match active.origin {
                    Origin::Dialled { dialer, .. } => dialer,
                    // An accepted peer cannot be dialled; the caller removes the pipe.
                    origin @ Origin::Accepted { .. } => {
                        return LinkState::Connected(ActiveLink { origin, phase: active.phase });
                    }
                },
            };
            if has_lasted {
                dialer.failures = [0; 2];
            }
            let failures = &mut dialer.failures[kind as usize];
            let delay = delay(*failures);
            *failures = failures.saturating_add(1);
            dialer.last_delay = delay;
            chosen = Some(delay);
            LinkState::Backoff(dialer)
        });
        chosen
    }

    /// Changes Connected to Failed. Without a connection, stores `reason`, and the next connection becomes Failed as
    /// soon as it is established. If this method is called several times, only the first reason counts.
    pub(crate) fn fail(&mut self, reason: ConnectionError) {
        self.change(|mut link| match link {
            LinkState::Connecting(ref mut dialer) | LinkState::Backoff(ref mut dialer) => {
                dialer.rejection.get_or_insert_with(|| Box::new(reason));
                link
            }
            LinkState::Connected(active) => LinkState::Failed(active, Box::new(reason)),
            LinkState::Failed(..) => link,
        });
    }

    /// Changes Open to Draining, in which the pipe accepts no further messages and sends only the queued ones. Returns
    /// false in any other state.
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

impl ActiveLink {
    #[inline]
    pub(crate) const fn is_ready(&self) -> bool {
        matches!(self.phase, LinkPhase::Ready { .. })
    }
}
