//! Functions that need no socket: errors, versions, keys, Z85, counters, clocks and threads.

use crate::errno::{Errno, status, system_text};
use crate::io_thread;
use crate::memory;
use core::ffi::{CStr, c_char, c_int, c_ulong, c_void};
use core::ptr;
use core::sync::atomic::{AtomicI32, Ordering};
use core::time::Duration;
use sansmq::curve::{KeyPair, SecretKey, z85};
use sansmq::proto::SystemEntropy;
use std::sync::Mutex;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crate::handles::Table;

/// Version of the interface of this library.
const VERSION: [c_int; 3] = [4, 3, 5];

/// `zmq_errno`: returns the error of the last failed call of this thread.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_errno() -> c_int {
    Errno::stored().0
}

/// `zmq_strerror`: returns the text of an error.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_strerror(number: c_int) -> *const c_char {
    Errno(number).text().map_or_else(|| system_text(number), CStr::as_ptr)
}

/// `zmq_version`: stores the version of libzmq that has the same interface.
///
/// # Safety
/// Each pointer must be null, or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_version(major: *mut c_int, minor: *mut c_int, patch: *mut c_int) {
    for (target, number) in [major, minor, patch].into_iter().zip(VERSION) {
        if !target.is_null() {
            // SAFETY: As promised by the caller.
            unsafe { target.write(number) };
        }
    }
}

/// `zmq_has`: returns 1 if this library has a capability.
///
/// # Safety
/// `capability` must be null, or a string that ends with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_has(capability: *const c_char) -> c_int {
    // SAFETY: As promised by the caller.
    let capability = unsafe { memory::text(capability) };
    capability.is_ok_and(|capability| matches!(capability, "ipc" | "curve" | "draft")).into()
}

/// `zmq_curve_keypair`: stores a new key pair as text of 40 characters and a zero byte each.
///
/// # Safety
/// Both pointers must be null, or valid for writes of 41 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_curve_keypair(public: *mut c_char, secret: *mut c_char) -> c_int {
    if public.is_null() || secret.is_null() {
        return status(Err(Errno::FAULT));
    }
    let pair = KeyPair::generate(&mut SystemEntropy);
    // SAFETY: As promised by the caller.
    unsafe { write_text(&pair.public().to_string(), public) };
    // SAFETY: As promised by the caller.
    unsafe { write_text(&pair.secret().to_z85(), secret) };
    0
}

/// `zmq_curve_public`: stores the public key that belongs to a secret key, both as text.
///
/// # Safety
/// `secret` must be null, or a string that ends with a zero byte; `public` must be null, or valid for writes of 41 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_curve_public(public: *mut c_char, secret: *const c_char) -> c_int {
    if public.is_null() {
        return status(Err(Errno::FAULT));
    }
    // SAFETY: As promised by the caller.
    let secret = unsafe { memory::text(secret) }.ok().filter(|text| text.len() == 40);
    match secret.and_then(|text| text.parse::<SecretKey>().ok()) {
        Some(secret) => {
            // SAFETY: As promised by the caller.
            unsafe { write_text(&secret.public_key().to_string(), public) };
            0
        }
        None => status(Err(Errno::INVALID)),
    }
}

/// `zmq_z85_encode`: stores bytes as text, and returns it; null if the number of bytes is not a multiple of four.
///
/// # Safety
/// `data` must be null, or valid for reads of `size` bytes; `text` must be null, or valid for writes of five bytes for every four
/// bytes, and a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_z85_encode(text: *mut c_char, data: *const u8, size: usize) -> *mut c_char {
    // SAFETY: As promised by the caller.
    let bytes = unsafe { memory::bytes(data.cast(), size) }.map_err(|_| Errno::INVALID);
    match bytes.and_then(|bytes| z85::encode(bytes).map_err(|_| Errno::INVALID)) {
        Ok(encoded) if !text.is_null() => {
            // SAFETY: As promised by the caller.
            unsafe { write_text(&encoded, text) };
            text
        }
        result => {
            result.err().unwrap_or(Errno::FAULT).store();
            ptr::null_mut()
        }
    }
}

/// `zmq_z85_decode`: stores the bytes of a text, and returns them; null for text that is not Z85.
///
/// # Safety
/// `text` must be null, or a string that ends with a zero byte; `data` must be null, or valid for writes of four bytes for every
/// five characters.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_z85_decode(data: *mut u8, text: *const c_char) -> *mut u8 {
    // SAFETY: As promised by the caller.
    let text =
        unsafe { memory::text(text) }.and_then(|text| if text.is_empty() { Err(Errno::INVALID) } else { Ok(text) });
    match text.and_then(|text| z85::decode(text).map_err(|_| Errno::INVALID)) {
        Ok(bytes) if !data.is_null() => {
            // SAFETY: As promised by the caller.
            unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), data, bytes.len()) };
            data
        }
        result => {
            result.err().unwrap_or(Errno::FAULT).store();
            ptr::null_mut()
        }
    }
}

