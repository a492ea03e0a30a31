//! Programs of socket operations.

use sansmq::proto::SocketType;
use std::collections::BTreeSet;
use std::fmt;

/// Sockets by their numbers, endpoints by theirs, and what is done with them in order.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) sockets: Vec<Spec>,
    pub(crate) endpoints: Vec<Spot>,
    pub(crate) ops: Vec<Op>,
}

#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) kind: SocketType,
    pub(crate) routing_id: Option<String>,
    pub(crate) marks: Option<usize>,
    pub(crate) switches: BTreeSet<Switch>,
    /// It answers whatever it receives at once, to whoever asked.
    pub(crate) serves: bool,
}

/// Options that are on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Switch {
    Mandatory,
    Handover,
    Probe,
    Relaxed,
    Correlate,
    Verbose,
    Verboser,
    Conflate,
    Immediate,
}

/// Where an endpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    Tcp,
    Ipc,
    Inproc,
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Bind {
        socket: usize,
        endpoint: usize,
    },
    Connect {
        socket: usize,
        endpoint: usize,
    },
    Unbind {
        socket: usize,
        endpoint: usize,
    },
    Disconnect {
        socket: usize,
        endpoint: usize,
    },
    Close {
        socket: usize,
    },
    Send {
        socket: usize,
        to: Option<Target>,
        frames: Vec<Piece>,
    },
    Receive {
        socket: usize,
    },
    /// Everybody receives all there is, those who serve first.
    Drain,
    Subscribe {
        socket: usize,
        topic: &'static str,
    },
    Unsubscribe {
        socket: usize,
        topic: &'static str,
    },
}

/// Whom a ROUTER sends to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    Peer(usize),
    Nobody,
}

/// A frame: this text again and again, to that length.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) size: usize,
    pub(crate) text: String,
}

/// The mark of a message, by which its sender is known: the only one of this form.
pub(crate) fn tag(socket: usize, number: usize) -> String {
    format!("s{socket}:{number:04}.")
}

/// The sender that a frame names.
pub(crate) fn sender(frame: &[u8]) -> Option<usize> {
    let name = frame.windows(8).find(|part| part[0] == b's' && part[2] == b':' && part[7] == b'.')?;
    name[1].is_ascii_digit().then(|| usize::from(name[1] - b'0'))
}

impl Program {
    pub(crate) fn kind(&self, socket: usize) -> SocketType {
        self.sockets[socket].kind
    }

    pub(crate) fn has(&self, socket: usize, switch: Switch) -> bool {
        self.sockets[socket].switches.contains(&switch)
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, spec) in self.sockets.iter().enumerate() {
            writeln!(f, "{number} is {spec:?}")?;
        }
        for (number, spot) in self.endpoints.iter().enumerate() {
            writeln!(f, "{number} is by {spot:?}")?;
        }
        for (step, op) in self.ops.iter().enumerate() {
            writeln!(f, "{step} {op:?}")?;
        }
        Ok(())
    }
}
