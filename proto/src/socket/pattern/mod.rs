//! Behaviour of each socket type as its RFC specifies: the peers that receive a sent message, and the order in which
//! received messages are returned. One file per socket type; types with the same behaviour share a file.

mod addressed;
mod dealer;
mod dish;
mod halves;
mod pair;
mod publish;
mod pull;
mod push;
mod radio;
mod rep;
mod req;
mod router;
mod server;
mod single_frame;
mod stream;
mod subscribe;
#[cfg(test)]
mod tests;

use crate::connection::{ConnectionError, Inbox, Peer, Subscription};
use crate::entropy::Entropy;
use crate::kind::Kind;
use crate::message::{Frame, Message};
use crate::socket::effects::Effects;
use crate::socket::error::{ConnectError, JoinError, RecvError, SubscribeError, Unsent};
use crate::socket::id::PipeId;
use crate::socket::options::Settings;
use crate::socket::pipe::Pipes;
use crate::socket::routing::fair_queue::FairQueue;
use crate::socket::stats::TrafficCount;
use crate::socket_type::SocketType;
use addressed::Addressed;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use single_frame::SingleFrame;

/// Behaviour of a socket type: selects the peers that receive a sent message, and orders or drops received messages.
///
/// The socket calls these methods in the life of a pipe (the message queues of one peer): `on_connect` when the
/// application connects, so that messages can be queued before there is a connection; `on_ready` and `on_disconnect`
/// for each connection that finishes its handshake; `on_end` when the pipe accepts no more messages. Messages that
/// arrived before `on_end` can still be received.
///
/// A method returns its effects on the socket, for example that the application can now receive a message. `on_message`
/// and `recv` add their effects to the parameter `effects` instead: the effects of [`on_message`](Self::on_message)
/// count even if it fails, and returning effects together with a message would copy the message once more.
// Without `Debug`, which would link the texts of all types in a pattern into each program.
pub(super) trait Pattern: Send {
    /// Applies changed options, as [`Socket::set_options`](crate::Socket::set_options) describes.
    fn configure(&mut self, _: &mut Pipes, _: &Settings, _: &mut dyn Entropy) {}

    /// Adds the pipe of an endpoint that the application passed to `connect`. The pipe has no connection yet. The last
    /// parameter is the routing id that the application chose for the peer; `None` if it chose none.
    fn on_connect(&mut self, _: &mut Pipes, _: PipeId, _: Option<Frame>) -> Result<Effects, ConnectError> {
        Ok(Effects::NONE)
    }

    /// Adds the peer of a connection that finished its handshake: from now on, messages are sent to this peer and
    /// received from it. An error closes the connection.
    fn on_ready(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        peer: &Peer,
        entropy: &mut dyn Entropy,
    ) -> Result<Effects, ConnectionError>;

    /// Removes the peer of a connection that was closed or lost. The messages that the connection had not begun to send
    /// are already back in the outgoing queue of the pipe.
    fn on_disconnect(&mut self, _: &mut Pipes, _: PipeId) -> Effects {
        Effects::NONE
    }

    /// Returns true if outgoing messages that are still queued when a connection ends can be sent on the next
    /// connection of the same pipe.
    fn carries_over(&self) -> bool {
        true
    }

    /// Returns true if the queued outgoing messages of a pipe are for another peer than `peer`, with which a new
    /// connection of the pipe has finished its handshake.
    fn is_other_peer(&self, _: &Pipes, _: PipeId, _: &Peer) -> bool {
        false
    }

    /// Returns true if queued messages from a peer can still be received after the application has disconnected this
    /// peer.
    fn keeps_incoming(&self) -> bool {
        false
    }

    /// Removes a pipe, because it accepts no further messages for its peer. A second call for the same pipe is allowed.
    fn on_end(&mut self, _: &mut Pipes, _: PipeId) -> Effects {
        Effects::NONE
    }

    /// Returns the memory in bytes that the subscriptions of all peers hold.
    fn held_subscriptions(&self) -> usize {
        0
    }

    /// Returns an estimate of the memory in bytes that the subscriptions of the peer of `pipe` hold.
    fn held_subscriptions_of(&self, _: PipeId) -> usize {
        0
    }

    /// Removes a bounded number of subscriptions of peers that have disconnected. Returns [`Effects::UNFINISHED`] if
    /// more remain.
    fn remove_departed(&mut self, _: &mut Pipes) -> Effects {
        Effects::NONE
    }

