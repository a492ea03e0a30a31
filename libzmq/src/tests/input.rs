//! Bad input: null pointers, closed and foreign handles, and wrong lengths return the error of the manual.

#![expect(clippy::multiple_unsafe_ops_per_block, reason = "a test calls many functions with valid pointers")]

use crate::context::{zmq_ctx_get, zmq_ctx_new, zmq_ctx_set, zmq_ctx_shutdown, zmq_ctx_term};
use crate::errno::Errno;
use crate::message::zmq_msg_t;
use crate::messages::{
    zmq_msg_close, zmq_msg_copy, zmq_msg_data, zmq_msg_get, zmq_msg_gets, zmq_msg_init, zmq_msg_init_data,
    zmq_msg_init_size, zmq_msg_move, zmq_msg_set_routing_id, zmq_msg_size,
};
use crate::monitor::zmq_socket_monitor;
use crate::options::{zmq_getsockopt, zmq_setsockopt};
use crate::poll::zmq_poll;
use crate::poller::{zmq_poller_add, zmq_poller_destroy, zmq_poller_new, zmq_poller_wait_all};
use crate::proxy::zmq_proxy;
use crate::socket::{zmq_bind, zmq_close, zmq_connect, zmq_socket, zmq_unbind};
use crate::transfer::{zmq_msg_recv, zmq_msg_send, zmq_recv, zmq_send};
use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

const PAIR: c_int = 0;
const DONTWAIT: c_int = 1;

fn failed(result: c_int) -> Errno {
    assert_eq!(result, -1);
    Errno::stored()
}

/// Handles that are no handle of a socket: null, foreign, closed, and that of a context.
fn wrong_handles(context: *mut c_void) -> [*mut c_void; 4] {
    let closed = zmq_socket(context, PAIR);
    assert_eq!(zmq_close(closed), 0);
    [ptr::null_mut(), ptr::without_provenance_mut(0xdead_beef), closed, context]
}

#[test]
fn every_call_refuses_handles_that_are_no_socket() {
    let context = zmq_ctx_new();
    for handle in wrong_handles(context) {
        let name = c"inproc://name".as_ptr();
        let mut message = MaybeUninit::<zmq_msg_t>::uninit();
        let (mut number, mut len) = (0_i32, size_of::<c_int>());
        // SAFETY: All pointers are valid.
        let results = unsafe {
            assert_eq!(zmq_msg_init(message.as_mut_ptr()), 0);
            [
                zmq_close(handle),
                zmq_bind(handle, name),
                zmq_connect(handle, name),
                zmq_unbind(handle, name),
                zmq_send(handle, ptr::null(), 0, 0),
                zmq_recv(handle, ptr::null_mut(), 0, 0),
                zmq_msg_send(message.as_mut_ptr(), handle, 0),
                zmq_msg_recv(message.as_mut_ptr(), handle, 0),
                zmq_setsockopt(handle, 17, (&raw const number).cast(), len),
                zmq_getsockopt(handle, 17, (&raw mut number).cast(), &raw mut len),
                zmq_socket_monitor(handle, name, 1),
            ]
            .map(|result| (result, Errno::stored()))
        };
        assert!(results.iter().all(|result| *result == (-1, Errno::NOT_A_SOCKET)), "{handle:?}: {results:?}");
    }
    for handle in [ptr::null_mut(), ptr::without_provenance_mut(16)] {
        assert_eq!(failed(zmq_ctx_term(handle)), Errno::FAULT);
        assert_eq!(failed(zmq_ctx_set(handle, 1, 1)), Errno::FAULT);
        assert_eq!(failed(zmq_ctx_get(handle, 1)), Errno::FAULT);
        assert!(zmq_socket(handle, PAIR).is_null());
        assert_eq!(Errno::stored(), Errno::FAULT);
    }
    assert_eq!(failed(zmq_proxy(ptr::null_mut(), ptr::null_mut(), ptr::null_mut())), Errno::FAULT);
    assert_eq!(failed(zmq_proxy(context, context, context)), Errno::NOT_A_SOCKET);
    assert!(zmq_socket(context, 18).is_null() && Errno::stored() == Errno::INVALID, "DGRAM");
    assert!(zmq_socket(context, -1).is_null() && Errno::stored() == Errno::INVALID);
    assert_eq!(zmq_ctx_term(context), 0);
    assert_eq!(failed(zmq_ctx_term(context)), Errno::FAULT);
}

