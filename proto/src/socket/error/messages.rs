//! Errors of `send` and `recv`.

use super::{CLOSED, FORKED, INTERRUPTED};
use crate::address::NetworkError;
use crate::connection::ConnectionError;
use crate::message::Message;
use crate::socket::failing::FailingDials;
use crate::socket_type::SocketType;
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;
use thiserror::Error;

/// Error of `send`. Each variant carries the message that was not sent.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// No peer that could receive the message has room now: no such peer is connected, or the outgoing queues of these
    /// peers have reached the high-water mark. An asynchronous `send` waits instead. Carries the message that was not
    /// sent.
    #[doc(alias("EAGAIN", "Again"))]
    #[error("no peer has room: no peer is connected, or `send_hwm` is reached; wait, or raise `send_hwm`")]
    Full(Message),
    /// The routing id in the first frame belongs to no peer. Returned by a STREAM, SERVER, PEER, or a ROUTER with
    /// `mandatory`. Carries the message that was not sent.
    #[doc(alias = "EHOSTUNREACH")]
    #[error(
        "no connected peer has the routing id in the first frame; use the first frame of a message from the peer, and send \
         after the peer has connected"
    )]
    Unroutable(Message),
    /// A message of a ROUTER, SERVER or PEER has only one frame: a routing id without a body. Carries the message that
    /// was not sent.
    #[error(
        "a ROUTER sends [routing id, frames…], a SERVER or PEER [routing id, body]; this message has only one frame"
    )]
    Unaddressed(Message),
    /// A message of a RADIO does not consist of a group name of at most 255 bytes and a body. Carries the message that
    /// was not sent.
    #[error("a RADIO sends [group, body], the group with at most 255 bytes")]
    NotGrouped(Message),
    /// A message of a CLIENT, SERVER, SCATTER, CHANNEL or PEER has more than one body frame. Carries the message that
    /// was not sent.
    #[error(
        "a CLIENT, SCATTER or CHANNEL sends one frame, a SERVER or PEER [routing id, body]; this message has {} frames (join \
         them, or use another socket type at both ends)", .0.len()
    )]
    SingleFrame(Message),
    /// A message of a STREAM does not have exactly two frames. Carries the message that was not sent.
    #[error("a STREAM sends [routing id, bytes]; this message has {n} frames", n = .0.len())]
    FrameCount(Message),
    /// The message is larger than `max_send_size` of this socket, or than `max_message_size` of a peer over `inproc`. Over
    /// other transports the limit of a peer is not known. Carries the message that was not sent.
    #[doc(alias = "EMSGSIZE")]
    #[error(
        "the message has {n} bytes in all its frames, which is more than `max_send_size` of this socket allows, or \
         `max_message_size` of a peer over inproc", n = .0.size()
    )]
    TooLarge(Message),
    /// A REQ has not yet received the reply to its last request, or a REP has no request to reply to. Carries the
    /// message that was not sent.
    #[doc(alias = "EFSM")]
    #[error(
        "out of turn: a REQ sends once and then receives the reply (set `relaxed`, or use a DEALER, to send several \
         requests); a REP receives a request before it replies (use a ROUTER to answer in any order)"
    )]
    OutOfTurn(Message),
    /// Sockets of this type cannot send, only receive. Carries the message that was not sent, and the type of the
    /// socket.
    #[doc(alias = "ENOTSUP")]
    #[error("a {1} socket only receives; to send too, use another socket type at both ends")]
    Unsupported(Message, SocketType),
    /// The socket was closed before the call of `send`. Carries the message that was not sent.
    #[doc(alias("ETERM", "ContextTerminated"))]
    #[error("{CLOSED}")]
    Closed(Message),
    /// The runtime cannot run the socket, see [`Socket::runtime_failed`](crate::Socket::runtime_failed). Carries the message
    /// that was not sent, and the error.
    #[error("the socket does not work: {1}")]
    Runtime(Message, #[source] NetworkError),
    /// The time-out of a blocking `send` expired before any peer had room.
    #[doc(alias("EAGAIN", "Again"))]
    #[error("no peer had room within the time-out of {after:?}; {failing}")]
    TimedOut {
        /// The message that was not sent.
        message: Message,
        /// Time-out of the call.
        after: Duration,
        /// Dials that are failing, each with the reason.
        failing: FailingDials,
    },
    /// No peer is connected, and every dial is failing; returned only with the option `fail_unreachable`, and after
    /// [`NetworkError::NoIoDriver`]. Carries the message that was not sent, and the reason of each failure.
    #[error("no peer can be reached; the socket continues to dial: {1}")]
    Unreachable(Message, FailingDials),
    /// The current process is a forked child of the process that created the socket; see [`RecvError::Forked`]. Returned
    /// only by blocking calls. Carries the message that was not sent.
    #[error("{FORKED}")]
    Forked(Message),
    /// A signal interrupted a blocking `send`; see [`RecvError::Interrupted`]. Carries the message that was not sent.
    #[doc(alias = "EINTR")]
    #[error("{INTERRUPTED}")]
    Interrupted(Message),
}

