//! The feature `serde`: [`Serialize`] and [`Deserialize`] of frames, messages and endpoints. The statistics derive both.

use crate::address::Endpoint;
use crate::message::{Frame, Message};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

/// Maximum number of elements for which memory is allocated before they are read, because the data may claim any length.
const MAX_CAPACITY: usize = 1024;

/// Serializes the bytes as bytes. A format without bytes, such as JSON, has an array of numbers instead.
impl Serialize for Frame {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self)
    }
}

/// Accepts bytes, an array of bytes, and text.
impl<'de> Deserialize<'de> for Frame {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(FrameVisitor)
    }
}

struct FrameVisitor;

impl<'de> Visitor<'de> for FrameVisitor {
    type Value = Frame;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes of a frame, or a text")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Frame, E> {
        Ok(bytes.into())
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Frame, E> {
        Ok(bytes.into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Frame, E> {
        Ok(text.into())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Frame, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Frame, A::Error> {
        let mut bytes = Vec::with_capacity(sequence.size_hint().unwrap_or(0).min(MAX_CAPACITY));
        while let Some(byte) = sequence.next_element::<u8>()? {
            bytes.push(byte);
        }
        Ok(bytes.into())
    }
}

/// Serializes the message as a sequence of its frames.
impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

/// Accepts a sequence of at least one frame.
impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(MessageVisitor)
    }
}

struct MessageVisitor;

impl<'de> Visitor<'de> for MessageVisitor {
    type Value = Message;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message, which has at least one frame")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Message, A::Error> {
        let first: Frame = sequence.next_element()?.ok_or_else(|| Error::invalid_length(0, &self))?;
        let mut message = Message::from(first);
        while let Some(frame) = sequence.next_element::<Frame>()? {
            message.push_back(frame);
        }
        Ok(message)
    }
}

/// Serializes the endpoint as its text, such as `tcp://localhost:5555`.
impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Accepts the text of an endpoint. The error for any other text is that of the parser.
impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(EndpointVisitor)
    }
}

struct EndpointVisitor;

impl Visitor<'_> for EndpointVisitor {
    type Value = Endpoint;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an endpoint, such as tcp://127.0.0.1:5555")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Endpoint, E> {
        text.parse().map_err(E::custom)
    }
}

/// Counters of dropped messages as a map from the reason to the number, without the reasons for which none was dropped.
pub(crate) mod by_reason {
    use crate::socket::DropReason;
    use alloc::collections::BTreeMap;
    use serde::de::{Deserialize, Deserializer};
    use serde::ser::Serializer;

    type Counters = [u64; DropReason::ALL.len()];

