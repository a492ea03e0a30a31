//! The process with the measured resources. Its sockets live as long as the run; their peers, in other processes, come and
//! go.

use crate::child::{Report, commands, report_loss, within};
use futures_util::future::{LocalBoxFuture, join_all, select};
use sansmq::kind::{Dealer, Pair, Pub, Pull, Rep, Req, Router, Sub};
use sansmq::{Endpoint, Handle, Message, Options};
use sansmq_tests::runtimes::RuntimeHandle;
use smol::Timer;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

pub(crate) const ANY: &str = "tcp://127.0.0.1:*";

/// Interval and timeout of heartbeats, where they are on.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(1);

/// Time after which a request without reply is sent again.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

/// Number of last messages among which duplicates are searched.
const WINDOW: u64 = 1 << 20;

/// Endpoints of the server process: REP and ROUTER through the relay, PUB over `ipc`.
pub(crate) struct Servers {
    pub(crate) rep: Endpoint,
    pub(crate) router: Endpoint,
    pub(crate) publisher: Endpoint,
}

/// Returns the scenario of the process. It prints the endpoints of its sockets, and ends after the command `end N`, when
/// the PULL without heartbeats has received N messages.
pub(crate) fn start<'a>(runtime: RuntimeHandle, report: Rc<Report>, servers: Servers) -> LocalBoxFuture<'a, ()> {
    Box::pin(async move {
        let (servers, next) = (&servers, Rc::new(Cell::new(0)));
        let echo = runtime.socket(Options::<Router>::new().heartbeat(HEARTBEAT));
        let [steady, beating] =
            [runtime.socket(Options::<Pull>::new()), runtime.socket(Options::<Pull>::new().heartbeat(HEARTBEAT))];
        let publisher = runtime.socket(Options::<Pub>::new());
        let bound = [
            echo.bind(ANY).await.unwrap(),
            steady.bind(ANY).await.unwrap(),
            beating.bind(ANY).await.unwrap(),
            publisher.bind(ANY).await.unwrap(),
        ];
        println!("bound {}", bound.map(|endpoint| endpoint.to_string()).join(" "));
        let tasks: [LocalBoxFuture<'_, ()>; 8] = [
            Box::pin(serve_echoes(&echo, &report)),
            Box::pin(receive_in_order(&steady, &report, &next)),
            Box::pin(receive_once(&beating, &report)),
            Box::pin(publish(&publisher)),
            Box::pin(send_requests(&runtime, &report, &servers.rep)),
            Box::pin(exchange(&runtime, &report, &servers.router)),
            Box::pin(subscribe(&runtime, &report, &servers.publisher)),
            Box::pin(open_and_close(&runtime, &report, servers)),
        ];
        let commands = commands();
        let end = async {
            let command = commands.recv().await.unwrap();
            let total: u64 = command.strip_prefix("end ").and_then(|word| word.parse().ok()).unwrap();
            while next.get() < total {
                Timer::after(Duration::from_millis(10)).await;
            }
            println!("received {total}");
        };
        select(Box::pin(end), join_all(tasks)).await;
    })
}

/// Returns the message with a number: the number as text, and a second frame of up to 5000 bytes.
pub(crate) fn numbered(number: u64) -> Message {
    let padding = usize::try_from(number * 37 % 5000).unwrap();
    Message::from([number.to_string().into_bytes(), vec![b'.'; padding]])
}

/// Returns the number of a message of [`numbered`], or `None` if it is not such a message.
fn number(message: &Message) -> Option<u64> {
    let number = message.head().to_text().parse().ok()?;
    (*message == numbered(number)).then_some(number)
}

async fn serve_echoes(echo: &Handle<Router>, report: &Report) {
    while let Ok(message) = echo.recv().await {
        // The peer may be gone.
        if echo.try_send(message).is_ok() {
            report.count("echoes");
        }
    }
}

/// Receives the messages of a connection that is never cut: all arrive, in order.
async fn receive_in_order(pull: &Handle<Pull>, report: &Report, next: &Cell<u64>) {
    while let Ok(message) = pull.recv().await {
        let expected = next.get();
        if number(&message) != Some(expected) {
            report_loss(&format!("pipeline: expected {expected}, received {}", message.head().to_text()));
        }
        next.set(number(&message).unwrap_or(expected) + 1);
        report.count("pipeline");
    }
}

/// Receives the messages of a connection that heartbeats may end: none arrives twice.
async fn receive_once(pull: &Handle<Pull>, report: &Report) {
    let mut received = Numbers::new();
    while let Ok(message) = pull.recv().await {
        match number(&message) {
            Some(number) if received.insert(number) => report.count("pipeline with heartbeats"),
            _ => report_loss(&format!("pipeline with heartbeats: unexpected {}", message.head().to_text())),
        }
    }
}

/// The last [`WINDOW`] numbers that were received, one bit each. Its memory does not grow.
struct Numbers {
    bits: Vec<u64>,
    /// The number after the largest that was received.
    next: u64,
}

impl Numbers {
    fn new() -> Self {
        Self { bits: vec![0; usize::try_from(WINDOW / 64).unwrap()], next: 0 }
    }

