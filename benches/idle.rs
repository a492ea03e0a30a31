//! Cost of many connected, idle peers of one ROUTER: memory per peer, and time to connect, compared with a plain `accept` and
//! `write`.
//!
//! ```text
//! cargo bench -p sansmq-benches --bench idle               # every runtime, 10000 peers
//! cargo bench -p sansmq-benches --bench idle -- mio 2000   # this runtime, 2000 peers
//! ```
//!
//! Each runtime is measured in its own process, because a later measurement would reuse memory that an earlier one has freed. The
//! peers are plain TCP streams of another process, which sends the bytes of a DEALER. Memory is the resident set of the measured
//! process, without the buffers of the kernel.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sansmq::kind::Router;
use sansmq::mio::EventLoop;
use sansmq::{Endpoint, Handle, Message, smol, tokio};
use std::io::{self, BufRead, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

const RUNTIMES: [&str; 4] = ["tokio-ct", "tokio-mt", "smol", "mio"];

/// Maximum number of peers that connect at the same time. It is below the backlog of the listener: a peer beyond the
/// backlog would retry only after a second, and the result would include this second.
const WAVE: usize = 100;

/// Size in bytes of the message that each peer sends and receives.
const BODY: usize = 16 << 10;

fn main() -> io::Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    match *words {
        ["peers", bare, router, count] => return peers(bare, router, number(count)),
        ["measure", runtime, count] => return measure(runtime, number(count)),
        _ => {}
    }
    let runtimes = words.iter().copied().filter(|word| RUNTIMES.contains(word)).collect::<Vec<_>>();
    let count = words.iter().find(|word| word.parse::<usize>().is_ok()).unwrap_or(&"10000");
    println!("{count} peers; KiB and µs are per peer");
    println!("runtime    KiB connected  KiB after 16 KiB each way  µs to connect  µs to accept and write");
    for runtime in if runtimes.is_empty() { &RUNTIMES[..] } else { &runtimes } {
        let status = Command::new(env::current_exe()?).args(["measure", runtime, count]).status()?;
        if !status.success() {
            return Err(io::Error::other(format!("{runtime}: {status}")));
        }
    }
    Ok(())
}

fn number(word: &str) -> usize {
    word.parse().expect("a number of peers")
}

/// Raises the limit of file descriptors to its maximum. Fails if the maximum is too low for `count` peers.
fn raise_descriptor_limit(count: usize) -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.maximum.is_some_and(|maximum| maximum < count as u64 + 100) {
        return Err(io::Error::other(format!("{count} peers need more descriptors than the limit of {limit:?}")));
    }
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
}

/// Returns the resident memory of this process in KiB.
fn resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("the benchmark runs on Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the line exists");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn measure(runtime: &str, count: usize) -> io::Result<()> {
    use ::tokio::runtime::Builder;
    raise_descriptor_limit(count)?;
    let on_tokio = |mut builder: Builder| {
        let runtime = builder.enable_all().build()?;
        runtime.block_on(async { serve(tokio::RouterSocket::new().into_handle(), count).await })
    };
    let [connected, used, connecting, accepting] = match runtime {
        "tokio-ct" => on_tokio(Builder::new_current_thread()),
        "tokio-mt" => on_tokio(Builder::new_multi_thread()),
        "smol" => ::smol::block_on(serve(smol::RouterSocket::new().into_handle(), count)),
        "mio" => {
            let mut events = EventLoop::new()?;
            let router = events.socket(sansmq::Options::new());
            events.block_on(serve(router, count))
        }
        other => Err(io::Error::other(format!("unknown runtime {other}; use one of {RUNTIMES:?}"))),
    }?;
    println!("{runtime:9} {connected:14.1} {used:26.1} {connecting:14.1} {accepting:21.1}");
    Ok(())
}