impl SendError {
    /// Returns the message that was not sent, which every variant carries.
    pub fn into_message(self) -> Message {
        match self {
            Self::Full(message)
            | Self::Unroutable(message)
            | Self::Unaddressed(message)
            | Self::NotGrouped(message)
            | Self::SingleFrame(message)
            | Self::FrameCount(message)
            | Self::TooLarge(message)
            | Self::OutOfTurn(message)
            | Self::Unsupported(message, _)
            | Self::Closed(message)
            | Self::Runtime(message, _)
            | Self::TimedOut { message, .. }
            | Self::Unreachable(message, _)
            | Self::Forked(message)
            | Self::Interrupted(message) => message,
        }
    }
}

/// Reason why a message was not sent, without the message. [`Socket::offer`](crate::Socket::offer) returns this form of
/// [`SendError`], because moving the message into and out of an error costs as much time as queueing the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsent {
    /// No peer has room now; see [`SendError::Full`].
    Full,
    /// No peer has the routing id in the first frame; see [`SendError::Unroutable`].
    Unroutable,
    /// The message consists of a routing id without a body; see [`SendError::Unaddressed`].
    Unaddressed,
    /// The message of a RADIO does not consist of a group and a body; see [`SendError::NotGrouped`].
    NotGrouped,
    /// The message has several body frames, but the socket type sends only one; see [`SendError::SingleFrame`].
    SingleFrame,
    /// The message of a STREAM does not have two frames; see [`SendError::FrameCount`].
    FrameCount,
    /// The message is larger than a limit in bytes; see [`SendError::TooLarge`].
    // Without the limit, so that a result with this type fits into registers.
    TooLarge,
    /// A REQ or REP must receive before it sends; see [`SendError::OutOfTurn`].
    OutOfTurn,
    /// Sockets of this type cannot send, only receive. The value is the type of the socket; see
    /// [`SendError::Unsupported`].
    Unsupported(SocketType),
    /// The socket is closed, or does not work; see [`SendError::Closed`] and [`SendError::Runtime`].
    Closed,
    /// Every dial is failing; see [`SendError::Unreachable`].
    Unreachable,
}

impl Unsent {
    /// Returns the [`SendError`] of this reason, with `message` in it. The error of
    /// [`Unreachable`](Self::Unreachable) has no list of failing dials; [`Socket::send_error`](crate::Socket::send_error)
    /// adds the list.
    #[cold]
    pub fn into_error(self, message: Message) -> SendError {
        match self {
            Self::Full => SendError::Full(message),
            Self::Unroutable => SendError::Unroutable(message),
            Self::Unaddressed => SendError::Unaddressed(message),
            Self::NotGrouped => SendError::NotGrouped(message),
            Self::SingleFrame => SendError::SingleFrame(message),
            Self::FrameCount => SendError::FrameCount(message),
            Self::TooLarge => SendError::TooLarge(message),
            Self::OutOfTurn => SendError::OutOfTurn(message),
            Self::Unsupported(socket_type) => SendError::Unsupported(message, socket_type),
            Self::Closed => SendError::Closed(message),
            Self::Unreachable => SendError::Unreachable(message, FailingDials::default()),
        }
    }
}

// A `main` that returns the error prints the `Debug` text, so it includes the advice. It omits the message, because the
// content may be secret and long.
impl fmt::Debug for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Full(_) => "Full",
            Self::Unroutable(_) => "Unroutable",
            Self::Unaddressed(_) => "Unaddressed",
            Self::NotGrouped(_) => "NotGrouped",
            Self::SingleFrame(_) => "SingleFrame",
            Self::FrameCount(_) => "FrameCount",
            Self::TooLarge(_) => "TooLarge",
            Self::OutOfTurn(_) => "OutOfTurn",
            Self::Unsupported(..) => "Unsupported",
            Self::Closed(_) => "Closed",
            Self::Runtime(..) => "Runtime",
            Self::TimedOut { .. } => "TimedOut",
            Self::Unreachable(..) => "Unreachable",
            Self::Forked(_) => "Forked",
            Self::Interrupted(_) => "Interrupted",
        };
        write!(f, "{name}: {self}")
    }
}

