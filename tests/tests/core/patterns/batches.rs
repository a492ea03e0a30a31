//! Tests of `send_many` and `recv_many`: a batch has the same effect as its messages one by one.

use super::{PLACE, message, net, star};
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::kind::{Dealer, Pull, Push, Rep, Req, Router, XPub, XSub};
use sansmq_proto::socket::{SocketOption, SocketStats, Unsent};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Entropy, Message, Options, RecvError, SendError, SocketType};
use sansmq_tests::{bodies, for_seeds, recv_all};

/// Random numbers below a limit.
struct Random(SeededEntropy);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        usize::try_from(u64::from_ne_bytes(bytes) % limit as u64).unwrap()
    }
}

/// Way to send and receive.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Single,
    Batch,
}

impl Form {
    /// Sends messages until the socket has no room. Returns the number of sent messages, and the error that is not `Full`.
    fn send(self, net: &mut Net, node: NodeId, messages: Vec<Message>) -> (usize, Option<SendError>) {
        let (mut left, mut sent) = (messages, 0);
        match self {
            Self::Single => {
                for message in left {
                    match net[node].send(message) {
                        Ok(()) => sent += 1,
                        Err(SendError::Full(_)) => break,
                        Err(error) => return (sent, Some(error)),
                    }
                }
            }
            Self::Batch => {
                while !left.is_empty() {
                    match net[node].send_many(&mut left) {
                        Ok(0) => break,
                        Ok(count) => sent += count,
                        Err(error) => return (sent, Some(error)),
                    }
                }
            }
        }
        (sent, None)
    }

    /// Receives at most `limit` messages. Returns them, and the error that is not `Empty`.
    fn recv(self, net: &mut Net, node: NodeId, limit: usize) -> (Vec<Message>, Option<RecvError>) {
        let mut received = Vec::new();
        while received.len() < limit {
            let outcome = match self {
                Self::Single => net[node].recv().map(|message| received.push(message)),
                Self::Batch => {
                    let (before, most) = (received.len(), limit - received.len());
                    net[node].recv_many(&mut received, most).map(|count| assert_eq!(received.len(), before + count))
                }
            };
            match outcome {
                Ok(()) => {}
                Err(RecvError::Empty) => break,
                Err(error) => return (received, Some(error)),
            }
        }
        (received, None)
    }
}

/// All that the applications observe in a random program: the outcome of each send and each receive, and the counters of each
/// socket in the end.
#[derive(Debug, Default, PartialEq)]
struct Observed {
    sent: Vec<(usize, Option<SendError>)>,
    received: Vec<(Vec<Message>, Option<RecvError>)>,
    stats: Vec<SocketStats>,
}

/// Returns random options of a socket that connects or binds.
fn options(random: &mut Random, socket_type: SocketType) -> Options {
    let mut options = Options::of(socket_type);
    let limit = [usize::MAX, 30][random.below(2)];
    let (send, recv) = (1 + random.below(40), 1 + random.below(40));
    for option in [SocketOption::SendHwm(send), SocketOption::RecvHwm(recv), SocketOption::MaxSendSize(limit)] {
        options = options.clone().set(option).unwrap_or(options);
    }
    if random.below(8) == 0 { options.clone().set(SocketOption::Conflate(true)).unwrap_or(options) } else { options }
}

/// Runs a random program of a bound socket of the type `one`, and of one to three sockets of the type `other` that connect to it.
fn run(form: Form, seed: u64, one: SocketType, other: SocketType) -> Observed {
    let random = &mut Random(SeededEntropy::new(seed));
    let mut net = Net::seeded(seed).chunks(1..=300).capacity(2000);
    let mut nodes = vec![net.socket(options(random, one))];
    net.bind(nodes[0], PLACE);
    for _ in 0..=random.below(3) {
        let node = net.socket(options(random, other));
        if net[node].socket_type() == SocketType::Sub {
            net[node].subscribe("").unwrap();
        }
        net.connect(node, PLACE);
        nodes.push(node);
    }
    net.settle();
    let mut observed = Observed::default();
    // First frames of received messages: routing ids for the types that send by routing id.
    let mut ids = vec![Message::from("unknown")];
    for number in 0..60 {
        let node = nodes[random.below(nodes.len())];
        let is_addressed =
            matches!(net[node].socket_type(), SocketType::Router | SocketType::Server | SocketType::Peer);
        let count = random.below(50);
        match random.below(3) {
            0 => {
                let messages = (0..count).map(|part| {
                    let body = format!("{number}.{part:0width$}", width = 1 + random.below(40));
                    let id = ids[random.below(ids.len())].head().clone();
                    match random.below(6) {
                        0 => message(["first", &body]),
                        _ if is_addressed => Message::from([id, body.into()]),
                        _ => body.into(),
                    }
                });
                let messages = messages.collect();
                observed.sent.push(form.send(&mut net, node, messages));
            }
            1 => {
                let outcome = form.recv(&mut net, node, count);
                if is_addressed {
                    ids.extend(outcome.0.iter().cloned());
                }
                observed.received.push(outcome);
            }
            _ => net.settle(),
        }
    }
    for node in nodes {
        let mut stats = net[node].stats();
        // An attempt to send without room is counted once for a batch and once for a single message.
        stats.full_sends = 0;
        observed.stats.push(stats);
    }
    observed
}

