//! Tests of the number of messages in a write. A socket that yields too early, or that takes turns after each message among many
//! peers, writes its messages one by one.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

use crate::memory::{Count, ENDPOINT, Memory, MemoryStream, hello};
use crate::{Context as SocketContext, Handle, Runtime, Task, TaskState, new_socket};
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll};
use sansmq_proto::kind::{Push, Router, Typed};
use sansmq_proto::{Message, Options};
use std::sync::Arc;

/// Event loop in which the application and each task of its socket are polled once per iteration.
struct Iterations {
    memory: Memory,
    tasks: Vec<Task<Memory>>,
}

impl Iterations {
    /// Creates a bound socket with `peers` connected peers of the type `peer`, and returns it with their streams.
    fn new<T: Typed>(peers: usize, peer: &str) -> (Self, Handle<T>, Vec<MemoryStream>) {
        let memory = Memory::default();
        memory.world().listening = Some(Ok(()));
        let clock = memory.clone();
        let (socket, driver) = new_socket(Options::<T>::new(), &SocketContext::new(), move || clock.now());
        let mut iterations = Self { tasks: vec![Task::new(driver, memory.clone())], memory };
        iterations.run(async { socket.bind(ENDPOINT).await.unwrap() });
        let streams: Vec<_> = (0..peers).map(|_| iterations.memory.connect(&hello(peer))).collect();
        iterations.run(core::future::poll_fn(|_| {
            if socket.stats().ready_peers == peers { Poll::Ready(()) } else { Poll::Pending }
        }));
        (iterations, socket, streams)
    }

    /// Runs the event loop until the application has ended. Returns its result and the number of writes.
    fn run<V>(&mut self, application: impl Future<Output = V>) -> (V, usize) {
        let waker = Arc::new(Count::default()).into();
        let mut cx = Context::from_waker(&waker);
        let mut application = pin!(application);
        let before = self.memory.world().writes;
        for _ in 0..100_000 {
            let polled = application.as_mut().poll(&mut cx);
            self.tasks.append(&mut self.memory.world().tasks);
            self.tasks.retain_mut(|task| task.poll(&mut cx) != TaskState::Finished);
            if let Poll::Ready(value) = polled {
                return (value, self.memory.world().writes - before);
            }
        }
        panic!("the application does not end");
    }
}

#[test]
fn single_sends_in_a_row_are_written_together() {
    const COUNT: usize = 8192;
    let (mut iterations, push, _peers) = Iterations::new::<Push>(1, "PULL");
    let ((), writes) = iterations.run(async {
        for _ in 0..COUNT {
            push.send("sixteen bytes ..").await.unwrap();
        }
    });
    assert!((1..=COUNT / 256).contains(&writes), "{writes} writes");
}

#[test]
fn replies_to_a_thousand_peers_are_written_together() {
    const EACH: usize = 32;
    let (mut iterations, router, peers) = Iterations::new::<Router>(1000, "DEALER");
    for peer in &peers {
        peer.send(&b"\0\x10sixteen bytes ..".repeat(EACH));
    }
    let ((), writes) = iterations.run(async {
        for _ in 0..EACH * peers.len() {
            let request: Message = router.recv().await.unwrap();
            router.send(request).await.unwrap();
        }
    });
    assert!((1..=EACH * peers.len() / 16).contains(&writes), "{writes} writes");
}
