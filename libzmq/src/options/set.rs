//! `zmq_setsockopt`.

use super::number::{HEARTBEAT_TTL, Number, RCVTIMEO, SNDTIMEO};
use super::{
    BINDTODEVICE, CONNECT_ROUTING_ID, CURVE_PUBLICKEY, CURVE_SECRETKEY, CURVE_SERVER, CURVE_SERVERKEY, DISCONNECT_MSG,
    HELLO_MSG, HICCUP_MSG, IPV4ONLY, IPV6, METADATA, MechanismKind, PLAIN_PASSWORD, PLAIN_SERVER, PLAIN_USERNAME,
    ROUTING_ID, SECURITY, SOCKS_PASSWORD, SOCKS_PROXY, SOCKS_USERNAME, SUBSCRIBE, UNSUBSCRIBE, Values,
    XPUB_WELCOME_MSG, ZAP_DOMAIN,
};
use crate::errno::{Errno, status};
use crate::memory;
use crate::socket::{Socket, with_open};
use bytes::Bytes;
use core::ffi::{c_int, c_void};
use core::sync::atomic::Ordering;
use sansmq::curve::PublicKey;
use sansmq::{SocketOption, SocketType, SubscribeError};

/// `zmq_setsockopt`: sets an option of a socket.
///
/// # Safety
/// `value` must be null, or valid for reads of `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_setsockopt(socket: *mut c_void, option: c_int, value: *const c_void, len: usize) -> c_int {
    status(with_open(socket, |socket| {
        // SAFETY: The caller has promised that the bytes are readable.
        let bytes = unsafe { memory::bytes(value, len) }.map_err(|_| Errno::INVALID)?;
        set(socket, option, bytes, value.is_null())
    }))
}

/// Sets an option. `is_null` is true if C code has passed no value, which removes the value of some options.
fn set(socket: &Socket, option: c_int, value: &[u8], is_null: bool) -> Result<(), Errno> {
    match option {
        // The XSUB of libzmq subscribes by messages only.
        SUBSCRIBE | UNSUBSCRIBE if socket.kind == SocketType::XSub => return Err(Errno::INVALID),
        SUBSCRIBE => return subscription(socket.handle().subscribe(value)),
        UNSUBSCRIBE => return subscription(socket.handle().unsubscribe(value)),
        _ => {}
    }
    let mut state = socket.state();
    if SECURITY.contains(&option) && state.has_endpoints {
        return Err(Errno::INVALID);
    }
    let before = state.values.clone();
    let effects = match Number::find(option) {
        Some(row) => state.values.set_number(row, value, socket.kind),
        None if is_null => state.values.remove(option),
        None => state.values.set_bytes(option, value, socket.kind),
    };
    let applied = match effects {
        Ok(effects) => {
            let applied = effects.into_iter().try_for_each(|effect| socket.apply(effect));
            if matches!(option, SOCKS_PROXY | SOCKS_USERNAME | SOCKS_PASSWORD) {
                // libzmq accepts every text as the address of a proxy. With one that is none, `connect` fails here.
                state.has_unusable_proxy = applied.is_err();
                return Ok(());
            }
            applied
        }
        Err(error) => Err(error),
    };
    if applied.is_err() {
        state.values = before;
        return applied;
    }
    let timeout = match option {
        SNDTIMEO => &socket.send_timeout,
        RCVTIMEO => &socket.recv_timeout,
        _ => return Ok(()),
    };
    timeout.store(c_int::try_from(state.values.number(option)).unwrap_or(-1), Ordering::Relaxed);
    Ok(())
}

/// Returns success for changes that libzmq ignores: the end of a subscription that does not exist, and a change of an XPUB with
/// `XPUB_MANUAL` that has received no request, or has lost the peer of the request.
fn subscription(changed: Result<(), SubscribeError>) -> Result<(), Errno> {
    match changed {
        Err(SubscribeError::NotSubscribed | SubscribeError::NoRequest) => Ok(()),
        changed => Ok(changed?),
    }
}

impl Values {
    fn set_number(&mut self, row: &Number, value: &[u8], socket_type: SocketType) -> Result<Vec<SocketOption>, Errno> {
        if !row.exists_for(socket_type) {
            return Err(Errno::INVALID);
        }
        let number = match value.len() {
            4 if row.size == 4 => value.try_into().map(c_int::from_ne_bytes).map(i64::from),
            8 if row.size == 8 => value.try_into().map(i64::from_ne_bytes),
            _ => return Err(Errno::INVALID),
        };
        let number = number.map_err(|_| Errno::INVALID)?;
        if !(row.range.0..=row.range.1).contains(&number) {
            return Err(Errno::INVALID);
        }
        // A PING carries the time to live in tenths of a second.
        let number = if row.option == HEARTBEAT_TTL { number / 100 * 100 } else { number };
        self.numbers.insert(row.option, number);
        match row.option {
            IPV6 => _ = self.numbers.insert(IPV4ONLY, 1 - number),
            IPV4ONLY => _ = self.numbers.insert(IPV6, 1 - number),
            option if Self::is_conflate_without_effect(option, socket_type) => return Ok(Vec::new()),
            _ => {}
        }
        Ok(self.effect(row.option))
    }

