//! Bytes of ZMTP: the handshake, blocks of prepared messages, and a reader of frame headers.

use crate::check::{TAG, bodies};
use crate::common::*;

/// Bytes per write, and least bytes of a block.
const WRITE_BLOCK: usize = 128 * 1024;
pub(super) const READ_BLOCK: usize = 256 * 1024;

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// Returns greeting and READY.
pub(super) fn hello(socket_type: &str) -> Vec<u8> {
    let mut bytes = vec![0u8; 64];
    bytes[0] = 0xff;
    bytes[9] = 0x7f;
    bytes[10] = 3;
    bytes[12..16].copy_from_slice(b"NULL");
    let mut ready = b"\x05READY".to_vec();
    property(&mut ready, "Socket-Type", socket_type);
    if matches!(socket_type, "DEALER" | "REQ" | "ROUTER") {
        property(&mut ready, "Identity", "");
    }
    bytes.extend([COMMAND, ready.len() as u8]);
    bytes.extend(ready);
    bytes
}

fn property(command: &mut Vec<u8>, name: &str, value: &str) {
    command.push(name.len() as u8);
    command.extend(name.as_bytes());
    command.extend((value.len() as u32).to_be_bytes());
    command.extend(value.as_bytes());
}

pub(super) fn framed(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len() + 9);
    match u8::try_from(body.len()) {
        Ok(len) => bytes.extend([0, len]),
        Err(_) => {
            bytes.push(LONG);
            bytes.extend((body.len() as u64).to_be_bytes());
        }
    }
    bytes.extend(body);
    bytes
}

/// Returns a request as REQ sends it: an empty delimiter and the body.
pub fn envelope(body: &[u8]) -> Vec<u8> {
    [&[MORE, 0][..], &framed(body)].concat()
}

/// Prepared messages: a whole number of cycles, at least two.
pub(super) struct Block {
    bytes: Vec<u8>,
    /// Offset behind each message of a cycle.
    ends: Vec<usize>,
}

impl Block {
    pub(super) fn new(a: &Args, sender: usize) -> Self {
        let (mut cycle, mut ends) = (Vec::new(), Vec::new());
        for body in bodies(a, sender) {
            let last = framed(&body);
            let mut more = last.clone();
            more[0] |= MORE;
            cycle.extend(more.repeat(a.frames - 1));
            cycle.extend(last);
            ends.push(cycle.len());
        }
        // `messages` returns a window that begins anywhere in the first cycle.
        let window = if a.scenario == Scenario::Router { WINDOW as usize } else { 1 };
        let cycles = (WRITE_BLOCK / cycle.len()).max(window / ends.len() + 2);
        Self { bytes: cycle.repeat(cycles), ends }
    }

    fn cycle(&self) -> usize {
        self.ends[self.ends.len() - 1]
    }

    /// Returns the bytes of the first `count` messages.
    pub(super) fn len_of(&self, count: u64) -> usize {
        let (cycles, rest) = (count as usize / self.ends.len(), count as usize % self.ends.len());
        cycles * self.cycle() + rest.checked_sub(1).map_or(0, |last| self.ends[last])
    }

    /// Returns bytes to write next, of a stream of `total` bytes of which `written` are written.
    pub(super) fn at(&self, written: usize, total: usize) -> &[u8] {
        let from = written % self.cycle();
        let most = WRITE_BLOCK.max(self.ends[0]).min(total - written);
        &self.bytes[from..self.bytes.len().min(from + most)]
    }

    /// Returns `count` messages, at most a window, of which the first has the number `first`.
    pub(super) fn messages(&self, first: u64, count: u64) -> &[u8] {
        let first = first % self.ends.len() as u64;
        &self.bytes[self.len_of(first)..self.len_of(first + count)]
    }

    /// Changes the sender of all messages. For messages of one frame.
    pub(super) fn set_sender(&mut self, sender: u32) {
        let body = self.ends[0] - 1;
        let head = if body < 256 { 2 } else { 9 };
        let mut start = 0;
        while start < self.bytes.len() {
            for end in [0].iter().chain(&self.ends[..self.ends.len() - 1]) {
                let at = start + end + head + TAG / 2;
                self.bytes[at..at + TAG / 2].copy_from_slice(&sender.to_le_bytes());
            }
            start += self.cycle();
        }
    }
}

/// Reader of the frames in a stream of bytes that is cut anywhere.
#[derive(Default)]
pub(super) struct Walk {
    head: [u8; 9],
    have: usize,
    in_body: bool,
    flags: u8,
    len: usize,
    left: usize,
    tag: [u8; TAG],
    /// Frames of the present message that are complete.
    frames: usize,
}

impl Walk {
    fn begin(&mut self, flags: u8, len: usize) {
        self.flags = flags;
        self.len = len;
        self.left = len;
        self.tag = [0; TAG];
        self.in_body = true;
        self.have = 0;
    }

    /// Calls `message` for each message that ends in `bytes`.
    #[inline]
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut message: impl FnMut(Seen)) {
        loop {
            if self.in_body {
                bytes = self.body(bytes);
                if self.left > 0 {
                    return;
                }
                self.in_body = false;
                self.frames += usize::from(self.flags & COMMAND == 0);
                if self.flags & (MORE | COMMAND) == 0 {
                    let tag = u64::from_le_bytes(self.tag);
                    message(Seen { len: self.len, tag, frames: std::mem::take(&mut self.frames) });
                }
            }
            if self.have == 0 {
                if let [flags, len, rest @ ..] = bytes
                    && flags & LONG == 0
                {
                    self.begin(*flags, usize::from(*len));
                    bytes = rest;
                    continue;
                }
                if let Some(([flags, len @ ..], rest)) = bytes.split_first_chunk::<9>() {
                    self.begin(*flags, u64::from_be_bytes(*len) as usize);
                    bytes = rest;
                    continue;
                }
            }
            let Some((&byte, rest)) = bytes.split_first() else { return };
            bytes = rest;
            self.head[self.have] = byte;
            self.have += 1;
            let [flags, len @ ..] = self.head;
            if flags & LONG == 0 && self.have == 2 {
                self.begin(flags, usize::from(len[0]));
            } else if self.have == 9 {
                self.begin(flags, u64::from_be_bytes(len) as usize);
            }
        }
    }

    /// Reads the tag, and skips the rest of the body. Returns what follows the body.
    #[inline]
    fn body<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let n = self.left.min(bytes.len());
        let done = self.len - self.left;
        if let Some(tag) = bytes[..n].first_chunk::<TAG>()
            && done == 0
        {
            self.tag = *tag;
        } else if done < TAG {
            let k = (TAG - done).min(n);
            self.tag[done..done + k].copy_from_slice(&bytes[..k]);
        }
        self.left -= n;
        &bytes[n..]
    }
}
