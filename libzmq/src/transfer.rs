//! Sending and receiving: `zmq_msg_send`, `zmq_msg_recv`, `zmq_send`, `zmq_recv` and their variants.

use crate::errno::{Errno, number};
use crate::memory;
use crate::message::{ForeignBytes, Message, zmq_msg_t};
use crate::options::is_thread_safe;
use crate::socket::{Socket, with_open};
use crate::unread::Unread;
use core::ffi::{c_int, c_void};
use core::ptr;
use core::sync::atomic::Ordering;
use core::time::Duration;
use sansmq::mio::block_on_timeout;
use sansmq::proto::socket::Unsent;
use sansmq::{Frame, RecvError, SendError, SocketType};

const DONTWAIT: c_int = 1;
const SNDMORE: c_int = 2;

/// A frame to send, with the properties that make it a message of its own with some socket types.
pub(crate) struct Outgoing<'a> {
    pub(crate) frame: Frame,
    pub(crate) routing_id: u32,
    pub(crate) group: &'a [u8],
}

impl From<Frame> for Outgoing<'_> {
    fn from(frame: Frame) -> Self {
        Self { frame, routing_id: 0, group: &[] }
    }
}

/// Returns the time that a call may wait.
fn limit(flags: c_int, timeout: c_int) -> Limit {
    match u64::try_from(timeout) {
        _ if flags & DONTWAIT != 0 => Limit::None,
        Ok(0) => Limit::None,
        Ok(millis) => Limit::For(Duration::from_millis(millis)),
        Err(_) => Limit::Forever,
    }
}

/// Time that a call waits.
#[derive(Clone, Copy)]
enum Limit {
    /// The call does not wait.
    None,
    For(Duration),
    Forever,
}

impl Socket {
    /// Sends a frame, or keeps it until the last frame of its message.
    ///
    /// # Errors
    /// The error, and the frame.
    pub(crate) fn send(&self, outgoing: Outgoing<'_>, flags: c_int) -> Result<(), (Errno, Frame)> {
        let limit = limit(flags, self.send_timeout.load(Ordering::Relaxed));
        let has_more = flags & SNDMORE != 0;
        if has_more || self.is_sending.load(Ordering::Relaxed) {
            return self.send_part(outgoing, has_more, limit);
        }
        let Outgoing { frame, routing_id, group } = outgoing;
        match self.kind {
            SocketType::Server | SocketType::Peer => {
                self.transmit(vec![Frame::from(&routing_id.to_be_bytes()), frame].into(), limit)
            }
            SocketType::Radio => self.transmit(vec![Frame::from(group), frame].into(), limit),
            _ => self.transmit(frame.into(), limit),
        }
    }

    /// Sends a frame of a message of several frames.
    fn send_part(&self, outgoing: Outgoing<'_>, has_more: bool, limit: Limit) -> Result<(), (Errno, Frame)> {
        let frame = outgoing.frame;
        if is_thread_safe(self.kind) {
            return Err((Errno::INVALID, frame));
        }
        if !self.is_sending.load(Ordering::Relaxed)
            && let Err(error) = self.check_first(&frame, limit)
        {
            return Err((error, frame));
        }
        let mut frames = self.frames();
        frames.outgoing.push(frame);
        // The second frame of a STREAM is the last one, with or without `ZMQ_SNDMORE`.
        let is_last = !has_more || (self.kind == SocketType::Stream && frames.outgoing.len() == 2);
        if !is_last {
            self.is_sending.store(true, Ordering::Relaxed);
            return Ok(());
        }
        let message = core::mem::take(&mut frames.outgoing);
        drop(frames);
        match self.transmit_frames(message, limit) {
            Ok(()) => {
                self.is_sending.store(false, Ordering::Relaxed);
                Ok(())
            }
            Err((error, mut rest)) => {
                let last = rest.pop().unwrap_or_default();
                self.is_sending.store(!rest.is_empty(), Ordering::Relaxed);
                self.frames().outgoing = rest;
                Err((error, last))
            }
        }
    }

    /// Checks whether a message that begins with `frame` can be sent, and waits for room.
    fn check_first(&self, frame: &Frame, limit: Limit) -> Result<(), Errno> {
        let wait = match limit {
            Limit::None => Some(Duration::ZERO),
            Limit::For(time) => Some(time),
            Limit::Forever => None,
        };
        match self.handle().check_first_frame(frame) {
            Err(Unsent::Full) if wait == Some(Duration::ZERO) => Err(Errno::AGAIN),
            // Only the peer that the frame selects is busy. The last frame waits for it.
            Err(Unsent::Full) if self.handle().can_send() => Ok(()),
            Err(Unsent::Full) => Ok(block_on_timeout(self.handle().writable(), wait)?),
            result => Ok(result?),
        }
    }

    /// Sends a message with one frame, or with a frame before it that C code does not see.
    fn transmit(&self, message: sansmq::Message, limit: Limit) -> Result<(), (Errno, Frame)> {
        self.try_transmit(message, limit).map_err(|error| {
            let number = Errno::from(&error);
            let frame = error.into_message().into_frames().pop();
            (number, frame.unwrap_or_default())
        })
    }