    pub(crate) fn serialize<S: Serializer>(counters: &Counters, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(DropReason::ALL.iter().zip(counters).filter(|(_, messages)| **messages > 0))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Counters, D::Error> {
        let messages = BTreeMap::<DropReason, u64>::deserialize(deserializer)?;
        Ok(DropReason::ALL.map(|reason| messages.get(&reason).copied().unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::{DropReason, Drops, HeldMemory, PeerStats, SocketStats, TrafficCount};
    use alloc::string::ToString;
    use core::time::Duration;
    use serde_test::{Token, assert_de_tokens, assert_de_tokens_error, assert_tokens};

    #[test]
    fn frame_is_serialized_as_bytes() {
        const LONG: [u8; 100] = [7; 100];
        for bytes in [b"".as_slice(), b"short\0\xff", &LONG] {
            let frame = Frame::from(bytes);
            assert_tokens(&frame, &[Token::Bytes(bytes)]);
            assert_de_tokens(&frame, &[Token::ByteBuf(bytes)]);
            assert_de_tokens(&frame, &[Token::BorrowedBytes(bytes)]);
        }
        assert_de_tokens(&Frame::from("text"), &[Token::Str("text")]);
        assert_de_tokens(&Frame::from("text"), &[Token::String("text")]);
        assert_de_tokens(&Frame::from(&[1]), &[Token::Seq { len: Some(usize::MAX) }, Token::U8(1), Token::SeqEnd]);
        assert_de_tokens_error::<Frame>(
            &[Token::I32(-1)],
            "invalid type: integer `-1`, expected the bytes of a frame, or a text",
        );
    }

    #[test]
    fn message_is_serialized_as_sequence_of_frames() {
        let message = Message::from(["id", "", "body"]);
        let (start, end) = (Token::Seq { len: Some(3) }, Token::SeqEnd);
        assert_tokens(&message, &[start, Token::Bytes(b"id"), Token::Bytes(b""), Token::Bytes(b"body"), end]);
        assert_tokens(&Message::from("one"), &[Token::Seq { len: Some(1) }, Token::Bytes(b"one"), end]);
        assert_de_tokens_error::<Message>(
            &[Token::Seq { len: Some(0) }, end],
            "invalid length 0, expected a message, which has at least one frame",
        );
        let json = serde_json::to_string(&message).unwrap();
        assert_eq!(json, "[[105,100],[],[98,111,100,121]]");
        assert_eq!(serde_json::from_str::<Message>(&json).unwrap(), message);
        assert_eq!(serde_json::from_str::<Message>(r#"["id", "", "body"]"#).unwrap(), message);
    }

    #[test]
    fn endpoint_is_serialized_as_its_text() {
        for text in ["tcp://[::1]:5555/a", "tcp://*:0", "tcp://[fe80::1%eth0]:1", "ipc://*", "ipc://@a", "inproc://a b"]
        {
            assert_tokens(&text.parse::<Endpoint>().unwrap(), &[Token::Str(text)]);
        }
        let error = "localhost:5555".parse::<Endpoint>().unwrap_err().to_string();
        assert_de_tokens_error::<Endpoint>(&[Token::Str("localhost:5555")], &error);
    }

    #[test]
    fn statistics_are_restored_from_json() {
        let traffic = TrafficCount { messages: 3, bytes: 70 };
        let mut dropped = Drops::default();
        dropped.add(DropReason::PeerFull, 2);
        let held = HeldMemory { outgoing: 72, ..HeldMemory::default() };
        let socket = SocketStats { peers: 2, sent: traffic, dropped, held, ..SocketStats::default() };
        let json = serde_json::to_value(&socket).unwrap();
        assert_eq!((&json["sent"]["bytes"], &json["dropped"]), (&70.into(), &serde_json::json!({"peer_full": 2})));
        assert_eq!(serde_json::from_value::<SocketStats>(json).unwrap(), socket);
        // Statistics that were stored by an older version have fewer fields.
        assert_eq!(serde_json::from_str::<SocketStats>(r#"{"peers": 2}"#).unwrap().peers, 2);

        let json = r#"{
            "pipe": {"index": 7, "generation": 1}, "endpoint": "tcp://192.0.2.1:5555", "routing_id": [0, 1, 2],
            "connected": true, "ready": true, "outgoing": {"messages": 3, "bytes": 70}, "under_way": 1, "incoming": {},
            "held": {"outgoing": 72}, "sent": {}, "received": {}, "send_hwm_hits": 1, "recv_hwm_hits": 2, "reconnects": 3,
            "round_trip": {"last": {"secs": 0, "nanos": 900000}, "smoothed": {"secs": 0, "nanos": 1000000}}
        }"#;
        let peer: PeerStats = serde_json::from_str(json).unwrap();
        assert_eq!(
            (peer.endpoint.clone(), peer.outgoing, peer.held),
            ("tcp://192.0.2.1:5555".parse().ok(), traffic, held)
        );
        assert_eq!(peer.round_trip.map(|trip| trip.last), Some(Duration::from_micros(900)));
        let json = serde_json::to_value(&peer).unwrap();
        assert_eq!(serde_json::from_value::<PeerStats>(json).unwrap(), peer);
    }
}
