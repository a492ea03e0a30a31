//! [`Message`] and [`Frame`], the values that sockets send and receive. Independent of sockets and of the wire format.

mod convert;
mod envelope;
mod frame;
mod queue;

pub use convert::FrameCountError;
pub use envelope::Envelope;
pub use frame::Frame;
pub(crate) use queue::MessageQueue;

use frame::Repr;

use crate::cost;
use alloc::sync::Arc;
use alloc::{vec, vec::Vec};
use bytes::Bytes;
use core::fmt;
use core::hash::{Hash, Hasher};

/// One or more frames, which are sent and received together or not at all (RFC 37, "Framing").
///
/// ```
/// use sansmq::Message;
///
/// let plain = Message::from("Hello ROUTER");
/// assert_eq!(plain.body(), "Hello ROUTER");
///
/// let meta_and_body = Message::from(["META:userid=1234", "Hello World"]);
/// let [meta, body] = meta_and_body.into_array()?;
/// assert_eq!((meta.to_text(), body.to_text()), ("META:userid=1234".into(), "Hello World".into()));
/// # Ok::<(), sansmq::FrameCountError>(())
/// ```
///
/// # Conversions
///
/// `send` takes every value that converts into a message. `T` stands for a type that converts into a [`Frame`]: its page has
/// the list of these types.
///
/// | from | to a message of |
/// |---|---|
/// | `T`, such as `&str`, `String`, `&[u8]`, `Vec<u8>` | one frame |
/// | `[T; N]`, `Vec<T>`, except `Vec<u8>` | one frame of each element |
/// | `(A, B)`, and other tuples of one to eight different `T` | one frame of each element |
/// | an iterator over `T`, by `collect` | one frame of each item |
/// | an iterator over `T`, by `extend` | the frames before, and one frame of each item |
///
/// A message has at least one frame. So an empty array does not compile, and an empty vector or iterator becomes one empty frame;
/// [`from_frames`](Self::from_frames) returns `None` instead.
///
/// # Take apart
///
/// `U` stands for a type into which a `Frame` converts: `Vec<u8>`, `Box<[u8]>`, [`Bytes`].
///
/// | to | by |
/// |---|---|
/// | the last frame, the first, the one at `index` | [`body`](Self::body), [`head`](Self::head), [`get`](Self::get) |
/// | three variables, as of a tuple | `let [id, empty, body] = message.into_array()?;` |
/// | `[Frame; N]`, such as `[Frame; 3]` | [`into_array`](Self::into_array), which fails if the message does not have `N` frames |
/// | `[U; N]`, such as `[Vec<u8>; 3]` | `try_into`, which fails in the same case |
/// | `Vec<Frame>` | [`into_frames`](Self::into_frames), or `into` |
/// | `Vec<U>`, such as `Vec<Vec<u8>>` | `into` |
/// | `&[Frame]` | [`frames`](Self::frames) |
/// | an iterator over `Frame` or `&Frame` | `into_iter`, [`iter`](Self::iter), a `for` loop |
///
/// With the feature `serde`, a message is serialized as a sequence of its frames.
///
/// ```
/// use sansmq::{Frame, Message};
///
/// let message = Message::from(("client-7", "", vec![1, 2, 3]));
/// assert_eq!(message, Message::from(vec![Frame::from("client-7"), Frame::EMPTY, Frame::from(&[1, 2, 3])]));
///
/// let mut lines: Message = "first\nsecond".lines().collect();
/// lines.extend(["third"]);
/// let lines: Vec<Vec<u8>> = lines.into();
/// assert_eq!(lines, [b"first".to_vec(), b"second".to_vec(), b"third".to_vec()]);
///
/// let [client, _, body]: [Vec<u8>; 3] = message.try_into()?;
/// assert_eq!((client, body), (b"client-7".to_vec(), vec![1, 2, 3]));
/// # Ok::<(), sansmq::FrameCountError>(())
/// ```
#[doc(alias("zmq_msg_t", "zmsg_t", "ZMQ_SNDMORE", "SNDMORE", "ZMQ_RCVMORE", "RCVMORE", "ZMQ_MORE", "MORE"))]
#[doc(alias("zmq_msg_more", "multipart"))]
pub struct Message(Frames);

