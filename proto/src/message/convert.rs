//! Conversions of a [`Message`] from and into collections of frames.

use super::{Frames, Message};
use crate::message::Frame;
use alloc::vec;
use alloc::vec::{IntoIter, Vec};
use core::fmt;
use thiserror::Error;

/// Error of the conversion of a [`Message`] into an array: the message has another number of frames than the array.
///
/// ```
/// use sansmq::Message;
///
/// let error = Message::from(["client", "body"]).into_array::<3>().unwrap_err();
/// assert_eq!(error.to_string(), "the message has 2 frames, but 3 were expected");
/// assert_eq!(error.into_message(), Message::from(["client", "body"]));
/// ```
#[derive(Clone, PartialEq, Eq, Error)]
#[error(
    "the message has {} frame{}, but {expected} {} expected",
    message.len(), if message.len() == 1 { "" } else { "s" }, if *expected == 1 { "was" } else { "were" }
)]
#[non_exhaustive]
pub struct FrameCountError {
    /// The message, unchanged.
    pub message: Message,
    /// Number of frames of the array.
    pub expected: usize,
}

impl FrameCountError {
    /// Returns the message, unchanged, as [`SendError::into_message`](crate::SendError::into_message) does.
    pub fn into_message(self) -> Message {
        self.message
    }
}

// A `main` that returns the error prints the `Debug` text. It omits the message, because the content may be secret and long.
impl fmt::Debug for FrameCountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FrameCountError: {self}")
    }
}

/// Creates a message of one frame.
impl<T: Into<Frame>> From<T> for Message {
    fn from(frame: T) -> Self {
        Self(Frames::One(frame.into()))
    }
}

/// Creates a message from values of one type. An empty array does not compile.
impl<T: Into<Frame>, const N: usize> From<[T; N]> for Message {
    fn from(frames: [T; N]) -> Self {
        const { assert!(N > 0, "a message has at least one frame") };
        Self(Frames::many(frames.into_iter().map(Into::into).collect()))
    }
}

/// Creates a message from a vector, one frame of each element. An empty vector becomes a message of one empty frame; see
/// [`Message::from_frames`]. A `Vec<u8>` becomes a message of one frame.
impl<T: Into<Frame>> From<Vec<T>> for Message {
    fn from(frames: Vec<T>) -> Self {
        frames.into_iter().collect()
    }
}

/// Creates a message from the items of an iterator, one frame of each. Without items, the message has one empty frame,
/// because a message has at least one; [`Message::from_frames`] returns `None` instead.
impl<T: Into<Frame>> FromIterator<T> for Message {
    fn from_iter<I: IntoIterator<Item = T>>(frames: I) -> Self {
        let mut frames: Vec<Frame> = frames.into_iter().map(Into::into).collect();
        match frames.len() {
            // A message that is stored as one frame needs no allocation of its own.
            0 | 1 => Self(Frames::One(frames.pop().unwrap_or_default())),
            _ => Self(Frames::many(frames)),
        }
    }
}

/// Appends frames after the frames of the message.
impl<T: Into<Frame>> Extend<T> for Message {
    fn extend<I: IntoIterator<Item = T>>(&mut self, frames: I) {
        self.as_many(0).extend(frames.into_iter().map(Into::into));
    }
}

/// Creates a message of one frame.
impl<T: Into<Frame>> From<(T,)> for Message {
    fn from((frame,): (T,)) -> Self {
        frame.into().into()
    }
}