    /// Removes the value of an option.
    fn remove(&mut self, option: c_int) -> Result<Vec<SocketOption>, Errno> {
        match option {
            PLAIN_USERNAME | PLAIN_PASSWORD => self.mechanism = MechanismKind::Null,
            SOCKS_USERNAME | SOCKS_PASSWORD => {
                self.bytes.remove(&option);
                return Ok(self.effect(option));
            }
            // A proxy stays in use once it is set: sansmq has no option to remove it.
            SOCKS_PROXY if !self.bytes.contains_key(&SOCKS_PROXY) => {}
            XPUB_WELCOME_MSG | HELLO_MSG | DISCONNECT_MSG | HICCUP_MSG if !self.bytes.contains_key(&option) => {}
            _ => return Err(Errno::INVALID),
        }
        self.bytes.remove(&option);
        Ok(Vec::new())
    }

    fn set_bytes(&mut self, option: c_int, value: &[u8], socket_type: SocketType) -> Result<Vec<SocketOption>, Errno> {
        let text = || String::from_utf8(value.to_vec()).map_err(|_| Errno::INVALID);
        let effect = match option {
            PLAIN_SERVER | CURVE_SERVER => {
                let mechanism = if option == PLAIN_SERVER { MechanismKind::Plain } else { MechanismKind::Curve };
                self.is_server = match value.try_into().map(c_int::from_ne_bytes) {
                    Ok(0) => false,
                    Ok(1) => true,
                    Ok(_) | Err(_) => return Err(Errno::INVALID),
                };
                self.mechanism = if self.is_server { mechanism } else { MechanismKind::Null };
                return Ok(Vec::new());
            }
            PLAIN_USERNAME | PLAIN_PASSWORD if (1..=255).contains(&value.len()) => {
                (self.mechanism, self.is_server) = (MechanismKind::Plain, false);
                None
            }
            CURVE_PUBLICKEY | CURVE_SECRETKEY | CURVE_SERVERKEY => {
                // A key of 41 bytes is text with its zero byte.
                let value = value.strip_suffix(&[0]).filter(|text| text.len() == 40).unwrap_or(value);
                let key = PublicKey::try_from(value).map_err(|_| Errno::INVALID)?;
                self.bytes.insert(option, key.as_bytes().to_vec());
                self.mechanism = MechanismKind::Curve;
                self.is_server &= option != CURVE_SERVERKEY;
                return Ok(Vec::new());
            }
            ZAP_DOMAIN => Some(SocketOption::ZapDomain(text()?)),
            ROUTING_ID if (1..=255).contains(&value.len()) => Some(SocketOption::RoutingId(value.into())),
            CONNECT_ROUTING_ID
                if matches!(socket_type, SocketType::Router | SocketType::Stream) && !value.is_empty() =>
            {
                None
            }
            SOCKS_PROXY if value.is_empty() => return Err(Errno::INVALID),
            SOCKS_USERNAME | SOCKS_PASSWORD if value.is_empty() => return self.remove(option),
            SOCKS_PROXY | SOCKS_USERNAME | SOCKS_PASSWORD if value.len() <= 255 => {
                self.bytes.insert(option, value.to_vec());
                return Ok(self.effect(option));
            }
            XPUB_WELCOME_MSG => Some(SocketOption::WelcomeMessage(value.into())),
            BINDTODEVICE => Some(SocketOption::BindToDevice(text()?)),
            METADATA => {
                let text = text()?;
                let (name, value) = text.split_once(':').ok_or(Errno::INVALID)?;
                Some(SocketOption::Metadata(name.to_owned(), Bytes::copy_from_slice(value.as_bytes())))
            }
            HELLO_MSG => Some(SocketOption::HelloMessage(value.into())),
            DISCONNECT_MSG => Some(SocketOption::DisconnectMessage(value.into())),
            HICCUP_MSG => Some(SocketOption::HiccupMessage(value.into())),
            _ => return Err(Errno::INVALID),
        };
        self.bytes.insert(option, value.to_vec());
        Ok(effect.into_iter().collect())
    }
}
