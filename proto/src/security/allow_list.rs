//! [`AllowList`]: the usual rules of who may come in, ready made.

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

/// The usual rules of who may come in, by address, user or key, as pyzmq's `zmq.auth` and czmq's `zauth` have them. They
/// become an [`Authenticator`].
///
/// A peer has to come from the right address first, whatever the mechanism; that is all that NULL has. By PLAIN and CURVE
/// nobody comes in whose user or key was not named. A user becomes the [user id](crate::connection::Peer::user_id) of the peer; so does a
/// key, as Z85.
///
/// ```
/// # #[cfg(feature = "plain")] {
/// use sansmq_proto::Options;
/// use sansmq_proto::security::{AllowList, Security};
/// use sansmq_proto::kind::Rep;
///
/// let rules = AllowList::new().allow("127.0.0.1".parse()?).plain_user("ann", "secret");
/// let options = Options::<Rep>::new().security(Security::PlainServer).authenticator(rules);
/// # let _ = options;
/// # }
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[derive(Clone, Default)]
pub struct AllowList {
    /// Nobody else, unless it is empty.
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
    These(BTreeSet<PublicKey>),
    Any,
    KnownBy(Arc<dyn Fn(&PublicKey) -> bool + Send + Sync>),
}

#[cfg(feature = "curve")]
impl Default for Keys {
    fn default() -> Self {
        Self::These(BTreeSet::new())
    }
}

impl AllowList {
    /// Every address, no user and no key.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets peers of this address come in, and of others that are allowed, and of no other; nobody either whose address is
    /// not known, as over ipc. An address of IPv4 is the same when it is written as one of IPv6.
    #[must_use]
    pub fn allow(mut self, address: IpAddr) -> Self {
        self.allowed.insert(address.to_canonical());
        self
    }

    /// Keeps peers of this address out, be they allowed too.
    #[must_use]
    pub fn deny(mut self, address: IpAddr) -> Self {
        self.denied.insert(address.to_canonical());
        self
    }

    /// Lets this user come in by PLAIN. One that was named before has the new password. Neither has more than 255 octets
    /// where it is shown, so a longer one lets nobody in.
    #[cfg(feature = "plain")]
    #[must_use]
    pub fn plain_user(mut self, name: impl Into<Bytes>, password: impl Into<Bytes>) -> Self {
        self.users.insert(name.into(), password.into());
        self
    }

    /// Lets the owners of these keys come in by CURVE, and no others.
    #[cfg(feature = "curve")]
    #[must_use]
    pub fn curve_keys(mut self, keys: impl IntoIterator<Item = PublicKey>) -> Self {
        self.keys = Keys::These(keys.into_iter().collect());
        self
    }

    /// Lets the owners of keys come in by CURVE that this function knows when they come. It must not block. For a folder of
    /// certificates, with changes to it, see `KeyFolder` of sansmq-os.
    #[cfg(feature = "curve")]
    #[must_use]
    pub fn curve_keys_known_by(mut self, known: impl Fn(&PublicKey) -> bool + Send + Sync + 'static) -> Self {
        self.keys = Keys::KnownBy(Arc::new(known));
        self
    }

    /// Lets the owner of any key come in by CURVE: `CURVE_ALLOW_ANY`. So it only tells who is the same as before.
    #[cfg(feature = "curve")]
    #[must_use]
    pub fn any_curve_key(mut self) -> Self {
        self.keys = Keys::Any;
        self
    }

    /// Whether this peer may come in, and as whom.
    #[must_use]
    pub fn decide(&self, request: &AuthRequest) -> AuthReply {
        if !self.admits_address(&request.address) {
            return AuthReply::refuse();
        }
        match &request.credentials {
            AuthCredentials::Null => AuthReply::accept(),
            #[cfg(feature = "plain")]
            AuthCredentials::Plain { username, password } => admit(self.knows(username, password), username.clone()),
            #[cfg(feature = "curve")]
            AuthCredentials::Curve(key) => admit(self.keys.admit(key), key.to_string()),
        }
    }

    fn admits_address(&self, address: &str) -> bool {
        match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
            Ok(address) => {
                !self.denied.contains(&address) && (self.allowed.is_empty() || self.allowed.contains(&address))
            }
            Err(_) => self.allowed.is_empty(),
        }
    }

    /// How long it takes says nothing of a password but its length.
    #[cfg(feature = "plain")]
    fn knows(&self, username: &Bytes, password: &Bytes) -> bool {
        self.users.get(username).is_some_and(|known| known.ct_eq(password).into())
    }
}

