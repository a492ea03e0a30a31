//! Tests of `Session::turn`, which reads, writes and handles the timeouts of one connection: calls that come late,
//! failed writes, the end of a connection, and input that is split at every position.

use super::{SessionFixture, TestStream, accepted, pull_session};
use sansmq_proto::connection::{Inbound, Link};
use sansmq_proto::kind::{Pair, Pull, Router};
use sansmq_proto::{
    Buf, Connection, ConnectionError, Instant, IoStream, Message, NetworkError, Options, RecvError, Session,
    SessionBuffers, Stream, SystemEntropy,
};
use sansmq_tests::raw_peer::{MORE, command, frame, greeting_and_ready};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::Duration;

/// Creates the session of a PULL that has completed its handshake with a PUSH, and the stream of this session.
/// `heartbeat` is the time between two heartbeats of the PULL.
fn ready_session(heartbeat: Duration) -> (Session, TestStream) {
    let mut session = pull_session(&Options::new().heartbeat(heartbeat));
    let mut stream = TestStream { input: greeting_and_ready("PUSH").into(), ..TestStream::default() };
    turn(&mut session, &mut stream, Instant::ORIGIN).unwrap();
    assert!(session.connection().peer().is_some());
    (session, stream)
}

fn turn(session: &mut Session, stream: &mut TestStream, at: Instant) -> Result<(), ConnectionError> {
    session.turn(stream, &mut SessionBuffers::with_read_size(4096), at, |_| Ok(())).map(drop)
}

/// If the process was suspended or busy for a long time, the PONG may have arrived but not been read yet. The
/// connection must then not end by the heartbeat timeout.
#[test]
fn pending_input_is_read_before_timeouts_apply() {
    let second = Duration::from_secs(1);
    let (mut session, mut stream) = ready_session(second);
    let at = session.poll_timeout().unwrap();
    turn(&mut session, &mut stream, at).unwrap();
    assert!(stream.output.ends_with(b"PING\0\0"));
    stream.input.extend(command("PONG", b""));
    assert_eq!(turn(&mut session, &mut stream, at + second * 2), Ok(()));
}

#[test]
fn heartbeat_does_not_shorten_the_closing_phase() {
    let (mut session, mut stream) = ready_session(Duration::from_millis(10));
    let mut finish = |at| {
        let exchange = |link: &mut Connection| {
            link.finish();
            Ok(())
        };
        session.turn(&mut stream, &mut SessionBuffers::with_read_size(4096), at, exchange).map(drop)
    };
    assert_eq!(finish(Instant::ORIGIN), Ok(()));
    assert_eq!(finish(Instant::ORIGIN + Duration::from_millis(500)), Ok(()));
    assert_eq!(finish(Instant::ORIGIN + Duration::from_secs(2)), Err(ConnectionError::LocallyClosed));
}

/// The peer has sent all its messages and closed the connection. A write fails before the session has read most of
/// these messages. The application must still receive all of them.
#[test]
fn failed_write_keeps_received_messages() {
    let (now, mut stream) = (Instant::ORIGIN, TestStream::default());
    let SessionFixture { mut socket, pipe, session, .. } =
        SessionFixture::new(Options::<Pull>::new().recv_hwm(10), "PUSH", &mut stream);
    stream.input.extend(command("PING", b"\0\0")); // The PONG cannot be written.
    for number in 0..600_u32 {
        stream.input.extend(frame(0, &[&number.to_be_bytes()[..], &[7; 200]].concat()));
    }
    (stream.ended, stream.broken) = (true, true);
    let (mut session, mut buffers) = (Some(session), SessionBuffers::with_read_size(4096));
    let mut received = 0;
    loop {
        if let Some(mut running) = session.take() {
            match running.turn(&mut stream, &mut buffers, now, |link| socket.exchange(pipe, link)) {
                Ok(_) => session = Some(running),
                Err(reason) => socket.disconnected(pipe, running.into_connection(), &reason, now),
            }
        }
        let Ok(message) = socket.recv() else { break };
        assert_eq!(message.body()[..4], u32::to_be_bytes(received));
        received += 1;
    }
    assert_eq!(received, 600);
    assert!(session.is_none(), "the session has ended");
}

