//! [`Outbox`]: encodes messages and commands to bytes, one batch at a time. All bytes of a batch are written to the
//! stream before the next batch is encoded.
//!
//! ```text
//! copy ──while no byte of the batch is written──┐
//!                                               ├──► arena and bodies ──advance──► the stream
//! push ──► queue ──refill, after the batch──────┘
//! ```
//!
//! `copy` encodes messages at once and adds them to the current batch, because encoding a small message costs no more
//! than moving the message to the queue. This is possible only while no byte of the batch is written and the queue is
//! empty. Otherwise the messages are queued by `push`. Messages that must be encrypted are always queued: encryption
//! takes longer, and the socket is locked while `copy` and `push` are called.
//!
//! `advance` removes the bytes from the batch that were written to the stream. When all bytes of the batch are written,
//! `refill` encodes the next batch from the queue.
//!
//! Frame heads and small bodies are encoded one after the other into one buffer, the arena. Large bodies are not
//! copied: `bodies` refers to them. A batch consists of whole frames, so that a command is never placed inside a frame.

use super::{Outbound, Subscription, Written};
use crate::cost;
use crate::message::{Frame, Message};
use crate::wire::{Command, FrameHead, Version};
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::{Buf, Bytes};
#[cfg(feature = "curve")]
use {crate::security::curve::Sealer, alloc::boxed::Box};

/// Output of a connection, as a [`Buf`] of one or more chunks. Messages are encoded in batches: the bytes of one batch
/// are written to the stream completely before the next batch is encoded.
///
/// The caller writes the bytes of [`chunk`](Buf::chunk) or, for a vectored write, of [`chunks`](Self::chunks), and then
/// calls [`advance`](Buf::advance) with the number of bytes written.
#[derive(Debug)]
pub struct Outbox {
    /// Encoded bytes of the current batch: frame heads, small bodies and commands.
    pub(super) arena: Vec<u8>,
    /// Number of bytes of `arena` that are already written to the stream.
    at: usize,
    /// Large bodies of the current batch, which are not copied into `arena`.
    pub(super) bodies: VecDeque<Body>,
    /// Total number of bytes in `bodies` that are not written to the stream yet.
    body_bytes: usize,
    /// Memory in bytes that the bodies in `bodies` hold.
    held_bodies: usize,
    /// Start of the first message of the current batch, in bytes from the start of the batch. Only commands and output
    /// of the handshake precede this message.
    first: usize,
    /// End of each message of the current batch, in bytes from the start of the batch.
    pub(super) ends: Vec<usize>,
    /// True if the current batch contains subscription changes from `queue`. When the connection has ended,
    /// [`reclaim`](Self::reclaim) cannot return the encoded messages of such a batch.
    mixed: bool,
    /// True if a command was added to the current batch after a message. [`copy`](Self::copy) then adds no more
    /// messages to this batch.
    // Later messages go into the next batch, so that the bytes between two `ends` are always exactly one message.
    closed: bool,
    /// Number of bytes of the current batch that are written to the stream, from `arena` and from `bodies`.
    written: usize,
    /// Total length in bytes of all batches before the current one.
    before: u64,
    pub(super) queue: VecDeque<Outbound>,
    /// Memory that the items in `queue` hold, in bytes.
    queued: usize,
    /// End of the latest PING, in bytes from the start of the output; 0 if no PING was queued.
    ping_end: u64,
    /// Contexts of received PINGs for which no PONG is encoded yet, oldest first.
    // Bounded by `MAX_PONGS`, because a peer may send PINGs faster than it reads PONGs.
    pongs: VecDeque<Frame>,
    /// Encoding of messages; `None` until the handshake is done. Until then, messages stay in `queue`.
    framing: Option<Framing>,
    /// Key for the encryption of outgoing frames; `None` before the end of a CURVE handshake, and without CURVE.
    #[cfg(feature = "curve")]
    pub(super) sealer: Option<Box<Sealer>>,
    finishing: bool,
    /// Number of messages in all batches before the current one. These messages are completely written to the stream.
    completed: usize,
    /// Number of completely written messages at the last call of [`take_written`](Self::take_written).
    reported: usize,
    /// Number of completely written messages, for the socket.
    written_messages: Arc<Written>,
}

