//! The interface through which a socket uses its connections: the trait [`Link`], the items that it sends and receives
//! (messages and subscription changes), and [`Peer`], the properties of the peer.

use crate::address::Endpoint;
use crate::connection::heartbeat::RoundTrip;
use crate::connection::inbox::Inbox;
use crate::connection::written::Written;
use crate::cost;
use crate::message::{Frame, Message};
use crate::socket_type::SocketType;
use crate::wire::{Metadata, Version};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;

/// Properties of a connected peer, known after the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// Socket type of the peer, compatible with the type of this side. A peer of ZMTP 1.0 sends no type; a compatible
    /// type is assumed.
    #[doc(alias("ZMQ_MSG_PROPERTY_SOCKET_TYPE", "MSG_PROPERTY_SOCKET_TYPE"))]
    pub socket_type: SocketType,
    /// Routing id of the peer (wire property Identity); empty if the peer has set no routing id.
    #[doc(alias("ZMQ_MSG_PROPERTY_ROUTING_ID", "MSG_PROPERTY_ROUTING_ID"))]
    pub routing_id: Frame,
    /// ZMTP version that both sides use.
    pub version: Version,
    /// All properties that the peer sent in READY or INITIATE; empty for a peer of ZMTP 2.0 or 1.0.
    #[doc(alias = "zmq_msg_gets")]
    pub metadata: Metadata,
    /// User id that the authenticator assigned to the peer; `None` if it assigned no user id. Never taken from data
    /// that the peer sent.
    #[doc(alias("ZMQ_MSG_PROPERTY_USER_ID", "MSG_PROPERTY_USER_ID"))]
    pub user_id: Option<Bytes>,
    /// Further properties that the authenticator assigned to the peer. Never taken from data that the peer sent.
    pub properties: Metadata,
    /// Credentials of the peer's process, as reported by the operating system. Always `None` over other transports than
    /// `ipc`.
    pub credentials: Option<Credentials>,
    /// Address of the peer: of an accepted peer the remote address of its connection, of a dialled peer the address that the
    /// name in its endpoint had, or the endpoint itself if a SOCKS proxy is in between or the event loop did not pass the
    /// address (`Peer-Address` of libzmq, which has no port). `None` over `inproc`.
    #[doc(alias("ZMQ_MSG_PROPERTY_PEER_ADDRESS", "MSG_PROPERTY_PEER_ADDRESS"))]
    pub address: Option<Endpoint>,
}

/// Properties that a peer sent in its handshake, after they were checked.
pub(super) struct PeerInfo {
    pub(super) socket_type: SocketType,
    pub(super) routing_id: Frame,
    pub(super) metadata: Metadata,
}

/// Credentials of the process at the other end of a Unix domain socket, as reported by the operating system
/// (`SO_PEERCRED`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Id of the peer's process, if the operating system reports it. The peer's process may have ended, and the
    /// operating system may have given its id to another process.
    pub pid: Option<u32>,
    /// User id of the peer's process.
    pub uid: u32,
    /// Group id of the peer's process.
    pub gid: u32,
}

/// Item that a socket passes to a [`Link`] to be sent. An implementation of `Link` must handle every variant, so a new
/// variant is a breaking change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outbound {
    /// A message that the link sends to the peer.
    Message(Message),
    /// A change of this side's subscriptions or group memberships, to send to the peer.
    Subscription(Subscription),
}

/// Item that a socket receives from a [`Link`]. The enum is exhaustive, so a new variant is a breaking change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inbound {
    /// A message that the peer sent.
    Message(Message),
    /// A change of the peer's subscriptions or group memberships, received from the peer.
    Subscription(Subscription),
}

/// Change of one subscription, or of one group membership. A subscriber sends it to a publisher, and a DISH to a RADIO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subscription {
    /// The sender subscribes to messages that begin with this prefix (RFC 37, "SUBSCRIBE"). Sent as a command to peers
    /// of ZMTP 3.1, and as a message that begins with the byte `01` to peers of earlier versions. Both forms are
    /// accepted from all peers.
    Subscribe(Bytes),
    /// The sender cancels its subscription to this prefix (RFC 37, "CANCEL"). Sent as a command to peers of ZMTP 3.1,
    /// and as a message that begins with the byte `00` to peers of earlier versions.
    Cancel(Bytes),
    /// The sender joins the group with this name (RFC 48, "JOIN").
    Join(Bytes),
    /// The sender leaves the group with this name (RFC 48, "LEAVE").
    Leave(Bytes),
}

impl Subscription {
    /// Decodes a message with this content as a subscription change of ZMTP 3.0: the byte 1 or 0, followed by the
    /// prefix. Returns `None` for any other message.
    pub(crate) fn from_message(content: &[u8]) -> Option<Self> {
        // The content of another message is not copied.
        if let Some(0 | 1) = content.first() {
            cost::bytes(content.len());
        }
        match content.split_first() {
            Some((1, prefix)) => Some(Self::Subscribe(Bytes::copy_from_slice(prefix))),
            Some((0, prefix)) => Some(Self::Cancel(Bytes::copy_from_slice(prefix))),
            Some(_) | None => None,
        }
    }

    /// Separates the frames of a message that are subscription changes, in the format of ZMTP 3.0, from the other
    /// frames. Returns the changes, and a message with the other frames. The message is `None` if there are no other
    /// frames. If `only_first` (an option of the socket) is true and the first frame is not a change, the other frames are
    /// not checked.
    pub(crate) fn split(message: Message, only_first: bool) -> (Vec<Self>, Option<Message>) {
        let begins_with_change = matches!(message.head().first(), Some(0 | 1));
        if !begins_with_change && (only_first || message.len() == 1) {
            return (Vec::new(), Some(message));
        }
        let mut changes = Vec::new();
        let mut rest = message.into_frames();
        rest.retain(|frame| {
            cost::frames(1);
            let change = Self::from_message(frame);
            let is_none = change.is_none();
            changes.extend(change);
            is_none
        });
        (changes, Message::from_frames(rest))
    }

