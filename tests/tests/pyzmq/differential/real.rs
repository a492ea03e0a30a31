//! Sockets of ours and of libzmq in one topology, over what the operating system has.

use super::program::{Op, Program, Spec, Spot, Switch};
use super::simulated::options;
use super::{Answer, LIMIT, Rest, World, is_probe, probe, recv_answer, send_answer, subscribe_answer, unbind_answer};
use sansmq::proto::SocketType;
use sansmq::proto::kind::Any;
use sansmq::tokio::Socket;
use sansmq::{Context, Event, Message, Monitor};
use sansmq_tests::TempDir;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

/// What is said of what [`Real::is_put_off`].
pub(crate) const PUT_OFF: &str = "it ends later";

/// So long our sockets are waited for before libzmq's have their turn again.
const A_MOMENT: Duration = Duration::from_millis(5);

pub(crate) struct Real<'a> {
    runtime: Option<Runtime>,
    place: &'a TempDir,
    /// Those of ours. The others that are open are libzmq's.
    ours: BTreeMap<usize, Ours>,
    open: Vec<bool>,
    libzmq: &'a mut Libzmq,
    spots: Vec<Spot>,
    /// So long it waits at most.
    patience: Duration,
    /// Where each endpoint turned out to be.
    addresses: BTreeMap<usize, String>,
    name: String,
}

struct Ours {
    socket: Socket<Any>,
    monitor: Monitor,
    ready: usize,
    ended: usize,
}

impl<'a> Real<'a> {
    /// Who is ours is told for each socket. In company `inproc` becomes `ipc`.
    pub(crate) fn new(
        program: &Program,
        name: String,
        is_ours: impl Fn(usize) -> bool,
        (place, libzmq): (&'a TempDir, &'a mut Libzmq),
    ) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let context = Context::new();
        let entered = runtime.enter();
        let mut ours = BTreeMap::new();
        for (number, spec) in program.sockets.iter().enumerate() {
            if is_ours(number) {
                let socket = Socket::in_context(&context, options(spec));
                ours.insert(number, Ours { monitor: socket.monitor(), socket, ready: 0, ended: 0 });
            } else {
                let answer = libzmq.ask(&json!(["open", number, spec.kind.to_string(), described(spec)]));
                answer.expect("libzmq has such sockets");
            }
        }
        drop(entered);
        let together = ours.len() == program.sockets.len() || ours.is_empty();
        let spot = |&spot: &Spot| if together || spot != Spot::Inproc { spot } else { Spot::Ipc };
        let spots = program.endpoints.iter().map(spot).collect();
        // Within a process what is sent has arrived.
        let at_once = ours.is_empty() && program.endpoints.contains(&Spot::Inproc);
        let patience = if at_once { Duration::ZERO } else { LIMIT };
        let open = vec![true; program.sockets.len()];
        Self { runtime: Some(runtime), place, ours, open, libzmq, spots, patience, addresses: BTreeMap::new(), name }
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.as_ref().unwrap().block_on(future)
    }

    fn address(&self, endpoint: usize) -> String {
        match (self.addresses.get(&endpoint), self.spots[endpoint]) {
            (Some(bound), _) => bound.clone(),
            (None, Spot::Tcp) => "tcp://127.0.0.1:*".to_owned(),
            (None, Spot::Ipc) => format!("ipc://{}/{}-{endpoint}", self.place.directory().display(), self.name),
            (None, Spot::Inproc) => format!("inproc://{}-{endpoint}", self.name),
        }
    }

    /// Has every publisher know what every subscriber has asked for so far: who hears of a topic that was asked for after
    /// all that, knows all that.
    fn let_publishers_know(&mut self, step: usize, audience: &[(usize, usize)]) -> Result<(), Answer> {
        for &(publisher, subscriber) in audience {
            let topic = probe(step, subscriber);
            self.wish(subscriber, &topic, true);
            let sought = Message::from(format!("{topic}{publisher}"));
            let end = Instant::now() + LIMIT;
            while self.recv_any(subscriber, Duration::ZERO).as_ref() != Ok(&sought) {
                if Instant::now() > end {
                    return Err(format!("{subscriber} does not hear {publisher}"));
                }
                self.send(publisher, sought.clone(), Duration::ZERO);
                if self.recv_any(subscriber, Duration::from_millis(5)).as_ref() == Ok(&sought) {
                    break;
                }
            }
            self.wish(subscriber, &topic, false);
        }
        Ok(())
    }

    /// A REQ of libzmq looks after what ends from its own side only while it waits for a reply: what it unbinds, and what it
    /// disconnects unless the pipe was there before the connection.
    fn is_put_off(&self, program: &Program, op: &Op) -> bool {
        let socket = match *op {
            Op::Unbind { socket, .. } => socket,
            Op::Disconnect { socket, .. } if program.has(socket, Switch::Immediate) => socket,
            _ => return false,
        };
        program.kind(socket) == SocketType::Req && !self.ours.contains_key(&socket) && !self.is_inproc()
    }

    fn wish(&mut self, socket: usize, topic: &str, on: bool) -> Answer {
        if let Some(ours) = self.ours.get(&socket) {
            let asked = if on { ours.socket.subscribe(topic) } else { ours.socket.unsubscribe(topic) };
            return subscribe_answer(asked);
        }
        let name = if on { "subscribe" } else { "unsubscribe" };
        self.libzmq.ask(&json!([name, socket, topic])).map_or_else(|answer| answer, |_| "done".to_owned())
    }

    fn recv_any(&mut self, socket: usize, wait: Duration) -> Result<Message, Answer> {
        if let Some(ours) = self.ours.get(&socket) {
            let received = ours.socket.try_recv();
            if wait.is_zero() || !matches!(received, Err(sansmq::RecvError::Empty)) {
                return received.map_err(recv_answer);
            }
            let received = self.block_on(async { timeout(wait, ours.socket.recv()).await });
            return received.map_or(Err("not now".to_owned()), |received| received.map_err(recv_answer));
        }
        let value = self.libzmq.ask(&json!(["recv", socket, millis(wait)]))?;
        let frames = value.as_array().unwrap().iter().map(|frame| octets(frame.as_str().unwrap()));
        Ok(Message::from_frames(frames).unwrap())
    }
}

