//! The three kinds of task: supervisor, listener, link. They wait; everything else is decided in `sansmq_proto`.

use crate::net::{self, Polled};
use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::Poll;
use sansmq_proto::{Connection, Driver, Endpoint, Instant, ListenerId, Listening, PipeId, Session, Step};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{self, Sleep};

/// Serves one socket until it is closed. `origin` is the driver's zero of time.
pub(crate) async fn supervise(driver: Driver, origin: time::Instant) {
    let mut sleep = pin!(time::sleep_until(origin));
    let mut armed = None;
    loop {
        let step = poll_fn(|cx| {
            if armed.is_some() && sleep.as_mut().poll(cx).is_ready() {
                armed = None;
            }
            driver.poll_step(cx, armed)
        });
        match step.await {
            Step::Listen(id, endpoint, listening) => {
                tokio::spawn(listen(driver.clone(), origin, id, endpoint, listening));
            }
            Step::Dial(pipe, endpoint) => {
                tokio::spawn(dial(driver.clone(), origin, pipe, endpoint));
            }
            Step::Rearm(deadline) => {
                armed = deadline;
                rearm(sleep.as_mut(), origin, deadline);
            }
            Step::Finished => return,
        }
    }
}

async fn listen(driver: Driver, origin: time::Instant, id: ListenerId, endpoint: Endpoint, listening: Listening) {
    let (listener, bound) = match net::listen(&endpoint).await {
        Ok(open) => open,
        Err(error) => return driver.listen_failed(id, error),
    };
    driver.listening(id, bound);
    while let Some(accepted) = unless_stopped(&listening, listener.accept()).await {
        match accepted {
            Ok((stream, from)) => {
                if let Some((pipe, connection)) = driver.accepted(id, from.into()) {
                    tokio::spawn(link(driver.clone(), origin, pipe, connection, stream));
                }
            }
            Err(error) => {
                let pause = driver.accept_failed(id, error.kind().into());
                unless_stopped(&listening, time::sleep(pause)).await;
            }
        }
    }
    close(listener);
}

/// The socket is closed before `Listening` is dropped, which tells the application that the address is free.
fn close(listener: TcpListener) {
    drop(listener);
}

async fn dial(driver: Driver, origin: time::Instant, pipe: PipeId, endpoint: Endpoint) {
    let mut stream = pin!(net::dial(&endpoint));
    let dialled = poll_fn(|cx| match driver.poll_stopped(pipe, cx) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => stream.as_mut().poll(cx).map(Some),
    });
    match dialled.await {
        None => {}
        Some(Err(error)) => driver.dial_failed(pipe, error),
        Some(Ok(stream)) => {
            if let Some(connection) = driver.connected(pipe) {
                link(driver, origin, pipe, connection, stream).await;
            }
        }
    }
}

async fn link(driver: Driver, origin: time::Instant, pipe: PipeId, connection: Connection, mut stream: TcpStream) {
    // Small messages must not wait for one another; batching is done above.
    let _ = stream.set_nodelay(true);
    let mut session = Session::new(connection);
    let mut sleep = pin!(time::sleep_until(origin));
    let mut armed = None;
    let reason = poll_fn(|cx| {
        loop {
            let polled = net::with_scratch(|scratch| {
                let mut stream = Polled::new(&mut stream, cx.waker());
                driver.poll_session(pipe, &mut session, &mut stream, scratch, cx.waker())
            });
            if let Poll::Ready(reason) = polled {
                return Poll::Ready(reason);
            }
            let deadline = session.poll_timeout();
            if core::mem::replace(&mut armed, deadline) != deadline {
                rearm(sleep.as_mut(), origin, deadline);
            }
            if deadline.is_none() || sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            armed = None;
        }
    });
    let reason = reason.await;
    driver.disconnected(pipe, session, &reason);
}

/// Sets the timer. Without a deadline it is made anew, which takes it off the runtime's list: a timer that nobody waits
/// for would cost every pass of the loop a look at the clock.
fn rearm(mut sleep: Pin<&mut Sleep>, origin: time::Instant, deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep.reset(on_clock(origin, deadline)),
        None => sleep.set(time::sleep_until(origin)),
    }
}

fn on_clock(origin: time::Instant, deadline: Instant) -> time::Instant {
    origin + deadline.since(Instant::ORIGIN)
}

/// Awaits `work`; `None` once the listener is to be closed.
async fn unless_stopped<R>(listening: &Listening, work: impl Future<Output = R>) -> Option<R> {
    let mut work = pin!(work);
    poll_fn(|cx| match listening.poll_stopped(cx) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => work.as_mut().poll(cx).map(Some),
    })
    .await
}
