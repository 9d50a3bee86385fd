//! Makes the table of endpoints agree with the estate and with what NICs are here.
//!
//! What is enforced does not wait for it, and nothing here fails an agent: an endpoint that cannot be put in force is told so,
//! with the remedy, and tried again at the next look. A host without endpoints never runs `nft`.

use std::collections::BTreeSet;

use data_encoding::HEXLOWER;
use palisade_datapath::Plane;
use palisade_model::Endpoint;
use sha2::{Digest as _, Sha256};

use super::Agent;
use crate::endpoints::nft::{self, NftError};
use crate::endpoints::{EndpointRecord, Lead, Translation, records, script, tracked, wanted};
use crate::error::AgentError;
use crate::event::Event;
use crate::state::State;

impl<P: Plane> Agent<P> {
    /// Puts the endpoints of the NICs that are here in force, and repairs them where somebody else changed them.
    ///
    /// # Errors
    /// If the state cannot be written.
    pub fn keep_endpoints(&mut self) -> Result<(), AgentError> {
        // Without an estate, or with the policy of another one in force, what is in the kernel stays.
        let Some(compiled) = self.compiled.as_ref().filter(|_| self.state.unpublished.is_none()) else {
            return Ok(());
        };
        let mut records = records(&compiled.endpoints, &self.state);
        let wanted: Vec<Endpoint> = wanted(&compiled.endpoints, &records).into_iter().cloned().collect();
        if let Err(error) = self.translate(&wanted)? {
            for record in records.iter_mut().filter(|record| record.in_force) {
                (record.in_force, record.why) = (false, Some(error.to_string()));
            }
            // With nothing to open there is nothing to tell it by.
            if wanted.is_empty() {
                self.events.push(Event::Trouble { error: format!("endpoints cannot be removed: {error}") });
            }
        } else {
            self.end_connections(leads(&wanted))?;
        }
        self.tell_endpoints(&records);
        self.write(State { endpoints: records, ..self.state.clone() })
    }

    /// Makes the kernel's table that of these endpoints. The outer error is the state's, the inner one nftables'.
    fn translate(&mut self, wanted: &[Endpoint]) -> Result<Result<(), NftError>, AgentError> {
        let before = self.state.translation.clone();
        if wanted.is_empty() && before.is_none() {
            return Ok(Ok(()));
        }
        let table = self.instance.table();
        if wanted.is_empty() {
            let removed = nft::remove(&table);
            if removed.is_ok() {
                self.write(State { translation: None, ..self.state.clone() })?;
                self.events.push(Event::EndpointsGone);
            }
            return Ok(removed);
        }
        let text = script::of(&table, &wanted.iter().collect::<Vec<_>>());
        let asked = digest(&text);
        let seen = match nft::listing(&table) {
            Ok(listing) => listing.as_deref().map(digest),
            Err(error) => return Ok(Err(error)),
        };
        let is_ours = before.as_ref().is_some_and(|before| before.script == asked);
        if is_ours && before.as_ref().map(|before| &before.listing) == seen.as_ref() {
            return Ok(Ok(()));
        }
        // Written down first: who dies in between leaves a table that its successor knows of, and connections that it will end.
        let told = Translation { script: asked, listing: String::new() };
        let opened = self.state.opened.union(&leads(wanted)).copied().collect();
        self.write(State { translation: Some(told.clone()), opened, ..self.state.clone() })?;
        let listing = match nft::carry_out(&text).and_then(|()| nft::listing(&table)) {
            Ok(listing) => listing.as_deref().map(digest).unwrap_or_default(),
            Err(error) => return Ok(Err(error)),
        };
        self.write(State { translation: Some(Translation { listing, ..told }), ..self.state.clone() })?;
        let is_repaired = is_ours && before.is_some_and(|before| !before.listing.is_empty());
        self.events.push(Event::Endpoints { count: wanted.len(), is_repaired });
        Ok(Ok(()))
    }

    /// Ends what came through endpoints that the kernel has no more; it would translate connections that live to their end.
    fn end_connections(&mut self, open: BTreeSet<Lead>) -> Result<(), AgentError> {
        let ended: BTreeSet<Lead> = self.state.opened.difference(&open).copied().collect();
        if ended.is_empty() {
            return Ok(());
        }
        match tracked::cut(&ended) {
            Ok(count) => {
                self.events.push(Event::EndpointsEnded { count });
                self.write(State { opened: open, ..self.state.clone() })
            }
            Err(error) => {
                let error = format!("connections through endpoints that are gone cannot be ended: {error}");
                self.events.push(Event::Trouble { error });
                Ok(())
            }
        }
    }

    /// Tells of endpoints that are not in force, once for each reason.
    fn tell_endpoints(&mut self, records: &[EndpointRecord]) {
        for record in records {
            let known =
                self.state.endpoints.iter().any(|old| (&old.id, &old.why) == (&record.id, &record.why));
            if let (Some(why), false) = (&record.why, known) {
                self.events.push(Event::EndpointClosed { id: record.id.clone(), why: why.clone() });
            }
        }
    }
}

fn leads(endpoints: &[Endpoint]) -> BTreeSet<Lead> {
    endpoints.iter().flat_map(Lead::of).collect()
}

fn digest(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
}
