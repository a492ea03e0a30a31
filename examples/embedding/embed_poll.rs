//! A socket in a custom event loop: `poll(2)`, one thread, no runtime. A ROUTER echoes the messages of any number of clients until
//! it receives "bye". The guide `sansmq::proto::embedding` explains this file line by line.

use rustix::{event, io::Errno};
use sansmq::os::guest::{SystemGuest, dial, listen, resolve};
use sansmq::proto::guest::{Key, Output};
use sansmq::proto::{Instant, Socket, SystemEntropy};
use sansmq::{Options, kind::Router};
use std::{error::Error, io, time};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    let mut server = Socket::new(Options::<Router>::new(), SystemEntropy);
    let listener = server.bind("tcp://127.0.0.1:5555".parse()?);
    let mut is_bound = false;
    let server = drive(server, |server, now| {
        if !is_bound {
            is_bound = server.listener(listener).transpose()?.is_some();
        }
        echo(server, now)
    })?;
    println!("{} messages were not sent", server.unsent());
    Ok(())
}

pub(crate) fn echo(server: &mut Socket, now: Instant) -> Outcome {
    while let Ok(request) = server.recv() {
        let last = request.body() == "bye";
        server.send(request)?; // its first frame is the routing id of the client
        if last {
            server.close(now); // queued messages are still sent, for at most `linger`
        }
    }
    Ok(())
}

/// Drives a socket until it is closed, and returns it. Calls `application` before each step.
pub(crate) fn drive(socket: Socket, mut application: impl FnMut(&mut Socket, Instant) -> Outcome) -> Outcome<Socket> {
    let (start, mut guest) = (time::Instant::now(), SystemGuest::new());
    let id = guest.add(socket);
    loop {
        let now = Instant::from_elapsed(start.elapsed());
        application(guest.socket_mut(id).ok_or("the socket is gone")?, now)?;
        if let Some(socket) = guest.remove(id) {
            return Ok(socket); // it is closed
        }
        match guest.poll(now) {
            Output::Listen(key, endpoint) => guest.listening(key, listen(&endpoint, &guest.transport(key))),
            Output::Accept(key, listener) => {
                let accepted = listener.accept();
                guest.accepted(key, accepted);
            }
            Output::Resolve(key, endpoint) => guest.resolved(key, resolve(&endpoint)),
            Output::Dial(key, target) => guest.dialled(key, dial(&target, &guest.transport(key))),
            Output::Wait(deadline) => wait(&mut guest, deadline.map(|deadline| deadline.at.since(now)))?,
            _ => {} // this loop drops ended streams, and calls `application` in any case
        }
    }
}

/// Waits for the streams and listeners, at most for `patience`, and reports those that are ready.
fn wait(guest: &mut SystemGuest, patience: Option<time::Duration>) -> io::Result<()> {
    let watched = guest.watched().filter_map(|(key, source, interest)| {
        let flags = interest.flags(event::PollFlags::IN, event::PollFlags::OUT)?;
        Some((key, event::PollFd::from_borrowed_fd(source.descriptor(), flags)))
    });
    let (keys, mut fds): (Vec<Key>, Vec<_>) = watched.unzip();
    match event::poll(&mut fds, patience.and_then(|it| it.try_into().ok()).as_ref()) {
        Ok(_) | Err(Errno::INTR) => {} // after a signal the loop continues with a new time
        Err(error) => return Err(error.into()),
    }
    let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
    keys.into_iter().zip(ready).filter(|(_, ready)| *ready).for_each(|(key, _)| guest.ready(key));
    Ok(())
}