    fn transmit_frames(&self, frames: Vec<Frame>, limit: Limit) -> Result<(), (Errno, Vec<Frame>)> {
        self.try_transmit(frames.into(), limit).map_err(|error| {
            let number = Errno::from(&error);
            (number, error.into_message().into_frames())
        })
    }

    fn try_transmit(&self, message: sansmq::Message, limit: Limit) -> Result<(), SendError> {
        match (self.handle().try_send(message), limit) {
            (Err(SendError::Full(message)), Limit::For(time)) => self.blocking.send_timeout(message, time),
            (Err(SendError::Full(message)), Limit::Forever) => self.blocking.send(message),
            // libzmq takes a routing id without a body, and sends nothing. So a STREAM takes a single frame.
            (Err(SendError::Unaddressed(_) | SendError::FrameCount(_)), _) => Ok(()),
            (result, _) => result,
        }
    }

    /// Receives the next frame.
    pub(crate) fn recv(&self, flags: c_int) -> Result<Message, Errno> {
        if let Some(frame) = self.next_unread(&mut self.frames().unread) {
            return Ok(frame);
        }
        let limit = limit(flags, self.recv_timeout.load(Ordering::Relaxed));
        let received = match (self.try_receive(), limit) {
            (Ok(frame), _) => return Ok(frame),
            (Err(RecvError::Empty), Limit::For(time)) => self.blocking.recv_from_timeout(time),
            (Err(RecvError::Empty), Limit::Forever) => self.blocking.recv_from(),
            (Err(error), _) => Err(error),
        };
        let (message, sender) = received.inspect_err(|_| self.readiness.rearm(self))?;
        let mut frames = self.frames();
        frames.unread.push(self.kind, message, sender);
        self.next_unread(&mut frames.unread).ok_or(Errno::AGAIN)
    }

    /// Receives a frame without waiting, when none is unread.
    fn try_receive(&self) -> Result<Message, RecvError> {
        let mut frames = self.frames();
        let unread = &mut frames.unread;
        // Several threads may receive from the second types at once, and each must find a message that is queued.
        if self.kind.may_recv_ahead() && !is_thread_safe(self.kind) {
            self.handle().try_recv_many_from(unread, AHEAD)?;
        } else {
            let (message, sender) = self.handle().try_recv_from()?;
            unread.push(self.kind, message, sender);
        }
        self.next_unread(unread).ok_or(RecvError::Empty)
    }

    /// Removes and returns the next unread frame.
    fn next_unread(&self, unread: &mut Unread) -> Option<Message> {
        let frame = unread.pop()?;
        self.is_receiving.store(frame.has_more(), Ordering::Relaxed);
        self.has_unread.store(!unread.is_empty(), Ordering::Relaxed);
        Some(frame)
    }

    /// Removes the unread frames, and returns the messages to which they belong.
    pub(crate) fn take_unread(&self) -> Vec<sansmq::Message> {
        let mut frames = self.frames();
        self.has_unread.store(false, Ordering::Relaxed);
        self.is_receiving.store(false, Ordering::Relaxed);
        frames.unread.take_messages()
    }
}

/// Maximum number of messages that are received ahead: the lock of the socket is taken once for all of them, so the thread that
/// sends seldom has to wait for it.
const AHEAD: usize = 64;

/// Returns a length as C code receives it.
fn length(len: usize) -> c_int {
    c_int::try_from(len).unwrap_or(c_int::MAX)
}

/// `zmq_msg_send`: sends a message, which is empty afterwards.
///
/// # Safety
/// `message` must be null, or point to a message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_send(message: *mut zmq_msg_t, socket: *mut c_void, flags: c_int) -> c_int {
    number(with_open(socket, |socket| {
        // SAFETY: As promised by the caller.
        let message = unsafe { Message::at(message) }?;
        let len = length(message.bytes().len());
        let frame = message.take_frame();
        let outgoing = Outgoing { frame, routing_id: message.routing_id, group: message.group().to_bytes() };
        match socket.send(outgoing, flags) {
            Ok(()) => {
                *message = Message::empty();
                Ok(len)
            }
            Err((error, frame)) => {
                message.restore(frame);
                Err(error)
            }
        }
    }))
}

/// `zmq_msg_recv`: receives a message, in place of the content of `message`.
///
/// # Safety
/// As [`zmq_msg_send`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_recv(message: *mut zmq_msg_t, socket: *mut c_void, flags: c_int) -> c_int {
    number(with_open(socket, |socket| {
        // SAFETY: As promised by the caller.
        let message = unsafe { Message::at(message) }?;
        let received = socket.recv(flags)?;
        let len = length(received.bytes().len());
        *message = received;
        Ok(len)
    }))
}

