//! Runs generated test programs with sockets of sansmq and sockets of libzmq, which are connected to each other over
//! transports of the operating system and `inproc`.

use super::program::{Op, Program, Spec, Switch, Transport};
use super::simulated::options;
use super::{
    Backend, CallResult, LIMIT, SettledState, is_probe, probe, recv_result, send_result, subscribe_result,
    unbind_result,
};
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

/// Result, as text, of an operation that takes effect later than its call; see [`Real::is_delayed`].
pub(crate) const DELAYED: &str = "ends later";

/// Time to wait for events of the sockets of sansmq before the sockets of libzmq run again.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

pub(crate) struct Real<'a> {
    runtime: Option<Runtime>,
    dir: &'a TempDir,
    /// Sockets of sansmq, by index. The other sockets of the program belong to libzmq.
    ours: BTreeMap<usize, Ours>,
    open: Vec<bool>,
    libzmq: &'a mut Libzmq,
    transports: Vec<Transport>,
    /// Maximum time to wait for the result of each call of a socket. It is zero if all sockets belong to libzmq and use
    /// `inproc`, because a sent message can then be received at once.
    patience: Duration,
    /// Addresses to which sockets are actually bound, by index of the endpoint in the program.
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
    /// Creates the sockets of a generated test program; `is_ours` selects the sockets of sansmq by index. If the
    /// program uses sockets of both implementations, `ipc` replaces `inproc`.
    pub(crate) fn new(
        program: &Program,
        name: String,
        is_ours: impl Fn(usize) -> bool,
        (dir, libzmq): (&'a TempDir, &'a mut Libzmq),
    ) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let context = Context::new();
        let guard = runtime.enter();
        let mut ours = BTreeMap::new();
        for (number, spec) in program.sockets.iter().enumerate() {
            if is_ours(number) {
                let socket = Socket::in_context(&context, options(spec));
                ours.insert(number, Ours { monitor: socket.monitor(), socket, ready: 0, ended: 0 });
            } else {
                let result = libzmq.request(&json!(["open", number, spec.kind.to_string(), libzmq_options(spec)]));
                result.expect("libzmq supports the socket type");
            }
        }
        drop(guard);
        let one_process = ours.len() == program.sockets.len() || ours.is_empty();
        let transport = |&transport: &Transport| {
            if one_process || transport != Transport::Inproc { transport } else { Transport::Ipc }
        };
        let transports = program.endpoints.iter().map(transport).collect();
        // Over `inproc` a sent message can be received at once.
        let immediate = ours.is_empty() && program.endpoints.contains(&Transport::Inproc);
        let patience = if immediate { Duration::ZERO } else { LIMIT };
        let open = vec![true; program.sockets.len()];
        Self { runtime: Some(runtime), dir, ours, open, libzmq, transports, patience, addresses: BTreeMap::new(), name }
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.as_ref().unwrap().block_on(future)
    }

    fn address(&self, endpoint: usize) -> String {
        match (self.addresses.get(&endpoint), self.transports[endpoint]) {
            (Some(bound), _) => bound.clone(),
            (None, Transport::Tcp) => "tcp://127.0.0.1:*".to_owned(),
            (None, Transport::Ipc) => format!("ipc://{}/{}-{endpoint}", self.dir.directory().display(), self.name),
            (None, Transport::Inproc) => format!("inproc://{}-{endpoint}", self.name),
        }
    }

    /// Waits until all subscriptions so far have arrived, for each pair of a publisher and a subscriber in
    /// `subscribed`. Makes the subscriber subscribe to a topic that only this check uses: if the publisher has received
    /// this subscription, it has received all earlier ones.
    fn await_subscriptions(&mut self, step: usize, subscribed: &[(usize, usize)]) -> Result<(), CallResult> {
        for &(publisher, subscriber) in subscribed {
            let topic = probe(step, subscriber);
            self.set_subscription(subscriber, &topic, true);
            let probe_message = Message::from(format!("{topic}{publisher}"));
            let end = Instant::now() + LIMIT;
            while self.recv_any(subscriber, Duration::ZERO).as_ref() != Ok(&probe_message) {
                if Instant::now() > end {
                    return Err(format!("subscriber {subscriber} receives nothing from publisher {publisher}"));
                }
                self.send(publisher, probe_message.clone(), Duration::ZERO);
                if self.recv_any(subscriber, Duration::from_millis(5)).as_ref() == Ok(&probe_message) {
                    break;
                }
            }
            self.set_subscription(subscriber, &topic, false);
        }
        Ok(())
    }

    /// Returns true if an operation takes effect later than its call. This is so for `unbind` of a REQ of libzmq, and
    /// for its `disconnect` if `immediate` is set: libzmq processes the operation only while the REQ waits for a reply.
    fn is_delayed(&self, program: &Program, op: &Op) -> bool {
        let socket = match *op {
            Op::Unbind { socket, .. } => socket,
            Op::Disconnect { socket, .. } if program.has(socket, Switch::Immediate) => socket,
            _ => return false,
        };
        program.kind(socket) == SocketType::Req && !self.ours.contains_key(&socket) && !self.is_inproc()
    }

    fn set_subscription(&mut self, socket: usize, topic: &str, on: bool) -> CallResult {
        if let Some(ours) = self.ours.get(&socket) {
            let result = if on { ours.socket.subscribe(topic) } else { ours.socket.unsubscribe(topic) };
            return subscribe_result(result);
        }
        let name = if on { "subscribe" } else { "unsubscribe" };
        self.libzmq.request(&json!([name, socket, topic])).map_or_else(|error| error, |_| "done".to_owned())
    }

    fn recv_any(&mut self, socket: usize, wait: Duration) -> Result<Message, CallResult> {
        if let Some(ours) = self.ours.get(&socket) {
            let received = ours.socket.try_recv();
            if wait.is_zero() || !matches!(received, Err(sansmq::RecvError::Empty)) {
                return received.map_err(recv_result);
            }
            let received = self.block_on(async { timeout(wait, ours.socket.recv()).await });
            return received.map_or(Err("would block".to_owned()), |received| received.map_err(recv_result));
        }
        let value = self.libzmq.request(&json!(["recv", socket, millis(wait)]))?;
        let frames = value.as_array().unwrap().iter().map(|frame| bytes(frame.as_str().unwrap()));
        Ok(Message::from_frames(frames).unwrap())
    }
}

