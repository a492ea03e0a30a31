//! Exhaustive checks of small topologies of two or three sockets. Each check runs every sequence of five actions, or of
//! six if the environment variable `NET_SEEDS` is set. After each action, the sockets are compared with a simple model
//! that consists of plain queues.

use super::{PLACE, bound, connected, pull, push, s};
use core::fmt::Debug;
use sansmq_proto::kind::{Dealer, Pub, Rep, Req, Router, Sub};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Message, Options, RecvError, SendError};
use sansmq_tests::is_soak;
use std::collections::VecDeque;

/// Runs every sequence of five of the given actions, or of six in a long test run. `world` creates the sockets with
/// which each sequence begins, and `act` runs one action.
fn explore<W, A: Copy + Debug>(actions: &[A], world: impl Fn() -> W, act: impl Fn(&mut W, A)) {
    let steps = if is_soak() { 6 } else { 5 };
    for mut number in 0..actions.len().pow(steps) {
        let mut log = ActionLog(Vec::new());
        let mut world = world();
        for _ in 0..steps {
            let action = actions[number % actions.len()];
            number /= actions.len();
            log.0.push(action);
            act(&mut world, action);
        }
    }
}

/// Actions of the current sequence so far; printed if the test fails.
struct ActionLog<A: Debug>(Vec<A>);

impl<A: Debug> Drop for ActionLog<A> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed after the actions {:?}", self.0);
        }
    }
}

/// Runs the network until no data is in transit. Then receives a message at the socket `node` and returns its body as
/// text; `None` if the queue is empty.
fn receive(net: &mut Net, node: NodeId) -> Option<String> {
    net.settle();
    match net[node].recv() {
        Ok(message) => Some(message.body().to_text().into_owned()),
        Err(RecvError::Empty) => None,
        Err(other) => panic!("{other}"),
    }
}

#[derive(Clone, Copy, Debug)]
enum ReqRepAction {
    Request(usize),
    ReceiveReply(usize),
    ReceiveRequest,
    Reply,
}

/// Expected state of a REQ, with the text of its request or reply.
#[derive(Clone, Debug, PartialEq)]
enum ReqState {
    Idle,
    Waiting(String),
    Replied(String),
}

/// A REP and two REQs, with the expected state of each REQ.
struct ReqRep {
    net: Net,
    rep: NodeId,
    reqs: [NodeId; 2],
    states: [ReqState; 2],
    /// True for each REQ that has a request queued at the REP.
    queued: [bool; 2],
    /// Index of the REQ to which the REP must reply; `None` if the REP must receive.
    requester: Option<usize>,
    actions: u32,
}

#[test]
fn req_and_rep_enforce_their_turns() {
    use ReqRepAction::{ReceiveReply, ReceiveRequest, Reply, Request};
    let world = || {
        let mut net = Net::seeded(1);
        let rep = bound(&mut net, Options::<Rep>::new());
        let reqs = [(); 2].map(|()| connected(&mut net, Options::<Req>::new()));
        net.settle();
        ReqRep {
            net,
            rep,
            reqs,
            states: [ReqState::Idle, ReqState::Idle],
            queued: [false; 2],
            requester: None,
            actions: 0,
        }
    };
    explore(&[Request(0), ReceiveReply(0), Request(1), ReceiveReply(1), ReceiveRequest, Reply], world, ReqRep::act);
}

