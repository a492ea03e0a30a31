//! The CURVE handshake as state machines of client and server; each step consumes the state (RFC 26; RFC 25 for ZMTP).
//!
//! ```text
//!   client                                            server
//!     HELLO     C', Box[zeros](C'->S)          ──────►
//!               ◄──────  WELCOME    Box[S', cookie](S->C')      cookie = Secretbox[C', s'](K)
//!     INITIATE  cookie, Box[C, vouch, metadata](C'->S')  ─►      vouch = Box[C', S](C->S')
//!               ◄──────  READY      Box[metadata](S'->C')
//! ```
//!
//! `C` and `S` are long-term keys, `C'` and `S'` are the transient keys of one connection. `s'` is the secret key of
//! `S'`, and `K` is the cookie key, which only the server has. Each length is checked before any computation.

use super::boxes::{BoxKey, TAG};
use super::message::{Opener, Role, Sealer};
use super::nonce::{long_nonce, short_nonce};
use super::{ClientKeys, CurveError, KeyPair, PublicKey, SecretKey};
use crate::entropy::Entropy;
use crate::security::auth::{AuthCredentials, AuthReply};
use crate::security::error::MechanismError;
use crate::security::{AuthIdentity, HandshakeOutcome, Mechanism, Progress, ReadyPending, refuse};
use crate::time::Instant;
use crate::wire::{Metadata, handshake};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use zeroize::Zeroizing;

/// Version of `CurveZMQ` in HELLO: 1.0.
const VERSION: [u8; 2] = [1, 0];
/// Number of bytes of padding in HELLO. The padding makes HELLO longer than WELCOME, so that a server does not send
/// more bytes than it has received.
const PADDING: usize = 72;
const ZEROS: [u8; 64] = [0; 64];
// Cookie and vouch each consist of a nonce and a box of two keys.
const COOKIE: usize = 16 + 64 + TAG;
const VOUCH: usize = 16 + 64 + TAG;

const HELLO: [u8; 16] = *b"CurveZMQHELLO---";
const WELCOME: [u8; 8] = *b"WELCOME-";
const INITIATE: [u8; 16] = *b"CurveZMQINITIATE";
const READY: [u8; 16] = *b"CurveZMQREADY---";
const COOKIE_BOX: [u8; 8] = *b"COOKIE--";
const VOUCH_BOX: [u8; 8] = *b"VOUCH---";

/// Time after WELCOME during which the server accepts its cookie (RFC 26).
const COOKIE_LIFE: Duration = Duration::from_secs(60);

/// Random values of one handshake: the transient secret key of this side, the key that encrypts the cookie, and nonces.
pub(in crate::security) struct EphemeralKeys {
    secret: SecretKey,
    cookie_key: BoxKey,
    nonces: [[u8; 16]; 2],
}

impl EphemeralKeys {
    pub(in crate::security) fn draw(entropy: &mut dyn Entropy) -> Self {
        let mut secret = Zeroizing::new([0; 32]);
        entropy.fill(&mut *secret);
        let mut nonces = [[0; 16]; 2];
        for nonce in &mut nonces {
            entropy.fill(nonce);
        }
        Self { secret: SecretKey::from_bytes(*secret), cookie_key: BoxKey::random(entropy), nonces }
    }
}

impl fmt::Debug for EphemeralKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EphemeralKeys { .. }")
    }
}

/// States of the client in the CURVE handshake.
///
/// ```text
/// start ── HELLO sent ──► Hello ── WELCOME received, INITIATE sent ──► Initiate ── READY received ──► done
/// ```
#[derive(Debug)]
pub(crate) enum CurveClient {
    /// HELLO with our transient key is sent; waits for WELCOME.
    Hello(Box<Hello>),
    /// INITIATE with our long-term key and metadata is sent; waits for READY. Carries the key of the connection, agreed
    /// from the two transient keys.
    Initiate(BoxKey),
}

#[derive(Debug)]
pub(crate) struct Hello {
    keys: Arc<ClientKeys>,
    transient: KeyPair,
    vouch_nonce: [u8; 16],
    /// Key agreed from our transient key and the long-term key of the server. Used for the boxes in HELLO and WELCOME.
    key: BoxKey,
    ours: Metadata,
}

