//! What the process holds, by the octet: the memory of a runtime's threads and that of the strangers too, for they are here.

use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// How much there was at an instant.
pub(crate) struct Memory(usize);

impl Memory {
    /// Now; what was the most before counts no more.
    pub(crate) fn now() -> Self {
        MEMORY.reset_peak_usage();
        Self(MEMORY.current_usage())
    }

    /// Sees that there were never more than so many octets more.
    pub(crate) fn grew_less_than(&self, octets: usize) {
        let grown = MEMORY.peak_usage().saturating_sub(self.0);
        eprintln!("{grown} octets more, of {octets}");
        assert!(grown < octets, "{grown} octets more, and {octets} are allowed");
    }
}
