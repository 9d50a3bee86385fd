//! All hosts come back at once after the server was away, and clients must not notice.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use palisade_client::Client;

use super::{Run, estate::Ids, fanout::Site, force::round};
use crate::{error::Result, report::Case, stats};

/// How often a client asks meanwhile.
const ASK_INTERVAL: Duration = Duration::from_millis(10);

pub(super) fn measure(run: &mut Run<'_>) -> Result<Vec<Case>> {
    let hosts = run.choose(1_000, 200);
    (run.tell)(&format!("{hosts} hosts that come back at once"));
    let mut site = Site::start(run, hosts)?;
    site.server.stop()?;
    site.server.start()?;
    let begun = Instant::now();
    let is_over = AtomicBool::new(false);
    let (in_sync, answers) = thread::scope(|scope| {
        let asking = scope.spawn(|| ask(&site.owner, &site.ids, &is_over));
        let in_sync = site.fleet.wait_for_streams(2).map(|()| begun.elapsed().as_secs_f64());
        is_over.store(true, Ordering::Relaxed);
        (in_sync, asking.join().expect("asking does not panic"))
    });
    let (in_sync, answers) = (in_sync?, answers?);
    site.stop()?;
    let [median, worst] = [0.5, 1.0].map(|share| stats::quantile(&answers, share));
    let case = Case::new("reconnect/in-sync", in_sync, "s")
        .with("hosts", hosts)
        .with("an answer meanwhile, ms", round(median))
        .with("the slowest answer, ms", round(worst))
        .at_most(10.0)
        .goal("no answer later than 100 ms", worst <= 100.0);
    Ok(vec![case])
}

/// Asks for an NSG again and again; milliseconds until each answer.
fn ask(owner: &Client, ids: &Ids, is_over: &AtomicBool) -> Result<Vec<f64>> {
    let client = Client::of(owner.profile())?;
    let mut taken = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        client.get(&ids.nsg(0))?;
        taken.push(begun.elapsed().as_secs_f64() * 1e3);
        thread::sleep(ASK_INTERVAL);
    }
    Ok(taken)
}
