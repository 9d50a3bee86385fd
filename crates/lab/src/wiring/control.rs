//! Enforcement in a lab through a control plane: `palisade up` in the hypervisor's namespace, spoken to as any client speaks.
//!
//! The first estate starts the process; this and every later one is deployed as a template, and is in force when the operation
//! has succeeded. The server listens on the namespace's own loopback, so labs do not meet and no port of the machine is
//! taken. Invariant: as with [`AgentProcess`], neither the process nor its programs in the kernel outlive the value.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use palisade_agent::{AgentError, Instance};
use palisade_client::{Bootstrap, Client, ClientError, Patience, Precondition, Profiles};
use serde_json::{Value, json};

use super::agent::AgentProcess;
use crate::{
    error::Result,
    hosts::{HOSTS, Host},
    lab::Lab,
    netns::{Namespace, registry},
    policy::{Enforcer, EstateFiles},
    topology::HYPERVISOR,
};

/// The resource group that a lab is deployed to.
pub const GROUP: &str = "lab";
/// The region of the resource group.
const LOCATION: &str = "westeurope";
/// The name of the hypervisor at its server.
const HOST: &str = "hypervisor";
/// The name of the owner's profile.
const PROFILE: &str = "lab";
/// How long the server may take to serve, or a deployment to be in force.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// How often the server is looked for meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Where the server of a lab keeps its things.
#[derive(Debug, Clone)]
pub struct Places {
    /// The data folder, in which the first credentials are too.
    pub data: PathBuf,
    /// The owner's profile, as `palisade login` writes it.
    pub profiles: PathBuf,
}

impl Places {
    /// Those of the lab of this name.
    pub fn of_lab(name: &str) -> Self {
        let folder = registry::folder(name);
        Self { data: folder.join("data"), profiles: folder.join("profiles.json") }
    }
}

/// The control plane of a lab, alive or dead.
#[derive(Debug)]
pub struct ControlPlane {
    process: AgentProcess,
    inside: Namespace,
    places: Places,
    client: Option<Client>,
}

impl ControlPlane {
    /// A control plane that is yet to be started: `program` is the `palisade` command, of which `up` is run for this instance.
    pub fn of_lab(lab: &Lab, program: &Path, instance_name: &str, instance: Instance) -> Result<Self> {
        let (name, folder) = (lab.stage().name(), lab.stage().folder());
        let places = Places::of_lab(name);
        let mut command = lab.on_hypervisor(program)?;
        up(&mut command, &places.data, instance_name);
        command.arg("--service-tags").arg(EstateFiles::of_lab(name).service_tags);
        Ok(Self {
            process: AgentProcess::new(instance, command, folder.join("palisade.log")),
            inside: lab.stage().namespace(HYPERVISOR),
            places,
            client: None,
        })
    }

    /// Ends the process, takes its programs out of the kernel, and says whether that worked.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn stop(self) -> std::result::Result<(), AgentError> {
        self.process.stop()
    }

    /// Asks the server as its owner, from inside the hypervisor.
    pub(super) fn ask<T: Send>(
        &self,
        question: impl FnOnce(&Client) -> anyhow::Result<T> + Send,
    ) -> anyhow::Result<T> {
        let client = self.client.as_ref().context("nothing was deployed yet")?;
        self.inside.enter(|| question(client))?
    }
}

/// The options of `palisade up`. Its addresses are the usual ones: the namespace has a loopback of its own. Flows are kept, so that they are
/// watched and stand in timelines.
fn up(command: &mut Command, data: &Path, instance: &str) {
    command.arg("up").arg("--data").arg(data).args(["--host", HOST, "--instance", instance]);
    command.arg("--flow-store").arg(data.join("flows"));
}

/// Started with the first estate; this and later ones are deployed.
impl Enforcer for ControlPlane {
    fn enforce(&mut self, estate: &EstateFiles) -> anyhow::Result<u64> {
        // Not inside the namespace: the process ends with the thread that starts it.
        self.process.start()?;
        let Self { process, inside, places, client } = self;
        inside.enter(|| {
            let client = match client {
                Some(client) => client,
                None => client.insert(log_in(process, places)?),
            };
            deploy(client, estate)?;
            let revision = client.host(HOST)?["appliedRevision"].as_u64().unwrap_or_default();
            // What the agent writes down for others, it writes after it has reported.
            process.wait_for("note what it enforces", |state| {
                let is_noted = state.server.as_ref().is_some_and(|server| server.revision >= revision);
                Ok(state.published.as_ref().filter(|_| is_noted).map(|published| published.generation))
            })
        })?
    }
}

