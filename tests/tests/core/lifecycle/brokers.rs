//! Requests through a chain of two brokers, which come to grief like everybody else: what is answered is answered right, and
//! who asks again is answered at last.

use super::faults::Weather;
use super::{ms, s};
use core::time::Duration;
use sansmq_proto::kind::{Dealer, Rep, Req, Router};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Instant, Message, Options, RecvError, SendError};
use sansmq_tests::for_seeds;
use std::collections::BTreeSet;

const FRONTS: [&str; 2] = ["tcp://first:1", "tcp://second:1"];
const WORKPLACE: &str = "tcp://second:2";

/// What each client wants to know.
const QUESTIONS: u32 = 4;
/// After so long a client asks again.
const PATIENCE: Duration = s(10);

/// A ROUTER towards the clients and a DEALER towards the workers, with what could not be passed on yet.
struct Broker {
    front: NodeId,
    back: NodeId,
    marks: [usize; 2],
    in_hand: Option<Message>,
}

impl Broker {
    fn new(net: &mut Net, weather: &mut Weather) -> Self {
        let marks = [1 + weather.pick(9), 1 + weather.pick(9)];
        let front = net.socket(Self::front(weather, marks));
        let back = net.socket(Self::back(weather, marks));
        Self { front, back, marks, in_hand: None }
    }

    fn front(weather: &Weather, marks: [usize; 2]) -> Options<Router> {
        weather.dress(Options::new().send_hwm(marks[0]).recv_hwm(marks[1]))
    }

    fn back(weather: &Weather, marks: [usize; 2]) -> Options<Dealer> {
        weather.dress(Options::new().send_hwm(marks[1]).recv_hwm(marks[0]))
    }

    fn restart(&mut self, net: &mut Net, weather: &Weather) {
        net.restart(self.front, Self::front(weather, self.marks));
        net.restart(self.back, Self::back(weather, self.marks));
        self.in_hand = None;
    }

    fn pass_on(&mut self, net: &mut Net) {
        while let Some(request) = self.in_hand.take().or_else(|| net[self.front].recv().ok()) {
            match net[self.back].send(request) {
                Ok(()) => {}
                Err(SendError::Full(request)) => {
                    self.in_hand = Some(request);
                    break;
                }
                Err(other) => panic!("{other}"),
            }
        }
        while let Ok(reply) = net[self.back].recv() {
            net[self.front].send(reply).unwrap();
        }
    }
}

struct Client {
    number: usize,
    node: NodeId,
    /// It gives a question up by asking again. Others give up the whole socket.
    relaxed: bool,
    question: u32,
    /// How often it has asked in all, and when it did so last, if it waits for an answer.
    attempt: u32,
    asked: Option<Instant>,
}

impl Client {
    fn options(relaxed: bool, weather: &Weather) -> Options<Req> {
        weather.dress(Options::new().relaxed(relaxed).correlate(relaxed))
    }

    fn text(&self) -> String {
        format!("question {} of client {}, attempt {}", self.question, self.number, self.attempt)
    }

    fn act(&mut self, net: &mut Net, weather: &Weather) {
        if self.asked.is_some() {
            match net[self.node].recv() {
                Ok(reply) => {
                    assert_eq!(reply, Message::from(format!("answer to {}", self.text())));
                    (self.question, self.asked) = (self.question + 1, None);
                }
                Err(RecvError::PeerLost) => self.asked = None,
                Err(RecvError::Empty) => {}
                Err(other) => panic!("{other}"),
            }
        }
        if self.asked.is_some_and(|asked| net.now().since(asked) > PATIENCE) {
            if !self.relaxed {
                net.restart(self.node, Self::options(false, weather));
                net.connect(self.node, FRONTS[0]);
            }
            self.asked = None;
        }
        if self.asked.is_none() && self.question < QUESTIONS {
            self.attempt += 1;
            match net[self.node].send(self.text()) {
                Ok(()) => self.asked = Some(net.now()),
                Err(SendError::Full(_)) => self.attempt -= 1,
                Err(other) => panic!("{other}"),
            }
        }
    }
}

struct Scene {
    clients: Vec<Client>,
    brokers: [Broker; 2],
    workers: Vec<NodeId>,
    /// What workers have been asked.
    heard: BTreeSet<String>,
}

