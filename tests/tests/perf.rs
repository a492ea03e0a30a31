//! The example `perf` as its readers run it, with counts that take no time. What it says of speed is not judged.

#[expect(dead_code, reason = "the example starts processes of itself, which only its own program can do")]
#[path = "../../examples/perf/main.rs"]
mod perf;

use perf::args::{Command, End, Flavor, Output, Plan, Role, Side, Transport};
use perf::ends;
use perf::home::{self, Home};
use perf::report::Report;
use sansmq::{Endpoint, kind};
use tokio::sync::oneshot;

#[tokio::test]
async fn throughput_reports_every_message_the_clock_saw() {
    let (push, pull) = meet(Role::Push, Role::Pull, 64, 3000).await;
    assert_eq!((push.end.count, push.measured), (3000, 3000));
    assert_eq!((pull.end.count, pull.measured), (3000, 2999), "the first message starts the clock");
    assert!(push.round_trips.is_none() && pull.round_trips.is_none());
}

#[tokio::test]
async fn round_trips_are_recorded_one_by_one() {
    let (req, rep) = meet(Role::Req, Role::Rep, 16, 200).await;
    let trips = req.round_trips.as_ref().expect("a REQ records round trips");
    assert_eq!((req.measured, trips.len()), (200, 200));
    assert!(trips.min() > 0 && trips.max() >= trips.value_at_quantile(0.5));
    assert_eq!(rep.measured, 199, "the first request starts the clock");
}

#[tokio::test]
async fn one_message_is_enough() {
    let (push, pull) = meet(Role::Push, Role::Pull, 0, 1).await;
    assert_eq!((push.measured, pull.measured), (1, 0));
    assert!(pull.json().contains("\"msg_per_s\":0.0,"));
}

#[tokio::test]
async fn a_message_of_the_wrong_length_is_an_error() {
    let (bound, at) = oneshot::channel();
    let pull = end("pull", "tcp://127.0.0.1:*", 64, 10);
    let pull = tokio::spawn(ends::run(pull, Home::Tokio, |endpoint| tell(bound, endpoint)));
    let at = at.await.expect("it binds");
    let push = tokio::spawn(ends::run(end("push", &at, 63, 10), Home::Tokio, |_| {}));
    let error = pull.await.expect("it does not panic").expect_err("63 is not 64");
    assert_eq!(error.to_string(), "a message of 63 octets came; 64 were expected");
    push.abort();
}

#[tokio::test]
async fn a_report_is_a_row_and_a_json_object() {
    let (req, rep) = meet(Role::Req, Role::Rep, 16, 5).await;
    assert!(req.to_string().starts_with("req        16          5 "));
    for (report, name, median) in [(req, "req", true), (rep, "rep", false)] {
        let json = report.json();
        let begin = format!("{{\"end\":\"{name}\",\"runtime\":\"ct\",\"size\":16,\"count\":5,");
        assert!(json.starts_with(&begin) && json.ends_with('}'), "{json}");
        assert_eq!(!json.contains("\"p50_us\":null"), median, "{json}");
    }
}

#[test]
fn the_command_line_says_one_end_or_both() {
    let parse = |line: &str| Command::parse(line.split_whitespace().map(Into::into));
    let both = Plan {
        size: Some(9),
        count: None,
        runtime: Flavor::MultiThread,
        transport: Transport::Ipc,
        output: Output::Json,
    };
    assert_eq!(parse("--size 9 --runtime mt --transport ipc --json").unwrap(), Command::Both(both));
    let Command::End(rep) = parse("rep --connect tcp://localhost:1 16 100").unwrap() else { panic!("it is one end") };
    assert_eq!((rep.role, rep.side, rep.size, rep.count), (Role::Rep, Side::Connect, 16, 100));
    for wrong in ["push", "sub tcp://*:1 1 1", "push tcp://*:1 -1 1", "--size", "--fast", "--bind", "--runtime both"] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn an_end_can_live_on_every_runtime() {
    for flavor in [Flavor::CurrentThread, Flavor::MultiThread, Flavor::Smol, Flavor::Mio, Flavor::Blocking] {
        let trips = home::run(flavor, async |home: Home| {
            let (rep, req) = (home.socket::<kind::Rep>(), home.socket::<kind::Req>());
            req.connect(rep.bind("tcp://127.0.0.1:*").await?)?;
            req.send("ping").await?;
            rep.send(rep.recv().await?).await?;
            Ok(req.recv().await?)
        });
        assert_eq!(trips.expect("it works").body(), "ping", "{flavor:?}");
    }
}

/// Runs both ends in this process: the one that connects, the one that binds.
async fn meet(connects: Role, binds: Role, size: usize, count: u64) -> (Report, Report) {
    let (bound, at) = oneshot::channel();
    let server = end(binds.name(), "tcp://127.0.0.1:*", size, count);
    let server = tokio::spawn(ends::run(server, Home::Tokio, |endpoint| tell(bound, endpoint)));
    let at = at.await.expect("it binds");
    let client = ends::run(end(connects.name(), &at, size, count), Home::Tokio, |_| {}).await;
    let server = server.await.expect("it does not panic");
    (client.expect("the client succeeds"), server.expect("the server succeeds"))
}

fn end(role: &str, endpoint: &str, size: usize, count: u64) -> End {
    let words = [role, endpoint, &size.to_string(), &count.to_string()].map(String::from);
    match Command::parse(words) {
        Ok(Command::End(end)) => end,
        other => panic!("{other:?} is not one end"),
    }
}

fn tell(bound: oneshot::Sender<String>, endpoint: &Endpoint) {
    bound.send(endpoint.to_string()).expect("the test waits for it");
}
