//! [`AllowList`]: an authenticator with lists of addresses, users and keys.

#[cfg(feature = "curve")]
use super::curve::PublicKey;
use super::{AuthCredentials, AuthReply, AuthRequest, Authenticator};
use alloc::collections::BTreeSet;
#[cfg(any(feature = "plain", feature = "curve"))]
use bytes::Bytes;
use core::fmt;
use core::net::IpAddr;
#[cfg(feature = "plain")]
use {alloc::collections::BTreeMap, subtle::ConstantTimeEq};
#[cfg(feature = "curve")]
use {alloc::string::ToString, alloc::sync::Arc};

/// Lists of addresses, PLAIN users and CURVE keys that are accepted, as in `zmq.auth` of pyzmq and `zauth` of czmq.
/// Converts into an [`Authenticator`].
///
/// The address of the peer is checked first, for every mechanism, and for NULL nothing else is checked. PLAIN users and
/// CURVE keys that are not in the lists are rejected. The [user id](crate::connection::Peer::user_id) of an accepted
/// peer is the PLAIN user name, or the CURVE key as Z85.
///
/// ```
/// # #[cfg(feature = "plain")] {
/// use sansmq::{AllowList, Options, Security, kind::Rep};
///
/// let rules = AllowList::new().allow("127.0.0.1".parse()?).plain_user("ann", "secret");
/// let options = Options::<Rep>::new().security(Security::PlainServer).authenticator(rules);
/// # let _ = options;
/// # }
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[doc(alias("ThreadAuthenticator", "AsyncioAuthenticator", "zauth"))]
#[derive(Clone, Default)]
pub struct AllowList {
    /// Accepted IP addresses. If the set is empty, all addresses are accepted except those in `denied`.
    allowed: BTreeSet<IpAddr>,
    denied: BTreeSet<IpAddr>,
    #[cfg(feature = "plain")]
    users: BTreeMap<Bytes, Bytes>,
    #[cfg(feature = "curve")]
    keys: Keys,
}

#[cfg(feature = "curve")]
#[derive(Clone)]
enum Keys {
    Set(BTreeSet<PublicKey>),
    Any,
    Function(Arc<dyn Fn(&PublicKey) -> bool + Send + Sync>),
}

#[cfg(feature = "curve")]
impl Default for Keys {
    fn default() -> Self {
        Self::Set(BTreeSet::new())
    }
}

impl AllowList {
    /// Creates a list that accepts every address, but no PLAIN user and no CURVE key.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an accepted address. If at least one address was added, peers of all other addresses are rejected, and so are
    /// peers without an IP address, such as those of ipc.
    ///
    /// An IPv4 address equals its IPv4-mapped IPv6 address.
    #[doc(alias("ZMQ_TCP_ACCEPT_FILTER", "TCP_ACCEPT_FILTER"))]
    #[must_use]
    pub fn allow(mut self, address: IpAddr) -> Self {
        self.allowed.insert(address.to_canonical());
        self
    }

    /// Adds a rejected address. Peers of this address are rejected even if [`allow`](Self::allow) has added the address
    /// too.
    #[must_use]
    pub fn deny(mut self, address: IpAddr) -> Self {
        self.denied.insert(address.to_canonical());
        self
    }

    /// Adds a PLAIN user, or replaces the password of an existing user.
    ///
    /// PLAIN limits the user name and the password to 255 bytes each, so no peer can match longer values.
    #[doc(alias = "configure_plain")]
    #[cfg(feature = "plain")]
    #[must_use]
    pub fn plain_user(mut self, name: impl Into<Bytes>, password: impl Into<Bytes>) -> Self {
        self.users.insert(name.into(), password.into());
        self
    }

    /// Accepts the CURVE keys in `keys` and no others. Replaces earlier settings for CURVE keys.
    #[doc(alias = "configure_curve")]
    #[cfg(feature = "curve")]
    #[must_use]
    pub fn curve_keys(mut self, keys: impl IntoIterator<Item = PublicKey>) -> Self {
        self.keys = Keys::Set(keys.into_iter().collect());
        self
    }

    /// Accepts the CURVE keys for which `known` returns true. `known` is called for each connecting peer and must not
    /// block.
    ///
    /// For a folder of certificates, including later changes to it, see `sansmq::keys::KeyFolder`.
    #[cfg(feature = "curve")]
    #[must_use]
    pub fn curve_keys_known_by(mut self, known: impl Fn(&PublicKey) -> bool + Send + Sync + 'static) -> Self {
        self.keys = Keys::Function(Arc::new(known));
        self
    }

    /// Accepts every CURVE key (`CURVE_ALLOW_ANY` of pyzmq and czmq). The user id then only shows which connections use
    /// the same key.
    #[cfg(feature = "curve")]
    #[must_use]
    pub fn any_curve_key(mut self) -> Self {
        self.keys = Keys::Any;
        self
    }

    /// Returns the decision about the peer of `request`. A reply that accepts a PLAIN or CURVE peer contains its user
    /// id.
    #[must_use]
    pub fn decide(&self, request: &AuthRequest) -> AuthReply {
        if !self.accepts_address(&request.address) {
            return AuthReply::reject();
        }
        match &request.credentials {
            AuthCredentials::Null => AuthReply::accept(),
            #[cfg(feature = "plain")]
            AuthCredentials::Plain { username, password } => {
                reply(self.accepts_login(username, password), username.clone())
            }
            #[cfg(feature = "curve")]
            AuthCredentials::Curve(key) => reply(self.keys.accept(key), key.to_string()),
        }
    }

