//! The machine's own firewall: its profiles, and rules that open ports for management to every address.
//!
//! A rule that blocks beats one that allows, and policies may forbid the machine's own rules.

use palisade_analysis::findings::Severity;

use super::{
    settings::{Setting, Settings},
    system,
};
use crate::{
    Report, checks,
    finding::Said,
    registry::{Hive, HiveError},
};

const LOCAL: &str = r"Services\SharedAccess\Parameters\FirewallPolicy";
const POLICY: &str = r"Policies\Microsoft\WindowsFirewall";
/// A profile as its key, its policy's key, and rules call it.
const PROFILES: [[&str; 3]; 3] = [
    ["DomainProfile", "DomainProfile", "Domain"],
    ["StandardProfile", "PrivateProfile", "Private"],
    ["PublicProfile", "PublicProfile", "Public"],
];
/// TCP ports for management: SSH, Telnet, RPC, NetBIOS, SMB, SQL Server, RDP, VNC, WinRM. That of remote desktop is added.
const MANAGEMENT: [u16; 10] = [22, 23, 135, 139, 445, 1433, 3389, 5900, 5985, 5986];
/// Rules that are read, and that are told.
const RULES_MAX: usize = 20_000;

pub(super) fn audit(settings: &Settings<'_>, report: &mut Report) -> Result<(), HiveError> {
    let mut open = Vec::new();
    let mut merges = Vec::new();
    for [key, policy, name] in PROFILES {
        let (policy, key) = (format!("{POLICY}\\{policy}"), format!("{LOCAL}\\{key}"));
        let of = |name: &str, default| settings.effective(&policy, &key, name, default);
        let state = of("EnableFirewall", 1)?;
        if state.number == 0 {
            let message = format!("the firewall is off in the profile {name}");
            say(report, &checks::FIREWALL_OFF, name, message, state, "1");
            continue;
        }
        let inbound = of("DefaultInboundAction", 1)?;
        if inbound.number == 0 {
            let message = format!("the profile {name} lets in what no rule names");
            say(report, &checks::FIREWALL_INBOUND, name, message, inbound, "1 (block)");
        }
        if of("DoNotAllowExceptions", 0)?.number == 0 {
            open.push(name);
            if settings.policy(&policy, "AllowLocalPolicyMerge")?.is_none_or(|merge| merge.number != 0) {
                merges.push(name);
            }
        }
    }
    let own = format!("{}\\FirewallRules", settings.in_set(LOCAL));
    let mut rules = rules(settings.system, "SYSTEM", &own, &merges)?;
    if let Some(software) = settings.software {
        rules.extend(self::rules(software, "SOFTWARE", &format!("{POLICY}\\FirewallRules"), &open)?);
    }
    let (_, _, port) = system::remote_desktop_port(settings)?;
    judge(&rules, u16::try_from(port.number).ok(), report);
    Ok(())
}

/// An inbound rule that holds.
struct Rule {
    path: String,
    name: String,
    text: String,
    blocks: bool,
    /// Profiles in which it holds.
    profiles: Vec<&'static str>,
    /// Number of the protocol, if it is one.
    protocol: Option<u8>,
    /// Ports; `None` if all.
    ports: Option<Vec<(u16, u16)>>,
    is_from_all: bool,
    /// Whether it is for one program or service.
    is_bound: bool,
}

