//! Child processes that are controlled by lines.

use crate::soon;
use sansmq_real_programs::Error;
use std::process::{ExitStatus, Stdio};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Folder of the scripts.
pub(crate) const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");

/// Returns a variable of the environment that `.ci/real` sets.
pub(crate) fn variable(name: &str) -> Result<String, Error> {
    std::env::var(name).map_err(|_| format!("the variable {name} is not set: run .ci/real").into())
}

/// Returns a command that runs a Python program of the folder, or a module as `-m NAME`.
pub(crate) fn python() -> Result<Command, Error> {
    let mut command = Command::new(variable("SANSMQ_REAL_PYTHON")?);
    command.current_dir(PEERS).env("PYTHONUNBUFFERED", "1").env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}

/// A process that is killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Result<Self, Error> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
        Ok(Self { child, input, output })
    }

    pub(crate) async fn line(&mut self) -> Result<String, Error> {
        soon(self.output.next_line()).await??.ok_or_else(|| "the process has ended".into())
    }

    pub(crate) async fn write(&mut self, line: &str) -> Result<(), Error> {
        let input = self.input.as_mut().ok_or("the input is closed")?;
        Ok(input.write_all(format!("{line}\n").as_bytes()).await?)
    }

    /// Closes the input, and waits until the process ends.
    pub(crate) async fn end(mut self) -> Result<ExitStatus, Error> {
        self.input = None;
        soon(async {
            while self.output.next_line().await?.is_some() {}
            Ok::<_, Error>(())
        })
        .await??;
        Ok(soon(self.child.wait()).await??)
    }
}
