//! `map`, `filter`, `reduce`, `sort`, `toObject`, `groupBy` and `mapValues`.
//!
//! Over an unknown array the result is unknown; over an array with unknown elements, `map` works as usual and
//! the others are unknown as soon as their answer depends on something unknown.

use std::cmp::Ordering;
use std::sync::Arc;

use super::ast::{self, Expr};
use super::collection::{List, Map};
use super::eval::Cx;
use super::functions::{canonical, derived};
use super::problem::Fault;
use super::session::Evaluator;
use super::value::{Data, Value};

/// A lambda ready to be called.
struct Lambda<'e, 'f, 'a> {
    names: Vec<Arc<str>>,
    body: &'e Expr,
    cx: Cx<'f, 'a>,
}

/// The result, or `None` when it depends on an unknown.
type Outcome = Result<Option<Data>, Fault>;

impl<'a> Evaluator<'a> {
    /// Evaluates one of the functions that take lambdas.
    pub(super) fn higher_order(&self, call: &ast::Call, cx: Cx<'_, 'a>) -> Result<Value, Fault> {
        let Some(first) = call.args.first() else {
            return Err(Fault::call(
                &call.name,
                "function requires at least 2 argument(s) while 0 were provided",
            ));
        };
        let source = self.expr(first, cx)?;
        let lambda = |index: usize| -> Result<_, Fault> {
            let (names, body) = self.lambda(&call.name, call.args.get(index))?;
            Ok(Lambda { names, body, cx })
        };
        let outcome = match (&source.data, call.key.as_ref()) {
            (Data::Unknown(_), _) => None,
            (Data::Object(map), "mapvalues") => self.map_values(map, &lambda(1)?)?,
            (Data::Array(list), "map") => self.map_items(list, &lambda(1)?)?,
            (Data::Array(list), "filter") => self.filter(list, &lambda(1)?)?,
            (Data::Array(list), "reduce") => {
                let Some(start) = call.args.get(1) else {
                    return Err(Fault::call("reduce", "no start value"));
                };
                self.reduce(list, self.expr(start, cx)?, &lambda(2)?)?
            }
            (Data::Array(list), "sort") => self.sort(list, &lambda(1)?)?,
            (Data::Array(list), "toobject") => {
                let value = if call.args.len() > 2 { Some(lambda(2)?) } else { None };
                self.to_object(list, &lambda(1)?, value.as_ref())?
            }
            (Data::Array(list), "groupby") => self.group_by(list, &lambda(1)?)?,
            _ => {
                return Err(Fault::call(
                    &call.name,
                    format!("the first argument may not be of type '{}'", source.type_of().name()),
                ));
            }
        };
        Ok(match outcome {
            Some(data) => Value::new(data, cx.at),
            None => derived(format!("{}({}, ...)", call.name, canonical(&source)), None, [&source], cx.at),
        })
    }

    fn apply(&self, lambda: &Lambda<'_, '_, 'a>, values: &[Value]) -> Result<Value, Fault> {
        let mut frame = lambda.cx.frame.clone();
        for (name, value) in lambda.names.iter().zip(values) {
            frame = frame.with_local(name.clone(), value.clone());
        }
        self.expr(lambda.body, Cx { frame: &frame, at: lambda.cx.at })
    }

    /// Calls a lambda on an element and, when it takes two, its index.
    fn apply_at(&self, lambda: &Lambda<'_, '_, 'a>, item: &Value, index: usize) -> Result<Value, Fault> {
        let index = Value::new(Data::Int(index as i64), lambda.cx.at);
        self.apply(lambda, &[item.clone(), index])
    }

    fn map_items(&self, list: &List, lambda: &Lambda<'_, '_, 'a>) -> Outcome {
        let items = list.items().iter().enumerate().map(|(index, item)| self.apply_at(lambda, item, index));
        Ok(Some(Data::Array(List::new(items.collect::<Result<_, _>>()?)?)))
    }

    fn map_values(&self, map: &Map, lambda: &Lambda<'_, '_, 'a>) -> Outcome {
        let mut members = Vec::with_capacity(map.members().len());
        for (key, value) in map.members() {
            members.push((key.clone(), self.apply(lambda, std::slice::from_ref(value))?));
        }
        Ok(Some(Data::Object(Map::new(members)?)))
    }

    fn filter(&self, list: &List, lambda: &Lambda<'_, '_, 'a>) -> Outcome {
        let mut kept = Vec::new();
        for (index, item) in list.items().iter().enumerate() {
            match self.apply_at(lambda, item, index)?.data {
                Data::Bool(true) => kept.push(item.clone()),
                Data::Bool(false) => {}
                Data::Unknown(_) => return Ok(None),
                _ => return Err(Fault::call("filter", "the lambda must give a boolean")),
            }
        }
        Ok(Some(Data::Array(List::new(kept)?)))
    }

