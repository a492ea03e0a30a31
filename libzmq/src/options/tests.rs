//! Every option, on every socket type, before and after `zmq_bind` and `zmq_connect`.

#![expect(clippy::multiple_unsafe_ops_per_block, reason = "a test calls many functions with valid pointers")]

use super::number::{NUMBERS, Number};
use super::{
    BINDTODEVICE, CONNECT_ROUTING_ID, CURVE_PUBLICKEY, CURVE_SECRETKEY, CURVE_SERVER, CURVE_SERVERKEY, DISCONNECT_MSG,
    HELLO_MSG, HICCUP_MSG, METADATA, PLAIN_PASSWORD, PLAIN_SERVER, PLAIN_USERNAME, ROUTING_ID, SECURITY,
    SOCKS_PASSWORD, SOCKS_PROXY, SOCKS_USERNAME, SUBSCRIBE, UNSUBSCRIBE, USE_FD, XPUB_WELCOME_MSG, ZAP_DOMAIN,
};
use crate::context::{zmq_ctx_new, zmq_ctx_term};
use crate::errno::Errno;
use crate::options::get::zmq_getsockopt;
use crate::options::set::zmq_setsockopt;
use crate::socket::{zmq_bind, zmq_close, zmq_connect, zmq_socket};
use core::ffi::{c_int, c_void};

/// `ZMQ_CONFLATE`.
const CONFLATE: c_int = 54;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    New,
    Bound,
    Connected,
}

/// A socket in a context of its own.
struct Fixture {
    context: *mut c_void,
    socket: *mut c_void,
}

impl Fixture {
    fn new(socket_type: c_int, moment: Moment) -> Self {
        let context = zmq_ctx_new();
        let socket = zmq_socket(context, socket_type);
        assert!(!socket.is_null());
        // SAFETY: The endpoints are strings with a zero byte.
        let reached = unsafe {
            match moment {
                Moment::New => 0,
                Moment::Bound => zmq_bind(socket, c"inproc://name".as_ptr()),
                Moment::Connected => zmq_connect(socket, c"inproc://name".as_ptr()),
            }
        };
        // A STREAM has no `inproc`.
        assert!(reached == 0 || socket_type == STREAM);
        if reached != 0 {
            // SAFETY: As above.
            let reached = unsafe {
                match moment {
                    Moment::Bound => zmq_bind(socket, c"tcp://127.0.0.1:*".as_ptr()),
                    Moment::New | Moment::Connected => zmq_connect(socket, c"tcp://127.0.0.1:1".as_ptr()),
                }
            };
            assert_eq!(reached, 0);
        }
        let fixture = Self { context, socket };
        assert_eq!(fixture.set(17, &0_i32.to_ne_bytes()), Ok(()), "no message is left at the end");
        fixture
    }

    fn set(&self, option: c_int, value: &[u8]) -> Result<(), Errno> {
        // SAFETY: The value is a slice.
        match unsafe { zmq_setsockopt(self.socket, option, value.as_ptr().cast(), value.len()) } {
            0 => Ok(()),
            _ => Err(Errno::stored()),
        }
    }

    fn get(&self, option: c_int, size: usize) -> Result<Vec<u8>, Errno> {
        let (mut bytes, mut len) = (vec![0; size], size);
        // SAFETY: The memory has `len` bytes.
        match unsafe { zmq_getsockopt(self.socket, option, bytes.as_mut_ptr().cast(), &raw mut len) } {
            0 => {
                bytes.truncate(len);
                Ok(bytes)
            }
            _ => Err(Errno::stored()),
        }
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        assert_eq!(zmq_close(self.socket), 0);
        assert_eq!(zmq_ctx_term(self.context), 0);
    }
}

const STREAM: c_int = 11;
/// `ZMQ_DGRAM`, which does not exist here.
const DGRAM: c_int = 18;

fn types() -> impl Iterator<Item = c_int> {
    (0..=20).filter(|&socket_type| socket_type != DGRAM)
}

/// Returns the bytes of a number that differs from the default of the option.
fn other_number(row: &Number) -> Vec<u8> {
    let (low, high) = row.range;
    let mut value = [row.default + 1, row.default - 1].into_iter().find(|value| (low..=high).contains(value)).unwrap();
    if row.option == 76 {
        // The time to live is stored in tenths of a second.
        value = 100;
    }
    let value = if row.option == USE_FD { -1 } else { value };
    if row.size == 8 { value.to_ne_bytes().to_vec() } else { c_int::try_from(value).unwrap().to_ne_bytes().to_vec() }
}