/// Large body of the current batch, which is not copied.
#[derive(Debug)]
pub(super) struct Body {
    /// Number of bytes of `arena` that must be written before the body.
    at: usize,
    /// Rest of the body.
    bytes: Bytes,
    /// Memory in bytes that the body holds, including bytes that are written.
    held: usize,
}

/// Encoding of outgoing messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// Unencrypted frames of this ZMTP version, which is 2.0 or later.
    Zmtp(Version),
    /// Unencrypted frames of ZMTP 1.0.
    Zmtp1,
    /// Frames of this ZMTP version inside encrypted frames (CURVE).
    #[cfg(feature = "curve")]
    Sealed(Version),
    /// Message bodies without frame heads (STREAM sockets).
    Raw,
}

/// Size in bytes below which a body is copied into the arena. The copy of a small body costs less than one more slice
/// in a vectored write.
const COPY_BELOW: usize = 2 << 10;

/// Target size in bytes of a batch (the bytes that are encoded together), large bodies not included. While messages
/// must be queued instead of being encoded at once, [`has_room`](Outbox::has_room) also compares this value with all
/// bytes that wait to be written, large bodies included.
const BATCH: usize = 64 << 10;

/// Target total size in bytes of the large bodies in a batch, which are not copied into the arena. The last of these
/// bodies can exceed this size. A batch is full when this limit, [`BATCH`] or [`MAX_MESSAGES`] is reached.
const BODIES: usize = 256 << 10;

/// Maximum number of messages that are encoded together, in one batch.
// More messages would be evicted from the processor's caches before they are written.
const MAX_MESSAGES: usize = 512;

/// Bytes that the value of each queued item adds to the counter `queued`, in addition to the memory outside the value.
/// Without them, the limit on queued bytes would not limit empty messages.
const OVERHEAD: usize = size_of::<Outbound>();

/// Maximum number of PONGs that wait to be encoded. A further PONG replaces the oldest.
const MAX_PONGS: usize = 16;

impl Outbox {
    pub(super) fn new() -> Self {
        Self {
            arena: Vec::new(),
            at: 0,
            bodies: VecDeque::new(),
            body_bytes: 0,
            held_bodies: 0,
            first: 0,
            ends: Vec::new(),
            mixed: false,
            closed: false,
            written: 0,
            before: 0,
            queue: VecDeque::new(),
            queued: 0,
            ping_end: 0,
            pongs: VecDeque::new(),
            framing: None,
            #[cfg(feature = "curve")]
            sealer: None,
            finishing: false,
            completed: 0,
            reported: 0,
            written_messages: Arc::default(),
        }
    }

    pub(super) const fn written_messages(&self) -> &Arc<Written> {
        &self.written_messages
    }

    /// Stores the number of completely written messages after a part of the current batch was written.
    #[cold]
    fn report_part(&self) {
        let written = self.ends.partition_point(|&end| end <= self.written);
        self.written_messages.set_messages(self.completed.wrapping_add(written));
    }

    /// Returns true if the socket waits for written messages, and a message was written completely since the last call.
    pub(super) fn take_written(&mut self) -> bool {
        let messages = self.written_messages.messages();
        self.written_messages.is_watched() && core::mem::replace(&mut self.reported, messages) != messages
    }

    /// Appends bytes to the output. They are written before all messages that are not encoded yet.
    pub(super) fn push_bytes(&mut self, bytes: &[u8]) {
        self.arena.extend_from_slice(bytes);
    }

    /// Returns the buffer to which the handshake appends its output. This output is written before all messages that
    /// are queued.
    pub(super) const fn ahead(&mut self) -> &mut Vec<u8> {
        &mut self.arena
    }

