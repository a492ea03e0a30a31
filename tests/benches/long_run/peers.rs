//! The processes beside the observed process: a server that is killed and restarted, a feeder that is stopped and
//! continued, and peers that come and go.

use crate::child::{Report, commands, report_loss, within};
use crate::observed::{ANY, HEARTBEAT, RETRY, numbered};
use futures_util::future::{LocalBoxFuture, join_all, join3, select};
use sansmq::kind::{Dealer, Pub, Push, Rep, Router, Sub};
use sansmq::{Endpoint, Handle, Message, Options};
use sansmq_tests::raw_peer::greeting_and_ready;
use sansmq_tests::runtimes::RuntimeHandle;
use smol::Timer;
use std::cell::Cell;
use std::io::Write;
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;

/// Time after which a reply that has not arrived is lost. The observed process may be stopped for a minute meanwhile.
const REPLY_LIMIT: Duration = Duration::from_mins(3);

/// Number of peers that are connected at a time.
const CHURNING: usize = 6;

/// Returns the scenario of the server process, which never ends: a REP and a ROUTER that echo, and a PUB at `publisher`.
pub(crate) fn serve<'a>(runtime: RuntimeHandle, publisher: Endpoint) -> LocalBoxFuture<'a, ()> {
    Box::pin(async move {
        let (rep, router) = (runtime.socket(Options::<Rep>::new()), runtime.socket(Options::<Router>::new()));
        let publishing = runtime.socket(Options::<Pub>::new());
        publishing.bind(&publisher).await.unwrap();
        println!("bound {} {}", rep.bind(ANY).await.unwrap(), router.bind(ANY).await.unwrap());
        let reply = async {
            while let Ok(request) = rep.recv().await {
                let _ = rep.try_send(request);
            }
        };
        let echo = async {
            while let Ok(message) = router.recv().await {
                let _ = router.try_send(message);
            }
        };
        let publish = async {
            let process = std::process::id().to_string();
            for number in 0_u64.. {
                publishing.send(Message::from([process.clone(), number.to_string()])).await.unwrap();
                Timer::after(Duration::from_millis(10)).await;
            }
        };
        join3(reply, echo, publish).await;
    })
}

/// Returns the scenario of the feeder process: two PUSH sockets, one of them with heartbeats, that send numbered
/// messages. After the command `end`, sends what is queued, and prints the number of messages of the PUSH without
/// heartbeats.
pub(crate) fn feed<'a>(runtime: RuntimeHandle, steady: Endpoint, beating: Endpoint) -> LocalBoxFuture<'a, ()> {
    Box::pin(async move {
        let options = || Options::<Push>::new().linger(None);
        let steady_push = runtime.socket(options());
        steady_push.connect(steady).unwrap();
        let beating_push = runtime.socket(options().heartbeat(HEARTBEAT));
        beating_push.connect(beating).unwrap();
        let (sent, commands) = (Cell::new(0), commands());
        let sending = async {
            futures_util::future::join(
                send_numbers(&steady_push, |number| sent.set(number + 1)),
                send_numbers(&beating_push, |_| ()),
            )
            .await;
        };
        select(Box::pin(sending), Box::pin(commands.recv())).await;
        steady_push.close().await;
        println!("sent {}", sent.get());
    })
}

async fn send_numbers(push: &Handle<Push>, sent: impl Fn(u64)) {
    for number in 0.. {
        push.send(numbered(number)).await.unwrap();
        sent(number);
        Timer::after(Duration::from_millis(5)).await;
    }
}

/// Returns the scenario of the process with peers of the observed process that come and go. It never ends.
pub(crate) fn churn<'a>(
    runtime: RuntimeHandle,
    report: Rc<Report>,
    echo: Endpoint,
    publisher: Endpoint,
) -> LocalBoxFuture<'a, ()> {
    Box::pin(async move {
        let (runtime, report, echo, publisher) = (&runtime, &report, &echo, &publisher);
        join_all((0..CHURNING).map(|worker| async move {
            for round in worker.. {
                match round % 3 {
                    0 => round_trip(runtime, report, echo, round).await,
                    1 => receive_publication(runtime, report, publisher).await,
                    _ => break_off(echo, round).await,
                }
                Timer::after(Duration::from_millis(50)).await;
            }
        }))
        .await;
    })
}

/// Exchanges a message with the ROUTER. Sends it again every second, because the ROUTER has heartbeats, and closes the
/// connection if its process was stopped meanwhile.
async fn round_trip(runtime: &RuntimeHandle, report: &Report, echo: &Endpoint, round: usize) {
    let dealer = runtime.socket(Options::<Dealer>::new().linger(Duration::ZERO));
    dealer.connect(echo).unwrap();
    let message = numbered(u64::try_from(round).unwrap());
    let replied = within(REPLY_LIMIT, async {
        loop {
            let _ = within(RETRY, dealer.send(message.clone())).await;
            if let Some(reply) = within(RETRY, dealer.recv()).await {
                return reply;
            }
        }
    });
    match replied.await {
        Some(Ok(reply)) if reply == message => report.count("churn: round trips"),
        other => report_loss(&format!("churn: no echo but {:?}", other.map(|reply| reply.map(|reply| reply.size())))),
    }
    if round.is_multiple_of(2) {
        dealer.close().await;
    }
}

async fn receive_publication(runtime: &RuntimeHandle, report: &Report, publisher: &Endpoint) {
    let subscriber = runtime.socket(Options::<Sub>::new());
    subscriber.subscribe("").unwrap();
    subscriber.connect(publisher).unwrap();
    match within(REPLY_LIMIT, subscriber.recv()).await {
        Some(Ok(_)) => report.count("churn: publications"),
        _ => report_loss("churn: no publication"),
    }
}

/// Connects without a socket of sansmq, and ends the connection during or after the handshake.
async fn break_off(echo: &Endpoint, round: usize) {
    let Ok(mut stream) = TcpStream::connect(echo.socket_addr().unwrap()) else { return };
    let bytes = greeting_and_ready("DEALER");
    let _ = stream.write_all(&bytes[..round % (bytes.len() + 1)]);
    Timer::after(Duration::from_millis(u64::try_from(round % 500).unwrap())).await;
}
