//! [`Frame`]: a byte string that is cheap to clone and to move.

use super::Weight;
use crate::cost;
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::borrow::Borrow;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Deref;

/// One frame of a message: a byte string that is cheap to clone and to move.
///
/// Up to [`Frame::INLINE`] bytes are stored inside the value, so small frames need no allocation. Longer frames are
/// reference-counted [`Bytes`].
///
/// A received frame of 1 KiB or more may share its read buffer, usually 32 KiB, with neighbouring frames. The whole buffer
/// stays allocated as long as one of these frames exists. To keep a few of many received frames for a long time, keep
/// copies: [`copy_from_slice`](Self::copy_from_slice).
///
/// ```
/// use sansmq::Frame;
///
/// let frame = Frame::from("hello");
/// assert_eq!(frame, b"hello");
/// assert_eq!(frame.to_text(), "hello");
/// ```
///
/// # Conversions
///
/// | from | bytes |
/// |---|---|
/// | `&str`, `&String`, `&[u8]`, `&[u8; N]`, `&Vec<u8>` | copied |
/// | `String`, `Vec<u8>`, `Box<[u8]>`, [`Bytes`], `&Bytes`, `Frame`, `&Frame` | not copied, except up to [`Frame::INLINE`] bytes |
/// | `Cow<str>`, `Cow<[u8]>` | copied if they are borrowed |
/// | `&'static [u8]`, by [`from_static`](Self::from_static) | not copied, except up to [`Frame::INLINE`] bytes |
///
/// Arrays `[u8; N]` do not convert; write `&array`. A number has no fixed form as bytes; write its text, or for example
/// `&number.to_be_bytes()`.
///
/// | to | bytes |
/// |---|---|
/// | `&[u8]`, by dereference or `as_ref` | not copied |
/// | [`Bytes`], by [`into_bytes`](Self::into_bytes) or `into` | copied only if they are stored inside the value |
/// | `Vec<u8>`, `Box<[u8]>`, by `into` | copied, unless the frame is long and the only owner of its bytes |
/// | text, by [`to_text`](Self::to_text), which replaces invalid UTF-8 | copied only if a part is replaced |
/// | `String`, by `String::from_utf8(frame.into())`, which fails for invalid UTF-8 | as to `Vec<u8>` |
///
/// With the feature `serde`, a frame is serialized as bytes, or as an array of numbers in a format without bytes, such as JSON.
///
/// ```
/// use sansmq::Frame;
/// use std::borrow::Cow;
///
/// let name = String::from("sensor 7");
/// assert_eq!(Frame::from(&name), Frame::from(Cow::from("sensor 7")));
///
/// let bytes: Vec<u8> = Frame::from(&name).into();
/// assert_eq!(String::from_utf8(bytes)?, name);
/// # Ok::<(), std::string::FromUtf8Error>(())
/// ```
#[doc(alias("zmq_msg_t", "zframe_t", "zmq_msg_init", "zmq_msg_init_size", "zmq_msg_init_data", "zmq_msg_data"))]
#[doc(alias = "zmq_msg_copy")]
#[derive(Clone)]
pub struct Frame(pub(super) Repr);

/// Maximum number of bytes that a [`Frame`] stores inside the value, without an allocation. Bodies of 64 bytes are
/// frequent. A `Frame` has a size of 72 bytes.
const INLINE: usize = 64;

#[derive(Clone)]
pub(super) enum Repr {
    Inline(Inline),
    /// Bytes outside the value, and the size in bytes of the memory that they keep allocated: of the whole block, if the
    /// bytes are a part of it.
    Shared(Bytes, usize),
}

/// Bytes of a frame that are stored inside the [`Frame`] itself, without an allocation.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Inline {
    // The bytes come first and the length has a whole word, because a message is moved in pieces of 16 bytes and a last
    // piece of 8 bytes. With another layout a load could span two of these stores, and would stall until both have
    // completed.
    bytes: [u8; INLINE],
    len: Len,
}

/// Declares the enum [`Len`] (the lengths that an inline frame can have), and an array of all its variants in ascending
/// order.
macro_rules! lengths {
    ($($len:ident)*) => {
        /// Number of bytes in an `Inline`, from 0 to 64.
        #[derive(Clone, Copy)]
        #[repr(u64)]
        enum Len {
            // The compiler encodes the variants of `Repr`, `Option<Message>` and so on in the values that are no `Len`, so
            // that they need no tag.
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
    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len as usize]
    }
}

