//! Fuzz target for `inproc` and for proxies: sockets of a simulated runtime, with a proxy that a control socket commands.

use super::bounded;
use super::memory::Allocated;
use super::sim::{self, Sim, Socket};
use arbitrary::{Arbitrary, Unstructured};
use sansmq_proto::{Message, Options, kind};
use sansmq_runtime::{Context, CurrentRuntime, Proxy};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Arbitrary, Debug)]
struct Scenario<'a> {
    seed: u64,
    hwm: u8,
    /// True if the proxy has a REP as its control socket, false if it has a PAIR.
    replies: bool,
    ops: Vec<Op<'a>>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Op<'a> {
    /// Connects a further sender to the frontend of the proxy.
    AddSender,
    /// Sends a message of this size from a sender.
    Send(u8, u16),
    Receive,
    Command(Command<'a>),
    DropSender(u8),
    /// Unbinds the frontend, or binds it again.
    Rebind,
    Wait(u8),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Command<'a> {
    Pause,
    Resume,
    Statistics,
    Terminate,
    Other(&'a [u8]),
}

const MAX_OPS: usize = 60;

/// Maximum memory in bytes of the simulation without its sockets, of the lists of the target, and of the message that the proxy
/// holds between its sockets.
const SIMULATION: usize = 96 << 10;

/// Checks that messages pass `inproc` connections and a proxy at most once and in the order of each sender, that the sockets
/// count the memory that they hold, and that no command stops the sockets from closing.
pub fn proxies(data: &[u8]) {
    let _bounded = bounded(data);
    let Ok(scenario) = Scenario::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let allocated = Allocated::default();
    sim::run_around(scenario.seed, |step| allocated.during(step), || run(&scenario, &allocated));
}

async fn run(scenario: &Scenario<'_>, allocated: &Allocated) {
    let context = Context::new();
    let hwm = usize::from(scenario.hwm % 16) + 1;
    let new_push = || {
        let options = Options::<kind::Push>::new().send_hwm(hwm).linger(Duration::ZERO);
        Socket::in_context(&context, options)
    };
    let new_pull = || Socket::in_context(&context, Options::<kind::Pull>::new().recv_hwm(hwm));
    let (front, back, sink) = (new_pull(), new_push(), new_pull());
    let mut is_bound = front.bind("inproc://front").await.is_ok();
    back.connect("inproc://sink").expect("the socket is open");
    sink.bind("inproc://sink").await.expect("the name is free");
    let controller = if scenario.replies {
        Socket::in_context(&context, Options::<kind::Req>::new().linger(Duration::ZERO)).erase()
    } else {
        Socket::in_context(&context, Options::<kind::Pair>::new().linger(Duration::ZERO)).erase()
    };
    let mut proxy = Proxy::new(&front, &back);
    let control = if scenario.replies {
        let control = Socket::in_context(&context, Options::<kind::Rep>::new());
        proxy = proxy.control(&control);
        control.erase()
    } else {
        let control = Socket::in_context(&context, Options::<kind::Pair>::new());
        proxy = proxy.control(&control);
        control.erase()
    };
    control.bind("inproc://control").await.expect("the name is free");
    controller.connect("inproc://control").expect("the socket is open");
    drop(sim::spawn(async move { proxy.run().await }));
    let mut senders: Vec<(u8, Socket<kind::Push>)> = Vec::new();
    let mut numbers: BTreeMap<u8, u32> = BTreeMap::new();
    let mut latest: BTreeMap<u8, u32> = BTreeMap::new();
    let mut next_sender = 0;
    let mut held_by_dropped = 0;
    for op in scenario.ops.iter().take(MAX_OPS) {
        match *op {
            Op::AddSender => {
                let push = new_push();
                push.connect("inproc://front").expect("the socket is open");
                senders.push((next_sender, push));
                next_sender += 1;
            }
            Op::Send(at, size) if !senders.is_empty() => {
                let (sender, push) = &senders[usize::from(at) % senders.len()];
                let number = numbers.entry(*sender).or_default();
                *number += 1;
                let head = [&[*sender], &number.to_be_bytes()[..]].concat();
                let _ = push.try_send(Message::from_frames([head, vec![*sender; size.into()]]).expect("two frames"));
            }
            Op::Receive => {
                while let Ok(message) = sink.try_recv() {
                    check(&message, &mut latest);
                }
            }
            Op::Command(command) => {
                let _ = controller.try_send(match command {
                    Command::Pause => Message::from("PAUSE"),
                    Command::Resume => Message::from("RESUME"),
                    Command::Statistics => Message::from("STATISTICS"),
                    Command::Terminate => Message::from("TERMINATE"),
                    Command::Other(word) => Message::from(word),
                });
                Sim::current().sleep(Duration::from_millis(1)).await;
                let _ = controller.try_recv();
            }
            Op::DropSender(at) if !senders.is_empty() => {
                let (_, push) = senders.swap_remove(usize::from(at) % senders.len());
                held_by_dropped += push.stats().held.total();
            }
            Op::Rebind => {
                is_bound = if is_bound {
                    let _ = front.unbind("inproc://front").await;
                    false
                } else {
                    front.bind("inproc://front").await.is_ok()
                };
            }
            Op::Wait(millis) => Sim::current().sleep(Duration::from_millis(millis.into())).await,
            Op::Send(..) | Op::DropSender(_) => {}
        }
        sim::end_step().await;
        let others = [front.stats(), back.stats(), sink.stats(), control.stats(), controller.stats()];
        let stats = || others.iter().cloned().chain(senders.iter().map(|(_, push)| push.stats()));
        let held: u64 = stats().map(|stats| stats.held.total()).sum();
        let peers = stats().map(|stats| stats.peers).sum();
        allocated.assert_counted(held + held_by_dropped, (5 + usize::from(next_sender), peers), SIMULATION);
    }
}

/// Checks a received message: it must be complete, and later than all earlier ones of its sender.
fn check(message: &Message, latest: &mut BTreeMap<u8, u32>) {
    let [head, body] = message.frames() else { panic!("{message:?} is incomplete") };
    let (sender, number) = head.split_first().expect("the head begins with the sender");
    let number = u32::from_be_bytes(number.try_into().expect("a number of four bytes"));
    assert!(body.iter().all(|byte| byte == sender), "{message:?} was mixed with another");
    let before = latest.insert(*sender, number);
    assert!(before.is_none_or(|before| before < number), "message {number} of {sender} was received after {before:?}");
}
