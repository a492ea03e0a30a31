//! The dictionary in READY and INITIATE (RFC 37, "Metadata").

use super::error::{DecodeError, PropertyError};
use super::take;
use crate::socket_type::SocketType;
use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use bytes::Bytes;

/// The property that names the sender's socket type.
pub(crate) const SOCKET_TYPE: &str = "Socket-Type";
/// The property that carries the routing id a REQ, DEALER or ROUTER chose.
pub(crate) const IDENTITY: &str = "Identity";
/// The property that names the service the sender wants, where several share a port.
pub(crate) const RESOURCE: &str = "Resource";

/// The properties a peer announces about itself, in the order it sent them. Names compare without regard to case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata(Vec<(Bytes, Bytes)>);

impl Metadata {
    /// No properties.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The value of the property called `name`.
    pub fn get(&self, name: &str) -> Option<&Bytes> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// These properties and one more, or with another value for one that is there; for an
    /// [`AuthReply`](crate::security::AuthReply) that tells what is known of a peer.
    ///
    /// # Errors
    /// [`PropertyError`]: the name or the value cannot be one, or there are 128 properties already.
    pub fn with(mut self, name: &str, value: impl Into<Bytes>) -> Result<Self, PropertyError> {
        let value = value.into();
        if name.is_empty() || name.len() > 255 || !name.bytes().all(is_name_char) {
            return Err(PropertyError::Name(name.to_owned()));
        }
        if i32::try_from(value.len()).is_err() {
            return Err(PropertyError::TooLong(value.len()));
        }
        if self.get(name).is_none() && self.0.len() == MAX_PROPERTIES {
            return Err(PropertyError::TooMany);
        }
        self.set(name, value);
        Ok(self)
    }

    /// All properties: name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(name, value)| (&name[..], &value[..]))
    }

    /// Adds a property. A name is 1 to 255 octets, a value less than 2 GiB; the rest is cut off.
    pub(crate) fn push(&mut self, name: &'static str, value: Bytes) {
        self.0.push((Bytes::from_static(name.as_bytes()), value));
    }

    pub(crate) fn extend(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    /// Adds a property, or gives a new value to one that is there. Names and values are as [`push`](Self::push) has them.
    pub(crate) fn set(&mut self, name: &str, value: Bytes) {
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(name.as_bytes()));
        self.0.push((Bytes::copy_from_slice(name.as_bytes()), value));
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        for (name, value) in &self.0 {
            let name_len = u8::try_from(name.len()).expect("options limit the names of properties");
            let value_len = u32::try_from(value.len()).expect("options limit what a property may carry");
            out.push(name_len);
            out.extend_from_slice(name);
            out.extend_from_slice(&value_len.to_be_bytes());
            out.extend_from_slice(value);
        }
    }

    /// Reads properties until the octets end, which must be at the end of one.
    ///
    /// # Errors
    /// [`DecodeError::Property`] and [`DecodeError::DuplicateProperty`].
    pub fn decode(mut octets: &[u8]) -> Result<Self, DecodeError> {
        let mut metadata = Self::new();
        let mut names = BTreeSet::new();
        while let Some((&name_len, rest)) = octets.split_first() {
            octets = rest;
            let name = take(&mut octets, usize::from(name_len)).ok_or(DecodeError::Property)?;
            let value_len = take(&mut octets, 4).and_then(|len| len.first_chunk()).ok_or(DecodeError::Property)?;
            let value_len = usize::try_from(u32::from_be_bytes(*value_len)).map_err(|_| DecodeError::Property)?;
            let value = take(&mut octets, value_len).ok_or(DecodeError::Property)?;
            if name.is_empty() || metadata.0.len() == MAX_PROPERTIES {
                return Err(DecodeError::Property);
            }
            // Of 128 long names that are nearly alike, to compare each with each would take far longer than all else.
            if !names.insert(name.to_ascii_lowercase()) {
                return Err(DecodeError::DuplicateProperty);
            }
            metadata.0.push((kept(name), kept(value)));
        }
        // It is kept for as long as the peer is there, and a vector begins with room for four.
        metadata.0.shrink_to_fit();
        Ok(metadata)
    }
}

/// A name or a value, to be kept. What nearly every peer says needs no memory.
fn kept(octets: &[u8]) -> Bytes {
    let known = [SOCKET_TYPE, IDENTITY, RESOURCE].into_iter().find(|known| known.as_bytes() == octets);
    let known = known.or_else(|| SocketType::from_name(octets).map(SocketType::name));
    known.map_or_else(|| Bytes::copy_from_slice(octets), |known| Bytes::from_static(known.as_bytes()))
}

/// What a property's name is made of (RFC 37, "name-char").
pub(crate) fn is_name_char(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-_.+".contains(&octet)
}

/// Far more than anybody sends.
const MAX_PROPERTIES: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;

    fn sample() -> Vec<u8> {
        let mut metadata = Metadata::new();
        metadata.push(SOCKET_TYPE, Bytes::from_static(b"DEALER"));
        metadata.push(IDENTITY, Bytes::new());
        let mut octets = Vec::new();
        metadata.encode(&mut octets);
        octets
    }

    #[test]
    fn metadata_survives_the_wire_and_names_ignore_case() {
        let octets = sample();
        assert_eq!(octets, b"\x0bSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\0");
        let metadata = Metadata::decode(&octets).unwrap();
        assert_eq!(metadata.get("sOCKET-tYPE").unwrap(), "DEALER");
        assert_eq!(metadata.get("Identity").unwrap(), "");
        assert_eq!(metadata.get("Resource"), None);
    }

    #[test]
    fn metadata_cut_anywhere_but_between_properties_is_refused() {
        let octets = sample();
        for cut in 0..octets.len() {
            let whole = cut == 0 || cut == 22;
            assert_eq!(Metadata::decode(&octets[..cut]).is_ok(), whole, "cut at {cut}");
        }
    }

    #[test]
    fn nameless_and_repeated_properties_are_refused() {
        assert_eq!(Metadata::decode(b"\0\0\0\0\0"), Err(DecodeError::Property));
        assert_eq!(Metadata::decode(b"\x01a\0\0\0\0\x01A\0\0\0\0"), Err(DecodeError::DuplicateProperty));
        assert_eq!(Metadata::decode(b"\x01a\xff\xff\xff\xffx"), Err(DecodeError::Property));
        let many: Vec<u8> =
            (0..=MAX_PROPERTIES).flat_map(|n| [&b"\x03"[..], format!("{n:03}").as_bytes(), &[0; 4]].concat()).collect();
        assert_eq!(Metadata::decode(&many), Err(DecodeError::Property));
    }

    #[test]
    fn a_property_that_could_not_be_sent_is_refused() {
        let with = |name: &str| Metadata::new().with(name, "x");
        assert_eq!(with("").unwrap_err(), PropertyError::Name(String::new()));
        assert_eq!(with("Gruppe ").unwrap_err(), PropertyError::Name("Gruppe ".into()));
        assert!(with(&"x".repeat(256)).is_err());
        let both = with(&"x".repeat(255)).unwrap().with("a", "1").unwrap().with("A", "2").unwrap();
        assert_eq!((both.get("a").unwrap(), both.iter().count()), (&Bytes::from("2"), 2));

        let many = (0..MAX_PROPERTIES).try_fold(Metadata::new(), |all, number| all.with(&format!("{number}"), "x"));
        let many = many.unwrap();
        assert!(many.clone().with("0", "y").is_ok());
        assert_eq!(many.with("another", "").unwrap_err(), PropertyError::TooMany);
    }
}
