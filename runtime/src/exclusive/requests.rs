//! [`Requests`]: what a `Guest` has requested from its runtime, and the runtime has not finished: to listen and to dial.

use crate::exclusive::driven::{Driven, DrivenListener};
use crate::exclusive::ready::{Notice, ReadyQueue};
use crate::race::DialTimer;
use crate::runtime::Runtime;
use crate::shared_listener::SharedListener;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use sansmq_proto::address::TransportConfig;
use sansmq_proto::guest::Key;
use sansmq_proto::{Endpoint, Instant, NetworkError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Futures of a runtime that open listeners and connect, by the key of their request.
pub(crate) struct Requests<R: Runtime> {
    running: BTreeMap<Key, Request<R>>,
    /// Deadlines of the dials with a running [`DialTimer`].
    deadlines: BTreeSet<(Instant, Key)>,
    /// Number of requests at which those that the guest no longer needs are removed.
    limit: usize,
}

struct Request<R: Runtime> {
    notice: Arc<Notice>,
    /// Waker of `notice`.
    waker: Waker,
    work: Work<R>,
}

enum Work<R: Runtime> {
    Listen(Boxed<(R::Listener, Endpoint)>, Box<TransportConfig>),
    Dial(Boxed<R::Stream>, DialTimer),
}

type Boxed<V> = Pin<Box<dyn Future<Output = Result<V, NetworkError>> + Send>>;

/// Outcome of a request.
pub(crate) enum Answer<R: Runtime> {
    Listening(Result<(DrivenListener<R::Listener>, Endpoint), NetworkError>),
    Dialled(Result<Driven<R::Stream>, NetworkError>),
}

/// Number of requests up to which cancelled ones may be kept.
const FEW: usize = 16;

impl<R: Runtime> Requests<R> {
    pub(crate) const fn new() -> Self {
        Self { running: BTreeMap::new(), deadlines: BTreeSet::new(), limit: FEW }
    }

    pub(crate) fn listen(
        &mut self,
        key: Key,
        queue: &Arc<ReadyQueue>,
        runtime: &R,
        endpoint: Endpoint,
        transport: TransportConfig,
    ) {
        let opening = Box::pin(listen(runtime.clone(), endpoint, transport.clone()));
        self.add(key, queue, Work::Listen(opening, Box::new(transport)));
    }

    pub(crate) fn dial(
        &mut self,
        key: Key,
        queue: &Arc<ReadyQueue>,
        runtime: &R,
        endpoint: Endpoint,
        transport: TransportConfig,
    ) {
        let timer = DialTimer::default();
        let dialled = Box::pin(runtime.clone().dial(endpoint, transport, timer.clone()));
        self.add(key, queue, Work::Dial(dialled, timer));
    }

    fn add(&mut self, key: Key, queue: &Arc<ReadyQueue>, work: Work<R>) {
        let notice = Notice::new(key, queue);
        let waker = Arc::clone(&notice).into();
        self.running.insert(key, Request { notice, waker, work });
    }

    /// Removes the requests for which `is_needed` is false.
    pub(crate) fn retain(&mut self, is_needed: impl Fn(Key) -> bool) {
        let deadlines = &mut self.deadlines;
        self.running.retain(|&key, request| {
            let needed = is_needed(key);
            if !needed && let Some(at) = request.deadline() {
                deadlines.remove(&(at, key));
            }
            needed
        });
        self.limit = (2 * self.running.len()).max(FEW);
    }

    /// Returns true if there are twice as many requests as after the last [`retain`](Self::retain), which should then be called:
    /// so it costs little per request, and few cancelled requests are left.
    pub(crate) fn are_many(&self) -> bool {
        self.running.len() > self.limit
    }

    /// Returns the time at which the request that [`pop_due`](Self::pop_due) returns next must be polled.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(at, _)| at)
    }

    /// Returns a dial with an expired timer, which must be polled.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Key> {
        let &(at, key) = self.deadlines.first()?;
        (at <= now).then(|| {
            self.deadlines.pop_first();
            key
        })
    }

    /// Continues a request, and returns its outcome. Returns `None` if it waits, or is unknown.
    pub(crate) fn poll(&mut self, key: Key, now: Instant) -> Option<Answer<R>> {
        let request = self.running.get_mut(&key)?;
        if let Some(at) = request.deadline() {
            self.deadlines.remove(&(at, key));
        }
        let cx = &mut Context::from_waker(&request.waker);
        let answer = match &mut request.work {
            Work::Listen(opening, transport) => match opening.as_mut().poll(cx) {
                Poll::Pending => return None,
                Poll::Ready(outcome) => Answer::Listening(outcome.map(|(listener, bound)| {
                    let (waker, transport) = (request.waker.clone(), transport.clone());
                    (DrivenListener::new(listener, waker, transport, bound.clone()), bound)
                })),
            },
            Work::Dial(dialled, timer) => {
                timer.handle_timeout(now);
                match dialled.as_mut().poll(cx) {
                    Poll::Pending => {
                        timer.arm(now);
                        self.deadlines.extend(timer.deadline().map(|at| (at, key)));
                        return None;
                    }
                    Poll::Ready(outcome) => {
                        Answer::Dialled(outcome.map(|stream| Driven::new(stream, Arc::clone(&request.notice))))
                    }
                }
            }
        };
        self.running.remove(&key);
        Some(answer)
    }
}

impl<R: Runtime> Request<R> {
    fn deadline(&self) -> Option<Instant> {
        match &self.work {
            Work::Listen(..) => None,
            Work::Dial(_, timer) => timer.deadline(),
        }
    }
}

/// Opens a listener. If the address is in use, waits for listeners of this process at the same address that are being closed.
async fn listen<R: Runtime>(
    runtime: R,
    endpoint: Endpoint,
    transport: TransportConfig,
) -> Result<(R::Listener, Endpoint), NetworkError> {
    loop {
        // The ports are listed before the attempt, because a port that is closed during the attempt is no longer listed after.
        let mut closing = SharedListener::closing_at(&endpoint, runtime.network());
        match runtime.clone().listen(endpoint.clone(), transport.clone()).await {
            Err(NetworkError::AddressInUse) if !closing.is_empty() => {}
            outcome => return outcome,
        }
        poll_fn(|cx| {
            closing.retain(|port| port.poll_closed(cx.waker()).is_pending());
            if closing.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}
