//! The shape of a body: what Azure's own deserialiser would refuse, found in one pass with all places.
//!
//! The result is spelt as the table spells it, without nulls and without what only the server writes. Properties that the
//! table does not know are kept as they are. What values mean is not decided here.

use serde_json::{Map, Number, Value};

use crate::ControlError;
use crate::kinds::{Collection, Field, Kind, Shape, canonical_location};

/// Most wrong properties that one answer lists.
const PROBLEMS_MAX: usize = 100;
/// Members of the envelope that are not the owner's to write.
const IDENTITY: [&str; 5] = ["id", "name", "type", "etag", "systemData"];

/// Children by their collection, each with its name and its own part.
pub(super) type Inlined = Vec<(&'static Collection, Vec<(String, Map<String, Value>)>)>;

/// A body that was read.
#[derive(Debug)]
pub(super) struct Body {
    /// The resource's own part: envelope and `properties`.
    pub(super) own: Map<String, Value>,
    /// Inlined children of the collections that are there.
    pub(super) children: Inlined,
}

/// Reads the body of a resource of this kind.
pub(super) fn read(kind: &'static Kind, body: &Value) -> Result<Body, ControlError> {
    let mut reader = Reader::default();
    let read = reader.resource(kind, body, "");
    match ControlError::several(reader.problems) {
        Some(error) => Err(error),
        None => Ok(read),
    }
}

/// Reads tags alone.
pub(super) fn tags(value: &Value) -> Result<Value, ControlError> {
    let mut reader = Reader::default();
    let tags = reader.tags(value, "tags");
    ControlError::several(reader.problems).map_or(Ok(tags), Err)
}

#[derive(Default)]
struct Reader {
    problems: Vec<ControlError>,
}

impl Reader {
    fn resource(&mut self, kind: &'static Kind, body: &Value, path: &str) -> Body {
        let mut read = Body { own: Map::new(), children: Vec::new() };
        let Some(members) = self.object(body, path) else { return read };
        for (key, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            let is = |name: &str| key.eq_ignore_ascii_case(name);
            if IDENTITY.iter().any(|name| is(name)) {
                continue;
            }
            let (name, value) = if is("properties") {
                ("properties", self.properties(kind, value, &at(path, "properties"), &mut read))
            } else if is("location") {
                let text = self.text(value, &at(path, "location"));
                ("location", text.map(|text| canonical_location(&text).into()).unwrap_or_default())
            } else if is("tags") {
                ("tags", self.tags(value, &at(path, "tags")))
            } else if let Some(field) = find(kind.envelope, key) {
                (field.name, self.shaped(field.shape, value, &at(path, field.name)).unwrap_or_default())
            } else {
                (key.as_str(), value.clone())
            };
            self.put(&mut read.own, name, value, path);
        }
        read.own.entry("properties").or_insert_with(|| Map::new().into());
        read
    }

    fn properties(&mut self, kind: &'static Kind, value: &Value, path: &str, read: &mut Body) -> Value {
        let Some(members) = self.object(value, path) else { return Value::Null };
        let mut own = Map::new();
        for (key, value) in members {
            match kind.collection(key).filter(|collection| collection.is_inlined) {
                Some(_) if value.is_null() => {}
                Some(collection) => {
                    let children = self.children(collection, value, &at(path, collection.segment));
                    read.children.push((collection, children));
                }
                None => self.member(kind.properties, key, value, path, &mut own),
            }
        }
        Value::Object(own)
    }

    fn children(
        &mut self,
        collection: &'static Collection,
        value: &Value,
        path: &str,
    ) -> Vec<(String, Map<String, Value>)> {
        let mut children: Vec<(String, Map<String, Value>)> = Vec::new();
        let mut names = std::collections::HashSet::new();
        for (index, element) in self.list(value, path).iter().enumerate() {
            let path = format!("{path}[{index}]");
            let read = self.resource(collection.kind, element, &path);
            let Some(name) = self.name(element, &path) else { continue };
            if names.insert(name.to_ascii_lowercase()) {
                children.push((name, read.own));
            } else {
                let message = format!(
                    "Multiple resources with the same name '{name}' were found in {}. Names must be unique.",
                    collection.segment
                );
                self.problem(ControlError::bad("DuplicateResourceName", message).about(path));
            }
        }
        children
    }

    fn name(&mut self, element: &Value, path: &str) -> Option<String> {
        let (_, name) = element.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case("name"))?;
        let name = self.text(name, &at(path, "name"))?;
        Some(name).filter(|name| !name.is_empty())
    }
}

impl Reader {
    fn fields(&mut self, fields: &'static [Field], value: &Value, path: &str) -> Option<Value> {
        let members = self.object(value, path)?;
        let mut read = Map::new();
        for (key, value) in members {
            self.member(fields, key, value, path, &mut read);
        }
        Some(Value::Object(read))
    }

    fn member(
        &mut self,
        fields: &'static [Field],
        key: &str,
        value: &Value,
        path: &str,
        out: &mut Map<String, Value>,
    ) {
        let Some(field) = find(fields, key) else {
            out.insert(key.to_owned(), value.clone());
            return;
        };
        if field.is_read_only || value.is_null() {
            return;
        }
        if let Some(value) = self.shaped(field.shape, value, &at(path, field.name)) {
            self.put(out, field.name, value, path);
        }
    }