#[cfg(feature = "curve")]
impl Keys {
    fn admit(&self, key: &PublicKey) -> bool {
        match self {
            Self::These(keys) => keys.contains(key),
            Self::Any => true,
            Self::KnownBy(known) => known(key),
        }
    }
}

#[cfg(any(feature = "plain", feature = "curve"))]
fn admit(known: bool, user_id: impl Into<Bytes>) -> AuthReply {
    if known { AuthReply::accept_as(user_id) } else { AuthReply::refuse() }
}

impl From<AllowList> for Authenticator {
    fn from(rules: AllowList) -> Self {
        Self::new(move |request| rules.decide(request))
    }
}

/// Shows no password.
impl fmt::Debug for AllowList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules").field("allowed", &self.allowed).field("denied", &self.denied).finish_non_exhaustive()
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
    fn addresses_are_allowed_and_denied_whatever_the_mechanism() {
        let (home, guest) = ("10.0.0.1", "10.0.0.2");
        let [home_ip, guest_ip] = [home, guest].map(|address| address.parse::<IpAddr>().unwrap());
        let table = [
            (AllowList::new(), [true, true, true]),
            (AllowList::new().allow(home_ip), [true, false, false]),
            (AllowList::new().deny(home_ip), [false, true, true]),
            (AllowList::new().allow(home_ip).allow(guest_ip).deny(guest_ip), [true, false, false]),
        ];
        for (rules, expected) in table {
            let rules = rules.plain_user("ann", "secret");
            for (address, comes_in) in [home, guest, ":1000:1000:42"].into_iter().zip(expected) {
                let reply = if comes_in { AuthReply::accept() } else { AuthReply::refuse() };
                assert_eq!(rules.decide(&from(address, AuthCredentials::Null)), reply, "{address}");
                let reply = if comes_in { AuthReply::accept_as("ann") } else { AuthReply::refuse() };
                assert_eq!(rules.decide(&from(address, plain("ann", "secret"))), reply, "{address}");
            }
        }
        let rules = AllowList::new().deny("::ffff:10.0.0.1".parse().unwrap());
        assert_eq!(rules.decide(&from(home, AuthCredentials::Null)), AuthReply::refuse());
    }

    #[test]
    fn users_come_in_by_their_password_and_nobody_else() {
        let rules = AllowList::new().plain_user("ann", "old").plain_user("ann", "secret").plain_user("bob", "");
        for (name, password, comes_in) in [
            ("ann", "secret", true),
            ("bob", "", true),
            ("ann", "old", false),
            ("ann", "", false),
            ("ann", "secret!", false),
            ("bob", "secret", false),
            ("carl", "", false),
            ("", "", false),
        ] {
            let reply = if comes_in { AuthReply::accept_as(name) } else { AuthReply::refuse() };
            assert_eq!(rules.decide(&AuthRequest::new(plain(name, password))), reply, "{name}:{password}");
        }
        assert_eq!(AllowList::new().decide(&AuthRequest::new(plain("ann", "secret"))), AuthReply::refuse());
        assert!(!format!("{rules:?}").contains("secret"));
    }

    #[test]
    fn keys_come_in_that_are_named_or_known_or_all() {
        let mut entropy = SeededEntropy::new(1);
        let [ann, bob] = [(); 2].map(|()| *KeyPair::generate(&mut entropy).public());
        let decide = |rules: &AllowList, key| rules.decide(&AuthRequest::new(AuthCredentials::Curve(key)));
        for (rules, expected) in [
            (AllowList::new(), [false, false]),
            (AllowList::new().curve_keys([ann]), [true, false]),
            (AllowList::new().curve_keys_known_by(move |key| *key == bob), [false, true]),
            (AllowList::new().any_curve_key(), [true, true]),
        ] {
            for (key, comes_in) in [ann, bob].into_iter().zip(expected) {
                let reply = if comes_in { AuthReply::accept_as(key.to_string()) } else { AuthReply::refuse() };
                assert_eq!(decide(&rules, key), reply);
            }
        }
        let rules = AllowList::new().any_curve_key().deny("10.0.0.1".parse().unwrap());
        assert_eq!(rules.decide(&from("10.0.0.1", AuthCredentials::Curve(ann))), AuthReply::refuse());
    }
}
