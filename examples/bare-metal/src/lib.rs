//! Support for the nodes in `bin`: a heap, a serial port as the stream of the only connection, and an event loop.
//!
//! Clock and random numbers come from QEMU, through semihosting. A product reads a timer and the random number generator of
//! its microcontroller instead, and sleeps until an interrupt instead of polling.

#![no_std]

mod node;
mod uart;

pub use node::{Node, options};

// The critical sections of the heap.
#[cfg(target_arch = "arm")]
use cortex_m as _;
#[cfg(target_arch = "riscv32")]
use riscv as _;

use core::panic::PanicInfo;
use embedded_alloc::LlffHeap;
use sansmq_proto::{Entropy, Instant};
use semihosting::experimental::random;
use semihosting::process;
use semihosting::sys::arm_compat::{sys_clock, sys_write0};

/// Size of the heap in bytes.
pub const HEAP_SIZE: usize = 48 << 10;

#[global_allocator]
static HEAP: LlffHeap = LlffHeap::empty();

/// Gives the heap its memory.
///
/// # Panics
/// If it is called twice.
pub fn init_heap() {
    // SAFETY: called once, at the beginning of `main`: the macro panics at a second call.
    unsafe {
        embedded_alloc::init!(HEAP, HEAP_SIZE);
    }
}

/// Returns the bytes of the heap that are allocated now.
#[must_use]
pub fn heap_used() -> usize {
    HEAP.used()
}

/// Prints `label` and `number`, without the code of `core::fmt`.
pub fn print(label: &core::ffi::CStr, mut number: usize) {
    let mut digits = *b"           \n\0";
    let mut at = digits.len() - 2;
    loop {
        at -= 1;
        digits[at] = b"0123456789"[number % 10];
        number /= 10;
        if number == 0 || at == 0 {
            break;
        }
    }
    sys_write0(label);
    sys_write0(core::ffi::CStr::from_bytes_until_nul(&digits[at..]).unwrap_or_default());
}

/// Returns the time since the start, with a resolution of 10 ms.
#[must_use]
pub fn now() -> Instant {
    Instant::from_nanos(sys_clock().unwrap_or(0) as u64 * 10_000_000)
}

/// Random numbers of the host.
#[derive(Debug)]
pub struct Host;

impl Entropy for Host {
    fn fill(&mut self, out: &mut [u8]) {
        random::fill_bytes(out).expect("QEMU reads /dev/urandom");
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    process::exit(101)
}