#[test]
fn every_number_is_applied_or_refused_at_every_moment() {
    for socket_type in types() {
        for moment in [Moment::New, Moment::Bound, Moment::Connected] {
            let fixture = Fixture::new(socket_type, moment);
            for row in NUMBERS {
                let (option, value) = (row.option, other_number(row));
                let context = format!("option {option} of type {socket_type}, {moment:?}");
                let kind = crate::socket::find(fixture.socket).unwrap().kind;
                let exists = row.exists_for(kind);
                let is_fixed = SECURITY.contains(&option)
                    || (option == CONFLATE && !super::Values::is_conflate_without_effect(option, kind));
                let is_late = is_fixed && moment != Moment::New;
                let expected = if exists && !is_late { Ok(()) } else { Err(Errno::INVALID) };
                assert_eq!(fixture.set(option, &value), expected, "{context}");
                // A value of the wrong length, and one beyond the limits.
                assert_eq!(fixture.set(option, &[0; 3]), Err(Errno::INVALID), "{context}");
                assert_eq!(fixture.set(option, &[]), Err(Errno::INVALID), "{context}");
                if row.range.1 < i64::from(c_int::MAX) {
                    assert_eq!(fixture.set(option, &c_int::MAX.to_ne_bytes()), Err(Errno::INVALID), "{context}");
                }
                if exists && row.is_readable && !is_late {
                    assert_eq!(fixture.get(option, row.size), Ok(value), "{context}");
                } else if row.is_readable_for(kind) && !exists {
                    assert_eq!(fixture.get(option, row.size), Ok(vec![0; row.size]), "{context}");
                } else if !exists || !row.is_readable {
                    assert_eq!(fixture.get(option, row.size), Err(Errno::INVALID), "{context}");
                }
                assert_eq!(fixture.get(option, row.size - 1), Err(Errno::INVALID), "{context}");
            }
        }
    }
}

/// Options with bytes: a valid value, and the socket types that have the option; none: all types.
const BYTES: [(c_int, &[u8], &[c_int]); 19] = [
    (ROUTING_ID, b"id", &[]),
    (SUBSCRIBE, b"topic", &[2]),
    (UNSUBSCRIBE, b"topic", &[2]),
    (PLAIN_SERVER, &1_i32.to_ne_bytes(), &[]),
    (PLAIN_USERNAME, b"user", &[]),
    (PLAIN_PASSWORD, b"password", &[]),
    (CURVE_SERVER, &1_i32.to_ne_bytes(), &[]),
    (CURVE_PUBLICKEY, &[1; 32], &[]),
    (CURVE_SECRETKEY, &[2; 32], &[]),
    (CURVE_SERVERKEY, b"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", &[]),
    (ZAP_DOMAIN, b"global", &[]),
    (CONNECT_ROUTING_ID, b"peer", &[6, STREAM]),
    (SOCKS_PROXY, b"localhost:1080", &[]),
    (SOCKS_USERNAME, b"user", &[]),
    (SOCKS_PASSWORD, b"password", &[]),
    (BINDTODEVICE, b"lo", &[]),
    (METADATA, b"X-name:value", &[]),
    (XPUB_WELCOME_MSG, b"welcome", &[9]),
    (HELLO_MSG, b"hello", &[]),
];

#[test]
fn every_option_with_bytes_is_applied_or_refused_at_every_moment() {
    for socket_type in types() {
        for moment in [Moment::New, Moment::Bound, Moment::Connected] {
            for (option, value, types) in BYTES {
                let fixture = Fixture::new(socket_type, moment);
                let is_late = SECURITY.contains(&option) && moment != Moment::New;
                // Options that other types do not have are accepted without effect where libzmq accepts them.
                let exists = types.is_empty() || types.contains(&socket_type) || option == XPUB_WELCOME_MSG;
                let is_xpub = matches!(option, SUBSCRIBE | UNSUBSCRIBE) && socket_type == 9;
                let result = fixture.set(option, value);
                let context = format!("option {option} of type {socket_type}, {moment:?}");
                if is_late || (!exists && !is_xpub) {
                    assert_eq!(result, Err(Errno::INVALID), "{context}");
                } else if exists {
                    assert_eq!(result, Ok(()), "{context}");
                }
            }
        }
    }
}

#[test]
fn numbers_that_are_no_option_are_refused() {
    let fixture = Fixture::new(0, Moment::New);
    let known = |option: c_int| {
        Number::find(option).is_some()
            || BYTES.iter().any(|(known, ..)| *known == option)
            || matches!(option, DISCONNECT_MSG | HICCUP_MSG)
    };
    for option in (-1..200).filter(|&option| !known(option)) {
        assert_eq!(fixture.set(option, &1_i32.to_ne_bytes()), Err(Errno::INVALID), "option {option}");
    }
}
