//! The broker: a ROUTER for clients, a ROUTER for workers, and a queue between them. The request of a lost worker is
//! sent to another worker.

use super::Failure;
use super::queue::{Job, Queue};
use sansmq::tokio::RouterSocket;
use sansmq::{Endpoint, Envelope, Message, Options, SendError};
use std::time::{Duration, Instant};

/// Broker: a ROUTER for clients (frontend), a ROUTER for workers (backend), and the queue between them.
#[derive(Debug)]
pub(crate) struct Broker {
    frontend: RouterSocket,
    backend: RouterSocket,
    queue: Queue,
    /// Endpoint to which clients connect.
    pub(crate) front: Endpoint,
    /// Endpoint to which workers connect.
    pub(crate) back: Endpoint,
    /// Maximum time that a worker may take to reply. After this time, its request is sent to another worker.
    pub(crate) patience: Duration,
}

impl Broker {
    /// Creates a broker, and binds its frontend to the endpoint `front` and its backend to `back`.
    pub(crate) async fn bind(front: &str, back: &str) -> Result<Self, Failure> {
        let frontend = RouterSocket::new();
        // Mandatory: a request to a disconnected worker is returned, not dropped. Handover: a restarted worker gets its routing
        // id at once, even if its old connection has not been found dead yet.
        let backend = RouterSocket::with_options(Options::new().mandatory(true).handover(true));
        let (front, back) = (frontend.bind(front).await?, backend.bind(back).await?);
        eprintln!("clients connect to {front}, workers to {back}");
        Ok(Self { frontend, backend, queue: Queue::default(), front, back, patience: Duration::from_secs(2) })
    }

    /// Forwards requests and replies until one of the two sockets returns an error.
    pub(crate) async fn run(mut self) -> Result<(), Failure> {
        let mut check = tokio::time::interval(self.patience / 4);
        loop {
            tokio::select! {
                message = self.frontend.recv(), if self.queue.has_room() => self.handle_request(message?),
                message = self.backend.recv() => self.handle_reply(message?).await?,
                _ = check.tick() => self.reassign_overdue(),
            }
            while let Some((worker, job)) = self.queue.next(Instant::now()) {
                let to_client = Envelope::new().push(job.client).seal(job.request);
                match self.backend.try_send(Envelope::new().push(&worker).seal(to_client)) {
                    Ok(()) => {}
                    Err(SendError::Unroutable(_) | SendError::Full(_)) => {
                        eprintln!("{worker:?} is gone; its request is sent to another worker");
                        self.queue.remove(&worker);
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }

    /// Adds a request that was received from a client to the queue. Its format is `[client, "", content…]`, or
    /// `[client, content…]` without a delimiter.
    fn handle_request(&mut self, mut request: Message) {
        if let Some(client) = request.pop_front() {
            let delimited = request.head().is_empty() && request.pop_front().is_some();
            self.queue.add(Job { client, delimited, request });
        }
    }

    /// Handles a message that was received from a worker: `[worker, "", "READY"]`, or a reply,
    /// `[worker, "", client, "", reply…]`. After either message, the worker is ready for a request.
    async fn handle_reply(&mut self, message: Message) -> Result<(), Failure> {
        let (mut envelope, body) = match Envelope::parse(message) {
            Ok(parts) => parts,
            Err(other) => {
                eprintln!("not [worker, \"\", …]: {other:?}");
                return Ok(());
            }
        };
        let Some(worker) = envelope.pop() else { return Ok(()) };
        match (self.queue.ready(&worker), Envelope::parse(body)) {
            (Some(job), Ok((to, reply))) if to.ids() == [job.client.clone()] => self.reply(job, reply).await?,
            (Some(job), _) => self.queue.requeue(job), // the worker was restarted
            (None, Ok(_)) => eprintln!("{worker:?} replied too late; its request was sent to another worker"),
            (None, Err(_)) => eprintln!("{worker:?} is ready"),
        }
        Ok(())
    }

    /// Sends a reply to the client, with an empty delimiter if the request had one. If the client is disconnected, the
    /// frontend drops the reply.
    async fn reply(&self, job: Job, reply: Message) -> Result<(), SendError> {
        let mut message = if job.delimited { Envelope::new().seal(reply) } else { reply };
        message.push_front(job.client);
        self.frontend.send(message).await
    }

    fn reassign_overdue(&mut self) {
        for worker in self.queue.overdue(Instant::now(), self.patience) {
            eprintln!("{worker:?} has not replied in time; its request is sent to another worker");
            self.queue.remove(&worker);
        }
    }
}
