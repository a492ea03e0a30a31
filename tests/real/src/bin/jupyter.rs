//! Runs code in a Jupyter kernel: `jupyter CONNECTION_FILE CODE`. The code may read lines from the standard input, and Ctrl-C
//! ends this client, not the code.

use sansmq_real_programs::Error;
use sansmq_real_programs::jupyter::{Action, Client, ConnectionFile, Event};
use std::io::Write;
use std::path::Path;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, code] = &arguments[..] else { return Err("the arguments are a connection file and code".into()) };
    let file = ConnectionFile::read(Path::new(file))?;
    let client = Client::connect(&file).await?;
    let info = client.kernel_info().await?;
    let encrypted = if file.is_encrypted() { ", encrypted" } else { "" };
    println!("{} {}{encrypted}", text(&info["implementation"]), text(&info["implementation_version"]));
    let reply = client.execute(code, show).await?;
    println!("status: {}", text(&reply["status"]));
    client.shutdown().await
}

fn text(value: &serde_json::Value) -> &str {
    value.as_str().unwrap_or("?")
}

fn show(event: Event) -> Action {
    match event {
        Event::Stream { text, .. } => print!("{text}"),
        Event::Result(text) => println!("result: {text}"),
        Event::Prompt(prompt) => {
            print!("{prompt}");
            let mut line = String::new();
            let read = std::io::stdout().flush().and_then(|()| std::io::stdin().read_line(&mut line));
            return if read.is_ok() { Action::Answer(line.trim_end().to_owned()) } else { Action::Interrupt };
        }
    }
    Action::Continue
}
