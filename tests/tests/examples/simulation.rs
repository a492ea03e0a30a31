//! Tests of the broker in `examples/simulation`, and of the guide that explains it.

#![allow(clippy::duplicate_mod, reason = "both programs have the broker")]

use sansmq::tokio::{DealerSocket, RouterSocket};
use sansmq::{Message, Options};
use std::error::Error;

#[path = "../../../examples/simulation/broker_on_tokio.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod broker_on_tokio;
#[path = "../../../examples/simulation/main.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod simulate_broker;

use simulate_broker::faulty;
use simulate_broker::world::simulate;

const GUIDE: &str = include_str!("../../../proto/src/testing/guide.md");
const BROKER: &str = include_str!("../../../examples/simulation/broker.rs");

#[test]
fn broker_works_in_spite_of_faults() {
    for seed in 0..50 {
        let (world, outcome) = simulate(seed);
        if let Err(reason) = outcome {
            world.net.trace().for_each(|line| println!("{line}"));
            panic!("seed {seed}: {reason}");
        }
    }
}

#[test]
fn seeds_in_the_guide_find_the_planted_fault() {
    let lines: Vec<_> = GUIDE.lines().filter(|line| line.starts_with("seed ")).collect();
    let (seed_11, first) = (lines[lines.len() - 1], &lines[..lines.len() - 1]);
    let failed = (0..50).filter_map(|seed| faulty::replay(seed).0.err().map(|reason| format!("seed {seed}: {reason}")));
    assert_eq!(failed.collect::<Vec<_>>(), first, "the guide must have the output of the commands that it shows");
    assert!(first.contains(&seed_11));
}

#[test]
fn replayed_seed_has_the_trace_in_the_guide() {
    let (_, trace) = faulty::replay(11);
    assert_eq!(trace, faulty::replay(11).1, "the same seed has the same trace");
    let mut rest = trace.iter();
    let shown: Vec<_> = GUIDE.lines().filter(|line| line.starts_with("    ") && line.contains(" s: ")).collect();
    assert!(shown.len() > 4, "{shown:?}");
    for line in shown {
        assert!(rest.any(|other| other == line), "{line} is not in {trace:#?}");
    }
}

#[test]
fn faulty_broker_differs_in_the_place_of_one_line() {
    let mut lines: Vec<_> = code(BROKER).collect();
    let purge = lines.iter().position(|line| line.contains("*dead > now")).unwrap();
    lines.swap(purge, purge + 1);
    assert_eq!(code(include_str!("../../../examples/simulation/faulty/broker.rs")).collect::<Vec<_>>(), lines);
}

#[test]
fn guide_contains_the_code_of_the_simulation() {
    let tokio = include_str!("../../../examples/simulation/broker_on_tokio.rs");
    let serve = &tokio[tokio.find("pub(crate) async fn serve").unwrap()..];
    let tests = include_str!("simulation.rs");
    let test = &tests[tests.find("#[test]").unwrap()..];
    let test = &test[..test.find("\n}\n").unwrap() + 3];
    let nodes = include_str!("../../../examples/simulation/nodes.rs");
    let world = include_str!("../../../examples/simulation/world.rs");
    let fuzz = fuzz_target();
    let sources = [BROKER, serve, nodes, world, test, &fuzz];
    let expected: Vec<_> = sources.into_iter().flat_map(code).collect();
    let mut is_code = false;
    let shown = GUIDE.lines().filter(|line| {
        let is_fence = line.starts_with("```");
        is_code = *line == "```text" || (is_code && !is_fence);
        is_code && !is_fence
    });
    let shown: Vec<_> = shown.map(str::trim).filter(|line| !line.is_empty()).collect();
    for (number, (shown, line)) in shown.iter().zip(&expected).enumerate() {
        assert_eq!(shown, line, "line {number} of the guide");
    }
    assert_eq!(shown.len(), expected.len(), "the guide has too few or too many lines");
    assert_eq!(code(&fuzz).count(), 24, "the number of lines in the text of the guide");
}

/// Returns the program of the fuzz target, as a package outside of this repository has it.
fn fuzz_target() -> String {
    let source = include_str!("../../../fuzz/src/simulation.rs");
    let body = source[source.find("use nodes::").expect("the file has this line")..]
        .replace("use nodes::", "use my_broker::nodes::");
    let macro_call = "libfuzzer_sys::fuzz_target!(|data: &[u8]| {";
    let body = body.replace("pub fn simulation(data: &[u8]) {", macro_call);
    let body = body.lines().filter(|line| !line.starts_with("///")).map(|line| if line == "}" { "});" } else { line });
    "#![no_main]\n".to_owned() + &body.collect::<Vec<_>>().join("\n")
}

/// Returns the lines of a source file without indentation, empty lines, and the documentation of the file.
fn code(source: &str) -> impl Iterator<Item = &str> {
    source.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//!"))
}

#[tokio::test]
async fn broker_on_tokio_passes_requests_and_replies() -> Result<(), Box<dyn Error>> {
    let (clients, workers) = (RouterSocket::new(), RouterSocket::new());
    let [to_clients, to_workers] = [clients.bind("tcp://127.0.0.1:*").await?, workers.bind("tcp://127.0.0.1:*").await?];
    let talk = async {
        let client = DealerSocket::new();
        client.connect(&to_clients)?;
        client.send("request").await?;
        let worker = DealerSocket::with_options(Options::new().routing_id("worker")?);
        worker.connect(&to_workers)?;
        worker.send("READY").await?;
        worker.send(worker.recv().await?).await?;
        assert_eq!(client.recv().await?, Message::from("request"));
        Ok::<_, Box<dyn Error>>(())
    };
    tokio::select! {
        outcome = talk => outcome,
        outcome = broker_on_tokio::serve(&clients, &workers) => Ok(outcome?),
    }
}
