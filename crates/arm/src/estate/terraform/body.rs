//! An object in ARM's shape and its mask, built together.

use crate::json::{Kind, Member, Node, Object, Position};

/// What a property of a plan is.
#[derive(Debug, Clone)]
pub(super) enum Planned {
    /// Known: the value and the mask inside it.
    Known(Node, Option<Node>),
    /// Known after apply; where the resource stands.
    Unknown(Position),
}

/// Members of an object and of its mask.
#[derive(Debug, Default)]
pub(super) struct Body {
    values: Vec<Member>,
    unknown: Vec<Member>,
}

impl Body {
    /// Sets a property, if it is there.
    pub(super) fn set(&mut self, key: &str, value: Option<Planned>) {
        match value {
            None => {}
            Some(Planned::Unknown(at)) => self.unknown.push(member(key, Node { kind: Kind::Bool(true), at })),
            Some(Planned::Known(value, mask)) => {
                self.values.push(member(key, value));
                self.unknown.extend(mask.map(|mask| member(key, mask)));
            }
        }
    }

    /// The object and its mask.
    pub(super) fn finish(self, at: Position) -> (Node, Node) {
        let object = |members| Node { kind: Kind::Object(Object::new(members)), at };
        (object(self.values), object(self.unknown))
    }

    /// The object as a property of another.
    pub(super) fn planned(self, at: Position) -> Planned {
        let (value, mask) = self.finish(at);
        Planned::Known(value, Some(mask))
    }
}

/// A list of objects.
pub(super) fn list(items: Vec<Body>, at: Position) -> Planned {
    let (values, masks) = items.into_iter().map(|item| item.finish(at)).unzip();
    let array = |items| Node { kind: Kind::Array(items), at };
    Planned::Known(array(values), Some(array(masks)))
}

/// A text.
pub(super) fn text(text: impl Into<String>, at: Position) -> Planned {
    Planned::Known(Node { kind: Kind::String(text.into()), at }, None)
}

/// A truth value.
pub(super) fn flag(value: bool, at: Position) -> Planned {
    Planned::Known(Node { kind: Kind::Bool(value), at }, None)
}

fn member(key: &str, value: Node) -> Member {
    Member { key: key.to_owned(), key_at: value.at, value }
}
