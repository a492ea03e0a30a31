//! Exhaustive checks of small topologies: every sequence of five actions of two or three sockets, or of six with `NET_SEEDS`. Each
//! step is compared with a model of plain queues.

use super::{PLACE, bound, connected, pull, push, s};
use core::fmt::Debug;
use sansmq_proto::kind::{Dealer, Pub, Rep, Req, Router, Sub};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Message, Options, RecvError, SendError};
use sansmq_tests::is_soak;
use std::collections::VecDeque;

/// Plays every sequence of these actions.
fn explore<W, A: Copy + Debug>(actions: &[A], world: impl Fn() -> W, act: impl Fn(&mut W, A)) {
    let steps = if is_soak() { 6 } else { 5 };
    for mut number in 0..actions.len().pow(steps) {
        let mut note = Told(Vec::new());
        let mut world = world();
        for _ in 0..steps {
            let action = actions[number % actions.len()];
            number /= actions.len();
            note.0.push(action);
            act(&mut world, action);
        }
    }
}

/// Tells what has led to a failure.
struct Told<A: Debug>(Vec<A>);

impl<A: Debug> Drop for Told<A> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("after {:?}", self.0);
        }
    }
}

/// What a socket receives, as text; `None` if nothing is there.
fn hear(net: &mut Net, node: NodeId) -> Option<String> {
    net.settle();
    match net[node].recv() {
        Ok(message) => Some(message.body().to_text().into_owned()),
        Err(RecvError::Empty) => None,
        Err(other) => panic!("{other}"),
    }
}

#[derive(Clone, Copy, Debug)]
enum Talk {
    Ask(usize),
    Hear(usize),
    Take,
    Answer,
}

#[derive(Clone, Debug, PartialEq)]
enum Turn {
    Idle,
    Waiting(String),
    Answered(String),
}

/// A REP and two REQs, and what each of them may do.
struct Talkers {
    net: Net,
    rep: NodeId,
    reqs: [NodeId; 2],
    turns: [Turn; 2],
    /// Who has asked and was not taken yet.
    asked: [bool; 2],
    owed: Option<usize>,
    said: u32,
}

#[test]
fn req_and_rep_take_turns_whatever_they_are_asked_to_do() {
    use Talk::{Answer, Ask, Hear, Take};
    let world = || {
        let mut net = Net::seeded(1);
        let rep = bound(&mut net, Options::<Rep>::new());
        let reqs = [(); 2].map(|()| connected(&mut net, Options::<Req>::new()));
        net.settle();
        Talkers { net, rep, reqs, turns: [Turn::Idle, Turn::Idle], asked: [false; 2], owed: None, said: 0 }
    };
    explore(&[Ask(0), Hear(0), Ask(1), Hear(1), Take, Answer], world, Talkers::act);
}

impl Talkers {
    fn act(&mut self, talk: Talk) {
        self.said += 1;
        let text = format!("{talk:?} {}", self.said);
        match talk {
            Talk::Ask(who) => {
                let sent = self.net[self.reqs[who]].send(text.as_str());
                if self.turns[who] == Turn::Idle {
                    assert_eq!(sent, Ok(()));
                    self.turns[who] = Turn::Waiting(text);
                    self.asked[who] = true;
                } else {
                    assert_eq!(sent, Err(SendError::OutOfTurn(Message::from(text))));
                }
            }
            Talk::Hear(who) => {
                let heard = self.net[self.reqs[who]].recv().map(|reply| reply.body().to_text().into_owned());
                let expected = match core::mem::replace(&mut self.turns[who], Turn::Idle) {
                    Turn::Idle => Err(RecvError::OutOfTurn),
                    Turn::Answered(reply) => Ok(reply),
                    waiting @ Turn::Waiting(_) => {
                        self.turns[who] = waiting;
                        Err(RecvError::Empty)
                    }
                };
                assert_eq!(heard, expected);
            }
            Talk::Take => match self.net[self.rep].recv() {
                Ok(request) => {
                    let text = request.body().to_text().into_owned();
                    let who = self.turns.iter().position(|turn| *turn == Turn::Waiting(text.clone())).unwrap();
                    assert!(self.owed.is_none() && core::mem::take(&mut self.asked[who]), "{text} of {who}");
                    self.owed = Some(who);
                }
                Err(RecvError::OutOfTurn) => assert!(self.owed.is_some()),
                Err(RecvError::Empty) => assert_eq!((self.owed, self.asked), (None, [false; 2])),
                Err(other) => panic!("{other}"),
            },
            Talk::Answer => {
                let sent = self.net[self.rep].send(text.as_str());
                match self.owed.take() {
                    Some(who) => {
                        assert_eq!(sent, Ok(()));
                        self.turns[who] = Turn::Answered(text);
                    }
                    None => assert_eq!(sent, Err(SendError::OutOfTurn(Message::from(text)))),
                }
            }
        }
        self.net.settle();
    }
}

