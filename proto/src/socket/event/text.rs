//! Texts of events, which have the words of the corresponding errors.

use super::{DropReason, Event, RejectReason};
use crate::message::Frame;
use crate::socket::failing::write_failure;
use core::fmt;
use core::time::Duration;

/// Writes the event as a sentence without a final period, for logs: endpoints, the reason, and the time until the next
/// attempt. An event that reports an error has the text of this error.
///
/// ```
/// use sansmq::{Event, NetworkError};
///
/// let event = Event::ListenFailed { endpoint: "tcp://*:80".try_into()?, error: NetworkError::AddressInUse };
/// let text = event.to_string();
/// assert!(text.starts_with("cannot listen at tcp://*:80: the address is already in use"), "{text}");
/// # Ok::<(), sansmq::ParseEndpointError>(())
/// ```
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listening { endpoint } => write!(f, "listening at {endpoint}"),
            Self::NoAuthenticator { endpoint } => write!(
                f,
                "every peer at {endpoint} is rejected, because this socket has no authenticator: set `authenticator` in its \
                 options, for example to an `AllowList`, or bind a ZAP handler; a CURVE server accepts any key only with \
                 `any_key`"
            ),
            Self::ListenFailed { endpoint, error } => write!(f, "cannot listen at {endpoint}: {error}"),
            Self::AcceptFailed { endpoint, error, pause } => {
                write!(f, "cannot accept a connection at {endpoint}: {error}; next attempt in {}", Rounded(*pause))
            }
            Self::ListenerClosed { endpoint } => write!(f, "no longer listening at {endpoint}"),
            Self::ListenerCloseFailed { endpoint, error } => write!(f, "{endpoint} is unbound, but: {error}"),
            Self::Accepted { endpoint, from, .. } => write!(f, "accepted a connection at {endpoint} from {from}"),
            Self::Rejected { endpoint, from, reason } => {
                write!(f, "rejected a connection at {endpoint} from {from}: {reason}")
            }
            Self::UnknownResource { endpoint, from, reason } => {
                write!(f, "a connection at {endpoint} from {from} ended before it was assigned to a socket: {reason}")
            }
            Self::Connecting { endpoint, .. } => write!(f, "connecting to {endpoint}"),
            Self::Connected { endpoint, .. } => write!(f, "connected to {endpoint}, the handshake begins"),
            Self::ConnectFailed { endpoint, error, attempts, retry, .. } => {
                // The same words as `ConnectionError::Network`, the reason in a list of failing dials.
                write_failure(f, endpoint, &format_args!("the network failed: {error}"), *attempts)?;
                match retry {
                    Some(retry) => write!(f, "; next attempt in {}", Rounded(*retry)),
                    None => f.write_str("; the socket makes no further attempt"),
                }
            }
            Self::ConnectCancelled { endpoint, .. } => write!(f, "cancelled connecting to {endpoint}"),
            Self::Ready { endpoint, peer, routing_id, .. } => {
                write!(f, "ready to exchange messages with {endpoint}, a {}{}", peer.socket_type, RoutingId(routing_id))
            }
            Self::HandshakeFailed { endpoint, reason, retry, .. } => {
                write!(f, "the handshake with {endpoint} failed: {reason}{}", Retry(*retry))
            }
            Self::Disconnected { endpoint, routing_id, reason, retry, .. } => {
                let id = RoutingId(routing_id);
                write!(f, "the connection to {endpoint}{id} ended: {reason}{}", Retry(*retry))
            }
            Self::Dropped { reason, messages: 1 } => write!(f, "1 message was dropped: {reason}"),
            Self::Dropped { reason, messages } => write!(f, "{messages} messages were dropped: {reason}"),
            Self::DriverLost { unsent } => write!(
                f,
                "the runtime of the socket ended before all messages were sent, {unsent} were dropped; call `close` of the \
                 socket, or of its context, and wait for the result before the runtime ends"
            ),
            Self::Closed => f.write_str("the socket is closed"),
            Self::Lagged(events) => {
                write!(f, "{events} events were dropped, because the monitor was polled too slowly")
            }
        }
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MaxPeers => "the socket has as many peers as `Options::max_peers` allows",
            Self::MaxHandshakes => "as many handshakes are in progress as `Options::max_handshakes` allows",
            Self::MaxHandshakesPerAddress => {
                "as many handshakes from this address are in progress as `Options::max_handshakes` allows"
            }
            Self::MaxHandshakeRate => {
                "connections from this address arrive faster than `Options::max_handshake_rate` allows"
            }
        })
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unroutable => {
                "no connected peer has the routing id in the first frame; with `mandatory`, `send` returns an error instead"
            }
            Self::PeerFull => "the outgoing queue of the peer is full; raise `send_hwm`, or send less",
            Self::PeerGone => "the peer disconnected before the reply was sent",
            Self::MissingDelimiter => "a REP received a message without an empty delimiter before the body",
            Self::UnexpectedReply => "a REQ received a message that is not the reply to its present request",
            Self::Unexpected => "the type of this socket does not accept the message",
            Self::Multipart => "the type of this socket accepts messages of one frame only",
            Self::Undelivered => "not sent before the connection or the linger period ended",
        })
    }
}

