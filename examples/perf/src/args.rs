//! Command line of the benchmark.

use super::Failure;
use sansmq::SocketType;
use std::path::PathBuf;
use std::str::FromStr;

pub(crate) const USAGE: &str = "\
perf [--pair PAIR,…] [--size N,…] [--count N] [--peers K] [--runtime RUNTIME,…] [--transport tcp|ipc] [--json] [--plot FILE]
    runs both ends, in two processes
perf END ENDPOINT SIZE COUNT [--bind|--connect] [--peers K] [--runtime RUNTIME] [--check] [--json]
    runs one end
PAIR     push-pull pub-sub scatter-gather          one way: throughput
         req-rep dealer-router dealer-rep client-server pair-pair channel-channel
                                                   both ways: round trips
END      push pub scatter    sends COUNT messages              pull sub gather    receives COUNT messages
         req dealer client   sends COUNT requests, one by one  rep router server  replies to each request
         pair channel        as req if it connects, as rep if it binds
         A DEALER prepends a delimiter, so that its peer may be a REP.
RUNTIME  ct mt (tokio's current-thread and multi-thread runtimes) smol mio blocking
--peers  number of sockets at the end that connects; each SUB receives COUNT messages, all others share them
--check  checks the content of some messages; only if both ends are perf
--plot   writes an SVG of all results by message size";

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Both(Plan),
    End(End),
}

/// Series of benchmark runs: one run for each combination of a pair of socket types, a runtime and a message size. Each
/// run uses two processes, one for each socket type of the pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) pairs: Vec<Pair>,
    /// Message sizes in bytes. If empty, a default selection is used.
    pub(crate) sizes: Vec<usize>,
    /// Number of messages per run; `None` for a number that depends on the message size.
    pub(crate) count: Option<u64>,
    pub(crate) peers: usize,
    pub(crate) runtimes: Vec<Flavor>,
    pub(crate) transport: Transport,
    pub(crate) output: Output,
    pub(crate) plot: Option<PathBuf>,
}

/// Settings of one of the two processes of a benchmark run, such as the process with the PUSH in a run with PUSH and
/// PULL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) socket: SocketType,
    pub(crate) job: Job,
    pub(crate) side: Side,
    pub(crate) endpoint: String,
    pub(crate) size: usize,
    pub(crate) count: u64,
    pub(crate) peers: usize,
    pub(crate) runtime: Flavor,
    pub(crate) checks: bool,
    pub(crate) output: Output,
}

/// Pair of socket types between which a benchmark run sends messages: the type of the socket that connects, and the
/// type of the socket that binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) name: &'static str,
    pub(crate) connects: &'static str,
    pub(crate) binds: &'static str,
    pub(crate) one_way: bool,
}

const fn pair(name: &'static str, connects: &'static str, binds: &'static str, one_way: bool) -> Pair {
    Pair { name, connects, binds, one_way }
}

const PAIRS: [Pair; 9] = [
    pair("push-pull", "push", "pull", true),
    pair("pub-sub", "sub", "pub", true),
    pair("scatter-gather", "scatter", "gather", true),
    pair("req-rep", "req", "rep", false),
    pair("dealer-router", "dealer", "router", false),
    pair("dealer-rep", "dealer", "rep", false),
    pair("client-server", "client", "server", false),
    pair("pair-pair", "pair", "pair", false),
    pair("channel-channel", "channel", "channel", false),
];

/// Work that one of the two processes of a benchmark run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    Send,
    Receive,
    Request,
    Reply,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Bind,
    Connect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavor {
    /// tokio's current-thread runtime.
    CurrentThread,
    /// tokio's multi-thread runtime.
    MultiThread,
    /// smol, with an executor that runs on the current thread.
    Smol,
    /// mio, with an event loop that runs on the current thread.
    Mio,
    /// mio, with blocking calls and an event loop on a background thread.
    Blocking,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Ipc,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Table,
    Json,
}

/// Interprets `word`, a socket type on the command line, such as `push`. Returns the socket type, its job in the
/// benchmark, and whether the socket binds or connects. `given` is the choice of the options `--bind` and `--connect`.
/// Without these options, the socket binds or connects like the corresponding program of libzmq.
fn role(word: &str, given: Option<Side>) -> Result<(SocketType, Job, Side), Failure> {
    use SocketType as S;
    let two_ways = if given == Some(Side::Connect) { Job::Request } else { Job::Reply };
    let (socket, job, side) = match word {
        "push" => (S::Push, Job::Send, Side::Connect),
        "pub" => (S::Pub, Job::Send, Side::Bind),
        "scatter" => (S::Scatter, Job::Send, Side::Connect),
        "pull" => (S::Pull, Job::Receive, Side::Bind),
        "sub" => (S::Sub, Job::Receive, Side::Connect),
        "gather" => (S::Gather, Job::Receive, Side::Bind),
        "req" => (S::Req, Job::Request, Side::Connect),
        "dealer" => (S::Dealer, Job::Request, Side::Connect),
        "client" => (S::Client, Job::Request, Side::Connect),
        "rep" => (S::Rep, Job::Reply, Side::Bind),
        "router" => (S::Router, Job::Reply, Side::Bind),
        "server" => (S::Server, Job::Reply, Side::Bind),
        "pair" => (S::Pair, two_ways, Side::Bind),
        "channel" => (S::Channel, two_ways, Side::Bind),
        other => return Err(format!("unknown end {other}\n{USAGE}").into()),
    };
    Ok((socket, job, given.unwrap_or(side)))
}