impl Frame {
    /// Maximum bytes of a body that is stored inside the value, without an allocation.
    pub const INLINE: usize = INLINE;

    /// The empty frame. As a delimiter it ends an [envelope](crate::message::Envelope).
    pub const EMPTY: Self = Self(Repr::Inline(Inline { bytes: [0; INLINE], len: Len::L0 }));

    /// Creates a frame with a copy of `bytes`.
    #[doc(alias = "zmq_msg_init_buffer")]
    #[inline]
    pub fn copy_from_slice(bytes: &[u8]) -> Self {
        cost::bytes(bytes.len());
        if bytes.len() <= INLINE {
            Self::inline(bytes)
        } else {
            Self(Repr::Shared(Bytes::copy_from_slice(bytes), bytes.len()))
        }
    }

    /// Creates a frame with a copy of `bytes` inside the value, without an allocation. `bytes` must not be longer than
    /// [`INLINE`].
    #[inline]
    fn inline(bytes: &[u8]) -> Self {
        let mut inline = Inline { bytes: [0; INLINE], len: LENGTHS[bytes.len()] };
        inline.bytes[..bytes.len()].copy_from_slice(bytes);
        Self(Repr::Inline(inline))
    }

    /// Creates a frame with a copy of the first `len` bytes of `input`, if `len` is at most [`INLINE`], and `input` has at least
    /// [`INLINE`] bytes.
    #[inline]
    pub(crate) fn small_prefix(input: &[u8], len: usize) -> Option<Self> {
        // Copying a constant number of bytes takes a few instructions, copying `len` bytes a call of `memcpy`. Bytes behind
        // `len` are never read.
        match input.first_chunk() {
            Some(&bytes) if len <= INLINE => Some(Self(Repr::Inline(Inline { bytes, len: LENGTHS[len] }))),
            _ => None,
        }
    }

    /// Creates a frame with a copy of the first `len` bytes of `input`.
    ///
    /// # Panics
    /// If `input` is shorter than `len`.
    #[inline]
    pub(crate) fn copy_prefix(input: &[u8], len: usize) -> Self {
        Self::small_prefix(input, len).unwrap_or_else(|| Self::copy_from_slice(&input[..len]))
    }

    /// Creates a frame from a constant, without an allocation.
    #[doc(alias = "zmq_send_const")]
    pub fn from_static(bytes: &'static [u8]) -> Self {
        Self::from(Bytes::from_static(bytes))
    }

    /// Creates a frame that refers to `bytes`, which keep `held` bytes of memory allocated. Short bytes are copied into the
    /// value.
    #[inline]
    pub(crate) fn in_block(bytes: Bytes, held: usize) -> Self {
        if bytes.len() <= INLINE { Self::inline(&bytes) } else { Self(Repr::Shared(bytes, held)) }
    }

    /// Returns the number of bytes that the frame keeps allocated outside the value.
    #[inline]
    pub(crate) const fn allocated(&self) -> usize {
        match &self.0 {
            Repr::Inline(_) => 0,
            Repr::Shared(_, held) => *held,
        }
    }

    /// Returns the weight of a message with only this frame.
    #[inline]
    pub(super) const fn weigh(&self) -> Weight {
        match &self.0 {
            Repr::Inline(inline) => Weight { size: inline.len as usize, allocated: 0 },
            Repr::Shared(bytes, held) => Weight { size: bytes.len(), allocated: *held },
        }
    }

    /// Replaces the frame by a copy, if its bytes are a part of `block`, so that the frame does not keep the block
    /// allocated.
    pub(crate) fn copy_out_of(&mut self, block: &Bytes) {
        let is_part = |bytes: &Bytes| block.as_ptr_range().contains(&bytes.as_ptr());
        if self.as_shared().is_some_and(is_part) {
            *self = Self::copy_from_slice(self);
        }
    }

