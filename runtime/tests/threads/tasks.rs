//! The tasks of a runtime beside the application.

use super::{in_every_order, now, socket};
use core::future::poll_fn;
use core::task::{Poll, Waker};
use loom::future::block_on;
use loom::sync::Mutex;
use loom::thread;
use sansmq_proto::connection::Outbox;
use sansmq_proto::kind::{Dealer, Pull, Push};
use sansmq_proto::{ConnectionError, Instant, Options, Scratch, Stream, StreamError};
use sansmq_runtime::{Context as Names, Driver, Handle, Listening, Order, Passage, Step};
use std::collections::VecDeque;
use std::io::Read;
use std::sync::Arc;

const PLACE: &str = "tcp://1.1.1.1:1";

/// Waits for what the supervisor is to do.
async fn step(driver: &Driver) -> Step {
    let mut armed: Option<Instant> = None;
    loop {
        match poll_fn(|cx| driver.poll_step(cx.waker(), armed)).await {
            Step::Rearm(deadline) => armed = deadline,
            step => return step,
        }
    }
}

#[test]
fn the_supervisor_hears_of_a_dial_and_of_the_end() {
    in_every_order(3, || {
        let (push, driver) = socket(Options::<Push>::new(), &Names::new());
        let application = thread::spawn(move || {
            push.connect(PLACE).unwrap();
            push.disconnect(PLACE).unwrap();
            block_on(push.close());
        });
        while !matches!(block_on(step(&driver)), Step::Finished) {}
        application.join().unwrap();
    });
}

#[test]
fn a_dial_that_is_given_up_stops_its_task() {
    in_every_order(3, || {
        let (push, driver) = socket(Options::<Push>::new(), &Names::new());
        push.connect(PLACE).unwrap();
        let Step::Dial(_, _, dialling) = block_on(step(&driver)) else { panic!("it is to dial") };
        let application = thread::spawn(move || push.disconnect(PLACE).unwrap());
        block_on(poll_fn(|cx| dialling.poll_stopped(cx.waker())));
        application.join().unwrap();
    });
}

/// The task of a listener to whom nobody comes.
async fn listen(mut listening: Listening) {
    poll_fn(|cx| match listening.poll_next(cx.waker()) {
        Poll::Ready(Order::Stop) => Poll::Ready(()),
        Poll::Ready(Order::Accept) | Poll::Pending => Poll::Pending,
    })
    .await;
}

#[test]
fn a_listener_stops_and_who_waits_for_that_is_told() {
    in_every_order(3, || {
        let (pull, driver) = socket(Options::<Pull>::new(), &Names::new());
        let application = thread::spawn(move || {
            block_on(pull.bind(PLACE)).unwrap();
            block_on(pull.unbind(PLACE)).unwrap();
            pull
        });
        let Step::Listen(id, endpoint, listening) = block_on(step(&driver)) else { panic!("it is to listen") };
        driver.listening(id, endpoint);
        block_on(listen(listening));
        drop(application.join().unwrap());
    });
}

#[test]
fn who_joins_a_port_while_it_is_opened_learns_where_it_is() {
    in_every_order(3, || {
        let names = Names::new();
        let [(first, driver), (second, _other_driver)] = [(); 2].map(|()| socket(Options::<Pull>::new(), &names));
        let host = first.clone();
        let mut binding = Box::pin(async move { host.bind("tcp://1.1.1.1:1/first").await });
        assert!(now(binding.as_mut()).is_pending());
        let Step::Listen(id, endpoint, _listening) = block_on(step(&driver)) else { panic!("it is to listen") };
        let guest = thread::spawn(move || block_on(second.bind("tcp://1.1.1.1:1/second")).unwrap().to_string());
        let binder = thread::spawn(move || block_on(binding).unwrap().to_string());
        driver.listening(id, endpoint);
        assert_eq!(guest.join().unwrap(), "tcp://1.1.1.1:1/second");
        assert_eq!(binder.join().unwrap(), "tcp://1.1.1.1:1/first");
    });
}

/// One direction of a stream.
#[derive(Default)]
struct Tube {
    octets: VecDeque<u8>,
    ended: bool,
    reader: Option<Waker>,
}