impl World for Real<'_> {
    fn call(&mut self, op: &Op) -> Answer {
        let (name, socket, endpoint) = match *op {
            Op::Bind { socket, endpoint } => ("bind", socket, endpoint),
            Op::Connect { socket, endpoint } => ("connect", socket, endpoint),
            Op::Unbind { socket, endpoint } => ("unbind", socket, endpoint),
            Op::Disconnect { socket, endpoint } => ("disconnect", socket, endpoint),
            Op::Subscribe { socket, topic } => return self.wish(socket, topic, true),
            Op::Unsubscribe { socket, topic } => return self.wish(socket, topic, false),
            Op::Close { socket } => {
                self.open[socket] = false;
                if let Some(ours) = self.ours.remove(&socket) {
                    drop(ours);
                    return "done".to_owned();
                }
                return self.libzmq.ask(&json!(["close", socket])).map_or_else(|answer| answer, |_| "done".to_owned());
            }
            Op::Send { .. } | Op::Receive { .. } | Op::Drain => unreachable!("these are other methods"),
        };
        let address = self.address(endpoint);
        let bound = if let Some(ours) = self.ours.get(&socket) {
            match name {
                "bind" => match self.block_on(async { ours.socket.bind(address).await }) {
                    Ok(bound) => bound.to_string(),
                    Err(error) => return error.to_string(),
                },
                "connect" => {
                    return ours.socket.connect(address).map_or_else(|error| error.to_string(), |()| "done".into());
                }
                "unbind" => return unbind_answer(self.block_on(async { ours.socket.unbind(address).await })),
                _ => return unbind_answer(ours.socket.disconnect(address)),
            }
        } else {
            match self.libzmq.ask(&json!([name, socket, address])) {
                Ok(Value::String(bound)) => bound,
                Ok(_) => return "done".to_owned(),
                Err(answer) => return answer,
            }
        };
        self.addresses.insert(endpoint, bound);
        "done".to_owned()
    }

    fn send(&mut self, socket: usize, message: Message, wait: Duration) -> Answer {
        let wait = wait.min(self.patience);
        if let Some(ours) = self.ours.get(&socket) {
            if wait.is_zero() {
                return send_answer(ours.socket.try_send(message));
            }
            let sent = self.block_on(async { timeout(wait, ours.socket.send(message)).await });
            return sent.map_or_else(|_| "not now".to_owned(), send_answer);
        }
        let frames: Vec<String> =
            message.iter().map(|frame| frame.iter().map(|&octet| char::from(octet)).collect()).collect();
        let sent = self.libzmq.ask(&json!(["send", socket, frames, millis(wait)]));
        sent.map_or_else(|answer| answer, |_| "done".to_owned())
    }

    fn recv(&mut self, socket: usize, wait: Duration) -> Result<Message, Answer> {
        let wait = wait.min(self.patience);
        loop {
            let received = self.recv_any(socket, wait)?;
            if !is_probe(&received) {
                return Ok(received);
            }
        }
    }

    fn is_theirs(&self, socket: usize) -> bool {
        !self.ours.contains_key(&socket)
    }

    fn is_inproc(&self) -> bool {
        self.spots.contains(&Spot::Inproc)
    }

    fn rest(&mut self, program: &Program, step: usize, guide: Option<&Rest>) -> Result<Rest, Answer> {
        let guide = guide.expect("it is known what is to be waited for");
        if self.is_put_off(program, &program.ops[step]) {
            return Err(PUT_OFF.to_owned());
        }
        let end = Instant::now() + LIMIT;
        loop {
            // A socket of libzmq does its part of ending connections only when it is called, and that in several steps.
            self.libzmq.ask(&json!(["turn"]))?;
            let runtime = self.runtime.as_ref().unwrap();
            let missing = self.ours.iter_mut().find_map(|(&number, ours)| {
                let count = &guide.connections[number];
                runtime.block_on(ours.hear(count.ready, count.ended, A_MOMENT)).err()
            });
            match missing {
                None => break,
                Some(missing) if Instant::now() > end => return Err(missing),
                Some(_) => {}
            }
        }
        let within = self.is_inproc();
        let theirs = (0..self.open.len()).filter(|&number| self.open[number] && !self.ours.contains_key(&number));
        let wanted = theirs.map(|number| {
            let count = &guide.connections[number];
            // Of what is within a process libzmq tells nothing.
            if within { (number, 0, 0) } else { (number, count.ready, count.lost) }
        });
        let wanted: Vec<_> = wanted.collect();
        if !wanted.is_empty() {
            self.libzmq.ask(&json!(["rest", wanted]))?;
        }
        self.let_publishers_know(step, &guide.audience)?;
        Ok(guide.clone())
    }
}

