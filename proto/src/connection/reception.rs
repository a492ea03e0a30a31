//! Conversations with peers of whom it is not known yet which of several sockets they want: greeting and READY are read, and
//! ours is held back, for it says what the socket is (RFC 37, "The Resource Property").

use super::decoder::Item;
use super::{Connection, Heartbeat, Phase, READ_AHEAD, Side};
use crate::config::ConnectionConfig;
use crate::error::{ConnectionError, Timer};
use crate::resource::Resource;
use crate::time::Instant;
use crate::wire::{Command, DecodeError, Metadata, RESOURCE};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A peer that has said what it is and which resource it wants, and waits for a socket to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    metadata: Metadata,
    resource: Option<Resource>,
    /// What it said after that, not looked at: what is allowed depends on the socket.
    rest: Vec<u8>,
}

impl Caller {
    /// The resource it asks for; `None` if it asks for none, as libzmq's sockets do.
    pub const fn resource(&self) -> Option<&Resource> {
        self.resource.as_ref()
    }

    /// Everything in its READY.
    pub const fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Whether more may be read before the socket is there, so that a peer that goes is noticed.
    pub(super) const fn has_room(&self) -> bool {
        self.rest.len() < READ_AHEAD
    }
}

/// Reception: for one listener and several sockets.
impl Connection {
    /// A conversation with somebody who may want any of several sockets. `limits` holds until it is known whom:
    /// `handshake_timeout` above all, which goes on until a socket has taken the conversation over.
    ///
    /// It greets at once, and says READY when [`Socket::received`](crate::Socket::received) has made it the conversation of
    /// the socket that is bound to what [`caller`](Self::caller) asks for. Two sides that both wait for the other's READY
    /// would wait for ever; but who dials never waits.
    ///
    /// A loop of one's own drives it with a [`Session`](crate::Session), and looks at the caller in each exchange:
    ///
    /// ```
    /// # use sansmq_proto::{ConnectionError, Endpoint, Instant, ListenerId, PipeId, Session, Socket, Stream, Turn};
    /// # use std::collections::BTreeMap;
    /// /// Sockets by the resource they are bound to, all at one port.
    /// type Services = BTreeMap<Option<String>, (Socket, ListenerId)>;
    ///
    /// /// One turn of a connection; `seat` is where it belongs, once that is known.
    /// fn turn(
    ///     services: &mut Services,
    ///     seat: &mut Option<(Option<String>, PipeId)>,
    ///     session: &mut Session,
    ///     stream: &mut impl Stream,
    ///     from: &Endpoint,
    ///     now: Instant,
    /// ) -> Result<Turn, ConnectionError> {
    ///     session.turn(stream, &mut [0; 4096], now, |connection| {
    ///         if let Some(caller) = connection.caller() {
    ///             let wanted = caller.resource().map(ToString::to_string);
    ///             if let Some((socket, listener)) = services.get_mut(&wanted) {
    ///                 *seat = socket.received(*listener, from.clone(), connection, now).map(|pipe| (wanted, pipe));
    ///             } // else it waits, and is turned away when its time for the handshake is over
    ///         }
    ///         let Some((name, pipe)) = seat else { return Ok(()) };
    ///         let Some((socket, _)) = services.get_mut(name) else { return Err(ConnectionError::HungUp) };
    ///         socket.exchange(*pipe, connection)
    ///     })
    /// }
    /// ```
    pub fn receive(limits: &Arc<ConnectionConfig>, now: Instant) -> Self {
        Self::greeting(Side::Reception, limits, now)
    }

    /// Who waits for a socket, and for which; `None` before that is known, and when a socket has taken it over.
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.as_deref().filter(|_| matches!(self.phase, Phase::Reception { .. }))
    }

    /// Octets in reception, after the greeting.
    pub(super) fn hear_caller(&mut self, input: &mut &[u8]) -> Result<(), ConnectionError> {
        if let Some(caller) = &mut self.caller {
            caller.rest.extend_from_slice(core::mem::take(input));
            return Ok(());
        }
        match self.decoder.next(input, &self.config)? {
            None => Ok(()),
            Some(Item::Message(_)) => Err(ConnectionError::Unexpected("a message came before READY")),
            Some(Item::Command(body)) => match Command::decode(&body)? {
                Command::Ready(metadata) => {
                    let named = metadata.get(RESOURCE).map(|value| Resource::read(value).ok_or(DecodeError::Resource));
                    let resource = named.transpose()?;
                    self.caller = Some(Box::new(Caller { metadata, resource, rest: Vec::new() }));
                    Ok(())
                }
                Command::Error(reason) => Err(ConnectionError::Refused(reason)),
                Command::Subscribe(_)
                | Command::Cancel(_)
                | Command::Join(_)
                | Command::Leave(_)
                | Command::Ping { .. }
                | Command::Pong(_)
                | Command::Other(_) => Err(ConnectionError::Unexpected("a command other than READY came before READY")),
            },
        }
    }

    /// Makes it the conversation of a socket with these settings. False: nobody waits here. What the peer has said already is
    /// looked at by the next [`handle_input`](Self::handle_input).
    pub(crate) fn join(&mut self, config: &Arc<ConnectionConfig>) -> bool {
        if self.caller().is_none() {
            return false;
        }
        self.config = Arc::clone(config);
        self.heartbeat = Heartbeat::new(config.heartbeat.clone());
        self.begin_handshake(self.phase.deadline()).is_ok()
    }

    /// Whether a socket has taken it over and what the peer said before was not looked at yet.
    pub(crate) fn is_behind(&self) -> bool {
        self.caller.is_some() && !matches!(self.phase, Phase::Reception { .. } | Phase::Closed)
    }

    /// Looks at what the peer has said before a socket took it over.
    pub(super) fn catch_up(&mut self, now: Instant) -> Result<(), ConnectionError> {
        if !self.is_behind() {
            return Ok(());
        }
        let Some(caller) = self.caller.take() else { return Ok(()) };
        let ready = Command::Ready(caller.metadata);
        self.handshake(|mechanism, out| mechanism.step(ready, out), now)?;
        self.consume(&mut &caller.rest[..], now)
    }

    /// Why it ends when the time for its handshake is over.
    pub(super) fn lateness(&self) -> ConnectionError {
        match self.caller() {
            Some(caller) => ConnectionError::NoSuchResource(caller.resource.clone()),
            None => ConnectionError::TimedOut(Timer::Handshake),
        }
    }
}
