//! [`SocketOption`]: an option with its value, for programs that know the socket type or the option only at run time.

use super::{Options, ReconnectStop, Settings, SlowSubscriber};
use crate::address::Keepalive;
use crate::kind::{Dealer, Kind, Peer, Pub, Req, Router, Stream, Trait, XPub, XSub};
use crate::message::Frame;
use crate::security::{Authenticator, Security};
use crate::socket::error::OptionsError;
use crate::socket_type::{SocketType, TypeSet};
use alloc::string::String;
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

/// Defines [`SocketOption`] from rows: the variant with its values, the name of its setter, the socket types that have the
/// option, and the call of the setter, with the kind of socket that the setter needs.
macro_rules! socket_options {
    ($(
        $(#[$attribute:meta])*
        $variant:ident $(($($value:ident: $type:ty),+))? = $name:ident, $types:ident, |$options:ident: $kind:ident| $call:expr;
    )*) => {
        /// An option with its value, for programs that know the socket type or the option only at run time, such as bindings
        /// and bridges. Each variant has the name and the values of a setter of
        /// [`Options`], where they are documented. [`Options::set`] sets it.
        #[derive(Clone)]
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

        /// Names of all options, each with the socket types that have it.
        #[cfg(test)]
        const OPTIONS: &[(&str, TypeSet)] = &[$($(#[$attribute])* (stringify!($name), $types)),*];
    };
}

socket_options! {
    Linger(linger: Option<Duration>) = linger, ALL, |options: Dealer| options.linger(linger);
    SendHwm(messages: usize) = send_hwm, SENDS, |options: Dealer| options.send_hwm(messages);
    RecvHwm(messages: usize) = recv_hwm, RECEIVES, |options: Dealer| options.recv_hwm(messages);
    RoutingId(id: Frame) = routing_id, HAS_ROUTING_ID, |options: Dealer| options.routing_id(id)?;
    Immediate(on: bool) = immediate, ALL, |options: Dealer| options.immediate(on);
    Conflate(on: bool) = conflate, CONFLATE, |options: Dealer| options.conflate(on);
    FailUnreachable(on: bool) = fail_unreachable, ALL, |options: Dealer| options.fail_unreachable(on);
    SendHwmBytes(bytes: usize) = send_hwm_bytes, SENDS, |options: Dealer| options.send_hwm_bytes(bytes);
    RecvHwmBytes(bytes: usize) = recv_hwm_bytes, RECEIVES, |options: Dealer| options.recv_hwm_bytes(bytes);
    Reconnect(first: Duration, max: Duration) = reconnect, ALL, |options: Dealer| options.reconnect(first, max);
    NoReconnect = no_reconnect, ALL, |options: Dealer| options.no_reconnect();
    Heartbeat(interval: Option<Duration>) = heartbeat, ALL, |options: Dealer| options.heartbeat(interval);
    HeartbeatWith(interval: Duration, timeout: Duration, ttl: Duration) = heartbeat_with, ALL, |options: Dealer| options.heartbeat_with(interval, timeout, ttl)?;
    ConnectTimeout(timeout: Option<Duration>) = connect_timeout, ALL, |options: Dealer| options.connect_timeout(timeout);
    HandshakeTimeout(timeout: Option<Duration>) = handshake_timeout, ALL, |options: Dealer| options.handshake_timeout(timeout);
    ReconnectStop(stop: ReconnectStop) = reconnect_stop, ALL, |options: Dealer| options.reconnect_stop(stop);
    ReconnectRefused(first: Duration, max: Duration) = reconnect_refused, ALL, |options: Dealer| options.reconnect_refused(first, max);
    Metadata(name: String, value: Bytes) = metadata, ALL, |options: Dealer| options.metadata(&name, value)?;
    AllowLegacyZmtp(on: bool) = allow_legacy_zmtp, ALL, |options: Dealer| options.allow_legacy_zmtp(on);
    Security(security: Security) = security, ZMTP, |options: Dealer| options.security(security);
    ZapDomain(domain: String) = zap_domain, ZMTP, |options: Dealer| options.zap_domain(domain)?;
    Authenticator(authenticator: Authenticator) = authenticator, ZMTP, |options: Dealer| options.authenticator(authenticator);
    #[cfg(feature = "curve")]
    AnyKey = any_key, ZMTP, |options: Dealer| options.any_key();
    AuthTimeout(timeout: Option<Duration>) = auth_timeout, ZMTP, |options: Dealer| options.auth_timeout(timeout);
    MaxMessageSize(bytes: usize) = max_message_size, ALL, |options: Dealer| options.max_message_size(bytes);
    MaxSendSize(bytes: usize) = max_send_size, ALL, |options: Dealer| options.max_send_size(bytes);
    MaxFrames(frames: usize) = max_frames, ALL, |options: Dealer| options.max_frames(frames);
    MaxPeers(peers: usize) = max_peers, ALL, |options: Dealer| options.max_peers(peers);
    MaxHandshakes(in_all: usize, per_address: usize) = max_handshakes, ALL, |options: Dealer| options.max_handshakes(in_all, per_address);
    MaxHandshakeRate(per_second: usize) = max_handshake_rate, ALL, |options: Dealer| options.max_handshake_rate(per_second);
    MaxHandshakeBytes(bytes: usize) = max_handshake_bytes, ALL, |options: Dealer| options.max_handshake_bytes(bytes);
    Mandatory(on: bool) = mandatory, ROUTER, |options: Router| options.mandatory(on);
    Handover(on: bool) = handover, ROUTER, |options: Router| options.handover(on);
    NotifyConnect(on: bool) = notify_connect, ROUTER, |options: Router| options.notify_connect(on);
    NotifyDisconnect(on: bool) = notify_disconnect, ROUTER, |options: Router| options.notify_disconnect(on);
    Relaxed(on: bool) = relaxed, REQ, |options: Req| options.relaxed(on);
    Correlate(on: bool) = correlate, REQ, |options: Req| options.correlate(on);
    Notify(on: bool) = notify, STREAM, |options: Stream| options.notify(on);
    ProbeRouter(on: bool) = probe_router, HAS_ROUTING_ID, |options: Dealer| options.probe_router(on);
    HelloMessage(message: Frame) = hello_message, HELLO, |options: Peer| options.hello_message(message);
    DisconnectMessage(message: Frame) = disconnect_message, DISCONNECT, |options: Peer| options.disconnect_message(message);
    HiccupMessage(message: Frame) = hiccup_message, HICCUP, |options: Peer| options.hiccup_message(message);
    SlowSubscriber(policy: SlowSubscriber) = slow_subscriber, PUBLISHES, |options: Pub| options.slow_subscriber(policy);
    MaxSubscriptions(subscriptions: usize) = max_subscriptions, PUBLISHES, |options: Pub| options.max_subscriptions(subscriptions);
    MaxSubscriptionSize(bytes: usize) = max_subscription_size, PUBLISHES, |options: Pub| options.max_subscription_size(bytes);
    InvertMatching(on: bool) = invert_matching, FILTERS, |options: Pub| options.invert_matching(on);
    Verbose(on: bool) = verbose, XPUB, |options: XPub| options.verbose(on);
    Verboser(on: bool) = verboser, XPUB, |options: XPub| options.verboser(on);
    Manual(on: bool) = manual, XPUB, |options: XPub| options.manual(on);
    ManualLastValue(on: bool) = manual_last_value, XPUB, |options: XPub| options.manual_last_value(on);
    WelcomeMessage(message: Frame) = welcome_message, XPUB, |options: XPub| options.welcome_message(message);
    VerboseUnsubscribe(on: bool) = verbose_unsubscribe, XSUB, |options: XSub| options.verbose_unsubscribe(on);
    OnlyFirstSubscribe(on: bool) = only_first_subscribe, XPUB_XSUB, |options: XPub| options.only_first_subscribe(on).cast::<XSub>().only_first_subscribe(on);
    DualStack(on: bool) = dual_stack, ALL, |options: Dealer| options.dual_stack(on);
    Keepalive(keepalive: Option<Keepalive>) = keepalive, ALL, |options: Dealer| options.keepalive(keepalive);
    SendBuffer(bytes: usize) = send_buffer, ALL, |options: Dealer| options.send_buffer(bytes)?;
    RecvBuffer(bytes: usize) = recv_buffer, ALL, |options: Dealer| options.recv_buffer(bytes)?;
    Backlog(connections: u32) = backlog, ALL, |options: Dealer| options.backlog(connections)?;
    TcpMaxRetransmitTimeout(timeout: Duration) = tcp_max_retransmit_timeout, ALL, |options: Dealer| options.tcp_max_retransmit_timeout(timeout)?;
    Tos(byte: u8) = tos, ALL, |options: Dealer| options.tos(byte);
    Priority(priority: u32) = priority, ALL, |options: Dealer| options.priority(priority);
    BindToDevice(name: String) = bind_to_device, ALL, |options: Dealer| options.bind_to_device(name)?;
    SocksProxy(proxy: String) = socks_proxy, ALL, |options: Dealer| options.socks_proxy(&proxy)?;
    SocksProxyAs(proxy: String, user: String, password: String) = socks_proxy_as, ALL, |options: Dealer| options.socks_proxy_as(&proxy, user, password)?;
}

impl<T: Kind> Options<T> {
    /// Sets an option that is known only at run time.
    ///
    /// ```
    /// use sansmq_proto::socket::{OptionsError, SocketOption};
    /// use sansmq_proto::{Options, SocketType};
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

    pub(crate) const fn from_settings(settings: Settings) -> Self {
        Self { settings, kind: PhantomData }
    }

    pub(crate) fn cast<K: Kind>(self) -> Options<K> {
        Options::from_settings(self.settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::vec::Vec;

    /// Compares each option with the table in the documentation of [`Options`], which another test compares with the setters.
    #[test]
    fn dynamic_options_exist_for_the_types_of_the_table() {
        let mut rows = 0;
        for line in include_str!("mod.rs").lines().filter_map(|line| line.strip_prefix("/// | [`")) {
            let (name, rest) = line.split_once('`').unwrap();
            let types = rest.trim_end_matches(" |").rsplit(" | ").next().unwrap();
            rows += 1;
            if matches!(name, "zap_handler" | "authenticate") || cfg!(not(feature = "curve")) && name == "any_key" {
                continue; // Their values are functions; `Authenticator` is the same as `authenticate`.
            }
            let found = OPTIONS.iter().find(|(option, _)| *option == name).expect(name).1;
            let expected: Vec<_> = SocketType::ALL
                .into_iter()
                .filter(|socket_type| match types {
                    "all" => true,
                    "that send" => socket_type.can_send(),
                    "that receive" => socket_type.can_receive(),
                    "all but STREAM" => *socket_type != SocketType::Stream,
                    _ if name == "only_first_subscribe" => ["XPUB", "XSUB"].contains(&socket_type.name()),
                    list => list.split(", ").any(|name| name == socket_type.name()),
                })
                .collect();
            assert_eq!(found.to_vec(), expected, "{name}");
        }
        assert!(rows > 60, "{rows} rows");
    }

    #[test]
    fn option_of_another_type_is_an_error_that_names_the_types() {
        let error = Options::of(SocketType::Pull).set(SocketOption::Conflate(true).clone());
        assert!(error.unwrap().settings.conflate);
        let error = Options::of(SocketType::Rep).set(SocketOption::HiccupMessage(Frame::EMPTY)).unwrap_err();
        let OptionsError::NotForType { option, socket_type, types } = error else { panic!("{error}") };
        assert_eq!((option, socket_type), ("hiccup_message", SocketType::Rep));
        assert_eq!(types, [SocketType::Dealer, SocketType::Client, SocketType::Peer]);
    }

    #[test]
    fn debug_text_of_an_option_does_not_contain_the_password() {
        let text = format!("{:?}", SocketOption::SocksProxyAs("proxy:1".into(), "ann".into(), "secret".into()));
        assert_eq!(text, "SocksProxyAs(\"proxy:1\", \"ann\", ..)");
        assert_eq!(
            format!("{:?}, {:?}", SocketOption::SendHwm(7), SocketOption::NoReconnect),
            "SendHwm(7), NoReconnect"
        );
        let login = Security::plain_client("ann", "secret").unwrap();
        assert!(!format!("{:?}", SocketOption::Security(login)).contains("secret"));
    }

    #[test]
    fn dynamic_option_out_of_range_is_the_error_of_its_setter() {
        let error = Options::of(SocketType::Req).set(SocketOption::RoutingId(Frame::EMPTY)).unwrap_err();
        assert_eq!(error, OptionsError::RoutingId(0));
    }
}
