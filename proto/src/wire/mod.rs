//! Decoding and encoding of the wire format: greeting, frame heads, commands, metadata. All functions are stateless.
//! The caller checks limits such as the maximum message size.

mod command;
mod error;
mod frame;
mod greeting;
pub(crate) mod handshake;
mod metadata;

pub use command::Command;
pub use error::{DecodeError, PropertyError};
pub use frame::FrameHead;
pub(crate) use greeting::Opening;
pub use greeting::{Greeting, MechanismName, Version};
pub use metadata::Metadata;

pub(crate) use frame::{COMMAND, LONG, MAX_HEAD_1_0, MORE};
pub(crate) use metadata::{CLOSE_REASON, CLOSE_REASON_VERSION, IDENTITY, RESOURCE, SOCKET_TYPE, is_name_char};

/// Removes the first `count` bytes of `bytes` and returns them, or returns `None` if `bytes` is shorter.
fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (front, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(front)
}