impl Drop for Real<'_> {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.libzmq.ask(&json!(["end"])).expect("the sockets of libzmq can be closed");
        }
        self.ours.clear();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Ours {
    /// Waits until so many connections have been made and ended, at most so long for each.
    async fn hear(&mut self, ready: usize, ended: usize, wait: Duration) -> Result<(), Answer> {
        while self.ready < ready || self.ended < ended {
            let next = self.monitor.find(|event| match event {
                Event::Ready { .. } => Some(true),
                Event::Disconnected { .. } => Some(false),
                _ => None,
            });
            match timeout(wait, next).await {
                Ok(Some(true)) => self.ready += 1,
                Ok(Some(false)) => self.ended += 1,
                Ok(None) => return Err("the socket is closed".to_owned()),
                Err(_) => {
                    let Self { ready: made, ended: over, .. } = self;
                    return Err(format!("{made} of {ready} connections made, {over} of {ended} ended"));
                }
            }
        }
        Ok(())
    }
}

/// `tests/python/differential.py`, which runs.
pub(crate) struct Libzmq {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl Libzmq {
    pub(crate) fn start() -> Self {
        let mut child = Command::new(super::super::python())
            .arg(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("python/differential.py"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("SANSMQ_PYTHON starts");
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (says, lines) = mpsc::channel();
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| says.send(line)));
        Self { child, stdin, lines }
    }

    /// What it has to say, or why it does not do that.
    fn ask(&mut self, request: &Value) -> Result<Value, Answer> {
        writeln!(self.stdin, "{request}").expect("it reads");
        // It has time-outs of its own, and answers always.
        let line = self.lines.recv_timeout(6 * LIMIT).expect("the Python program answers; see above");
        match serde_json::from_str(&line).expect("it speaks JSON") {
            Value::String(why) => Err(why),
            Value::Object(mut answer) => Ok(answer.remove("value").expect("it has a value")),
            other => panic!("an answer is text or a value: {other}"),
        }
    }
}

impl Drop for Libzmq {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A socket's options as libzmq has them.
fn described(spec: &Spec) -> Value {
    let mut options = json!({ "RECONNECT_IVL": 10 });
    for switch in &spec.switches {
        let name = match switch {
            Switch::Mandatory => "ROUTER_MANDATORY",
            Switch::Handover => "ROUTER_HANDOVER",
            Switch::Probe => "PROBE_ROUTER",
            Switch::Relaxed => "REQ_RELAXED",
            Switch::Correlate => "REQ_CORRELATE",
            Switch::Verbose => "XPUB_VERBOSE",
            Switch::Verboser => "XPUB_VERBOSER",
            Switch::Conflate => "CONFLATE",
            Switch::Immediate => "IMMEDIATE",
        };
        options[name] = json!(1);
    }
    if let Some(id) = &spec.routing_id {
        options["ROUTING_ID"] = json!(id);
    }
    if let Some(marks) = spec.marks {
        options["SNDHWM"] = json!(marks);
        options["RCVHWM"] = json!(marks);
    }
    debug_assert!(spec.kind != SocketType::Stream, "it speaks no ZMTP");
    options
}

fn octets(text: &str) -> Vec<u8> {
    text.chars().map(|octet| u8::try_from(octet).expect("each character is an octet")).collect()
}

fn millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap()
}
