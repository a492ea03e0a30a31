//! Throughput of one and of two server threads at one port: each has its own event loop, and its own socket with the option
//! `reuse_port`.
//!
//! ```text
//! cargo bench -p sansmq-benches --bench threads            # PULL and ROUTER
//! cargo bench -p sansmq-benches --bench threads -- pull 9  # PULL only, nine rounds
//! ```
//!
//! The clients are plain TCP streams of another process, which encodes ZMTP frames: [`PEERS`] streams with a thread each. A PULL
//! receives [`COUNT`] messages of 16 bytes, and a ROUTER returns [`ECHOES`] messages to clients that wait for [`WINDOW`] replies after
//! [`WINDOW`] requests. Queues have the default mark of 1000 messages. Each message carries the number of its stream and its
//! position, and the receiver checks both, so a lost, repeated or misplaced message fails the benchmark.
//!
//! Rounds with one and with two threads alternate, and the medians are printed. The last column is the limit of the ratio on a machine
//! with two processors, which the clients share with the servers: two processors do at most `2 / (S + C)` messages in a second, and
//! one server thread `1 / S`, where `S` and `C` are the processor time of a message at the server and at the clients.

use sansmq::kind::{Any, Pull, Router};
use sansmq::mio::EventLoop;
use sansmq::{Endpoint, Handle, Message, Options, RecvError};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// Number of client streams.
const PEERS: u64 = 32;

/// Number of messages that the PULL sockets receive in a round.
const COUNT: u64 = 8_000_000;

/// Number of messages that the ROUTER sockets return in a round.
const ECHOES: u64 = 1_600_000;

/// Number of requests that a client sends before it reads the replies.
const WINDOW: u64 = 100;

/// Size in bytes of the body of a message, and of its frame with flags and size.
const BODY: usize = 16;
const FRAME: usize = 2 + BODY;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone, Copy, Debug)]
enum Pattern {
    Pull,
    Router,
}

impl Pattern {
    const ALL: [Self; 2] = [Self::Pull, Self::Router];

    const fn name(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Router => "router",
        }
    }

    fn options(self) -> Options {
        match self {
            Self::Pull => Options::<Pull>::new().reuse_port(true).erase(),
            Self::Router => Options::<Router>::new().reuse_port(true).erase(),
        }
    }

    /// Returns the number of messages in a round.
    const fn messages(self) -> u64 {
        match self {
            Self::Pull => COUNT,
            Self::Router => ECHOES,
        }
    }

    /// Returns the READY command of the clients.
    const fn ready(self) -> &'static [u8] {
        match self {
            Self::Pull => b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PUSH",
            Self::Router => b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06DEALER",
        }
    }
}

/// Results of one round, of all threads together.
#[derive(Clone, Copy, Debug)]
struct Round {
    messages: u64,
    wall: Duration,
    /// Processor time of the servers, and of the clients.
    server: Duration,
    clients: Duration,
    /// Share of the messages that the thread with the fewest messages has received, in percent.
    smallest: u64,
}

impl Round {
    /// Returns the number of messages per second, in millions.
    fn rate(&self) -> f64 {
        1e3 / self.per_message(self.wall)
    }

    /// Returns this time in nanoseconds per message.
    fn per_message(&self, spent: Duration) -> f64 {
        spent.as_secs_f64() * 1e9 / f64::from(u32::try_from(self.messages).expect("the number fits into 32 bits"))
    }
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let chosen = |word: &String| Pattern::ALL.into_iter().find(|pattern| pattern.name() == word);
    if let [word, pattern, endpoint] = &arguments[..]
        && let ("clients", Some(pattern)) = (&**word, chosen(pattern))
    {
        return clients(pattern, &endpoint.parse()?);
    }
    let rounds = arguments.iter().find_map(|word| word.parse().ok()).unwrap_or(5);
    println!("{PEERS} clients, messages of {BODY} bytes, medians of {rounds} rounds");
    println!("rate: million messages per second; server, clients: processor time in ns per message");
    println!("socket  threads  rate  server  clients  smallest share  ratio  limit");
    let patterns: Vec<_> = arguments.iter().filter_map(chosen).collect();
    for &pattern in if patterns.is_empty() { &Pattern::ALL[..] } else { &patterns } {
        measure(pattern, rounds)?;
    }
    Ok(())
}

