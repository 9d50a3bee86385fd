//! A policy and everything that was asked for under it.
//!
//! Each action is done whole or refused whole. What has ended stays until it is crowded out, so that one can read what was.

use std::net::SocketAddr;

use palisade_model::ResourceId;
use palisade_net::{Prefix, ProtocolMatch};

use super::{
    AccessError, AccessRule, End, GRANTS_MAX, Grant, LIMIT_MAX, Once, PREFIXES_MAX, Person, Policy,
    REQUESTS_MAX, Request, State, TEXT_MAX, Used,
};

/// One door that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The machine.
    pub machine: ResourceId,
    /// The port.
    pub port: u16,
    /// The protocol; without it, that of the first door of the port.
    pub protocol: Option<ProtocolMatch>,
    /// To whom it is to be opened.
    pub sources: Vec<Prefix>,
    /// The first second in which it is to be closed again.
    pub until: u32,
}

/// What is asked for at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// What the request will be called.
    pub name: String,
    /// Who asks.
    pub requester: Person,
    /// The address that he asks from.
    pub address: String,
    /// Why.
    pub reason: String,
    /// The ticket that it belongs to.
    pub ticket: Option<String>,
    /// Whether each door is to be good for one connection only.
    pub once: bool,
    /// The doors.
    pub wanted: Vec<Wanted>,
}

/// A policy with its requests, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    policy: Policy,
    requests: Vec<Request>,
}

impl Ledger {
    /// A ledger as it was written down.
    pub const fn new(policy: Policy, requests: Vec<Request>) -> Self {
        Self { policy, requests }
    }

    /// The policy.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The requests, oldest first.
    pub fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// A request by its name.
    ///
    /// # Errors
    /// There is none.
    pub fn find(&self, name: &str) -> Result<&Request, AccessError> {
        let found = self.requests.iter().find(|request| request.name.eq_ignore_ascii_case(name));
        found.ok_or_else(|| AccessError::NoRequest(name.to_owned()))
    }

    /// Asks for doors. Where no approval is needed they are open at once.
    ///
    /// # Errors
    /// The policy does not allow it, or a limit is reached.
    pub fn request(&mut self, ask: Ask, now: u32) -> Result<&Request, AccessError> {
        check_text("reason", &ask.reason, 0)?;
        if let Some(ticket) = &ask.ticket {
            check_text("ticket", ticket, 1)?;
        }
        if ask.wanted.is_empty() {
            return Err(AccessError::count("ports of a request", 0, 1, GRANTS_MAX));
        }
        let grants = ask.wanted.iter().map(|wanted| self.grant(wanted, ask.once, now));
        let grants = grants.collect::<Result<Vec<Grant>, AccessError>>()?;
        self.make_room(&grants, &ask.requester, now)?;
        self.replace_same(&grants, &ask.requester, now);
        self.requests.push(Request {
            name: ask.name,
            requester: ask.requester,
            address: ask.address,
            at: now,
            reason: ask.reason,
            ticket: ask.ticket,
            approval: None,
            grants,
        });
        Ok(self.requests.last().expect("one was just pushed"))
    }

    fn grant(&self, wanted: &Wanted, once: bool, now: u32) -> Result<Grant, AccessError> {
        let port = wanted.port;
        let door = self.policy.door(&wanted.machine, port, wanted.protocol)?;
        let asked = wanted.until.saturating_sub(now);
        if asked == 0 {
            return Err(AccessError::Past { port });
        }
        if asked > door.limit {
            return Err(AccessError::TooLong { port, asked, limit: door.limit });
        }
        if !(1..=PREFIXES_MAX).contains(&wanted.sources.len()) {
            return Err(AccessError::count("prefixes of a port", wanted.sources.len(), 1, PREFIXES_MAX));
        }
        if !door.admits(&wanted.sources) {
            let sources: Vec<String> = wanted.sources.iter().map(ToString::to_string).collect();
            return Err(AccessError::Source { port, sources: sources.join(", ") });
        }
        Ok(Grant {
            machine: wanted.machine.clone(),
            port,
            protocol: door.protocol,
            sources: wanted.sources.clone(),
            not_after: wanted.until,
            needs_approval: door.needs_approval,
            once: once.then_some(Once::Unused),
            closing: None,
        })
    }

