//! The traffic after a CURVE handshake: every frame is the body of a MESSAGE command (RFC 26, "The MESSAGE Command").
//!
//! ```text
//!   07 "MESSAGE"   nonce, big-endian   tag   flags   body
//!        8                 8            16     1            octets; the last two are encrypted
//! ```
//!
//! One [`Sealer`] and one [`Opener`] for each connection, both of the key that the transient keys agree on:
//!
//! ```text
//!   let key = BoxKey::agreed(&theirs, &ours)?;
//!   let mut sealer = Sealer::new(&key, Role::Client, 3);            // 3: HELLO was 1 and INITIATE 2
//!   let mut opener = Opener::new(&key, Role::Client, 1);           // 1: the nonce of the READY that came
//!   sealer.seal(&mut out, flags, body)?;
//!   let (flags, body) = opener.open_in_place(&mut received)?;      // the body begins at `OVERHEAD`
//! ```

use super::boxes::{BoxKey, TAG};
use super::message_key::MessageKey;
use super::nonce::{NonceCheck, NonceCounter, NoncesSpent};
use alloc::vec::Vec;
use thiserror::Error;

const NAME: &[u8; 8] = b"\x07MESSAGE";

/// Where the tag begins, and where it ends.
const HEAD: usize = NAME.len() + size_of::<u64>();
const ENCRYPTED: usize = HEAD + TAG;

/// So many octets longer than its body is a MESSAGE, all of them before it.
pub(crate) const OVERHEAD: usize = ENCRYPTED + 1;

/// Which side of a connection this is; each has its own nonces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

impl Role {
    /// What the nonces of this side's messages begin with.
    const fn purpose(self) -> [u8; 16] {
        match self {
            Self::Client => *b"CurveZMQMESSAGEC",
            Self::Server => *b"CurveZMQMESSAGES",
        }
    }

    pub(super) const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// Why a MESSAGE was not opened. None of them is an accident of the network: the connection must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum OpenError {
    #[error("a frame is shorter than the {OVERHEAD} octets of an empty MESSAGE")]
    Short,
    #[error("a frame is not a MESSAGE, as all are after a CURVE handshake")]
    Name,
    #[error("a MESSAGE came again, or after a later one: its nonce does not rise")]
    Sequence,
    #[error("a MESSAGE was changed on its way, or encrypted with another key")]
    Tag,
}

/// Encrypts what this side says. Its nonces rise by one.
#[derive(Debug)]
pub(crate) struct Sealer {
    key: MessageKey,
    nonces: NonceCounter,
}

impl Sealer {
    /// `first` is the nonce of the first message: 3 for a client, 2 for a server.
    pub(crate) fn new(key: &BoxKey, role: Role, first: u64) -> Self {
        Self { key: MessageKey::new(key, role.purpose()), nonces: NonceCounter::starting_at(first) }
    }

    /// Whether every nonce was used.
    pub(crate) const fn is_spent(&self) -> bool {
        self.nonces.is_spent()
    }

    /// Appends `body`, encrypted, to `out`; nothing if the nonces are spent.
    ///
    /// `flags` is encrypted too: bit 0 says that more frames follow, bit 1 that it is a command.
    pub(crate) fn seal(&mut self, out: &mut Vec<u8>, flags: u8, body: &[u8]) -> Result<(), NoncesSpent> {
        let count = self.nonces.take()?;
        let mut head = [0; OVERHEAD];
        head[..NAME.len()].copy_from_slice(NAME);
        head[NAME.len()..HEAD].copy_from_slice(&count.to_be_bytes());
        head[ENCRYPTED] = flags;
        let start = out.len();
        out.reserve(OVERHEAD + body.len());
        out.extend_from_slice(&head);
        out.extend_from_slice(body);
        let (head, plain) = out[start..].split_at_mut(ENCRYPTED);
        let tag = self.key.encrypt(count, plain);
        head[HEAD..].copy_from_slice(&tag);
        Ok(())
    }

    /// Opens what this side has sealed: its flags and its body. For messages that were never sent and are taken back.
    ///
    /// `None` if it was not this `Sealer` that sealed it.
    pub(crate) fn reopen(&self, message: &[u8]) -> Option<(u8, Vec<u8>)> {
        let mut message = message.to_vec();
        let (count, tag, encrypted) = parts(&mut message).ok()?;
        let opened = self.key.decrypt(count, encrypted, tag);
        let flags = encrypted[0];
        opened.then(|| (flags, message.split_off(OVERHEAD)))
    }
}

/// Decrypts what the peer says.
#[derive(Debug)]
pub(crate) struct Opener {
    key: MessageKey,
    nonces: NonceCheck,
}

impl Opener {
    /// `role` is this side's; `last` the nonce of the last command of the peer's handshake: of a server's READY, or of a
    /// client's INITIATE.
    pub(crate) fn new(key: &BoxKey, role: Role, last: u64) -> Self {
        Self { key: MessageKey::new(key, role.other().purpose()), nonces: NonceCheck::after(last) }
    }

    /// Opens a MESSAGE where it stands: its flags and its body, which are the octets from [`OVERHEAD`] on.
    ///
    /// Its nonce must be higher than any before; that some were left out is allowed, since libzmq allows it. After an
    /// error `message` is as it was, and so is the `Opener`.
    pub(crate) fn open_in_place<'a>(&mut self, message: &'a mut [u8]) -> Result<(u8, &'a mut [u8]), OpenError> {
        let (count, tag, encrypted) = parts(message)?;
        if !self.nonces.is_new(count) {
            return Err(OpenError::Sequence);
        }
        if !self.key.decrypt(count, encrypted, tag) {
            return Err(OpenError::Tag);
        }
        self.nonces.accept(count);
        let (flags, body) = encrypted.split_first_mut().expect("`parts` refuses what has no flags");
        Ok((*flags, body))
    }
}

/// The nonce's count, the tag, and what is encrypted, which is at least one octet.
fn parts(message: &mut [u8]) -> Result<(u64, &[u8; TAG], &mut [u8]), OpenError> {
    if message.len() < OVERHEAD {
        return Err(OpenError::Short);
    }
    let (name, rest) = message.split_first_chunk_mut::<8>().ok_or(OpenError::Short)?;
    let (count, rest) = rest.split_first_chunk_mut().ok_or(OpenError::Short)?;
    let (tag, encrypted) = rest.split_first_chunk_mut().ok_or(OpenError::Short)?;
    if name != NAME {
        return Err(OpenError::Name);
    }
    Ok((u64::from_be_bytes(*count), tag, encrypted))
}
