//! Certificates of every kind, good and bad, made afresh, and the rustls server that shows them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use base64::prelude::{BASE64_STANDARD, Engine};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use time::{Duration, OffsetDateTime};

/// What is wrong with the server's certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// It expired yesterday.
    Expired,
    /// It is valid from tomorrow on.
    NotYetValid,
    /// It is for `wrong.test`.
    WrongHost,
    /// It is its own issuer.
    SelfSigned,
    /// It is by another authority than the one that `ca_pem` gives.
    UnknownCa,
    /// It is by an intermediate authority whose certificate is not sent.
    MissingIntermediate,
}

/// A certificate with its key.
struct Certified {
    der: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

impl Certified {
    fn self_signed(params: &CertificateParams) -> Certified {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        Certified { der: certificate.der().clone(), pem: certificate.pem(), key }
    }

    fn signed_by(params: &CertificateParams, issuer: &Issuer<'_, &KeyPair>) -> Certified {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, issuer).expect("a certificate");
        Certified { der: certificate.der().clone(), pem: certificate.pem(), key }
    }

    /// SHA-256 of the public key's SubjectPublicKeyInfo, in base64.
    fn pin(&self) -> String {
        use rcgen::PublicKeyData;
        BASE64_STANDARD
            .encode(ring::digest::digest(&ring::digest::SHA256, &self.key.subject_public_key_info()).as_ref())
    }

    fn private(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }
}

/// A certificate authority. Clones are the same authority; servers may share one.
#[derive(Clone)]
pub struct Ca {
    root: Arc<Certified>,
    params: Arc<CertificateParams>,
}

impl Default for Ca {
    fn default() -> Ca {
        Ca::new()
    }
}

impl Ca {
    /// A new one.
    pub fn new() -> Ca {
        let params = authority("libeventsource test CA");
        Ca { root: Arc::new(Certified::self_signed(&params)), params: Arc::new(params) }
    }

    /// Its certificate.
    pub fn pem(&self) -> String {
        self.root.pem.clone()
    }

    /// Its certificate, as DER.
    pub fn der(&self) -> Vec<u8> {
        self.root.der.to_vec()
    }

    /// SHA-256 of its SPKI, in base64.
    pub fn pin(&self) -> String {
        self.root.pin()
    }

    /// A client's certificate and private key (PKCS#8), one PEM text.
    pub fn client_identity(&self, name: &str) -> String {
        let mut params = leaf(&[name], Fault::None);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let client = Certified::signed_by(&params, &self.issuer());
        client.pem.clone() + &client.key.serialize_pem()
    }

    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.root.key)
    }
}

/// How a server does TLS: `Tls::new()` is right in every respect, the methods change one thing each.
#[derive(Clone)]
pub struct Tls {
    ca: Ca,
    fault: Fault,
    names: Vec<String>,
    intermediate: bool,
    extra: Option<Ca>,
    client_ca: Option<Ca>,
    versions: Vec<&'static SupportedProtocolVersion>,
    alpn: Vec<Vec<u8>>,
}

impl Default for Tls {
    fn default() -> Tls {
        Tls::new()
    }
}

impl Tls {
    /// An authority of its own, a leaf for `localhost`, `127.0.0.1` and `::1`, TLS 1.2 and 1.3, ALPN `http/1.1`.
    pub fn new() -> Tls {
        Tls {
            ca: Ca::new(),
            fault: Fault::None,
            names: ["localhost", "127.0.0.1", "::1"].map(String::from).into(),
            intermediate: false,
            extra: None,
            client_ca: None,
            versions: vec![&rustls::version::TLS13, &rustls::version::TLS12],
            alpn: vec![b"http/1.1".to_vec()],
        }
    }

    /// Uses this authority.
    pub fn ca(mut self, ca: &Ca) -> Tls {
        self.ca = ca.clone();
        self
    }

    /// Makes the certificate wrong.
    pub fn fault(mut self, fault: Fault) -> Tls {
        self.fault = fault;
        self
    }

    /// Certifies these host names and addresses instead.
    pub fn names(mut self, names: &[&str]) -> Tls {
        self.names = names.iter().map(|n| String::from(*n)).collect();
        self
    }

