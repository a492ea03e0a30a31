//! Cost meter (feature `meter`): counts the work of the core, and checks that one call does not do more work than the
//! bytes that it processes justify. For tests and fuzzing only; without the feature, all functions are empty.
//!
//! A clock cannot check such a bound, because it depends on the machine. The meter counts steps instead. Each loop
//! with a length that a peer can influence reports its steps:
//!
//! | unit | one step |
//! |---|---|
//! | node | one visited entry of a table, a tree, a queue or a list |
//! | byte | one byte that is decoded, copied, compared, encrypted or decrypted; 64 bytes have the weight of one node |
//! | frame | one frame of a message or one command that is decoded or delivered |
//! | wake | one action, event or wake-up that is emitted |
//!
//! A key agreement of CURVE counts as 1024 nodes. Releasing memory is not counted.
//!
//! # Bounds
//!
//! The methods of [`Session`](crate::Session), [`Connection`](crate::Connection) and [`Socket`](crate::Socket) that a
//! runtime calls check this bound for each call:
//!
//! ```text
//! work ≤ PER_CALL + PER_BYTE × bytes
//! ```
//!
//! `bytes` are the bytes that the call processes: bytes that were received in this call, bytes that were received
//! before and stored until now (the beginning of a message that this call completes, or input that waited until a socket
//! has admitted the peer), and the bytes of a message that the application sends.
//!
//! `PER_CALL` covers what one call moves without new input. The largest part is one
//! [`exchange`](crate::Socket::exchange): it takes the messages that a connection has read ahead, which are limited by 64
//! KiB and one read of 32 KiB, and empty frames have two bytes each. The removal of subscriptions in slices, one batch of
//! output, and the rotation of twenty thousand peers are smaller.
//!
//! Work that only the application can cause is counted separately, as `Work::requested`, and is not part of the bound:
//! a message is sent to all matching peers, `close` visits all peers, a subscriber sends all its subscriptions to each new
//! peer, and output is encoded.
//!
//! While a socket is locked, the runtimes check `work ≤ PER_CALL`, without bytes: a peer cannot keep a socket locked by
//! sending more.
//!
//! A bound per call does not find work that is repeated too often, for example one byte at a time or after a refusal.
//! Therefore fuzz targets and the simulated network also check all calls together: `Work::assert_total`.

#![cfg_attr(
    not(feature = "meter"),
    expect(clippy::inline_always, reason = "the functions are empty and must not leave a call")
)]

#[cfg(feature = "meter")]
pub use meter::*;
#[cfg(not(feature = "meter"))]
pub(crate) use off::*;

/// Number of bytes with the weight of one node: a cache line.
pub(crate) const BYTES_PER_UNIT: u64 = 64;

/// Empty functions in place of the meter.
#[cfg(not(feature = "meter"))]
mod off {
    /// Check of a bound, without the feature.
    #[must_use]
    pub(crate) struct Check;

    /// Sum of the work of several runs, without the feature.
    #[cfg(feature = "testing")]
    #[derive(Debug, Default)]
    pub(crate) struct Tally(());

    #[cfg(feature = "testing")]
    impl Tally {
        #[expect(clippy::unused_self, reason = "the meter adds to `self`")]
        pub(crate) fn add<R>(&mut self, run: impl FnOnce() -> R) -> R {
            run()
        }
    }

    #[inline(always)]
    pub(crate) const fn nodes(_: usize) {}

    #[inline(always)]
    pub(crate) const fn bytes(_: usize) {}

    #[inline(always)]
    pub(crate) const fn frames(_: usize) {}

    #[inline(always)]
    pub(crate) const fn wakes(_: usize) {}

    #[inline(always)]
    pub(crate) const fn input(_: usize) {}

    #[inline(always)]
    pub(crate) fn input_of(_: impl FnOnce() -> usize) {}

    #[inline(always)]
    pub(crate) const fn resumed(_: usize) {}

    #[inline(always)]
    pub(crate) const fn requested(_: usize) {}

    #[inline(always)]
    pub(crate) const fn call(_: &'static str, _: u64) -> Check {
        Check
    }

    #[cfg(feature = "curve")]
    #[inline(always)]
    pub(crate) const fn key_agreement() {}
}

