//! [`Table`]: the objects that C code refers to by a handle. A handle is looked up and not dereferenced, so a handle that is
//! closed, foreign or null is found to be invalid before any memory is read.

use crate::errno::Errno;
use core::ffi::c_void;
use core::ptr;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// Objects of one kind, by their handles.
#[derive(Debug)]
pub(crate) struct Table<T>(RwLock<BTreeMap<usize, Arc<T>>>);

/// Handles that are no longer in use, the oldest first.
static FREE: Mutex<VecDeque<usize>> = Mutex::new(VecDeque::new());

/// Number of handles that are kept before the oldest is used again, so that a closed handle stays invalid for long.
const KEPT: usize = 4096;

/// Memory of a handle. It contains zeros: czmq reads a number at the address of a handle, which has a certain value in its own objects.
type Memory = [u64; 4];

/// Returns a handle that is not in use.
pub(crate) fn new_handle() -> usize {
    let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
    let oldest = if free.len() >= KEPT { free.pop_front() } else { None };
    // The memory is never released.
    oldest.unwrap_or_else(|| ptr::from_ref(Box::leak(Box::<Memory>::default())).expose_provenance())
}

/// Ends the use of a handle.
fn release(handle: usize) {
    FREE.lock().unwrap_or_else(PoisonError::into_inner).push_back(handle);
}

/// Converts a handle into the form that C code stores.
pub(crate) fn to_pointer(handle: usize) -> *mut c_void {
    ptr::with_exposed_provenance_mut(handle)
}

impl<T> Table<T> {
    pub(crate) const fn new() -> Self {
        Self(RwLock::new(BTreeMap::new()))
    }

    /// Adds an object, and returns its handle.
    pub(crate) fn add(&self, object: T) -> *mut c_void {
        let handle = new_handle();
        self.insert(handle, Arc::new(object));
        to_pointer(handle)
    }

    /// Adds an object with a handle of [`new_handle`].
    pub(crate) fn insert(&self, handle: usize, object: Arc<T>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(handle, object);
    }

    pub(crate) fn get(&self, handle: *const c_void) -> Option<Arc<T>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&handle.addr()).cloned()
    }

    /// Removes an object. Its handle is invalid afterwards.
    pub(crate) fn remove(&self, handle: *const c_void) -> Option<Arc<T>> {
        let removed = self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&handle.addr());
        if removed.is_some() {
            release(handle.addr());
        }
        removed
    }
}

impl<T> Table<T> {
    /// Removes the object with the handle that C code has stored at `place`, and stores null there.
    ///
    /// # Errors
    /// `EFAULT` for a null pointer, and if there is no such object.
    ///
    /// # Safety
    /// `place` must be null, or valid for reads and writes.
    pub(crate) unsafe fn destroy(&self, place: *mut *mut c_void) -> Result<(), Errno> {
        if place.is_null() {
            return Err(Errno::FAULT);
        }
        // SAFETY: The caller has promised that the pointer is valid.
        let handle = unsafe { place.read() };
        self.remove(handle).ok_or(Errno::FAULT)?;
        // SAFETY: As above.
        unsafe { place.write(ptr::null_mut()) };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removed_foreign_and_null_handles_are_not_found() {
        let table = Table::new();
        let (first, second) = (table.add(1), table.add(2));
        assert_eq!(table.get(first).as_deref(), Some(&1));
        assert_eq!(table.remove(first).as_deref(), Some(&1));
        assert!(table.get(first).is_none() && table.remove(first).is_none());
        let third = table.add(3);
        assert!(third != first && third != second, "a handle is not used again soon");
        // SAFETY: The memory of a handle is never released.
        let tag = unsafe { first.cast::<u32>().read() };
        assert_eq!(tag, 0, "czmq reads it");
        let local = 0_u64;
        for foreign in [ptr::null(), ptr::from_ref(&local).cast(), ptr::without_provenance(second.addr() + 1)] {
            assert!(table.get(foreign).is_none());
        }
    }
}
