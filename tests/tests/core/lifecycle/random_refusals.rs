//! Clients that a server refuses for a reason that ends later, under random network faults.

use super::faults::{FaultPlan, Received};
use super::{PLACE, close, connected, ms, s};
use core::time::Duration;
use sansmq_proto::connection::CloseReason;
use sansmq_proto::kind::{Any, Channel, Dealer, Pair, Pull, Push, Rep, Router, Zmtp};
use sansmq_proto::security::curve::KeyPair;
use sansmq_proto::security::{AuthReply, AuthStatus, Security};
use sansmq_proto::socket::DropReason;
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{ConnectionError, Event, NetworkError, Options, SocketType};
use sansmq_tests::{dropped, events, for_seeds};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Number of messages that each client sends.
const MESSAGES: u32 = 20;

/// Maximum delays before the next dial, after a failure that time can cure and after another failure.
const CEILINGS: [Duration; 2] = [s(5), s(60)];

/// Maximum time of a handshake and of [`MESSAGES`] messages on the slowest link of a [`FaultPlan`].
const TRANSFER: Duration = s(20);

/// Reason for which a server refuses its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// All clients have the same routing id, so a ROUTER accepts one at a time.
    RoutingIdTaken,
    /// A PAIR or CHANNEL accepts one client at a time.
    PairInUse(SocketType),
    /// A PULL accepts one client at a time, because its option `max_peers` is 1.
    MaxPeers,
    /// The authenticator of a PULL returns the status 300 until the refusal ends.
    TemporaryError,
    /// The server is a REP until it is restarted as a PULL.
    Incompatible,
    /// The server has another security mechanism than its clients until it is restarted.
    MechanismMismatch,
}

impl Refusal {
    const ALL: [Self; 7] = [
        Self::RoutingIdTaken,
        Self::PairInUse(SocketType::Pair),
        Self::PairInUse(SocketType::Channel),
        Self::MaxPeers,
        Self::TemporaryError,
        Self::Incompatible,
        Self::MechanismMismatch,
    ];

    /// Returns true if the server accepts one client at a time, so that the refusal of a client ends when another
    /// client is closed.
    const fn is_for_place(self) -> bool {
        matches!(self, Self::RoutingIdTaken | Self::PairInUse(_) | Self::MaxPeers)
    }

    /// Returns the maximum delay of a refused client before its next dial.
    const fn ceiling(self) -> Duration {
        CEILINGS[matches!(self, Self::Incompatible | Self::MechanismMismatch) as usize]
    }

    /// Returns true if a client may get this error because of the refusal. The server does not wait longer than a second
    /// until it has written its reason, and PLAIN asks the authenticator before the client has sent that it understands a
    /// reason. The client then gets the most likely reason.
    fn explains(self, error: &ConnectionError) -> bool {
        let is_likely_reason =
            matches!(error, ConnectionError::ClosedBeforeReady(_) | ConnectionError::ClosedInGreeting { .. });
        match self {
            Self::MaxPeers => false,
            _ if is_likely_reason => true,
            Self::RoutingIdTaken => *error == ConnectionError::ClosedWithReason(CloseReason::RoutingIdTaken),
            Self::PairInUse(_) => *error == ConnectionError::ClosedWithReason(CloseReason::PairInUse),
            Self::TemporaryError => *error == ConnectionError::ClosedWithReason(CloseReason::AuthTemporaryError),
            // The reset is the restart of the server.
            Self::Incompatible => matches!(
                error,
                ConnectionError::Incompatible { .. }
                    | ConnectionError::Refused(_)
                    | ConnectionError::Network(NetworkError::Reset)
            ),
            Self::MechanismMismatch => matches!(
                error,
                ConnectionError::MechanismMismatch { .. } | ConnectionError::Network(NetworkError::Reset)
            ),
        }
    }
}

/// Returns the security settings of a server and of its clients, all with the same mechanism.
fn security(mechanism: usize) -> [Security; 2] {
    match mechanism {
        0 => [Security::Null, Security::Null],
        1 => [Security::PlainServer, Security::plain_client("user", "password").unwrap()],
        _ => {
            let server = KeyPair::random();
            let public = *server.public();
            [Security::curve_server(server), Security::curve_client(KeyPair::random(), public).unwrap()]
        }
    }
}

struct Client {
    node: NodeId,
    sent: u32,
    /// Number of messages that the client has dropped.
    dropped: usize,
    /// Number of finished connections that the client has lost. Messages that it had written may then be lost.
    lost_connections: usize,
    is_closed: bool,
}

/// A server, and three clients that the server refuses.
struct Scene {
    refusal: Refusal,
    loses_connections: bool,
    /// True while the authenticator of the server returns the status 300.
    is_undecided: Arc<AtomicBool>,
    server: NodeId,
    /// Options of a server that does not refuse the clients.
    accepting: Options<Any>,
    clients: [Client; 3],
    received: Received,
}