#[derive(Clone, Copy, Debug)]
enum News {
    Subscribe(usize, &'static str),
    Cancel(usize, &'static str),
    Publish(&'static str),
    Hear(usize),
}

/// A PUB and two SUBs, what they have asked for, and what waits for them.
struct Readers {
    net: Net,
    publisher: NodeId,
    subs: [NodeId; 2],
    wishes: [Vec<&'static str>; 2],
    waiting: [VecDeque<&'static str>; 2],
}

#[test]
fn subscribers_hear_what_they_have_asked_for_by_then_and_ask_for_still() {
    use News::{Cancel, Hear, Publish, Subscribe};
    let world = || {
        let mut net = Net::seeded(1);
        let publisher = bound(&mut net, Options::<Pub>::new());
        let subs = [(); 2].map(|()| connected(&mut net, Options::<Sub>::new()));
        net.settle();
        Readers { net, publisher, subs, wishes: Default::default(), waiting: Default::default() }
    };
    explore(
        &[Subscribe(0, "a"), Cancel(0, "a"), Subscribe(1, ""), Publish("ab"), Publish("b"), Hear(0)],
        world,
        Readers::act,
    );
}

impl Readers {
    fn act(&mut self, news: News) {
        match news {
            News::Subscribe(who, prefix) => {
                self.net[self.subs[who]].subscribe(prefix).unwrap();
                self.wishes[who].push(prefix);
            }
            News::Cancel(who, prefix) => {
                let known = self.wishes[who].iter().position(|wish| *wish == prefix);
                let ended = self.net[self.subs[who]].unsubscribe(prefix);
                assert_eq!(ended.is_ok(), known.is_some());
                if let Some(place) = known {
                    self.wishes[who].remove(place);
                }
                // What waits and is wished for no more is dropped.
                let wishes = &self.wishes[who];
                self.waiting[who].retain(|topic| wishes.iter().any(|wish| topic.starts_with(wish)));
            }
            News::Publish(topic) => {
                self.net[self.publisher].send(topic).unwrap();
                for (wishes, waiting) in self.wishes.iter().zip(&mut self.waiting) {
                    if wishes.iter().any(|wish| topic.starts_with(wish)) {
                        waiting.push_back(topic);
                    }
                }
            }
            News::Hear(who) => {
                let heard = hear(&mut self.net, self.subs[who]);
                assert_eq!(heard.as_deref(), self.waiting[who].pop_front());
            }
        }
        self.net.settle();
        let audience = ["ab", "b"].map(|topic| self.net[self.publisher].subscriber_count(topic));
        let wished =
            |topic: &str| self.wishes.iter().filter(|wishes| wishes.iter().any(|wish| topic.starts_with(wish))).count();
        assert_eq!(audience, ["ab", "b"].map(wished));
    }
}

#[derive(Clone, Copy, Debug)]
enum Name {
    Come(usize),
    Leave(usize),
    Tell,
    Hear(usize),
}

/// A ROUTER, and two DEALERs of the same name.
struct Namesakes {
    net: Net,
    router: NodeId,
    dealers: [NodeId; 2],
    connected: [bool; 2],
    owner: Option<usize>,
    waiting: [VecDeque<String>; 2],
    told: u32,
}

#[test]
fn the_last_peer_of_a_name_gets_what_is_sent_to_it() {
    use Name::{Come, Hear, Leave, Tell};
    let world = || {
        let mut net = Net::seeded(1);
        let router = bound(&mut net, Options::<Router>::new().handover(true));
        let dealers = [(); 2].map(|()| net.socket(Options::<Dealer>::new().routing_id("name").unwrap()));
        let waiting = [VecDeque::new(), VecDeque::new()];
        Namesakes { net, router, dealers, connected: [false; 2], owner: None, waiting, told: 0 }
    };
    explore(&[Come(0), Come(1), Leave(0), Tell, Hear(0), Hear(1)], world, Namesakes::act);
}

impl Namesakes {
    fn act(&mut self, name: Name) {
        match name {
            // A second connection of the same peer would be one more of its name.
            Name::Come(who) if self.connected[who] => {}
            Name::Come(who) => {
                self.net.connect(self.dealers[who], PLACE);
                self.connected[who] = true;
                self.owner = Some(who);
            }
            Name::Leave(who) => {
                let now = self.net.now();
                let left = self.net[self.dealers[who]].disconnect(&PLACE.parse().unwrap(), now);
                assert_eq!(left.is_ok(), self.connected[who]);
                self.connected[who] = false;
                // Who goes of its own will has nothing more to hear.
                self.waiting[who].clear();
                self.owner = self.owner.filter(|owner| *owner != who);
            }
            Name::Tell => {
                self.told += 1;
                let text = self.told.to_string();
                self.net[self.router].send(("name", text.as_str())).unwrap();
                if let Some(owner) = self.owner {
                    self.waiting[owner].push_back(text);
                }
            }
            Name::Hear(who) => {
                let heard = hear(&mut self.net, self.dealers[who]);
                assert_eq!(heard, self.waiting[who].pop_front());
            }
        }
        self.net.settle();
    }
}

#[derive(Clone, Copy, Debug)]
enum Line {
    Send,
    Receive,
    Cut,
    Wait,
}

/// A PUSH and a PULL, and a connection that is cut now and then.
struct Cable {
    net: Net,
    push: NodeId,
    pull: NodeId,
    connected: bool,
    /// At the PUSH, and at the PULL.
    waiting: [VecDeque<String>; 2],
    sent: u32,
}

#[test]
fn what_is_sent_while_nobody_is_connected_arrives_when_somebody_is() {
    let world = || {
        let mut net = Net::seeded(1);
        let (pull, push) = (bound(&mut net, pull()), connected(&mut net, push()));
        net.settle();
        Cable { net, push, pull, connected: true, waiting: Default::default(), sent: 0 }
    };
    explore(&[Line::Send, Line::Receive, Line::Cut, Line::Wait], world, Cable::act);
}

impl Cable {
    fn act(&mut self, line: Line) {
        match line {
            Line::Send => {
                self.sent += 1;
                let text = self.sent.to_string();
                self.net[self.push].send(text.as_str()).unwrap();
                self.waiting[usize::from(self.connected)].push_back(text);
            }
            Line::Receive => {
                let heard = hear(&mut self.net, self.pull);
                assert_eq!(heard, self.waiting[1].pop_front());
            }
            Line::Cut => {
                self.net.cut(self.push);
                self.connected = false;
            }
            Line::Wait => {
                self.net.pass(s(60));
                self.connected = true;
                let [there, here] = &mut self.waiting;
                here.append(there);
            }
        }
        self.net.settle();
    }
}
