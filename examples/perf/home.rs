//! Where an end lives: one of the runtimes.

use super::Failure;
use super::args::Flavor;
use sansmq::kind::Typed;
use sansmq::{Handle, Options, mio, smol, tokio as on_tokio};
use tokio::runtime::Builder;

/// Makes sockets that a runtime serves.
#[derive(Debug)]
pub(crate) enum Home {
    Tokio,
    Smol,
    Mio(mio::Remote),
    Blocking,
}

impl Home {
    pub(crate) fn socket<T: Typed>(&self) -> Handle<T> {
        match self {
            Self::Tokio => on_tokio::Socket::new().into_handle(),
            Self::Smol => smol::Socket::new().into_handle(),
            Self::Mio(remote) => remote.socket(Options::new()),
            Self::Blocking => mio::Socket::new().handle().clone(),
        }
    }
}

/// Runs a task on that runtime, to its end.
pub(crate) fn run<R: Send + 'static, F: Future<Output = Result<R, Failure>> + Send + 'static>(
    flavor: Flavor,
    task: impl FnOnce(Home) -> F,
) -> Result<R, Failure> {
    let runtime = match flavor {
        Flavor::CurrentThread => Builder::new_current_thread().enable_all().build()?,
        Flavor::MultiThread => Builder::new_multi_thread().enable_all().build()?,
        Flavor::Smol => return pollster(task(Home::Smol)),
        Flavor::Blocking => return pollster(task(Home::Blocking)),
        Flavor::Mio => {
            let mut events = mio::EventLoop::new()?;
            let home = Home::Mio(events.remote());
            return events.block_on(task(home));
        }
    };
    // A task of its own, because what `block_on` itself runs is no worker's.
    runtime.block_on(async { tokio::spawn(task(Home::Tokio)).await })?
}

/// This thread does nothing but wait; what serves the socket runs elsewhere.
fn pollster<F: Future>(task: F) -> F::Output {
    use ::smol::block_on;
    block_on(task)
}
