//! [`Message`] and [`Frame`]: what travels. Knows nothing of sockets or octets on a wire.

mod envelope;

pub use envelope::Envelope;

use alloc::string::String;
use alloc::sync::Arc;
use alloc::{
    vec,
    vec::{IntoIter, Vec},
};
use bytes::Bytes;
use core::borrow::Borrow;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Deref;

/// One frame of a message: a string of octets, cheap to clone and to move.
///
/// Up to [`Frame::INLINE`] octets live inside the value, so small frames cost no allocation; longer ones are a
/// reference-counted [`Bytes`]. One of a kibibyte or more that was received may share the block it was read into with what came
/// before and after it, which keeps the whole block, of 32 KiB most often, for as long as the frame lives. To keep few of many
/// received frames for long, keep copies: [`copy_from_slice`](Self::copy_from_slice).
///
/// ```
/// use sansmq_proto::Frame;
///
/// let frame = Frame::from("hello");
/// assert_eq!(frame, b"hello");
/// assert_eq!(frame.to_text(), "hello");
/// ```
#[derive(Clone)]
pub struct Frame(Repr);

/// 64 octets inline make a frame 72 octets: a 64-octet body, the commonest of small sizes, stays inline.
const INLINE: usize = 64;

#[derive(Clone)]
enum Repr {
    Inline(Inline),
    Shared(Bytes),
}

/// A small body. The octets come first, and the length takes a whole word: messages are moved in pieces of sixteen and a
/// last one of eight, and a load that reaches over two stores of the last move waits for both, and for all before them.
#[derive(Clone, Copy)]
#[repr(C)]
struct Inline {
    octets: [u8; INLINE],
    len: Len,
}

/// Declares [`Len`], and all of them in order.
macro_rules! lengths {
    ($($len:ident)*) => {
        /// How many octets of a small body there are. By the numbers that are none of these the compiler tells the variants of
        /// [`Repr`], `Option<Message>` and so on, so that none needs a tag.
        #[derive(Clone, Copy)]
        #[repr(u64)]
        enum Len {
            $($len),*
        }

        const LENGTHS: [Len; INLINE + 1] = [$(Len::$len),*];
    };
}

lengths! {
    L0 L1 L2 L3 L4 L5 L6 L7 L8 L9 L10 L11 L12 L13 L14 L15 L16
    L17 L18 L19 L20 L21 L22 L23 L24 L25 L26 L27 L28 L29 L30 L31 L32 L33
    L34 L35 L36 L37 L38 L39 L40 L41 L42 L43 L44 L45 L46 L47 L48 L49 L50
    L51 L52 L53 L54 L55 L56 L57 L58 L59 L60 L61 L62 L63 L64
}

impl Inline {
    #[inline]
    fn octets(&self) -> &[u8] {
        &self.octets[..self.len as usize]
    }
}

impl Frame {
    /// The longest body that is kept inside the value, without an allocation.
    pub const INLINE: usize = INLINE;

    /// The frame of no octets; as a delimiter it ends an [envelope](crate::message::Envelope).
    pub const EMPTY: Self = Self(Repr::Inline(Inline { octets: [0; INLINE], len: Len::L0 }));

    /// A frame holding a copy of `octets`.
    #[inline]
    pub fn copy_from_slice(octets: &[u8]) -> Self {
        if octets.len() <= INLINE { Self::inline(octets) } else { Self(Repr::Shared(Bytes::copy_from_slice(octets))) }
    }

    /// A frame of so many octets that they fit.
    #[inline]
    fn inline(octets: &[u8]) -> Self {
        let mut inline = Inline { octets: [0; INLINE], len: LENGTHS[octets.len()] };
        inline.octets[..octets.len()].copy_from_slice(octets);
        Self(Repr::Inline(inline))
    }

    /// A frame holding a copy of the first `len` octets of `input`. Where more than [`INLINE`] lie there, a copy of that
    /// many is a handful of instructions, while one of `len` is a call; what is too much is never looked at.
    ///
    /// # Panics
    /// If `input` is shorter than `len`.
    #[inline]
    pub(crate) fn copy_of_front(input: &[u8], len: usize) -> Self {
        match input.first_chunk() {
            Some(&octets) if len <= INLINE => Self(Repr::Inline(Inline { octets, len: LENGTHS[len] })),
            _ => Self::copy_from_slice(&input[..len]),
        }
    }

    /// A frame of a constant; never copies or allocates.
    pub fn from_static(octets: &'static [u8]) -> Self {
        Self::from(Bytes::from_static(octets))
    }