    /// The value in its shape; `None` if it says nothing, or is wrong.
    fn shaped(&mut self, shape: Shape, value: &Value, path: &str) -> Option<Value> {
        match shape {
            Shape::Any => Some(value.clone()),
            Shape::Text => self.text(value, path).map(Value::String),
            Shape::Flag => self.flag(value, path),
            Shape::Integer => self.integer(value, path),
            Shape::Texts => {
                self.each(value, path, |reader, element, path| reader.text(element, path).map(Value::String))
            }
            Shape::Object(fields) => self.fields(fields, value, path),
            Shape::Objects(fields) => {
                self.each(value, path, |reader, element, path| reader.fields(fields, element, path))
            }
            Shape::Elements(fields) => {
                self.each(value, path, |reader, element, path| reader.element(fields, element, path))
            }
            Shape::Reference(_) => self.reference(value, path),
            Shape::References(_) => self.each(value, path, Self::reference),
            Shape::Id(_) => self.text(value, path).map(Value::String),
        }
    }

    /// A part of a resource that has a name: an IP configuration.
    fn element(&mut self, fields: &'static [Field], value: &Value, path: &str) -> Option<Value> {
        let members = self.object(value, path)?;
        let mut read = Map::new();
        for (key, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            if key.eq_ignore_ascii_case("properties") {
                let properties = self.fields(fields, value, &at(path, "properties"))?;
                self.put(&mut read, "properties", properties, path);
            } else if !IDENTITY.iter().any(|name| key.eq_ignore_ascii_case(name)) {
                read.insert(key.clone(), value.clone());
            }
        }
        read.entry("properties").or_insert_with(|| Map::new().into());
        if let Some(name) = self.name(value, path) {
            read.insert("name".to_owned(), name.into());
        } else {
            self.wrong(&at(path, "name"), &Value::Null, "a name");
        }
        Some(Value::Object(read))
    }

    /// `{"id": ...}`; of a whole resource only its id is kept, as Azure does.
    fn reference(&mut self, value: &Value, path: &str) -> Option<Value> {
        let Some(members) = value.as_object() else {
            self.wrong(path, value, "an object with an id");
            return None;
        };
        let id = members.iter().find(|(key, _)| key.eq_ignore_ascii_case("id")).map(|(_, id)| id);
        let id = id.filter(|id| !id.is_null())?;
        let id = self.text(id, &at(path, "id"))?;
        (!id.is_empty()).then(|| Value::Object(Map::from_iter([("id".to_owned(), id.into())])))
    }

    fn tags(&mut self, value: &Value, path: &str) -> Value {
        let Some(members) = self.object(value, path) else { return Value::Null };
        let mut tags = Map::new();
        for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            if let Some(text) = self.text(value, &at(path, name)) {
                tags.insert(name.clone(), text.into());
            }
        }
        Value::Object(tags)
    }

    fn each(
        &mut self,
        value: &Value,
        path: &str,
        mut read: impl FnMut(&mut Self, &Value, &str) -> Option<Value>,
    ) -> Option<Value> {
        let mut list = Vec::new();
        for (index, element) in self.list(value, path).iter().enumerate() {
            list.extend(read(self, element, &format!("{path}[{index}]")));
        }
        Some(Value::Array(list))
    }

    fn object<'v>(&mut self, value: &'v Value, path: &str) -> Option<&'v Map<String, Value>> {
        let members = value.as_object();
        if members.is_none() {
            self.wrong(path, value, "an object");
        }
        members
    }

    fn list<'v>(&mut self, value: &'v Value, path: &str) -> &'v [Value] {
        value.as_array().unwrap_or_else(|| {
            self.wrong(path, value, "an array");
            const { &Vec::new() }
        })
    }

    fn text(&mut self, value: &Value, path: &str) -> Option<String> {
        match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => self.wrong_value(path, value, "a string"),
        }
    }

    fn flag(&mut self, value: &Value, path: &str) -> Option<Value> {
        match value {
            Value::Bool(_) => Some(value.clone()),
            Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true.into()),
            Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false.into()),
            _ => self.wrong_value(path, value, "a boolean"),
        }
    }

    fn integer(&mut self, value: &Value, path: &str) -> Option<Value> {
        let number = match value {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        match number {
            Some(number) => Some(Value::Number(Number::from(number))),
            None => self.wrong_value(path, value, "an integer"),
        }
    }

    fn put(&mut self, out: &mut Map<String, Value>, name: &str, value: Value, path: &str) {
        if out.insert(name.to_owned(), value).is_some() {
            let message = format!("Cannot parse the request: '{}' stands twice.", at(path, name));
            self.problem(ControlError::bad("InvalidRequestFormat", message).about(at(path, name)));
        }
    }

    fn wrong_value<T>(&mut self, path: &str, value: &Value, expected: &str) -> Option<T> {
        self.wrong(path, value, expected);
        None
    }

    fn wrong(&mut self, path: &str, value: &Value, expected: &str) {
        let found = match value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        };
        let place = if path.is_empty() { "the body" } else { path };
        let message = format!("Cannot parse the request: '{place}' is {found}, expected {expected}.");
        self.problem(ControlError::bad("InvalidRequestFormat", message).about(place));
    }

    fn problem(&mut self, problem: ControlError) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }
}

fn find(fields: &'static [Field], key: &str) -> Option<&'static Field> {
    fields.iter().find(|field| field.name.eq_ignore_ascii_case(key))
}

fn at(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
