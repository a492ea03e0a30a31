//! [`Stream`]: a simulated TCP connection, whose octets come in pieces, late, and no more of them than fit.

use super::world::{Sim, World};
use sansmq_proto::Instant;
use sansmq_proto::testing::Direction;
use sansmq_runtime::PollStream;
use smol::io::{AsyncRead, AsyncWrite};
use std::fmt;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

/// A simulated TCP connection, seen from both sides.
#[derive(Default)]
struct Wire {
    /// What each side has sent.
    sent: [Direction; 2],
    /// Who waits for octets, and who for room.
    readers: [Option<Waker>; 2],
    writers: [Option<Waker>; 2],
    /// Which side has hung up.
    gone: [bool; 2],
    /// Somebody hung up on what he had not read.
    reset: bool,
}

/// One side of a simulated TCP connection.
pub struct Stream {
    sim: Sim,
    wire: Arc<Mutex<Wire>>,
    side: usize,
}

/// What the dice say of one read or write.
struct Fate {
    now: Instant,
    piece: usize,
    arrival: Instant,
    capacity: usize,
}

impl Stream {
    /// Both sides of a new connection.
    pub(super) fn pair(sim: &Sim) -> [Self; 2] {
        let wire = Arc::default();
        [0, 1].map(|side| Self { sim: sim.clone(), wire: Arc::clone(&wire), side })
    }

    fn fate(&self) -> Fate {
        self.sim.with(|world, _| {
            let World { now, weather, dice, .. } = world;
            let arrival = *now + weather.flight(dice);
            Fate { now: *now, piece: weather.piece(dice), arrival, capacity: weather.capacity }
        })
    }

    /// Looks at or changes the wire; who is to be woken for it is woken afterwards.
    fn with<R>(&self, work: impl FnOnce(&mut Wire, &mut Vec<Waker>) -> R) -> R {
        let mut wakes = Vec::new();
        let result = work(&mut self.wire.lock().expect("nobody panics in here"), &mut wakes);
        wakes.into_iter().for_each(Waker::wake);
        result
    }
}

impl PollStream for Stream {
    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let Fate { now, piece, .. } = self.fate();
        if piece == 0 {
            return again(cx);
        }
        let (own, other) = (self.side, 1 - self.side);
        let (poll, next) = self.with(|wire, wakes| {
            let incoming = &mut wire.sent[other];
            incoming.land(now);
            let most = piece.min(room.len());
            let count = incoming.take(&mut room[..most]);
            let (over, next) = (incoming.is_over(now), incoming.next_arrival(now));
            if count > 0 {
                wakes.extend(wire.writers[other].take());
                return (Poll::Ready(Ok(count)), None);
            }
            if wire.reset {
                return (Poll::Ready(Err(ErrorKind::ConnectionReset.into())), None);
            }
            if over {
                return (Poll::Ready(Ok(0)), None);
            }
            wire.readers[own] = Some(cx.waker().clone());
            (Poll::Pending, next)
        });
        if let Some(at) = next {
            self.sim.with(|world, _| world.wake_at(at, cx.waker().clone()));
        }
        poll
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let Fate { piece, arrival, capacity, .. } = self.fate();
        if piece == 0 {
            return again(cx);
        }
        let (own, other) = (self.side, 1 - self.side);
        self.with(|wire, wakes| {
            if wire.reset {
                return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
            }
            if wire.gone[other] {
                // It leaves, and the answer to it is a reset.
                wire.reset = true;
                wakes.extend(wire.readers[own].take());
                return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
            }
            let room = capacity - wire.sent[own].size();
            if room == 0 {
                wire.writers[own] = Some(cx.waker().clone());
                return Poll::Pending;
            }
            let count = wire.sent[own].send(slices.iter().map(|slice| &slice[..]), piece.min(room), arrival);
            wakes.extend(wire.readers[other].take());
            Poll::Ready(Ok(count))
        })
    }

    fn poll_close_write(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Fate { arrival, .. } = self.fate();
        self.with(|wire, wakes| {
            wire.sent[self.side].end(arrival);
            wakes.extend(wire.readers[1 - self.side].take());
        });
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        PollStream::poll_read(&mut *self, cx, room)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        PollStream::poll_write_vectored(&mut *self, cx, &[IoSlice::new(octets)])
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        PollStream::poll_close_write(&mut *self, cx)
    }
}

/// A stream that said it was ready may turn out not to be.
fn again<R>(cx: &Context<'_>) -> Poll<R> {
    cx.waker().wake_by_ref();
    Poll::Pending
}

impl Drop for Stream {
    fn drop(&mut self) {
        let Fate { arrival, .. } = self.fate();
        let (own, other) = (self.side, 1 - self.side);
        self.with(|wire, wakes| {
            wire.gone[own] = true;
            if wire.sent[other].size() > 0 {
                wire.reset = true;
                wire.sent[own].lose();
            }
            wire.sent[own].end(arrival);
            wakes.extend(wire.readers[other].take().into_iter().chain(wire.writers[other].take()));
        });
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("side", &self.side).finish_non_exhaustive()
    }
}
