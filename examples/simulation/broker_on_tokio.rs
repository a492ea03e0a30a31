//! The broker that `simulate_broker` tests, on tokio. Clients connect to port 5555, workers to port 5556.

mod broker;

use broker::{Broker, Output};
use sansmq::Options;
use sansmq::proto::Instant;
use sansmq::tokio::RouterSocket;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), sansmq::Error> {
    let clients = RouterSocket::new();
    let workers = RouterSocket::with_options(Options::new().handover(true).heartbeat(broker::INTERVAL));
    clients.bind("tcp://127.0.0.1:5555").await?;
    workers.bind("tcp://127.0.0.1:5556").await?;
    serve(&clients, &workers).await
}

pub(crate) async fn serve(clients: &RouterSocket, workers: &RouterSocket) -> Result<(), sansmq::Error> {
    let (start, mut broker) = (std::time::Instant::now(), Broker::default());
    let now = || Instant::from_elapsed(start.elapsed());
    loop {
        tokio::select! {
            request = clients.recv() => broker.handle_client(request?),
            message = workers.recv() => broker.handle_worker(message?, now()),
        }
        while let Some(output) = broker.poll_output(now()) {
            match output {
                Output::ToClient(reply) => clients.send(reply).await?,
                Output::ToWorker(request) => workers.send(request).await?,
            }
        }
    }
}
