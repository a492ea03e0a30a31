//! [`Metadata`]: the properties in READY and INITIATE (RFC 37, "Metadata").

use super::error::{DecodeError, PropertyError};
use super::take;
use crate::cost;
use crate::socket_type::SocketType;
use alloc::borrow::ToOwned;
use alloc::vec::Vec;
use bytes::Bytes;
use core::cmp::Ordering;

/// Name of the property with the socket type of the sender.
pub(crate) const SOCKET_TYPE: &str = "Socket-Type";
/// Name of the property with the routing id of the sender. Sent by a REQ, DEALER or ROUTER.
pub(crate) const IDENTITY: &str = "Identity";
/// Name of the property with the resource, which selects one of several sockets that share the port of the receiver.
pub(crate) const RESOURCE: &str = "Resource";
/// Name of the property by which a side announces that it accepts the command CLOSE, which carries the reason why the
/// other side closes the connection.
pub(crate) const CLOSE_REASON: &str = "Close-Reason";
/// Value of [`CLOSE_REASON`]: version of the command CLOSE.
pub(crate) const CLOSE_REASON_VERSION: &str = "1";

/// The properties that one side of a connection sends to the other, in the order in which they are sent. Names are
/// case-insensitive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata(Vec<(Bytes, Bytes)>);

impl Metadata {
    /// Creates metadata without properties.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Returns the value of the property `name`, or `None` if the peer sent no such property.
    pub fn get(&self, name: &str) -> Option<&Bytes> {
        cost::nodes(self.0.len());
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// Adds a property, or replaces the value of an existing one. Used to build the properties of an
    /// [`AuthReply`](crate::security::AuthReply).
    ///
    /// # Errors
    /// [`PropertyError`] if the name or the value is invalid, or 128 properties exist already.
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

    /// Returns an iterator over the properties in the order in which they are sent, as pairs of name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(name, value)| (&name[..], &value[..]))
    }

    /// Returns the memory that the properties hold, in bytes.
    pub(crate) fn held_bytes(&self) -> usize {
        let values = self.0.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        self.0.capacity() * size_of::<(Bytes, Bytes)>() + values
    }

    /// Returns true if the sender accepts the command CLOSE.
    pub(crate) fn accepts_close_reason(&self) -> bool {
        self.get(CLOSE_REASON).is_some_and(|version| version == CLOSE_REASON_VERSION)
    }

    /// Appends a property. The name must have 1 to 255 bytes, the value less than 2 GiB.
    pub(crate) fn push(&mut self, name: &'static str, value: Bytes) {
        self.0.push((Bytes::from_static(name.as_bytes()), value));
    }

    pub(crate) fn extend(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    /// Removes the property with this name.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(name.as_bytes()));
    }

    /// Adds a property, or replaces the value of an existing one. The name must have 1 to 255 bytes, the value less
    /// than 2 GiB.
    pub(crate) fn set(&mut self, name: &str, value: Bytes) {
        cost::nodes(self.0.len());
        self.remove(name);
        self.0.push((Bytes::copy_from_slice(name.as_bytes()), value));
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        for (name, value) in &self.0 {
            let name_len = u8::try_from(name.len()).expect("the options limit the name of a property to 255 bytes");
            let value_len =
                u32::try_from(value.len()).expect("the options limit the value of a property to less than 2 GiB");
            out.push(name_len);
            out.extend_from_slice(name);
            out.extend_from_slice(&value_len.to_be_bytes());
            out.extend_from_slice(value);
        }
    }

