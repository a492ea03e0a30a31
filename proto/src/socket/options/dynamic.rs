//! [`SocketOption`]: an option with its value, for programs that know the socket type or the option only at run time.

use super::text::{Libzmq, Names, ParseOptionError, Values};
use super::value::Value;
use super::{Manual, Options, Proxy, ReconnectStop, Settings, SlowSubscriber, Verbosity};
use crate::address::KeepaliveConfig;
use crate::connection::ConnectionConfig;
use crate::kind::{Dealer, Kind, Peer, Pub, Req, Router, Stream, Trait, XPub, XSub};
use crate::message::{Frame, Message};
use crate::security::{AuthSource, Authenticator, Security};
use crate::socket::error::OptionsError;
use crate::socket_type::{SocketType, TypeSet};
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;

const ALL: TypeSet = TypeSet::ALL;
const ZMTP: TypeSet = Trait::Zmtp.types();
const SENDS: TypeSet = Trait::Sends.types();
const RECEIVES: TypeSet = Trait::Receives.types();
const HAS_ROUTING_ID: TypeSet = Trait::HasRoutingId.types();
const PUBLISHES: TypeSet = Trait::Publishes.types();
const FILTERS: TypeSet = Trait::FiltersByPrefix.types();
const CONFLATE: TypeSet = Trait::Conflate.types();
const HELLO: TypeSet = Trait::HelloMessage.types();
const DISCONNECT: TypeSet = Trait::DisconnectMessage.types();
const HICCUP: TypeSet = Trait::HiccupMessage.types();
const ROUTER: TypeSet = TypeSet::of(SocketType::Router);
const REQ: TypeSet = TypeSet::of(SocketType::Req);
const STREAM: TypeSet = TypeSet::of(SocketType::Stream);
const XPUB: TypeSet = TypeSet::of(SocketType::XPub);
const XSUB: TypeSet = TypeSet::of(SocketType::XSub);
const XPUB_XSUB: TypeSet = XPUB.union(XSUB);

/// Calls a function with the values of a variant: `from_values!(Variant a b)` is a function of the tuple `(a, b)`.
macro_rules! from_values {
    ($variant:ident) => {
        |()| SocketOption::$variant
    };
    ($variant:ident $value:ident) => {
        SocketOption::$variant
    };
    ($variant:ident $($value:ident)+) => {
        |($($value),+)| SocketOption::$variant($($value),+)
    };
}

/// Reads the values of a variant from text. Expands to an `Option`.
macro_rules! read_values {
    ($text:ident, $variant:ident) => {
        <()>::read($text).map(|()| SocketOption::$variant)
    };
    ($text:ident, $variant:ident $($value:ident: $type:ty),+) => {{
        let mut values = Values { text: $text, left: [$(stringify!($value)),+].len() };
        Some(SocketOption::$variant($(values.next::<$type>()?),+))
    }};
}

/// Expands to the description of the text of the values: that of the row, or that of the type of the only value.
macro_rules! form {
    ($form:literal $($type:ty)*) => {
        $form
    };
    () => {
        <()>::FORM
    };
    ($type:ty) => {
        <$type>::FORM
    };
}

/// Expands to true for a password.
macro_rules! is_secret {
    (password) => {
        true
    };
    ($value:ident) => {
        false
    };
}

/// Expands to the text of a value; `None` for a password.
macro_rules! written {
    (password) => {
        None
    };
    ($value:ident) => {
        $value.write()
    };
}