/// Stores text and a zero byte.
///
/// # Safety
/// `target` must be valid for writes of the text and one byte.
unsafe fn write_text(text: &str, target: *mut c_char) {
    let target = target.cast::<u8>();
    // SAFETY: As promised by the caller.
    unsafe { ptr::copy_nonoverlapping(text.as_ptr(), target, text.len()) };
    // SAFETY: As promised by the caller.
    unsafe { target.wrapping_add(text.len()).write(0) };
}

static COUNTERS: Table<AtomicI32> = Table::new();

/// Calls `work` with a counter, and returns its result; 0 without such a counter.
fn with_counter(counter: *const c_void, work: impl FnOnce(&AtomicI32) -> c_int) -> c_int {
    COUNTERS.get(counter).map_or_else(
        || {
            Errno::FAULT.store();
            0
        },
        |counter| work(&counter),
    )
}

/// `zmq_atomic_counter_new`: creates a counter with the value 0.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_atomic_counter_new() -> *mut c_void {
    COUNTERS.add(AtomicI32::new(0))
}

/// `zmq_atomic_counter_set`: sets a counter.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_atomic_counter_set(counter: *mut c_void, value: c_int) {
    with_counter(counter, |counter| counter.swap(value, Ordering::AcqRel));
}

/// `zmq_atomic_counter_inc`: adds 1, and returns the value before.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_atomic_counter_inc(counter: *mut c_void) -> c_int {
    with_counter(counter, |counter| counter.fetch_add(1, Ordering::AcqRel))
}

/// `zmq_atomic_counter_dec`: subtracts 1, and returns 1 if the value is not zero afterwards.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_atomic_counter_dec(counter: *mut c_void) -> c_int {
    with_counter(counter, |counter| (counter.fetch_sub(1, Ordering::AcqRel) != 1).into())
}

/// `zmq_atomic_counter_value`: returns the value.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_atomic_counter_value(counter: *mut c_void) -> c_int {
    with_counter(counter, |counter| counter.load(Ordering::Acquire))
}

/// `zmq_atomic_counter_destroy`: ends a counter, and stores null in place of its handle.
///
/// # Safety
/// `counter` must be null, or valid for reads and writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_atomic_counter_destroy(counter: *mut *mut c_void) {
    if counter.is_null() {
        return;
    }
    // SAFETY: As promised by the caller.
    COUNTERS.remove(unsafe { counter.read() });
    // SAFETY: As promised by the caller.
    unsafe { counter.write(ptr::null_mut()) };
}

static WATCHES: Table<Instant> = Table::new();

fn micros(since: Instant) -> c_ulong {
    c_ulong::try_from(since.elapsed().as_micros()).unwrap_or(c_ulong::MAX)
}

/// `zmq_stopwatch_start`: starts a clock.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_stopwatch_start() -> *mut c_void {
    WATCHES.add(Instant::now())
}

/// `zmq_stopwatch_intermediate`: returns the microseconds since the start.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_stopwatch_intermediate(watch: *mut c_void) -> c_ulong {
    WATCHES.get(watch).map_or(0, |start| micros(*start))
}

/// `zmq_stopwatch_stop`: returns the microseconds since the start, and ends the clock.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_stopwatch_stop(watch: *mut c_void) -> c_ulong {
    WATCHES.remove(watch).map_or(0, |start| micros(*start))
}

/// `zmq_sleep`: waits for some seconds.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_sleep(seconds: c_int) {
    thread::sleep(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
}

/// Function of C code that a thread runs.
type ThreadFunction = unsafe extern "C" fn(argument: *mut c_void);

static THREADS: Table<Mutex<Option<JoinHandle<()>>>> = Table::new();

/// `zmq_threadstart`: runs a function in a new thread.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_threadstart(function: Option<ThreadFunction>, argument: *mut c_void) -> *mut c_void {
    let Some(function) = function else {
        Errno::FAULT.store();
        return ptr::null_mut();
    };
    let argument = argument.expose_provenance();
    let run = move || {
        // SAFETY: C code has given the function and the argument for this call.
        unsafe { function(ptr::with_exposed_provenance_mut(argument)) };
    };
    match io_thread::spawn("ZMQbg".into(), run) {
        Ok(thread) => THREADS.add(Mutex::new(Some(thread))),
        Err(error) => {
            error.store();
            ptr::null_mut()
        }
    }
}

/// `zmq_threadclose`: waits for the end of a thread of `zmq_threadstart`.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_threadclose(thread: *mut c_void) {
    let thread = THREADS.remove(thread).and_then(|thread| thread.lock().ok()?.take());
    if let Some(thread) = thread {
        // C code cannot unwind through the thread.
        let _ = thread.join();
    }
}
