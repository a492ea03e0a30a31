//! A socket in a loop around edge-triggered `epoll`, for any number of connections: each round costs as much as the streams that
//! are ready, not as all streams. The keys of the guest are the user data of `epoll`, so the loop has no table of its own.

use rustix::event::{Timespec, epoll};
use rustix::{fd::OwnedFd, io::Errno};
use sansmq::os::guest::{SystemGuest, dial, listen, resolve};
use sansmq::proto::guest::{Key, Output};
use sansmq::proto::{Instant, Socket, SystemEntropy};
use sansmq::{Options, kind::Dealer};
use std::{error::Error, io, time};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Sends three requests to the server at port 5555, such as `embed_poll`, and prints the replies.
fn main() -> Outcome {
    let mut client = Socket::new(Options::<Dealer>::new(), SystemEntropy);
    client.connect("tcp://localhost:5555".parse()?, Instant::ORIGIN)?;
    for number in 1..=3 {
        client.send(("", format!("request {number}")))?;
    }
    let mut left = 3;
    drive(client, |client, now| {
        while let Ok(reply) = client.recv() {
            println!("{}", reply.body().to_text());
            left -= 1;
        }
        if left == 0 {
            client.close(now);
        }
        Ok(())
    })
    .map(drop)
}

/// Drives a socket until it is closed, and returns it. Calls `application` before each step.
pub(crate) fn drive(socket: Socket, mut application: impl FnMut(&mut Socket, Instant) -> Outcome) -> Outcome<Socket> {
    let (start, poller) = (time::Instant::now(), epoll::create(epoll::CreateFlags::CLOEXEC)?);
    let mut guest = SystemGuest::new();
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
            Output::Register(key, source, _) => {
                let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
                epoll::add(&poller, source.descriptor(), epoll::EventData::new_u64(key.to_u64()), flags)?;
            }
            Output::Wait(deadline) => wait(&poller, deadline.map(|deadline| deadline.at.since(now)), &mut guest)?,
            _ => {} // `epoll` forgets closed streams, and edges need no interest
        }
    }
}

/// Waits for events, at most for `patience`, and reports them to the guest.
fn wait(poller: &OwnedFd, patience: Option<time::Duration>, guest: &mut SystemGuest) -> io::Result<()> {
    let (mut events, patience) = (Vec::with_capacity(256), patience.and_then(|it| Timespec::try_from(it).ok()));
    match epoll::wait(poller, rustix::buffer::spare_capacity(&mut events), patience.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {} // after a signal the loop continues with a new time
        Err(error) => return Err(error.into()),
    }
    for event in &events {
        guest.ready(Key::from_u64(event.data.u64()));
    }
    Ok(())
}
