//! The first start: a tenant, a subscription, a signing key, and somebody who may do everything.
//!
//! The first principal is made only in a store that has none, in the same commit as everything else, so that two servers
//! that start at once on one store do not both make one. Its secret is told once; nothing else is ever a default.

use palisade_client::Bootstrap;
use palisade_control::{Action, Control, ControlError, Expect, RecordChange, time};
use palisade_identity::{Assignment, KeyRing, Principal, Scope, new_id, role_id};
use uuid::Uuid;

use crate::{
    access::directory::{self, Tenant},
    app::{Site, system_caller},
    folder::Folder,
    running::StartError,
};

/// The name of the first principal.
const NAME: &str = "bootstrap";
/// The name of tenant and subscription.
const SITE: &str = "Palisade";
/// How long the first secret is good for, in seconds: a year.
const SECRET_LIFETIME: u64 = 365 * 86_400;

/// Tenant and subscription of the store, and how the first principal logs in, if it was made now. The latter is written to
/// the folder before it counts.
pub(crate) async fn bootstrap(
    control: &Control,
    folder: &Folder,
    endpoint: &str,
) -> Result<(Site, Option<Bootstrap>), StartError> {
    if let Some(tenant) = control.read(directory::tenant) {
        return Ok((site(&tenant), None));
    }
    let now = time::unix_seconds(std::time::SystemTime::now());
    let made = First::make(now).map_err(|why| failed(&*why))?;
    let credentials = Bootstrap {
        endpoint: endpoint.to_owned(),
        ca_file: folder.authority_file(),
        tenant_id: made.tenant.tenant_id.to_string(),
        subscription_id: made.tenant.subscription_id.to_string(),
        client_id: made.principal.application.unwrap_or(made.principal.id).to_string(),
        client_secret: made.secret.clone(),
    };
    // First the file, then the commit: a crash between them leaves a file that opens nothing, and the next start makes
    // another; the other way round it would leave a server that nobody can log in to.
    folder.write_bootstrap(&credentials)?;
    match control.act(&system_caller(), Action::Records { changes: made.changes(), verb: "bootstrap" }).await
    {
        Ok(_) => Ok((site(&made.tenant), Some(credentials))),
        Err(error) if error.status == 409 => {
            folder.remove_bootstrap()?;
            let tenant = control.read(directory::tenant).ok_or(error)?;
            Ok((site(&tenant), None))
        }
        Err(error) => Err(error.into()),
    }
}

fn site(tenant: &Tenant) -> Site {
    Site {
        tenant: tenant.tenant_id.to_string(),
        subscription: tenant.subscription_id.to_string(),
        name: tenant.display_name.clone(),
    }
}

fn failed(why: &dyn std::error::Error) -> ControlError {
    ControlError::new(500, "BootstrapFailed", format!("The first principal cannot be made: {why}."))
}

/// What the first start makes.
struct First {
    tenant: Tenant,
    ring: KeyRing,
    principal: Principal,
    assignment: Assignment,
    secret: String,
}

impl First {
    fn make(now: u64) -> Result<Self, Box<dyn std::error::Error>> {
        let mut principal = Principal::service(NAME, now)?;
        let secret = principal.add_secret("made by the first start", now + SECRET_LIFETIME, now)?;
        let assignment = Assignment {
            id: new_id()?,
            principal: principal.id,
            principal_type: principal.kind.as_str().to_owned(),
            role: role_id::OWNER,
            scope: Scope::root(),
            description: Some("made by the first start".to_owned()),
            created: now,
            created_by: Uuid::nil().to_string(),
        };
        let tenant =
            Tenant { tenant_id: new_id()?, subscription_id: new_id()?, display_name: SITE.to_owned() };
        Ok(Self { tenant, ring: KeyRing::generate(now)?, principal, assignment, secret })
    }

    fn changes(&self) -> Vec<RecordChange> {
        let new = |key: String, value| RecordChange { key, value: Some(value), expect: Expect::Absent };
        vec![
            new(directory::TENANT.to_owned(), directory::record(&self.tenant)),
            new(directory::KEY.to_owned(), directory::record(&self.ring)),
            new(directory::principal_key(self.principal.id), directory::record(&self.principal)),
            new(directory::assignment_key(&self.assignment), directory::record(&self.assignment)),
        ]
    }
}
