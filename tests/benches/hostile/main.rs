//! What peers that mean no good cost a socket, and the honest peers of it, on every runtime.
//!
//! ```text
//! cargo bench -p sansmq-tests --bench hostile               # every attack on every runtime, half a second each
//! cargo bench -p sansmq-tests --bench hostile -- mio 2000   # on these, and for so many milliseconds
//! cargo bench -p sansmq-tests --bench hostile -- pings      # and of these alone
//! ```
//!
//! The socket is a process of its own for each row, and so are four honest peers, each of which asks again when it is answered,
//! and the strangers. All of them share the processors: what strangers cost by being there is in the ratio too. Processor time
//! and memory are those of the socket's process.

mod attacks;
mod honest;

use attacks::{ATTACKS, Attack, Service};
use futures_util::future::{join3, select};
use honest::{Honest, Lock};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use sansmq::kind::{Any, Pull};
use sansmq::{Endpoint, Event, Handle, Monitor, Options, SocketType, mio, smol, tokio};
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::pin::pin;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

const RUNTIMES: [&str; 5] = ["tokio-ct", "tokio-mt", "smol", "mio", "blocking"];

fn main() -> io::Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    match *words {
        ["attack", name, at] => return attack(name).go(address(at)),
        ["honest", name, at, bell, ref key @ ..] => return honest::go(attack(name), at, bell, key.first().copied()),
        ["measure", name, runtime, millis] => {
            return measure(runtime, attack(name), Duration::from_millis(number(millis)));
        }
        _ => {}
    }
    let given = |all: &[&'static str]| {
        let some: Vec<_> = all.iter().copied().filter(|one| words.contains(one)).collect();
        if some.is_empty() { all.to_vec() } else { some }
    };
    let millis = words.iter().find(|word| word.parse::<u64>().is_ok()).unwrap_or(&"500");
    println!("answers: to honest peers, in a second without the attack, and the share of it that is left with it");
    println!(
        "time: of one processor, without the attack and with it; and the share that is left of answers for each second of it"
    );
    println!("memory: MiB more than without the attack, at most");
    println!(
        "attack                  runtime    answers   left        time   left  memory  what became of the strangers"
    );
    for name in given(&ATTACKS.map(|attack| attack.name)) {
        for runtime in given(&RUNTIMES) {
            let status = Command::new(env::current_exe()?).args(["measure", name, runtime, millis]).status()?;
            if !status.success() {
                return Err(io::Error::other(format!("{name} on {runtime}: {status}")));
            }
        }
    }
    Ok(())
}

fn attack(name: &str) -> &'static Attack {
    ATTACKS.iter().find(|attack| attack.name == name).expect("an attack that there is")
}

fn number(word: &str) -> u64 {
    word.parse().expect("a number")
}

fn address(word: &str) -> SocketAddr {
    word.parse().expect("an address")
}

/// As many descriptors as we may have.
fn want_descriptors() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
}

fn measure(runtime: &str, attack: &'static Attack, window: Duration) -> io::Result<()> {
    use ::tokio::runtime::Builder;
    want_descriptors()?;
    let on_tokio = |mut builder: Builder| {
        let here = builder.enable_all().build()?;
        here.block_on(besieged(|options| tokio::Socket::with(options).into_handle(), attack, window))
    };
    let row = match runtime {
        "tokio-ct" => on_tokio(Builder::new_current_thread()),
        "tokio-mt" => on_tokio(Builder::new_multi_thread()),
        "smol" => ::smol::block_on(besieged(|options| smol::Socket::with(options).into_handle(), attack, window)),
        "mio" => {
            let mut events = mio::EventLoop::new()?;
            let remote = events.remote();
            events.block_on(besieged(|options| remote.socket(options), attack, window))
        }
        "blocking" => {
            let make = |options| mio::Socket::with(options).handle().clone();
            ::smol::block_on(besieged(make, attack, window))
        }
        other => Err(io::Error::other(format!("{other} is none of {RUNTIMES:?}"))),
    }?;
    println!("{:24}{runtime:10}{row}", attack.name);
    Ok(())
}

/// What became of connections, by reason.
type Fates = Arc<Mutex<BTreeMap<String, u64>>>;

async fn besieged(
    make: impl Fn(Options<Any>) -> Handle<Any>,
    attack: &'static Attack,
    window: Duration,
) -> io::Result<String> {
    let lock = Lock::of(attack);
    let (socket, bell) = (make(lock.server(attack)), make(Options::<Pull>::new().erase()));
    let bound = [socket.bind("tcp://127.0.0.1:*").await, bell.bind("tcp://127.0.0.1:*").await];
    let [Ok(at), Ok(bell_at)] = bound else { return Err(io::Error::other("could not bind")) };
    let fates = Fates::default();
    let control = {
        let (socket, fates) = (socket.clone(), Arc::clone(&fates));
        ::smol::unblock(move || control(&socket, attack, &[at, bell_at], &lock, window, &fates))
    };
    let serving =
        join3(serve(&socket, &bell, attack.service), drain(&socket, attack.service), hear(socket.monitor(), &fates));
    match select(pin!(control), pin!(serving)).await {
        futures_util::future::Either::Left((row, _)) => row,
        futures_util::future::Either::Right(_) => Err(io::Error::other("the socket has closed")),
    }
}

