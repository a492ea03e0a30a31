//! A DEALER and a ROUTER on `smoltcp`, a TCP/IP stack without an operating system: two interfaces joined by a wire in memory, with
//! a guest on each, and a clock that is a number. A device has the same code, with the driver of its network as `Wire`.

use sansmq::proto::guest::{Guest, Output, SocketId, Target};
use sansmq::proto::{BufferStream, Entropy, Event, Instant, Socket, Stream, StreamError, time::earliest};
use sansmq::{Endpoint, NetworkError, Options, kind};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};
use smoltcp::{socket::tcp, time};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::{error::Error, mem, time::Duration};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;
type Log = Vec<(Instant, String)>;
type Buffers = BufferStream<SocketHandle>;

fn main() -> Outcome {
    for (at, event) in simulate()? {
        println!("{:>7.3} s  {event}", at.since(Instant::ORIGIN).as_secs_f64());
    }
    Ok(())
}

/// Simulates a DEALER and a ROUTER for three seconds. The ROUTER listens one second later than the DEALER dials. Returns each
/// event as text, with its simulated time.
pub(crate) fn simulate() -> Outcome<Log> {
    let mut nodes = [
        node(1, Socket::new(Options::<kind::Dealer>::new(), Seeded(1))),
        node(2, Socket::new(Options::<kind::Router>::new(), Seeded(2))),
    ];
    let (mut now, mut log) = (Instant::ORIGIN, Vec::new());
    socket(&mut nodes[0])?.monitor(true);
    socket(&mut nodes[0])?.connect("tcp://10.0.0.2:5555".parse()?, now)?;
    socket(&mut nodes[0])?.send("one")?;
    socket(&mut nodes[0])?.send("x".repeat(100_000))?; // larger than all buffers
    for step in 0..3 {
        match step {
            0 => {} // the peer refuses the connection
            1 => drop(socket(&mut nodes[1])?.bind("tcp://10.0.0.2:5555".parse()?)),
            _ => nodes.iter_mut().try_for_each(|node| socket(node).map(|socket| socket.close(now)))?,
        }
        let until = now + Duration::from_secs(1);
        run(&mut nodes, now, until, |[client, server], now| serve(socket(client)?, socket(server)?, now, &mut log))?;
        now = until;
    }
    for Node { guest, id, .. } in &mut nodes {
        log.push((now, format!("closed: {}", guest.remove(*id).is_some())));
    }
    Ok(log)
}

/// The application: the server returns each message, and the log gets what happens to the client. Returns true if there was a
/// message.
fn serve(client: &mut Socket, server: &mut Socket, now: Instant, log: &mut Log) -> Outcome<bool> {
    let mut is_busy = false;
    while let Ok(request) = server.recv() {
        server.send(request)?;
        is_busy = true;
    }
    while let Some(event) = client.poll_event() {
        match event {
            Event::Connected { .. } => log.push((now, "connected".into())),
            Event::ConnectFailed { error, .. } => log.push((now, format!("dial failed: {error}"))),
            Event::Disconnected { reason, .. } => log.push((now, format!("disconnected: {reason}"))),
            _ => {}
        }
    }
    while let Ok(reply) = client.recv() {
        log.push((now, format!("reply of {} bytes", reply.body().len())));
        is_busy = true;
    }
    Ok(is_busy)
}

/// A device: a guest and its network.
struct Node {
    guest: Guest<Buffers, SocketHandle>,
    id: SocketId,
    network: Network,
}

struct Network {
    interface: Interface,
    wire: Wire,
    sockets: SocketSet<'static>,
    /// Local port of the latest connection that was dialled.
    port: u16,
}

/// Size in bytes of each buffer.
const BUFFER: usize = 4096;

