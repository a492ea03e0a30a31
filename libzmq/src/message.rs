//! [`Message`]: the content of a `zmq_msg_t`, one frame with its properties.

use crate::errno::Errno;
use bytes::Bytes;
use core::ffi::c_void;
use core::fmt;
use core::mem::size_of;
use sansmq::{Frame, Peer};
use std::ffi::{CStr, CString};
use std::sync::Arc;

/// `zmq_msg_t` of C: 64 bytes with the alignment of a pointer. C code owns the memory, and may move it while no function of this
/// library uses it.
#[allow(non_camel_case_types, reason = "the name in C")]
#[repr(C, align(8))]
pub struct zmq_msg_t([u8; 64]);

impl fmt::Debug for zmq_msg_t {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("zmq_msg_t")
    }
}

/// A frame in the memory of a `zmq_msg_t`.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Message {
    /// [`VALID`] with the flags [`MORE`] and [`SHARED`] in its lowest bits. Any other value: memory without a message,
    /// not initialized or closed.
    // The first field, because it is read before the memory is known to contain a message.
    check: u32,
    /// Routing id of the peer of a SERVER or PEER; 0 without one.
    pub(crate) routing_id: u32,
    texts: Option<Box<Texts>>,
    /// Peer that sent the message, if it was received.
    sender: Option<Arc<Peer>>,
    body: Body,
}

const VALID: u32 = 0x5a4d_5140;
/// Flag of a received frame after which another frame of the same message follows.
const MORE: u32 = 1;
/// Flag of a message that shares its bytes with other messages.
const SHARED: u32 = 2;

const _: () =
    assert!(size_of::<Message>() == size_of::<zmq_msg_t>() && align_of::<Message>() == align_of::<zmq_msg_t>());

/// Texts that C code receives as pointers, valid until the message is closed.
#[derive(Debug, Default)]
struct Texts {
    /// Group of a message of a RADIO or DISH.
    group: Option<CString>,
    /// Properties that C code has asked for, by their names.
    properties: Vec<(CString, CString)>,
}

/// Maximum number of bytes that a message stores inside the `zmq_msg_t`.
const INLINE: usize = 38;

#[derive(Debug)]
enum Body {
    Inline([u8; INLINE], u8),
    /// Bytes that only this message has, so that C code can write to them.
    Owned(Box<[u8]>),
    /// Bytes that other messages may have too.
    Shared(Bytes),
}

impl Body {
    /// Stores a copy of bytes, at most [`INLINE`], inside the value.
    #[inline]
    fn inline(source: &[u8]) -> Self {
        let mut bytes = [0; INLINE];
        bytes[..source.len()].copy_from_slice(source);
        #[expect(clippy::cast_possible_truncation, reason = "the array has fewer than 256 bytes")]
        Self::Inline(bytes, source.len() as u8)
    }
}

impl From<Frame> for Body {
    fn from(frame: Frame) -> Self {
        match frame.len() {
            len if len <= INLINE => Self::inline(&frame),
            len if len <= Frame::INLINE => Self::Owned(Box::from(&*frame)),
            _ => Self::Shared(frame.into_bytes()),
        }
    }
}

impl Message {
    pub(crate) const fn empty() -> Self {
        Self::with_body(Body::Inline([0; INLINE], 0))
    }

    const fn with_body(body: Body) -> Self {
        Self { check: VALID, routing_id: 0, texts: None, sender: None, body }
    }

    /// Creates a message with `len` bytes, which C code fills.
    ///
    /// # Errors
    /// `ENOMEM` if there is not enough memory.
    pub(crate) fn with_len(len: usize) -> Result<Self, Errno> {
        Ok(match u8::try_from(len) {
            Ok(short) if len <= INLINE => Self::with_body(Body::Inline([0; INLINE], short)),
            _ => {
                let mut bytes = Vec::new();
                bytes.try_reserve_exact(len).map_err(|_| Errno::NO_MEMORY)?;
                bytes.resize(len, 0);
                Self::with_body(Body::Owned(bytes.into_boxed_slice()))
            }
        })
    }

    /// Copies bytes into a message that [`with_len`](Self::with_len) has created with the same length.
    pub(crate) fn fill(&mut self, source: &[u8]) {
        match &mut self.body {
            Body::Inline(bytes, _) => bytes[..source.len()].copy_from_slice(source),
            Body::Owned(bytes) => bytes.copy_from_slice(source),
            Body::Shared(_) => {}
        }
    }

