//! [`PrefixNode`] of a prefix, and [`Lengths`] of those that have something in common. Knows no trie.

use alloc::boxed::Box;
use core::iter::from_fn;
use core::num::NonZeroU16;

/// Up to [`MAX`](Self::MAX) octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PrefixNode {
    len: u8,
    /// Zero after the last one.
    octets: [u8; Self::MAX],
}

impl PrefixNode {
    /// Many prefixes are not longer, and a node of the trie that holds a `Vec` has 64 octets with it.
    pub(crate) const MAX: usize = 16;

    pub(crate) const EMPTY: Self = Self { len: 0, octets: [0; Self::MAX] };

    /// A piece of these octets, of which there are at most [`MAX`](Self::MAX).
    pub(crate) fn new(piece: &[u8]) -> Self {
        let mut octets = [0; Self::MAX];
        octets[..piece.len()].copy_from_slice(piece);
        Self { len: u8::try_from(piece.len()).expect("a piece is short"), octets }
    }

    pub(crate) const fn len(&self) -> u8 {
        self.len
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.octets[..usize::from(self.len)]
    }

    /// Its octets, and zeros up to [`MAX`](Self::MAX): with the length, all there is to it.
    pub(crate) const fn padded(&self) -> &[u8; Self::MAX] {
        &self.octets
    }

    /// Its first octets, of which there are so many and at least one.
    fn cut(&self, len: u8) -> Self {
        let mask = u128::MAX >> (u128::BITS - 8 * u32::from(len));
        Self { len, octets: (u128::from_le_bytes(self.octets) & mask).to_le_bytes() }
    }
}

/// How many pieces of each length there are. None of them is empty.
#[derive(Debug)]
#[cfg_attr(test, derive(PartialEq))]
pub(crate) enum Lengths {
    /// All are as long, or there are none.
    One {
        len: u8,
        count: u32,
    },
    Many(Box<Counts>),
}

/// How many for each length, the first being one.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(PartialEq))]
pub(crate) struct Counts {
    /// Which are not zero, by bit.
    present: u16,
    counts: [u32; PrefixNode::MAX],
}

impl Lengths {
    pub(crate) const NONE: Self = Self::One { len: 1, count: 0 };

    pub(crate) const fn is_empty(&self) -> bool {
        self.present() == 0
    }

    /// Whether there is one that is as long as can be.
    pub(crate) const fn has_whole(&self) -> bool {
        self.present() >> (PrefixNode::MAX - 1) != 0
    }

    /// What this one begins with, cut to each of the lengths that there are, from the shortest on.
    pub(crate) fn up_to(&self, longest: PrefixNode) -> impl Iterator<Item = PrefixNode> {
        let mut lengths = self.present() & !u16::MAX.unbounded_shl(longest.len.into());
        from_fn(move || {
            let shortest = NonZeroU16::new(lengths)?;
            lengths &= lengths - 1;
            Some(longest.cut(length(shortest)))
        })
    }

    pub(crate) fn add(&mut self, piece: PrefixNode) {
        match self {
            Self::One { len, count } if *len == piece.len || *count == 0 => {
                *self = Self::One { len: piece.len, count: *count + 1 };
            }
            Self::One { len, count } => {
                let mut many = Box::<Counts>::default();
                many.set(*len, *count);
                many.set(piece.len, 1);
                *self = Self::Many(many);
            }
            Self::Many(many) => many.set(piece.len, many.count(piece.len) + 1),
        }
    }

    /// Strikes out one that was added.
    pub(crate) fn remove(&mut self, piece: PrefixNode) {
        match self {
            Self::One { count, .. } => *count -= 1,
            Self::Many(many) => {
                many.set(piece.len, many.count(piece.len) - 1);
                if let Some(last) = NonZeroU16::new(many.present).filter(|present| present.is_power_of_two()) {
                    let len = length(last);
                    *self = Self::One { len, count: many.count(len) };
                }
            }
        }
    }

    const fn present(&self) -> u16 {
        match self {
            Self::One { count: 0, .. } => 0,
            Self::One { len, .. } => bit(*len),
            Self::Many(many) => many.present,
        }
    }
}

impl Counts {
    fn count(&self, len: u8) -> u32 {
        self.counts[usize::from(len - 1)]
    }

    fn set(&mut self, len: u8, count: u32) {
        self.counts[usize::from(len - 1)] = count;
        self.present = if count == 0 { self.present & !bit(len) } else { self.present | bit(len) };
    }
}

const fn bit(len: u8) -> u16 {
    1 << (len - 1)
}

/// The shortest of these lengths.
fn length(present: NonZeroU16) -> u8 {
    u8::try_from(present.trailing_zeros() + 1).expect("there are sixteen bits")
}
