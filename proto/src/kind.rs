//! Marker types of the implemented socket types, and traits for the operations and options of each type.
//!
//! Misuse does not compile: `send` exists only for kinds that implement [`Sends`], `recv` only for kinds that implement
//! [`Receives`], and `mandatory` only for `Options<Router>`. [`Any`] is the kind of a socket with a type that is known only
//! at run time.
//!
//! ```compile_fail,E0277
//! use sansmq::{Options, kind::Sub};
//!
//! let _ = Options::<Sub>::new().send_hwm(10); // error: `Sub` sockets cannot send
//! ```

use crate::socket_type::{SocketType, TypeSet};
use core::fmt::Debug;

/// Trait of the marker types for sockets: one marker type per socket type, such as [`Router`], and [`Any`]. The type
/// parameter of [`Options`](crate::Options) is a marker type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a kind of socket",
    label = "requires a marker of a socket type, or `Any`",
    note = "use a marker of the module `kind`, such as `Router`, or `Any` for a type that is known only at run time"
)]
pub trait Kind: sealed::Sealed + Debug + Send + Sync + 'static {}

/// A marker type for exactly one socket type. [`Any`] does not implement this trait.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not stand for one socket type",
    label = "requires a marker of one socket type",
    note = "use a marker of the module `kind`, such as `Router`; options of kind `Any` result from `erase()` or `Options::of`"
)]
pub trait Typed: Kind {
    /// The socket type of this marker.
    const TYPE: SocketType;
}

/// Socket types that can send messages.
#[diagnostic::on_unimplemented(
    message = "`{Self}` sockets cannot send",
    label = "requires a socket type that sends",
    note = "SUB, PULL, DISH and GATHER only receive; to send, use PUB or XPUB, PUSH, RADIO, or SCATTER"
)]
pub trait Sends: Kind {}

/// Socket types that can receive messages.
#[diagnostic::on_unimplemented(
    message = "`{Self}` sockets cannot receive",
    label = "requires a socket type that receives",
    note = "PUB, PUSH, RADIO and SCATTER only send; to receive, use SUB or XSUB, PULL, DISH, or GATHER; \
            XPUB receives the subscriptions of its peers"
)]
pub trait Receives: Kind {}

/// Socket types that use ZMTP, and therefore have a handshake and security: all types except STREAM.
#[diagnostic::on_unimplemented(
    message = "`{Self}` sockets do not have the options of ZMTP connections",
    label = "requires a socket type that uses ZMTP",
    note = "STREAM does not use ZMTP, so it has no handshake and no security; for `Any`, set the option with `Options::set`"
)]
pub trait Zmtp: Kind {}

/// Socket types that send their own routing id (option `ROUTING_ID`) to each peer, in the handshake.
#[diagnostic::on_unimplemented(
    message = "`{Self}` sockets do not send a routing id to their peers",
    label = "requires a socket type with a routing id of its own",
    note = "REQ, DEALER and ROUTER have a routing id; for `Any`, set the option with `Options::set`"
)]
pub trait HasRoutingId: Kind {}

/// Socket types that send each message to all subscribed peers.
#[diagnostic::on_unimplemented(
    message = "`{Self}` sockets do not publish to subscribers",
    label = "requires a socket type with subscribers",
    note = "PUB and XPUB publish to subscribers, and RADIO to the members of a group"
)]
pub trait Publishes: Kind {}

/// Socket types with the option [`invert_matching`](crate::Options::invert_matching) (`ZMQ_INVERT_MATCHING`). The
/// option inverts the filter: subscribers receive the messages that match no subscribed prefix.
#[diagnostic::on_unimplemented(
    message = "`{Self}` sockets do not filter messages by prefix",
    label = "requires a socket type that filters by prefix",
    note = "PUB, XPUB and SUB filter messages by prefix; for `Any`, set the option with `Options::set`"
)]
pub trait FiltersByPrefix: Kind {}