impl Scene {
    fn new(net: &mut Net, faults: &mut FaultPlan) -> Self {
        let refusal = Refusal::ALL[faults.pick(Refusal::ALL.len())];
        let mechanism = faults.pick(3);
        let [own, others] = security(mechanism);
        let is_undecided = Arc::new(AtomicBool::new(refusal == Refusal::TemporaryError));
        let accepting = match refusal {
            Refusal::RoutingIdTaken => server(Options::<Router>::new(), &own, &is_undecided),
            Refusal::PairInUse(SocketType::Pair) => server(Options::<Pair>::new(), &own, &is_undecided),
            Refusal::PairInUse(_) => server(Options::<Channel>::new(), &own, &is_undecided),
            Refusal::MaxPeers => server(Options::<Pull>::new().max_peers(1), &own, &is_undecided),
            _ => server(Options::<Pull>::new(), &own, &is_undecided),
        };
        let accepting = faults.configure(accepting);
        let refusing = match refusal {
            Refusal::Incompatible => faults.configure(server(Options::<Rep>::new(), &own, &is_undecided)),
            Refusal::MechanismMismatch => {
                let [other, _] = security((mechanism + 1) % 3);
                faults.configure(server(Options::<Pull>::new(), &other, &is_undecided))
            }
            _ => accepting.clone(),
        };
        let node = net.socket(refusing);
        net.bind(node, PLACE);
        let clients = [(); 3].map(|()| {
            let client = match refusal {
                Refusal::RoutingIdTaken => client(Options::<Dealer>::new().routing_id("taken").unwrap(), &others),
                Refusal::PairInUse(SocketType::Pair) => client(Options::<Pair>::new(), &others),
                Refusal::PairInUse(_) => client(Options::<Channel>::new(), &others),
                _ => client(Options::<Push>::new(), &others),
            };
            let node = connected(net, faults.configure(client));
            Client { node, sent: 0, dropped: 0, lost_connections: 0, is_closed: false }
        });
        let (loses_connections, received) = (faults.loses_connections(), Received::new(faults));
        Self { refusal, loses_connections, is_undecided, server: node, accepting, clients, received }
    }

    fn nodes(&self) -> Vec<NodeId> {
        self.clients.iter().map(|client| client.node).chain([self.server]).collect()
    }

    /// Sends the next message of a client, if the client has not sent all messages.
    fn send(&mut self, net: &mut Net, number: usize) {
        let client = &mut self.clients[number];
        if client.sent < MESSAGES {
            net[client.node].send(format!("{number} {}", client.sent)).unwrap();
            client.sent += 1;
        }
    }

    /// Receives all messages at the server, and checks all new events of the clients.
    fn recv(&mut self, net: &mut Net) {
        while let Ok(message) = net[self.server].recv() {
            self.received.record(&message, 0);
        }
        for client in &mut self.clients {
            let events = events(net, client.node);
            client.dropped += dropped(&events, DropReason::Undelivered);
            for event in events {
                match event {
                    Event::HandshakeFailed { reason, retry, .. } => {
                        assert!(
                            self.loses_connections || self.refusal.explains(&reason),
                            "a client got another reason: {reason}"
                        );
                        assert!(retry.is_some_and(|retry| retry <= self.refusal.ceiling()), "{retry:?}");
                    }
                    Event::ConnectFailed { retry, .. } => assert!(retry.is_some_and(|retry| retry <= CEILINGS[0])),
                    Event::Disconnected { .. } if !client.is_closed => client.lost_connections += 1,
                    _ => {}
                }
            }
        }
    }

    /// Advances the clock until `done` returns true, and receives messages meanwhile.
    ///
    /// # Panics
    /// If `done` does not return true before `limit`.
    fn wait(&mut self, net: &mut Net, limit: Duration, what: &str, done: impl Fn(&Self, &Net) -> bool) {
        let end = net.now() + limit;
        while !done(self, net) {
            assert!(net.now() < end, "{:?}: {what} took longer than {limit:?}", self.refusal);
            net.advance(ms(100));
            self.recv(net);
        }
    }

    fn received_from(&self, client: usize) -> usize {
        self.received.all.iter().filter(|(sender, _)| *sender == client).count()
    }

    /// Asserts that the server has received all messages of a client that has lost no connection, and that the client
    /// has dropped none of them.
    fn check_client(&self, net: &Net, number: usize) {
        let client = &self.clients[number];
        let received = self.received_from(number);
        let case = format!("{:?}: {received} messages of client {number} were received", self.refusal);
        assert!(received + client.dropped <= client.sent as usize, "{case}, {} were dropped", client.dropped);
        if client.lost_connections == 0 {
            assert_eq!((received, client.dropped), (MESSAGES as usize, 0), "{case}");
        }
        let stats = net[client.node].stats();
        assert_eq!((stats.sent.messages, stats.outgoing.messages), (u64::from(MESSAGES), 0), "{case}");
    }

