//! One change of an NSG that every host uses: from the request until the last report.

use std::time::Instant;

use palisade_client::Client;
use serde_json::json;

use super::{
    Run,
    estate::{self, Ids},
    fleet::{self, Fleet},
    force::round,
    server::Server,
};
use crate::{error::Result, report::Case, scratch::Scratch, stats};

pub(super) fn measure(run: &mut Run<'_>) -> Result<Vec<Case>> {
    let (hosts, rounds) = (run.choose(1_000, 200), run.choose(9, 3));
    (run.tell)(&format!("one change for {hosts} hosts"));
    let site = Site::start(run, hosts)?;
    let one = |number: usize| {
        let begun = Instant::now();
        estate::put_in_force(&site.owner, &site.ids.rule(0, "measured"), &estate::rule(100 + number))?;
        Ok(begun.elapsed().as_secs_f64())
    };
    let taken = (0..rounds).map(one).collect::<Result<Vec<_>>>()?;
    let case = Case::new("fanout/change", stats::median(&taken), "s")
        .with("hosts", hosts)
        .with("worst", round(stats::quantile(&taken, 1.0)))
        .with("memory of the server, MB", round(site.server.memory()?))
        .at_most(2.0);
    site.stop()?;
    Ok(vec![case])
}

/// A server with one NSG, and the hosts that follow it.
pub(super) struct Site {
    // The hosts end first, the folder last.
    pub(super) fleet: Fleet,
    pub(super) server: Server,
    pub(super) owner: Client,
    pub(super) ids: Ids,
    _folder: Scratch,
}

impl Site {
    /// Starts the server and waits until so many hosts are in sync.
    pub(super) fn start(run: &Run<'_>, hosts: usize) -> Result<Self> {
        let folder = run.folder()?;
        let mut server = Server::new(&run.options.program, &folder.path().join("data"), &[])?;
        server.start()?;
        let owner = server.owner()?;
        let ids = one_nsg_everywhere(&owner, hosts)?;
        let fleet = Fleet::join(&server, &owner, hosts)?;
        fleet.wait_for_streams(1)?;
        Ok(Self { fleet, server, owner, ids, _folder: folder })
    }

    /// Ends the hosts, then the server.
    pub(super) fn stop(self) -> Result<()> {
        let Self { fleet, mut server, .. } = self;
        drop(fleet);
        server.stop()
    }
}

/// An NSG, and a NIC behind it on every host.
fn one_nsg_everywhere(owner: &Client, hosts: usize) -> Result<Ids> {
    let ids = estate::lay(owner)?;
    estate::put(owner, &ids.nsg(0), &estate::nsg(10))?;
    estate::fill(owner, hosts, |client, number| {
        let tags = json!({ "palisade-host": fleet::name(number) });
        estate::put(client, &ids.nic(number), &estate::nic(&ids, 0, &tags)).map(drop)
    })?;
    Ok(ids)
}