    /// Replaces the frame by a copy if its bytes may be a part of a read buffer.
    pub(crate) fn copy_out_of_blocks(&mut self) {
        // A longer body has a block of its own.
        const READ_BUFFER: usize = 32 << 10;
        if matches!(&self.0, Repr::Shared(bytes, held) if bytes.len() == *held && *held <= READ_BUFFER) {
            *self = Self::copy_from_slice(self);
        }
    }

    /// Returns the bytes as reference-counted [`Bytes`]. Copies them only if they are stored inline.
    pub fn into_bytes(self) -> Bytes {
        match self.0 {
            Repr::Inline(inline) => Bytes::copy_from_slice(inline.bytes()),
            Repr::Shared(bytes, _) => bytes,
        }
    }

    /// Returns the bytes as text for display. Invalid UTF-8 becomes replacement characters.
    pub fn to_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self)
    }

    /// Returns the number of bytes of the frame. Does not access the bytes themselves.
    #[inline]
    pub(super) const fn size(&self) -> usize {
        match &self.0 {
            Repr::Inline(inline) => inline.len as usize,
            Repr::Shared(bytes, _) => bytes.len(),
        }
    }

    /// Appends the bytes of the frame to `out`, without the frame head of the wire format.
    #[inline]
    pub(crate) fn append_to(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Repr::Inline(inline) => {
                let end = out.len() + inline.len as usize;
                // Copying the whole inline array takes a few instructions, copying a part of it a call of `memcpy`.
                out.extend_from_slice(&inline.bytes);
                out.truncate(end);
            }
            Repr::Shared(bytes, _) => out.extend_from_slice(bytes),
        }
    }

    /// Returns the number of bytes of the frame if they are stored inside the value.
    #[inline]
    pub(super) const fn inline_len(&self) -> Option<usize> {
        match &self.0 {
            Repr::Inline(inline) => Some(inline.len as usize),
            Repr::Shared(..) => None,
        }
    }

    /// Returns the reference-counted buffer with the bytes of the frame, or `None` if the bytes are stored inline.
    pub(crate) const fn as_shared(&self) -> Option<&Bytes> {
        match &self.0 {
            Repr::Inline(_) => None,
            Repr::Shared(bytes, _) => Some(bytes),
        }
    }
}

impl Deref for Frame {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline(inline) => inline.bytes(),
            Repr::Shared(bytes, _) => bytes,
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
        let len = bytes.len();
        Self::in_block(bytes, len)
    }
}

/// Refers to the same bytes without copying them, unless they are short.
impl From<&Bytes> for Frame {
    fn from(bytes: &Bytes) -> Self {
        bytes.clone().into()
    }
}

impl From<Vec<u8>> for Frame {
    fn from(bytes: Vec<u8>) -> Self {
        let capacity = bytes.capacity();
        if bytes.len() <= INLINE { Self::inline(&bytes) } else { Self(Repr::Shared(bytes.into(), capacity)) }
    }
}

impl From<Box<[u8]>> for Frame {
    fn from(bytes: Box<[u8]>) -> Self {
        bytes.into_vec().into()
    }
}

impl From<String> for Frame {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

/// Copies borrowed bytes.
impl From<Cow<'_, [u8]>> for Frame {
    fn from(bytes: Cow<'_, [u8]>) -> Self {
        match bytes {
            Cow::Borrowed(bytes) => bytes.into(),
            Cow::Owned(bytes) => bytes.into(),
        }
    }
}

/// Copies borrowed text.
impl From<Cow<'_, str>> for Frame {
    fn from(text: Cow<'_, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl From<&[u8]> for Frame {
    fn from(bytes: &[u8]) -> Self {
        Self::copy_from_slice(bytes)
    }
}

impl<const N: usize> From<&[u8; N]> for Frame {
    fn from(bytes: &[u8; N]) -> Self {
        Self::copy_from_slice(bytes)
    }
}

impl From<&Vec<u8>> for Frame {
    fn from(bytes: &Vec<u8>) -> Self {
        Self::copy_from_slice(bytes)
    }
}

impl From<&str> for Frame {
    fn from(text: &str) -> Self {
        Self::copy_from_slice(text.as_bytes())
    }
}

impl From<&String> for Frame {
    fn from(text: &String) -> Self {
        Self::copy_from_slice(text.as_bytes())
    }
}

