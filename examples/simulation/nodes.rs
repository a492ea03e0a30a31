//! Programs of the nodes: the broker, its workers and its clients.

use super::broker::{Broker, INTERVAL, Output};
use sansmq_proto::kind::{Dealer, Router};
use sansmq_proto::testing::{Application, NodeContext, SocketId};
use sansmq_proto::{Instant, Message, Options};
use std::collections::VecDeque;
use std::time::Duration;

const CLIENTS: &str = "tcp://broker:5555";
const WORKERS: &str = "tcp://broker:5556";

/// Sockets of a [`Broker`].
pub(crate) struct BrokerNode {
    broker: Broker,
    clients: SocketId,
    workers: SocketId,
    /// Time and worker of each request that was passed on since the test has taken this list.
    pub(crate) assigned: Vec<(Instant, String)>,
}

impl BrokerNode {
    pub(crate) fn start(node: &mut NodeContext<'_>) -> Self {
        let [clients, workers] = [CLIENTS, WORKERS].map(|endpoint| {
            let socket = node.socket(Options::<Router>::new().handover(true).heartbeat(INTERVAL));
            node.bind(socket, endpoint);
            socket
        });
        Self { broker: Broker::default(), clients, workers, assigned: Vec::new() }
    }
}

impl Application for BrokerNode {
    fn turn(&mut self, node: &mut NodeContext<'_>) {
        while let Ok(request) = node[self.clients].recv() {
            self.broker.handle_client(request);
        }
        while let Ok(message) = node[self.workers].recv() {
            self.broker.handle_worker(message, node.now());
        }
        while let Some(output) = self.broker.poll_output(node.now()) {
            let (socket, message) = match output {
                Output::ToClient(reply) => (self.clients, reply),
                Output::ToWorker(request) => {
                    let worker = request.head().to_text().into_owned();
                    node.note(format_args!("passes {} to {worker}", request.body().to_text()));
                    self.assigned.push((node.now(), worker));
                    (self.workers, request)
                }
            };
            node[socket].send(message).expect("a ROUTER drops messages to peers that are gone");
        }
    }
}

/// Returns options of a DEALER that reconnects within seconds.
fn dealer() -> Options<Dealer> {
    Options::new().heartbeat(INTERVAL).connect_timeout(INTERVAL).reconnect(INTERVAL / 10, INTERVAL)
}

const HEARTBEAT: u64 = 0;
const DONE: u64 = 1;

/// Worker that takes up to half a second for each request.
pub(crate) struct Worker {
    socket: SocketId,
    requests: VecDeque<Message>,
}

impl Worker {
    pub(crate) fn start(node: &mut NodeContext<'_>, name: &str) -> Self {
        let socket = node.socket(dealer().routing_id(name).expect("a short name"));
        node.connect(socket, WORKERS);
        node.set_timer(HEARTBEAT, node.now());
        Self { socket, requests: VecDeque::new() }
    }

    fn work(&self, node: &mut NodeContext<'_>) {
        if !self.requests.is_empty() {
            let duration = Duration::from_millis(node.entropy().below(500));
            node.set_timer(DONE, node.now() + duration);
        }
    }
}

impl Application for Worker {
    fn turn(&mut self, node: &mut NodeContext<'_>) {
        while let Ok(request) = node[self.socket].recv() {
            self.requests.push_back(request);
            if self.requests.len() == 1 {
                self.work(node);
            }
        }
        while let Some(key) = node.poll_timer() {
            let message = match (key, self.requests.is_empty()) {
                (HEARTBEAT, true) => Some(Message::from("READY")),
                (DONE, false) => self.requests.pop_front(), // the reply is the request
                _ => None,
            };
            if let Some(message) = message {
                node[self.socket].send(message).expect("fewer messages than the high-water mark");
            }
            match key {
                DONE => self.work(node),
                _ => node.set_timer(HEARTBEAT, node.now() + INTERVAL),
            }
        }
    }
}

/// Time without a reply after which a client sends its request again.
pub(crate) const RETRY: Duration = Duration::from_secs(3);

/// Client that sends one request after the other.
pub(crate) struct Client {
    socket: SocketId,
    /// Number of the current request, and of all replies before it.
    pub(crate) request: u32,
}

impl Client {
    pub(crate) fn start(node: &mut NodeContext<'_>) -> Self {
        let socket = node.socket(dealer());
        node.connect(socket, CLIENTS);
        node.set_timer(0, node.now());
        Self { socket, request: 0 }
    }
}

impl Application for Client {
    fn turn(&mut self, node: &mut NodeContext<'_>) {
        while let Ok(reply) = node[self.socket].recv() {
            let text = reply.body().to_text();
            let (client, number) = text.split_once(": ").expect("the text of a request");
            assert_eq!(client, format!("{:?}", node.id()), "the reply belongs to another client");
            let number: u32 = number.parse().expect("the number of a request");
            assert!(number <= self.request, "the reply has no request");
            if number == self.request {
                node.note(format_args!("has reply {number}"));
                self.request += 1;
                let pause = Duration::from_millis(node.entropy().below(1000));
                node.set_timer(0, node.now() + pause);
            }
        }
        if node.poll_timer().is_some() {
            let text = format!("{:?}: {}", node.id(), self.request);
            node[self.socket].send(text).expect("fewer messages than the high-water mark");
            node.set_timer(0, node.now() + RETRY);
        }
    }
}