#[derive(Clone)]
enum Frames {
    One(Frame),
    /// Frames in a vector, which has at least one frame.
    /// The weight is that of the frames when the message was last queued. It has no meaning outside of a queue.
    // So a queue needs to add the sizes of the frames only once.
    Many(Vec<Frame>, Weight),
    /// Reference-counted frames of a message that is sent to many peers.
    Shared(Arc<Shared>),
}

/// Number of bytes in the frames of a message, and number of bytes that the message holds outside its own value.
#[derive(Clone, Copy, Default)]
pub(crate) struct Weight {
    pub(crate) size: usize,
    pub(crate) allocated: usize,
}

/// Returns the weight of a message with these frames.
#[inline]
fn weigh(frames: &Vec<Frame>) -> Weight {
    let mut sum = Weight { size: 0, allocated: frames.capacity() * size_of::<Frame>() };
    for frame in frames {
        let Weight { size, allocated } = frame.weigh();
        sum.size += size;
        sum.allocated += allocated;
    }
    sum
}

/// Unused vectors for the frames of messages: a routing id and a body. A ROUTER that replies to each request takes as many of them
/// as it gives back, so it needs no allocation for each message.
#[derive(Debug, Default)]
pub(crate) struct SpareFrames(Vec<Vec<Frame>>);

impl SpareFrames {
    /// Maximum number of unused vectors.
    const VECTORS: usize = 64;
    /// Capacity of each vector. All have the same, so that the memory that a message holds does not depend on others.
    const CAPACITY: usize = 2;

    fn keep(&mut self, mut frames: Vec<Frame>) {
        if self.0.len() < Self::VECTORS && frames.capacity() == Self::CAPACITY {
            frames.clear();
            self.0.push(frames);
        }
    }

    /// Returns the memory that the vectors hold, in bytes.
    pub(crate) fn held_bytes(&self) -> u64 {
        let vectors = self.0.len() * Self::CAPACITY * size_of::<Frame>();
        (vectors + self.0.capacity() * size_of::<Vec<Frame>>()) as u64
    }
}

/// Frames of a message that is sent to many peers. A short message is encoded once for all these peers.
struct Shared {
    frames: Vec<Frame>,
    /// All frames of the message in wire format. Empty if the message is long: its frames are then encoded for each
    /// peer, because the encoded form would contain a copy of all bytes.
    wire: Vec<u8>,
}

impl Shared {
    #[inline(never)]
    fn weigh(&self) -> Weight {
        let Weight { size, allocated } = weigh(&self.frames);
        Weight { size, allocated: size_of::<Self>() + self.wire.capacity() + allocated }
    }
}

impl Message {
    /// Creates a message from frames. Returns `None` without frames, because a message has at least one frame.
    pub fn from_frames(frames: impl IntoIterator<Item = impl Into<Frame>>) -> Option<Self> {
        let frames: Vec<Frame> = frames.into_iter().map(Into::into).collect();
        (!frames.is_empty()).then_some(Self(Frames::many(frames)))
    }

    /// Creates a message from frames. `frames` must not be empty.
    pub(crate) fn from_vec(frames: Vec<Frame>) -> Self {
        debug_assert!(!frames.is_empty(), "a message has at least one frame");
        Self(Frames::many(frames))
    }

    /// Returns the frames, at least one. [`into_frames`](Self::into_frames) and [`into_array`](Self::into_array) return the frames
    /// by value, without copying them.
    #[inline]
    pub fn frames(&self) -> &[Frame] {
        match &self.0 {
            Frames::One(frame) => core::slice::from_ref(frame),
            Frames::Many(frames, _) => frames,
            Frames::Shared(shared) => &shared.frames,
        }
    }

    /// Returns the length and the frame of a message that has one frame, stored inside the value.
    #[inline]
    pub(crate) const fn as_inline(&self) -> Option<(usize, &Frame)> {
        match &self.0 {
            Frames::One(frame) => match frame.inline_len() {
                Some(len) => Some((len, frame)),
                None => None,
            },
            Frames::Many(..) | Frames::Shared(_) => None,
        }
    }

    /// Converts a message that is stored as a vector of frames into a reference-counted form, which is cheap to clone
    /// and to send to many peers. Calls `encode` once, which returns the frames in wire format, or an empty vector for
    /// a long message. Other messages stay unchanged: those that are stored as a single frame, or already
    /// reference-counted.
    pub(crate) fn into_shared(self, encode: impl FnOnce(&[Frame]) -> Vec<u8>) -> Self {
        match self.0 {
            Frames::Many(frames, _) => {
                let wire = encode(&frames);
                Self(Frames::Shared(Arc::new(Shared { frames, wire })))
            }
            one_or_shared @ (Frames::One(_) | Frames::Shared(_)) => Self(one_or_shared),
        }
    }

