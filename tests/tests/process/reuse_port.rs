//! Sockets of two processes at one port, by the option `reuse_port`.

use sansmq::kind::{Pull, Push};
use sansmq::mio::Socket;
use sansmq::{Endpoint, Options};
use std::collections::BTreeSet;
use std::env;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Environment variable with the endpoint to which a child binds, and the endpoint to which it sends what it receives.
const ENDPOINTS: &str = "SANSMQ_TEST_ENDPOINTS";

const LIMIT: Duration = Duration::from_secs(30);

/// Number of peers. The operating system selects the process of each, and will not select the same process for all of them:
/// the probability is 2^-39.
const PEERS: usize = 40;

fn reusing() -> Socket<Pull> {
    Socket::with_options(Options::<Pull>::new().reuse_port(true))
}

/// Binds to the port of the parent, and sends each received message to it. Ends after the message `end`.
fn child(endpoints: &str) {
    let (port, report) = endpoints.split_once(' ').unwrap();
    let (pull, push) = (reusing(), Socket::<Push>::new());
    assert_eq!(pull.bind(port).unwrap().to_string(), port);
    push.connect(report).unwrap();
    push.send("bound").unwrap();
    let control = Socket::<Pull>::new();
    push.send(control.bind("tcp://127.0.0.1:*").unwrap().to_string()).unwrap();
    while control.try_recv().is_err() {
        if let Ok(message) = pull.recv_timeout(Duration::from_millis(10)) {
            push.send(message).unwrap();
        }
    }
}

#[test]
fn processes_share_the_messages_at_a_port() {
    if let Ok(endpoints) = env::var(ENDPOINTS) {
        return child(&endpoints);
    }
    let (pull, report) = (reusing(), Socket::<Pull>::new());
    let port: Endpoint = pull.bind("tcp://127.0.0.1:*").unwrap();
    let endpoints = format!("{port} {}", report.bind("tcp://127.0.0.1:*").unwrap());
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["reuse_port::processes_share_the_messages_at_a_port", "--exact", "--nocapture"]);
    let mut child = command.env(ENDPOINTS, endpoints).stdout(Stdio::null()).spawn().unwrap();
    assert_eq!(report.recv_timeout(LIMIT).unwrap().body(), "bound");
    let control = Socket::<Push>::new();
    control.connect(report.recv_timeout(LIMIT).unwrap().body().to_text().as_ref()).unwrap();

    let pushes: Vec<_> = (0..PEERS).map(|_| Socket::<Push>::new()).collect();
    for (number, push) in pushes.iter().enumerate() {
        push.connect(&port).unwrap();
        push.send(number.to_string()).unwrap();
    }
    let mut received = [BTreeSet::new(), BTreeSet::new()];
    while received[0].len() + received[1].len() < PEERS {
        for (socket, received) in [&pull, &report].into_iter().zip(&mut received) {
            if let Ok(message) = socket.recv_timeout(Duration::from_millis(10)) {
                let number: usize = message.body().to_text().parse().unwrap();
                assert!(number < PEERS && received.insert(number), "{number} was received twice");
            }
        }
    }
    assert!(received[0].is_disjoint(&received[1]));
    assert!(received.iter().all(|numbers| !numbers.is_empty()), "one process has received all messages");
    control.send("end").unwrap();
    assert!(child.wait().unwrap().success());
}
