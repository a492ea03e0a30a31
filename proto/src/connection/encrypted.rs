//! Messages and commands after a CURVE handshake: each of their frames is sent inside an encrypted frame (RFC 26, "The
//! MESSAGE Command").
//!
//! RFC 37 requires the outer frames to be commands. libzmq sends its outer frames as messages, and drops received outer
//! frames that are commands. This side therefore sends its outer frames as messages, and accepts messages and commands.
//! The flags inside the encrypted part define the inner frame.

use super::decoder::{Decoder, Item, MAX_COMMAND};
use super::outbox::Outbox;
use crate::connection::config::ConnectionConfig;
use crate::connection::error::ConnectionError;
use crate::cost;
use crate::message::Frame;
use crate::security::curve::{CurveError, OVERHEAD, Opener};
use crate::wire::FrameHead;
use bytes::{Buf, BytesMut};

/// Flag at the start of the encrypted part: more frames of the message follow.
const MORE: u8 = 1;
/// Flag at the start of the encrypted part: the frame is a command. RFC 26 does not define this flag; libzmq uses it
/// for the commands of RFC 37.
const COMMAND: u8 = 2;

impl Outbox {
    /// Returns true if all nonces of the CURVE key are used, so that no further frame can be encrypted.
    pub(super) fn is_spent(&self) -> bool {
        self.sealer.as_ref().is_some_and(|sealer| sealer.is_spent())
    }

    /// Encrypts a frame and appends it to the output. If the CURVE key has no unused nonce, drops the frame; the next
    /// [`Connection::handle_timeout`](super::Connection::handle_timeout) then ends the connection.
    pub(super) fn seal_frame(&mut self, head: FrameHead, body: &[u8]) {
        let Some(sealer) = &mut self.sealer else { return };
        let flags = if head.more { MORE } else { 0 } | if head.command { COMMAND } else { 0 };
        let size = (OVERHEAD + body.len()) as u64;
        let start = self.arena.len();
        FrameHead { command: false, more: false, size }.encode(&mut self.arena);
        if sealer.seal(&mut self.arena, flags, body).is_err() {
            self.arena.truncate(start);
        }
    }

    /// Encrypts a frame that is already encoded with its frame head, and appends it to the output.
    pub(super) fn seal_encoded(&mut self, frame: &[u8]) {
        if let Ok(Some((head, len))) = FrameHead::decode(frame) {
            self.seal_frame(head, &frame[len..]);
        }
    }

    /// Decrypts a frame that this side has encrypted but not sent. Returns `None` if the frame cannot be decrypted.
    /// Returns the frame unchanged if the connection does not use CURVE.
    pub(super) fn unseal(&self, head: FrameHead, body: Frame) -> Option<(FrameHead, Frame)> {
        let Some(sealer) = &self.sealer else { return Some((head, body)) };
        let (flags, body) = sealer.reopen(&body)?;
        let head = FrameHead { command: flags & COMMAND != 0, more: flags & MORE != 0, size: body.len() as u64 };
        Some((head, Frame::from(body)))
    }
}

impl Decoder {
    /// Decodes and decrypts the next message or command at the front of `input`. Returns `None` if all input is
    /// consumed and more is needed.
    pub(super) fn next_sealed(
        &mut self,
        input: &mut &[u8],
        config: &ConnectionConfig,
        opener: &mut Opener,
    ) -> Result<Option<Item>, ConnectionError> {
        loop {
            let (head, frame) = if self.is_in_body() {
                let Some(body) = self.resume(input) else { return Ok(None) };
                open_shared(body.into_bytes(), opener)?
            } else {
                let Some(head) = self.head(input)? else { return Ok(None) };
                let size = check_outer(head, config)?;
                let Some((body, rest)) = input.split_at_checked(size) else {
                    self.begin(head, size, input);
                    return Ok(None);
                };
                *input = rest;
                open_copy(body, opener)?
            };
            if head.command {
                return Ok(Some(Item::Command(frame)));
            }
            self.check(head, config)?;
            if let Some(message) = self.join(head, frame) {
                return Ok(Some(Item::Message(message)));
            }
        }
    }
}

/// Checks the size in the head of an encrypted frame, before the body is received. The content is a message frame or a
/// command, and must not exceed the larger of the two limits for messages and commands. Returns the size of the
/// encrypted body in bytes.
fn check_outer(head: FrameHead, config: &ConnectionConfig) -> Result<usize, ConnectionError> {
    if head.more {
        return Err(CurveError::OuterMore.into());
    }
    let limit = (config.max_message_size as u64).max(MAX_COMMAND);
    let size = head.size.saturating_sub(OVERHEAD as u64);
    if size > limit {
        return Err(ConnectionError::TooLarge { size, limit });
    }
    usize::try_from(head.size).map_err(|_| ConnectionError::TooLarge { size, limit })
}

/// Decrypts a copy of the encrypted frame `sealed`. If the frame is short, the copy needs no allocation.
#[inline]
fn open_copy(sealed: &[u8], opener: &mut Opener) -> Result<(FrameHead, Frame), ConnectionError> {
    let mut buffer = [0; OVERHEAD + Frame::INLINE];
    let Some(buffer) = buffer.get_mut(..sealed.len()) else {
        return open_shared(BytesMut::from(sealed), opener);
    };
    buffer.copy_from_slice(sealed);
    cost::bytes(buffer.len());
    let (flags, body) = opener.open_in_place(buffer).map_err(CurveError::from)?;
    Ok((head_of(flags, body.len())?, Frame::copy_from_slice(body)))
}

/// Decrypts a frame in place. The returned frame refers to the memory of `sealed`.
fn open_shared(mut sealed: BytesMut, opener: &mut Opener) -> Result<(FrameHead, Frame), ConnectionError> {
    cost::bytes(sealed.len());
    let (flags, body) = opener.open_in_place(&mut sealed).map_err(CurveError::from)?;
    let head = head_of(flags, body.len())?;
    let capacity = sealed.capacity();
    sealed.advance(OVERHEAD);
    Ok((head, Frame::in_block(sealed.freeze(), capacity)))
}

/// Returns the frame head of a decrypted frame with these flags and a body of `size` bytes. Returns an error if the
/// flags are invalid.
fn head_of(flags: u8, size: usize) -> Result<FrameHead, ConnectionError> {
    match flags {
        0 | MORE | COMMAND => Ok(FrameHead { command: flags == COMMAND, more: flags == MORE, size: size as u64 }),
        _ => Err(CurveError::Flags(flags).into()),
    }
}