    /// Decodes the properties in `bytes`, which must end at the end of a property.
    ///
    /// # Errors
    /// [`DecodeError::Property`] and [`DecodeError::DuplicateProperty`].
    pub fn decode(mut bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut metadata = Self::new();
        // Indices of the properties, ordered by name.
        let mut order = Vec::<usize>::new();
        while let Some((&name_len, rest)) = bytes.split_first() {
            bytes = rest;
            let name = take(&mut bytes, usize::from(name_len)).ok_or(DecodeError::Property)?;
            let value_len = take(&mut bytes, 4).and_then(|len| len.first_chunk()).ok_or(DecodeError::Property)?;
            let value_len = usize::try_from(u32::from_be_bytes(*value_len)).map_err(|_| DecodeError::Property)?;
            let value = take(&mut bytes, value_len).ok_or(DecodeError::Property)?;
            if name.is_empty() || metadata.0.len() == MAX_PROPERTIES {
                return Err(DecodeError::Property);
            }
            // Each name is compared with the constants of `to_bytes`, and with some names of the set.
            cost::nodes(8);
            cost::bytes(2 * (name.len() + value.len()));
            // A peer may send 128 long names that differ only at the end. The order avoids comparing each pair of them.
            let place = order.binary_search_by(|&index| compare_names(&metadata.0[index].0, name));
            let Err(place) = place else { return Err(DecodeError::DuplicateProperty) };
            order.insert(place, metadata.0.len());
            metadata.0.push((to_bytes(name), to_bytes(value)));
        }
        // The metadata lives as long as the connection, and a vector allocates room for at least four properties.
        metadata.0.shrink_to_fit();
        Ok(metadata)
    }
}

/// Compares two names of properties, for which upper and lower case are equal.
fn compare_names(one: &[u8], other: &[u8]) -> Ordering {
    let lower = u8::to_ascii_lowercase;
    one.iter().map(lower).cmp(other.iter().map(lower))
}

/// Converts a received name or value into [`Bytes`]. For frequent names and values, returns a constant instead of a
/// copy, which saves an allocation.
fn to_bytes(bytes: &[u8]) -> Bytes {
    let known = [SOCKET_TYPE, IDENTITY, RESOURCE, CLOSE_REASON, CLOSE_REASON_VERSION]
        .into_iter()
        .find(|known| known.as_bytes() == bytes);
    let known = known.or_else(|| SocketType::from_name(bytes).map(SocketType::name));
    known.map_or_else(|| Bytes::copy_from_slice(bytes), |known| Bytes::from_static(known.as_bytes()))
}

/// Returns true for the bytes that a property name may contain (RFC 37, "name-char").
pub(crate) fn is_name_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte)
}

/// Maximum number of properties that a peer may send. In practice, peers send only a few.
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
        let mut bytes = Vec::new();
        metadata.encode(&mut bytes);
        bytes
    }

    #[test]
    fn metadata_round_trips_and_names_ignore_case() {
        let bytes = sample();
        assert_eq!(bytes, b"\x0bSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\0");
        let metadata = Metadata::decode(&bytes).unwrap();
        assert_eq!(metadata.get("sOCKET-tYPE").unwrap(), "DEALER");
        assert_eq!(metadata.get("Identity").unwrap(), "");
        assert_eq!(metadata.get("Resource"), None);
    }

    #[test]
    fn decode_rejects_truncated_properties() {
        let bytes = sample();
        for cut in 0..bytes.len() {
            let whole = cut == 0 || cut == 22;
            assert_eq!(Metadata::decode(&bytes[..cut]).is_ok(), whole, "cut at {cut}");
        }
    }

    #[test]
    fn decode_rejects_nameless_and_repeated_properties() {
        assert_eq!(Metadata::decode(b"\0\0\0\0\0"), Err(DecodeError::Property));
        assert_eq!(Metadata::decode(b"\x01a\0\0\0\0\x01A\0\0\0\0"), Err(DecodeError::DuplicateProperty));
        assert_eq!(Metadata::decode(b"\x01a\xff\xff\xff\xffx"), Err(DecodeError::Property));
        let many: Vec<u8> =
            (0..=MAX_PROPERTIES).flat_map(|n| [&b"\x03"[..], format!("{n:03}").as_bytes(), &[0; 4]].concat()).collect();
        assert_eq!(Metadata::decode(&many), Err(DecodeError::Property));
    }

    #[test]
    fn with_rejects_invalid_properties() {
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
