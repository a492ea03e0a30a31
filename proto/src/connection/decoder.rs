//! [`Decoder`]: decodes bytes, in pieces of any size, to messages and commands. Each size is checked against its limit
//! before memory is allocated.

use super::read_buffers::ReadBuffers;
use crate::connection::config::ConnectionConfig;
use crate::connection::error::ConnectionError;
use crate::cost;
use crate::message::{Frame, Message};
use crate::wire::{DecodeError, FrameHead, LONG, MAX_HEAD_1_0, MORE};
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};

/// Decoder of received bytes. It keeps partly received frames and messages until the next input.
#[derive(Debug)]
pub(super) struct Decoder {
    /// Received bytes of an incomplete frame head. Only the first `head_len` bytes are used.
    head: [u8; MAX_HEAD_1_0],
    head_len: usize,
    /// True if received frame heads have the format of ZMTP 1.0.
    pub(super) is_1_0: bool,
    /// Frame body that is partly received; `None` if the next input begins with a frame head.
    body: Option<Body>,
    /// Complete frames of a message that is partly received.
    frames: Vec<Frame>,
    /// Total size in bytes of the frames in `frames`.
    size: usize,
    /// Memory in bytes that the frames in `frames` hold outside their values.
    allocated: usize,
    /// Number of bytes in frames that refer to the block of the present input. Reset by the caller for each block.
    pub(super) shared: usize,
    /// Memory of the vectors of all decoded messages with several frames, in bytes. Reset by the caller.
    // Such a message can need a hundred times the memory of its encoded form.
    pub(super) vectors: usize,
    /// Memory blocks for large message bodies. A block is reused once no message refers to it any more.
    pub(super) blocks: ReadBuffers,
}

/// Frame body that is partly received.
#[derive(Debug)]
pub(super) struct Body {
    head: FrameHead,
    size: usize,
    /// Buffer for the body, which grows as input arrives. The first `filled` bytes are received.
    bytes: BytesMut,
    filled: usize,
}

/// Message or command that was decoded from input.
#[derive(Debug)]
pub(super) enum Item {
    Message(Message),
    Command(Frame),
}

/// Minimum number of missing bytes of a body for a direct read. A direct read goes from the stream into the buffer of
/// the body. A shorter rest is read into the shared read buffer and copied.
const DIRECT_READ: usize = 16 << 10;

/// Minimum size in bytes of a body that is not copied, but refers to the memory block that it was read into. The block
/// is freed when no body refers to it any more.
pub(super) const SHARE_FROM: usize = 1 << 10;

/// Maximum size of a received command in bytes. It is larger than any sensible READY. The limit for messages,
/// `max_message_size`, does not apply to commands.
pub(super) const MAX_COMMAND: u64 = 128 << 10;

impl Decoder {
    pub(super) const fn new() -> Self {
        Self {
            head: [0; MAX_HEAD_1_0],
            head_len: 0,
            is_1_0: false,
            body: None,
            frames: Vec::new(),
            size: 0,
            allocated: 0,
            shared: 0,
            vectors: 0,
            blocks: ReadBuffers::new(),
        }
    }

    /// Decodes the message or command at the front of `input`, and removes its bytes from `input`. A message or command
    /// that began in earlier input is continued. Returns `None` if all input is consumed and more is needed. `block` is
    /// the shared memory that contains `input`, if any; large bodies then refer to it and are not copied.
    #[inline]
    pub(super) fn next(
        &mut self,
        input: &mut &[u8],
        block: Option<&Bytes>,
        config: &ConnectionConfig,
    ) -> Result<Option<Item>, ConnectionError> {
        loop {
            let (head, frame) = if self.is_in_body() {
                let Some(body) = self.resume(input) else {
                    return Ok(None);
                };
                (body.head, body.into_frame(&mut self.blocks))
            } else {
                let Some(head) = self.head(input)? else {
                    return Ok(None);
                };
                let size = self.check(head, config)?;
                if input.len() < size {
                    self.begin(head, size, input);
                    return Ok(None);
                }
                // A command is dropped soon, and then no longer uses its part of the block.
                let block = block.filter(|_| !head.command);
                let frame = front(input, size, block, &mut self.shared);
                *input = &input[size..];
                (head, frame)
            };
            if head.command {
                return Ok(Some(Item::Command(frame)));
            }
            if let Some(message) = self.join(head, frame) {
                return Ok(Some(Item::Message(message)));
            }
        }
    }

