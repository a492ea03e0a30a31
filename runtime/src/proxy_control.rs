//! [`ProxyControl`]: the remote control of a proxy, and its statistics.

use crate::state::remember;
use crate::sync::{Mutex, MutexGuard};
use core::ops::AddAssign;
use core::task::Waker;
use sansmq_proto::{Frame, Message};
use std::sync::{Arc, PoisonError};

/// Remote control of a [`Proxy`](super::Proxy), for any task or thread: cheap to clone, and its methods never block.
///
/// A command takes effect at the proxy's next turn. The current turn ends first, after at most one burst of messages.
#[derive(Clone, Debug)]
pub struct ProxyControl(Arc<Mutex<ControlState>>);

#[derive(Debug)]
struct ControlState {
    mode: ProxyState,
    statistics: ProxyStatistics,
    /// Waker of the running proxy.
    proxy: Option<Waker>,
}

/// State of a proxy.
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

    /// Pauses the proxy. Until it is resumed, messages wait in its sockets, and the high-water marks slow the senders down.
    pub fn pause(&self) {
        self.set(ProxyState::Paused);
    }

    /// Resumes a paused proxy.
    pub fn resume(&self) {
        self.set(ProxyState::Running);
    }

    /// Ends the current run of the proxy and every later run, at once. Later commands have no effect. Messages that its
    /// sockets have queued stay in the sockets.
    pub fn terminate(&self) {
        self.set(ProxyState::Terminated);
    }

    /// Returns the statistics of all runs so far. They do not change while the proxy is paused.
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
        // A waker may run arbitrary code, so it is woken after the lock is released.
        drop(state);
        if let Some(proxy) = proxy {
            proxy.wake();
        }
    }

    /// Returns the state and the statistics. Registers the waker of the proxy, to be woken when the state changes.
    pub(crate) fn poll_state(&self, waker: &Waker) -> (ProxyState, ProxyStatistics) {
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

    /// Executes a command of a control socket. Returns the reply to `STATISTICS`; other commands have none.
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

/// Traffic of a proxy in all its runs; see [`ProxyControl::statistics`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyStatistics {
    /// Traffic of the first socket of [`Proxy::new`](super::Proxy::new). If both sockets are the same, its received messages are
    /// counted here.
    pub frontend: SocketTraffic,
    /// Traffic of the second socket. If both sockets are the same, its sent messages are counted here.
    pub backend: SocketTraffic,
    /// Number of received messages that the other socket could never send.
    pub dropped: u64,
    /// Number of copies that the capture socket has accepted.
    pub captured: u64,
    /// Number of copies that the capture socket had no room for, or could not send.
    pub missed: u64,
}

/// Traffic of one socket of a proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketTraffic {
    /// Messages that the proxy received from the socket.
    pub received: ProxyTraffic,
    /// Messages that the proxy sent with the socket, including messages that the socket dropped by its own rules.
    pub sent: ProxyTraffic,
}

/// Number and size of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProxyTraffic {
    /// Number of messages.
    pub messages: u64,
    /// Number of frames of all messages.
    pub frames: u64,
    /// Number of bytes of all frames.
    pub bytes: u64,
}

impl ProxyTraffic {
    pub(crate) fn add(&mut self, message: &Message) {
        *self += Self { messages: 1, frames: message.len() as u64, bytes: message.size() as u64 };
    }
}

impl AddAssign for ProxyTraffic {
    fn add_assign(&mut self, more: Self) {
        self.messages += more.messages;
        self.frames += more.frames;
        self.bytes += more.bytes;
    }
}

impl ProxyStatistics {
    /// Returns the reply to `STATISTICS`, in the format of `zmq_proxy_steerable`, which counts frames instead of messages.
    fn to_message(self) -> Message {
        let Self { frontend, backend, .. } = self;
        let traffic = [frontend.received, frontend.sent, backend.received, backend.sent];
        let numbers = traffic.into_iter().flat_map(|traffic| [traffic.frames, traffic.bytes]);
        let frames = numbers.map(|number| Frame::from(&number.to_ne_bytes()));
        Message::from_frames(frames).expect("the iterator yields eight frames")
    }
}
