//! [`Unread`]: received frames that wait for C code, which takes one at a time.

use crate::message::Message;
use sansmq::{Frame, Peer, SocketType};
use std::collections::VecDeque;
use std::ffi::CString;
use std::sync::Arc;

/// Frames of received messages, in order, each in the form in which C code receives it.
#[derive(Debug, Default)]
pub(crate) struct Unread(VecDeque<Message>);

impl Unread {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Message> {
        self.0.pop_front()
    }

    /// Adds a message that a socket of the type `kind` has received. Some types receive in the first frame what C code receives as
    /// a property of the second.
    pub(crate) fn push(&mut self, kind: SocketType, mut message: sansmq::Message, sender: Arc<Peer>) {
        match kind {
            SocketType::Server | SocketType::Peer => {
                let id = message.pop_front().unwrap_or_default();
                let mut body = Message::received(last_frame(message), false, sender);
                body.routing_id = id.as_ref().try_into().map_or(0, u32::from_be_bytes);
                self.0.push_back(body);
            }
            SocketType::Dish => {
                let group = message.pop_front().unwrap_or_default();
                let mut body = Message::received(last_frame(message), false, sender);
                // A group cannot contain a zero byte in C.
                let group: Vec<u8> = group.iter().copied().take_while(|&byte| byte != 0).collect();
                if let Ok(group) = CString::new(group) {
                    body.set_group(group);
                }
                self.0.push_back(body);
            }
            _ => self.extend([(message, sender)]),
        }
    }

    fn push_all(&mut self, message: sansmq::Message, sender: &Arc<Peer>) {
        let mut left = message.len();
        for frame in message {
            left -= 1;
            self.0.push_back(Message::received(frame, left > 0, Arc::clone(sender)));
        }
    }

    /// Removes all frames, and returns the messages to which they belong.
    pub(crate) fn take_messages(&mut self) -> Vec<sansmq::Message> {
        let (mut messages, mut frames) = (Vec::new(), Vec::<Frame>::new());
        for mut frame in self.0.drain(..) {
            frames.push(frame.take_frame());
            if !frame.has_more() {
                messages.push(core::mem::take(&mut frames).into());
            }
        }
        messages
    }
}

fn last_frame(message: sansmq::Message) -> Frame {
    message.into_frames().pop().unwrap_or_default()
}

impl Extend<(sansmq::Message, Arc<Peer>)> for Unread {
    fn extend<I: IntoIterator<Item = (sansmq::Message, Arc<Peer>)>>(&mut self, messages: I) {
        for (message, sender) in messages {
            // Most messages. A copy of the bytes is cheaper than the frame, which would be moved several times.
            match Message::of_short(&message, sender) {
                Ok(short) => self.0.push_back(short),
                Err(sender) => self.push_all(message, &sender),
            }
        }
    }
}