    /// Has an intermediate authority sign the leaf, and sends its certificate.
    pub fn intermediate(mut self) -> Tls {
        self.intermediate = true;
        self
    }

    /// Appends this authority's certificate to the chain, though it has signed nothing: what somebody would do who
    /// wants to pass for a pinned server.
    pub fn append(mut self, ca: &Ca) -> Tls {
        self.extra = Some(ca.clone());
        self
    }

    /// Refuses clients without a certificate of this authority.
    pub fn client_ca(mut self, ca: &Ca) -> Tls {
        self.client_ca = Some(ca.clone());
        self
    }

    /// TLS 1.2 only.
    pub fn tls12(mut self) -> Tls {
        self.versions = vec![&rustls::version::TLS12];
        self
    }

    /// Speaks these protocols, the preferred first; none at all: no ALPN.
    pub fn alpn(mut self, protocols: &[&str]) -> Tls {
        self.alpn = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
        self
    }

    pub(crate) fn build(&self) -> Identity {
        let params = match self.fault {
            Fault::WrongHost => leaf(&["wrong.test"], self.fault),
            _ => leaf(&self.names.iter().map(String::as_str).collect::<Vec<_>>(), self.fault),
        };
        let mut chain = Vec::new();
        let mut middle_pin = None;
        let certified = if self.fault == Fault::SelfSigned {
            Certified::self_signed(&params)
        } else {
            let signer = if self.fault == Fault::UnknownCa { Ca::new() } else { self.ca.clone() };
            if self.intermediate || self.fault == Fault::MissingIntermediate {
                let middle_params = authority("libeventsource test intermediate");
                let middle = Certified::signed_by(&middle_params, &signer.issuer());
                middle_pin = Some(middle.pin());
                if self.fault != Fault::MissingIntermediate {
                    chain.push(middle.der.clone());
                }
                Certified::signed_by(&params, &Issuer::from_params(&middle_params, &middle.key))
            } else {
                Certified::signed_by(&params, &signer.issuer())
            }
        };
        chain.insert(0, certified.der.clone());
        chain.extend(self.extra.iter().map(|ca| ca.root.der.clone()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&self.versions)
            .expect("versions of ring");
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(ca) => {
                let mut roots = RootCertStore::empty();
                roots.add(ca.root.der.clone()).expect("a root of our own");
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
                builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
            }
        };
        let mut config = builder.with_single_cert(chain, certified.private()).expect("a key that fits");
        config.alpn_protocols = self.alpn.clone();
        Identity { config: Arc::new(config), ca: self.ca.clone(), leaf: certified, middle_pin }
    }
}

/// What a TLS server shows and knows.
pub(crate) struct Identity {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) ca: Ca,
    leaf: Certified,
    pub(crate) middle_pin: Option<String>,
}

impl Identity {
    pub(crate) fn leaf_pin(&self) -> String {
        self.leaf.pin()
    }

    pub(crate) fn leaf_pem(&self) -> String {
        self.leaf.pem.clone()
    }
}

/// What a TLS handshake came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// The server name the client asked for.
    pub sni: Option<String>,
    /// The protocol agreed on.
    pub alpn: Option<String>,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
    /// 2 for TLS 1.2, 3 for TLS 1.3.
    pub version: u8,
    /// How many certificates the client has shown.
    pub client_certificates: usize,
}

fn authority(name: &str) -> CertificateParams {
    // Two authorities of one name would be confused, and a stranger look like a forger.
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let mut params = leaf(&[], Fault::None);
    params.distinguished_name.push(DnType::CommonName, format!("{name} {}", MADE.fetch_add(1, Relaxed)));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.extended_key_usages.clear();
    params
}

fn leaf(names: &[&str], fault: Fault) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|n| String::from(*n)).collect();
    let mut params = CertificateParams::new(names.clone()).expect("names that are ASCII");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, names.first().map_or("libeventsource test", String::as_str));
    let now = OffsetDateTime::now_utc();
    let (from, to) = match fault {
        Fault::Expired => (-60, -1),
        Fault::NotYetValid => (1, 60),
        _ => (-2, 60),
    };
    params.not_before = now + Duration::days(from);
    params.not_after = now + Duration::days(to);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params
}
