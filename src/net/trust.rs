//! Which server certificates are accepted: by the platform's anchors and one's own, and then by the pins.

use std::fmt;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};

use super::tls::provider;
use crate::config::TlsOptions;
use crate::error::{ErrorKind, Failure};

/// Every chain passes rustls's or the platform's own verifier first. Pins come on top and never instead.
pub(super) struct Trust {
    /// The caller's anchors, then the platform's. A chain that leads to any of them is good.
    sources: Vec<Source>,
    pins: Vec<[u8; 32]>,
}

struct Source {
    verifier: Arc<dyn ServerCertVerifier>,
    /// Empty where the platform keeps its anchors to itself.
    anchors: Arc<RootCertStore>,
}

impl Trust {
    pub(super) fn new(options: &TlsOptions) -> Result<Trust, Failure> {
        let mut sources = Vec::new();
        if options.only_ca.is_some() || !options.extra_ca.is_empty() {
            let mut anchors = RootCertStore::empty();
            for certificate in options.only_ca.iter().flatten().chain(&options.extra_ca) {
                anchors.add(certificate.clone()).map_err(|error| refused(&error.to_string()))?;
            }
            sources.push(Source::of(Arc::new(anchors))?);
        }
        if options.only_ca.is_none() {
            match platform() {
                Ok(source) => sources.push(source),
                // A private server is reached all the same on a device without any trust of its own.
                Err(failure) if !sources.is_empty() => log::warn!("{}", failure.message),
                Err(failure) => return Err(failure),
            }
        }
        Ok(Trust { sources, pins: options.pins.clone() })
    }