    /// Creates a message that refers to the bytes of `owner`, without copying them.
    pub(crate) fn with_owner(owner: ForeignBytes) -> Self {
        // Bytes that are never released may be in use elsewhere.
        let check = if owner.free.is_none() { VALID | SHARED } else { VALID };
        Self { check, ..Self::with_body(Body::Shared(Bytes::from_owner(owner))) }
    }

    /// Creates a message from a received frame.
    pub(crate) fn received(frame: Frame, more: bool, sender: Arc<Peer>) -> Self {
        let check = if more { VALID | MORE } else { VALID };
        Self { check, routing_id: 0, texts: None, sender: Some(sender), body: Body::from(frame) }
    }

    /// Creates a message from a received message with one frame that is stored inside the value.
    ///
    /// # Errors
    /// The sender, if the message has several frames or a longer one.
    #[inline]
    pub(crate) fn of_short(message: &sansmq::Message, sender: Arc<Peer>) -> Result<Self, Arc<Peer>> {
        match message.frames() {
            [frame] if frame.len() <= INLINE => {
                let body = Body::inline(frame);
                Ok(Self { check: VALID, routing_id: 0, texts: None, sender: Some(sender), body })
            }
            _ => Err(sender),
        }
    }

    /// Returns the message in the memory of C code.
    ///
    /// # Errors
    /// `EFAULT` if the pointer is null or there is no message.
    ///
    /// # Safety
    /// `message` must be null, or valid for reads and writes of a `zmq_msg_t` that nothing else uses during `'a`. Memory that was
    /// not initialized by a function of this library is detected unless it contains [`VALID`] by chance.
    pub(crate) unsafe fn at<'a>(message: *mut zmq_msg_t) -> Result<&'a mut Self, Errno> {
        let message = message.cast::<Self>();
        if message.is_null() || !message.is_aligned() {
            return Err(Errno::FAULT);
        }
        // SAFETY: The pointer is valid and aligned, the first field is a number, and every content of the memory is one.
        let check = unsafe { message.cast::<u32>().read() };
        if check & !(MORE | SHARED) != VALID {
            return Err(Errno::FAULT);
        }
        // SAFETY: `check` is only stored together with the other fields, and is erased when these are dropped.
        Ok(unsafe { &mut *message })
    }

    /// Stores the message in the memory of C code, without dropping what is there.
    ///
    /// # Errors
    /// `EFAULT` if the pointer is null.
    ///
    /// # Safety
    /// `target` must be null, or valid for writes of a `zmq_msg_t`.
    pub(crate) unsafe fn store(self, target: *mut zmq_msg_t) -> Result<(), Errno> {
        let target = target.cast::<Self>();
        if target.is_null() || !target.is_aligned() {
            return Err(Errno::FAULT);
        }
        // SAFETY: The pointer is valid and aligned.
        unsafe { target.write(self) };
        Ok(())
    }

    /// Removes the message, so that no message is found there until one is stored.
    pub(crate) fn close(&mut self) {
        let mut message = core::mem::replace(self, Self::empty());
        self.check = 0;
        message.check = 0;
    }

    /// Returns a message with the same bytes and properties. Long bytes are not copied.
    pub(crate) fn share(&mut self) -> Self {
        if let Body::Owned(bytes) = &mut self.body {
            self.body = Body::Shared(core::mem::take(bytes).into());
        }
        let body = match &self.body {
            Body::Shared(bytes) => {
                self.check |= SHARED;
                Body::Shared(bytes.clone())
            }
            Body::Inline(bytes, len) => Body::Inline(*bytes, *len),
            Body::Owned(bytes) => Body::Owned(bytes.clone()),
        };
        let group = self.texts.as_ref().and_then(|texts| texts.group.clone());
        let texts = group.map(|group| Box::new(Texts { group: Some(group), properties: Vec::new() }));
        Self { check: self.check, routing_id: self.routing_id, texts, sender: self.sender.clone(), body }
    }

    /// Removes and returns the bytes.
    pub(crate) fn take_frame(&mut self) -> Frame {
        match core::mem::replace(&mut self.body, Body::Inline([0; INLINE], 0)) {
            Body::Inline(bytes, len) => Frame::copy_from_slice(&bytes[..usize::from(len)]),
            Body::Owned(bytes) => bytes.into(),
            Body::Shared(bytes) => bytes.into(),
        }
    }

