//! Octets to values and back: greeting, frame heads, commands, metadata. No state, no policy, no limits of its own.

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
pub(crate) use metadata::{IDENTITY, RESOURCE, SOCKET_TYPE, is_name_char};

/// Splits `count` octets off the front of `octets`, if there are that many.
fn take<'a>(octets: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (front, rest) = octets.split_at_checked(count)?;
    *octets = rest;
    Some(front)
}