/// Error of `recv`.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecvError {
    /// No message has arrived. An asynchronous `recv` waits instead.
    #[doc(alias("EAGAIN", "Again"))]
    #[error("no message has arrived; `recv` waits for one")]
    Empty,
    /// A REQ has not sent a request, or a REP has not replied to the last request.
    #[doc(alias = "EFSM")]
    #[error(
        "out of turn: a REQ sends a request before it receives (use a DEALER to receive at any time); a REP replies \
         before it receives the next request (use a ROUTER to handle several requests)"
    )]
    OutOfTurn,
    /// No reply to the request of a REQ can arrive: the connection to its peer ended after the request was sent, or the
    /// socket has stopped dialling the peer before it could send the request. The next `send` is allowed at once.
    #[error("{}{}", if *.sent {
        "the peer that received the request disconnected; send the request again if it may be processed twice; reason: "
    } else {
        "the request was not sent, and the socket does not dial its peer again: "
    }, .cause)]
    PeerLost {
        /// True if the request was sent, or may have been sent.
        sent: bool,
        /// Reason why the connection to the peer, or the last dial, ended.
        #[source]
        cause: Arc<ConnectionError>,
    },
    /// Sockets of this type cannot receive, only send. The value is the type of the socket.
    #[doc(alias = "ENOTSUP")]
    #[error("a {0} socket only sends; to receive too, use another socket type at both ends")]
    Unsupported(SocketType),
    /// The socket is closed.
    #[doc(alias("ETERM", "ContextTerminated"))]
    #[error("{CLOSED}")]
    Closed,
    /// The runtime cannot run the socket, see [`Socket::runtime_failed`](crate::Socket::runtime_failed).
    #[error("the socket does not work: {0}")]
    Runtime(#[source] NetworkError),
    /// The time-out of a blocking `recv` expired before a message arrived.
    #[doc(alias("EAGAIN", "Again"))]
    #[error("no message arrived within the time-out of {after:?}; {failing}")]
    TimedOut {
        /// Time-out of the call.
        after: Duration,
        /// Dials that are failing, each with the reason.
        failing: FailingDials,
    },
    /// No message has arrived, no peer is connected, and every dial is failing; returned only with the option
    /// `fail_unreachable`, and after [`NetworkError::NoIoDriver`]. Carries the reason of each failure.
    #[error("no message has arrived and no peer can be reached; the socket continues to dial: {0}")]
    Unreachable(FailingDials),
    /// The current process is a forked child of the process that created the socket, and has no thread that does the IO of
    /// the socket. Returned only by blocking calls. (libzmq does not support this use either.)
    #[error("{FORKED}")]
    Forked,
    /// A signal interrupted a blocking call: a signal handler without `SA_RESTART` ran in its thread. No message is lost; the
    /// next call continues. Returned only by blocking calls on Linux and Android. (libzmq returns `EINTR` after every handler.)
    #[doc(alias = "EINTR")]
    #[error("{INTERRUPTED}")]
    Interrupted,
}

impl RecvError {
    /// Returns true if every later call would return an error too: the socket is closed, or can never receive. A loop or stream
    /// of received messages ends after such an error.
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Closed | Self::Unsupported(_) | Self::Runtime(_) | Self::Forked => true,
            Self::Empty
            | Self::OutOfTurn
            | Self::PeerLost { .. }
            | Self::TimedOut { .. }
            | Self::Unreachable(_)
            | Self::Interrupted => false,
        }
    }
}

// A `main` that returns the error prints the `Debug` text, so it includes the advice.
impl fmt::Debug for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Empty => "Empty",
            Self::OutOfTurn => "OutOfTurn",
            Self::PeerLost { .. } => "PeerLost",
            Self::Unsupported(_) => "Unsupported",
            Self::Closed => "Closed",
            Self::Runtime(_) => "Runtime",
            Self::TimedOut { .. } => "TimedOut",
            Self::Unreachable(_) => "Unreachable",
            Self::Forked => "Forked",
            Self::Interrupted => "Interrupted",
        };
        write!(f, "{name}: {self}")
    }
}
