//! Many clients that write rules, each write durable before it is answered.

use std::{
    thread,
    time::{Duration, Instant},
};

use palisade_client::Client;

use super::{
    Run,
    estate::{self, Ids},
    server::Server,
};
use crate::{error::Result, report::Case};

/// Clients at once.
const CLIENTS: usize = 64;

pub(super) fn measure(run: &mut Run<'_>) -> Result<Vec<Case>> {
    let time = Duration::from_secs(run.choose(15, 4) as u64);
    let several = [(CLIENTS, "an NSG for each client"), (1, "one NSG for all clients")];
    several.into_iter().map(|(nsgs, what)| sustained(run, nsgs, what, time)).collect()
}

fn sustained(run: &mut Run<'_>, nsgs: usize, what: &str, time: Duration) -> Result<Case> {
    (run.tell)(&format!("rules written by {CLIENTS} clients, {what}"));
    let folder = run.folder()?;
    let mut server = Server::new(&run.options.program, &folder.path().join("data"), &[])?;
    server.start()?;
    let owner = server.owner()?;
    let ids = estate::lay(&owner)?;
    estate::fill(&owner, nsgs, |client, nsg| estate::put(client, &ids.nsg(nsg), &estate::nsg(0)).map(drop))?;
    let begun = Instant::now();
    let until = begun + time;
    let counts = thread::scope(|scope| {
        let writers: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (owner, ids) = (&owner, &ids);
                scope.spawn(move || write(owner, ids, number, number % nsgs, until))
            })
            .collect();
        writers
            .into_iter()
            .map(|writer| writer.join().expect("a writer does not panic"))
            .collect::<Result<Vec<_>>>()
    })?;
    let rate = counts.iter().sum::<usize>() as f64 / begun.elapsed().as_secs_f64();
    server.stop()?;
    Ok(Case::new("writes/rules", rate, "1/s")
        .with("clients", CLIENTS)
        .with("rules in", what)
        .with("store", "SQLite, synced")
        .goal("at least 2000 1/s", rate >= 2_000.0))
}

/// Writes a few rules again and again; how often.
fn write(owner: &Client, ids: &Ids, number: usize, nsg: usize, until: Instant) -> Result<usize> {
    let client = Client::of(owner.profile())?;
    let mut count = 0;
    while Instant::now() < until {
        // Each client has its own priorities, so that rules of one NSG never collide.
        let own = number + CLIENTS * (count % 8);
        let mut rule = estate::rule(own);
        // One that says what is there already would not be written.
        rule["properties"]["destinationPortRange"] = (1 + count % 65_535).to_string().into();
        estate::put(&client, &ids.rule(nsg, &format!("rule-{own}")), &rule)?;
        count += 1;
    }
    Ok(count)
}