/// Defines [`SocketOption`] from rows: the variant with its values, the name of its setter, a description of the text unless
/// that of the type of the value is right, its names in libzmq, the socket types that have the option, the call of the
/// setter, with the kind of socket that the setter needs, and the values in effect, as an iterator.
macro_rules! socket_options {
    ($(
        $(#[$attribute:meta])*
        $variant:ident $(($($value:ident: $type:ty),+))? = $name:ident $($form:literal)? [$($libzmq:ident $relation:ident),*], $types:ident,
            |$options:ident: $kind:ident| $call:expr, |$now:ident| $present:expr;
    )*) => {
        /// An option with its value, for programs that know the socket type or the option only at run time, such as bindings
        /// and bridges. Each variant has the name and the values of a setter of
        /// [`Options`], where they are documented. [`Options::set`] sets it, [`parse`](Self::parse) reads it from text,
        /// and [`Options::get`] returns the value in effect.
        #[derive(Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum SocketOption {$(
            #[doc = concat!("[`", stringify!($name), "`](Options::", stringify!($name), ")")]
            $(#[$attribute])*
            $variant $(($($type),+))?,
        )*}

        // Written by hand to keep the password out of logs.
        impl fmt::Debug for SocketOption {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {$(
                    $(#[$attribute])*
                    Self::$variant $(($($value),+))? => {
                        let mut text = f.debug_tuple(stringify!($variant));
                        $($(match stringify!($value) {
                            "password" => text.field(&format_args!("..")),
                            _ => text.field($value),
                        };)+)?
                        text.finish()
                    }
                )*}
            }
        }

        impl SocketOption {
            /// Names of all options: those of the setters in [`Options`], except [`authenticate`](Options::authenticate), which
            /// sets `authenticator`, and [`zap_handler`](Options::zap_handler), which the context of the socket sets.
            pub const NAMES: &'static [&'static str] = &[$($(#[$attribute])* stringify!($name)),*];

            pub(super) const TABLE: &'static [Names] = &[$(
                $(#[$attribute])*
                Names {
                    name: stringify!($name),
                    types: $types,
                    libzmq: &[$((stringify!($libzmq), Libzmq::$relation)),*],
                    form: form!($($form)? $($($type)+)?),
                    is_secret: false $($(| is_secret!($value))+)?,
                    read: |text| read_values!(text, $variant $($($value: $type),+)?),
                    present: |$now, found| found.extend(($present).into_iter().map(from_values!($variant $($($value)+)?))),
                },
            )*];

            /// Returns the name of the option, which is that of the setter in [`Options`], such as `send_hwm`.
            pub const fn name(&self) -> &'static str {
                match self {$(
                    $(#[$attribute])*
                    Self::$variant { .. } => stringify!($name),
                )*}
            }

            /// Returns true if sockets of this type have the option.
            pub fn exists_for(&self, socket_type: SocketType) -> bool {
                self.types().contains(socket_type)
            }

            /// Returns the socket types that have the option.
            const fn types(&self) -> TypeSet {
                match self {$(
                    $(#[$attribute])*
                    Self::$variant { .. } => $types,
                )*}
            }

            /// Returns the value as the text that [`parse`](Self::parse) reads. `None` if the value contains a secret key or
            /// a password, and for authenticators, which have no text.
            pub fn value(&self) -> Option<String> {
                match self {$(
                    $(#[$attribute])*
                    // The macro may leave out the value of a password.
                    #[allow(unused_variables, reason = "a password is not written")]
                    Self::$variant $(($($value),+))? => join(&[$($(written!($value)),+)?]),
                )*}
            }

            /// Sets the option without regard to the socket type.
            fn apply(self, settings: Settings) -> Result<Settings, OptionsError> {
                match self {$(
                    $(#[$attribute])*
                    Self::$variant $(($($value),+))? => {
                        let $options: Options<$kind> = Options { settings, kind: PhantomData };
                        Ok($call.settings)
                    }
                )*}
            }
        }
    };
}

socket_options! {
    Linger(linger: Option<Duration>) = linger [LINGER Millis], ALL,
        |options: Dealer| options.linger(linger), |now| Some(now.linger);
    SendHwm(messages: usize) = send_hwm [SNDHWM Same], SENDS,
        |options: Dealer| options.send_hwm(messages), |now| Some(now.send_hwm);
    RecvHwm(messages: usize) = recv_hwm [RCVHWM Same], RECEIVES,
        |options: Dealer| options.recv_hwm(messages), |now| Some(now.recv_hwm);
    RoutingId(id: Frame) = routing_id "1 to 255 bytes: text, or pairs of hexadecimal digits as in `hex:00ff`" [ROUTING_ID Same, IDENTITY Same], HAS_ROUTING_ID,
        |options: Dealer| options.routing_id(id)?, |now| Some(now.connection.routing_id.clone()).filter(|id| !id.is_empty());
    Immediate(on: bool) = immediate [IMMEDIATE Same, DELAY_ATTACH_ON_CONNECT Same], ALL,
        |options: Dealer| options.immediate(on), |now| Some(now.immediate);
    Conflate(on: bool) = conflate [CONFLATE Same], CONFLATE,
        |options: Dealer| options.conflate(on), |now| Some(now.conflate);
    FailUnreachable(on: bool) = fail_unreachable [], ALL,
        |options: Dealer| options.fail_unreachable(on), |now| Some(now.fail_unreachable);
    SendHwmBytes(bytes: usize) = send_hwm_bytes [], SENDS,
        |options: Dealer| options.send_hwm_bytes(bytes), |now| Some(now.send_hwm_bytes);
    RecvHwmBytes(bytes: usize) = recv_hwm_bytes [], RECEIVES,
        |options: Dealer| options.recv_hwm_bytes(bytes), |now| Some(now.recv_hwm_bytes);
    Reconnect(first: Duration, max: Duration) = reconnect "two durations with a unit (ns, us, ms, s, m or h), such as `100ms 5s`: the first delay and the longest" [RECONNECT_IVL PartOrNever, RECONNECT_IVL_MAX Part], ALL,
        |options: Dealer| options.reconnect(first, max), |now| now.reconnect.map(|delays| (delays.first, delays.max));
    NoReconnect = no_reconnect [], ALL,
        |options: Dealer| options.no_reconnect(), |now| now.reconnect.is_none().then_some(());
    Heartbeat(interval: Option<Duration>) = heartbeat [HEARTBEAT_IVL Millis], ALL,
        |options: Dealer| options.heartbeat(interval), |now| Some(now.connection.heartbeat.as_ref().map(|config| config.interval));
    HeartbeatWith(interval: Duration, timeout: Duration, ttl: Duration) = heartbeat_with "three durations with a unit (ns, us, ms, s, m or h), such as `1s 5s 3s`: interval, timeout and time to live" [HEARTBEAT_TIMEOUT Part, HEARTBEAT_TTL Part], ALL,
        |options: Dealer| options.heartbeat_with(interval, timeout, ttl)?, |now| heartbeat(&now.connection);
    ConnectTimeout(timeout: Option<Duration>) = connect_timeout [CONNECT_TIMEOUT MillisOrZero], ALL,
        |options: Dealer| options.connect_timeout(timeout), |now| Some(now.connect_timeout);
    HandshakeTimeout(timeout: Option<Duration>) = handshake_timeout [HANDSHAKE_IVL MillisOrZero], ALL,
        |options: Dealer| options.handshake_timeout(timeout), |now| Some(now.connection.handshake_timeout);
    ReconnectStop(stop: ReconnectStop) = reconnect_stop [RECONNECT_STOP StopBits], ALL,
        |options: Dealer| options.reconnect_stop(stop), |now| Some(now.reconnect_stop);
    ReconnectRefused(first: Duration, max: Duration) = reconnect_refused "two durations with a unit (ns, us, ms, s, m or h), such as `1s 60s`: the first delay and the longest" [], ALL,
        |options: Dealer| options.reconnect_refused(first, max), |now| Some((now.reconnect_refused.first, now.reconnect_refused.max));
    Metadata(name: String, value: Bytes) = metadata "a name that begins with X- and a value, such as `X-region west`" [METADATA Property], ALL,
        |options: Dealer| options.metadata(&name, value)?, |now| properties(&now.connection);
    AllowLegacyZmtp(on: bool) = allow_legacy_zmtp [], ALL,
        |options: Dealer| options.allow_legacy_zmtp(on), |now| Some(now.connection.allow_legacy_zmtp);
    CloseReasons(on: bool) = close_reasons [], ALL,
        |options: Dealer| options.close_reasons(on), |now| Some(now.connection.close_reasons);
    Security(security: Security) = security [PLAIN_SERVER Part, PLAIN_USERNAME Part, PLAIN_PASSWORD Part, CURVE_SERVER Part, CURVE_PUBLICKEY Part, CURVE_SECRETKEY Part, CURVE_SERVERKEY Part, MECHANISM Part], ZMTP,
        |options: Dealer| options.security(security), |now| Some(now.connection.security.clone());
    ZapDomain(domain: String) = zap_domain "text of 1 to 255 bytes" [ZAP_DOMAIN Same], ZMTP,
        |options: Dealer| options.zap_domain(domain)?, |now| Some(now.connection.domain.clone()).filter(|domain| !domain.is_empty());
    EnforceZapDomain(on: bool) = enforce_zap_domain [ZAP_ENFORCE_DOMAIN Same], ZMTP,
        |options: Dealer| options.enforce_zap_domain(on), |now| Some(now.connection.enforces_zap_domain);
    Authenticator(authenticator: Authenticator) = authenticator [], ZMTP,
        |options: Dealer| options.authenticator(authenticator), |now| authenticator(&now.connection.auth_source);
    #[cfg(feature = "curve")]
    AnyKey = any_key [], ZMTP,
        |options: Dealer| options.any_key(), |now| (now.connection.auth_source == AuthSource::AnyKey).then_some(());
    AuthTimeout(timeout: Option<Duration>) = auth_timeout [], ZMTP,
        |options: Dealer| options.auth_timeout(timeout), |now| Some(Some(now.connection.auth_timeout).filter(|&time| time != Duration::MAX));
    MaxMessageSize(bytes: usize) = max_message_size [MAXMSGSIZE NoLimit], ALL,
        |options: Dealer| options.max_message_size(bytes), |now| Some(now.connection.max_message_size);
    MaxSendSize(bytes: usize) = max_send_size [], ALL,
        |options: Dealer| options.max_send_size(bytes), |now| Some(now.max_send_size);
    MaxFrames(frames: usize) = max_frames [], ALL,
        |options: Dealer| options.max_frames(frames), |now| Some(now.connection.max_frames);
    MaxPeers(peers: usize) = max_peers [], ALL,
        |options: Dealer| options.max_peers(peers), |now| Some(now.admission.peers);
    MaxHandshakes(in_all: usize, per_address: usize) = max_handshakes "two numbers, of all peers and per address, such as `4096 1024`, or `none none` for no limit" [], ALL,
        |options: Dealer| options.max_handshakes(in_all, per_address), |now| Some((now.admission.handshakes, now.admission.handshakes_per_address));
    MaxHandshakeRate(per_second: usize) = max_handshake_rate [], ALL,
        |options: Dealer| options.max_handshake_rate(per_second), |now| now.admission.handshake_rate;
    MaxHandshakeBytes(bytes: usize) = max_handshake_bytes [], ALL,
        |options: Dealer| options.max_handshake_bytes(bytes), |now| Some(now.admission.handshake_bytes);
    Mandatory(on: bool) = mandatory [ROUTER_MANDATORY Same, FAIL_UNROUTABLE Same, ROUTER_BEHAVIOR Same], ROUTER,
        |options: Router| options.mandatory(on), |now| Some(now.mandatory);
    Handover(on: bool) = handover [ROUTER_HANDOVER Same], ROUTER,
        |options: Router| options.handover(on), |now| Some(now.handover);
    NotifyConnect(on: bool) = notify_connect [], ROUTER,
        |options: Router| options.notify_connect(on), |now| Some(now.notices.connects);
    NotifyDisconnect(on: bool) = notify_disconnect [], ROUTER,
        |options: Router| options.notify_disconnect(on), |now| Some(now.notices.disconnects);
    Relaxed(on: bool) = relaxed [REQ_RELAXED Same], REQ,
        |options: Req| options.relaxed(on), |now| Some(now.relaxed);
    ReportLostPeer(on: bool) = report_lost_peer [], REQ,
        |options: Req| options.report_lost_peer(on), |now| Some(now.report_lost_peer);
    Correlate(on: bool) = correlate [REQ_CORRELATE Same], REQ,
        |options: Req| options.correlate(on), |now| Some(now.correlate);
    Notify(on: bool) = notify [STREAM_NOTIFY Same], STREAM,
        |options: Stream| options.notify(on), |now| Some(now.notify);
    ProbeRouter(on: bool) = probe_router [PROBE_ROUTER Same], HAS_ROUTING_ID,
        |options: Dealer| options.probe_router(on), |now| Some(now.probe);
    HelloMessage(message: Frame) = hello_message [HELLO_MSG Same], HELLO,
        |options: Peer| options.hello_message(message), |now| body(now.notices.hello.as_ref());
    DisconnectMessage(message: Frame) = disconnect_message [DISCONNECT_MSG Same], DISCONNECT,
        |options: Peer| options.disconnect_message(message), |now| body(now.notices.disconnect.as_ref());
    HiccupMessage(message: Frame) = hiccup_message [HICCUP_MSG Same], HICCUP,
        |options: Peer| options.hiccup_message(message), |now| body(now.notices.hiccup.as_ref());
    SlowSubscriber(policy: SlowSubscriber) = slow_subscriber [XPUB_NODROP NoDrop], PUBLISHES,
        |options: Pub| options.slow_subscriber(policy), |now| Some(now.publishing.slow);
    MaxSubscriptions(subscriptions: usize) = max_subscriptions [], PUBLISHES,
        |options: Pub| options.max_subscriptions(subscriptions), |now| Some(now.publishing.max_subscriptions);
    MaxSubscriptionSize(bytes: usize) = max_subscription_size [], PUBLISHES,
        |options: Pub| options.max_subscription_size(bytes), |now| Some(now.publishing.max_subscription_size);
    InvertMatching(on: bool) = invert_matching [INVERT_MATCHING Same], FILTERS,
        |options: Pub| options.invert_matching(on), |now| Some(now.publishing.invert);
    Verbose(on: bool) = verbose [XPUB_VERBOSE Same], XPUB,
        |options: XPub| options.verbose(on), |now| one_of(now.publishing.verbosity, Verbosity::Subscriptions, Verbosity::Changes);
    Verboser(on: bool) = verboser [XPUB_VERBOSER Same], XPUB,
        |options: XPub| options.verboser(on), |now| (now.publishing.verbosity == Verbosity::All).then_some(true);
    Manual(on: bool) = manual [XPUB_MANUAL Same], XPUB,
        |options: XPub| options.manual(on), |now| one_of(now.publishing.manual, Manual::On, Manual::Off);
    ManualLastValue(on: bool) = manual_last_value [XPUB_MANUAL_LAST_VALUE Same], XPUB,
        |options: XPub| options.manual_last_value(on), |now| (now.publishing.manual == Manual::LastValue).then_some(true);
    WelcomeMessage(message: Frame) = welcome_message [XPUB_WELCOME_MSG Same], XPUB,
        |options: XPub| options.welcome_message(message), |now| now.publishing.welcome.clone();
    VerboseUnsubscribe(on: bool) = verbose_unsubscribe [XSUB_VERBOSE_UNSUBSCRIBE Same], XSUB,
        |options: XSub| options.verbose_unsubscribe(on), |_now| None;
    OnlyFirstSubscribe(on: bool) = only_first_subscribe [ONLY_FIRST_SUBSCRIBE Same], XPUB_XSUB,
        |options: XPub| options.only_first_subscribe(on).cast::<XSub>().only_first_subscribe(on), |now| Some(only_first(now));
    DualStack(on: bool) = dual_stack [IPV6 Same, IPV4ONLY Inverse], ALL,
        |options: Dealer| options.dual_stack(on), |now| Some(now.transport.dual_stack);
    ReusePort(on: bool) = reuse_port [], ALL,
        |options: Dealer| options.reuse_port(on), |now| Some(now.transport.reuse_port);
    Keepalive(keepalive: KeepaliveConfig) = keepalive [TCP_KEEPALIVE Keepalive, TCP_KEEPALIVE_IDLE Part, TCP_KEEPALIVE_INTVL Part, TCP_KEEPALIVE_CNT Part], ALL,
        |options: Dealer| options.keepalive(keepalive), |now| Some(now.transport.keepalive);
    SendBuffer(bytes: Option<usize>) = send_buffer "a number from 1 to 2147483647, or `none` for the size of the system" [SNDBUF NoLimit], ALL,
        |options: Dealer| options.send_buffer(bytes)?, |now| Some(now.transport.send_buffer);
    RecvBuffer(bytes: Option<usize>) = recv_buffer "a number from 1 to 2147483647, or `none` for the size of the system" [RCVBUF NoLimit], ALL,
        |options: Dealer| options.recv_buffer(bytes)?, |now| Some(now.transport.recv_buffer);
    Backlog(connections: u32) = backlog "a number from 1 to 2147483647" [BACKLOG Same], ALL,
        |options: Dealer| options.backlog(connections)?, |now| now.transport.backlog;
    TcpMaxRetransmitTimeout(timeout: Option<Duration>) = tcp_max_retransmit_timeout "a duration with a unit (ns, us, ms, s, m or h), from `1ms` to `2147483647ms`, or `none` for that of the system" [TCP_MAXRT MillisOrZero], ALL,
        |options: Dealer| options.tcp_max_retransmit_timeout(timeout)?, |now| Some(now.transport.max_retransmit_timeout);
    Tos(byte: u8) = tos [TOS Same], ALL,
        |options: Dealer| options.tos(byte), |now| now.transport.tos;
    Priority(priority: u32) = priority [PRIORITY Same], ALL,
        |options: Dealer| options.priority(priority), |now| now.transport.priority;
    BindToDevice(name: String) = bind_to_device "a name of 1 to 15 bytes, such as `eth0`" [BINDTODEVICE Same], ALL,
        |options: Dealer| options.bind_to_device(name)?, |now| now.transport.device.clone();
    SocksProxy(proxy: String) = socks_proxy "host:port, such as `localhost:1080`" [SOCKS_PROXY Same], ALL,
        |options: Dealer| options.socks_proxy(&proxy)?, |now| now.proxy.as_deref().map(Proxy::address);
    SocksProxyAs(proxy: String, user: String, password: String) = socks_proxy_as "a proxy, a user and a password: `localhost:1080 USER PASSWORD`" [SOCKS_USERNAME Part, SOCKS_PASSWORD Part], ALL,
        |options: Dealer| options.socks_proxy_as(&proxy, user, password)?, |now| now.proxy.as_deref().and_then(login);
}

/// Returns the text of several values; `None` if one of them has no text.
fn join(values: &[Option<String>]) -> Option<String> {
    match values {
        [] => ().write(),
        values => values.iter().map(Option::as_deref).collect::<Option<Vec<_>>>().map(|values| values.join(" ")),
    }
}

/// Returns the interval, the timeout and the time to live of heartbeats.
fn heartbeat(now: &ConnectionConfig) -> Option<(Duration, Duration, Duration)> {
    let config = now.heartbeat.as_ref()?;
    Some((config.interval, config.timeout, Duration::from_millis(100) * config.ttl.into()))
}

/// Returns the properties that the application has set. The socket itself adds others, without `X-`.
fn properties(now: &ConnectionConfig) -> impl Iterator<Item = (String, Bytes)> {
    let text = |name| String::from_utf8_lossy(name).into_owned();
    let properties = now.properties.iter().map(move |(name, value)| (text(name), Bytes::copy_from_slice(value)));
    properties.filter(|(name, _)| name.starts_with("X-"))
}

fn authenticator(source: &AuthSource) -> Option<Authenticator> {
    match source {
        AuthSource::Authenticator(authenticator) => Some(authenticator.clone()),
        AuthSource::Default | AuthSource::Driver => None,
        #[cfg(feature = "curve")]
        AuthSource::AnyKey => None,
    }
}

fn body(message: Option<&Message>) -> Option<Frame> {
    message.map(|message| message.head().clone())
}

/// Returns whether the first of two values is in effect; `None` if it is neither of the two.
fn one_of<V: Copy + PartialEq>(now: V, on: V, off: V) -> Option<bool> {
    if now == on { Some(true) } else { (now == off).then_some(false) }
}

fn only_first(now: &Settings) -> bool {
    let subscribes = XSUB.contains(now.connection.socket_type);
    if subscribes { now.subscribing.only_first } else { now.publishing.only_first }
}

fn login(proxy: &Proxy) -> Option<(String, String, String)> {
    let user = proxy.user.clone()?;
    Some((proxy.address(), user.name, user.password))
}

impl<T: Kind> Options<T> {
    /// Sets an option that is known only at run time.
    ///
    /// ```
    /// use sansmq::{Options, OptionsError, SocketOption, SocketType};
    ///
    /// let options = Options::of(SocketType::Dealer).set(SocketOption::SendHwm(10))?;
    /// let error = options.set(SocketOption::Mandatory(true)).unwrap_err();
    /// assert_eq!(error.to_string(), "a DEALER socket does not have the option `mandatory`; it exists for ROUTER");
    /// # Ok::<(), OptionsError>(())
    /// ```
    ///
    /// # Errors
    /// [`OptionsError::NotForType`] if sockets of this type do not have the option, or the error of the setter.
    #[doc(alias("zmq_setsockopt", "setsockopt"))]
    pub fn set(self, option: SocketOption) -> Result<Self, OptionsError> {
        let socket_type = self.socket_type();
        if !option.exists_for(socket_type) {
            let types = option.types().to_vec();
            return Err(OptionsError::NotForType { option: option.name(), socket_type, types });
        }
        Ok(Self { settings: option.apply(self.settings)?, kind: PhantomData })
    }

    /// Returns the value in effect of the option with this name (`zmq_getsockopt`). The name is one that
    /// [`SocketOption::parse`] accepts, of this crate or of libzmq.
    ///
    /// Returns `None` if the option has no value: if sockets of this type do not have the option (see [`has`](Self::has)), if
    /// it is not set and its default is none or that of the operating system, and if another option has replaced it, as
    /// `no_reconnect` replaces `reconnect`. While heartbeats are on, both `heartbeat` and `heartbeat_with` have a value. For
    /// `metadata`, returns the first property; [`iter`](Self::iter) returns all.
    ///
    /// # Errors
    /// [`ParseOptionError::Unknown`] if no option has this name, and [`ParseOptionError::NotAnOption`] for an option of libzmq
    /// that is no option here.
    #[doc(alias("zmq_getsockopt", "getsockopt"))]
    pub fn get(&self, name: &str) -> Result<Option<SocketOption>, ParseOptionError> {
        let (names, _) = Names::find(name)?;
        Ok(self.present(names).into_iter().next())
    }

    /// Returns true if sockets of this type have the option with this name, set or not. The name is one that
    /// [`SocketOption::parse`] accepts, of this crate or of libzmq.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn has(&self, name: &str) -> Result<bool, ParseOptionError> {
        let (names, _) = Names::find(name)?;
        Ok(names.types.contains(self.socket_type()))
    }

    /// Returns all options that have a value, the defaults included. [Set](Self::set) in this order, they turn new options of
    /// the same socket type into these.
    pub fn iter(&self) -> impl Iterator<Item = SocketOption> {
        SocketOption::TABLE.iter().flat_map(|names| self.present(names))
    }

    fn present(&self, names: &Names) -> Vec<SocketOption> {
        let mut found = Vec::new();
        if names.types.contains(self.socket_type()) {
            (names.present)(&self.settings, &mut found);
        }
        found
    }

    pub(crate) const fn from_settings(settings: Settings) -> Self {
        Self { settings, kind: PhantomData }
    }

    pub(crate) fn cast<K: Kind>(self) -> Options<K> {
        Options::from_settings(self.settings)
    }
}

#[cfg(test)]
mod tests;
