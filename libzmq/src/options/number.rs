//! [`NUMBERS`]: options with a number, with their defaults and limits, and [`Values::effect`].

use super::{
    IPV4ONLY, IPV6, LINGER, SOCKS_PASSWORD, SOCKS_PROXY, SOCKS_USERNAME, USE_FD, Values, ZAP_ENFORCE_DOMAIN, millis,
};
use core::ffi::c_int;
use core::time::Duration;
use sansmq::SocketType::{Dealer, Pub, Pull, Push, Radio, Req, Router, Stream, Sub, XPub, XSub};
use sansmq::{Keepalive, KeepaliveConfig, ReconnectStop, SlowSubscriber, SocketOption, SocketType};

const AFFINITY: c_int = 4;
const SNDBUF: c_int = 11;
const RCVBUF: c_int = 12;
const RECONNECT_IVL: c_int = 18;
const BACKLOG: c_int = 19;
const RECONNECT_IVL_MAX: c_int = 21;
const MAXMSGSIZE: c_int = 22;
const SNDHWM: c_int = 23;
const RCVHWM: c_int = 24;
pub(super) const RCVTIMEO: c_int = 27;
pub(super) const SNDTIMEO: c_int = 28;
const ROUTER_MANDATORY: c_int = 33;
const TCP_KEEPALIVE: c_int = 34;
const TCP_KEEPALIVE_CNT: c_int = 35;
const TCP_KEEPALIVE_IDLE: c_int = 36;
const TCP_KEEPALIVE_INTVL: c_int = 37;
const IMMEDIATE: c_int = 39;
const XPUB_VERBOSE: c_int = 40;
const PROBE_ROUTER: c_int = 51;
const REQ_CORRELATE: c_int = 52;
const REQ_RELAXED: c_int = 53;
const CONFLATE: c_int = 54;
const ROUTER_HANDOVER: c_int = 56;
const TOS: c_int = 57;
const HANDSHAKE_IVL: c_int = 66;
const XPUB_NODROP: c_int = 69;
const XPUB_MANUAL: c_int = 71;
const STREAM_NOTIFY: c_int = 73;
const INVERT_MATCHING: c_int = 74;
const HEARTBEAT_IVL: c_int = 75;
pub(super) const HEARTBEAT_TTL: c_int = 76;
const HEARTBEAT_TIMEOUT: c_int = 77;
const XPUB_VERBOSER: c_int = 78;
const CONNECT_TIMEOUT: c_int = 79;
const TCP_MAXRT: c_int = 80;
const ROUTER_NOTIFY: c_int = 97;
const XPUB_MANUAL_LAST_VALUE: c_int = 98;
const ONLY_FIRST_SUBSCRIBE: c_int = 108;
const RECONNECT_STOP: c_int = 109;
const PRIORITY: c_int = 112;
const XSUB_VERBOSE_UNSUBSCRIBE: c_int = 115;

const MAX: i64 = c_int::MAX as i64;

/// An option with a number.
#[derive(Debug)]
pub(super) struct Number {
    pub(super) option: c_int,
    pub(super) default: i64,
    /// Smallest and largest value.
    pub(super) range: (i64, i64),
    /// Bytes of the value in C.
    pub(super) size: usize,
    /// False for options that `zmq_getsockopt` does not return.
    pub(super) is_readable: bool,
    /// Socket types that have the option. Empty: all types accept it, and it has no effect on those that do not need it.
    pub(super) types: &'static [SocketType],
}

impl Number {
    /// Returns true if sockets of this type have the option.
    pub(super) fn exists_for(&self, socket_type: SocketType) -> bool {
        self.types.is_empty() || self.types.contains(&socket_type)
    }

    /// Returns true if the option of sockets of this type can be read.
    pub(super) fn is_readable_for(&self, socket_type: SocketType) -> bool {
        // libzmq returns the default of this option for the types that do not have it.
        self.is_readable && (self.exists_for(socket_type) || self.option == ROUTER_NOTIFY)
    }

    pub(super) fn find(option: c_int) -> Option<&'static Self> {
        NUMBERS.iter().find(|row| row.option == option)
    }
}

