//! A DEALER and a ROUTER without an operating system: one thread, streams that are buffers, and a clock that is a number.
//! The part of `sansmq-proto` that is used here needs no `std`, so it can run on a microcontroller or in a browser.
//!
//! The simulated cable is unplugged for 20 seconds. The heartbeat detects this, and the DEALER redials at growing
//! intervals. When the cable is plugged in, the DEALER sends its queued message. 50 seconds are simulated in total.

use sansmq::proto::guest::{Guest, Key, Output, SocketId, Source, Target};
use sansmq::proto::{BufferStream, Entropy, Event, Instant, Socket, time::earliest};
use sansmq::{NetworkError, Options, kind, proto::address::Route};
use std::{error::Error, time::Duration};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;
type Log = Vec<(Instant, String)>;

fn main() -> Outcome {
    for (at, event) in simulate()? {
        println!("{:>7.3} s  {event}", at.since(Instant::ORIGIN).as_secs_f64());
    }
    Ok(())
}

/// Simulates a DEALER, a ROUTER and their cable for 50 seconds. Returns each event as text, with its simulated time.
pub(crate) fn simulate() -> Outcome<Log> {
    let heartbeat = Duration::from_secs(1);
    let client = end(Socket::new(Options::<kind::Dealer>::new().heartbeat(heartbeat), Seeded(1)));
    let server = end(Socket::new(Options::<kind::Router>::new().heartbeat(heartbeat), Seeded(2)));
    let mut cable = Cable { client, server, is_plugged: true, now: Instant::ORIGIN };
    let mut log = Vec::new();
    socket(&mut cable.server)?.bind("tcp://*:1".parse()?);
    run(&mut cable, Instant::ORIGIN, |_| Ok(false))?; // otherwise the first dial would fail
    socket(&mut cable.client)?.monitor(true);
    socket(&mut cable.client)?.connect("tcp://10.0.0.1:1".parse()?, cable.now)?;
    for step in 0..5 {
        match step {
            0 => socket(&mut cable.client)?.send("one")?, // queued: a pipe exists before its connection
            1 => unplug(&mut cable),
            2 => socket(&mut cable.client)?.send("two")?, // queued again
            3 => cable.is_plugged = true,
            _ => socket(&mut cable.client)?.close(cable.now),
        }
        let until = cable.now + Duration::from_secs(10);
        run(&mut cable, until, |cable| serve(cable, &mut log))?;
        cable.now = until;
    }
    log.push((cable.now, format!("closed: {}", cable.client.guest.remove(cable.client.id).is_some())));
    Ok(log)
}

/// The application: the server returns each message, and the log gets what happens to the client. Returns true if there was a
/// message.
fn serve(cable: &mut Cable, log: &mut Log) -> Outcome<bool> {
    let (client, server, now) = (socket(&mut cable.client)?, socket(&mut cable.server)?, cable.now);
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
        log.push((now, format!("reply: {}", reply.body().to_text())));
        is_busy = true;
    }
    Ok(is_busy)
}

/// The simulated world.
struct Cable {
    client: End,
    server: End,
    is_plugged: bool,
    now: Instant,
}

/// End of the cable: a socket in its guest, the key of its listener, and that of its latest stream.
struct End {
    guest: Guest<BufferStream>,
    id: SocketId,
    listener: Key,
    stream: Key,
}

fn end(socket: Socket) -> End {
    let (mut guest, none) = (Guest::new(), Key::from_u64(0)); // a key without an effect
    let id = guest.add(socket);
    End { guest, id, listener: none, stream: none }
}

/// Cuts the connection, without a message to its ends.
fn unplug(cable: &mut Cable) {
    let none = Key::from_u64(0);
    (cable.is_plugged, cable.client.stream, cable.server.stream) = (false, none, none);
}

fn socket(end: &mut End) -> Outcome<&mut Socket> {
    Ok(end.guest.socket_mut(end.id).ok_or("the socket is gone")?)
}

/// Runs both ends until a time. `application` is called after each step, and returns true if it has made a call of a socket.
fn run(cable: &mut Cable, until: Instant, mut application: impl FnMut(&mut Cable) -> Outcome<bool>) -> Outcome {
    loop {
        step(&mut cable.client, &mut cable.server, cable.is_plugged, cable.now);
        step(&mut cable.server, &mut cable.client, cable.is_plugged, cable.now);
        transfer(&mut cable.server, &mut cable.client);
        transfer(&mut cable.client, &mut cable.server);
        // If nothing is left to do, the clock moves to the next deadline.
        let deadlines = [&cable.client, &cable.server].map(|end| end.guest.deadline().map(|deadline| deadline.at));
        let next = if application(cable)? { Some(cable.now) } else { earliest(deadlines) };
        let Some(next) = next.filter(|at| *at <= until) else { return Ok(()) };
        cable.now = cable.now.max(next);
    }
}

/// Lets the guest of one end do its work.
fn step(here: &mut End, there: &mut End, is_plugged: bool, now: Instant) {
    loop {
        match here.guest.poll(now) {
            Output::Listen(key, endpoint) => here.guest.listening(key, Ok::<_, NetworkError>(((), endpoint))),
            Output::Register(key, Source::Listener(()), _) => here.listener = key,
            Output::Register(key, Source::Stream(_), _) => here.stream = key,
            Output::Dial(key, Target::Tcp(route)) if is_plugged => connect(here, there, key, &route),
            Output::Dial(key, _) => here.guest.dialled(key, Err(NetworkError::Unreachable)),
            Output::Wait(_) => return,
            _ => {} // the network is not watched
        }
    }
}

/// Moves bytes from one end of the cable to the other. Both guests wait, so a receiver without room has a reason.
fn transfer(from: &mut End, to: &mut End) {
    let Some(receiver) = to.guest.stream_mut(to.stream).filter(|receiver| receiver.room() > 0) else { return };
    match from.guest.stream_mut(from.stream).filter(|sender| !sender.is_finished()) {
        Some(sender) if sender.output().is_empty() => return,
        Some(sender) => {
            let count = sender.output().len().min(receiver.room());
            receiver.receive(&sender.output()[..count]);
            sender.sent(count);
        }
        None => receiver.end(), // the sender has closed its stream, or it is gone
    }
    from.guest.ready(from.stream);
    to.guest.ready(to.stream);
}

/// Connects both ends: every address is that of the other end.
fn connect(here: &mut End, there: &mut End, key: Key, route: &Route) {
    let [dialled, accepted] = [(); 2].map(|()| BufferStream::new((), 4096));
    there.guest.accepted(there.listener, Ok::<_, NetworkError>((accepted, route.to.into())));
    here.guest.dialled(key, Ok::<_, NetworkError>(dialled));
    here.guest.ready(key);
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
