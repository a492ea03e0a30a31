//! The functions for messages: `zmq_msg_init` and those that follow it in the manual.

use crate::errno::{Errno, number, status};
use crate::memory;
use crate::message::{ForeignBytes, FreeFunction, Message, zmq_msg_t};
use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr;

/// `zmq_msg_init`: stores an empty message.
///
/// # Safety
/// `message` must be null, or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_init(message: *mut zmq_msg_t) -> c_int {
    // SAFETY: As promised by the caller.
    status(unsafe { Message::empty().store(message) })
}

/// `zmq_msg_init_size`: stores a message with `len` bytes, which the caller fills.
///
/// # Safety
/// `message` must be null, or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_init_size(message: *mut zmq_msg_t, len: usize) -> c_int {
    // SAFETY: As promised by the caller.
    status(Message::with_len(len).and_then(|created| unsafe { created.store(message) }))
}

/// `zmq_msg_init_buffer`: stores a message with a copy of bytes.
///
/// # Safety
/// `message` must be null, or valid for writes; `data` must be null, or valid for reads of `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_init_buffer(message: *mut zmq_msg_t, data: *const c_void, len: usize) -> c_int {
    // SAFETY: As promised by the caller.
    status(unsafe { memory::bytes(data, len) }.and_then(|bytes| {
        let mut created = Message::with_len(len)?;
        created.fill(bytes);
        // SAFETY: As promised by the caller.
        unsafe { created.store(message) }
    }))
}

/// `zmq_msg_init_data`: stores a message that refers to bytes of the caller, which are not copied. `free` is called when no
/// message needs them any more, in any thread.
///
/// # Safety
/// `message` must be null, or valid for writes. `data` must be null, or valid for reads of `len` bytes until `free` is called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_init_data(
    message: *mut zmq_msg_t,
    data: *mut c_void,
    len: usize,
    free: Option<FreeFunction>,
    hint: *mut c_void,
) -> c_int {
    if message.is_null() || (data.is_null() && len > 0) {
        return status(Err(Errno::FAULT));
    }
    // SAFETY: As promised by the caller.
    let owner = unsafe { ForeignBytes::new(data, len, free, hint) };
    // SAFETY: As promised by the caller.
    status(unsafe { Message::with_owner(owner).store(message) })
}

/// `zmq_msg_close`: releases a message.
///
/// # Safety
/// `message` must be null, or point to a message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_close(message: *mut zmq_msg_t) -> c_int {
    // SAFETY: As promised by the caller.
    status(unsafe { Message::at(message) }.map(Message::close))
}

/// `zmq_msg_move`: replaces the message `target` by `source`, which is empty afterwards.
///
/// # Safety
/// Both pointers must be null, or point to a message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_move(target: *mut zmq_msg_t, source: *mut zmq_msg_t) -> c_int {
    // SAFETY: As promised by the caller.
    let taken = unsafe { Message::at(source) }.map(|source| core::mem::replace(source, Message::empty()));
    // SAFETY: As promised by the caller. The reference to the source has ended, so both may be the same.
    status(taken.and_then(|taken| unsafe { Message::at(target) }.map(|target| *target = taken)))
}

/// `zmq_msg_copy`: replaces the message `target` by a copy of `source`. Long bytes are shared.
///
/// # Safety
/// As [`zmq_msg_move`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_copy(target: *mut zmq_msg_t, source: *mut zmq_msg_t) -> c_int {
    // SAFETY: As promised by the caller.
    let shared = unsafe { Message::at(source) }.map(Message::share);
    // SAFETY: As promised by the caller. The reference to the source has ended, so both may be the same.
    status(shared.and_then(|shared| unsafe { Message::at(target) }.map(|target| *target = shared)))
}

/// `zmq_msg_data`: returns the bytes of a message; null if there is no message.
///
/// # Safety
/// As [`zmq_msg_close`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_data(message: *mut zmq_msg_t) -> *mut c_void {
    // SAFETY: As promised by the caller.
    unsafe { Message::at(message) }.map_or(ptr::null_mut(), Message::data)
}

