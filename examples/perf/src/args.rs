//! The command line, parsed once.

use super::Failure;
use sansmq::SocketType;
use std::path::PathBuf;
use std::str::FromStr;

pub(crate) const USAGE: &str = "\
perf [--pair PAIR,…] [--size N,…] [--count N] [--peers K] [--runtime RUNTIME,…] [--transport tcp|ipc] [--json] [--plot FILE]
    runs both ends itself, in two processes
perf END ENDPOINT SIZE COUNT [--bind|--connect] [--peers K] [--runtime RUNTIME] [--check] [--json]
    is one end
PAIR     push-pull pub-sub scatter-gather          one way: throughput
         req-rep dealer-router dealer-rep client-server pair-pair channel-channel
                                                   there and back: round trips
END      push pub scatter    sends COUNT messages         pull sub gather    receives so many
         req dealer client   sends and waits for each     rep router server  sends each back
         pair channel        as req where it connects, as rep where it binds
         A DEALER puts a delimiter first, so that it may face a REP.
RUNTIME  ct mt (tokio's current-thread and multi-thread) smol mio blocking
--peers  how many sockets the end that connects has; each SUB gets COUNT messages, all others share them
--check  looks into some of the messages: for perf at both ends
--plot   an SVG of all that was measured, over the size of messages";

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Both(Plan),
    End(End),
}

/// What to run between two processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) pairs: Vec<Pair>,
    /// None: a choice of sizes.
    pub(crate) sizes: Vec<usize>,
    /// `None`: what suits the size.
    pub(crate) count: Option<u64>,
    pub(crate) peers: usize,
    pub(crate) runtimes: Vec<Flavor>,
    pub(crate) transport: Transport,
    pub(crate) output: Output,
    pub(crate) plot: Option<PathBuf>,
}

/// One end of a run.
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

/// The ends of a run: the one that connects and the one that binds.
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

/// What an end does with its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    Send,
    Receive,
    Ask,
    Answer,
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
    /// An executor of smol's on this thread.
    Smol,
    /// A mio event loop that this end shares its thread with.
    Mio,
    /// A mio event loop on a thread of its own, and this end waits for it.
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

/// The socket of an end, what it does, and on which side it is unless told otherwise: the latter as libzmq's programs have it.
fn role(word: &str, told: Option<Side>) -> Result<(SocketType, Job, Side), Failure> {
    use SocketType as S;
    let two_ways = if told == Some(Side::Connect) { Job::Ask } else { Job::Answer };
    let (socket, job, side) = match word {
        "push" => (S::Push, Job::Send, Side::Connect),
        "pub" => (S::Pub, Job::Send, Side::Bind),
        "scatter" => (S::Scatter, Job::Send, Side::Connect),
        "pull" => (S::Pull, Job::Receive, Side::Bind),
        "sub" => (S::Sub, Job::Receive, Side::Connect),
        "gather" => (S::Gather, Job::Receive, Side::Bind),
        "req" => (S::Req, Job::Ask, Side::Connect),
        "dealer" => (S::Dealer, Job::Ask, Side::Connect),
        "client" => (S::Client, Job::Ask, Side::Connect),
        "rep" => (S::Rep, Job::Answer, Side::Bind),
        "router" => (S::Router, Job::Answer, Side::Bind),
        "server" => (S::Server, Job::Answer, Side::Bind),
        "pair" => (S::Pair, two_ways, Side::Bind),
        "channel" => (S::Channel, two_ways, Side::Bind),
        other => return Err(format!("{other} is no end\n{USAGE}").into()),
    };
    Ok((socket, job, told.unwrap_or(side)))
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
        known.ok_or_else(|| format!("{word} is not ct, mt, smol, mio or blocking").into())
    }
}

impl FromStr for Pair {
    type Err = Failure;

    fn from_str(word: &str) -> Result<Self, Failure> {
        let known = PAIRS.into_iter().find(|pair| pair.name == word);
        known.ok_or_else(|| format!("{word} is no pair\n{USAGE}").into())
    }
}

impl Transport {
    const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Ipc => "ipc",
        }
    }

    /// Where the system chooses the rest.
    pub(crate) const fn anywhere(self) -> &'static str {
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
        known.ok_or_else(|| format!("{word} is not tcp or ipc").into())
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
        let (mut told, mut checks, mut words) = (None, false, Vec::new());
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
                "--bind" => told = Some(Side::Bind),
                "--connect" => told = Some(Side::Connect),
                option if option.starts_with("--") => return Err(format!("{option} is unknown\n{USAGE}").into()),
                _ => words.push(word),
            }
        }
        if plan.peers == 0 {
            return Err("there must be at least 1 peer".into());
        }
        match <[String; 4]>::try_from(words) {
            Ok([word, endpoint, size, count]) => {
                let (socket, job, at) = role(&word, told)?;
                Ok(Self::End(End {
                    socket,
                    job,
                    side: at,
                    endpoint,
                    size: number(&size)?,
                    count: number(&count)?,
                    peers: plan.peers,
                    runtime: plan.runtimes[0],
                    checks,
                    output: plan.output,
                }))
            }
            Err(none) if none.is_empty() && told.is_none() && !checks => Ok(Self::Both(plan)),
            Err(_) => Err(USAGE.into()),
        }
    }
}

fn number<N: FromStr>(word: &str) -> Result<N, Failure> {
    word.parse().map_err(|_| format!("{word} is not a number that fits here").into())
}

/// One or more, with commas between.
fn list<T>(words: &str, parse: impl Fn(&str) -> Result<T, Failure>) -> Result<Vec<T>, Failure> {
    words.split(',').map(parse).collect()
}
