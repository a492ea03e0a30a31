//! [`FrameHead`]: the flags and the size of a frame (RFC 37, "Framing").

use super::error::DecodeError;
use alloc::vec::Vec;

pub(crate) const MORE: u8 = 0b001;
pub(crate) const LONG: u8 = 0b010;
pub(crate) const COMMAND: u8 = 0b100;

/// Maximum number of bytes of a body for which the frame head has a size field of one byte.
pub(crate) const SHORT_MAX: usize = 255;

/// Maximum number of bytes of a frame head: one byte of flags, and a size field of eight bytes.
pub(crate) const MAX_HEAD: usize = 9;

/// Maximum number of bytes of a frame head in ZMTP 1.0: a byte 0xff that marks a long size, eight bytes of size, and
/// one byte of flags.
pub(crate) const MAX_HEAD_1_0: usize = 10;

/// The head of a frame, which precedes the body: the flags COMMAND and MORE, and the size of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// True if the frame is a command, false if it is part of a message.
    pub command: bool,
    /// True if more frames of the same message follow. Never true together with `command`.
    pub more: bool,
    /// Number of bytes of the body.
    pub size: u64,
}

impl FrameHead {
    /// Decodes a head from the start of `bytes`. Returns the head and the number of bytes that it occupies, or `None`
    /// if the head is incomplete.
    ///
    /// Accepts the long form for short bodies too. Rejects reserved bits, because they show that the input does not
    /// begin at the start of a frame.
    ///
    /// # Errors
    /// [`DecodeError::Flags`] and [`DecodeError::Size`].
    #[inline]
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, DecodeError> {
        let Some((&flags, rest)) = bytes.split_first() else {
            return Ok(None);
        };
        if flags & !(MORE | LONG | COMMAND) != 0 || flags & (MORE | COMMAND) == MORE | COMMAND {
            return Err(DecodeError::Flags(flags));
        }
        let (size, len) = if flags & LONG == 0 {
            let Some(&size) = rest.first() else {
                return Ok(None);
            };
            (u64::from(size), 2)
        } else {
            let Some(size) = rest.first_chunk() else {
                return Ok(None);
            };
            (u64::from_be_bytes(*size), MAX_HEAD)
        };
        // RFC 37: the most significant bit of a long size must be zero.
        if size > u64::MAX >> 1 {
            return Err(DecodeError::Size);
        }
        Ok(Some((Self { command: flags & COMMAND != 0, more: flags & MORE != 0, size }, len)))
    }

    /// Appends the head to `out`: the short form for bodies of up to 255 bytes, else the long form, as RFC 37 requires.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the size was compared with 255")]
    pub fn encode(&self, out: &mut Vec<u8>) {
        let flags = if self.command { COMMAND } else { u8::from(self.more) };
        if self.size <= SHORT_MAX as u64 {
            out.extend_from_slice(&[flags, self.size as u8]);
        } else {
            let mut head = [0; MAX_HEAD];
            head[0] = flags | LONG;
            head[1..].copy_from_slice(&self.size.to_be_bytes());
            out.extend_from_slice(&head);
        }
    }

    /// Decodes a head of ZMTP 1.0 (RFC 13): first the size, which includes the flags byte, then the flags. ZMTP 1.0 has
    /// no commands. Returns the head and the number of bytes that it occupies, or `None` if the head is incomplete.
    ///
    /// Rejects reserved bits, in order to recognize input that is not ZMTP 1.0. This version has no signature for that
    /// purpose.
    ///
    /// # Errors
    /// [`DecodeError::Flags`] and [`DecodeError::Size`].
    pub(crate) fn decode_1_0(bytes: &[u8]) -> Result<Option<(Self, usize)>, DecodeError> {
        let Some((&first, rest)) = bytes.split_first() else {
            return Ok(None);
        };
        let (size, rest, len) = if first == u8::MAX {
            let Some((size, rest)) = rest.split_first_chunk() else {
                return Ok(None);
            };
            (u64::from_be_bytes(*size), rest, MAX_HEAD_1_0)
        } else {
            (u64::from(first), rest, 2)
        };
        // The size includes the flags byte, so zero is invalid.
        if size == 0 || size > u64::MAX >> 1 {
            return Err(DecodeError::Size);
        }
        let Some(&flags) = rest.first() else {
            return Ok(None);
        };
        if flags & !MORE != 0 {
            return Err(DecodeError::Flags(flags));
        }
        Ok(Some((Self { command: false, more: flags == MORE, size: size - 1 }, len)))
    }