/// Socket types that subscribe to prefixes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` sockets cannot subscribe",
    label = "requires a socket type that subscribes",
    note = "SUB and XSUB subscribe to prefixes, and XPUB with the option `manual` for its peers; DISH joins groups instead"
)]
pub trait Subscribes: Kind {}

/// Socket types that join groups, to receive the messages that a RADIO socket sends to these groups.
#[diagnostic::on_unimplemented(
    message = "`{Self}` sockets cannot join groups",
    label = "requires a socket type that joins groups",
    note = "DISH joins the groups of a RADIO; SUB and XSUB subscribe to prefixes instead"
)]
pub trait JoinsGroups: Kind {}

/// Socket types that assign a numeric routing id to each peer. The application sends to a peer by this id.
#[diagnostic::on_unimplemented(
    message = "`{Self}` sockets do not assign routing ids to all their peers",
    label = "requires a socket type that assigns routing ids",
    note = "SERVER and PEER assign a numeric routing id to each peer"
)]
pub trait AssignsRoutingId: Kind {}

/// Socket types that address a peer by its routing id, the first frame of each message. The application can choose this
/// id when it connects to the peer (option `CONNECT_ROUTING_ID`).
#[diagnostic::on_unimplemented(
    message = "`{Self}` sockets cannot connect to a peer under a routing id chosen by the application",
    label = "requires a socket type that accepts a routing id for the peer",
    note = "ROUTER and STREAM accept a routing id for the peer when they connect"
)]
pub trait RoutesById: Kind {}

/// Socket types that can connect to a peer and return the routing id that they assign to it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` sockets do not have `connect_peer`",
    label = "requires a socket type that assigns a routing id when it connects",
    note = "PEER has `connect_peer`; ROUTER and STREAM have `connect_as`"
)]
pub trait ConnectsPeers: Kind {}

/// Socket types with the option `CONFLATE`. With this option, each queue of the socket holds only the latest message.
#[diagnostic::on_unimplemented(
    message = "`{Self}` sockets cannot conflate messages",
    label = "requires a socket type with this option",
    note = "DEALER, PUSH, PULL, PUB and SUB can keep only the latest message; for `Any`, set the option with `Options::set`"
)]
pub trait Conflate: Kind {}

/// Socket types that can send a fixed message to the peer on each new connection (option `HELLO_MSG`).
#[diagnostic::on_unimplemented(
    message = "`{Self}` sockets do not have the option `hello_message`",
    label = "requires a socket type with this option",
    note = "DEALER, ROUTER, CLIENT, SERVER and PEER have this option; for `Any`, set the option with `Options::set`"
)]
pub trait HelloMessage: Kind {}

/// Socket types that can pass a fixed message to their own application when an accepted connection ends. The option
/// `DISCONNECT_MSG` of the socket sets this message.
#[diagnostic::on_unimplemented(
    message = "`{Self}` sockets do not have the option `disconnect_message`",
    label = "requires a socket type with this option",
    note = "ROUTER, SERVER and PEER have this option; for `Any`, set the option with `Options::set`"
)]
pub trait DisconnectMessage: Kind {}

/// Socket types that can pass a fixed message to their own application when a connection is lost and will be dialled
/// again. The option `HICCUP_MSG` of the socket sets this message.
#[diagnostic::on_unimplemented(
    message = "`{Self}` sockets do not have the option `hiccup_message`",
    label = "requires a socket type with this option",
    note = "DEALER, CLIENT and PEER have this option; for `Any`, set the option with `Options::set`"
)]
pub trait HiccupMessage: Kind {}

mod sealed {
    use crate::socket_type::SocketType;

    #[expect(unnameable_types, reason = "an unnameable trait cannot be implemented in other crates")]
    pub trait Sealed {
        /// Socket type of the marker; `None` for `Any`.
        const ONLY: Option<SocketType>;
    }
}

