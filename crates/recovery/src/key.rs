//! The key that seals clean states: Ed25519, in a file that only its owner reads, and its public half in one for everybody.
//!
//! Whoever has the seed can make a state look clean; the control plane's operator keeps it where no guest and no host's user can read it.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use thiserror::Error;

const SECRET: &str = "palisade-seal-key-1 ";
const PUBLIC: &str = "palisade-seal-public-1 ";
/// So that what is signed here passes for nothing else.
const DOMAIN: &[u8] = b"palisade clean state 1\0";
/// Bytes of a key's file.
const LENGTH_MAX: u64 = 200;

/// Why there is no key.
#[derive(Debug, Error)]
pub enum KeyError {
    /// There is no such file.
    #[error("there is no key file {} (make one with palisade clean-state key, or name another one)", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A key is there that would be overwritten.
    #[error("{} is there already (name a file that is not)", path.display())]
    Present {
        /// The file.
        path: PathBuf,
    },
    /// The file system failed.
    #[error("cannot use the key file {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Something else is in the file.
    #[error("{} holds no {what} (make one with palisade clean-state key)", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was wanted.
        what: &'static str,
    },
    /// A secret that others can read.
    #[error("the key file {} can be read by others (chmod 600 it, and think about who has read it)", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// The system has no randomness.
    #[error("no randomness: {0}")]
    Random(String),
}

/// The secret half.
#[derive(Debug)]
pub struct SealKey(SigningKey);

/// The public half.
#[derive(Debug, Clone)]
pub struct SealCheck(VerifyingKey);

impl SealKey {
    /// Makes a key and writes both halves; the public one beside it, with `.pub` at the end of its name.
    ///
    /// # Errors
    /// A file that is there, the system's errors.
    pub fn create(path: &Path) -> Result<Self, KeyError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| KeyError::Random(error.to_string()))?;
        let key = SigningKey::from_bytes(&seed);
        write(path, 0o600, &format!("{SECRET}{}\n", HEXLOWER.encode(&seed)))?;
        let public = key.verifying_key();
        write(&beside(path), 0o644, &format!("{PUBLIC}{}\n", HEXLOWER.encode(public.as_bytes())))?;
        Ok(Self(key))
    }

    /// Reads a key that nobody else can read.
    ///
    /// # Errors
    /// What is not one, or can be read by others.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let metadata = fs::metadata(path).map_err(|source| failed(path, source))?;
        if metadata.mode() & 0o077 != 0 {
            return Err(KeyError::Exposed { path: path.into() });
        }
        read(path, SECRET, "key to seal with").map(|seed| Self(SigningKey::from_bytes(&seed)))
    }

    /// What its seals are checked with.
    pub fn check(&self) -> SealCheck {
        SealCheck(self.0.verifying_key())
    }

    /// Signs a document; a line of hexadecimal digits.
    pub fn sign(&self, document: &[u8]) -> String {
        format!("{}\n", HEXLOWER.encode(&self.0.sign(&[DOMAIN, document].concat()).to_bytes()))
    }
}

impl SealCheck {
    /// Reads a public key.
    ///
    /// # Errors
    /// What is not one.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        const WHAT: &str = "public key";
        let bytes = read(path, PUBLIC, WHAT)?;
        let key = VerifyingKey::from_bytes(&bytes);
        key.map(Self).map_err(|_| KeyError::Malformed { path: path.into(), what: WHAT })
    }

    /// Whether a document was signed by the secret half.
    pub fn verify(&self, document: &[u8], signature: &str) -> bool {
        // To the byte: a flipped bit is found wherever it is.
        let digits = signature.strip_suffix('\n').unwrap_or_default();
        let bytes = HEXLOWER.decode(digits.as_bytes()).unwrap_or_default();
        let Ok(signature) = Signature::from_slice(&bytes) else {
            return false;
        };
        self.0.verify_strict(&[DOMAIN, document].concat(), &signature).is_ok()
    }
}

/// Where the public half of a key is.
pub fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

fn write(path: &Path, mode: u32, text: &str) -> Result<(), KeyError> {
    let written =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(path).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
    written.map_err(|source| match source.kind() {
        // Of what is to be written, the folder is missing.
        io::ErrorKind::NotFound => KeyError::Io { path: path.into(), source },
        _ => failed(path, source),
    })
}

fn failed(path: &Path, source: io::Error) -> KeyError {
    let path = path.into();
    match source.kind() {
        io::ErrorKind::NotFound => KeyError::Missing { path },
        io::ErrorKind::AlreadyExists => KeyError::Present { path },
        _ => KeyError::Io { path, source },
    }
}

fn read(path: &Path, prefix: &str, what: &'static str) -> Result<[u8; 32], KeyError> {
    let io = |source| failed(path, source);
    let malformed = || KeyError::Malformed { path: path.into(), what };
    if fs::metadata(path).map_err(io)?.len() > LENGTH_MAX {
        return Err(malformed());
    }
    let text = fs::read_to_string(path).map_err(io)?;
    let digits = text.trim_end().strip_prefix(prefix).ok_or_else(malformed)?;
    let bytes = HEXLOWER.decode(digits.as_bytes()).map_err(|_| malformed())?;
    bytes.try_into().map_err(|_| malformed())
}
