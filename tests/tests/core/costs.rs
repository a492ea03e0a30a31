//! What messages cost, in counts and never in time: once a connection is busy, small messages ask for no more memory.

use ::smol::{Executor, block_on};
use ::tokio::runtime;
use allocation_counter::measure;
use sansmq::kind::Any;
use sansmq::runtime::spawn_socket;
use sansmq::{Context, Handle, Message, Options, SlowSubscriber, SocketType, mio, smol, tokio};
use std::sync::Arc;

/// Messages on their way at a time.
const BURST: usize = 500;

const BURSTS: usize = 10;

/// A runtime that does all of its work on this thread, whose allocations are counted.
trait Stage {
    fn run<F: Future>(&mut self, future: F) -> F::Output;

    fn socket_in(&self, context: &Context, options: Options<Any>) -> Handle<Any>;
}

struct Tokio(runtime::Runtime);

impl Stage for Tokio {
    fn run<F: Future>(&mut self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn socket_in(&self, context: &Context, options: Options<Any>) -> Handle<Any> {
        let _inside = self.0.enter();
        tokio::Socket::in_context(context, options).into_handle()
    }
}

struct Smol(Arc<Executor<'static>>);

impl Stage for Smol {
    fn run<F: Future>(&mut self, future: F) -> F::Output {
        block_on(self.0.run(future))
    }

    fn socket_in(&self, context: &Context, options: Options<Any>) -> Handle<Any> {
        let executor = Arc::clone(&self.0);
        let here = smol::Smol::new(move |task| executor.spawn(task).detach());
        spawn_socket(options, context, &here)
    }
}

struct Mio(mio::EventLoop);

impl Stage for Mio {
    fn run<F: Future>(&mut self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn socket_in(&self, context: &Context, options: Options<Any>) -> Handle<Any> {
        self.0.remote().socket_in(context, options)
    }
}

#[test]
fn a_small_message_asks_for_no_memory_on_tokio() {
    costs(&mut Tokio(runtime::Builder::new_current_thread().enable_all().build().unwrap()));
}

#[test]
fn a_small_message_asks_for_no_memory_on_smol() {
    costs(&mut Smol(Arc::new(Executor::new())));
}

#[test]
fn a_small_message_asks_for_no_memory_on_mio() {
    costs(&mut Mio(mio::EventLoop::new().unwrap()));
}

fn costs(stage: &mut impl Stage) {
    let messages = (BURST * BURSTS) as u64;
    for (from, to) in [
        (SocketType::Push, SocketType::Pull),
        (SocketType::Pub, SocketType::Sub),
        (SocketType::Dealer, SocketType::Dealer),
        (SocketType::Pair, SocketType::Pair),
    ] {
        for endpoint in ["tcp://127.0.0.1:*", "ipc://*", "inproc://costs"] {
            for size in [0, 16, 64] {
                let asked = allocations(stage, (from, to), endpoint, size);
                assert!(asked <= messages / 200, "{messages} of {size} octets, {from} to {to}, {endpoint}: {asked}");
            }
            let large = allocations(stage, (from, to), endpoint, 65);
            assert!(endpoint.starts_with("inproc") || large >= messages, "the count counts: {large}");
        }
    }
}

/// How often memory is asked for while messages of that size pass; those that pass first are not counted.
fn allocations(stage: &mut impl Stage, (from, to): (SocketType, SocketType), endpoint: &str, size: usize) -> u64 {
    let context = Context::new();
    let options = Options::of(from);
    let patient = if from == SocketType::Pub { options.slow_subscriber(SlowSubscriber::Block) } else { options };
    let [sender, receiver] = [patient, Options::of(to)].map(|options| stage.socket_in(&context, options));
    stage.run(meet(&sender, &receiver, from, endpoint));
    let message = Message::from(vec![7; size]);
    stage.run(bursts(&sender, &receiver, &message));
    measure(|| stage.run(bursts(&sender, &receiver, &message))).count_total
}

async fn meet(sender: &Handle<Any>, receiver: &Handle<Any>, from: SocketType, endpoint: &str) {
    let at = receiver.bind(endpoint).await.unwrap();
    sender.connect(&at).unwrap();
    if from == SocketType::Pub {
        receiver.subscribe("").unwrap();
        sender.wait_subscribed("", 1).await;
    } else {
        sender.wait_connected(1).await;
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
