//! [`ReadBuffers`]: memory of large bodies, which is used again once nobody holds it.

use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};

/// Large blocks, most of them in the hands of whoever received what is in them. To give such a block back to the system each
/// time, and to have it cleared and mapped anew, costs more than all else that is done with a large message.
#[derive(Debug, Default)]
pub(crate) struct ReadBuffers {
    /// Each as it was made, in whole.
    lent: Vec<Bytes>,
    octets: usize,
}

/// How many octets are kept in view. Of blocks that come back later than that, the system takes care.
const MOST: usize = 4 << 20;

/// Shorter blocks are soon had.
const LEAST: usize = 16 << 10;

/// How much memory a peer gets on the strength of an announcement alone.
const FIRST_GRANT: usize = 16 << 10;

/// Who has sent something gets so many times as much, for what is still to come.
const TRUST: usize = 4;

impl ReadBuffers {
    pub(crate) const fn new() -> Self {
        Self { lent: Vec::new(), octets: 0 }
    }

    /// Memory for a body of `size` octets, of which so many have come; for its beginning, if that is few.
    pub(crate) fn grant(&mut self, size: usize, come: usize) -> BytesMut {
        let least = granted(size, come);
        self.find(least).unwrap_or_else(|| BytesMut::zeroed(least))
    }

    /// More memory for a body of `size` octets, for all that there was is filled.
    pub(crate) fn grow(&mut self, filled: &mut BytesMut, size: usize) {
        let least = granted(size, filled.len());
        match self.find(least) {
            None => filled.resize(least, 0),
            Some(mut block) => {
                block[..filled.len()].copy_from_slice(filled);
                let outgrown = core::mem::replace(filled, block).freeze();
                if Self::takes(outgrown.len()) {
                    self.lend(outgrown);
                }
            }
        }
    }

    /// A block of at least that many octets, but not of very many more, if one has come back.
    pub(crate) fn find(&mut self, least: usize) -> Option<BytesMut> {
        let suits = |block: &Bytes| block.len() >= least && block.len() / 4 <= least && block.is_unique();
        let index = self.lent.iter().rposition(suits)?;
        let block = self.lent.remove(index);
        self.octets -= block.len();
        block.try_into_mut().ok()
    }

    /// Whether blocks of that many octets are worth keeping.
    pub(crate) fn takes(octets: usize) -> bool {
        (LEAST..=MOST).contains(&octets)
    }

    /// Keeps a block in view, one that it [takes](Self::takes).
    pub(crate) fn lend(&mut self, block: Bytes) {
        let len = block.len();
        while self.octets + len > MOST {
            self.octets -= self.lent.remove(0).len();
        }
        self.octets += len;
        self.lent.push(block);
    }

    /// How many octets are in view.
    #[cfg(test)]
    pub(crate) const fn octets(&self) -> usize {
        self.octets
    }
}

/// How much of a body has memory when so much of it has come.
fn granted(size: usize, come: usize) -> usize {
    size.min(come.saturating_mul(TRUST).max(FIRST_GRANT))
}
