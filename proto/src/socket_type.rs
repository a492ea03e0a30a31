//! [`SocketType`]: the names of the socket types, and the types that each can connect to.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use thiserror::Error;

/// A socket type of ZeroMQ. Its name is sent to each peer in the READY command (RFC 28, 29, 30, 31, and the drafts 41,
/// 48, 49, 51, 52).
///
/// [`Socket`](crate::Socket) implements the types that have a marker in [`kind`](crate::kind).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the variants have the names of the RFCs")]
pub enum SocketType {
    #[doc(alias = "ZMQ_PAIR")]
    Pair,
    #[doc(alias = "ZMQ_PUB")]
    Pub,
    #[doc(alias = "ZMQ_SUB")]
    Sub,
    #[doc(alias = "ZMQ_REQ")]
    Req,
    #[doc(alias = "ZMQ_REP")]
    Rep,
    #[doc(alias("ZMQ_DEALER", "ZMQ_XREQ", "XREQ"))]
    Dealer,
    #[doc(alias("ZMQ_ROUTER", "ZMQ_XREP", "XREP"))]
    Router,
    #[doc(alias = "ZMQ_PULL")]
    Pull,
    #[doc(alias = "ZMQ_PUSH")]
    Push,
    #[doc(alias = "ZMQ_XPUB")]
    XPub,
    #[doc(alias = "ZMQ_XSUB")]
    XSub,
    #[doc(alias = "ZMQ_SERVER")]
    Server,
    #[doc(alias = "ZMQ_CLIENT")]
    Client,
    #[doc(alias = "ZMQ_RADIO")]
    Radio,
    #[doc(alias = "ZMQ_DISH")]
    Dish,
    #[doc(alias = "ZMQ_GATHER")]
    Gather,
    #[doc(alias = "ZMQ_SCATTER")]
    Scatter,
    #[doc(alias = "ZMQ_PEER")]
    Peer,
    #[doc(alias = "ZMQ_CHANNEL")]
    Channel,
    /// A socket that exchanges plain bytes with peers that do not use ZMTP. The READY command never carries this type.
    #[doc(alias("ZMQ_STREAM", "ZMQ_ROUTER_RAW", "ROUTER_RAW"))]
    Stream,
}

use SocketType::{
    Channel, Client, Dealer, Dish, Gather, Pair, Peer, Pub, Pull, Push, Radio, Rep, Req, Router, Scatter, Server,
    Stream, Sub, XPub, XSub,
};

/// Table of all socket types: the type, its name, and the socket types of its possible peers.
const TABLE: [(SocketType, &str, &[SocketType]); 20] = [
    (Pair, "PAIR", &[Pair]),
    (Pub, "PUB", &[Sub, XSub]),
    (Sub, "SUB", &[Pub, XPub]),
    (Req, "REQ", &[Rep, Router]),
    (Rep, "REP", &[Req, Dealer]),
    (Dealer, "DEALER", &[Rep, Dealer, Router]),
    (Router, "ROUTER", &[Req, Dealer, Router]),
    (Pull, "PULL", &[Push]),
    (Push, "PUSH", &[Pull]),
    (XPub, "XPUB", &[Sub, XSub]),
    (XSub, "XSUB", &[Pub, XPub]),
    (Server, "SERVER", &[Client]),
    (Client, "CLIENT", &[Server]),
    (Radio, "RADIO", &[Dish]),
    (Dish, "DISH", &[Radio]),
    (Gather, "GATHER", &[Scatter]),
    (Scatter, "SCATTER", &[Gather]),
    (Peer, "PEER", &[Peer]),
    (Channel, "CHANNEL", &[Channel]),
    (Stream, "STREAM", &[]),
];

impl SocketType {
    /// All socket types.
    pub const ALL: [Self; 20] = [
        Req, Rep, Dealer, Router, Pair, Push, Pull, Pub, Sub, XPub, XSub, Radio, Dish, Client, Server, Scatter, Gather,
        Channel, Peer, Stream,
    ];

    fn row(self) -> &'static (Self, &'static str, &'static [Self]) {
        TABLE.iter().find(|row| row.0 == self).expect("the table has a row for every type")
    }

    /// Returns the name of the type, such as `DEALER`. The READY command carries this name for all types except STREAM.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// Returns the type with exactly this name, in upper case, as the READY command carries it. Returns `None` for
    /// unknown names and for `STREAM`, which READY never carries.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        TABLE.iter().find(|row| row.1.as_bytes() == name && !row.0.is_raw()).map(|row| row.0)
    }

    /// Returns the byte that represents the type in ZMTP 2.0 (RFC 15). Returns `None` for types that ZMTP 2.0 does not
    /// have.
    pub(crate) fn code(self) -> Option<u8> {
        const CODES: [SocketType; 11] = [Pair, Pub, Sub, Req, Rep, Dealer, Router, Pull, Push, XPub, XSub];
        (0..).zip(CODES).find_map(|(code, socket_type)| (socket_type == self).then_some(code))
    }

    /// Returns the type that the byte `code` represents in ZMTP 2.0, or `None` if the byte has no meaning.
    pub(crate) fn from_code(code: u8) -> Option<Self> {
        TABLE.iter().map(|row| row.0).find(|socket_type| socket_type.code() == Some(code))
    }

    /// Returns the socket types of the possible peers of this type. Empty for STREAM, because its peers do not use
    /// ZMTP.
    pub fn peers(self) -> &'static [Self] {
        self.row().2
    }

    /// Returns true for ROUTER, PAIR and CHANNEL, which may reject a compatible peer: a ROUTER because of its routing id,
    /// the others because they accept one peer only.
    pub(crate) const fn rejects_peers(self) -> bool {
        matches!(self, Router | Pair | Channel)
    }

    /// Returns true for REQ, DEALER, SUB and PUB. A socket of these types makes at most one connection to the same
    /// endpoint; libzmq has the same rule.
    pub(crate) const fn connects_once(self) -> bool {
        matches!(self, Req | Dealer | Sub | Pub)
    }

    /// Returns true for PUB and XPUB, which receive subscriptions from their peers.
    pub(crate) const fn accepts_subscriptions(self) -> bool {
        matches!(self, Pub | XPub)
    }

    /// Returns true for SUB, XSUB and DISH. The default linger of these types is zero: their usual output is
    /// subscription changes, and the peer has no use for the subscription changes of a closed socket.
    pub(crate) const fn only_subscribes(self) -> bool {
        matches!(self, Sub | XSub | Dish)
    }

    /// Returns true for REP, which must reply to each request before it receives the next.
    pub const fn must_reply(self) -> bool {
        matches!(self, Rep)
    }

    /// Returns true for REP and ROUTER, the possible socket types of a ZAP handler (RFC 27).
    pub const fn can_handle_zap(self) -> bool {
        matches!(self, Rep | Router)
    }

    /// Returns true for RADIO, which receives JOIN and LEAVE from its peers.
    pub(crate) const fn accepts_groups(self) -> bool {
        matches!(self, Radio)
    }
}

