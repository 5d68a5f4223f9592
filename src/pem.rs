//! Certificates and keys from PEM text, checked where the caller hands them in.

use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::pem::{Error, PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;

use crate::base64;
use crate::error::ConfigError;

/// What the client shows to a server that asks who it is.
pub(crate) struct Identity {
    /// The client's own certificate first.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({} certificates)", self.chain.len())
    }
}

/// All certificates of a PEM bundle, each fit to be a trust anchor. Text between them and other sections are passed over.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let mut found = Vec::new();
    for section in sections(pem)? {
        if let (SectionKind::Certificate, der) = section {
            let certificate = CertificateDer::from(der);
            let anchor = RootCertStore::empty().add(certificate.clone());
            anchor.map_err(|_| refuse(format!("certificate {} of the PEM text cannot be read", found.len() + 1)))?;
            found.push(certificate);
        }
    }
    if found.is_empty() { Err(refuse("there is no certificate in the PEM text")) } else { Ok(found) }
}

/// A chain, the client's own certificate first, and the one private key that belongs to it, in any order.
pub(crate) fn identity(pem: &[u8]) -> Result<Identity, ConfigError> {
    // First, since the lines that say so are not base64.
    if is_encrypted(pem) {
        return Err(refuse("the private key is encrypted: decrypt it before you hand it in"));
    }
    let (mut chain, mut keys) = (Vec::new(), Vec::new());
    for (kind, der) in sections(pem)? {
        match kind {
            SectionKind::Certificate => {
                let certificate = CertificateDer::from(der);
                if ParsedCertificate::try_from(&certificate).is_err() {
                    return Err(refuse(format!("certificate {} of the PEM text cannot be read", chain.len() + 1)));
                }
                chain.push(certificate);
            }
            kind => keys.extend(PrivateKeyDer::from_pem(kind, der)),
        }
    }
    let Some(key) = keys.pop() else {
        return Err(refuse("there is no private key in the PEM text"));
    };
    if !keys.is_empty() {
        return Err(refuse("there is more than one private key in the PEM text"));
    }
    if chain.is_empty() {
        return Err(refuse("there is no certificate in the PEM text"));
    }
    match CertifiedKey::from_der(chain.clone(), key.clone_key(), &ring::default_provider()) {
        Ok(_) => Ok(Identity { chain, key }),
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(refuse("the private key does not belong to the first certificate of the PEM text"))
        }
        Err(_) => Err(refuse("the private key cannot be used: RSA from 2048 bits, P-256, P-384 and Ed25519 can")),
    }
}

/// The SHA-256 of a public key, from base64 with or without `sha256/` in front.
pub(crate) fn pin(text: &str) -> Result<[u8; 32], ConfigError> {
    let digest = base64::decode(text.strip_prefix("sha256/").unwrap_or(text));
    digest.and_then(|digest| digest.try_into().ok()).ok_or_else(|| {
        refuse("a pin is the SHA-256 of a public key (SPKI) in base64: 44 characters, of which the last is '='")
    })
}

fn sections(pem: &[u8]) -> Result<Vec<(SectionKind, Vec<u8>)>, ConfigError> {
    // The parser's own words may quote a line of the key.
    <(SectionKind, Vec<u8>)>::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|error| {
        refuse(match error {
            Error::MissingSectionEnd { .. } => "a section of the PEM text has no END line",
            Error::Base64Decode(_) => "a section of the PEM text is not base64",
            _ => "the PEM text is damaged",
        })
    })
}

/// PKCS#8 says so in the section's name, OpenSSL's older form in a line of the section.
fn is_encrypted(pem: &[u8]) -> bool {
    let has = |words: &[u8]| memchr::memmem::find(pem, words).is_some();
    has(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") || has(b"Proc-Type: 4,ENCRYPTED")
}

fn refuse(why: impl Into<String>) -> ConfigError {
    ConfigError::Certificate(why.into())
}

#[cfg(test)]
#[path = "pem_tests.rs"]
mod tests;
