//! [`Resource`]: the name of one service among several that share a port (RFC 37, "The Resource Property").

use crate::address::error::ParseEndpointError;
use alloc::borrow::ToOwned;
use alloc::string::String;
use bytes::Bytes;
use core::fmt;
use core::str::FromStr;

/// The name of one service among several at one port: what stands behind the port in `tcp://host:5555/system/names`.
///
/// Names that are joined by `/`, none of them empty, of letters, digits and `$-_@.&+`; at most 255 octets together.
///
/// ```
/// use sansmq_proto::Endpoint;
/// use sansmq_proto::address::Resource;
///
/// let endpoint: Endpoint = "tcp://*:5555/system/names".parse()?;
/// assert_eq!(endpoint.resource().map(Resource::as_str), Some("system/names"));
/// assert!("system//names".parse::<Resource>().is_err());
/// # Ok::<(), sansmq_proto::address::ParseEndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource(String);

/// RFC 37 sets no limit; this is its limit of other names.
const LONGEST: usize = 255;

impl Resource {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a peer said, if it is one.
    pub(crate) fn read(octets: &[u8]) -> Option<Self> {
        let text = core::str::from_utf8(octets).ok()?;
        is_one(text).then(|| Self(text.to_owned()))
    }

    /// As a property's value.
    pub(crate) fn to_bytes(&self) -> Bytes {
        Bytes::copy_from_slice(self.0.as_bytes())
    }
}

fn is_one(text: &str) -> bool {
    let allowed = |octet: u8| octet.is_ascii_alphanumeric() || b"$-_@.&+".contains(&octet);
    text.len() <= LONGEST && text.split('/').all(|name| !name.is_empty() && name.bytes().all(allowed))
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
    fn only_what_the_grammar_allows_is_a_resource() {
        for text in ["a", "system/name-service/test", "$-_@.&+", "..", &"x".repeat(255)] {
            assert_eq!(text.parse::<Resource>().unwrap().as_str(), text);
        }
        for text in ["", "/", "a/", "/a", "a//b", "a b", "a*", "a:1", "ä", "a\0", &"x".repeat(256)] {
            assert_eq!(text.parse::<Resource>(), Err(ParseEndpointError::Resource(text.to_owned())));
        }
        assert_eq!(Resource::read(b"a\xff"), None);
    }
}
