//! A socket in a game: the loop has 60 ticks a second and no poller. Each tick does a limited amount of work for the network, so
//! that a flood of messages delays messages, but no frame.

use sansmq::os::guest::{SystemGuest, dial, listen, resolve};
use sansmq::proto::guest::Output;
use sansmq::proto::{Instant, Socket, SystemEntropy};
use sansmq::{Options, kind::Dealer};
use std::{error::Error, thread, time};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Time between two ticks.
const TICK: time::Duration = time::Duration::from_micros(16_667);
/// Largest number of steps of the guest in one tick. A step is at most one turn of one stream, usually some microseconds.
const STEPS: usize = 256;

/// Sends the position of a player to the server at port 5555, such as `embed_poll`, for two seconds.
fn main() -> Outcome {
    let mut client = Socket::new(Options::<Dealer>::new(), SystemEntropy);
    client.connect("tcp://localhost:5555".parse()?, Instant::ORIGIN)?;
    let (mut tick, mut replies) = (0, 0);
    drive(client, |client, now| {
        tick += 1;
        let _ = client.send(("", format!("position {tick}"))); // without a server, positions are dropped
        while client.recv().is_ok() {
            replies += 1;
        }
        if tick == 120 {
            println!("{replies} positions returned");
            client.close(now);
        }
        Ok(())
    })
    .map(drop)
}

/// Drives a socket until it is closed, and returns it. Calls `application` once in each tick.
pub(crate) fn drive(socket: Socket, mut application: impl FnMut(&mut Socket, Instant) -> Outcome) -> Outcome<Socket> {
    let (start, mut guest) = (time::Instant::now(), SystemGuest::new());
    let id = guest.add(socket);
    loop {
        let now = Instant::from_elapsed(start.elapsed());
        application(guest.socket_mut(id).ok_or("the socket is gone")?, now)?; // and the rest of the game
        if let Some(socket) = guest.remove(id) {
            return Ok(socket); // it is closed
        }
        tick(&mut guest, now);
        thread::sleep((now + TICK).since(Instant::from_elapsed(start.elapsed())));
    }
}

/// Does the work of the network in one tick. A game with few streams needs no poller: each of them is tried.
fn tick(guest: &mut SystemGuest, now: Instant) {
    guest.all_ready();
    for _ in 0..STEPS {
        match guest.poll(now) {
            Output::Listen(key, endpoint) => guest.listening(key, listen(&endpoint, &guest.transport(key))),
            Output::Accept(key, listener) => {
                let accepted = listener.accept();
                guest.accepted(key, accepted);
            }
            Output::Resolve(key, endpoint) => guest.resolved(key, resolve(&endpoint)),
            Output::Dial(key, target) => guest.dialled(key, dial(&target, &guest.transport(key))),
            Output::Wait(Some(deadline)) if deadline.at <= now => {} // work is left, which fits into this tick
            Output::Wait(_) => break,
            _ => {} // the streams are not watched
        }
    }
}
