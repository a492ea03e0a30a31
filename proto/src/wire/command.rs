//! [`Command`]: frames that the ZMTP implementations of two peers exchange. Applications do not receive these frames
//! (RFC 37, "Commands").

use super::error::DecodeError;
use super::{Metadata, handshake};
use crate::cost;
use crate::message::Frame;
use alloc::vec::Vec;
use bytes::Bytes;

/// A command of the NULL handshake, or of a connection after its handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// READY: ends the handshake; carries the metadata of the sender.
    Ready(Metadata),
    /// ERROR: ends the connection; carries the reason, which may be a status code of ZAP such as `400`.
    Error(Bytes),
    /// CLOSE: announces that the sender closes the connection; carries the reason. Not part of RFC 37, and sent only to a
    /// peer that has announced the property `Close-Reason`. Unlike ERROR, it allows the peer to connect again.
    Close(Bytes),
    /// SUBSCRIBE: adds a subscription to messages that begin with a prefix. Carries the prefix.
    Subscribe(Bytes),
    /// CANCEL: removes one subscription to a prefix. Carries the prefix.
    Cancel(Bytes),
    /// JOIN: adds a subscription to the messages of a group (RFC 48). Carries the name of the group.
    Join(Bytes),
    /// LEAVE: removes the subscription to the messages of a group (RFC 48). Carries the name of the group.
    Leave(Bytes),
    /// PING: requests a PONG from the receiver. If the receiver then receives no data for the time `ttl`, it should
    /// close the connection.
    Ping {
        /// Time in tenths of a second; 0 sets no limit. If the receiver of the PING receives no data for this time, it
        /// should close the connection.
        ttl: u16,
        /// Up to 16 bytes, which the receiver of the PING sends back in its PONG. [`decode`](Command::decode) truncates
        /// a longer context, as libzmq does.
        context: Frame,
    },
    /// PONG: reply to a PING; carries the context of the PING.
    Pong(Frame),
    /// Command that this crate does not know. Carries the name of the command, without its body.
    Other(Bytes),
}

/// Maximum bytes of the context of a PING (RFC 37).
const MAX_CONTEXT: usize = 16;

impl Command {
    /// Decodes a command from the body of a command frame.
    ///
    /// # Errors
    /// [`DecodeError`] if the name of the command is invalid, or if the body of a known command violates the grammar.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        cost::bytes(body.len());
        let (name, rest) = handshake::split(body)?;
        Ok(match name {
            b"READY" => Self::Ready(Metadata::decode(rest)?),
            b"ERROR" => Self::Error(handshake::reason(rest, "ERROR")?),
            b"CLOSE" => Self::Close(handshake::reason(rest, "CLOSE")?),
            b"SUBSCRIBE" => Self::Subscribe(Bytes::copy_from_slice(rest)),
            b"CANCEL" => Self::Cancel(Bytes::copy_from_slice(rest)),
            b"JOIN" => Self::Join(Bytes::copy_from_slice(rest)),
            b"LEAVE" => Self::Leave(Bytes::copy_from_slice(rest)),
            b"PING" => {
                let (ttl, context) = rest.split_first_chunk().ok_or(DecodeError::CommandBody("PING"))?;
                let context = context.get(..MAX_CONTEXT).unwrap_or(context);
                Self::Ping { ttl: u16::from_be_bytes(*ttl), context: context.into() }
            }
            b"PONG" => Self::Pong(rest.get(..MAX_CONTEXT).unwrap_or(rest).into()),
            _ => Self::Other(Bytes::copy_from_slice(name)),
        })
    }

    /// Appends the command to `out` as a complete frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Ready(metadata) => {
                let mut properties = Vec::new();
                metadata.encode(&mut properties);
                handshake::encode(b"READY", &[&properties], out);
            }
            Self::Error(reason) => encode_reason(b"ERROR", reason, out),
            Self::Close(reason) => encode_reason(b"CLOSE", reason, out),
            Self::Subscribe(prefix) => handshake::encode(b"SUBSCRIBE", &[prefix], out),
            Self::Cancel(prefix) => handshake::encode(b"CANCEL", &[prefix], out),
            Self::Join(group) => handshake::encode(b"JOIN", &[group], out),
            Self::Leave(group) => handshake::encode(b"LEAVE", &[group], out),
            Self::Ping { ttl, context } => handshake::encode(b"PING", &[&ttl.to_be_bytes(), context], out),
            Self::Pong(context) => handshake::encode(b"PONG", &[context], out),
            Self::Other(name) => handshake::encode(name.get(..255).unwrap_or(name), &[], out),
        }
    }
}

