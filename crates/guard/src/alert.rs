//! An alert: what was seen, how grave it is, and the numbers that made it.
//!
//! Names and severities are those of Microsoft Defender for Cloud's alerts for the Azure network layer, where it has one
//! (`docs/guard.md` has the list), so that playbooks written for them fit. It must not decide anything.

use std::{fmt, net::IpAddr};

use palisade_net::{Direction, Protocol};

use crate::{Evidence, Guest, Service};

/// Something that somebody should look at.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// What it is.
    pub kind: Kind,
    /// Which way the connections go, seen from the guarded machine.
    pub direction: Direction,
    /// When the last connection that it took was told.
    pub time_ms: u64,
    /// When the first one began that counts.
    pub since_ms: u64,
    /// Who began the connections; `None` if many did.
    pub source: Option<IpAddr>,
    /// Whom they were to; `None` if to many.
    pub destination: Option<IpAddr>,
    /// Protocol of them.
    pub protocol: Protocol,
    /// Port they were to; `None` if to many or to none.
    pub port: Option<u16>,
    /// The numbers.
    pub evidence: Evidence,
    /// Whose logons they are, where a guest told.
    pub guest: Option<Guest>,
}

/// What an alert says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Looking for what is there.
    Scan,
    /// Trying passwords.
    BruteForce(Service, Shape),
    /// A session after guesses of the same source.
    SuccessAfterFailures(Service),
    /// Asking for orders at intervals.
    Beacon,
    /// The same, of somebody who is gone or is denied.
    RefusedBeacon,
    /// Far more data leaves than ever did.
    Exfiltration,
    /// A service does what it never did at this hour.
    Deviation,
}

/// Who guesses whose passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// One source, one machine.
    OneToOne,
    /// Many sources, one machine.
    ManyToOne,
    /// One source, many machines.
    OneToMany,
}

/// How grave an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// For the record.
    Informational,
    /// Worth a look some day.
    Low,
    /// Worth a look today.
    Medium,
    /// Worth a look now.
    High,
    /// A machine is likely taken.
    Critical,
}

impl Alert {
    /// Its name: Defender's if it has one.
    pub fn name(&self) -> String {
        let way = match self.direction {
            Direction::Inbound => "Incoming",
            Direction::Outbound => "Outgoing",
        };
        match self.kind {
            Kind::Scan if self.direction == Direction::Outbound => "PortScanning".to_owned(),
            Kind::Scan => "PortScanning_Incoming".to_owned(),
            Kind::BruteForce(service, shape) => format!("{service}_{way}_BF_{shape:?}"),
            Kind::SuccessAfterFailures(service) => format!("{service}_{way}_BF_Success"),
            Kind::Beacon => "Network_CommunicationWithC2".to_owned(),
            Kind::RefusedBeacon => "Network_RefusedBeacon".to_owned(),
            Kind::Exfiltration => "Network_Exfiltration".to_owned(),
            Kind::Deviation => "Network_Deviation".to_owned(),
        }
    }

    /// How grave it is.
    pub const fn severity(&self) -> Severity {
        let is_out = matches!(self.direction, Direction::Outbound);
        match self.kind {
            Kind::SuccessAfterFailures(Service::Generic) => Severity::Medium,
            Kind::SuccessAfterFailures(_) => Severity::Critical,
            Kind::BruteForce(Service::Generic, _) => Severity::Informational,
            Kind::BruteForce(Service::Rdp, _) if is_out => Severity::High,
            Kind::Scan if is_out => Severity::Medium,
            Kind::Scan | Kind::Deviation => Severity::Low,
            Kind::BruteForce(..) | Kind::Exfiltration => Severity::Medium,
            Kind::Beacon | Kind::RefusedBeacon => Severity::Medium,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
