//! Runs an asynchronous implementation on tokio.

use crate::aio::{Aio, run};
use crate::common::*;
use std::future::pending;
use tokio::runtime::Builder;

/// Place of the application on tokio.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Flavor {
    /// Future of `block_on` on a current-thread runtime.
    CurrentThread,
    /// Task of a current-thread runtime, which is woken at a lower cost than the future of `block_on`.
    CurrentThreadTask,
    /// Task of a multi-thread runtime, with a worker per processor.
    MultiThread,
}

/// Returns the flavour that the last part of the name of an implementation stands for.
pub fn flavor(implementation: &str) -> Flavor {
    match implementation.rsplit('-').next() {
        Some("mt") => Flavor::MultiThread,
        Some("cts") => Flavor::CurrentThreadTask,
        _ => Flavor::CurrentThread,
    }
}

/// Runs the scenario of `a`. Other tasks continue until the driver ends the process.
pub fn run_on<I: Aio>(flavor: Flavor, make: impl FnOnce() -> I + Send + 'static, a: Args) -> ! {
    let mut builder =
        if flavor == Flavor::MultiThread { Builder::new_multi_thread() } else { Builder::new_current_thread() };
    let runtime = builder.enable_all().build().expect("a runtime");
    let application = async move {
        run(make(), a).await;
        pending::<()>().await;
    };
    runtime.block_on(async {
        if flavor == Flavor::CurrentThread {
            application.await;
        } else {
            // A panic in the task has ended the process already.
            let _ = tokio::spawn(application).await;
        }
    });
    park()
}
