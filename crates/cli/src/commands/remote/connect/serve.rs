//! Where a tunnel's bytes come from and go to: standard input and output, or connections to a local port.

use std::{io, net::SocketAddr, os::fd::AsFd, sync::Arc};

use palisade_client::{
    Client, ClientError,
    tunnel::{Ended, Tunnel, Wanted},
};
use serde_json::json;
use tokio::{
    fs::File,
    net::{TcpListener, TcpStream},
    runtime::{self, Runtime},
    sync::Semaphore,
    time::{Duration, sleep},
};

use crate::{exit::Exit, exit::Failure, output, output::Format};

/// Local connections at the same time; the server has a limit of its own.
const CONNECTIONS_MAX: usize = 64;
/// How long to wait after the listener fails, as it does when there are no more descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// One tunnel, for standard input and output.
pub fn stdio(client: &Client, wanted: &Wanted) -> Result<Exit, Failure> {
    let runtime = runtime()?;
    let (input, output) = (own(io::stdin())?, own(io::stdout())?);
    let request = client.tunnel(wanted)?;
    let ended = runtime.block_on(async {
        let tunnel = request.open().await?;
        begun(&tunnel);
        let ended = tunnel.carry(input, output).await;
        Ok::<_, ClientError>(ended)
    });
    // Standard input may still be waited for, which nobody can be kept from.
    runtime.shutdown_background();
    match ended? {
        Ok(Ended::Closed) => Ok(Exit::Clean),
        Ok(ended) => Err(Failure::other_side(told(&ended))),
        Err(error) => Err(error.into()),
    }
}

/// A standard stream as a file that nothing else buffers.
fn own(stream: impl AsFd) -> io::Result<File> {
    Ok(File::from_std(stream.as_fd().try_clone_to_owned()?.into()))
}

/// A tunnel for each connection to a local port, until this process is told to stop. The server is asked first: nobody shall connect to
/// a port behind which there is nothing to come.
pub fn listen(client: Client, wanted: Wanted, at: SocketAddr, form: Format) -> Result<Exit, Failure> {
    let cannot = |error: io::Error| {
        Failure::other_side(format!("cannot listen at {at}: {error} (choose another port)"))
    };
    client.check_tunnel(&wanted)?;
    let runtime = runtime()?;
    let listener = runtime.block_on(TcpListener::bind(at)).map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    match form {
        Format::Table => output::line(address)?,
        Format::Json => {
            output::json(
                &json!({"listen": address.to_string(), "target": wanted.target, "port": wanted.port}),
            )?;
        }
    }
    eprintln!("connections to {address} go to port {} of {}", wanted.port, wanted.target);
    runtime.block_on(serve(listener, Arc::new(client), Arc::new(wanted)));
    Ok(Exit::Clean)
}

async fn serve(listener: TcpListener, client: Arc<Client>, wanted: Arc<Wanted>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (client, wanted) = (Arc::clone(&client), Arc::clone(&wanted));
        tokio::spawn(async move {
            if let Err(error) = one(stream, client, wanted).await {
                eprintln!("error: {error}");
            }
            drop(place);
        });
    }
}

/// One connection.
async fn one(stream: TcpStream, client: Arc<Client>, wanted: Arc<Wanted>) -> Result<(), ClientError> {
    // It may ask for a token, and waits for that.
    let request = tokio::task::spawn_blocking(move || client.tunnel(&wanted)).await;
    let Ok(request) = request else { return Ok(()) };
    let tunnel = request?.open().await?;
    begun(&tunnel);
    // Both ends are programs that wait for each other's small messages; slower is not wrong.
    let _slower = stream.set_nodelay(true);
    let (from, to) = stream.into_split();
    match tunnel.carry(from, to).await {
        Ok(ended) => eprintln!("{}", told(&ended)),
        Err(error) => eprintln!("the local connection ended: {error}"),
    }
    Ok(())
}

fn begun(tunnel: &Tunnel) {
    let name = tunnel.id.rsplit('/').next().unwrap_or_default();
    eprintln!("tunnel {name} is open until {}", tunnel.end);
}

/// How a tunnel ended, in words.
fn told(ended: &Ended) -> String {
    let why = match ended {
        Ended::Closed => return "the tunnel was closed".to_owned(),
        Ended::Lost(why) => return format!("the tunnel was lost: {why}"),
        Ended::ByServer(why) => why.as_str(),
    };
    let sentence = match why {
        "TimeLimit" => "its time is over (--for asks for longer)",
        "IdleLimit" => "no byte has passed for too long (--idle asks for longer)",
        "Revoked" => "somebody has ended it",
        "RequestEnded" => "the request that it rested on is open no more",
        "NotAllowed" => "you may no longer connect there",
        "MachineGone" => "the machine, or the agent of its host, is gone",
        "ServerStopped" => "the server stops",
        _ => "the server says no more",
    };
    format!("the tunnel ended: {why}: {sentence}")
}

fn runtime() -> io::Result<Runtime> {
    runtime::Builder::new_current_thread().enable_io().enable_time().build()
}
