//! The rules of each socket type, one file each: the RFC's SHALLs and nothing else. Types with the same rules share one.

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

use crate::connection::{ConnectionError, Peer, Subscription};
use crate::entropy::Entropy;
use crate::message::{Frame, Message};
use crate::socket::effects::Effects;
use crate::socket::error::{ConnectError, JoinError, RecvError, SubscribeError, Unsent};
use crate::socket::id::PipeId;
use crate::socket::options::Settings;
use crate::socket::pipe::Pipes;
use crate::socket_type::SocketType;
use addressed::Addressed;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt::Debug;
use single_frame::SingleFrame;

/// Rules of a socket type.
///
/// The hooks of a pipe: `on_connect` at once when the application connects, so that messages can be queued before there is
/// a connection; `on_ready` and `on_disconnect` for each connection that finishes its handshake; `on_end` when the pipe
/// accepts no more messages. Messages that arrived before stay readable.
///
/// A method returns the effects of what it did. The two that are called for each message add theirs to `effects`: those of
/// [`on_message`](Self::on_message) count even if it fails, and a message beside them would be copied once more.
pub(super) trait Pattern: Debug + Send {
    /// Adds a pipe that the application connected and that has no connection yet.
    fn on_connect(&mut self, _: &mut Pipes, _: PipeId) -> Result<Effects, ConnectError> {
        Ok(Effects::NONE)
    }

    /// Gives a new pipe the routing id that the application chose.
    fn on_connect_as(&mut self, _: &mut Pipes, _: PipeId, _: Frame) -> Result<Effects, ConnectError> {
        Ok(Effects::NONE)
    }

    /// Begins the traffic of a connection that finished its handshake. An error closes the connection.
    fn on_ready(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        peer: &Peer,
        entropy: &mut dyn Entropy,
    ) -> Result<Effects, ConnectionError>;

    /// Ends the traffic of a connection. The messages that it had not begun to send are back in the pipe.
    fn on_disconnect(&mut self, _: &mut Pipes, _: PipeId) -> Effects {
        Effects::NONE
    }

    /// Returns true if messages of a connection that ended may be sent on the next one.
    fn carries_over(&self) -> bool {
        true
    }

    /// Returns true if queued incoming messages survive a local disconnect.
    fn reports(&self) -> bool {
        false
    }

    /// Removes a pipe that accepts no further messages. May be called again for the same pipe.
    fn on_end(&mut self, _: &mut Pipes, _: PipeId) -> Effects {
        Effects::NONE
    }

    /// Reopens a pipe that was full and has room again.
    fn on_room(&mut self, _: &mut Pipes, _: PipeId) -> Effects {
        Effects::NONE
    }

    /// Handles a message of a peer. An error closes the connection.
    fn on_message(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        message: Message,
        effects: &mut Effects,
    ) -> Result<(), ConnectionError>;

    /// Handles a subscription of a peer, which concerns publishers. An error closes the connection.
    fn on_subscription(&mut self, _: &mut Pipes, _: PipeId, _: Subscription) -> Result<Effects, ConnectionError> {
        Ok(Effects::NONE)
    }

    /// Sends this message and leaves nothing of it. A message that is not sent stays as it is, and so does one whose effect
    /// is [`Effects::DRAIN_PEER`].
    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<Effects, Unsent>;

    /// Returns the peer of a message whose effect is [`Effects::DRAIN_PEER`].
    fn addressee(&mut self, _: &Pipes, _: &Message) -> Option<PipeId> {
        None
    }

    fn recv(&mut self, pipes: &mut Pipes, effects: &mut Effects) -> Result<Message, RecvError>;

    /// Returns the sender of the message that `recv` returns next.
    fn next_sender(&mut self, _: &mut Pipes) -> Option<Arc<Peer>> {
        None
    }

    /// Whether `send` would do something else than to say `Full` or that it is not its turn.
    fn can_send(&mut self, pipes: &mut Pipes) -> bool;

    /// Whether `recv` would do something else than to say `Empty` or that it is not its turn.
    fn can_recv(&mut self, pipes: &mut Pipes) -> bool;

    /// The application subscribes, or ends a subscription. `None`: this type cannot.
    fn ask(&mut self, _: &mut Pipes, _: Subscription) -> Option<Result<Effects, SubscribeError>> {
        None
    }

    /// The application joins a group. `None`: this type cannot.
    fn join(&mut self, _: &mut Pipes, _: Bytes) -> Option<Result<(), JoinError>> {
        None
    }

    /// The application leaves a group. `None`: this type cannot.
    fn leave(&mut self, _: &mut Pipes, _: Bytes) -> Option<Result<(), JoinError>> {
        None
    }

    /// How many different prefixes or groups are subscribed to.
    fn subscription_count(&self) -> usize {
        0
    }

    /// How many peers a message on this topic, or of this group, would be for.
    fn subscriber_count(&self, _: &[u8]) -> usize {
        0
    }

    /// The peer of a number that the socket gave out; `None`: it has no such peer.
    fn numbered(&self, _: &Frame) -> Option<PipeId> {
        None
    }
}

/// Octets in the name of a group, at most (RFC 48).
const MAX_GROUP: usize = 255;

/// Parts what a message says of subscriptions, as ZMTP 3.0 has it, from what it says besides.
fn sort(message: Message, only_first: bool) -> (Vec<Subscription>, Option<Message>) {
    if Subscription::from_message(message.head()).is_none() && (only_first || message.len() == 1) {
        return (Vec::new(), Some(message));
    }
    let mut wishes = Vec::new();
    let mut rest = message.into_frames();
    rest.retain(|frame| {
        let wish = Subscription::from_message(frame);
        let is_none = wish.is_none();
        wishes.extend(wish);
        is_none
    });
    (wishes, Message::from_frames(rest))
}

/// The rules of `settings`' socket type.
pub(super) fn of(settings: &Settings, entropy: &mut dyn Entropy) -> Box<dyn Pattern> {
    match settings.connection.socket_type {
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
        SocketType::Stream => Box::new(Addressed(stream::Stream::new(settings, entropy))),
    }
}

/// Sends the empty message of `PROBE_ROUTER`, ahead of what has queued up; see [`Options::probe_router`](crate::Options).
fn probe(pipes: &mut Pipes, pipe: PipeId) {
    pipes.open_with(pipe, Frame::EMPTY.into());
    pipes.request_service(pipe);
}
