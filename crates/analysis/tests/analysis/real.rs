//! Real templates and service tags, none of them ours: every list is analysed, and the one known fault is found.
//!
//! The files lie beside the repository and are not part of it; where they are absent these tests say so and pass.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use palisade_analysis::{Contrast, Diff, Fate, Limits, Need, RuleList, diff, universe};
use palisade_arm::{
    estate::{Document, Options, read},
    service_tags,
};
use palisade_model::{EffectivePolicy, Estate, TagCatalog};
use palisade_net::{Direction, Family};

use crate::{real_data, small::NOW};

/// Every JSON file below a folder.
fn documents(folder: &Path) -> Vec<Document> {
    let text = |path: &PathBuf| std::fs::read_to_string(path).expect("the file is text");
    let document = |path: &PathBuf| Document::new(path.display().to_string(), text(path));
    real_data::json_files(folder).iter().map(document).collect()
}

/// A file of service tags.
pub fn tags(folder: &Path, name: &str) -> TagCatalog {
    let text = std::fs::read_to_string(folder.join(name)).expect("the file is text");
    let file = service_tags::read(&text).expect("the file reads");
    TagCatalog::new(
        file.tags.into_iter().map(|tag| (tag.name.parse().expect("tags have valid names"), tag.prefixes)),
    )
}

/// The folders of templates, each as an estate.
pub fn estates(root: &Path, tags: &TagCatalog) -> Vec<(String, Estate)> {
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(root).expect("lists").map(|entry| entry.expect("reads").path()).collect();
    folders.sort();
    let estate = |folder: &PathBuf| {
        let result = read(&documents(folder), &Options::default());
        let (estate, problems) = Estate::validate(&result.spec, tags.clone());
        let name = folder.file_name().expect("a folder has a name").to_string_lossy().into_owned();
        (name, estate.unwrap_or_else(|| panic!("{}: {problems:#?}", folder.display())))
    };
    folders.iter().map(estate).collect()
}

