//! Whom a source talks to, by which way, and what proves that it is the right one.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;

use super::Config;
use crate::error::ConfigError;
use crate::pem::{self, Identity};
use crate::proxy_url::{ProxyEnv, ProxyUrl};

/// Which proxy to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proxy {
    None,
    Url(ProxyUrl),
    Env(ProxyEnv),
}

/// What is added to, or put in place of, the platform's trust.
#[derive(Clone, Default)]
pub(crate) struct TlsOptions {
    pub(crate) extra_ca: Vec<CertificateDer<'static>>,
    pub(crate) only_ca: Option<Vec<CertificateDer<'static>>>,
    pub(crate) identity: Option<Arc<Identity>>,
    pub(crate) pins: Vec<[u8; 32]>,
}

impl Config {
    /// Refuses http: for this config's URL, in `set_url`, in redirects. Default off.
    ///
    /// # Errors
    /// `ConfigError::Url`: on, and the config's URL is http.
    pub fn set_https_only(&mut self, on: bool) -> Result<&mut Self, ConfigError> {
        self.checked(|config| {
            if on && !config.url.is_https() {
                return Err(ConfigError::Url(
                    "the URL has to begin with https://, since only https is allowed".to_owned(),
                ));
            }
            config.https_only = on;
            Ok(())
        })
    }

    /// Connects through `http://[user:password@]host[:port]` (CONNECT) or `socks5://…`, where the proxy looks names up.
    /// The default port is 1080, as for curl. `None`, the default: directly.
    ///
    /// # Errors
    /// `ConfigError::Url`.
    pub fn set_proxy(&mut self, url: Option<&str>) -> Result<&mut Self, ConfigError> {
        self.checked(|config| {
            config.proxy = url.map(ProxyUrl::parse).transpose()?.map_or(Proxy::None, Proxy::Url);
            Ok(())
        })
    }

    /// Takes the proxy that the environment names now, by curl's rules: `https_proxy`, `HTTPS_PROXY`, `http_proxy`,
    /// `all_proxy`, `ALL_PROXY`, `no_proxy`, `NO_PROXY`.
    ///
    /// # Errors
    /// `ConfigError::Url`: a variable holds no URL of an http or socks5 proxy.
    pub fn set_proxy_from_env(&mut self) -> Result<&mut Self, ConfigError> {
        self.checked(|config| {
            config.proxy = Proxy::Env(ProxyEnv::read(|name| std::env::var(name).ok())?);
            Ok(())
        })
    }

    /// Trusts the certificates of a PEM bundle beside the platform's. May be called again for more.
    ///
    /// # Errors
    /// `ConfigError::Certificate`: there is none, or one cannot be read.
    pub fn add_ca_pem(&mut self, pem: &[u8]) -> Result<&mut Self, ConfigError> {
        self.checked(|config| {
            config.tls.extra_ca.extend(pem::certificates(pem)?);
            Ok(())
        })
    }

    /// Trusts the certificates of a PEM bundle instead of the platform's, and those of `add_ca_pem` beside them.
    ///
    /// # Errors
    /// `ConfigError::Certificate`: there is none, or one cannot be read.
    pub fn set_only_ca_pem(&mut self, pem: &[u8]) -> Result<&mut Self, ConfigError> {
        self.checked(|config| {
            config.tls.only_ca = Some(pem::certificates(pem)?);
            Ok(())
        })
    }

    /// Shows this certificate to a server that asks for one: a chain in PEM, the client's own certificate first, and
    /// its private key (PKCS#8, PKCS#1 or SEC1, not encrypted) before, between or behind.
    ///
    /// # Errors
    /// `ConfigError::Certificate`: no certificate, not exactly one key, or they do not belong together.
    pub fn set_identity_pem(&mut self, pem: &[u8]) -> Result<&mut Self, ConfigError> {
        self.checked(|config| {
            config.tls.identity = Some(Arc::new(pem::identity(pem)?));
            Ok(())
        })
    }

    /// Accepts only chains that hold a public key with this SHA-256 (of its SPKI, in base64, with or without `sha256/`
    /// in front), after they have been verified. With several pins, one has to match. On Apple and Windows, a root of the
    /// system's counts only if the server sends it.
    ///
    /// # Errors
    /// `ConfigError::Certificate`.
    pub fn add_pin(&mut self, sha256_base64: &str) -> Result<&mut Self, ConfigError> {
        self.checked(|config| {
            let pin = pem::pin(sha256_base64)?;
            if !config.tls.pins.contains(&pin) {
                config.tls.pins.push(pin);
            }
            Ok(())
        })
    }
}

impl std::fmt::Debug for TlsOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsOptions")
            .field("extra_ca", &self.extra_ca.len())
            .field("only_ca", &self.only_ca.as_ref().map(Vec::len))
            .field("identity", &self.identity)
            .field("pins", &self.pins.len())
            .finish()
    }
}
