//! The reader with a publisher on pyzmq that skips numbers, and restarts.

use crate::children::{Process, python};
use crate::{Outcome, soon};
use sansmq_real_programs::Error;
use sansmq_real_programs::notifications::Continuity::{self, First, Missed, Next, Restarted};
use sansmq_real_programs::notifications::Reader;

#[tokio::test]
async fn reader_finds_gaps_and_restarts() -> Outcome {
    let (mut publisher, endpoint) = start("tcp://127.0.0.1:*").await?;
    let mut reader = Reader::connect(endpoint.parse()?, &["hashblock", "rawtx"])?;
    subscribed(&mut publisher).await?;
    let first = [("rawtx", 7, First), ("hashblock", 40, First), ("rawtx", 8, Next), ("rawtx", 12, Missed(3))];
    check(&mut publisher, &mut reader, &first).await?;
    check(&mut publisher, &mut reader, &[("hashblock", 41, Next), ("rawtx", 13, Next), ("rawtx", 15, Missed(1))])
        .await?;

    // The next process has the same port, and begins to count at zero.
    publisher.end().await?;
    let (mut publisher, _) = start(&endpoint).await?;
    subscribed(&mut publisher).await?;
    check(&mut publisher, &mut reader, &[("rawtx", 0, Restarted(0)), ("rawtx", 1, Next)]).await?;
    check(&mut publisher, &mut reader, &[("hashblock", 2, Restarted(2)), ("hashblock", 4, Missed(1))]).await?;
    assert!(publisher.end().await?.success());
    Ok(())
}

#[tokio::test]
async fn reader_counts_across_largest_sequence() -> Outcome {
    let (mut publisher, endpoint) = start("tcp://127.0.0.1:*").await?;
    let mut reader = Reader::connect(endpoint.parse()?, &["hashblock", "rawtx"])?;
    subscribed(&mut publisher).await?;
    let wrap = [("rawtx", u32::MAX - 1, First), ("rawtx", u32::MAX, Next), ("rawtx", 0, Next)];
    check(&mut publisher, &mut reader, &wrap).await?;
    check(&mut publisher, &mut reader, &[("rawtx", u32::MAX, Restarted(u32::MAX)), ("rawtx", 2, Missed(2))]).await
}

async fn start(endpoint: &str) -> Result<(Process, String), Error> {
    let mut publisher = Process::start(python()?.args(["publisher.py", endpoint]))?;
    let bound = publisher.line().await?;
    Ok((publisher, bound))
}

/// Waits for both subscriptions.
async fn subscribed(publisher: &mut Process) -> Outcome {
    let mut lines = [publisher.line().await?, publisher.line().await?];
    lines.sort();
    assert_eq!(lines, ["subscribed hashblock", "subscribed rawtx"]);
    Ok(())
}

/// Sends notifications, and compares what the reader returns.
async fn check(publisher: &mut Process, reader: &mut Reader, expected: &[(&str, u32, Continuity)]) -> Outcome {
    for &(topic, sequence, continuity) in expected {
        publisher.write(&format!("{topic} body-{sequence} {sequence}")).await?;
        let found = soon(reader.recv()).await??;
        assert_eq!((found.topic.as_str(), found.sequence, found.continuity), (topic, sequence, continuity));
        assert_eq!(found.body, format!("body-{sequence}").as_str());
    }
    Ok(())
}
