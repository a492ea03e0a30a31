//! Tests of the number of allocations per message. On a connection that is already in use, small messages must not
//! allocate.

use ::smol::{Executor, block_on};
use ::tokio::runtime;
use allocation_counter::measure;
use sansmq::kind::Any;
use sansmq::runtime::spawn_socket;
use sansmq::{Context, Handle, Message, Options, SlowSubscriber, SocketType, mio, smol, tokio};
use std::sync::Arc;

/// Number of messages in a burst. All of them are sent before the first is received.
const BURST: usize = 500;

/// Number of bursts of messages that are measured.
const BURSTS: usize = 10;

/// Runtime that works only on the current thread, because allocations are counted per thread.
trait TestRuntime {
    fn run<F: Future>(&mut self, future: F) -> F::Output;

    fn socket_in(&self, context: &Context, options: Options<Any>) -> Handle<Any>;
}

struct Tokio(runtime::Runtime);

impl TestRuntime for Tokio {
    fn run<F: Future>(&mut self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn socket_in(&self, context: &Context, options: Options<Any>) -> Handle<Any> {
        let _inside = self.0.enter();
        tokio::Socket::in_context(context, options).into_handle()
    }
}

struct Smol(Arc<Executor<'static>>);

impl TestRuntime for Smol {
    fn run<F: Future>(&mut self, future: F) -> F::Output {
        block_on(self.0.run(future))
    }

    fn socket_in(&self, context: &Context, options: Options<Any>) -> Handle<Any> {
        let executor = Arc::clone(&self.0);
        let runtime = smol::Smol::new(move |task| executor.spawn(task).detach());
        spawn_socket(options, context, &runtime)
    }
}

struct Mio(mio::EventLoop);

impl TestRuntime for Mio {
    fn run<F: Future>(&mut self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn socket_in(&self, context: &Context, options: Options<Any>) -> Handle<Any> {
        self.0.remote().socket_in(context, options)
    }
}

#[test]
fn small_messages_do_not_allocate_on_tokio() {
    assert_allocation_limits(&mut Tokio(runtime::Builder::new_current_thread().enable_all().build().unwrap()));
}

#[test]
fn small_messages_do_not_allocate_on_smol() {
    assert_allocation_limits(&mut Smol(Arc::new(Executor::new())));
}

#[test]
fn small_messages_do_not_allocate_on_mio() {
    assert_allocation_limits(&mut Mio(mio::EventLoop::new().unwrap()));
}

fn assert_allocation_limits(runtime: &mut impl TestRuntime) {
    let messages = (BURST * BURSTS) as u64;
    for (from, to) in [
        (SocketType::Push, SocketType::Pull),
        (SocketType::Pub, SocketType::Sub),
        (SocketType::Dealer, SocketType::Dealer),
        (SocketType::Pair, SocketType::Pair),
    ] {
        for endpoint in ["tcp://127.0.0.1:*", "ipc://*", "inproc://costs"] {
            for size in [0, 16, 64] {
                let count = allocations(runtime, (from, to), endpoint, size);
                // A future yields after 1024 messages, and smol's `block_on` allocates for each yield.
                assert!(
                    count <= messages / 64,
                    "{count} allocations for {messages} messages of {size} bytes, {from} to {to}, {endpoint}"
                );
            }
            // Bodies above 64 bytes are not stored inline: proves that allocations are counted.
            let large = allocations(runtime, (from, to), endpoint, 65);
            assert!(
                endpoint.starts_with("inproc") || large >= messages,
                "only {large} allocations for {messages} messages of 65 bytes"
            );
        }
    }
}

/// Returns the number of allocations while messages of `size` bytes are sent from a socket of the type `from` to a
/// socket of the type `to`. A first transfer is not counted, because it uses the connection for the first time.
fn allocations(
    runtime: &mut impl TestRuntime,
    (from, to): (SocketType, SocketType),
    endpoint: &str,
    size: usize,
) -> u64 {
    let context = Context::new();
    let options = Options::of(from);
    let sender_options = if from == SocketType::Pub { options.slow_subscriber(SlowSubscriber::Block) } else { options };
    let [sender, receiver] = [sender_options, Options::of(to)].map(|options| runtime.socket_in(&context, options));
    runtime.run(connect(&sender, &receiver, from, endpoint));
    let message = Message::from(vec![7; size]);
    runtime.run(bursts(&sender, &receiver, &message));
    measure(|| runtime.run(bursts(&sender, &receiver, &message))).count_total
}

async fn connect(sender: &Handle<Any>, receiver: &Handle<Any>, from: SocketType, endpoint: &str) {
    let at = receiver.bind(endpoint).await.unwrap();
    sender.connect(&at).unwrap();
    if from == SocketType::Pub {
        receiver.subscribe("").unwrap();
        sender.wait_subscribed("", 1).await.unwrap();
    } else {
        sender.wait_connected(1).await.unwrap();
    }
}

async fn bursts(sender: &Handle<Any>, receiver: &Handle<Any>, message: &Message) {
    for _ in 0..BURSTS {
        for _ in 0..BURST {
            sender.send(message.clone()).await.unwrap();
        }
        for _ in 0..BURST {
            assert_eq!(receiver.recv().await.unwrap().size(), message.size());
        }
    }
}
