//! `palisade login` and `palisade logout`: profiles come and go.
//!
//! A secret or a password is read from the option, or from standard input when the option is missing, so that it need not
//! stand in a history. The profile is written only after a token was issued.

use std::{fs, path::PathBuf};

use palisade_client::{
    Bootstrap, Client, ClientError, Login, Profile, Profiles, Transport,
    login::{ANY_TENANT, Granted, TokenService},
};

use crate::{exit::Exit, exit::Failure, secret};

/// The name of a profile that was given none.
const DEFAULT_PROFILE: &str = "default";

/// Options of `login`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The first start of a server writes DIR/bootstrap.json; `palisade login --bootstrap DIR/bootstrap.json` \
                        makes its owner the current profile."
)]
pub struct LoginArgs {
    /// File that the server wrote at its first start
    #[arg(long, value_name = "FILE", conflicts_with_all = ["service_principal", "user", "device_code", "endpoint"])]
    bootstrap: Option<PathBuf>,
    /// Address of the server
    #[arg(long, value_name = "URL", required_unless_present = "bootstrap")]
    endpoint: Option<String>,
    /// Certificate of the server's authority, PEM; without it, the machine's own trusted ones
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Log in as a program, with a secret
    #[arg(long, group = "way", requires = "username")]
    service_principal: bool,
    /// Log in as a person, with a password
    #[arg(long, group = "way", requires = "username")]
    user: bool,
    /// Log in as a person, with a code that is typed in at another place
    #[arg(long, group = "way")]
    device_code: bool,
    /// Client id or user name
    #[arg(long, short = 'u', value_name = "NAME")]
    username: Option<String>,
    /// Secret or password; read from standard input when missing
    #[arg(long, short = 'p', value_name = "SECRET", env = "PALISADE_SECRET", hide_env_values = true)]
    password: Option<String>,
    /// Tenant, if the server should be asked for another than its own
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// Name of the profile
    #[arg(long, value_name = "NAME", default_value = DEFAULT_PROFILE)]
    profile: String,
}

/// Options of `logout`.
#[derive(Debug, clap::Args)]
pub struct LogoutArgs {
    /// Profile to forget; the current one when missing
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
}

/// Logs in, and makes the profile the current one.
pub fn login(arguments: &LoginArgs) -> Result<Exit, Failure> {
    let path = Profiles::place().map_err(Failure::input)?;
    let profile = match &arguments.bootstrap {
        Some(file) => by_bootstrap(&Bootstrap::read(file).map_err(Failure::input)?)?,
        None => by_options(arguments)?,
    };
    let mut profiles = Profiles::read(&path).map_err(Failure::input)?;
    let who = match &profile.login {
        Login::ServicePrincipal { client_id, .. } => client_id.clone(),
        Login::User { name, .. } => name.clone().unwrap_or_else(|| "a user".to_owned()),
    };
    eprintln!("logged in at {} as {who} (profile {:?})", profile.endpoint, arguments.profile);
    profiles.profiles.insert(arguments.profile.clone(), profile);
    profiles.current = Some(arguments.profile.clone());
    profiles.write(&path).map_err(Failure::caused_by)?;
    Ok(Exit::Clean)
}

/// Forgets a profile.
pub fn logout(arguments: &LogoutArgs) -> Result<Exit, Failure> {
    let path = Profiles::place().map_err(Failure::input)?;
    let mut profiles = Profiles::read(&path).map_err(Failure::input)?;
    let name = profiles.name(arguments.profile.as_deref()).map_err(Failure::input)?.to_owned();
    profiles.profiles.remove(&name);
    if profiles.current.as_deref() == Some(&name) {
        profiles.current = profiles.profiles.keys().next().cloned();
    }
    profiles.write(&path).map_err(Failure::caused_by)?;
    eprintln!("forgot profile {name:?}");
    Ok(Exit::Clean)
}

fn by_bootstrap(bootstrap: &Bootstrap) -> Result<Profile, Failure> {
    let profile = bootstrap.profile().map_err(Failure::input)?;
    let transport = Transport::new(&profile.endpoint, profile.authority.as_deref())?;
    let service = TokenService::new(&transport, &profile.tenant_id);
    let granted = service.by_secret(&bootstrap.client_id, &bootstrap.client_secret)?;
    Ok(Profile { endpoint: transport.endpoint().to_owned(), token: Some(granted.token), ..profile })
}

fn by_options(arguments: &LoginArgs) -> Result<Profile, Failure> {
    let read = |file: &PathBuf| {
        fs::read_to_string(file).map_err(|error| Failure::input(format!("{}: {error}", file.display())))
    };
    let authority = arguments.ca_file.as_ref().map(read).transpose()?;
    let transport = Transport::new(arguments.endpoint.as_deref().unwrap_or_default(), authority.as_deref())?;
    let tenant = arguments.tenant.as_deref().unwrap_or(ANY_TENANT);
    let (login, granted) = trade(arguments, &TokenService::new(&transport, tenant))?;
    let mut profile = Profile {
        endpoint: transport.endpoint().to_owned(),
        authority,
        tenant_id: granted.tenant_id.clone().unwrap_or_else(|| tenant.to_owned()),
        subscription_id: String::new(),
        login,
        token: None,
    };
    profile.take(granted);
    (profile.tenant_id, profile.subscription_id) = home(&profile)?;
    Ok(profile)
}

/// Trades what the options say for a token.
fn trade(arguments: &LoginArgs, service: &TokenService<'_>) -> Result<(Login, Granted), Failure> {
    let nobody = || Login::User { name: None, refresh_token: None };
    if arguments.device_code {
        let granted = service.by_device_code(|code| {
            eprintln!("open {} and enter the code {}", code.verification_uri, code.user_code);
        })?;
        return Ok((nobody(), granted));
    }
    let Some(name) = arguments.username.clone().filter(|_| arguments.user || arguments.service_principal)
    else {
        return Err(Failure::input(
            "say how to log in: --bootstrap FILE, --service-principal -u ID, --user -u NAME or --device-code",
        ));
    };
    let secret = match &arguments.password {
        Some(password) => password.clone(),
        None => secret::read(&format!("secret of {name}: "))?.to_string(),
    };
    if arguments.user {
        let granted = service.by_password(&name, &secret)?;
        return Ok((Login::User { name: Some(name), refresh_token: None }, granted));
    }
    let granted = service.by_secret(&name, &secret)?;
    Ok((Login::ServicePrincipal { client_id: name, client_secret: secret }, granted))
}

/// The tenant and the subscription that the server has for this identity.
fn home(profile: &Profile) -> Result<(String, String), Failure> {
    let client = Client::of(profile.clone())?;
    let subscriptions = client.list("/subscriptions")?;
    let first = subscriptions.first().ok_or_else(|| {
        Failure::input(
            "the server shows no subscription to this identity (assign it a role: palisade role assign)",
        )
    })?;
    match (first["tenantId"].as_str(), first["subscriptionId"].as_str()) {
        (Some(tenant), Some(subscription)) => Ok((tenant.to_owned(), subscription.to_owned())),
        _ => Err(ClientError::Nonsense {
            url: "/subscriptions".to_owned(),
            problem: "a subscription has no id or no tenant".to_owned(),
        }
        .into()),
    }
}
