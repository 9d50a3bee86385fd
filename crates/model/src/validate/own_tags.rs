//! Settings that Azure has no field for: they stand in resource tags, which every client of Azure keeps.
//!
//! A name that begins with `palisade-` is ours, so a mistyped one is an error and never a setting that is silently off.
//! Names and words compare without case. It reads single tags; what they say of a rule is merged in [`super::schedule`].

use super::count_limit;
use crate::{
    Code, Guards, HOST_TAG, INTERFACE_TAG, Maybe, Mode, Place, ResourceId, limits,
    problem::Problems,
    spec::{At, Given, ResourceTags, Text},
};

const PREFIX: &str = "palisade-";
const MODE: &str = "palisade-mode";
const GUARDS: &str = "palisade-guards";
const RULE: &str = "palisade-rule:";

/// Whether a resource tag is one of ours by its name: such a tag must be one that is known, and its value counts.
pub fn is_own_tag(name: &str) -> bool {
    strip(name, PREFIX).is_some()
}

/// The rule of its NSG that a resource tag is about by its name.
pub fn rule_of_tag(name: &str) -> Option<&str> {
    strip(name, RULE)
}

/// What may be said, or may not be; unknown if only a deployment can tell whether it is, or what.
pub(super) type Said<T> = Maybe<Option<T>>;

/// A known text and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Written<'a> {
    pub(super) text: &'a str,
    pub(super) place: &'a Place,
}

/// The tags of ours that a resource has.
pub(super) struct OwnTags<'a> {
    owner: &'a ResourceId,
    tags: Vec<(&'a str, &'a Text)>,
    /// Why there may be others.
    unknown: Option<&'a str>,
}

impl<'a> OwnTags<'a> {
    /// The tags of an NSG.
    pub(super) fn of_nsg(owner: &'a ResourceId, tags: Option<&'a ResourceTags>, p: &mut Problems) -> Self {
        Self::new(owner, tags, &[MODE], Some(RULE), p)
    }

    /// The tags of an interface.
    pub(super) fn of_nic(owner: &'a ResourceId, tags: Option<&'a ResourceTags>, p: &mut Problems) -> Self {
        Self::new(owner, tags, &[INTERFACE_TAG, HOST_TAG, MODE, GUARDS], None, p)
    }

    fn new(
        owner: &'a ResourceId,
        tags: Option<&'a ResourceTags>,
        names: &[&str],
        family: Option<&str>,
        p: &mut Problems,
    ) -> Self {
        let mut own = Self { owner, tags: Vec::new(), unknown: None };
        let Some(At { value, place }) = tags else { return own };
        let all = match value {
            Given::Known(all) => all,
            Given::Unknown(reason) => return Self { unknown: Some(reason), ..own },
        };
        let (max, what) = (limits::TAGS_PER_RESOURCE_MAX, format!("tags of {owner}"));
        count_limit(p, Code::PalResourceCountLimitReached, place, all.len(), max, &what);
        for (name, text) in all.iter().filter(|(name, _)| is_own_tag(name)) {
            let is_known = names.iter().any(|known| known.eq_ignore_ascii_case(name));
            if !is_known && family.and_then(|family| strip(name, family)).is_none() {
                let rule = family.map(|family| format!("{family}<rule>"));
                let choices: Vec<_> = names.iter().copied().chain(rule.as_deref()).collect();
                let message = format!("tag {name} of {owner} is not one of {}", choices.join(", "));
                p.error(Code::PalInvalidTag, &text.place, message);
            } else if own.tags.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
                let message = format!("tag {name} of {owner} stands twice (remove one of them)");
                p.error(Code::PalInvalidTag, &text.place, message);
            } else {
                own.tags.push((name, text));
            }
        }
        own
    }

    /// Whether nothing is known of the tags.
    pub(super) const fn are_unknown(&self) -> bool {
        self.unknown.is_some()
    }

    /// What of the tags only a deployment can tell, one phrase each.
    pub(super) fn open_parts(&self) -> Vec<String> {
        let whole = self.unknown.map(|reason| format!("tags of {}: {reason}", self.owner));
        let single = self.tags.iter().filter_map(|(name, text)| match &text.value {
            Given::Known(_) => None,
            Given::Unknown(reason) => Some(format!("tag {name} of {}: {reason}", self.owner)),
        });
        whole.into_iter().chain(single).collect()
    }

    /// What the tag of the mode says.
    pub(super) fn mode(&self, p: &mut Problems) -> Maybe<Mode> {
        match self.find(MODE) {
            Maybe::Unknown => Maybe::Unknown,
            Maybe::Known(None) => Maybe::Known(Mode::Enforce),
            Maybe::Known(Some(written)) => {
                let what = format!("tag {MODE} \"{}\" of {}", written.text, self.owner);
                Maybe::Known(mode(written, &what, p).unwrap_or_default())
            }
        }
    }

    /// The guards that the tag leaves on; all of them while it is not known.
    pub(super) fn guards(&self, p: &mut Problems) -> Guards {
        let mut guards = Guards::ALL;
        let Maybe::Known(Some(written)) = self.find(GUARDS) else { return guards };
        for word in words(written.text) {
            if !guards.turn_off(word) {
                let choices: Vec<_> = Guards::words().collect();
                let message = format!(
                    "\"{word}\" in tag {GUARDS} of {} is not one of {}",
                    self.owner,
                    choices.join(", ")
                );
                p.error(Code::PalInvalidTag, written.place, message);
            }
        }
        guards
    }

    /// The tags about single rules: the rule's name, what names the tag in a message, and the text.
    pub(super) fn rules(&self) -> impl Iterator<Item = (&'a str, String, &'a Text)> {
        self.tags.iter().filter_map(|(name, text)| {
            let rule = rule_of_tag(name)?;
            Some((rule, format!("tag {name} of {}", self.owner), *text))
        })
    }

    fn find(&self, name: &str) -> Said<Written<'a>> {
        let found = self.tags.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        match found.map(|(_, text)| (&text.value, &text.place)) {
            Some((Given::Known(text), place)) => Maybe::Known(Some(Written { text, place })),
            None if self.unknown.is_none() => Maybe::Known(None),
            _ => Maybe::Unknown,
        }
    }
}

/// The words of a tag that holds a list; a blank tag holds none.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_blank = text.trim().is_empty();
    text.split(',').map(str::trim).filter(move |_| !is_blank)
}

/// The mode that a text names; `what` names it in a message.
pub(super) fn mode(written: Written<'_>, what: &str, p: &mut Problems) -> Option<Mode> {
    let found = Mode::ALL.into_iter().find(|mode| mode.to_string().eq_ignore_ascii_case(written.text));
    if found.is_none() {
        let choices = Mode::ALL.map(|mode| mode.to_string()).join(", ");
        p.error(Code::PalInvalidValue, written.place, format!("{what} is not one of {choices}"));
    }
    found
}

/// What follows `prefix`, compared without case.
fn strip<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}