/// Routing id of a peer in a text; nothing if the id is empty.
struct RoutingId<'a>(&'a Frame);

impl fmt::Display for RoutingId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " with the routing id {:?}", self.0) }
    }
}

/// Time until the next attempt in a text; nothing if there is no next attempt.
struct Retry(Option<Duration>);

impl fmt::Display for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |retry| write!(f, "; next attempt in {}", Rounded(retry)))
    }
}

/// Duration in a text, in whole milliseconds: reconnect intervals are random, down to nanoseconds.
struct Rounded(Duration);

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", Duration::new(self.0.as_secs(), self.0.subsec_millis() * 1_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::{Endpoint, NetworkError};
    use crate::connection::ConnectionError;
    use crate::socket::error::{BindError, UnbindError};
    use crate::socket::failing::{FailingDial, FailingDials};
    use crate::socket::id::PipeId;
    use alloc::string::ToString;
    use alloc::sync::Arc;
    use alloc::{format, vec};

    const PIPE: PipeId = PipeId { index: 1, generation: 1 };

    fn endpoint() -> Endpoint {
        "tcp://localhost:5555".parse().unwrap()
    }

    #[test]
    fn event_of_failed_bind_has_text_of_its_error() {
        let (endpoint, error) = (endpoint(), NetworkError::AddressInUse);
        assert_eq!(
            Event::ListenFailed { endpoint: endpoint.clone(), error }.to_string(),
            BindError::Network { endpoint: endpoint.clone(), error }.to_string()
        );
        assert_eq!(
            Event::ListenerCloseFailed { endpoint: endpoint.clone(), error }.to_string(),
            UnbindError::Network { endpoint, error }.to_string()
        );
    }

    #[test]
    fn event_of_failed_dial_has_text_of_its_error() {
        let error = NetworkError::Refused;
        let reason = Arc::new(ConnectionError::Network(error));
        for (attempts, retry, ending) in [
            (1, Some(Duration::from_nanos(103_276_513)), "; next attempt in 103ms"),
            (2, None, "; the socket makes no further attempt"),
        ] {
            let dial = FailingDial { pipe: PIPE, endpoint: endpoint(), reason: Arc::clone(&reason), attempts };
            let expected = FailingDials::from(vec![dial]).to_string();
            let event = Event::ConnectFailed { pipe: PIPE, endpoint: endpoint(), error, attempts, retry };
            assert_eq!(event.to_string(), format!("{expected}{ending}"));
        }
    }

    #[test]
    fn event_of_ended_connection_names_peer_reason_and_retry() {
        let reason = ConnectionError::PeerClosed;
        let event = Event::Disconnected {
            pipe: PIPE,
            endpoint: endpoint(),
            routing_id: "client".into(),
            reason: reason.clone(),
            retry: Some(Duration::from_millis(1500)),
        };
        assert_eq!(
            event.to_string(),
            format!(
                "the connection to tcp://localhost:5555 with the routing id \"client\" ended: {reason}; next attempt in 1.5s"
            )
        );
        let event = Event::HandshakeFailed { pipe: PIPE, endpoint: endpoint(), reason: reason.clone(), retry: None };
        assert_eq!(event.to_string(), format!("the handshake with tcp://localhost:5555 failed: {reason}"));
    }
}
