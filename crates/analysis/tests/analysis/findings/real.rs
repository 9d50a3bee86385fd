//! Real templates: nothing is too much, every witness holds, and the one known dead rule is found.
//!
//! The files lie beside the repository and are not part of it; where they are absent these tests say so and pass.

use std::{collections::BTreeMap, path::Path};

use palisade_analysis::{Limits, findings::findings};
use palisade_model::TagCatalog;

use super::support::{confirm, told};
use crate::{
    real::{estates, tags},
    real_data,
    small::NOW,
};

/// Findings of every folder by id, and those of a kind by folder.
fn count(root: &Path, tags: &TagCatalog) -> (BTreeMap<&'static str, usize>, Vec<String>) {
    let mut ids = BTreeMap::new();
    let mut dead = Vec::new();
    for (folder, estate) in estates(root, tags) {
        let found = findings(&estate, NOW, Limits::default()).expect("real lists are simple");
        confirm(&estate, &found);
        for finding in &found.findings {
            *ids.entry(finding.check.id).or_default() += 1;
            if finding.check.id.starts_with("PAL-NEVER") {
                dead.push(format!("{folder}: {} behind {}", told(finding), finding.covered_by.join(", ")));
            }
        }
    }
    (ids, dead)
}

#[test]
fn quickstart_templates_have_the_known_findings() {
    let Some(root) = real_data::folder("arm-quickstart") else { return };
    let Some(tag_folder) = real_data::folder("service-tags") else { return };
    let tags = tags(&tag_folder, "ServiceTags_Public_20251117.json");
    let (ids, dead) = count(&root, &tags);
    println!("{ids:#?}");
    let of_ipv6: Vec<&String> = dead.iter().filter(|told| told.starts_with("ipv6-in-vnet")).collect();
    assert!(of_ipv6.len() >= 2, "{dead:#?}");
    for told in of_ipv6 {
        assert!(
            told.ends_with(
                "PAL-NEVER-MATCHED-SAME-ACTION allow-MyIpv6App-out behind securityRules/allow-all-out"
            ),
            "{told}"
        );
    }
    assert!(ids["PAL-EXPOSURE-SSH"] > 40 && ids["PAL-EXPOSURE-RDP"] > 20, "{ids:#?}");
}
