//! Test programs: sequences of socket operations that the differential tests generate, and run on several
//! implementations of sockets.

use sansmq::proto::SocketType;
use std::collections::BTreeSet;
use std::fmt;

/// Generated test program of socket operations: the sockets, the endpoints, and the operations in order. Operations
/// refer to sockets and endpoints by index.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) sockets: Vec<Spec>,
    pub(crate) endpoints: Vec<Transport>,
    pub(crate) ops: Vec<Op>,
}

#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) kind: SocketType,
    pub(crate) routing_id: Option<String>,
    pub(crate) hwm: Option<usize>,
    pub(crate) switches: BTreeSet<Switch>,
    /// True if the socket sends a reply at once for each message that it receives.
    pub(crate) serves: bool,
}

/// Socket options that are either on or off, and that a generated test program can turn on.
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

/// Transport of an endpoint in a generated test program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
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
        frames: Vec<FrameSpec>,
    },
    Receive {
        socket: usize,
    },
    /// All sockets receive all messages. The sockets that reply at once (see [`Spec::serves`]) receive first.
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

/// Receiver of a message that a ROUTER sends in a generated test program.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    Peer(usize),
    Unknown,
}

/// A frame with a body of `size` bytes, which repeats `text`.
#[derive(Clone, Debug)]
pub(crate) struct FrameSpec {
    pub(crate) size: usize,
    pub(crate) text: String,
}

/// Returns the tag of a message: a text that contains the index of the sending socket and a number. No other text in a
/// program has this form.
pub(crate) fn tag(socket: usize, number: usize) -> String {
    format!("s{socket}:{number:04}.")
}

/// Returns the index of the sending socket from the tag (see [`tag`]) in a frame; `None` if the frame has no tag.
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
            writeln!(f, "socket {number}: {spec:?}")?;
        }
        for (number, transport) in self.endpoints.iter().enumerate() {
            writeln!(f, "endpoint {number}: {transport:?}")?;
        }
        for (step, op) in self.ops.iter().enumerate() {
            writeln!(f, "step {step}: {op:?}")?;
        }
        Ok(())
    }
}
