//! Files of keys: `zmq.auth` reads ours, and we read what it writes.

use super::{Outcome, Python, within};
use sansmq_os::keys::{read_certificate, read_public_keys, write_certificates};
use sansmq_proto::security::curve::{Certificate, KeyPair};
use sansmq_tests::TempDir;

#[tokio::test]
async fn python_reads_our_certificates_and_we_read_pythons() -> Outcome {
    let place = TempDir::new();
    let directory = place.directory().to_str().expect("a path of UTF-8");
    let ours = Certificate::from(KeyPair::random()).with_metadata("name", "Ann O'Neil")?;
    write_certificates(directory, "ours", &ours)?;
    within(async {
        let mut python = Python::start("certificates.py", &[directory]);
        for name in ["ours.key", "ours.key_secret", "python.key", "python.key_secret"] {
            let certificate = read_certificate(place.directory().join(name))?;
            let mut line = format!("{directory}/{name} {}", certificate.public());
            assert_eq!(certificate.key_pair().is_some(), name.ends_with("_secret"), "{name}");
            if let Some(pair) = certificate.key_pair() {
                line = format!("{line} {}", *pair.secret().to_z85());
            }
            assert_eq!(python.line().await, line);
        }
        let mut known: Vec<_> = read_public_keys(directory)?.iter().map(ToString::to_string).collect();
        known.sort();
        assert_eq!(known.len(), 2);
        assert_eq!(python.line().await, format!("known {}", known.join(" ")));
        let secret = read_certificate(place.directory().join("python.key_secret"))?;
        assert!(secret.metadata().eq([("name", "Monty O'Python"), ("mail", "monty@example.org")]));
        Ok(())
    })
    .await
}