    /// Decodes the messages at the front of `input`, removes their bytes, and passes each message to `take`. Stops at the first that
    /// is incomplete or exceeds a limit; [`next`](Self::next) then decodes it or returns the error. `block` is the shared memory
    /// that contains `input`, if any; large bodies then refer to it and are not copied.
    // Decodes heads and checks limits itself: with `FrameHead::decode` and `check` a short message takes twice as long. Small
    // messages go straight from `input` to `take`: each move in between takes as long as the rest.
    #[inline]
    pub(super) fn whole_messages(
        &mut self,
        input: &mut &[u8],
        block: Option<&Bytes>,
        config: &ConnectionConfig,
        mut take: impl FnMut(Message),
    ) {
        if self.head_len > 0 || self.is_in_message() || config.max_frames == 0 {
            return;
        }
        while let Some((more, size, rest)) = split_head(input) {
            if size > config.max_message_size || size > rest.len() {
                return;
            }
            if more {
                let Some(message) = self.whole_frames(input, block, config) else { return };
                take(message);
                continue;
            }
            *input = &rest[size..];
            match Frame::small_prefix(rest, size) {
                Some(frame) => {
                    cost::bytes(size);
                    take(frame.into());
                }
                None => take(front(rest, size, block, &mut self.shared).into()),
            }
        }
    }