/// Set of socket types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TypeSet(u32);

impl TypeSet {
    pub(crate) const NONE: Self = Self(0);

    pub(crate) const ALL: Self = Self((1 << SocketType::ALL.len()) - 1);

    pub(crate) const fn of(socket_type: SocketType) -> Self {
        Self(1 << socket_type as u32)
    }

    pub(crate) const fn with(self, socket_type: SocketType) -> Self {
        self.union(Self::of(socket_type))
    }

    /// Returns the types of both sets.
    pub(crate) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn contains(self, socket_type: SocketType) -> bool {
        self.0 & Self::of(socket_type).0 != 0
    }

    pub(crate) fn to_vec(self) -> Vec<SocketType> {
        SocketType::ALL.into_iter().filter(|&socket_type| self.contains(socket_type)).collect()
    }
}

impl fmt::Display for SocketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for TypeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&list(&self.to_vec()))
    }
}

/// Parses the name of a type in any case, as in `DEALER` and `dealer`, with or without the prefix `ZMQ_`.
impl FromStr for SocketType {
    type Err = ParseSocketTypeError;

    fn from_str(text: &str) -> Result<Self, ParseSocketTypeError> {
        let name = without_zmq(text);
        let found = TABLE.iter().find(|row| row.1.eq_ignore_ascii_case(name));
        found.map(|row| row.0).ok_or_else(|| ParseSocketTypeError { text: text.to_string() })
    }
}

/// Returns a name of libzmq without its prefix `ZMQ_`, which may be in any case.
pub(crate) fn without_zmq(name: &str) -> &str {
    match name.split_at_checked(4) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("ZMQ_") => rest,
        _ => name,
    }
}

/// Error of text that is not the name of a [`SocketType`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{text}` is not a socket type; write one of {}", TypeSet::ALL)]
#[non_exhaustive]
pub struct ParseSocketTypeError {
    /// Text that was parsed.
    pub text: String,
}

impl SocketType {
    /// Returns the article of the name in errors: "a DEALER", "an XPUB".
    pub(crate) const fn article(self) -> &'static str {
        if matches!(self, Self::XPub | Self::XSub) { "an" } else { "a" }
    }
}

/// Returns the names of socket types, separated by commas.
pub(crate) fn list(types: &[SocketType]) -> String {
    types.iter().map(|socket_type| socket_type.name()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn peer_table_is_complete_and_symmetric() {
        for &(ours, name, peers) in &TABLE {
            assert_eq!(SocketType::from_name(name.as_bytes()), (ours != Stream).then_some(ours));
            for &theirs in peers {
                assert!(theirs.peers().contains(&ours), "{ours} lists {theirs} as peer, so {theirs} must list {ours}");
            }
        }
        assert_eq!(SocketType::from_name(b"router"), None);
        assert_eq!(SocketType::from_name(b"STREAM"), None);
    }

    #[test]
    fn socket_type_parses_its_name_in_any_case() {
        for socket_type in SocketType::ALL {
            let name = socket_type.to_string();
            for text in
                [name.clone(), name.to_lowercase(), format!("ZMQ_{name}"), format!("zmq_{}", name.to_lowercase())]
            {
                assert_eq!(text.parse(), Ok(socket_type), "{text}");
            }
        }
        for text in ["", "ZMQ_", "zmqä", "dealers", "ZMQ_ZMQ_PUB", " PUB"] {
            let error = text.parse::<SocketType>().unwrap_err().to_string();
            let expected = format!("`{text}` is not a socket type; write one of REQ, REP, DEALER, ROUTER, PAIR, ");
            assert!(error.starts_with(&expected) && error.ends_with(", PEER, STREAM"), "{error}");
        }
    }

    #[test]
    fn type_set_contains_exactly_its_types() {
        assert_eq!(TypeSet::ALL.to_vec(), SocketType::ALL);
        assert_eq!(TypeSet::of(Stream).with(Req).to_vec(), [Req, Stream]);
        assert_eq!(TypeSet::NONE.to_vec(), []);
    }
}
