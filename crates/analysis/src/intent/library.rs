//! The intents that most networks have, ready to be used with words of one's own.
//!
//! A file uses one by `{ "use": "no-internet-egress", "with": { "allow": ["Storage"] } }`. A recipe is made of the same intents
//! that a file could hold, so nothing is proven in a way of its own.

use std::collections::BTreeMap;

use palisade_arm::json::Node;

use super::{
    Exception, Intent, Service, Shape, THINGS_MAX, Thing,
    document::{Effect, Severity},
    read::File,
};

/// Intents with parameters.
#[derive(Debug)]
pub struct Recipe {
    /// The word that uses it.
    pub name: &'static str,
    /// What it claims.
    pub description: &'static str,
    /// What can be said with it.
    pub parameters: &'static [Parameter],
    build: fn(&Arguments) -> Vec<Part>,
}

/// Something that a recipe lets open.
#[derive(Debug)]
pub struct Parameter {
    /// Its key.
    pub name: &'static str,
    /// What it means.
    pub description: &'static str,
    /// Which words it takes.
    pub words: Words,
    /// What it is if it is not given; `None` if it must be.
    pub default: Option<&'static [&'static str]>,
}

/// The words that a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// Who talks.
    Things,
    /// What is said.
    Services,
    /// A list of who talks, from the top to the bottom.
    Tiers,
}

/// One intent of a recipe: what is added to the name, and what it claims.
struct Part {
    suffix: String,
    shape: Shape,
    from: Vec<Thing>,
    to: Vec<Thing>,
    services: Vec<Service>,
    except: Vec<Exception>,
}

/// What was given for the parameters, or their defaults. Things are tiers of one.
#[derive(Default)]
struct Arguments {
    things: BTreeMap<&'static str, Vec<Vec<Thing>>>,
    services: Vec<Service>,
}

impl Arguments {
    fn things(&self, parameter: &str) -> Vec<Thing> {
        self.things.get(parameter).into_iter().flatten().flatten().cloned().collect()
    }

    /// An exception for each of two sides that has words.
    fn except(&self, from: &str, to: &str) -> Vec<Exception> {
        let nothing = Exception::default;
        let sides = [
            Exception { from: self.things(from), ..nothing() },
            Exception { to: self.things(to), ..nothing() },
        ];
        sides.into_iter().filter(|except| *except != nothing()).collect()
    }
}

const TO: Parameter = Parameter {
    name: "to",
    description: "whose machines are meant",
    words: Words::Things,
    default: Some(&["*"]),
};
const FROM: Parameter = Parameter { name: "from", ..TO };
const EXCEPT: Parameter = Parameter {
    name: "except",
    description: "who may all the same",
    words: Words::Things,
    default: Some(&[]),
};
const MANAGEMENT: &[&str] = &["tcp/22", "tcp/3389", "udp/3389"];
const DATA: &[&str] = &[
    "tcp/445",
    "tcp/1433",
    "udp/1434",
    "tcp/1521",
    "tcp/3306",
    "tcp/5432",
    "tcp/6379",
    "tcp/9200",
    "tcp/11211",
    "tcp/27017",
];

/// The library.
pub const LIBRARY: &[Recipe] = &[
    Recipe {
        name: "no-rdp-or-ssh-from-internet",
        description: "nobody reaches RDP or SSH from the Internet",
        parameters: &[TO, EXCEPT, services(MANAGEMENT)],
        build: not_from_internet,
    },
    Recipe {
        name: "no-data-from-internet",
        description: "nobody reaches files and databases from the Internet",
        parameters: &[TO, EXCEPT, services(DATA)],
        build: not_from_internet,
    },
    Recipe {
        name: "management-only-from",
        description: "RDP and SSH come only from these",
        parameters: &[
            Parameter { description: "who alone may", default: None, ..FROM },
            TO,
            services(MANAGEMENT),
        ],
        build: |given| {
            vec![Part {
                shape: Shape::Only,
                services: given.services.clone(),
                ..forbidden(given.things("from"), given.things("to"))
            }]
        },
    },
    Recipe {
        name: "no-internet-egress",
        description: "nothing opens connections to the Internet, except to these tags",
        parameters: &[FROM, Parameter { name: "allow", description: "where to all the same", ..EXCEPT }],
        build: |given| {
            let part = forbidden(given.things("from"), vec![internet()]);
            vec![Part { except: given.except("", "allow"), ..part }]
        },
    },
    Recipe {
        name: "tiers-downwards",
        description: "tiers talk only downwards: no tier opens connections to one above it",
        parameters: &[Parameter {
            name: "tiers",
            description: "the tiers, the highest first",
            words: Words::Tiers,
            default: None,
        }],
        build: |given| {
            let tiers = given.things.get("tiers").map(Vec::as_slice).unwrap_or_default();
            let upward = |below: usize| Part {
                suffix: format!("/tier-{}", below + 1),
                ..forbidden(tiers[below].clone(), tiers[..below].concat())
            };
            (1..tiers.len()).map(upward).collect()
        },
    },
    Recipe {
        name: "no-known-bad",
        description: "nothing talks to known-bad prefixes, and they reach nothing",
        parameters: &[
            Parameter { name: "prefixes", description: "the bad ones", default: None, ..FROM },
            Parameter { name: "machines", ..TO },
        ],
        build: |given| {
            let (bad, machines) = (given.things("prefixes"), given.things("machines"));
            let to = forbidden(machines.clone(), bad.clone());
            let from = forbidden(bad, machines);
            vec![Part { suffix: "/to".into(), ..to }, Part { suffix: "/from".into(), ..from }]
        },
    },
];