    /// Encodes a command and appends it to the output. The command is written before all messages that are queued but
    /// not encoded yet.
    pub(super) fn push_command(&mut self, command: &Command) {
        self.closed = !self.ends.is_empty();
        #[cfg(feature = "curve")]
        if self.sealer.is_some() {
            let mut clear = Vec::new();
            command.encode(&mut clear);
            return self.seal_encoded(&clear);
        }
        command.encode(&mut self.arena);
    }

    /// Encodes a PING, appends it to the output, and returns true. Messages that are still queued are written after the
    /// PING. `ttl` is the time to live that the PING contains, in tenths of a second. If the previous PING is not
    /// completely written to the stream, appends nothing and returns false.
    pub(super) fn push_ping(&mut self, ttl: u16) -> bool {
        let is_free = !self.holds_ping();
        if is_free {
            self.push_command(&Command::Ping { ttl, context: Frame::EMPTY });
            self.ping_end = self.sent() + self.remaining() as u64;
        }
        is_free
    }

    /// Returns true if a PING is queued and not completely written to the stream.
    pub(super) const fn holds_ping(&self) -> bool {
        self.sent() < self.ping_end
    }

    /// Returns the total number of bytes that were written to the stream.
    pub(super) const fn sent(&self) -> u64 {
        self.before + self.written as u64
    }

    /// Queues the PONG that answers a received PING with this context. If [`MAX_PONGS`] PONGs are queued already, drops
    /// the oldest of them.
    pub(super) fn push_pong(&mut self, context: Frame) {
        cost::nodes(1);
        if self.pongs.len() == MAX_PONGS {
            self.pongs.pop_front();
        }
        self.pongs.push_back(context);
    }

    /// Sets the encoding of messages to frames of this ZMTP version, at the end of the handshake. Messages that are
    /// already in the queue can then be encoded.
    pub(super) fn open(&mut self, version: Version) {
        self.framing = Some(if version < Version::V2_0 { Framing::Zmtp1 } else { Framing::Zmtp(version) });
    }

    /// Sets the encoding of messages to encrypted frames, at the end of a CURVE handshake. All later messages and
    /// commands are encrypted with `sealer`.
    #[cfg(feature = "curve")]
    pub(super) fn open_sealed(&mut self, version: Version, sealer: Sealer) {
        self.framing = Some(Framing::Sealed(version));
        self.sealer = Some(Box::new(sealer));
    }

    /// Sets the encoding of messages to their bodies alone, without frame heads, for a STREAM socket.
    pub(super) const fn open_raw(&mut self) {
        self.framing = Some(Framing::Raw);
    }

    #[inline]
    pub(super) fn has_room(&self) -> bool {
        if self.is_gathering() { !self.is_full() } else { self.queued + self.remaining() < BATCH }
    }

