//! [`Options`]: settings of a socket. Each option has a default value, and is checked when it is set.

// The page of `Options` shows the options in the order of these modules, and of the functions in them: those that most
// programs set first. The blank lines keep the order.
mod create;

mod queues;

mod connecting;

mod security;

mod limits;

mod addressing;

mod pubsub;

mod transport;

mod socks;

mod dynamic;

mod text;

mod value;

pub(crate) use addressing::Notices;
pub use connecting::ReconnectStop;
pub use dynamic::SocketOption;
pub(crate) use limits::AdmissionLimits;
pub use pubsub::SlowSubscriber;
pub(crate) use pubsub::{Manual, Publishing, Subscribing, Verbosity};
pub(crate) use socks::Proxy;
pub use text::ParseOptionError;

use crate::address::TransportConfig;
use crate::connection::ConnectionConfig;
use crate::kind::{Any, Kind, Typed};
use crate::security::{Handler, ZapHandler};
use crate::socket::stats::MemoryLimits;
use crate::socket_type::SocketType;
use alloc::sync::Arc;
use core::marker::PhantomData;
use core::time::Duration;

/// Options of a socket of kind `T` (the socket type), passed when the socket is created. A socket type has only the options
/// that have an effect on it: with a marker such as [`Dealer`](crate::kind::Dealer), other setters do not compile, and
/// [`set`](Self::set) returns an error. With the kind [`Any`], the setters for all types that send, receive or publish, such
/// as `send_hwm`, compile too, but have no effect if the socket type does not have the option.
///
/// ```
/// use core::time::Duration;
/// use sansmq::{Options, kind::Dealer};
///
/// let options = Options::<Dealer>::new()
///     .linger(Duration::from_secs(1))
///     .send_hwm(10_000)
///     .heartbeat(Duration::from_secs(2))
///     .routing_id("worker 1")?;
/// # let _ = options;
/// # Ok::<(), sansmq::OptionsError>(())
/// ```
///
/// Options with values that may be invalid return a `Result`: names, routing ids, addresses, and a few with a range, of the
/// protocol or the operating system. All others accept every value; 0 or `None` lifts a limit, where the option states
/// this.
///
/// The page of each marker, such as [`Dealer`](crate::kind::Dealer), lists the options of one socket type. Types that
/// send are all but PULL, SUB, DISH, GATHER, types that receive all but PUSH, PUB, RADIO, SCATTER. The table has the names of libzmq without `ZMQ_`.
///
/// | Option: its name in libzmq | Default | Socket types |
/// |---|---|---|
/// | **Queues, closing and routing id** | | | |
/// | [`linger`](Self::linger): `LINGER` | 30 s; zero for SUB, XSUB and DISH | all |
/// | [`send_hwm`](Self::send_hwm): `SNDHWM` | 1000 | that send |
/// | [`recv_hwm`](Self::recv_hwm): `RCVHWM` | 1000 | that receive |
/// | [`routing_id`](Self::routing_id): `ROUTING_ID`, `IDENTITY` | none | REQ, DEALER, ROUTER |
/// | [`immediate`](Self::immediate): `IMMEDIATE` | off | all |
/// | [`conflate`](Self::conflate): `CONFLATE` | off | DEALER, PUSH, PULL, PUB, SUB |
/// | [`fail_unreachable`](Self::fail_unreachable) | off | all |
/// | [`send_hwm_bytes`](Self::send_hwm_bytes) | 256 MiB | that send |
/// | [`recv_hwm_bytes`](Self::recv_hwm_bytes) | 64 MiB | that receive |
/// | **Connections: reconnects, heartbeats and timeouts** | | | |
/// | [`reconnect`](Self::reconnect): `RECONNECT_IVL`, `RECONNECT_IVL_MAX` | 100 ms to 5 s | all |
/// | [`no_reconnect`](Self::no_reconnect): `RECONNECT_IVL` | the socket dials again | all |
/// | [`heartbeat`](Self::heartbeat): `HEARTBEAT_IVL` | off | all |
/// | [`heartbeat_with`](Self::heartbeat_with): `HEARTBEAT_IVL`, `HEARTBEAT_TIMEOUT`, `HEARTBEAT_TTL` | off | all |
/// | [`connect_timeout`](Self::connect_timeout): `CONNECT_TIMEOUT` | 30 s | all |
/// | [`handshake_timeout`](Self::handshake_timeout): `HANDSHAKE_IVL` | 30 s | all |
/// | [`reconnect_stop`](Self::reconnect_stop): `RECONNECT_STOP` | none | all |
/// | [`reconnect_refused`](Self::reconnect_refused) | 1 s to 60 s | all |
/// | [`metadata`](Self::metadata): `METADATA` | none | all |
/// | [`allow_legacy_zmtp`](Self::allow_legacy_zmtp) | on | all |
/// | [`close_reasons`](Self::close_reasons) | on | all |
/// | **Security** | | | |
/// | [`security`](Self::security): `PLAIN_SERVER`, `PLAIN_USERNAME`, `PLAIN_PASSWORD`, `CURVE_SERVER`, `CURVE_PUBLICKEY`, `CURVE_SECRETKEY`, `CURVE_SERVERKEY`, `MECHANISM` | `Security::Null` | all but STREAM |
/// | [`zap_domain`](Self::zap_domain): `ZAP_DOMAIN` | none | all but STREAM |
/// | [`enforce_zap_domain`](Self::enforce_zap_domain): `ZAP_ENFORCE_DOMAIN` | on | all but STREAM |
/// | [`authenticate`](Self::authenticate) | none | all but STREAM |
/// | [`authenticator`](Self::authenticator) | none | all but STREAM |
/// | [`any_key`](Self::any_key) | off | all but STREAM |
/// | [`auth_timeout`](Self::auth_timeout) | 10 s | all but STREAM |
/// | **Limits on messages and peers** | | | |
/// | [`max_message_size`](Self::max_message_size): `MAXMSGSIZE` | 64 MiB | all |
/// | [`max_send_size`](Self::max_send_size) | no limit | all |
/// | [`max_frames`](Self::max_frames) | 16,384 | all |
/// | [`max_peers`](Self::max_peers) | 65,536 | all |
/// | [`max_handshakes`](Self::max_handshakes) | 4096 and 1024 | all |
/// | [`max_handshake_rate`](Self::max_handshake_rate) | 1000 for a CURVE server, otherwise no limit | all |
/// | [`max_handshake_bytes`](Self::max_handshake_bytes) | 16 MiB | all |
/// | **ROUTER** | | | |
/// | [`mandatory`](Self::mandatory): `ROUTER_MANDATORY` | off | ROUTER |
/// | [`handover`](Self::handover): `ROUTER_HANDOVER` | off | ROUTER |
/// | [`notify_connect`](Self::notify_connect): `ROUTER_NOTIFY`, `NOTIFY_CONNECT` | off | ROUTER |
/// | [`notify_disconnect`](Self::notify_disconnect): `ROUTER_NOTIFY`, `NOTIFY_DISCONNECT` | off | ROUTER |
/// | **REQ** | | | |
/// | [`relaxed`](Self::relaxed): `REQ_RELAXED` | off | REQ |
/// | [`correlate`](Self::correlate): `REQ_CORRELATE` | off | REQ |
/// | [`report_lost_peer`](Self::report_lost_peer) | on | REQ |
/// | **STREAM** | | | |
/// | [`notify`](Self::notify): `STREAM_NOTIFY` | on | STREAM |
/// | **Messages at a connect or disconnect** | | | |
/// | [`probe_router`](Self::probe_router): `PROBE_ROUTER` | off | REQ, DEALER, ROUTER |
/// | [`hello_message`](Self::hello_message): `HELLO_MSG` | none | DEALER, ROUTER, CLIENT, SERVER, PEER |
/// | [`disconnect_message`](Self::disconnect_message): `DISCONNECT_MSG` | none | ROUTER, SERVER, PEER |
/// | [`hiccup_message`](Self::hiccup_message): `HICCUP_MSG` | none | DEALER, CLIENT, PEER |
/// | **Publishers and subscribers** | | | |
/// | [`slow_subscriber`](Self::slow_subscriber): `XPUB_NODROP` | `SlowSubscriber::DropNewest` | PUB, XPUB, RADIO |
/// | [`max_subscriptions`](Self::max_subscriptions) | 100,000 | PUB, XPUB, RADIO |
/// | [`max_subscription_size`](Self::max_subscription_size) | 64 KiB | PUB, XPUB, RADIO |
/// | [`invert_matching`](Self::invert_matching): `INVERT_MATCHING` | off | PUB, SUB, XPUB |
/// | **XPUB** | | | |
/// | [`verbose`](Self::verbose): `XPUB_VERBOSE` | off | XPUB |
/// | [`verboser`](Self::verboser): `XPUB_VERBOSER` | off | XPUB |
/// | [`manual`](Self::manual): `XPUB_MANUAL` | off | XPUB |
/// | [`manual_last_value`](Self::manual_last_value): `XPUB_MANUAL_LAST_VALUE` | off | XPUB |
/// | [`welcome_message`](Self::welcome_message): `XPUB_WELCOME_MSG` | none | XPUB |
/// | [`only_first_subscribe`](Self::only_first_subscribe): `ONLY_FIRST_SUBSCRIBE` | on | XPUB |
/// | **XSUB** | | | |
/// | [`verbose_unsubscribe`](Self::verbose_unsubscribe): `XSUB_VERBOSE_UNSUBSCRIBE` | off | XSUB |
/// | [`only_first_subscribe`](Self::only_first_subscribe): `ONLY_FIRST_SUBSCRIBE` | on | XSUB |
/// | **Operating system** | | | |
/// | [`dual_stack`](Self::dual_stack): `IPV6`, `IPV4ONLY` | off | all |
/// | [`reuse_port`](Self::reuse_port) | off | all |
/// | [`keepalive`](Self::keepalive): `TCP_KEEPALIVE`, `TCP_KEEPALIVE_IDLE`, `TCP_KEEPALIVE_INTVL`, `TCP_KEEPALIVE_CNT` | the system's, usually off | all |
/// | [`send_buffer`](Self::send_buffer): `SNDBUF` | the system's | all |
/// | [`recv_buffer`](Self::recv_buffer): `RCVBUF` | the system's | all |
/// | [`backlog`](Self::backlog): `BACKLOG` | the system's maximum | all |
/// | [`tcp_max_retransmit_timeout`](Self::tcp_max_retransmit_timeout): `TCP_MAXRT` | the system's, on Linux about 15 minutes | all |
/// | [`tos`](Self::tos): `TOS` | the system's, 0 | all |
/// | [`priority`](Self::priority): `PRIORITY` | the system's, 0 | all |
/// | [`bind_to_device`](Self::bind_to_device): `BINDTODEVICE` | none | all |
/// | **SOCKS5 proxies** | | | |
/// | [`socks_proxy`](Self::socks_proxy): `SOCKS_PROXY` | none | all |
/// | [`socks_proxy_as`](Self::socks_proxy_as): `SOCKS_PROXY`, `SOCKS_USERNAME`, `SOCKS_PASSWORD` | none | all |
/// | **Conversions, and sockets without a runtime** | | | |
/// | [`zap_handler`](Self::zap_handler) | none | all |
#[doc(alias("zmq_setsockopt", "setsockopt", "zmq_getsockopt", "getsockopt"))]
#[derive(Debug)]
pub struct Options<T: Kind = Any> {
    pub(crate) settings: Settings,
    kind: PhantomData<fn() -> T>,
}