    /// The octets as reference-counted [`Bytes`]; copies only if they were inline.
    pub fn into_bytes(self) -> Bytes {
        match self.0 {
            Repr::Inline(inline) => Bytes::copy_from_slice(inline.octets()),
            Repr::Shared(bytes) => bytes,
        }
    }

    /// The octets as text for people: UTF-8 where it is, replacement characters where it is not.
    pub fn to_text(&self) -> alloc::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self)
    }

    /// How many octets there are, without a look at them.
    #[inline]
    const fn size(&self) -> usize {
        match &self.0 {
            Repr::Inline(inline) => inline.len as usize,
            Repr::Shared(bytes) => bytes.len(),
        }
    }

    /// Appends the octets to `out`. A copy of all the room inside the value is a handful of instructions, while one of what is
    /// used of it is a call; what is too much goes again.
    #[inline]
    pub(crate) fn append_to(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Repr::Inline(inline) => {
                let end = out.len() + inline.len as usize;
                out.extend_from_slice(&inline.octets);
                out.truncate(end);
            }
            Repr::Shared(bytes) => out.extend_from_slice(bytes),
        }
    }

    /// The shared buffer, if the octets are not inline.
    pub(crate) const fn as_shared(&self) -> Option<&Bytes> {
        match &self.0 {
            Repr::Inline(_) => None,
            Repr::Shared(bytes) => Some(bytes),
        }
    }
}

