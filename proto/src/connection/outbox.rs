//! From messages and commands to octets, a batch at a time.
//!
//! ```text
//! copy ──while nothing of the batch is written──┐
//!                                               ├──► arena and bodies ──advance──► the stream
//! push ──► queue ──refill, when it is out───────┘
//! ```
//!
//! To encode a small message where it stands costs what moving it to the queue would. Encryption is for later: messages are
//! given under a lock.
//!
//! Heads and small bodies are encoded back to back into one arena; large bodies stay where they are and are referred to.
//! A batch is whole frames, so a command can never land inside one.

use super::{Outbound, Subscription};
use crate::message::{Frame, Message};
use crate::wire::{Command, FrameHead, Version};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::{Buf, Bytes};
#[cfg(feature = "curve")]
use {crate::security::curve::Sealer, alloc::boxed::Box};

/// The octets a connection wants written, as a [`Buf`] of one or more chunks.
///
/// Write from [`chunk`](Buf::chunk) or, better, [`chunks`](Self::chunks), and [`advance`](Buf::advance) by what was
/// written.
#[derive(Debug)]
pub struct Outbox {
    pub(super) arena: Vec<u8>,
    /// Octets of the arena that are written.
    at: usize,
    /// Bodies that are not copied, each with the place in the arena it comes at.
    pub(super) bodies: VecDeque<(usize, Bytes)>,
    /// Octets left in `bodies`.
    body_octets: usize,
    /// Where the first message of the batch begins, and where each one ends, counted in octets from the start of the batch.
    first: usize,
    pub(super) ends: Vec<usize>,
    /// The batch holds subscriptions too.
    mixed: bool,
    /// A command has come after the batch's messages: those that come now belong to the next one, so that all that is
    /// between two ends is a message.
    closed: bool,
    /// Octets of the batch that are written.
    written: usize,
    pub(super) queue: VecDeque<Outbound>,
    /// Roughly the octets in `queue`.
    queued: usize,
    /// A PING waits to be written.
    pinging: bool,
    /// The latest PONGs we owe: a peer that asks faster than it reads gets no more of our memory than this.
    pongs: VecDeque<Frame>,
    /// Set when traffic begins; until then messages wait.
    framing: Option<Framing>,
    /// What encrypts, if the traffic is encrypted.
    #[cfg(feature = "curve")]
    pub(super) sealer: Option<Box<Sealer>>,
    finishing: bool,
}

/// How messages become octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Zmtp(Version),
    /// The frames of ZMTP 1.0.
    Zmtp1,
    /// As frames inside of encrypted ones.
    #[cfg(feature = "curve")]
    Sealed(Version),
    /// Each body as it is, and nothing else.
    Raw,
}

/// Bodies shorter than this are copied into the arena; a copy costs less than one more slice to write.
const COPY_BELOW: usize = 2 << 10;

/// How many octets are encoded, and accepted from a pipe, at a time.
const BATCH: usize = 64 << 10;

/// How many octets of bodies that are not copied go along.
const BODIES: usize = 256 << 10;

/// And how many messages are encoded: more would leave the caches before they are written.
const MOST: usize = 512;

/// What a queued message costs beside its octets, so that empty messages are bounded too.
const OVERHEAD: usize = size_of::<Outbound>();

const MAX_PONGS: usize = 16;

impl Outbox {
    pub(super) const fn new() -> Self {
        Self {
            arena: Vec::new(),
            at: 0,
            bodies: VecDeque::new(),
            body_octets: 0,
            first: 0,
            ends: Vec::new(),
            mixed: false,
            closed: false,
            written: 0,
            queue: VecDeque::new(),
            queued: 0,
            pinging: false,
            pongs: VecDeque::new(),
            framing: None,
            #[cfg(feature = "curve")]
            sealer: None,
            finishing: false,
        }
    }

    /// Octets that go out at once, ahead of every queued message.
    pub(super) fn push_octets(&mut self, octets: &[u8]) {
        self.arena.extend_from_slice(octets);
    }

