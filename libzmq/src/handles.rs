//! [`Table`]: the objects that C code refers to by a handle. A handle is a number that is never used twice, and not an address,
//! so a handle that is closed, foreign or null is found to be invalid before any memory is read.

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Objects of one kind, by their handles.
#[derive(Debug)]
pub(crate) struct Table<T>(RwLock<BTreeMap<usize, Arc<T>>>);

/// Next handle. Multiples of 16 look like addresses to programs that check the alignment, and are not small, because some
/// programs store flags in small pointers.
static NEXT: AtomicUsize = AtomicUsize::new(0x0010_0000);
const STEP: usize = 16;

/// Returns a new handle.
pub(crate) fn new_handle() -> usize {
    NEXT.fetch_add(STEP, Ordering::Relaxed)
}

/// Converts a handle into the form that C code stores.
pub(crate) fn to_pointer(handle: usize) -> *mut c_void {
    ptr::without_provenance_mut(handle)
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
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&handle.addr())
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
        assert!(third != first && third != second, "a handle is not used twice");
        let local = 0_u64;
        for foreign in [ptr::null(), ptr::from_ref(&local).cast(), ptr::without_provenance(second.addr() + 1)] {
            assert!(table.get(foreign).is_none());
        }
    }
}