    /// Returns the frames as they are sent over a connection, with their heads, if [`into_shared`](Self::into_shared)
    /// has stored this encoded form. Otherwise returns `None`, and the caller must encode the frames.
    #[inline]
    pub(crate) fn wire(&self) -> Option<&[u8]> {
        match &self.0 {
            Frames::Shared(shared) if !shared.wire.is_empty() => Some(&shared.wire),
            Frames::One(_) | Frames::Many(..) | Frames::Shared(_) => None,
        }
    }

    /// Returns an iterator over the frames, in order.
    pub fn iter(&self) -> core::slice::Iter<'_, Frame> {
        self.frames().iter()
    }

    /// Returns the number of frames, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a message is never empty")]
    #[inline]
    pub fn len(&self) -> usize {
        self.frames().len()
    }

    /// Returns the total number of bytes in all frames.
    #[doc(alias("zmq_msg_size", "zmsg_content_size"))]
    #[inline]
    pub fn size(&self) -> usize {
        match &self.0 {
            // The most frequent case avoids the loop of `sum`, because every count of messages needs the size.
            Frames::One(frame) => frame.size(),
            Frames::Many(frames, _) => frames.iter().map(Frame::size).sum(),
            Frames::Shared(shared) => shared.frames.iter().map(Frame::size).sum(),
        }
    }

    /// Returns the memory that the message holds, in bytes: [`Frame`] values of 72 bytes each, however short the frames
    /// are, and the memory outside of them that contains their bytes. The high-water marks in bytes
    /// ([`recv_hwm_bytes`](crate::Options::recv_hwm_bytes)) count this size.
    ///
    /// A received body that is a part of a larger block counts with the size of this block. A body that the application
    /// has created from [`Bytes`] counts with its length, because the size of its block is not known. Memory that several
    /// messages share counts for each of them.
    ///
    /// ```
    /// use sansmq::Message;
    ///
    /// assert_eq!(Message::from("inline").held_bytes(), 72);
    /// assert_eq!(Message::from(vec![7; 1000]).held_bytes(), 72 + 1000);
    /// ```
    #[inline]
    pub fn held_bytes(&self) -> usize {
        size_of::<Self>() + self.allocated()
    }

    /// Computes the weight of the message before it is queued. Until the message is removed from the queue,
    /// [`queued_weight`](Self::queued_weight) returns the same value.
    // One function for both numbers, because every queue counts both for each message.
    #[inline]
    pub(crate) fn weigh(&mut self) -> Weight {
        match &mut self.0 {
            Frames::One(frame) => frame.weigh(),
            several @ (Frames::Many(..) | Frames::Shared(_)) => several.weigh(),
        }
    }

    /// Returns the weight of a message that is in a queue.
    #[inline]
    pub(crate) fn queued_weight(&self) -> Weight {
        match &self.0 {
            Frames::One(frame) => frame.weigh(),
            several @ (Frames::Many(..) | Frames::Shared(_)) => several.queued_weight(),
        }
    }

    /// Returns the number of bytes that the message holds outside its own value.
    #[inline]
    pub(crate) fn allocated(&self) -> usize {
        match &self.0 {
            Frames::One(frame) => frame.allocated(),
            several @ (Frames::Many(..) | Frames::Shared(_)) => several.allocated(),
        }
    }

    /// Replaces the frames that are parts of `block` by copies.
    pub(crate) fn copy_out_of(&mut self, block: &Bytes) {
        match &mut self.0 {
            Frames::One(frame) => frame.copy_out_of(block),
            Frames::Many(frames, _) => frames.iter_mut().for_each(|frame| frame.copy_out_of(block)),
            // Only messages to send are shared.
            Frames::Shared(_) => {}
        }
    }

    /// Replaces the frames that may be small parts of a larger block by copies. The message then holds no more memory than
    /// [`held_bytes`](Self::held_bytes) counts.
    pub(crate) fn copy_out_of_blocks(&mut self) {
        match &mut self.0 {
            Frames::One(frame) => frame.copy_out_of_blocks(),
            Frames::Many(frames, _) => frames.iter_mut().for_each(Frame::copy_out_of_blocks),
            // Only messages to send are shared.
            Frames::Shared(_) => {}
        }
    }

    /// Returns the frame at `index`, counted from zero, or `None` if the message has fewer frames. For all frames of a message
    /// with a known number of frames, use [`into_array`](Self::into_array).
    pub fn get(&self, index: usize) -> Option<&Frame> {
        self.frames().get(index)
    }

    /// Returns the first frame. In a message that a ROUTER sends or receives, this frame is the routing id of the peer.
    /// In a message that a SUB receives, this frame begins with the topic.
    #[doc(alias("zmq_msg_routing_id", "zmq_msg_group"))]
    pub fn head(&self) -> &Frame {
        self.frames().first().expect("a message has at least one frame")
    }

    /// Returns the last frame, which by convention carries the content.
    pub fn body(&self) -> &Frame {
        self.frames().last().expect("a message has at least one frame")
    }

    /// Converts the message into exactly `N` frames. `TryFrom` converts it into `N` values of another type, such as
    /// `Vec<u8>`.
    ///
    /// ```
    /// use sansmq::Message;
    ///
    /// let [topic, body] = Message::from(["topic", "body"]).into_array()?;
    /// assert_eq!((topic, body), ("topic".into(), "body".into()));
    /// # Ok::<(), sansmq::FrameCountError>(())
    /// ```
    ///
    /// # Errors
    /// [`FrameCountError`], with the unchanged message, if the message has another number of frames.
    pub fn into_array<const N: usize>(self) -> Result<[Frame; N], FrameCountError> {
        <[Frame; N]>::try_from(self.into_frames())
            .map_err(|frames| FrameCountError { message: frames.into_iter().collect(), expected: N })
    }

    /// Returns the frames as a vector, which is never empty. `into` also converts into a `Vec<Vec<u8>>` or a `Vec<Bytes>`; the
    /// [list](Self#take-apart) has all conversions.
    ///
    /// ```
    /// use sansmq::{Frame, Message};
    ///
    /// let message = Message::from(["topic", "body"]);
    /// assert_eq!(message.get(1).unwrap(), "body");
    /// assert_eq!(message.clone().into_frames(), [Frame::from("topic"), Frame::from("body")]);
    /// let bytes: Vec<Vec<u8>> = message.into();
    /// assert_eq!(bytes, [b"topic".to_vec(), b"body".to_vec()]);
    /// ```
    pub fn into_frames(self) -> Vec<Frame> {
        match self.0 {
            Frames::One(frame) => vec![frame],
            Frames::Many(frames, _) => frames,
            Frames::Shared(shared) => {
                Arc::try_unwrap(shared).map_or_else(|shared| shared.frames.clone(), |shared| shared.frames)
            }
        }
    }

    /// Inserts a frame before all other frames, as a ROUTER does with the routing id of the sender.
    #[doc(alias("zmq_msg_set_routing_id", "zmq_msg_set_group", "zmsg_pushstr"))]
    pub fn push_front(&mut self, frame: impl Into<Frame>) {
        cost::nodes(self.len());
        self.as_many(1).insert(0, frame.into());
    }

    /// Inserts the frame `head` before all other frames. If the message has one frame, the vector for both is one of `spare`, if
    /// there is one.
    #[inline]
    pub(crate) fn push_head(&mut self, head: Frame, spare: &mut SpareFrames) {
        if let Frames::One(body) = &mut self.0 {
            let mut frames = spare.0.pop().unwrap_or_else(|| Vec::with_capacity(SpareFrames::CAPACITY));
            frames.extend([head, core::mem::take(body)]);
            self.0 = Frames::many(frames);
        } else {
            self.push_front(head);
        }
    }

    /// Removes the first frame, as [`pop_front`](Self::pop_front) does. If one frame is left, gives the vector that contained both
    /// to `spare`.
    #[inline]
    pub(crate) fn pop_head(&mut self, spare: &mut SpareFrames) {
        if let Frames::Many(frames, _) = &mut self.0
            && frames.len() == 2
            && let Some(body) = frames.pop()
        {
            spare.keep(core::mem::take(frames));
            self.0 = Frames::One(body);
        } else {
            self.pop_front();
        }
    }

    /// Takes the message out of `self`, and leaves a message of one empty frame in its place.
    #[inline]
    pub(crate) fn take(&mut self) -> Self {
        core::mem::replace(self, Self(Frames::One(Frame::EMPTY)))
    }

    /// Appends a frame after all other frames.
    #[doc(alias = "zmsg_addstr")]
    pub fn push_back(&mut self, frame: impl Into<Frame>) {
        self.as_many(1).push(frame.into());
    }

    /// Removes the first frame and returns it. Returns `None` and leaves the message unchanged if it has only one frame,
    /// because a message has at least one.
    #[doc(alias = "zmsg_popstr")]
    pub fn pop_front(&mut self) -> Option<Frame> {
        if self.len() == 1 {
            return None;
        }
        Some(self.as_many(0).remove(0))
    }

    /// Inserts the frames `front` before the frames of this message.
    pub(crate) fn prepend(&mut self, front: &[Frame]) {
        match front {
            [] => {}
            [one] => self.push_front(one),
            several => drop(self.as_many(several.len()).splice(0..0, several.iter().cloned())),
        }
    }

    /// Removes the first `count` frames and returns them. The message must have more than `count` frames.
    pub(crate) fn split_front(&mut self, count: usize) -> Vec<Frame> {
        self.drain_front(count).collect()
    }

    /// Removes the first `count` frames. The message must have more than `count` frames.
    pub(crate) fn remove_front(&mut self, count: usize) {
        drop(self.drain_front(count));
    }

    fn drain_front(&mut self, count: usize) -> vec::Drain<'_, Frame> {
        let frames = self.as_many(0);
        debug_assert!(count < frames.len(), "a message has at least one frame");
        frames.drain(..count)
    }

    /// Stores the frames of this message in a vector, unless they are in one already, and returns the vector. If the
    /// message was a single frame, the new vector has capacity for `more` additional frames.
    fn as_many(&mut self, more: usize) -> &mut Vec<Frame> {
        match &mut self.0 {
            Frames::One(frame) => {
                let mut frames = Vec::with_capacity(1 + more);
                frames.push(core::mem::take(frame));
                self.0 = Frames::many(frames);
            }
            Frames::Many(..) => {}
            Frames::Shared(shared) => self.0 = Frames::many(shared.frames.clone()),
        }
        match &mut self.0 {
            Frames::Many(frames, _) => frames,
            Frames::One(_) | Frames::Shared(_) => unreachable!("the match above replaces both variants by `Many`"),
        }
    }
}

