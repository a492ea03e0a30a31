//! Tests of the [`Effects`] that the methods of each `Pattern` return. The methods are called directly, without a
//! socket.

use super::*;
use crate::connection::ConnectionError;
use crate::entropy::SeededEntropy;
use crate::kind::{Pair, Radio, Req, Typed, XPub};
use crate::socket::id::ListenerId;
use crate::socket::options::Options;
use crate::socket::pipe::state::PipeState;
use crate::socket::{Socket, SubscribeError};

/// [`Pattern`] of a socket type, and a pipe with a peer that has finished its handshake.
struct Fixture {
    pattern: Box<dyn Pattern>,
    pipes: Pipes,
    pipe: PipeId,
}

impl Fixture {
    fn new<T: Typed>(options: &Options<T>) -> Self {
        let entropy = &mut SeededEntropy::new(1);
        let peer = Socket::new(Options::<T>::new(), SeededEntropy::new(2)).as_peer();
        let mut pattern = of::<T>(&options.settings, entropy);
        let mut pipes = Pipes::with_marks(10, 10);
        let pipe = pipes.insert(PipeState::accepted(ListenerId(0), "tcp://example:1".parse().unwrap()));
        let _ = pattern.on_ready(&mut pipes, pipe, &peer, entropy).unwrap();
        Self { pattern, pipes, pipe }
    }

    fn subscription(&mut self, change: Subscription) -> Effects {
        self.pattern.on_subscription(&mut self.pipes, self.pipe, change).unwrap()
    }

    fn message(&mut self, message: Message) -> (Effects, Result<(), ConnectionError>) {
        let mut effects = Effects::NONE;
        let outcome = self.pattern.on_message(&mut self.pipes, self.pipe, message, &mut effects);
        (effects, outcome)
    }

    fn send(&mut self, message: &'static str) -> Result<Effects, Unsent> {
        self.pattern.send(&mut self.pipes, &mut message.into())
    }

    fn recv(&mut self) -> (Effects, Result<Message, RecvError>) {
        let mut effects = Effects::NONE;
        let message = self.pattern.recv(&mut self.pipes, &mut effects);
        (effects, message)
    }

    fn change_subscription(&mut self, change: Subscription) -> Result<Effects, SubscribeError> {
        self.pattern.change_subscription(&mut self.pipes, change).unwrap()
    }
}

#[test]
fn pair_with_new_room_is_writable() {
    let mut fixture = Fixture::new(&Options::<Pair>::new());
    assert_eq!(fixture.pattern.on_room(&mut fixture.pipes, fixture.pipe), Effects::WRITABLE);
}

#[test]
fn req_with_reply_is_readable_then_writable() {
    let mut fixture = Fixture::new(&Options::<Req>::new());
    assert_eq!(fixture.send("request"), Ok(Effects::NONE));
    assert_eq!(fixture.message(Message::from(["", "reply"])), (Effects::READABLE, Ok(())));
    assert_eq!(fixture.recv(), (Effects::WRITABLE, Ok("reply".into())));
}

#[test]
fn req_without_peer_is_readable_and_writable() {
    let mut fixture = Fixture::new(&Options::<Req>::new());
    assert_eq!(fixture.send("request"), Ok(Effects::NONE));
    let effects = fixture.pattern.on_disconnect(&mut fixture.pipes, fixture.pipe);
    assert_eq!(effects, Effects::NONE, "the request can still be sent on the next connection");
    let effects = fixture.pattern.on_end(&mut fixture.pipes, fixture.pipe);
    assert_eq!(effects, Effects::READABLE | Effects::WRITABLE);
    let cause = Arc::new(ConnectionError::LocallyClosed);
    assert_eq!(fixture.recv(), (Effects::NONE, Err(RecvError::PeerLost { sent: false, cause })));
}

#[test]
fn radio_after_peer_leaves_group_is_writable() {
    let mut fixture = Fixture::new(&Options::<Radio>::new());
    assert_eq!(fixture.subscription(Subscription::Join("group".into())), Effects::NONE);
    assert_eq!(fixture.subscription(Subscription::Leave("group".into())), Effects::WRITABLE);
    assert_eq!(fixture.pattern.on_disconnect(&mut fixture.pipes, fixture.pipe), Effects::WRITABLE);
}

#[test]
fn manual_xpub_returns_effects_of_its_subscriptions() {
    let mut fixture = Fixture::new(&Options::<XPub>::new().manual(true));
    assert_eq!(fixture.subscription(Subscription::Subscribe("topic".into())), Effects::READABLE);
    assert!(fixture.recv().1.is_ok());
    assert_eq!(fixture.change_subscription(Subscription::Subscribe("topic".into())), Ok(Effects::PEERS_CHANGED));
    assert_eq!(
        fixture.change_subscription(Subscription::Cancel("topic".into())),
        Ok(Effects::PEERS_CHANGED | Effects::WRITABLE)
    );
}

#[test]
fn xpub_keeps_effects_before_an_error() {
    let mut fixture = Fixture::new(&Options::<XPub>::new().max_subscriptions(1));
    let (effects, outcome) = fixture.message(Message::from(["\x01a", "\x01b"]));
    assert_eq!(outcome, Err(ConnectionError::TooManySubscriptions { limit: 1 }));
    assert_eq!(effects, Effects::READABLE | Effects::PEERS_CHANGED);
}
