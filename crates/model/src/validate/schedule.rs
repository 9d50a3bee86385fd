//! When a rule is in force, and whether it decides: what its own properties say and what the tags of its NSG say.
//!
//! Both may speak; if they differ, the rule is refused, for no order of the two would be less surprising than the other.
//! Whole seconds count: a beginning is rounded up and an end down, so that a window is never wider than it was written.

use super::own_tags::{OwnTags, Said, Written, mode, words};
use super::rule::RuleAt;
use crate::{
    Code, Maybe, Mode, Place, ResourceId, Window,
    calendar::Moment,
    problem::Problems,
    spec::{Given, NsgSpec, RuleSpec, Text},
};

/// What is said of one rule in one place.
#[derive(Clone, Copy)]
struct Settings {
    mode: Said<Mode>,
    not_before: Said<u32>,
    expires_at: Said<u32>,
}

impl Settings {
    const NONE: Self =
        Self { mode: Maybe::Known(None), not_before: Maybe::Known(None), expires_at: Maybe::Known(None) };
    const UNKNOWN: Self =
        Self { mode: Maybe::Unknown, not_before: Maybe::Unknown, expires_at: Maybe::Unknown };
}

/// What holds for one rule.
pub(super) struct Schedule {
    pub(super) window: Window,
    pub(super) mode: Mode,
    /// False if a part of it is unknown.
    pub(super) certain: bool,
}

/// What the tags of an NSG say of its rules.
pub(super) struct RuleTags<'a> {
    by_name: Vec<(&'a str, Settings)>,
    /// Whether a tag may be about a rule whose name is not known.
    may_name_others: bool,
    are_unknown: bool,
}

impl<'a> RuleTags<'a> {
    /// Reads the tags; one that surely names no rule of the NSG is an error.
    pub(super) fn new(own: &OwnTags<'a>, spec: &NsgSpec, p: &mut Problems) -> Self {
        let names = || spec.rules.iter().filter_map(|rule| rule.name.as_ref());
        let is_complete = spec.rules_unknown.is_none() && names().all(|name| name.value.known().is_some());
        let mut tags = Self { by_name: Vec::new(), may_name_others: false, are_unknown: own.are_unknown() };
        for (name, what, text) in own.rules() {
            let is_of = |rule: &Text| rule.value.known().is_some_and(|rule| rule.eq_ignore_ascii_case(name));
            if !names().any(is_of) {
                tags.may_name_others = true;
                if is_complete {
                    let message = format!("{what} names no rule of it (correct the name, or remove the tag)");
                    p.error(Code::PalTagWithoutRule, &text.place, message);
                }
            }
            tags.by_name.push((name, of_tag(&what, text, p)));
        }
        tags
    }

    fn of(&self, name: Option<&Text>) -> Settings {
        let known = name.and_then(|name| name.value.known());
        let is_named =
            |(tag, _): &&(&str, Settings)| known.is_some_and(|name| name.eq_ignore_ascii_case(tag));
        let may_be_named = known.is_none() && self.may_name_others;
        match self.by_name.iter().find(is_named) {
            Some((_, settings)) => *settings,
            None if self.are_unknown || may_be_named => Settings::UNKNOWN,
            None => Settings::NONE,
        }
    }
}

/// What holds for a rule.
pub(super) fn schedule(at: &RuleAt<'_>, spec: &RuleSpec, tags: &RuleTags<'_>, p: &mut Problems) -> Schedule {
    let (property, tag) = (of_properties(at, spec, p), tags.of(spec.name.as_ref()));
    let mode = agreed(at, "mode", property.mode, tag.mode, p);
    let not_before = agreed(at, "notBefore", property.not_before, tag.not_before, p);
    let expires_at = agreed(at, "expiresAt", property.expires_at, tag.expires_at, p);
    let bound = |said: Said<u32>| said.known().flatten();
    let window = Window::new(bound(not_before), bound(expires_at)).unwrap_or_else(|| {
        let message = format!(
            "security rule {} is in force at no time: its notBefore is not before its expiresAt (correct one of them)",
            at.id
        );
        p.error(Code::PalEmptyWindow, at.place, message);
        Window::ALWAYS
    });
    Schedule {
        window,
        mode: mode.known().flatten().unwrap_or_default(),
        certain: mode.known().is_some() && not_before.known().is_some() && expires_at.known().is_some(),
    }
}

/// The window of a rule that has an end at most, and whether it is known.
pub(super) fn window_until(at: &RuleAt<'_>, expires_at: Option<&Text>, p: &mut Problems) -> (Window, bool) {
    let owner = format!("rule {}", at.id);
    let end = read(said(expires_at), |text| time(Bound::End, text.text, &owner, text.place, p));
    let Maybe::Known(end) = end else { return (Window::ALWAYS, false) };
    let window = Window::new(None, end).unwrap_or_else(|| {
        let message =
            format!("{owner} is in force at no time: it ends where time begins (correct expiresAt)");
        p.error(Code::PalEmptyWindow, at.place, message);
        Window::ALWAYS
    });
    (window, true)
}

