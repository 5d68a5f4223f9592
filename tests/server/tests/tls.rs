//! Certificates are as good or as bad as asked for, and the facts of a handshake are recorded.
#![allow(missing_docs)]

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use eventsource_test_server::{Ca, DEADLINE, Fault, PeerEnd, Script, Server, Tls};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

type Peer = StreamOwned<ClientConnection, TcpStream>;

fn config(ca: &str, identity: Option<&str>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let chain = vec![CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()];
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap()
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

fn connect(server: &Server, config: &Arc<ClientConfig>, name: &'static str) -> Peer {
    let socket = TcpStream::connect(server.address()).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    StreamOwned::new(ClientConnection::new(Arc::clone(config), name.try_into().unwrap()).unwrap(), socket)
}

fn get(mut peer: Peer) -> io::Result<Vec<u8>> {
    peer.write_all(b"GET / HTTP/1.1\r\n\r\n")?;
    let mut bytes = Vec::new();
    peer.read_to_end(&mut bytes)?;
    peer.conn.send_close_notify();
    let _ = peer.flush();
    Ok(bytes)
}

#[test]
fn a_handshake_and_its_facts() {
    let server = Server::start_tls(&Tls::new());
    server.on("/", Script::new().send("x".repeat(200_000)));
    let config = config(&server.ca_pem(), None);
    for connection in 0..2 {
        assert_eq!(get(connect(&server, &config, "localhost")).unwrap().len(), 200_000);
        server.wait_for_peer_end(connection, DEADLINE);
    }
    let requests = server.requests();
    let facts = requests[0].tls.clone().unwrap();
    assert_eq!((facts.sni.as_deref(), facts.alpn.as_deref()), (Some("localhost"), Some("http/1.1")));
    assert_eq!((facts.version, facts.resumed, facts.client_certificates), (3, false, 0));
    assert!(requests[1].tls.clone().unwrap().resumed);
    assert!(server.connections()[0].close_notify);
    assert!(get(connect(&server, &config, "127.0.0.1")).is_ok());
    assert!(server.url("/").starts_with("https://127.0.0.1:"));
}

#[test]
fn every_fault_is_refused_for_its_reason() {
    for (fault, reason) in [
        (Fault::Expired, "expired"),
        (Fault::NotYetValid, "not valid yet"),
        (Fault::WrongHost, "not valid for name"),
        (Fault::SelfSigned, "UnknownIssuer"),
        (Fault::UnknownCa, "UnknownIssuer"),
        (Fault::MissingIntermediate, "UnknownIssuer"),
    ] {
        let server = Server::start_tls(&Tls::new().fault(fault));
        let error = get(connect(&server, &config(&server.ca_pem(), None), "localhost")).unwrap_err().to_string();
        assert!(error.contains(reason), "{fault:?}: {error}");
        server.wait_for_peer_end(0, DEADLINE);
        assert!(server.connections()[0].tls_error.as_deref().unwrap().contains("alert"), "{fault:?}");
        assert!(server.requests().is_empty());
    }
}

#[test]
fn intermediates_client_certificates_and_versions() {
    let ca = Ca::new();
    let client_ca = Ca::new();
    let server = Server::start_tls(&Tls::new().ca(&ca).intermediate().client_ca(&client_ca).tls12().alpn(&[]));
    server.on("/", Script::new().send("x"));
    let identity = client_ca.client_identity("somebody");
    assert_eq!(get(connect(&server, &config(&ca.pem(), Some(&identity)), "localhost")).unwrap(), b"x");
    let facts = server.requests()[0].tls.clone().unwrap();
    assert_eq!((facts.version, facts.client_certificates, facts.alpn), (2, 1, None));
    assert!(get(connect(&server, &config(&ca.pem(), None), "localhost")).is_err());
    let stranger = Ca::new().client_identity("somebody");
    assert!(get(connect(&server, &config(&ca.pem(), Some(&stranger)), "localhost")).is_err());
    assert_eq!(server.requests().len(), 1);
    let pins = [server.leaf_pin(), server.intermediate_pin(), ca.pin()];
    assert!(pins.iter().all(|p| p.len() == 44) && pins[0] != pins[1] && pins[1] != pins[2]);
}

#[test]
fn close_notify_can_be_left_out() {
    let server = Server::start_tls(&Tls::new());
    server.on("/", [Script::new().send("x").truncate(), Script::new().send("y").fin()]);
    let config = config(&server.ca_pem(), None);
    let error = get(connect(&server, &config, "localhost")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(get(connect(&server, &config, "localhost")).unwrap(), b"y");
    assert_eq!(server.wait_for_peer_end(0, DEADLINE), PeerEnd::Closed);
}

#[test]
fn a_handshake_can_be_left_unanswered() {
    let server = Server::start_tls(&Tls::new());
    server.on_connection(0, Script::new().tell("here").stall());
    let mut peer = connect(&server, &config(&server.ca_pem(), None), "localhost");
    peer.sock.set_read_timeout(Some(std::time::Duration::from_millis(50))).unwrap();
    assert!(peer.write_all(b"x").is_err());
    server.wait_until_told("here");
    assert_eq!(server.connections()[0].received, 0);
}