    /// Encodes messages from the front of `messages`, until the current batch of output is full, and returns the number
    /// of encoded messages. Returns 0 if messages cannot be encoded now, for example because the batch is partly
    /// written or earlier messages are queued.
    // Not inlined, so that the loop has the registers for itself.
    #[inline(never)]
    pub(super) fn copy<'a>(&mut self, messages: impl Iterator<Item = &'a Message>) -> usize {
        if !self.is_gathering() {
            return 0;
        }
        if self.ends.is_empty() {
            self.begin_batch();
        }
        let before = self.ends.len();
        for message in messages {
            if self.is_full() {
                break;
            }
            self.encode_message(message);
            self.ends.push(self.remaining());
        }
        self.ends.len() - before
    }

    /// Returns true if [`copy`](Self::copy) can add messages to the current batch. Four conditions must be true:
    /// messages are encoded without encryption as ZMTP 2.0 or later, no byte of the batch is written, no item is
    /// queued, and no command was added after a message.
    #[inline]
    fn is_gathering(&self) -> bool {
        matches!(self.framing, Some(Framing::Zmtp(_))) && self.written == 0 && self.queue.is_empty() && !self.closed
    }

    /// Returns true if the current batch has reached a limit: [`BATCH`], [`BODIES`] or [`MAX_MESSAGES`].
    #[inline]
    fn is_full(&self) -> bool {
        self.arena.len() >= BATCH || self.body_bytes >= BODIES || self.ends.len() >= MAX_MESSAGES
    }

    #[inline]
    pub(super) fn push(&mut self, item: Outbound) {
        self.queued += weight(&item);
        self.queue.push_back(item);
    }

    /// Ends the encoding of messages: only the bytes that are already encoded are still written, and there is no room for
    /// further messages.
    // Without these values, each exchange would have to check if the connection has ended.
    pub(super) const fn stop(&mut self) {
        self.framing = None;
        self.queued = BATCH;
    }

    /// Records that the socket will pass no further items to this outbox.
    pub(super) const fn finish(&mut self) {
        self.finishing = true;
    }

    pub(super) fn is_finished(&self) -> bool {
        self.finishing && self.queue.is_empty() && !self.has_remaining()
    }

    /// Returns the number of messages, queued or encoded, that are not completely written to the stream.
    pub(super) fn unsent(&self) -> usize {
        let written = self.ends.partition_point(|&end| end <= self.written);
        let queued = self.queue.iter().filter(|item| matches!(item, Outbound::Message(_))).count();
        self.ends.len() - written + queued
    }

    /// Returns the size, in bytes with frame heads, of the message that is partly written to the stream; `None` if there
    /// is no such message.
    pub(super) fn message_under_way(&self) -> Option<usize> {
        let index = self.ends.partition_point(|&end| end <= self.written);
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).map_or(self.first, |before| self.ends[before]);
        (self.written > start).then_some(end - start)
    }

    /// Returns the number of items that `queue` can hold without a new allocation.
    #[cfg(test)]
    pub(super) fn queue_capacity(&self) -> usize {
        self.queue.capacity()
    }

    /// Returns the memory that the outbox holds, in bytes.
    pub(super) fn held_bytes(&self) -> usize {
        // After `stop`, `queued` is not the memory of the queue.
        let queued = if self.queue.is_empty() { 0 } else { self.queued };
        let unused = (self.queue.capacity() - self.queue.len()) * OVERHEAD;
        let batch = self.arena.capacity() + self.ends.capacity() * size_of::<usize>();
        batch + self.bodies.capacity() * size_of::<Body>() + self.held_bodies + queued + unused
    }

    /// Frees the memory of empty buffers; see [`Connection::shrink`](super::Connection::shrink).
    pub(super) fn shrink(&mut self) {
        if self.queue.is_empty() {
            self.queue.shrink_to(0);
        }
        if !self.has_remaining() {
            self.ends.shrink_to(0);
            self.arena.shrink_to(0);
            self.bodies.shrink_to(0);
        }
    }

    /// Removes and returns the messages of which no byte has been written to the stream, oldest first. After this call,
    /// the outbox must not be used to send.
    pub(super) fn reclaim(&mut self) -> impl Iterator<Item = Message> {
        self.queued = 0;
        let encoded = self.decode_batch();
        let queued = self.queue.drain(..).filter_map(|item| match item {
            Outbound::Message(message) => Some(message),
            Outbound::Subscription(_) => None,
        });
        encoded.into_iter().chain(queued)
    }

    /// Decodes the encoded messages of which no byte has been written to the stream, to return them to the socket.
    // `reclaim` is rare, so decoding the batch is cheaper than keeping every encoded message.
    fn decode_batch(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        let begun = match self.ends.partition_point(|&end| end <= self.written) {
            0 if self.written <= self.first => 0,
            done if done > 0 && self.ends[done - 1] == self.written => done,
            done => done + 1,
        };
        // Without frame heads, the rest of a raw stream cannot be split into messages; and a batch with subscription
        // changes has commands between its messages.
        if self.mixed || self.framing == Some(Framing::Raw) || begun >= self.ends.len() {
            return messages;
        }
        let (written, count) = (self.written, self.ends.len() - begun);
        let start = if begun == 0 { self.first } else { self.ends[begun - 1] };
        self.advance(start - written);
        let mut frames = Vec::new();
        while messages.len() < count {
            cost::requested(1);
            let rest = &self.arena[self.at..];
            let is_1_0 = self.framing == Some(Framing::Zmtp1);
            let decoded = if is_1_0 { FrameHead::decode_1_0(rest) } else { FrameHead::decode(rest) };
            let Ok(Some((head, len))) = decoded else { break };
            self.at += len;
            let is_shared = head.size > 0 && self.bodies.front().is_some_and(|body| body.at == self.at);
            let frame = if is_shared && let Some(body) = self.bodies.pop_front() {
                Frame::in_block(body.bytes, body.held)
            } else {
                let size = usize::try_from(head.size).unwrap_or(usize::MAX);
                let Some(body) = self.arena[self.at..].get(..size) else { break };
                self.at += size;
                Frame::copy_from_slice(body)
            };
            #[cfg(feature = "curve")]
            let Some((head, frame)) = self.unseal(head, frame) else { break };
            if head.command {
                continue;
            }
            frames.push(frame);
            if !head.more {
                messages.push(Message::from_vec(core::mem::take(&mut frames)));
            }
        }
        self.ends.truncate(begun);
        self.written = written;
        self.at = self.arena.len();
        self.bodies.clear();
        (self.body_bytes, self.held_bodies) = (0, 0);
        messages
    }

    /// Encodes the next batch of queued messages, if all bytes that were encoded before are written. Returns true if
    /// there are bytes to write.
    #[inline]
    pub(super) fn refill(&mut self) -> bool {
        if self.has_remaining() {
            return true;
        }
        if self.queue.is_empty() && self.pongs.is_empty() {
            return false;
        }
        self.encode_batch();
        self.has_remaining()
    }

    /// Starts a batch of output, and encodes all PONGs that wait to be sent. The messages of the batch follow the
    /// PONGs.
    fn begin_batch(&mut self) {
        while let Some(context) = self.pongs.pop_front() {
            cost::frames(1);
            self.push_command(&Command::Pong(context));
        }
        self.first = self.remaining();
    }

    fn encode_batch(&mut self) {
        self.begin_batch();
        match self.framing {
            None => {}
            Some(Framing::Zmtp1) => self.encode_each(Self::encode_1_0),
            Some(Framing::Zmtp(version)) => self.encode_each(|outbox, item| outbox.encode(item, version)),
            #[cfg(feature = "curve")]
            Some(Framing::Sealed(version)) => self.encode_each(|outbox, item| outbox.encode_sealed(item, version)),
            Some(Framing::Raw) => self.encode_each(Self::encode_raw),
        }
    }

    /// Encodes items from the front of `queue` with the function `encode`, until the batch is full or the queue is
    /// empty.
    // Generic, so that the loop is compiled separately for each framing.
    fn encode_each(&mut self, encode: impl Fn(&mut Self, &Outbound)) {
        // Reserves space for heads and for the part of the last body that exceeds the batch. Growing later would double
        // the capacity, and the operating system would have to map new memory.
        self.arena.reserve(self.queued.min(BATCH) + COPY_BELOW);
        let mut queue = core::mem::take(&mut self.queue);
        let mut count = 0;
        for item in &queue {
            if self.is_full() {
                break;
            }
            count += 1;
            encode(self, item);
            match item {
                Outbound::Message(_) => self.ends.push(self.remaining()),
                Outbound::Subscription(_) => self.mixed = true,
            }
        }
        // Most often all items fit in the batch, and their weights need not be added.
        let rest = queue.len() - count;
        self.queued = if rest == 0 { 0 } else { self.queued - queue.iter().take(count).map(weight).sum::<usize>() };
        queue.drain(..count);
        self.queue = queue;
    }

    #[inline]
    fn encode(&mut self, item: &Outbound, version: Version) {
        match item {
            Outbound::Message(message) => self.encode_message(message),
            Outbound::Subscription(change) => encode_subscription(change, version, &mut self.arena),
        }
    }

    #[cfg(feature = "curve")]
    fn encode_sealed(&mut self, item: &Outbound, version: Version) {
        match item {
            Outbound::Message(message) => {
                for (head, frame) in with_heads(message.frames()) {
                    self.seal_frame(head, frame);
                }
            }
            Outbound::Subscription(change) => {
                let mut clear = Vec::new();
                encode_subscription(change, version, &mut clear);
                self.seal_encoded(&clear);
            }
        }
    }

    #[inline]
    fn encode_message(&mut self, message: &Message) {
        cost::requested(message.len());
        if let Some(wire) = message.wire() {
            self.arena.extend_from_slice(wire);
            return;
        }
        // Not a special case of the protocol, but the most frequent message, in a third fewer instructions.
        if let Some((len, frame)) = message.as_inline() {
            FrameHead { command: false, more: false, size: len as u64 }.encode(&mut self.arena);
            frame.append_to(&mut self.arena);
            return;
        }
        for (head, frame) in with_heads(message.frames()) {
            head.encode(&mut self.arena);
            self.encode_body(frame);
        }
    }

    fn encode_1_0(&mut self, item: &Outbound) {
        match item {
            Outbound::Message(message) => {
                for (head, frame) in with_heads(message.frames()) {
                    head.encode_1_0(&mut self.arena);
                    self.encode_body(frame);
                }
            }
            Outbound::Subscription(change) => {
                let Some(flag) = subscription_flag(change) else { return };
                subscription_head(change).encode_1_0(&mut self.arena);
                self.arena.push(flag);
                self.arena.extend_from_slice(change.subject());
            }
        }
    }

    fn encode_raw(&mut self, item: &Outbound) {
        match item {
            Outbound::Message(message) => message.frames().iter().for_each(|frame| self.encode_body(frame)),
            Outbound::Subscription(_) => {}
        }
    }

    #[inline]
    fn encode_body(&mut self, frame: &Frame) {
        match frame.as_shared() {
            Some(body) if body.len() >= COPY_BELOW => {
                self.body_bytes += body.len();
                self.held_bodies += frame.allocated();
                self.bodies.push_back(Body { at: self.arena.len(), bytes: body.clone(), held: frame.allocated() });
            }
            _ => frame.append_to(&mut self.arena),
        }
    }

    /// Returns true if [`chunk`](Buf::chunk) returns all bytes that are left to write.
    pub fn is_one_chunk(&self) -> bool {
        self.bodies.is_empty()
    }

    /// Fills `chunks` with the next chunks to write, in order, and returns the number of chunks filled.
    pub fn chunks<'a>(&'a self, chunks: &mut [&'a [u8]]) -> usize {
        self.fill_chunks(chunks, |chunk| chunk)
    }

    /// Fills `slots` with the next chunks to write, in order, each converted by `wrap`. Returns the number of slots
    /// filled.
    pub(crate) fn fill_chunks<'a, T>(&'a self, slots: &mut [T], wrap: impl Fn(&'a [u8]) -> T) -> usize {
        let mut at = self.at;
        let mut count = 0;
        let mut bodies = self.bodies.iter();
        while count < slots.len() {
            let body = bodies.next();
            let end = body.map_or(self.arena.len(), |body| body.at);
            if at < end {
                slots[count] = wrap(&self.arena[at..end]);
                at = end;
                count += 1;
            }
            let Some(body) = body else { break };
            if let Some(slot) = slots.get_mut(count) {
                *slot = wrap(&body.bytes);
                count += 1;
            }
        }
        count
    }
}

