//! `zmq_getsockopt`.

use super::number::Number;
use super::{
    BINDTODEVICE, CURVE_PUBLICKEY, CURVE_SECRETKEY, CURVE_SERVER, CURVE_SERVERKEY, EVENTS, FD, LAST_ENDPOINT,
    MECHANISM, MechanismKind, PLAIN_PASSWORD, PLAIN_SERVER, PLAIN_USERNAME, RCVMORE, ROUTING_ID, SOCKS_PASSWORD,
    SOCKS_PROXY, SOCKS_USERNAME, THREAD_SAFE, TOPICS_COUNT, TYPE, Values, ZAP_DOMAIN,
};
use crate::errno::{Errno, status};
use crate::memory;
use crate::readiness;
use crate::socket::{Socket, number_of, with_open};
use core::ffi::{c_int, c_void};
use core::sync::atomic::Ordering;
use sansmq::SocketType;
use sansmq::curve::z85;

/// `zmq_getsockopt`: copies the value of an option.
///
/// # Safety
/// `len` must be null, or valid for reads and writes, and `value` valid for writes of `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_getsockopt(
    socket: *mut c_void,
    option: c_int,
    value: *mut c_void,
    len: *mut usize,
) -> c_int {
    status(with_open(socket, |socket| {
        if len.is_null() {
            return Err(Errno::FAULT);
        }
        // SAFETY: The caller has promised that the pointer is valid.
        let size = unsafe { len.read() };
        let bytes = get(socket, option, size)?;
        // SAFETY: The caller has promised that both pointers are valid.
        unsafe { memory::write_option(&bytes, value, len) }
    }))
}

/// Returns the bytes of an option for memory of `size` bytes.
fn get(socket: &Socket, option: c_int, size: usize) -> Result<Vec<u8>, Errno> {
    let number = |number: c_int| Ok(number.to_ne_bytes().to_vec());
    match option {
        RCVMORE => number(socket.is_receiving.load(Ordering::Relaxed).into()),
        EVENTS => number(readiness::events(socket)),
        FD if is_thread_safe(socket.kind) => Err(Errno::INVALID),
        FD => number(socket.readiness.descriptor(socket)?),
        TYPE => number(number_of(socket.kind)),
        THREAD_SAFE => number(is_thread_safe(socket.kind).into()),
        TOPICS_COUNT => number(c_int::try_from(socket.handle().subscription_count()).unwrap_or(c_int::MAX)),
        LAST_ENDPOINT => Ok(terminated(socket.state().last_endpoint.as_bytes())),
        // A STREAM generates the routing ids. Returns that of the latest peer.
        ROUTING_ID if socket.kind == SocketType::Stream => {
            let peers = socket.handle().peer_stats();
            Ok(peers.last().map(|peer| peer.routing_id.to_vec()).unwrap_or_default())
        }
        _ => socket.state().values.get(option, size, socket.kind),
    }
}

/// Returns true for the types of which libzmq allows several threads to use one socket.
pub(crate) const fn is_thread_safe(socket_type: SocketType) -> bool {
    use SocketType::{Channel, Client, Dish, Gather, Peer, Radio, Scatter, Server};
    matches!(socket_type, Client | Server | Radio | Dish | Scatter | Gather | Peer | Channel)
}

/// Returns text with the zero byte at its end.
fn terminated(text: &[u8]) -> Vec<u8> {
    [text, &[0]].concat()
}

impl Values {
    fn get(&self, option: c_int, size: usize, socket_type: SocketType) -> Result<Vec<u8>, Errno> {
        let number = |number: c_int| {
            if size == size_of::<c_int>() { Ok(number.to_ne_bytes().to_vec()) } else { Err(Errno::INVALID) }
        };
        if let Some(row) = Number::find(option) {
            if !row.is_readable_for(socket_type) || size != row.size {
                return Err(Errno::INVALID);
            }
            let value = self.number(option);
            return Ok(match row.size {
                8 => value.to_ne_bytes().to_vec(),
                _ => c_int::try_from(value).unwrap_or(c_int::MAX).to_ne_bytes().to_vec(),
            });
        }
        match option {
            MECHANISM => number(self.mechanism as c_int),
            PLAIN_SERVER => number((self.is_server && self.mechanism == MechanismKind::Plain).into()),
            CURVE_SERVER => number((self.is_server && self.mechanism == MechanismKind::Curve).into()),
            CURVE_PUBLICKEY | CURVE_SECRETKEY | CURVE_SERVERKEY => match size {
                32 => Ok(self.key(option).to_vec()),
                41 => Ok(terminated(z85::encode(&self.key(option)).map_err(|_| Errno::INVALID)?.as_bytes())),
                _ => Err(Errno::INVALID),
            },
            ROUTING_ID => Ok(self.text(option).to_vec()),
            PLAIN_USERNAME | PLAIN_PASSWORD | ZAP_DOMAIN | SOCKS_PROXY | SOCKS_USERNAME | SOCKS_PASSWORD
            | BINDTODEVICE => Ok(terminated(self.text(option))),
            _ => Err(Errno::INVALID),
        }
    }
}