impl Deref for Frame {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline(inline) => inline.octets(),
            Repr::Shared(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Borrow<[u8]> for Frame {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl Default for Frame {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl From<Bytes> for Frame {
    fn from(bytes: Bytes) -> Self {
        if bytes.len() <= INLINE { Self::inline(&bytes) } else { Self(Repr::Shared(bytes)) }
    }
}

impl From<Vec<u8>> for Frame {
    fn from(octets: Vec<u8>) -> Self {
        if octets.len() <= INLINE { Self::inline(&octets) } else { Self(Repr::Shared(octets.into())) }
    }
}

impl From<String> for Frame {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl From<&[u8]> for Frame {
    fn from(octets: &[u8]) -> Self {
        Self::copy_from_slice(octets)
    }
}

impl<const N: usize> From<&[u8; N]> for Frame {
    fn from(octets: &[u8; N]) -> Self {
        Self::copy_from_slice(octets)
    }
}

impl From<&str> for Frame {
    fn from(text: &str) -> Self {
        Self::copy_from_slice(text.as_bytes())
    }
}

impl From<&Self> for Frame {
    fn from(frame: &Self) -> Self {
        frame.clone()
    }
}

impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Frame {}

impl PartialEq<[u8]> for Frame {
    fn eq(&self, other: &[u8]) -> bool {
        **self == *other
    }
}

impl<const N: usize> PartialEq<[u8; N]> for Frame {
    fn eq(&self, other: &[u8; N]) -> bool {
        **self == *other
    }
}

impl<T: ?Sized> PartialEq<&T> for Frame
where
    Self: PartialEq<T>,
{
    fn eq(&self, other: &&T) -> bool {
        *self == **other
    }
}

impl PartialEq<str> for Frame {
    fn eq(&self, other: &str) -> bool {
        **self == *other.as_bytes()
    }
}

impl PartialOrd for Frame {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Frame {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl Hash for Frame {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 48;
        write!(f, "\"{}\"", self[..self.len().min(SHOWN)].escape_ascii())?;
        if self.len() > SHOWN { write!(f, "…({} octets)", self.len()) } else { Ok(()) }
    }
}

/// One or more frames, sent whole or not at all (RFC 37, "Framing").
///
/// Whatever looks like a frame is a message of one frame; arrays, vectors and iterators of frames are messages of
/// several.
///
/// ```
/// use sansmq_proto::Message;
///
/// let plain = Message::from("Hello ROUTER");
/// assert_eq!(plain.body(), "Hello ROUTER");
///
/// let meta_and_body = Message::from(["META:userid=1234", "Hello World"]);
/// let [meta, body] = meta_and_body.into_array().expect("two frames were sent");
/// assert_eq!((meta.to_text(), body.to_text()), ("META:userid=1234".into(), "Hello World".into()));
/// ```
pub struct Message(Frames);

#[derive(Clone)]
enum Frames {
    One(Frame),
    /// Never empty; may hold a single frame.
    Many(Vec<Frame>),
    /// Several, on their way to many peers.
    Shared(Arc<Shared>),
}

/// Frames that many peers are sent, encoded once for all of them.
struct Shared {
    frames: Vec<Frame>,
    /// All of it as it goes over the wire; empty if it is long, for then it is not copied.
    wire: Vec<u8>,
}

impl Message {
    /// The message of these frames; `None` if there are none, since a message has at least one.
    pub fn from_frames(frames: impl IntoIterator<Item = impl Into<Frame>>) -> Option<Self> {
        let frames: Vec<Frame> = frames.into_iter().map(Into::into).collect();
        (!frames.is_empty()).then_some(Self(Frames::Many(frames)))
    }

    /// The message of these frames, of which there must be one.
    pub(crate) fn from_vec(frames: Vec<Frame>) -> Self {
        debug_assert!(!frames.is_empty(), "a message has at least one frame");
        Self(Frames::Many(frames))
    }

    /// The frames, of which there is at least one.
    #[inline]
    pub fn frames(&self) -> &[Frame] {
        match &self.0 {
            Frames::One(frame) => core::slice::from_ref(frame),
            Frames::Many(frames) => frames,
            Frames::Shared(shared) => &shared.frames,
        }
    }

    /// The same message in a form that costs little to clone and to encode, for `encode` has written it once.
    pub(crate) fn into_shared(self, encode: impl FnOnce(&[Frame]) -> Vec<u8>) -> Self {
        match self.0 {
            Frames::Many(frames) => {
                let wire = encode(&frames);
                Self(Frames::Shared(Arc::new(Shared { frames, wire })))
            }
            one_or_shared @ (Frames::One(_) | Frames::Shared(_)) => Self(one_or_shared),
        }
    }

    /// The octets of all frames on the wire, if they are there already.
    #[inline]
    pub(crate) fn wire(&self) -> Option<&[u8]> {
        match &self.0 {
            Frames::Shared(shared) if !shared.wire.is_empty() => Some(&shared.wire),
            Frames::One(_) | Frames::Many(_) | Frames::Shared(_) => None,
        }
    }

    /// The frames in order.
    pub fn iter(&self) -> core::slice::Iter<'_, Frame> {
        self.frames().iter()
    }

    /// How many frames there are; never zero.
    #[expect(clippy::len_without_is_empty, reason = "a message is never empty")]
    #[inline]
    pub fn len(&self) -> usize {
        self.frames().len()
    }

    /// Octets in all frames together.
    #[inline]
    pub fn size(&self) -> usize {
        match &self.0 {
            // The usual case, for which a sum would be a loop; sizes are asked for wherever messages are counted.
            Frames::One(frame) => frame.size(),
            Frames::Many(frames) => frames.iter().map(Frame::size).sum(),
            Frames::Shared(shared) => shared.frames.iter().map(Frame::size).sum(),
        }
    }

    /// The frame at `index`, counted from zero.
    pub fn get(&self, index: usize) -> Option<&Frame> {
        self.frames().get(index)
    }

    /// The first frame: for a ROUTER the peer's routing id, for a SUB the topic.
    pub fn head(&self) -> &Frame {
        self.frames().first().expect("a message has at least one frame")
    }

    /// The last frame, which by custom carries the content.
    pub fn body(&self) -> &Frame {
        self.frames().last().expect("a message has at least one frame")
    }

    /// Takes the message apart into exactly `N` frames.
    ///
    /// # Errors
    /// Gives the message back if it has another number of frames.
    pub fn into_array<const N: usize>(self) -> Result<[Frame; N], Self> {
        <[Frame; N]>::try_from(self.into_frames()).map_err(|frames| Self(Frames::Many(frames)))
    }

    /// The frames as a vector, which is never empty.
    pub fn into_frames(self) -> Vec<Frame> {
        match self.0 {
            Frames::One(frame) => vec![frame],
            Frames::Many(frames) => frames,
            Frames::Shared(shared) => {
                Arc::try_unwrap(shared).map_or_else(|shared| shared.frames.clone(), |it| it.frames)
            }
        }
    }

    /// Puts a frame in front, as a ROUTER does with the routing id.
    pub fn push_front(&mut self, frame: impl Into<Frame>) {
        self.as_many(1).insert(0, frame.into());
    }

    /// Takes the message out of its place, where an empty one is left.
    #[inline]
    pub(crate) fn take(&mut self) -> Self {
        core::mem::replace(self, Self(Frames::One(Frame::EMPTY)))
    }

    /// Puts a frame at the end.
    pub fn push_back(&mut self, frame: impl Into<Frame>) {
        self.as_many(1).push(frame.into());
    }

    /// Takes the first frame off; `None` if it is the only one, for a message has at least one frame.
    pub fn pop_front(&mut self) -> Option<Frame> {
        if self.len() == 1 {
            return None;
        }
        Some(self.as_many(0).remove(0))
    }

    /// Puts `front` before the frames of this message, in order.
    pub(crate) fn prepend(&mut self, front: &[Frame]) {
        match front {
            [] => {}
            [one] => self.push_front(one),
            several => drop(self.as_many(several.len()).splice(0..0, several.iter().cloned())),
        }
    }

    /// Takes the first `count` frames off; there must be more than that.
    pub(crate) fn split_front(&mut self, count: usize) -> Vec<Frame> {
        let frames = self.as_many(0);
        debug_assert!(count < frames.len(), "something must be left");
        frames.drain(..count).collect()
    }

    fn as_many(&mut self, more: usize) -> &mut Vec<Frame> {
        match &mut self.0 {
            Frames::One(frame) => {
                let mut frames = Vec::with_capacity(1 + more);
                frames.push(core::mem::take(frame));
                self.0 = Frames::Many(frames);
            }
            Frames::Many(_) => {}
            Frames::Shared(shared) => self.0 = Frames::Many(shared.frames.clone()),
        }
        match &mut self.0 {
            Frames::Many(frames) => frames,
            Frames::One(_) | Frames::Shared(_) => unreachable!("it has just been made several"),
        }
    }
}

/// The clone of a small message is a copy; to find that out in the same place as all else would take it apart.
impl Clone for Message {
    #[inline]
    fn clone(&self) -> Self {
        match &self.0 {
            Frames::One(Frame(Repr::Inline(inline))) => Self(Frames::One(Frame(Repr::Inline(*inline)))),
            several @ (Frames::One(_) | Frames::Many(_) | Frames::Shared(_)) => several.share(),
        }
    }
}

impl Frames {
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

impl<T: Into<Frame>> From<T> for Message {
    fn from(frame: T) -> Self {
        Self(Frames::One(frame.into()))
    }
}

/// A message of several frames, all given as the same type. Arrays of no frames do not compile.
impl<T: Into<Frame>, const N: usize> From<[T; N]> for Message {
    fn from(frames: [T; N]) -> Self {
        const { assert!(N > 0, "a message has at least one frame") };
        Self(Frames::Many(frames.into_iter().map(Into::into).collect()))
    }
}

/// Two frames of different types: `("META:userid=1234", body)`.
impl<A: Into<Frame>, B: Into<Frame>> From<(A, B)> for Message {
    fn from((a, b): (A, B)) -> Self {
        Self(Frames::Many(vec![a.into(), b.into()]))
    }
}

/// Three frames of different types: `(client_id, "", "ACK")`.
impl<A: Into<Frame>, B: Into<Frame>, C: Into<Frame>> From<(A, B, C)> for Message {
    fn from((a, b, c): (A, B, C)) -> Self {
        Self(Frames::Many(vec![a.into(), b.into(), c.into()]))
    }
}

/// Four frames of different types: `(client_id, "", request_id, answer)`.
impl<A: Into<Frame>, B: Into<Frame>, C: Into<Frame>, D: Into<Frame>> From<(A, B, C, D)> for Message {
    fn from((a, b, c, d): (A, B, C, D)) -> Self {
        Self(Frames::Many(vec![a.into(), b.into(), c.into(), d.into()]))
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

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.frames()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_message_fits_in_72_octets_and_needs_no_allocation() {
        assert_eq!(size_of::<Frame>(), 72);
        assert_eq!(size_of::<Message>(), 72);
        assert!(Frame::from(vec![1; Frame::INLINE]).as_shared().is_none());
        assert!(Frame::from(vec![1; Frame::INLINE + 1]).as_shared().is_some());
    }

    #[test]
    fn frames_compare_by_content_however_they_are_kept() {
        let long = vec![7; 100];
        assert_eq!(Frame::from(long.clone()), Frame::copy_from_slice(&long));
        assert_eq!(Frame::from(Bytes::from_static(b"id")), Frame::from("id"));
        let (a, b) = (Frame::from("a"), Frame::from("b"));
        assert!(a < b);
    }

    #[test]
    fn a_message_keeps_at_least_one_frame() {
        let mut message = Message::from(["a", "b"]);
        assert_eq!(message.pop_front(), Some("a".into()));
        assert_eq!(message.pop_front(), None);
        assert_eq!(message.body(), "b");
        assert_eq!(Message::from_frames(Vec::<Frame>::new()), None);
    }

    #[test]
    fn the_wrong_number_of_frames_gives_the_message_back() {
        let message = Message::from(["a", "b"]).into_array::<3>().unwrap_err();
        assert_eq!(message, Message::from(["a", "b"]));
    }
}
