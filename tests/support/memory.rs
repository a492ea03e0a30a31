//! Measures how much the memory use of the process grows. Measures nothing unless `PeakAlloc` is the global allocator
//! of the test binary.

use peak_alloc::PeakAlloc;

/// Memory in use by the process at one instant, in bytes.
#[derive(Debug)]
pub struct Memory(usize);

impl Memory {
    /// Returns the memory in use, and resets the recorded peak to this value.
    pub fn now() -> Self {
        PeakAlloc.reset_peak_usage();
        Self(PeakAlloc.current_usage())
    }

    /// Asserts that the peak memory use is less than `bytes` above the memory in use that `self` contains. The peak is
    /// counted from the last call of [`now`](Self::now).
    ///
    /// # Panics
    /// If memory grew by `bytes` or more.
    pub fn assert_growth_below(&self, bytes: usize) {
        let grown = PeakAlloc.peak_usage().saturating_sub(self.0);
        eprintln!("memory grew by {grown} bytes, limit {bytes}");
        assert!(grown < bytes, "memory grew by {grown} bytes, limit {bytes}");
    }
}
