//! What many connected, idle peers cost one ROUTER: memory for each, and time to connect them beside that of a bare
//! `accept` and `write`.
//!
//! ```text
//! cargo bench -p sansmq-benches --bench idle               # every runtime, 10000 peers
//! cargo bench -p sansmq-benches --bench idle -- mio 2000   # of these, and so many
//! ```
//!
//! Each runtime is measured in a process of its own, for memory that one has freed would be had by the next for nothing. The
//! peers are plain TCP streams of yet another process, which say by hand what a DEALER says. Memory is the resident set of the
//! measured process, so the kernel's own buffers do not count.

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

/// So many peers are between connecting and connected: fewer than fit into a listener's queue. Those beyond would try again a
/// second later, and we would measure that second.
const WAVE: usize = 100;

/// What is sent each way.
const BODY: usize = 16 << 10;

fn main() -> io::Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    match *words {
        ["peers", bare, router, count] => return peers(bare, router, number(count)),
        ["measure", runtime, count] => return measure(runtime, number(count)),
        _ => {}
    }
    let of = words.iter().copied().filter(|word| RUNTIMES.contains(word)).collect::<Vec<_>>();
    let count = words.iter().find(|word| word.parse::<usize>().is_ok()).unwrap_or(&"10000");
    println!("{count} peers; KiB and µs are for each of them");
    println!("runtime    KiB connected  KiB after 16 KiB each way  µs to connect  µs to accept and write");
    for runtime in if of.is_empty() { &RUNTIMES[..] } else { &of } {
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

/// As many descriptors as we may have.
fn want_descriptors(count: usize) -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.maximum.is_some_and(|maximum| maximum < count as u64 + 100) {
        return Err(io::Error::other(format!("{count} peers need more descriptors than the limit of {limit:?}")));
    }
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
}

/// The resident set, in KiB.
fn resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it is there");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn measure(runtime: &str, count: usize) -> io::Result<()> {
    use ::tokio::runtime::Builder;
    want_descriptors(count)?;
    let on_tokio = |mut builder: Builder| {
        let runtime = builder.enable_all().build()?;
        runtime.block_on(async { serve(tokio::RouterSocket::new().into_handle(), count).await })
    };
    let [connected, talked, connecting, accepting] = match runtime {
        "tokio-ct" => on_tokio(Builder::new_current_thread()),
        "tokio-mt" => on_tokio(Builder::new_multi_thread()),
        "smol" => ::smol::block_on(serve(smol::RouterSocket::new().into_handle(), count)),
        "mio" => {
            let mut events = EventLoop::new()?;
            let router = events.socket(sansmq::Options::new());
            events.block_on(serve(router, count))
        }
        other => Err(io::Error::other(format!("{other} is none of {RUNTIMES:?}"))),
    }?;
    println!("{runtime:9} {connected:14.1} {talked:26.1} {connecting:14.1} {accepting:21.1}");
    Ok(())
}

/// KiB for each peer when all are connected, and when all have spoken; µs to connect each, and to do no more than accept and write.
async fn serve(router: Handle<Router>, count: usize) -> io::Result<[f64; 4]> {
    let Ok(Endpoint::Tcp { port, .. }) = router.bind("tcp://127.0.0.1:*").await else {
        return Err(io::Error::other("could not bind"));
    };
    let bare = TcpListener::bind("127.0.0.1:0")?;
    let addresses = [bare.local_addr()?.to_string(), format!("127.0.0.1:{port}")];
    let mut child = Command::new(env::current_exe()?);
    child.arg("peers").args(addresses).arg(count.to_string());
    let mut child = child.stdin(Stdio::piped()).spawn()?;
    let share = |total: f64| total / f64::from(u32::try_from(count).expect("not that many"));
    let each = |took: Duration| share(took.as_secs_f64() * 1e6);

    let mut streams = Vec::with_capacity(count);
    let start = go_on(&mut child)?;
    for _ in 0..count {
        let (mut stream, _) = bare.accept()?;
        stream.write_all(&[0; 66])?;
        streams.push(stream);
    }
    let accepting = each(start.elapsed());
    drop(streams);
    let before = resident();
    let start = go_on(&mut child)?;
    for _ in 0..count {
        receive(&router).await?;
    }
    let connecting = each(start.elapsed());
    let connected = share(resident() - before);

    go_on(&mut child)?;
    let mut gone = 0;
    while gone < count {
        let message = receive(&router).await?;
        if message.body().len() == BODY {
            router.send(message).await.map_err(io::Error::other)?;
        } else {
            gone += 1;
        }
    }
    let talked = share(resident() - before);
    child.wait()?; // which closes its input, its last order
    Ok([connected, talked, connecting, accepting])
}

async fn receive(router: &Handle<Router>) -> io::Result<Message> {
    router.recv().await.map_err(io::Error::other)
}

/// Has the peers do the next thing.
fn go_on(child: &mut Child) -> io::Result<Instant> {
    child.stdin.as_mut().expect("it was asked for").write_all(b"\n")?;
    Ok(Instant::now())
}

/// The peers' process. Each step begins when it is told to.
fn peers(bare: &str, router: &str, count: usize) -> io::Result<()> {
    want_descriptors(count)?;
    let mut orders = io::stdin().lock().lines();
    orders.next();
    let streams = connect(bare, count, b"")?;
    orders.next();
    drop(streams);

    let mut greeting = [0; 64];
    greeting[..10].copy_from_slice(b"\xff\0\0\0\0\0\0\0\x01\x7f");
    greeting[10..16].copy_from_slice(b"\x03\x01NULL");
    let ready = b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06DEALER";
    let opening = [&greeting[..], ready, b"\0\x05hello"].concat();
    let mut streams = connect(router, count, &opening)?;
    orders.next();

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
    orders.next();
    Ok(())
}

/// Connects so many streams, each of which says something and waits for the answer.
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
            // A greeting, and the head of READY, whose second octet tells how much follows.
            let mut head = [0; 66];
            stream.read_exact(&mut head)?;
            stream.read_exact(&mut vec![0; head[65].into()])?;
        }
    }
    Ok(streams)
}
