//! Cost of a message between two sockets of one process, compared with a tokio channel.
//!
//! ```text
//! cargo bench -p sansmq-benches --bench inproc
//! ```

use divan::Bencher;
use divan::counter::ItemsCount;
use sansmq::tokio::{PullSocket, PushSocket};
use sansmq::{Context, Message, Options};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

/// Number of messages per iteration.
const COUNT: usize = 10_000;

fn main() {
    divan::main();
}

fn message() -> Message {
    Message::from(&[7; 64])
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads can be spawned")
}

fn sockets(runtime: &Runtime) -> (PushSocket, PullSocket) {
    runtime.block_on(async {
        let context = Context::new();
        let push = PushSocket::in_context(&context, Options::new());
        let pull = PullSocket::in_context(&context, Options::new());
        push.connect("inproc://bench").expect("the name is no wildcard");
        pull.bind("inproc://bench").await.expect("the name is free");
        (push, pull)
    })
}

/// Benchmarks with one task, which sends and receives alternately, so that no task is woken.
mod one_task {
    use super::{Bencher, COUNT, ItemsCount, message, mpsc, runtime, sockets};

    #[divan::bench]
    fn sansmq(bencher: Bencher<'_, '_>) {
        let runtime = runtime();
        let (push, pull) = sockets(&runtime);
        bencher.counter(ItemsCount::new(COUNT)).bench_local(|| {
            for _ in 0..COUNT {
                push.try_send(message()).expect("the queue has room");
                pull.try_recv().expect("the message has arrived");
            }
        });
    }

    #[divan::bench]
    fn tokio_mpsc(bencher: Bencher<'_, '_>) {
        let (sender, mut receiver) = mpsc::channel(1000);
        bencher.counter(ItemsCount::new(COUNT)).bench_local(|| {
            for _ in 0..COUNT {
                sender.try_send(message()).expect("the queue has room");
                receiver.try_recv().expect("the message has arrived");
            }
        });
    }
}

/// Benchmarks with two tasks on two threads: one sends, the other receives.
mod two_tasks {
    use super::{Bencher, COUNT, ItemsCount, message, mpsc, runtime, sockets};

    #[divan::bench]
    fn sansmq(bencher: Bencher<'_, '_>) {
        let runtime = runtime();
        let (push, pull) = sockets(&runtime);
        bencher.counter(ItemsCount::new(COUNT)).bench_local(|| {
            let push = push.clone();
            let sender = runtime.spawn(async move {
                for _ in 0..COUNT {
                    push.send(message()).await.expect("the socket is open");
                }
            });
            runtime.block_on(async {
                for _ in 0..COUNT {
                    pull.recv().await.expect("the socket is open");
                }
                sender.await.expect("the task does not panic");
            });
        });
    }

    #[divan::bench]
    fn tokio_mpsc(bencher: Bencher<'_, '_>) {
        let runtime = runtime();
        let (sender, mut receiver) = mpsc::channel(2000);
        bencher.counter(ItemsCount::new(COUNT)).bench_local(|| {
            let sender = sender.clone();
            let sender = runtime.spawn(async move {
                for _ in 0..COUNT {
                    sender.send(message()).await.expect("the socket is open");
                }
            });
            runtime.block_on(async {
                for _ in 0..COUNT {
                    receiver.recv().await.expect("the socket is open");
                }
                sender.await.expect("the task does not panic");
            });
        });
    }
}
