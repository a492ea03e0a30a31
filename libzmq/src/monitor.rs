//! `zmq_socket_monitor`: sends the events of a socket to another socket, over `inproc`.

use crate::errno::{Errno, status};
use crate::io_thread;
use crate::memory;
use crate::notify::Stop;
use crate::socket::{Socket, with, with_open};
use core::ffi::{c_char, c_int, c_void};
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use sansmq::curve::CurveError;
use sansmq::kind::Any;
use sansmq::mio::{self, block_on_timeout};
use sansmq::{
    AuthStatus, ConnectionError, Endpoint, Event, Handle, Message, NetworkError, Options, SocketOption, SocketType,
};
use std::sync::Arc;

const CONNECTED: u64 = 0x0001;
const CONNECT_DELAYED: u64 = 0x0002;
const CONNECT_RETRIED: u64 = 0x0004;
const LISTENING: u64 = 0x0008;
const BIND_FAILED: u64 = 0x0010;
const ACCEPTED: u64 = 0x0020;
const ACCEPT_FAILED: u64 = 0x0040;
const CLOSED: u64 = 0x0080;
const CLOSE_FAILED: u64 = 0x0100;
const DISCONNECTED: u64 = 0x0200;
const MONITOR_STOPPED: u64 = 0x0400;
const HANDSHAKE_FAILED_NO_DETAIL: u64 = 0x0800;
const HANDSHAKE_SUCCEEDED: u64 = 0x1000;
const HANDSHAKE_FAILED_PROTOCOL: u64 = 0x2000;
const HANDSHAKE_FAILED_AUTH: u64 = 0x4000;
const PIPES_STATS: u64 = 0x10000;

const UNEXPECTED_COMMAND: u64 = 0x1000_0001;
const MALFORMED_COMMAND: u64 = 0x1000_0011;
const MALFORMED_HELLO: u64 = 0x1000_0013;
const MALFORMED_INITIATE: u64 = 0x1000_0014;
const INVALID_METADATA: u64 = 0x1000_0018;
const CRYPTOGRAPHIC: u64 = 0x1100_0001;
const MECHANISM_MISMATCH: u64 = 0x1100_0002;

/// Value of events that have the descriptor of a connection in libzmq. It is -1: this library does not give descriptors away.
const NO_DESCRIPTOR: u64 = u32::MAX as u64;

/// Monitor of a socket. It ends when the value is dropped, after the last events of a closed socket.
#[derive(Debug)]
pub(crate) struct SocketMonitor {
    stop: Arc<Stop>,
    target: mio::Socket<Any>,
    events: u64,
    version: c_int,
}

impl SocketMonitor {
    fn start(
        socket: &Socket,
        endpoint: Endpoint,
        socket_type: SocketType,
        events: u64,
        version: c_int,
    ) -> Result<Self, Errno> {
        let options = Options::of(socket_type).set(SocketOption::Linger(Some(Duration::ZERO)))?;
        let target: Handle<Any> = socket.context.new_handle(options)?;
        let target = mio::Socket::from(target);
        target.bind(endpoint)?;
        let stop = Arc::<Stop>::default();
        let mut stream = socket.handle().monitor();
        let (stopped, output) = (Arc::clone(&stop), target.handle().clone());
        let run = async move {
            let send = async |report: Report| {
                if let Some(message) = report.message(events, version) {
                    // A closed monitor socket takes no more events.
                    let _ = output.send(message).await;
                }
            };
            while let Some(event) = unless_stopped(&stopped, stream.next()).await.flatten() {
                let is_last = event == Event::Closed;
                for report in reports(&event) {
                    if unless_stopped(&stopped, send(report)).await.is_none() {
                        break;
                    }
                }
                if is_last {
                    return;
                }
            }
            // A reader that does not read must not delay the end.
            if let Some(message) = Report::stopped().message(events, version) {
                let _ = output.try_send(message);
            }
        };
        let output = target.handle().clone();
        io_thread::spawn("ZMQbg/Monitor".into(), move || {
            // Without a timeout and without signals, the wait does not fail.
            let _ = block_on_timeout(run, None);
            drop(output.close_within(Duration::ZERO));
        })?;
        Ok(Self { stop, target, events, version })
    }

    /// Ends the monitor although its socket is open.
    fn stop(self) {
        self.stop.request();
    }

    /// Sends the lengths of the queues of each peer.
    fn send_stats(&self, socket: &Socket) {
        for peer in socket.handle().peer_stats() {
            let values = vec![peer.outgoing.messages, peer.incoming.messages];
            let endpoint = peer.endpoint.map(|endpoint| endpoint.to_string()).unwrap_or_default();
            let report = Report { event: PIPES_STATS, values, endpoint };
            if let Some(message) = report.message(self.events, self.version) {
                let _ = self.target.try_send(message);
            }
        }
    }
}