/// Serves `count` peers. Returns four results per peer: memory in KiB after the handshake, memory in KiB after the
/// transfer of messages, time in µs to connect, and time in µs for a plain `accept` and `write`.
async fn serve(router: Handle<Router>, count: usize) -> io::Result<[f64; 4]> {
    let Ok(Endpoint::Tcp { port, .. }) = router.bind("tcp://127.0.0.1:*").await else {
        return Err(io::Error::other("could not bind"));
    };
    let bare = TcpListener::bind("127.0.0.1:0")?;
    let addresses = [bare.local_addr()?.to_string(), format!("127.0.0.1:{port}")];
    let mut child = Command::new(env::current_exe()?);
    child.arg("peers").args(addresses).arg(count.to_string());
    let mut child = child.stdin(Stdio::piped()).spawn()?;
    let share = |total: f64| total / f64::from(u32::try_from(count).expect("the count fits into 32 bits"));
    let each = |took: Duration| share(took.as_secs_f64() * 1e6);

    let mut streams = Vec::with_capacity(count);
    let start = start_step(&mut child)?;
    for _ in 0..count {
        let (mut stream, _) = bare.accept()?;
        stream.write_all(&[0; 66])?;
        streams.push(stream);
    }
    let accepting = each(start.elapsed());
    drop(streams);
    let before = resident();
    let start = start_step(&mut child)?;
    for _ in 0..count {
        receive(&router).await?;
    }
    let connecting = each(start.elapsed());
    let connected = share(resident() - before);

    start_step(&mut child)?;
    let mut finished = 0;
    while finished < count {
        let message = receive(&router).await?;
        if message.body().len() == BODY {
            router.send(message).await.map_err(io::Error::other)?;
        } else {
            finished += 1;
        }
    }
    let used = share(resident() - before);
    child.wait()?; // closes the input of the child, which ends its last step
    Ok([connected, used, connecting, accepting])
}

async fn receive(router: &Handle<Router>) -> io::Result<Message> {
    router.recv().await.map_err(io::Error::other)
}

/// Makes the process of the peers start its next step. Returns the time at which the step started.
fn start_step(child: &mut Child) -> io::Result<Instant> {
    child.stdin.as_mut().expect("the input is piped").write_all(b"\n")?;
    Ok(Instant::now())
}

/// Main function of the process of the peers. Each step of the benchmark begins when a line arrives at the standard
/// input.
fn peers(bare: &str, router: &str, count: usize) -> io::Result<()> {
    raise_descriptor_limit(count)?;
    let mut steps = io::stdin().lock().lines();
    steps.next();
    let streams = connect(bare, count, b"")?;
    steps.next();
    drop(streams);

    let mut greeting = [0; 64];
    greeting[..10].copy_from_slice(b"\xff\0\0\0\0\0\0\0\x01\x7f");
    greeting[10..16].copy_from_slice(b"\x03\x01NULL");
    let ready = b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06DEALER";
    let opening = [&greeting[..], ready, b"\0\x05hello"].concat();
    let mut streams = connect(router, count, &opening)?;
    steps.next();

    let mut body = [&b"\x02"[..], &(BODY as u64).to_be_bytes(), &[7; BODY]].concat();
    for wave in streams.chunks_mut(100) {
        for stream in &mut *wave {
            stream.write_all(&body)?;
        }
        for stream in wave {
            stream.read_exact(&mut body)?;
            stream.write_all(b"\0\x03bye")?;
        }
    }
    steps.next();
    Ok(())
}

/// Connects `count` streams. Each stream sends `opening`, the first bytes of a peer, and waits for the greeting and
/// READY of the ROUTER.
fn connect(to: &str, count: usize, opening: &[u8]) -> io::Result<Vec<TcpStream>> {
    let mut streams = Vec::with_capacity(count);
    while streams.len() < count {
        let first = streams.len();
        for _ in first..count.min(first + WAVE) {
            let mut stream = TcpStream::connect(to)?;
            stream.write_all(opening)?;
            streams.push(stream);
        }
        for stream in &mut streams[first..] {
            // The greeting and the header of READY, of which the second byte is the size.
            let mut head = [0; 66];
            stream.read_exact(&mut head)?;
            stream.read_exact(&mut vec![0; head[65].into()])?;
        }
    }
    Ok(streams)
}
