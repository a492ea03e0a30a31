//! [`SplitTable`]: hash table of which each change moves a bounded number of values, also when the table grows.

use crate::cost;
use alloc::vec;
use alloc::vec::Vec;
use hashbrown::HashTable;

/// Hash table that consists of many small tables. When it has many values, it splits one of the small tables into two; when
/// it has few, it joins two (linear hashing: Litwin, "Linear hashing: a new tool for file and table addressing", 1980). So
/// the cost of a change is bounded, except for the list of the small tables, which uses 32 bytes for a thousand values. A
/// table that grows at once would keep a publisher with a million subscriptions locked for the time of a million hashes.
///
/// The hash of a value must not change while the table contains the value, and must not be predictable for peers.
#[derive(Clone, Debug)]
pub(super) struct SplitTable<T> {
    /// The small tables. At least one.
    parts: Vec<HashTable<T>>,
    /// Largest power of two that is not larger than the number of parts, minus one.
    mask: usize,
    len: usize,
}

/// Average number of values per part above which a part is split.
const PART: usize = 1024;

impl<T> SplitTable<T> {
    pub(super) fn new() -> Self {
        Self { parts: vec![HashTable::new()], mask: 0, len: 0 }
    }

    /// Returns the value with this hash for which `is_equal` returns true.
    #[inline]
    pub(super) fn find(&self, hash: u64, is_equal: impl FnMut(&T) -> bool) -> Option<&T> {
        self.parts[self.part(hash)].find(hash, is_equal)
    }

    /// Inserts a value that the table does not contain. `rehash` returns the hash of a value of the table.
    pub(super) fn insert(&mut self, hash: u64, value: T, rehash: impl Fn(&T) -> u64) {
        if self.len >= self.parts.len() * PART {
            self.split(&rehash);
        }
        let part = self.part(hash);
        self.parts[part].insert_unique(hash, value, rehash);
        self.len += 1;
    }

    /// Removes the value with this hash for which `is_equal` returns true, if any. `rehash` returns the hash of a value of
    /// the table.
    pub(super) fn remove(&mut self, hash: u64, is_equal: impl FnMut(&T) -> bool, rehash: impl Fn(&T) -> u64) {
        let place = self.part(hash);
        let part = &mut self.parts[place];
        let Ok(entry) = part.find_entry(hash, is_equal) else { return };
        entry.remove();
        self.len -= 1;
        // The smallest capacity is 3 with the groups of NEON, and 14 with those of SSE2.
        if part.is_empty() || part.len() < part.capacity() / 8 {
            part.shrink_to(part.len() * 2, &rehash);
        }
        if self.len < self.parts.len() * (PART / 4) {
            self.join(rehash);
        }
    }

    /// Returns the memory that the table holds, in bytes, without the memory that values hold outside of themselves.
    pub(super) fn held_bytes(&self) -> usize {
        let parts = self.parts.iter().map(HashTable::allocation_size).sum::<usize>();
        parts + self.parts.capacity() * size_of::<HashTable<T>>()
    }

    /// Returns the index of the part that contains the values with this hash.
    #[inline]
    fn part(&self, hash: u64) -> usize {
        // The low bits select a place within a part, and the highest bits distinguish the values there.
        let bits = (hash >> 24) as usize;
        let wide = bits & (2 * self.mask + 1);
        if wide < self.parts.len() { wide } else { bits & self.mask }
    }

    /// Moves about half of the values of one part to a new part.
    fn split(&mut self, rehash: impl Fn(&T) -> u64) {
        let divided = self.parts.len() - (self.mask + 1);
        self.parts.push(HashTable::new());
        if self.parts.len() == 2 * (self.mask + 1) {
            self.mask = 2 * self.mask + 1;
        }
        for value in core::mem::take(&mut self.parts[divided]) {
            self.place(value, &rehash);
        }
    }

