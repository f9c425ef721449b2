//! TLS 1.3 with the client's side kept cheap, so that the server is what is measured.
//!
//! No session is resumed, and nothing is verified.  Here is also the certificate that all servers have.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, OnceLock};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error as Refusal, HandshakeKind, SignatureScheme,
    StreamOwned,
};

use crate::client::{Client, broken, connect};
use crate::error::Error;

/// A certificate with a key of ECDSA P-256, and the key, in PEM.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// Connects, with a whole handshake.
///
/// # Errors
/// Nobody listens, or he doesn't speak TLS 1.3.
pub(crate) fn client(address: SocketAddr) -> io::Result<Client<StreamOwned<ClientConnection, TcpStream>>> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let config = Arc::clone(CONFIG.get_or_init(|| Arc::new(config())));
    let mut connection = ClientConnection::new(config, ServerName::from(address.ip())).map_err(io::Error::other)?;
    let mut stream = connect(address)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    if connection.handshake_kind() != Some(HandshakeKind::Full) {
        return Err(broken("that isn't a whole handshake"));
    }
    Ok(Client::over(StreamOwned::new(connection, stream)))
}

/// The certificate of all servers, made once.
///
/// # Errors
/// The system has no random numbers.
pub(crate) fn pair() -> Result<&'static Pair, Error> {
    static PAIR: OnceLock<Pair> = OnceLock::new();
    if let Some(pair) = PAIR.get() {
        return Ok(pair);
    }
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    Ok(PAIR.get_or_init(|| Pair { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() }))
}

fn config() -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_protocol_versions(&[&TLS13]).expect("the provider has suites for it");
    let trusting = builder.dangerous().with_custom_certificate_verifier(Arc::new(Trust));
    let mut config = trusting.with_no_client_auth();
    config.resumption = Resumption::disabled();
    config
}

/// Believes everything.
#[derive(Debug)]
struct Trust;

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Refusal> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Refusal> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Refusal> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
