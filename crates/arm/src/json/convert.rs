//! Between [`Node`] and `serde_json::Value`, for the parts of the program that need no positions.

use serde_json::Value;

use super::{Kind, Member, Node, Number, Object, Position};

impl From<&Node> for Value {
    fn from(node: &Node) -> Self {
        match &node.kind {
            Kind::Null => Self::Null,
            Kind::Bool(value) => Self::Bool(*value),
            Kind::Number(Number { int: Some(int), .. }) => Self::from(*int),
            Kind::Number(number) => Self::from(number.float),
            Kind::String(text) => Self::String(text.clone()),
            Kind::Array(items) => Self::Array(items.iter().map(Self::from).collect()),
            Kind::Object(object) => {
                Self::Object(object.members().iter().map(|m| (m.key.clone(), Self::from(&m.value))).collect())
            }
        }
    }
}

impl From<&Value> for Node {
    fn from(value: &Value) -> Self {
        let kind = match value {
            Value::Null => Kind::Null,
            Value::Bool(value) => Kind::Bool(*value),
            Value::Number(number) => Kind::Number(Number {
                raw: number.to_string(),
                int: number.as_i64(),
                float: number.as_f64().unwrap_or_default(),
            }),
            Value::String(text) => Kind::String(text.clone()),
            Value::Array(items) => Kind::Array(items.iter().map(Self::from).collect()),
            Value::Object(map) => Kind::Object(Object::new(
                map.iter()
                    .map(|(key, value)| Member {
                        key: key.clone(),
                        key_at: Position::default(),
                        value: Self::from(value),
                    })
                    .collect(),
            )),
        };
        Self { kind, at: Position::default() }
    }
}
