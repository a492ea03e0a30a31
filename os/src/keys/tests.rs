use super::*;
use sansmq_proto::security::curve::KeyPair;
use std::io::ErrorKind;
use std::time::Duration;

/// A directory of its own, removed at the end.
struct Place(PathBuf);

impl Place {
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

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn what_is_written_is_read() {
    let place = Place::new("read");
    let certificate = Certificate::from(KeyPair::random()).with_metadata("name", "Ann").unwrap();
    write_certificates(&place.0, "ann", &certificate).unwrap();
    assert_eq!(read_certificate(place.file("ann.key_secret")).unwrap(), certificate);
    let public = read_certificate(place.file("ann.key")).unwrap();
    assert_eq!((public.public(), public.key_pair()), (certificate.public(), None));
}

#[cfg(unix)]
#[test]
fn only_its_owner_may_read_a_secret() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new("mode");
    write_certificates(&place.0, "ann", &KeyPair::random().into()).unwrap();
    let mode = |name| fs::metadata(place.file(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("ann.key_secret"), 0o600);
    assert_eq!(mode("ann.key") & 0o600, 0o600);
}

#[test]
fn no_key_is_ever_replaced_nor_half_a_pair_left_behind() {
    let place = Place::new("replace");
    for taken in ["ann.key", "ann.key_secret"] {
        fs::write(place.file(taken), "precious").unwrap();
        let failure = write_certificates(&place.0, "ann", &KeyPair::random().into()).unwrap_err();
        assert_eq!(failure.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(place.file(taken)).unwrap(), "precious");
        assert_eq!(place.files(), 1, "beside {taken}");
        fs::remove_file(place.file(taken)).unwrap();
    }
}

#[test]
fn a_public_certificate_is_one_file() {
    let place = Place::new("public");
    write_certificates(&place.0, "ann", &(*KeyPair::random().public()).into()).unwrap();
    assert_eq!(place.files(), 1);
    assert!(read_certificate(place.file("ann.key")).is_ok());
}

#[test]
fn a_directory_of_certificates_is_those_who_are_known() {
    let place = Place::new("known");
    let pairs = [(); 3].map(|()| KeyPair::random());
    for (number, pair) in pairs.iter().enumerate() {
        write_certificates(&place.0, &number.to_string(), &pair.clone().into()).unwrap();
    }
    fs::write(place.file("README"), "not a key").unwrap();
    fs::remove_file(place.file("1.key")).unwrap();
    assert_eq!(read_public_keys(&place.0).unwrap(), BTreeSet::from([*pairs[0].public(), *pairs[2].public()]));
}

#[test]
fn what_cannot_be_read_is_named() {
    let place = Place::new("named");
    let absent = place.file("absent.key");
    match read_certificate(&absent) {
        Err(ReadError::Io { path, source }) => assert_eq!((path, source.kind()), (absent.clone(), ErrorKind::NotFound)),
        other => panic!("{other:?}"),
    }
    assert!(matches!(read_public_keys(&absent), Err(ReadError::Io { path, .. }) if path == absent));
    let wrong = place.file("wrong.key");
    fs::write(&wrong, "metadata\n").unwrap();
    for failure in [read_certificate(&wrong).map(drop), read_public_keys(&place.0).map(drop)] {
        assert!(
            matches!(failure, Err(ReadError::Certificate { path, source: CertificateError::NoPublicKey }) if path == wrong)
        );
    }
}

/// Each time it is asked, it looks.
#[test]
fn a_folder_follows_what_is_put_there_and_taken_away() {
    let place = Place::new("folder");
    let [ann, bob] = [(); 2].map(|()| KeyPair::random());
    write_certificates(&place.0, "ann", &ann.clone().into()).unwrap();
    let folder = KeyFolder::open(&place.0, Duration::ZERO).unwrap();
    let knows = || [&ann, &bob].map(|pair| folder.contains(pair.public()));
    assert_eq!(knows(), [true, false]);
    write_certificates(&place.0, "bob", &bob.clone().into()).unwrap();
    assert_eq!(knows(), [true, true]);
    fs::remove_file(place.file("ann.key")).unwrap();
    assert_eq!(knows(), [false, true], "the secret one says nothing");
    fs::write(place.file("bob.key"), "no certificate").unwrap();
    assert_eq!(knows(), [false, false]);
    fs::remove_file(place.file("bob.key")).unwrap();
    let public = Certificate::from(bob.clone());
    fs::write(place.file("robert.key"), public.public_text()).unwrap();
    assert_eq!(knows(), [false, true]);
    fs::rename(&place.0, place.0.with_extension("gone")).unwrap();
    assert_eq!(knows(), [false, false]);
    fs::rename(place.0.with_extension("gone"), &place.0).unwrap();
    assert_eq!(knows(), [false, true]);
}

#[test]
fn between_looks_a_folder_is_as_it_was() {
    let place = Place::new("pause");
    let ann = KeyPair::random();
    write_certificates(&place.0, "ann", &ann.clone().into()).unwrap();
    let folder = KeyFolder::open(&place.0, Duration::MAX).unwrap();
    fs::remove_file(place.file("ann.key")).unwrap();
    assert!(folder.contains(ann.public()));
}

#[test]
fn a_folder_that_is_not_there_or_has_a_broken_certificate_is_not_opened() {
    let place = Place::new("broken");
    assert!(matches!(KeyFolder::open(place.file("nowhere"), Duration::ZERO), Err(ReadError::Io { .. })));
    fs::write(place.file("ann.key"), "no certificate").unwrap();
    assert!(matches!(KeyFolder::open(&place.0, Duration::ZERO), Err(ReadError::Certificate { .. })));
}
