//! PEM input good and bad. Certificates are made at test time; only an RSA key, which ring does not make, is fixed.
#![allow(clippy::unwrap_used, clippy::panic)]

use rcgen::{
    CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SignatureAlgorithm,
};

use super::*;

/// Made for these tests and used nowhere else.
const RSA_PKCS1: &str = "\
-----BEGIN RSA PRIVATE KEY-----
MIIEowIBAAKCAQEAzQBp2oIK8n9nu6Ch8gem5eEddj6gAzFfi/9s/XB+nWb33aBT
aOdv/x3o8IZWPeQ4MvQ7Q9MTDnzbWK5aOCI91SsScKjCgxU61+MLaghHWHdzo2f8
eNU6+hBFzDC4TSCvO2yvhR4UfjIhkr+rdYNzAcB/aKdPL1NU/II5zhBbyzWYOLAP
5x9w8t+p1V5t92yfx8z6JPW1uK56XlqaAIuna+ToEeIkOGd97TFTRsh2gnyJeDGy
l+V+bX3RXE3IuvQmkYerOSnfI1juy5Qzb9l54llD0wL67wk4Wn0OmBl/swV9885V
Gpjj06UZmvclhPS1C/XS9HCTrt/a3TdDh9q0sQIDAQABAoIBAAvPMZ80IpakSZYr
bhOCkVYTc8kIroXAkF/WOlxsiz6yByat7QrRWkhOBsnkUzou2CCcpSqxEXCiN1iS
eAFdJ5wMu9E1nOREPXw2SMVg7gs7Rl7BchqGiLvjDWzyhDYdOJBUddVV+EQ/dbj9
xaN4C7tWxYAtMzM8ulvu0eRRrkK0cc5QA02e2cERN5DZ5THp99r7z/VKqLNtpURS
fb4/FXzRV6vlaDf5IsGgk9xwCLX/9/o4RlGL1VfXV4uWawtsT8/G/SPgzk19l6cA
oIjBycRFu88rkVu56S1g3Mv6R3QsbsQ4KEX7u/O9ShL4K1YjFZ5knEYe+Tfu48bw
IvTPOgkCgYEA/jQn2ttZSi+5qe51TzEJLghegcwZPrZERADW1Nw64Dgqdi5A9FR1
uVa5L9hAn6pC/9m9IT4+R6QjxUiO1jVIw6zf6SjqFGjfVeqgs4b+Yj6liNVojTpQ
XMjpWCUHEOifzR4J4kJQRFIbOEqyLfn2Q23/7OwtX588kStcUPEUYeMCgYEAznNA
zufqW7+8w1JbIDwGeMfRLkU+ya9No/I2dsAVZVadtME+z8ek6fdj68KHq8LjA+7Q
Y6jMUBQe6hwcholUXzm5MMI6T0v0QNKlr9L/5kVNG5/X9oBJrkaIZj4nT6iLvEXn
xB1+Pc6TS6pB6t1UiDXKgEUR7b/6X60o47KEw1sCgYAThpoRG4wuQKA4R1LHdHLK
EGaB/dVqlcGEn7PgwdHb6zSHw2HF4r7wL5Ml86xzFzbyRB1c8lUCV79PphUiqxEd
xqekVzozuyJ8jPsvDw13Kmy4p/vR7UrC9cPGu4FhcRzlOotzz7gup0fj+QjaszqR
T1+7KSELGUYjuHrs1LfGFQKBgQCaeRhb+KGd5viJuXyfwOoiw3hcQ8m4RSg17M0d
y5n2ynmUPygNdleKDObCCDtVpKwSTEW23B2MKZH8H+6kJ+tumRVdS2cv4CgxvKvm
xF1fYilQ6yg/tDvtX689uXHWo8lypWfGkT7dZk1GR22tG9DdXkpX8dZ5a7Uek8VN
oky+kwKBgEqNb1lQTUwDnb717GhGUudc61+SQbvymUl0uUtVl5A8N3cK/UfJaNe7
2ljPJ3rOKOJrXuFlnB7DMUSdYGDCLQJmBBrTg/kBHtK7D9/S2R77UD6FLWLEiSqL
CXwJE90vFncEuVD+Ha5REoaL23cUNxF4w0ahkbJQXvEWp7LpRLdq
-----END RSA PRIVATE KEY-----
";

