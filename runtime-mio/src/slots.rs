//! [`Slots`]: values by index, for tokens and tasks.

/// Values by index. The index of a removed value is used again.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    slots: Vec<Option<T>>,
    free: Vec<usize>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slots<T> {
    pub(crate) const fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Returns the index at which the next call of `insert` stores its value.
    pub(crate) fn next_index(&self) -> usize {
        self.free.last().copied().unwrap_or(self.slots.len())
    }

    pub(crate) fn insert(&mut self, value: T) {
        match self.free.pop() {
            Some(index) => self.slots[index] = Some(value),
            None => self.slots.push(Some(value)),
        }
    }

    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        self.slots.get(index)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.slots.get_mut(index)?.as_mut()
    }

    pub(crate) fn remove(&mut self, index: usize) -> Option<T> {
        let removed = self.slots.get_mut(index)?.take()?;
        self.free.push(index);
        Some(removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_of_removed_value_is_used_again() {
        let mut slots = Slots::default();
        for value in ["a", "b", "c"] {
            slots.insert(value);
        }
        assert_eq!([slots.remove(1), slots.remove(1), slots.get(1).copied()], [Some("b"), None, None]);
        assert_eq!((slots.len(), slots.next_index()), (2, 1));
        slots.insert("d");
        assert_eq!((slots.len(), slots.next_index()), (3, 3));
        assert_eq!([slots.get(1), slots.get(3)], [Some(&"d"), None]);
        assert_eq!((slots.get_mut(2).copied(), slots.remove(3)), (Some("c"), None));
    }
}