#[test]
fn null_and_wrong_pointers_are_refused() {
    let context = zmq_ctx_new();
    let socket = zmq_socket(context, PAIR);
    let mut bytes = [0_u8; 64];
    // SAFETY: All pointers are null or valid for the stated length.
    unsafe {
        assert_eq!(failed(zmq_bind(socket, ptr::null())), Errno::INVALID);
        assert_eq!(failed(zmq_bind(socket, c"no endpoint".as_ptr())), Errno::INVALID);
        assert_eq!(failed(zmq_bind(socket, c"other://name".as_ptr())), Errno(libc::EPROTONOSUPPORT));
        assert_eq!(failed(zmq_unbind(socket, c"inproc://name".as_ptr())), Errno::NO_ENTRY);
        assert_eq!(failed(zmq_send(socket, ptr::null(), 1, DONTWAIT)), Errno::FAULT);
        assert_eq!(failed(zmq_recv(socket, bytes.as_mut_ptr().cast(), 64, DONTWAIT)), Errno::AGAIN);
        assert_eq!(failed(zmq_setsockopt(socket, 17, ptr::null(), 4)), Errno::INVALID);
        assert_eq!(failed(zmq_getsockopt(socket, 17, bytes.as_mut_ptr().cast(), ptr::null_mut())), Errno::FAULT);
        let mut len = 4;
        assert_eq!(failed(zmq_getsockopt(socket, 17, ptr::null_mut(), &raw mut len)), Errno::FAULT);
        assert_eq!(failed(zmq_poll(ptr::null_mut(), 1, 0)), Errno::FAULT);
        assert_eq!(failed(zmq_poll(ptr::null_mut(), -1, 0)), Errno::INVALID);
        assert_eq!(zmq_poll(ptr::null_mut(), 0, 0), 0);
        let mut poller = zmq_poller_new();
        assert_eq!(failed(zmq_poller_wait_all(poller, ptr::null_mut(), 1, 0)), Errno::FAULT);
        assert_eq!(failed(zmq_poller_add(poller, context, ptr::null_mut(), 1)), Errno::NOT_A_SOCKET);
        assert_eq!(failed(zmq_poller_add(poller, socket, ptr::null_mut(), 64)), Errno::INVALID);
        assert_eq!(zmq_poller_destroy(&raw mut poller), 0);
        assert_eq!(failed(zmq_poller_destroy(&raw mut poller)), Errno::FAULT);
        assert_eq!(failed(zmq_poller_destroy(ptr::null_mut())), Errno::FAULT);
    }
    assert_eq!(zmq_ctx_shutdown(context), 0);
    // SAFETY: The pointer is null.
    assert_eq!(failed(unsafe { zmq_send(socket, ptr::null(), 0, 0) }), Errno::TERMINATED);
    assert!(zmq_socket(context, PAIR).is_null() && Errno::stored() == Errno::TERMINATED);
    assert_eq!(zmq_close(socket), 0);
    assert_eq!(zmq_ctx_term(context), 0);
}

#[test]
fn memory_without_a_message_is_refused() {
    let mut memory = MaybeUninit::<zmq_msg_t>::zeroed();
    let message = memory.as_mut_ptr();
    let mut other = MaybeUninit::<zmq_msg_t>::uninit();
    let other = other.as_mut_ptr();
    // SAFETY: The pointers are null, or valid for a message.
    unsafe {
        assert_eq!(zmq_msg_init(other), 0);
        for wrong in [ptr::null_mut(), message] {
            assert_eq!(failed(zmq_msg_close(wrong)), Errno::FAULT);
            assert_eq!(failed(zmq_msg_copy(other, wrong)), Errno::FAULT);
            assert_eq!(failed(zmq_msg_copy(wrong, other)), Errno::FAULT);
            assert_eq!(failed(zmq_msg_move(other, wrong)), Errno::FAULT);
            assert_eq!(failed(zmq_msg_get(wrong, 1)), Errno::FAULT);
            assert!(zmq_msg_data(wrong).is_null() && zmq_msg_size(wrong) == 0);
            assert!(zmq_msg_gets(wrong, c"Identity".as_ptr()).is_null());
        }
        assert_eq!(failed(zmq_msg_init(ptr::null_mut())), Errno::FAULT);
        assert_eq!(failed(zmq_msg_init_size(message, usize::MAX)), Errno::NO_MEMORY);
        assert_eq!(failed(zmq_msg_set_routing_id(other, 0)), Errno::INVALID);
        assert_eq!(zmq_msg_close(other), 0);
        assert_eq!(failed(zmq_msg_close(other)), Errno::FAULT, "closed already");
    }
}

#[test]
fn bytes_of_the_caller_are_released_once_after_the_last_copy() {
    static RELEASED: AtomicUsize = AtomicUsize::new(0);
    unsafe extern "C" fn release(data: *mut c_void, hint: *mut c_void) {
        assert_eq!(data.addr(), hint.addr());
        RELEASED.fetch_add(1, Ordering::Relaxed);
    }
    let mut bytes = vec![7_u8; 1000];
    let data: *mut c_void = bytes.as_mut_ptr().cast();
    let mut messages = [const { MaybeUninit::<zmq_msg_t>::uninit() }; 3];
    let [first, copy, moved] = messages.each_mut().map(MaybeUninit::as_mut_ptr);
    // SAFETY: The pointers are valid, and the bytes outlive the messages.
    unsafe {
        assert_eq!(zmq_msg_init_data(first, data, 1000, Some(release), data), 0);
        assert_eq!((zmq_msg_init(copy), zmq_msg_init(moved)), (0, 0));
        assert_eq!(zmq_msg_copy(copy, first), 0);
        assert_eq!((zmq_msg_data(copy), zmq_msg_size(copy)), (data, 1000), "not copied");
        assert_eq!(zmq_msg_move(moved, first), 0);
        assert_eq!((zmq_msg_size(first), zmq_msg_size(moved)), (0, 1000));
        assert_eq!((zmq_msg_close(first), zmq_msg_close(copy)), (0, 0));
        assert_eq!(RELEASED.load(Ordering::Relaxed), 0);
        assert_eq!(zmq_msg_close(moved), 0);
    }
    assert_eq!(RELEASED.load(Ordering::Relaxed), 1);
}
