//! Marker types for the implemented socket types, and what each of them may do.
//!
//! A wrong call does not compile: only what [`Sends`] has a `send`, only what [`Receives`] has a `recv`, only
//! `Options<Router>` has `mandatory`. [`Any`] stands for a socket whose type is known at run time only.

use crate::socket_type::SocketType;
use core::fmt::Debug;

/// A marker of a socket type, or [`Any`].
pub trait Kind: sealed::Sealed + Debug + Send + Sync + 'static {}

/// A marker of one certain socket type.
pub trait Typed: Kind {
    /// The type it stands for.
    const TYPE: SocketType;
}

/// Sockets that send messages.
pub trait Sends: Kind {}

/// Sockets that receive messages.
pub trait Receives: Kind {}

/// Sockets that speak ZMTP, and so have a handshake and security: all but STREAM.
pub trait Zmtp: Kind {}

/// Sockets that announce a routing id to their peers (option `ROUTING_ID`).
pub trait HasRoutingId: Kind {}

/// Sockets that send each message to every peer that wishes for it.
pub trait Publishes: Kind {}

/// Sockets that match messages with prefixes (option `INVERT_MATCHING`).
pub trait FiltersByPrefix: Kind {}

/// Sockets that subscribe to prefixes.
pub trait Subscribes: Kind {}

/// Sockets that join groups.
pub trait JoinsGroups: Kind {}

/// Sockets that give each peer a number, by which the application names it.
pub trait AssignsRoutingId: Kind {}

/// Sockets whose messages begin with the routing id of a peer, which may be given one (option `CONNECT_ROUTING_ID`).
pub trait RoutesById: Kind {}

/// Sockets that can keep only the latest message (option `CONFLATE`).
pub trait Conflate: Kind {}

/// Sockets that greet each new connection with a message (option `HELLO_MSG`).
pub trait HelloMessage: Kind {}

/// Sockets that hear of peers that are gone by a message (option `DISCONNECT_MSG`).
pub trait DisconnectMessage: Kind {}

/// Sockets that hear of peers that are lost for a while by a message (option `HICCUP_MSG`).
pub trait HiccupMessage: Kind {}

mod sealed {
    #[expect(unnameable_types, reason = "that is what seals the trait")]
    pub trait Sealed {}
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident: $($can:ident)*;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub enum $name {}
        impl sealed::Sealed for $name {}
        impl Kind for $name {}
        impl Typed for $name {
            const TYPE: SocketType = SocketType::$name;
        }
        $(impl $can for $name {})*
    )*};
}

kinds! {
    /// Sends a request, receives the reply, and so on in turn (RFC 28, "The REQ Socket Type").
    Req: Zmtp Sends Receives HasRoutingId;
    /// Receives a request, sends the reply, and so on in turn (RFC 28, "The REP Socket Type").
    Rep: Zmtp Sends Receives;
    /// Sends to its peers in turn and receives from all, at any time (RFC 28, "The DEALER Socket Type").
    Dealer: Zmtp Sends Receives HasRoutingId Conflate HelloMessage HiccupMessage;
    /// Knows its peers by routing id: the first frame of every message (RFC 28, "The ROUTER Socket Type").
    Router: Zmtp Sends Receives HasRoutingId RoutesById HelloMessage DisconnectMessage;
    /// Speaks with one single peer (RFC 31).
    Pair: Zmtp Sends Receives;
    /// Sends to its PULL peers in turn (RFC 30, "The PUSH Socket Type").
    Push: Zmtp Sends Conflate;
    /// Receives from all its PUSH peers (RFC 30, "The PULL Socket Type").
    Pull: Zmtp Receives Conflate;
    /// Sends each message to all peers that subscribed to a prefix of it (RFC 29, "The PUB Socket Type").
    Pub: Zmtp Sends Publishes FiltersByPrefix Conflate;
    /// Receives what it subscribed to (RFC 29, "The SUB Socket Type").
    Sub: Zmtp Receives Subscribes FiltersByPrefix Conflate;
    /// As PUB, and receives its peers' subscriptions as messages: an octet 1 or 0 and the prefix (RFC 29, "The XPUB Socket
    /// Type"). So it has to be received from: a peer of which [`recv_hwm`](crate::Options::recv_hwm) of them wait is not
    /// listened to until they are received.
    XPub: Zmtp Sends Receives Publishes FiltersByPrefix Subscribes;
    /// As SUB, and subscribes by sending messages (RFC 29, "The XSUB Socket Type").
    XSub: Zmtp Sends Receives Subscribes;
    /// Sends each message, `[group, body]`, to all peers that joined its group (RFC 48, "The RADIO Socket Type").
    Radio: Zmtp Sends Publishes;
    /// Receives the messages of the groups it joined (RFC 48, "The DISH Socket Type").
    Dish: Zmtp Receives JoinsGroups;
    /// Sends to its SERVER peers in turn and receives from all, at any time; one frame each (RFC 41, "The CLIENT Socket
    /// Type").
    Client: Zmtp Sends Receives HelloMessage HiccupMessage;
    /// Knows its CLIENT peers by routing ids that it chooses: four octets, the number of the peer with the highest first.
    /// Messages are `[routing id, body]` both ways, and only the body travels (RFC 41, "The SERVER Socket Type"). One to
    /// an unknown routing id is an error, one to a peer without room waits.
    Server: Zmtp Sends Receives AssignsRoutingId HelloMessage DisconnectMessage;
    /// Sends to its GATHER peers in turn; one frame each (RFC 49, "The SCATTER Socket Type").
    Scatter: Zmtp Sends;
    /// Receives from all its SCATTER peers; one frame each (RFC 49, "The GATHER Socket Type").
    Gather: Zmtp Receives;
    /// Speaks with one single peer; one frame each (RFC 52).
    Channel: Zmtp Sends Receives;
    /// Speaks with other PEERs as a [`Server`] does with its clients, and can name one before it has spoken:
    /// `connect_peer` (RFC 51).
    Peer: Zmtp Sends Receives AssignsRoutingId HelloMessage DisconnectMessage HiccupMessage;
    /// Speaks over tcp and ipc with peers that know no ZMTP (`ZMQ_STREAM`).
    ///
    /// Every message is `[routing id, octets]`. What is received is what came in at once, at most 32 KiB as a rule, and has
    /// nothing to do with what the peer sent at once; what is sent goes out as it is. With an empty second frame a message
    /// received [tells](crate::Options::notify) that this peer has connected or is gone, and one sent ends the connection,
    /// once everything sent before is out, or [`linger`](crate::Options::linger) is over. A linger of zero ends it at once
    /// only when the socket is closed too.
    ///
    /// What was sent to a connection that is lost goes to no other one, for it was part of a whole that is lost. There is no
    /// handshake and there are no frames, so options about those, and heartbeats, mean nothing here.
    Stream: Sends Receives RoutesById;
}

/// Any socket type: what a broker holds that treats several types alike. A `send` or `recv` that the type cannot do is
/// an error at run time.
#[derive(Clone, Copy, Debug)]
pub enum Any {}
impl sealed::Sealed for Any {}
impl Kind for Any {}
impl Sends for Any {}
impl Receives for Any {}
impl Publishes for Any {}
impl Subscribes for Any {}
impl JoinsGroups for Any {}
