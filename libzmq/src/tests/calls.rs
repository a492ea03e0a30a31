//! Waiting: signals during `zmq_ppoll`, the descriptor of a poller, and parts of messages of every socket type.

#![expect(clippy::multiple_unsafe_ops_per_block, reason = "a test calls many functions with valid pointers")]

use crate::context::{zmq_ctx_new, zmq_ctx_term};
use crate::errno::Errno;
use crate::message::zmq_msg_t;
use crate::messages::{
    zmq_msg_close, zmq_msg_group, zmq_msg_init, zmq_msg_more, zmq_msg_routing_id, zmq_msg_set_group,
    zmq_msg_set_routing_id, zmq_msg_size,
};
use crate::options::zmq_setsockopt;
use crate::poll::{zmq_poll, zmq_pollitem_t};
use crate::poller::{zmq_poller_add, zmq_poller_destroy, zmq_poller_fd, zmq_poller_new, zmq_poller_wait};
use crate::socket::{zmq_bind, zmq_close, zmq_connect, zmq_join, zmq_socket, zmq_socket_get_peer_state};
use crate::transfer::{zmq_msg_recv, zmq_msg_send, zmq_recv, zmq_send};
use core::ffi::{CStr, c_int, c_long, c_short, c_void};
use core::mem::MaybeUninit;
use core::ptr;

const PAIR: c_int = 0;
const DEALER: c_int = 5;
const ROUTER: c_int = 6;
const SERVER: c_int = 12;
const CLIENT: c_int = 13;
const RADIO: c_int = 14;
const DISH: c_int = 15;
const POLLIN: c_short = 1;
const POLLOUT: c_int = 2;
const SNDMORE: c_int = 2;
const DONTWAIT: c_int = 1;
const ROUTING_ID: c_int = 5;
const SNDHWM: c_int = 23;
const FOREVER: c_long = -1;

/// Creates a context, and a socket of each type: the first is bound to a name, and the second connects to it.
fn connected(types: [c_int; 2], name: &CStr) -> (*mut c_void, [*mut c_void; 2]) {
    let context = zmq_ctx_new();
    let [bound, connected] = types.map(|kind| zmq_socket(context, kind));
    // SAFETY: The name is a string.
    unsafe { assert_eq!((zmq_bind(bound, name.as_ptr()), zmq_connect(connected, name.as_ptr())), (0, 0)) };
    (context, [bound, connected])
}

fn end(context: *mut c_void, sockets: [*mut c_void; 2]) {
    assert_eq!(sockets.map(|socket| zmq_close(socket)), [0, 0]);
    assert_eq!(zmq_ctx_term(context), 0);
}

fn send(socket: *mut c_void, text: &str, flags: c_int) {
    // SAFETY: The pointer is valid for the length.
    let sent = unsafe { zmq_send(socket, text.as_ptr().cast(), text.len(), flags) };
    assert_eq!(usize::try_from(sent), Ok(text.len()), "{:?}", Errno::stored());
}

#[test]
#[cfg(not(target_vendor = "apple"))]
fn ppoll_returns_for_a_signal_that_was_pending_before() {
    extern "C" fn ignore(_: c_int) {}
    let (context, sockets) = connected([PAIR, PAIR], c"inproc://ppoll");
    let mut items = sockets.map(|socket| zmq_pollitem_t { socket, fd: -1, events: POLLIN, revents: 0 });
    // SAFETY: All pointers are valid; the handler does nothing, and the signal is sent to this thread.
    let (result, error) = unsafe {
        let mut action: libc::sigaction = core::mem::zeroed();
        action.sa_sigaction = ignore as extern "C" fn(c_int) as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR2, &raw const action, ptr::null_mut()), 0);
        let mut blocked: libc::sigset_t = core::mem::zeroed();
        assert_eq!((libc::sigemptyset(&raw mut blocked), libc::sigaddset(&raw mut blocked, libc::SIGUSR2)), (0, 0));
        let mut none = blocked;
        assert_eq!(libc::pthread_sigmask(libc::SIG_BLOCK, &raw const blocked, &raw mut none), 0);
        assert_eq!(libc::pthread_kill(libc::pthread_self(), libc::SIGUSR2), 0);
        let result = crate::poll::zmq_ppoll(items.as_mut_ptr(), 2, FOREVER, ptr::from_ref(&none).cast());
        (result, Errno::stored())
    };
    assert_eq!((result, error), (-1, Errno::INTERRUPTED));
    end(context, sockets);
}

#[test]
#[cfg(not(target_vendor = "apple"))]
fn ppoll_waits_for_a_message() {
    let (context, sockets) = connected([PAIR, PAIR], c"inproc://ppoll-message");
    let mut item = zmq_pollitem_t { socket: sockets[0], fd: -1, events: POLLIN, revents: 0 };
    let sender = sockets[1].expose_provenance();
    let thread = std::thread::spawn(move || send(ptr::with_exposed_provenance_mut(sender), "message", 0));
    // SAFETY: The pointers are valid, and every content is a set of signals.
    let ready = unsafe {
        let none: libc::sigset_t = core::mem::zeroed();
        crate::poll::zmq_ppoll(&raw mut item, 1, FOREVER, ptr::from_ref(&none).cast())
    };
    assert_eq!((ready, item.revents), (1, POLLIN));
    thread.join().unwrap();
    end(context, sockets);
}