/// Values of all options of a socket, without the type parameter of [`Options`].
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) connection: ConnectionConfig,
    pub(crate) transport: TransportConfig,
    pub(crate) send_hwm: usize,
    pub(crate) recv_hwm: usize,
    pub(crate) send_hwm_bytes: usize,
    pub(crate) recv_hwm_bytes: usize,
    pub(crate) max_send_size: usize,
    pub(crate) linger: Option<Duration>,
    pub(crate) reconnect: Option<Backoff>,
    /// Delays before a dial that follows a failure that time cannot cure. Has no effect if `reconnect` is `None`.
    pub(crate) reconnect_refused: Backoff,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) probe: bool,
    pub(crate) mandatory: bool,
    pub(crate) handover: bool,
    pub(crate) relaxed: bool,
    pub(crate) report_lost_peer: bool,
    pub(crate) correlate: bool,
    pub(crate) proxy: Option<Arc<Proxy>>,
    pub(crate) immediate: bool,
    pub(crate) fail_unreachable: bool,
    pub(crate) conflate: bool,
    pub(crate) reconnect_stop: ReconnectStop,
    pub(crate) admission: AdmissionLimits,
    pub(crate) notices: Notices,
    pub(crate) publishing: Publishing,
    pub(crate) subscribing: Subscribing,
    pub(crate) notify: bool,
}

