//! [`race`]: attempts to connect to several addresses of a host, of which the first success counts. [`DialTimer`]: the timer
//! of these attempts.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::Poll;
use core::time::Duration;
use sansmq_proto::address::CONNECTION_ATTEMPT_DELAY;
use sansmq_proto::{Instant, NetworkError};
use std::sync::{Arc, Mutex, PoisonError};

/// Timer for a future of [`Runtime::dial`](crate::Runtime::dial). When the timer expires, the task of the attempt polls the
/// future, so a runtime needs no other timer for it.
#[derive(Clone, Debug, Default)]
pub struct DialTimer(Arc<Mutex<State>>);

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Stopped,
    /// The timer was started in the current poll.
    Started(Duration),
    Until(Instant),
    Expired,
}

impl DialTimer {
    /// Starts the timer anew. The future is polled again after `duration`, and [`has_expired`](Self::has_expired) then
    /// returns true.
    pub fn start(&self, duration: Duration) {
        self.set(State::Started(duration));
    }

    /// Stops the timer.
    pub fn stop(&self) {
        self.set(State::Stopped);
    }

    /// Returns true if the timer was started and its time has passed.
    #[must_use]
    pub fn has_expired(&self) -> bool {
        matches!(self.state(), State::Expired)
    }

    /// Lets the timer expire if its time has passed. Called before the future is polled.
    pub(crate) fn handle_timeout(&self, now: Instant) {
        if matches!(self.state(), State::Until(deadline) if deadline <= now) {
            self.set(State::Expired);
        }
    }

    /// Calculates the deadline of a timer that was just started. Called after the future was polled.
    pub(crate) fn arm(&self, now: Instant) {
        if let State::Started(duration) = self.state() {
            self.set(State::Until(now + duration));
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        if let State::Until(deadline) = self.state() { Some(deadline) } else { None }
    }

    fn state(&self) -> State {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: State) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

/// Runs attempts to connect, in the order in which they are given, and returns the first connection (RFC 8305, "Happy
/// Eyeballs"). The next attempt begins when an attempt fails, and when none has succeeded or failed for
/// [`CONNECTION_ATTEMPT_DELAY`]. The other attempts are dropped. So an address that does not answer delays the connection to
/// another address of the same host only a little.
///
/// # Errors
/// The error of the attempt that failed last, if all attempts have failed; [`NetworkError::UnknownHost`] if there is no
/// attempt.
pub async fn race<S, A: Future<Output = Result<S, NetworkError>>>(
    attempts: impl IntoIterator<Item = A>,
    timer: &DialTimer,
) -> Result<S, NetworkError> {
    let mut waiting = attempts.into_iter().peekable();
    let mut running: Vec<Pin<Box<A>>> = Vec::new();
    let mut failure = NetworkError::UnknownHost;
    let attempt = poll_fn(|cx| {
        loop {
            let (before, mut connected) = (running.len(), None);
            running.retain_mut(|attempt| match attempt.as_mut().poll(cx) {
                Poll::Pending => true,
                Poll::Ready(Ok(stream)) => {
                    connected = Some(stream);
                    false
                }
                Poll::Ready(Err(error)) => {
                    failure = error;
                    false
                }
            });
            if let Some(stream) = connected {
                return Poll::Ready(Some(stream));
            }
            if !running.is_empty() && running.len() == before && !timer.has_expired() {
                return Poll::Pending;
            }
            match waiting.next() {
                Some(next) => running.push(Box::pin(next)),
                None if running.is_empty() => return Poll::Ready(None),
                None => {}
            }
            if waiting.peek().is_some() {
                timer.start(CONNECTION_ATTEMPT_DELAY);
            } else {
                timer.stop();
            }
        }
    });
    attempt.await.ok_or(failure)
}

#[cfg(all(test, not(sansmq_loom)))]
mod tests {
    use super::*;
    use core::cell::RefCell;
    use core::future::{pending, ready};
    use core::pin::pin;
    use core::task::{Context, Waker};

    type Outcome = Result<&'static str, NetworkError>;

    /// Runs a race, and returns its result with the time at which it ended. `attempts` are, for each address, the time after
    /// which the attempt ends, and its result; an attempt without them never ends.
    fn run(attempts: &[Option<(u64, Outcome)>]) -> (Duration, Outcome) {
        let (now, timer) = (RefCell::new(Instant::ORIGIN), DialTimer::default());
        let clock = &now;
        let attempts = attempts.iter().map(|attempt| async move {
            let Some((after, outcome)) = attempt else { return pending().await };
            let end = *clock.borrow() + Duration::from_millis(*after);
            poll_fn(|_| if *clock.borrow() >= end { Poll::Ready(()) } else { Poll::Pending }).await;
            *outcome
        });
        let mut race = pin!(race(attempts, &timer));
        loop {
            timer.handle_timeout(*now.borrow());
            if let Poll::Ready(outcome) = race.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return (now.borrow().since(Instant::ORIGIN), outcome);
            }
            timer.arm(*now.borrow());
            let next = *now.borrow() + Duration::from_millis(1);
            assert!(next < Instant::ORIGIN + Duration::from_secs(60), "the race ends");
            *now.borrow_mut() = next;
        }
    }

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn address_without_answer_delays_the_next_by_250_ms() {
        assert_eq!(run(&[None, Some((10, Ok("second")))]), (ms(260), Ok("second")));
        assert_eq!(run(&[None, None, None, Some((0, Ok("fourth")))]), (ms(750), Ok("fourth")));
    }

    #[test]
    fn failed_attempt_begins_the_next_at_once() {
        let refused = || Err(NetworkError::Refused);
        assert_eq!(run(&[Some((5, refused())), Some((10, Ok("second")))]), (ms(15), Ok("second")));
        assert_eq!(run(&[None, Some((5, refused())), Some((10, Ok("third")))]), (ms(265), Ok("third")));
    }

    #[test]
    fn slow_first_attempt_can_still_win() {
        assert_eq!(run(&[Some((300, Ok("first"))), Some((100, Ok("second")))]), (ms(300), Ok("first")));
        assert_eq!(run(&[Some((200, Ok("first"))), None]), (ms(200), Ok("first")));
    }

    #[test]
    fn race_returns_the_last_error() {
        let errors = [Some((1, Err(NetworkError::Refused))), Some((2, Err(NetworkError::TimedOut)))];
        assert_eq!(run(&errors), (ms(3), Err(NetworkError::TimedOut)));
        assert_eq!(run(&[]), (ms(0), Err(NetworkError::UnknownHost)));
    }

    #[test]
    fn single_attempt_needs_no_timer() {
        let timer = DialTimer::default();
        let mut race = pin!(race([pending::<Outcome>()], &timer));
        assert!(race.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        timer.arm(Instant::ORIGIN);
        assert_eq!(timer.deadline(), None);
        let mut race = pin!(super::race([ready(Outcome::Ok("x"))], &timer));
        assert_eq!(race.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok("x")));
    }
}