impl ReqRep {
    fn act(&mut self, action: ReqRepAction) {
        self.actions += 1;
        let text = format!("{action:?} {}", self.actions);
        match action {
            ReqRepAction::Request(index) => {
                let sent = self.net[self.reqs[index]].send(text.as_str());
                if self.states[index] == ReqState::Idle {
                    assert_eq!(sent, Ok(()));
                    self.states[index] = ReqState::Waiting(text);
                    self.queued[index] = true;
                } else {
                    assert_eq!(sent, Err(SendError::OutOfTurn(Message::from(text))));
                }
            }
            ReqRepAction::ReceiveReply(index) => {
                let received = self.net[self.reqs[index]].recv().map(|reply| reply.body().to_text().into_owned());
                let expected = match core::mem::replace(&mut self.states[index], ReqState::Idle) {
                    ReqState::Idle => Err(RecvError::OutOfTurn),
                    ReqState::Replied(reply) => Ok(reply),
                    queued @ ReqState::Waiting(_) => {
                        self.states[index] = queued;
                        Err(RecvError::Empty)
                    }
                };
                assert_eq!(received, expected);
            }
            ReqRepAction::ReceiveRequest => match self.net[self.rep].recv() {
                Ok(request) => {
                    let text = request.body().to_text().into_owned();
                    let index = self.states.iter().position(|state| *state == ReqState::Waiting(text.clone())).unwrap();
                    assert!(self.requester.is_none() && core::mem::take(&mut self.queued[index]), "{text} of {index}");
                    self.requester = Some(index);
                }
                Err(RecvError::OutOfTurn) => assert!(self.requester.is_some()),
                Err(RecvError::Empty) => assert_eq!((self.requester, self.queued), (None, [false; 2])),
                Err(other) => panic!("{other}"),
            },
            ReqRepAction::Reply => {
                let sent = self.net[self.rep].send(text.as_str());
                match self.requester.take() {
                    Some(index) => {
                        assert_eq!(sent, Ok(()));
                        self.states[index] = ReqState::Replied(text);
                    }
                    None => assert_eq!(sent, Err(SendError::OutOfTurn(Message::from(text)))),
                }
            }
        }
        self.net.settle();
    }
}