#[cfg(feature = "meter")]
mod meter {
    use crate::cost::BYTES_PER_UNIT;
    use core::cell::Cell;
    use core::ops::{Add, Sub};

    /// Number of nodes that a key agreement (a multiplication on Curve25519) counts as.
    pub const KEY_AGREEMENT: u64 = 1024;

    /// Maximum work of one call that processes no bytes, in [units](Work::units).
    pub const PER_CALL: u64 = 1 << 17;

    /// Maximum additional work for each byte that a call processes, in [units](Work::units).
    pub const PER_BYTE: u64 = 4;

    /// Maximum work of a call that processes no bytes, as the average over many calls, in [units](Work::units).
    pub const PER_CALL_ON_AVERAGE: u64 = 1 << 12;

    /// Work that was counted on one thread.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct Work {
        /// Number of visited entries of tables, trees, queues and lists.
        pub nodes: u64,
        /// Number of bytes that were decoded, copied, compared, encrypted or decrypted.
        pub bytes: u64,
        /// Number of frames and commands that were decoded or delivered.
        pub frames: u64,
        /// Number of actions, events and wake-ups that were emitted.
        pub wakes: u64,
        /// Number of bytes that were received from peers, or that are part of messages which the application sent.
        pub input: u64,
        /// Number of bytes that were processed, but received in an earlier call.
        pub resumed: u64,
        /// Number of steps that only the application can cause. Not part of [`units`](Self::units).
        pub requested: u64,
        /// Number of calls of methods that check a bound.
        pub calls: u64,
    }

    std::thread_local! {
        static TOTAL: Cell<Work> = const { Cell::new(Work::NONE) };
    }

    impl Work {
        const NONE: Self =
            Self { nodes: 0, bytes: 0, frames: 0, wakes: 0, input: 0, resumed: 0, requested: 0, calls: 0 };

        /// Returns all steps in units: nodes, frames, wakes, and 64 bytes each.
        pub const fn units(&self) -> u64 {
            self.nodes + self.frames + self.wakes + self.bytes / BYTES_PER_UNIT
        }

        /// Checks the bound of `calls` calls. `name` is the name of the method or lock in the message of the panic.
        ///
        /// # Panics
        /// If the work exceeds the bound.
        #[track_caller]
        pub fn assert_call(&self, name: &str, calls: u64) {
            let limit = calls * PER_CALL + PER_BYTE * (self.input + self.resumed);
            assert!(
                self.units() <= limit,
                "{name}: {} units of work, at most {limit} are allowed: {self:?}",
                self.units()
            );
        }

        /// Checks the bound of all calls together: their work must be in proportion to the number of calls and to the bytes
        /// of input.
        ///
        /// # Panics
        /// If the work exceeds the bound.
        #[track_caller]
        pub fn assert_total(&self) {
            let limit = PER_CALL + self.calls * PER_CALL_ON_AVERAGE + PER_BYTE * self.input;
            assert!(self.units() <= limit, "{} units of work, at most {limit} are allowed: {self:?}", self.units());
        }
    }

    /// Sum of the work of several runs.
    #[derive(Debug, Default)]
    pub struct Tally(Work);

    impl Tally {
        /// Runs `run`, adds its work to the sum, and returns its result.
        ///
        /// # Panics
        /// If the sum exceeds the bound of [`Work::assert_total`].
        pub fn add<R>(&mut self, run: impl FnOnce() -> R) -> R {
            let (result, work) = measure(run);
            self.0 = self.0 + work;
            self.0.assert_total();
            result
        }
    }

    impl Add for Work {
        type Output = Self;

        fn add(self, other: Self) -> Self {
            Self {
                nodes: self.nodes + other.nodes,
                bytes: self.bytes + other.bytes,
                frames: self.frames + other.frames,
                wakes: self.wakes + other.wakes,
                input: self.input + other.input,
                resumed: self.resumed + other.resumed,
                requested: self.requested + other.requested,
                calls: self.calls + other.calls,
            }
        }
    }

    impl Sub for Work {
        type Output = Self;

        fn sub(self, earlier: Self) -> Self {
            Self {
                nodes: self.nodes - earlier.nodes,
                bytes: self.bytes - earlier.bytes,
                frames: self.frames - earlier.frames,
                wakes: self.wakes - earlier.wakes,
                input: self.input - earlier.input,
                resumed: self.resumed - earlier.resumed,
                requested: self.requested - earlier.requested,
                calls: self.calls - earlier.calls,
            }
        }
    }

    /// Returns the work that was counted on this thread so far.
    pub fn counted() -> Work {
        // The value is not available while the thread ends.
        TOTAL.try_with(Cell::get).unwrap_or_default()
    }

    fn count(add: impl FnOnce(&mut Work)) {
        let _ = TOTAL.try_with(|total| {
            let mut work = total.get();
            add(&mut work);
            total.set(work);
        });
    }

    /// Counts visited entries of a table, a tree, a queue or a list.
    pub fn nodes(count_of_nodes: usize) {
        count(|work| work.nodes += count_of_nodes as u64);
    }

    /// Counts a key agreement of CURVE.
    #[cfg(feature = "curve")]
    pub fn key_agreement() {
        count(|work| work.nodes += KEY_AGREEMENT);
    }

    /// Counts bytes that are decoded, copied, compared, encrypted or decrypted.
    pub fn bytes(count_of_bytes: usize) {
        count(|work| work.bytes += count_of_bytes as u64);
    }

    /// Counts frames or commands that are decoded or delivered.
    pub fn frames(count_of_frames: usize) {
        count(|work| work.frames += count_of_frames as u64);
    }

    /// Counts actions, events and wake-ups.
    pub fn wakes(count_of_wakes: usize) {
        count(|work| work.wakes += count_of_wakes as u64);
    }

    /// Counts bytes that were received from a peer, or bytes of a message that the application sends.
    pub fn input(count_of_bytes: usize) {
        count(|work| work.input += count_of_bytes as u64);
    }

    /// Counts bytes as [`input`] does. `count_of_bytes` computes their number.
    // A closure, so that nothing is computed without the feature.
    pub fn input_of(count_of_bytes: impl FnOnce() -> usize) {
        input(count_of_bytes());
    }

    /// Counts bytes that were received in an earlier call and are processed now.
    pub fn resumed(count_of_bytes: usize) {
        count(|work| work.resumed += count_of_bytes as u64);
    }

    /// Counts steps that only the application can cause: their number depends on its settings, on its own messages and
    /// subscriptions, and on the peers that it has admitted.
    pub fn requested(count_of_steps: usize) {
        count(|work| work.requested += count_of_steps as u64);
    }

    /// Runs `work` and returns its result, together with the work that was counted on this thread meanwhile.
    pub fn measure<R>(work: impl FnOnce() -> R) -> (R, Work) {
        let before = counted();
        let result = work();
        (result, counted() - before)
    }

    /// Check of a bound. The bound is checked when the value is dropped, unless the thread panics.
    #[derive(Debug)]
    #[must_use]
    pub struct Check {
        bound: Bound,
        before: Work,
    }

    /// Bound that a [`Check`] checks.
    #[derive(Debug)]
    enum Bound {
        /// Bound of several calls of the method with this name.
        Calls(&'static str, u64),
        /// Bound of one call that processes no bytes.
        Locked(&'static str),
        /// Bound of [`Work::assert_total`].
        Total,
    }

    /// Begins a call of the method `name`. The bound is that of `calls` single calls.
    pub fn call(name: &'static str, calls: u64) -> Check {
        count(|work| work.calls += calls);
        Check { bound: Bound::Calls(name, calls), before: counted() }
    }

    /// Begins the time in which a socket is locked. The bound does not depend on the bytes that peers have sent.
    pub fn locked(name: &'static str) -> Check {
        Check { bound: Bound::Locked(name), before: counted() }
    }

    /// Begins several calls, which are checked together as by [`Work::assert_total`].
    pub fn total() -> Check {
        Check { bound: Bound::Total, before: counted() }
    }

    impl Drop for Check {
        fn drop(&mut self) {
            if std::thread::panicking() {
                return;
            }
            let work = counted() - self.before;
            match self.bound {
                Bound::Calls(name, calls) => work.assert_call(name, calls),
                Bound::Locked(name) => Work { input: 0, resumed: 0, ..work }.assert_call(name, 1),
                Bound::Total => work.assert_total(),
            }
        }
    }
}
