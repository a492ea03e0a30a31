//! From octets to messages and commands, in pieces of any size. Checks every limit before it believes a size.

use super::read_buffers::ReadBuffers;
use crate::connection::config::ConnectionConfig;
use crate::connection::error::ConnectionError;
use crate::message::{Frame, Message};
use crate::wire::{DecodeError, FrameHead, LONG, MAX_HEAD_1_0, MORE};
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};

#[derive(Debug)]
pub(super) struct Decoder {
    /// The octets of a head that came in pieces; fewer than a whole head.
    head: [u8; MAX_HEAD_1_0],
    head_len: usize,
    /// Heads are those of ZMTP 1.0.
    pub(super) is_1_0: bool,
    /// A frame whose body is not all here.
    body: Option<Body>,
    /// The frames of a message whose last frame is not here.
    frames: Vec<Frame>,
    /// Octets in `frames`.
    size: usize,
    /// Where large bodies find room.
    pub(super) blocks: ReadBuffers,
}

#[derive(Debug)]
pub(super) struct Body {
    head: FrameHead,
    size: usize,
    /// Grows as octets arrive; the first `filled` octets are the peer's.
    octets: BytesMut,
    filled: usize,
}

/// What the decoder has found.
#[derive(Debug)]
pub(super) enum Item {
    Message(Message),
    Command(Frame),
}

/// From this size on it pays to read the rest of a body straight into place.
const DIRECT_READ: usize = 16 << 10;

/// Bodies of this size and more stay in the block they were read into, which lives as long as any of them.
pub(super) const SHARE_FROM: usize = 1 << 10;