const fn services(default: &'static [&'static str]) -> Parameter {
    let description = "what is meant";
    Parameter { name: "services", description, words: Words::Services, default: Some(default) }
}

fn internet() -> Thing {
    "Internet".parse().expect("the tag has a valid name")
}

fn forbidden(from: Vec<Thing>, to: Vec<Thing>) -> Part {
    let nothing = (String::new(), Vec::new(), Vec::new());
    Part { suffix: nothing.0, shape: Shape::Forbidden, from, to, services: nothing.1, except: nothing.2 }
}

fn not_from_internet(given: &Arguments) -> Vec<Part> {
    let part = forbidden(vec![internet()], given.things("to"));
    vec![Part { services: given.services.clone(), except: given.except("except", ""), ..part }]
}

/// Reads `{ "use": ..., "with": { ... } }`.
pub(super) fn read_use(file: &mut File<'_>, node: &Node) {
    if !file.reader.is_object(node, &["use", "name", "description", "with", "effect", "severity"]) {
        return;
    }
    let recipes: Vec<(&str, &Recipe)> = LIBRARY.iter().map(|recipe| (recipe.name, recipe)).collect();
    let recipe = node.get("use").and_then(|used| file.reader.word(used, &recipes));
    let name = node.get("name").map(|name| file.check_name(name));
    let description = file.description(node);
    let (effect, severity) = file.effect(node);
    let Some(recipe) = recipe else { return };
    let Some(given) = arguments(file, node, recipe) else { return };
    let name = match name {
        Some(None) => return,
        Some(Some(name)) => name,
        None => recipe.name.to_owned(),
    };
    let description = if description.is_empty() { recipe.description.to_owned() } else { description };
    for part in (recipe.build)(&given) {
        file.add(node, part.intent(&name, &description, (effect, severity)));
    }
}

impl Part {
    fn intent(self, name: &str, description: &str, (effect, severity): (Effect, Severity)) -> Intent {
        let Self { suffix, shape, from, to, services, except } = self;
        let (name, description) = (format!("{name}{suffix}"), description.to_owned());
        Intent { name, description, shape, from, to, services, except, effect, severity }
    }
}

fn arguments(file: &mut File<'_>, node: &Node, recipe: &Recipe) -> Option<Arguments> {
    let with = node.get("with");
    let keys: Vec<&str> = recipe.parameters.iter().map(|parameter| parameter.name).collect();
    if with.is_some_and(|with| !file.reader.is_object(with, &keys)) {
        return None;
    }
    let mut given = Arguments::default();
    for parameter in recipe.parameters {
        let said = with.and_then(|with| with.get(parameter.name));
        match (said, parameter.words, parameter.default) {
            (None, _, None) => {
                let (name, description) = (parameter.name, parameter.description);
                let message = format!("{} needs \"{name}\" ({description})", recipe.name);
                file.reader.problem(with.unwrap_or(node).at, message);
                return None;
            }
            (None, Words::Services, Some(words)) => given.services = default_services(words),
            (None, _, Some(words)) => {
                given.things.insert(parameter.name, vec![default_things(words)]);
            }
            (Some(said), Words::Services, _) => given.services = file.services(said),
            (Some(said), Words::Things, _) => {
                let things = file.things(said);
                given.things.insert(parameter.name, vec![things]);
            }
            (Some(said), Words::Tiers, _) => {
                let tiers = file.reader.items(said, THINGS_MAX).iter().map(|tier| file.things(tier));
                let tiers: Vec<Vec<Thing>> = tiers.collect();
                if tiers.len() < 2 {
                    file.reader.problem(said.at, "there are fewer than two tiers (write the highest first)");
                }
                given.things.insert(parameter.name, tiers);
            }
        }
    }
    Some(given)
}

fn default_things(words: &[&str]) -> Vec<Thing> {
    words.iter().map(|word| word.parse().expect("words of the library name someone")).collect()
}

fn default_services(words: &[&str]) -> Vec<Service> {
    let services =
        words.iter().flat_map(|word| Service::parse(word).expect("words of the library are sound"));
    Service::joined(services.collect())
}
