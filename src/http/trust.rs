//! Certificates of authorities that are trusted beside the system's own.
//!
//! Reads the text of a PEM file it is given; opens no file.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Further authorities; none by default.
#[derive(Clone, Debug, Default)]
pub struct Authorities {
    certificates: Vec<reqwest::Certificate>,
}

impl Authorities {
    /// Reads every certificate of a PEM file.
    ///
    /// # Errors
    /// In words: it holds none, or one that is no certificate.
    pub fn read(pem: &[u8]) -> Result<Authorities, String> {
        let mut certificates = Vec::new();
        for (index, found) in CertificateDer::pem_slice_iter(pem).enumerate() {
            let wrong = |why: String| format!("certificate {} of it cannot be read: {why}", index + 1);
            let der = found.map_err(|error| wrong(error.to_string()))?;
            certificates.push(reqwest::Certificate::from_der(&der).map_err(|error| wrong(error.to_string()))?);
            // reqwest looks at it only when the first connection is made.
            RootCertStore::empty().add(der).map_err(|error| wrong(error.to_string()))?;
        }
        match certificates.is_empty() {
            true => Err("it holds no PEM certificate".to_owned()),
            false => Ok(Authorities { certificates }),
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.certificates.len()
    }

    pub(super) fn certificates(&self) -> impl Iterator<Item = reqwest::Certificate> {
        self.certificates.iter().cloned()
    }
}
