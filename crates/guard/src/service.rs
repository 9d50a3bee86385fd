//! Which service listens at a port, as far as it matters to whoever guesses passwords.
//!
//! It must not know a flow.

use std::fmt;

/// A service that asks for a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Remote desktop.
    Rdp,
    /// Secure shell.
    Ssh,
    /// Windows file shares.
    Smb,
    /// Databases: SQL Server, MySQL, PostgreSQL, Oracle.
    Sql,
    /// File transfer.
    Ftp,
    /// Anything else, which may ask for a password or not.
    Generic,
}

/// Ports whose clients come back with like requests by nature: names, time, the web, mail.
const REPETITIVE: &[u16] = &[25, 53, 67, 80, 110, 123, 143, 443, 465, 587, 853, 993, 995, 8080, 8443];

impl Service {
    /// What is at a TCP port; `None` if like connections say nothing there.
    pub fn at(port: u16) -> Option<Self> {
        match port {
            3389 => Some(Self::Rdp),
            22 => Some(Self::Ssh),
            139 | 445 => Some(Self::Smb),
            1433 | 1521 | 3306 | 5432 => Some(Self::Sql),
            21 => Some(Self::Ftp),
            _ if REPETITIVE.contains(&port) => None,
            _ => Some(Self::Generic),
        }
    }

    /// Whether many clients, or many servers, of guess-like connections are suspicious without a past to compare with:
    /// people administer by these, programs hardly do.
    pub const fn is_administrative(self) -> bool {
        matches!(self, Self::Rdp | Self::Ssh)
    }

    /// Whether honest programs open many short connections to it, so that only their likeness tells guesses apart.
    pub const fn is_chatty(self) -> bool {
        matches!(self, Self::Sql | Self::Generic)
    }

    /// The fewest packets of a client that has tried a password. A probe of a port that is open needs four or five.
    pub const fn guess_packets_min(self) -> u64 {
        match self {
            Self::Rdp => 4,
            _ => 6,
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rdp => "RDP",
            Self::Ssh => "SSH",
            Self::Smb => "SMB",
            Self::Sql => "SQL",
            Self::Ftp => "FTP",
            Self::Generic => "Generic",
        })
    }
}
