//! Errors of the wire format: [`DecodeError`] for bytes received, [`PropertyError`] for properties to send.

use alloc::string::String;
use thiserror::Error;

/// Error of decoding ZMTP. Incomplete input is not an error: decoders return `Ok(None)`.
#[doc(alias = "ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_MESSAGE")]
#[doc(alias = "ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_HELLO")]
#[doc(alias = "ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_INITIATE")]
#[doc(alias("ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_ERROR", "ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_READY"))]
#[doc(alias = "ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_WELCOME")]
#[doc(alias("ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_UNSPECIFIED", "ZMQ_PROTOCOL_ERROR_ZMTP_INVALID_METADATA"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The flags of a frame contain reserved bits, or both COMMAND and MORE (RFC 37). Carries the byte of flags.
    #[error("frame flags {0:#04x} are not allowed: only MORE, LONG, COMMAND and COMMAND with LONG are")]
    Flags(u8),
    /// The frame head announces a body of 2^63 bytes or more, which RFC 37 forbids.
    #[error("a frame announces a size of 2^63 bytes or more")]
    Size,
    /// The name of a command is empty, or longer than the frame.
    #[error("a command has no readable name")]
    CommandName,
    /// The body of a command violates the grammar of the RFC. Only commands that this crate knows are checked. Carries
    /// the name of the command.
    #[error("the body of a {0} command is malformed")]
    CommandBody(&'static str),
    /// A metadata property is incomplete or has an empty name, or the metadata has more than 128 properties.
    #[error("a metadata property is cut short or has no name, or there are more than 128 properties")]
    Property,
    /// Two metadata properties have the same name.
    #[error("two metadata properties have the same name")]
    DuplicateProperty,
    /// The routing id of the peer has more than 255 bytes, the limit of RFC 37.
    #[error("a routing id is longer than 255 bytes")]
    RoutingId,
    /// The value of the property `Resource` violates the grammar of RFC 37, or has more than 255 bytes.
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
    /// RFC 37 does not allow the name of the property. Carries the name.
    #[error("`{0}` cannot be a property's name; write 1 to 255 letters, digits and -_.+")]
    Name(String),
    /// The value of the property has 2 GiB or more. Carries the number of bytes of the value.
    #[error("the value of a property must have less than 2 GiB, not {0} bytes")]
    TooLong(usize),
    /// The metadata has 128 properties already, the maximum.
    #[error("a peer can have at most 128 properties")]
    TooMany,
}
