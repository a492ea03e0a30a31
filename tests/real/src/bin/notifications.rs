//! Prints notifications, and how many are missing before each: `notifications ENDPOINT TOPIC…`.

use sansmq_real_programs::Error;
use sansmq_real_programs::notifications::Reader;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((endpoint, topics)) = arguments.split_first() else {
        return Err("the arguments are an endpoint and topics".into());
    };
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    let mut reader = Reader::connect(endpoint.parse()?, &topics)?;
    loop {
        match reader.recv().await {
            Ok(found) => println!("{} {}: {:?}, {:?}", found.topic, found.sequence, found.body, found.continuity),
            Err(error) => eprintln!("not a notification: {error}"),
        }
    }
}
