//! Commands of the security mechanisms: a name, and a body that only the mechanism can decode.

use super::FrameHead;
use super::error::DecodeError;
use alloc::vec::Vec;
use bytes::Bytes;

/// Splits the body of a command frame into the name of the command and the rest.
pub(crate) fn split(body: &[u8]) -> Result<(&[u8], &[u8]), DecodeError> {
    let (&len, rest) = body.split_first().ok_or(DecodeError::CommandName)?;
    match rest.split_at_checked(usize::from(len)) {
        None | Some((b"", _)) => Err(DecodeError::CommandName),
        Some(command) => Ok(command),
    }
}

/// Appends a command frame to `out`: the name, then the concatenated `parts`.
pub(crate) fn encode(name: &[u8], parts: &[&[u8]], out: &mut Vec<u8>) {
    let size = 1 + name.len() + parts.iter().map(|part| part.len()).sum::<usize>();
    FrameHead { command: true, more: false, size: size as u64 }.encode(out);
    out.push(u8::try_from(name.len()).expect("the name of a command has at most 255 bytes"));
    out.extend_from_slice(name);
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// Decodes the reason of an ERROR or CLOSE command. `body` is the part of the command after its `name`.
pub(crate) fn reason(body: &[u8], name: &'static str) -> Result<Bytes, DecodeError> {
    let (&len, reason) = body.split_first().ok_or(DecodeError::CommandBody(name))?;
    let reason = reason.get(..usize::from(len)).ok_or(DecodeError::CommandBody(name))?;
    Ok(Bytes::copy_from_slice(reason))
}
