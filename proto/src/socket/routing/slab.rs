//! [`Slab`]: values in memory, each identified by a number.

use alloc::vec::Vec;

/// Values, each identified by a number that does not change while the value exists. Numbers of removed values are used
/// again. The memory consists of chunks of a constant size, so an insertion never moves all values, and a chunk is released
/// when its last value is removed.
#[derive(Clone, Debug)]
pub(super) struct Slab<T> {
    chunks: Vec<Chunk<T>>,
    /// Chunks that have room for another value.
    open: Vec<usize>,
}

#[derive(Clone, Debug)]
struct Chunk<T> {
    slots: Vec<Option<T>>,
    /// Indices of the empty slots.
    free: Vec<u16>,
}

/// Number of values per chunk. A power of two.
const CHUNK: usize = 512;

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self { chunks: Vec::new(), open: Vec::new() }
    }

    /// Stores a value, and returns its number.
    pub(super) fn insert(&mut self, value: T) -> usize {
        let place = self.open.last().copied().unwrap_or_else(|| {
            self.chunks.push(Chunk { slots: Vec::new(), free: Vec::new() });
            self.open.push(self.chunks.len() - 1);
            self.chunks.len() - 1
        });
        let chunk = &mut self.chunks[place];
        let slot = if let Some(slot) = chunk.free.pop() {
            chunk.slots[usize::from(slot)] = Some(value);
            usize::from(slot)
        } else {
            chunk.slots.push(Some(value));
            chunk.slots.len() - 1
        };
        if chunk.is_full() {
            self.open.pop();
        }
        place * CHUNK + slot
    }

    /// Removes a value and returns it, or returns `None` if no value has this number.
    pub(super) fn remove(&mut self, number: usize) -> Option<T> {
        let (place, slot) = (number / CHUNK, number % CHUNK);
        let chunk = self.chunks.get_mut(place)?;
        let was_full = chunk.is_full();
        let value = chunk.slots.get_mut(slot)?.take()?;
        chunk.free.push(u16::try_from(slot).ok()?);
        if chunk.free.len() == chunk.slots.len() {
            *chunk = Chunk { slots: Vec::new(), free: Vec::new() };
        }
        if was_full {
            self.open.push(place);
        }
        Some(value)
    }

    #[inline]
    pub(super) fn get(&self, number: usize) -> Option<&T> {
        self.chunks.get(number / CHUNK)?.slots.get(number % CHUNK)?.as_ref()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, number: usize) -> Option<&mut T> {
        self.chunks.get_mut(number / CHUNK)?.slots.get_mut(number % CHUNK)?.as_mut()
    }

    /// Returns the memory that the slab holds, in bytes, without the memory that values hold outside of themselves.
    pub(super) fn held_bytes(&self) -> usize {
        let slots = |chunk: &Chunk<T>| chunk.slots.capacity() * size_of::<Option<T>>() + chunk.free.capacity() * 2;
        let chunks = self.chunks.capacity() * size_of::<Chunk<T>>() + self.open.capacity() * size_of::<usize>();
        chunks + self.chunks.iter().map(slots).sum::<usize>()
    }

    /// Returns all values with their numbers, in the order of the numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        self.chunks.iter().enumerate().flat_map(|(place, chunk)| {
            let numbers = place * CHUNK..;
            numbers.zip(&chunk.slots).filter_map(|(number, value)| Some((number, value.as_ref()?)))
        })
    }
}

impl<T> Chunk<T> {
    const fn is_full(&self) -> bool {
        self.slots.len() == CHUNK && self.free.is_empty()
    }
}

#[cfg(test)]
impl<T> Slab<T> {
    pub(super) fn len(&self) -> usize {
        self.iter().count()
    }

    /// Returns the number of values for which the slab has memory.
    pub(super) fn capacity(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.slots.capacity()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slab_keeps_numbers_and_releases_chunks() {
        let mut slab = Slab::new();
        let numbers: Vec<_> = (0..4 * CHUNK).map(|value| slab.insert(value)).collect();
        assert!(numbers.iter().enumerate().all(|(value, &number)| slab.get(number) == Some(&value)));
        assert!(slab.iter().map(|(number, &value)| (value, number)).eq(numbers.iter().copied().enumerate()));
        // Of each chunk but the last, one value remains, and their slots are used again.
        let (kept, removed): (Vec<_>, Vec<_>) = numbers.iter().partition(|&number| number % CHUNK == 7);
        for &number in &removed {
            assert_eq!(slab.remove(number), Some(number));
            assert_eq!(slab.remove(number), None);
        }
        assert_eq!((slab.len(), slab.capacity()), (4, 4 * CHUNK));
        let mut again: Vec<_> = removed.iter().map(|&value| slab.insert(value)).collect();
        again.sort_unstable();
        assert_eq!(again, removed);
        for number in numbers {
            assert!(slab.remove(number).is_some());
        }
        assert_eq!((slab.len(), slab.capacity()), (0, 0));
        assert_eq!(kept.len(), 4);
    }

    #[test]
    fn held_bytes_are_those_of_all_vectors() {
        let chunk = Chunk { slots: Vec::<Option<u64>>::with_capacity(7), free: Vec::with_capacity(11) };
        let mut slab = Slab { chunks: Vec::with_capacity(3), open: Vec::with_capacity(5) };
        slab.chunks.push(chunk);
        assert_eq!(slab.held_bytes(), 3 * size_of::<Chunk<u64>>() + 5 * size_of::<usize>() + 7 * 16 + 11 * 2);
    }
}
