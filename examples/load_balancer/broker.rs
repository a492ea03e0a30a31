//! The broker: two ROUTERs and a queue between them. No request is lost when a worker is: it is handed to another.

use super::Failure;
use super::queue::{Job, Queue};
use sansmq::tokio::RouterSocket;
use sansmq::{Endpoint, Envelope, Message, Options, SendError};
use std::time::{Duration, Instant};

/// Clients in front, workers at the back.
#[derive(Debug)]
pub(crate) struct Broker {
    frontend: RouterSocket,
    backend: RouterSocket,
    queue: Queue,
    /// Where clients connect to.
    pub(crate) front: Endpoint,
    /// Where workers connect to.
    pub(crate) back: Endpoint,
    /// How long a worker may take for a request before another worker is given it.
    pub(crate) patience: Duration,
}

impl Broker {
    /// A broker that listens at both endpoints.
    pub(crate) async fn bind(front: &str, back: &str) -> Result<Self, Failure> {
        let frontend = RouterSocket::new();
        // Mandatory: a request to a worker that is gone comes back, instead of being dropped. Handover: a worker that was
        // restarted gets its name at once, though its old connection may not have been found dead yet.
        let backend = RouterSocket::with(Options::new().mandatory(true).handover(true));
        let (front, back) = (frontend.bind(front).await?, backend.bind(back).await?);
        eprintln!("clients connect to {front}, workers to {back}");
        Ok(Self { frontend, backend, queue: Queue::default(), front, back, patience: Duration::from_secs(2) })
    }

    /// Serves until a socket fails, which is to say for ever.
    pub(crate) async fn run(mut self) -> Result<(), Failure> {
        let mut check = tokio::time::interval(self.patience / 4);
        loop {
            tokio::select! {
                message = self.frontend.recv(), if self.queue.has_room() => self.asked(message?),
                message = self.backend.recv() => self.replied(message?).await?,
                _ = check.tick() => self.give_up_on_the_silent(),
            }
            while let Some((worker, job)) = self.queue.next(Instant::now()) {
                let to_client = Envelope::new().push(job.client).seal(job.request);
                match self.backend.try_send(Envelope::new().push(&worker).seal(to_client)) {
                    Ok(()) => {}
                    Err(SendError::Unroutable(_) | SendError::Full(_)) => {
                        eprintln!("{worker:?} is gone; its request goes to another worker");
                        self.queue.gone(&worker);
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }

    /// `[client, "", request…]` or `[client, request…]`.
    fn asked(&mut self, mut request: Message) {
        if let Some(client) = request.pop_front() {
            let delimited = request.head().is_empty() && request.pop_front().is_some();
            self.queue.add(Job { client, delimited, request });
        }
    }

    /// `[worker, "", "READY"]` or `[worker, "", client, "", reply…]`. Either way the worker is ready for more.
    async fn replied(&mut self, message: Message) -> Result<(), Failure> {
        let (mut envelope, body) = match Envelope::parse(message) {
            Ok(parts) => parts,
            Err(odd) => {
                eprintln!("no worker speaks like this: {odd:?}");
                return Ok(());
            }
        };
        let Some(worker) = envelope.pop() else { return Ok(()) };
        match (self.queue.ready(&worker), Envelope::parse(body)) {
            (Some(job), Ok((to, reply))) if to.ids() == [job.client.clone()] => self.answer(job, reply).await?,
            (Some(job), _) => self.queue.requeue(job), // it was restarted
            (None, Ok(_)) => eprintln!("{worker:?} replies too late; another worker was given its request"),
            (None, Err(_)) => eprintln!("{worker:?} is ready"),
        }
        Ok(())
    }

    /// The client is answered as it asked. If it is gone, nobody wants the answer and it is dropped.
    async fn answer(&self, job: Job, reply: Message) -> Result<(), SendError> {
        let mut message = if job.delimited { Envelope::new().seal(reply) } else { reply };
        message.push_front(job.client);
        self.frontend.send(message).await
    }

    fn give_up_on_the_silent(&mut self) {
        for worker in self.queue.overdue(Instant::now(), self.patience) {
            eprintln!("{worker:?} has been silent for too long; its request goes to another worker");
            self.queue.gone(&worker);
        }
    }
}
