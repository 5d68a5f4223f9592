//! TLS 1.2 and 1.3 with rustls and ring, and what goes wrong there in words that say what to do.

use std::io;
use std::sync::{Arc, LazyLock};

use rustls::client::{ClientConfig, ClientConnection, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, Error};

use super::socket::{Socket, timed_out};
use super::trust::{PinMismatch, Trust};
use super::{Deadline, Stop};
use crate::config::TlsOptions;
use crate::error::{ErrorKind, Failure};
use crate::interrupt::Interrupt;

/// Servers whose sessions a source remembers: its own and one it is redirected to. rustls counts eight a server.
const SESSIONS: usize = 2 * 8;

/// The TLS side of a connection. On the heap: it is moved about, and large.
pub(super) type Session = Box<ClientConnection>;

/// Ours alone: a default for the process would be the host program's business.
pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));
    PROVIDER.clone()
}

pub(super) fn configure(options: &TlsOptions) -> Result<Arc<ClientConfig>, Failure> {
    let trust = Trust::new(options)?;
    let refused = |error: Error| Failure::new(ErrorKind::Tls, format!("TLS cannot be set up: {error}"));
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(refused)?
        .dangerous() // rustls's word for any verifier but its own; this one only ever adds conditions to rustls's
        .with_custom_certificate_verifier(Arc::new(trust));
    let mut config = match &options.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            builder.with_client_auth_cert(identity.chain.clone(), identity.key.clone_key()).map_err(refused)?
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::in_memory_sessions(SESSIONS);
    Ok(Arc::new(config))
}

/// Shakes hands with `host`.
#[inline(never)]
pub(super) fn handshake(
    config: Arc<ClientConfig>,
    host: &str,
    socket: &mut Socket,
    deadline: Deadline,
    interrupt: &Interrupt,
) -> Result<Session, Stop> {
    let failed = |words: String| Stop::Failed(Failure::new(ErrorKind::Tls, words));
    let mut session = begin(config, host).map_err(failed)?;
    while session.is_handshaking() {
        match session.complete_io(&mut socket.until(deadline)) {
            Ok(_) => {}
            Err(_) if interrupt.is_fired() => return Err(Stop::Interrupted),
            Err(error) if timed_out(&error) => return Err(Stop::TimedOut),
            Err(error) if is_tls(&error) => return Err(failed(words(&error))),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(failed("the server closed the connection during the TLS handshake".to_owned()));
            }
            Err(error) => {
                return Err(failed(format!("the connection broke during the TLS handshake: {}", super::words(&error))));
            }
        }
    }
    Ok(session)
}

/// In a frame of its own, which is large: it does not lie under that of the certificates' verification.
#[inline(never)]
fn begin(config: Arc<ClientConfig>, host: &str) -> Result<Session, String> {
    // The zone of an IPv6 address is ours, no part of the server's name.
    let name = host.split('%').next().unwrap_or(host);
    let name = ServerName::try_from(name.to_owned())
        .map_err(|_| format!("{host} is not a name that a certificate can be valid for"))?;
    match ClientConnection::new(config, name) {
        Ok(session) => Ok(Box::new(session)),
        Err(error) => Err(format!("TLS cannot be set up: {error}")),
    }
}

pub(super) fn to_io(error: Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn of(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

pub(super) fn is_tls(error: &io::Error) -> bool {
    of(error).is_some()
}

/// What people can do something about is said in their words; the rest in rustls's.
pub(super) fn words(error: &io::Error) -> String {
    let Some(error) = of(error) else { return super::words(error) };
    match error {
        Error::InvalidCertificate(wrong) => certificate(wrong),
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "the server wants a client certificate, and none is set".to_owned()
        }
        Error::AlertReceived(
            alert @ (AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied),
        ) => format!("the server refused the client certificate, or that there is none ({alert:?})"),
        Error::AlertReceived(AlertDescription::ProtocolVersion) | Error::PeerIncompatible(_) => {
            format!("the server speaks no version of TLS, or no cipher, that is safe: TLS 1.2 is needed ({error})")
        }
        Error::AlertReceived(alert) => format!("the server broke the TLS handshake off ({alert:?})"),
        Error::InvalidMessage(_) => format!("what the server sent is not TLS ({error})"),
        _ => format!("TLS failed: {error}"),
    }
}

fn certificate(wrong: &CertificateError) -> String {
    use CertificateError as Wrong;
    match wrong {
        Wrong::Expired | Wrong::ExpiredContext { .. } => {
            "the server's certificate has expired (or this device's clock is wrong)".to_owned()
        }
        Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet (or this device's clock is wrong)".to_owned()
        }
        Wrong::NotValidForName => "the server's certificate is for another name".to_owned(),
        Wrong::NotValidForNameContext { expected, presented } => {
            let names = match presented.len() {
                0 => "none".to_owned(),
                1..=4 => presented.join(", "),
                n => format!("{}, and {} others", presented[..4].join(", "), n - 4),
            };
            format!("the server's certificate is not valid for {} (it names: {names})", expected.to_str())
        }
        Wrong::UnknownIssuer => "the server's certificate was issued by nobody who is trusted here; if it is your own \
            CA's, add that CA's certificate"
            .to_owned(),
        Wrong::Revoked => "the server's certificate has been revoked".to_owned(),
        Wrong::Other(other) if other.0.is::<PinMismatch>() => {
            "the server's certificate is valid, but no certificate of its chain has a pinned key".to_owned()
        }
        _ => format!("the server's certificate cannot be accepted: {wrong}"),
    }
}