impl From<&Self> for Frame {
    fn from(frame: &Self) -> Self {
        frame.clone()
    }
}

/// Copies the bytes only if they are stored inline; see [`Frame::into_bytes`].
impl From<Frame> for Bytes {
    fn from(frame: Frame) -> Self {
        frame.into_bytes()
    }
}

/// Copies the bytes, unless the frame is their only owner.
impl From<Frame> for Vec<u8> {
    fn from(frame: Frame) -> Self {
        match frame.0 {
            Repr::Inline(inline) => inline.bytes().into(),
            Repr::Shared(bytes, _) => bytes.into(),
        }
    }
}

/// Copies the bytes, unless the frame is their only owner.
impl From<Frame> for Box<[u8]> {
    fn from(frame: Frame) -> Self {
        Vec::from(frame).into()
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
        if self.len() > SHOWN { write!(f, "…({} bytes)", self.len()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use alloc::vec;

    #[test]
    fn small_message_has_72_bytes_and_no_allocation() {
        assert_eq!(size_of::<Frame>(), 72);
        assert_eq!(size_of::<Message>(), 72);
        assert!(Frame::from(vec![1; Frame::INLINE]).as_shared().is_none());
        assert!(Frame::from(vec![1; Frame::INLINE + 1]).as_shared().is_some());
    }

    #[test]
    fn frames_compare_by_content() {
        let long = vec![7; 100];
        assert_eq!(Frame::from(long.clone()), Frame::copy_from_slice(&long));
        assert_eq!(Frame::from(Bytes::from_static(b"id")), Frame::from("id"));
        let (a, b) = (Frame::from("a"), Frame::from("b"));
        assert!(a < b);
    }

    #[test]
    fn frame_converts_from_and_into_byte_strings() {
        for text in ["", "short", "a text of more than 64 bytes, which a frame does not store inside its own value"] {
            let bytes = text.as_bytes();
            let frames = [
                Frame::from(text),
                Frame::from(String::from(text)),
                Frame::from(&String::from(text)),
                Frame::from(bytes),
                Frame::from(bytes.to_vec()),
                Frame::from(&bytes.to_vec()),
                Frame::from(Box::<[u8]>::from(bytes)),
                Frame::from(Bytes::copy_from_slice(bytes)),
                Frame::from(&Bytes::copy_from_slice(bytes)),
                Frame::from(Cow::Borrowed(text)),
                Frame::from(Cow::<str>::Owned(text.into())),
                Frame::from(Cow::Borrowed(bytes)),
                Frame::from(Cow::<[u8]>::Owned(bytes.into())),
                Frame::from(&Frame::from(text)),
            ];
            for frame in frames {
                assert_eq!(frame, text);
                assert_eq!(Vec::<u8>::from(frame.clone()), bytes);
                assert_eq!(&*Box::<[u8]>::from(frame.clone()), bytes);
                assert_eq!(Bytes::from(frame), bytes);
            }
        }
        assert_eq!(Frame::from(&[1, 2]), [1, 2]);
    }

    #[test]
    fn frame_of_owned_long_bytes_is_not_copied() {
        let bytes = vec![7; 100];
        let address = bytes.as_ptr();
        let boxed: Box<[u8]> = Frame::from(bytes).into();
        assert_eq!(boxed.as_ptr(), address);
        let bytes = Vec::<u8>::from(Frame::from(boxed));
        assert_eq!(bytes.as_ptr(), address);
        let shared = Bytes::from(bytes);
        assert_eq!(Bytes::from(Frame::from(&shared)).as_ptr(), address);
    }

    /// `Borrow` requires that a frame and its bytes have the same hash, so that maps with frames as keys can be searched by
    /// bytes.
    #[test]
    fn frames_are_found_in_maps_by_their_bytes() {
        let (short, long) = (Frame::from_static(b"short"), Frame::from_static(&[7; 100]));
        assert!(long.as_shared().is_some());
        let numbers = std::collections::HashMap::from([(short.clone(), 1), (long, 2)]);
        assert_eq!(
            [&b"short"[..], &[7; 100], b"none"].map(|bytes| numbers.get(bytes).copied()),
            [Some(1), Some(2), None]
        );
        assert_eq!(AsRef::<[u8]>::as_ref(&short), b"short");
    }
}
