//! A cable with a socket at each end.

use sansmq::proto::{Buf, Connection, ConnectionError, Entropy, Instant, PipeId, Socket, earliest};
use std::mem;

/// A socket, its connection, and the octets on their way to it.
pub(super) struct End {
    pub(super) socket: Socket,
    pub(super) link: Option<(PipeId, Connection)>,
    pub(super) arriving: Vec<u8>,
}

impl End {
    pub(super) const fn of(socket: Socket) -> Self {
        Self { socket, link: None, arriving: Vec::new() }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let link = self.link.as_ref().and_then(|(_, connection)| connection.poll_timeout());
        earliest([self.socket.poll_timeout(), link])
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Result<(), ConnectionError> {
        self.socket.handle_timeout(now);
        self.link.as_mut().map_or(Ok(()), |(_, connection)| connection.handle_timeout(now))
    }
}

/// Messages into octets, octets along the cable, octets into messages. True if anything arrived.
pub(super) fn carry(from: &mut End, to: &mut End, plugged: bool, now: Instant) -> Result<bool, ConnectionError> {
    let (Some((pipe, sender)), Some((_, receiver))) = (&mut from.link, &mut to.link) else {
        return Ok(false);
    };
    from.socket.exchange(*pipe, sender)?;
    if to.arriving.is_empty()
        && let Some(out) = sender.poll_transmit()
    {
        to.arriving.extend_from_slice(&out.copy_to_bytes(out.remaining()));
    }
    if !plugged {
        to.arriving.clear(); // written, and lost: no network says so
    } else if !to.arriving.is_empty() && receiver.wants_input() {
        receiver.handle_input(&mem::take(&mut to.arriving), now)?;
        return Ok(true);
    } else if sender.is_finished() {
        return Err(ConnectionError::HungUp); // the sender was closed, and everything is across
    }
    Ok(false)
}

/// Any source of numbers that peers cannot guess will do; this one, which anybody can, makes every run the same.
pub(super) struct Dice(pub(super) u64);

impl Entropy for Dice {
    fn fill(&mut self, out: &mut [u8]) {
        for octet in out {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *octet = self.0.to_be_bytes()[0];
        }
    }
}
