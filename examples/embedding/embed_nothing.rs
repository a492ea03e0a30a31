//! A DEALER and a ROUTER without an operating system: one thread, a `Vec` of bytes in transit, and a simulated clock.
//! The part of `sansmq-proto` that is used here needs no `std`, so it can run on a microcontroller or in a browser.
//!
//! The simulated cable is unplugged for 20 seconds. The heartbeat detects this, and the DEALER redials at growing
//! intervals. When the cable is plugged in, the DEALER sends its queued message. 50 seconds are simulated in total.

use sansmq::proto::{Action, Buf, Connection, ConnectionError, Entropy, Instant, PipeId, Socket, time::earliest};
use sansmq::{NetworkError, Options, kind};
use std::{error::Error, mem, time::Duration};

fn main() -> Result<(), Box<dyn Error>> {
    for (at, event) in simulate()? {
        println!("{:>7.3} s  {event}", at.since(Instant::ORIGIN).as_secs_f64());
    }
    Ok(())
}

/// Simulates a DEALER, a ROUTER and their cable for 50 seconds. Returns each event as text, with its simulated time.
pub(crate) fn simulate() -> Result<Vec<(Instant, String)>, Box<dyn Error>> {
    let heartbeat = Options::<kind::Dealer>::new().heartbeat(Duration::from_secs(1));
    let sockets = [Socket::new(heartbeat, Seeded(1)), Socket::new(Options::<kind::Router>::new(), Seeded(2))];
    let [mut client, mut server] = sockets.map(|socket| End { socket, link: None, arriving: Vec::new() });
    let link_timeout = |end: &End| end.link.as_ref().and_then(|(_, connection)| connection.poll_timeout());
    let (mut now, mut plugged, mut log) = (Instant::ORIGIN, true, Vec::new());
    // The program that dials and listens interprets endpoints. Here there is only one server, so any endpoint will do.
    let listener = server.socket.bind("tcp://*:1".parse()?);
    client.socket.connect("tcp://server:1".parse()?, now)?;
    for step in 0..5 {
        match step {
            0 => client.socket.send("one")?, // queued: a pipe exists before its connection
            1 => plugged = false,
            2 => client.socket.send("two")?, // queued again
            3 => plugged = true,
            _ => client.socket.close(now),
        }
        let end = now + Duration::from_secs(10);
        loop {
            // Other actions name the pipe that has work, and announce messages. This program checks everything in each round.
            while server.socket.poll_action().is_some() {}
            while let Some(action) = client.socket.poll_action() {
                if let Action::Dial(pipe, _) = action {
                    log.push((now, if plugged { "connected" } else { "dial failed" }.to_string()));
                    if plugged {
                        server.link = server.socket.accepted(listener, "tcp://client:1".parse()?, now);
                        client.link = client.socket.connected(pipe, now).map(|connection| (pipe, connection));
                    } else {
                        client.socket.dial_failed(pipe, NetworkError::Unreachable, now);
                    }
                }
            }
            let moved = transfer(&mut client, &mut server, plugged, now);
            let moved = moved.and_then(|moved| Ok(transfer(&mut server, &mut client, plugged, now)? || moved));
            if let Err(reason) = &moved {
                log.push((now, format!("disconnected: {reason}")));
                for end in [&mut client, &mut server] {
                    end.arriving.clear();
                    if let Some((pipe, connection)) = end.link.take() {
                        end.socket.disconnected(pipe, connection, reason, now);
                    }
                }
            }
            while let Ok(request) = server.socket.recv() {
                server.socket.send(request)?;
            }
            while let Ok(reply) = client.socket.recv() {
                log.push((now, format!("reply: {}", reply.body().to_text())));
            }
            if moved.unwrap_or(true) {
                continue;
            }
            // Nothing can happen before the next deadline, so the clock moves there.
            let timeouts = [&client, &server].map(|end| earliest([end.socket.poll_timeout(), link_timeout(end)]));
            let Some(next) = earliest(timeouts).filter(|at| *at <= end) else { break };
            now = next;
            let _ = [&mut client, &mut server].map(|end| end.socket.handle_timeout(now));
        }
        now = end;
    }
    log.push((now, format!("closed: {}", client.socket.is_closed())));
    Ok(log)
}

/// One of the two sockets, with its connection and the bytes that are in transit to this socket.
struct End {
    socket: Socket,
    link: Option<(PipeId, Connection)>,
    arriving: Vec<u8>,
}

/// Moves bytes over the simulated cable. If it is not `plugged`, the bytes are lost. Returns true if `to` received any.
fn transfer(from: &mut End, to: &mut End, plugged: bool, now: Instant) -> Result<bool, ConnectionError> {
    let (Some((pipe, sender)), Some((_, receiver))) = (&mut from.link, &mut to.link) else { return Ok(false) };
    sender.handle_timeout(now)?;
    from.socket.exchange(*pipe, sender)?;
    let out = sender.poll_transmit().filter(|_| to.arriving.is_empty());
    to.arriving.extend(out.map(|it| it.copy_to_bytes(it.remaining())).unwrap_or_default());
    sender.handle_written(now);
    if !plugged {
        to.arriving.clear(); // lost; a real network reports no error either
    } else if !to.arriving.is_empty() && receiver.wants_input() {
        receiver.handle_input(&mem::take(&mut to.arriving), now)?;
        return Ok(true);
    } else if sender.is_finished() {
        return Err(ConnectionError::LocallyClosed); // the sender has closed, and all bytes have arrived
    }
    Ok(false)
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
