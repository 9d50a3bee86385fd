//! The first story: an administration port that is open by default, and who finds it.

use super::{Tour, can, cannot};
use crate::error::Result;
use crate::estate::Situation;

/// Tells it; false means that somebody stopped it.
pub(super) fn tell(tour: &mut Tour<'_>) -> Result<bool> {
    tour.heading("The open port")?;
    Ok(open(tour)? && closed(tour)? && one_source(tour)?)
}

fn open(tour: &mut Tour<'_>) -> Result<bool> {
    let text = "Somebody made the web server in a hurry. Its security group has the rule that the wizard\n\
                suggested: Remote Desktop, from everywhere. An attacker tries the well-known ports of the\n\
                public address.";
    if !tour.scene(text, Situation::RdpOpen)? {
        return Ok(false);
    }
    tour.scan("attacker", "web1", &[80, 443, 3389], "the attacker's scan finds")?;
    tour.try_all(&[
        can(
            "attacker",
            "web1",
            "rdp",
            "the attacker talks to Remote Desktop and can start guessing passwords",
        ),
        can("customer", "web1", "https", "a customer opens the web site"),
    ])?;
    Ok(true)
}

fn closed(tour: &mut Tour<'_>) -> Result<bool> {
    let text = "The rule is removed. Nothing else changes, and nothing on the server does: the packets end at\n\
                its network interface.";
    if !tour.scene(text, Situation::Default)? {
        return Ok(false);
    }
    tour.scan("attacker", "web1", &[80, 443], "the attacker's scan finds")?;
    tour.try_all(&[
        cannot("attacker", "web1", "rdp", "Remote Desktop is silent to the attacker"),
        cannot("office", "web1", "rdp", "and to the administrators' office"),
        cannot("web2", "web1", "rdp", "and to the neighbour in the same subnet"),
        can("customer", "web1", "https", "a customer opens the web site"),
    ])?;
    Ok(true)
}

fn one_source(tour: &mut Tour<'_>) -> Result<bool> {
    let text = "The administrators need the port. It is opened again, to one source only.";
    if !tour.scene(text, Situation::RdpFromOffice)? {
        return Ok(false);
    }
    tour.scan("attacker", "web1", &[80, 443], "the attacker's scan finds")?;
    tour.try_all(&[
        can("office", "web1", "rdp", "the office reaches Remote Desktop"),
        cannot("attacker", "web1", "rdp", "the attacker does not"),
        cannot("customer", "web1", "rdp", "a customer does not"),
        cannot("web2", "web1", "rdp", "the neighbour in the same subnet does not"),
        can("customer", "web1", "https", "a customer opens the web site"),
    ])?;
    Ok(true)
}