/// When something ends, if it does; `None` if that is not known, which is an error.
pub(super) fn end(id: &ResourceId, expires_at: Option<&Text>, p: &mut Problems) -> Option<Option<u32>> {
    let owner = id.to_string();
    match read(said(expires_at), |text| time(Bound::End, text.text, &owner, text.place, p)) {
        Maybe::Known(end) => Some(end),
        Maybe::Unknown => None,
    }
}

fn agreed<T: Copy + PartialEq>(
    at: &RuleAt<'_>,
    field: &str,
    property: Said<T>,
    tag: Said<T>,
    p: &mut Problems,
) -> Said<T> {
    match (property, tag) {
        (Maybe::Known(Some(of_property)), Maybe::Known(Some(of_tag))) if of_property != of_tag => {
            let message = format!(
                "{field} of security rule {} is not what the NSG's tag says of it (remove one of them)",
                at.id
            );
            p.error(Code::PalTagDiffers, at.place, message);
            property
        }
        // Where one place speaks, the other could only be silent, agree, or be refused.
        (Maybe::Known(Some(_)), _) => property,
        (_, Maybe::Known(Some(_))) => tag,
        (Maybe::Known(None), Maybe::Known(None)) => Maybe::Known(None),
        _ => Maybe::Unknown,
    }
}

fn of_properties(at: &RuleAt<'_>, spec: &RuleSpec, p: &mut Problems) -> Settings {
    let owner = format!("security rule {}", at.id);
    let (said_mode, not_before) = (said(spec.mode.as_ref()), said(spec.not_before.as_ref()));
    let expires_at = said(spec.expires_at.as_ref());
    Settings {
        mode: read(said_mode, |text| mode(text, &format!("mode \"{}\" of {owner}", text.text), p)),
        not_before: read(not_before, |text| time(Bound::First, text.text, &owner, text.place, p)),
        expires_at: read(expires_at, |text| time(Bound::End, text.text, &owner, text.place, p)),
    }
}

fn of_tag(what: &str, text: &Text, p: &mut Problems) -> Settings {
    let Given::Known(list) = &text.value else { return Settings::UNKNOWN };
    let mut found = Settings::NONE;
    for word in words(list) {
        let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
        let is = |known: &str| name.trim().eq_ignore_ascii_case(known);
        let is_second = match value {
            None if is("audit") => set(&mut found.mode, Some(Mode::Audit)),
            Some(value) if is(Bound::First.name()) => {
                set(&mut found.not_before, time(Bound::First, value, what, &text.place, p))
            }
            Some(value) if is(Bound::End.name()) => {
                set(&mut found.expires_at, time(Bound::End, value, what, &text.place, p))
            }
            _ => {
                let message =
                    format!("\"{word}\" in {what} is not one of audit, notBefore=..., expiresAt=...");
                p.error(Code::PalInvalidTag, &text.place, message);
                false
            }
        };
        if is_second {
            let message = format!("{what} says {name} twice (remove one of them)");
            p.error(Code::PalInvalidTag, &text.place, message);
        }
    }
    found
}

/// Sets a field; true if it was set before.
fn set<T: Copy>(field: &mut Said<T>, value: Option<T>) -> bool {
    let before = std::mem::replace(field, Maybe::Known(value));
    before.known().flatten().is_some()
}

/// Which end of a window a time is.
#[derive(Clone, Copy)]
enum Bound {
    First,
    End,
}

impl Bound {
    const fn name(self) -> &'static str {
        match self {
            Self::First => "notBefore",
            Self::End => "expiresAt",
        }
    }
}

fn time(bound: Bound, text: &str, owner: &str, place: &Place, p: &mut Problems) -> Option<u32> {
    let second = Moment::parse(text).and_then(|moment| match bound {
        Bound::First => moment.rounded_up(),
        Bound::End => moment.rounded_down(),
    });
    if second.is_none() {
        let message = format!(
            "{} \"{text}\" of {owner} is not a time of the years 1970 to 2106 (write 2026-01-31T08:00:00Z)",
            bound.name()
        );
        p.error(Code::PalInvalidTime, place, message);
    }
    second
}

fn said(text: Option<&Text>) -> Said<Written<'_>> {
    match text.map(|text| (&text.value, &text.place)) {
        None => Maybe::Known(None),
        Some((Given::Unknown(_), _)) => Maybe::Unknown,
        Some((Given::Known(text), place)) => Maybe::Known(Some(Written { text, place })),
    }
}

/// What a text means; one that means nothing was reported, and counts as not said.
fn read<'a, T: Copy>(said: Said<Written<'a>>, meaning: impl FnOnce(Written<'a>) -> Option<T>) -> Said<T> {
    match said {
        Maybe::Unknown => Maybe::Unknown,
        Maybe::Known(written) => Maybe::Known(written.and_then(meaning)),
    }
}