impl Settings {
    /// Returns the limits on memory, for the statistics of the socket.
    pub(crate) const fn memory_limits(&self) -> MemoryLimits {
        MemoryLimits {
            send_hwm_bytes: self.send_hwm_bytes as u64,
            recv_hwm_bytes: self.recv_hwm_bytes as u64,
            max_handshake_bytes: self.admission.handshake_bytes as u64,
            memory_budget: 0,
        }
    }
}

/// Delays before a dial that follows a failure in a row of failures: the first delay, and the maximum to which the delay
/// grows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) max: Duration,
}

impl Backoff {
    /// Returns the delays, at least [`SHORTEST`](Self::SHORTEST) each, and `max` at least `first`.
    fn new(first: Duration, max: Duration) -> Self {
        let first = first.max(Self::SHORTEST);
        Self { first, max: max.max(first) }
    }

    // A socket without a delay would dial a closed port in a busy loop.
    const SHORTEST: Duration = Duration::from_millis(1);
}

impl<T: Kind> Clone for Options<T> {
    fn clone(&self) -> Self {
        Self { settings: self.settings.clone(), kind: PhantomData }
    }
}

impl<T: Typed> Default for Options<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// # Conversions, and sockets without a runtime
impl<T: Kind> Options<T> {
    /// Returns the socket type of these options.
    #[doc(alias("ZMQ_TYPE", "TYPE"))]
    pub const fn socket_type(&self) -> SocketType {
        self.settings.connection.socket_type
    }