impl Backend for Real<'_> {
    fn call(&mut self, op: &Op) -> CallResult {
        let (name, socket, endpoint) = match *op {
            Op::Bind { socket, endpoint } => ("bind", socket, endpoint),
            Op::Connect { socket, endpoint } => ("connect", socket, endpoint),
            Op::Unbind { socket, endpoint } => ("unbind", socket, endpoint),
            Op::Disconnect { socket, endpoint } => ("disconnect", socket, endpoint),
            Op::Subscribe { socket, topic } => return self.set_subscription(socket, topic, true),
            Op::Unsubscribe { socket, topic } => return self.set_subscription(socket, topic, false),
            Op::Close { socket } => {
                self.open[socket] = false;
                if let Some(ours) = self.ours.remove(&socket) {
                    drop(ours);
                    return "done".to_owned();
                }
                return self
                    .libzmq
                    .request(&json!(["close", socket]))
                    .map_or_else(|error| error, |_| "done".to_owned());
            }
            Op::Send { .. } | Op::Receive { .. } | Op::Drain => unreachable!("handled by other methods"),
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
                "unbind" => return unbind_result(self.block_on(async { ours.socket.unbind(address).await })),
                _ => return unbind_result(ours.socket.disconnect(address)),
            }
        } else {
            match self.libzmq.request(&json!([name, socket, address])) {
                Ok(Value::String(bound)) => bound,
                Ok(_) => return "done".to_owned(),
                Err(error) => return error,
            }
        };
        self.addresses.insert(endpoint, bound);
        "done".to_owned()
    }

    fn send(&mut self, socket: usize, message: Message, wait: Duration) -> CallResult {
        let wait = wait.min(self.patience);
        if let Some(ours) = self.ours.get(&socket) {
            if wait.is_zero() {
                return send_result(ours.socket.try_send(message));
            }
            let sent = self.block_on(async { timeout(wait, ours.socket.send(message)).await });
            return sent.map_or_else(|_| "would block".to_owned(), send_result);
        }
        let frames: Vec<String> =
            message.iter().map(|frame| frame.iter().map(|&byte| char::from(byte)).collect()).collect();
        let sent = self.libzmq.request(&json!(["send", socket, frames, millis(wait)]));
        sent.map_or_else(|error| error, |_| "done".to_owned())
    }

    fn recv(&mut self, socket: usize, wait: Duration) -> Result<Message, CallResult> {
        let wait = wait.min(self.patience);
        loop {
            let received = self.recv_any(socket, wait)?;
            if !is_probe(&received) {
                return Ok(received);
            }
        }
    }

    fn is_libzmq(&self, socket: usize) -> bool {
        !self.ours.contains_key(&socket)
    }

    fn is_inproc(&self) -> bool {
        self.transports.contains(&Transport::Inproc)
    }

    fn settle(
        &mut self,
        program: &Program,
        step: usize,
        expected: Option<&SettledState>,
    ) -> Result<SettledState, CallResult> {
        let expected = expected.expect("a reference run has determined the state");
        if self.is_delayed(program, &program.ops[step]) {
            return Err(DELAYED.to_owned());
        }
        let end = Instant::now() + LIMIT;
        loop {
            // A socket of libzmq ends connections only when it is called, in several steps.
            self.libzmq.request(&json!(["run_pending"]))?;
            let runtime = self.runtime.as_ref().unwrap();
            let missing = self.ours.iter_mut().find_map(|(&number, ours)| {
                let count = &expected.connections[number];
                runtime.block_on(ours.await_counts(count.ready, count.ended, POLL_INTERVAL)).err()
            });
            match missing {
                None => break,
                Some(missing) if Instant::now() > end => return Err(missing),
                Some(_) => {}
            }
        }
        let is_inproc = self.is_inproc();
        let libzmq_sockets =
            (0..self.open.len()).filter(|&number| self.open[number] && !self.ours.contains_key(&number));
        let expected_counts = libzmq_sockets.map(|number| {
            let count = &expected.connections[number];
            // libzmq emits no events for `inproc`.
            if is_inproc { (number, 0, 0) } else { (number, count.ready, count.lost) }
        });
        let expected_counts: Vec<_> = expected_counts.collect();
        if !expected_counts.is_empty() {
            self.libzmq.request(&json!(["settle", expected_counts]))?;
        }
        self.await_subscriptions(step, &expected.subscribed)?;
        Ok(expected.clone())
    }
}