    /// Decodes the frame in which a peer of a version before ZMTP 3 sends its routing id. Returns `None` if more input
    /// is needed.
    pub(super) fn routing_id(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, ConnectionError> {
        if !self.is_in_body() {
            let Some(head) = self.head(input)? else {
                return Ok(None);
            };
            if head.more || head.command {
                return Err(ConnectionError::Unexpected("a routing id must be a single frame and not a command"));
            }
            let size = usize::from(u8::try_from(head.size).map_err(|_| DecodeError::RoutingId)?);
            if let Some((body, rest)) = input.split_at_checked(size) {
                *input = rest;
                return Ok(Some(Frame::copy_from_slice(body)));
            }
            self.begin(head, size, input);
        }
        Ok(self.resume(input).map(|body| body.into_frame(&mut self.blocks)))
    }

    /// Returns true if a frame body is partly received.
    #[inline]
    pub(super) const fn is_in_body(&self) -> bool {
        self.body.is_some()
    }

    /// Returns true if a message or command is partly received, and more than the head of its first frame.
    #[inline]
    pub(super) const fn is_in_message(&self) -> bool {
        self.body.is_some() || !self.frames.is_empty()
    }

    /// Decodes a frame head, which may arrive in pieces. Returns `None` if more input is needed.
    #[inline]
    pub(super) fn head(&mut self, input: &mut &[u8]) -> Result<Option<FrameHead>, ConnectionError> {
        if self.head_len == 0
            && let Some((head, used)) = self.decode_head(input)?
        {
            *input = &input[used..];
            return Ok(Some(head));
        }
        self.head_in_pieces(input)
    }

    #[inline]
    fn decode_head(&self, input: &[u8]) -> Result<Option<(FrameHead, usize)>, DecodeError> {
        if self.is_1_0 { FrameHead::decode_1_0(input) } else { FrameHead::decode(input) }
    }

    #[cold]
    fn head_in_pieces(&mut self, input: &mut &[u8]) -> Result<Option<FrameHead>, ConnectionError> {
        while let Some((&byte, rest)) = input.split_first() {
            cost::nodes(1);
            *input = rest;
            self.head[self.head_len] = byte;
            self.head_len += 1;
            if let Some((head, _)) = self.decode_head(&self.head[..self.head_len])? {
                self.head_len = 0;
                return Ok(Some(head));
            }
        }
        Ok(None)
    }

    /// Checks a received frame head, before the body is received: a command against [`MAX_COMMAND`], a message against
    /// the maximum size and number of frames in `config`. Returns the size of the body in bytes.
    #[inline]
    pub(super) fn check(&self, head: FrameHead, config: &ConnectionConfig) -> Result<usize, ConnectionError> {
        let (limit, before) =
            if head.command { (MAX_COMMAND, 0) } else { (config.max_message_size as u64, self.size as u64) };
        let size = head.size.saturating_add(before);
        if size > limit {
            return Err(ConnectionError::TooLarge { size, limit });
        }
        if !head.command && self.frames.len() >= config.max_frames {
            return Err(ConnectionError::TooManyFrames { limit: config.max_frames });
        }
        usize::try_from(head.size).map_err(|_| ConnectionError::TooLarge { size, limit })
    }

    /// Starts to receive a frame body of `size` bytes. `input` contains the first part of the body, but not all of it.
    pub(super) fn begin(&mut self, head: FrameHead, size: usize, input: &mut &[u8]) {
        let bytes = self.blocks.grant(size, input.len());
        self.body = Some(Body { head, size, bytes, filled: 0 });
        self.fill(input);
    }

    /// Adds input to the partly received body. Returns the body once it is complete, or `None` if more input is needed.
    pub(super) fn resume(&mut self, input: &mut &[u8]) -> Option<Body> {
        self.fill(input);
        self.body.take_if(|body| body.filled == body.size)
    }

    fn fill(&mut self, input: &mut &[u8]) {
        let Some(body) = &mut self.body else { return };
        while !input.is_empty() && body.filled < body.size {
            body.grow(&mut self.blocks);
            let count = body.space().len().min(input.len());
            cost::bytes(count);
            let (front, rest) = input.split_at(count);
            body.bytes[body.filled..body.filled + count].copy_from_slice(front);
            body.filled += count;
            *input = rest;
        }
    }

    /// Returns the missing part of a large body as a buffer, so that the caller can read from the stream directly into
    /// it. Returns `None` if no body is partly received, or if fewer than [`DIRECT_READ`] bytes are missing.
    pub(super) fn body_space(&mut self) -> Option<&mut [u8]> {
        let body = self.body.as_mut().filter(|body| body.size - body.filled >= DIRECT_READ)?;
        body.grow(&mut self.blocks);
        Some(body.space())
    }

    /// Returns true if a command is partly received.
    pub(super) fn is_in_command(&self) -> bool {
        self.body.as_ref().is_some_and(|body| body.head.command)
    }

    /// Records that the caller has read `count` bytes into the buffer returned by [`body_space`](Self::body_space).
    pub(super) fn filled(&mut self, count: usize) {
        if let Some(body) = &mut self.body {
            body.filled = (body.filled + count).min(body.size);
        }
    }

    /// Adds a frame to the message that is partly received. Returns the message if `frame` is its last frame, otherwise
    /// `None`.
    #[inline]
    pub(super) fn join(&mut self, head: FrameHead, frame: Frame) -> Option<Message> {
        if !head.more && self.frames.is_empty() {
            return Some(Message::from(frame));
        }
        self.join_several(head, frame)
    }

    fn join_several(&mut self, head: FrameHead, frame: Frame) -> Option<Message> {
        cost::frames(1);
        self.size += frame.len();
        self.allocated += frame.allocated();
        self.frames.push(frame);
        if head.more {
            return None;
        }
        (self.size, self.allocated) = (0, 0);
        self.vectors += self.frames.capacity() * size_of::<Frame>();
        Some(Message::from_vec(core::mem::take(&mut self.frames)))
    }

    /// Decodes the message at the front of `input`, which may have several frames, and removes its bytes. If the message
    /// is incomplete or exceeds a limit, returns `None` and leaves `input` unchanged. `block` is the shared memory that
    /// contains `input`, if any; large bodies then refer to it and are not copied.
    fn whole_frames(&mut self, input: &mut &[u8], block: Option<&Bytes>, config: &ConnectionConfig) -> Option<Message> {
        // Most messages are an envelope of a few frames and a body.
        let mut frames = Vec::with_capacity(4);
        let (mut left, mut total, mut more) = (*input, 0_usize, true);
        while more {
            let (follows, size, rest) = split_head(left)?;
            total = total.saturating_add(size);
            if total > config.max_message_size || size > rest.len() || frames.len() >= config.max_frames {
                return None;
            }
            cost::nodes(1);
            frames.push(front(rest, size, block, &mut self.shared));
            (left, more) = (&rest[size..], follows);
        }
        *input = left;
        self.vectors += frames.capacity() * size_of::<Frame>();
        Some(Message::from_vec(frames))
    }

    /// Returns the memory in bytes that the partly received message or command holds.
    pub(super) fn held_bytes(&self) -> usize {
        let body = self.body.as_ref().map_or(0, |body| body.bytes.capacity());
        self.frames.capacity() * size_of::<Frame>() + self.allocated + body
    }

    /// Replaces the frames of the partly received message that are parts of `block` by copies.
    pub(super) fn copy_out_of(&mut self, block: &Bytes) {
        self.frames.iter_mut().for_each(|frame| frame.copy_out_of(block));
    }
}

/// Decodes the frame head at the front of `input`. Returns three values: true if more frames of the message follow, the
/// size of the body in bytes, and the rest of `input` after the head. Returns `None` if `input` does not begin with the
/// complete head of a message frame.
#[inline]
fn split_head(input: &[u8]) -> Option<(bool, usize, &[u8])> {
    match input {
        [flags @ (0 | MORE), size, rest @ ..] => Some((*flags == MORE, usize::from(*size), rest)),
        [flags, rest @ ..] if flags & !MORE == LONG => {
            let (size, rest) = rest.split_first_chunk()?;
            Some((flags & MORE != 0, usize::try_from(u64::from_be_bytes(*size)).ok()?, rest))
        }
        _ => None,
    }
}

/// Creates a frame from the first `size` bytes of `input`. `block` is the shared memory that contains `input`, if any;
/// a large frame then refers to it and is not copied, and its size is added to `shared`.
#[inline]
fn front(input: &[u8], size: usize, block: Option<&Bytes>, shared: &mut usize) -> Frame {
    match block {
        Some(block) if size >= SHARE_FROM => share(&input[..size], block, shared),
        _ => {
            cost::bytes(size);
            Frame::copy_prefix(input, size)
        }
    }
}

// Not inlined, so that the decoding of small frames is.
#[inline(never)]
fn share(body: &[u8], block: &Bytes, shared: &mut usize) -> Frame {
    *shared += body.len();
    block.slice_ref(body).into()
}

impl Body {
    /// Extends the buffer of the body if it is full, so that at least one more byte of the body fits. The extended
    /// buffer can be a block of `blocks`.
    fn grow(&mut self, blocks: &mut ReadBuffers) {
        if self.filled == self.bytes.len() {
            blocks.grow(&mut self.bytes, self.size);
        }
    }

    /// Converts a complete body into a frame. Large memory of a body is also stored in `blocks`, to be reused after the
    /// application has dropped the frame.
    fn into_frame(self, blocks: &mut ReadBuffers) -> Frame {
        cost::resumed(self.size);
        let held = self.bytes.capacity();
        let block = self.bytes.freeze();
        if !ReadBuffers::is_kept_size(block.len()) {
            return Frame::in_block(block, held);
        }
        let frame = Frame::in_block(block.slice(..self.size), held);
        blocks.keep(block);
        frame
    }

    /// Converts a complete body into mutable bytes, to be decrypted in place.
    #[cfg(feature = "curve")]
    pub(super) fn into_bytes(mut self) -> BytesMut {
        cost::resumed(self.size);
        self.bytes.truncate(self.size);
        self.bytes
    }

    /// Returns the part of the buffer for the missing bytes of the body. Bytes of the buffer after the end of the body
    /// are not included.
    fn space(&mut self) -> &mut [u8] {
        let end = self.size.min(self.bytes.len());
        &mut self.bytes[self.filled..end]
    }
}
