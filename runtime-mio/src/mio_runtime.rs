//! [`Mio`]: the [`Runtime`] of a reactor, shared by its tasks and other threads.

use crate::inbox::{Inbox, Request};
use crate::net::{MioListener, MioStream};
use crate::sources::Sources;
use core::fmt;
use sansmq_os::OpenListener;
use sansmq_proto::address::TransportConfig;
use sansmq_proto::{Endpoint, Instant, NetworkError};
use sansmq_runtime::{BoundListener, DialTimer, ProcessId, Runtime, Task};
use std::sync::Arc;

/// Parts of a reactor that its tasks and other threads share: the queue of requests, the registered sources and the
/// clock. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Mio {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) sources: Arc<Sources>,
    /// Moment at which the reactor was created. This moment is the time zero, [`Instant::ORIGIN`], of all sockets of
    /// the reactor.
    pub(crate) origin: std::time::Instant,
    /// Process that created the reactor.
    pub(crate) process: ProcessId,
}

impl Runtime for Mio {
    type Stream = MioStream;
    type Listener = MioListener;

    fn spawn(&self, task: Task<Self>) {
        self.inbox.push(Request::Spawn(Box::new(task)));
    }

    fn now(&self) -> Instant {
        Instant::from_elapsed(self.origin.elapsed())
    }

    fn process(&self) -> ProcessId {
        self.process
    }

    async fn listen(
        self,
        endpoint: Endpoint,
        transport: TransportConfig,
    ) -> Result<(MioListener, Endpoint), NetworkError> {
        let open = sansmq_os::listen(&endpoint, &transport).await?;
        let bound = open.bound.clone();
        Ok((MioListener::new(&self.sources, open)?, bound))
    }

    fn take_listener(&self, listener: BoundListener, transport: &TransportConfig) -> Result<MioListener, NetworkError> {
        MioListener::new(&self.sources, OpenListener::from_listener(listener, transport)?)
    }

    async fn dial(
        self,
        endpoint: Endpoint,
        transport: TransportConfig,
        timer: DialTimer,
    ) -> Result<MioStream, NetworkError> {
        let establish = |stream| MioStream::established(Arc::clone(&self.sources), stream);
        sansmq_os::dial(&endpoint, &transport, establish, &timer).await
    }
}

impl fmt::Debug for Mio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mio")
    }
}
