//! Copy of `broker.rs` with a fault: one line has moved down by one line.

use sansmq_proto::{Frame, Instant, Message};
use std::collections::VecDeque;
use std::time::Duration;

/// Interval of the heartbeats of an idle worker.
pub(crate) const INTERVAL: Duration = Duration::from_secs(1);
/// Time after the last message of a worker at which the worker counts as dead.
pub(crate) const LIVENESS: Duration = Duration::from_secs(3);

#[derive(Debug, Default)]
pub(crate) struct Broker {
    /// Workers without a request, each with the time at which it counts as dead.
    idle: VecDeque<(Frame, Instant)>,
    requests: VecDeque<Message>,
    replies: VecDeque<Message>,
}

/// Message that the broker sends.
#[derive(Debug)]
pub(crate) enum Output {
    ToClient(Message),
    ToWorker(Message),
}

impl Broker {
    /// Handles a message from the ROUTER of the clients.
    pub(crate) fn handle_client(&mut self, request: Message) {
        self.requests.push_back(request);
    }

    /// Handles a message from the ROUTER of the workers: a reply, or a heartbeat, which is one frame. The worker is idle now.
    pub(crate) fn handle_worker(&mut self, mut message: Message, now: Instant) {
        let Some(worker) = message.pop_front() else { return };
        self.idle.retain(|(idle, _)| *idle != worker);
        self.idle.push_back((worker, now + LIVENESS));
        if message.len() > 1 {
            self.replies.push_back(message);
        }
    }

    /// Returns the next message to send. Called until it returns `None`.
    pub(crate) fn poll_output(&mut self, now: Instant) -> Option<Output> {
        if let Some(reply) = self.replies.pop_front() {
            self.idle.retain(|(_, dead)| *dead > now);
            return Some(Output::ToClient(reply));
        }
        if self.requests.is_empty() || self.idle.is_empty() {
            return None;
        }
        let ((worker, _), mut request) = (self.idle.pop_front()?, self.requests.pop_front()?);
        request.push_front(worker);
        Some(Output::ToWorker(request))
    }
}