impl Drop for Real<'_> {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.libzmq.request(&json!(["end"])).expect("the sockets of libzmq can be closed");
        }
        self.ours.clear();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Ours {
    /// Waits until the socket has made `ready` connections and `ended` of its connections have ended, both counted
    /// since the start. Waits at most `wait` for each event.
    async fn await_counts(&mut self, ready: usize, ended: usize, wait: Duration) -> Result<(), CallResult> {
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

/// The running Python program `tests/python/differential.py`, which runs the sockets of libzmq. Requests are sent to
/// its standard input.
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
            .expect("SANSMQ_PYTHON can be started");
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, stdin, lines }
    }

    /// Sends a request to the Python program. Returns the value or the error of its answer.
    fn request(&mut self, request: &Value) -> Result<Value, CallResult> {
        writeln!(self.stdin, "{request}").expect("the program reads its input");
        // The program has timeouts of its own, and always replies.
        let line = self.lines.recv_timeout(6 * LIMIT).expect("the Python program replies; see above");
        match serde_json::from_str(&line).expect("the reply is JSON") {
            Value::String(error) => Err(error),
            Value::Object(mut reply) => Ok(reply.remove("value").expect("the reply has a value")),
            other => panic!("a reply must be a string or an object: {other}"),
        }
    }
}

impl Drop for Libzmq {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the options of a socket of libzmq as JSON, for the Python program.
fn libzmq_options(spec: &Spec) -> Value {
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
    if let Some(hwm) = spec.hwm {
        options["SNDHWM"] = json!(hwm);
        options["RCVHWM"] = json!(hwm);
    }
    debug_assert!(spec.kind != SocketType::Stream, "a STREAM does not use ZMTP");
    options
}

fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|byte| u8::try_from(byte).expect("each character is a byte")).collect()
}

fn millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap()
}