/// The rules of every NSG alone.
fn policies(estate: &Estate) -> impl Iterator<Item = (String, EffectivePolicy)> {
    estate.nsgs().map(|nsg| (nsg.name().to_owned(), estate.effective_alone(nsg, None)))
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Totals {
    lists: usize,
    rules: usize,
    exact: usize,
    empty: usize,
    perhaps: usize,
    decide: usize,
    redundant: usize,
    pairs: usize,
}

/// Asks every question about one list.
fn ask(list: &RuleList<'_>, totals: &mut Totals, place: &str, dead: &mut Vec<String>) {
    totals.lists += 1;
    totals.rules += list.rules().len();
    let shares = list.shares().expect("real lists are simple");
    for family in Family::ALL {
        let all = || shares.rules.iter().map(|share| share.decided).chain([shares.exempt, shares.silent]);
        if all().all(|share| share.of(family).is_exact()) {
            totals.exact += 1;
            assert_eq!(
                all().map(|share| share.of(family).least).sum::<palisade_analysis::Volume>(),
                universe(family)
            );
        }
    }
    for (number, rule) in list.rules().iter().enumerate() {
        match list.fate(number).expect("real lists are simple") {
            Fate::NotAsked => panic!("{place}: {} is not asked", rule.path),
            Fate::Empty => totals.empty += 1,
            Fate::Perhaps => totals.perhaps += 1,
            Fate::Decides(_) => totals.decide += 1,
            Fate::Never(hidden) => {
                let name = |rule: &Option<usize>| rule.map_or("platform", |rule| &list.rules()[rule].path);
                let by: Vec<&str> = hidden.by.iter().map(name).collect();
                dead.push(format!("{place}/{} by {} ({:?})", rule.path, by.join(", "), hidden.contrast));
                assert_eq!(list.need(number), Ok(Need::Redundant));
                assert!(matches!(hidden.contrast, Contrast::Same | Contrast::Other | Contrast::Mixed));
            }
        }
    }
    totals.redundant += list.redundant().expect("real lists are simple").len();
    totals.pairs += list.order_sensitive().expect("real lists are simple").len();
}

#[test]
fn quickstart_lists_are_analysed() {
    let (Some(root), Some(service_tags)) =
        (real_data::folder("arm-quickstart"), real_data::folder("service-tags"))
    else {
        return;
    };
    let tags = tags(&service_tags, "ServiceTags_Public_20251117.json");
    let (mut totals, mut dead) = (Totals::default(), Vec::new());
    for (folder, estate) in estates(&root, &tags) {
        for (nsg, policy) in policies(&estate) {
            for direction in Direction::ALL {
                let list = RuleList::new(&policy, direction, 0, NOW, Limits::default());
                ask(&list, &mut totals, &format!("{folder}/{nsg}"), &mut dead);
            }
            for direction in Direction::ALL {
                let same = diff(&policy, &policy, direction, NOW, &[], Limits::default());
                assert_eq!(same, Ok(Diff::default()));
            }
        }
    }
    let users: Vec<&String> = dead.iter().filter(|text| !text.contains("/defaultSecurityRules/")).collect();
    println!("{totals:#?}\n{dead:#?}\n{users:#?}");
    // The rule that `*` before it makes superfluous, since `*` is both families. No other user's rule is dead.
    assert_eq!(users.len(), 2, "{users:#?}");
    for folder in ["ipv6-in-vnet-StdLB", "ipv6-in-vnet-vmss"] {
        let known = |text: &&String| {
            text.starts_with(folder)
                && text.contains("allow-MyIpv6App-out by securityRules/allow-all-out (Same)")
        };
        assert_eq!(users.iter().copied().filter(known).count(), 1, "{folder}: {dead:#?}");
    }
    assert!(totals.decide > 500 && totals.exact > 500, "{totals:#?}");
}

#[test]
fn a_month_of_tags_is_compared() {
    let (Some(root), Some(service_tags)) =
        (real_data::folder("arm-quickstart"), real_data::folder("service-tags"))
    else {
        return;
    };
    let [before, after] = ["ServiceTags_Public_20251013.json", "ServiceTags_Public_20251117.json"]
        .map(|name| estates(&root, &tags(&service_tags, name)));
    let (mut same, mut changed) = (0, 0);
    for ((folder, before), (_, after)) in before.iter().zip(&after) {
        for ((nsg, before), (_, after)) in policies(before).zip(policies(after)) {
            for direction in Direction::ALL {
                let found =
                    diff(&before, &after, direction, NOW, &[], Limits::default()).expect("it is simple");
                for change in &found.changes {
                    let blocks = change.region.blocks.len();
                    println!("{folder}/{nsg} {direction}: {:?} {blocks} blocks", change.volume);
                    assert!(change.region.rest.is_zero() || blocks >= 256);
                }
                *(if found.changes.is_empty() { &mut same } else { &mut changed }) += 1;
            }
        }
    }
    println!("{same} the same, {changed} changed");
    assert!(same > 100 && changed > 0, "{same} the same, {changed} changed");
}

/// What a month changed in Microsoft's file, counted apart from any rule.
#[test]
fn a_month_of_tags_has_its_known_size() {
    let Some(folder) = real_data::folder("service-tags") else { return };
    let [before, after] =
        ["ServiceTags_Public_20251013.json", "ServiceTags_Public_20251117.json"].map(|name| {
            let text = std::fs::read_to_string(folder.join(name)).expect("the file is text");
            let tags = service_tags::read(&text).expect("the file reads").tags.into_iter();
            tags.map(|tag| (tag.name, tag.prefixes.into_iter().collect::<BTreeSet<_>>()))
                .collect::<BTreeMap<_, _>>()
        });
    let new = after.keys().filter(|name| !before.contains_key(*name)).count();
    let kept = before.iter().filter_map(|(name, old)| Some((old, after.get(name)?)));
    let changed: Vec<_> = kept.filter(|(old, new)| old != new).collect();
    let added: usize = changed.iter().map(|(old, new)| new.difference(old).count()).sum();
    let removed: usize = changed.iter().map(|(old, new)| old.difference(new).count()).sum();
    assert_eq!((before.len() + new, changed.len(), added, removed, new), (after.len(), 156, 3_105, 228, 2));
}
