//! The four ends: what each does, and when its clock runs.

use super::Failure;
use super::args::{End, Role, Side};
use super::home::Home;
use super::report::Report;
use super::watch::Watch;
use hdrhistogram::Histogram;
use sansmq::kind::{self, Kind};
use sansmq::{Endpoint, Event, Handle, Message};
use std::time::Instant;

/// Is this end until `count` messages have passed; tells `bound` where it is bound, if it binds.
pub(crate) async fn run(end: End, home: Home, bound: impl FnOnce(&Endpoint) + Send) -> Result<Report, Failure> {
    if end.count == 0 {
        return Err("the count must be at least 1".into());
    }
    match end.role {
        Role::Push => push(end, home, bound).await,
        Role::Pull => pull(end, home, bound).await,
        Role::Req => req(end, home, bound).await,
        Role::Rep => rep(end, home, bound).await,
    }
}

/// The clock runs from the handshake until everything is out.
async fn push(end: End, home: Home, bound: impl FnOnce(&Endpoint)) -> Result<Report, Failure> {
    let socket = home.socket::<kind::Push>();
    attach_and_wait(&socket, &end, bound).await?;
    let message = Message::from(vec![b'x'; end.size]);
    let watch = Watch::start();
    for _ in 0..end.count {
        socket.send(message.clone()).await?;
    }
    close(&socket).await?;
    let spent = watch.stop();
    Ok(Report { measured: end.count, spent, round_trips: None, end })
}

/// The clock runs from the first message until the last.
async fn pull(end: End, home: Home, bound: impl FnOnce(&Endpoint)) -> Result<Report, Failure> {
    let socket = home.socket::<kind::Pull>();
    attach(&socket, &end, bound).await?;
    check(&socket.recv().await?, &end)?;
    let mut watch = Watch::start();
    for received in 1..end.count {
        check(&socket.recv().await?, &end)?;
        watch.progress(received, end.count);
    }
    let spent = watch.stop();
    close(&socket).await?;
    Ok(Report { measured: end.count - 1, spent, round_trips: None, end })
}

/// The clock runs from the handshake until the last reply.
async fn req(end: End, home: Home, bound: impl FnOnce(&Endpoint)) -> Result<Report, Failure> {
    let socket = home.socket::<kind::Req>();
    attach_and_wait(&socket, &end, bound).await?;
    let message = Message::from(vec![b'x'; end.size]);
    let mut round_trips = Histogram::<u64>::new(3)?;
    let mut watch = Watch::start();
    for answered in 0..end.count {
        let begun = Instant::now();
        socket.send(message.clone()).await?;
        let reply = socket.recv().await?;
        round_trips.record(u64::try_from(begun.elapsed().as_nanos())?)?;
        check(&reply, &end)?;
        watch.progress(answered, end.count);
    }
    let spent = watch.stop();
    close(&socket).await?;
    Ok(Report { measured: end.count, spent, round_trips: Some(round_trips), end })
}

/// The clock runs from the first request until the last reply is sent.
async fn rep(end: End, home: Home, bound: impl FnOnce(&Endpoint)) -> Result<Report, Failure> {
    let socket = home.socket::<kind::Rep>();
    attach(&socket, &end, bound).await?;
    let mut request = socket.recv().await?;
    let watch = Watch::start();
    for _ in 1..end.count {
        check(&request, &end)?;
        socket.send(request).await?;
        request = socket.recv().await?;
    }
    check(&request, &end)?;
    socket.send(request).await?;
    let spent = watch.stop();
    close(&socket).await?;
    Ok(Report { measured: end.count - 1, spent, round_trips: None, end })
}

async fn attach<T: Kind>(socket: &Handle<T>, end: &End, bound: impl FnOnce(&Endpoint)) -> Result<(), Failure> {
    match end.side {
        Side::Bind => bound(&socket.bind(end.endpoint.as_str()).await?),
        Side::Connect => socket.connect(end.endpoint.as_str())?,
    }
    Ok(())
}

/// As [`attach`], and waits until a peer is there: connecting is not to be measured.
async fn attach_and_wait<T: Kind>(socket: &Handle<T>, end: &End, bound: impl FnOnce(&Endpoint)) -> Result<(), Failure> {
    let mut monitor = socket.monitor();
    attach(socket, end, bound).await?;
    let ready = monitor.find(|event| matches!(event, Event::Ready { .. }).then_some(())).await;
    ready.ok_or_else(|| "the socket was closed before a peer came".into())
}

fn check(message: &Message, end: &End) -> Result<(), Failure> {
    if message.size() == end.size {
        return Ok(());
    }
    Err(format!("a message of {} octets came; {} were expected", message.size(), end.size).into())
}

async fn close<T: Kind>(socket: &Handle<T>) -> Result<(), Failure> {
    match socket.close().await.unsent {
        0 => Ok(()),
        unsent => Err(format!("{unsent} messages were not sent").into()),
    }
}
