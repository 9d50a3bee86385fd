//! Typed fields of an object: the one place that decides what a string, a number, a list or a reference may look like.
//!
//! Every function takes an item and a property's name, gives the field of the model, and reports a wrong type with its
//! place. A field of a wrong type becomes unknown, never absent, so that nothing is concluded from its absence. What a
//! value means is not decided here.

use std::collections::HashMap;

use palisade_model::spec::{At, EstateSpec, Flag, Given, Reference, ResourceTags, Text, TextList, Unknown};
use palisade_model::{Place, ResourceId, Truth, is_own_tag};

use super::index::Index;
use super::item::{Item, Look};
use super::problem::{Code, Problems};

/// The most elements of one list.
pub(super) const LIST_ITEMS_MAX: usize = 100_000;

/// What reading has led to so far.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) spec: EstateSpec,
    pub(super) problems: Problems,
    /// Ids with holes, and why they have them.
    pub(super) symbols: HashMap<ResourceId, String>,
    /// Where resources and children stand in the spec.
    pub(super) index: Index,
}

impl Reader {
    /// Reports a value of the wrong type and gives the reason why it is unknown.
    pub(super) fn wrong_type(&mut self, item: Item<'_>, key: &str, expected: &str) -> String {
        let found = item.look().describe();
        let message = format!(
            "The request content was invalid and could not be deserialized: property \"{key}\" is {found}, \
             expected {expected}."
        );
        self.problems.error(Code::InvalidRequestContent, item.place(), message);
        format!("property \"{key}\" is {found}, not {expected}")
    }

    /// Notes that something is not known.
    pub(super) fn unknown(&mut self, what: impl Into<String>, reason: impl Into<String>, place: Place) {
        self.spec.unknowns.push(Unknown { what: what.into(), reason: reason.into(), place });
    }

    /// A text; numbers are taken as they are written, as Azure does.
    pub(super) fn text(&mut self, item: Item<'_>, key: &str) -> Option<Text> {
        item.property(key).map(|value| self.as_text(value, key))
    }

    /// A text that Azure leaves empty where there is none.
    pub(super) fn filled_text(&mut self, item: Item<'_>, key: &str) -> Option<Text> {
        self.text(item, key).filter(|text| text.value.known().is_none_or(|text| !text.is_empty()))
    }

    /// The text that `item` is.
    pub(super) fn as_text(&mut self, item: Item<'_>, key: &str) -> Text {
        let value = match item.look() {
            Look::Text(text) | Look::Number(text) => Given::Known(text),
            Look::Symbol(_, reason) | Look::Unknown(reason) => Given::Unknown(reason),
            _ => Given::Unknown(self.wrong_type(item, key, "a string")),
        };
        At { value, place: item.place() }
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, item: Item<'_>, key: &str) -> Option<TextList> {
        self.list(item, key, |reader, element| Some(reader.as_text(element, key)))
    }

    /// Either of a list and a single text, as a list; the list counts unless it is empty.
    pub(super) fn one_or_many(&mut self, item: Item<'_>, one: &str, many: &str) -> Option<TextList> {
        let list =
            self.texts(item, many).filter(|list| list.value.known().is_none_or(|list| !list.is_empty()));
        list.or_else(|| {
            let text = self.text(item, one)?;
            let place = text.place.clone();
            Some(At { value: Given::Known(vec![text]), place })
        })
    }

    /// A list of `{"id": ...}`.
    pub(super) fn references(&mut self, item: Item<'_>, key: &str) -> Option<At<Given<Vec<Reference>>>> {
        self.list(item, key, |reader, element| reader.as_reference(element, key))
    }

