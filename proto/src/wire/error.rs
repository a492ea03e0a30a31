//! Errors of the wire format: [`DecodeError`] for bytes received, [`PropertyError`] for properties to send.

use alloc::string::String;
use thiserror::Error;

/// Error of decoding ZMTP. Incomplete input is not an error: decoders return `Ok(None)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Flags of a frame with reserved bits, or with both COMMAND and MORE (RFC 37). Carries the byte of flags.
    #[error("frame flags {0:#04x} are not allowed: only MORE, LONG, COMMAND and COMMAND with LONG are")]
    Flags(u8),
    /// Frame size of 2^63 bytes or more, which RFC 37 forbids.
    #[error("a frame announces a size of 2^63 bytes or more")]
    Size,
    /// Command name that is empty or longer than the frame.
    #[error("a command has no readable name")]
    CommandName,
    /// Body of a command that this crate knows but that violates the grammar of the RFC. Carries the name of the
    /// command.
    #[error("the body of a {0} command is malformed")]
    CommandBody(&'static str),
    /// Metadata property that is incomplete or has an empty name. Also metadata with more than 128 properties.
    #[error("a metadata property is cut short or has no name, or there are more than 128 properties")]
    Property,
    /// Two metadata properties of the same name.
    #[error("two metadata properties have the same name")]
    DuplicateProperty,
    /// Routing id of more than 255 bytes, the limit of RFC 37.
    #[error("a routing id is longer than 255 bytes")]
    RoutingId,
    /// Value of the Resource property that violates the grammar of RFC 37, or has more than 255 bytes.
    #[error(
        "the Resource property is not a valid resource; write names of letters, digits and $-_@.&+, separated by /, 255 bytes at \
         most"
    )]
    Resource,
}

/// Error of a metadata property that cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PropertyError {
    /// Name that RFC 37 does not allow. Carries the name.
    #[error("`{0}` cannot be a property's name; write 1 to 255 letters, digits and -_.+")]
    Name(String),
    /// Value of 2 GiB or more. Carries the number of bytes.
    #[error("the value of a property must have less than 2 GiB, not {0} bytes")]
    TooLong(usize),
    /// More than 128 properties.
    #[error("a peer can have at most 128 properties")]
    TooMany,
}
