//! The rules of each socket type, one file each: the RFC's SHALLs and nothing else. Types with the same rules share one.

mod dealer;
mod dish;
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

use crate::connection::{ConnectionError, Peer, Wish};
use crate::entropy::Entropy;
use crate::message::{Frame, Message};
use crate::socket::error::{ConnectError, JoinError, RecvError, SubscribeError, Unsent};
use crate::socket::id::PipeId;
use crate::socket::options::Settings;
use crate::socket::pipe::Pipes;
use crate::socket_type::SocketType;
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt::Debug;
use single_frame::SingleFrame;

/// One socket type's rules.
///
/// A pipe's story as a pattern sees it: a dialled pipe is `opened` at once, so that messages can queue before there is
/// a connection; each connection is `attach`ed after its handshake and `detach`ed when it ends; a pipe that is gone for
/// good is `closed`. Messages that arrived before stay readable.
pub(super) trait Pattern: Debug + Send {
    /// The application connected; there is no connection yet.
    fn opened(&mut self, _: &mut Pipes, _: PipeId) -> Result<(), ConnectError> {
        Ok(())
    }

    /// The application connected and gave the peer a name of its own choice.
    fn named(&mut self, _: &mut Pipes, _: PipeId, _: Frame) -> Result<(), ConnectError> {
        Ok(())
    }

    /// A connection finished its handshake. An error closes it.
    fn attach(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        peer: &Peer,
        entropy: &mut dyn Entropy,
    ) -> Result<(), ConnectionError>;

    /// The connection ended; messages it had not begun to send are back in the pipe.
    fn detach(&mut self, _: &mut Pipes, _: PipeId) {}

    /// Whether what was sent to a connection that ended may go out on the next one.
    fn carries_over(&self) -> bool {
        true
    }

    /// Whether what was heard of a peer is to be received even if the application itself ends its pipe.
    fn reports(&self) -> bool {
        false
    }

    /// The pipe takes no more messages, ever.
    fn closed(&mut self, _: &mut Pipes, _: PipeId) {}

    /// The pipe was full and has room again.
    fn reopened(&mut self, pipes: &mut Pipes, pipe: PipeId);

    /// A message arrived. An error closes the connection.
    fn inbound(&mut self, pipes: &mut Pipes, pipe: PipeId, message: Message) -> Result<(), ConnectionError>;

    /// The peer said what it wishes to receive, which concerns publishers. An error closes the connection.
    fn wished(&mut self, _: &mut Pipes, _: PipeId, _: Wish) -> Result<(), ConnectionError> {
        Ok(())
    }

    /// Sends this message, of which nothing is left then. One that is not sent stays as it is.
    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Unsent>;

    fn recv(&mut self, pipes: &mut Pipes) -> Result<Message, RecvError>;

    /// Whether `send` would do something else than to say `Full` or that it is not its turn.
    fn can_send(&mut self, pipes: &mut Pipes) -> bool;

    /// Whether `recv` would do something else than to say `Empty` or that it is not its turn.
    fn can_recv(&mut self, pipes: &mut Pipes) -> bool;

    /// The application subscribes, or ends a subscription. `None`: this type cannot.
    fn ask(&mut self, _: &mut Pipes, _: Wish) -> Option<Result<(), SubscribeError>> {
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
    fn topics(&self) -> usize {
        0
    }

    /// How many peers a message on this topic, or of this group, would be for.
    fn audience(&self, _: &[u8]) -> usize {
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
fn sort(message: Message, only_first: bool) -> (Vec<Wish>, Option<Message>) {
    if Wish::said_by(message.head()).is_none() && (only_first || message.len() == 1) {
        return (Vec::new(), Some(message));
    }
    let mut wishes = Vec::new();
    let mut rest = message.into_frames();
    rest.retain(|frame| {
        let wish = Wish::said_by(frame);
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
        SocketType::Dealer => Box::new(dealer::Dealer::new(settings)),
        SocketType::Router => Box::new(router::Router::new(settings, entropy)),
        SocketType::Pair => Box::<pair::Pair>::default(),
        SocketType::Pub | SocketType::XPub => Box::new(publish::Publish::new(settings, entropy)),
        SocketType::Sub | SocketType::XSub => Box::new(subscribe::Subscribe::new(settings, entropy)),
        SocketType::Radio => Box::new(radio::Radio::new(settings)),
        SocketType::Dish => Box::<dish::Dish>::default(),
        SocketType::Push => Box::new(push::Push::new(settings)),
        SocketType::Pull => Box::new(pull::Pull::new(settings)),
        SocketType::Server | SocketType::Peer => Box::new(server::Server::new(entropy)),
        SocketType::Client => Box::new(SingleFrame(dealer::Dealer::new(settings))),
        SocketType::Gather => Box::new(SingleFrame(pull::Pull::new(settings))),
        SocketType::Scatter => Box::new(SingleFrame(push::Push::new(settings))),
        SocketType::Channel => Box::<SingleFrame<pair::Pair>>::default(),
        SocketType::Stream => Box::new(stream::Stream::new(settings, entropy)),
    }
}

/// Sends the empty message of `PROBE_ROUTER`, ahead of what has queued up; see [`Options::probe_router`](crate::Options).
fn probe(pipes: &mut Pipes, pipe: PipeId) {
    pipes.open_with(pipe, Frame::EMPTY.into());
    pipes.request_service(pipe);
}