/// A line of documentation: links to options.
macro_rules! links {
    ($text:literal $($option:ident)*) => {
        concat!("- ", $text, ":", $(" [`", stringify!($option), "`](crate::Options::", stringify!($option), ")",)* "\n")
    };
}

/// The options that a trait of this module, or a marker, adds to a socket type; `Kind` for those of every type.
macro_rules! options_of {
    (Kind first) => { links!("Every socket" linger immediate fail_unreachable) };
    (Sends) => { links!("Sending" send_hwm send_hwm_bytes) };
    (Receives) => { links!("Receiving" recv_hwm recv_hwm_bytes) };
    (HasRoutingId) => { links!("Routing id" routing_id probe_router) };
    (Conflate) => { links!("Latest message only" conflate) };
    (Publishes) => { links!("Subscribers" slow_subscriber max_subscriptions max_subscription_size) };
    (FiltersByPrefix) => { links!("Matching" invert_matching) };
    (HelloMessage) => { links!("Message at a connect" hello_message) };
    (DisconnectMessage) => { links!("Message at a disconnect" disconnect_message) };
    (HiccupMessage) => { links!("Message at a lost connection" hiccup_message) };
    (Router) => { links!("ROUTER" mandatory handover notify_connect notify_disconnect) };
    (Req) => { links!("REQ" relaxed correlate report_lost_peer) };
    (Stream) => { links!("STREAM" notify) };
    (XPub) => {
        links!("XPUB" verbose verboser manual manual_last_value welcome_message only_first_subscribe)
    };
    (XSub) => { links!("XSUB" verbose_unsubscribe only_first_subscribe) };
    (Kind connections) => {
        links!("Connections" reconnect no_reconnect heartbeat heartbeat_with connect_timeout handshake_timeout
            reconnect_stop reconnect_refused metadata allow_legacy_zmtp close_reasons)
    };
    (Zmtp) => { links!("Security" security zap_domain enforce_zap_domain authenticate authenticator any_key auth_timeout) };
    (Kind limits) => {
        links!("Limits" max_message_size max_send_size max_frames max_peers max_handshakes max_handshake_rate
            max_handshake_bytes)
    };
    (Kind last) => {
        links!("Operating system" dual_stack reuse_port keepalive send_buffer recv_buffer backlog
            tcp_max_retransmit_timeout tos priority bind_to_device socks_proxy socks_proxy_as)
    };
    ($other:ident) => { "" };
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident: $($can:ident)*;)*) => {$(
        $(#[$doc])*
        ///
        /// # Options
        ///
        #[doc = concat!(
            options_of!(Kind first), $(options_of!($can),)* options_of!($name), options_of!(Kind connections),
            options_of!(Kind limits), options_of!(Kind last)
        )]
        #[derive(Clone, Copy, Debug)]
        pub enum $name {}
        impl sealed::Sealed for $name {
            const ONLY: Option<SocketType> = Some(SocketType::$name);
        }
        impl Kind for $name {}
        impl Typed for $name {
            const TYPE: SocketType = SocketType::$name;
        }
        $(impl $can for $name {})*
    )*
        impl Trait {
            /// Returns the socket types with a marker that implements this trait.
            pub(crate) const fn types(self) -> TypeSet {
                let mut types = TypeSet::NONE;
                $($(
                    if self as u8 == Self::$can as u8 {
                        types = types.with(SocketType::$name);
                    }
                )*)*
                types
            }
        }
    };
}

/// A trait of this module, as a value, for the rules of sockets with a type that is known only at run time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trait {
    Sends,
    Receives,
    Zmtp,
    HasRoutingId,
    Publishes,
    FiltersByPrefix,
    Subscribes,
    JoinsGroups,
    AssignsRoutingId,
    RoutesById,
    ConnectsPeers,
    Conflate,
    HelloMessage,
    DisconnectMessage,
    HiccupMessage,
}