/// Implements `From` for a tuple. The type parameters also serve as the names of the elements.
macro_rules! from_tuple {
    ($(#[$doc:meta])* $($element:ident)+) => {
        $(#[$doc])*
        impl<$($element: Into<Frame>),+> From<($($element,)+)> for Message {
            #[expect(non_snake_case, reason = "the names of the elements are those of the type parameters")]
            fn from(($($element,)+): ($($element,)+)) -> Self {
                Self(Frames::many(vec![$($element.into()),+]))
            }
        }
    };
}

from_tuple! {
    /// Creates a message from two values of different types, such as `("META:userid=1234", body)`.
    A B
}
from_tuple! {
    /// Creates a message from three values of different types, such as `(client_id, "", "ACK")`.
    A B C
}
from_tuple! {
    /// Creates a message from four values of different types, such as `(client_id, "", request_id, answer)`.
    A B C D
}
from_tuple! {
    /// Creates a message from five values of different types.
    A B C D E
}
from_tuple! {
    /// Creates a message from six values of different types.
    A B C D E F
}
from_tuple! {
    /// Creates a message from seven values of different types.
    A B C D E F G
}
from_tuple! {
    /// Creates a message from eight values of different types.
    A B C D E F G H
}

/// Converts each frame into an element, such as a [`Frame`], `Vec<u8>`, `Box<[u8]>` or [`Bytes`](bytes::Bytes). The vector is
/// never empty.
impl<T: From<Frame>> From<Message> for Vec<T> {
    fn from(message: Message) -> Self {
        message.into_iter().map(Into::into).collect()
    }
}

/// Converts each frame into an element, such as a [`Frame`], `Vec<u8>`, `Box<[u8]>` or [`Bytes`](bytes::Bytes).
///
/// # Errors
/// [`FrameCountError`], with the unchanged message, if the message does not have exactly `N` frames.
impl<T: From<Frame>, const N: usize> TryFrom<Message> for [T; N] {
    type Error = FrameCountError;

    fn try_from(message: Message) -> Result<Self, FrameCountError> {
        message.into_array().map(|frames: [Frame; N]| frames.map(Into::into))
    }
}

impl IntoIterator for Message {
    type Item = Frame;
    type IntoIter = IntoIter<Frame>;

    fn into_iter(self) -> Self::IntoIter {
        self.into_frames().into_iter()
    }
}

impl<'a> IntoIterator for &'a Message {
    type Item = &'a Frame;
    type IntoIter = core::slice::Iter<'a, Frame>;

    fn into_iter(self) -> Self::IntoIter {
        self.frames().iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::boxed::Box;
    use alloc::format;
    use alloc::string::{String, ToString};
    use bytes::Bytes;

    fn message_of(texts: &[&str]) -> Message {
        Message::from_frames(texts.iter().copied()).unwrap()
    }

    #[test]
    fn message_converts_from_one_value() {
        for message in [
            Message::from("one"),
            Message::from(b"one"),
            Message::from(b"one".to_vec()),
            Message::from(String::from("one")),
            Message::from(Frame::from("one")),
            Message::from(("one",)),
            Message::from(["one"]),
            Message::from(vec!["one"]),
        ] {
            assert_eq!(message, message_of(&["one"]));
        }
    }

    #[test]
    fn message_converts_from_collections_of_frames() {
        let texts = ["a", "", "c"];
        for message in [
            Message::from(texts),
            Message::from(texts.map(Frame::from)),
            Message::from(texts.map(String::from)),
            Message::from(vec!["a", "", "c"]),
            Message::from(Vec::from(texts.map(Frame::from))),
            Message::from(Vec::from(texts.map(|text| text.as_bytes().to_vec()))),
            Message::from(Vec::from(texts.map(Bytes::from))),
            Message::from(("a", Frame::EMPTY, vec![b'c'])),
            texts.iter().copied().collect(),
            "a//c".split('/').map(String::from).collect(),
        ] {
            assert_eq!(message, message_of(&texts));
        }
    }

    #[test]
    fn message_converts_from_tuples_of_up_to_eight() {
        let texts = ["1", "2", "3", "4", "5", "6", "7", "8"];
        let (owned, bytes) = (|| String::from("2"), || b"5".to_vec());
        for message in [
            Message::from(("1",)),
            Message::from(("1", owned())),
            Message::from(("1", owned(), "3")),
            Message::from(("1", owned(), "3", "4")),
            Message::from(("1", owned(), "3", "4", bytes())),
            Message::from(("1", owned(), "3", "4", bytes(), b"6")),
            Message::from(("1", owned(), "3", "4", bytes(), b"6", Frame::from("7"))),
            Message::from(("1", owned(), "3", "4", bytes(), b"6", Frame::from("7"), Bytes::from("8"))),
        ] {
            assert_eq!(message, message_of(&texts[..message.len()]));
        }
    }

    #[test]
    fn empty_collection_becomes_one_empty_frame() {
        for message in
            [Message::from(Vec::<Frame>::new()), Message::from(Vec::<u8>::new()), core::iter::empty::<&str>().collect()]
        {
            assert_eq!(message, Message::from(""));
        }
        assert_eq!(Message::from_frames(Vec::<Frame>::new()), None);
    }

    #[test]
    fn extend_appends_frames_in_order() {
        let mut message = Message::from("a");
        message.extend(Vec::<Frame>::new());
        assert_eq!(message, message_of(&["a"]));
        message.extend(["b", "c"]);
        message.extend(Message::from(["d", "e"]));
        assert_eq!(message, message_of(&["a", "b", "c", "d", "e"]));
        let mut shared = message.clone().into_shared(|_| Vec::new());
        let other = shared.clone();
        shared.extend(["f"]);
        assert_eq!((shared.len(), other), (6, message));
    }

    #[test]
    fn message_converts_into_vectors_and_arrays() {
        let message = message_of(&["a", "b"]);
        assert_eq!(Vec::<Frame>::from(message.clone()), ["a", "b"]);
        assert_eq!(Vec::<Vec<u8>>::from(message.clone()), [b"a", b"b"]);
        assert_eq!(Vec::<Bytes>::from(message.clone()), ["a", "b"]);
        assert_eq!(<[Frame; 2]>::try_from(message.clone()).unwrap(), ["a", "b"]);
        assert_eq!(<[Vec<u8>; 2]>::try_from(message.clone()).unwrap(), [b"a", b"b"]);
        assert_eq!(<[Bytes; 2]>::try_from(message.clone()).unwrap(), ["a", "b"]);
        assert_eq!(<[Box<[u8]>; 2]>::try_from(message.clone()).unwrap().concat(), b"ab");
        assert_eq!(message.into_iter().map(|frame| frame.to_text().to_string()).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn array_of_other_length_returns_the_message() {
        let secret = message_of(&["secret", "body"]);
        let error = <[Vec<u8>; 3]>::try_from(secret.clone()).unwrap_err();
        assert_eq!(error.to_string(), "the message has 2 frames, but 3 were expected");
        assert_eq!(format!("{error:?}"), "FrameCountError: the message has 2 frames, but 3 were expected");
        assert_eq!((error.message, error.expected), (secret.clone(), 3));
        let error = secret.clone().into_array::<1>().unwrap_err();
        assert_eq!(error.to_string(), "the message has 2 frames, but 1 was expected");
        assert_eq!(error.message, secret);
        let error = Message::from("body").into_array::<2>().unwrap_err();
        assert_eq!(error.to_string(), "the message has 1 frame, but 2 were expected");
        assert_eq!(error.message, Message::from("body"));
    }
}
