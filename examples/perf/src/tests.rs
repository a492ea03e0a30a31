//! Tests of `perf` with small counts. They do not check measured speeds.

use super::args::{Command, End, Flavor, Job, Output, Plan, Side, Transport};
use super::backend::{self, Backend};
use super::ends;
use super::report::{Report, Row};
use sansmq::{Endpoint, Options, SocketType};
use tokio::sync::oneshot;

#[tokio::test]
async fn throughput_counts_messages_after_the_start() {
    let (push, pull) = run_both("push", "pull", 64, 3000).await;
    assert_eq!((push.end.count, push.measured), (3000, 3000));
    assert_eq!((pull.end.count, pull.measured), (3000, 2999), "the first message starts the measurement");
    assert!(push.round_trips.is_none() && pull.round_trips.is_none());
}

#[tokio::test]
async fn req_records_every_round_trip() {
    let (req, rep) = run_both("req", "rep", 16, 200).await;
    let trips = req.round_trips.as_ref().expect("a REQ records round trips");
    assert_eq!((req.measured, trips.len()), (200, 200));
    assert!(trips.min() > 0 && trips.max() >= trips.value_at_quantile(0.5));
    assert_eq!(rep.measured, 199, "the first request starts the measurement");
}

#[tokio::test]
async fn single_message_is_reported() {
    let (push, pull) = run_both("push", "pull", 0, 1).await;
    assert_eq!((push.measured, pull.measured), (1, 0));
    assert!(pull.row().msg_per_s.abs() < f64::EPSILON);
}

#[tokio::test]
async fn message_of_wrong_length_is_an_error() {
    let (bound, endpoint) = oneshot::channel();
    let pull = end("pull", "tcp://127.0.0.1:*", 64, 10);
    let pull = tokio::spawn(ends::run(pull, Backend::Tokio, |endpoint| send_bound(bound, endpoint)));
    let endpoint = endpoint.await.expect("the socket binds");
    let push = tokio::spawn(ends::run(end("push", &endpoint, 63, 10), Backend::Tokio, |_| {}));
    let error = pull.await.expect("the task does not panic").expect_err("63 is not 64");
    assert_eq!(error.to_string(), "received a message of 63 bytes, expected 64");
    push.abort();
}

#[tokio::test]
async fn message_of_wrong_content_is_an_error_with_check() {
    for (checks, error) in [(true, Some("message 0 has the wrong content")), (false, None)] {
        let (bound, endpoint) = oneshot::channel();
        let pull = End { checks, ..end("pull", "tcp://127.0.0.1:*", 5, 1) };
        let pull = tokio::spawn(ends::run(pull, Backend::Tokio, |endpoint| send_bound(bound, endpoint)));
        let push = sansmq::tokio::PushSocket::new();
        push.connect(endpoint.await.expect("the socket binds").as_str()).expect("it is an endpoint");
        push.send("other").await.expect("there is a peer soon");
        let outcome = pull.await.expect("the task does not panic");
        assert_eq!(outcome.err().map(|error| error.to_string()).as_deref(), error);
    }
}

#[tokio::test]
async fn every_pair_transfers_all_messages() {
    for (connects, binds) in [
        ("push", "pull"),
        ("scatter", "gather"),
        ("sub", "pub"),
        ("req", "rep"),
        ("dealer", "router"),
        ("dealer", "rep"),
        ("client", "server"),
        ("pair", "pair"),
        ("channel", "channel"),
    ] {
        for peers in [1, 3] {
            // These socket types have a single peer.
            let peers = if matches!(connects, "pair" | "channel") { 1 } else { peers };
            let (client, server) = run_with_peers(connects, binds, 16, 50, peers).await;
            let received = if connects == "sub" { 50 * peers as u64 - 1 } else { 50 };
            assert_eq!(client.measured, received, "{connects} {binds} {peers}");
            assert!(server.measured >= 49, "{connects} {binds} {peers}");
            let trips = client.round_trips.as_ref().map(hdrhistogram::Histogram::len);
            assert_eq!(trips, (client.end.job == Job::Request).then_some(50), "{connects} {binds} {peers}");
        }
    }
}