    /// Notifies the pattern that the outgoing queue of a pipe was full and now has room again, so that `send` may
    /// succeed.
    fn on_room(&mut self, _: &mut Pipes, _: PipeId) -> Effects {
        Effects::NONE
    }

    /// Processes a message that was received from the peer of `pipe`: most socket types queue it for the application.
    /// An error closes the connection.
    fn on_message(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        message: Message,
        effects: &mut Effects,
    ) -> Result<(), ConnectionError>;

    /// Processes messages from the start of `items`, which were received from the peer of `pipe`, as
    /// [`on_message`](Self::on_message) does for each, while the pipe has room, and removes them. Returns their traffic. The
    /// caller must pass the other items to the other methods. The default implementation processes none.
    fn on_run(&mut self, _: &mut Pipes, _pipe: PipeId, _items: &mut Inbox, _: &mut Effects) -> TrafficCount {
        TrafficCount::default()
    }

    /// Applies a subscription change that the peer of a pipe sent to this socket. An error closes the connection. Only
    /// PUB, XPUB and RADIO receive such changes.
    fn on_subscription(&mut self, _: &mut Pipes, _: PipeId, _: Subscription) -> Result<Effects, ConnectionError> {
        Ok(Effects::NONE)
    }

    /// Queues this message for the selected peers, and leaves an empty message in its place. If an error is returned,
    /// the message is unchanged.
    ///
    /// If the effect [`Effects::DRAIN_PEER`] is returned, the message was not queued and is unchanged too. Such a
    /// message, `[id, ""]` of a STREAM, is a request to disconnect a peer. The caller must end the connection of this
    /// peer, which [`addressee`](Self::addressee) returns, after the queued messages are sent.
    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<Effects, Unsent>;

    /// Queues messages from the start of `messages`, as [`send`](Self::send) does, and returns their number. May queue fewer than
    /// `send` would, or none; queues only messages for which `send` would return no effects. The default implementation queues
    /// none.
    fn send_run(&mut self, _: &mut Pipes, _: &mut [Message]) -> usize {
        0
    }

    /// Returns the peer that the first frame of this message selects. Returns `None` if no peer has this routing id, and
    /// for socket types that do not send by routing id. After `send` returned [`Effects::DRAIN_PEER`], this is the peer
    /// to disconnect.
    fn addressee(&mut self, _: &Pipes, _: &Message) -> Option<PipeId> {
        None
    }

    fn recv(&mut self, pipes: &mut Pipes, effects: &mut Effects) -> Result<Message, RecvError>;

    /// Returns the queue from which [`recv`](Self::recv) takes the next message as it is. The default implementation returns `None`,
    /// for socket types that receive nothing, or where the application must act on a message before it receives the next.
    fn arrived(&mut self) -> Option<&mut FairQueue> {
        None
    }

    /// Removes the messages that the next calls of [`recv`](Self::recv) would return, at most `limit`, which is not zero, and
    /// appends them to `into`. Returns their number, which is not zero. Without [`arrived`](Self::arrived), removes one message.
    fn recv_run(
        &mut self,
        pipes: &mut Pipes,
        limit: usize,
        into: &mut Vec<Message>,
        effects: &mut Effects,
    ) -> Result<usize, RecvError> {
        if let Some(arrived) = self.arrived() {
            return arrived.next_run(pipes, limit, into);
        }
        into.push(self.recv(pipes, effects)?);
        Ok(1)
    }

    /// Returns the sender of the message that `recv` returns next.
    fn next_sender(&mut self, pipes: &mut Pipes) -> Option<Arc<Peer>> {
        self.arrived()?.sender_of_next(pipes)
    }

    /// Returns true if `send` would return neither `Full` nor `OutOfTurn` now.
    fn can_send(&mut self, pipes: &mut Pipes) -> bool;

    /// Returns the error that `send` would return now for each message that begins with the frame `first`.
    fn check_first_frame(&mut self, pipes: &mut Pipes, _first: &Frame) -> Result<(), Unsent> {
        if self.can_send(pipes) { Ok(()) } else { Err(Unsent::Full) }
    }

    /// Returns the peer to which the application must send a reply before it can receive again. `None` if no reply is
    /// due, and for all types except REP.
    fn reply_due(&self) -> Option<PipeId> {
        None
    }

    /// Returns true if `recv` would return neither `Empty` nor `OutOfTurn` now.
    fn can_recv(&mut self, pipes: &mut Pipes) -> bool;