impl Flavor {
    const ALL: [Self; 5] = [Self::CurrentThread, Self::MultiThread, Self::Smol, Self::Mio, Self::Blocking];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::CurrentThread => "ct",
            Self::MultiThread => "mt",
            Self::Smol => "smol",
            Self::Mio => "mio",
            Self::Blocking => "blocking",
        }
    }
}

impl FromStr for Flavor {
    type Err = Failure;

    fn from_str(word: &str) -> Result<Self, Failure> {
        let known = Self::ALL.into_iter().find(|flavor| flavor.name() == word);
        known.ok_or_else(|| format!("unknown runtime {word}; use ct, mt, smol, mio or blocking").into())
    }
}

impl FromStr for Pair {
    type Err = Failure;

    fn from_str(word: &str) -> Result<Self, Failure> {
        let known = PAIRS.into_iter().find(|pair| pair.name == word);
        known.ok_or_else(|| format!("unknown pair {word}\n{USAGE}").into())
    }
}

impl Transport {
    const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Ipc => "ipc",
        }
    }

    /// Returns an endpoint of this transport for which the system chooses the port or the path.
    pub(crate) const fn wildcard(self) -> &'static str {
        match self {
            Self::Tcp => "tcp://127.0.0.1:*",
            Self::Ipc => "ipc://*",
        }
    }
}

impl FromStr for Transport {
    type Err = Failure;

    fn from_str(word: &str) -> Result<Self, Failure> {
        let known = [Self::Tcp, Self::Ipc].into_iter().find(|transport| transport.name() == word);
        known.ok_or_else(|| format!("unknown transport {word}; use tcp or ipc").into())
    }
}

impl Command {
    pub(crate) fn parse(line: impl IntoIterator<Item = String>) -> Result<Self, Failure> {
        let mut plan = Plan {
            pairs: vec!["push-pull".parse()?, "req-rep".parse()?],
            sizes: Vec::new(),
            count: None,
            peers: 1,
            runtimes: vec![Flavor::CurrentThread],
            transport: Transport::Tcp,
            output: Output::Table,
            plot: None,
        };
        let (mut given, mut checks, mut words) = (None, false, Vec::new());
        let mut line = line.into_iter();
        while let Some(word) = line.next() {
            let mut value = || line.next().ok_or_else(|| format!("{word} needs a value\n{USAGE}"));
            match word.as_str() {
                "--help" | "-h" => return Ok(Self::Help),
                "--pair" => plan.pairs = list(&value()?, str::parse)?,
                "--size" => plan.sizes = list(&value()?, number)?,
                "--count" => plan.count = Some(number(&value()?)?),
                "--peers" => plan.peers = number(&value()?)?,
                "--runtime" => plan.runtimes = list(&value()?, str::parse)?,
                "--transport" => plan.transport = value()?.parse()?,
                "--plot" => plan.plot = Some(value()?.into()),
                "--json" => plan.output = Output::Json,
                "--check" => checks = true,
                "--bind" => given = Some(Side::Bind),
                "--connect" => given = Some(Side::Connect),
                option if option.starts_with("--") => return Err(format!("unknown option {option}\n{USAGE}").into()),
                _ => words.push(word),
            }
        }
        if plan.peers == 0 {
            return Err("--peers must be at least 1".into());
        }
        match <[String; 4]>::try_from(words) {
            Ok([word, endpoint, size, count]) => {
                let (socket, job, role_side) = role(&word, given)?;
                Ok(Self::End(End {
                    socket,
                    job,
                    side: role_side,
                    endpoint,
                    size: number(&size)?,
                    count: number(&count)?,
                    peers: plan.peers,
                    runtime: plan.runtimes[0],
                    checks,
                    output: plan.output,
                }))
            }
            Err(none) if none.is_empty() && given.is_none() && !checks => Ok(Self::Both(plan)),
            Err(_) => Err(USAGE.into()),
        }
    }
}

fn number<N: FromStr>(word: &str) -> Result<N, Failure> {
    word.parse().map_err(|_| format!("{word} is not a number, or is too large").into())
}

/// Parses a list of values that are separated by commas.
fn list<T>(words: &str, parse: impl Fn(&str) -> Result<T, Failure>) -> Result<Vec<T>, Failure> {
    words.split(',').map(parse).collect()
}