const fn all(option: c_int, default: i64, min: i64, max: i64) -> Number {
    Number { option, default, range: (min, max), size: size_of::<c_int>(), is_readable: true, types: &[] }
}

/// Eight bytes.
const fn wide(option: c_int, default: i64) -> Number {
    Number { option, default, range: (i64::MIN, i64::MAX), size: size_of::<i64>(), is_readable: true, types: &[] }
}

/// An option of some socket types that is a switch, which `zmq_getsockopt` does not return.
const fn only(types: &'static [SocketType], option: c_int, default: i64) -> Number {
    Number { option, default, range: (0, MAX), size: size_of::<c_int>(), is_readable: false, types }
}

pub(super) const NUMBERS: &[Number] = &[
    wide(AFFINITY, 0),
    // The rate of multicast, which has no effect without `pgm` and `norm`.
    all(8, 100, 1, MAX),
    all(9, 10_000, 0, MAX),
    all(SNDBUF, -1, -1, MAX),
    all(RCVBUF, -1, -1, MAX),
    all(LINGER, -1, -1, MAX),
    all(RECONNECT_IVL, 100, -1, MAX),
    all(BACKLOG, 100, 0, MAX),
    all(RECONNECT_IVL_MAX, 0, 0, MAX),
    wide(MAXMSGSIZE, -1),
    all(SNDHWM, 1000, 0, MAX),
    all(RCVHWM, 1000, 0, MAX),
    // Hops of multicast.
    all(25, 1, 1, MAX),
    all(RCVTIMEO, -1, -1, MAX),
    all(SNDTIMEO, -1, -1, MAX),
    all(IPV4ONLY, 1, 0, 1),
    only(&[Router], ROUTER_MANDATORY, 0),
    all(TCP_KEEPALIVE, -1, -1, 1),
    all(TCP_KEEPALIVE_CNT, -1, -1, MAX),
    all(TCP_KEEPALIVE_IDLE, -1, -1, MAX),
    all(TCP_KEEPALIVE_INTVL, -1, -1, MAX),
    all(IMMEDIATE, 0, 0, 1),
    only(&[XPub], XPUB_VERBOSE, 0),
    all(IPV6, 0, 0, 1),
    only(&[Router, Dealer, Req], PROBE_ROUTER, 0),
    only(&[Req], REQ_CORRELATE, 0),
    only(&[Req], REQ_RELAXED, 0),
    all(CONFLATE, 0, 0, 1),
    only(&[Router], ROUTER_HANDOVER, 0),
    all(TOS, 0, 0, MAX),
    all(HANDSHAKE_IVL, 30_000, 0, MAX),
    only(&[Pub, XPub, Radio], XPUB_NODROP, 0),
    only(&[XPub], XPUB_MANUAL, 0),
    only(&[Stream], STREAM_NOTIFY, 1),
    all(INVERT_MATCHING, 0, i64::MIN, MAX),
    all(HEARTBEAT_IVL, 0, 0, MAX),
    all(HEARTBEAT_TTL, 0, 0, 6_553_599),
    all(HEARTBEAT_TIMEOUT, -1, 0, MAX),
    only(&[XPub], XPUB_VERBOSER, 0),
    all(CONNECT_TIMEOUT, 0, 0, MAX),
    all(TCP_MAXRT, 0, 0, MAX),
    // The size of a datagram of multicast.
    all(84, 1500, 1, MAX),
    all(USE_FD, -1, -1, MAX),
    all(ZAP_ENFORCE_DOMAIN, 0, i64::MIN, MAX),
    // The fast path of the loopback device on Windows, and the loopback of multicast.
    all(94, 0, i64::MIN, MAX),
    all(96, 1, i64::MIN, MAX),
    Number { is_readable: true, range: (0, 3), ..only(&[Router], ROUTER_NOTIFY, 0) },
    only(&[XPub], XPUB_MANUAL_LAST_VALUE, 0),
    // Sizes of buffers of libzmq.
    all(101, 8192, 1, MAX),
    all(102, 8192, 1, MAX),
    only(&[XPub, XSub], ONLY_FIRST_SUBSCRIBE, 0),
    all(RECONNECT_STOP, 0, 0, 7),
    all(PRIORITY, 0, 0, MAX),
    // Busy polling.
    all(113, 0, 0, MAX),
    only(&[XSub], XSUB_VERBOSE_UNSUBSCRIBE, 0),
];