    /// Lets some time pass while the refusal lasts. Asserts that the clients dial no more often than their delays allow,
    /// and that each connection causes a limited number of calls.
    fn check_pause(&self, net: &mut Net) {
        let attempts = |net: &Net| -> u64 {
            let stats = self.clients.iter().map(|client| net[client.node].stats());
            stats.map(|stats| stats.failed_dials + stats.failed_handshakes).sum()
        };
        let (attempts_before, turns_before) = (attempts(net), net.turns());
        let pause = s(100);
        net.advance(pause);
        let (attempts, turns) = (attempts(net) - attempts_before, net.turns() - turns_before);
        // Each delay is at least half of its maximum, except the first delays, which are shorter.
        let maximum = 3 * (2 * pause.as_secs() / self.refusal.ceiling().as_secs() + 10);
        assert!(attempts <= maximum, "{:?}: {attempts} attempts in {pause:?}", self.refusal);
        // A network that delivers a few bytes at a time causes about a thousand calls per handshake.
        assert!(turns <= 5000 * (attempts + 3), "{:?}: {turns} calls for {attempts} attempts", self.refusal);
    }

    /// Returns the client that the server has accepted.
    fn accepted(&self, net: &Net) -> Option<usize> {
        (0..3).find(|&number| !self.clients[number].is_closed && net[self.clients[number].node].ready_peers() == 1)
    }

    /// Closes the accepted client when the server has received its messages, so that the server accepts another client.
    fn close_in_turn(&mut self, net: &mut Net) {
        for _ in 0..3 {
            let limit = self.refusal.ceiling() + TRANSFER;
            self.wait(net, limit, "to accept the next client", |scene, net| scene.accepted(net).is_some());
            let number = self.accepted(net).expect("a client was accepted");
            self.wait(net, TRANSFER, "the transfer", |scene, net| {
                let stats = net[scene.clients[number].node].stats();
                stats.outgoing.messages + stats.under_way == 0
            });
            net.settle();
            self.recv(net);
            self.check_client(net, number);
            self.clients[number].is_closed = true;
            close(net, self.clients[number].node);
        }
    }

    /// Repairs the server, which then accepts all clients.
    fn accept_all(&mut self, net: &mut Net) {
        self.is_undecided.store(false, Ordering::Relaxed);
        if self.refusal != Refusal::TemporaryError {
            net.restart(self.server, self.accepting.clone());
            net.bind(self.server, PLACE);
        }
        let limit = self.refusal.ceiling() + TRANSFER;
        self.wait(net, limit, "to accept all clients", |scene, net| {
            scene.clients.iter().all(|client| net[client.node].ready_peers() == 1)
        });
        self.wait(net, TRANSFER, "the transfer", |scene, net| {
            let stats = scene.clients.iter().map(|client| net[client.node].stats());
            stats.map(|stats| stats.outgoing.messages + stats.under_way).sum::<u64>() == 0
        });
        net.settle();
        self.recv(net);
        for number in 0..3 {
            self.check_client(net, number);
        }
    }
}

/// Adds security settings and an authenticator to the options of a server.
fn server<T: Zmtp>(options: Options<T>, security: &Security, is_undecided: &Arc<AtomicBool>) -> Options<Any> {
    let is_undecided = Arc::clone(is_undecided);
    let options = options.security(security.clone()).authenticate(move |_| {
        if is_undecided.load(Ordering::Relaxed) {
            AuthReply::Reject(AuthStatus::TemporaryError)
        } else {
            AuthReply::accept()
        }
    });
    options.erase()
}

/// Adds security settings and the maximum delays between dials to the options of a client.
fn client<T: Zmtp>(options: Options<T>, security: &Security) -> Options<Any> {
    let options = options.security(security.clone()).reconnect(ms(100), CEILINGS[0]);
    options.reconnect_refused(s(1), CEILINGS[1]).erase()
}

#[test]
fn refused_clients_lose_no_message_when_the_refusal_ends() {
    for_seeds(70, |seed| {
        let mut faults = FaultPlan::from_seed(seed);
        let mut net = faults.net(seed);
        let mut scene = Scene::new(&mut net, &mut faults);
        for _ in 0..100 {
            scene.send(&mut net, faults.pick(3));
            if faults.one_in(3) {
                scene.recv(&mut net);
            }
            faults.inject(&mut net, &scene.nodes());
        }
        FaultPlan::end_faults(&mut net, &scene.nodes());
        for number in 0..3 {
            (0..MESSAGES).for_each(|_| scene.send(&mut net, number));
        }
        scene.check_pause(&mut net);
        if scene.refusal.is_for_place() {
            scene.close_in_turn(&mut net);
        } else {
            scene.accept_all(&mut net);
        }
    });
}