    /// Forgets the oldest requests that have ended, and refuses what would not fit all the same.
    fn make_room(&mut self, new: &[Grant], requester: &Person, now: u32) -> Result<(), AccessError> {
        let alive = self.requests.iter().filter(|request| request.is_alive(now)).count();
        if alive >= REQUESTS_MAX {
            return Err(AccessError::TooManyRequests(REQUESTS_MAX));
        }
        for grant in new {
            let others = self.requests.iter().flat_map(|request| {
                request.grants.iter().filter(move |other| {
                    let stays =
                        !(request.requester.is(requester) && new.iter().any(|new| is_same(new, other)));
                    other.machine == grant.machine && stays && other.state(request, now).is_alive()
                })
            });
            let own = new.iter().filter(|other| other.machine == grant.machine);
            if others.count() + own.count() > GRANTS_MAX {
                return Err(AccessError::TooMany { machine: grant.machine.clone(), most: GRANTS_MAX });
            }
        }
        while self.requests.len() >= REQUESTS_MAX {
            let ended = self.requests.iter().position(|request| !request.is_alive(now));
            self.requests.remove(ended.expect("fewer than all are alive"));
        }
        Ok(())
    }

    /// What the same person had for the same doors and sources ends: the newest request stands.
    fn replace_same(&mut self, new: &[Grant], requester: &Person, now: u32) {
        for request in self.requests.iter_mut().filter(|request| request.requester.is(requester)) {
            let is_replaced = |grant: &Grant| new.iter().any(|new| is_same(new, grant));
            close(request, End::Replaced, None, now, is_replaced);
        }
    }

    /// Approves a request that waits.
    ///
    /// # Errors
    /// There is none, it does not wait, or `by` is who asked.
    pub fn approve(&mut self, name: &str, by: &Person, now: u32) -> Result<&Request, AccessError> {
        let request = self.alive(name, "waiting for approval", now, |state| state == State::Pending)?;
        if request.requester.is(by) {
            return Err(AccessError::OwnRequest(request.name.clone()));
        }
        request.approval = Some((by.clone(), now));
        Ok(request)
    }

    /// Closes what is open of a request, or waits: who asked ends it, anybody else revokes it.
    ///
    /// # Errors
    /// There is no such request, or nothing of it is open or waits.
    pub fn close(&mut self, name: &str, by: &Person, now: u32) -> Result<&Request, AccessError> {
        let request = self.alive(name, "open or waiting", now, State::is_alive)?;
        let end = if request.requester.is(by) { End::Ended } else { End::Revoked };
        close(request, end, Some(by), now, |_| true);
        Ok(request)
    }

    /// Lets what is open of a request stay open until `until`.
    ///
    /// # Errors
    /// Nothing of it is open, `until` is no later, or it is later than the policy or a day allow. Where approval is needed, who
    /// asked cannot extend: he must be approved by somebody else again.
    pub fn extend(&mut self, name: &str, by: &Person, until: u32, now: u32) -> Result<&Request, AccessError> {
        let policy = self.policy.clone();
        let request = self.alive(name, "open", now, |state| state == State::Active)?;
        let mut extended = request.clone();
        for (index, grant) in request.grants.iter().enumerate() {
            if grant.state(request, now) != State::Active {
                continue;
            }
            let (port, asked) = (grant.port, until.saturating_sub(now));
            let door = policy.door(&grant.machine, port, Some(grant.protocol))?;
            if grant.needs_approval && request.requester.is(by) {
                return Err(AccessError::OwnRequest(request.name.clone()));
            }
            if until <= grant.not_after {
                return Err(AccessError::NotLater(request.name.clone()));
            }
            if asked > door.limit {
                return Err(AccessError::TooLong { port, asked, limit: door.limit });
            }
            if until.saturating_sub(request.at) > LIMIT_MAX {
                let limit = LIMIT_MAX.saturating_sub(now.saturating_sub(request.at));
                return Err(AccessError::TooLong { port, asked, limit });
            }
            extended.grants[index].not_after = until;
        }
        *request = extended;
        Ok(request)
    }

    /// A connection was seen that came through a door of a request which is good for one: the door is open to it alone from now on.
    ///
    /// # Errors
    /// Nothing of the request is open, or the door is not for one connection, or another one came first.
    pub fn begin_use(&mut self, name: &str, port: u16, used: Used) -> Result<&Request, AccessError> {
        let now = used.at;
        let request = self.alive(name, "open", now, |state| state == State::Active)?;
        let seen = request.clone();
        let mut open = request.grants.iter_mut().filter(|grant| grant.state(&seen, now) == State::Active);
        let first = open.find(|grant| grant.once == Some(Once::Unused) && grant.is_for(port, &used));
        let first = first.ok_or_else(|| not_its_use(&seen, port, &used))?;
        first.once = Some(Once::By(used));
        Ok(request)
    }

    /// The one connection of a request through a door is over, and the door closes.
    ///
    /// # Errors
    /// Nothing of the request is open, or it was not this connection's.
    pub fn end_use(&mut self, name: &str, port: u16, used: Used) -> Result<&Request, AccessError> {
        let request = self.alive(name, "open", used.at, |state| state == State::Active)?;
        let own = |grant: &Grant| matches!(grant.once, Some(Once::By(_))) && grant.is_for(port, &used);
        if !request.grants.iter().any(own) {
            return Err(not_its_use(request, port, &used));
        }
        close(request, End::UsedUp, None, used.at, own);
        Ok(request)
    }

