//! What a user names becomes the path of a resource or of a list.
//!
//! Either a whole id, or a kind and a name: `nsg web-nsg`, `rule web-nsg/allow-ssh`. Without a group the name is looked up
//! in the whole subscription, and must be there once.

use palisade_client::Client;
use serde_json::Value;

use super::kinds::{KINDS, full_type, names};
use crate::{exit::Failure, nearest};

/// A resource, or several.
#[derive(Debug, Clone, clap::Args)]
pub struct ResourceArgs {
    /// Id of a resource, or its kind: group, nsg, rule, asg, vnet, subnet, peering, nic, public-ip, route-table, route, lb,
    /// nat-rule, vm, watcher, flow-log, network-manager, intent, tunnel, or a full type such as
    /// Microsoft.Network/networkSecurityGroups
    #[arg(value_name = "ID|KIND")]
    pub kind: Option<String>,
    /// Name of the resource; of a part, the names of parent and part: NSG/RULE
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Resource group
    #[arg(long, short = 'g', value_name = "NAME")]
    pub resource_group: Option<String>,
}

/// What is meant.
#[derive(Debug, PartialEq, Eq)]
pub enum Target {
    /// One resource.
    One(String),
    /// A list.
    Many(String),
}

impl ResourceArgs {
    /// What these arguments mean.
    pub fn target(&self, client: &Client) -> Result<Target, Failure> {
        let scope = Scope { subscription: client.subscription(), group: self.resource_group.as_deref() };
        let Some(kind) = &self.kind else { return Ok(Target::Many(format!("{}/resources", scope.path()))) };
        if kind.starts_with('/') {
            return match &self.name {
                None => Ok(Target::One(kind.trim_end_matches('/').to_owned())),
                Some(name) => {
                    Err(Failure::input(format!("{kind} is a whole id already (leave out {name:?})")))
                }
            };
        }
        let full = full_type(kind).ok_or_else(|| {
            let hint = nearest::hint(kind, KINDS.map(|kind| kind.name));
            Failure::input(format!(
                "{kind:?} is no kind of resource{hint} (known are {}, and full types)",
                names()
            ))
        })?;
        let parts: Vec<_> = self.name.iter().flat_map(|name| name.split('/')).collect();
        if let Some(target) = scope.target(full, &parts)? {
            return Ok(target);
        }
        let (top, id) = found(client, full, parts[0])?;
        Ok(below(&id, &top, full, &parts))
    }
}

/// Where names are looked for.
struct Scope<'a> {
    subscription: &'a str,
    group: Option<&'a str>,
}

impl Scope<'_> {
    fn path(&self) -> String {
        let group = self.group.map(|group| format!("/resourceGroups/{group}")).unwrap_or_default();
        format!("/subscriptions/{}{group}", self.subscription)
    }

    /// The target, or nothing if the group of the resource must be found out first.
    fn target(&self, full: &str, parts: &[&str]) -> Result<Option<Target>, Failure> {
        let levels = full.split('/').count() - 1;
        if parts.iter().any(|part| part.is_empty()) || parts.len() > levels || parts.len() + 1 < levels {
            let parents = if levels > 1 { ", after those of its parents, with / between" } else { "" };
            return Err(Failure::input(format!(
                "{:?} is no name of a {full} (give its name{parents})",
                parts.join("/")
            )));
        }
        if full.eq_ignore_ascii_case("Microsoft.Resources/resourceGroups") {
            let all = format!("/subscriptions/{}/resourceGroups", self.subscription);
            return Ok(Some(
                parts.first().map_or(Target::Many(all.clone()), |name| Target::One(format!("{all}/{name}"))),
            ));
        }
        if parts.is_empty() {
            return Ok(Some(Target::Many(format!("{}/providers/{full}", self.path()))));
        }
        if self.group.is_none() {
            return Ok(None);
        }
        let top: String = full.split('/').take(2).collect::<Vec<_>>().join("/");
        let id = format!("{}/providers/{top}/{}", self.path(), parts[0]);
        Ok(Some(below(&id, &top, full, parts)))
    }
}

/// The target under a top-level resource.
fn below(id: &str, top: &str, full: &str, parts: &[&str]) -> Target {
    let types = full[top.len()..].split('/').filter(|segment| !segment.is_empty());
    let mut path = id.to_owned();
    let mut names = parts[1..].iter();
    for segment in types {
        path.push_str(&format!("/{segment}"));
        match names.next() {
            Some(name) => path.push_str(&format!("/{name}")),
            None => return Target::Many(path),
        }
    }
    Target::One(path)
}

/// The only top-level resource of this type and name: its type and its id.
fn found(client: &Client, full: &str, name: &str) -> Result<(String, String), Failure> {
    let top: String = full.split('/').take(2).collect::<Vec<_>>().join("/");
    let all = client.list(&format!("/subscriptions/{}/providers/{top}", client.subscription()))?;
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let mut found: Vec<_> = all
        .iter()
        .filter(|one| text(one, "name").eq_ignore_ascii_case(name))
        .map(|one| text(one, "id"))
        .collect();
    match found.len() {
        1 => Ok((top, found.remove(0))),
        0 => Err(Failure::input(format!(
            "ResourceNotFound: there is no {top} named {name:?} in the subscription{}",
            nearest::hint(name, all.iter().filter_map(|one| one["name"].as_str()))
        ))),
        _ => Err(Failure::input(format!(
            "{name:?} is in several groups (add --resource-group): {}",
            found.join(", ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "Microsoft.Network/networkSecurityGroups/securityRules";

    fn target(group: Option<&str>, full: &str, parts: &[&str]) -> Result<Option<Target>, Failure> {
        Scope { subscription: "s", group }.target(full, parts)
    }

    fn one(path: &str) -> Option<Target> {
        Some(Target::One(path.to_owned()))
    }

    fn many(path: &str) -> Option<Target> {
        Some(Target::Many(path.to_owned()))
    }

    #[test]
    fn kinds_and_names_become_paths() {
        let nsgs = "Microsoft.Network/networkSecurityGroups";
        let base = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkSecurityGroups";
        assert_eq!(target(Some("g"), nsgs, &["a"]).expect("one"), one(&format!("{base}/a")));
        assert_eq!(target(Some("g"), nsgs, &[]).expect("all"), many(base));
        assert_eq!(target(Some("g"), RULES, &["a"]).expect("all"), many(&format!("{base}/a/securityRules")));
        assert_eq!(
            target(Some("g"), RULES, &["a", "b"]).expect("one"),
            one(&format!("{base}/a/securityRules/b"))
        );
        assert_eq!(target(None, nsgs, &["a"]).expect("to be found"), None);
        let groups = "Microsoft.Resources/resourceGroups";
        assert_eq!(target(None, groups, &["g"]).expect("one"), one("/subscriptions/s/resourceGroups/g"));
        assert_eq!(target(None, groups, &[]).expect("all"), many("/subscriptions/s/resourceGroups"));
    }

    #[test]
    fn names_with_too_many_or_too_few_parts_are_refused() {
        for (full, parts) in [(RULES, &["a", "b", "c"][..]), (RULES, &[]), (RULES, &["a", ""])] {
            assert!(target(Some("g"), full, parts).is_err(), "{parts:?}");
        }
    }
}
