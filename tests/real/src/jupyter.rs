//! A client for Jupyter kernels: the messaging protocol 5.4 over the five sockets of a kernel, optionally encrypted with CURVE.
//!
//! Each message has the frames `[…, "<IDS|MSG>", signature, header, parent header, metadata, content]`. The signature is an
//! HMAC with the key of the connection file.

use crate::Error;
use hmac::{Hmac, KeyInit, Mac};
use sansmq::curve::{KeyPair, PublicKey, SecretKey};
use sansmq::kind::Zmtp;
use sansmq::tokio::{DealerSocket, ReqSocket, SubSocket};
use sansmq::{Message, Options, Security};
use serde_json::{Value, json};
use sha2::Sha256;
use std::fmt::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

const DELIMITER: &[u8] = b"<IDS|MSG>";

/// Contents of the connection file that a kernel and its clients share.
#[derive(Debug)]
pub struct ConnectionFile(Value);

impl ConnectionFile {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Ok(Self(serde_json::from_slice(&std::fs::read(path)?)?))
    }

    /// Returns true if the kernel encrypts with CURVE.
    pub fn is_encrypted(&self) -> bool {
        self.0["curve_publickey"].is_string()
    }

    fn text(&self, name: &str) -> Result<&str, Error> {
        self.0[name].as_str().ok_or_else(|| format!("the connection file has no text {name:?}").into())
    }

    fn endpoint(&self, channel: &str) -> Result<String, Error> {
        let port = self.0[channel].as_u64().ok_or_else(|| format!("the connection file has no port {channel:?}"))?;
        Ok(format!("{}://{}:{port}", self.text("transport")?, self.text("ip")?))
    }

    /// Returns options with the keys of the file, if the kernel encrypts. `jupyter_client` too uses the pair of the kernel as the
    /// pair of the client: possession of the file is the authentication.
    fn options<T: Zmtp>(&self, options: Options<T>) -> Result<Options<T>, Error> {
        if !self.is_encrypted() {
            return Ok(options);
        }
        let own: SecretKey = self.text("curve_secretkey")?.parse()?;
        let server: PublicKey = self.text("curve_publickey")?.parse()?;
        Ok(options.security(Security::curve_client(KeyPair::from(own), server)?))
    }
}

/// An event of running code, passed to the caller of [`Client::execute`].
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// Text that the code wrote.
    Stream {
        /// `stdout` or `stderr`.
        name: String,
        /// The text, not always whole lines.
        text: String,
    },
    /// Value of the last expression, as text.
    Result(String),
    /// The code waits for input. The answer is [`Action::Answer`].
    Prompt(String),
}

/// Decision of the caller after an [`Event`].
#[derive(Debug)]
pub enum Action {
    /// Nothing.
    Continue,
    /// Sends input to the code.
    Answer(String),
    /// Interrupts the code.
    Interrupt,
}

/// Connections to the five sockets of a kernel.
#[derive(Debug)]
pub struct Client {
    session: String,
    key: Vec<u8>,
    number: AtomicU64,
    shell: DealerSocket,
    control: DealerSocket,
    stdin: DealerSocket,
    iopub: SubSocket,
    heartbeat: ReqSocket,
}

impl Client {
    /// Connects to all sockets, and waits until the kernel publishes to this client.
    pub async fn connect(file: &ConnectionFile) -> Result<Self, Error> {
        let session = format!("sansmq-{}", std::process::id());
        // The kernel sends a prompt to the routing id from which the request came, so shell and stdin have the same.
        let dealer = |channel| -> Result<DealerSocket, Error> {
            let socket = DealerSocket::with_options(file.options(Options::new().routing_id(session.clone())?)?);
            socket.connect(file.endpoint(channel)?)?;
            Ok(socket)
        };
        let (shell, control, stdin) = (dealer("shell_port")?, dealer("control_port")?, dealer("stdin_port")?);
        let iopub = SubSocket::with_options(file.options(Options::new())?);
        iopub.subscribe("")?;
        iopub.connect(file.endpoint("iopub_port")?)?;
        let heartbeat = ReqSocket::with_options(file.options(Options::new())?);
        heartbeat.connect(file.endpoint("hb_port")?)?;

        let key = file.text("key")?.as_bytes().to_vec();
        let client = Self { session, key, number: AtomicU64::new(0), shell, control, stdin, iopub, heartbeat };
        // The socket of the kernel is an XPUB: it publishes this message for each new subscription.
        while client.receive(&client.iopub.recv().await?)?.kind() != "iopub_welcome" {}
        Ok(client)
    }

    /// Asks for the language and the versions of the kernel.
    pub async fn kernel_info(&self) -> Result<Value, Error> {
        self.request(&self.shell, "kernel_info_request", json!({})).await
    }

    /// Sends a message to the heartbeat socket, which returns it.
    pub async fn heartbeat(&self) -> Result<(), Error> {
        self.heartbeat.send("ping").await?;
        let reply = self.heartbeat.recv().await?;
        if reply.body() == "ping" { Ok(()) } else { Err(format!("the kernel changed the heartbeat: {reply:?}").into()) }
    }