fn measure(pattern: Pattern, rounds: usize) -> Result<(), Failure> {
    let mut results = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (threads, results) in (1..).zip(&mut results) {
            results.push(round(pattern, threads)?);
        }
    }
    let medians = results.map(|mut results| {
        results.sort_by(|one, other| one.rate().total_cmp(&other.rate()));
        results[results.len() / 2]
    });
    let [one, two] = medians;
    for (threads, result) in (1..).zip(medians) {
        let (rate, smallest) = (result.rate(), result.smallest);
        let [server, clients] = [result.server, result.clients].map(|spent| result.per_message(spent));
        print!("{:6} {threads:8} {rate:5.2} {server:7.0} {clients:8.0} {smallest:13} %", pattern.name());
        println!(
            "{}",
            if threads == 1 { String::new() } else { format!(" {:6.2} {:6.2}", two.rate() / one.rate(), limit(&one)) }
        );
    }
    Ok(())
}

/// Returns the limit of the ratio of two threads to one, which has this result, on two processors.
fn limit(one: &Round) -> f64 {
    2.0 * one.server.as_secs_f64() / (one.server + one.clients).as_secs_f64()
}

/// Server thread, with its socket and the number of the messages that it has handled.
struct Server {
    socket: Handle<Any>,
    handled: Arc<AtomicU64>,
    thread: thread::JoinHandle<Result<(), Failure>>,
}

/// Runs servers on this number of threads until they have handled all messages.
fn round(pattern: Pattern, threads: usize) -> Result<Round, Failure> {
    let mut endpoint: Endpoint = "tcp://127.0.0.1:*".parse()?;
    let mut servers = Vec::new();
    for _ in 0..threads {
        let server = start(pattern)?;
        endpoint = ::smol::block_on(server.socket.bind(endpoint))?;
        servers.push(server);
    }
    let mut command = Command::new(env::current_exe()?);
    command.args(["clients", pattern.name(), &endpoint.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err("the input and the output of the clients are not piped".into());
    };
    let mut lines = BufReader::new(output).lines();
    next_line(&mut lines)?; // all clients are connected
    let (begin, before) = (Instant::now(), processor_time()?);
    writeln!(input, "go")?;
    let handled = || servers.iter().map(|server| server.handled.load(Ordering::Acquire)).collect::<Vec<_>>();
    while handled().iter().sum::<u64>() < pattern.messages()
        && !servers.iter().any(|server| server.thread.is_finished())
    {
        thread::sleep(Duration::from_millis(1));
    }
    let (wall, server, handled) = (begin.elapsed(), processor_time()?.saturating_sub(before), handled());
    for server in servers {
        ::smol::block_on(server.socket.close());
        drop(server.socket);
        server.thread.join().map_err(|_| "a server has panicked")??;
    }
    let clients = Duration::from_millis(next_line(&mut lines)?.parse()?);
    let messages = handled.iter().sum();
    if !child.wait()?.success() || messages != pattern.messages() {
        return Err(format!("{handled:?} messages were handled, expected {}", pattern.messages()).into());
    }
    let smallest = handled.iter().min().map_or(0, |count| count * 100 / messages);
    Ok(Round { messages, wall, server, clients, smallest })
}

fn next_line(lines: &mut impl Iterator<Item = io::Result<String>>) -> Result<String, Failure> {
    Ok(lines.next().ok_or("the clients have ended")??)
}

/// Starts a thread with an event loop and a socket.
fn start(pattern: Pattern) -> Result<Server, Failure> {
    let (sender, receiver) = mpsc::channel();
    let handled = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&handled);
    let thread = thread::spawn(move || {
        let mut events = EventLoop::new()?;
        let socket = events.socket(pattern.options());
        sender.send(socket.clone())?;
        drop(sender);
        events.block_on(serve(pattern, &socket, &counter))?;
        drop(socket);
        Ok(events.run()?) // until the other handle is dropped
    });
    let socket = receiver.recv().map_err(|_| "a server could not start")?;
    Ok(Server { socket, handled, thread })
}

