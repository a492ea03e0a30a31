//! Z85, the text form of keys (RFC 32): four octets become five characters that are safe in source code, on command lines
//! and in files.
//!
//! ```
//! use sansmq_proto::curve::z85;
//!
//! let octets = [0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b];
//! assert_eq!(z85::encode(&octets)?, "HelloWorld");
//! assert_eq!(z85::decode("HelloWorld")?, octets);
//! # Ok::<(), z85::Z85Error>(())
//! ```
//!
//! Secret keys are written like this too, so neither direction looks anything up at a place that depends on what is
//! encoded: each character is found by going through the whole alphabet. That is slow for much data. What is *not* hidden
//! is how long the data is and, of text that is refused, where it is wrong.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use thiserror::Error;

const ALPHABET: &[u8; 85] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// Why something is not Z85, or cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Z85Error {
    /// So many octets cannot be encoded; RFC 32 leaves padding to the application.
    #[error("{0} octets cannot be written in Z85, only a multiple of 4")]
    OctetCount(usize),
    /// So many characters (as octets of UTF-8) cannot be decoded.
    #[error("{0} characters are not Z85, which has a multiple of 5")]
    CharacterCount(usize),
    /// The octet at this place of the text, from 0, is none of the 85 characters.
    #[error("at offset {0} stands none of the 85 characters of Z85")]
    Character(usize),
    /// The five characters at this place of the text, from 0, stand for more than four octets can hold.
    #[error("the five characters at offset {0} stand for more than four octets can hold")]
    Overflow(usize),
}

/// Octets as text, as libzmq's `zmq_z85_encode` writes them.
///
/// # Errors
///
/// [`Z85Error::OctetCount`] if their number is no multiple of 4.
pub fn encode(octets: &[u8]) -> Result<String, Z85Error> {
    let (quads, []) = octets.as_chunks() else {
        return Err(Z85Error::OctetCount(octets.len()));
    };
    let mut text = String::with_capacity(quads.len() * 5);
    quads.iter().flat_map(|quad| encode_group(*quad)).for_each(|character| text.push(character));
    Ok(text)
}

/// Text as octets, as libzmq's `zmq_z85_decode` reads them.
///
/// # Errors
///
/// If it is not Z85, or stands for more than fits; see [`Z85Error`].
pub fn decode(text: &str) -> Result<Vec<u8>, Z85Error> {
    let mut octets = vec![0; text.len() / 5 * 4];
    decode_into(text.as_bytes(), &mut octets)?;
    Ok(octets)
}

/// Decodes into `octets`, which has four fifths of the text's length.
pub(super) fn decode_into(text: &[u8], octets: &mut [u8]) -> Result<(), Z85Error> {
    let (groups, []) = text.as_chunks() else {
        return Err(Z85Error::CharacterCount(text.len()));
    };
    let (quads, _) = octets.as_chunks_mut();
    for (number, (group, quad)) in groups.iter().zip(quads).enumerate() {
        *quad = decode_group(*group, number * 5)?;
    }
    Ok(())
}

fn encode_group(quad: [u8; 4]) -> [char; 5] {
    let value = u32::from_be_bytes(quad);
    [52_200_625, 614_125, 7_225, 85, 1].map(|power| character(value / power % 85))
}

/// The character that stands for `digit`.
fn character(digit: u32) -> char {
    let mut found = 0;
    for (value, character) in (0_u32..).zip(ALPHABET) {
        found.conditional_assign(character, value.ct_eq(&digit));
    }
    char::from(found)
}

fn decode_group(group: [u8; 5], offset: usize) -> Result<[u8; 4], Z85Error> {
    let mut value = 0;
    for (place, character) in (offset..).zip(group) {
        let (digit, found) = digit(character);
        if !bool::from(found) {
            return Err(Z85Error::Character(place));
        }
        value = value * 85 + u64::from(digit);
    }
    let value = u32::try_from(value).map_err(|_| Z85Error::Overflow(offset))?;
    Ok(value.to_be_bytes())
}

/// What `character` stands for, and whether it stands for anything.
fn digit(character: u8) -> (u8, Choice) {
    let mut found = (0, Choice::from(0));
    for (value, candidate) in (0_u8..).zip(ALPHABET) {
        let same = character.ct_eq(candidate);
        found.0.conditional_assign(&value, same);
        found.1 |= same;
    }
    found
}