    /// Where the handshake puts what it says: it goes out ahead of every queued message.
    pub(super) const fn ahead(&mut self) -> &mut Vec<u8> {
        &mut self.arena
    }

    /// A command that goes out ahead of every queued message.
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

    /// A PING goes out ahead of every queued message. While the peer does not read there is at most one: false if one waits.
    pub(super) fn push_ping(&mut self, ttl: u16) -> bool {
        let waits = core::mem::replace(&mut self.pinging, true);
        if !waits {
            self.push_command(&Command::Ping { ttl, context: Frame::EMPTY });
        }
        !waits
    }

    pub(super) fn push_pong(&mut self, context: Frame) {
        if self.pongs.len() == MAX_PONGS {
            self.pongs.pop_front();
        }
        self.pongs.push_back(context);
    }

    /// Messages may flow from now on.
    pub(super) fn open(&mut self, version: Version) {
        self.framing = Some(if version < Version::V2_0 { Framing::Zmtp1 } else { Framing::Zmtp(version) });
    }

    /// Messages may flow from now on, encrypted, and so is everything else.
    #[cfg(feature = "curve")]
    pub(super) fn open_sealed(&mut self, version: Version, sealer: Sealer) {
        self.framing = Some(Framing::Sealed(version));
        self.sealer = Some(Box::new(sealer));
    }

    /// Messages may flow from now on, as nothing but their octets.
    pub(super) const fn open_raw(&mut self) {
        self.framing = Some(Framing::Raw);
    }

    #[inline]
    pub(super) fn has_room(&self) -> bool {
        if self.is_gathering() { !self.is_full() } else { self.queued + self.remaining() < BATCH }
    }

    /// Encodes the first few of these messages, if nothing of the batch is written yet and nothing waits before them; says how
    /// many.
    #[inline]
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

    /// Whether messages may still join the batch.
    #[inline]
    fn is_gathering(&self) -> bool {
        matches!(self.framing, Some(Framing::Zmtp(_))) && self.written == 0 && self.queue.is_empty() && !self.closed
    }

    /// Whether the batch is as large as it should be.
    #[inline]
    fn is_full(&self) -> bool {
        self.arena.len() >= BATCH || self.body_octets >= BODIES || self.ends.len() >= MOST
    }

    #[inline]
    pub(super) fn push(&mut self, item: Outbound) {
        self.queued += weight(&item);
        self.queue.push_back(item);
    }

    pub(super) const fn finish(&mut self) {
        self.finishing = true;
    }

    pub(super) fn is_finished(&self) -> bool {
        self.finishing && self.queue.is_empty() && !self.has_remaining()
    }

    pub(super) fn unsent(&self) -> usize {
        let written = self.ends.partition_point(|&end| end <= self.written);
        let queued = self.queue.iter().filter(|item| matches!(item, Outbound::Message(_))).count();
        self.ends.len() - written + queued
    }

