use super::*;
use sansmq_proto::security::curve::KeyPair;
use std::io::ErrorKind;
use std::time::Duration;

/// Temporary directory of one test, removed with its content when dropped.
struct TempFolder(PathBuf);

impl TempFolder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sansmq-keys-{test}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn files(&self) -> usize {
        fs::read_dir(&self.0).unwrap().count()
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn written_certificates_are_read_back() {
    let temp = TempFolder::new("read");
    let certificate = Certificate::from(KeyPair::random()).with_metadata("name", "Ann").unwrap();
    write_certificates(&temp.0, "ann", &certificate).unwrap();
    assert_eq!(read_certificate(temp.file("ann.key_secret")).unwrap(), certificate);
    let public = read_certificate(temp.file("ann.key")).unwrap();
    assert_eq!((public.public(), public.key_pair()), (certificate.public(), None));
}

#[cfg(unix)]
#[test]
fn secret_file_is_readable_by_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let temp = TempFolder::new("mode");
    write_certificates(&temp.0, "ann", &KeyPair::random().into()).unwrap();
    let mode = |name| fs::metadata(temp.file(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("ann.key_secret"), 0o600);
    assert_eq!(mode("ann.key") & 0o600, 0o600);
}

#[test]
fn write_replaces_no_key_and_leaves_no_half_pair() {
    let temp = TempFolder::new("replace");
    for taken in ["ann.key", "ann.key_secret"] {
        fs::write(temp.file(taken), "precious").unwrap();
        let failure = write_certificates(&temp.0, "ann", &KeyPair::random().into()).unwrap_err();
        assert_eq!(failure.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(temp.file(taken)).unwrap(), "precious");
        assert_eq!(temp.files(), 1, "no file was added to {taken}");
        fs::remove_file(temp.file(taken)).unwrap();
    }
}

#[test]
fn public_certificate_is_one_file() {
    let temp = TempFolder::new("public");
    write_certificates(&temp.0, "ann", &(*KeyPair::random().public()).into()).unwrap();
    assert_eq!(temp.files(), 1);
    assert!(read_certificate(temp.file("ann.key")).is_ok());
}

#[test]
fn read_public_keys_returns_keys_of_all_key_files() {
    let temp = TempFolder::new("known");
    let pairs = [(); 3].map(|()| KeyPair::random());
    for (number, pair) in pairs.iter().enumerate() {
        write_certificates(&temp.0, &number.to_string(), &pair.clone().into()).unwrap();
    }
    fs::write(temp.file("README"), "not a key").unwrap();
    fs::remove_file(temp.file("1.key")).unwrap();
    assert_eq!(read_public_keys(&temp.0).unwrap(), BTreeSet::from([*pairs[0].public(), *pairs[2].public()]));
}

#[test]
fn read_errors_name_the_path_and_the_cause() {
    let temp = TempFolder::new("named");
    let absent = temp.file("absent.key");
    let text = read_certificate(&absent).unwrap_err().to_string();
    assert!(text.starts_with(&format!("cannot read {}: ", absent.display())) && text.contains("os error"), "{text}");
    match read_certificate(&absent) {
        Err(ReadError::Io { path, source }) => assert_eq!((path, source.kind()), (absent.clone(), ErrorKind::NotFound)),
        other => panic!("{other:?}"),
    }
    assert!(matches!(read_public_keys(&absent), Err(ReadError::Io { path, .. }) if path == absent));
    let wrong = temp.file("wrong.key");
    fs::write(&wrong, "metadata\n").unwrap();
    let text = read_certificate(&wrong).unwrap_err().to_string();
    assert!(text.ends_with(&format!("not a valid certificate: {}", CertificateError::NoPublicKey)), "{text}");
    for failure in [read_certificate(&wrong).map(drop), read_public_keys(&temp.0).map(drop)] {
        assert!(
            matches!(failure, Err(ReadError::Certificate { path, source: CertificateError::NoPublicKey }) if path == wrong)
        );
    }
}

/// Tests [`KeyFolder::contains`] after each change of the directory. With an interval of zero, each call checks for
/// changes.
#[test]
fn folder_follows_added_and_removed_files() {
    let temp = TempFolder::new("folder");
    let [ann, bob] = [(); 2].map(|()| KeyPair::random());
    write_certificates(&temp.0, "ann", &ann.clone().into()).unwrap();
    let folder = KeyFolder::open(&temp.0, Duration::ZERO).unwrap();
    let known = || [&ann, &bob].map(|pair| folder.contains(pair.public()));
    assert_eq!(known(), [true, false]);
    write_certificates(&temp.0, "bob", &bob.clone().into()).unwrap();
    assert_eq!(known(), [true, true]);
    fs::remove_file(temp.file("ann.key")).unwrap();
    assert_eq!(known(), [false, true], "the secret file does not count");
    fs::write(temp.file("bob.key"), "no certificate").unwrap();
    assert_eq!(known(), [false, false]);
    fs::remove_file(temp.file("bob.key")).unwrap();
    let public = Certificate::from(bob.clone());
    fs::write(temp.file("robert.key"), public.public_text()).unwrap();
    assert_eq!(known(), [false, true]);
    fs::rename(&temp.0, temp.0.with_extension("gone")).unwrap();
    assert_eq!(known(), [false, false]);
    fs::rename(temp.0.with_extension("gone"), &temp.0).unwrap();
    assert_eq!(known(), [false, true]);
}

#[test]
fn folder_does_not_change_within_interval() {
    let temp = TempFolder::new("pause");
    let ann = KeyPair::random();
    write_certificates(&temp.0, "ann", &ann.clone().into()).unwrap();
    let folder = KeyFolder::open(&temp.0, Duration::MAX).unwrap();
    fs::remove_file(temp.file("ann.key")).unwrap();
    assert!(folder.contains(ann.public()));
}

#[test]
fn folder_open_fails_on_missing_or_invalid_files() {
    let temp = TempFolder::new("broken");
    assert!(matches!(KeyFolder::open(temp.file("nowhere"), Duration::ZERO), Err(ReadError::Io { .. })));
    fs::write(temp.file("ann.key"), "no certificate").unwrap();
    assert!(matches!(KeyFolder::open(&temp.0, Duration::ZERO), Err(ReadError::Certificate { .. })));
}