    /// Returns the prefix that the change subscribes to or cancels, or the name of the group.
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

/// Interface through which a socket sends and receives on one of its connections. [`Connection`](crate::Connection)
/// implements it for a remote peer; a runtime implements it for the other socket of an `inproc` connection.
pub trait Link {
    /// Returns the properties of the peer; `None` before they are known and checked, and after the end of the
    /// connection.
    fn peer(&self) -> Option<&Arc<Peer>>;
    /// Records that the socket has admitted the [`peer`](Self::peer). A connection may wait for this call before it
    /// completes the handshake, so that a peer that the socket rejects does not send messages that would be lost. The
    /// default implementation does nothing, for links that need not wait.
    fn admit(&mut self) {}
    /// Returns true if the socket should pass more items to [`give`](Self::give). Returns false while too many items
    /// wait to be written.
    ///
    /// A [`Connection`](crate::Connection) returns false once one of these limits is reached, whichever is first: 512
    /// messages, 64 KiB of frame heads and small bodies, or 256 KiB of large bodies (of at least 2 KiB). While messages
    /// cannot be encoded at once, for example because they must be encrypted, the only limit is about 64 KiB for
    /// everything that waits. The limits are checked before an item is added, so the last item can exceed them.
    fn has_room(&self) -> bool;
    /// Encodes messages from the front of the iterator without taking ownership of them, and returns the number of
    /// encoded messages. The caller must pass all other messages to [`give`](Self::give). An implementation encodes
    /// only messages for which this costs no more than `give`; the default implementation encodes none.
    fn copy<'a>(&mut self, _: impl Iterator<Item = &'a Message>) -> usize
    where
        Self: Sized,
    {
        0
    }
    /// Returns the queue to the other socket, if the link is such a queue, as over `inproc`, and the number of messages and of bytes
    /// that messages hold for which it has room. The socket may move messages there instead of calling [`give`](Self::give) for
    /// each. The default implementation returns `None`.
    fn lane(&mut self) -> Option<(&mut Inbox, usize, u64)> {
        None
    }
    /// Queues an item to send, and accepts the item in any case. To bound the memory, the caller should call this
    /// method only while [`has_room`](Self::has_room) returns true.
    fn give(&mut self, item: Outbound);
    /// Removes and returns the oldest received item that was not taken yet; `None` if there is no such item.
    fn take(&mut self) -> Option<Inbound>;
    /// Returns the queue of the received items that were not taken yet, from which the socket may remove the first items instead
    /// of calling [`take`](Self::take) for each. The default implementation returns `None`, for links without such a queue.
    fn inbox(&mut self) -> Option<&mut Inbox> {
        None
    }
    /// Records that the socket has not queued `messages` of the messages that it took, and that these and the others that it
    /// took with them had `bytes` bytes. A connection then reads less at a time, because no high-water mark limits such
    /// messages. The default implementation does nothing.
    fn discarded(&mut self, _messages: u64, _bytes: u64) {}
    /// Records that the socket will pass no further items to [`give`](Self::give). The connection to the peer ends once
    /// all queued items are written.
    fn finish(&mut self);
    /// Returns the number of queued messages that are not completely written to the stream.
    fn unsent(&self) -> usize;
    /// Removes and returns the messages of which no byte has been written to the stream, oldest first. Called when the
    /// connection has ended.
    fn reclaim(&mut self) -> Vec<Message>;
    /// Returns the maximum size in bytes of a message that the peer accepts; `None` if it is not known, as over all
    /// transports but `inproc`. [`Socket::send`](crate::Socket::send) then refuses larger messages.
    fn max_message_size(&self) -> Option<usize> {
        None
    }
    /// Returns the round-trip time to the peer; `None` if heartbeats are off, and before the first measurement.
    fn round_trip(&self) -> Option<RoundTrip> {
        None
    }
    /// Returns the counter of the messages that are completely written to the stream. `None` if the link has no stream,
    /// for example over `inproc`: a message then counts as written when [`give`](Self::give) has taken it.
    fn written(&self) -> Option<&Arc<Written>> {
        None
    }
}

impl<L: Link> Link for &mut L {
    fn peer(&self) -> Option<&Arc<Peer>> {
        (**self).peer()
    }
    fn admit(&mut self) {
        (**self).admit();
    }
    fn has_room(&self) -> bool {
        (**self).has_room()
    }
    fn copy<'a>(&mut self, messages: impl Iterator<Item = &'a Message>) -> usize {
        (**self).copy(messages)
    }
    fn lane(&mut self) -> Option<(&mut Inbox, usize, u64)> {
        (**self).lane()
    }
    fn give(&mut self, item: Outbound) {
        (**self).give(item);
    }
    fn take(&mut self) -> Option<Inbound> {
        (**self).take()
    }
    fn inbox(&mut self) -> Option<&mut Inbox> {
        (**self).inbox()
    }
    fn discarded(&mut self, messages: u64, bytes: u64) {
        (**self).discarded(messages, bytes);
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
    fn max_message_size(&self) -> Option<usize> {
        (**self).max_message_size()
    }
    fn round_trip(&self) -> Option<RoundTrip> {
        (**self).round_trip()
    }
    fn written(&self) -> Option<&Arc<Written>> {
        (**self).written()
    }
}