/// States of the server in the CURVE handshake. `MetadataReceived` is a variant of [`Progress`].
///
/// ```text
/// start ──► Waiting ── HELLO received, WELCOME sent ──► Welcome ── INITIATE received ──►
///           Authenticating ── AuthReply accepts the client ──► MetadataReceived
/// ```
///
/// In `Welcome` the server does not store the transient key of the client or its own transient secret key: both keys
/// are in the cookie, encrypted with a random cookie key. Each connection has its own cookie key, so a cookie is valid
/// only once and only for this connection. The server drops the cookie key when the cookie was used or the connection
/// has ended. Then the cookie cannot be decrypted any more, which preserves forward secrecy.
#[derive(Debug)]
pub(crate) enum CurveServer {
    /// Waits for HELLO with the transient key of the client.
    Waiting(Box<Waiting>),
    /// WELCOME with our transient key and the cookie is sent; waits for INITIATE. The cookie expires at `until`.
    Welcome { keys: Arc<KeyPair>, cookie_key: BoxKey, until: Instant },
    /// Waits for the reply of the authenticator. A command of the client in this state is an error.
    Authenticating(Box<Authenticating>),
}

#[derive(Debug)]
pub(crate) struct Waiting {
    keys: Arc<KeyPair>,
    ephemeral_keys: EphemeralKeys,
}

#[derive(Debug)]
pub(crate) struct Authenticating {
    traffic: Traffic,
    theirs: Metadata,
}

/// Key of the connection and last nonce of the client, which a CURVE server stores after INITIATE. With these values it
/// encrypts and decrypts all later frames, beginning with READY.
#[derive(Debug)]
pub(crate) struct Traffic {
    key: BoxKey,
    /// Nonce of the INITIATE that the client sent. All later nonces of the client must be higher.
    last: u64,
}

impl CurveClient {
    pub(in crate::security) fn start(
        keys: &Arc<ClientKeys>,
        ephemeral_keys: EphemeralKeys,
        ours: Metadata,
        out: &mut Vec<u8>,
    ) -> Result<Progress, MechanismError> {
        let transient = KeyPair::from(ephemeral_keys.secret);
        let key = BoxKey::agreed(&keys.server, transient.secret()).ok_or(CurveError::WeakKey)?;
        let signature = key.seal(&short_nonce(HELLO, 1), &ZEROS);
        let public = transient.public().as_bytes();
        handshake::encode(b"HELLO", &[&VERSION, &[0; PADDING], public, &1_u64.to_be_bytes(), &signature], out);
        let hello = Hello { keys: Arc::clone(keys), transient, vouch_nonce: ephemeral_keys.nonces[0], key, ours };
        Ok(Progress::Continue(Self::Hello(Box::new(hello)).into()))
    }

    pub(in crate::security) fn step(self, body: &[u8], out: &mut Vec<u8>) -> Result<Progress, MechanismError> {
        match (self, handshake::split(body)?) {
            (_, (b"ERROR", rest)) => Err(MechanismError::Refused(handshake::reason(rest, "ERROR")?)),
            (_, (b"CLOSE", rest)) => Err(MechanismError::Closed(handshake::reason(rest, "CLOSE")?)),
            (_, (b"HELLO", _)) => Err(MechanismError::SameRole { server: false }),
            (Self::Hello(hello), (b"WELCOME", rest)) => {
                let key = hello.initiate(rest, out)?;
                Ok(Progress::Continue(Self::Initiate(key).into()))
            }
            (Self::Hello(_), _) => Err(MechanismError::Unexpected("a command other than WELCOME answered HELLO")),
            (Self::Initiate(key), (b"READY", rest)) => {
                let (count, boxed) = rest.split_first_chunk().ok_or(CurveError::Length("READY"))?;
                let count = u64::from_be_bytes(*count);
                if boxed.len() < TAG {
                    return Err(CurveError::Length("READY").into());
                }
                let metadata = key.open(&short_nonce(READY, count), boxed).ok_or(CurveError::Box("READY"))?;
                let cipher = (Sealer::new(&key, Role::Client, 3), Opener::new(&key, Role::Client, count));
                Ok(Progress::Done(
                    Metadata::decode(&metadata)?,
                    HandshakeOutcome::sealed(AuthIdentity::default(), cipher),
                ))
            }
            (Self::Initiate(_), _) => Err(MechanismError::Unexpected("a command other than READY answered INITIATE")),
        }
    }
}

