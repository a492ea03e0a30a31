//! Tests that pyzmq (`zmq.auth`) reads key files that sansmq has written, and that sansmq reads key files that pyzmq
//! has written.

use super::{Outcome, Python, within};
use sansmq_os::keys::{read_certificate, read_public_keys, write_certificates};
use sansmq_proto::security::curve::{Certificate, KeyPair};
use sansmq_tests::TempDir;

#[tokio::test]
async fn certificates_are_read_in_both_directions() -> Outcome {
    let dir = TempDir::new();
    let directory = dir.directory().to_str().expect("a UTF-8 path");
    let ours = Certificate::from(KeyPair::random()).with_metadata("name", "Ann O'Neil")?;
    write_certificates(directory, "ours", &ours)?;
    within(async {
        let mut python = Python::start("certificates.py", &[directory]);
        for name in ["ours.key", "ours.key_secret", "python.key", "python.key_secret"] {
            let certificate = read_certificate(dir.directory().join(name))?;
            let mut line = format!("{directory}/{name} {}", certificate.public());
            assert_eq!(certificate.key_pair().is_some(), name.ends_with("_secret"), "{name}");
            if let Some(pair) = certificate.key_pair() {
                line = format!("{line} {}", *pair.secret().to_z85());
            }
            assert_eq!(python.read_line().await, line);
        }
        let mut known: Vec<_> = read_public_keys(directory)?.iter().map(ToString::to_string).collect();
        known.sort();
        assert_eq!(known.len(), 2);
        assert_eq!(python.read_line().await, format!("known {}", known.join(" ")));
        let secret = read_certificate(dir.directory().join("python.key_secret"))?;
        assert!(secret.metadata().eq([("name", "Monty O'Python"), ("mail", "monty@example.org")]));
        Ok(())
    })
    .await
}