    /// The elements of a list property that is not about texts, with a problem if it is none and a note if it is
    /// unknown. `owner` names the object it belongs to.
    pub(super) fn objects<'a>(&mut self, item: Item<'a>, key: &str, owner: &ResourceId) -> Vec<Item<'a>> {
        let Some(value) = item.property(key) else { return Vec::new() };
        if let Look::Symbol(_, reason) | Look::Unknown(reason) = value.look() {
            self.unknown(format!("{key} of {owner}"), reason, value.place());
            return Vec::new();
        }
        match self.elements(value, key) {
            Ok(elements) => elements,
            Err(reason) => {
                self.unknown(format!("{key} of {owner}"), reason, value.place());
                Vec::new()
            }
        }
    }

    fn list<'a, T>(
        &mut self,
        item: Item<'a>,
        key: &str,
        mut element: impl FnMut(&mut Self, Item<'a>) -> Option<T>,
    ) -> Option<At<Given<Vec<T>>>> {
        let value = item.property(key)?;
        let given = match value.look() {
            Look::Symbol(_, reason) | Look::Unknown(reason) => Given::Unknown(reason),
            _ => match self.elements(value, key) {
                Ok(items) => Given::Known(items.into_iter().filter_map(|item| element(self, item)).collect()),
                Err(reason) => Given::Unknown(reason),
            },
        };
        Some(At { value: given, place: value.place() })
    }

    /// The elements of an array, or why there are none.
    pub(super) fn elements<'a>(&mut self, value: Item<'a>, key: &str) -> Result<Vec<Item<'a>>, String> {
        match value.items() {
            Some(items) if items.len() > LIST_ITEMS_MAX => {
                let message = format!("\"{key}\" has {} elements, more than {LIST_ITEMS_MAX}", items.len());
                self.problems.error(Code::InvalidRequestContent, value.place(), message.clone());
                Err(message)
            }
            Some(items) => Ok(items),
            None => Err(self.wrong_type(value, key, "an array")),
        }
    }

    /// A reference `{"id": ...}` to another resource.
    pub(super) fn reference(&mut self, item: Item<'_>, key: &str) -> Option<Reference> {
        let value = item.property(key)?;
        self.as_reference(value, key)
    }

    /// The reference that `item` is. Azure writes `null` ids where nothing is meant.
    pub(super) fn as_reference(&mut self, item: Item<'_>, key: &str) -> Option<Reference> {
        match item.look() {
            Look::Object => match item.get("id") {
                Some(id) => Some(self.as_id(id, key)),
                None if item.members().is_some_and(|members| members.iter().any(|(key, _)| *key == "id")) => {
                    None
                }
                None => {
                    let reason = self.wrong_type(item, key, "an object with an id");
                    Some(At { value: Given::Unknown(reason), place: item.place() })
                }
            },
            Look::Symbol(_, reason) | Look::Unknown(reason) => {
                Some(At { value: Given::Unknown(reason), place: item.place() })
            }
            _ => {
                let reason = self.wrong_type(item, key, "an object with an id");
                Some(At { value: Given::Unknown(reason), place: item.place() })
            }
        }
    }

    /// The id that `item` is. An id with holes stays usable: it may meet a resource whose id has the same.
    pub(super) fn as_id(&mut self, item: Item<'_>, key: &str) -> Reference {
        let value = match item.look() {
            Look::Text(text) => Given::Known(ResourceId::new(&text)),
            Look::Symbol(text, reason) => {
                let id = ResourceId::new(&text);
                self.symbols.insert(id.clone(), reason);
                Given::Known(id)
            }
            Look::Unknown(reason) => Given::Unknown(reason),
            _ => Given::Unknown(self.wrong_type(item, key, "the id of a resource")),
        };
        At { value, place: item.place() }
    }

    /// A truth value; Azure also takes its text.
    pub(super) fn given_flag(&mut self, item: Item<'_>, key: &str) -> Option<Flag> {
        let found = item.property(key)?;
        let value = match found.look() {
            Look::Bool(flag) => Given::Known(flag),
            Look::Text(text) if text.eq_ignore_ascii_case("true") => Given::Known(true),
            Look::Text(text) if text.eq_ignore_ascii_case("false") => Given::Known(false),
            Look::Symbol(_, reason) | Look::Unknown(reason) => Given::Unknown(reason),
            _ => Given::Unknown(self.wrong_type(found, key, "a boolean")),
        };
        Some(At { value, place: found.place() })
    }

    /// A truth value; an unknown one is noted and counts as not given.
    pub(super) fn flag(&mut self, item: Item<'_>, key: &str, owner: &ResourceId) -> Option<bool> {
        let flag = self.given_flag(item, key)?;
        match flag.value {
            Given::Known(value) => Some(value),
            Given::Unknown(reason) => {
                self.unknown(format!("{key} of {owner}"), reason, flag.place);
                None
            }
        }
    }

    /// A truth value that may stay open; `default` if it is not given.
    pub(super) fn truth(&mut self, item: Item<'_>, key: &str, owner: &ResourceId, default: bool) -> Truth {
        let is_given = item.property(key).is_some();
        self.flag(item, key, owner).map_or(if is_given { Truth::Maybe } else { default.into() }, Truth::from)
    }

    /// A whole number; Azure also takes its text.
    pub(super) fn integer(&mut self, item: Item<'_>, key: &str) -> Option<At<Given<i64>>> {
        let found = item.property(key)?;
        let parsed = match found.look() {
            Look::Number(text) | Look::Text(text) => text.parse().ok(),
            Look::Symbol(_, reason) | Look::Unknown(reason) => {
                return Some(At { value: Given::Unknown(reason), place: found.place() });
            }
            _ => None,
        };
        let value = match parsed {
            Some(number) => Given::Known(number),
            None => Given::Unknown(self.wrong_type(found, key, "a whole number")),
        };
        Some(At { value, place: found.place() })
    }

    /// The tags of a resource. Of one that is not known nothing is kept unless it is ours: no other means anything here.
    pub(super) fn tags(&mut self, item: Item<'_>) -> Option<ResourceTags> {
        let found = item.get("tags")?;
        let value = match (found.members(), found.unknown_reason()) {
            (_, Some(reason)) => Given::Unknown(reason),
            (Some(members), None) => {
                let given = members.into_iter().filter(|(_, value)| !value.is_null());
                let kept = given.filter_map(|(name, value)| {
                    let text = match value.text() {
                        Some(text) => At { value: Given::Known(text.to_owned()), place: value.place() },
                        None if is_own_tag(name) => self.as_text(value, name),
                        None => return None,
                    };
                    Some((name.to_owned(), text))
                });
                Given::Known(kept.collect())
            }
            (None, None) => Given::Unknown(self.wrong_type(found, "tags", "an object")),
        };
        Some(At { value, place: found.place() })
    }

    /// The name of an element of a list, such as a rule inside its group.
    pub(super) fn name(&mut self, item: Item<'_>) -> Option<Text> {
        let name = item.get("name")?;
        match name.symbol() {
            // The expression comes first: it tells apart what is unknown for the same reason.
            Some((symbol, reason)) => {
                Some(At { value: Given::Unknown(format!("{symbol}: {reason}")), place: name.place() })
            }
            None => Some(self.as_text(name, "name")),
        }
    }

    /// The name of an element that must have one to be of use; unknown if it has none.
    pub(super) fn some_name(&mut self, item: Item<'_>) -> Text {
        let nameless = || At { value: Given::Unknown("it has no name".to_owned()), place: item.place() };
        self.name(item).unwrap_or_else(nameless)
    }
}
