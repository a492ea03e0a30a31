//! A reader of notifications such as those of Bitcoin Core: a PUB sends `[topic, body, sequence]`, where the sequence counts the
//! messages of a topic, as four bytes in little-endian order.
//!
//! A PUB drops messages when a subscriber is slow or disconnected. The sequence shows how many.

use crate::Error;
use sansmq::tokio::SubSocket;
use sansmq::{Endpoint, Frame, Message};
use std::collections::BTreeMap;

/// A notification, and how it follows the one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Subject, for example `hashblock`.
    pub topic: String,
    /// Content, for example the hash of a block.
    pub body: Frame,
    /// Number of the message within its topic.
    pub sequence: u32,
    /// Relation to the last notification of the topic.
    pub continuity: Continuity,
}

/// Relation of a notification to the last one of its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continuity {
    /// No notification of this topic was received before.
    First,
    /// No notification is missing.
    Next,
    /// Number of notifications that were not received.
    Missed(u32),
    /// The publisher counts from zero again. This many notifications since then were not received; how many were
    /// lost before is unknown.
    Restarted(u32),
}

/// Subscriber that checks the sequences.
#[derive(Debug)]
pub struct Reader {
    socket: SubSocket,
    sequences: Sequences,
}

impl Reader {
    /// Subscribes to topics of a publisher. A lost connection is established again, with the subscriptions.
    pub fn connect(endpoint: Endpoint, topics: &[&str]) -> Result<Self, Error> {
        let socket = SubSocket::new();
        for topic in topics {
            socket.subscribe(topic)?;
        }
        socket.connect(endpoint)?;
        Ok(Self { socket, sequences: Sequences::default() })
    }

    /// Waits for a notification.
    pub async fn recv(&mut self) -> Result<Notification, Error> {
        let message = self.socket.recv().await?;
        self.sequences.notification(message)
    }
}

/// Last sequence of each topic.
#[derive(Debug, Default)]
struct Sequences(BTreeMap<String, u32>);

impl Sequences {
    fn notification(&mut self, message: Message) -> Result<Notification, Error> {
        let [topic, body, sequence]: [Frame; 3] = message.into_array()?;
        let topic = topic.to_text().into_owned();
        let bytes = <[u8; 4]>::try_from(sequence.as_ref())
            .map_err(|_| format!("{topic}: a sequence of {} bytes instead of 4", sequence.len()))?;
        let sequence = u32::from_le_bytes(bytes);
        let continuity = match self.0.insert(topic.clone(), sequence) {
            None => Continuity::First,
            // Numbers wrap around, so the distance decides what is ahead and what is behind.
            Some(last) => match sequence.wrapping_sub(last.wrapping_add(1)) {
                0 => Continuity::Next,
                missed if missed < 1 << 31 => Continuity::Missed(missed),
                _ => Continuity::Restarted(sequence),
            },
        };
        Ok(Notification { topic, body, sequence, continuity })
    }
}
