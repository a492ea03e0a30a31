//! [`Names`]: peers by routing id, for the socket types whose messages begin with it.

use crate::entropy::Entropy;
use crate::message::Frame;
use crate::pipe::{PipeId, Pipes};
use alloc::collections::BTreeMap;

/// Which peer has which routing id. The table and the pipes always agree.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// A tree and not a hash table: peers choose the keys.
    peers: BTreeMap<Frame, PipeId>,
}

/// Octets of an automatic routing id: a zero, as RFC 28 reserves it for, and 64 random bits that no peer can guess.
const AUTOMATIC: usize = 9;

impl Names {
    /// Whose routing id this is.
    pub(crate) fn find(&self, id: &Frame) -> Option<PipeId> {
        self.peers.get(id).copied()
    }

    /// A routing id that nobody has.
    pub(crate) fn automatic(&self, entropy: &mut dyn Entropy) -> Frame {
        loop {
            let mut octets = [0; AUTOMATIC];
            entropy.fill(&mut octets[1..]);
            let id = Frame::from(&octets);
            if !self.peers.contains_key(&id) {
                return id;
            }
        }
    }

    /// Gives the pipe this name.
    pub(crate) fn name(&mut self, pipes: &mut Pipes, pipe: PipeId, id: Frame) {
        self.forget(pipes, pipe);
        if let Some(known) = pipes.get_mut(pipe) {
            known.routing_id = id.clone();
            self.peers.insert(id, pipe);
            pipes.writable = true;
        }
    }

    /// Takes the pipe's name away.
    pub(crate) fn forget(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        if let Some(known) = pipes.get_mut(pipe) {
            let id = core::mem::take(&mut known.routing_id);
            if self.peers.get(&id) == Some(&pipe) {
                self.peers.remove(&id);
            }
        }
    }
}
