//! Change of the options of a live socket.

use super::Socket;
use crate::connection::Ledger;
use crate::cost;
use crate::kind::{Any, Kind};
use crate::security::{AuthSource, Handler};
use crate::socket::effects::Effects;
use crate::socket::error::{CLOSED, OptionsError};
use crate::socket::options::{Options, Settings, SocketOption};
use crate::socket_type::SocketType;
use alloc::sync::Arc;
use thiserror::Error;

/// Error of `set_options` and `set_option`. The options of the socket stay as they were.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SetOptionsError {
    /// The value of this option differs, but it can change only before the first `bind` or `connect` of the socket.
    /// Carries the name of the option.
    #[error("`{0}` can change only before the first `bind` or `connect`; set it before, or create another socket")]
    InUse(&'static str),
    /// The options are for another socket type.
    #[error(
        "these are options of {} {given} socket, but the socket is {} {socket}; begin with the options of this socket",
        .given.article(), .socket.article()
    )]
    OtherType {
        /// Type of the socket.
        socket: SocketType,
        /// Socket type of the options.
        given: SocketType,
    },
    /// The option that was given to `set_option` does not exist for this socket type, or its value is invalid.
    #[error(transparent)]
    Invalid(#[from] OptionsError),
    /// The socket is closed.
    #[error("{CLOSED}")]
    Closed,
}

/// Expands to the table of the moments from which a changed option counts, for the pages of all `set_options`.
#[doc(hidden)]
#[macro_export]
macro_rules! set_options_table {
    () => {
        "| options | change |\n\
         |---|---|\n\
         | `linger`, `send_hwm`, `recv_hwm`, `send_hwm_bytes`, `recv_hwm_bytes`, `max_send_size`, `fail_unreachable`, `immediate`, `mandatory`, `handover`, `relaxed`, `report_lost_peer`, `notify_connect`, `notify_disconnect`, `disconnect_message`, `hiccup_message`, `slow_subscriber`, `max_subscriptions`, `max_subscription_size`, `invert_matching`, `verbose`, `verboser`, `manual`, `manual_last_value`, `max_peers`, `max_handshakes`, `max_handshake_rate`, and `only_first_subscribe` of an XSUB | at once, for present connections and queues too |\n\
         | `reconnect`, `no_reconnect`, `reconnect_refused`, `reconnect_stop`, `connect_timeout`, `socks_proxy` | from the next dial or failure |\n\
         | `routing_id`, `heartbeat`, `handshake_timeout`, `max_message_size`, `max_frames`, `metadata`, `allow_legacy_zmtp`, `close_reasons`, `hello_message`, `welcome_message`, `probe_router`, `notify`, and `only_first_subscribe` of an XPUB | for connections that are made afterwards |\n\
         | `correlate` | from the next request |\n\
         | options of the operating system, such as `keepalive` | for later calls of `bind`, and for connections that are dialled afterwards |\n\
         | `security`, `authenticator`, `any_key`, `zap_domain`, `enforce_zap_domain`, `zap_handler`, `auth_timeout`, `conflate`, `max_handshake_bytes` | before the first call of `bind` or `connect` only |\n\
         \n\
         A lower high-water mark drops nothing: a longer queue is full until it has become shorter. A lower `max_peers`\n\
         closes no connection. `linger` counts for calls of `close` and `disconnect` afterwards. While the memory limit of a\n\
         context is exceeded, the marks in bytes stay lower than these.\n\
         \n\
         When `manual` is turned on, the present subscriptions stay in effect until the application ends them. When it is turned\n\
         off, all that the peers have requested is in effect, and nothing else. `only_first_subscribe` of an XPUB counts at once\n\
         when it is turned off. At a port that several sockets share, connections that belong to no socket yet have the limits\n\
         that the first socket had when it opened the port.\n"
    };
}

impl Socket {
    /// Returns the options of this socket, as they are now. To change some of them, pass the changed options to
    /// [`set_options`](Self::set_options). Returns `None` if `T` is the marker of another socket type; with
    /// [`Any`], every socket returns its options.
    #[doc(alias("zmq_getsockopt", "getsockopt"))]
    pub fn options<T: Kind>(&self) -> Option<Options<T>> {
        let fits = T::ONLY.is_none_or(|only| only == self.socket_type());
        fits.then(|| Options::from_settings(self.settings.clone()))
    }