/// Socket types with which `ZMQ_CONFLATE` has an effect.
const CONFLATES: [SocketType; 5] = [Dealer, Pull, Push, Pub, Sub];

impl Values {
    /// Returns the options of sansmq that have the values of an option of libzmq, and of those that belong to it.
    pub(super) fn effect(&self, option: c_int) -> Vec<SocketOption> {
        let value = self.number(option);
        let (on, size) = (value != 0, usize::try_from(value).unwrap_or(usize::MAX));
        let one = match option {
            LINGER => SocketOption::Linger(millis(value)),
            SNDHWM => SocketOption::SendHwm(size),
            RCVHWM => SocketOption::RecvHwm(size),
            RECONNECT_IVL | RECONNECT_IVL_MAX => self.reconnect(),
            SNDBUF => SocketOption::SendBuffer(usize::try_from(value).ok().filter(|&bytes| bytes > 0)),
            RCVBUF => SocketOption::RecvBuffer(usize::try_from(value).ok().filter(|&bytes| bytes > 0)),
            BACKLOG => SocketOption::Backlog(u32::try_from(value).unwrap_or(0).max(1)),
            MAXMSGSIZE => SocketOption::MaxMessageSize(size),
            IPV4ONLY => SocketOption::DualStack(!on),
            IPV6 => SocketOption::DualStack(on),
            ROUTER_MANDATORY => SocketOption::Mandatory(on),
            ROUTER_HANDOVER => SocketOption::Handover(on),
            TCP_KEEPALIVE | TCP_KEEPALIVE_CNT | TCP_KEEPALIVE_IDLE | TCP_KEEPALIVE_INTVL => {
                SocketOption::Keepalive(self.keepalive())
            }
            IMMEDIATE => SocketOption::Immediate(on),
            XPUB_VERBOSE => SocketOption::Verbose(on),
            XPUB_VERBOSER => SocketOption::Verboser(on),
            PROBE_ROUTER => SocketOption::ProbeRouter(on),
            REQ_CORRELATE => SocketOption::Correlate(on),
            REQ_RELAXED => SocketOption::Relaxed(on),
            CONFLATE => SocketOption::Conflate(on),
            TOS if on => SocketOption::Tos(u8::try_from(value).unwrap_or(u8::MAX)),
            HANDSHAKE_IVL => SocketOption::HandshakeTimeout(on.then(|| millis(value)).flatten()),
            XPUB_NODROP if on => SocketOption::SlowSubscriber(SlowSubscriber::Block),
            XPUB_NODROP => SocketOption::SlowSubscriber(SlowSubscriber::DropNewest),
            XPUB_MANUAL => SocketOption::Manual(on),
            STREAM_NOTIFY => SocketOption::Notify(on),
            INVERT_MATCHING => SocketOption::InvertMatching(on),
            HEARTBEAT_IVL | HEARTBEAT_TTL | HEARTBEAT_TIMEOUT => self.heartbeat(),
            CONNECT_TIMEOUT => SocketOption::ConnectTimeout(on.then(|| millis(value)).flatten()),
            TCP_MAXRT => SocketOption::TcpMaxRetransmitTimeout(on.then(|| millis(value)).flatten()),
            ZAP_ENFORCE_DOMAIN => SocketOption::EnforceZapDomain(on),
            ROUTER_NOTIFY => {
                return vec![
                    SocketOption::NotifyConnect(value & 1 != 0),
                    SocketOption::NotifyDisconnect(value & 2 != 0),
                ];
            }
            // Turned off, it would also turn off `XPUB_MANUAL`.
            XPUB_MANUAL_LAST_VALUE if on => SocketOption::ManualLastValue(on),
            ONLY_FIRST_SUBSCRIBE if self.numbers.contains_key(&option) => SocketOption::OnlyFirstSubscribe(on),
            RECONNECT_STOP => SocketOption::ReconnectStop(ReconnectStop {
                refused: value & 1 != 0,
                handshake_failed: value & 2 != 0,
                disconnected: value & 4 != 0,
                // libzmq never reconnects after an ERROR, as RFC 37 requires.
                error_received: true,
            }),
            PRIORITY if on => SocketOption::Priority(u32::try_from(value).unwrap_or(0)),
            XSUB_VERBOSE_UNSUBSCRIBE => SocketOption::VerboseUnsubscribe(on),
            SOCKS_PROXY | SOCKS_USERNAME | SOCKS_PASSWORD => return self.proxy().into_iter().collect(),
            _ => return Vec::new(),
        };
        vec![one]
    }