/// Converts a message to a form that is cheap to send to many peers. A message of several frames and of less than
/// [`COPY_BELOW`] bytes is encoded now, and all peers share the encoded bytes. A longer message of several frames is
/// only made cheap to clone. A message of one frame stays unchanged.
// A larger message usually has a large body, which is sent without a copy.
pub(crate) fn encode_once(message: Message) -> Message {
    message.into_shared(|frames| {
        let mut wire = Vec::new();
        if frames.iter().map(|frame| frame.len()).sum::<usize>() < COPY_BELOW {
            for (head, frame) in with_heads(frames) {
                head.encode(&mut wire);
                wire.extend_from_slice(frame);
            }
        }
        wire
    })
}

/// Appends a subscription change to `out`: encoded as a command for ZMTP 3.1, and as a message for earlier versions.
/// Joining and leaving a group is always a command.
fn encode_subscription(change: &Subscription, version: Version, out: &mut Vec<u8>) {
    if let Some(flag) = subscription_flag(change).filter(|_| version < Version::V3_1) {
        subscription_head(change).encode(out);
        out.push(flag);
        return out.extend_from_slice(change.subject());
    }
    match change.clone() {
        Subscription::Subscribe(prefix) => Command::Subscribe(prefix).encode(out),
        Subscription::Cancel(prefix) => Command::Cancel(prefix).encode(out),
        Subscription::Join(group) => Command::Join(group).encode(out),
        Subscription::Leave(group) => Command::Leave(group).encode(out),
    }
}

