//! Helper functions of the suite.

use super::super::fixture::{Monitor, PullSocket};
use core::future::poll_fn;
use core::task::Poll;
use sansmq::proto::ConnectionError;
use sansmq::{Endpoint, Event};

pub(crate) const ANY: &str = "tcp://127.0.0.1:*";

/// Returns an endpoint without a listener.
pub(crate) async fn free_endpoint() -> Endpoint {
    let probe = PullSocket::new();
    let endpoint = probe.bind(ANY).await.unwrap();
    probe.close().await;
    endpoint
}

/// Waits until a connection ends and returns the reason; `None` if the socket is closed first.
pub(crate) async fn end_reason(monitor: &mut Monitor) -> Option<ConnectionError> {
    let reason = monitor.find(|event| match event {
        Event::Disconnected { reason, .. } | Event::HandshakeFailed { reason, .. } => Some(reason),
        _ => None,
    });
    reason.await
}

/// Returns `Pending` once, so that the runtime polls other tasks.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if core::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