    /// Returns true if the socket type must be one of [`CONFLATES`] for the value to have an effect.
    pub(super) fn is_conflate_without_effect(option: c_int, socket_type: SocketType) -> bool {
        option == CONFLATE && !CONFLATES.contains(&socket_type)
    }

    fn reconnect(&self) -> SocketOption {
        let (first, max) = (self.number(RECONNECT_IVL), self.number(RECONNECT_IVL_MAX));
        let time = |millis: i64| Duration::from_millis(millis.unsigned_abs());
        match (first, max) {
            (..=0, _) => SocketOption::NoReconnect,
            (_, 0) => SocketOption::Reconnect(time(first), time(first)),
            // As libzmq does, and unlike its manual.
            (_, max) if max < first => SocketOption::Reconnect(time(max), time(max)),
            (_, _) => SocketOption::Reconnect(time(first), time(max)),
        }
    }

    fn heartbeat(&self) -> SocketOption {
        let interval = self.number(HEARTBEAT_IVL);
        if interval == 0 {
            return SocketOption::Heartbeat(None);
        }
        let interval = Duration::from_millis(interval.unsigned_abs());
        let timeout = match self.number(HEARTBEAT_TIMEOUT) {
            0 => Duration::MAX,
            timeout => millis(timeout).unwrap_or(interval),
        };
        let ttl = millis(self.number(HEARTBEAT_TTL)).unwrap_or_default();
        SocketOption::HeartbeatWith(interval, timeout, ttl)
    }

    fn keepalive(&self) -> KeepaliveConfig {
        // The largest values that Linux accepts.
        let at_most =
            |option, max: u16| u16::try_from(self.number(option).min(max.into())).ok().filter(|&number| number > 0);
        let seconds = |option| at_most(option, 32_767).map(|seconds| Duration::from_secs(seconds.into()));
        match self.number(TCP_KEEPALIVE) {
            0 => KeepaliveConfig::Off,
            1 => {
                let mut keepalive = Keepalive::new();
                if let Some(time) = seconds(TCP_KEEPALIVE_IDLE) {
                    keepalive = keepalive.idle(time).unwrap_or(keepalive);
                }
                if let Some(time) = seconds(TCP_KEEPALIVE_INTVL) {
                    keepalive = keepalive.interval(time).unwrap_or(keepalive);
                }
                if let Some(count) = at_most(TCP_KEEPALIVE_CNT, 127) {
                    keepalive = keepalive.count(count.into()).unwrap_or(keepalive);
                }
                KeepaliveConfig::On(keepalive)
            }
            _ => KeepaliveConfig::System,
        }
    }

    fn proxy(&self) -> Option<SocketOption> {
        let text = |option| String::from_utf8(self.text(option).to_vec()).ok();
        let proxy = text(SOCKS_PROXY).filter(|proxy| !proxy.is_empty())?;
        match text(SOCKS_USERNAME).filter(|user| !user.is_empty()) {
            Some(user) => Some(SocketOption::SocksProxyAs(proxy, user, text(SOCKS_PASSWORD).unwrap_or_default())),
            None => Some(SocketOption::SocksProxy(proxy)),
        }
    }
}