impl Hello {
    /// Decodes `welcome`, a WELCOME command without its name, and appends INITIATE to `out`. Returns the key of the
    /// connection.
    fn initiate(self, welcome: &[u8], out: &mut Vec<u8>) -> Result<BoxKey, MechanismError> {
        let (nonce, boxed) = welcome.split_first_chunk().ok_or(CurveError::Length("WELCOME"))?;
        if boxed.len() != 32 + COOKIE + TAG {
            return Err(CurveError::Length("WELCOME").into());
        }
        let plain = self.key.open(&long_nonce(WELCOME, *nonce), boxed).ok_or(CurveError::Box("WELCOME"))?;
        let (server, cookie) = plain.split_first_chunk().ok_or(CurveError::Length("WELCOME"))?;
        let server = PublicKey::from_bytes(*server);

        let vouched = [&self.transient.public().as_bytes()[..], self.keys.server.as_bytes()].concat();
        let vouch_key = BoxKey::agreed(&server, self.keys.own.secret()).ok_or(CurveError::WeakKey)?;
        let vouch = vouch_key.seal(&long_nonce(VOUCH_BOX, self.vouch_nonce), &vouched);
        let mut plain = Zeroizing::new(Vec::new());
        plain.extend_from_slice(self.keys.own.public().as_bytes());
        plain.extend_from_slice(&self.vouch_nonce);
        plain.extend_from_slice(&vouch);
        self.ours.encode(&mut plain);

        let key = BoxKey::agreed(&server, self.transient.secret()).ok_or(CurveError::WeakKey)?;
        let boxed = key.seal(&short_nonce(INITIATE, 2), &plain);
        handshake::encode(b"INITIATE", &[cookie, &2_u64.to_be_bytes(), &boxed], out);
        Ok(key)
    }
}

impl CurveServer {
    /// Returns the memory in bytes that the metadata of the peer holds, while the peer waits for authentication.
    pub(in crate::security) fn held_bytes(&self) -> usize {
        match self {
            Self::Waiting(_) | Self::Welcome { .. } => 0,
            Self::Authenticating(pending) => pending.theirs.held_bytes(),
        }
    }

    pub(in crate::security) fn start(keys: &Arc<KeyPair>, ephemeral_keys: EphemeralKeys) -> Progress {
        Progress::Continue(Self::Waiting(Box::new(Waiting { keys: Arc::clone(keys), ephemeral_keys })).into())
    }

    pub(in crate::security) fn step(
        self,
        body: &[u8],
        out: &mut Vec<u8>,
        now: Instant,
    ) -> Result<Progress, MechanismError> {
        match (self, handshake::split(body)?) {
            (_, (b"ERROR", rest)) => Err(MechanismError::Refused(handshake::reason(rest, "ERROR")?)),
            (Self::Waiting(waiting), (b"HELLO", rest)) => {
                Ok(Progress::Continue(waiting.welcome(rest, out, now)?.into()))
            }
            (Self::Waiting(_), _) => Err(MechanismError::Unexpected("a command other than HELLO came first")),
            (Self::Welcome { until, .. }, _) if until <= now => Err(CurveError::StaleCookie.into()),
            (Self::Welcome { keys, cookie_key, .. }, (b"INITIATE", rest)) => {
                let (client, pending) = read_initiate(&keys, &cookie_key, rest)?;
                Ok(Progress::Authenticate(
                    AuthCredentials::Curve(client),
                    Self::Authenticating(Box::new(pending)).into(),
                ))
            }
            (Self::Welcome { .. }, _) => {
                Err(MechanismError::Unexpected("a command other than INITIATE answered WELCOME"))
            }
            (Self::Authenticating(_), _) => Err(MechanismError::Unexpected("a command came before READY")),
        }
    }

    pub(in crate::security) fn answer(self, reply: AuthReply, out: &mut Vec<u8>) -> Result<Progress, MechanismError> {
        match (self, reply) {
            (Self::Authenticating(pending), AuthReply::Accept { user_id, properties }) => {
                let ready_pending = ReadyPending::Curve(pending.traffic, AuthIdentity { user_id, properties });
                Ok(Progress::MetadataReceived(pending.theirs, ready_pending))
            }
            (Self::Authenticating(pending), AuthReply::Reject(denial)) => {
                Err(refuse(denial, Some(&pending.theirs), out))
            }
            (other, _) => Ok(Progress::Continue(other.into())),
        }
    }
}