    /// Moves the values of the last part to the part from which they were split.
    fn join(&mut self, rehash: impl Fn(&T) -> u64) {
        if self.parts.len() == 1 {
            return;
        }
        let values = self.parts.pop().unwrap_or_default();
        if self.parts.len() == self.mask {
            self.mask /= 2;
        }
        for value in values {
            self.place(value, &rehash);
        }
        super::shrink_if_sparse(&mut self.parts);
    }

    fn place(&mut self, value: T, rehash: impl Fn(&T) -> u64) {
        cost::nodes(1);
        let hash = rehash(&value);
        let part = self.part(hash);
        self.parts[part].insert_unique(hash, value, rehash);
    }
}

#[cfg(test)]
impl<T> SplitTable<T> {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Returns the number of values for which the table has memory.
    pub(super) fn capacity(&self) -> usize {
        self.parts.iter().map(HashTable::capacity).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;

    /// Spreads the bits of a number over its hash.
    fn hash(number: u64) -> u64 {
        let mut bits = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        bits ^= bits >> 32;
        bits.wrapping_mul(0xd6e8_feb8_6659_fd93)
    }

    #[test]
    fn split_table_finds_all_values_and_bounds_each_change() {
        const VALUES: u64 = 100_000;
        let (mut table, hashes) = (SplitTable::new(), Cell::new(0_usize));
        let rehash = |value: &u64| {
            hashes.set(hashes.get() + 1);
            hash(*value)
        };
        let mut most = 0;
        for value in 0..VALUES {
            table.insert(hash(value), value, rehash);
            most = most.max(hashes.take());
            if value.is_power_of_two() {
                assert!((0..=value).all(|value| table.find(hash(value), |&other| other == value).is_some()));
            }
        }
        assert!(table.find(hash(VALUES), |&other| other == VALUES).is_none());
        assert!(table.capacity() < 4 * table.len());
        assert_eq!(table.parts.len(), table.len().div_ceil(PART));
        for value in 0..VALUES {
            let parts = table.parts.len();
            table.remove(hash(value), |&other| other == value, rehash);
            most = most.max(hashes.take());
            let is_sparse = parts > 1 && table.len < parts * (PART / 4);
            assert_eq!(table.parts.len(), parts - usize::from(is_sparse));
            if value.is_power_of_two() {
                assert!(
                    (0..VALUES)
                        .all(|other| { table.find(hash(other), |&found| found == other).is_some() == (other > value) })
                );
            }
        }
        assert!(most <= 8 * PART, "one change computed {most} hashes");
        assert_eq!((table.len(), table.parts.len(), table.mask), (0, 1, 0));
        assert_eq!(table.capacity(), 0);
    }

    #[test]
    fn sparse_part_keeps_room_for_twice_its_values() {
        let mut table = SplitTable::new();
        for value in 0..1000 {
            table.insert(hash(value), value, |&value| hash(value));
        }
        let allocated = |table: &SplitTable<u64>| table.parts[0].allocation_size();
        let mut shrunk = 0;
        for value in 0..1000 {
            let before = (table.capacity(), allocated(&table));
            table.remove(hash(value), |&other| other == value, |&value| hash(value));
            if allocated(&table) < before.1 {
                assert!(table.len() == 0 || table.len() < before.0 / 8, "{} of {before:?}", table.len());
                assert!(table.capacity() >= 2 * table.len());
                shrunk += 1;
            }
        }
        assert!(shrunk >= 3);
    }

    #[test]
    fn held_bytes_are_those_of_the_parts_and_their_list() {
        let part = HashTable::<u64>::with_capacity(100);
        let allocated = part.allocation_size();
        let mut table = SplitTable { parts: Vec::with_capacity(3), mask: 0, len: 0 };
        table.parts.push(part);
        assert!(allocated >= 800);
        assert_eq!(table.held_bytes(), allocated + 3 * size_of::<HashTable<u64>>());
    }
}
