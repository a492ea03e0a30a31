//! Cost of hostile peers for a socket and its honest peers, on each runtime.
//!
//! ```text
//! cargo bench -p sansmq-tests --bench hostile               # each attack on each runtime, half a second each
//! cargo bench -p sansmq-tests --bench hostile -- mio 2000   # each attack on mio, 2000 milliseconds each
//! cargo bench -p sansmq-tests --bench hostile -- pings      # the attack `pings` on each runtime
//! ```
//!
//! Each row uses three processes: one for the socket, one for four honest peers, and one for the hostile peers. An
//! honest peer sends its next request when the reply arrives. All processes share the processors, so the ratio of
//! replies includes the processor time that the hostile peers use themselves. Processor time and memory are measured in
//! the process of the socket. A PUSH has no requests and replies: it distributes messages as fast as its peers take them,
//! and the messages that honest peers receive are counted.

mod attacks;
mod honest;

use attacks::{ATTACKS, Attack, Service};
use futures_util::future::{join3, select};
use honest::{Honest, ServerSecurity};
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
        ["attack", name, at] => return attack(name).run(address(at)),
        ["honest", name, at, trigger, ref key @ ..] => {
            return honest::run(attack(name), at, trigger, key.first().copied());
        }
        ["measure", name, runtime, millis] => {
            return measure(runtime, attack(name), Duration::from_millis(number(millis)));
        }
        _ => {}
    }
    let selected = |all: &[&'static str]| {
        let named: Vec<_> = all.iter().copied().filter(|one| words.contains(one)).collect();
        if named.is_empty() { all.to_vec() } else { named }
    };
    let millis = words.iter().find(|word| word.parse::<u64>().is_ok()).unwrap_or(&"500");
    println!("replies: to honest peers per second without the attack, and the fraction that remains during the attack");
    println!(
        "time: of one processor, without and during the attack, and the fraction that remains of replies per second of it"
    );
    println!("memory: peak during the attack, in MiB above the peak without it");
    println!(
        "attack                  runtime    replies   left        time   left  memory  outcome of hostile connections"
    );
    for name in selected(&ATTACKS.map(|attack| attack.name)) {
        for runtime in selected(&RUNTIMES) {
            let status = Command::new(env::current_exe()?).args(["measure", name, runtime, millis]).status()?;
            if !status.success() {
                return Err(io::Error::other(format!("{name} on {runtime}: {status}")));
            }
        }
    }
    Ok(())
}

fn attack(name: &str) -> &'static Attack {
    ATTACKS.iter().find(|attack| attack.name == name).expect("the name of an attack")
}

fn number(word: &str) -> u64 {
    word.parse().expect("a number")
}

fn address(word: &str) -> SocketAddr {
    word.parse().expect("an address")
}

/// Raises the soft limit of file descriptors of this process to the hard limit.
fn raise_descriptor_limit() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
}

fn measure(runtime: &str, attack: &'static Attack, window: Duration) -> io::Result<()> {
    use ::tokio::runtime::Builder;
    raise_descriptor_limit()?;
    let on_tokio = |mut builder: Builder| {
        let runtime = builder.enable_all().build()?;
        runtime.block_on(run_socket(|options| tokio::Socket::with_options(options).into_handle(), attack, window))
    };
    let row = match runtime {
        "tokio-ct" => on_tokio(Builder::new_current_thread()),
        "tokio-mt" => on_tokio(Builder::new_multi_thread()),
        "smol" => {
            ::smol::block_on(run_socket(|options| smol::Socket::with_options(options).into_handle(), attack, window))
        }
        "mio" => {
            let mut events = mio::EventLoop::new()?;
            let remote = events.remote();
            events.block_on(run_socket(|options| remote.socket(options), attack, window))
        }
        "blocking" => {
            let make = |options| mio::Socket::with_options(options).handle().clone();
            ::smol::block_on(run_socket(make, attack, window))
        }
        other => Err(io::Error::other(format!("unknown runtime {other}; expected one of {RUNTIMES:?}"))),
    }?;
    println!("{:24}{runtime:10}{row}", attack.name);
    Ok(())
}

/// Counts of the events of the attacked socket: ended connections and rejected connections, by reason, and events that
/// the monitor missed.
type Outcomes = Arc<Mutex<BTreeMap<String, u64>>>;

async fn run_socket(
    make: impl Fn(Options<Any>) -> Handle<Any>,
    attack: &'static Attack,
    window: Duration,
) -> io::Result<String> {
    let security = ServerSecurity::of(attack);
    let (socket, trigger) = (make(security.server(attack)), make(Options::<Pull>::new().erase()));
    let bound = [socket.bind("tcp://127.0.0.1:*").await, trigger.bind("tcp://127.0.0.1:*").await];
    let [Ok(at), Ok(trigger_endpoint)] = bound else { return Err(io::Error::other("could not bind")) };
    let outcomes = Outcomes::default();
    let control = {
        let (socket, outcomes) = (socket.clone(), Arc::clone(&outcomes));
        ::smol::unblock(move || control(&socket, attack, &[at, trigger_endpoint], &security, window, &outcomes))
    };
    let serving = join3(
        serve(&socket, &trigger, attack.service),
        drain(&socket, attack.service),
        count_outcomes(socket.monitor(), &outcomes),
    );
    match select(pin!(control), pin!(serving)).await {
        futures_util::future::Either::Left((row, _)) => row,
        futures_util::future::Either::Right(_) => Err(io::Error::other("the socket has closed")),
    }
}