#[test]
fn batch_has_the_effect_of_its_messages() {
    use SocketType as T;
    let pairs = [
        (T::Pull, T::Push),
        (T::Push, T::Pull),
        (T::Dealer, T::Dealer),
        (T::Router, T::Dealer),
        (T::Router, T::Router),
        (T::Pair, T::Pair),
        (T::Rep, T::Req),
        (T::Rep, T::Dealer),
        (T::Pub, T::Sub),
        (T::XPub, T::XSub),
        (T::Server, T::Client),
        (T::Gather, T::Scatter),
        (T::Channel, T::Channel),
        (T::Peer, T::Peer),
    ];
    for_seeds(40, |seed| {
        for (one, other) in pairs {
            let [single, batch] = [Form::Single, Form::Batch].map(|form| run(form, seed, one, other));
            assert_eq!(single, batch, "{one} and {other}, seed {seed}");
        }
    });
}

#[test]
fn batch_stops_at_the_mark_and_keeps_the_rest() {
    let mut net = net();
    let push = net.socket(Options::<Push>::new().send_hwm(10));
    net.connect(push, PLACE);
    let mut batch: Vec<Message> = (0..25).map(|number| number.to_string().into()).collect();
    assert_eq!(net[push].send_many(&mut batch), Ok(10));
    assert_eq!(bodies(&batch), (10..25).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(net[push].send_many(&mut batch), Ok(0), "no room is not an error");
    assert_eq!(net[push].offer_many(&mut batch, 5), Err(Unsent::Full));
    assert_eq!(batch.len(), 15);
    let pull = net.socket(Options::<Pull>::new());
    net.bind(pull, PLACE);
    net.advance(core::time::Duration::from_secs(1));
    assert_eq!(net[push].offer_many(&mut batch, 5), Ok(5), "at most the limit");
    assert_eq!(net[push].send_many(&mut batch), Ok(5), "up to the mark");
    net.settle();
    assert_eq!(net[push].send_many(&mut batch), Ok(5));
    assert_eq!(net[push].send_many(&mut batch), Ok(0), "there are no messages");
    net.settle();
    let mut received = Vec::new();
    assert_eq!(net[pull].recv_many(&mut received, 0), Ok(0));
    assert_eq!(net[pull].recv_many(&mut received, 7), Ok(7));
    assert_eq!(net[pull].recv_many(&mut received, 100), Ok(18));
    assert_eq!(net[pull].recv_many(&mut received, 100), Err(RecvError::Empty));
    assert_eq!(bodies(&received), (0..25).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn batch_is_limited_to_1024_messages() {
    let mut net = net();
    let (pull, [push]) = star(&mut net, Options::<Pull>::new().recv_hwm(0), [Options::<Push>::new().send_hwm(0)]);
    let mut batch = vec![Message::from("x"); 3000];
    assert_eq!((net[push].send_many(&mut batch), batch.len()), (Ok(1024), 3000 - 1024));
    assert_eq!(net[push].send_many(&mut batch), Ok(1024));
    net.settle();
    let mut received = Vec::new();
    assert_eq!(net[pull].recv_many(&mut received, usize::MAX), Ok(1024));
}

#[test]
fn error_of_a_batch_belongs_to_its_first_message() {
    let mut net = net();
    let (router, [dealer]) = star(
        &mut net,
        Options::<Router>::new().mandatory(true),
        [Options::<Dealer>::new().routing_id("known").unwrap()],
    );
    let mut batch = vec![message(["known", "1"]), message(["unknown", "2"]), "unaddressed".into()];
    assert_eq!(net[router].send_many(&mut batch), Ok(1), "the second message cannot be sent");
    assert_eq!(net[router].send_many(&mut batch), Err(SendError::Unroutable(message(["unknown", "2"]))));
    assert_eq!(net[router].offer_many(&mut batch, 1), Err(Unsent::Unaddressed));
    assert_eq!(batch, ["unaddressed".into()], "an offer leaves the message");
    assert_eq!(bodies(&recv_all(&mut net, dealer)), ["1"]);
}

#[test]
fn batch_of_req_and_rep_is_one_message() {
    let mut net = net();
    let (rep, [req, dealer]) = star(
        &mut net,
        Options::<Rep>::new().erase(),
        [Options::<Req>::new().erase(), Options::<Dealer>::new().erase()],
    );
    let mut requests = vec![Message::from("1"), "2".into()];
    assert_eq!(net[req].send_many(&mut requests), Ok(1));
    assert_eq!(net[req].send_many(&mut requests), Err(SendError::OutOfTurn("2".into())));
    net[dealer].send(["", "3"]).unwrap();
    net.settle();
    let mut received = Vec::new();
    assert_eq!(net[rep].recv_many(&mut received, 10), Ok(1), "each request needs its reply");
    assert_eq!(net[rep].recv_many(&mut received, 10), Err(RecvError::OutOfTurn));
    let mut replies = vec![Message::from("reply"), "too many".into()];
    assert_eq!(net[rep].send_many(&mut replies), Ok(1));
    assert_eq!(net[rep].send_many(&mut replies), Err(SendError::OutOfTurn("too many".into())));
    assert_eq!(net[rep].recv_many(&mut received, 10), Ok(1));
}

#[test]
fn manual_xpub_receives_one_subscription_a_batch() {
    let mut net = net();
    let (xpub, [one, two]) =
        star(&mut net, Options::<XPub>::new().manual(true), [(); 2].map(|()| Options::<XSub>::new()));
    net[one].subscribe("a").unwrap();
    net[two].subscribe("b").unwrap();
    net.settle();
    for topic in ["a", "b"] {
        let mut received = Vec::new();
        assert_eq!(net[xpub].recv_many(&mut received, 10), Ok(1), "`subscribe` is for the peer of this message");
        assert_eq!(received, [Message::from(format!("\u{1}{topic}"))]);
        net[xpub].subscribe(topic).unwrap();
    }
    for topic in ["a", "b"] {
        net[xpub].send(topic).unwrap();
    }
    net.settle();
    assert_eq!(
        (bodies(&recv_all(&mut net, one)), bodies(&recv_all(&mut net, two))),
        (vec!["a".into()], vec!["b".into()])
    );
}

#[test]
fn recv_many_from_returns_each_message_with_its_sender() {
    let mut net = net();
    let named = |id: &str| Options::<Dealer>::new().routing_id(id).unwrap();
    let (router, [ann, bob]) = star(&mut net, Options::<Router>::new(), [named("ann"), named("bob")]);
    let mut received = Vec::new();
    assert_eq!(net[router].recv_many_from(&mut received, 10), Err(RecvError::Empty));
    for number in 0..3 {
        net[ann].send(number.to_string()).unwrap();
        net[bob].send(number.to_string()).unwrap();
    }
    net.settle();
    assert_eq!(net[router].recv_many_from(&mut received, 0), Ok(0));
    assert_eq!(net[router].recv_many_from(&mut received, 4), Ok(4));
    assert_eq!(net[router].recv_many_from(&mut received, 4), Ok(2));
    assert!(received.iter().all(|(message, sender)| *message.head() == sender.routing_id));
    assert_eq!(received.iter().filter(|(_, sender)| sender.routing_id == "bob").count(), 3);
    assert!(SocketType::Router.may_recv_ahead());
}

#[test]
fn rep_receives_one_request_ahead_of_its_reply() {
    let mut net = net();
    let (rep, clients) = star(&mut net, Options::<Rep>::new(), [Options::<Req>::new(), Options::<Req>::new()]);
    for client in clients {
        net[client].send("request").unwrap();
    }
    net.settle();
    let mut received = Vec::new();
    assert_eq!(net[rep].recv_many_from(&mut received, 10), Ok(1));
    assert_eq!(net[rep].recv_many_from(&mut received, 10), Err(RecvError::OutOfTurn));
    assert!(!SocketType::Rep.may_recv_ahead() && !SocketType::Sub.may_recv_ahead());
}