    /// Adds a number. Returns false if it was received before.
    fn insert(&mut self, number: u64) -> bool {
        while self.next <= number {
            let (word, bit) = self.bit(self.next);
            *word &= !bit;
            self.next += 1;
        }
        let (word, bit) = self.bit(number);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    fn bit(&mut self, number: u64) -> (&mut u64, u64) {
        let index = number % WINDOW;
        (&mut self.bits[usize::try_from(index / 64).unwrap()], 1 << (index % 64))
    }
}

async fn publish(publisher: &Handle<Pub>) {
    for number in 0.. {
        publisher.send(numbered(number)).await.unwrap();
        Timer::after(Duration::from_millis(10)).await;
    }
}

/// Sends requests one after the other through connections that are cut, to a server that is killed: each request finally
/// receives its own reply.
async fn send_requests(runtime: &RuntimeHandle, report: &Report, server: &Endpoint) {
    let req = runtime.socket(req_options());
    req.connect(server).unwrap();
    for number in 0.. {
        request(&req, number).await;
        report.count("requests");
        Timer::after(Duration::from_millis(5)).await;
    }
}

/// Returns the options of a REQ that can repeat a request. Without heartbeats it would not notice a stalled connection.
fn req_options() -> Options<Req> {
    Options::new().relaxed(true).correlate(true).heartbeat(HEARTBEAT)
}

async fn request(req: &Handle<Req>, number: u64) {
    loop {
        let replied = within(RETRY, async {
            req.send(numbered(number)).await.unwrap();
            req.recv().await
        });
        match replied.await {
            Some(Ok(reply)) if reply == numbered(number) => return,
            Some(Ok(reply)) => report_loss(&format!("request {number}: the reply is {}", reply.head().to_text())),
            Some(Err(_)) | None => {}
        }
    }
}

/// Sends to a ROUTER that echoes, through connections that are cut: no echo arrives twice.
async fn exchange(runtime: &RuntimeHandle, report: &Report, server: &Endpoint) {
    let dealer = runtime.socket(Options::<Dealer>::new().heartbeat(HEARTBEAT));
    dealer.connect(server).unwrap();
    let mut received = Numbers::new();
    for next in 0.. {
        let _ = within(RETRY, dealer.send(numbered(next))).await;
        while let Some(Ok(message)) = within(Duration::from_millis(5), dealer.recv()).await {
            match number(&message) {
                Some(number) if number <= next && received.insert(number) => report.count("exchange"),
                _ => report_loss(&format!("exchange: unexpected {}", message.head().to_text())),
            }
        }
    }
}

/// Receives from a publisher that is restarted: its messages arrive after each restart, in order.
async fn subscribe(runtime: &RuntimeHandle, report: &Report, publisher: &Endpoint) {
    let subscriber = runtime.socket(Options::<Sub>::new());
    subscriber.subscribe("").unwrap();
    subscriber.connect(publisher).unwrap();
    let (mut process, mut last) = (None, None);
    while let Ok(message) = subscriber.recv().await {
        let Ok([sender, number]) = message.into_array() else {
            report_loss("publications: a message has another number of frames");
            continue;
        };
        let number: Option<u64> = number.to_text().parse().ok();
        if process.as_ref() != Some(&sender) {
            (process, last) = (Some(sender), None);
        }
        if number.is_none() || last.is_some() && number <= last {
            report_loss(&format!("publications: {number:?} after {last:?}"));
        }
        last = number;
        report.count("publications");
    }
}

/// Opens and closes sockets: clients of the server process, dials that fail or wait, and pairs over `inproc`.
async fn open_and_close(runtime: &RuntimeHandle, report: &Report, servers: &Servers) {
    for round in 0_u64.. {
        match round % 4 {
            0 => {
                let req = runtime.socket(req_options());
                req.connect(&servers.rep).unwrap();
                request(&req, round).await;
                req.close().await;
                report.count("sockets closed");
            }
            1 => {
                let [one, other] = [(); 2].map(|()| runtime.socket(Options::<Pair>::new()));
                one.bind("inproc://pair").await.unwrap();
                other.connect("inproc://pair").unwrap();
                other.send(numbered(round)).await.unwrap();
                if one.recv().await.ok().as_ref().and_then(number) != Some(round) {
                    report_loss("inproc: another message than was sent");
                }
                one.close().await;
                report.count("inproc pairs");
            }
            2 => {
                // No process listens at the endpoint of the closed listener.
                let (rep, dealer) = (runtime.socket(Options::<Rep>::new()), runtime.socket(Options::<Dealer>::new()));
                let endpoint = rep.bind(ANY).await.unwrap();
                rep.close().await;
                dealer.connect(endpoint).unwrap();
                dealer.send(numbered(round)).await.unwrap();
                dealer.close_within(Duration::from_millis(1)).await;
                report.count("dials without listener");
            }
            _ => {
                // Dropped in whatever state the connection is.
                let dealer = runtime.socket(Options::<Dealer>::new().linger(Duration::ZERO));
                dealer.connect(&servers.router).unwrap();
                Timer::after(Duration::from_millis(round % 16)).await;
                report.count("sockets dropped");
            }
        }
        Timer::after(Duration::from_millis(20)).await;
    }
}
