//! The main show: enforce the lab's estate, try everything, and put what happened beside what was predicted.

use std::fmt::Write as _;

use crate::error::{LabError, Result};
use crate::lab::Lab;
use crate::matrix::Matrix;
use crate::netns::{Namespace, registry};
use crate::policy::{Enforcer, EstateFiles, Predictor};
use crate::probe::PATIENCE;
use crate::topology::HYPERVISOR;
use crate::wiring::control::{GROUP, Places};

/// Puts the estate in force, sends every probe and asks for every prediction. Servers must be running.
pub fn enforce_and_observe(
    lab: &Lab,
    files: &EstateFiles,
    enforcer: &mut dyn Enforcer,
    predictor: &mut dyn Predictor,
) -> Result<Matrix> {
    enforcer.enforce(files).map_err(|source| LabError::Policy {
        what: "the lab's estate cannot be put in force".into(),
        source,
    })?;
    predictor
        .load(files)
        .map_err(|source| LabError::Policy { what: "the lab's estate cannot be judged".into(), source })?;
    Matrix::observe(lab, Some(predictor), PATIENCE)
}

/// What to try by hand while the lab of this name is up; `program` is the `palisade` command.
pub fn hints(name: &str, files: &EstateFiles, program: &str) -> String {
    let places = Places::of_lab(name);
    // Not `ip netns exec`, which would hide the programs' pins from what it starts.
    let namespace = Namespace::named(registry::namespace_name(name, HYPERVISOR));
    let inside = format!(
        "sudo nsenter --net={} env PALISADE_PROFILES={}",
        namespace.path().display(),
        places.profiles.display()
    );
    let at = |host: &str| format!("sudo ip netns exec {}", registry::namespace_name(name, host));
    let mut text = String::from("The lab is up. Things to try in another terminal:\n");
    for (what, how) in [
        ("a customer opens the web site", format!("{} curl -m 3 http://198.51.100.10/", at("customer"))),
        ("the attacker tries SSH", format!("{} nc -w 3 198.51.100.11 22", at("attacker"))),
        ("the office does the same", format!("{} nc -w 3 198.51.100.11 22", at("office"))),
        ("the web server asks the database", format!("{} nc -w 3 10.20.2.4 5432", at("web1"))),
        ("a shell on the web server", format!("{} bash", at("web1"))),
        (
            "another policy: edit the parameters and deploy again",
            format!(
                "sudo nano {}; {inside} {program} apply {} --resource-group {GROUP}",
                files.parameters.display(),
                files.template.display()
            ),
        ),
        ("what its server has", format!("{inside} {program} get nsg")),
        (
            "a shell for az, which logs in as docs/clients.md says",
            format!("{inside} bash  # credentials: {}", places.data.join("bootstrap.json").display()),
        ),
    ] {
        writeln!(text, "  {what}:\n      {how}").expect("writing to a string cannot fail");
    }
    text
}
