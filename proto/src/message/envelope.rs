//! [`Envelope`]: the routing ids in front of a message body, for applications that route messages themselves.

use crate::message::{Frame, Message};
use alloc::vec::Vec;

/// The routing ids of a request, one added by each ROUTER on the path, without the delimiter frame that ends the envelope
/// (RFC 28, "Request-Reply Envelopes").
///
/// ```text
/// [id of the last hop] … [id of the first hop] [] [body frames…]
///  └────────────── envelope ────────────────┘ └ delimiter
/// ```
///
/// A broker forwards requests and routes the replies by the envelope:
///
/// ```
/// use sansmq::{Envelope, Message};
///
/// let request = Message::from(["client-7", "", "work, please"]);
/// let (envelope, body) = Envelope::parse(request).expect("a request has a delimiter");
/// assert_eq!(envelope.ids(), ["client-7"]);
///
/// let reply = envelope.reply_to("done");
/// assert_eq!(reply, Message::from(["client-7", "", "done"]));
/// # assert_eq!(body, Message::from("work, please"));
/// ```
#[doc(alias("zmsg_wrap", "zmsg_unwrap"))]
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Envelope(Vec<Frame>);

impl Envelope {
    /// Creates an envelope without routing ids. In a message, such an envelope is only the delimiter, as a REQ sends
    /// it.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Splits a message at the first empty frame into the envelope before this delimiter and the body after it.
    ///
    /// # Errors
    /// Returns the message unchanged if it has no empty frame, or no frame after the first empty frame.
    pub fn parse(mut message: Message) -> Result<(Self, Message), Message> {
        match message.frames().iter().position(|frame| frame.is_empty()) {
            // A REQ sends no routing ids. This frequent case needs no vector of ids.
            Some(0) if message.pop_front().is_some() => Ok((Self::new(), message)),
            Some(delimiter) if delimiter + 1 < message.len() => {
                let mut ids = message.split_front(delimiter + 1);
                ids.pop();
                Ok((Self(ids), message))
            }
            _ => Err(message),
        }
    }

    /// Returns the routing ids in the order of their frames: the id of the last hop is the first.
    pub fn ids(&self) -> &[Frame] {
        &self.0
    }

    /// Adds the routing id of one more hop before the existing ids. The first ROUTER on the path of the reply removes
    /// `id`, and sends the reply to the peer with this id.
    #[must_use]
    pub fn push(mut self, id: impl Into<Frame>) -> Self {
        self.0.insert(0, id.into());
        self
    }

    /// Removes the first routing id and returns it. Returns `None` if the envelope has no routing ids.
    pub fn pop(&mut self) -> Option<Frame> {
        if self.0.is_empty() { None } else { Some(self.0.remove(0)) }
    }

    /// Creates a reply that takes the path of this envelope back to the requester. The frames of the reply are the
    /// routing ids, the empty delimiter, and the frames of `body`.
    pub fn reply_to(&self, body: impl Into<Message>) -> Message {
        let mut message = body.into();
        message.push_front(Frame::EMPTY);
        message.prepend(&self.0);
        message
    }

    /// Creates a reply of the routing ids, the empty delimiter and `body`, and consumes the envelope. To keep the
    /// envelope, use [`reply_to`](Self::reply_to).
    pub fn seal(self, body: impl Into<Message>) -> Message {
        self.reply_to(body)
    }
}

impl<T: Into<Frame>> FromIterator<T> for Envelope {
    fn from_iter<I: IntoIterator<Item = T>>(ids: I) -> Self {
        Self(ids.into_iter().map(Into::into).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::config;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// Generates frames of zero to two bytes, so that empty frames are frequent.
    fn frame() -> impl Strategy<Value = Frame> {
        vec(any::<u8>(), 0..3).prop_map(Frame::from)
    }

    fn id() -> impl Strategy<Value = Frame> {
        vec(any::<u8>(), 1..6).prop_map(Frame::from)
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn envelope_splits_at_first_empty_frame_and_rejoins(frames in vec(frame(), 1..8)) {
            let message = Message::from_frames(&frames).unwrap();
            let split = frames.iter().position(|frame| frame.is_empty()).map(|delimiter| frames.split_at(delimiter));
            match split {
                Some((ids, [_, body @ ..])) if !body.is_empty() => {
                    let (envelope, rest) = Envelope::parse(message.clone()).unwrap();
                    prop_assert_eq!(envelope.ids(), ids);
                    prop_assert_eq!(&rest, &Message::from_frames(body).unwrap());
                    prop_assert_eq!(envelope.reply_to(rest.clone()), message.clone());
                    prop_assert_eq!(envelope.seal(rest), message);
                }
                _ => prop_assert_eq!(Envelope::parse(message.clone()), Err(message)),
            }
        }

        #[test]
        fn envelope_is_a_stack_of_ids(steps in vec(proptest::option::of(id()), 0..20), body in vec(frame(), 1..4)) {
            let (mut envelope, mut model) = (Envelope::new(), Vec::new());
            for step in steps {
                if let Some(id) = step {
                    envelope = envelope.push(id.clone());
                    model.push(id);
                } else {
                    prop_assert_eq!(envelope.pop(), model.pop());
                }
                let ids: Vec<Frame> = model.iter().rev().cloned().collect();
                prop_assert_eq!(envelope.ids(), &ids);
                prop_assert_eq!(&envelope, &ids.iter().cloned().collect::<Envelope>());
                let frames: Vec<_> = ids.into_iter().chain([Frame::EMPTY]).chain(body.clone()).collect();
                let body = Message::from_frames(&body).unwrap();
                prop_assert_eq!(envelope.reply_to(body), Message::from_frames(frames).unwrap());
            }
        }
    }

    #[test]
    fn envelope_of_several_hops_splits_and_rejoins() {
        let message = Message::from(["hop2", "hop1", "", "meta", "", "body"]);
        let (mut envelope, body) = Envelope::parse(message.clone()).unwrap();
        assert_eq!(body, Message::from(["meta", "", "body"]));
        assert_eq!(envelope.reply_to(body.clone()), message);
        assert_eq!(envelope.pop().unwrap(), "hop2");
        assert_eq!(envelope.clone().push("other").seal(body).get(0).unwrap(), "other");
        assert_eq!(envelope.ids(), ["hop1"]);
    }

    #[test]
    fn parse_returns_message_without_delimiter_or_body() {
        for frames in [vec!["a", "b"], vec!["a", ""], vec![""]] {
            let message = Message::from_frames(frames).unwrap();
            assert_eq!(Envelope::parse(message.clone()), Err(message));
        }
        assert_eq!(Envelope::parse(Message::from(["", "x"])).unwrap(), (Envelope::new(), Message::from("x")));
    }
}
