//! Errors of the wire format: [`DecodeError`] for bytes received, [`PropertyError`] for properties to send.

use alloc::string::String;
use thiserror::Error;

/// Why some octets are not ZMTP. Needing more octets is not an error: decoders answer `Ok(None)` then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// A frame's flags octet has bits set that RFC 37 reserves, or joins COMMAND with MORE.
    #[error("frame flags {0:#04x} are not allowed: only MORE, LONG, COMMAND and COMMAND with LONG are")]
    Flags(u8),
    /// A frame's size has its most significant bit set, which RFC 37 forbids.
    #[error("a frame announces a size of 2^63 octets or more")]
    Size,
    /// A command's name is empty or longer than its frame.
    #[error("a command has no readable name")]
    CommandName,
    /// The body of a known command does not have the form its RFC gives it.
    #[error("the body of a {0} command is malformed")]
    CommandBody(&'static str),
    /// A metadata property is cut short, or its name is empty.
    #[error("a metadata property is cut short or has no name")]
    Property,
    /// A metadata property comes twice.
    #[error("a metadata property comes twice")]
    DuplicateProperty,
    /// A routing id is longer than the 255 octets that RFC 37 allows.
    #[error("a routing id is longer than 255 octets")]
    RoutingId,
    /// The value of the Resource property is none of RFC 37's grammar, or longer than 255 octets.
    #[error("the Resource property names no resource: names of letters, digits and $-_@.&+, joined by /")]
    Resource,
}

/// Why something is no property of a peer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PropertyError {
    /// Its name is not one that RFC 37 allows.
    #[error("`{0}` cannot be a property's name; write 1 to 255 letters, digits and -_.+")]
    Name(String),
    /// Its value is too long.
    #[error("a property's value has less than 2 GiB, not {0} octets")]
    TooLong(usize),
    /// There are too many.
    #[error("a peer has 128 properties at most")]
    TooMany,
}