/// Returns the first byte of the message that encodes this subscription change before ZMTP 3.1. Returns `None` for
/// joining or leaving a group, which is always a command.
const fn subscription_flag(change: &Subscription) -> Option<u8> {
    match change {
        Subscription::Subscribe(_) => Some(1),
        Subscription::Cancel(_) => Some(0),
        Subscription::Join(_) | Subscription::Leave(_) => None,
    }
}

/// Returns the frame head of the message that encodes this subscription change before ZMTP 3.1.
fn subscription_head(change: &Subscription) -> FrameHead {
    FrameHead { command: false, more: false, size: change.subject().len() as u64 + 1 }
}

/// Returns the frames of a message, each with the frame head to encode before it.
#[inline]
fn with_heads(frames: &[Frame]) -> impl Iterator<Item = (FrameHead, &Frame)> {
    let last = frames.len() - 1;
    frames
        .iter()
        .enumerate()
        .map(move |(index, frame)| (FrameHead { command: false, more: index < last, size: frame.len() as u64 }, frame))
}

/// Returns the memory that an item in the queue holds, in bytes.
fn weight(item: &Outbound) -> usize {
    OVERHEAD
        + match item {
            Outbound::Message(message) => message.allocated(),
            Outbound::Subscription(change) => change.subject().len(),
        }
}