#[test]
#[cfg(target_os = "linux")]
fn descriptor_of_a_poller_is_readable_after_a_message() {
    let (context, [server, client]) = connected([SERVER, CLIENT], c"inproc://poller-fd");
    let mut poller = zmq_poller_new();
    let mut descriptor = -1;
    let mut event = MaybeUninit::uninit();
    // SAFETY: The pointers are valid.
    unsafe {
        assert_eq!(zmq_poller_fd(poller, &raw mut descriptor), -1, "no socket");
        assert_eq!(zmq_poller_add(poller, server, ptr::null_mut(), POLLIN), 0);
        assert_eq!(zmq_poller_fd(poller, ptr::null_mut()), -1);
        assert_eq!(zmq_poller_fd(poller, &raw mut descriptor), 0);
        // Removes the first notification.
        assert_eq!(zmq_poller_wait(poller, event.as_mut_ptr(), 0), -1);
        let mut item = zmq_pollitem_t { socket: ptr::null_mut(), fd: descriptor, events: POLLIN, revents: 0 };
        assert_eq!(zmq_poll(&raw mut item, 1, 0), 0, "no message");
        for _ in 0..2 {
            send(client, "message", 0);
            assert_eq!(zmq_poll(&raw mut item, 1, FOREVER), 1);
            assert_eq!(zmq_poller_wait(poller, event.as_mut_ptr(), 0), 0);
            assert_eq!(zmq_recv(server, ptr::null_mut(), 0, DONTWAIT), 7);
            assert_eq!(zmq_poller_wait(poller, event.as_mut_ptr(), 0), -1);
        }
        assert_eq!(zmq_poller_destroy(&raw mut poller), 0);
    }
    end(context, [server, client]);
}

#[test]
fn peer_state_tells_whether_a_peer_has_room() {
    let context = zmq_ctx_new();
    let [router, dealer] = [ROUTER, DEALER].map(|kind| zmq_socket(context, kind));
    let state = |id: &str| {
        // SAFETY: The pointer is valid for the length.
        let state = unsafe { zmq_socket_get_peer_state(router, id.as_ptr().cast(), id.len()) };
        (state, if state < 0 { Errno::stored() } else { Errno(0) })
    };
    // SAFETY: The pointers are valid for the lengths.
    unsafe {
        let one: c_int = 1;
        assert_eq!(zmq_setsockopt(router, SNDHWM, ptr::from_ref(&one).cast(), size_of::<c_int>()), 0);
        assert_eq!(zmq_setsockopt(dealer, ROUTING_ID, b"peer".as_ptr().cast(), 4), 0);
        assert_eq!(zmq_bind(router, c"inproc://peer-state".as_ptr()), 0);
        assert_eq!(state("peer"), (-1, Errno::HOST_UNREACHABLE));
        assert_eq!(zmq_connect(dealer, c"inproc://peer-state".as_ptr()), 0);
        assert_eq!(state("peer"), (POLLOUT, Errno(0)));
        assert_eq!(zmq_socket_get_peer_state(dealer, b"peer".as_ptr().cast(), 4), -1);
        assert_eq!(Errno::stored(), Errno::NOT_SUPPORTED);
    }
    // The dealer receives as many as its high-water mark allows.
    let full = (0..10_000).find(|_| {
        send(router, "peer", SNDMORE);
        send(router, "message", 0);
        state("peer") == (0, Errno(0))
    });
    assert!(full.is_some());
    end(context, [router, dealer]);
}

#[test]
fn routing_id_and_group_are_properties_of_the_body() {
    let mut message = MaybeUninit::<zmq_msg_t>::uninit();
    let message = message.as_mut_ptr();
    // SAFETY: The pointer is valid.
    unsafe {
        assert_eq!(zmq_msg_init(message), 0);

        let (context, [server, client]) = connected([SERVER, CLIENT], c"inproc://server");
        send(client, "request", 0);
        assert_eq!(zmq_msg_recv(message, server, 0), 7);
        let id = zmq_msg_routing_id(message);
        assert!((id, zmq_msg_more(message), zmq_msg_size(message)) != (0, 0, 7) && id != 0);
        assert_eq!(zmq_msg_set_routing_id(message, id), 0);
        assert_eq!(zmq_msg_send(message, server, 0), 7);
        assert_eq!(zmq_msg_recv(message, client, 0), 7);
        end(context, [server, client]);

        let (context, [radio, dish]) = connected([RADIO, DISH], c"inproc://radio");
        assert_eq!(zmq_join(dish, c"group".as_ptr()), 0);
        assert_eq!(zmq_msg_set_group(message, c"group".as_ptr()), 0);
        assert_eq!(zmq_msg_send(message, radio, 0), 7);
        assert_eq!(zmq_msg_recv(message, dish, 0), 7);
        assert_eq!(CStr::from_ptr(zmq_msg_group(message)), c"group");
        end(context, [radio, dish]);

        assert_eq!(zmq_msg_close(message), 0);
    }
}

#[test]
fn frames_received_ahead_keep_their_order_and_their_ends() {
    let (context, sockets) = connected([PAIR, PAIR], c"inproc://ahead");
    let long = "x".repeat(100);
    for number in 0..100 {
        send(sockets[1], &format!("{number}"), SNDMORE);
        send(sockets[1], &long, SNDMORE);
        send(sockets[1], "", 0);
        send(sockets[1], "single", 0);
    }
    let mut message = MaybeUninit::<zmq_msg_t>::uninit();
    let message = message.as_mut_ptr();
    // SAFETY: The pointer is valid.
    unsafe {
        assert_eq!(zmq_msg_init(message), 0);
        for number in 0..100 {
            let digits = if number < 10 { 1 } else { 2 };
            for (len, more) in [(digits, 1), (100, 1), (0, 0), (6, 0)] {
                assert_eq!((zmq_msg_recv(message, sockets[0], DONTWAIT), zmq_msg_more(message)), (len, more));
            }
        }
        assert_eq!(zmq_msg_recv(message, sockets[0], DONTWAIT), -1);
        assert_eq!(zmq_msg_close(message), 0);
    }
    end(context, sockets);
}