    /// How many messages fit without asking for more memory.
    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.queue.capacity()
    }

    /// See [`Connection::shrink`](super::Connection::shrink).
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

    /// Takes back the messages of which no octet has been written, in order. What is left is of no use any more.
    pub(super) fn reclaim(&mut self) -> impl Iterator<Item = Message> {
        self.queued = 0;
        let encoded = self.decode_batch();
        let queued = self.queue.drain(..).filter_map(|item| match item {
            Outbound::Message(message) => Some(message),
            Outbound::Subscription(_) => None,
        });
        encoded.into_iter().chain(queued)
    }

    /// Reads back what this side has encoded too early. It is rarely asked for, so that nothing needs to be remembered.
    fn decode_batch(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        let begun = match self.ends.partition_point(|&end| end <= self.written) {
            0 if self.written <= self.first => 0,
            done if done > 0 && self.ends[done - 1] == self.written => done,
            done => done + 1,
        };
        // What comes next in a raw stream means nothing without what came before.
        if self.mixed || self.framing == Some(Framing::Raw) || begun >= self.ends.len() {
            return messages;
        }
        let (written, count) = (self.written, self.ends.len() - begun);
        let start = if begun == 0 { self.first } else { self.ends[begun - 1] };
        self.advance(start - written);
        let mut frames = Vec::new();
        while messages.len() < count {
            let octets = &self.arena[self.at..];
            let is_1_0 = self.framing == Some(Framing::Zmtp1);
            let decoded = if is_1_0 { FrameHead::decode_1_0(octets) } else { FrameHead::decode(octets) };
            let Ok(Some((head, len))) = decoded else { break };
            self.at += len;
            let referred = self.bodies.pop_front_if(|(place, _)| *place == self.at && head.size > 0);
            let frame = if let Some((_, body)) = referred {
                Frame::from(body)
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
        self.body_octets = 0;
        messages
    }

    /// Encodes the next batch if the last one is out. True if there is something to write.
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

    /// What comes before the messages of a batch.
    fn begin_batch(&mut self) {
        while let Some(context) = self.pongs.pop_front() {
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

    /// Encodes what is queued, up to a batch. For each framing there is a loop of its own, which costs nothing for the others.
    fn encode_each(&mut self, encode: impl Fn(&mut Self, &Outbound)) {
        // With what the last one may stand out by, and heads: growing would double it, and have the system map it anew.
        self.arena.reserve(self.queued.min(BATCH) + COPY_BELOW);
        let mut queue = core::mem::take(&mut self.queue);
        let mut count = 0;
        for item in &queue {
            if self.is_full() {
                break;
            }
            count += 1;
            self.queued -= weight(item);
            encode(self, item);
            match item {
                Outbound::Message(_) => self.ends.push(self.remaining()),
                Outbound::Subscription(_) => self.mixed = true,
            }
        }
        queue.drain(..count);
        self.queue = queue;
    }

    #[inline]
    fn encode(&mut self, item: &Outbound, version: Version) {
        match item {
            Outbound::Message(message) => self.encode_message(message),
            Outbound::Subscription(wish) => encode_subscription(wish, version, &mut self.arena),
        }
    }

    #[cfg(feature = "curve")]
    fn encode_sealed(&mut self, item: &Outbound, version: Version) {
        match item {
            Outbound::Message(message) => {
                for (head, frame) in headed(message.frames()) {
                    self.seal_frame(head, frame);
                }
            }
            Outbound::Subscription(wish) => {
                let mut clear = Vec::new();
                encode_subscription(wish, version, &mut clear);
                self.seal_encoded(&clear);
            }
        }
    }

    #[inline]
    fn encode_message(&mut self, message: &Message) {
        if let Some(wire) = message.wire() {
            self.arena.extend_from_slice(wire);
            return;
        }
        for (head, frame) in headed(message.frames()) {
            head.encode(&mut self.arena);
            self.encode_body(frame);
        }
    }

    fn encode_1_0(&mut self, item: &Outbound) {
        match item {
            Outbound::Message(message) => {
                for (head, frame) in headed(message.frames()) {
                    head.encode_1_0(&mut self.arena);
                    self.encode_body(frame);
                }
            }
            Outbound::Subscription(wish) => {
                let Some(flag) = flag_for(wish) else { return };
                subscription_head(wish).encode_1_0(&mut self.arena);
                self.arena.push(flag);
                self.arena.extend_from_slice(wish.subject());
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
                self.body_octets += body.len();
                self.bodies.push_back((self.arena.len(), body.clone()));
            }
            _ => frame.append_to(&mut self.arena),
        }
    }

    /// True if [`chunk`](Buf::chunk) returns everything that is left to write.
    pub fn is_one_chunk(&self) -> bool {
        self.bodies.is_empty()
    }

    /// Fills `chunks` with the next chunks to write, in order, and returns the number of chunks filled.
    pub fn chunks<'a>(&'a self, chunks: &mut [&'a [u8]]) -> usize {
        self.fill_chunks(chunks, |chunk| chunk)
    }

    /// Fills `slots` with the next chunks to write, in the form that `wrap` gives them.
    pub(crate) fn fill_chunks<'a, T>(&'a self, slots: &mut [T], wrap: impl Fn(&'a [u8]) -> T) -> usize {
        let mut at = self.at;
        let mut count = 0;
        let mut bodies = self.bodies.iter();
        while count < slots.len() {
            let body = bodies.next();
            let end = body.map_or(self.arena.len(), |body| body.0);
            if at < end {
                slots[count] = wrap(&self.arena[at..end]);
                at = end;
                count += 1;
            }
            let Some((_, octets)) = body else { break };
            if let Some(slot) = slots.get_mut(count) {
                *slot = wrap(octets);
                count += 1;
            }
        }
        count
    }
}

/// A message for many peers, encoded once for all of them. One whose octets would not be copied stays as it is.
pub(crate) fn encode_once(message: Message) -> Message {
    message.into_shared(|frames| {
        let mut wire = Vec::new();
        if frames.iter().map(|frame| frame.len()).sum::<usize>() < COPY_BELOW {
            for (head, frame) in headed(frames) {
                head.encode(&mut wire);
                wire.extend_from_slice(frame);
            }
        }
        wire
    })
}

fn encode_subscription(wish: &Subscription, version: Version, out: &mut Vec<u8>) {
    if let Some(flag) = flag_for(wish).filter(|_| version < Version::V3_1) {
        subscription_head(wish).encode(out);
        out.push(flag);
        return out.extend_from_slice(wish.subject());
    }
    match wish.clone() {
        Subscription::Subscribe(prefix) => Command::Subscribe(prefix).encode(out),
        Subscription::Cancel(prefix) => Command::Cancel(prefix).encode(out),
        Subscription::Join(group) => Command::Join(group).encode(out),
        Subscription::Leave(group) => Command::Leave(group).encode(out),
    }
}

/// By which octet a message says this wish, as before ZMTP 3.1. Groups came later.
const fn flag_for(wish: &Subscription) -> Option<u8> {
    match wish {
        Subscription::Subscribe(_) => Some(1),
        Subscription::Cancel(_) => Some(0),
        Subscription::Join(_) | Subscription::Leave(_) => None,
    }
}

/// The head of that message.
fn subscription_head(wish: &Subscription) -> FrameHead {
    FrameHead { command: false, more: false, size: wish.subject().len() as u64 + 1 }
}

/// The frames of a message, each with its head.
#[inline]
fn headed(frames: &[Frame]) -> impl Iterator<Item = (FrameHead, &Frame)> {
    let last = frames.len() - 1;
    frames
        .iter()
        .enumerate()
        .map(move |(index, frame)| (FrameHead { command: false, more: index < last, size: frame.len() as u64 }, frame))
}

fn weight(item: &Outbound) -> usize {
    OVERHEAD
        + match item {
            Outbound::Message(message) => message.size(),
            Outbound::Subscription(wish) => wish.subject().len(),
        }
}

impl Buf for Outbox {
    #[inline]
    fn remaining(&self) -> usize {
        self.arena.len() - self.at + self.body_octets
    }

    fn chunk(&self) -> &[u8] {
        match self.bodies.front() {
            Some((place, body)) if *place == self.at => body,
            Some((place, _)) => &self.arena[self.at..*place],
            None => &self.arena[self.at..],
        }
    }

    #[cfg(feature = "std")]
    fn chunks_vectored<'a>(&'a self, slices: &mut [std::io::IoSlice<'a>]) -> usize {
        self.fill_chunks(slices, std::io::IoSlice::new)
    }

    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.remaining(), "cannot advance past what was lent");
        self.written += count;
        while count > 0 {
            match self.bodies.front_mut() {
                Some((place, body)) if *place == self.at => {
                    let step = body.len().min(count);
                    body.advance(step);
                    self.body_octets -= step;
                    count -= step;
                    if body.is_empty() {
                        self.bodies.pop_front();
                    }
                }
                front => {
                    let end = front.map_or(self.arena.len(), |body| body.0);
                    let step = (end - self.at).min(count);
                    self.at += step;
                    count -= step;
                }
            }
        }
        if !self.has_remaining() {
            self.at = 0;
            self.written = 0;
            self.pinging = false;
            self.mixed = false;
            self.closed = false;
            self.ends.clear();
            self.arena.clear();
        }
    }
}
