//! The third story: an open port where somebody counts the knocks, a machine that is taken all the same, and what becomes of it.
//!
//! The intruder has two addresses, one of each family, and guesses from one after the other.

use palisade_net::Family::{self, V4, V6};

use super::{Claim, Tour, can, cannot};
use crate::{error::Result, estate::Situation, guard::ForensicPath};

const GUESSED: &str = "RDP_Incoming_BF_OneToOne";
const ENTERED: &str = "RDP_Incoming_BF_Success";
const SCANNED: &str = "PortScanning";
/// Tries that a series has: the detectors need six of one service, or four contacts that fail.
const TRIES: usize = 8;
/// A port that none of the hosts outside listens at: file shares.
const SHARES: u16 = 445;

const SHUT_IN: [Claim; 9] = [
    cannot("web1", "c2", "c2", "its controller hears nothing more"),
    cannot("web1", "www", "http", "nor does anybody else outside"),
    cannot("web1", "db1", "pgsql", "nor the database beside it"),
    cannot("attacker", "web1", "rdp", "the intruder is out, by either address"),
    cannot("customer", "web1", "https", "so is everybody else"),
    cannot("office", "web1", "rdp", "the administrators' office too"),
    can("mgmt1", "web1", "ssh", "but the jump host reaches its SSH: the forensic path"),
    cannot("mgmt1", "web1", "https", "and nothing else of it"),
    can("mgmt1", "db1", "ssh", "no other machine is concerned"),
];

/// Tells it; false means that somebody stopped it.
pub(super) fn tell(tour: &mut Tour<'_>) -> Result<bool> {
    tour.heading("The machine that was taken")?;
    Ok(counted(tour)? && locked_out(tour)? && taken(tour)? && shut_in(tour)? && looked_back(tour)?)
}

fn counted(tour: &mut Tour<'_>) -> Result<bool> {
    let text = "The port stands open again, and this time somebody counts the knocks: each connection is told to the\n\
                server as it ends. The attacker guesses passwords at Remote Desktop.";
    if !tour.scene(text, Situation::RdpOpen)? {
        return Ok(false);
    }
    tour.guess("attacker", "web1", V4, TRIES)?;
    tour.alert(GUESSED, "attacker", V4, "Medium", "an alert tells of the guesses")?;
    Ok(true)
}

fn locked_out(tour: &mut Tour<'_>) -> Result<bool> {
    if !tour.go_on("The address is locked out for ten minutes.")? {
        return Ok(false);
    }
    tour.lock_out("attacker", V4)?;
    tour.try_one("attacker", "web1", "rdp", V4, false, "Remote Desktop is silent to it")?;
    tour.try_one("attacker", "web1", "https", V4, false, "and so is the web site")?;
    tour.try_all(&[
        can("office", "web1", "rdp", "the office still reaches Remote Desktop"),
        can("customer", "web1", "https", "a customer still opens the web site"),
    ])?;
    Ok(true)
}

fn taken(tour: &mut Tour<'_>) -> Result<bool> {
    let text = "The attacker has another address, of IPv6, and goes on from there. One guess is right.";
    if !tour.go_on(text)? {
        return Ok(false);
    }
    tour.guess("attacker", "web1", V6, TRIES)?;
    tour.alert(GUESSED, "attacker", V6, "Medium", "an alert tells of these guesses too")?;
    tour.session("attacker", "web1", V6, "the right guess opens a session")?;
    tour.alert(ENTERED, "attacker", V6, "Critical", "a session after guesses is the gravest of alerts")?;
    Ok(true)
}

fn shut_in(tour: &mut Tour<'_>) -> Result<bool> {
    let text = "From now on a policy answers: a machine that looks for others is isolated, but for the jump host's\n\
                way to its SSH. The intruder does not know, and looks for file shares from the web server.";
    if !tour.go_on(text)? {
        return Ok(false);
    }
    let jump_host = tour.lab.host("mgmt1")?;
    let path =
        |family| ForensicPath { source: jump_host.addresses.of(family), port: super::known("ssh").port };
    tour.isolate_scanners(&Family::ALL.map(path))?;
    tour.look_around("web1", SHARES)?;
    tour.alert(SCANNED, "web1", V4, "Medium", "an alert tells of the search")?;
    tour.falls_silent("web1", "www", "http", "and the machine is isolated")?;
    tour.try_all(&SHUT_IN)?;
    Ok(true)
}

fn looked_back(tour: &mut Tour<'_>) -> Result<bool> {
    if !tour.go_on("What happened, in what order:")? {
        return Ok(false);
    }
    let order = [GUESSED, ENTERED, "PortScanning:", "quarantine"];
    tour.timeline("web1", &order, "guesses, break-in, search and isolation stand in their order")?;
    let text = "Patched or not, the machine cannot be trusted again: the way back is a clean state (docs/recovery.md).\n\
                Here it is only released.";
    if !tour.go_on(text)? {
        return Ok(false);
    }
    tour.release()?;
    tour.try_all(&[
        can("customer", "web1", "https", "a customer opens the web site again"),
        can("web1", "db1", "pgsql", "the web server reaches its database"),
    ])?;
    tour.try_one("attacker", "web1", "rdp", V4, false, "and the lock-out lasts")?;
    Ok(true)
}