impl Scene {
    fn new(net: &mut Net, weather: &mut Weather) -> Self {
        let brokers = [Broker::new(net, weather), Broker::new(net, weather)];
        let clients = (0..5).map(|number| {
            let relaxed = number % 2 == 0;
            let node = net.socket(Client::options(relaxed, weather));
            net.connect(node, FRONTS[0]);
            Client { number, node, relaxed, question: 0, attempt: 0, asked: None }
        });
        let clients = clients.collect();
        let workers = (0..3).map(|_| net.socket(weather.dress(Options::<Rep>::new()))).collect();
        let scene = Self { clients, brokers, workers, heard: BTreeSet::new() };
        for broker in 0..2 {
            scene.open(net, broker);
        }
        for &worker in &scene.workers {
            net.connect(worker, WORKPLACE);
        }
        scene
    }

    fn open(&self, net: &mut Net, broker: usize) {
        net.bind(self.brokers[broker].front, FRONTS[broker]);
        if broker == 0 {
            net.connect(self.brokers[0].back, FRONTS[1]);
        } else {
            net.bind(self.brokers[1].back, WORKPLACE);
        }
    }

    fn nodes(&self) -> Vec<NodeId> {
        let brokers = self.brokers.iter().flat_map(|broker| [broker.front, broker.back]);
        self.clients.iter().map(|client| client.node).chain(brokers).chain(self.workers.iter().copied()).collect()
    }

    fn work(&mut self, net: &mut Net, worker: usize) {
        let worker = self.workers[worker];
        if let Ok(request) = net[worker].recv() {
            let text = request.body().to_text().into_owned();
            net[worker].send(format!("answer to {text}")).unwrap();
            assert!(!self.heard.contains(&text), "{text} came twice");
            self.heard.insert(text);
        }
    }

    fn crash(&mut self, net: &mut Net, weather: &mut Weather) {
        let broker = weather.pick(4);
        if broker < 2 {
            self.brokers[broker].restart(net, weather);
            self.open(net, broker);
        } else {
            let worker = self.workers[weather.pick(self.workers.len())];
            net.restart(worker, weather.dress(Options::<Rep>::new()));
            net.connect(worker, WORKPLACE);
        }
    }

    fn everybody(&mut self, net: &mut Net, weather: &Weather) {
        for client in &mut self.clients {
            client.act(net, weather);
        }
        for broker in &mut self.brokers {
            broker.pass_on(net);
        }
        for worker in 0..self.workers.len() {
            self.work(net, worker);
        }
    }
}

#[test]
fn through_a_chain_of_brokers_that_crash_every_question_is_answered_at_last_and_by_its_answer() {
    for_seeds(100, |seed| {
        let mut weather = Weather::of(seed);
        let mut net = weather.net(seed);
        let mut scene = Scene::new(&mut net, &mut weather);
        for _ in 0..150 {
            match weather.pick(4) {
                0 => {
                    let client = weather.pick(scene.clients.len());
                    scene.clients[client].act(&mut net, &weather);
                }
                1 => scene.brokers[weather.pick(2)].pass_on(&mut net),
                2 => {
                    let worker = weather.pick(scene.workers.len());
                    scene.work(&mut net, worker);
                }
                _ => scene.everybody(&mut net, &weather),
            }
            if weather.cuts && weather.once_in(25) {
                scene.crash(&mut net, &mut weather);
            }
            weather.strike(&mut net, &scene.nodes());
        }
        Weather::clear(&mut net, &scene.nodes());
        for _ in 0..2000 {
            if scene.clients.iter().all(|client| client.question == QUESTIONS) {
                break;
            }
            scene.everybody(&mut net, &weather);
            net.pass(ms(100));
        }
        for client in &scene.clients {
            let Client { number, attempt, question, .. } = client;
            assert_eq!(*question, QUESTIONS, "client {number} is stuck after {attempt} attempts");
        }
        // What was given up may still be on its way.
        for _ in 0..20 {
            scene.everybody(&mut net, &weather);
            net.settle();
        }
        if !weather.tears() {
            for client in scene.clients.iter().filter(|client| client.relaxed) {
                let whose = format!("of client {},", client.number);
                let heard = scene.heard.iter().filter(|text| text.contains(&whose)).count();
                assert_eq!(heard, client.attempt as usize, "what was asked {whose} got lost");
            }
        }
    });
}