#[derive(Clone, Copy, Debug)]
enum PubSubAction {
    Subscribe(usize, &'static str),
    Unsubscribe(usize, &'static str),
    Publish(&'static str),
    Receive(usize),
}

/// A PUB and two SUBs, with the expected subscriptions and queued messages of each SUB.
struct PubSub {
    net: Net,
    publisher: NodeId,
    subs: [NodeId; 2],
    subscriptions: [Vec<&'static str>; 2],
    queued: [VecDeque<&'static str>; 2],
}

#[test]
fn subs_receive_messages_that_match_their_subscriptions() {
    use PubSubAction::{Publish, Receive, Subscribe, Unsubscribe};
    let world = || {
        let mut net = Net::seeded(1);
        let publisher = bound(&mut net, Options::<Pub>::new());
        let subs = [(); 2].map(|()| connected(&mut net, Options::<Sub>::new()));
        net.settle();
        PubSub { net, publisher, subs, subscriptions: Default::default(), queued: Default::default() }
    };
    explore(
        &[Subscribe(0, "a"), Unsubscribe(0, "a"), Subscribe(1, ""), Publish("ab"), Publish("b"), Receive(0)],
        world,
        PubSub::act,
    );
}

impl PubSub {
    fn act(&mut self, action: PubSubAction) {
        match action {
            PubSubAction::Subscribe(index, prefix) => {
                self.net[self.subs[index]].subscribe(prefix).unwrap();
                self.subscriptions[index].push(prefix);
            }
            PubSubAction::Unsubscribe(index, prefix) => {
                let position = self.subscriptions[index].iter().position(|other| *other == prefix);
                let ended = self.net[self.subs[index]].unsubscribe(prefix);
                assert_eq!(ended.is_ok(), position.is_some());
                if let Some(position) = position {
                    self.subscriptions[index].remove(position);
                }
                // Queued messages that no subscription matches are dropped.
                let subscriptions = &self.subscriptions[index];
                self.queued[index].retain(|topic| subscriptions.iter().any(|prefix| topic.starts_with(prefix)));
            }
            PubSubAction::Publish(topic) => {
                self.net[self.publisher].send(topic).unwrap();
                for (subscriptions, queued) in self.subscriptions.iter().zip(&mut self.queued) {
                    if subscriptions.iter().any(|prefix| topic.starts_with(prefix)) {
                        queued.push_back(topic);
                    }
                }
            }
            PubSubAction::Receive(index) => {
                let received = receive(&mut self.net, self.subs[index]);
                assert_eq!(received.as_deref(), self.queued[index].pop_front());
            }
        }
        self.net.settle();
        let counts = ["ab", "b"].map(|topic| self.net[self.publisher].subscriber_count(topic));
        let expected = |topic: &str| {
            self.subscriptions
                .iter()
                .filter(|subscriptions| subscriptions.iter().any(|prefix| topic.starts_with(prefix)))
                .count()
        };
        assert_eq!(counts, ["ab", "b"].map(expected));
    }
}

#[derive(Clone, Copy, Debug)]
enum RouterAction {
    Connect(usize),
    Disconnect(usize),
    Send,
    Receive(usize),
}

/// A ROUTER with handover, and two DEALERs with equal routing ids.
struct Handover {
    net: Net,
    router: NodeId,
    dealers: [NodeId; 2],
    connected: [bool; 2],
    owner: Option<usize>,
    queued: [VecDeque<String>; 2],
    sent: u32,
}

#[test]
fn handover_routes_to_the_last_peer_with_the_routing_id() {
    use RouterAction::{Connect, Disconnect, Receive, Send};
    let world = || {
        let mut net = Net::seeded(1);
        let router = bound(&mut net, Options::<Router>::new().handover(true));
        let dealers = [(); 2].map(|()| net.socket(Options::<Dealer>::new().routing_id("name").unwrap()));
        let queued = [VecDeque::new(), VecDeque::new()];
        Handover { net, router, dealers, connected: [false; 2], owner: None, queued, sent: 0 }
    };
    explore(&[Connect(0), Connect(1), Disconnect(0), Send, Receive(0), Receive(1)], world, Handover::act);
}

impl Handover {
    fn act(&mut self, action: RouterAction) {
        match action {
            // A second connection of a DEALER would be another peer with the routing id.
            RouterAction::Connect(index) if self.connected[index] => {}
            RouterAction::Connect(index) => {
                self.net.connect(self.dealers[index], PLACE);
                self.connected[index] = true;
                self.owner = Some(index);
            }
            RouterAction::Disconnect(index) => {
                let now = self.net.now();
                let disconnected = self.net[self.dealers[index]].disconnect(&PLACE.parse().unwrap(), now);
                assert_eq!(disconnected.is_ok(), self.connected[index]);
                self.connected[index] = false;
                // A local disconnect discards the queued messages.
                self.queued[index].clear();
                self.owner = self.owner.filter(|owner| *owner != index);
            }
            RouterAction::Send => {
                self.sent += 1;
                let text = self.sent.to_string();
                self.net[self.router].send(("name", text.as_str())).unwrap();
                if let Some(owner) = self.owner {
                    self.queued[owner].push_back(text);
                }
            }
            RouterAction::Receive(index) => {
                let received = receive(&mut self.net, self.dealers[index]);
                assert_eq!(received, self.queued[index].pop_front());
            }
        }
        self.net.settle();
    }
}

#[derive(Clone, Copy, Debug)]
enum PipelineAction {
    Send,
    Receive,
    Cut,
    Wait,
}

/// A PUSH and a PULL, with a connection that the test can cut.
struct Pipeline {
    net: Net,
    push: NodeId,
    pull: NodeId,
    connected: bool,
    /// Messages that must be in the queue of the PUSH, and messages that must be in the queue of the PULL.
    queued: [VecDeque<String>; 2],
    sent: u32,
}

#[test]
fn messages_sent_while_disconnected_arrive_after_reconnect() {
    let world = || {
        let mut net = Net::seeded(1);
        let (pull, push) = (bound(&mut net, pull()), connected(&mut net, push()));
        net.settle();
        Pipeline { net, push, pull, connected: true, queued: Default::default(), sent: 0 }
    };
    explore(
        &[PipelineAction::Send, PipelineAction::Receive, PipelineAction::Cut, PipelineAction::Wait],
        world,
        Pipeline::act,
    );
}

impl Pipeline {
    fn act(&mut self, action: PipelineAction) {
        match action {
            PipelineAction::Send => {
                self.sent += 1;
                let text = self.sent.to_string();
                self.net[self.push].send(text.as_str()).unwrap();
                self.queued[usize::from(self.connected)].push_back(text);
            }
            PipelineAction::Receive => {
                let received = receive(&mut self.net, self.pull);
                assert_eq!(received, self.queued[1].pop_front());
            }
            PipelineAction::Cut => {
                self.net.reset_connections(self.push);
                self.connected = false;
            }
            PipelineAction::Wait => {
                self.net.advance(s(60));
                self.connected = true;
                let [at_push, at_pull] = &mut self.queued;
                at_pull.append(at_push);
            }
        }
        self.net.settle();
    }
}