    /// Holds if the leaf's key is pinned; or another's from which a chain of valid signatures leads to the leaf. That
    /// such a certificate merely lies beside the chain proves nothing: anybody can append it.
    fn pinned(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<bool, Error> {
        if self.is_pinned(ParsedCertificate::try_from(leaf)?.subject_public_key_info().as_ref()) {
            return Ok(true);
        }
        let mut anchors = RootCertStore::empty();
        for other in others {
            // One that does not parse verifies nothing either.
            let Ok(parsed) = ParsedCertificate::try_from(other) else { continue };
            if self.is_pinned(parsed.subject_public_key_info().as_ref()) {
                let _ = anchors.add(other.clone().into_owned());
            }
        }
        // A server need not send the anchor itself.
        let known = self.sources.iter().flat_map(|source| &source.anchors.roots);
        anchors.roots.extend(known.filter(|anchor| self.is_pinned(&spki(anchor))).cloned());
        if anchors.is_empty() {
            return Ok(false);
        }
        let source = Source::of(Arc::new(anchors)).map_err(|failure| Error::General(failure.message))?;
        Ok(source.verifier.verify_server_cert(leaf, others, name, &[], now).is_ok())
    }

    fn is_pinned(&self, spki: &[u8]) -> bool {
        let digest = ring::digest::digest(&ring::digest::SHA256, spki);
        self.pins.iter().any(|pin| pin == digest.as_ref())
    }
}

impl Source {
    fn of(anchors: Arc<RootCertStore>) -> Result<Source, Failure> {
        let verifier = WebPkiServerVerifier::builder_with_provider(anchors.clone(), provider())
            .build()
            .map_err(|error| refused(&error.to_string()))?;
        Ok(Source { verifier, anchors })
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let mut result = Err(Error::InvalidCertificate(CertificateError::UnknownIssuer));
        for source in &self.sources {
            let next = source.verifier.verify_server_cert(leaf, others, name, ocsp, now);
            // Who does not know the issuer has the least to say about a certificate.
            if next.is_ok() || matches!(&result, Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))) {
                result = next;
            }
            if result.is_ok() {
                break;
            }
        }
        let verified = result?;
        if !self.pins.is_empty() && !self.pinned(leaf, others, name, now)? {
            let mismatch = OtherError(Arc::new(PinMismatch));
            return Err(Error::InvalidCertificate(CertificateError::Other(mismatch)));
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, leaf, signature, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, leaf, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trust")
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no pinned key in the chain")]
pub(super) struct PinMismatch;

/// An anchor keeps what stands inside of the SubjectPublicKeyInfo; pins are of the whole, so its DER header goes back on.
fn spki(anchor: &TrustAnchor<'_>) -> Vec<u8> {
    let inner = anchor.subject_public_key_info.as_ref();
    let mut der = vec![0x30]; // SEQUENCE
    match inner.len() {
        length @ 0..=0x7f => der.push(length as u8),
        length => {
            let bytes = length.to_be_bytes();
            let bytes = &bytes[bytes.iter().position(|byte| *byte != 0).unwrap_or(0)..];
            der.push(0x80 | bytes.len() as u8);
            der.extend_from_slice(bytes);
        }
    }
    der.extend_from_slice(inner);
    der
}

fn refused(why: &str) -> Failure {
    Failure::new(ErrorKind::Tls, format!("the trusted certificates cannot be used: {why}"))
}

/// The system's own verdict: it also knows what an administrator has added or taken away.
#[cfg(any(target_vendor = "apple", windows))]
fn platform() -> Result<Source, Failure> {
    let verifier = rustls_platform_verifier::Verifier::new(provider()).map_err(|error| refused(&error.to_string()))?;
    Ok(Source { verifier: Arc::new(verifier), anchors: Arc::new(RootCertStore::empty()) })
}

/// The system's certificates, read once a process and shared: they are 150 and more. What failed is tried anew.
#[cfg(not(any(target_vendor = "apple", windows)))]
fn platform() -> Result<Source, Failure> {
    use std::sync::{Mutex, PoisonError};
    static ANCHORS: Mutex<Option<Arc<RootCertStore>>> = Mutex::new(None);
    let mut anchors = ANCHORS.lock().unwrap_or_else(PoisonError::into_inner);
    let anchors = match &*anchors {
        Some(anchors) => anchors.clone(),
        None => anchors.insert(Arc::new(gather(system())?)).clone(),
    };
    Source::of(anchors)
}

#[cfg(target_os = "android")]
fn system() -> rustls_native_certs::CertificateResult {
    use std::path::Path;
    // Android 14 and later; before that. Readable by every app, and there is no need of a JVM.
    anchors_in(&[Path::new("/apex/com.android.conscrypt/cacerts"), Path::new("/system/etc/security/cacerts")])
}

#[cfg(not(any(target_os = "android", target_vendor = "apple", windows)))]
fn system() -> rustls_native_certs::CertificateResult {
    rustls_native_certs::load_native_certs()
}

/// The certificates of the first of `directories` that has any: one PEM file each.
#[cfg(any(target_os = "android", test))]
fn anchors_in(directories: &[&std::path::Path]) -> rustls_native_certs::CertificateResult {
    let mut found = rustls_native_certs::CertificateResult::default();
    for directory in directories {
        let more = rustls_native_certs::load_certs_from_paths(None, Some(directory));
        found.errors.extend(more.errors);
        if !more.certs.is_empty() {
            found.certs = more.certs;
            break;
        }
    }
    found
}

#[cfg(not(any(target_vendor = "apple", windows)))]
fn gather(found: rustls_native_certs::CertificateResult) -> Result<RootCertStore, Failure> {
    let mut anchors = RootCertStore::empty();
    let (_, unusable) = anchors.add_parsable_certificates(found.certs);
    if unusable > 0 {
        log::debug!("{unusable} of the system's certificates cannot be used");
    }
    if !anchors.is_empty() {
        return Ok(anchors);
    }
    let why = found.errors.first().map_or_else(String::new, |error| format!(" ({error})"));
    let what = if cfg!(target_os = "android") {
        "give the server's CA in only_ca_pem"
    } else {
        "install the package ca-certificates, or name a PEM file in SSL_CERT_FILE, or give the server's CA in only_ca_pem"
    };
    Err(Failure::new(
        ErrorKind::Tls,
        format!("this system has no trusted certificates, so no https server can be verified{why}: {what}"),
    ))
}

#[cfg(test)]
#[path = "trust_tests.rs"]
mod tests;
