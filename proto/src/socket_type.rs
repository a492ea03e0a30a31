//! The socket types by name, and which may speak with which.

use core::fmt;

/// A socket type as READY names it (RFC 28, 29, 30, 31, and the drafts 41, 48, 49, 51, 52).
///
/// The names of all types are known here, so that an incompatible peer can be called by its name; which types
/// [`Socket`](crate::Socket) implements is told by the markers in [`kind`](crate::kind).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the variants are the names the RFCs give")]
pub enum SocketType {
    Pair,
    Pub,
    Sub,
    Req,
    Rep,
    Dealer,
    Router,
    Pull,
    Push,
    XPub,
    XSub,
    Server,
    Client,
    Radio,
    Dish,
    Gather,
    Scatter,
    Peer,
    Channel,
    /// Octets as they are: a socket for peers that do not speak ZMTP. No peer can call itself that.
    Stream,
}

use SocketType::{
    Channel, Client, Dealer, Dish, Gather, Pair, Peer, Pub, Pull, Push, Radio, Rep, Req, Router, Scatter, Server,
    Stream, Sub, XPub, XSub,
};

/// Every type beside its name and the types it speaks with.
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
    fn row(self) -> &'static (Self, &'static str, &'static [Self]) {
        TABLE.iter().find(|row| row.0 == self).expect("the table has a row for every type")
    }

    /// The name in READY, such as `DEALER`; `STREAM` stands in none.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// The type that calls itself this in READY, spelt exactly.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        TABLE.iter().find(|row| row.1.as_bytes() == name && !row.0.is_raw()).map(|row| row.0)
    }

    /// The octet that stands for the type in ZMTP 2.0 (RFC 15); the types that came later have none.
    pub(crate) fn code(self) -> Option<u8> {
        const CODES: [SocketType; 11] = [Pair, Pub, Sub, Req, Rep, Dealer, Router, Pull, Push, XPub, XSub];
        (0..).zip(CODES).find_map(|(code, socket_type)| (socket_type == self).then_some(code))
    }

    /// The type that this octet stands for in ZMTP 2.0.
    pub(crate) fn from_code(code: u8) -> Option<Self> {
        TABLE.iter().map(|row| row.0).find(|socket_type| socket_type.code() == Some(code))
    }

    /// The types this one speaks with.
    pub fn peers(self) -> &'static [Self] {
        self.row().2
    }

    /// True of REQ, DEALER and ROUTER, which announce a routing id in READY.
    pub const fn announces_routing_id(self) -> bool {
        matches!(self, Req | Dealer | Router)
    }

    /// True of STREAM, which does not speak ZMTP.
    pub(crate) const fn is_raw(self) -> bool {
        matches!(self, Stream)
    }

    /// True of REQ, DEALER, SUB and PUB, to which a second connection to the same place means nothing: as in libzmq, it is
    /// not made.
    pub(crate) const fn connects_once(self) -> bool {
        matches!(self, Req | Dealer | Sub | Pub)
    }

    /// True of PUB and XPUB, to whom subscriptions are meant.
    pub(crate) const fn takes_subscriptions(self) -> bool {
        matches!(self, Pub | XPub)
    }

    /// True of SUB, XSUB and DISH, which have nothing to send but their wishes.
    pub(crate) const fn only_subscribes(self) -> bool {
        matches!(self, Sub | XSub | Dish)
    }

    /// Returns true for REP, which must reply to each request before it receives the next.
    pub const fn must_reply(self) -> bool {
        matches!(self, Rep)
    }

    /// Returns true for REP and ROUTER, the types of a ZAP handler's socket (RFC 27).
    pub const fn can_handle_zap(self) -> bool {
        matches!(self, Rep | Router)
    }

    /// Returns true if the application can send: all types but PULL, SUB, DISH and GATHER.
    pub const fn sends(self) -> bool {
        !matches!(self, Pull | Sub | Dish | Gather)
    }

    /// Returns true if the application can receive: all types but PUSH, PUB, RADIO and SCATTER.
    pub const fn receives(self) -> bool {
        !matches!(self, Push | Pub | Radio | Scatter)
    }

    /// True of RADIO, whom it is told who joins which group.
    pub(crate) const fn takes_groups(self) -> bool {
        matches!(self, Radio)
    }
}

impl fmt::Display for SocketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_complete_and_symmetric() {
        for &(ours, name, peers) in &TABLE {
            assert_eq!(SocketType::from_name(name.as_bytes()), (ours != Stream).then_some(ours));
            for &theirs in peers {
                assert!(theirs.peers().contains(&ours), "{ours} speaks with {theirs}, so {theirs} speaks with {ours}");
            }
        }
        assert_eq!(SocketType::from_name(b"router"), None);
        assert_eq!(SocketType::from_name(b"STREAM"), None);
    }
}