impl SocketType {
    /// Returns true if the application can send: all types except PULL, SUB, DISH and GATHER.
    pub const fn can_send(self) -> bool {
        const TYPES: TypeSet = Trait::Sends.types();
        TYPES.contains(self)
    }

    /// Returns true if the application can receive: all types except PUSH, PUB, RADIO and SCATTER.
    pub const fn can_receive(self) -> bool {
        const TYPES: TypeSet = Trait::Receives.types();
        TYPES.contains(self)
    }

    /// Returns true if a binding may receive messages before its application asks for them: the application notices no
    /// difference but the lengths of queues. False for types where the application acts on each message before it receives the next
    /// (REQ, REP, XPUB), or may change what it still receives (SUB, XSUB, DISH).
    pub const fn may_recv_ahead(self) -> bool {
        use SocketType::{Channel, Client, Dealer, Gather, Pair, Peer, Pull, Router, Server, Stream};
        matches!(self, Channel | Client | Dealer | Gather | Pair | Peer | Pull | Router | Server | Stream)
    }

    /// Returns true for REQ, DEALER and ROUTER, which send a routing id in READY.
    pub const fn announces_routing_id(self) -> bool {
        const TYPES: TypeSet = Trait::HasRoutingId.types();
        TYPES.contains(self)
    }

    /// Returns true for PUB, XPUB and RADIO, which send each message to all subscribed peers.
    pub const fn publishes(self) -> bool {
        const TYPES: TypeSet = Trait::Publishes.types();
        TYPES.contains(self)
    }

    /// Returns true for STREAM, which does not use ZMTP.
    pub(crate) const fn is_raw(self) -> bool {
        const ZMTP: TypeSet = Trait::Zmtp.types();
        !ZMTP.contains(self)
    }

    /// Returns true for ROUTER, STREAM, SERVER and PEER: each message that the application sends begins with the routing
    /// id of the peer that receives it.
    pub(crate) const fn begins_with_routing_id(self) -> bool {
        const TYPES: TypeSet = Trait::RoutesById.types().union(Trait::AssignsRoutingId.types());
        TYPES.contains(self)
    }
}

