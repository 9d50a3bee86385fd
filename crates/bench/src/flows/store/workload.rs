//! Made-up flow records: a day of 300 interfaces that talk to 200,000 addresses, a few of them most of the time.
//!
//! The same number makes the same records. Nothing here is measured.

use std::{net::IpAddr, sync::Arc};

use palisade_flowstore::{Kind, Labels, Record, group_of};
use palisade_model::FlowTraffic;
use palisade_net::{Direction, Protocol};

/// 2026-11-22T00:00:00Z: the day begins.
pub const START_MS: u64 = 1_795_305_600_000;
/// Milliseconds of a day.
pub const DAY_MS: u64 = 86_400_000;
/// An address that one record in a million or so is about.
pub const RARE: [u8; 4] = [203, 0, 113, 199];

const INTERFACES: u64 = 300;
const REMOTES: u64 = 200_000;
/// Labels of an interface.
const LABELS: u64 = (RULES.len() * STATES.len()) as u64;

/// What records share: for each interface a rule and a state.
pub struct Workload {
    labels: Arc<[Arc<Labels>]>,
    /// The interfaces that records are of.
    interfaces: Vec<u64>,
    seed: u64,
}

const RULES: [(&str, &str); 4] = [
    ("securityRules/web", "NetworkInterface"),
    ("securityRules/rdp", "Subnet"),
    ("defaultSecurityRules/AllowVnetInBound", "NetworkInterface"),
    ("defaultSecurityRules/DenyAllInBound", "Subnet"),
];
const STATES: [&str; 3] = ["Established", "TimeWait", "SynSent"];

impl Workload {
    /// A workload that begins with this number.
    pub fn new(seed: u64) -> Self {
        let labels = (0..INTERFACES).flat_map(|nic| {
            RULES.iter().flat_map(move |rule| STATES.iter().map(move |state| labels(nic, *rule, state)))
        });
        Self { labels: labels.collect(), interfaces: (0..INTERFACES).collect(), seed }
    }

    /// The same of the interfaces of one group alone, beginning with another number.
    pub fn of_group(&self, group: u8, seed: u64) -> Self {
        let labels = self.labels.clone();
        let is_of_group = |nic: &u64| group_of(&labels[(nic * LABELS) as usize]) == group;
        Self { interfaces: (0..INTERFACES).filter(is_of_group).collect(), labels: self.labels.clone(), seed }
    }

    /// Which part of all records its interfaces have.
    pub fn share(&self) -> f64 {
        self.interfaces.len() as f64 / INTERFACES as f64
    }

    /// So many records of a span of time, in its order.
    pub fn records(&mut self, count: usize, from_ms: u64, to_ms: u64) -> Vec<Record> {
        let span = to_ms - from_ms;
        (0..count as u64).map(|step| self.record(from_ms + step * span / count as u64)).collect()
    }

    fn record(&mut self, time_ms: u64) -> Record {
        let dice = self.next();
        // The square makes the low numbers frequent, as real peers are.
        let share = ((dice >> 32) * (dice >> 32)) >> 32;
        let remote = (share * REMOTES) >> 32;
        let nic = self.interfaces[(((dice & 0xffff) * self.interfaces.len() as u64) >> 16) as usize];
        let (rule, state) = ((dice >> 16) & 3, ((dice >> 18) & 15).min(2));
        let labels = self.labels[(nic * LABELS + rule * 3 + state) as usize].clone();
        let more = self.next();
        let is_rare = more >> 44 == 7;
        let octets = if is_rare { RARE } else { (0x0b00_0000 + remote as u32 * 77).to_be_bytes() };
        let kind = [Kind::Begin, Kind::End, Kind::End, Kind::Continue][(more & 3) as usize];
        let packets = 1 + ((more >> 8) & 0x3f);
        let bytes = packets * (60 + ((more >> 16) & 0x3ff));
        let traffic = FlowTraffic {
            packets_to_destination: packets,
            bytes_to_destination: bytes,
            packets_to_source: packets + 1,
            bytes_to_source: bytes * 4,
        };
        Record {
            time_ms,
            kind: if rule == 3 { Kind::Deny } else { kind },
            began_ms: Some(time_ms - ((more >> 26) & 0xffff)),
            last_ms: (kind != Kind::Begin).then(|| time_ms - ((more >> 26) & 0xff)),
            direction: if more & 4 == 0 { Direction::Inbound } else { Direction::Outbound },
            protocol: if more & 0x38 == 0 { Protocol::UDP } else { Protocol::TCP },
            local: (
                IpAddr::from([10, 0, (nic / 200) as u8, (nic % 200) as u8 + 4]),
                [443, 22, 3_389, 53][((more >> 6) & 3) as usize],
            ),
            remote: (IpAddr::from(octets), 1_024 + (more >> 48) as u16 / 2),
            icmp_type: None,
            icmp_code: None,
            since: Some(traffic),
            total: Some(traffic),
            tcp_flags: [Some(0x12), Some(0x1b)],
            generation: Some(12),
            audited: Some(false),
            midstream: Some(false),
            place: None,
            tuple: None,
            labels,
        }
    }

    /// The next number of splitmix64.
    fn next(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.seed ^ (self.seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

fn labels(nic: u64, (rule, layer): (&str, &str), state: &str) -> Arc<Labels> {
    let name = format!("nic{nic:03}");
    Arc::new(Labels {
        nic_id: Some(format!(
            "/subscriptions/s/resourceGroups/shop/providers/Microsoft.Network/networkInterfaces/{name}"
        )),
        nic: Some(name),
        interface: Some(format!("tap{}", nic % 40)),
        slot: Some((nic % 40) as u32),
        layer: Some(layer.to_owned()),
        nsg: Some("web-nsg".to_owned()),
        rule: rule.rsplit('/').next().map(str::to_owned),
        rules: Some(format!(r#"[{{"layer":"{layer}","list":"web-nsg","rule":"{rule}","row":3}}]"#)),
        reason: Some(
            if rule.ends_with("DenyAllInBound") { "SubnetDeny" } else { "NetworkInterfaceAllow" }.to_owned(),
        ),
        state: Some(state.to_owned()),
        ..Labels::default()
    })
}
