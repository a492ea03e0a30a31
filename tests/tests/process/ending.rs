//! Programs that send messages and end: each program is a process of its own, which runs one of the tests below as a
//! child.

use sansmq::kind::{Pull, Push};
use sansmq::mio::{EventLoop, Socket};
use sansmq::smol::PushSocket as SmolPush;
use sansmq::tokio::PushSocket as TokioPush;
use sansmq::{Context, Endpoint, Handle, Options};
use std::env;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::runtime::Builder;

/// Environment variable with the endpoint to which a child sends.
const ENDPOINT: &str = "SANSMQ_TEST_ENDPOINT";
/// Environment variable with the name of the program that a child runs.
const PROGRAM: &str = "SANSMQ_TEST_PROGRAM";

const COUNT: usize = 5;
const LIMIT: Duration = Duration::from_secs(30);

type Program = fn(&Endpoint);

/// Programs that connect, send, and end in the way that the documentation advises for their runtime.
const PROGRAMS: [(&str, Program); 6] = [
    ("blocking", |endpoint| {
        let push = Socket::<Push>::new();
        push.connect(endpoint).unwrap();
        for number in 0..COUNT {
            push.send(number.to_string()).unwrap();
        }
    }),
    ("blocking, from a thread", |endpoint| {
        let push = Socket::<Push>::new();
        push.connect(endpoint).unwrap();
        let other = push.clone();
        let thread = std::thread::spawn(move || {
            for number in 0..COUNT {
                other.send(number.to_string()).unwrap();
            }
        });
        drop(push);
        thread.join().unwrap();
    }),
    ("tokio, one thread", |endpoint| {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(send_and_close(|| TokioPush::new().into_handle(), endpoint));
    }),
    ("tokio, several threads", |endpoint| {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(send_and_close(|| TokioPush::new().into_handle(), endpoint));
    }),
    ("smol", |endpoint| smol::block_on(send_and_close(|| SmolPush::new().into_handle(), endpoint))),
    ("mio", |endpoint| {
        let mut events = EventLoop::new().unwrap();
        let remote = events.remote();
        events.block_on(send_and_close(|| remote.socket(Options::new()), endpoint));
    }),
];

/// Sends messages with a socket, closes all sockets of the process, and repeats both with a new socket in the same
/// context. The peer may not be connected yet.
async fn send_and_close(new_push: impl Fn() -> Handle<Push>, endpoint: &Endpoint) {
    for numbers in [0..COUNT / 2, COUNT / 2..COUNT] {
        let push = new_push();
        push.connect(endpoint).unwrap();
        for number in numbers {
            push.send(number.to_string()).await.unwrap();
        }
        assert_eq!(Context::global().close(LIMIT).await.unsent(), 0);
    }
}

/// Starts a child process that runs the test `test` with this program.
fn start(test: &str, program: &str, endpoint: &Endpoint) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture"]).env(PROGRAM, program).env(ENDPOINT, endpoint.to_string());
    command.stdout(Stdio::null()).spawn().unwrap()
}

#[test]
fn messages_sent_before_end_of_program_arrive() {
    if let (Ok(name), Ok(endpoint)) = (env::var(PROGRAM), env::var(ENDPOINT)) {
        let (_, program) = PROGRAMS.iter().find(|(known, _)| *known == name).unwrap();
        return program(&endpoint.parse().unwrap());
    }
    for (name, _) in PROGRAMS {
        for is_late in [false, true] {
            let pull = Socket::in_context(&Context::new(), Options::<Pull>::new());
            let endpoint = pull.bind("tcp://127.0.0.1:*").unwrap();
            if is_late {
                pull.unbind(&endpoint).unwrap();
            }
            let mut child = start("ending::messages_sent_before_end_of_program_arrive", name, &endpoint);
            if is_late {
                pull.bind(&endpoint).unwrap();
            }
            // A program with two sockets has two connections, from which the messages are received in turn.
            let mut received: Vec<_> = (0..COUNT)
                .map(|number| match pull.recv_timeout(LIMIT) {
                    Ok(message) => message.body().to_text().into_owned(),
                    Err(error) => panic!("message {number} of {name}: {error}"),
                })
                .collect();
            received.sort();
            assert!(received.into_iter().eq((0..COUNT).map(|number| number.to_string())), "{name}");
            assert!(child.wait().unwrap().success(), "{name}");
        }
    }
}

#[test]
fn program_with_unreachable_peer_ends_after_linger() {
    const LINGER: Duration = Duration::from_secs(1);
    if let Ok(endpoint) = env::var(ENDPOINT) {
        let sockets: Vec<_> = (0..10)
            .map(|_| {
                let push = Socket::with_options(Options::<Push>::new().linger(LINGER));
                push.connect(endpoint.as_str()).unwrap();
                push.send("unsent").unwrap();
                push
            })
            .collect();
        drop(sockets);
        return;
    }
    let pull = Socket::in_context(&Context::new(), Options::<Pull>::new());
    let endpoint = pull.bind("tcp://127.0.0.1:*").unwrap();
    pull.close();
    let begin = Instant::now();
    let mut child = start("ending::program_with_unreachable_peer_ends_after_linger", "", &endpoint);
    assert!(child.wait().unwrap().success());
    let elapsed = begin.elapsed();
    assert!(elapsed >= LINGER && elapsed < 5 * LINGER, "ten sockets linger together: {elapsed:?}");
}