/// Serves the honest peers of the attacked socket, `socket`. With [`Service::Echo`], sends each message that `socket`
/// receives back to its sender. Otherwise sends on `socket` each message that `trigger` receives.
async fn serve(socket: &Handle<Any>, trigger: &Handle<Any>, service: Service) {
    let source = if service == Service::Echo { socket } else { trigger };
    while let Ok(message) = source.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

/// Receives and drops the messages of the attacked socket if the service is [`Service::PublishAndReceive`], otherwise
/// only waits. Never returns.
async fn drain(socket: &Handle<Any>, service: Service) {
    if service == Service::PublishAndReceive {
        while socket.recv().await.is_ok() {}
    }
    core::future::pending::<()>().await;
}

async fn count_outcomes(mut monitor: Monitor, outcomes: &Outcomes) {
    while let Some(event) = monitor.next().await {
        let (outcome, times) = match event {
            Event::Disconnected { reason, .. } | Event::HandshakeFailed { reason, .. } => (format!("{reason:?}"), 1),
            Event::Rejected { reason, .. } => (format!("rejected: {reason:?}"), 1),
            Event::Lagged(count) => ("missed events".to_owned(), count),
            _ => continue,
        };
        let short = outcome.split(['{', '"']).next().unwrap_or_default().trim_end().to_owned();
        *outcomes.lock().unwrap_or_else(PoisonError::into_inner).entry(short).or_default() += times;
    }
}

/// Measurements of the attacked socket and its honest peers over a period.
struct Measured {
    /// Number of replies to honest peers per second.
    replies: f64,
    /// Processor time of the process of the attacked socket, as a fraction of one processor.
    time: f64,
    /// Peak resident memory of the process of the attacked socket, in KiB.
    memory: f64,
}

fn observe(honest: &mut Honest, window: Duration) -> io::Result<Measured> {
    let processor = || Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default();
    let (start, used_before, replies_before) = (Instant::now(), processor(), honest.replies()?);
    let mut memory = resident();
    while start.elapsed() < window {
        thread::sleep(Duration::from_millis(20));
        memory = memory.max(resident());
    }
    let (elapsed, used) = (start.elapsed().as_secs_f64(), processor().saturating_sub(used_before).as_secs_f64());
    let replies = honest.replies()? - replies_before;
    Ok(Measured { replies: replies / elapsed, time: used / elapsed, memory })
}

fn control(
    socket: &Handle<Any>,
    attack: &Attack,
    bound: &[Endpoint; 2],
    security: &ServerSecurity,
    window: Duration,
    outcomes: &Outcomes,
) -> io::Result<String> {
    let mut honest = Honest::start(attack, bound, security)?;
    let baseline = observe(&mut honest, window)?;
    let at = bound[0].socket_addr().ok_or(io::ErrorKind::InvalidInput)?;
    let mut hostile = HostilePeers::start(attack, at)?;
    let attacked = observe(&mut honest, 2 * window)?;
    let held = socket.stats().peers.saturating_sub(honest::PEERS);
    hostile.0.kill()?;
    hostile.0.wait()?;
    let mut outcomes: Vec<_> = outcomes.lock().unwrap_or_else(PoisonError::into_inner).clone().into_iter().collect();
    outcomes.sort_by_key(|(_, count)| core::cmp::Reverse(*count));
    let outcomes: Vec<_> = outcomes.iter().take(3).map(|(outcome, count)| format!(", {count} {outcome}")).collect();
    let outcomes = outcomes.concat();
    let (left, memory) = (attacked.replies / baseline.replies, (attacked.memory - baseline.memory) / 1024.0);
    let (time, each) = (format!("{:.2} {:.2}", baseline.time, attacked.time), left * baseline.time / attacked.time);
    Ok(format!("{:8.0}{left:7.2}{time:>12}{each:7.2}{memory:8.1}  {held} held{outcomes}", baseline.replies))
}

/// The process of the hostile peers.
struct HostilePeers(Child);

impl HostilePeers {
    /// Starts the process of the hostile peers, which attack the socket at the address `at`. Waits until the attack has
    /// begun.
    fn start(attack: &Attack, at: SocketAddr) -> io::Result<Self> {
        let mut child = Command::new(env::current_exe()?);
        child.args(["attack", attack.name]).arg(at.to_string()).stdout(Stdio::piped());
        let mut child = Self(child.spawn()?);
        let begun = BufReader::new(child.0.stdout.as_mut().expect("stdout is piped")).read_line(&mut String::new())?;
        if begun == 0 { Err(io::Error::other("the process of the hostile peers has ended")) } else { Ok(child) }
    }
}

impl Drop for HostilePeers {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}

/// Returns the resident memory of this process in KiB.
fn resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").parse().unwrap_or_default()
}

/// Returns the socket type of the honest peers that connect to an attacked socket of the type `target`.
const fn peer_of(target: SocketType) -> SocketType {
    match target {
        SocketType::Rep => SocketType::Req,
        SocketType::Pub | SocketType::XPub => SocketType::Sub,
        SocketType::Push => SocketType::Pull,
        _ => SocketType::Dealer,
    }
}
