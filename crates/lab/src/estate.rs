//! The lab's estate on disk, and the situations it can be in.
//!
//! The template and the tags are those of `examples/lab`, built into the program so that the lab works from anywhere. A
//! situation is a parameters file: changing policy replaces that one file in one step, as an administrator would
//! deploy the same template again with other parameters.

use std::path::Path;

use crate::error::Result;
use crate::netns::registry::{self, write_whole};
use crate::policy::EstateFiles;

const TEMPLATE: &str = include_str!("../../../examples/lab/azuredeploy.json");
const SERVICE_TAGS: &str = include_str!("../../../examples/lab/service-tags.json");

/// A state of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Situation {
    /// Remote Desktop closed, the Internet open outwards.
    Default,
    /// Remote Desktop open to everybody.
    RdpOpen,
    /// Remote Desktop open to the office alone.
    RdpFromOffice,
    /// Nothing may open connections towards the Internet.
    DenyInternet,
    /// The same, except to the update service.
    DenyInternetExceptUpdates,
}

impl Situation {
    /// All of them.
    pub const ALL: [Situation; 5] = [
        Situation::Default,
        Situation::RdpOpen,
        Situation::RdpFromOffice,
        Situation::DenyInternet,
        Situation::DenyInternetExceptUpdates,
    ];

    /// The name of its parameters file in `examples/lab`.
    pub fn file_name(self) -> &'static str {
        match self {
            Situation::Default => "azuredeploy.parameters.json",
            Situation::RdpOpen => "rdp-open.parameters.json",
            Situation::RdpFromOffice => "rdp-from-office.parameters.json",
            Situation::DenyInternet => "deny-internet.parameters.json",
            Situation::DenyInternetExceptUpdates => "deny-internet-except-updates.parameters.json",
        }
    }

    /// The text of its parameters file.
    pub fn parameters(self) -> &'static str {
        match self {
            Situation::Default => include_str!("../../../examples/lab/azuredeploy.parameters.json"),
            Situation::RdpOpen => include_str!("../../../examples/lab/rdp-open.parameters.json"),
            Situation::RdpFromOffice => include_str!("../../../examples/lab/rdp-from-office.parameters.json"),
            Situation::DenyInternet => include_str!("../../../examples/lab/deny-internet.parameters.json"),
            Situation::DenyInternetExceptUpdates => {
                include_str!("../../../examples/lab/deny-internet-except-updates.parameters.json")
            }
        }
    }
}

impl EstateFiles {
    /// Where the estate of the lab of this name is, or will be.
    pub fn of_lab(name: &str) -> EstateFiles {
        Self::in_folder(&registry::folder(name))
    }

    fn in_folder(folder: &Path) -> EstateFiles {
        EstateFiles {
            template: folder.join("azuredeploy.json"),
            parameters: folder.join("azuredeploy.parameters.json"),
            service_tags: folder.join("service-tags.json"),
        }
    }

    /// Writes the lab's estate into a folder.
    pub fn write(folder: &Path, situation: Situation) -> Result<EstateFiles> {
        let files = Self::in_folder(folder);
        write_whole(&files.template, TEMPLATE)?;
        write_whole(&files.service_tags, SERVICE_TAGS)?;
        files.change(situation)?;
        Ok(files)
    }

    /// Changes the situation. Whoever reads the files sees the old parameters or the new ones, never half.
    pub fn change(&self, situation: Situation) -> Result<()> {
        write_whole(&self.parameters, situation.parameters())
    }
}

#[cfg(test)]
mod tests {
    use palisade_net::Family;
    use serde_json::Value;

    use super::*;
    use crate::hosts::{HOSTS, SUBNETS};

    fn resources(kind: &str) -> Vec<Value> {
        let template: Value = serde_json::from_str(TEMPLATE).expect("the template is JSON");
        let all = template["resources"].as_array().expect("a list").clone();
        all.into_iter().filter(|resource| resource["type"] == format!("Microsoft.Network/{kind}")).collect()
    }

    #[test]
    fn the_template_has_the_machines_of_the_lab() {
        let interfaces = resources("networkInterfaces");
        let machines = || HOSTS.iter().filter_map(|host| Some((host, host.machine?)));
        assert_eq!(interfaces.len(), machines().count());
        for (interface, (host, machine)) in interfaces.iter().zip(machines()) {
            assert_eq!(interface["name"], machine.nic);
            assert_eq!(interface["tags"]["palisade-interface"], machine.nic);
            let configurations = interface["properties"]["ipConfigurations"].as_array().expect("a list");
            for (configuration, family) in configurations.iter().zip(Family::ALL) {
                let properties = &configuration["properties"];
                assert_eq!(properties["privateIPAddress"], host.addresses.of(family).to_string());
                assert_eq!(properties["privateIPAddressVersion"], family.to_string());
                assert_eq!(
                    properties["subnet"]["id"],
                    format!("[variables('subnets').{}]", machine.subnet.name)
                );
                assert_eq!(properties["publicIPAddress"].is_object(), machine.public.is_some());
            }
        }
    }

    #[test]
    fn the_template_has_the_subnets_of_the_lab() {
        let networks = resources("virtualNetworks");
        let subnets = networks[0]["properties"]["subnets"].as_array().expect("a list");
        let names: Vec<_> = subnets.iter().map(|subnet| subnet["name"].as_str().expect("a name")).collect();
        assert_eq!(names, SUBNETS.map(|subnet| subnet.name));
    }

    #[test]
    fn every_situation_sets_only_parameters_that_the_template_has() {
        let template: Value = serde_json::from_str(TEMPLATE).expect("the template is JSON");
        for situation in Situation::ALL {
            let file: Value = serde_json::from_str(situation.parameters()).expect("JSON");
            for name in file["parameters"].as_object().expect("an object").keys() {
                assert!(template["parameters"][name].is_object(), "{}: {name}", situation.file_name());
            }
        }
    }

    #[test]
    fn the_update_server_is_inside_its_tag_and_the_others_are_not() {
        let tags: Value = serde_json::from_str(SERVICE_TAGS).expect("JSON");
        let prefixes = tags["values"][0]["properties"]["addressPrefixes"].to_string();
        for host in HOSTS.iter().filter(|host| host.machine.is_none()) {
            let is_listed = |address: String| prefixes.contains(&format!("\"{address}/"));
            assert_eq!(is_listed(host.addresses.v4.to_string()), host.name == "update", "{}", host.name);
            assert_eq!(is_listed(host.addresses.v6.to_string()), host.name == "update", "{}", host.name);
        }
    }
}