// Not derived: the clone of a small message is then an inlined copy, and all other cases are in a function that is not
// inlined.
impl Clone for Message {
    #[inline]
    fn clone(&self) -> Self {
        match &self.0 {
            Frames::One(Frame(Repr::Inline(inline))) => Self(Frames::One(Frame(Repr::Inline(*inline)))),
            several @ (Frames::One(_) | Frames::Many(..) | Frames::Shared(_)) => several.share(),
        }
    }
}

impl Frames {
    /// Creates the frames of a message with several frames, or of one that may get more.
    #[inline]
    const fn many(frames: Vec<Frame>) -> Self {
        Self::Many(frames, Weight { size: 0, allocated: 0 })
    }

    #[inline(never)]
    fn queued_weight(&self) -> Weight {
        match self {
            Self::One(frame) => frame.weigh(),
            Self::Many(_, weight) => *weight,
            Self::Shared(shared) => shared.weigh(),
        }
    }

    // Marked as cold, because the calls then need fewer instructions for messages of one frame.
    #[cold]
    fn allocated(&self) -> usize {
        match self {
            Self::One(frame) => frame.allocated(),
            Self::Many(frames, _) => weigh(frames).allocated,
            Self::Shared(shared) => shared.weigh().allocated,
        }
    }

    // Not inlined, so that messages of one frame need few instructions.
    #[inline(never)]
    fn weigh(&mut self) -> Weight {
        match self {
            Self::One(frame) => frame.weigh(),
            Self::Many(frames, weight) => {
                *weight = weigh(frames);
                *weight
            }
            Self::Shared(shared) => shared.weigh(),
        }
    }

    #[inline(never)]
    fn share(&self) -> Message {
        Message(self.clone())
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.frames() == other.frames()
    }
}

impl Eq for Message {}

impl Hash for Message {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.frames().hash(state);
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.frames()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_keeps_at_least_one_frame() {
        let mut message = Message::from(["a", "b"]);
        assert_eq!(message.pop_front(), Some("a".into()));
        assert_eq!(message.pop_front(), None);
        assert_eq!(message.body(), "b");
        assert_eq!(Message::from_frames(Vec::<Frame>::new()), None);
    }
}