kinds! {
    /// REQ: sends a request and receives its reply, alternately (RFC 28, "The REQ Socket Type").
    #[doc(alias = "ZMQ_REQ")]
    Req: Sends Receives HasRoutingId Zmtp;
    /// REP: receives a request and sends its reply, alternately (RFC 28, "The REP Socket Type").
    #[doc(alias = "ZMQ_REP")]
    Rep: Sends Receives Zmtp;
    /// DEALER: sends to its peers round-robin and receives from all peers, in any order (RFC 28, "The DEALER Socket Type").
    #[doc(alias("ZMQ_DEALER", "ZMQ_XREQ", "XREQ"))]
    Dealer: Sends Receives HasRoutingId Conflate HelloMessage HiccupMessage Zmtp;
    /// ROUTER: addresses its peers by routing id, the first frame of each message (RFC 28, "The ROUTER Socket Type").
    #[doc(alias("ZMQ_ROUTER", "ZMQ_XREP", "XREP"))]
    Router: Sends Receives HasRoutingId RoutesById HelloMessage DisconnectMessage Zmtp;
    /// PAIR: exchanges messages with exactly one peer (RFC 31).
    #[doc(alias = "ZMQ_PAIR")]
    Pair: Sends Receives Zmtp;
    /// PUSH: sends to its PULL peers round-robin (RFC 30, "The PUSH Socket Type").
    #[doc(alias = "ZMQ_PUSH")]
    Push: Sends Conflate Zmtp;
    /// PULL: receives from all its PUSH peers (RFC 30, "The PULL Socket Type").
    #[doc(alias = "ZMQ_PULL")]
    Pull: Receives Conflate Zmtp;
    /// PUB: sends each message to all peers that subscribe to a prefix of the message (RFC 29, "The PUB Socket Type").
    #[doc(alias = "ZMQ_PUB")]
    Pub: Sends Publishes FiltersByPrefix Conflate Zmtp;
    /// SUB: receives the messages that begin with a subscribed prefix (RFC 29, "The SUB Socket Type").
    #[doc(alias = "ZMQ_SUB")]
    Sub: Receives Subscribes FiltersByPrefix Conflate Zmtp;
    /// XPUB: a PUB that also receives the subscriptions of its peers as messages. Such a message is a byte 1
    /// (subscribe) or 0 (cancel), followed by the prefix (RFC 29, "The XPUB Socket Type").
    ///
    /// The application must call `recv`. When [`recv_hwm`](crate::Options::recv_hwm) subscription messages from one
    /// peer are queued, the socket processes no further input from this peer until the application receives the
    /// messages.
    #[doc(alias = "ZMQ_XPUB")]
    XPub: Sends Receives Publishes FiltersByPrefix Subscribes Zmtp;
    /// XSUB: a SUB that can also send messages to its publishers. A sent message with the first byte 1 or 0 adds or
    /// cancels a subscription; the prefix follows this byte (RFC 29, "The XSUB Socket Type").
    #[doc(alias = "ZMQ_XSUB")]
    XSub: Sends Receives Subscribes Zmtp;
    /// RADIO: sends each message, `[group, body]`, to all peers that joined this group (RFC 48, "The RADIO Socket
    /// Type").
    #[doc(alias = "ZMQ_RADIO")]
    Radio: Sends Publishes Zmtp;
    /// DISH: receives the messages of the groups that it joined (RFC 48, "The DISH Socket Type").
    #[doc(alias = "ZMQ_DISH")]
    Dish: Receives JoinsGroups Zmtp;
    /// CLIENT: sends to its SERVER peers round-robin and receives from all of them, in any order. Each message has one
    /// frame (RFC 41, "The CLIENT Socket Type").
    #[doc(alias = "ZMQ_CLIENT")]
    Client: Sends Receives HelloMessage HiccupMessage Zmtp;
    /// SERVER: addresses its CLIENT peers by routing ids that the socket assigns (RFC 41, "The SERVER Socket Type").
    ///
    /// A routing id is a number of four bytes, big-endian. Sent and received messages are `[routing id, body]`; only
    /// the body is transmitted. Sending to an unknown routing id returns an error. While the queue of the addressed
    /// peer is full, an asynchronous `send` waits, and [`Socket::send`](crate::Socket::send) returns an error.
    #[doc(alias = "ZMQ_SERVER")]
    Server: Sends Receives AssignsRoutingId HelloMessage DisconnectMessage Zmtp;
    /// SCATTER: sends to its GATHER peers round-robin. Each message has one frame (RFC 49, "The SCATTER Socket Type").
    #[doc(alias = "ZMQ_SCATTER")]
    Scatter: Sends Zmtp;
    /// GATHER: receives from all its SCATTER peers. Each message has one frame (RFC 49, "The GATHER Socket Type").
    #[doc(alias = "ZMQ_GATHER")]
    Gather: Receives Zmtp;
    /// CHANNEL: exchanges messages with exactly one peer. Each message has one frame (RFC 52).
    #[doc(alias = "ZMQ_CHANNEL")]
    Channel: Sends Receives Zmtp;
    /// PEER: addresses other PEER sockets by routing ids that the socket assigns, in the same way as [`Server`] (RFC
    /// 51). `connect_peer` connects to a peer and returns its routing id, so that either side can send the first
    /// message.
    #[doc(alias = "ZMQ_PEER")]
    Peer: Sends Receives AssignsRoutingId ConnectsPeers HelloMessage DisconnectMessage HiccupMessage Zmtp;
    /// STREAM: exchanges bytes over tcp and ipc with peers that do not use ZMTP (`ZMQ_STREAM`).
    ///
    /// Each message is `[routing id, bytes]`. A received message contains the bytes of one read, usually at most 32 KiB;
    /// its boundaries do not correspond to writes of the peer. The bytes of a sent message are written unchanged.
    ///
    /// An empty second frame has a special meaning. Such a message is received when a peer connects or disconnects (see
    /// [`notify`](crate::Options::notify)). Sending such a message closes the connection when all bytes sent before are
    /// written, or when the [`linger`](crate::Options::linger) time has expired. With a linger of zero, an established
    /// connection is still closed only after these bytes are written, however long this takes. Closing the socket
    /// itself discards these bytes at once.
    ///
    /// Messages queued for a lost connection are dropped and not sent on another connection, because they are parts of one
    /// byte stream. STREAM has no handshake and no frames, so options for handshakes, frames and heartbeats have no effect.
    #[doc(alias("ZMQ_STREAM", "ZMQ_ROUTER_RAW", "ROUTER_RAW"))]
    Stream: Sends Receives RoutesById;
}

