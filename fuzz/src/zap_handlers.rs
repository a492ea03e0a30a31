//! Fuzz target for ZAP handlers over `inproc`: a server with any mechanism at a simulated runtime, and a handler that replies
//! late, twice, with other frames or not at all, and that is unbound at any time.

use super::bounded;
use super::handshake::{Mechanism, client_key, securities};
use super::memory::Allocated;
use super::sim::{self, Sim, Socket};
use arbitrary::{Arbitrary, Unstructured};
use sansmq_proto::message::Envelope;
use sansmq_proto::security::{AuthCredentials, AuthReply, AuthStatus, zap};
use sansmq_proto::{Endpoint, Message, Options, kind};
use sansmq_runtime::{Context, CurrentRuntime};
use std::time::Duration;

#[derive(Arbitrary, Debug)]
struct Scenario<'a> {
    seed: u64,
    mechanism: Mechanism,
    /// Number of properties that each client sends, modulo 33.
    properties: u8,
    ops: Vec<Op<'a>>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Op<'a> {
    /// Connects a client. With the flag, its mechanism is that of the server.
    Connect(bool),
    DropClient(u8),
    /// Answers one of the requests that the handler has received.
    Answer(u8, Answer<'a>),
    /// Unbinds the handler, or binds it again.
    Rebind,
    /// Waits for the square of this number of milliseconds.
    Wait(u8),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Answer<'a> {
    Accept,
    AcceptAs(&'a [u8]),
    Reject(u8),
    /// Sends the reply of another request.
    Mistaken(u8),
    /// Sends these frames instead of a reply.
    Other(&'a [u8], &'a [u8]),
    /// Sends a reply and keeps the request.
    Again,
}

const MAX_OPS: usize = 60;

/// Size in bytes of a property.
const PROPERTY: usize = 1024;

/// Maximum memory in bytes of the handshakes of the server, apart from small ones.
const MAX_HANDSHAKE_BYTES: usize = 64 << 10;

/// Maximum memory in bytes by which one handshake exceeds the limit before it is rejected, and maximum
/// memory of a small handshake.
const ONE: u64 = 256 << 10;
const SMALL: u64 = 4 << 10;

/// Maximum memory in bytes of the simulation without its sockets and connections, and of the requests that were not answered.
const SIMULATION: usize = 64 << 10;

/// Minimum wait, as in [`Op::Wait`], after which the memory of dropped clients and of their handshakes is freed: longer than the
/// timeout of handshakes.
const FREES: u8 = 200;

/// Maximum number of copies of the properties of a client that are not counted: in its options, in its configuration, in the
/// output of its connection, and in transit.
const COPIES: usize = 3;

struct World {
    context: Context,
    server: Socket<kind::Router>,
    handler: Socket<kind::Router>,
    endpoint: Endpoint,
    is_bound: bool,
    clients: Vec<Socket<kind::Dealer>>,
    /// Number of clients, including dropped clients if their memory may still be allocated.
    created: usize,
    /// Requests that the handler has received and not answered.
    requests: Vec<(Envelope, zap::Request)>,
    /// Number of replies that accept a peer.
    accepted: usize,
}

/// Checks that a server accepts no more peers than the ZAP handler, that requests name the credentials of the client, that
/// handshakes which wait for a reply stay within their limit, that the sockets count the memory that they hold, and that all
/// sockets can be closed.
pub fn zap_handlers(data: &[u8]) {
    let _bounded = bounded(data);
    let Ok(scenario) = Scenario::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let (allocated, seed) = (Allocated::default(), scenario.seed);
    let scenario = || async {
        let mut world = World::new(&scenario).await;
        for &op in scenario.ops.iter().take(MAX_OPS) {
            world.apply(&scenario, op).await;
            world.check(&scenario);
            sim::end_step().await;
            world.check_held(&scenario, &allocated);
        }
    };
    sim::run_around(seed, |step| allocated.during(step), scenario);
}

impl Scenario<'_> {
    fn properties(&self) -> usize {
        usize::from(self.properties % 33)
    }
}

impl World {
    async fn new(scenario: &Scenario<'_>) -> Self {
        let context = Context::new();
        let (_, security) = securities(scenario.mechanism);
        let options = Options::<kind::Router>::new()
            .security(security)
            .zap_domain("fuzz")
            .expect("a valid domain")
            .max_handshake_bytes(MAX_HANDSHAKE_BYTES)
            .linger(Duration::ZERO);
        let server = Socket::in_context(&context, options);
        let endpoint = server.bind("tcp://127.0.0.1:*").await.expect("a port is free");
        let handler = Socket::in_context(&context, Options::<kind::Router>::new().linger(Duration::ZERO));
        let is_bound = handler.bind(zap::ENDPOINT).await.is_ok();
        Self {
            context,
            server,
            handler,
            endpoint,
            is_bound,
            clients: Vec::new(),
            created: 0,
            requests: Vec::new(),
            accepted: 0,
        }
    }

    async fn apply(&mut self, scenario: &Scenario<'_>, op: Op<'_>) {
        match op {
            Op::Connect(is_same) => {
                let mechanism = if is_same { scenario.mechanism } else { Mechanism::Plain };
                let (security, _) = securities(mechanism);
                let options = Options::<kind::Dealer>::new().security(security).linger(Duration::ZERO);
                let add = |options: Options<_>, number| {
                    options.metadata(&format!("X-{number}"), vec![7; PROPERTY]).expect("a valid property")
                };
                let options = (0..scenario.properties()).fold(options, add);
                let client = Socket::in_context(&self.context, options);
                client.connect(&self.endpoint).expect("the socket is open");
                self.clients.push(client);
                self.created += 1;
            }
            Op::DropClient(at) => {
                if !self.clients.is_empty() {
                    self.clients.swap_remove(usize::from(at) % self.clients.len());
                }
            }
            Op::Answer(at, answer) => self.answer(at, answer),
            Op::Rebind => {
                self.is_bound = if self.is_bound {
                    let _ = self.handler.unbind(zap::ENDPOINT).await;
                    false
                } else {
                    self.handler.bind(zap::ENDPOINT).await.is_ok()
                };
            }
            Op::Wait(millis) => {
                Sim::current().sleep(Duration::from_millis(u64::from(millis) * u64::from(millis))).await;
                if millis >= FREES {
                    self.created = self.clients.len();
                }
            }
        }
        while let Ok(message) = self.handler.try_recv() {
            let (envelope, body) = Envelope::parse(message).expect("a request has an envelope");
            self.requests.push((envelope, zap::Request::read(&body).expect("own output is valid input")));
        }
    }

    fn answer(&mut self, at: u8, answer: Answer<'_>) {
        if self.requests.is_empty() {
            return;
        }
        let at = usize::from(at) % self.requests.len();
        let (envelope, request) = self.requests.swap_remove(at);
        let reply = match answer {
            Answer::Accept | Answer::Again => {
                self.accepted += 1;
                request.reply(&AuthReply::accept())
            }
            Answer::AcceptAs(user) => {
                self.accepted += 1;
                request.reply(&AuthReply::accept_as(user.to_vec()))
            }
            Answer::Reject(status) => request.reply(&AuthReply::Reject(
                [AuthStatus::TemporaryError, AuthStatus::Denied, AuthStatus::InternalError][usize::from(status % 3)],
            )),
            Answer::Mistaken(other) => match self.requests.get(usize::from(other)) {
                Some((_, other)) => other.reply(&AuthReply::accept()),
                None => return,
            },
            Answer::Other(first, second) => Message::from_frames([first, second]).expect("there are two frames"),
        };
        if matches!(answer, Answer::Again) {
            self.requests.push((envelope.clone(), request));
        }
        let _ = self.handler.try_send(envelope.seal(reply));
    }

    fn check_held(&self, scenario: &Scenario<'_>, allocated: &Allocated) {
        let of_clients: u64 = self.clients.iter().map(|client| client.stats().held.total()).sum();
        let held = of_clients + self.server.stats().held.total() + self.handler.stats().held.total();
        let properties = self.created * scenario.properties() * PROPERTY;
        // Each client and its connection at the server.
        let peers = 2 * self.created + 2;
        allocated.assert_counted(held, (2 + self.created, peers), SIMULATION + COPIES * properties);
    }

    fn check(&self, scenario: &Scenario<'_>) {
        for (_, request) in &self.requests {
            assert_eq!(&*request.auth.domain, "fuzz");
            let is_expected = match (&request.auth.credentials, scenario.mechanism) {
                (AuthCredentials::Null, Mechanism::Null) => true,
                (AuthCredentials::Plain { username, password }, Mechanism::Plain) => {
                    username == "user" && password == "password"
                }
                (AuthCredentials::Curve(key), Mechanism::Curve) => key == client_key(),
                _ => false,
            };
            assert!(is_expected, "{request:?} for {:?}", scenario.mechanism);
        }
        let stats = self.server.stats();
        assert!(stats.ready_peers <= self.accepted, "{} peers, {} accepted", stats.ready_peers, self.accepted);
        // An accepted peer keeps its properties.
        let of_accepted = (self.accepted * (32 * PROPERTY)) as u64;
        let limit = MAX_HANDSHAKE_BYTES as u64 + ONE + stats.peers as u64 * SMALL + of_accepted;
        assert!(stats.handshake_bytes <= limit, "handshakes hold {} bytes", stats.handshake_bytes);
    }
}
