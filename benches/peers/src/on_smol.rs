//! Runs an asynchronous implementation on smol.

use crate::aio::{self, Aio};
use crate::common::*;
use smol::Executor;
use std::future::pending;
use std::sync::Arc;

/// Runs the scenario of `a` on one thread.
pub fn run<I: Aio>(make: impl FnOnce(&Arc<Executor<'static>>) -> I, a: Args) -> ! {
    let executor = Arc::new(Executor::new());
    let i = make(&executor);
    smol::block_on(executor.run(async {
        aio::run(i, a).await;
        pending::<()>().await;
    }));
    park()
}

/// Runs the scenario of `a` on the global executor.
pub fn run_global<I: Aio>(i: I, a: Args) -> ! {
    smol::block_on(smol::spawn(async move {
        aio::run(i, a).await;
        pending::<()>().await;
    }));
    park()
}
