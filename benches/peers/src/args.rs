//! Arguments of a run, and the names of scenarios, roles and socket types.

use std::str::FromStr;

/// Exchange of messages that is measured: see the table "Scenarios" of the README.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scenario {
    Thr,
    /// `Thr` with calls that send and receive many messages.
    ThrBatch,
    Lat,
    Router,
    Pubsub,
    InprocThr,
    InprocLat,
    Curve,
    Conns,
    Fanin,
    Multi,
    Olat,
    Proxy,
}

const SCENARIOS: [(&str, Scenario); 13] = [
    ("thr", Scenario::Thr),
    ("thr_batch", Scenario::ThrBatch),
    ("lat", Scenario::Lat),
    ("router", Scenario::Router),
    ("pubsub", Scenario::Pubsub),
    ("inproc_thr", Scenario::InprocThr),
    ("inproc_lat", Scenario::InprocLat),
    ("curve", Scenario::Curve),
    ("conns", Scenario::Conns),
    ("fanin", Scenario::Fanin),
    ("multi", Scenario::Multi),
    ("olat", Scenario::Olat),
    ("proxy", Scenario::Proxy),
];

impl Scenario {
    pub fn name(self) -> &'static str {
        SCENARIOS.iter().find(|(_, scenario)| *scenario == self).map_or("", |(name, _)| name)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Binds: PULL, REP, ROUTER, PUB.
    Bind,
    /// Connects: PUSH, REQ, DEALERs, SUBs.
    Connect,
    /// Both ends in this process.
    Both,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Push,
    Pull,
    Req,
    Rep,
    Dealer,
    Router,
    Pub,
    Sub,
    XPub,
    XSub,
}

/// Error that the sender makes on purpose, to test that the receiver detects it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Leaves out one message of each cycle.
    Lose,
    /// Exchanges two neighbouring messages of each cycle.
    Swap,
    /// Sends one message of each cycle twice.
    Repeat,
    /// Sends a wrong number in one message of each cycle.
    Wrong,
    /// Sends one message of each cycle with a body that is too short.
    Short,
}

const FAULTS: [(&str, Fault); 5] = [
    ("lose", Fault::Lose),
    ("swap", Fault::Swap),
    ("repeat", Fault::Repeat),
    ("wrong", Fault::Wrong),
    ("short", Fault::Short),
];

#[derive(Clone, Debug)]
pub struct Args {
    pub implementation: String,
    pub scenario: Scenario,
    pub role: Role,
    pub endpoint: String,
    /// Bytes of each body.
    pub size: usize,
    /// Messages (or round trips) inside the measured window.
    pub count: u64,
    /// Messages before the clock starts.
    pub warmup: u64,
    pub peers: usize,
    /// Frames of a message, each of `size` bytes.
    pub frames: usize,
    /// Requests per second (`olat`).
    pub rate: u64,
    /// Endpoint to which a proxy connects.
    pub back: String,
    /// Kind of a proxy: `router`, `pub` or `push`.
    pub between: String,
    pub fault: Option<Fault>,
    /// Seconds after which the run fails; 0: no limit.
    pub limit: u64,
}

impl Args {
    pub fn parse() -> Result<Self, String> {
        let mut words = std::env::args().skip(1);
        let implementation = words.next().ok_or("implementation missing")?;
        let scenario = named(&SCENARIOS, words.next().as_deref().unwrap_or(""))?;
        let role = match words.next().as_deref() {
            Some("bind") => Role::Bind,
            Some("connect") => Role::Connect,
            Some("both") => Role::Both,
            other => return Err(format!("unknown role {other:?}")),
        };
        let mut args = Self {
            implementation,
            scenario,
            role,
            endpoint: String::new(),
            size: 64,
            count: 1000,
            warmup: u64::MAX,
            peers: 1,
            frames: 1,
            rate: 10_000,
            back: String::new(),
            between: String::new(),
            fault: None,
            limit: 0,
        };
        while let Some(option) = words.next() {
            let value = words.next().ok_or_else(|| format!("{option} needs a value"))?;
            args.set(&option, value)?;
        }
        args.complete()
    }

    fn set(&mut self, option: &str, value: String) -> Result<(), String> {
        match option {
            "--endpoint" => self.endpoint = value,
            "--size" => self.size = number(option, &value)?,
            "--count" => self.count = number(option, &value)?,
            "--warmup" => self.warmup = number(option, &value)?,
            "--peers" => self.peers = number(option, &value)?,
            "--frames" => self.frames = number(option, &value)?,
            "--rate" => self.rate = number(option, &value)?,
            "--back" => self.back = value,
            "--between" => self.between = value,
            "--fault" => self.fault = Some(named(&FAULTS, &value)?),
            "--limit" => self.limit = number(option, &value)?,
            _ => return Err(format!("unknown option {option}")),
        }
        Ok(())
    }

    fn complete(mut self) -> Result<Self, String> {
        if self.warmup == u64::MAX {
            self.warmup = self.count / 10;
        }
        // The message that shows that the connection is complete is not measured.
        self.warmup = self.warmup.max(1);
        if matches!(self.scenario, Scenario::InprocThr | Scenario::InprocLat) && self.endpoint.is_empty() {
            self.endpoint = "inproc://peer-bench".into();
        }
        if self.endpoint.is_empty() {
            return Err("--endpoint missing".into());
        }
        if self.peers == 0 || self.frames == 0 || self.rate == 0 {
            return Err("--peers, --frames and --rate must be at least 1".into());
        }
        Ok(self)
    }

    /// Returns the kinds of a proxy's two sockets: the one that binds, and the one that connects to `back`.
    pub fn proxied(&self) -> (Kind, Kind) {
        match self.between.as_str() {
            "router" => (Kind::Router, Kind::Dealer),
            "pub" => (Kind::XPub, Kind::XSub),
            "push" => (Kind::Pull, Kind::Push),
            other => panic!("--between {other}: expected router, pub or push"),
        }
    }

    /// Returns the endpoint of the pair with this number (`multi`).
    pub fn endpoint_of(&self, pair: usize) -> String {
        format!("{}-{pair}", self.endpoint)
    }

    /// Returns the number of senders per receiving socket.
    pub fn senders(&self) -> usize {
        if self.scenario == Scenario::Fanin { self.peers } else { 1 }
    }

    /// Returns the number of messages before and inside the measured window.
    pub fn total(&self) -> u64 {
        self.warmup + self.count
    }
}

fn number<N: FromStr<Err: std::fmt::Display>>(option: &str, value: &str) -> Result<N, String> {
    value.parse().map_err(|error| format!("{option} {value}: {error}"))
}

fn named<T: Copy>(table: &[(&str, T)], name: &str) -> Result<T, String> {
    let found = table.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<_> = table.iter().map(|(known, _)| *known).collect();
        format!("unknown name {name:?}, expected one of: {}", known.join(", "))
    })
}
