//! [`Work`]: the things that a reactor looks after, and what each does when it is called. Whatever there is to decide is
//! asked of the [`Driver`].
//!
//! ```text
//! Supervise ──begins──► Begin ──► Lookup ──► Accept ──begins──► Carry
//!          │              │         └──────► Dial ────becomes────┘
//!          │              └── an address needs no look-up
//!          └──begins──► Adopt ──► Accept
//! ```

use crate::inbox::{Inbox, Key, Request};
use crate::net::{Link, Listener};
use core::net::SocketAddr;
use core::task::{Poll, Waker};
use mio::{Registry, Token};
use sansmq_proto::address::{IpcName, Route};
use sansmq_proto::{Endpoint, Instant, ListenerId, NetworkError, PipeId, Scratch};
use sansmq_runtime::{Dialling, Driver, Listening, Opened, Order, Passage, Step};
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::{io, vec};

/// One thing to look after.
#[derive(Debug)]
pub(crate) enum Work {
    /// A socket; with the deadline that it was told is kept.
    Supervise(Option<Instant>),
    /// Something to listen at or to dial.
    Begin(Endpoint, Purpose),
    /// A listener that is open there already.
    Adopt(ListenerId, Opened, Listening),
    /// The host's name is being looked up.
    Lookup(Endpoint, Purpose),
    /// A listener, and where it listens.
    Accept(ListenerId, Box<Listener>, Endpoint, Listening),
    /// A connection under way, with the routes to try after this one.
    Dial(PipeId, Link, vec::IntoIter<Route>, Dialling),
    /// A connection.
    Carry(Link, Box<Passage>),
}

/// What an endpoint is for.
#[derive(Debug)]
pub(crate) enum Purpose {
    Listen(ListenerId, Listening),
    Dial(PipeId, Dialling),
}

/// What becomes of work that was done.
#[derive(Debug)]
enum Outcome {
    /// It waits: to be called, for an event, and no longer than this.
    Wait(Work, Option<Instant>),
    Over,
}

use Outcome::{Over, Wait};

/// One look at one task: what it may use meanwhile.
pub(crate) struct Shift<'a> {
    pub(crate) driver: &'a Driver,
    pub(crate) key: Key,
    pub(crate) token: Token,
    /// Calls the task again.
    pub(crate) waker: &'a Waker,
    pub(crate) inbox: &'a Arc<Inbox>,
    pub(crate) registry: &'a Registry,
    pub(crate) scratch: &'a mut Scratch,
    /// Work for tasks to come, of the same socket.
    pub(crate) offspring: &'a mut Vec<Work>,
}

impl Work {
    /// A connection that came in.
    fn carry(link: Link, mut passage: Passage) -> Self {
        passage.identify(link.credentials());
        Self::Carry(link, Box::new(passage))
    }

    /// Has the events of a connection that came in told.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        if let Self::Carry(link, _) = self { link.register(registry, token) } else { Ok(()) }
    }

    /// There is no place for it.
    pub(crate) fn refuse(self, driver: &Driver, error: NetworkError) {
        match self {
            Self::Begin(_, purpose) => purpose.fail(driver, error),
            Self::Adopt(id, ..) => driver.listen_failed(id, error),
            Self::Carry(link, passage) => {
                drop(link);
                passage.disconnected(&error.into());
            }
            Self::Supervise(_) | Self::Lookup(..) | Self::Accept(..) | Self::Dial(..) => {}
        }
    }

    pub(crate) fn heard_of(&mut self, event: &mio::event::Event) {
        if let Self::Dial(_, link, ..) | Self::Carry(link, _) = self {
            link.heard_of(event);
        }
    }
}

impl Purpose {
    /// Whether nobody wants it any more. Otherwise the task will be called when that is so.
    fn is_given_up(&self, waker: &Waker) -> bool {
        match self {
            Self::Listen(_, listening) => listening.poll_stopped(waker).is_ready(),
            Self::Dial(_, dialling) => dialling.poll_stopped(waker).is_ready(),
        }
    }

    fn fail(self, driver: &Driver, error: NetworkError) {
        match self {
            Self::Listen(id, _) => driver.listen_failed(id, error),
            Self::Dial(pipe, _) => driver.dial_failed(pipe, error),
        }
    }
}

