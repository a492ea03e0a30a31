//! The command line, parsed once.

use super::Failure;

pub(crate) const USAGE: &str = "\
perf [--size N] [--count N] [--runtime ct|mt|smol|mio|blocking] [--transport tcp|ipc] [--json]
    runs both ends itself, in two processes
perf push|pull|req|rep ENDPOINT SIZE COUNT [--bind|--connect] [--runtime ct|mt|smol|mio|blocking] [--json]
    is one end; pull and rep bind, push and req connect, unless told otherwise";

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Both(Plan),
    End(End),
}

/// What to run between two processes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// `None`: a choice of sizes.
    pub(crate) size: Option<usize>,
    /// `None`: what suits the size.
    pub(crate) count: Option<u64>,
    pub(crate) runtime: Flavor,
    pub(crate) transport: Transport,
    pub(crate) output: Output,
}

/// One end of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) role: Role,
    pub(crate) side: Side,
    pub(crate) endpoint: String,
    pub(crate) size: usize,
    pub(crate) count: u64,
    pub(crate) runtime: Flavor,
    pub(crate) output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Push,
    Pull,
    Req,
    Rep,
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

impl Role {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Pull => "pull",
            Self::Req => "req",
            Self::Rep => "rep",
        }
    }

    fn parse(word: &str) -> Result<Self, Failure> {
        let known = [Self::Push, Self::Pull, Self::Req, Self::Rep].into_iter().find(|role| role.name() == word);
        known.ok_or_else(|| format!("{word} is not push, pull, req or rep\n{USAGE}").into())
    }

    /// As libzmq's programs have it.
    const fn side(self) -> Side {
        match self {
            Self::Pull | Self::Rep => Side::Bind,
            Self::Push | Self::Req => Side::Connect,
        }
    }
}

impl Flavor {
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

impl Command {
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, Failure> {
        let (runtime, transport, output) = (Flavor::CurrentThread, Transport::Tcp, Output::Table);
        let mut both = Plan { size: None, count: None, runtime, transport, output };
        let (mut way, mut plain) = (None, Vec::new());
        let mut line = words.into_iter();
        while let Some(word) = line.next() {
            let mut value = || line.next().ok_or_else(|| format!("{word} needs a value\n{USAGE}"));
            match word.as_str() {
                "--help" | "-h" => return Ok(Self::Help),
                "--size" => both.size = Some(number(&value()?)?),
                "--count" => both.count = Some(number(&value()?)?),
                "--runtime" => both.runtime = flavor(&value()?)?,
                "--transport" => both.transport = transport_of(&value()?)?,
                "--json" => both.output = Output::Json,
                "--bind" => way = Some(Side::Bind),
                "--connect" => way = Some(Side::Connect),
                option if option.starts_with("--") => return Err(format!("{option} is unknown\n{USAGE}").into()),
                _ => plain.push(word),
            }
        }
        let Plan { runtime, output, .. } = both;
        match <[String; 4]>::try_from(plain) {
            Ok([role, endpoint, size, count]) => {
                let role = Role::parse(&role)?;
                let (size, count) = (number(&size)?, number(&count)?);
                Ok(Self::End(End {
                    role,
                    side: way.unwrap_or_else(|| role.side()),
                    endpoint,
                    size,
                    count,
                    runtime,
                    output,
                }))
            }
            Err(none) if none.is_empty() && way.is_none() => Ok(Self::Both(both)),
            Err(_) => Err(USAGE.into()),
        }
    }
}

fn number<N: std::str::FromStr>(word: &str) -> Result<N, Failure> {
    word.parse().map_err(|_| format!("{word} is not a number that fits here").into())
}

fn flavor(word: &str) -> Result<Flavor, Failure> {
    let all = [Flavor::CurrentThread, Flavor::MultiThread, Flavor::Smol, Flavor::Mio, Flavor::Blocking];
    let known = all.into_iter().find(|flavor| flavor.name() == word);
    known.ok_or_else(|| format!("{word} is not ct, mt, smol, mio or blocking").into())
}

fn transport_of(word: &str) -> Result<Transport, Failure> {
    let known = [Transport::Tcp, Transport::Ipc].into_iter().find(|transport| transport.name() == word);
    known.ok_or_else(|| format!("{word} is not tcp or ipc").into())
}
