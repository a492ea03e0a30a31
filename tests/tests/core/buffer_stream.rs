//! Tests of `BufferStream`: guests in loops that move the bytes.

use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::guest::{Guest, Key, Output, SocketId, Source};
use sansmq_proto::kind::{Dealer, Kind, Router};
use sansmq_proto::{BufferStream, Event, Instant, NetworkError, Options, Socket};
use std::time::Duration;

const NOW: Instant = Instant::ORIGIN;
const SERVER: &str = "tcp://10.0.0.1:1";

struct Side {
    guest: Guest<BufferStream>,
    id: SocketId,
    listener: Option<Key>,
    stream: Option<Key>,
    /// Key of the requested stream.
    dial: Option<Key>,
}

impl Side {
    fn new<T: Kind>(options: Options<T>) -> Self {
        let mut guest = Guest::new();
        let id = guest.add(Socket::new(options, SeededEntropy::new(1)));
        Self { guest, id, listener: None, stream: None, dial: None }
    }

    fn socket(&mut self) -> &mut Socket {
        self.guest.socket_mut(self.id).unwrap()
    }

    fn stream(&mut self) -> Option<&mut BufferStream> {
        self.guest.stream_mut(self.stream?)
    }

    /// Polls until the guest waits. Returns the time of its deadline.
    fn poll(&mut self, now: Instant) -> Option<Instant> {
        loop {
            match self.guest.poll(now) {
                Output::Listen(key, endpoint) => self.guest.listening(key, Ok::<_, NetworkError>(((), endpoint))),
                Output::Dial(key, _) => self.dial = Some(key),
                Output::Register(key, Source::Listener(()), _) => self.listener = Some(key),
                Output::Register(key, Source::Stream(_), _) => self.stream = Some(key),
                Output::Wait(deadline) => return Some(deadline?.at),
                _ => {}
            }
        }
    }
}

/// Moves bytes from one side to the other, or the end. Returns true if there was anything to move.
fn transfer(from: &mut Side, to: &mut Side) -> bool {
    if from.stream.is_none() {
        return false;
    }
    let Some(receiver) = to.stream().filter(|receiver| receiver.room() > 0) else { return false };
    match from.stream().filter(|sender| !sender.is_finished()) {
        Some(sender) if sender.output().is_empty() => return false,
        Some(sender) => {
            let count = sender.output().len().min(receiver.room());
            receiver.receive(&sender.output()[..count]);
            sender.sent(count);
        }
        None => receiver.end(),
    }
    for side in [from, to] {
        side.guest.ready(side.stream.unwrap());
    }
    true
}

fn settle(client: &mut Side, server: &mut Side) {
    loop {
        client.poll(NOW);
        server.poll(NOW);
        if !(transfer(client, server) | transfer(server, client)) {
            return;
        }
    }
}

/// Returns a DEALER and a ROUTER that are connected by streams with this limit.
fn pair(limit: usize) -> (Side, Side) {
    let (mut client, mut server) = (Side::new(Options::<Dealer>::new()), Side::new(Options::<Router>::new()));
    server.socket().bind(SERVER.parse().unwrap());
    client.socket().connect(SERVER.parse().unwrap(), NOW).unwrap();
    server.poll(NOW);
    client.poll(NOW);
    let accepted = (BufferStream::new((), limit), SERVER.parse().unwrap());
    server.guest.accepted(server.listener.unwrap(), Ok::<_, NetworkError>(accepted));
    client.guest.dialled(client.dial.unwrap(), Ok::<_, NetworkError>(BufferStream::new((), limit)));
    client.guest.ready(client.dial.unwrap());
    (client, server)
}

#[test]
fn buffer_streams_of_any_size_carry_messages() {
    for limit in [0, 100, 1 << 20] {
        let (mut client, mut server) = pair(limit);
        let sent: Vec<String> = (0..20).map(|number| format!("{number}").repeat(300)).collect();
        for body in &sent {
            client.socket().send(body.clone()).unwrap();
        }
        settle(&mut client, &mut server);
        for body in &sent {
            let request = server.socket().recv().unwrap();
            assert_eq!(request.body(), body.as_str());
            server.socket().send(request).unwrap();
        }
        client.socket().close(NOW);
        settle(&mut client, &mut server);
        let closed = client.guest.remove(client.id);
        assert!(closed.is_some_and(|socket| socket.unsent() == 0), "a limit of {limit}");
    }
}

#[test]
fn stream_is_not_finished_before_its_bytes_are_sent() {
    let (mut client, mut server) = pair(1 << 20);
    settle(&mut client, &mut server);
    client.socket().send("last").unwrap();
    client.socket().close(NOW);
    client.poll(NOW);
    let stream = client.stream().unwrap();
    assert!(!stream.output().is_empty() && !stream.is_finished());
    stream.sent(1000);
    client.guest.ready(client.stream.unwrap());
    client.poll(NOW);
    assert!(client.stream().unwrap().is_finished());
}

#[test]
fn failed_connection_attempt_is_repeated() {
    let mut client = Side::new(Options::<Dealer>::new());
    client.socket().monitor(true);
    client.socket().connect(SERVER.parse().unwrap(), NOW).unwrap();
    client.poll(NOW);
    let key = client.dial.take().unwrap();
    client.guest.dialled(key, Ok::<_, NetworkError>(BufferStream::new((), 1).connecting()));
    client.guest.ready(key);
    client.poll(NOW);
    assert!(matches!(client.socket().poll_event(), Some(Event::Connecting { .. })));
    assert_eq!(client.socket().poll_event(), None, "the stream is not connected");
    client.stream().unwrap().fail(NetworkError::Refused);
    client.guest.ready(key);
    let retry = client.poll(NOW).unwrap();
    let event = client.socket().poll_event();
    assert!(matches!(event, Some(Event::ConnectFailed { error: NetworkError::Refused, .. })), "{event:?}");
    assert!(client.dial.is_none() && retry <= NOW + Duration::from_secs(1));
    client.poll(retry);
    assert!(client.dial.is_some());
}