fn key(algorithm: &'static SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(algorithm).unwrap()
}

fn certificate(key: &KeyPair) -> String {
    CertificateParams::new(vec!["client.example".to_owned()]).unwrap().self_signed(key).unwrap().pem()
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", base64::encode(der))
}

/// PKCS#8 around a PKCS#1 RSA key: version 0, rsaEncryption, the key as an octet string.
fn rsa_pkcs8() -> Vec<u8> {
    let PrivateKeyDer::Pkcs1(key) = PrivateKeyDer::from_pem_slice(RSA_PKCS1.as_bytes()).unwrap() else { panic!() };
    let inner = key.secret_pkcs1_der();
    let long = |tag: u8, len: usize| vec![tag, 0x82, (len >> 8) as u8, len as u8];
    let head = b"\x02\x01\x00\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
    let octets = [long(4, inner.len()), inner.to_vec()].concat();
    [long(0x30, head.len() + octets.len()), head.to_vec(), octets].concat()
}

/// The SEC1 key inside of PKCS#8, found by its version 1 and the length of its number.
fn sec1(pkcs8: &[u8], number: u8) -> Vec<u8> {
    let at = memchr::memmem::find(pkcs8, &[2, 1, 1, 4, number]).unwrap();
    let long = pkcs8[at - 2] == 0x81;
    pkcs8[at - if long { 3 } else { 2 }..].to_vec()
}

