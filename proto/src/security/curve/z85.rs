//! Z85, the text form of keys (RFC 32): four octets become five characters that are safe in source code, on command lines
//! and in files.
//!
//! ```
//! use sansmq_proto::security::curve::z85;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::config;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};

    /// RFC 32 in plain arithmetic: a number is divided by 85 again and again.
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
        // Groups at the limit, too, beyond which a number does not fit: `%nSc0` is the largest that does.
        let large = vec(select(b"$%nSc0#1".as_slice()), 4).prop_map(|rest| [b"%".to_vec(), rest].concat());
        vec(prop_oneof![vec(select(ALPHABET.as_slice()), 5), large], 0..8).prop_map(|groups| groups.concat())
    }

    /// A character that is none of them.
    fn wrong() -> impl Strategy<Value = u8> {
        select((0..128).filter(|octet| !ALPHABET.contains(octet)).collect::<Vec<_>>())
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn octets_are_written_by_the_arithmetic_of_the_rfc_and_read_again(quads in vec(any::<[u8; 4]>(), 0..16)) {
            let written = encode(quads.as_flattened()).unwrap();
            prop_assert_eq!(written.as_bytes(), quads.iter().flat_map(|&quad| model(quad)).collect::<Vec<_>>());
            prop_assert_eq!(decode(&written).unwrap(), quads.as_flattened());
        }

        #[test]
        fn text_is_read_unless_a_group_is_more_than_four_octets_hold(text in text()) {
            let value = |group: &[u8]| {
                let digits = group.iter().map(|octet| ALPHABET.iter().position(|other| other == octet).unwrap());
                u32::try_from(digits.fold(0, |value, digit| value * 85 + digit as u64)).ok()
            };
            let expected = text.chunks(5).enumerate().try_fold(Vec::new(), |mut octets, (number, group)| {
                let value = value(group).ok_or(Z85Error::Overflow(number * 5))?;
                octets.extend(value.to_be_bytes());
                Ok(octets)
            });
            prop_assert_eq!(decode(core::str::from_utf8(&text).unwrap()), expected);
        }

        #[test]
        fn what_is_not_of_the_alphabet_is_pointed_at(
            quads in vec(any::<[u8; 4]>(), 1..8), place in any::<Index>(), wrong in wrong(),
        ) {
            let mut text = encode(quads.as_flattened()).unwrap();
            let place = place.index(text.len());
            text.replace_range(place..=place, &char::from(wrong).to_string());
            prop_assert_eq!(decode(&text), Err(Z85Error::Character(place)));
        }

        #[test]
        fn what_is_no_whole_number_of_groups_is_refused(octets in vec(any::<u8>(), 0..20), text in "[0-9a-zA-Z]{0,20}") {
            if octets.len() % 4 != 0 {
                prop_assert_eq!(encode(&octets), Err(Z85Error::OctetCount(octets.len())));
            }
            if text.len() % 5 != 0 {
                prop_assert_eq!(decode(&text), Err(Z85Error::CharacterCount(text.len())));
            }
        }
    }
}