/// The owner, once the server serves and knows the interfaces of its host, and the owner's profile for people.
fn log_in(process: &mut AgentProcess, places: &Places) -> anyhow::Result<Client> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let waited = match owner(places) {
            Ok(client) if has_interfaces(&client)? => return Ok(client),
            Ok(_) => anyhow::anyhow!("its agent has not told its interfaces"),
            Err(error) => error,
        };
        process.check_alive()?;
        if Instant::now() > deadline {
            return Err(
                waited.context(format!("`palisade up` did not serve within {} s", PATIENCE.as_secs()))
            );
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// The resource group that a lab is deployed to, as an id.
pub(super) fn group(client: &Client) -> String {
    format!("/subscriptions/{}/resourceGroups/{GROUP}", client.subscription())
}

fn owner(places: &Places) -> anyhow::Result<Client> {
    let bootstrap = Bootstrap::read(&places.data.join("bootstrap.json"))?;
    let mut profiles = Profiles { current: Some(PROFILE.to_owned()), ..Profiles::default() };
    profiles.profiles.insert(PROFILE.to_owned(), bootstrap.profile()?);
    profiles.write(&places.profiles)?;
    let client = Client::open(&places.profiles, None)?;
    client.token()?;
    Ok(client)
}

/// Whether the server can tell which NICs are here: a deployment before concerns no host, and has succeeded at once.
fn has_interfaces(client: &Client) -> std::result::Result<bool, ClientError> {
    let hosts = client.hosts()?;
    let own = hosts.iter().find(|host| host["name"] == HOST);
    Ok(own.is_some_and(|host| host["interfaces"].as_array().is_some_and(|all| !all.is_empty())))
}

/// Deploys the template with its parameters, and waits until it is in force.
fn deploy(client: &Client, estate: &EstateFiles) -> anyhow::Result<()> {
    let group = group(client);
    client.put(&group, &json!({ "location": LOCATION }), Precondition::Always)?;
    let (mut template, parameters) = (json_of(&estate.template)?, json_of(&estate.parameters)?);
    tell_hardware_addresses(&mut template);
    tell_machines(&mut template);
    let properties =
        json!({ "mode": "Incremental", "template": template, "parameters": parameters["parameters"] });
    let path = format!("{group}/providers/Microsoft.Resources/deployments/lab");
    let written = client.put(&path, &json!({ "properties": properties }), Precondition::Always)?;
    let Some(operation) = &written.operation else { bail!("the server does not say how {path} ends") };
    client.wait(operation, Patience(PATIENCE), |_| ())?;
    Ok(())
}

/// Says what addresses the machines' interfaces have: a server makes them up for machines that are yet to be started.
fn tell_hardware_addresses(template: &mut Value) {
    for resource in template["resources"].as_array_mut().into_iter().flatten() {
        let is_its = |host: &&Host| host.machine.is_some_and(|machine| resource["name"] == machine.nic);
        if let Some(host) = HOSTS.iter().find(is_its) {
            resource["properties"]["macAddress"] = host.addresses.mac().into();
        }
    }
}

/// Says which machine each interface belongs to: alerts and what is done about them are about machines.
fn tell_machines(template: &mut Value) {
    let Some(resources) = template["resources"].as_array_mut() else { return };
    for (host, machine) in HOSTS.iter().filter_map(|host| Some((host, host.machine?))) {
        let id = format!("[resourceId('Microsoft.Network/networkInterfaces', '{}')]", machine.nic);
        resources.push(json!({
            "type": "Microsoft.Compute/virtualMachines",
            "apiVersion": "2024-07-01",
            "name": host.name,
            "location": LOCATION,
            "dependsOn": [id],
            "properties": { "networkProfile": { "networkInterfaces": [{ "id": id }] } },
        }));
    }
}

fn json_of(file: &Path) -> anyhow::Result<Value> {
    let text = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("read {}", file.display()))
}
