//! The file of profiles: which servers there are, who one is there, and the tokens that were issued.
//!
//! It holds secrets, so it is made with mode 0600 and replaced whole; a file that others can read is refused. The
//! certificate of the server's authority is kept in the profile itself: what was trusted at login stays what is trusted.

use std::{
    collections::BTreeMap,
    env, fs, io,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// Names the file of profiles, instead of the usual place.
const FILE_VARIABLE: &str = "PALISADE_PROFILES";
/// What others may do with the file: nothing.
const OTHERS: u32 = 0o077;

/// All profiles of a user.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profiles {
    /// The one that is used when none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// By name.
    #[serde(default)]
    pub profiles: BTreeMap<String, Profile>,
}

/// One server, and who one is there.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// The address of the server.
    pub endpoint: String,
    /// The certificate of the authority that the server's must come from, PEM; without it, those that the machine
    /// trusts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// The tenant.
    pub tenant_id: String,
    /// The subscription that is meant when none is named.
    pub subscription_id: String,
    /// Who one is.
    pub login: Login,
    /// The newest token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
}

/// Who one is, and how to say it again.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind")]
pub enum Login {
    /// A program with a secret.
    ServicePrincipal {
        /// Its id.
        client_id: String,
        /// Its secret.
        client_secret: String,
    },
    /// A person, whose password is not kept.
    User {
        /// Who the server says it is, where it says so.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// What a new token is asked with.
        #[serde(skip_serializing_if = "Option::is_none")]
        refresh_token: Option<String>,
    },
}

/// A token and its end.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// What goes into the header.
    pub access: String,
    /// When it ends, in seconds since 1970.
    pub expires: u64,
}

/// What a server writes at its first start: the way in for its first owner.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bootstrap {
    /// The address of the server.
    pub endpoint: String,
    /// The file with the certificate of its authority.
    pub ca_file: PathBuf,
    /// The tenant.
    pub tenant_id: String,
    /// The subscription.
    pub subscription_id: String,
    /// Application id of the first service principal.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
}

/// What is wrong with the file of profiles, or with one that leads to it.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// It cannot be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is not what it should be.
    #[error("{}: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Others could have read the secrets in it.
    #[error("{} is open to others (mode {mode:o}); it holds secrets (run: chmod 600 {})", .path.display(), .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// There is no home to keep it in.
    #[error("there is no home directory for profiles (set HOME, or {FILE_VARIABLE} to a file)")]
    Homeless,
    /// There is no such profile.
    #[error("there is no profile {name:?} (there is: {known}); `palisade login` makes one")]
    Unknown {
        /// Its name.
        name: String,
        /// Those that are there.
        known: String,
    },
    /// There is none at all.
    #[error(
        "nobody is logged in (run `palisade login --bootstrap FILE`, with the file that the server wrote)"
    )]
    None,
}

impl Profiles {
    /// Where the file is: the variable `PALISADE_PROFILES`, or `palisade/profiles.json` where the user's settings are.
    pub fn place() -> Result<PathBuf, ProfileError> {
        let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(file) = variable(FILE_VARIABLE) {
            return Ok(file);
        }
        let settings = variable("XDG_CONFIG_HOME").or_else(|| Some(variable("HOME")?.join(".config")));
        Ok(settings.ok_or(ProfileError::Homeless)?.join("palisade/profiles.json"))
    }

    /// Reads the file; none is the same as an empty one.
    pub fn read(path: &Path) -> Result<Self, ProfileError> {
        let file = |source| ProfileError::File { path: path.to_owned(), source };
        let mode = match fs::metadata(path) {
            Ok(metadata) => metadata.permissions().mode() & 0o777,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(file(error)),
        };
        if mode & OTHERS != 0 {
            return Err(ProfileError::Open { path: path.to_owned(), mode });
        }
        let text = fs::read_to_string(path).map_err(file)?;
        serde_json::from_str(&text)
            .map_err(|source| ProfileError::Unreadable { path: path.to_owned(), source })
    }

    /// Replaces the file.
    pub fn write(&self, path: &Path) -> Result<(), ProfileError> {
        self.replace(path).map_err(|source| ProfileError::File { path: path.to_owned(), source })
    }

    fn replace(&self, path: &Path) -> io::Result<()> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let beside = path.with_extension(format!("new.{}", std::process::id()));
        let written = (|| {
            let mut file =
                fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&beside)?;
            serde_json::to_writer_pretty(&mut file, self)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            fs::rename(&beside, path)
        })();
        if written.is_err() {
            // The error that matters is the first one.
            let _ = fs::remove_file(&beside);
        }
        written
    }

    /// The name of the profile that is meant.
    pub fn name<'a>(&'a self, named: Option<&'a str>) -> Result<&'a str, ProfileError> {
        let name = named.or(self.current.as_deref()).ok_or(ProfileError::None)?;
        if self.profiles.contains_key(name) {
            return Ok(name);
        }
        let known: Vec<_> = self.profiles.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Err(ProfileError::Unknown { name: name.to_owned(), known })
    }
}

impl Bootstrap {
    /// Reads the file that a server wrote.
    pub fn read(path: &Path) -> Result<Self, ProfileError> {
        let text = fs::read_to_string(path)
            .map_err(|source| ProfileError::File { path: path.to_owned(), source })?;
        serde_json::from_str(&text)
            .map_err(|source| ProfileError::Unreadable { path: path.to_owned(), source })
    }

    /// The owner's profile, without a token yet.
    ///
    /// # Errors
    /// The certificate cannot be read.
    pub fn profile(&self) -> Result<Profile, ProfileError> {
        Ok(Profile {
            endpoint: self.endpoint.clone(),
            authority: Some(self.authority()?),
            tenant_id: self.tenant_id.clone(),
            subscription_id: self.subscription_id.clone(),
            login: Login::ServicePrincipal {
                client_id: self.client_id.clone(),
                client_secret: self.client_secret.clone(),
            },
            token: None,
        })
    }

    /// The certificate that it leads to.
    pub fn authority(&self) -> Result<String, ProfileError> {
        fs::read_to_string(&self.ca_file)
            .map_err(|source| ProfileError::File { path: self.ca_file.clone(), source })
    }
}

/// Secrets are not for logs.
impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ServicePrincipal { client_id, .. } => write!(f, "ServicePrincipal({client_id})"),
            Self::User { name, .. } => write!(f, "User({name:?})"),
        }
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token(until {})", self.expires)
    }
}

impl std::fmt::Debug for Bootstrap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bootstrap({} as {})", self.endpoint, self.client_id)
    }
}

#[cfg(test)]
mod tests;