#[tokio::test]
async fn report_is_printed_as_row_and_as_json() {
    let (req, rep) = run_both("req", "rep", 16, 5).await;
    assert!(req.row().to_string().starts_with("req     ct             16          5      1 "));
    for (report, name, median) in [(req, "req", true), (rep, "rep", false)] {
        let json = serde_json::to_string(&report.row()).expect("numbers and names");
        assert!(
            json.starts_with(&format!("{{\"end\":\"{name}\",\"runtime\":\"ct\",\"size\":16,\"count\":5,")),
            "{json}"
        );
        assert_eq!(!json.contains("\"p50_us\":null"), median, "{json}");
        assert_eq!(serde_json::from_str::<Row>(&json).expect("valid JSON"), report.row());
    }
}

#[test]
fn command_line_selects_one_end_or_both() {
    let parse = |line: &str| Command::parse(line.split_whitespace().map(Into::into));
    let both = Plan {
        pairs: vec!["pub-sub".parse().expect("it is a pair")],
        sizes: vec![9, 10],
        count: None,
        peers: 4,
        runtimes: vec![Flavor::MultiThread, Flavor::Mio],
        transport: Transport::Ipc,
        output: Output::Json,
        plot: Some("a.svg".into()),
    };
    let line = "--pair pub-sub --size 9,10 --peers 4 --runtime mt,mio --transport ipc --json --plot a.svg";
    assert_eq!(parse(line).expect("it is right"), Command::Both(both));
    let Ok(Command::End(rep)) = parse("rep --connect tcp://localhost:1 16 100") else { panic!("it is one end") };
    assert_eq!(
        (rep.socket, rep.job, rep.side, rep.size, rep.count),
        (SocketType::Rep, Job::Reply, Side::Connect, 16, 100)
    );
    let jobs = ["pair --bind", "pair --connect"].map(|end| parse(&format!("{end} tcp://localhost:1 1 1")));
    assert!(
        matches!(&jobs, [Ok(Command::End(one)), Ok(Command::End(other))] if (one.job, other.job) == (Job::Reply, Job::Request))
    );
    for wrong in [
        "push",
        "xsub tcp://*:1 1 1",
        "push tcp://*:1 -1 1",
        "--size",
        "--fast",
        "--bind",
        "--runtime both",
        "--peers 0",
        "--pair pub",
    ] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn req_and_rep_work_on_every_runtime() {
    for flavor in [Flavor::CurrentThread, Flavor::MultiThread, Flavor::Smol, Flavor::Mio, Flavor::Blocking] {
        let trips = backend::run(flavor, async |backend: Backend| {
            let (rep, req) =
                (backend.socket(Options::of(SocketType::Rep)), backend.socket(Options::of(SocketType::Req)));
            req.connect(rep.bind("tcp://127.0.0.1:*").await?)?;
            req.send("ping").await?;
            rep.send(rep.recv().await?).await?;
            Ok(req.recv().await?)
        });
        assert_eq!(trips.expect("it works").body(), "ping", "{flavor:?}");
    }
}

/// Runs both ends of the benchmark in this process. Returns the report of the end that connects, then that of the end
/// that binds.
async fn run_both(connects: &str, binds: &str, size: usize, count: u64) -> (Report, Report) {
    run_with_peers(connects, binds, size, count, 1).await
}

/// Runs both ends of the benchmark in this process, like [`run_both`], but with `peers` sockets at the end that
/// connects.
async fn run_with_peers(connects: &str, binds: &str, size: usize, count: u64, peers: usize) -> (Report, Report) {
    let (bound, endpoint) = oneshot::channel();
    let server = End { side: Side::Bind, peers, ..end(binds, "tcp://127.0.0.1:*", size, count) };
    let server = tokio::spawn(ends::run(server, Backend::Tokio, |endpoint| send_bound(bound, endpoint)));
    let endpoint = endpoint.await.expect("the socket binds");
    let client = [connects, "--connect", &endpoint, &size.to_string(), &count.to_string()].map(String::from);
    let Ok(Command::End(client)) = Command::parse(client) else { panic!("{connects} is an end") };
    let client = ends::run(End { peers, ..client }, Backend::Tokio, |_| {}).await;
    let server = server.await.expect("the task does not panic");
    (client.expect("the client succeeds"), server.expect("the server succeeds"))
}

fn end(role: &str, endpoint: &str, size: usize, count: u64) -> End {
    let words = [role, endpoint, &size.to_string(), &count.to_string()].map(String::from);
    match Command::parse(words) {
        Ok(Command::End(end)) => end,
        other => panic!("{other:?} is not one end"),
    }
}

fn send_bound(bound: oneshot::Sender<String>, endpoint: &Endpoint) {
    bound.send(endpoint.to_string()).expect("the test waits for it");
}
