//! A link as sources of `calloop`: its stream, and a timer for its deadline.

use super::guest::Guest;
use super::net::Tcp;
use calloop::generic::{Generic, NoIoDrop};
use calloop::timer::{TimeoutAction, Timer};
use calloop::{Dispatcher, LoopHandle, Mode, PostAction, RegistrationToken};
use sansmq::proto::{Instant, Interest, PipeId, Session, Turn};
use sansmq::{ConnectionError, NetworkError};
use std::{net::TcpStream, time::Duration};

pub(super) struct Link {
    session: Session,
    stream: Dispatcher<'static, Generic<TcpStream>, Guest>,
    token: RegistrationToken,
    alarm: Option<RegistrationToken>,
}

impl Guest {
    pub(super) fn link(&mut self, pipe: PipeId, stream: TcpStream, session: Session) {
        // One shot, armed by each turn: a hang-up is reported even to who asks for nothing, and would be again and again.
        let source = Generic::new(stream, calloop::Interest::EMPTY, Mode::OneShot);
        let stream = Dispatcher::new(source, move |_, _: &mut NoIoDrop<TcpStream>, guest: &mut Self| {
            // The loop holds the source while it calls back, so the turn comes right after.
            guest.handle.insert_idle(move |guest| guest.turn(pipe));
            Ok(PostAction::Continue)
        });
        let Ok(token) = self.handle.register_dispatcher(stream.clone()) else {
            return self.socket.disconnected(pipe, session.into_connection(), &NetworkError::Other.into(), self.now());
        };
        self.links.insert(pipe, Link { session, stream, token, alarm: None });
        self.turn_soon(pipe); // both sides greet
    }

    /// Has the session do what there is to do, and sees what it waits for then.
    fn turn(&mut self, pipe: PipeId) {
        let now = self.now();
        let Some(link) = self.links.get_mut(&pipe) else {
            return; // it has ended since the loop was told
        };
        let stream = link.stream.as_source_ref();
        let exchange = |link: &mut _| self.socket.exchange(pipe, link);
        let turn = link.session.turn(&mut Tcp(stream.get_ref()), &mut self.scratch, now, exchange);
        drop(stream);
        let armed = turn.and_then(|turn| {
            let interest = match turn {
                Turn::Wait(interest) => Some(interest),
                Turn::Again => None,
            };
            link.arm(pipe, interest, now, &self.handle)
        });
        if let Err(reason) = armed
            && let Some(mut link) = self.links.remove(&pipe)
        {
            self.handle.remove(link.token); // with which the stream closes
            set(&self.handle, &mut link.alarm, None, |_| {});
            self.socket.disconnected(pipe, link.session.into_connection(), &reason, now);
        }
        self.act();
    }

    /// Gives a link its turn when the loop comes round: after everybody else who has something to do.
    pub(super) fn turn_soon(&mut self, pipe: PipeId) {
        if let Some(link) = self.links.get_mut(&pipe) {
            set(&self.handle, &mut link.alarm, Some(Duration::ZERO), move |guest| guest.turn(pipe));
        }
    }
}

impl Link {
    /// Has the loop call back for what the session waits for.
    fn arm(
        &mut self,
        pipe: PipeId,
        interest: Option<Interest>,
        now: Instant,
        handle: &LoopHandle<'static, Guest>,
    ) -> Result<(), ConnectionError> {
        if let Some(Interest { readable, writable }) = interest.filter(|it| it.readable || it.writable) {
            self.stream.as_source_mut().interest = calloop::Interest { readable, writable };
            handle.update(&self.token).map_err(|_| NetworkError::Other)?;
        }
        // No interest: its budget is spent, and it wants to go on.
        let patience = interest.map_or(Some(Duration::ZERO), |_| self.session.poll_timeout().map(|at| at.since(now)));
        set(handle, &mut self.alarm, patience, move |guest| guest.turn(pipe));
        Ok(())
    }
}

/// Sets a timer anew, or takes it off.
pub(super) fn set(
    handle: &LoopHandle<'static, Guest>,
    alarm: &mut Option<RegistrationToken>,
    patience: Option<Duration>,
    work: impl Fn(&mut Guest) + Copy + 'static,
) {
    if let Some(alarm) = alarm.take() {
        handle.remove(alarm); // nothing happens if it has fired
    }
    *alarm = patience.and_then(|patience| {
        let fire = move |_, (): &mut (), guest: &mut Guest| {
            guest.handle.insert_idle(work);
            TimeoutAction::Drop
        };
        handle.insert_source(Timer::from_duration(patience), fire).ok()
    });
}
