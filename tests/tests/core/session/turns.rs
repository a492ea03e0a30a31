//! Turns of a session: lateness, failed writes, farewells, cuts at every place.

use super::{Seat, Tape, accepted, pull_session};
use sansmq_proto::connection::{Inbound, Link};
use sansmq_proto::kind::{Pair, Pull, Router};
use sansmq_proto::{
    Buf, Connection, ConnectionError, Instant, IoStream, Message, NetworkError, Options, RecvError, Session,
    SessionBuffers, Stream, SystemEntropy,
};
use sansmq_tests::raw_peer::{MORE, command, frame, opening};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::Duration;

/// A PULL's session past its handshake.
fn ready_session(heartbeat: Duration) -> (Session, Tape) {
    let mut session = pull_session(&Options::new().heartbeat(heartbeat).unwrap());
    let mut tape = Tape { input: opening("PUSH").into(), ..Tape::default() };
    turn(&mut session, &mut tape, Instant::ORIGIN).unwrap();
    assert!(session.connection().peer().is_some());
    (session, tape)
}

fn turn(session: &mut Session, tape: &mut Tape, at: Instant) -> Result<(), ConnectionError> {
    session.turn(tape, &mut SessionBuffers::with_read_size(4096), at, |_| Ok(())).map(drop)
}

/// As after a suspended machine or a long computation: the PONG is here, unread.
#[test]
fn what_is_here_is_read_before_silence_is_punished() {
    let second = Duration::from_secs(1);
    let (mut session, mut tape) = ready_session(second);
    let at = session.poll_timeout().unwrap();
    turn(&mut session, &mut tape, at).unwrap();
    assert!(tape.output.ends_with(b"PING\0\0"));
    tape.input.extend(command("PONG", b""));
    assert_eq!(turn(&mut session, &mut tape, at + second * 2), Ok(()));
}

#[test]
fn a_heartbeat_does_not_end_the_farewell() {
    let (mut session, mut tape) = ready_session(Duration::from_millis(10));
    let mut finish = |at| {
        let finish = |link: &mut Connection| {
            link.finish();
            Ok(())
        };
        session.turn(&mut tape, &mut SessionBuffers::with_read_size(4096), at, finish).map(drop)
    };
    assert_eq!(finish(Instant::ORIGIN), Ok(()));
    assert_eq!(finish(Instant::ORIGIN + Duration::from_millis(500)), Ok(()));
    assert_eq!(finish(Instant::ORIGIN + Duration::from_secs(2)), Err(ConnectionError::PeerClosed));
}

/// A peer that sent everything and left: our next write fails, while most of what it sent has not been read.
#[test]
fn a_failed_write_loses_nothing_that_arrived() {
    let (now, mut tape) = (Instant::ORIGIN, Tape::default());
    let Seat { mut socket, pipe, session, .. } = Seat::new(Options::<Pull>::new().recv_hwm(10), "PUSH", &mut tape);
    tape.input.extend(command("PING", b"\0\0")); // whose PONG cannot be written
    for number in 0..600_u32 {
        tape.input.extend(frame(0, &[&number.to_be_bytes()[..], &[7; 200]].concat()));
    }
    (tape.ended, tape.broken) = (true, true);
    let (mut session, mut buffers) = (Some(session), SessionBuffers::with_read_size(4096));
    let mut next = 0;
    loop {
        if let Some(mut running) = session.take() {
            match running.turn(&mut tape, &mut buffers, now, |link| socket.exchange(pipe, link)) {
                Ok(_) => session = Some(running),
                Err(reason) => socket.disconnected(pipe, running.into_connection(), &reason, now),
            }
        }
        let Ok(message) = socket.recv() else { break };
        assert_eq!(message.body()[..4], u32::to_be_bytes(next));
        next += 1;
    }
    assert_eq!(next, 600);
    assert!(session.is_none(), "the end was noticed");
}

/// Greeting, READY, a message and nonsense, all at once: the connection fails before anybody was let in.
#[test]
fn what_came_with_a_fault_before_its_sender_was_let_in_is_nobodys() {
    for (options, peer) in [(Options::<Router>::new().erase(), "DEALER"), (Options::<Pair>::new().erase(), "PAIR")] {
        let (mut socket, pipe, connection) = accepted(options);
        let (mut session, now) = (Session::new(connection), Instant::ORIGIN);
        let octets = [opening(peer), frame(0, b"hello"), vec![0xff]].concat();
        let mut tape = Tape { input: octets.into(), ..Tape::default() };
        let reason = session
            .turn(&mut tape, &mut SessionBuffers::with_read_size(4096), now, |link| socket.exchange(pipe, link))
            .unwrap_err();
        assert!(matches!(reason, ConnectionError::Malformed(_)), "{reason}");
        socket.disconnected(pipe, session.into_connection(), &reason, now);
        assert_eq!(socket.recv(), Err(RecvError::Empty), "{peer}");
        assert_eq!(socket.peers(), 0);
    }
}

#[test]
fn a_large_body_survives_every_kind_of_cut_in_place_and_copied() {
    for size in [0_usize, 64, 65, 255, 256, 16_383, 16_384, 16_385, 262_143, 262_144, 262_145, 1 << 20] {
        for chunk in [1_usize, 9, 77, 4095, 65_536, 1 << 21].into_iter().filter(|chunk| size / chunk <= 40_000) {
            let mut config = Options::<Pull>::new().max_message_size(size + 3).connection_config();
            config.max_frames = 2;
            let mut pull = Connection::new(&Arc::new(config), &mut SystemEntropy, Instant::ORIGIN);
            pull.handle_input(&opening("PUSH"), Instant::ORIGIN).unwrap();
            let body: Vec<u8> = (0..=250).cycle().take(size).collect();
            let octets = [frame(MORE, &body), frame(0, b"end")].concat();
            let mut rest = &octets[..];
            while !rest.is_empty() {
                let mut count = chunk.min(rest.len());
                if let Some(room) = pull.body_space() {
                    count = count.min(room.len());
                    room[..count].copy_from_slice(&rest[..count]);
                    pull.handle_filled(count, Instant::ORIGIN).unwrap();
                } else {
                    pull.handle_input(&rest[..count], Instant::ORIGIN).unwrap();
                }
                rest = &rest[count..];
            }
            let expected = Inbound::Message(Message::from((body, "end")));
            assert!(pull.take() == Some(expected), "{size} octets in pieces of {chunk}");
        }
    }
}

#[test]
fn an_io_stream_reads_writes_and_passes_the_rest_on() {
    /// Counts how often its end was announced.
    struct Pipe(VecDeque<u8>, usize);

    impl Read for Pipe {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            self.0.read(room)
        }
    }

    impl Write for Pipe {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.write(octets)
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
    let mut room = [0; 99];
    assert_eq!(stream.read(&mut room).unwrap(), expected.len());
    assert_eq!(room[..expected.len()], expected);
    stream.close_write().unwrap();
    assert_eq!(stream.get_ref().1, 1);

    stream.established().expect("nobody has said how to ask");
    let mut stream = stream.dialled(|_| Ok(Some(ErrorKind::ConnectionRefused.into())));
    assert_eq!(stream.established(), Err(NetworkError::Refused));
}
