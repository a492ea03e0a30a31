//! STREAM (`zmq_socket`, "Native pattern"): exchanges raw bytes with peers that do not use ZMTP. Messages are `[id,
//! bytes]`, where `id` is the routing id of the peer. A received `[id, ""]` notifies that the peer has connected or
//! disconnected; a sent `[id, ""]` disconnects the peer.

use super::addressed::{AddressedPeers, Addressing, deliver_addressed, has_routing_id, send_addressed};
use crate::connection::{ConnectionError, Peer};
use crate::entropy::Entropy;
use crate::message::{Frame, Message};
use crate::socket::effects::Effects;
use crate::socket::error::Unsent;
use crate::socket::id::PipeId;
use crate::socket::options::Settings;
use crate::socket::pipe::Pipes;
use alloc::collections::BTreeSet;

#[derive(Debug)]
pub(super) struct StreamPattern {
    peers: AddressedPeers,
    notify: bool,
    /// Peers that the application regards as connected: the message `[routing id, ""]` that notifies of a connect was
    /// delivered, but the equal message that notifies of the disconnect was not.
    notified: BTreeSet<PipeId>,
}

impl StreamPattern {
    pub(super) fn new(settings: &Settings, entropy: &mut dyn Entropy) -> Self {
        Self { peers: AddressedPeers::new(entropy), notify: settings.notify, notified: BTreeSet::new() }
    }

    /// Delivers `[routing id, ""]` to the application, because the peer of `pipe` has connected or disconnected. The
    /// message is queued even if the receive high-water mark is reached.
    fn deliver_notice(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Effects {
        deliver_addressed(&mut self.peers.arrived, pipes, pipe, Message::from(Frame::EMPTY))
    }
}

impl Addressing for StreamPattern {
    fn configure(&mut self, settings: &Settings) {
        self.notify = settings.notify;
    }

    fn peers(&mut self) -> &mut AddressedPeers {
        &mut self.peers
    }

    fn on_ready(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        _: &Peer,
        entropy: &mut dyn Entropy,
    ) -> Result<Effects, ConnectionError> {
        let mut effects = Effects::NONE;
        if !has_routing_id(pipes, pipe) {
            let id = self.peers.table.generate_id(pipes, pipe, entropy);
            effects |= self.peers.table.assign(pipes, pipe, id);
        }
        if self.notify && self.notified.insert(pipe) {
            effects |= self.deliver_notice(pipes, pipe);
        }
        Ok(effects)
    }

    fn on_disconnect(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Effects {
        if self.notified.remove(&pipe) { self.deliver_notice(pipes, pipe) } else { Effects::NONE }
    }

    fn on_end(&mut self, pipe: PipeId) {
        self.notified.remove(&pipe);
    }

    // The rest of a byte stream has no meaning on a new connection, where its beginning is missing.
    fn carries_over(&self) -> bool {
        false
    }

    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<Effects, Unsent> {
        if message.len() != 2 {
            return Err(Unsent::FrameCount);
        }
        match self.peers.addressee(pipes, message) {
            None => Err(Unsent::Unroutable),
            Some(_) if message.body().is_empty() => Ok(Effects::DRAIN_PEER),
            Some(pipe) if pipes.has_room(pipe) => {
                send_addressed(pipes, pipe, message);
                Ok(Effects::NONE)
            }
            Some(_) => Err(Unsent::Full),
        }
    }
}