    /// Puts another policy in place of this one. What it no longer allows ends.
    pub fn replace(&mut self, policy: Policy, now: u32) {
        for request in &mut self.requests {
            let is_gone = |grant: &Grant| {
                let door = policy.door(&grant.machine, grant.port, Some(grant.protocol));
                !door.is_ok_and(|door| door.admits(&grant.sources))
            };
            close(request, End::PolicyChanged, None, now, is_gone);
        }
        self.policy = policy;
    }

    /// The newest moment that the requests tell of: no grant is younger, and what ended before it is over.
    pub fn latest(&self) -> u32 {
        let moments = self.requests.iter().flat_map(|request| {
            let approved = request.approval.iter().map(|(_, at)| *at);
            let closed = request.grants.iter().filter_map(|grant| Some(grant.closing.as_ref()?.at));
            approved.chain(closed).chain([request.at])
        });
        moments.max().unwrap_or_default()
    }

    /// What holds for packets to a machine, whenever it is asked: windows end by themselves, and what waits opens nothing.
    /// Grants that had ended before `since` are left out.
    pub fn rules(&self, machine: &ResourceId, since: u32) -> Vec<AccessRule> {
        let Some(doors) = self.policy.machine(machine) else { return Vec::new() };
        let open = self.requests.iter().flat_map(|request| {
            let grants = request.grants.iter().filter(move |grant| {
                grant.machine == *machine && grant.state(request, since) == State::Active
            });
            grants.map(|grant| opening(request, grant))
        });
        let closed = doors.doors.iter().map(|door| AccessRule {
            name: format!("closed-{}-{}", door.port, protocol_word(door.protocol)),
            port: door.port,
            protocol: door.protocol,
            open: None,
            source_port: None,
        });
        open.chain(closed).collect()
    }

    fn alive(
        &mut self,
        name: &str,
        wanted: &'static str,
        now: u32,
        fits: impl Fn(State) -> bool,
    ) -> Result<&mut Request, AccessError> {
        let found = self.find(name)?;
        let states: Vec<State> = found.grants.iter().map(|grant| grant.state(found, now)).collect();
        if !states.iter().any(|state| fits(*state)) {
            let found_state = states.first().map_or("empty", |state| state.name());
            let request = found.name.clone();
            return Err(AccessError::State { request, wanted, found: found_state });
        }
        let found = self.requests.iter_mut().find(|request| request.name.eq_ignore_ascii_case(name));
        Ok(found.expect("it was found a moment ago"))
    }
}

fn not_its_use(request: &Request, port: u16, used: &Used) -> AccessError {
    AccessError::NotItsUse { request: request.name.clone(), port, from: SocketAddr::from(used.source) }
}

/// The rule that opens a door: to the one connection that it is bound to, if it is.
fn opening(request: &Request, grant: &Grant) -> AccessRule {
    let (sources, protocol, source_port) = match &grant.once {
        Some(Once::By(used)) => {
            let (address, port) = used.source;
            (vec![Prefix::host(address)], ProtocolMatch::Number(used.protocol), Some(port))
        }
        None | Some(Once::Unused) => (grant.sources.clone(), grant.protocol, None),
    };
    AccessRule {
        name: format!("{}-{}", request.name, grant.port),
        port: grant.port,
        protocol,
        open: Some((sources, grant.not_after)),
        source_port,
    }
}

/// Closes those grants of a request that are alive and that `which` picks.
fn close(request: &mut Request, end: End, by: Option<&Person>, now: u32, which: impl Fn(&Grant) -> bool) {
    let seen = request.clone();
    let alive = request.grants.iter_mut().filter(|grant| grant.state(&seen, now).is_alive());
    alive.filter(|grant| which(grant)).for_each(|grant| grant.close(now, end, by));
}

/// Whether two grants open the same door to the same sources.
fn is_same(one: &Grant, other: &Grant) -> bool {
    (&one.machine, one.port, one.protocol, &one.sources)
        == (&other.machine, other.port, other.protocol, &other.sources)
}

fn protocol_word(protocol: ProtocolMatch) -> String {
    match protocol {
        ProtocolMatch::Any => "any".to_owned(),
        other => other.to_string().to_lowercase(),
    }
}

fn check_text(what: &'static str, text: &str, least: usize) -> Result<(), AccessError> {
    let actual = text.chars().count();
    if (least..=TEXT_MAX).contains(&actual) {
        return Ok(());
    }
    Err(AccessError::Text { what, actual, least, most: TEXT_MAX })
}