/// Returns the output of `future`; `None` if the monitor is stopped before.
async fn unless_stopped<F: Future>(stop: &Stop, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut stopped = pin!(stop.requested());
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => stopped.as_mut().poll(cx).map(|()| None),
    })
    .await
}

/// An event of libzmq.
#[derive(Debug)]
struct Report {
    event: u64,
    values: Vec<u64>,
    endpoint: String,
}

impl Report {
    fn new(event: u64, value: u64, endpoint: &Endpoint) -> Self {
        Self { event, values: vec![value], endpoint: endpoint.to_string() }
    }

    fn stopped() -> Self {
        Self { event: MONITOR_STOPPED, values: vec![0], endpoint: String::new() }
    }

    /// Returns the message for an event that C code has asked for.
    fn message(self, events: u64, version: c_int) -> Option<Message> {
        if events & self.event == 0 {
            return None;
        }
        let address = self.endpoint.into_bytes();
        if version == 1 {
            let event = u16::try_from(self.event).ok()?.to_ne_bytes();
            // Values of this version have 32 bits.
            let value = u32::try_from(*self.values.first()?).unwrap_or(u32::MAX).to_ne_bytes();
            return Some(Message::from(([&event[..], &value[..]].concat(), address)));
        }
        let mut frames: Vec<sansmq::Frame> = vec![(&self.event.to_ne_bytes()).into()];
        frames.push((&(self.values.len() as u64).to_ne_bytes()).into());
        frames.extend(self.values.iter().map(|value| sansmq::Frame::from(&value.to_ne_bytes())));
        // Both addresses are the same: the one that `zmq_bind` or `zmq_connect` had.
        frames.extend([address.clone().into(), address.into()]);
        Some(frames.into())
    }
}

/// Returns the events of libzmq for an event of sansmq.
fn reports(event: &Event) -> Vec<Report> {
    let number = |error: &NetworkError| u64::try_from(Errno::from(*error).0).unwrap_or(0);
    let retried = |endpoint: &Endpoint, retry: &Option<Duration>| {
        let delay = retry.map(|delay| u64::try_from(delay.as_millis()).unwrap_or(u64::MAX));
        delay.map(|delay| Report::new(CONNECT_RETRIED, delay, endpoint))
    };
    match event {
        Event::Listening { endpoint } => vec![Report::new(LISTENING, NO_DESCRIPTOR, endpoint)],
        Event::ListenFailed { endpoint, error } => vec![Report::new(BIND_FAILED, number(error), endpoint)],
        Event::Accepted { endpoint, .. } => vec![Report::new(ACCEPTED, NO_DESCRIPTOR, endpoint)],
        Event::AcceptFailed { endpoint, error, .. } => vec![Report::new(ACCEPT_FAILED, number(error), endpoint)],
        Event::ListenerClosed { endpoint } | Event::ConnectCancelled { endpoint, .. } => {
            vec![Report::new(CLOSED, NO_DESCRIPTOR, endpoint)]
        }
        Event::ListenerCloseFailed { endpoint, error } => vec![Report::new(CLOSE_FAILED, number(error), endpoint)],
        Event::Connecting { endpoint, .. } if !matches!(endpoint, Endpoint::Inproc(_)) => {
            vec![Report::new(CONNECT_DELAYED, u64::from(libc::EINPROGRESS.unsigned_abs()), endpoint)]
        }
        Event::Connected { endpoint, .. } => vec![Report::new(CONNECTED, NO_DESCRIPTOR, endpoint)],
        Event::ConnectFailed { endpoint, retry, .. } => {
            [Some(Report::new(CLOSED, NO_DESCRIPTOR, endpoint)), retried(endpoint, retry)]
                .into_iter()
                .flatten()
                .collect()
        }
        Event::Ready { endpoint, .. } if !matches!(endpoint, Endpoint::Inproc(_)) => {
            vec![Report::new(HANDSHAKE_SUCCEEDED, 0, endpoint)]
        }
        Event::HandshakeFailed { reason: ConnectionError::LocallyClosed, .. }
        | Event::Disconnected { reason: ConnectionError::LocallyClosed, .. } => Vec::new(),
        Event::HandshakeFailed { endpoint, reason, retry, .. } => {
            let (event, value) = failure(reason);
            let events = [
                Some(Report::new(event, value, endpoint)),
                Some(Report::new(DISCONNECTED, NO_DESCRIPTOR, endpoint)),
                retried(endpoint, retry),
            ];
            events.into_iter().flatten().collect()
        }
        Event::Disconnected { endpoint, retry, .. } if !matches!(endpoint, Endpoint::Inproc(_)) => {
            let events = [Some(Report::new(DISCONNECTED, NO_DESCRIPTOR, endpoint)), retried(endpoint, retry)];
            events.into_iter().flatten().collect()
        }
        Event::Closed => vec![Report::stopped()],
        _ => Vec::new(),
    }
}

