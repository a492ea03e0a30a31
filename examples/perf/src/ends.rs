//! Work of one process of the benchmark (it sends, receives, requests or replies), and the time that this work takes.

use super::Failure;
use super::args::{End, Job, Side};
use super::backend::Backend;
use super::report::Report;
use super::watch::{Spent, Watch};
use futures_util::future::try_join_all;
use hdrhistogram::Histogram;
use sansmq::kind::Any;
use sansmq::{Endpoint, Handle, Message, Options, SlowSubscriber, SocketType};
use std::time::Instant;

/// Number of messages per content check: the receiver checks the bytes of one message in 512. More checks would slow
/// the benchmark down.
const SAMPLE: u64 = 512;

/// Byte that fills the body of every message.
const FILL: u8 = b'x';

/// Runs one process of the benchmark until all messages have been sent or received. Calls `bound` with the bound
/// endpoint if the socket of this process binds.
pub(crate) async fn run(end: End, backend: Backend, bound: impl FnOnce(&Endpoint) + Send) -> Result<Report, Failure> {
    if end.count == 0 {
        return Err("the count must be at least 1".into());
    }
    let sockets = open(&end, &backend, bound).await?;
    let (measured, spent, round_trips) = match end.job {
        Job::Send => send(&end, &sockets).await?,
        Job::Receive => receive(&end, &sockets).await?,
        Job::Request => request(&end, &sockets).await?,
        Job::Reply => reply(&end, &sockets).await?,
    };
    for socket in &sockets {
        close(socket).await?;
    }
    Ok(Report { end, measured, spent, round_trips })
}

type Outcome = (u64, Spent, Option<Histogram<u64>>);

/// Creates the sockets of one process of the benchmark: one socket that is bound, or one connected socket for each
/// peer.
async fn open(end: &End, backend: &Backend, bound: impl FnOnce(&Endpoint)) -> Result<Vec<Handle<Any>>, Failure> {
    let socket = || {
        let options = Options::of(end.socket);
        // By default a publisher drops messages to slow subscribers, which would count as throughput.
        backend.socket(if end.socket == SocketType::Pub {
            options.slow_subscriber(SlowSubscriber::Block)
        } else {
            options
        })
    };
    if end.side == Side::Bind {
        let socket = socket();
        bound(&socket.bind(end.endpoint.as_str()).await?);
        return Ok(vec![socket]);
    }
    let sockets: Vec<_> = (0..end.peers).map(|_| socket()).collect();
    for socket in &sockets {
        socket.connect(end.endpoint.as_str())?;
    }
    Ok(sockets)
}

/// Sends all messages. Measures the time until all messages are sent. The time begins when all handshakes are complete,
/// or for a PUB when all peers have subscribed.
async fn send(end: &End, sockets: &[Handle<Any>]) -> Result<Outcome, Failure> {
    for socket in sockets {
        if end.socket == SocketType::Pub {
            socket.wait_subscribed("", end.peers).await?;
        } else {
            socket.wait_connected(1).await?;
        }
    }
    let body = Message::from(vec![FILL; end.size]);
    let mut watch = Watch::start();
    for (sent, socket) in (0..end.count).zip(sockets.iter().cycle()) {
        socket.send(body.clone()).await?;
        watch.progress(sent, end.count);
    }
    for socket in sockets {
        close(socket).await?;
    }
    Ok((end.count, watch.stop(), None))
}

/// Receives all messages on all sockets of this process. Measures the time from the first message to the last.
async fn receive(end: &End, sockets: &[Handle<Any>]) -> Result<Outcome, Failure> {
    let watch = Watch::start();
    let each = sockets.iter().map(|socket| async {
        if end.socket == SocketType::Sub {
            socket.subscribe("")?;
        }
        check(end, 0, &socket.recv().await?)?;
        let first = Instant::now();
        let mut watch = Watch::start();
        for received in 1..end.count {
            check(end, received, &socket.recv().await?)?;
            watch.progress(received, end.count);
        }
        Ok::<_, Failure>(first)
    });
    let first = try_join_all(each).await?.into_iter().min().ok_or("there is no socket")?;
    Ok((end.count * sockets.len() as u64 - 1, watch.stop_since(first), None))
}

/// Sends all requests. Each socket sends a request when the reply to its previous one has arrived. Measures the time
/// from the completion of all handshakes to the last reply, and the time of each round trip.
async fn request(end: &End, sockets: &[Handle<Any>]) -> Result<Outcome, Failure> {
    for socket in sockets {
        socket.wait_connected(1).await?;
    }
    let body = vec![FILL; end.size];
    let request = if end.socket == SocketType::Dealer { Message::from(("", body)) } else { Message::from(body) };
    let watch = Watch::start();
    let each = sockets.iter().zip(0..).map(|(socket, index)| {
        let request = &request;
        async move {
            let mut round_trips = Histogram::<u64>::new(3)?;
            let mut watch = Watch::start();
            let share = share(end.count, sockets.len() as u64, index);
            for answered in 0..share {
                let begun = Instant::now();
                socket.send(request.clone()).await?;
                let reply = socket.recv().await?;
                round_trips.record(u64::try_from(begun.elapsed().as_nanos())?)?;
                check(end, answered, &reply)?;
                watch.progress(answered, share);
            }
            Ok::<_, Failure>(round_trips)
        }
    });
    let mut all = Histogram::new(3)?;
    for round_trips in try_join_all(each).await? {
        all.add(round_trips)?;
    }
    Ok((end.count, watch.stop(), Some(all)))
}

/// Replies to all requests. Measures the time from the first request until the last reply is sent.
async fn reply(end: &End, sockets: &[Handle<Any>]) -> Result<Outcome, Failure> {
    let socket = sockets.first().ok_or("there is no socket")?;
    let mut request = socket.recv().await?;
    let mut watch = Watch::start();
    for answered in 1..end.count {
        check(end, answered, &request)?;
        socket.send(request).await?;
        request = socket.recv().await?;
        watch.progress(answered, end.count);
    }
    check(end, 0, &request)?;
    socket.send(request).await?;
    Ok((end.count - 1, watch.stop(), None))
}

/// Returns the number of requests that the socket with the number `index` (from 0) sends, so that `among` sockets
/// together send `total` requests.
const fn share(total: u64, among: u64, index: u64) -> u64 {
    total / among + if index < total % among { 1 } else { 0 }
}

fn check(end: &End, number: u64, message: &Message) -> Result<(), Failure> {
    let body = message.body();
    if body.len() != end.size {
        return Err(format!("received a message of {} bytes, expected {}", body.len(), end.size).into());
    }
    if end.checks && number.is_multiple_of(SAMPLE) && body.iter().any(|&byte| byte != FILL) {
        return Err(format!("message {number} has the wrong content").into());
    }
    Ok(())
}

async fn close(socket: &Handle<Any>) -> Result<(), Failure> {
    match socket.close().await.unsent {
        0 => Ok(()),
        unsent => Err(format!("{unsent} messages were not sent").into()),
    }
}
