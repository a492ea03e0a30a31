//! A frame's head: flags and size (RFC 37, "Framing").

use super::error::DecodeError;
use alloc::vec::Vec;

pub(crate) const MORE: u8 = 0b001;
pub(crate) const LONG: u8 = 0b010;
pub(crate) const COMMAND: u8 = 0b100;

/// The longest body that a one-octet size can announce.
pub(crate) const SHORT_MAX: usize = 255;

/// A head is never longer than this: flags and an eight-octet size.
pub(crate) const MAX_HEAD: usize = 9;

/// One of ZMTP 1.0 has an octet more, which says that the size has eight.
pub(crate) const MAX_HEAD_1_0: usize = 10;

/// What precedes a frame's body: whether it is a command, whether more frames follow, how long the body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// The frame is a command, not part of a message.
    pub command: bool,
    /// More frames of the same message follow; never together with `command`.
    pub more: bool,
    /// The octets in the body.
    pub size: u64,
}

impl FrameHead {
    /// Reads a head from the front of `octets`: the head and how many octets it took, or `None` if some are missing.
    ///
    /// The long form is understood for short bodies too. Reserved bits are an error, so that a stream that lost its
    /// step is noticed at once.
    ///
    /// # Errors
    /// [`DecodeError::Flags`] and [`DecodeError::Size`].
    #[inline]
    pub fn decode(octets: &[u8]) -> Result<Option<(Self, usize)>, DecodeError> {
        let Some((&flags, rest)) = octets.split_first() else {
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
        if size > u64::MAX >> 1 {
            return Err(DecodeError::Size);
        }
        Ok(Some((Self { command: flags & COMMAND != 0, more: flags & MORE != 0, size }, len)))
    }

    /// Writes the head: short form up to 255 octets, long form above (RFC 37 wants the shorter one that fits).
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the size has been compared with 255")]
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

    /// As [`decode`](Self::decode), for ZMTP 1.0 (RFC 13): first the size, which counts the flags too, then the flags. There
    /// are no commands. The reserved bits are an error here too, for they are all that tells ZMTP 1.0 from noise.
    ///
    /// # Errors
    /// [`DecodeError::Flags`] and [`DecodeError::Size`].
    pub(crate) fn decode_1_0(octets: &[u8]) -> Result<Option<(Self, usize)>, DecodeError> {
        let Some((&first, rest)) = octets.split_first() else {
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

    /// As [`encode`](Self::encode), for ZMTP 1.0.
    pub(crate) fn encode_1_0(&self, out: &mut Vec<u8>) {
        let size = self.size + 1;
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
    fn every_head_survives_the_wire_whole_cut_and_followed() {
        for command in [false, true] {
            for more in [false, true] {
                for size in [0, 1, 127, 128, 255, 256, 65_536, 1 << 40, u64::MAX >> 1] {
                    if command && more {
                        continue;
                    }
                    let head = FrameHead { command, more, size };
                    let mut octets = Vec::new();
                    head.encode(&mut octets);
                    assert_eq!(octets.len(), if size > 255 { 9 } else { 2 });
                    assert_eq!(FrameHead::decode(&octets), Ok(Some((head, octets.len()))));
                    for cut in 0..octets.len() {
                        assert_eq!(FrameHead::decode(&octets[..cut]), Ok(None), "cut at {cut}");
                    }
                    let len = octets.len();
                    octets.push(0xff);
                    assert_eq!(FrameHead::decode(&octets), Ok(Some((head, len))));
                }
            }
        }
    }

    #[test]
    fn every_head_of_1_0_survives_the_wire_whole_cut_and_followed() {
        for more in [false, true] {
            for size in [0, 1, 252, 253, 254, 255, 256, 65_536, (u64::MAX >> 1) - 1] {
                let head = FrameHead { command: false, more, size };
                let mut octets = Vec::new();
                head.encode_1_0(&mut octets);
                let len = octets.len();
                assert_eq!(len, if size > 253 { 10 } else { 2 }, "of {size}");
                octets.push(0xff);
                for cut in 0..len {
                    assert_eq!(FrameHead::decode_1_0(&octets[..cut]), Ok(None), "cut at {cut}");
                }
                assert_eq!(FrameHead::decode_1_0(&octets), Ok(Some((head, len))));
            }
        }
        assert_eq!(FrameHead::decode_1_0(&[0]), Err(DecodeError::Size));
        assert_eq!(FrameHead::decode_1_0(&[0xff, 0x80, 0, 0, 0, 0, 0, 0, 0]), Err(DecodeError::Size));
        for flags in 2..=255 {
            assert_eq!(FrameHead::decode_1_0(&[9, flags]), Err(DecodeError::Flags(flags)));
        }
    }

    #[test]
    fn the_long_form_of_a_short_body_is_understood() {
        let head = FrameHead { command: false, more: false, size: 5 };
        assert_eq!(FrameHead::decode(&[LONG, 0, 0, 0, 0, 0, 0, 0, 5]), Ok(Some((head, 9))));
    }

    #[test]
    fn flags_outside_the_grammar_are_refused() {
        let allowed = [0, MORE, LONG, MORE | LONG, COMMAND, COMMAND | LONG];
        for flags in 0..=255_u8 {
            let decoded = FrameHead::decode(&[flags, 0, 0, 0, 0, 0, 0, 0, 0]);
            assert_eq!(decoded.is_ok(), allowed.contains(&flags), "flags {flags:#04x}");
        }
        assert_eq!(FrameHead::decode(&[LONG, 0x80, 0, 0, 0, 0, 0, 0, 0]), Err(DecodeError::Size));
    }
}