    fn reduce(&self, list: &List, start: Value, lambda: &Lambda<'_, '_, 'a>) -> Outcome {
        let mut result = start;
        for (index, item) in list.items().iter().enumerate() {
            let index = Value::new(Data::Int(index as i64), lambda.cx.at);
            result = self.apply(lambda, &[result, item.clone(), index])?;
        }
        Ok(Some(result.data))
    }

    /// Sorts by "is the first before the second". Azure's sort is stable; so is this.
    fn sort(&self, list: &List, lambda: &Lambda<'_, '_, 'a>) -> Outcome {
        let before = |a: &Value, b: &Value| -> Result<Option<bool>, Fault> {
            match self.apply(lambda, &[a.clone(), b.clone()])?.data {
                Data::Bool(before) => Ok(Some(before)),
                Data::Unknown(_) => Ok(None),
                _ => Err(Fault::call("sort", "the lambda must give a boolean")),
            }
        };
        // Merge by hand: a lambda need not be a consistent order, and std's sorts may refuse one that is not.
        let mut runs: Vec<Vec<Value>> = list.items().iter().map(|item| vec![item.clone()]).collect();
        while runs.len() > 1 {
            let mut merged = Vec::with_capacity(runs.len().div_ceil(2));
            let mut pairs = runs.into_iter();
            while let Some(left) = pairs.next() {
                let Some(right) = pairs.next() else {
                    merged.push(left);
                    break;
                };
                match merge(left, right, &before)? {
                    Some(run) => merged.push(run),
                    None => return Ok(None),
                }
            }
            runs = merged;
        }
        Ok(Some(Data::Array(List::new(runs.pop().unwrap_or_default())?)))
    }

    fn to_object(
        &self,
        list: &List,
        key: &Lambda<'_, '_, 'a>,
        value: Option<&Lambda<'_, '_, 'a>>,
    ) -> Outcome {
        let mut members = Vec::with_capacity(list.items().len());
        for item in list.items() {
            let made = match value {
                Some(lambda) => self.apply(lambda, std::slice::from_ref(item))?,
                None => item.clone(),
            };
            let Some(key) = self.key_of("toObject", key, item)? else { return Ok(None) };
            members.push((key, made));
        }
        Ok(Some(Data::Object(Map::new(members)?)))
    }

    fn group_by(&self, list: &List, key: &Lambda<'_, '_, 'a>) -> Outcome {
        let mut groups: Vec<(Arc<str>, Vec<Value>)> = Vec::new();
        for item in list.items() {
            let Some(key) = self.key_of("groupBy", key, item)? else { return Ok(None) };
            self.budget.charge(groups.len() / 8 + 1)?;
            match groups.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case(&key)) {
                Some((_, items)) => items.push(item.clone()),
                None => groups.push((key, vec![item.clone()])),
            }
        }
        let mut members = Vec::with_capacity(groups.len());
        for (key, items) in groups {
            members.push((key, Value::new(Data::Array(List::new(items)?), list_place(list))));
        }
        Ok(Some(Data::Object(Map::new(members)?)))
    }

    fn key_of(
        &self,
        name: &str,
        lambda: &Lambda<'_, '_, 'a>,
        item: &Value,
    ) -> Result<Option<Arc<str>>, Fault> {
        let key = self.apply(lambda, std::slice::from_ref(item))?;
        match (&key.data, key.as_str()) {
            (_, Some(key)) => Ok(Some(key.into())),
            (Data::Int(key), _) => Ok(Some(key.to_string().into())),
            (Data::Unknown(_) | Data::Text(_), _) => Ok(None),
            _ => Err(Fault::call(name, "the lambda must give a string")),
        }
    }
}

fn list_place(list: &List) -> super::value::Location {
    list.items().first().map(|item| item.at).unwrap_or_default()
}

fn merge(
    left: Vec<Value>,
    right: Vec<Value>,
    before: &impl Fn(&Value, &Value) -> Result<Option<bool>, Fault>,
) -> Result<Option<Vec<Value>>, Fault> {
    let mut out = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        // Take the right one only when it must come first: that keeps equals in order.
        let ordering = match before(b, a)? {
            Some(true) => Ordering::Greater,
            Some(false) => Ordering::Less,
            None => return Ok(None),
        };
        let next = if ordering == Ordering::Greater { right.next() } else { left.next() };
        out.extend(next);
    }
    out.extend(left);
    out.extend(right);
    Ok(Some(out))
}
