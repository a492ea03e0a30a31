//! The greeting: the first 64 octets each way (RFC 37, "Greeting").

use core::fmt;

/// A ZMTP revision, such as 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The major number.
    pub major: u8,
    /// The minor number.
    pub minor: u8,
}

impl Version {
    /// ZMTP 1.0 (RFC 13), of libzmq 2: no socket types, subscriptions only for whoever receives.
    pub const V1_0: Self = Self { major: 1, minor: 0 };
    /// ZMTP 2.0 (RFC 15), of libzmq 3: no mechanisms, no commands.
    pub const V2_0: Self = Self { major: 2, minor: 0 };
    /// ZMTP 3.0 (RFC 23): subscriptions are messages; there is no PING.
    pub const V3_0: Self = Self { major: 3, minor: 0 };
    /// ZMTP 3.1 (RFC 37): subscriptions are commands; PING and PONG exist.
    pub const V3_1: Self = Self { major: 3, minor: 1 };
    /// No ZMTP at all: what a STREAM socket's peer speaks.
    pub const NONE: Self = Self { major: 0, minor: 0 };
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The name of a security mechanism as the greeting carries it: up to 20 octets, padded with zeros.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MechanismName([u8; 20]);

impl MechanismName {
    /// No security (RFC 37, "The NULL Security Mechanism").
    pub const NULL: Self = Self::new(b"NULL");
    /// A user and a password in clear (RFC 24).
    pub const PLAIN: Self = Self::new(b"PLAIN");
    /// Keys, and encryption (RFC 25 and 26).
    pub const CURVE: Self = Self::new(b"CURVE");

    /// The name in `text`, of which 20 octets count.
    const fn new(text: &[u8]) -> Self {
        let mut name = [0; 20];
        let mut at = 0;
        while at < text.len() && at < name.len() {
            name[at] = text[at];
            at += 1;
        }
        Self(name)
    }
}

impl fmt::Display for MechanismName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.iter().position(|&octet| octet == 0).unwrap_or(self.0.len());
        write!(f, "{}", self.0.get(..end).unwrap_or_default().escape_ascii())
    }
}

impl fmt::Debug for MechanismName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What a peer says first: its revision, its mechanism, and whether it is the mechanism's server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// The revision the peer speaks.
    pub version: Version,
    /// The security mechanism the peer will use.
    pub mechanism: MechanismName,
    /// True on the server of a mechanism that has one. libzmq sends 0 always, so nothing may depend on a 0.
    pub as_server: bool,
}

impl Greeting {
    /// A greeting is always this many octets.
    pub const LEN: usize = 64;
    /// How many octets say whether a version follows.
    pub(crate) const SIGNATURE: usize = 10;
    /// How many octets tell a peer's generation: the signature and the major version.
    pub(crate) const SIGNATURE_AND_MAJOR: usize = 11;

    /// The octets of this greeting.
    ///
    /// The signature's padding is not significant. As libzmq does, it holds the length of our routing id plus one, so
    /// that the first ten octets are also a valid ZMTP 1.0 frame head.
    pub const fn encode(&self, routing_id_len: u8) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[0] = 0xff;
        let [high, low] = (routing_id_len as u16 + 1).to_be_bytes();
        out[7] = high;
        out[8] = low;
        out[9] = 0x7f;
        out[10] = self.version.major;
        out[11] = self.version.minor;
        let mut at = 0;
        while at < 20 {
            out[12 + at] = self.mechanism.0[at];
            at += 1;
        }
        out[32] = self.as_server as u8;
        out
    }

    /// Reads a whole greeting. Padding and filler are not looked at, as RFC 37 asks.
    pub fn decode(octets: &[u8; Self::LEN]) -> Self {
        let mut mechanism = [0; 20];
        mechanism.copy_from_slice(&octets[12..32]);
        Self {
            version: Version { major: octets[10], minor: octets[11] },
            mechanism: MechanismName(mechanism),
            as_server: octets[32] & 1 == 1,
        }
    }

    /// What the first octets of a greeting, however few, already tell.
    pub(crate) fn look(start: &[u8]) -> Opening {
        let signed = start.first().is_none_or(|&first| first == 0xff) && start.get(9).is_none_or(|&last| last & 1 == 1);
        match start.get(Self::SIGNATURE_AND_MAJOR - 1) {
            _ if !signed => Opening::Unsigned,
            Some(&major) if major < 3 => Opening::Old(major),
            _ => Opening::Zmtp3,
        }
    }
}

/// See [`Greeting::look`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// So far this may be ZMTP 3, and from eleven octets on it is.
    Zmtp3,
    /// The peer speaks an older generation: the octet after its signature, 1 for ZMTP 2.0.
    Old(u8),
    /// No ZMTP 2 or later begins like this; 1.0 does, with a frame, and so does much else.
    Unsigned,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What libzmq 4.3.5 sends without a routing id.
    const LIBZMQ: &[u8; 64] = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
        \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

    #[test]
    fn a_greeting_is_octet_for_octet_what_libzmq_sends() {
        let greeting = Greeting { version: Version::V3_1, mechanism: MechanismName::NULL, as_server: false };
        assert_eq!(&greeting.encode(0), LIBZMQ);
        assert_eq!(Greeting::decode(LIBZMQ), greeting);
        assert_eq!(greeting.encode(255)[..10], *b"\xff\0\0\0\0\0\0\x01\0\x7f");
    }

    #[test]
    fn padding_and_filler_are_not_significant() {
        let mut octets = *LIBZMQ;
        octets[1..9].fill(0x11);
        octets[33..].fill(0xaa);
        assert_eq!(Greeting::look(&octets), Opening::Zmtp3);
        assert_eq!(Greeting::decode(&octets), Greeting::decode(LIBZMQ));
    }

    #[test]
    fn a_stranger_is_known_by_the_first_octet_that_tells() {
        assert_eq!(Greeting::look(b"G"), Opening::Unsigned);
        assert_eq!(Greeting::look(b"\xff\0\0\0\0\0\0\0\x01"), Opening::Zmtp3);
        assert_eq!(Greeting::look(b"\xff\0\0\0\0\0\0\0\x01\x00"), Opening::Unsigned);
        assert_eq!(Greeting::look(b"\xff\0\0\0\0\0\0\0\x01\x7f\x01"), Opening::Old(1));
        assert_eq!(Greeting::look(b"\xff\0\0\0\0\0\0\0\x01\x7f\x04"), Opening::Zmtp3);
    }

    #[test]
    fn mechanism_names_compare_whole() {
        let mut octets = *LIBZMQ;
        octets[16] = b'X';
        assert_ne!(Greeting::decode(&octets).mechanism, MechanismName::NULL);
    }
}
