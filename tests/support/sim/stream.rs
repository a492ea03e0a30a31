//! [`SimStream`]: one side of a simulated TCP connection.

use super::world::{Sim, World};
use sansmq_proto::testing::{Side, Tcp, WriteLimits};
use sansmq_proto::{Instant, StreamError};
use sansmq_runtime::PollStream;
use smol::io::{AsyncRead, AsyncWrite};
use std::fmt;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

/// Simulated TCP connection, and the wakers of the tasks that wait to read or write. Each array has one entry per
/// [`Side`] of the connection.
struct Wire {
    tcp: Tcp,
    /// Waker of the task that waits to read bytes, for each side.
    readers: [Option<Waker>; 2],
    /// Waker of the task that waits for room to write, for each side. A task that waits for an acknowledgement under way
    /// is woken when it arrives.
    writers: [Option<Waker>; 2],
}

/// One side of a simulated TCP connection.
pub struct SimStream {
    sim: Sim,
    wire: Arc<Mutex<Wire>>,
    side: Side,
}

impl SimStream {
    /// Creates both sides of a connection.
    pub(super) fn pair(sim: &Sim) -> [Self; 2] {
        let link = sim.with(|world, _| world.conditions.link);
        let wire = Wire { tcp: Tcp::new(link), readers: [None, None], writers: [None, None] };
        let wire = Arc::new(Mutex::new(wire));
        Side::BOTH.map(|side| Self { sim: sim.clone(), wire: Arc::clone(&wire), side })
    }

    /// Returns the memory in bytes that the bytes in transit hold, in both directions. Not less than what is allocated.
    ///
    /// # Panics
    /// If another thread has panicked while it used the stream.
    pub fn transit_bytes(&self) -> usize {
        self.with(|wire, _| wire.tcp.held_bytes())
    }

    /// Chooses at random the maximum size and the latency of the bytes of one read or write.
    fn draw(&self) -> WriteLimits {
        self.sim.with(|world, _| {
            let World { now, conditions, rng, .. } = world;
            WriteLimits { limit: conditions.chunk(rng), now: *now, latency: conditions.delay(rng) }
        })
    }

    /// Wakes `waker` at the time `at`, if any.
    fn wake_at(&self, at: Option<Instant>, waker: &Waker) {
        if let Some(at) = at {
            self.sim.with(|world, _| world.wake_at(at, waker.clone()));
        }
    }

    /// Calls `work` with the locked connection and an empty list of wakers, to which `work` can add. Wakes these wakers
    /// after the lock is released.
    fn with<R>(&self, work: impl FnOnce(&mut Wire, &mut Vec<Waker>) -> R) -> R {
        let mut wakes = Vec::new();
        let result = work(&mut self.wire.lock().expect("no task panics while it holds the lock"), &mut wakes);
        wakes.into_iter().for_each(Waker::wake);
        result
    }
}

impl PollStream for SimStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let WriteLimits { limit, now, .. } = self.draw();
        if limit == 0 {
            return again(cx);
        }
        let (side, other) = (self.side, self.side.other());
        let limit = limit.min(buffer.len());
        let (poll, next) = self.with(|wire, wakes| {
            let result = wire.tcp.read(side, &mut buffer[..limit], now);
            if wire.tcp.next_acknowledgement(other).is_some() || wire.tcp.take_unblocked(other) {
                // The writer tries again, and waits for the acknowledgement if it has not arrived.
                wakes.extend(wire.writers[other as usize].take());
            }
            match result {
                Ok(count) => (Poll::Ready(Ok(count)), None),
                Err(StreamError::WouldBlock) => {
                    wire.readers[side as usize] = Some(cx.waker().clone());
                    (Poll::Pending, wire.tcp.next_arrival(other, now))
                }
                Err(_) => (Poll::Ready(Err(ErrorKind::ConnectionReset.into())), None),
            }
        });
        self.wake_at(next, cx.waker());
        poll
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let shipment = self.draw();
        if shipment.limit == 0 {
            return again(cx);
        }
        let side = self.side;
        let (poll, next) = self.with(|wire, wakes| {
            wire.tcp.deliver(side, shipment.now);
            let result = wire.tcp.write(side, slices.iter().map(|slice| &slice[..]), shipment);
            let side_to_wake = if wire.tcp.is_reset() { side } else { side.other() };
            if result.is_ok() {
                wakes.extend(wire.readers[side_to_wake as usize].take());
            }
            match result {
                Ok(count) => (Poll::Ready(Ok(count)), None),
                Err(StreamError::WouldBlock) => {
                    let acknowledgement = wire.tcp.next_acknowledgement(side);
                    if acknowledgement.is_none() {
                        wire.writers[side as usize] = Some(cx.waker().clone());
                    }
                    (Poll::Pending, acknowledgement)
                }
                Err(_) => (Poll::Ready(Err(ErrorKind::ConnectionReset.into())), None),
            }
        });
        self.wake_at(next, cx.waker());
        poll
    }

    fn poll_close_write(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let WriteLimits { now, latency, .. } = self.draw();
        self.with(|wire, wakes| {
            wire.tcp.close_write(self.side, now + latency);
            wakes.extend(wire.readers[self.side.other() as usize].take());
        });
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for SimStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        PollStream::poll_read(&mut *self, cx, buffer)
    }
}

impl AsyncWrite for SimStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        PollStream::poll_write_vectored(&mut *self, cx, &[IoSlice::new(bytes)])
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        PollStream::poll_close_write(&mut *self, cx)
    }
}

/// Returns `Pending` and wakes the task at once, as after a spurious readiness event.
fn again<R>(cx: &Context<'_>) -> Poll<R> {
    cx.waker().wake_by_ref();
    Poll::Pending
}

impl Drop for SimStream {
    fn drop(&mut self) {
        let WriteLimits { now, latency, .. } = self.draw();
        let other = self.side.other() as usize;
        self.with(|wire, wakes| {
            wire.tcp.close(self.side, now + latency);
            wakes.extend(wire.readers[other].take().into_iter().chain(wire.writers[other].take()));
        });
    }
}

impl fmt::Debug for SimStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimStream").field("side", &self.side).finish_non_exhaustive()
    }
}