impl Shift<'_> {
    /// Does what there is to do now, and gives the deadline of the next time. Work that is over leaves its place.
    pub(crate) fn run(&mut self, place: &mut Option<Work>) -> Option<Instant> {
        // A connection, which is called most often by far, is not moved.
        let Some(Work::Carry(link, passage)) = place else {
            return self.change(place, Self::work);
        };
        match passage.poll(link, self.scratch, self.waker) {
            Poll::Pending => {}
            Poll::Ready(None) => self.waker.wake_by_ref(),
            Poll::Ready(Some(reason)) => {
                if let Some(Work::Carry(mut link, passage)) = place.take() {
                    link.deregister(self.registry);
                    drop(link);
                    passage.disconnected(&reason);
                }
                return None;
            }
        }
        passage.poll_timeout()
    }

    /// The addresses of a host name are there.
    pub(crate) fn answer(&mut self, place: &mut Option<Work>, addresses: Vec<SocketAddr>) -> Option<Instant> {
        self.change(place, |shift, work| match work {
            Work::Lookup(endpoint, purpose) => shift.resolved(&endpoint, addresses, purpose),
            other => shift.work(other),
        })
    }

    /// Has other work take the place of this one.
    fn change(&mut self, place: &mut Option<Work>, job: impl FnOnce(&mut Self, Work) -> Outcome) -> Option<Instant> {
        match job(self, place.take()?) {
            Wait(work, deadline) => {
                *place = Some(work);
                deadline
            }
            Over => None,
        }
    }

    fn work(&mut self, work: Work) -> Outcome {
        match work {
            Work::Supervise(armed) => self.supervise(armed),
            // It may have been given up before its turn came, or before the answer is there.
            Work::Begin(_, purpose) | Work::Lookup(_, purpose) if purpose.is_given_up(self.waker) => Over,
            Work::Begin(Endpoint::Ipc(name), purpose) => self.begin_ipc(&name, purpose),
            Work::Begin(endpoint, purpose) => self.begin(endpoint, purpose),
            Work::Adopt(id, listener, listening) => {
                self.open(id, Listener::adopt(listener, self.driver.transport()), listening)
            }
            lookup @ Work::Lookup(..) => Wait(lookup, None),
            Work::Accept(id, listener, bound, listening) => self.accept(id, listener, bound, listening),
            Work::Dial(pipe, link, rest, dialling) => self.dialled(pipe, link, rest, dialling),
            carry @ Work::Carry(..) => {
                let mut place = Some(carry);
                let deadline = self.run(&mut place);
                place.map_or(Over, |carry| Wait(carry, deadline))
            }
        }
    }

    /// Does what a socket wants done.
    fn supervise(&mut self, mut armed: Option<Instant>) -> Outcome {
        loop {
            match self.driver.poll_step(self.waker, armed) {
                Poll::Pending => return Wait(Work::Supervise(armed), armed),
                Poll::Ready(Step::Rearm(deadline)) => armed = deadline,
                Poll::Ready(Step::Listen(id, endpoint, listening)) => {
                    self.offspring.push(Work::Begin(endpoint, Purpose::Listen(id, listening)));
                }
                Poll::Ready(Step::Adopt(id, listener, listening)) => {
                    self.offspring.push(Work::Adopt(id, listener, listening));
                }
                Poll::Ready(Step::Dial(pipe, endpoint, dialling)) => {
                    self.offspring.push(Work::Begin(endpoint, Purpose::Dial(pipe, dialling)));
                }
                Poll::Ready(Step::Finished) => return Over,
            }
        }
    }

    /// Goes on at once with an address. A name is looked up on another thread, and comes back as a request.
    fn begin(&mut self, endpoint: Endpoint, purpose: Purpose) -> Outcome {
        if let Some(address) = endpoint.socket_addr() {
            return self.resolved(&endpoint, vec![address], purpose);
        }
        match endpoint.host_and_port() {
            Ok(name) => {
                let (inbox, key) = (Arc::clone(self.inbox), self.key);
                let lookup = move || {
                    let addresses = name.to_socket_addrs().map(Vec::from_iter);
                    inbox.push(Request::Resolved(key, addresses.unwrap_or_default()));
                };
                blocking::unblock(lookup).detach();
                self.work(Work::Lookup(endpoint, purpose))
            }
            Err(error) => {
                purpose.fail(self.driver, error);
                Over
            }
        }
    }

    /// An endpoint has these addresses.
    fn resolved(&mut self, endpoint: &Endpoint, addresses: Vec<SocketAddr>, purpose: Purpose) -> Outcome {
        match purpose {
            // What it would report would be taken for the failure of the dial that came after it.
            purpose if purpose.is_given_up(self.waker) => Over,
            Purpose::Listen(id, listening) => {
                self.open(id, Listener::tcp(addresses, self.driver.transport()), listening)
            }
            Purpose::Dial(pipe, dialling) => {
                self.dial(pipe, endpoint.routes(addresses).into_iter(), dialling, NetworkError::UnknownHost)
            }
        }
    }

    fn begin_ipc(&mut self, name: &IpcName, purpose: Purpose) -> Outcome {
        match purpose {
            Purpose::Listen(id, listening) => self.open(id, Listener::ipc(name, self.driver.transport()), listening),
            Purpose::Dial(pipe, dialling) => match Link::ipc(name, self.driver.transport()) {
                Ok(link) => self.try_dial(pipe, link, Vec::new().into_iter(), dialling),
                Err(error) => {
                    self.driver.dial_failed(pipe, error);
                    Over
                }
            },
        }
    }

    fn open(
        &mut self,
        id: ListenerId,
        opened: Result<(Listener, Endpoint), NetworkError>,
        listening: Listening,
    ) -> Outcome {
        let registered = opened.and_then(|(mut listener, bound)| {
            listener.register(self.registry, self.token).map_err(|error| error.kind())?;
            Ok((listener, bound))
        });
        match registered {
            Ok((listener, bound)) => {
                self.driver.listening(id, bound.clone());
                self.accept(id, Box::new(listener), bound, listening)
            }
            Err(error) => {
                self.driver.listen_failed(id, error);
                Over
            }
        }
    }

    fn accept(
        &mut self,
        id: ListenerId,
        listener: Box<Listener>,
        bound: Endpoint,
        mut listening: Listening,
    ) -> Outcome {
        loop {
            match listening.poll_next(self.waker) {
                Poll::Pending => return Wait(Work::Accept(id, listener, bound, listening), None),
                Poll::Ready(Order::Stop) => {
                    // Before `listening`, whose drop tells the application that the address is free.
                    if let Err(error) = listener.close(self.registry) {
                        listening.close_failed(bound, error);
                    }
                    return Over;
                }
                Poll::Ready(Order::Accept) => match listener.accept(self.driver.transport()) {
                    Ok(Some((link, from))) => {
                        if let Some(passage) = self.driver.accepted(id, from) {
                            self.offspring.push(Work::carry(link, passage));
                        }
                    }
                    Ok(None) => return Wait(Work::Accept(id, listener, bound, listening), None),
                    Err(error) => self.driver.accept_failed(id, error),
                },
            }
        }
    }

    /// Begins to connect by the first of these routes that lets us. The last failure counts.
    fn dial(
        &mut self,
        pipe: PipeId,
        mut routes: vec::IntoIter<Route>,
        dialling: Dialling,
        mut failure: NetworkError,
    ) -> Outcome {
        while let Some(route) = routes.next() {
            match Link::dial(route, self.driver.transport()) {
                Ok(link) => return self.try_dial(pipe, link, routes, dialling),
                Err(error) => failure = error,
            }
        }
        self.driver.dial_failed(pipe, failure);
        Over
    }

    fn try_dial(&mut self, pipe: PipeId, mut link: Link, rest: vec::IntoIter<Route>, dialling: Dialling) -> Outcome {
        match link.register(self.registry, self.token) {
            Ok(()) => self.dialled(pipe, link, rest, dialling),
            Err(error) => self.dial(pipe, rest, dialling, error.kind().into()),
        }
    }

    /// Looks what has become of a dial.
    fn dialled(&mut self, pipe: PipeId, mut link: Link, rest: vec::IntoIter<Route>, dialling: Dialling) -> Outcome {
        if dialling.poll_stopped(self.waker).is_ready() {
            link.deregister(self.registry);
            return Over;
        }
        match link.is_connected() {
            Ok(false) => Wait(Work::Dial(pipe, link, rest, dialling), None),
            Ok(true) => match self.driver.connected(pipe) {
                Some(connection) => {
                    let passage = Passage::new(self.driver.clone(), pipe, connection);
                    self.work(Work::carry(link, passage))
                }
                None => Over,
            },
            Err(error) => {
                link.deregister(self.registry);
                drop(link);
                self.dial(pipe, rest, dialling, error)
            }
        }
    }
}
