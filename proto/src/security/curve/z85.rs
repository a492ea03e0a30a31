//! Z85 (RFC 32), the text form of keys: encodes four bytes as five characters that need no escapes in source code, on
//! command lines and in files.
//!
//! ```
//! use sansmq::curve::z85;
//!
//! let bytes = [0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b];
//! assert_eq!(z85::encode(&bytes)?, "HelloWorld");
//! assert_eq!(z85::decode("HelloWorld")?, bytes);
//! # Ok::<(), z85::Z85Error>(())
//! ```
//!
//! Encoding and decoding protect secret keys against timing attacks: no memory address depends on the data, because each
//! lookup reads the whole alphabet. This is slow for large data. The timing does reveal the length, and the position of the
//! error in rejected text.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use thiserror::Error;

const ALPHABET: &[u8; 85] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// Error of encoding or decoding Z85.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Z85Error {
    /// The input of [`encode`] has a length that is not a multiple of 4. Carries the number of bytes. The application
    /// must add padding (RFC 32).
    #[error("{0} bytes cannot be encoded in Z85; the number of bytes must be a multiple of 4")]
    ByteCount(usize),
    /// The input of [`decode`] has a length that is not a multiple of 5. Carries the number of characters (bytes of
    /// UTF-8).
    #[error("{0} characters are not Z85; the number of characters must be a multiple of 5")]
    CharacterCount(usize),
    /// The text contains a character that is not in the alphabet of Z85. Carries its byte offset.
    #[error("the character at offset {0} is not one of the 85 characters of Z85")]
    Character(usize),
    /// Five characters of the text have a value that does not fit into four bytes. Carries the byte offset of the first
    /// of these characters.
    #[error("the value of the five characters at offset {0} does not fit into four bytes")]
    Overflow(usize),
}

/// Encodes bytes as text, like `zmq_z85_encode` of libzmq.
///
/// # Errors
///
/// [`Z85Error::ByteCount`] if the number of bytes is not a multiple of 4.
#[doc(alias("zmq_z85_encode", "z85_encode"))]
pub fn encode(bytes: &[u8]) -> Result<String, Z85Error> {
    let (quads, []) = bytes.as_chunks() else {
        return Err(Z85Error::ByteCount(bytes.len()));
    };
    let mut text = String::with_capacity(quads.len() * 5);
    quads.iter().flat_map(|quad| encode_group(*quad)).for_each(|character| text.push(character));
    Ok(text)
}

/// Decodes text, like `zmq_z85_decode` of libzmq.
///
/// # Errors
///
/// [`Z85Error`] if the text is not valid Z85.
#[doc(alias("zmq_z85_decode", "z85_decode"))]
pub fn decode(text: &str) -> Result<Vec<u8>, Z85Error> {
    let mut bytes = vec![0; text.len() / 5 * 4];
    decode_into(text.as_bytes(), &mut bytes)?;
    Ok(bytes)
}

/// Decodes `text` into `bytes`. The length of `bytes` must be four fifths of the length of `text`.
pub(super) fn decode_into(text: &[u8], bytes: &mut [u8]) -> Result<(), Z85Error> {
    let (groups, []) = text.as_chunks() else {
        return Err(Z85Error::CharacterCount(text.len()));
    };
    let (quads, _) = bytes.as_chunks_mut();
    for (number, (group, quad)) in groups.iter().zip(quads).enumerate() {
        *quad = decode_group(*group, number * 5)?;
    }
    Ok(())
}

fn encode_group(quad: [u8; 4]) -> [char; 5] {
    let value = u32::from_be_bytes(quad);
    [52_200_625, 614_125, 7_225, 85, 1].map(|power| character(value / power % 85))
}

/// Returns the character of Z85 with the value `digit`, from 0 to 84.
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

/// Returns the value of `character`, from 0 to 84, and true. Returns zero and false if the character is not in the
/// alphabet of Z85.
fn digit(character: u8) -> (u8, Choice) {
    let mut found = (0, Choice::from(0));
    for (value, candidate) in (0_u8..).zip(ALPHABET) {
        let equal = character.ct_eq(candidate);
        found.0.conditional_assign(&value, equal);
        found.1 |= equal;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::config;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};

    /// Encodes four bytes by repeated division by 85 (RFC 32), to compare with [`encode`].
    fn model(quad: [u8; 4]) -> [u8; 5] {
        let mut value = u32::from_be_bytes(quad);
        let mut text = [0; 5];
        for place in text.iter_mut().rev() {
            *place = ALPHABET[value as usize % 85];
            value /= 85;
        }
        text
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        // Includes groups close to `%nSc0`, the largest value that fits into four bytes.
        let large = vec(select(b"$%nSc0#1".as_slice()), 4).prop_map(|rest| [b"%".to_vec(), rest].concat());
        vec(prop_oneof![vec(select(ALPHABET.as_slice()), 5), large], 0..8).prop_map(|groups| groups.concat())
    }

    /// Generates ASCII characters that are not in the alphabet of Z85.
    fn wrong() -> impl Strategy<Value = u8> {
        select((0..128).filter(|byte| !ALPHABET.contains(byte)).collect::<Vec<_>>())
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn encode_equals_rfc_arithmetic_and_decodes_again(quads in vec(any::<[u8; 4]>(), 0..16)) {
            let written = encode(quads.as_flattened()).unwrap();
            prop_assert_eq!(written.as_bytes(), quads.iter().flat_map(|&quad| model(quad)).collect::<Vec<_>>());
            prop_assert_eq!(decode(&written).unwrap(), quads.as_flattened());
        }

        #[test]
        fn decode_rejects_only_groups_that_overflow(text in text()) {
            let value = |group: &[u8]| {
                let digits = group.iter().map(|byte| ALPHABET.iter().position(|other| other == byte).unwrap());
                u32::try_from(digits.fold(0, |value, digit| value * 85 + digit as u64)).ok()
            };
            let expected = text.chunks(5).enumerate().try_fold(Vec::new(), |mut bytes, (number, group)| {
                let value = value(group).ok_or(Z85Error::Overflow(number * 5))?;
                bytes.extend(value.to_be_bytes());
                Ok(bytes)
            });
            prop_assert_eq!(decode(core::str::from_utf8(&text).unwrap()), expected);
        }

        #[test]
        fn decode_returns_offset_of_invalid_character(
            quads in vec(any::<[u8; 4]>(), 1..8), place in any::<Index>(), wrong in wrong(),
        ) {
            let mut text = encode(quads.as_flattened()).unwrap();
            let place = place.index(text.len());
            text.replace_range(place..=place, &char::from(wrong).to_string());
            prop_assert_eq!(decode(&text), Err(Z85Error::Character(place)));
        }

        #[test]
        fn incomplete_groups_are_rejected(bytes in vec(any::<u8>(), 0..20), text in "[0-9a-zA-Z]{0,20}") {
            if bytes.len() % 4 != 0 {
                prop_assert_eq!(encode(&bytes), Err(Z85Error::ByteCount(bytes.len())));
            }
            if text.len() % 5 != 0 {
                prop_assert_eq!(decode(&text), Err(Z85Error::CharacterCount(text.len())));
            }
        }
    }
}
