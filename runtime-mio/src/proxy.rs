//! [`proxy()`] and [`run_proxy`]: run a proxy in the current thread.

use crate::park::{Unready, wait};
use core::time::Duration;
use sansmq_proto::kind::Kind;
use sansmq_runtime::{Handle, Proxy, ProxyError, ProxyStatistics};

/// Forwards messages between two sockets in the current thread, in both directions, until one of them is closed
/// (`zmq_proxy`). The sockets can run on any runtime. See [`Proxy`] for the combinations of socket types. To pause or end
/// the proxy, or to capture its messages, use [`run_proxy`].
///
/// # Errors
/// [`ProxyError`]; [`ProxyError::Forked`] if a socket of the proxy was created before a fork.
#[doc(alias("zmq_proxy", "zmq_device", "zproxy"))]
pub fn proxy<F: Kind, B: Kind>(
    frontend: &impl AsRef<Handle<F>>,
    backend: &impl AsRef<Handle<B>>,
) -> Result<ProxyStatistics, ProxyError> {
    run_proxy(&mut Proxy::new(frontend, backend))
}

/// Runs a proxy in the current thread until it is terminated or one of its two sockets is closed
/// (`zmq_proxy_steerable`); see [`Proxy::run`].
///
/// Other threads can end the proxy with its [`ProxyControl`](sansmq_runtime::ProxyControl) or its control socket.
///
/// ```
/// use sansmq::Proxy;
/// use sansmq::mio::{PullSocket, PushSocket, run_proxy};
/// use std::thread;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (front, back) = (PullSocket::new(), PushSocket::new());
/// let (sources, sinks) = (front.bind("tcp://127.0.0.1:*")?, back.bind("tcp://127.0.0.1:*")?);
/// let mut streamer = Proxy::new(&front, &back);
/// let control = streamer.control_handle();
/// let thread = thread::spawn(move || run_proxy(&mut streamer));
///
/// let (push, pull) = (PushSocket::new(), PullSocket::new());
/// push.connect(&sources)?;
/// pull.connect(&sinks)?;
/// push.send("work")?;
/// assert_eq!(pull.recv()?.body(), "work");
/// control.terminate();
/// let statistics = thread.join().expect("the thread does not panic")?;
/// assert_eq!(statistics.frontend.received.messages, 1);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`ProxyError`]; [`ProxyError::Forked`] if a socket of the proxy was created before a fork.
#[doc(alias("zmq_proxy_steerable"))]
pub fn run_proxy(proxy: &mut Proxy) -> Result<ProxyStatistics, ProxyError> {
    run_until(proxy, None)
}

/// Runs a proxy in the current thread as [`run_proxy`] does, for at most `timeout`. Run the proxy again to continue.
///
/// # Errors
/// [`ProxyError`]; [`ProxyError::TimedOut`] when the timeout expires, [`ProxyError::Interrupted`] after a
/// [signal](crate::Socket#signals).
pub fn run_proxy_timeout(proxy: &mut Proxy, timeout: Duration) -> Result<ProxyStatistics, ProxyError> {
    run_until(proxy, Some(timeout))
}

fn run_until(proxy: &mut Proxy, timeout: Option<Duration>) -> Result<ProxyStatistics, ProxyError> {
    if proxy.is_inherited() {
        return Err(ProxyError::Forked);
    }
    wait(proxy.run(), timeout, || false).unwrap_or_else(|unready| {
        Err(match unready {
            Unready::TimedOut(after) => ProxyError::TimedOut { after },
            Unready::Inherited => ProxyError::Forked,
            Unready::Interrupted => ProxyError::Interrupted,
        })
    })
}
