//! Tests of long messages to libzmq over a slow link, with heartbeats.

use super::{ANY, Outcome, Python, disconnection, ready, within};
use sansmq::proto::ConnectionError;
use sansmq::proto::connection::Timeout;
use sansmq::tokio::DealerSocket;
use sansmq::{Endpoint, Options};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{MissedTickBehavior, interval};

/// Rate of the slow link, in bytes per millisecond.
const RATE: usize = 2000;

/// Starts a relay that forwards one connection to `to`: at [`RATE`] in this direction, and without limit in the other.
/// Returns the endpoint of the relay.
fn slow_relay(to: &str) -> Result<Endpoint, Box<dyn std::error::Error>> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(64 << 10)?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    let listener: TcpListener = socket.listen(1)?;
    let relay = listener.local_addr()?.into();
    let to = to.trim_start_matches("tcp://").to_owned();
    tokio::spawn(async move {
        let (mut near_read, mut near_write) = listener.accept().await?.0.into_split();
        let (mut far_read, mut far_write) = TcpStream::connect(to).await?.into_split();
        tokio::spawn(async move { copy(&mut far_read, &mut near_write).await });
        let mut pace = interval(Duration::from_millis(5));
        pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut buffer = vec![0; 5 * RATE];
        loop {
            pace.tick().await;
            match near_read.read(&mut buffer).await? {
                0 => return std::io::Result::Ok(()),
                count => far_write.write_all(&buffer[..count]).await?,
            }
        }
    });
    Ok(relay)
}

#[tokio::test]
async fn long_messages_on_a_slow_link_reach_python() -> Outcome {
    within(async {
        let mut python = Python::start("echo.py", &["REP", "bind", ANY]);
        let relay = slow_relay(&python.read_line().await)?;
        let (interval, timeout) = (Duration::from_millis(300), Duration::from_millis(1500));
        let dealer = DealerSocket::with_options(Options::new().heartbeat_with(interval, timeout, Duration::ZERO)?);
        let mut monitor = dealer.monitor();
        dealer.connect(relay)?;
        ready(&mut monitor).await?;
        // Each message takes three seconds, and its PING waits behind it for longer than the timeout.
        let size = 3000 * RATE;
        for _ in 0..3 {
            dealer.send((b"", vec![1; size])).await?;
        }
        for _ in 0..3 {
            tokio::select! {
                reason = disconnection(&mut monitor) => return Err(reason?.into()),
                echo = dealer.recv() => assert_eq!(echo?.body().len(), size),
            }
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn python_stopped_inside_a_message_is_detected() -> Outcome {
    within(async {
        let mut python = Python::start("echo.py", &["REP", "bind", ANY]);
        let dealer = DealerSocket::with_options(Options::new().heartbeat(Duration::from_millis(200)));
        let mut monitor = dealer.monitor();
        dealer.connect(python.read_line().await)?;
        ready(&mut monitor).await?;
        python.signal("STOP");
        dealer.send((b"", vec![1; 30_000_000])).await?;
        let reason = disconnection(&mut monitor).await?;
        assert_eq!(reason, ConnectionError::TimedOut(Timeout::Heartbeat));
        python.signal("CONT");
        Ok(())
    })
    .await
}
