//! The client with an `ipykernel`, started by `jupyter_client` as a notebook server does.

use crate::children::{Process, python};
use crate::{Outcome, soon};
use sansmq_real_programs::Error;
use sansmq_real_programs::jupyter::{Action, Client, ConnectionFile, Event};
use std::path::Path;

#[tokio::test]
async fn client_controls_kernel() -> Outcome {
    session("disabled").await
}

#[tokio::test]
async fn client_controls_kernel_encrypted_with_curve() -> Outcome {
    session("required").await
}

async fn session(encryption: &str) -> Outcome {
    let mut kernel = Process::start(python()?.args(["kernel.py", encryption]))?;
    let file = ConnectionFile::read(Path::new(&kernel.line().await?))?;
    assert_eq!(file.is_encrypted(), encryption == "required");
    let client = soon(Client::connect(&file)).await??;
    let info = soon(client.kernel_info()).await??;
    assert_eq!((&info["implementation"], &info["language_info"]["name"]), (&"ipython".into(), &"python".into()));
    soon(client.heartbeat()).await??;

    let (status, events) = execute(&client, "print('to stdout'); 6 * 7", |_| Action::Continue).await?;
    assert_eq!(status, "ok");
    assert_eq!(events, [stdout("to stdout\n"), Event::Result("42".into())]);

    let answer = |event: &Event| match event {
        Event::Prompt(_) => Action::Answer("Ann".into()),
        _ => Action::Continue,
    };
    let (status, events) = execute(&client, "'Hello ' + input('Your name? ')", answer).await?;
    assert_eq!(status, "ok");
    assert_eq!(events, [Event::Prompt("Your name? ".into()), Event::Result("'Hello Ann'".into())]);

    let (status, _) = execute(&client, "1 / 0", |_| Action::Continue).await?;
    assert_eq!(status, "ZeroDivisionError");

    // The code would sleep for longer than the test waits.
    let interrupt = |event: &Event| if *event == stdout("sleeps\n") { Action::Interrupt } else { Action::Continue };
    let (status, _) = execute(&client, "import time; print('sleeps', flush=True); time.sleep(600)", interrupt).await?;
    assert_eq!(status, "KeyboardInterrupt");
    let (status, events) = execute(&client, "'alive'", |_| Action::Continue).await?;
    assert_eq!((status.as_str(), events), ("ok", vec![Event::Result("'alive'".into())]));

    soon(client.shutdown()).await??;
    assert_eq!(kernel.line().await?, "exited 0");
    Ok(())
}

/// Runs code, and returns `ok` or the name of its exception, and its events.
async fn execute(
    client: &Client,
    code: &str,
    decide: impl Fn(&Event) -> Action,
) -> Result<(String, Vec<Event>), Error> {
    let mut events = Vec::new();
    let running = client.execute(code, |event| {
        let action = decide(&event);
        events.push(event);
        action
    });
    let reply = soon(running).await??;
    let status = if reply["status"] == "ok" { &reply["status"] } else { &reply["ename"] };
    Ok((status.as_str().unwrap_or_default().to_owned(), events))
}

fn stdout(text: &str) -> Event {
    Event::Stream { name: "stdout".into(), text: text.into() }
}