    /// Applies a call of `subscribe` or `unsubscribe` by the application. Returns `None` if the socket type has no
    /// subscriptions.
    fn change_subscription(&mut self, _: &mut Pipes, _: Subscription) -> Option<Result<Effects, SubscribeError>> {
        None
    }

    /// Joins a group. Returns `None` if the socket type has no groups.
    fn join(&mut self, _: &mut Pipes, _: Bytes) -> Option<Result<(), JoinError>> {
        None
    }

    /// Leaves a group. Returns `None` if the socket type has no groups.
    fn leave(&mut self, _: &mut Pipes, _: Bytes) -> Option<Result<(), JoinError>> {
        None
    }

    /// Returns the number of distinct prefixes or groups to which this socket has subscribed, if it is a subscriber, or
    /// to which its peers have subscribed, if it is a publisher.
    fn subscription_count(&self) -> usize {
        0
    }

    /// Returns the number of peers that would receive a message on this topic or in this group.
    fn subscriber_count(&self, _: &[u8]) -> usize {
        0
    }

    /// Returns true if at least `count` calls of `send` would complete now, each with any result except `Full`. May
    /// return false although more calls would complete, but never for `count` = 1.
    fn can_complete_sends(&mut self, pipes: &mut Pipes, count: usize) -> bool {
        count <= 1 && self.can_send(pipes)
    }

    /// Returns true if `send` drops a message for a peer that has no room, and so never returns `Full`. Used only for socket
    /// types that send by routing id.
    fn drops_if_full(&self) -> bool {
        false
    }

    /// Returns true if at least `count` calls of `recv` would complete now, each with any result except `Empty`. May
    /// return false although more calls would complete, but never for `count` = 1.
    fn can_complete_recvs(&mut self, pipes: &mut Pipes, count: usize) -> bool {
        count <= 1 && self.can_recv(pipes)
    }

    /// Returns the peer to which this socket, a SERVER or PEER, assigned the routing id in the frame. Returns `None` if
    /// there is no such peer, and for all other socket types.
    fn find_peer(&self, _: &Frame) -> Option<PipeId> {
        None
    }
}

/// Maximum length of the name of a group in bytes (RFC 48).
const MAX_GROUP: usize = 255;

/// Creates the [`Pattern`] for the socket type in `settings`, which is the type of `T`, unless `T` is
/// [`Any`](crate::kind::Any).
pub(super) fn of<T: Kind>(settings: &Settings, entropy: &mut dyn Entropy) -> Box<dyn Pattern> {
    // A constant, unless `T` is `Any`: a program that creates sockets of one type links the code of this type only.
    match const { T::ONLY }.unwrap_or(settings.connection.socket_type) {
        SocketType::Req => Box::new(req::Req::new(settings, entropy)),
        SocketType::Rep => Box::<rep::Rep>::default(),
        SocketType::Dealer => Box::new(dealer::new(settings)),
        SocketType::Router => Box::new(Addressed(router::Router::new(settings, entropy))),
        SocketType::Pair => Box::<pair::Pair>::default(),
        SocketType::Pub | SocketType::XPub => Box::new(publish::Publish::new(settings, entropy)),
        SocketType::Sub | SocketType::XSub => Box::new(subscribe::Subscribe::new(settings, entropy)),
        SocketType::Radio => Box::new(radio::Radio::new(settings)),
        SocketType::Dish => Box::<dish::Dish>::default(),
        SocketType::Push => Box::new(push::new(settings)),
        SocketType::Pull => Box::new(pull::new(settings)),
        SocketType::Server | SocketType::Peer => Box::new(server::Server::new(entropy)),
        SocketType::Client => Box::new(SingleFrame(dealer::new(settings))),
        SocketType::Gather => Box::new(SingleFrame(pull::new(settings))),
        SocketType::Scatter => Box::new(SingleFrame(push::new(settings))),
        SocketType::Channel => Box::<SingleFrame<pair::Pair>>::default(),
        SocketType::Stream => Box::new(Addressed(stream::StreamPattern::new(settings, entropy))),
    }
}

/// Queues an empty message before all other outgoing messages of `pipe`. Called if the option
/// [`Options::probe_router`](crate::Options) is set.
fn probe(pipes: &mut Pipes, pipe: PipeId) {
    pipes.push_opening(pipe, Frame::EMPTY.into());
    pipes.request_service(pipe);
}
