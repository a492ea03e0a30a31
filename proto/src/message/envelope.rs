//! [`Envelope`]: the routing frames before a body, for those who write their own routers.

use crate::message::{Frame, Message};
use alloc::vec::Vec;

/// The stack of routing ids that a request collects on its way through ROUTERs, without the delimiter that ends it
/// (RFC 28, "Request-Reply Envelopes").
///
/// ```text
/// [id of the last hop] … [id of the first hop] [] [body frames…]
///  └────────────── envelope ────────────────┘ └ delimiter
/// ```
///
/// A broker passes requests on and finds the way back from the envelope:
///
/// ```
/// use sansmq_proto::message::Envelope;
/// use sansmq_proto::Message;
///
/// let request = Message::from(["client-7", "", "work, please"]);
/// let (envelope, body) = Envelope::parse(request).expect("it has a delimiter");
/// assert_eq!(envelope.ids(), ["client-7"]);
///
/// let reply = envelope.reply_to("done");
/// assert_eq!(reply, Message::from(["client-7", "", "done"]));
/// # assert_eq!(body, Message::from("work, please"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Envelope(Vec<Frame>);

impl Envelope {
    /// An envelope of no routing ids: just the delimiter, as a REQ writes it.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Splits a message at its first empty frame: the envelope before it, the body after it.
    ///
    /// # Errors
    /// Gives the message back if it has no empty frame, or nothing after it.
    pub fn parse(mut message: Message) -> Result<(Self, Message), Message> {
        match message.frames().iter().position(|frame| frame.is_empty()) {
            // As a REQ writes it.
            Some(0) if message.pop_front().is_some() => Ok((Self::new(), message)),
            Some(delimiter) if delimiter + 1 < message.len() => {
                let mut ids = message.split_front(delimiter + 1);
                ids.pop();
                Ok((Self(ids), message))
            }
            _ => Err(message),
        }
    }

    /// The routing ids, the last hop first.
    pub fn ids(&self) -> &[Frame] {
        &self.0
    }

    /// Adds a hop in front: the next ROUTER on the way back is to send to `id`.
    #[must_use]
    pub fn push(mut self, id: impl Into<Frame>) -> Self {
        self.0.insert(0, id.into());
        self
    }

    /// Takes the hop in front off.
    pub fn pop(&mut self) -> Option<Frame> {
        if self.0.is_empty() { None } else { Some(self.0.remove(0)) }
    }

    /// The message that carries `body` back along this envelope: routing ids, delimiter, body.
    pub fn reply_to(&self, body: impl Into<Message>) -> Message {
        let mut message = body.into();
        message.push_front(Frame::EMPTY);
        message.prepend(&self.0);
        message
    }

    /// As [`reply_to`](Self::reply_to), using the envelope up.
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

    /// A frame that is empty often enough.
    fn frame() -> impl Strategy<Value = Frame> {
        vec(any::<u8>(), 0..3).prop_map(Frame::from)
    }

    fn id() -> impl Strategy<Value = Frame> {
        vec(any::<u8>(), 1..6).prop_map(Frame::from)
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn a_message_comes_apart_at_its_first_empty_frame_and_together_again(frames in vec(frame(), 1..8)) {
            let message = Message::from_frames(&frames).unwrap();
            let halves = frames.iter().position(|frame| frame.is_empty()).map(|delimiter| frames.split_at(delimiter));
            match halves {
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
        fn an_envelope_is_a_stack_of_ids(steps in vec(proptest::option::of(id()), 0..20), body in vec(frame(), 1..4)) {
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
    fn an_envelope_of_several_hops_comes_apart_and_together() {
        let message = Message::from(["hop2", "hop1", "", "meta", "", "body"]);
        let (mut envelope, body) = Envelope::parse(message.clone()).unwrap();
        assert_eq!(body, Message::from(["meta", "", "body"]));
        assert_eq!(envelope.reply_to(body.clone()), message);
        assert_eq!(envelope.pop().unwrap(), "hop2");
        assert_eq!(envelope.clone().push("other").seal(body).get(0).unwrap(), "other");
        assert_eq!(envelope.ids(), ["hop1"]);
    }

    #[test]
    fn a_message_without_delimiter_or_body_is_given_back() {
        for frames in [vec!["a", "b"], vec!["a", ""], vec![""]] {
            let message = Message::from_frames(frames).unwrap();
            assert_eq!(Envelope::parse(message.clone()), Err(message));
        }
        assert_eq!(Envelope::parse(Message::from(["", "x"])).unwrap(), (Envelope::new(), Message::from("x")));
    }
}
