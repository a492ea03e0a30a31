//! Methods of [`Exclusive`] for events, statistics, and the options of the live socket.

use crate::exclusive::Exclusive;
use crate::runtime::TimedRuntime;
use core::future::poll_fn;
use core::task::{Context, Poll};
use sansmq_proto::kind::Kind;
use sansmq_proto::socket::{PeerStats, SetOptionsError, SocketOption, SocketStats};
use sansmq_proto::{Event, Options};

impl<T: Kind, R: TimedRuntime> Exclusive<T, R> {
    /// Begins to store the events of the socket for [`event`](Self::event): changes of its listeners and connections, and dropped
    /// messages, each failure with its reason. At most 1000 events are stored; if more occur, the oldest are dropped, and
    /// [`Event::Lagged`] reports their number.
    pub fn monitor(&mut self) {
        self.engine.monitor();
    }

    /// Waits for the next event since the first call of this method or of [`monitor`](Self::monitor). Returns `None` after the
    /// socket has closed.
    ///
    /// Cancel-safe.
    pub async fn event(&mut self) -> Option<Event> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// Returns the next event, as [`event`](Self::event) does. Returns `Pending` while there is none.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.engine.monitor();
        self.engine.poll_until(cx, |engine| match engine.take_event() {
            None if !engine.socket().is_closed() => Poll::Pending,
            event => Poll::Ready(event),
        })
    }

    /// Returns the next event that is stored already, without driving the connections.
    pub fn try_event(&mut self) -> Option<Event> {
        self.engine.take_event()
    }

    /// Returns the counters and queue lengths of the socket; see [`Handle::stats`](crate::Handle::stats).
    pub fn stats(&mut self) -> SocketStats {
        self.sample();
        self.socket().stats()
    }

    /// Returns the counters and queue lengths of each peer; see [`Handle::peer_stats`](crate::Handle::peer_stats).
    pub fn peer_stats(&mut self) -> Vec<PeerStats> {
        self.sample();
        self.socket().peer_stats().collect()
    }

    fn sample(&mut self) {
        let now = self.engine.now();
        self.engine.socket_mut().sample_queues(now);
    }

    /// Returns the options of the socket, as they are now.
    pub fn options(&self) -> Options<T> {
        self.socket().options().expect("the kind of an exclusive socket is that of its socket")
    }

    /// Changes the options of the socket, all or none of them, as [`Handle::set_options`](crate::Handle::set_options) does.
    ///
    /// # Errors
    /// [`SetOptionsError`]: an option cannot change any more, or the socket is closed.
    pub fn set_options(&mut self, options: Options<T>) -> Result<(), SetOptionsError> {
        self.engine.socket_mut().set_options(options)
    }

    /// Changes one option of the socket, as [`Handle::set_option`](crate::Handle::set_option) does.
    ///
    /// # Errors
    /// [`SetOptionsError`].
    pub fn set_option(&mut self, option: SocketOption) -> Result<(), SetOptionsError> {
        self.engine.socket_mut().set_option(option)
    }
}
