//! [`PrefixPart`]: a piece of a subscription prefix, stored in one node of the subscription trie. [`Lengths`]: number
//! of the pieces directly below a node, for each length of a piece. This module does not depend on the trie.

use alloc::boxed::Box;
use core::iter::from_fn;
use core::num::NonZeroU16;

/// Piece of a subscription prefix, of up to [`MAX`](Self::MAX) bytes. The subscription trie stores a longer prefix as
/// several pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PrefixPart {
    len: u8,
    /// Bytes of the piece, padded with zeros to [`MAX`](Self::MAX).
    bytes: [u8; Self::MAX],
}

impl PrefixPart {
    /// Maximum length of a piece in bytes.
    // Most prefixes are not longer, and a node of the trie with a `Vec` as its value has 64 bytes.
    pub(crate) const MAX: usize = 16;

    pub(crate) const EMPTY: Self = Self { len: 0, bytes: [0; Self::MAX] };

    /// Creates a piece from the bytes in `piece`. There must be at most [`MAX`](Self::MAX) bytes.
    pub(crate) fn new(piece: &[u8]) -> Self {
        let mut bytes = [0; Self::MAX];
        bytes[..piece.len()].copy_from_slice(piece);
        Self { len: u8::try_from(piece.len()).expect("a piece has at most 16 bytes"), bytes }
    }

    pub(crate) const fn len(&self) -> u8 {
        self.len
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Returns the bytes of the piece, padded with zeros to [`MAX`](Self::MAX). These bytes and the length together
    /// identify the piece.
    pub(crate) const fn padded(&self) -> &[u8; Self::MAX] {
        &self.bytes
    }

    /// Returns the first `len` bytes as a piece. `len` must be from 1 to the length of this piece.
    fn first_bytes(&self, len: u8) -> Self {
        let mask = u128::MAX >> (u128::BITS - 8 * u32::from(len));
        Self { len, bytes: (u128::from_le_bytes(self.bytes) & mask).to_le_bytes() }
    }
}

/// Counts of the pieces directly below a node of the subscription trie, for each length of a piece. No piece is empty.
#[derive(Clone, Debug)]
#[cfg_attr(test, derive(PartialEq))]
pub(crate) enum Lengths {
    /// All counted pieces have the length `len`. If `count` is 0, there are no pieces.
    One {
        len: u8,
        count: u32,
    },
    Many(Box<Counts>),
}

/// Number of pieces of each length, from 1 byte to [`PrefixPart::MAX`] bytes, directly below a node of the trie.
#[derive(Clone, Debug, Default)]
#[cfg_attr(test, derive(PartialEq))]
pub(crate) struct Counts {
    /// Set of the lengths that at least one counted piece has. Each bit stands for a length; the lowest bit stands for
    /// length 1.
    present: u16,
    counts: [u32; PrefixPart::MAX],
}

impl Lengths {
    pub(crate) const NONE: Self = Self::One { len: 1, count: 0 };

    pub(crate) const fn is_empty(&self) -> bool {
        self.present() == 0
    }

    /// Returns true if at least one counted piece has the maximum length [`PrefixPart::MAX`].
    pub(crate) const fn has_full(&self) -> bool {
        self.present() >> (PrefixPart::MAX - 1) != 0
    }

    /// Returns the beginnings of `longest` that can be equal to a counted piece, the shortest first. There is one for
    /// each length of the counted pieces, up to the length of `longest`.
    pub(crate) fn up_to(&self, longest: PrefixPart) -> impl Iterator<Item = PrefixPart> {
        let mut lengths = self.present() & !u16::MAX.unbounded_shl(longest.len.into());
        from_fn(move || {
            let shortest = NonZeroU16::new(lengths)?;
            lengths &= lengths - 1;
            Some(longest.first_bytes(length(shortest)))
        })
    }

    pub(crate) fn add(&mut self, piece: PrefixPart) {
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

    /// Removes `piece`: decrements the number of pieces that have the same length as `piece`. The piece must have been
    /// added before.
    pub(crate) fn remove(&mut self, piece: PrefixPart) {
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

/// Returns the shortest length in a set of lengths. Each bit of `present` stands for a length; the lowest bit stands
/// for length 1.
fn length(present: NonZeroU16) -> u8 {
    u8::try_from(present.trailing_zeros() + 1).expect("the set has 16 bits")
}
