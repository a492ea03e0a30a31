//! Encryption of the traffic after a CURVE handshake: each frame is the body of a MESSAGE command (RFC 26, "The MESSAGE
//! Command").
//!
//! ```text
//!   07 "MESSAGE"   nonce, big-endian   tag   flags   body
//!        8                 8            16     1            bytes; flags and body are encrypted
//! ```
//!
//! Each connection has one [`Sealer`] and one [`Opener`]. Both use the key that the transient keys agree on:
//!
//! ```text
//!   let key = BoxKey::agreed(&theirs, &ours)?;
//!   let mut sealer = Sealer::new(&key, Role::Client, 3);            // 3, because HELLO used 1 and INITIATE 2
//!   let mut opener = Opener::new(&key, Role::Client, 1);           // 1, the nonce of the received READY
//!   sealer.seal(&mut out, flags, body)?;
//!   let (flags, body) = opener.open_in_place(&mut received)?;      // the body begins at offset `OVERHEAD`
//! ```

use super::boxes::{BoxKey, TAG};
use super::message_key::MessageKey;
use super::nonce::{NonceCheck, NonceCounter, NoncesSpent};
use alloc::vec::Vec;
use thiserror::Error;

const NAME: &[u8; 8] = b"\x07MESSAGE";

/// Offset of the tag in a MESSAGE, in bytes.
const HEAD: usize = NAME.len() + size_of::<u64>();
/// Offset at which the encrypted part of a MESSAGE begins, in bytes. The tag is directly before this offset.
const ENCRYPTED: usize = HEAD + TAG;

/// Number of bytes of a MESSAGE that precede the body.
pub(crate) const OVERHEAD: usize = ENCRYPTED + 1;

/// CURVE role of one side of a connection, client or server. A side sends its messages with the nonce prefix of its
/// role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

impl Role {
    /// Returns the nonce prefix of the messages that a side with this role sends.
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

/// Error of decrypting a MESSAGE. Only a faulty peer or an attack can cause it, because TCP delivers the bytes
/// unchanged and in order. So the connection must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum OpenError {
    #[error("a frame has less than the {OVERHEAD} bytes of an empty MESSAGE")]
    Short,
    #[error("a frame after the CURVE handshake is not a MESSAGE")]
    Name,
    #[error("a MESSAGE is repeated or out of order: its nonce is not higher than the nonce before")]
    Sequence,
    #[error("a MESSAGE was modified in transit, or encrypted with another key")]
    Tag,
}

/// Encryption state for the frames that this side sends. Each frame uses a nonce that is one higher than the nonce of
/// the frame before.
#[derive(Debug)]
pub(crate) struct Sealer {
    key: MessageKey,
    nonces: NonceCounter,
}

impl Sealer {
    /// Creates a `Sealer`. `role` is the role of this side. `first` is the nonce of the first message: 3 for a client,
    /// 2 for a server.
    pub(crate) fn new(key: &BoxKey, role: Role, first: u64) -> Self {
        Self { key: MessageKey::new(key, role.purpose()), nonces: NonceCounter::starting_at(first) }
    }

    /// Returns true if all nonces of the key were used. No further frame can then be encrypted.
    pub(crate) const fn is_spent(&self) -> bool {
        self.nonces.is_spent()
    }

    /// Appends a MESSAGE with the encrypted `flags` and `body` to `out`. Appends nothing and returns [`NoncesSpent`] if
    /// all nonces are used.
    ///
    /// Bit 0 of `flags` is MORE, bit 1 is COMMAND.
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

    /// Decrypts a MESSAGE that this `Sealer` has encrypted, and returns flags and body. Used after the end of a
    /// connection, to recover messages that were encrypted but not sent.
    ///
    /// Returns `None` if another `Sealer` has encrypted the message.
    pub(crate) fn reopen(&self, message: &[u8]) -> Option<(u8, Vec<u8>)> {
        let mut message = message.to_vec();
        let (count, tag, encrypted) = parts(&mut message).ok()?;
        let opened = self.key.decrypt(count, encrypted, tag);
        let flags = encrypted[0];
        opened.then(|| (flags, message.split_off(OVERHEAD)))
    }
}

/// Decryption state for the frames that the peer sends.
#[derive(Debug)]
pub(crate) struct Opener {
    key: MessageKey,
    nonces: NonceCheck,
}

impl Opener {
    /// Creates an `Opener`. `role` is the role of this side. `last` is the nonce of the last handshake command of the peer:
    /// READY of a server, INITIATE of a client.
    pub(crate) fn new(key: &BoxKey, role: Role, last: u64) -> Self {
        Self { key: MessageKey::new(key, role.other().purpose()), nonces: NonceCheck::after(last) }
    }

    /// Decrypts a MESSAGE in place. Returns the flags and the body, which begins at offset [`OVERHEAD`].
    ///
    /// The nonce must be higher than the nonces of all earlier messages. Gaps are allowed, because libzmq allows them.
    /// On an error, `message` and the `Opener` are unchanged.
    pub(crate) fn open_in_place<'a>(&mut self, message: &'a mut [u8]) -> Result<(u8, &'a mut [u8]), OpenError> {
        let (count, tag, encrypted) = parts(message)?;
        if !self.nonces.is_new(count) {
            return Err(OpenError::Sequence);
        }
        if !self.key.decrypt(count, encrypted, tag) {
            return Err(OpenError::Tag);
        }
        self.nonces.accept(count);
        let (flags, body) = encrypted.split_first_mut().expect("`parts` returns at least the flags");
        Ok((*flags, body))
    }
}

/// Splits a MESSAGE into three parts: the counter of its nonce, the tag, and the encrypted part, which has at least one
/// byte.
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