/// Any socket type, for code that handles sockets of several types alike, such as a broker. An operation that the socket
/// type does not support returns an error at run time.
#[derive(Clone, Copy, Debug)]
pub enum Any {}
impl sealed::Sealed for Any {
    const ONLY: Option<SocketType> = None;
}
impl Kind for Any {}
impl Sends for Any {}
impl Receives for Any {}
impl Publishes for Any {}
impl Subscribes for Any {}
impl JoinsGroups for Any {}
impl RoutesById for Any {}
impl AssignsRoutingId for Any {}
impl ConnectsPeers for Any {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::vec::Vec;

    /// The notes of the compiler are literals, so they cannot list the types from the table of `kinds!`.
    #[test]
    fn compiler_notes_name_the_types_of_each_trait() {
        let mut checked = 0;
        for block in include_str!("kind.rs").split("#[diagnostic::on_unimplemented(\n").skip(1) {
            let name = block.split_once("pub trait ").unwrap().1.split(':').next().unwrap();
            let note = block.split_once("note = \"").unwrap().1.split_once("\"\n)]").unwrap().0;
            let words: Vec<_> = note.split(|symbol: char| !symbol.is_alphanumeric()).collect();
            let Some(&of_trait) = TRAITS.iter().find(|of_trait| format!("{of_trait:?}") == name) else { continue };
            checked += 1;
            let is_by_exception = matches!(of_trait, Trait::Sends | Trait::Receives | Trait::Zmtp);
            for socket_type in SocketType::ALL {
                if of_trait.types().contains(socket_type) != is_by_exception {
                    assert!(words.contains(&socket_type.name()), "the note of `{name}` lacks {socket_type}: {note}");
                }
            }
        }
        assert_eq!(checked, TRAITS.len());
    }

    #[test]
    fn traits_of_markers_are_the_rules_at_run_time() {
        fn implements<K: HasRoutingId + Typed>() -> SocketType {
            K::TYPE
        }
        let types = [implements::<Req>(), implements::<Dealer>(), implements::<Router>()];
        assert_eq!(Trait::HasRoutingId.types().to_vec(), types);
        assert!(types.into_iter().all(SocketType::announces_routing_id) && !SocketType::Rep.announces_routing_id());
        let raw: Vec<_> = SocketType::ALL.into_iter().filter(|socket_type| socket_type.is_raw()).collect();
        assert_eq!(raw, [SocketType::Stream]);
        assert_eq!(format!("{}", Trait::RoutesById.types()), "ROUTER, STREAM");
    }

    const TRAITS: [Trait; 15] = [
        Trait::Sends,
        Trait::Receives,
        Trait::Zmtp,
        Trait::HasRoutingId,
        Trait::Publishes,
        Trait::FiltersByPrefix,
        Trait::Subscribes,
        Trait::JoinsGroups,
        Trait::AssignsRoutingId,
        Trait::RoutesById,
        Trait::ConnectsPeers,
        Trait::Conflate,
        Trait::HelloMessage,
        Trait::DisconnectMessage,
        Trait::HiccupMessage,
    ];
}
