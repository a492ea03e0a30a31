//! The examples without an operating system: their network is in memory, and their time is a number.

use sansmq::proto::Instant;
use std::error::Error;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

#[path = "../../../../examples/embedding/embed_nothing.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod embed_nothing;
#[path = "../../../../examples/embedding/embed_smoltcp.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod embed_smoltcp;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Real time after which a simulation counts as endless.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(20);

/// Runs a simulation twice, on a thread of its own, so that the test ends even if virtual time stands still. Returns its log,
/// which must be the same.
fn simulate_twice(simulate: fn() -> Outcome<Vec<(Instant, String)>>) -> Outcome<Vec<(Instant, String)>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send([(); 2].map(|()| simulate().map_err(|error| error.to_string()))));
    let [log, second_log] = receiver.recv_timeout(RELEASE_TIMEOUT)?;
    assert_eq!(second_log, log);
    Ok(log?)
}

/// Returns the times, in seconds, of the events that begin with `prefix`.
fn times(log: &[(Instant, String)], prefix: &str) -> Vec<f64> {
    let entries = log.iter().filter(|(_, event)| event.starts_with(prefix));
    entries.map(|(at, _)| at.since(Instant::ORIGIN).as_secs_f64()).collect()
}

#[test]
fn simulated_disconnect_is_reproducible() -> Outcome {
    let log = simulate_twice(embed_nothing::simulate)?;
    let times = |prefix| times(&log, prefix);
    assert_eq!(times("reply: one"), [0.0]);
    // The connection is cut at 10 s. The next PING is sent one second later, and its timeout is one second.
    assert_eq!(times("disconnected: the peer did not answer a heartbeat"), [12.0]);
    let failed = times("dial failed");
    assert!(failed.len() > 3 && failed.iter().all(|&at| 12.0 < at && at < 30.0), "{failed:?}");
    let [_, reconnected] = times("connected")[..] else {
        return Err(format!("expected two connections: {log:?}").into());
    };
    assert!(30.0 < reconnected && reconnected <= failed[failed.len() - 1] + 5.0, "{reconnected}");
    assert_eq!(times("reply: two"), [reconnected]);
    assert_eq!(times("disconnected: this side closed the connection"), [40.0]);
    assert_eq!(times("closed: true").len(), 1);
    Ok(())
}

#[test]
fn smoltcp_redials_and_moves_large_messages() -> Outcome {
    let log = simulate_twice(embed_smoltcp::simulate)?;
    let times = |prefix| times(&log, prefix);
    let refused = times("dial failed: connection refused");
    assert!(refused.len() > 2 && refused.iter().all(|&at| at <= 1.0), "{log:?}");
    let [connected] = times("connected")[..] else { return Err(format!("expected a connection: {log:?}").into()) };
    assert!((1.0..1.5).contains(&connected), "{connected}");
    let replies = [times("reply of 3 bytes"), times("reply of 100000 bytes")].concat();
    assert!(replies.len() == 2 && replies.iter().all(|at| (connected..2.0).contains(at)), "{log:?}");
    assert_eq!(times("disconnected: this side closed the connection"), [2.0]);
    assert_eq!(times("closed: true"), [3.0, 3.0]);
    Ok(())
}