    fn accepts_address(&self, address: &str) -> bool {
        match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
            Ok(address) => {
                !self.denied.contains(&address) && (self.allowed.is_empty() || self.allowed.contains(&address))
            }
            Err(_) => self.allowed.is_empty(),
        }
    }

    // Compares in constant time, so that the duration depends only on the length of the password.
    #[cfg(feature = "plain")]
    fn accepts_login(&self, username: &Bytes, password: &Bytes) -> bool {
        self.users.get(username).is_some_and(|known| known.ct_eq(password).into())
    }
}

#[cfg(feature = "curve")]
impl Keys {
    fn accept(&self, key: &PublicKey) -> bool {
        match self {
            Self::Set(keys) => keys.contains(key),
            Self::Any => true,
            Self::Function(accepts) => accepts(key),
        }
    }
}

#[cfg(any(feature = "plain", feature = "curve"))]
fn reply(accepted: bool, user_id: impl Into<Bytes>) -> AuthReply {
    if accepted { AuthReply::accept_as(user_id) } else { AuthReply::reject() }
}

impl From<AllowList> for Authenticator {
    fn from(rules: AllowList) -> Self {
        Self::new(move |request| rules.decide(request))
    }
}

/// Shows the addresses, but omits users, passwords and keys.
impl fmt::Debug for AllowList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AllowList")
            .field("allowed", &self.allowed)
            .field("denied", &self.denied)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;
    use crate::security::curve::KeyPair;
    use alloc::borrow::ToOwned;
    use alloc::format;

    fn from(address: &str, credentials: AuthCredentials) -> AuthRequest {
        AuthRequest { address: address.to_owned(), ..AuthRequest::new(credentials) }
    }

    fn plain(username: &'static str, password: &'static str) -> AuthCredentials {
        AuthCredentials::Plain { username: username.into(), password: password.into() }
    }

    #[test]
    fn addresses_are_checked_for_every_mechanism() {
        let (first, second) = ("10.0.0.1", "10.0.0.2");
        let [first_ip, second_ip] = [first, second].map(|address| address.parse::<IpAddr>().unwrap());
        let table = [
            (AllowList::new(), [true, true, true]),
            (AllowList::new().allow(first_ip), [true, false, false]),
            (AllowList::new().deny(first_ip), [false, true, true]),
            (AllowList::new().allow(first_ip).allow(second_ip).deny(second_ip), [true, false, false]),
        ];
        for (rules, expected) in table {
            let rules = rules.plain_user("ann", "secret");
            for (address, accepted) in [first, second, ":1000:1000:42"].into_iter().zip(expected) {
                let reply = if accepted { AuthReply::accept() } else { AuthReply::reject() };
                assert_eq!(rules.decide(&from(address, AuthCredentials::Null)), reply, "{address}");
                let reply = if accepted { AuthReply::accept_as("ann") } else { AuthReply::reject() };
                assert_eq!(rules.decide(&from(address, plain("ann", "secret"))), reply, "{address}");
            }
        }
        let rules = AllowList::new().deny("::ffff:10.0.0.1".parse().unwrap());
        assert_eq!(rules.decide(&from(first, AuthCredentials::Null)), AuthReply::reject());
    }

    #[test]
    fn users_are_accepted_only_with_their_password() {
        let rules = AllowList::new().plain_user("ann", "old").plain_user("ann", "secret").plain_user("bob", "");
        for (name, password, accepted) in [
            ("ann", "secret", true),
            ("bob", "", true),
            ("ann", "old", false),
            ("ann", "", false),
            ("ann", "secret!", false),
            ("bob", "secret", false),
            ("carl", "", false),
            ("", "", false),
        ] {
            let reply = if accepted { AuthReply::accept_as(name) } else { AuthReply::reject() };
            assert_eq!(rules.decide(&AuthRequest::new(plain(name, password))), reply, "{name}:{password}");
        }
        assert_eq!(AllowList::new().decide(&AuthRequest::new(plain("ann", "secret"))), AuthReply::reject());
        assert_eq!(format!("{rules:?}"), "AllowList { allowed: {}, denied: {}, .. }");
    }

    #[test]
    fn keys_are_accepted_by_set_function_or_any() {
        let mut entropy = SeededEntropy::new(1);
        let [ann, bob] = [(); 2].map(|()| *KeyPair::generate(&mut entropy).public());
        let decide = |rules: &AllowList, key| rules.decide(&AuthRequest::new(AuthCredentials::Curve(key)));
        for (rules, expected) in [
            (AllowList::new(), [false, false]),
            (AllowList::new().curve_keys([ann]), [true, false]),
            (AllowList::new().curve_keys_known_by(move |key| *key == bob), [false, true]),
            (AllowList::new().any_curve_key(), [true, true]),
        ] {
            for (key, accepted) in [ann, bob].into_iter().zip(expected) {
                let reply = if accepted { AuthReply::accept_as(key.to_string()) } else { AuthReply::reject() };
                assert_eq!(decide(&rules, key), reply);
            }
        }
        let rules = AllowList::new().any_curve_key().deny("10.0.0.1".parse().unwrap());
        assert_eq!(rules.decide(&from("10.0.0.1", AuthCredentials::Curve(ann))), AuthReply::reject());
    }
}
