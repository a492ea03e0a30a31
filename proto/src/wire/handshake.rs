//! The commands of a mechanism, whose bodies only that mechanism can read: a name, and octets.

use super::FrameHead;
use super::error::DecodeError;
use alloc::vec::Vec;
use bytes::Bytes;

/// The name of a command, and what follows it.
pub(crate) fn split(body: &[u8]) -> Result<(&[u8], &[u8]), DecodeError> {
    let (&len, rest) = body.split_first().ok_or(DecodeError::CommandName)?;
    match rest.split_at_checked(usize::from(len)) {
        None | Some((b"", _)) => Err(DecodeError::CommandName),
        Some(command) => Ok(command),
    }
}

/// Appends a command as a whole frame; its body is these parts.
pub(crate) fn encode(name: &[u8], parts: &[&[u8]], out: &mut Vec<u8>) {
    let size = 1 + name.len() + parts.iter().map(|part| part.len()).sum::<usize>();
    FrameHead { command: true, more: false, size: size as u64 }.encode(out);
    out.push(u8::try_from(name.len()).expect("the names of commands are short"));
    out.extend_from_slice(name);
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// The reason in the body of an ERROR.
pub(crate) fn reason(body: &[u8]) -> Result<Bytes, DecodeError> {
    let (&len, reason) = body.split_first().ok_or(DecodeError::CommandBody("ERROR"))?;
    let reason = reason.get(..usize::from(len)).ok_or(DecodeError::CommandBody("ERROR"))?;
    Ok(Bytes::copy_from_slice(reason))
}