    /// Appends the head to `out` in the format of ZMTP 1.0 (RFC 13).
    pub(crate) fn encode_1_0(&self, out: &mut Vec<u8>) {
        let size = self.size + 1;
        // 0xff is not a size, but marks a size of eight bytes.
        match u8::try_from(size) {
            Ok(size) if size < u8::MAX => out.push(size),
            _ => {
                out.push(u8::MAX);
                out.extend_from_slice(&size.to_be_bytes());
            }
        }
        out.push(u8::from(self.more));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_decodes_complete_truncated_and_followed() {
        for command in [false, true] {
            for more in [false, true] {
                for size in [0, 1, 127, 128, 255, 256, 65_536, 1 << 40, u64::MAX >> 1] {
                    if command && more {
                        continue;
                    }
                    let head = FrameHead { command, more, size };
                    let mut bytes = Vec::new();
                    head.encode(&mut bytes);
                    assert_eq!(bytes.len(), if size > 255 { 9 } else { 2 });
                    assert_eq!(FrameHead::decode(&bytes), Ok(Some((head, bytes.len()))));
                    for cut in 0..bytes.len() {
                        assert_eq!(FrameHead::decode(&bytes[..cut]), Ok(None), "cut at {cut}");
                    }
                    let len = bytes.len();
                    bytes.push(0xff);
                    assert_eq!(FrameHead::decode(&bytes), Ok(Some((head, len))));
                }
            }
        }
    }

    #[test]
    fn head_1_0_decodes_complete_truncated_and_followed() {
        for more in [false, true] {
            for size in [0, 1, 252, 253, 254, 255, 256, 65_536, (u64::MAX >> 1) - 1] {
                let head = FrameHead { command: false, more, size };
                let mut bytes = Vec::new();
                head.encode_1_0(&mut bytes);
                let len = bytes.len();
                assert_eq!(len, if size > 253 { 10 } else { 2 }, "size {size}");
                bytes.push(0xff);
                for cut in 0..len {
                    assert_eq!(FrameHead::decode_1_0(&bytes[..cut]), Ok(None), "cut at {cut}");
                }
                assert_eq!(FrameHead::decode_1_0(&bytes), Ok(Some((head, len))));
            }
        }
        assert_eq!(FrameHead::decode_1_0(&[0]), Err(DecodeError::Size));
        assert_eq!(FrameHead::decode_1_0(&[0xff, 0x80, 0, 0, 0, 0, 0, 0, 0]), Err(DecodeError::Size));
        for flags in 2..=255 {
            assert_eq!(FrameHead::decode_1_0(&[9, flags]), Err(DecodeError::Flags(flags)));
        }
    }

    #[test]
    fn decode_accepts_long_form_of_short_body() {
        let head = FrameHead { command: false, more: false, size: 5 };
        assert_eq!(FrameHead::decode(&[LONG, 0, 0, 0, 0, 0, 0, 0, 5]), Ok(Some((head, 9))));
    }

    #[test]
    fn decode_rejects_flags_outside_the_grammar() {
        let allowed = [0, MORE, LONG, MORE | LONG, COMMAND, COMMAND | LONG];
        for flags in 0..=255_u8 {
            let decoded = FrameHead::decode(&[flags, 0, 0, 0, 0, 0, 0, 0, 0]);
            assert_eq!(decoded.is_ok(), allowed.contains(&flags), "flags {flags:#04x}");
        }
        assert_eq!(FrameHead::decode(&[LONG, 0x80, 0, 0, 0, 0, 0, 0, 0]), Err(DecodeError::Size));
    }
}
