//! [`Key`]: names a stream or a listener of a guest, and [`Slots`], the table of the values with these keys.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

/// Key of a stream or listener of a [`Guest`](super::Guest). Fits into the word that a poller or a completion ring keeps for
/// each of its entries, such as `epoll_data`: see [`to_u64`](Self::to_u64). Keys are not reused: after the end of the stream,
/// its key has no effect. Each attempt of a dial has another key.
// The generation has 24 bits, so that a word has room for the kind of an operation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    generation: u32,
    index: u32,
}

/// The largest generation of a key.
const MAX_GENERATION: u32 = (1 << 24) - 1;

impl Key {
    /// Returns the key as a number from 1 to 2⁵⁶ - 1. A loop with several operations on a stream at once, such as receiving and
    /// sending, can mark each of them with the highest eight bits of the word.
    pub const fn to_u64(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }

    /// Returns the key that [`to_u64`](Self::to_u64) has returned as `word`. The highest eight bits are ignored; any other number
    /// is a key without an effect.
    pub const fn from_u64(word: u64) -> Self {
        #[allow(clippy::cast_possible_truncation, reason = "the halves of the number")]
        Self { generation: (word >> 32) as u32 & MAX_GENERATION, index: word as u32 }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {}.{}", self.index, self.generation)
    }
}

/// Table of values with keys.
#[derive(Debug)]
pub(super) struct Slots<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    // In a box, so that a growing table does not move all values in one call.
    value: Option<Box<T>>,
}

impl<T> Slots<T> {
    pub(super) const fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }

    pub(super) fn insert(&mut self, value: T) -> Key {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, value: None });
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let slot = &mut self.slots[index as usize];
        slot.generation += 1;
        slot.value = Some(Box::new(value));
        Key { generation: slot.generation, index }
    }

    pub(super) fn get(&self, key: Key) -> Option<&T> {
        let slot = self.slots.get(key.index as usize).filter(|slot| slot.generation == key.generation)?;
        slot.value.as_deref()
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let slot = self.slots.get_mut(key.index as usize).filter(|slot| slot.generation == key.generation)?;
        slot.value.as_deref_mut()
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<T> {
        let slot = self.slots.get_mut(key.index as usize).filter(|slot| slot.generation == key.generation)?;
        let value = slot.value.take()?;
        // A slot without keys for further values stays empty.
        if slot.generation < MAX_GENERATION {
            self.free.push(key.index);
        }
        Some(*value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        let key = |index, generation| Key { generation, index: u32::try_from(index).unwrap_or(u32::MAX) };
        let slots = self.slots.iter().enumerate();
        slots.filter_map(move |(index, slot)| Some((key(index, slot.generation), slot.value.as_deref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_in_place_when_the_table_grows() {
        let mut slots = Slots::new();
        let key = slots.insert(0);
        let before = slots.get(key).map(core::ptr::from_ref);
        for number in 1..1000 {
            slots.insert(number);
        }
        assert_eq!(slots.get(key).map(core::ptr::from_ref), before);
    }

    #[test]
    fn key_of_removed_value_is_not_reused() {
        let mut slots = Slots::new();
        let first = slots.insert('a');
        assert_eq!((slots.remove(first), slots.remove(first)), (Some('a'), None));
        let second = slots.insert('b');
        assert_eq!(second.to_u64() - first.to_u64(), 1 << 32, "the slot is used again");
        assert_eq!((slots.get(first), slots.get(second)), (None, Some(&'b')));
        assert_eq!(Key::from_u64(second.to_u64()), second);
        assert_eq!(Key::from_u64(second.to_u64() | 0xff << 56), second, "the highest byte belongs to the loop");
        assert_eq!(slots.get(Key::from_u64(u64::MAX)), None);
        assert_eq!(slots.iter().collect::<Vec<_>>(), [(second, &'b')]);
    }

    #[test]
    fn slot_is_left_empty_after_its_last_key() {
        let mut slots = Slots::new();
        let first = slots.insert(());
        slots.slots[0].generation = MAX_GENERATION;
        let last = Key { generation: MAX_GENERATION, ..first };
        assert!(last.to_u64() < 1 << 56);
        assert_eq!(slots.remove(last), Some(()));
        assert_eq!(slots.insert(()).index, 1);
    }
}
