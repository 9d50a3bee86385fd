//! The second story: a machine that calls out, the big deny, and what it breaks.

use super::{Claim, Tour, can, cannot};
use crate::error::Result;
use crate::estate::Situation;

/// Whatever the policy towards the Internet is, the site must stay up.
const THE_SITE_WORKS: [Claim; 3] = [
    can(
        "customer",
        "web1",
        "http",
        "a customer still gets answers: replies belong to the customer's connection",
    ),
    can("web1", "db1", "pgsql", "the web server still reaches its database"),
    can("mgmt1", "web1", "ssh", "the administrators still come in through the jump host"),
];

const THE_BAD_STOPS: [Claim; 4] = [
    cannot("web1", "www", "http", "browsing from the web server stops"),
    cannot("web1", "c2", "c2", "the controller hears nothing more from the web server"),
    cannot("db1", "c2", "c2", "nor from the database"),
    cannot("db1", "www", "https", "browsing from the database stops"),
];

const UPDATES_BREAK: [Claim; 2] = [
    cannot("web1", "update", "https", "but updates break on the web server"),
    cannot("db1", "update", "https", "and on the database"),
];

const UPDATES_WORK: [Claim; 3] = [
    can("web1", "update", "https", "updates arrive again on the web server"),
    can("db1", "update", "https", "and on the database"),
    cannot("web1", "update", "c2", "but only updates: another port of the same server stays closed"),
];

/// Tells it; false means that somebody stopped it.
pub(super) fn tell(tour: &mut Tour<'_>) -> Result<bool> {
    tour.heading("The machine that calls out")?;
    Ok(open(tour)? && denied(tour)? && excepted(tour)?)
}

fn open(tour: &mut Tour<'_>) -> Result<bool> {
    let text = "The web server is infected. By default everything outward is allowed, so the intruder's\n\
                program reaches its controller and carries data away.";
    if !tour.scene(text, Situation::Default)? {
        return Ok(false);
    }
    tour.try_all(&[
        can("web1", "www", "http", "the web server browses the Internet"),
        can("web1", "c2", "c2", "the program on it reaches its controller"),
        can("web1", "update", "https", "updates arrive on the web server"),
        can("db1", "update", "https", "and on the database"),
        can("customer", "web1", "http", "a customer opens the web site"),
    ])?;
    tour.upload("web1", "c2", true, "100,000 bytes are carried away to the controller")?;
    Ok(true)
}

fn denied(tour: &mut Tour<'_>) -> Result<bool> {
    let text = "One more rule in every subnet's group: deny everything towards the Internet.";
    if !tour.scene(text, Situation::DenyInternet)? {
        return Ok(false);
    }
    tour.upload("web1", "c2", false, "the upload to the controller stops")?;
    tour.try_all(&[&THE_BAD_STOPS[..], &THE_SITE_WORKS, &UPDATES_BREAK].concat())?;
    Ok(true)
}

fn excepted(tour: &mut Tour<'_>) -> Result<bool> {
    let text = "Above the deny comes one exception, by name and not by address: the service tag\n\
                AzureUpdateDelivery, HTTPS only.";
    if !tour.scene(text, Situation::DenyInternetExceptUpdates)? {
        return Ok(false);
    }
    tour.upload("web1", "c2", false, "the upload to the controller is still stopped")?;
    tour.try_all(&[&UPDATES_WORK[..], &THE_BAD_STOPS, &THE_SITE_WORKS].concat())?;
    Ok(true)
}
