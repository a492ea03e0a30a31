//! No operating system at all: a DEALER and a ROUTER in one thread, octets in a `Vec`, and a clock that is a number. Of
//! `sansmq-proto` it uses only what is there without `std`: so a socket fits a microcontroller, a browser, a simulation.
//!
//! The cable is pulled. The heartbeat notices, the DEALER dials in vain with growing pauses, the cable comes back, and what
//! was queued goes out: more than half a minute, over in a millisecond.

use sansmq::proto::{Action, Buf, Connection, ConnectionError, Entropy, Instant, PipeId, Socket, time::earliest};
use sansmq::{NetworkError, Options, kind};
use std::{error::Error, mem, time::Duration};

fn main() -> Result<(), Box<dyn Error>> {
    for (at, what) in story()? {
        println!("{:>7.3} s  {what}", at.since(Instant::ORIGIN).as_secs_f64());
    }
    Ok(())
}

/// What happens, and when.
pub(crate) fn story() -> Result<Vec<(Instant, String)>, Box<dyn Error>> {
    let heartbeat = Options::<kind::Dealer>::new().heartbeat(Duration::from_secs(1))?;
    let sockets = [Socket::new(heartbeat, Dice(1)), Socket::new(Options::<kind::Router>::new(), Dice(2))];
    let [mut client, mut server] = sockets.map(|socket| End { socket, link: None, arriving: Vec::new() });
    let link_timeout = |end: &End| end.link.as_ref().and_then(|(_, connection)| connection.poll_timeout());
    let (mut now, mut plugged, mut log) = (Instant::ORIGIN, true, Vec::new());
    // What an endpoint means is for whoever dials and listens to say. Here there is only one place to be.
    let listener = server.socket.bind("tcp://*:1".parse()?);
    client.socket.connect("tcp://server:1".parse()?, now)?;
    for scene in 0..5 {
        match scene {
            0 => client.socket.send("one")?, // queued: a pipe is there before its connection
            1 => plugged = false,
            2 => client.socket.send("two")?, // queued again
            3 => plugged = true,
            _ => client.socket.close(now),
        }
        let end = now + Duration::from_secs(10);
        loop {
            // Which pipe has work, and when to look for messages, is said too; with so little to look at, we look at all.
            while server.socket.poll_action().is_some() {}
            while let Some(action) = client.socket.poll_action() {
                if let Action::Dial(pipe, _) = action {
                    log.push((now, if plugged { "connected" } else { "dialled in vain" }.to_string()));
                    if plugged {
                        server.link = server.socket.accepted(listener, "tcp://client:1".parse()?, now);
                        client.link = client.socket.connected(pipe, now).map(|connection| (pipe, connection));
                    } else {
                        client.socket.dial_failed(pipe, NetworkError::Unreachable, now);
                    }
                }
            }
            let there = carry(&mut client, &mut server, plugged, now);
            let back = there.and_then(|there| Ok(carry(&mut server, &mut client, plugged, now)? || there));
            if let Err(reason) = &back {
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
            while let Ok(answer) = client.socket.recv() {
                log.push((now, format!("answer: {}", answer.body().to_text())));
            }
            if back.unwrap_or(true) {
                continue;
            }
            // Nothing more can happen before the next deadline, so that is what time it is now.
            let timeouts = [&client, &server].map(|end| earliest([end.socket.poll_timeout(), link_timeout(end)]));
            let Some(next) = earliest(timeouts).filter(|at| *at <= end) else { break };
            now = next;
            client.socket.handle_timeout(now);
            server.socket.handle_timeout(now);
        }
        now = end;
    }
    log.push((now, format!("closed: {}", client.socket.is_closed())));
    Ok(log)
}

/// A socket, its connection, and the octets on their way to it.
struct End {
    socket: Socket,
    link: Option<(PipeId, Connection)>,
    arriving: Vec<u8>,
}

/// Messages into octets, octets along the cable, octets into messages. True if anything arrived.
fn carry(from: &mut End, to: &mut End, plugged: bool, now: Instant) -> Result<bool, ConnectionError> {
    let (Some((pipe, sender)), Some((_, receiver))) = (&mut from.link, &mut to.link) else { return Ok(false) };
    sender.handle_timeout(now)?;
    from.socket.exchange(*pipe, sender)?;
    let out = sender.poll_transmit().filter(|_| to.arriving.is_empty());
    to.arriving.extend(out.map(|it| it.copy_to_bytes(it.remaining())).unwrap_or_default());
    if !plugged {
        to.arriving.clear(); // written, and lost: no network says so
    } else if !to.arriving.is_empty() && receiver.wants_input() {
        receiver.handle_input(&mem::take(&mut to.arriving), now)?;
        return Ok(true);
    } else if sender.is_finished() {
        return Err(ConnectionError::PeerClosed); // the sender was closed, and everything is across
    }
    Ok(false)
}

/// Any source of numbers that peers cannot guess will do; this one, which anybody can, makes every run the same.
struct Dice(u64);

impl Entropy for Dice {
    fn fill(&mut self, out: &mut [u8]) {
        out.fill_with(|| {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            self.0.to_be_bytes()[0]
        });
    }
}