impl Waiting {
    /// Decodes `hello`, a HELLO command without its name, and appends WELCOME with the cookie to `out`. Returns the
    /// next state of the server, which waits for INITIATE.
    fn welcome(self, hello: &[u8], out: &mut Vec<u8>, now: Instant) -> Result<CurveServer, MechanismError> {
        const LEN: usize = VERSION.len() + PADDING + 32 + 8 + ZEROS.len() + TAG;
        let hello: &[u8; LEN] = hello.try_into().map_err(|_| CurveError::Length("HELLO"))?;
        if hello[..2] != VERSION {
            return Err(CurveError::Version { major: hello[0], minor: hello[1] }.into());
        }
        let rest = &hello[VERSION.len() + PADDING..];
        let (client, rest) = rest.split_first_chunk().ok_or(CurveError::Length("HELLO"))?;
        let (count, signature) = rest.split_first_chunk().ok_or(CurveError::Length("HELLO"))?;
        let key = BoxKey::agreed(&PublicKey::from_bytes(*client), self.keys.secret()).ok_or(CurveError::WeakKey)?;
        let zeros = key.open(&short_nonce(HELLO, u64::from_be_bytes(*count)), signature);
        if zeros.ok_or(CurveError::Box("HELLO"))?[..] != ZEROS {
            return Err(CurveError::Box("HELLO").into());
        }

        let Self { keys, ephemeral_keys: EphemeralKeys { secret, cookie_key, nonces: [cookie_nonce, welcome_nonce] } } =
            self;
        let secrets = Zeroizing::new([&client[..], secret.as_bytes()].concat());
        let cookie = cookie_key.seal(&long_nonce(COOKIE_BOX, cookie_nonce), &secrets);
        let plain = [&secret.public_key().as_bytes()[..], &cookie_nonce, &cookie].concat();
        let boxed = key.seal(&long_nonce(WELCOME, welcome_nonce), &plain);
        handshake::encode(b"WELCOME", &[&welcome_nonce, &boxed], out);
        Ok(CurveServer::Welcome { keys, cookie_key, until: now + COOKIE_LIFE })
    }
}

/// Decodes INITIATE with the keys of the server. Returns the long-term public key of the client, which the
/// authenticator must check next, and the state of the server during this check.
fn read_initiate(
    keys: &KeyPair,
    cookie_key: &BoxKey,
    body: &[u8],
) -> Result<(PublicKey, Authenticating), MechanismError> {
    const SHORT: MechanismError = MechanismError::Curve(CurveError::Length("INITIATE"));
    let (cookie, rest) = body.split_first_chunk::<COOKIE>().ok_or(SHORT)?;
    let (count, boxed) = rest.split_first_chunk().ok_or(SHORT)?;
    if boxed.len() < 32 + VOUCH + TAG {
        return Err(SHORT);
    }
    let (nonce, cookie) = cookie.split_first_chunk().ok_or(SHORT)?;
    let secrets = cookie_key.open(&long_nonce(COOKIE_BOX, *nonce), cookie).ok_or(CurveError::Cookie)?;
    let (transient, secret) = secrets.split_first_chunk::<32>().ok_or(SHORT)?;
    let secret = SecretKey::try_from(secret).map_err(|_| SHORT)?;

    let key = BoxKey::agreed(&PublicKey::from_bytes(*transient), &secret).ok_or(CurveError::WeakKey)?;
    let last = u64::from_be_bytes(*count);
    let plain = key.open(&short_nonce(INITIATE, last), boxed).ok_or(CurveError::Box("INITIATE"))?;
    let (client, rest) = plain.split_first_chunk().ok_or(SHORT)?;
    let (vouch, metadata) = rest.split_first_chunk::<VOUCH>().ok_or(SHORT)?;
    let client = PublicKey::from_bytes(*client);

    let (nonce, vouch) = vouch.split_first_chunk().ok_or(SHORT)?;
    let vouch_key = BoxKey::agreed(&client, &secret).ok_or(CurveError::WeakKey)?;
    let vouched = vouch_key.open(&long_nonce(VOUCH_BOX, *nonce), vouch).ok_or(CurveError::Vouch)?;
    // The vouch must name this connection and this server. Otherwise another server could forward a vouch that it has
    // received.
    if vouched[..] != [&transient[..], keys.public().as_bytes()].concat() {
        return Err(CurveError::Vouch.into());
    }
    let traffic = Traffic { key, last };
    Ok((client, Authenticating { traffic, theirs: Metadata::decode(metadata)? }))
}

impl Traffic {
    /// Appends READY with `ours`, the metadata of this side, to `out`, encrypted. The handshake is complete then.
    pub(in crate::security) fn ready(
        self,
        ours: &Metadata,
        identity: AuthIdentity,
        out: &mut Vec<u8>,
    ) -> HandshakeOutcome {
        let Self { key, last } = self;
        let mut plain = Vec::new();
        ours.encode(&mut plain);
        let boxed = key.seal(&short_nonce(READY, 1), &plain);
        handshake::encode(b"READY", &[&1_u64.to_be_bytes(), &boxed], out);
        HandshakeOutcome::sealed(identity, (Sealer::new(&key, Role::Server, 2), Opener::new(&key, Role::Server, last)))
    }
}

impl From<CurveClient> for Mechanism {
    fn from(state: CurveClient) -> Self {
        Self::CurveClient(state)
    }
}

impl From<CurveServer> for Mechanism {
    fn from(state: CurveServer) -> Self {
        Self::CurveServer(state)
    }
}
