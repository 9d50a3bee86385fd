//! The flows that the kernel knows, for `palisade flows list`: read beside a running agent, or without one.
//!
//! It changes nothing. Flows come and go while they are read. NICs have their names; rules have only their rows, since
//! what these are called is known to the agent alone.

use palisade_datapath::{FlowRecord, Observer, ticks_per_second};

use crate::clock::wall_ms;
use crate::compile::RuleNames;
use crate::error::AgentError;
use crate::events::{Moment, NameBook, NicNames, Record, line};
use crate::instance::Instance;
use crate::state::State;

/// Gives `sink` a line for each flow that packets still belong to.
///
/// # Errors
/// If nothing is loaded, or the state cannot be read.
pub fn list_flows(instance: &Instance, sink: &mut dyn FnMut(&str)) -> Result<(), AgentError> {
    let observer = Observer::open(&instance.pin_dir)?;
    let book = book(State::read(instance)?.unwrap_or_default());
    let moment = Moment { tick: observer.tick()?, ticks_per_second: ticks_per_second()?, wall_ms: wall_ms() };
    for flow in observer.flows().filter(|flow| !flow.is_over(moment.tick)) {
        let record = Record::of_flow(&FlowRecord { flow, ending: None }, &moment);
        sink(&line::of(&record, &book));
    }
    Ok(())
}

/// What NICs are called, without their rules.
fn book(state: State) -> NameBook {
    let mut book = NameBook::default();
    for (id, nic) in state.nics {
        let rules = RuleNames::default().into();
        book.note(nic.slot, 0, NicNames { id, name: nic.name, interface: nic.interface, rules });
    }
    book
}
