//! [`ProcessId`] and [`PerProcess`]: detect that a process was forked.

use std::sync::OnceLock;

/// Identifier of a process. A forked child has another identifier than its parent, and none of the threads of its
/// parent except the one that called `fork`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessId(u32);

impl ProcessId {
    /// Returns the identifier of the current process. This is a system call on Unix. Elsewhere processes do not fork, and
    /// the identifier is always the same.
    pub fn current() -> Self {
        #[cfg(unix)]
        return Self(std::process::id());
        #[cfg(not(unix))]
        Self(0)
    }
}

/// Value that exists once in each process: a forked child gets a value of its own, because the value of its parent may
/// depend on threads that the child does not have.
#[derive(Debug)]
pub struct PerProcess<T>(OnceLock<Entry<T>>);

// The entries form a list, and none is ever removed: a lock around the value could be held by another thread during a
// fork, and then stay locked in the child.
#[derive(Debug)]
struct Entry<T> {
    process: ProcessId,
    value: T,
    /// Entry of the next process: of a child that was forked after `value` was made.
    next: OnceLock<Box<Self>>,
}

impl<T> PerProcess<T> {
    /// Creates a `PerProcess` that has no value yet.
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Returns the value of the current process. The first call in a process calls `init` to make the value.
    pub fn get_or_init(&self, init: impl Fn() -> T) -> &T {
        let process = ProcessId::current();
        let new = || Entry { process, value: init(), next: OnceLock::new() };
        let mut entry = self.0.get_or_init(new);
        while entry.process != process {
            entry = entry.next.get_or_init(|| Box::new(new()));
        }
        &entry.value
    }
}

impl<T> Default for PerProcess<T> {
    fn default() -> Self {
        Self::new()
    }
}