    /// Puts bytes back that [`take_frame`](Self::take_frame) has returned.
    pub(crate) fn restore(&mut self, frame: Frame) {
        self.body = frame.into();
    }

    pub(crate) fn data(&mut self) -> *mut c_void {
        match &mut self.body {
            Body::Inline(bytes, _) => bytes.as_mut_ptr().cast(),
            Body::Owned(bytes) => bytes.as_mut_ptr().cast(),
            // The manual forbids writing to the bytes of a message that was copied or received.
            Body::Shared(bytes) => bytes.as_ptr().cast_mut().cast(),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.body {
            Body::Inline(bytes, len) => &bytes[..usize::from(*len)],
            Body::Owned(bytes) => bytes,
            Body::Shared(bytes) => bytes,
        }
    }

    pub(crate) const fn has_more(&self) -> bool {
        self.check & MORE != 0
    }

    pub(crate) const fn is_shared(&self) -> bool {
        self.check & SHARED != 0
    }

    pub(crate) fn group(&self) -> &CStr {
        self.texts.as_ref().and_then(|texts| texts.group.as_deref()).unwrap_or_default()
    }

    pub(crate) fn set_group(&mut self, group: CString) {
        self.texts.get_or_insert_default().group = Some(group);
    }

    /// Returns the property with this name of the peer that sent the message.
    pub(crate) fn property(&mut self, name: &CStr) -> Option<&CStr> {
        let text = CString::new(property(self.sender.as_ref()?, name.to_bytes())?).ok()?;
        let known = &mut self.texts.get_or_insert_default().properties;
        let index = known.iter().position(|(known, _)| **known == *name).unwrap_or_else(|| {
            known.push((name.to_owned(), text));
            known.len() - 1
        });
        known.get(index).map(|(_, text)| text.as_c_str())
    }
}

/// Returns the value of the property `name` of a peer, as `zmq_msg_gets` defines the names.
fn property(peer: &Peer, name: &[u8]) -> Option<Vec<u8>> {
    match name {
        b"Socket-Type" => Some(peer.socket_type.name().into()),
        b"Identity" | b"Routing-Id" => Some(peer.routing_id.to_vec()),
        b"User-Id" => peer.user_id.as_ref().map(|id| id.to_vec()),
        b"Peer-Address" => peer.address.as_ref().map(|endpoint| match endpoint.socket_addr() {
            Some(address) => address.ip().to_string().into_bytes(),
            None => endpoint.to_string().into_bytes(),
        }),
        _ => {
            let name = core::str::from_utf8(name).ok()?;
            peer.properties.get(name).or_else(|| peer.metadata.get(name)).map(|value| value.to_vec())
        }
    }
}

/// Function of C code that releases the bytes of `zmq_msg_init_data`.
pub(crate) type FreeFunction = unsafe extern "C" fn(data: *mut c_void, hint: *mut c_void);

/// Bytes that C code owns until its function is called.
#[derive(Debug)]
pub(crate) struct ForeignBytes {
    data: *const u8,
    len: usize,
    free: Option<FreeFunction>,
    hint: *mut c_void,
}

impl ForeignBytes {
    /// # Safety
    /// `data` must be valid for reads of `len` bytes until `free` is called, or without end if `free` is `None`. `free` must be
    /// callable from any thread.
    pub(crate) const unsafe fn new(
        data: *const c_void,
        len: usize,
        free: Option<FreeFunction>,
        hint: *mut c_void,
    ) -> Self {
        Self { data: data.cast(), len, free, hint }
    }
}

impl AsRef<[u8]> for ForeignBytes {
    fn as_ref(&self) -> &[u8] {
        if self.data.is_null() {
            return &[];
        }
        // SAFETY: The creator of the value has promised that the bytes are readable until it is dropped.
        unsafe { core::slice::from_raw_parts(self.data, self.len) }
    }
}

impl Drop for ForeignBytes {
    fn drop(&mut self) {
        if let Some(free) = self.free {
            // SAFETY: The creator of the value has promised that the function can be called in any thread. It is called once.
            unsafe { free(self.data.cast_mut().cast(), self.hint) };
        }
    }
}

// SAFETY: The bytes are only read, and the creator of the value has promised that `free` can be called in any thread.
unsafe impl Send for ForeignBytes {}
// SAFETY: As above.
unsafe impl Sync for ForeignBytes {}