/// Sends everything back, or something to whoever wants it each time the bell rings.
async fn serve(socket: &Handle<Any>, bell: &Handle<Any>, service: Service) {
    let asked = if service == Service::Echo { socket } else { bell };
    while let Ok(message) = asked.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

/// Receives what nobody asks for, if anybody does.
async fn drain(socket: &Handle<Any>, service: Service) {
    if service == Service::PublishAndReceive {
        while socket.recv().await.is_ok() {}
    }
    core::future::pending::<()>().await;
}

async fn hear(mut monitor: Monitor, fates: &Fates) {
    while let Some(event) = monitor.next().await {
        let (what, times) = match event {
            Event::Disconnected { reason, .. } | Event::HandshakeFailed { reason, .. } => (format!("{reason:?}"), 1),
            Event::Rejected { reason, .. } => (format!("turned away: {reason:?}"), 1),
            Event::Lagged(count) => ("not told".to_owned(), count),
            _ => continue,
        };
        let short = what.split(['{', '"']).next().unwrap_or_default().trim_end().to_owned();
        *fates.lock().unwrap_or_else(PoisonError::into_inner).entry(short).or_default() += times;
    }
}

/// What is measured in some time.
struct Measured {
    /// In a second.
    answers: f64,
    /// Of one processor.
    time: f64,
    /// The most that there was, in KiB.
    memory: f64,
}

fn observe(honest: &mut Honest, window: Duration) -> io::Result<Measured> {
    let processor = || Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default();
    let (start, had, answered) = (Instant::now(), processor(), honest.answered()?);
    let mut memory = resident();
    while start.elapsed() < window {
        thread::sleep(Duration::from_millis(20));
        memory = memory.max(resident());
    }
    let (took, used) = (start.elapsed().as_secs_f64(), processor().saturating_sub(had).as_secs_f64());
    let answers = honest.answered()? - answered;
    Ok(Measured { answers: answers / took, time: used / took, memory })
}

fn control(
    socket: &Handle<Any>,
    attack: &Attack,
    bound: &[Endpoint; 2],
    lock: &Lock,
    window: Duration,
    fates: &Fates,
) -> io::Result<String> {
    let mut honest = Honest::start(attack, bound, lock)?;
    let peace = observe(&mut honest, window)?;
    let at = bound[0].socket_addr().ok_or(io::ErrorKind::InvalidInput)?;
    let mut strangers = Strangers::start(attack, at)?;
    let war = observe(&mut honest, 2 * window)?;
    let held = socket.stats().peers.saturating_sub(honest::PEERS);
    strangers.0.kill()?;
    strangers.0.wait()?;
    let mut fates: Vec<_> = fates.lock().unwrap_or_else(PoisonError::into_inner).clone().into_iter().collect();
    fates.sort_by_key(|(_, count)| core::cmp::Reverse(*count));
    let fates: Vec<_> = fates.iter().take(3).map(|(what, count)| format!(", {count} {what}")).collect();
    let fates = fates.concat();
    let (left, memory) = (war.answers / peace.answers, (war.memory - peace.memory) / 1024.0);
    let (time, each) = (format!("{:.2} {:.2}", peace.time, war.time), left * peace.time / war.time);
    Ok(format!("{:8.0}{left:7.2}{time:>12}{each:7.2}{memory:8.1}  {held} held{fates}", peace.answers))
}

/// The strangers' process.
struct Strangers(Child);

impl Strangers {
    /// Goes on when they say that they have begun.
    fn start(attack: &Attack, at: SocketAddr) -> io::Result<Self> {
        let mut child = Command::new(env::current_exe()?);
        child.args(["attack", attack.name]).arg(at.to_string()).stdout(Stdio::piped());
        let mut child = Self(child.spawn()?);
        let begun = BufReader::new(child.0.stdout.as_mut().expect("it was asked for")).read_line(&mut String::new())?;
        if begun == 0 { Err(io::Error::other("the strangers do not come")) } else { Ok(child) }
    }
}

impl Drop for Strangers {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}

/// The resident set, in KiB.
fn resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").parse().unwrap_or_default()
}

/// What an honest peer of it is.
const fn peer_of(target: SocketType) -> SocketType {
    match target {
        SocketType::Rep => SocketType::Req,
        SocketType::Pub | SocketType::XPub => SocketType::Sub,
        SocketType::Push => SocketType::Pull,
        _ => SocketType::Dealer,
    }
}
