//! Creation of options.

use super::{AdmissionLimits, Backoff, Notices, Options, Publishing, ReconnectStop, Settings, Subscribing};
use crate::address::TransportConfig;
use crate::connection::ConnectionConfig;
use crate::kind::{Any, Kind, Typed};
use crate::socket_type::SocketType;
use core::marker::PhantomData;
use core::time::Duration;

impl<T: Typed> Options<T> {
    /// Creates options with default values.
    pub const fn new() -> Self {
        Self::with_type(T::TYPE)
    }
}

impl Options<Any> {
    /// Creates options with default values for a socket type that is known only at run time.
    pub const fn of(socket_type: SocketType) -> Self {
        Self::with_type(socket_type)
    }
}

impl<T: Kind> Options<T> {
    const fn with_type(socket_type: SocketType) -> Self {
        let settings = Settings {
            connection: ConnectionConfig::new(socket_type),
            transport: TransportConfig::new(),
            send_hwm: 1000,
            recv_hwm: 1000,
            send_hwm_bytes: 256 << 20,
            recv_hwm_bytes: 64 << 20,
            max_send_size: usize::MAX,
            // A subscriber sends only its subscriptions, which have no effect after it is closed.
            linger: Some(if socket_type.only_subscribes() { Duration::ZERO } else { Duration::from_secs(30) }),
            reconnect: Some(Backoff { first: Duration::from_millis(100), max: Duration::from_secs(5) }),
            reconnect_refused: Backoff { first: Duration::from_secs(1), max: Duration::from_secs(60) },
            connect_timeout: Some(Duration::from_secs(30)),
            probe: false,
            mandatory: false,
            handover: false,
            relaxed: false,
            report_lost_peer: true,
            correlate: false,
            proxy: None,
            immediate: false,
            fail_unreachable: false,
            conflate: false,
            reconnect_stop: ReconnectStop::NEVER,
            admission: AdmissionLimits::DEFAULT,
            notices: Notices::NONE,
            publishing: Publishing::DEFAULT,
            subscribing: Subscribing::DEFAULT,
            notify: true,
        };
        Self { settings, kind: PhantomData }
    }
}
