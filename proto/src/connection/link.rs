//! What a socket and its links have in common: messages and wishes, the [`Link`] they meet through, and the [`Peer`] behind it.

use crate::connection::heartbeat::RoundTrip;
use crate::message::{Frame, Message};
use crate::socket_type::SocketType;
use crate::wire::{Metadata, Version};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;

/// What the handshake told about the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// Its socket type, compatible with ours. A peer of ZMTP 1.0 does not say it, and is taken for what speaks with ours.
    pub socket_type: SocketType,
    /// The routing id it chose (wire property Identity); empty if it chose none.
    pub routing_id: Frame,
    /// The version both sides speak.
    pub version: Version,
    /// Everything it says of itself: what its READY or INITIATE holds.
    pub metadata: Metadata,
    /// Who it is, if authentication found that out. Nothing that the peer says ends up here.
    pub user_id: Option<Bytes>,
    /// What else authentication found out. Nothing that the peer says ends up here.
    pub properties: Metadata,
    /// Whose process it is, if the operating system says so: over `ipc` it does.
    pub credentials: Option<Credentials>,
}

/// Properties that a peer sent in its handshake, after their check.
pub(super) struct PeerInfo {
    pub(super) socket_type: SocketType,
    pub(super) routing_id: Frame,
    pub(super) metadata: Metadata,
}

/// Whose process is at the other end of a Unix domain socket, by the word of the operating system (`SO_PEERCRED`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The process, where the system tells; it may have ended since, and its number be another's now.
    pub pid: Option<u32>,
    /// The user it runs as.
    pub uid: u32,
    /// The group it runs as.
    pub gid: u32,
}

/// Item that a socket gives to a link. Each link must handle every variant, so a new one is a breaking change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outbound {
    /// A message.
    Message(Message),
    /// What this side wishes to receive.
    Subscription(Subscription),
}

/// Item that a socket takes from a link. Each link must handle every variant, so a new one is a breaking change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inbound {
    /// A message.
    Message(Message),
    /// What the peer wishes to receive.
    Subscription(Subscription),
}

/// What one side asks of a publisher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subscription {
    /// Messages that begin with this prefix (RFC 37, "SUBSCRIBE"): a command for 3.1 peers, a `01` message for 3.0 ones.
    /// Both are understood from everybody.
    Subscribe(Bytes),
    /// No more messages that begin with it: a command for 3.1 peers, a `00` message for 3.0 ones.
    Cancel(Bytes),
    /// Messages of this group (RFC 48, "JOIN").
    Join(Bytes),
    /// No more messages of it (RFC 48, "LEAVE").
    Leave(Bytes),
}

impl Subscription {
    /// The subscription, or the end of one, that ZMTP 3.0 says by a message of these octets.
    pub(crate) fn from_message(octets: &[u8]) -> Option<Self> {
        match octets.split_first() {
            Some((1, prefix)) => Some(Self::Subscribe(Bytes::copy_from_slice(prefix))),
            Some((0, prefix)) => Some(Self::Cancel(Bytes::copy_from_slice(prefix))),
            Some(_) | None => None,
        }
    }

    /// The prefix or the group.
    pub const fn subject(&self) -> &Bytes {
        match self {
            Self::Subscribe(subject) | Self::Cancel(subject) | Self::Join(subject) | Self::Leave(subject) => subject,
        }
    }
}

impl From<Message> for Outbound {
    fn from(message: Message) -> Self {
        Self::Message(message)
    }
}

impl From<Message> for Inbound {
    fn from(message: Message) -> Self {
        Self::Message(message)
    }
}

/// What a socket's pipe exchanges messages with: a [`Connection`](crate::Connection), or a socket of the
/// same process.
pub trait Link {
    /// The other side; `Some` once messages may flow.
    fn peer(&self) -> Option<&Arc<Peer>>;
    /// Whether the link takes more now. It bounds octets, not messages: about one batch of 64 KiB, or of 256 KiB if bodies are large.
    fn has_room(&self) -> bool;
    /// Copies the first few of these messages, if that costs no more than to take them; says how many. The others are to be
    /// [given](Self::give).
    fn copy<'a>(&mut self, _: impl Iterator<Item = &'a Message>) -> usize
    where
        Self: Sized,
    {
        0
    }
    /// Hands the link something to send; allowed at any time, but wait for `has_room` to keep memory bounded.
    fn give(&mut self, item: Outbound);
    /// The next thing that arrived.
    fn take(&mut self) -> Option<Inbound>;
    /// Nothing more will be given: the link is to end once everything is out.
    fn finish(&mut self);
    /// How many messages given are not out.
    fn unsent(&self) -> usize;
    /// Takes the messages back that have not begun to go out, in order. For a link that is over.
    fn reclaim(&mut self) -> Vec<Message>;
    /// How far away the other side is, if heartbeats have told.
    fn round_trip(&self) -> Option<RoundTrip> {
        None
    }
}

impl<L: Link> Link for &mut L {
    fn peer(&self) -> Option<&Arc<Peer>> {
        (**self).peer()
    }
    fn has_room(&self) -> bool {
        (**self).has_room()
    }
    fn copy<'a>(&mut self, messages: impl Iterator<Item = &'a Message>) -> usize {
        (**self).copy(messages)
    }
    fn give(&mut self, item: Outbound) {
        (**self).give(item);
    }
    fn take(&mut self) -> Option<Inbound> {
        (**self).take()
    }
    fn finish(&mut self) {
        (**self).finish();
    }
    fn unsent(&self) -> usize {
        (**self).unsent()
    }
    fn reclaim(&mut self) -> Vec<Message> {
        (**self).reclaim()
    }
    fn round_trip(&self) -> Option<RoundTrip> {
        (**self).round_trip()
    }
}
