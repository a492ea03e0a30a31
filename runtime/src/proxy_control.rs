//! [`ProxyControl`]: what a proxy is to do, and what it has done.

use crate::state::remember;
use crate::sync::{Mutex, MutexGuard};
use core::ops::AddAssign;
use core::task::Waker;
use sansmq_proto::{Frame, Message};
use std::sync::{Arc, PoisonError};

/// Steers a [`Proxy`](super::Proxy) from any task or thread: cheap to clone, and waits for nothing.
///
/// What it says holds from the proxy's next turn on; one that is under way ends first, which takes a burst of messages
/// at most.
#[derive(Clone, Debug)]
pub struct ProxyControl(Arc<Mutex<ControlState>>);

#[derive(Debug)]
struct ControlState {
    mode: ProxyState,
    statistics: ProxyStatistics,
    /// Wakes the proxy while it runs.
    proxy: Option<Waker>,
}

/// What the proxy is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxyState {
    Running,
    Paused,
    Terminated,
}

impl ProxyControl {
    pub(crate) fn new() -> Self {
        let state = ControlState { mode: ProxyState::Running, statistics: ProxyStatistics::default(), proxy: None };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Has the proxy pass nothing on until it is resumed: messages wait in its sockets, and their marks hold senders
    /// back.
    pub fn pause(&self) {
        self.set(ProxyState::Paused);
    }

    /// Has the proxy go on.
    pub fn resume(&self) {
        self.set(ProxyState::Running);
    }

    /// Ends the run of the proxy, and every later one, whatever is said afterwards. What its sockets have received
    /// stays in them.
    pub fn terminate(&self) {
        self.set(ProxyState::Terminated);
    }

    /// What the proxy has done so far, in all its runs. They do not change while it is paused.
    pub fn statistics(&self) -> ProxyStatistics {
        self.state().statistics
    }

    fn state(&self) -> MutexGuard<'_, ControlState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, mode: ProxyState) {
        let mut state = self.state();
        if state.mode != ProxyState::Terminated {
            state.mode = mode;
        }
        let proxy = state.proxy.take();
        // A waker may run anything, and is woken with no lock held.
        drop(state);
        if let Some(proxy) = proxy {
            proxy.wake();
        }
    }

    /// What the proxy is to do, and the statistics for it to go on with. It will be woken when that changes.
    pub(crate) fn look(&self, waker: &Waker) -> (ProxyState, ProxyStatistics) {
        let mut state = self.state();
        let spent = remember(&mut state.proxy, waker);
        let result = (state.mode, state.statistics);
        drop(state);
        drop(spent);
        result
    }

    pub(crate) fn record(&self, statistics: ProxyStatistics) {
        self.state().statistics = statistics;
    }

    /// Does what a control socket was told, and gives the answer if there is more to it than that it was heard.
    pub(crate) fn command(&self, command: &Message) -> Option<Message> {
        match command.frames() {
            [only] if only == b"PAUSE" => self.pause(),
            [only] if only == b"RESUME" => self.resume(),
            [only] if only == b"TERMINATE" => self.terminate(),
            [only] if only == b"STATISTICS" => return Some(self.statistics().to_message()),
            _ => {}
        }
        None
    }
}

/// What a proxy has done; see [`ProxyControl::statistics`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyStatistics {
    /// The first socket of [`Proxy::new`](super::Proxy::new). One that is both ends receives as this one.
    pub frontend: SocketTraffic,
    /// The second. One that is both ends sends as this one.
    pub backend: SocketTraffic,
    /// Messages that were received and that the other socket would never take.
    pub dropped: u64,
    /// Copies that the capture socket has taken.
    pub captured: u64,
    /// Copies that it had no room for, or would not take.
    pub missed: u64,
}

/// What went in and out of one socket of a proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketTraffic {
    /// What the proxy received from it.
    pub received: Passed,
    /// What the proxy sent to it, and what it may have dropped by its own rules.
    pub sent: Passed,
}

/// Messages, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// How many messages.
    pub messages: u64,
    /// How many frames they had together.
    pub frames: u64,
    /// How many octets those had together.
    pub octets: u64,
}

impl Passed {
    pub(crate) fn add(&mut self, message: &Message) {
        *self += Self { messages: 1, frames: message.len() as u64, octets: message.size() as u64 };
    }
}

impl AddAssign for Passed {
    fn add_assign(&mut self, more: Self) {
        self.messages += more.messages;
        self.frames += more.frames;
        self.octets += more.octets;
    }
}

impl ProxyStatistics {
    /// In libzmq's form, which counts frames.
    fn to_message(self) -> Message {
        let Self { frontend, backend, .. } = self;
        let traffic = [frontend.received, frontend.sent, backend.received, backend.sent];
        let numbers = traffic.into_iter().flat_map(|traffic| [traffic.frames, traffic.octets]);
        let frames = numbers.map(|number| Frame::from(&number.to_ne_bytes()));
        Message::from_frames(frames).expect("four times two numbers are eight frames")
    }
}
