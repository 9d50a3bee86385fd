//! QEMU's command line: which card has which back end, and which back end is which interface.

use std::collections::BTreeMap;

use super::options::{Properties, claim, mac, properties};
use super::{Claim, Hypervisor};

/// Who runs the machine, its name, and its cards.
pub(super) fn read(arguments: &[String]) -> (Hypervisor, Option<String>, Vec<Claim>) {
    let mut line = Line::default();
    for pair in arguments.windows(2) {
        // Both `-x` and `--x` are taken.
        let Some(option) = pair[0].strip_prefix('-') else { continue };
        line.take(option.strip_prefix('-').unwrap_or(option), &properties(&pair[1]));
    }
    let hypervisor = if line.is_libvirt { Hypervisor::Libvirt } else { Hypervisor::Qemu };
    (hypervisor, line.name.take(), line.claims())
}

/// What was read so far.
#[derive(Default)]
struct Line {
    name: Option<String>,
    is_libvirt: bool,
    /// Back ends by id.
    backs: BTreeMap<String, Claim>,
    /// Hardware addresses by the id of their back end.
    fronts: Vec<(String, Option<palisade_net::Mac>)>,
    /// Cards that name no back end because they are both.
    whole: Vec<Claim>,
    /// The oldest form: cards and back ends of one hub, in no order.
    hub: Claim,
}

impl Line {
    fn take(&mut self, option: &str, properties: &Properties) {
        let kind = ["type", "driver", ""].into_iter().find_map(|key| properties.get(key));
        let kind = kind.map(String::as_str).unwrap_or_default();
        match option {
            "name" => {
                // Libvirt writes `guest=NAME`, people mostly the name alone.
                self.is_libvirt = properties.contains_key("guest");
                self.name = properties.get("guest").or_else(|| properties.get("")).cloned();
            }
            "netdev" if kind == "tap" => {
                let id = properties.get("id").cloned().unwrap_or_default();
                self.backs.insert(id, claim(properties, "ifname"));
            }
            "netdev" if kind == "bridge" => {
                self.backs.insert(properties.get("id").cloned().unwrap_or_default(), Claim::default());
            }
            "device" => {
                let back = properties.get("netdev").cloned();
                self.fronts.extend(back.map(|back| (back, mac(properties, "mac"))));
            }
            "nic" if kind == "tap" => self.whole.push(claim(properties, "ifname")),
            "nic" if kind == "bridge" => {
                self.whole.push(Claim { mac: mac(properties, "mac"), ..Claim::default() });
            }
            "net" if kind == "nic" => self.hub.mac = mac(properties, "macaddr"),
            "net" if kind == "tap" => {
                self.hub = Claim { mac: self.hub.mac, ..claim(properties, "ifname") };
            }
            _ => {}
        }
    }

    fn claims(mut self) -> Vec<Claim> {
        for (back, mac) in self.fronts {
            if let Some(claim) = self.backs.get_mut(&back) {
                claim.mac = mac;
            }
        }
        let hub = Some(self.hub).filter(|hub| *hub != Claim::default());
        self.backs.into_values().chain(self.whole).chain(hub).collect()
    }
}
