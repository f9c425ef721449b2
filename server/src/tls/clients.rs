//! What clients have to show of themselves: nothing, any certificate, or one that is signed by somebody who is known.

use std::sync::Arc;

use mongrel2::config::ClientCertificates;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};

use super::TlsError;
use super::file::File;

/// What clients have to show.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Clients {
    demand: ClientCertificates,
    /// Who has to have signed it; anybody if there are none.
    authorities: Vec<CertificateDer<'static>>,
    /// Where they come from.
    file: Option<File>,
}

impl Clients {
    /// Takes what is demanded, and the file of those who have to have signed it.
    ///
    /// # Errors
    /// The file can't be used.
    pub(super) fn read(demand: ClientCertificates, file: Option<&File>) -> Result<Self, TlsError> {
        let file = file.filter(|_| demand != ClientCertificates::NotAsked).cloned();
        let authorities = match &file {
            Some(file) => file.certificates().map_err(TlsError::Authorities)?,
            None => Vec::new(),
        };
        Ok(Self { demand, authorities, file })
    }

    /// Who looks at what clients show.
    ///
    /// # Errors
    /// One of the authorities isn't one.
    pub(super) fn verifier(&self, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        let algorithms = provider.signature_verification_algorithms;
        match (self.demand, &self.file) {
            (ClientCertificates::NotAsked, _) => Ok(WebPkiClientVerifier::no_client_auth()),
            (_, None) => Ok(Arc::new(Anybody { algorithms })),
            (demand, Some(file)) => {
                let wrong = |error| TlsError::Authority(file.outside.clone(), error);
                let mut roots = RootCertStore::empty();
                for authority in &self.authorities {
                    roots.add(authority.clone()).map_err(wrong)?;
                }
                let builder = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(provider));
                let builder = match demand {
                    ClientCertificates::Required => builder,
                    _ => builder.allow_unauthenticated(),
                };
                builder.build().map_err(|error| wrong(Error::General(error.to_string())))
            }
        }
    }
}

/// Takes any certificate whose key the client proves to have: handlers judge whose it is.
#[derive(Debug)]
struct Anybody {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for Anybody {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
