//! Options of sockets: their numbers in C, their values, and their effect on the options of sansmq.

mod get;
mod number;
mod set;
#[cfg(test)]
mod tests;

pub(crate) use get::is_thread_safe;
#[cfg(test)]
pub(crate) use {get::zmq_getsockopt, set::zmq_setsockopt};

use core::ffi::c_int;
use core::time::Duration;
use number::{NUMBERS, Number};
use sansmq::curve::{KeyPair, PublicKey, SecretKey};
use sansmq::proto::SystemEntropy;
use sansmq::{Security, SocketOption, SocketType};
use std::collections::BTreeMap;

use crate::errno::Errno;

pub(crate) const ROUTING_ID: c_int = 5;
const SUBSCRIBE: c_int = 6;
const UNSUBSCRIBE: c_int = 7;
const RCVMORE: c_int = 13;
const FD: c_int = 14;
const EVENTS: c_int = 15;
const TYPE: c_int = 16;
const LINGER: c_int = 17;
const LAST_ENDPOINT: c_int = 32;
const IPV4ONLY: c_int = 31;
const IPV6: c_int = 42;
const MECHANISM: c_int = 43;
const PLAIN_SERVER: c_int = 44;
const PLAIN_USERNAME: c_int = 45;
const PLAIN_PASSWORD: c_int = 46;
const CURVE_SERVER: c_int = 47;
const CURVE_PUBLICKEY: c_int = 48;
const CURVE_SECRETKEY: c_int = 49;
const CURVE_SERVERKEY: c_int = 50;
const ZAP_DOMAIN: c_int = 55;
const CONNECT_ROUTING_ID: c_int = 61;
const SOCKS_PROXY: c_int = 68;
const XPUB_WELCOME_MSG: c_int = 72;
const THREAD_SAFE: c_int = 81;
const USE_FD: c_int = 89;
const BINDTODEVICE: c_int = 92;
const ZAP_ENFORCE_DOMAIN: c_int = 93;
const METADATA: c_int = 95;
const SOCKS_USERNAME: c_int = 99;
const SOCKS_PASSWORD: c_int = 100;
const HELLO_MSG: c_int = 110;
const DISCONNECT_MSG: c_int = 111;
const HICCUP_MSG: c_int = 114;
const TOPICS_COUNT: c_int = 116;

/// Options that can be set before the first `bind` or `connect` only. A later change is refused, because it would be ignored.
const SECURITY: [c_int; 9] = [
    PLAIN_SERVER,
    PLAIN_USERNAME,
    PLAIN_PASSWORD,
    CURVE_SERVER,
    CURVE_PUBLICKEY,
    CURVE_SECRETKEY,
    CURVE_SERVERKEY,
    ZAP_DOMAIN,
    ZAP_ENFORCE_DOMAIN,
];

/// Values of the options of a socket, as C code has set them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values {
    /// Options with a number that differs from the default.
    numbers: BTreeMap<c_int, i64>,
    /// Options with bytes.
    bytes: BTreeMap<c_int, Vec<u8>>,
    mechanism: MechanismKind,
    /// True for a server of PLAIN or CURVE.
    is_server: bool,
}

/// Security mechanism, by its number in C.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum MechanismKind {
    #[default]
    Null = 0,
    Plain = 1,
    Curve = 2,
}

impl Values {
    pub(crate) fn new(socket_type: SocketType) -> Self {
        let mut values = Self::default();
        // These types send nothing but subscriptions, which have no use for a peer of a closed socket.
        if matches!(socket_type, SocketType::Sub | SocketType::XSub | SocketType::Dish) {
            values.set_linger_zero();
        }
        values
    }

    pub(crate) fn set_linger_zero(&mut self) {
        self.numbers.insert(LINGER, 0);
    }

    pub(crate) fn set_ipv6(&mut self) {
        self.numbers.insert(IPV6, 1);
        self.numbers.insert(IPV4ONLY, 0);
    }

    /// Returns the options of a new socket. Where a default of libzmq differs from that of sansmq, it is libzmq's, also for
    /// limits that libzmq does not have.
    pub(crate) fn initial(&self) -> Vec<SocketOption> {
        let mut options = vec![
            SocketOption::SendHwmBytes(0),
            SocketOption::RecvHwmBytes(0),
            SocketOption::MaxFrames(usize::MAX),
            SocketOption::MaxPeers(usize::MAX),
            SocketOption::MaxHandshakes(usize::MAX, usize::MAX),
            SocketOption::MaxHandshakeRate(usize::MAX),
            SocketOption::MaxSubscriptions(usize::MAX),
            SocketOption::MaxSubscriptionSize(usize::MAX),
            SocketOption::AuthTimeout(None),
            SocketOption::EnforceZapDomain(false),
            SocketOption::ReportLostPeer(false),
            SocketOption::CloseReasons(false),
        ];
        for row in NUMBERS {
            options.extend(self.effect(row.option));
        }
        options
    }

    fn number(&self, option: c_int) -> i64 {
        let default = || Number::find(option).map_or(0, |row| row.default);
        self.numbers.get(&option).copied().unwrap_or_else(default)
    }

    fn text(&self, option: c_int) -> &[u8] {
        self.bytes.get(&option).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn linger(&self) -> Option<Duration> {
        millis(self.number(LINGER))
    }

    /// Removes and returns the routing id for the next `connect`.
    pub(crate) fn take_connect_id(&mut self) -> Option<Vec<u8>> {
        self.bytes.remove(&CONNECT_ROUTING_ID)
    }

    /// Removes and returns the descriptor of a listener for the next `bind`.
    pub(crate) fn take_descriptor(&mut self) -> Option<c_int> {
        self.numbers.remove(&USE_FD).and_then(|descriptor| c_int::try_from(descriptor).ok()).filter(|&fd| fd >= 0)
    }

    /// Returns the mechanism with its keys or credentials, which count together.
    ///
    /// # Errors
    /// `EINVAL` for a mechanism with missing or unusable keys.
    pub(crate) fn security(&self) -> Result<SocketOption, Errno> {
        let security = match (self.mechanism, self.is_server) {
            (MechanismKind::Null, _) => Security::Null,
            (MechanismKind::Plain, true) => Security::PlainServer,
            (MechanismKind::Plain, false) => {
                Security::plain_client(self.text(PLAIN_USERNAME).to_vec(), self.text(PLAIN_PASSWORD).to_vec())
                    .map_err(|_| Errno::INVALID)?
            }
            (MechanismKind::Curve, true) => Security::curve_server(self.own_keys()),
            (MechanismKind::Curve, false) => {
                let server = PublicKey::from_bytes(self.key(CURVE_SERVERKEY));
                // libzmq accepts a key that is not usable, and no handshake succeeds with it, as with the key of no server.
                Security::curve_client(self.own_keys(), server).or_else(|_| {
                    let other = *KeyPair::generate(&mut SystemEntropy).public();
                    Security::curve_client(self.own_keys(), other).map_err(|_| Errno::INVALID)
                })?
            }
        };
        Ok(SocketOption::Security(security))
    }

    fn key(&self, option: c_int) -> [u8; 32] {
        self.text(option).try_into().unwrap_or_default()
    }

    fn own_keys(&self) -> KeyPair {
        SecretKey::from_bytes(self.key(CURVE_SECRETKEY)).into()
    }
}

/// Returns a time of libzmq in milliseconds, in which -1 means no limit.
fn millis(number: i64) -> Option<Duration> {
    u64::try_from(number).ok().map(Duration::from_millis)
}