/// Appends a command with a reason, which is truncated to 255 bytes.
fn encode_reason(name: &[u8], reason: &[u8], out: &mut Vec<u8>) {
    let reason = reason.get(..255).unwrap_or(reason);
    let len = u8::try_from(reason.len()).expect("the reason is truncated to 255 bytes");
    handshake::encode(name, &[&[len], reason], out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::FrameHead;
    use alloc::vec;

    fn frame(command: &Command) -> Vec<u8> {
        let mut bytes = Vec::new();
        command.encode(&mut bytes);
        bytes
    }

    #[test]
    fn encoded_commands_decode_to_the_same() {
        let mut metadata = Metadata::new();
        metadata.push("Socket-Type", Bytes::from_static(b"REP"));
        for command in [
            Command::Ready(metadata),
            Command::Error(Bytes::from_static(b"400")),
            Command::Close(Bytes::from_static(b"pair-in-use")),
            Command::Subscribe(Bytes::from_static(b"topic")),
            Command::Cancel(Bytes::from_static(&[0; 300])),
            Command::Ping { ttl: 25, context: "ctx".into() },
            Command::Pong("ctx".into()),
            Command::Join(Bytes::from_static(b"group")),
            Command::Leave(Bytes::from_static(b"group")),
            Command::Other(Bytes::from_static(b"SIGNAL")),
        ] {
            let bytes = frame(&command);
            let (head, len) = FrameHead::decode(&bytes).unwrap().unwrap();
            assert!(head.command);
            assert_eq!(head.size, (bytes.len() - len) as u64);
            assert_eq!(Command::decode(&bytes[len..]), Ok(command));
        }
    }

    #[test]
    fn encoded_commands_equal_bytes_of_libzmq() {
        assert_eq!(frame(&Command::Ping { ttl: 25, context: Frame::EMPTY }), b"\x04\x07\x04PING\0\x19");
        assert_eq!(frame(&Command::Pong("alive?".into())), b"\x04\x0b\x04PONGalive?");
        assert_eq!(frame(&Command::Subscribe("abc".into())), b"\x04\x0d\x09SUBSCRIBEabc");
    }

    #[test]
    fn ping_context_is_limited_to_16_bytes() {
        assert_eq!(Command::decode(b"\x04PING\x01"), Err(DecodeError::CommandBody("PING")));
        let Ok(Command::Ping { context, .. }) = Command::decode(&[&b"\x04PING\0\0"[..], &[b'c'; 300]].concat()) else {
            panic!("a long context must be truncated, not rejected");
        };
        assert_eq!(*context, vec![b'c'; 16]);
    }

    #[test]
    fn decode_rejects_malformed_commands() {
        for (body, error) in [
            (&b""[..], DecodeError::CommandName),
            (b"\0", DecodeError::CommandName),
            (b"\x09READY", DecodeError::CommandName),
            (b"\x05ERROR", DecodeError::CommandBody("ERROR")),
            (b"\x05ERROR\x09no", DecodeError::CommandBody("ERROR")),
            (b"\x05CLOSE\x09no", DecodeError::CommandBody("CLOSE")),
            (b"\x05READY\x05abc", DecodeError::Property),
        ] {
            assert_eq!(Command::decode(body), Err(error));
        }
    }
}