impl Buf for Outbox {
    #[inline]
    fn remaining(&self) -> usize {
        self.arena.len() - self.at + self.body_bytes
    }

    fn chunk(&self) -> &[u8] {
        match self.bodies.front() {
            Some(body) if body.at == self.at => &body.bytes,
            Some(body) => &self.arena[self.at..body.at],
            None => &self.arena[self.at..],
        }
    }

    #[cfg(feature = "std")]
    fn chunks_vectored<'a>(&'a self, slices: &mut [std::io::IoSlice<'a>]) -> usize {
        self.fill_chunks(slices, std::io::IoSlice::new)
    }

    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.remaining(), "cannot advance by {count} bytes: only {} bytes remain", self.remaining());
        self.written += count;
        while count > 0 {
            match self.bodies.front_mut() {
                Some(body) if body.at == self.at => {
                    let step = body.bytes.len().min(count);
                    body.bytes.advance(step);
                    self.body_bytes -= step;
                    count -= step;
                    if body.bytes.is_empty() {
                        self.held_bodies -= body.held;
                        self.bodies.pop_front();
                    }
                }
                front => {
                    let end = front.map_or(self.arena.len(), |body| body.at);
                    let step = (end - self.at).min(count);
                    self.at += step;
                    count -= step;
                }
            }
        }
        if self.has_remaining() {
            self.report_part();
        } else {
            self.completed = self.completed.wrapping_add(self.ends.len());
            self.written_messages.set_messages(self.completed);
            self.at = 0;
            self.before += self.written as u64;
            self.written = 0;
            self.mixed = false;
            self.closed = false;
            self.ends.clear();
            self.arena.clear();
        }
    }
}
