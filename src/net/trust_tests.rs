#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::net::tests::pki::Pki;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(SystemTime::now().duration_since(UNIX_EPOCH).unwrap())
}

fn verify(trust: &Trust, chain: &[CertificateDer<'static>]) -> Result<(), CertificateError> {
    let name = ServerName::try_from("good.test").unwrap();
    match trust.verify_server_cert(&chain[0], &chain[1..], &name, &[], now()) {
        Ok(_) => Ok(()),
        Err(Error::InvalidCertificate(wrong)) => Err(wrong),
        Err(error) => panic!("{error}"),
    }
}

fn pin_of(certificate: &CertificateDer<'_>) -> [u8; 32] {
    let parsed = ParsedCertificate::try_from(certificate).unwrap();
    ring::digest::digest(&ring::digest::SHA256, parsed.subject_public_key_info().as_ref()).as_ref().try_into().unwrap()
}

/// Trust in `ca` and in nothing else, with these pins.
fn only(ca: &Pki, pins: &[[u8; 32]]) -> Trust {
    let options = TlsOptions { only_ca: Some(vec![ca.ca()]), pins: pins.to_vec(), ..TlsOptions::default() };
    Trust::new(&options).unwrap()
}

fn is_mismatch(result: Result<(), CertificateError>) -> bool {
    matches!(result, Err(CertificateError::Other(other)) if other.0.is::<PinMismatch>())
}

#[test]
fn a_pin_of_the_leaf_or_of_the_anchor_is_enough() {
    let ca = Pki::new();
    let (leaf, _) = ca.issue(&["good.test"]);
    let chain = [leaf.clone()];
    assert_eq!(verify(&only(&ca, &[]), &chain), Ok(()));
    assert_eq!(verify(&only(&ca, &[pin_of(&leaf)]), &chain), Ok(()));
    assert_eq!(verify(&only(&ca, &[pin_of(&ca.ca())]), &chain), Ok(()), "the server did not send the anchor");
    assert_eq!(verify(&only(&ca, &[[7; 32], pin_of(&leaf)]), &chain), Ok(()), "one of the pins is enough");
    assert!(is_mismatch(verify(&only(&ca, &[[7; 32]]), &chain)));
}

#[test]
fn a_pinned_certificate_beside_the_chain_proves_nothing() {
    let (ca, pinned) = (Pki::new(), Pki::new());
    let (leaf, _) = ca.issue(&["good.test"]);
    let trust = only(&ca, &[pin_of(&pinned.ca())]);
    assert!(is_mismatch(verify(&trust, &[leaf.clone(), pinned.ca()])));
    assert!(is_mismatch(verify(&trust, &[leaf.clone(), ca.ca(), pinned.ca()])));
    // Nor does it where the pinned authority is trusted, too: this leaf is not by it.
    let options = TlsOptions {
        only_ca: Some(vec![ca.ca(), pinned.ca()]),
        pins: vec![pin_of(&pinned.ca())],
        ..TlsOptions::default()
    };
    let trust = Trust::new(&options).unwrap();
    assert!(is_mismatch(verify(&trust, &[leaf, pinned.ca()])));
    let (by_pinned, _) = pinned.issue(&["good.test"]);
    assert_eq!(verify(&trust, &[by_pinned]), Ok(()));
}

#[test]
fn a_pin_never_replaces_verification() {
    let (ca, stranger) = (Pki::new(), Pki::new());
    let (leaf, _) = stranger.issue(&["good.test"]);
    let trust = only(&ca, &[pin_of(&leaf), pin_of(&stranger.ca())]);
    assert_eq!(verify(&trust, &[leaf, stranger.ca()]), Err(CertificateError::UnknownIssuer));
    let (wrong, _) = ca.issue(&["wrong.test"]);
    let trust = only(&ca, &[pin_of(&wrong)]);
    assert!(matches!(verify(&trust, &[wrong]), Err(CertificateError::NotValidForNameContext { .. })));
}

#[test]
fn extra_anchors_count_beside_the_platforms_and_beside_the_only_ones() {
    let (a, b, stranger) = (Pki::new(), Pki::new(), Pki::new());
    let options = TlsOptions { only_ca: Some(vec![a.ca()]), extra_ca: vec![b.ca()], ..TlsOptions::default() };
    let trust = Trust::new(&options).unwrap();
    for (ca, good) in [(&a, true), (&b, true), (&stranger, false)] {
        assert_eq!(verify(&trust, &[ca.issue(&["good.test"]).0]).is_ok(), good);
    }
    // Two sources, as with a platform's: what the one that knows the issuer says is what counts.
    let source = |ca: &Pki| {
        let mut anchors = RootCertStore::empty();
        anchors.add(ca.ca()).unwrap();
        Source::of(Arc::new(anchors)).unwrap()
    };
    for sources in [vec![source(&a), source(&b)], vec![source(&b), source(&a)]] {
        let trust = Trust { sources, pins: Vec::new() };
        assert_eq!(verify(&trust, &[a.issue(&["good.test"]).0]), Ok(()));
        assert_eq!(verify(&trust, &[stranger.issue(&["good.test"]).0]), Err(CertificateError::UnknownIssuer));
        let (wrong, _) = a.issue(&["wrong.test"]);
        assert!(matches!(verify(&trust, &[wrong]), Err(CertificateError::NotValidForNameContext { .. })));
    }
}

#[test]
fn anchors_keys_are_pinned_in_full() {
    // A key of each length of DER's length: P-256, and one that makes it longer.
    let ca = Pki::new();
    let mut store = RootCertStore::empty();
    store.add(ca.ca()).unwrap();
    let whole = ParsedCertificate::try_from(&ca.ca()).unwrap().subject_public_key_info().as_ref().to_vec();
    assert_eq!(spki(&store.roots[0]), whole);
    for length in [0, 0x7f, 0x80, 0xff, 0x100, 0x1234] {
        let mut anchor = store.roots[0].to_owned();
        anchor.subject_public_key_info = vec![5; length].into();
        let der = spki(&anchor);
        let header: &[u8] = match length {
            0 => &[0x30, 0],
            0x7f => &[0x30, 0x7f],
            0x80 => &[0x30, 0x81, 0x80],
            0xff => &[0x30, 0x81, 0xff],
            0x100 => &[0x30, 0x82, 1, 0],
            _ => &[0x30, 0x82, 0x12, 0x34],
        };
        assert_eq!(der, [header, &vec![5; length]].concat());
    }
}

/// A directory that is gone when the test is.
struct Directory(std::path::PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        let path = std::env::temp_dir().join(format!("eventsource-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    fn file(&self, name: &str, content: &str) {
        std::fs::write(self.0.join(name), content).unwrap();
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn androids_directories_are_read_as_any_directory() {
    let (a, b, old) = (Pki::new(), Pki::new(), Pki::new());
    let (apex, system) = (Directory::new("apex"), Directory::new("system"));
    // As they lie there: the PEM, and often the certificate in words behind it.
    apex.file("01419da9.0", &format!("{}Certificate:\n    Data:\n        Version: 3\n", a.pem()));
    apex.file("04f60c28.0", &b.pem());
    apex.file("broken.0", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    system.file("01419da9.0", &old.pem());
    let directories = [apex.0.as_path(), system.0.as_path()];
    let anchors = gather(anchors_in(&directories)).unwrap();
    assert_eq!(anchors.len(), 2, "those of the first directory");
    let trust = Trust { sources: vec![Source::of(Arc::new(anchors)).unwrap()], pins: Vec::new() };
    assert_eq!(verify(&trust, &[a.issue(&["good.test"]).0]), Ok(()));
    assert_eq!(verify(&trust, &[b.issue(&["good.test"]).0]), Ok(()));
    assert_eq!(verify(&trust, &[old.issue(&["good.test"]).0]), Err(CertificateError::UnknownIssuer));

    // Before Android 14 there is no first directory.
    let anchors = gather(anchors_in(&[Path::new("/nowhere/at/all"), &system.0])).unwrap();
    assert_eq!(anchors.len(), 1);
}

#[test]
fn an_empty_or_missing_store_says_what_to_do() {
    let empty = Directory::new("empty");
    empty.file("readme", "no certificate");
    for directory in [&empty.0, Path::new("/nowhere/at/all")] {
        let failure = gather(anchors_in(&[directory])).unwrap_err();
        assert_eq!(failure.kind, ErrorKind::Tls);
        assert!(failure.message.starts_with("this system has no trusted certificates"), "{}", failure.message);
        assert!(failure.message.contains("only_ca_pem"), "{}", failure.message);
    }
}

#[test]
fn an_anchor_that_cannot_be_read_is_a_failure() {
    let options = TlsOptions { only_ca: Some(vec![vec![1, 2, 3].into()]), ..TlsOptions::default() };
    let Err(failure) = Trust::new(&options) else { panic!("accepted") };
    assert_eq!(failure.kind, ErrorKind::Tls);
    // None at all trusts nobody.
    let options = TlsOptions { only_ca: Some(Vec::new()), ..TlsOptions::default() };
    assert!(Trust::new(&options).is_err());
}