    /// Runs code until the kernel is idle again, and passes its events to `on_event`. Returns the content of the reply: its
    /// `status` is `ok` or `error`.
    pub async fn execute(&self, code: &str, mut on_event: impl FnMut(Event) -> Action) -> Result<Value, Error> {
        let content = json!({ "code": code, "silent": false, "store_history": true, "allow_stdin": true });
        let id = self.send(&self.shell, "execute_request", &Value::Null, &content).await?;
        let (mut reply, mut idle) = (None, false);
        loop {
            // Dropped futures have received no message.
            let message = tokio::select! {
                message = self.iopub.recv() => message?,
                message = self.shell.recv() => message?,
                message = self.stdin.recv() => message?,
            };
            let message = self.receive(&message)?;
            if message.parent["msg_id"] != id.as_str() {
                continue; // of another client
            }
            let content = &message.content;
            let event = match message.kind() {
                "stream" => Event::Stream { name: text(&content["name"]), text: text(&content["text"]) },
                "execute_result" => Event::Result(text(&content["data"]["text/plain"])),
                "input_request" => Event::Prompt(text(&content["prompt"])),
                kind => {
                    idle |= kind == "status" && content["execution_state"] == "idle";
                    if kind == "execute_reply" {
                        reply = Some(message.content);
                    }
                    match reply.take_if(|_| idle) {
                        Some(reply) => return Ok(reply),
                        None => continue,
                    }
                }
            };
            match on_event(event) {
                Action::Continue => {}
                Action::Answer(value) => {
                    self.send(&self.stdin, "input_reply", &message.header, &json!({ "value": value })).await?;
                }
                Action::Interrupt => self.interrupt().await?,
            }
        }
    }

    /// Interrupts running code: it ends with a `KeyboardInterrupt` in Python.
    pub async fn interrupt(&self) -> Result<(), Error> {
        self.request(&self.control, "interrupt_request", json!({})).await.map(drop)
    }

    /// Ends the kernel, and closes the sockets.
    pub async fn shutdown(self) -> Result<(), Error> {
        self.request(&self.control, "shutdown_request", json!({ "restart": false })).await?;
        tokio::join!(
            self.shell.close(),
            self.control.close(),
            self.stdin.close(),
            self.iopub.close(),
            self.heartbeat.close()
        );
        Ok(())
    }

    /// Sends a request, and returns the content of its reply.
    async fn request(&self, socket: &DealerSocket, kind: &str, content: Value) -> Result<Value, Error> {
        let id = self.send(socket, kind, &Value::Null, &content).await?;
        loop {
            let reply = self.receive(&socket.recv().await?)?;
            if reply.parent["msg_id"] == id.as_str() {
                let content = reply.content;
                return if content["status"] == "ok" { Ok(content) } else { Err(format!("{kind}: {content}").into()) };
            }
        }
    }

    /// Sends a message, and returns its id.
    async fn send(&self, socket: &DealerSocket, kind: &str, parent: &Value, content: &Value) -> Result<String, Error> {
        let id = format!("{}-{}", self.session, self.number.fetch_add(1, Ordering::Relaxed));
        let header = json!({
            "msg_id": id, "session": self.session, "username": "sansmq", "date": "2026-01-01T00:00:00Z",
            "msg_type": kind, "version": "5.4",
        });
        let parent = if parent.is_null() { &json!({}) } else { parent };
        let parts = [header.to_string(), parent.to_string(), "{}".into(), content.to_string()];
        let mut signature = String::new();
        for byte in self.hmac(parts.iter().map(String::as_bytes))?.finalize().into_bytes() {
            write!(signature, "{byte:02x}")?;
        }
        let mut message = Message::from((DELIMITER, signature));
        message.extend(parts);
        socket.send(message).await?;
        Ok(id)
    }

    /// Checks the signature of a message, and parses it.
    fn receive(&self, message: &Message) -> Result<Received, Error> {
        // A message of iopub begins with its topic.
        let mut frames = message.iter().skip_while(|frame| *frame != DELIMITER).skip(1);
        let signature = frames.next().ok_or_else(|| format!("a message without a signature: {message:?}"))?;
        let parts: Vec<&[u8]> = frames.take(4).map(AsRef::as_ref).collect();
        let [header, parent, _, content] = parts[..] else {
            return Err(format!("a message without header, parent, metadata and content: {message:?}").into());
        };
        self.hmac(parts.iter().copied())?.verify_slice(&from_hex(signature)?)?;
        Ok(Received {
            header: serde_json::from_slice(header)?,
            parent: serde_json::from_slice(parent)?,
            content: serde_json::from_slice(content)?,
        })
    }

    fn hmac<'a>(&self, parts: impl Iterator<Item = &'a [u8]>) -> Result<Hmac<Sha256>, Error> {
        let mut hmac = Hmac::new_from_slice(&self.key)?;
        parts.for_each(|part| hmac.update(part));
        Ok(hmac)
    }
}

/// A message with a valid signature.
struct Received {
    header: Value,
    parent: Value,
    content: Value,
}

impl Received {
    fn kind(&self) -> &str {
        self.header["msg_type"].as_str().unwrap_or_default()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn from_hex(digits: &[u8]) -> Result<Vec<u8>, Error> {
    let digits = std::str::from_utf8(digits)?;
    digits.as_bytes().chunks(2).map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?)).collect()
}