    /// Removes the socket type from the type parameter, so that options of different socket types have the same Rust
    /// type. The socket type at run time stays the same.
    pub fn erase(self) -> Options<Any> {
        Options { settings: self.settings, kind: PhantomData }
    }

    /// Returns the settings of the socket's connections, for programs that drive a [`Connection`](crate::Connection)
    /// without a socket.
    pub fn connection_config(&self) -> ConnectionConfig {
        self.settings.connection.clone()
    }

    /// Sets the ZAP handler (RFC 27) that authenticates peers when the socket has no
    /// [authenticator](Options::authenticator). A socket uses the handler if it is a server of PLAIN or CURVE, or has a
    /// [domain](Options::zap_domain).
    ///
    /// The runtime crates overwrite this option with the ZAP handler of the socket's context.
    ///
    /// Default: none. libzmq: no such option; the handler is a socket at `inproc://zeromq.zap.01`.
    #[must_use]
    pub fn zap_handler(mut self, handler: Arc<dyn ZapHandler>) -> Self {
        self.settings.connection.handler = Some(Handler::new(handler));
        self
    }
}

/// Returns the limit that an option with the value `limit` sets: 0 stands for no limit.
const fn or_no_limit(limit: usize) -> usize {
    if limit == 0 { usize::MAX } else { limit }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::{Dealer, Pub, Router};
    use crate::security::{AuthSource, Security};
    use crate::socket::error::OptionsError;
    use alloc::borrow::ToOwned;
    use alloc::format;
    use alloc::string::ToString;

    #[test]
    fn options_reject_values_out_of_range() {
        let dealer = Options::<Dealer>::new;
        assert_eq!(dealer().routing_id("").unwrap_err(), OptionsError::RoutingId(0));
        assert_eq!(dealer().routing_id(alloc::vec![1; 256]).unwrap_err(), OptionsError::RoutingId(256));
        assert!(dealer().routing_id(alloc::vec![1; 255]).is_ok());
        let second = Duration::from_secs(1);
        assert_eq!(
            dealer().heartbeat_with(second, second, Duration::from_secs(6554)).unwrap_err(),
            OptionsError::TimeToLive
        );
        let zero = Duration::ZERO;
        assert_eq!(
            dealer().heartbeat_with(second, zero, second).unwrap_err(),
            OptionsError::ZeroDuration("heartbeat_with")
        );
        assert_eq!(dealer().zap_domain("").unwrap_err(), OptionsError::Domain(0));
        assert_eq!(dealer().zap_domain("d".repeat(256)).unwrap_err(), OptionsError::Domain(256));
        assert!(dealer().zap_domain("d".repeat(255)).is_ok());
    }

    #[test]
    fn table_has_the_values_of_new_options() {
        let on = |is_on: bool| if is_on { "on" } else { "off" }.to_owned();
        let none = |is_none: bool| if is_none { "none" } else { "some" }.to_owned();
        let number = |number: usize| match number {
            usize::MAX => "no limit".to_owned(),
            10_000.. => format!("{},{:03}", number / 1000, number % 1000),
            _ => number.to_string(),
        };
        let size = |bytes: usize| match bytes >> 20 {
            0 => format!("{} KiB", bytes >> 10),
            mebibytes => format!("{mebibytes} MiB"),
        };
        let time = |time: Duration| match time.as_secs() {
            0 => format!("{} ms", time.as_millis()),
            seconds => format!("{seconds} s"),
        };
        let delays = |delays: Backoff| format!("{} to {}", time(delays.first), time(delays.max));
        let settings = Options::<Router>::new().settings;
        let ConnectionConfig { properties, routing_id, domain, security, auth_source, .. } = &settings.connection;
        let (notices, publishing, admission) = (&settings.notices, &settings.publishing, settings.admission);
        assert!(matches!((security, auth_source), (Security::Null, AuthSource::Default)));
        assert_eq!(settings.transport, TransportConfig::default());
        for (option, default) in [
            ("linger", time(settings.linger.unwrap()) + "; zero for SUB, XSUB and DISH"),
            ("send_hwm", number(settings.send_hwm)),
            ("recv_hwm", number(settings.recv_hwm)),
            ("routing_id", none(routing_id.is_empty())),
            ("immediate", on(settings.immediate)),
            ("conflate", on(settings.conflate)),
            ("fail_unreachable", on(settings.fail_unreachable)),
            ("send_hwm_bytes", size(settings.send_hwm_bytes)),
            ("recv_hwm_bytes", size(settings.recv_hwm_bytes)),
            ("reconnect", delays(settings.reconnect.unwrap())),
            ("heartbeat", on(settings.connection.heartbeat.is_some())),
            ("heartbeat_with", on(settings.connection.heartbeat.is_some())),
            ("connect_timeout", time(settings.connect_timeout.unwrap())),
            ("handshake_timeout", time(settings.connection.handshake_timeout.unwrap())),
            ("reconnect_stop", none(settings.reconnect_stop == ReconnectStop::default())),
            ("reconnect_refused", delays(settings.reconnect_refused)),
            ("metadata", none(properties.iter().next().is_none())),
            ("allow_legacy_zmtp", on(settings.connection.allow_legacy_zmtp)),
            ("zap_domain", none(domain.is_empty())),
            ("auth_timeout", time(settings.connection.auth_timeout)),
            ("max_message_size", size(settings.connection.max_message_size)),
            ("max_send_size", number(settings.max_send_size)),
            ("max_frames", number(settings.connection.max_frames)),
            ("max_peers", number(admission.peers)),
            (
                "max_handshakes",
                format!("{} and {}", number(admission.handshakes), number(admission.handshakes_per_address)),
            ),
            ("max_handshake_bytes", size(admission.handshake_bytes)),
            ("mandatory", on(settings.mandatory)),
            ("handover", on(settings.handover)),
            ("notify_connect", on(notices.connects)),
            ("notify_disconnect", on(notices.disconnects)),
            ("relaxed", on(settings.relaxed)),
            ("correlate", on(settings.correlate)),
            ("notify", on(settings.notify)),
            ("probe_router", on(settings.probe)),
            ("hello_message", none(notices.hello.is_none())),
            ("disconnect_message", none(notices.disconnect.is_none())),
            ("hiccup_message", none(notices.hiccup.is_none())),
            ("slow_subscriber", format!("`SlowSubscriber::{:?}`", publishing.slow)),
            ("max_subscriptions", number(publishing.max_subscriptions)),
            ("max_subscription_size", size(publishing.max_subscription_size)),
            ("invert_matching", on(publishing.invert || settings.subscribing.invert)),
            ("verbose", on(publishing.verbosity != Verbosity::Changes)),
            ("manual", on(publishing.manual != Manual::Off)),
            ("welcome_message", none(publishing.welcome.is_none())),
            ("only_first_subscribe", on(publishing.only_first && settings.subscribing.only_first)),
            ("dual_stack", on(settings.transport.dual_stack)),
            ("socks_proxy", none(settings.proxy.is_none())),
        ] {
            let start = format!("/// | [`{option}`]");
            let row = include_str!("mod.rs").lines().find(|line| line.starts_with(&start)).unwrap();
            assert_eq!(row.split(" | ").nth(2), Some(&default[..]), "{row}");
        }
    }

    #[test]
    fn zero_stands_for_no_limit_or_for_off() {
        let settings = Options::<Pub>::new()
            .send_hwm(0)
            .max_frames(0)
            .max_peers(0)
            .max_handshakes(0, 0)
            .max_handshake_rate(0)
            .max_subscriptions(0)
            .heartbeat(Duration::from_secs(1))
            .heartbeat(Duration::ZERO)
            .settings;
        let AdmissionLimits { peers, handshakes, handshakes_per_address, handshake_rate, .. } = settings.admission;
        let limits = [
            settings.send_hwm,
            settings.connection.max_frames,
            peers,
            handshakes,
            handshakes_per_address,
            handshake_rate.unwrap(),
            settings.publishing.max_subscriptions,
        ];
        assert_eq!(limits, [usize::MAX; 7]);
        assert!(settings.connection.heartbeat.is_none());
        let (zero, second) = (Duration::ZERO, Duration::from_secs(1));
        let settings = Options::<Dealer>::new().heartbeat_with(zero, second, second).unwrap().settings;
        assert!(settings.connection.heartbeat.is_none());
    }

    #[test]
    fn interval_of_heartbeats_is_at_least_a_millisecond() {
        let (short, millisecond) = (Duration::from_nanos(1), Duration::from_millis(1));
        let dealer = Options::<Dealer>::new;
        for options in [dealer().heartbeat(short), dealer().heartbeat_with(short, millisecond, short).unwrap()] {
            let config = options.settings.connection.heartbeat.unwrap();
            assert_eq!([config.interval, config.timeout], [millisecond; 2]);
        }
    }

    #[test]
    fn delays_before_a_dial_are_never_zero() {
        let (zero, second) = (Duration::ZERO, Duration::from_secs(1));
        let settings = Options::<Dealer>::new().reconnect(zero, zero).reconnect_refused(zero, second).settings;
        let Backoff { first, max } = settings.reconnect.unwrap();
        assert_eq!([first, max], [Duration::from_millis(1); 2]);
        let Backoff { first, max } = settings.reconnect_refused;
        assert_eq!((first, max), (Duration::from_millis(1), second));
    }
}