fn refused(pem: &str) -> String {
    match identity(pem.as_bytes()) {
        Err(ConfigError::Certificate(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn bundles_give_every_certificate_in_order() {
    let pems: Vec<String> =
        [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519].map(|alg| certificate(&key(alg))).to_vec();
    let bundle = format!("# roots\r\n{}\nsubject=x\n{}{}", pems[0], pems[1].replace('\n', "\r\n"), pems[2].trim_end());
    let want: Vec<_> = pems.iter().map(|pem| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).collect();
    assert_eq!(certificates(bundle.as_bytes()).unwrap(), want);
    // A key in the bundle is none of this function's business.
    let with_key = format!("{}{}", key(&PKCS_ED25519).serialize_pem(), pems[0]);
    assert_eq!(certificates(with_key.as_bytes()).unwrap(), want[..1]);
}

#[test]
fn bundles_say_what_is_wrong_with_them() {
    let good = certificate(&key(&PKCS_ED25519));
    let table = [
        ("".to_owned(), "there is no certificate"),
        ("garbage\0\u{ff}".to_owned(), "there is no certificate"),
        (key(&PKCS_ED25519).serialize_pem(), "there is no certificate"),
        (pem("CERTIFICATE", b"garbage"), "certificate 1 of the PEM text cannot be read"),
        (format!("{good}{}", pem("CERTIFICATE", b"")), "certificate 2 of the PEM text cannot be read"),
        (good.replace("-----END CERTIFICATE-----", ""), "no END line"),
        (good.replace("MII", "M!I"), "not base64"),
        (good.replace("BEGIN CERTIFICATE-----", "BEGIN CERTIFICATE---"), "damaged"),
    ];
    for (text, why) in table {
        let got = certificates(text.as_bytes()).unwrap_err().to_string();
        assert!(got.contains(why), "{text}: {got}");
    }
}

#[test]
fn identities_with_every_kind_of_key() {
    let (p256, p384) = (key(&PKCS_ECDSA_P256_SHA256), key(&PKCS_ECDSA_P384_SHA384));
    let (ed25519, rsa) = (key(&PKCS_ED25519), KeyPair::try_from(rsa_pkcs8()).unwrap());
    let table = [
        (&p256, p256.serialize_pem()),
        (&p384, p384.serialize_pem()),
        (&ed25519, ed25519.serialize_pem()),
        (&rsa, pem("PRIVATE KEY", &rsa_pkcs8())),
        (&rsa, RSA_PKCS1.to_owned()),
        (&p256, pem("EC PRIVATE KEY", &sec1(p256.serialized_der(), 32))),
        (&p384, pem("EC PRIVATE KEY", &sec1(p384.serialized_der(), 48))),
        // As `openssl ecparam -genkey` writes it.
        (&p256, pem("EC PARAMETERS", b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07") + &p256.serialize_pem()),
    ];
    for (key, key_pem) in table {
        let issuer = certificate(&p384);
        let own = certificate(key);
        let chain = [&own, &issuer].map(|pem| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap());
        for text in [[&own, &*issuer, &key_pem], [&key_pem, &own, &issuer], [&own, &key_pem, &issuer]] {
            let found = identity(text.concat().as_bytes()).unwrap_or_else(|why| panic!("{why}: {text:?}"));
            assert_eq!(found.chain, chain);
            assert_eq!(found.key, PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).unwrap());
        }
    }
}

#[test]
fn identities_say_what_is_wrong_with_them() {
    let (p256, other) = (key(&PKCS_ECDSA_P256_SHA256), key(&PKCS_ECDSA_P256_SHA256));
    let (own, own_key, other_key) = (certificate(&p256), p256.serialize_pem(), other.serialize_pem());
    let table = [
        ("".to_owned(), "no private key"),
        ("garbage".to_owned(), "no private key"),
        (own.clone(), "no private key"),
        (own_key.clone(), "no certificate"),
        (format!("{own}{own_key}{own_key}"), "more than one private key"),
        (format!("{own}{own_key}{other_key}"), "more than one private key"),
        (format!("{own}{other_key}"), "does not belong"),
        (format!("{own}{RSA_PKCS1}"), "does not belong"),
        (format!("{own}{}", key(&PKCS_ED25519).serialize_pem()), "does not belong"),
        (format!("{}{own}{own_key}", certificate(&other)), "does not belong"),
        (format!("{own}{}", pem("PRIVATE KEY", b"garbage")), "cannot be used"),
        (format!("{own}{}", pem("EC PRIVATE KEY", b"garbage")), "cannot be used"),
        (format!("{own}{}", pem("RSA PRIVATE KEY", b"")), "cannot be used"),
        (format!("{}{own_key}", pem("CERTIFICATE", b"garbage")), "certificate 1 of the PEM text cannot be read"),
        (format!("{own}{}", own_key.replace('\n', " ")), "no END line"),
        (format!("{own}{}", pem("ENCRYPTED PRIVATE KEY", b"x")), "is encrypted"),
        (
            format!(
                "{own}-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"
            ),
            "is encrypted",
        ),
    ];
    for (text, why) in table {
        let got = refused(&text);
        assert!(got.contains(why), "{text}: {got}");
        let quoted = text.lines().any(|line| line.len() > 20 && got.contains(line));
        assert!(!quoted, "quotes its input: {got}");
    }
}

#[test]
fn pins_are_exactly_32_bytes_of_base64() {
    let text = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="; // of nothing
    let digest = pin(text).unwrap();
    assert_eq!((digest[0], digest[31]), (0xe3, 0x55));
    assert_eq!(pin(&format!("sha256/{text}")), Ok(digest));
    let table = [
        "",
        "sha256/",
        "sha1/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
        "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=",
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hS",
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=",
        " 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ];
    for text in table {
        assert!(matches!(pin(text), Err(ConfigError::Certificate(why)) if why.contains("44 characters")), "{text}");
    }
}

#[test]
fn debug_shows_no_key() {
    let p256 = key(&PKCS_ECDSA_P256_SHA256);
    let found = identity((certificate(&p256) + &p256.serialize_pem()).as_bytes()).unwrap();
    assert_eq!(format!("{found:?}"), "Identity(1 certificates)");
}