/// Commands are bounded on their own: as large as any sensible READY, whatever messages may be.
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
            blocks: ReadBuffers::new(),
        }
    }

    /// Takes the next item off the front of `input`. `None`: all of it is consumed and more is needed.
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
                let frame = front(input, size, block);
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

    /// Takes a message off the front of `input`, if all of it is there: what [`next`](Self::next) would find, in a few
    /// instructions. It reads heads and heeds limits on its own: by [`FrameHead::decode`] and [`check`](Self::check) a short
    /// message takes twice as long. What it does not take, they judge.
    #[inline]
    pub(super) fn whole_message(
        &self,
        input: &mut &[u8],
        block: Option<&Bytes>,
        config: &ConnectionConfig,
    ) -> Option<Message> {
        if self.head_len > 0 || self.is_in_body() || !self.frames.is_empty() {
            return None;
        }
        let (more, size, rest) = split_head(input)?;
        if size > config.max_message_size || size > rest.len() || config.max_frames == 0 {
            return None;
        }
        if more {
            return whole_frames(input, block, config);
        }
        *input = &rest[size..];
        Some(front(rest, size, block).into())
    }

    /// The frame by which a peer of before ZMTP 3 says its routing id.
    pub(super) fn routing_id(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, ConnectionError> {
        if !self.is_in_body() {
            let Some(head) = self.head(input)? else {
                return Ok(None);
            };
            if head.more || head.command {
                return Err(ConnectionError::Unexpected("a routing id is one frame, and no command"));
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

    /// Whether a body has not all come.
    #[inline]
    pub(super) const fn is_in_body(&self) -> bool {
        self.body.is_some()
    }

    /// Reads a head, also one that comes in pieces.
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
    fn decode_head(&self, octets: &[u8]) -> Result<Option<(FrameHead, usize)>, DecodeError> {
        if self.is_1_0 { FrameHead::decode_1_0(octets) } else { FrameHead::decode(octets) }
    }

    #[cold]
    fn head_in_pieces(&mut self, input: &mut &[u8]) -> Result<Option<FrameHead>, ConnectionError> {
        while let Some((&octet, rest)) = input.split_first() {
            *input = rest;
            self.head[self.head_len] = octet;
            self.head_len += 1;
            if let Some((head, _)) = self.decode_head(&self.head[..self.head_len])? {
                self.head_len = 0;
                return Ok(Some(head));
            }
        }
        Ok(None)
    }

    /// Refuses what is too large as soon as it is announced.
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

    pub(super) fn begin(&mut self, head: FrameHead, size: usize, input: &mut &[u8]) {
        let octets = self.blocks.grant(size, input.len());
        self.body = Some(Body { head, size, octets, filled: 0 });
        self.fill(input);
    }

    /// The body that came in pieces, if all of it is here.
    pub(super) fn resume(&mut self, input: &mut &[u8]) -> Option<Body> {
        self.fill(input);
        self.body.take_if(|body| body.filled == body.size)
    }

    fn fill(&mut self, input: &mut &[u8]) {
        let Some(body) = &mut self.body else { return };
        while !input.is_empty() && body.filled < body.size {
            body.grow(&mut self.blocks);
            let count = body.space().len().min(input.len());
            let (front, rest) = input.split_at(count);
            body.octets[body.filled..body.filled + count].copy_from_slice(front);
            body.filled += count;
            *input = rest;
        }
    }

    /// Where the rest of a large body is to be read to.
    pub(super) fn body_space(&mut self) -> Option<&mut [u8]> {
        let body = self.body.as_mut().filter(|body| body.size - body.filled >= DIRECT_READ)?;
        body.grow(&mut self.blocks);
        Some(body.space())
    }

    /// `count` octets of [`body_space`](Self::body_space) have been filled.
    pub(super) fn filled(&mut self, count: usize) {
        if let Some(body) = &mut self.body {
            body.filled = (body.filled + count).min(body.size);
        }
    }

    /// Adds a frame; gives the message when it was the last.
    #[inline]
    pub(super) fn join(&mut self, head: FrameHead, frame: Frame) -> Option<Message> {
        if !head.more && self.frames.is_empty() {
            return Some(Message::from(frame));
        }
        self.join_several(head, frame)
    }

    fn join_several(&mut self, head: FrameHead, frame: Frame) -> Option<Message> {
        self.size += frame.len();
        self.frames.push(frame);
        if head.more {
            return None;
        }
        self.size = 0;
        Some(Message::from_vec(core::mem::take(&mut self.frames)))
    }
}

/// Whether more frames follow this one of a message, its size, and what follows its head; `None` if it is not such a head, or
/// not whole.
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

/// A frame of the first `size` octets of `input`, which may lie in a block.
#[inline]
fn front(input: &[u8], size: usize, block: Option<&Bytes>) -> Frame {
    match block {
        Some(block) if size >= SHARE_FROM => block.slice_ref(&input[..size]).into(),
        _ => Frame::copy_of_front(input, size),
    }
}

/// Takes a message of several frames off the front of `input`, if all of them are there and within the limits.
fn whole_frames(input: &mut &[u8], block: Option<&Bytes>, config: &ConnectionConfig) -> Option<Message> {
    // The usual envelope and body.
    let mut frames = Vec::with_capacity(4);
    let (mut left, mut octets, mut more) = (*input, 0_usize, true);
    while more {
        let (follows, size, rest) = split_head(left)?;
        octets = octets.saturating_add(size);
        if octets > config.max_message_size || size > rest.len() || frames.len() >= config.max_frames {
            return None;
        }
        frames.push(front(rest, size, block));
        (left, more) = (&rest[size..], follows);
    }
    *input = left;
    Some(Message::from_vec(frames))
}

impl Body {
    /// Makes room for at least one more octet.
    fn grow(&mut self, blocks: &mut ReadBuffers) {
        if self.filled == self.octets.len() {
            blocks.grow(&mut self.octets, self.size);
        }
    }

    /// What came, when all of it is here.
    fn into_frame(self, blocks: &mut ReadBuffers) -> Frame {
        let block = self.octets.freeze();
        if !ReadBuffers::takes(block.len()) {
            return block.into();
        }
        let frame = block.slice(..self.size).into();
        blocks.lend(block);
        frame
    }

    /// As [`into_frame`](Self::into_frame), to be changed.
    #[cfg(feature = "curve")]
    pub(super) fn into_octets(mut self) -> BytesMut {
        self.octets.truncate(self.size);
        self.octets
    }

    /// Where the next octets belong. The block may be longer than the body.
    fn space(&mut self) -> &mut [u8] {
        let end = self.size.min(self.octets.len());
        &mut self.octets[self.filled..end]
    }
}