    /// Changes the options of this socket (`zmq_setsockopt`), all or none of them.
    ///
    #[doc = set_options_table!()]
    ///
    /// # Errors
    /// [`SetOptionsError`].
    #[doc(alias("zmq_setsockopt", "setsockopt"))]
    pub fn set_options<T: Kind>(&mut self, options: Options<T>) -> Result<(), SetOptionsError> {
        let _call = cost::call("Socket::set_options", 1);
        let mut settings = options.settings;
        let (socket, given) = (self.socket_type(), settings.connection.socket_type);
        if socket != given {
            return Err(SetOptionsError::OtherType { socket, given });
        }
        if self.closing {
            return Err(SetOptionsError::Closed);
        }
        settings.connection.announce_close_reason();
        settings.connection.ledger = Some(Arc::clone(&self.ledger));
        // Options that were made without those of this socket do not have the handler of its context.
        settings.connection.handler = settings.connection.handler.or_else(|| self.settings.connection.handler.clone());
        if let Some(option) = fixed_difference(&self.settings, &settings) {
            if self.has_endpoints() {
                return Err(SetOptionsError::InUse(option));
            }
            self.ledger = Arc::new(Ledger::new(settings.admission.handshake_bytes, self.pipes.budget().cloned()));
            settings.connection.ledger = Some(Arc::clone(&self.ledger));
        }
        self.settings = settings;
        self.config = Arc::new(self.settings.connection.clone());
        self.pattern.configure(&mut self.pipes, &self.settings, &mut *self.entropy);
        for pipe in self.pipes.configure(&self.settings) {
            self.effects |= self.pattern.on_room(&mut self.pipes, pipe);
        }
        // The number of subscribers changes with `invert_matching`.
        self.effects |= Effects::READABLE | Effects::WRITABLE | Effects::PEERS_CHANGED;
        self.update_blocked();
        Ok(())
    }

    /// Changes one option of this socket (`zmq_setsockopt`). The other options stay as they are, so calls for different
    /// options do not undo each other. The option counts from the moment in the table of [`set_options`](Self::set_options).
    ///
    /// # Errors
    /// [`SetOptionsError`].
    #[doc(alias("zmq_setsockopt", "setsockopt"))]
    pub fn set_option(&mut self, option: SocketOption) -> Result<(), SetOptionsError> {
        if self.closing {
            return Err(SetOptionsError::Closed);
        }
        let options = Options::<Any>::from_settings(self.settings.clone()).set(option)?;
        self.set_options(options)
    }

    /// Returns true after the first `bind` or `connect`, and after the first connection.
    fn has_endpoints(&self) -> bool {
        self.next_listener > 0 || self.pipes.has_ever_had_pipes()
    }
}

/// Returns the name of an option that differs, and that can change only before the first `bind` or `connect`.
fn fixed_difference(old: &Settings, new: &Settings) -> Option<&'static str> {
    let (before, after) = (&old.connection, &new.connection);
    [
        ("security", before.security == after.security),
        (auth_source_option(&before.auth_source, &after.auth_source), before.auth_source == after.auth_source),
        ("zap_domain", before.domain == after.domain),
        ("enforce_zap_domain", before.enforces_zap_domain == after.enforces_zap_domain),
        ("zap_handler", is_same(before.handler.as_ref(), after.handler.as_ref())),
        ("auth_timeout", before.auth_timeout == after.auth_timeout),
        ("conflate", old.conflate == new.conflate),
        ("max_handshake_bytes", old.admission.handshake_bytes == new.admission.handshake_bytes),
    ]
    .into_iter()
    .find_map(|(option, is_same)| (!is_same).then_some(option))
}

/// Returns the name of the option that changes one source of decisions to the other.
fn auth_source_option(before: &AuthSource, after: &AuthSource) -> &'static str {
    match (before, after) {
        #[cfg(feature = "curve")]
        (_, AuthSource::AnyKey) | (AuthSource::AnyKey, AuthSource::Default) => "any_key",
        _ => "authenticator",
    }
}

fn is_same(before: Option<&Handler>, after: Option<&Handler>) -> bool {
    match (before, after) {
        (Some(before), Some(after)) => Arc::ptr_eq(&before.handler, &after.handler),
        (before, after) => before.is_none() && after.is_none(),
    }
}
