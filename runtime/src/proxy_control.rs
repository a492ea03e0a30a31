//! [`ProxyControl`]: the remote control of a proxy, and its statistics.

use crate::state::remember;
use crate::sync::{Mutex, MutexGuard};
use core::ops::{AddAssign, Sub};
use core::task::Waker;
use sansmq_proto::{Frame, Message};
use std::sync::{Arc, PoisonError};

/// Remote control of a [`Proxy`](super::Proxy), for any task or thread: cheap to clone, and its methods never block.
///
/// A call of `pause`, `resume` or `terminate` takes effect when the future of [`Proxy::run`](super::Proxy::run) is
/// polled next. A poll that has already begun still forwards messages, but at most 100 in each direction.
#[doc(alias("zmq_proxy_steerable", "proxy_steerable"))]
#[derive(Clone, Debug)]
pub struct ProxyControl(Arc<Mutex<ControlState>>);

#[derive(Debug)]
struct ControlState {
    mode: ProxyState,
    statistics: ProxyStatistics,
    /// Waker of the task that runs the proxy, woken when the state changes. `None` if it was woken already, or before
    /// the first run.
    proxy: Option<Waker>,
}

/// State of a proxy. The methods of [`ProxyControl`] and the commands of the control socket change the state.
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

    /// Pauses the proxy: it forwards nothing until it is resumed. Messages wait in its sockets, and the high-water
    /// marks slow the senders down.
    pub fn pause(&self) {
        self.set(ProxyState::Paused);
    }

    /// Resumes the proxy after [`pause`](Self::pause). Has no effect if the proxy is not paused.
    pub fn resume(&self) {
        self.set(ProxyState::Running);
    }

    /// Ends the current run of the proxy when its future is polled next, and makes every later run return at once.
    /// Later calls of `pause` and `resume` have no effect. Messages that are queued in the proxy's sockets stay there.
    pub fn terminate(&self) {
        self.set(ProxyState::Terminated);
    }

    /// Returns the statistics of all runs so far. The numbers do not change while the proxy is paused.
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

    /// Returns the state and the statistics of the proxy. Registers `waker`, the waker of the task that runs the proxy,
    /// to be woken when the state changes.
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

    /// Executes `command`, a message that the proxy's control socket has received. Returns the statistics, to be sent
    /// as the reply, if the command is `STATISTICS`, and otherwise `None`.
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

/// Numbers of messages that a proxy has forwarded, dropped and captured in all its runs; see
/// [`ProxyControl::statistics`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct ProxyStatistics {
    /// Traffic of the first socket of [`Proxy::new`](super::Proxy::new). If the same socket was given twice, only the
    /// messages that it received are counted here.
    pub frontend: SocketTraffic,
    /// Traffic of the second socket of [`Proxy::new`](super::Proxy::new). If the same socket was given twice, only the
    /// messages that it sent are counted here.
    pub backend: SocketTraffic,
    /// Number of messages that the proxy received and dropped, because the other socket could never send them.
    pub dropped: u64,
    /// Number of copies of messages that the capture socket has accepted for sending.
    pub captured: u64,
    /// Number of copies of messages that were dropped, because the capture socket had no room or could not send them.
    pub missed: u64,
}

/// Numbers and sizes of the messages that a proxy has received and sent with one of its sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct SocketTraffic {
    /// Number and size of the messages that the proxy received from the socket.
    pub received: ProxyTraffic,
    /// Number and size of the messages that the proxy sent with the socket. Includes messages that the socket accepted
    /// and then dropped, for example because a PUB had no subscriber.
    pub sent: ProxyTraffic,
}

/// Number and size of the messages that a proxy has received from one of its sockets, or sent with it, in all its runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct ProxyTraffic {
    /// Total number of messages.
    pub messages: u64,
    /// Total number of frames in these messages.
    pub frames: u64,
    /// Total number of bytes in the frames that `frames` counts, without protocol overhead.
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

impl Sub for ProxyTraffic {
    type Output = Self;

    fn sub(self, less: Self) -> Self {
        Self {
            messages: self.messages - less.messages,
            frames: self.frames - less.frames,
            bytes: self.bytes - less.bytes,
        }
    }
}

impl ProxyStatistics {
    /// Returns the reply to `STATISTICS`, in the format of `zmq_proxy_steerable`.
    fn to_message(self) -> Message {
        let Self { frontend, backend, .. } = self;
        let traffic = [frontend.received, frontend.sent, backend.received, backend.sent];
        let numbers = traffic.into_iter().flat_map(|traffic| [traffic.messages, traffic.bytes]);
        let frames = numbers.map(|number| Frame::from(&number.to_ne_bytes()));
        Message::from_frames(frames).expect("the iterator yields eight frames")
    }
}
