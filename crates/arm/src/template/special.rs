//! Functions that need the template around them, and those that do not evaluate all their arguments.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::ast::{self, Expr};
use super::eval::Cx;
use super::functions::{self, canonical, derived, same};
use super::problem::Fault;
use super::scope::{Frame, Index, Place};
use super::session::Evaluator;
use super::unknown::{Reason, Unknown};
use super::value::{Data, Type, Value};

impl<'a> Evaluator<'a> {
    /// Evaluates a call.
    pub(super) fn call(&self, call: &ast::Call, cx: Cx<'_, 'a>) -> Result<Value, Fault> {
        if let Some(namespace) = &call.namespace {
            return self.user_call(namespace, call, cx);
        }
        let args = call.args.as_slice();
        match call.key.as_ref() {
            "parameters" => self.parameter(&self.name_argument(call, cx)?, cx),
            "variables" => self.variable(&self.name_argument(call, cx)?, cx),
            "lambdavariables" => self.local(&self.name_argument(call, cx)?, cx),
            "copyindex" => self.copy_index(args, cx),
            "if" => self.choose(args, cx),
            "and" => self.junction("and", args, false, cx),
            "or" => self.junction("or", args, true, cx),
            "coalesce" => self.coalesce(args, cx),
            "map" | "filter" | "reduce" | "sort" | "toobject" | "groupby" | "mapvalues" => {
                self.higher_order(call, cx)
            }
            "lambda" => Err(Fault::call("lambda", "a lambda may only be an argument of a lambda function")),
            _ => {
                let args = self.arguments(args, cx)?;
                self.named(call, &args, cx)
            }
        }
    }

    fn arguments(&self, args: &[Expr], cx: Cx<'_, 'a>) -> Result<Vec<Value>, Fault> {
        args.iter().map(|arg| self.expr(arg, cx)).collect()
    }

    /// Calls with evaluated arguments: the environment, resources, and the table of plain functions.
    fn named(&self, call: &ast::Call, args: &[Value], cx: Cx<'_, 'a>) -> Result<Value, Fault> {
        let key = call.key.as_ref();
        if let Some(function) = functions::find(key) {
            return functions::apply(function, args, cx.at, &self.budget);
        }
        if let Some(value) = self.environment(key, args, cx)? {
            return Ok(value);
        }
        if let Some(value) = self.resource_function(key, args, cx)? {
            return Ok(value);
        }
        if key.starts_with("list") {
            let text = written(&call.name, args);
            return Ok(unknown(text.clone(), None, Reason::LiveList(text), cx));
        }
        Err(Fault::new(format!(
            "The template function '{}' is not valid. Please see https://aka.ms/arm-functions for usage details",
            call.name
        )))
    }

    /// The one argument of `parameters`, `variables` and the like.
    fn name_argument(&self, call: &ast::Call, cx: Cx<'_, 'a>) -> Result<Value, Fault> {
        match call.args.as_slice() {
            [name] => self.expr(name, cx),
            args => Err(Fault::call(
                &call.name,
                format!("function requires 1 argument(s) while {} were provided", args.len()),
            )),
        }
    }

    fn local(&self, name: &Value, cx: Cx<'_, 'a>) -> Result<Value, Fault> {
        let name = name.as_str().unwrap_or_default();
        match cx.frame.find_local(name) {
            Some(value) => Ok(value.clone()),
            None => Err(Fault::new(format!("The lambda variable '{name}' is not found"))),
        }
    }

    /// `copyIndex([name], [offset])`
    fn copy_index(&self, args: &[Expr], cx: Cx<'_, 'a>) -> Result<Value, Fault> {
        let args = self.arguments(args, cx)?;
        let (name, offset) = match args.as_slice() {
            [] => (None, None),
            [name] if name.as_str().is_some() => (name.as_str(), None),
            [offset] => (None, Some(offset)),
            [name, offset] => (name.as_str(), Some(offset)),
            _ => return Err(Fault::call("copyIndex", "function takes at most 2 arguments")),
        };
        let Some(found) = cx.frame.find_loop(name) else {
            let name = name.map(|name| format!(" '{name}'")).unwrap_or_default();
            return Err(Fault::new(format!(
                "The template function 'copyIndex' is not expected at this location. The copy loop{name} is not \
                 around it. Please see https://aka.ms/arm-copy for usage details"
            )));
        };
        let index = match &found.index {
            Index::At(index) => Value::new(Data::Int(*index), cx.at),
            Index::Any(unknown) => Value::new(Data::Unknown(unknown.clone()), cx.at),
        };
        match offset {
            None => Ok(index),
            Some(offset) => self.plain("add", &[index, offset.clone()], cx),
        }
    }

    /// Calls a function of the table by name.
    pub(super) fn plain(&self, name: &'static str, args: &[Value], cx: Cx<'_, 'a>) -> Result<Value, Fault> {
        let function = functions::find(name).expect("the name is in the table");
        functions::apply(function, args, cx.at, &self.budget)
    }

    fn choose(&self, args: &[Expr], cx: Cx<'_, 'a>) -> Result<Value, Fault> {
        let [condition, yes, no] = args else {
            return Err(Fault::call(
                "if",
                format!("function requires 3 argument(s) while {} were provided", args.len()),
            ));
        };
        let condition = self.expr(condition, cx)?;
        match condition.data {
            Data::Bool(true) => self.expr(yes, cx),
            Data::Bool(false) => self.expr(no, cx),
            Data::Unknown(_) => self.either(&condition, yes, no, cx),
            _ => Err(Fault::call(
                "if",
                format!("the condition must be of type 'Boolean', it is '{}'", condition.type_of().name()),
            )),
        }
    }

