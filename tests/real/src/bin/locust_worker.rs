//! A worker that makes a request per user every 10 milliseconds: `locust_worker ENDPOINT NAME`. The requests are
//! made up.

use sansmq_real_programs::Error;
use sansmq_real_programs::locust::{Request, work};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [master, name] = &arguments[..] else { return Err("the arguments are an endpoint and a name".into()) };
    let request = Request { method: "GET", name: "/", milliseconds: 3, bytes: 1000, error: None };
    let totals = work(master.parse()?, name, |users| (0..users).map(|_| request.clone()).collect()).await?;
    println!("{totals:?}");
    Ok(())
}
