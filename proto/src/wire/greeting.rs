//! [`Greeting`]: the first 64 bytes in each direction (RFC 37, "Greeting").

use core::fmt;

/// A version of ZMTP, such as 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Major number of the version: 3 in ZMTP 3.1.
    pub major: u8,
    /// Minor number of the version: 1 in ZMTP 3.1.
    pub minor: u8,
}

impl Version {
    /// ZMTP 1.0 (RFC 13), used by libzmq 2: no socket types on the wire; a subscriber receives all messages and filters
    /// them.
    pub const V1_0: Self = Self { major: 1, minor: 0 };
    /// ZMTP 2.0 (RFC 15), used by libzmq 3: no mechanisms, no commands.
    pub const V2_0: Self = Self { major: 2, minor: 0 };
    /// ZMTP 3.0 (RFC 23): subscriptions are messages; no PING and PONG.
    pub const V3_0: Self = Self { major: 3, minor: 0 };
    /// ZMTP 3.1 (RFC 37): subscriptions are commands; PING and PONG exist.
    pub const V3_1: Self = Self { major: 3, minor: 1 };
    /// No ZMTP: the version of the peers of a STREAM socket.
    pub const NONE: Self = Self { major: 0, minor: 0 };
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The name of a security mechanism in a greeting: up to 20 bytes, padded with zeros.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MechanismName([u8; 20]);

impl MechanismName {
    /// No security (RFC 37, "The NULL Security Mechanism").
    pub const NULL: Self = Self::new(b"NULL");
    /// User name and password in clear text (RFC 24).
    pub const PLAIN: Self = Self::new(b"PLAIN");
    /// Public-key authentication and encryption (RFC 25 and 26).
    pub const CURVE: Self = Self::new(b"CURVE");

    /// Creates the name of a mechanism from `text`, such as `NULL`. Pads a shorter `text` with zeros to 20 bytes, and
    /// ignores the bytes of `text` after the first 20.
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
        let end = self.0.iter().position(|&byte| byte == 0).unwrap_or(self.0.len());
        write!(f, "{}", self.0.get(..end).unwrap_or_default().escape_ascii())
    }
}

impl fmt::Debug for MechanismName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The first data that a peer sends: the ZMTP version, the security mechanism, and the role in this mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// ZMTP version that the sender of the greeting uses.
    pub version: Version,
    /// Security mechanism that the sender of the greeting uses.
    pub mechanism: MechanismName,
    /// True if the sender of the greeting has the server role of the security mechanism. False has no meaning, because
    /// libzmq always sends 0, even as a server.
    pub as_server: bool,
}

impl Greeting {
    /// Number of bytes of a greeting.
    pub const LEN: usize = 64;
    /// Number of bytes of the signature, with which a greeting begins. A peer that sends a signature uses ZMTP 2.0 or
    /// later, and sends its version next.
    pub(crate) const SIGNATURE: usize = 10;
    /// Number of bytes of the signature and the major version, which together determine the ZMTP generation of a peer.
    pub(crate) const SIGNATURE_AND_MAJOR: usize = 11;

    /// Encodes the greeting of a socket with a routing id of `routing_id_len` bytes.
    ///
    /// The padding of the signature is not significant. As in libzmq it contains `routing_id_len` plus one, so that the
    /// first ten bytes are also a valid frame head of ZMTP 1.0.
    pub const fn encode(&self, routing_id_len: u8) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        // Signature: 0xff, eight bytes of padding, 0x7f.
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
        // The remaining 31 bytes are filler.
        out
    }

    /// Decodes a complete greeting. Ignores padding and filler, as RFC 37 requires.
    pub fn decode(bytes: &[u8; Self::LEN]) -> Self {
        let mut mechanism = [0; 20];
        mechanism.copy_from_slice(&bytes[12..32]);
        Self {
            version: Version { major: bytes[10], minor: bytes[11] },
            mechanism: MechanismName(mechanism),
            as_server: bytes[32] & 1 == 1,
        }
    }

    /// Determines the ZMTP generation of a peer from the first bytes of its greeting. Accepts any number of bytes, even
    /// zero.
    pub(crate) fn look(start: &[u8]) -> Opening {
        // A missing byte counts as correct, because it may still arrive. A ZMTP 1.0 frame can also begin with 0xff; the
        // lowest bit of the tenth byte distinguishes the two.
        let signed = start.first().is_none_or(|&first| first == 0xff) && start.get(9).is_none_or(|&last| last & 1 == 1);
        match start.get(Self::SIGNATURE_AND_MAJOR - 1) {
            _ if !signed => Opening::Unsigned,
            Some(&major) if major < 3 => Opening::Old(major),
            _ => Opening::Zmtp3,
        }
    }
}

/// The ZMTP generation of a peer, by the first bytes that it sent; see [`Greeting::look`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// The peer uses ZMTP 3, or has sent fewer than 11 bytes. With fewer bytes, its version is still uncertain.
    Zmtp3,
    /// The peer uses ZMTP 2 or another version before ZMTP 3. Carries the byte that the peer sent after the signature:
    /// 1 for ZMTP 2.0.
    Old(u8),
    /// The first bytes are not a signature. The peer uses ZMTP 1.0, which begins with a frame, or another protocol.
    Unsigned,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Greeting of libzmq 4.3.5 without a routing id.
    const LIBZMQ: &[u8; 64] = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
        \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

    #[test]
    fn encoded_greeting_equals_bytes_of_libzmq() {
        let greeting = Greeting { version: Version::V3_1, mechanism: MechanismName::NULL, as_server: false };
        assert_eq!(&greeting.encode(0), LIBZMQ);
        assert_eq!(Greeting::decode(LIBZMQ), greeting);
        assert_eq!(greeting.encode(255)[..10], *b"\xff\0\0\0\0\0\0\x01\0\x7f");
    }

    #[test]
    fn decode_ignores_padding_and_filler() {
        let mut bytes = *LIBZMQ;
        bytes[1..9].fill(0x11);
        bytes[33..].fill(0xaa);
        assert_eq!(Greeting::look(&bytes), Opening::Zmtp3);
        assert_eq!(Greeting::decode(&bytes), Greeting::decode(LIBZMQ));
    }

    #[test]
    fn look_classifies_at_first_decisive_byte() {
        assert_eq!(Greeting::look(b"G"), Opening::Unsigned);
        assert_eq!(Greeting::look(b"\xff\0\0\0\0\0\0\0\x01"), Opening::Zmtp3);
        assert_eq!(Greeting::look(b"\xff\0\0\0\0\0\0\0\x01\x00"), Opening::Unsigned);
        assert_eq!(Greeting::look(b"\xff\0\0\0\0\0\0\0\x01\x7f\x01"), Opening::Old(1));
        assert_eq!(Greeting::look(b"\xff\0\0\0\0\0\0\0\x01\x7f\x04"), Opening::Zmtp3);
    }

    #[test]
    fn mechanism_names_compare_all_bytes() {
        let mut bytes = *LIBZMQ;
        bytes[16] = b'X';
        assert_ne!(Greeting::decode(&bytes).mechanism, MechanismName::NULL);
    }
}