/// Greeting, READY, a message and malformed bytes arrive in one read. The socket admits the peer before the connection
/// processes the bytes after READY, so the application receives the message.
#[test]
fn messages_before_a_fault_in_the_first_read_are_received() {
    for (options, peer) in [(Options::<Router>::new().erase(), "DEALER"), (Options::<Pair>::new().erase(), "PAIR")] {
        let (mut socket, pipe, connection) = accepted(options);
        let (mut session, now) = (Session::new(connection), Instant::ORIGIN);
        let bytes = [greeting_and_ready(peer), frame(0, b"hello"), vec![0xff]].concat();
        let mut stream = TestStream { input: bytes.into(), ..TestStream::default() };
        let reason = session
            .turn(&mut stream, &mut SessionBuffers::with_read_size(4096), now, |link| socket.exchange(pipe, link))
            .unwrap_err();
        assert!(matches!(reason, ConnectionError::Malformed(_)), "{reason}");
        socket.disconnected(pipe, session.into_connection(), &reason, now);
        assert_eq!(socket.recv().unwrap().body(), "hello", "{peer}");
        assert_eq!((socket.recv(), socket.peers()), (Err(RecvError::Empty), 0));
    }
}

#[test]
fn large_body_survives_any_chunk_size() {
    for size in [0_usize, 64, 65, 255, 256, 16_383, 16_384, 16_385, 262_143, 262_144, 262_145, 1 << 20] {
        for chunk in [1_usize, 9, 77, 4095, 65_536, 1 << 21].into_iter().filter(|chunk| size / chunk <= 40_000) {
            let mut config = Options::<Pull>::new().max_message_size(size + 3).connection_config();
            config.max_frames = 2;
            let mut pull = Connection::new(&Arc::new(config), &mut SystemEntropy, Instant::ORIGIN);
            pull.handle_input(&greeting_and_ready("PUSH"), Instant::ORIGIN).unwrap();
            let body: Vec<u8> = (0..=250).cycle().take(size).collect();
            let bytes = [frame(MORE, &body), frame(0, b"end")].concat();
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let mut count = chunk.min(rest.len());
                if let Some(space) = pull.body_space() {
                    count = count.min(space.len());
                    space[..count].copy_from_slice(&rest[..count]);
                    pull.handle_filled(count, Instant::ORIGIN).unwrap();
                } else {
                    pull.handle_input(&rest[..count], Instant::ORIGIN).unwrap();
                }
                rest = &rest[count..];
            }
            let expected = Inbound::Message(Message::from((body, "end")));
            assert!(pull.take() == Some(expected), "{size} bytes in chunks of {chunk}");
        }
    }
}

#[test]
fn io_stream_reads_writes_and_calls_its_functions() {
    /// Byte queue (field 0), and the number of times that its write side was closed (field 1).
    struct Pipe(VecDeque<u8>, usize);

    impl Read for Pipe {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let pipe = Pipe(VecDeque::new(), 0);
    let mut stream = IoStream::new(pipe, |pipe| {
        pipe.1 += 1;
        Ok(())
    });
    let mut session = pull_session(&Options::new());
    let greeting = session.connection().poll_transmit().expect("a connection begins with its greeting");
    let expected = greeting.chunk().to_vec();
    assert_eq!(stream.write(greeting).unwrap(), expected.len());
    let mut buffer = [0; 99];
    assert_eq!(stream.read(&mut buffer).unwrap(), expected.len());
    assert_eq!(buffer[..expected.len()], expected);
    stream.close_write().unwrap();
    assert_eq!(stream.get_ref().1, 1);

    stream.established().expect("without a check function, a stream counts as connected");
    let mut stream = stream.dialled(|_| Ok(Some(ErrorKind::ConnectionRefused.into())));
    assert_eq!(stream.established(), Err(NetworkError::Refused.into()));
}
