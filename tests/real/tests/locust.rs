//! The worker with a Locust master. The report of the master must have the numbers of the worker.

use crate::children::{Process, python};
use crate::{Outcome, soon};
use sansmq_real_programs::locust::{Request, Totals, work};
use std::collections::BTreeMap;
use std::path::Path;

/// Requests of the test: 93 good ones of two sorts, and 7 that fail.
fn requests() -> Vec<Request> {
    let good = |number: u64| match number % 3 {
        0 => Request { method: "PUT", name: "/item", milliseconds: 20 + number, bytes: 10, error: None },
        _ => Request { method: "GET", name: "/list", milliseconds: 5, bytes: 3000, error: None },
    };
    let bad = Request { method: "GET", name: "/list", milliseconds: 900, bytes: 0, error: Some("no answer") };
    (0..93).map(good).chain(std::iter::repeat_n(bad, 7)).collect()
}

#[tokio::test]
async fn worker_is_in_report_of_master() -> Outcome {
    let folder = std::env::temp_dir().join(format!("sansmq-locust-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let mut command = python()?;
    command.args([
        "-m",
        "locust",
        "--master",
        "--headless",
        "--only-summary",
        "--skip-log-setup",
        "-f",
        "locustfile.py",
    ]);
    command.args(["--master-bind-host", "127.0.0.1", "--master-bind-port", "0", "--expect-workers", "1"]);
    command.args(["--users", "4", "--spawn-rate", "4", "--run-time", "3s", "--csv"]).arg(folder.join("report"));
    let mut master = Process::start(&mut command)?;
    let endpoint = format!("tcp://127.0.0.1:{}", master.line().await?);

    let mut left = requests();
    let load = |users: u64| left.split_off(left.len().saturating_sub(usize::try_from(users).unwrap_or(0)));
    let totals = soon(work(endpoint.parse()?, "sansmq-worker", load)).await??;
    assert_eq!((totals.requests, totals.users, totals.tests), (100, 4, 1), "{totals:?}");
    assert!(totals.heartbeats >= 2, "{totals:?}");
    assert_eq!(master.line().await?, "users 4");
    // The master exits with 1, because requests have failed.
    assert_eq!(master.end().await?.code(), Some(1));

    let report = rows(&folder.join("report_stats.csv"))?;
    let row = |name: &str| {
        let columns = [
            "Type",
            "Request Count",
            "Failure Count",
            "Min Response Time",
            "Max Response Time",
            "Average Content Size",
        ];
        let found = report.iter().find(|row| row["Name"] == name).map(|row| columns.map(|column| row[column].clone()));
        found.map(|row| row.map(|value| value.trim_end_matches(".0").to_owned()))
    };
    let text = |values: [&str; 6]| Some(values.map(str::to_owned));
    assert_eq!(row("/item"), text(["PUT", "31", "0", "20", "110", "10"]));
    assert_eq!(
        row("/list").map(|row| row[..5].to_vec()),
        text(["GET", "69", "7", "5", "900", ""]).map(|row| row[..5].to_vec())
    );
    assert_eq!(
        row("Aggregated").map(|row| row[..5].to_vec()),
        text(["", "100", "7", "5", "900", ""]).map(|row| row[..5].to_vec())
    );
    let failures = rows(&folder.join("report_failures.csv"))?;
    let failures: Vec<_> = failures.iter().map(|row| (row["Error"].as_str(), row["Occurrences"].as_str())).collect();
    assert_eq!(failures, [("no answer", "7")]);
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

#[tokio::test]
async fn worker_refuses_master_without_locust() -> Outcome {
    let router = sansmq::tokio::RouterSocket::new();
    let endpoint = router.bind("tcp://127.0.0.1:*").await?;
    let answers = async {
        let mut hello = soon(router.recv()).await??;
        router.send((hello.pop_front().ok_or("no routing id")?, "not MessagePack: \u{0}")).await?;
        Ok::<_, sansmq_real_programs::Error>(())
    };
    let (worked, answered) = tokio::join!(soon(work(endpoint, "worker", |_| Vec::new())), answers);
    answered?;
    let error = worked?.map(|totals: Totals| totals.requests);
    assert!(error.is_err(), "{error:?}");
    Ok(())
}

/// Rows of a file with comma-separated values without commas in them, by the names of the columns.
fn rows(path: &Path) -> Result<Vec<BTreeMap<String, String>>, sansmq_real_programs::Error> {
    let text = std::fs::read_to_string(path)?;
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let names = lines.next().ok_or("an empty file")?;
    Ok(lines.map(|values| names.iter().cloned().zip(values).collect()).collect())
}