/// Handles messages until the socket is closed. Checks that those of each client are in order.
async fn serve(pattern: Pattern, socket: &Handle<Any>, handled: &AtomicU64) -> Result<(), Failure> {
    let mut next = vec![0; usize::try_from(PEERS)?];
    for count in 1.. {
        let message = match socket.recv().await {
            Ok(message) => message,
            Err(RecvError::Closed) => break,
            Err(error) => return Err(error.into()),
        };
        let (client, position) = read_body(&message)?;
        let expected = next.get_mut(client).ok_or("a message has the number of no client")?;
        if position != *expected {
            return Err(format!("client {client}: received message {position}, expected {expected}").into());
        }
        *expected += 1;
        if let Pattern::Router = pattern {
            socket.send(message).await?;
        }
        handled.store(count, Ordering::Release);
    }
    Ok(())
}

/// Returns the number of the client, and the position of the message among those of the client.
fn read_body(message: &Message) -> Result<(usize, u64), Failure> {
    let body: &[u8] = message.body();
    let (client, position) = body.split_at_checked(BODY / 2).ok_or("a body is too short")?;
    Ok((usize::try_from(u64::from_be_bytes(client.try_into()?))?, u64::from_be_bytes(position.try_into()?)))
}

/// Main function of the process of the clients.
fn clients(pattern: Pattern, endpoint: &Endpoint) -> Result<(), Failure> {
    let address = endpoint.socket_addr().ok_or("the endpoint has no address")?;
    let mut streams = Vec::new();
    for _ in 0..PEERS {
        let mut stream = TcpStream::connect(address)?;
        let mut greeting = [0; 64];
        greeting[..10].copy_from_slice(b"\xff\0\0\0\0\0\0\0\x01\x7f");
        greeting[10..16].copy_from_slice(b"\x03\x01NULL");
        stream.write_all(&[&greeting, pattern.ready()].concat())?;
        // The greeting and the header of READY, of which the second byte is the size.
        let mut head = [0; 66];
        stream.read_exact(&mut head)?;
        stream.read_exact(&mut vec![0; head[65].into()])?;
        streams.push(stream);
    }
    println!("connected");
    io::stdin().read_line(&mut String::new())?;
    let before = processor_time()?;
    let threads: Vec<_> =
        (0..).zip(streams).map(|(client, stream)| thread::spawn(move || send(pattern, client, stream))).collect();
    for thread in threads {
        thread.join().map_err(|_| "a client has panicked")??;
    }
    println!("{}", (processor_time()?.saturating_sub(before)).as_millis());
    Ok(())
}

/// Sends the messages of one client, and compares the replies of a ROUTER with them.
fn send(pattern: Pattern, client: u64, mut stream: TcpStream) -> Result<(), Failure> {
    let messages = pattern.messages() / PEERS;
    let (mut frames, mut replies) = (Vec::new(), Vec::new());
    for first in (0..messages).step_by(usize::try_from(WINDOW)?) {
        frames.clear();
        for position in first..messages.min(first + WINDOW) {
            frames.extend_from_slice(&[0, u8::try_from(BODY)?]);
            frames.extend_from_slice(&client.to_be_bytes());
            frames.extend_from_slice(&position.to_be_bytes());
        }
        stream.write_all(&frames)?;
        if let Pattern::Router = pattern {
            replies.resize(frames.len(), 0);
            stream.read_exact(&mut replies)?;
            if let Some(wrong) = frames.chunks(FRAME).zip(replies.chunks(FRAME)).position(|(sent, reply)| sent != reply)
            {
                return Err(format!("client {client}: reply {} is wrong", first + u64::try_from(wrong)?).into());
            }
        }
    }
    // The stream ends after the server has closed it, so that the server reads all messages before the end.
    let _ = stream.read(&mut [0]);
    Ok(())
}

/// Returns the user and system time of this process.
fn processor_time() -> Result<Duration, Failure> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // Field 2, the name of the program, may contain any character, so field 3 starts after the last bracket.
    let (_, fields) = stat.rsplit_once(')').ok_or("the line has no name")?;
    let mut ticks = fields.split_ascii_whitespace().skip(11).map(str::parse::<u64>);
    let mut next = || ticks.next().ok_or("the line is too short");
    Ok(Duration::from_millis((next()?? + next()??) * 10))
}