/// The inbound rules of a key that hold in one of these profiles.
fn rules(
    hive: &Hive,
    name_of_hive: &str,
    key: &str,
    profiles: &[&'static str],
) -> Result<Vec<Rule>, HiveError> {
    let Some(node) = hive.key(key)? else { return Ok(Vec::new()) };
    let mut rules = Vec::new();
    for value in node.values()?.take(RULES_MAX) {
        let value = value?;
        let Some(text) = value.text() else { continue };
        let path = format!("{name_of_hive}\\{key}\\{}", value.name);
        rules.extend(Rule::read(path, &value.name, &text, profiles));
    }
    Ok(rules)
}

impl Rule {
    /// A rule as `v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=3389|Name=...|`; `None` if it does not hold here.
    fn read(path: String, id: &str, text: &str, profiles: &[&'static str]) -> Option<Self> {
        let fields = || text.split('|').skip(1).filter_map(|field| field.split_once('='));
        let all = |wanted: &'static str| {
            // Later versions write a version behind a name: `LPort2_10`, `RA42`.
            let is_it = move |name: &str| {
                name.strip_prefix(wanted)
                    .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_'))
            };
            fields().filter(move |(name, _)| is_it(name)).map(|(_, value)| value)
        };
        let one = |wanted| all(wanted).next();
        let is = |name, value: &str| one(name).is_some_and(|own: &str| own.eq_ignore_ascii_case(value));
        if !is("Active", "TRUE") || !is("Dir", "In") {
            return None;
        }
        let named: Vec<&str> = all("Profile").collect();
        let holds =
            |profile: &&&str| named.is_empty() || named.iter().any(|name| name.eq_ignore_ascii_case(profile));
        let profiles: Vec<&str> = profiles.iter().filter(holds).copied().collect();
        let ports: Vec<&str> = all("LPort").collect();
        Some(Self {
            path,
            name: one("Name").filter(|name| !name.starts_with('@')).unwrap_or(id).to_owned(),
            text: text.to_owned(),
            blocks: is("Action", "Block"),
            protocol: one("Protocol").and_then(|protocol| protocol.parse().ok()),
            // A word such as RPC is no port that is looked for.
            ports: (!ports.is_empty()).then(|| ports.iter().filter_map(|text| range(text)).collect()),
            is_from_all: one("RA4").is_none() && one("RA6").is_none(),
            is_bound: one("App").is_some_and(|app| !app.eq_ignore_ascii_case("System"))
                || one("Svc").is_some(),
            profiles,
        })
        .filter(|rule| !rule.profiles.is_empty())
    }

    fn has(&self, port: u16) -> bool {
        let is_tcp = self.protocol.is_none_or(|protocol| protocol == 6);
        is_tcp
            && self
                .ports
                .as_ref()
                .is_none_or(|ports| ports.iter().any(|(from, to)| (*from..=*to).contains(&port)))
    }

    /// Whether it keeps everybody from a port wherever another rule holds.
    fn closes(&self, port: u16, other: &Self) -> bool {
        let is_wide = self.blocks && self.is_from_all && !self.is_bound;
        is_wide && self.has(port) && other.profiles.iter().all(|profile| self.profiles.contains(profile))
    }
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    Some((from.trim().parse().ok()?, to.trim().parse().ok()?))
}

fn judge(rules: &[Rule], remote_desktop: Option<u16>, report: &mut Report) {
    let mut wanted: Vec<u16> = MANAGEMENT.into_iter().chain(remote_desktop).collect();
    wanted.sort_unstable();
    wanted.dedup();
    for rule in rules.iter().filter(|rule| !rule.blocks && rule.is_from_all) {
        // A program without ports listens where it likes; what it is cannot be told from the rule.
        if rule.ports.is_none() && rule.is_bound {
            continue;
        }
        let is_closed = |port: u16| rules.iter().any(|other| other.closes(port, rule));
        let open: Vec<String> = wanted
            .iter()
            .filter(|port| rule.has(**port) && !is_closed(**port))
            .map(ToString::to_string)
            .collect();
        if open.is_empty() {
            continue;
        }
        let severity = if rule.ports.is_none() { Severity::Error } else { checks::FIREWALL_OPEN.severity };
        let ports =
            if rule.ports.is_none() { "every port".to_owned() } else { format!("TCP {}", open.join(", ")) };
        let profiles = rule.profiles.join(", ");
        report.say_as(
            &checks::FIREWALL_OPEN,
            severity,
            Said {
                subject: Some(&rule.name),
                message: format!(
                    "the rule \"{}\" opens {ports} to every address (profiles {profiles})",
                    rule.name
                ),
                path: rule.path.clone(),
                value: rule.text.clone(),
                wanted: "no such rule, or one with remote addresses".to_owned(),
            },
        );
    }
}

fn say(
    report: &mut Report,
    check: &'static palisade_analysis::findings::Check,
    profile: &str,
    message: String,
    setting: Setting,
    wanted: &str,
) {
    let (path, value) = (setting.path, setting.number.to_string());
    report.say(check, Said { subject: Some(profile), message, path, value, wanted: wanted.to_owned() });
}