    /// A choice that cannot be made yet. When both branches agree it does not matter. A branch that fails may be
    /// the one not taken, so its failure is no problem of the template.
    fn either(&self, condition: &Value, yes: &Expr, no: &Expr, cx: Cx<'_, 'a>) -> Result<Value, Fault> {
        let branches = (self.expr(yes, cx), self.expr(no, cx));
        let (Ok(yes), Ok(no)) = branches else {
            let expression = format!("if({}, ...)", canonical(condition));
            return Ok(derived(expression, None, [condition], cx.at));
        };
        self.budget.charge(yes.data.size() / 8)?;
        if same(&yes, &no) == Some(true) {
            return Ok(yes);
        }
        let kind = yes.data.type_of().filter(|kind| no.data.type_of() == Some(*kind));
        let expression = format!("if({}, {}, {})", canonical(condition), canonical(&yes), canonical(&no));
        Ok(derived(expression, kind, [condition, &yes, &no], cx.at))
    }

    /// `and` and `or`: one argument that decides is enough, whatever the others are.
    fn junction(&self, name: &str, args: &[Expr], decisive: bool, cx: Cx<'_, 'a>) -> Result<Value, Fault> {
        if args.is_empty() {
            return Err(Fault::call(name, "function requires at least 1 argument(s) while 0 were provided"));
        }
        let mut open = Vec::new();
        for arg in args {
            let value = self.expr(arg, cx)?;
            match value.data {
                Data::Bool(found) if found == decisive => return Ok(Value::new(Data::Bool(decisive), cx.at)),
                Data::Bool(_) => {}
                Data::Unknown(_) => open.push(value),
                _ => return Err(Fault::call(name, "all arguments must be of type 'Boolean'")),
            }
        }
        if open.is_empty() {
            return Ok(Value::new(Data::Bool(!decisive), cx.at));
        }
        let expression = written(name, &open);
        Ok(derived(expression, Some(Type::Bool), &open, cx.at))
    }

    fn coalesce(&self, args: &[Expr], cx: Cx<'_, 'a>) -> Result<Value, Fault> {
        for (index, arg) in args.iter().enumerate() {
            let value = self.expr(arg, cx)?;
            match value.data {
                Data::Null => {}
                Data::Unknown(_) if index + 1 < args.len() => {
                    let mut rest = vec![value];
                    rest.extend(self.arguments(&args[index + 1..], cx)?);
                    return Ok(derived(written("coalesce", &rest), None, &rest, cx.at));
                }
                _ => return Ok(value),
            }
        }
        Ok(Value::new(Data::Null, cx.at))
    }

    /// A user-defined function sees its own parameters and nothing else of the template.
    fn user_call(&self, namespace: &str, call: &ast::Call, cx: Cx<'_, 'a>) -> Result<Value, Fault> {
        let key = format!("{}.{}", namespace.to_lowercase(), call.key);
        let Some(function) = cx.frame.scope.functions.get(&key).cloned() else {
            return Err(Fault::new(format!(
                "The template function '{namespace}.{}' is not found. Please see \
                 https://aka.ms/arm-syntax-custom-functions for usage details",
                call.name
            )));
        };
        let args = self.arguments(&call.args, cx)?;
        if args.len() != function.parameters.len() {
            return Err(Fault::call(
                &function.name,
                format!(
                    "function requires {} argument(s) while {} were provided",
                    function.parameters.len(),
                    args.len()
                ),
            ));
        }
        let names = function.parameters.iter().map(|name| name.to_lowercase());
        let arguments: HashMap<String, Value> = names.zip(args).collect();
        let frame = Frame {
            arguments: Some(Rc::new(arguments)),
            ..cx.frame.bare(Place::Function(function.name.clone()))
        };
        let value = self.node(function.output, &frame);
        Ok(Value { at: cx.at, ..value })
    }

    /// The lambda in an argument, its parameter names and its body.
    pub(super) fn lambda<'e>(
        &self,
        name: &str,
        arg: Option<&'e Expr>,
    ) -> Result<(Vec<Arc<str>>, &'e Expr), Fault> {
        let wrong = || Fault::call(name, "the argument must be a lambda");
        let Some(Expr::Call(call)) = arg else { return Err(wrong()) };
        if call.key.as_ref() != "lambda" {
            return Err(wrong());
        }
        let (body, names) = call.args.split_last().ok_or_else(wrong)?;
        let names = names.iter().map(|name| match name {
            Expr::Text(name) => Ok(name.clone()),
            _ => Err(wrong()),
        });
        Ok((names.collect::<Result<_, _>>()?, body))
    }
}

/// A call as it would be written with these arguments.
pub(super) fn written(name: &str, args: &[Value]) -> String {
    let args: Vec<String> = args.iter().map(canonical).collect();
    format!("{name}({})", args.join(", "))
}

/// An unknown at the place of the expression.
pub(super) fn unknown(expression: String, kind: Option<Type>, reason: Reason, cx: Cx<'_, '_>) -> Value {
    Value::new(Data::Unknown(Unknown::new(expression, kind, reason)), cx.at)
}
