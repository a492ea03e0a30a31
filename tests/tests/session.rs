//! One session over streams made for it: lateness, failed writes, farewells, cuts at every place.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use sansmq_proto::kind::{Dealer, Pair, Pull, Push, Router};
use sansmq_proto::{
    Action, Buf, Connection, ConnectionError, Endpoint, Inbound, Instant, IoStream, Link, Message, NetworkError,
    Options, PipeId, RecvError, Scratch, SeededEntropy, Session, Socket, Stream, SystemEntropy, Turn,
};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// What is to be read, and what was written.
#[derive(Default)]
struct Tape {
    input: VecDeque<u8>,
    /// The stream ends when all is read.
    ended: bool,
    output: Vec<u8>,
    /// Writing fails.
    broken: bool,
}

impl Stream for Tape {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.input.is_empty() && !self.ended {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = room.len().min(self.input.len());
        for (slot, octet) in room.iter_mut().zip(self.input.drain(..count)) {
            *slot = octet;
        }
        Ok(count)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.broken {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let before = self.output.len();
        for slice in slices {
            self.output.extend_from_slice(slice);
        }
        Ok(self.output.len() - before)
    }

    fn close_write(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn turn(session: &mut Session, tape: &mut Tape, at: Instant) -> Result<(), ConnectionError> {
    session.turn(tape, &mut Scratch::with_room(4096), at, |_| Ok(())).map(drop)
}

/// What a PUSH says up to its READY, to a PULL that says this.
fn shake_hands(mut say: impl FnMut(&mut Tape), tape: &mut Tape) {
    let mut peer =
        Connection::new(&Arc::new(Options::<Push>::new().connection_config()), &mut SystemEntropy, Instant::ORIGIN);
    for _ in 0..3 {
        say(tape);
        peer.handle_input(&core::mem::take(&mut tape.output), Instant::ORIGIN).unwrap();
        while let Some(out) = peer.poll_transmit() {
            tape.input.extend(out.copy_to_bytes(out.remaining()).iter());
        }
    }
    say(tape);
}

/// A PULL's session past its handshake.
fn ready_session(heartbeat: Duration) -> (Session, Tape) {
    let config = Options::<Pull>::new().heartbeat(heartbeat).unwrap().connection_config();
    let mut session = Session::new(Connection::new(&Arc::new(config), &mut SystemEntropy, Instant::ORIGIN));
    let mut tape = Tape::default();
    shake_hands(|tape| turn(&mut session, tape, Instant::ORIGIN).unwrap(), &mut tape);
    assert!(session.connection().peer().is_some());
    (session, tape)
}

/// As after a suspended machine or a long computation: the PONG is here, unread.
#[test]
fn what_is_here_is_read_before_silence_is_punished() {
    let second = Duration::from_secs(1);
    let (mut session, mut tape) = ready_session(second);
    let at = session.poll_timeout().unwrap();
    turn(&mut session, &mut tape, at).unwrap();
    assert!(tape.output.ends_with(b"PING\0\0"));
    tape.input.extend(b"\x04\x05\x04PONG");
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
        session.turn(&mut tape, &mut Scratch::with_room(4096), at, finish).map(drop)
    };
    assert_eq!(finish(Instant::ORIGIN), Ok(()));
    assert_eq!(finish(Instant::ORIGIN + Duration::from_millis(500)), Ok(()));
    assert_eq!(finish(Instant::ORIGIN + Duration::from_secs(2)), Err(ConnectionError::HungUp));
}

/// A peer that sent everything and left: our next write fails, while most of what it sent has not been read.
#[test]
fn a_failed_write_loses_nothing_that_arrived() {
    let now = Instant::ORIGIN;
    let mut socket = Socket::new(Options::<Pull>::new().recv_hwm(10), SeededEntropy::new(1));
    let listener = socket.bind("tcp://*:1".parse().unwrap());
    let (pipe, connection) = socket.accepted(listener, "tcp://peer:1".parse().unwrap(), now).unwrap();
    let (mut session, mut tape) = (Session::new(connection), Tape::default());
    let mut scratch = Scratch::with_room(4096);
    shake_hands(
        |tape| {
            let _ = session.turn(tape, &mut scratch, now, |link| socket.exchange(pipe, link)).unwrap();
        },
        &mut tape,
    );
    tape.input.extend(b"\x04\x07\x04PING\0\0"); // whose PONG cannot be written
    for number in 0..600_u32 {
        tape.input.extend([0, 204]);
        tape.input.extend(number.to_be_bytes());
        tape.input.extend([7; 200]);
    }
    (tape.ended, tape.broken) = (true, true);
    let mut session = Some(session);
    let mut next = 0;
    loop {
        if let Some(mut running) = session.take() {
            match running.turn(&mut tape, &mut scratch, now, |link| socket.exchange(pipe, link)) {
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
        let now = Instant::ORIGIN;
        let mut socket = Socket::new(options, SeededEntropy::new(1));
        let listener = socket.bind("tcp://*:1".parse().unwrap());
        let (pipe, connection) = socket.accepted(listener, "tcp://peer:1".parse().unwrap(), now).unwrap();
        let mut session = Session::new(connection);
        let mut tape = Tape::default();
        tape.input.extend(b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL");
        tape.input.extend([0; 48]);
        let len = u8::try_from(peer.len()).unwrap();
        tape.input.extend([4, 22 + len]);
        tape.input.extend(b"\x05READY\x0bSocket-Type\0\0\0");
        tape.input.push_back(len);
        tape.input.extend(peer.as_bytes());
        tape.input.extend(b"\0\x05hello\xff");
        let reason = session
            .turn(&mut tape, &mut Scratch::with_room(4096), now, |link| socket.exchange(pipe, link))
            .unwrap_err();
        assert!(matches!(reason, ConnectionError::Malformed(_)), "{reason}");
        socket.disconnected(pipe, session.into_connection(), &reason, now);
        assert_eq!(socket.recv(), Err(RecvError::Empty), "{peer}");
        assert_eq!(socket.peers(), 0);
    }
}

#[test]
fn unbind_ends_the_listener_that_is_open_and_not_one_that_failed() {
    let mut socket = Socket::new(Options::<Pull>::new(), SeededEntropy::new(1));
    let place: Endpoint = "tcp://*:1".parse().unwrap();
    let failed = socket.bind(place.clone());
    socket.listen_failed(failed, NetworkError::AddressInUse);
    let open = socket.bind(place.clone());
    socket.listening(open, place.clone());
    while socket.poll_action().is_some() {}
    socket.unbind(&place, Instant::ORIGIN).unwrap();
    assert_eq!(socket.poll_action(), Some(Action::Unlisten(open)));
    assert!(socket.unbind(&place, Instant::ORIGIN).is_err());
}

#[test]
fn options_at_their_ends_and_time_that_leaps_or_goes_back_do_no_harm() {
    let (least, most) = (Duration::from_nanos(1), Duration::MAX);
    for (first, max) in [(most, most), (least, most), (least, least)] {
        let options = Options::<Dealer>::new().linger(most).handshake_timeout(most).connect_timeout(most);
        let options = options.heartbeat(most).unwrap().reconnect(first, max).unwrap().send_hwm(usize::MAX);
        let mut socket = Socket::new(options.recv_hwm(usize::MAX).max_message_size(usize::MAX), SeededEntropy::new(1));
        let mut now = Instant::ORIGIN;
        let pipe = socket.connect("tcp://a:1".parse().unwrap(), now).unwrap();
        for _ in 0..500 {
            socket.dial_failed(pipe, NetworkError::Refused, now);
            now = now + Duration::from_hours(10_000);
            socket.handle_timeout(now);
            socket.handle_timeout(Instant::ORIGIN);
            while socket.poll_action().is_some() {}
            if let Some(link) = socket.connected(pipe, now) {
                socket.disconnected(pipe, link, &ConnectionError::Eof, Instant::ORIGIN);
            }
        }
        socket.send("x").unwrap();
        socket.close(now);
        socket.handle_timeout(now);
    }
}

/// At the end of time a timer that arms itself anew is due at once.
#[test]
fn the_end_of_time_does_not_spin() {
    let mut socket = Socket::new(Options::<Dealer>::new(), SeededEntropy::new(1));
    let now = Instant::from_nanos(u64::MAX);
    let pipe = socket.connect("tcp://a:1".parse().unwrap(), now).unwrap();
    socket.dial_failed(pipe, NetworkError::Refused, now);
    socket.handle_timeout(now);
}

#[test]
fn a_large_body_survives_every_kind_of_cut_in_place_and_copied() {
    for size in [0_usize, 64, 65, 255, 256, 16_383, 16_384, 16_385, 262_143, 262_144, 262_145, 1 << 20] {
        for chunk in [1_usize, 9, 77, 4095, 65_536, 1 << 21].into_iter().filter(|chunk| size / chunk <= 40_000) {
            let mut config = Options::<Pull>::new().max_message_size(size + 3).connection_config();
            config.max_frames = 2;
            let mut pull = Connection::new(&Arc::new(config), &mut SystemEntropy, Instant::ORIGIN);
            let body: Vec<u8> = (0..=250).cycle().take(size).collect();
            let mut tape = Tape::default();
            let answer = |tape: &mut Tape| {
                while !tape.input.is_empty() {
                    let octets: Vec<u8> = tape.input.drain(..).collect();
                    pull.handle_input(&octets, Instant::ORIGIN).unwrap();
                }
                while let Some(out) = pull.poll_transmit() {
                    tape.output.extend(out.copy_to_bytes(out.remaining()));
                }
            };
            shake_hands(answer, &mut tape);
            let mut octets = vec![1];
            if size > 255 {
                octets = vec![3];
                octets.extend((size as u64).to_be_bytes());
            } else {
                octets.push(u8::try_from(size).unwrap());
            }
            octets.extend(&body);
            octets.extend(b"\x00\x03end");
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
    assert_eq!(stream.write_vectored(&[IoSlice::new(b"octets")]).unwrap(), 6);
    let mut room = [0; 9];
    assert_eq!(stream.read(&mut room).unwrap(), 6);
    assert_eq!(&room[..6], b"octets");
    stream.close_write().unwrap();
    assert_eq!(stream.get_ref().1, 1);

    stream.established().expect("nobody has said how to ask");
    let mut stream = stream.dialled(|_| Ok(Some(ErrorKind::ConnectionRefused.into())));
    assert_eq!(stream.established().unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

/// A PULL socket and its session, after the handshake, with the scratch that all of its turns have.
fn pulling() -> (Socket, PipeId, Session, Tape, Scratch) {
    let now = Instant::ORIGIN;
    let mut socket = Socket::new(Options::<Pull>::new(), SeededEntropy::new(1));
    let listener = socket.bind("tcp://*:1".parse().unwrap());
    let (pipe, connection) = socket.accepted(listener, "tcp://peer:1".parse().unwrap(), now).unwrap();
    let (mut session, mut tape, mut scratch) = (Session::new(connection), Tape::default(), Scratch::new());
    shake_hands(
        |tape| {
            let _ = session.turn(tape, &mut scratch, now, |link| socket.exchange(pipe, link)).unwrap();
        },
        &mut tape,
    );
    (socket, pipe, session, tape, scratch)
}

/// The frame of a message of so many octets, all of them this one.
fn filled(octet: u8, size: usize) -> Vec<u8> {
    let head = [&[2][..], &(size as u64).to_be_bytes()].concat();
    [head, vec![octet; size]].concat()
}

/// Large bodies stay in the blocks they are read into, and those are read into again: but never while somebody holds them.
#[test]
fn what_an_application_holds_is_not_written_over() {
    let (mut socket, pipe, mut session, mut tape, mut scratch) = pulling();
    let sizes = [1024, 3000, 16_000, 20_000, 33_000, 70_000, 300_000, 1_000_000, 1 << 10, 40_000];
    let mut held = VecDeque::new();
    for round in 0..200_u8 {
        let size = sizes[usize::from(round) % sizes.len()] + usize::from(round);
        for _ in 0..3 {
            tape.input.extend(filled(round, size));
        }
        let mut turn = || session.turn(&mut tape, &mut scratch, Instant::ORIGIN, |link| socket.exchange(pipe, link));
        while turn() == Ok(Turn::Again) {}
        for _ in 0..3 {
            held.push_back((round, size, socket.recv().unwrap()));
        }
        // Some are held for long, and some are not.
        while held.len() > usize::from(round % 7) {
            let (octet, size, message) = held.pop_front().unwrap();
            assert_eq!(message.size(), size);
            assert!(message.body().iter().all(|&it| it == octet), "of round {octet}");
        }
    }
}

/// A block that has come back is taken again, for another body too.
#[test]
fn the_memory_of_large_bodies_is_used_again() {
    let (mut socket, pipe, mut session, mut tape, mut scratch) = pulling();
    for (most, size) in [(2, 4000), (1, 200_000), (1, 150_000)] {
        let mut places = std::collections::BTreeSet::new();
        for octet in 0..20 {
            tape.input.extend(filled(octet, size));
            let mut turn =
                || session.turn(&mut tape, &mut scratch, Instant::ORIGIN, |link| socket.exchange(pipe, link));
            while turn() == Ok(Turn::Again) {}
            places.insert(socket.recv().unwrap().body().as_ptr().addr());
        }
        assert!(places.len() <= most, "{size} octets have been in {} places", places.len());
    }
}

/// Who allows small messages only, or few, counts on a queue of them being small.
#[test]
fn small_messages_do_not_keep_large_blocks() {
    let now = Instant::ORIGIN;
    for (limit, together, shares) in [(1 << 20, 6, true), (1 << 20, 2, false), (2048, 6, false)] {
        let config = Options::<Pull>::new().max_message_size(limit).connection_config();
        let mut session = Session::new(Connection::new(&Arc::new(config), &mut SystemEntropy, now));
        let mut tape = Tape::default();
        let mut scratch = Scratch::new();
        let mut received = Vec::new();
        let mut turn = |tape: &mut Tape| {
            let exchange = |link: &mut Connection| {
                while let Some(Inbound::Message(message)) = link.take() {
                    received.push(message);
                }
                Ok(())
            };
            let _ = session.turn(tape, &mut scratch, now, exchange).unwrap();
        };
        shake_hands(&mut turn, &mut tape);
        tape.input.extend((0..together).flat_map(|number| filled(number, 1500)));
        turn(&mut tape);
        let places = received.iter().map(|message| message.body().as_ptr().addr()).collect::<Vec<_>>();
        assert_eq!(places[1].wrapping_sub(places[0]) == 1500 + 9, shares, "{together} of up to {limit} octets");
    }
}

/// Calls of the system are what small messages cost most, and copies what large ones do.
#[test]
fn a_thousand_small_messages_are_written_by_few_calls_and_a_large_one_is_not_copied() {
    /// Counts, and remembers where it was written from.
    #[derive(Default)]
    struct Counter {
        tape: Tape,
        writes: usize,
        places: Vec<usize>,
    }

    impl Stream for Counter {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            self.tape.read(room)
        }

        fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            self.writes += 1;
            self.places.extend(slices.iter().map(|slice| slice.as_ptr().addr()));
            self.tape.write_vectored(slices)
        }

        fn close_write(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let now = Instant::ORIGIN;
    let mut socket = Socket::new(Options::<Push>::new(), SeededEntropy::new(1));
    let listener = socket.bind("tcp://*:1".parse().unwrap());
    let (pipe, connection) = socket.accepted(listener, "tcp://peer:1".parse().unwrap(), now).unwrap();
    let (mut session, mut stream, mut scratch) = (Session::new(connection), Counter::default(), Scratch::new());
    let pull = Options::<Pull>::new().connection_config();
    let mut peer = Connection::new(&Arc::new(pull), &mut SystemEntropy, now);
    while peer.peer().is_none() || session.connection().peer().is_none() {
        while let Some(out) = peer.poll_transmit() {
            let octets = out.copy_to_bytes(out.remaining());
            stream.tape.input.extend(octets);
        }
        let _ = session.turn(&mut stream, &mut scratch, now, |link| socket.exchange(pipe, link)).unwrap();
        peer.handle_input(&std::mem::take(&mut stream.tape.output), now).unwrap();
    }

    stream.writes = 0;
    for _ in 0..1000 {
        socket.send(vec![7; 64]).unwrap();
    }
    let mut turn =
        |socket: &mut Socket| session.turn(&mut stream, &mut scratch, now, |link| socket.exchange(pipe, link));
    while turn(&mut socket) == Ok(Turn::Again) {}
    let large = Message::from(vec![7; 4096]);
    let place = large.body().as_ptr().addr();
    socket.send(large).unwrap();
    while turn(&mut socket) == Ok(Turn::Again) {}
    assert_eq!(stream.tape.output.len(), 1000 * 66 + 4096 + 9);
    assert!(stream.writes <= 3, "{} calls", stream.writes);
    assert!(stream.places.contains(&place), "it was copied");
}

/// Memory is granted as octets come, so the first of them have to move when there are more.
#[test]
fn most_octets_of_a_large_message_stay_where_they_were_read() {
    /// Remembers where it was read to, by a system that has so much of it at a time.
    struct Flow {
        tape: Tape,
        piece: usize,
        places: Vec<Range<usize>>,
    }

    impl Stream for Flow {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            let most = room.len().min(self.piece);
            let count = self.tape.read(&mut room[..most])?;
            let place = room.as_ptr().addr();
            self.places.push(place..place + count);
            Ok(count)
        }

        fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            self.tape.write_vectored(slices)
        }

        fn close_write(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let now = Instant::ORIGIN;
    for piece in [4 << 10, 64 << 10, 1 << 20] {
        for size in [400_000, 4_000_000] {
            let mut socket = Socket::new(Options::<Pull>::new(), SeededEntropy::new(1));
            let listener = socket.bind("tcp://*:1".parse().unwrap());
            let (pipe, connection) = socket.accepted(listener, "tcp://peer:1".parse().unwrap(), now).unwrap();
            let (mut session, mut scratch) = (Session::new(connection), Scratch::new());
            let mut flow = Flow { tape: Tape::default(), piece, places: Vec::new() };
            let mut tape = Tape::default();
            let mut turn = |socket: &mut Socket, flow: &mut Flow| {
                session.turn(flow, &mut scratch, now, |link| socket.exchange(pipe, link)).map(drop).unwrap();
            };
            let listen = |tape: &mut Tape| {
                core::mem::swap(tape, &mut flow.tape);
                turn(&mut socket, &mut flow);
                core::mem::swap(tape, &mut flow.tape);
            };
            shake_hands(listen, &mut tape);
            for round in 0..3 {
                flow.tape.input.extend([2].into_iter().chain((size as u64).to_be_bytes()).chain(vec![7; size]));
                flow.places.clear();
                let body = loop {
                    turn(&mut socket, &mut flow);
                    if let Ok(message) = socket.recv() {
                        break message;
                    }
                };
                let body = body.body().as_ptr_range();
                let body = body.start.addr()..body.end.addr();
                let overlap =
                    |place: &Range<usize>| place.end.min(body.end).saturating_sub(place.start.max(body.start));
                let stayed: usize = flow.places.iter().map(overlap).sum();
                // From the second on there is a block that is large enough already.
                let least = if round == 0 { size / 4 } else { size / 4 * 3 };
                assert!(stayed >= least, "{stayed} of {size} in pieces of {piece}, round {round}");
            }
        }
    }
}

/// Commands wait for no application, so nothing else keeps a flood of them from taking the others' turns.
#[test]
fn a_flood_of_commands_is_read_in_small_bites_until_there_are_fewer_of_them() {
    let (mut session, mut tape) = ready_session(Duration::from_mins(1));
    let mut scratch = Scratch::new();
    let mut eaten = |tape: &mut Tape| {
        let before = tape.input.len();
        let again = session.turn(tape, &mut scratch, Instant::ORIGIN, |link| {
            while link.take().is_some() {}
            Ok(())
        });
        (before - tape.input.len(), again == Ok(Turn::Again))
    };
    let ping = b"\x04\x07\x04PING\0\0";
    tape.input.extend(ping.repeat(20_000));
    let (first, again) = eaten(&mut tape);
    assert!(first <= 32 << 10 && again, "{first}");
    for _ in 0..20 {
        assert_eq!(eaten(&mut tape), (2 << 10, true));
    }
    tape.input.clear();
    tape.input.extend(b"\0\x05hello".repeat(100_000));
    let bites: Vec<_> = (0..4).map(|_| eaten(&mut tape).0).collect();
    assert!(bites.is_sorted() && bites[3] == 4 * (32 << 10), "{bites:?}");
}
