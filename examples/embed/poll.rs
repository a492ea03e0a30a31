//! The loop: a socket, what it waits for, and `poll(2)`. No protocol and no socket type is known here.

use super::{net, watched::Watched};
use rustix::event::{Timespec, poll};
use rustix::io::Errno;
use sansmq::proto::{Action, Instant, PipeId, Socket, SystemEntropy, earliest};
use sansmq::{Endpoint, NetworkError, Options, kind::Kind};
use std::{collections::BTreeSet, io, mem, time};

pub(crate) struct Loop {
    pub(crate) socket: Socket,
    pub(super) watched: Vec<Watched>,
    /// Links that have work, whatever poll says.
    pub(super) due: BTreeSet<PipeId>,
    pub(super) scratch: Vec<u8>,
    start: time::Instant,
}

impl Loop {
    pub(crate) fn new<T: Kind>(options: Options<T>) -> Self {
        let (socket, start) = (Socket::new(options, SystemEntropy), time::Instant::now());
        Self { socket, watched: Vec::new(), due: BTreeSet::new(), scratch: vec![0; 64 << 10], start }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_elapsed(self.start.elapsed())
    }

    pub(crate) fn bind(&mut self, endpoint: Endpoint) -> Result<Endpoint, NetworkError> {
        let id = self.socket.bind(endpoint);
        self.act();
        self.socket.listener(id).unwrap_or(Err(NetworkError::Other))
    }

    /// Lets what is queued go out, for as long as `linger` allows. Gives back how many messages did not.
    pub(crate) fn close(mut self) -> io::Result<usize> {
        self.socket.close(self.now());
        while !self.socket.is_closed() {
            self.round()?;
        }
        Ok(self.socket.unsent())
    }

    /// Does what the socket wants, waits for news or a deadline, and passes the news on. Then the application has its say.
    pub(crate) fn round(&mut self) -> io::Result<()> {
        let hurry = self.act() || !self.due.is_empty();
        let now = self.now();
        let deadlines = self.watched.iter().map(Watched::deadline).chain([self.socket.poll_timeout()]);
        let patience = if hurry { Some(time::Duration::ZERO) } else { earliest(deadlines).map(|at| at.since(now)) };
        let patience = patience.and_then(|it| Timespec::try_from(it).ok()); // too long for a Timespec is for ever

        // Hang-ups are reported even to who asks for nothing, and poll would return at once for ever: leave those out.
        let (asking, quiet): (Vec<_>, Vec<_>) =
            mem::take(&mut self.watched).into_iter().partition(|it| !it.flags().is_empty());
        let mut fds: Vec<_> = asking.iter().map(|it| it.poll_fd()).collect();
        match poll(&mut fds, patience.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {} // a signal is no news
            Err(error) => return Err(error.into()),
        }
        let ready: Vec<_> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        let due = mem::take(&mut self.due); // all of them: a pipe may be due that has no link yet
        for (watched, ready) in asking.into_iter().zip(ready).chain(quiet.into_iter().map(|it| (it, false))) {
            let now = self.now();
            let late = watched.deadline().is_some_and(|at| at <= now);
            if ready || late || matches!(&watched, Watched::Link(pipe, ..) if due.contains(pipe)) {
                self.visit(watched, now);
            } else {
                self.watched.push(watched);
            }
        }
        self.socket.handle_timeout(self.now());
        Ok(())
    }

    /// What to do? True if the application is to look first.
    fn act(&mut self) -> bool {
        let mut news = false;
        while let Some(action) = self.socket.poll_action() {
            match action {
                Action::Listen(id, endpoint) => match net::listen(&endpoint) {
                    Ok((listener, bound)) => {
                        self.watched.push(Watched::Listener(id, listener, false));
                        self.socket.listening(id, bound);
                    }
                    Err(error) => self.socket.listen_failed(id, error.kind().into()),
                },
                Action::Dial(pipe, endpoint) => match net::addresses(&endpoint) {
                    Ok(addresses) => self.dial(pipe, addresses.into_iter(), NetworkError::UnknownHost),
                    Err(error) => self.socket.dial_failed(pipe, error.kind().into(), self.now()),
                },
                Action::Unlisten(id) => self.watched.retain(|it| !matches!(it, Watched::Listener(at, ..) if *at == id)),
                Action::StopDialling(id) => self.watched.retain(|it| !matches!(it, Watched::Dial(at, ..) if *at == id)),
                Action::Service(pipe) => drop(self.due.insert(pipe)),
                Action::Readable | Action::Writable => news = true,
                Action::Accept(id) => {
                    for watched in &mut self.watched {
                        if let Watched::Listener(at, _, paused) = watched
                            && *at == id
                        {
                            *paused = false;
                        }
                    }
                }
            }
        }
        news
    }
}