/// `zmq_msg_size`: returns the number of bytes; 0 if there is no message.
///
/// # Safety
/// As [`zmq_msg_close`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_size(message: *const zmq_msg_t) -> usize {
    // SAFETY: As promised by the caller.
    unsafe { Message::at(message.cast_mut()) }.map_or(0, |message| message.bytes().len())
}

/// `zmq_msg_more`: returns 1 if another frame of the same message follows.
///
/// # Safety
/// As [`zmq_msg_close`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_more(message: *const zmq_msg_t) -> c_int {
    // SAFETY: As promised by the caller.
    unsafe { Message::at(message.cast_mut()) }.map_or(0, |message| message.has_more().into())
}

/// `zmq_msg_get`: returns a property of a message.
///
/// # Safety
/// As [`zmq_msg_close`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_get(message: *const zmq_msg_t, property: c_int) -> c_int {
    const MORE: c_int = 1;
    const SHARED: c_int = 3;
    // SAFETY: As promised by the caller.
    number(unsafe { Message::at(message.cast_mut()) }.and_then(|message| match property {
        MORE => Ok(message.has_more().into()),
        SHARED => Ok(message.is_shared().into()),
        // `ZMQ_SRCFD` too: a message does not have the descriptor of its connection.
        _ => Err(Errno::INVALID),
    }))
}

/// `zmq_msg_set`: no property of a message can be set.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_msg_set(_: *mut zmq_msg_t, _: c_int, _: c_int) -> c_int {
    status(Err(Errno::INVALID))
}

/// `zmq_msg_gets`: returns a property of the peer that sent a message, valid until the message is closed; null without it.
///
/// # Safety
/// As [`zmq_msg_close`], and `name` must be null, or a string that ends with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_gets(message: *const zmq_msg_t, name: *const c_char) -> *const c_char {
    if name.is_null() {
        Errno::INVALID.store();
        return ptr::null();
    }
    // SAFETY: As promised by the caller.
    let name = unsafe { CStr::from_ptr(name) };
    // SAFETY: As promised by the caller.
    let text = unsafe { Message::at(message.cast_mut()) }
        .and_then(|message| message.property(name).map(CStr::as_ptr).ok_or(Errno::INVALID));
    text.unwrap_or_else(|error| {
        error.store();
        ptr::null()
    })
}

/// `zmq_msg_routing_id`: returns the routing id of the client that sent a message to a SERVER; 0 without one.
///
/// # Safety
/// As [`zmq_msg_close`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_routing_id(message: *mut zmq_msg_t) -> u32 {
    // SAFETY: As promised by the caller.
    unsafe { Message::at(message) }.map_or(0, |message| message.routing_id)
}

/// `zmq_msg_set_routing_id`: sets the client to which a SERVER sends the message.
///
/// # Safety
/// As [`zmq_msg_close`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_set_routing_id(message: *mut zmq_msg_t, routing_id: u32) -> c_int {
    if routing_id == 0 {
        return status(Err(Errno::INVALID));
    }
    // SAFETY: As promised by the caller.
    status(unsafe { Message::at(message) }.map(|message| message.routing_id = routing_id))
}

/// `zmq_msg_group`: returns the group of a message of a RADIO or DISH; empty without one.
///
/// # Safety
/// As [`zmq_msg_close`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_group(message: *mut zmq_msg_t) -> *const c_char {
    // SAFETY: As promised by the caller.
    unsafe { Message::at(message) }.map_or(ptr::null(), |message| message.group().as_ptr())
}

/// `zmq_msg_set_group`: sets the group to which a RADIO sends the message.
///
/// # Safety
/// As [`zmq_msg_close`], and `group` must be null, or a string that ends with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_set_group(message: *mut zmq_msg_t, group: *const c_char) -> c_int {
    const LONGEST: usize = 255;
    if group.is_null() {
        return status(Err(Errno::INVALID));
    }
    // SAFETY: As promised by the caller.
    let group = unsafe { CStr::from_ptr(group) };
    if group.count_bytes() > LONGEST {
        return status(Err(Errno::INVALID));
    }
    // SAFETY: As promised by the caller.
    status(unsafe { Message::at(message) }.map(|message| message.set_group(group.to_owned())))
}