/// `zmq_sendmsg`, the earlier name of `zmq_msg_send`.
///
/// # Safety
/// As [`zmq_msg_send`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_sendmsg(socket: *mut c_void, message: *mut zmq_msg_t, flags: c_int) -> c_int {
    // SAFETY: As promised by the caller.
    unsafe { zmq_msg_send(message, socket, flags) }
}

/// `zmq_recvmsg`, the earlier name of `zmq_msg_recv`.
///
/// # Safety
/// As [`zmq_msg_send`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_recvmsg(socket: *mut c_void, message: *mut zmq_msg_t, flags: c_int) -> c_int {
    // SAFETY: As promised by the caller.
    unsafe { zmq_msg_recv(message, socket, flags) }
}

/// `zmq_send`: sends a copy of bytes.
///
/// # Safety
/// `data` must be null, or valid for reads of `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_send(socket: *mut c_void, data: *const c_void, len: usize, flags: c_int) -> c_int {
    number(with_open(socket, |socket| {
        // SAFETY: As promised by the caller.
        let bytes = unsafe { memory::bytes(data, len) }?;
        socket.send(Frame::copy_from_slice(bytes).into(), flags).map_err(|(error, _)| error)?;
        Ok(length(len))
    }))
}

/// `zmq_send_const`: sends bytes that never change, without a copy.
///
/// # Safety
/// `data` must be null, or valid for reads of `len` bytes without end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_send_const(socket: *mut c_void, data: *const c_void, len: usize, flags: c_int) -> c_int {
    number(with_open(socket, |socket| {
        if data.is_null() && len > 0 {
            return Err(Errno::FAULT);
        }
        // SAFETY: As promised by the caller.
        let bytes = unsafe { ForeignBytes::new(data, len, None, ptr::null_mut()) };
        let frame = Frame::from(bytes::Bytes::from_owner(bytes));
        socket.send(frame.into(), flags).map_err(|(error, _)| error)?;
        Ok(length(len))
    }))
}

/// `zmq_recv`: receives a frame and copies it to `buffer`. Bytes that do not fit there are dropped.
///
/// # Safety
/// `buffer` must be null, or valid for writes of `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_recv(socket: *mut c_void, buffer: *mut c_void, len: usize, flags: c_int) -> c_int {
    number(with_open(socket, |socket| {
        let received = socket.recv(flags)?;
        let bytes = received.bytes();
        if !buffer.is_null() {
            let copied = bytes.len().min(len);
            // SAFETY: The caller has promised that `len` bytes are writable, and `copied` is not larger.
            unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), buffer.cast(), copied) };
        }
        Ok(length(bytes.len()))
    }))
}

/// `zmq_sendiov`: sends each element of an array as a frame of one message.
///
/// # Safety
/// `iov` must be null, or point to `count` elements with readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_sendiov(
    socket: *mut c_void,
    iov: *const libc::iovec,
    count: usize,
    flags: c_int,
) -> c_int {
    number(with_open(socket, |socket| {
        if count == 0 || iov.is_null() {
            return Err(Errno::INVALID);
        }
        // SAFETY: As promised by the caller.
        let parts = unsafe { core::slice::from_raw_parts(iov, count) };
        let mut last = 0;
        for (index, part) in parts.iter().enumerate() {
            // SAFETY: As promised by the caller.
            let bytes = unsafe { memory::bytes(part.iov_base, part.iov_len) }?;
            let flags = if index + 1 == count { flags & !SNDMORE } else { flags | SNDMORE };
            socket.send(Frame::copy_from_slice(bytes).into(), flags).map_err(|(error, _)| error)?;
            last = length(bytes.len());
        }
        Ok(last)
    }))
}

/// `zmq_recviov`: receives the frames of one message into an array. C code must release each element with `free`.
///
/// # Safety
/// `iov` must be null, or point to `count` writable elements, and `count` be null, or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_recviov(
    socket: *mut c_void,
    iov: *mut libc::iovec,
    count: *mut usize,
    flags: c_int,
) -> c_int {
    number(with_open(socket, |socket| {
        if count.is_null() || iov.is_null() {
            return Err(Errno::INVALID);
        }
        // SAFETY: As promised by the caller.
        let room = unsafe { count.read() };
        if room == 0 {
            return Err(Errno::INVALID);
        }
        let mut received = 0;
        let mut more = true;
        while more && received < room {
            let frame = socket.recv(flags)?;
            let len = frame.bytes().len();
            // SAFETY: `malloc` accepts every size.
            let copy = unsafe { libc::malloc(len.max(1)) };
            if copy.is_null() {
                return Err(Errno::NO_MEMORY);
            }
            // SAFETY: The new memory has at least `len` bytes.
            unsafe { ptr::copy_nonoverlapping(frame.bytes().as_ptr(), copy.cast(), len) };
            let element = libc::iovec { iov_base: copy, iov_len: len };
            // SAFETY: The array has `room` elements, and `received` is less.
            unsafe { iov.wrapping_add(received).write(element) };
            received += 1;
            more = frame.has_more();
            // SAFETY: As promised by the caller.
            unsafe { count.write(received) };
        }
        Ok(length(received))
    }))
}
