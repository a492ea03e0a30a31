//! Commands: frames that speak to the peer's engine and not to its application (RFC 37, "Commands").

use super::error::DecodeError;
use super::{Metadata, handshake};
use crate::message::Frame;
use alloc::vec::Vec;
use bytes::Bytes;

/// A command of the NULL mechanism or of the traffic phase.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Ends the handshake; carries what the peer says of itself.
    Ready(Metadata),
    /// Ends the connection; carries a reason, of which ZAP's three-digit codes are the known ones.
    Error(Bytes),
    /// Asks for messages that begin with the prefix.
    Subscribe(Bytes),
    /// Takes one subscription back.
    Cancel(Bytes),
    /// Asks for the messages of a group (RFC 48).
    Join(Bytes),
    /// Takes that back.
    Leave(Bytes),
    /// Asks for a PONG. `ttl`, in tenths of a second, is the peer's wish to be cut off after so much silence; 0: none.
    Ping {
        /// Tenths of a second.
        ttl: u16,
        /// Up to 16 octets to come back in the PONG; longer ones are cut, as libzmq does.
        context: Frame,
    },
    /// Answers a PING with its context.
    Pong(Frame),
    /// A command this crate does not know; by its name.
    Other(Bytes),
}

/// RFC 37: a PING's context has at most this many octets.
const MAX_CONTEXT: usize = 16;

impl Command {
    /// Reads a command from the body of a command frame.
    ///
    /// # Errors
    /// [`DecodeError`], when the name cannot be read or a known command's body has the wrong form.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let (name, rest) = handshake::split(body)?;
        Ok(match name {
            b"READY" => Self::Ready(Metadata::decode(rest)?),
            b"ERROR" => Self::Error(handshake::reason(rest)?),
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

    /// Appends the command as a whole frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Ready(metadata) => {
                let mut properties = Vec::new();
                metadata.encode(&mut properties);
                handshake::encode(b"READY", &[&properties], out);
            }
            Self::Error(reason) => {
                let reason = reason.get(..255).unwrap_or(reason);
                let len = u8::try_from(reason.len()).expect("it has been cut to 255");
                handshake::encode(b"ERROR", &[&[len], reason], out);
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::FrameHead;
    use alloc::vec;

    fn frame(command: &Command) -> Vec<u8> {
        let mut octets = Vec::new();
        command.encode(&mut octets);
        octets
    }

    #[test]
    fn every_command_survives_the_wire() {
        let mut metadata = Metadata::new();
        metadata.push("Socket-Type", Bytes::from_static(b"REP"));
        for command in [
            Command::Ready(metadata),
            Command::Error(Bytes::from_static(b"400")),
            Command::Subscribe(Bytes::from_static(b"topic")),
            Command::Cancel(Bytes::from_static(&[0; 300])),
            Command::Ping { ttl: 25, context: "ctx".into() },
            Command::Pong("ctx".into()),
            Command::Join(Bytes::from_static(b"group")),
            Command::Leave(Bytes::from_static(b"group")),
            Command::Other(Bytes::from_static(b"SIGNAL")),
        ] {
            let octets = frame(&command);
            let (head, len) = FrameHead::decode(&octets).unwrap().unwrap();
            assert!(head.command);
            assert_eq!(head.size, (octets.len() - len) as u64);
            assert_eq!(Command::decode(&octets[len..]), Ok(command));
        }
    }

    #[test]
    fn commands_are_octet_for_octet_what_libzmq_sends() {
        assert_eq!(frame(&Command::Ping { ttl: 25, context: Frame::EMPTY }), b"\x04\x07\x04PING\0\x19");
        assert_eq!(frame(&Command::Pong("alive?".into())), b"\x04\x0b\x04PONGalive?");
        assert_eq!(frame(&Command::Subscribe("abc".into())), b"\x04\x0d\x09SUBSCRIBEabc");
    }

    #[test]
    fn a_ping_never_echoes_more_than_it_brought() {
        assert_eq!(Command::decode(b"\x04PING\x01"), Err(DecodeError::CommandBody("PING")));
        let Ok(Command::Ping { context, .. }) = Command::decode(&[&b"\x04PING\0\0"[..], &[b'c'; 300]].concat()) else {
            panic!("a long context is cut, not refused");
        };
        assert_eq!(*context, vec![b'c'; 16]);
    }

    #[test]
    fn unreadable_commands_are_refused() {
        for (body, error) in [
            (&b""[..], DecodeError::CommandName),
            (b"\0", DecodeError::CommandName),
            (b"\x09READY", DecodeError::CommandName),
            (b"\x05ERROR", DecodeError::CommandBody("ERROR")),
            (b"\x05ERROR\x09no", DecodeError::CommandBody("ERROR")),
            (b"\x05READY\x05abc", DecodeError::Property),
        ] {
            assert_eq!(Command::decode(body), Err(error));
        }
    }
}