/// Does the work of a device that is possible now. Returns the time of the next call, if no packet arrives before.
fn step(Node { guest, network, .. }: &mut Node, now: Instant) -> Option<Instant> {
    network.interface.poll(micros(now), &mut network.wire, &mut network.sockets);
    guest.all_ready();
    let mut has_moved = false;
    let deadline = loop {
        match guest.poll(now) {
            Output::Listen(key, endpoint) => guest.listening(key, listen(network, endpoint)),
            Output::Accept(key, listener) => {
                let accepted = accept(network, listener);
                guest.accepted(key, accepted);
            }
            Output::Resolve(key, _) => guest.resolved(key, Err::<[_; 0], _>(NetworkError::Unsupported)),
            Output::Dial(key, target) => guest.dialled(key, connect(network, &target)),
            Output::Turned(_, stream) => has_moved |= transfer(network.sockets.get_mut(stream.handle), stream),
            Output::Gone(_, stream) => close(network, stream.handle, now),
            Output::StopListening(_, listener) => close(network, listener, now),
            Output::Wait(deadline) => break deadline,
            _ => {} // each call looks at all streams
        }
    };
    earliest([timer(network, now), deadline.map(|deadline| deadline.at), has_moved.then_some(now)])
}

/// Moves bytes between a TCP socket and the buffers of its stream. Returns true if the stream may continue.
fn transfer(tcp: &mut tcp::Socket<'_>, stream: &mut Buffers) -> bool {
    let before = (stream.established(), stream.room(), stream.output().len());
    let mut bytes = [0; BUFFER];
    match tcp.recv_slice(&mut bytes[..stream.room()]) {
        Ok(count) => {
            stream.establish();
            stream.receive(&bytes[..count]);
        }
        Err(tcp::RecvError::Finished) => stream.end(),
        Err(tcp::RecvError::InvalidState) if tcp.is_active() => {} // it is not connected yet
        Err(tcp::RecvError::InvalidState) => stream.fail(NetworkError::Refused),
    }
    stream.sent(tcp.send_slice(stream.output()).unwrap_or(0));
    if stream.is_finished() {
        tcp.close();
    }
    before != (stream.established(), stream.room(), stream.output().len())
}

/// Opens a socket that listens. It becomes the socket of the first connection, so it is replaced then.
fn listening(network: &mut Network, port: u16) -> Result<SocketHandle, NetworkError> {
    let handle = network.sockets.add(tcp_socket());
    let outcome = network.sockets.get_mut::<tcp::Socket<'_>>(handle).listen(port);
    outcome.map(|()| handle).map_err(|_| NetworkError::AddressInUse)
}

fn listen(network: &mut Network, endpoint: Endpoint) -> Result<(SocketHandle, Endpoint), NetworkError> {
    let address = endpoint.socket_addr().ok_or(NetworkError::Unsupported)?;
    Ok((listening(network, address.port())?, endpoint))
}

fn accept(network: &mut Network, listener: &mut SocketHandle) -> Result<(Buffers, Endpoint), StreamError> {
    let tcp = network.sockets.get::<tcp::Socket<'_>>(*listener);
    let (Some(local), Some(remote), true) = (tcp.local_endpoint(), tcp.remote_endpoint(), tcp.may_recv()) else {
        return Err(StreamError::WouldBlock);
    };
    let accepted = mem::replace(listener, listening(network, local.port)?);
    Ok((BufferStream::new(accepted, BUFFER), SocketAddr::new(remote.addr.into(), remote.port).into()))
}

fn connect(network: &mut Network, target: &Target) -> Result<Buffers, NetworkError> {
    let Target::Tcp(route) = target else { return Err(NetworkError::Unsupported) };
    network.port += 1;
    let handle = network.sockets.add(tcp_socket());
    let tcp = network.sockets.get_mut::<tcp::Socket<'_>>(handle);
    let outcome = tcp.connect(network.interface.context(), route.to, network.port);
    outcome.map_err(|_| NetworkError::Unreachable)?;
    Ok(BufferStream::new(handle, BUFFER).connecting())
}