/// One side of a stream whose buffers are never full.
struct Side {
    read: Arc<Mutex<Tube>>,
    write: Arc<Mutex<Tube>>,
    /// Of the task that has it.
    waker: Waker,
}

impl Side {
    fn pair() -> [Self; 2] {
        let [one, other] = [(); 2].map(|()| Arc::new(Mutex::new(Tube::default())));
        let side = |read: &Arc<_>, write: &Arc<_>| Self {
            read: Arc::clone(read),
            write: Arc::clone(write),
            waker: Waker::noop().clone(),
        };
        [side(&one, &other), side(&other, &one)]
    }

    fn put(&self, what: impl FnOnce(&mut Tube)) {
        let mut tube = self.write.lock().unwrap();
        what(&mut tube);
        let reader = tube.reader.take();
        drop(tube);
        reader.into_iter().for_each(Waker::wake);
    }
}

impl Stream for Side {
    fn read(&mut self, room: &mut [u8]) -> Result<usize, StreamError> {
        let mut tube = self.read.lock().unwrap();
        if tube.octets.is_empty() && !tube.ended {
            tube.reader = Some(self.waker.clone());
            return Err(StreamError::WouldBlock);
        }
        Ok(tube.octets.read(room)?)
    }

    fn write(&mut self, data: &Outbox) -> Result<usize, StreamError> {
        let mut count = 0;
        data.with_io_slices(|slices| {
            self.put(|tube| {
                for slice in slices {
                    tube.octets.extend(slice.iter());
                    count += slice.len();
                }
            });
        });
        Ok(count)
    }

    fn close_write(&mut self) -> Result<(), StreamError> {
        self.put(|tube| tube.ended = true);
        Ok(())
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        self.put(|tube| tube.ended = true);
    }
}

/// The task of a connection.
struct Link {
    passage: Passage,
    side: Side,
    scratch: Scratch,
}

impl Link {
    fn poll(&mut self, waker: &Waker) -> Poll<ConnectionError> {
        self.side.waker.clone_from(waker);
        while let Poll::Ready(outcome) = self.passage.poll(&mut self.side, &mut self.scratch, waker) {
            if let Some(reason) = outcome {
                return Poll::Ready(reason);
            }
        }
        Poll::Pending
    }

    /// Drives the connection to its end.
    fn run(mut self) {
        let reason = block_on(poll_fn(|cx| self.poll(cx.waker())));
        self.passage.disconnected(&reason);
    }
}

/// Has the first dial the other, and gives the tasks of both.
fn connect((one, driver): (&Handle<Dealer>, &Driver), (other, other_driver): (&Handle<Dealer>, &Driver)) -> [Link; 2] {
    let _ = now(other.bind(PLACE));
    let Step::Listen(id, place, _listening) = block_on(step(other_driver)) else { panic!("it is to listen") };
    other_driver.listening(id, place);
    one.connect(PLACE).unwrap();
    let Step::Dial(pipe, ..) = block_on(step(driver)) else { panic!("it is to dial") };
    let accepted = other_driver.accepted(id, "tcp://2.2.2.2:2".parse().unwrap()).unwrap();
    let dialled = Passage::new(driver.clone(), pipe, driver.connected(pipe).unwrap());
    let [ours, theirs] = Side::pair();
    let link = |passage, side| Link { passage, side, scratch: Scratch::with_room(1024) };
    [link(dialled, ours), link(accepted, theirs)]
}

#[test]
fn messages_go_both_ways_through_the_tasks_of_a_connection_until_it_is_closed() {
    in_every_order(1, || {
        let names = Names::new();
        let (one, driver) = socket(Options::<Dealer>::new(), &names);
        let (other, other_driver) = socket(Options::<Dealer>::new(), &names);
        let mut links = connect((&one, &driver), (&other, &other_driver));
        // The handshake is done in one order alone.
        for _ in 0..4 {
            assert!(links.iter_mut().all(|link| link.poll(Waker::noop()).is_pending()));
        }
        let tasks = links.map(|link| thread::spawn(move || link.run()));
        one.try_send("there").unwrap();
        assert_eq!(block_on(other.recv()).unwrap().body(), "there");
        other.try_send("and back").unwrap();
        assert_eq!(block_on(one.recv()).unwrap().body(), "and back");
        block_on(one.close());
        for task in tasks {
            task.join().unwrap();
        }
    });
}
