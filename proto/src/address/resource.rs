//! [`Resource`]: selects one of several sockets that share a port (RFC 37, "The Resource Property").

use crate::address::error::ParseEndpointError;
use alloc::borrow::ToOwned;
use alloc::string::String;
use bytes::Bytes;
use core::fmt;
use core::str::FromStr;

/// The name of one of several sockets that share a port: the part after the port in `tcp://host:5555/system/names`.
///
/// A resource consists of non-empty names, separated by `/`, of letters, digits and `$-_@.&+`. Maximum 255 bytes in total.
///
/// ```
/// use sansmq::{Endpoint, Resource};
///
/// let endpoint: Endpoint = "tcp://*:5555/system/names".parse()?;
/// assert_eq!(endpoint.resource().map(Resource::as_str), Some("system/names"));
/// assert!("system//names".parse::<Resource>().is_err());
/// # Ok::<(), sansmq::ParseEndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource(String);

/// Maximum bytes of a resource. RFC 37 sets no limit; 255 is its limit for other names.
const MAX_LEN: usize = 255;

impl Resource {
    /// Returns the resource as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Parses a resource in an endpoint, or in the property `Resource` that was received from a peer. Returns `None` if
    /// the text is not a valid resource.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let text = core::str::from_utf8(bytes).ok()?;
        is_valid(text).then(|| Self(text.to_owned()))
    }

    /// Returns the resource as the value of the metadata property `Resource`.
    pub(crate) fn to_bytes(&self) -> Bytes {
        Bytes::copy_from_slice(self.0.as_bytes())
    }
}

fn is_valid(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"$-_@.&+".contains(&byte);
    text.len() <= MAX_LEN && text.split('/').all(|name| !name.is_empty() && name.bytes().all(allowed))
}

impl FromStr for Resource {
    type Err = ParseEndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::read(text.as_bytes()).ok_or_else(|| ParseEndpointError::Resource(text.to_owned()))
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_accepts_only_the_grammar() {
        for text in ["a", "system/name-service/test", "$-_@.&+", "..", &"x".repeat(255)] {
            assert_eq!(text.parse::<Resource>().unwrap().as_str(), text);
        }
        for text in ["", "/", "a/", "/a", "a//b", "a b", "a*", "a:1", "ä", "a\0", &"x".repeat(256)] {
            assert_eq!(text.parse::<Resource>(), Err(ParseEndpointError::Resource(text.to_owned())));
        }
        assert_eq!(Resource::read(b"a\xff"), None);
    }
}