/// Closes a socket after the end of its stream.
fn close(network: &mut Network, handle: SocketHandle, now: Instant) {
    network.sockets.get_mut::<tcp::Socket<'_>>(handle).abort();
    network.interface.poll(micros(now), &mut network.wire, &mut network.sockets); // sends the reset, if one is necessary
    network.sockets.remove(handle);
}

fn tcp_socket() -> tcp::Socket<'static> {
    let [receive, send] = [(); 2].map(|()| tcp::SocketBuffer::new(vec![0; BUFFER]));
    let mut tcp = tcp::Socket::new(receive, send);
    tcp.set_nagle_enabled(false); // messages are batched already
    tcp.set_ack_delay(None); // the buffers are small, so the peer waits for each acknowledgement
    tcp
}

/// Runs both devices until a time. `application` is called after each step, and returns true if it has made a call of a socket.
fn run(
    nodes: &mut [Node; 2],
    mut now: Instant,
    until: Instant,
    mut application: impl FnMut(&mut [Node; 2], Instant) -> Outcome<bool>,
) -> Outcome {
    loop {
        let timers = nodes.each_mut().map(|node| step(node, now));
        let [client, server] = nodes.each_mut().map(|node| &mut node.network.wire);
        let has_packets = !client.sent.is_empty() || !server.sent.is_empty();
        server.received.append(&mut client.sent);
        client.received.append(&mut server.sent);
        let is_busy = application(nodes, now)? || has_packets;
        let next = if is_busy { Some(now) } else { earliest(timers) };
        let Some(next) = next.filter(|at| *at <= until) else { return Ok(()) };
        now = now.max(next);
    }
}

fn node(number: u8, socket: Socket) -> Node {
    let (mut guest, mut wire) = (Guest::new(), Wire::default());
    let id = guest.add(socket);
    let mut interface = Interface::new(Config::new(HardwareAddress::Ip), &mut wire, micros(Instant::ORIGIN));
    let address = IpCidr::new(IpAddress::v4(10, 0, 0, number), 24);
    interface.update_ip_addrs(|addresses| addresses.push(address).expect("room for one address"));
    Node { guest, id, network: Network { interface, wire, sockets: SocketSet::new(Vec::new()), port: 49152 } }
}

fn socket(node: &mut Node) -> Outcome<&mut Socket> {
    Ok(node.guest.socket_mut(node.id).ok_or("the socket is gone")?)
}

/// Returns the time at which the network must be polled again, if no packet arrives before.
fn timer(network: &mut Network, now: Instant) -> Option<Instant> {
    let at = network.interface.poll_at(micros(now), &network.sockets)?;
    Some(Instant::from_nanos(at.total_micros().unsigned_abs() * 1000))
}

fn micros(now: Instant) -> time::Instant {
    time::Instant::from_micros(i64::try_from(now.as_nanos() / 1000).unwrap_or(i64::MAX))
}

/// End of a wire: packets that have arrived, and packets that are sent.
#[derive(Default)]
struct Wire {
    received: VecDeque<Vec<u8>>,
    sent: VecDeque<Vec<u8>>,
}

struct Received(Vec<u8>);

struct Sent<'a>(&'a mut VecDeque<Vec<u8>>);

impl Device for Wire {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sent<'a>;

    fn receive(&mut self, _: time::Instant) -> Option<(Received, Sent<'_>)> {
        Some((Received(self.received.pop_front()?), Sent(&mut self.sent)))
    }

    fn transmit(&mut self, _: time::Instant) -> Option<Sent<'_>> {
        Some(Sent(&mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        (capabilities.medium, capabilities.max_transmission_unit) = (Medium::Ip, 1500);
        capabilities
    }
}

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, handle: F) -> R {
        handle(&self.0)
    }
}

impl TxToken for Sent<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        let mut packet = vec![0; length];
        let outcome = fill(&mut packet);
        self.0.push_back(packet);
        outcome
    }
}

/// Deterministic random source: every run is the same. A real program needs a source that peers cannot predict.
struct Seeded(u64);

impl Entropy for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        out.fill_with(|| {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            self.0.to_be_bytes()[0]
        });
    }
}