/// Returns the event and the value for the reason of a failed handshake.
fn failure(reason: &ConnectionError) -> (u64, u64) {
    let status = |status: &AuthStatus| match status {
        AuthStatus::TemporaryError => 300,
        AuthStatus::Denied => 400,
        AuthStatus::InternalError => 500,
    };
    let system = |number: c_int| (HANDSHAKE_FAILED_NO_DETAIL, u64::from(number.unsigned_abs()));
    match reason {
        ConnectionError::Denied(denied) => (HANDSHAKE_FAILED_AUTH, status(denied)),
        ConnectionError::Refused(text) => {
            let code = core::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
            match code {
                Some(code @ (300 | 400 | 500)) => (HANDSHAKE_FAILED_AUTH, code),
                _ => (HANDSHAKE_FAILED_PROTOCOL, MALFORMED_COMMAND),
            }
        }
        ConnectionError::MechanismMismatch { .. } | ConnectionError::SameRole { .. } => {
            (HANDSHAKE_FAILED_PROTOCOL, MECHANISM_MISMATCH)
        }
        ConnectionError::Curve(CurveError::Length("HELLO") | CurveError::Version { .. }) => {
            (HANDSHAKE_FAILED_PROTOCOL, MALFORMED_HELLO)
        }
        ConnectionError::Curve(CurveError::Length("INITIATE")) => (HANDSHAKE_FAILED_PROTOCOL, MALFORMED_INITIATE),
        ConnectionError::Curve(_) => (HANDSHAKE_FAILED_PROTOCOL, CRYPTOGRAPHIC),
        ConnectionError::Malformed(_) => (HANDSHAKE_FAILED_PROTOCOL, MALFORMED_COMMAND),
        ConnectionError::Unexpected(_) => (HANDSHAKE_FAILED_PROTOCOL, UNEXPECTED_COMMAND),
        ConnectionError::MissingSocketType
        | ConnectionError::UnknownSocketType
        | ConnectionError::Incompatible { .. } => (HANDSHAKE_FAILED_PROTOCOL, INVALID_METADATA),
        ConnectionError::NoAuthenticator => system(libc::EFAULT),
        ConnectionError::TimedOut(_) => system(libc::ETIMEDOUT),
        ConnectionError::Network(error) => system(Errno::from(*error).0),
        _ => system(libc::EPIPE),
    }
}

/// Starts, replaces or ends the monitor of a socket.
fn monitor(
    socket: &Socket,
    address: Option<&str>,
    events: u64,
    version: c_int,
    socket_type: SocketType,
) -> Result<(), Errno> {
    let before = socket.state().monitor.take();
    if let Some(before) = before {
        before.stop();
    }
    let Some(address) = address else { return Ok(()) };
    let endpoint: Endpoint = address.parse()?;
    if !matches!(endpoint, Endpoint::Inproc(_)) {
        return Err(Errno(libc::EPROTONOSUPPORT));
    }
    let started = SocketMonitor::start(socket, endpoint, socket_type, events, version)?;
    socket.state().monitor = Some(started);
    Ok(())
}

/// `zmq_socket_monitor`: sends the events of a socket to a PAIR that is bound to `address`. Null ends the monitor.
///
/// # Safety
/// `address` must be null, or a string that ends with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_socket_monitor(socket: *mut c_void, address: *const c_char, events: c_int) -> c_int {
    const PAIR: c_int = 0;
    let events = u64::try_from(events).unwrap_or(0);
    // SAFETY: As promised by the caller.
    unsafe { zmq_socket_monitor_versioned(socket, address, events, 1, PAIR) }
}

/// `zmq_socket_monitor_versioned`: sends the events of a socket in the format of a version to a socket of a type.
///
/// # Safety
/// As [`zmq_socket_monitor`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_socket_monitor_versioned(
    socket: *mut c_void,
    address: *const c_char,
    events: u64,
    version: c_int,
    socket_type: c_int,
) -> c_int {
    const EVENTS_OF_VERSION_1: u64 = 0xffff;
    status(with_open(socket, |socket| {
        let socket_type = match socket_type {
            0 => SocketType::Pair,
            1 => SocketType::Pub,
            8 => SocketType::Push,
            _ => return Err(Errno::INVALID),
        };
        if !matches!(version, 1 | 2) || (version == 1 && events > EVENTS_OF_VERSION_1) {
            return Err(Errno::INVALID);
        }
        // SAFETY: As promised by the caller.
        let address = if address.is_null() { None } else { Some(unsafe { memory::text(address) }?) };
        monitor(socket, address, events, version, socket_type)
    }))
}

/// `zmq_socket_monitor_pipes_stats`: sends the lengths of the queues of all peers to the monitor.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_socket_monitor_pipes_stats(socket: *mut c_void) -> c_int {
    status(with(socket, |socket| {
        let state = socket.state();
        match &state.monitor {
            Some(monitor) if monitor.events & PIPES_STATS != 0 => {
                monitor.send_stats(socket);
                Ok(())
            }
            _ => Err(Errno::INVALID),
        }
    }))
}
