//! The way of flow records through a server: to the detectors, with all who listen to them, and to where they are kept.
//!
//! Here is decided who is told of alerts, in which order. It must not know what a record says.

use std::{sync::Arc, time::Duration};

use tokio::{task::JoinHandle, time::timeout};

use crate::{
    alerts::{self, Kept, Listener, Told, Watch, WatchedSink},
    answers::Answers,
    app::App,
    fleet::{FlowSink, FlowSinkError},
    flows::FlowKeeper,
    folder::Folder,
    notices::{Notices, TargetError},
    options::{FlowsTo, ServerOptions},
    running::StartError,
    uses::Uses,
};

/// How long alerts that wait for the store may hold up the server's end.
const KEEP_TIMEOUT: Duration = Duration::from_secs(5);

/// Who is told of alerts, and what that leaves to do.
type Listeners = (Vec<Arc<dyn Listener>>, Vec<JoinHandle<()>>);

/// Where flow records go.
#[derive(Debug, Default)]
pub(crate) struct Flows {
    sink: Option<Arc<dyn FlowSink>>,
    /// What stands behind it, if it is a store of ours.
    keeper: Option<Arc<FlowKeeper>>,
    watch: Option<Arc<Watch>>,
    /// What listeners left to do.
    tasks: Vec<JoinHandle<()>>,
}

impl Flows {
    /// Opens it all, as the operator wants it.
    pub(crate) async fn open(
        app: &Arc<App>,
        options: &ServerOptions,
        folder: &Folder,
    ) -> Result<Self, StartError> {
        let (inner, keeper, past) = match &options.flows {
            FlowsTo::Nowhere => return Ok(Self::default()),
            FlowsTo::Watched => (None, None, None),
            FlowsTo::Sink(sink) => (Some(sink.clone()), None, None),
            FlowsTo::Store(address) => {
                let keeper = store(address.clone(), options, folder).await?;
                (Some(keeper.clone() as Arc<dyn FlowSink>), Some(keeper), Some(address.clone()))
            }
        };
        let (listeners, mut tasks) = listeners(app, options)?;
        let (uses, using) = Uses::start(Arc::clone(app));
        tasks.push(using);
        let watch = Watch::start(app.control.clone(), listeners, past, options.events.clone());
        let watch = Arc::new(watch.map_err(|error| FlowSinkError(error.into()))?);
        // It is set once: a server opens its flows once.
        let _set = app.watch.set(Arc::clone(&watch));
        let sink = Arc::new(WatchedSink { inner, watch: Arc::clone(&watch), uses });
        Ok(Self { sink: Some(sink), keeper, watch: Some(watch), tasks })
    }

    /// Where the service of agents puts records; `None` if hosts are not asked for any.
    pub(crate) fn sink(&self) -> Option<Arc<dyn FlowSink>> {
        self.sink.clone()
    }

    /// Judges and stores what came, and ends.
    pub(crate) async fn close(self) {
        // Both wait: for a thread, and for the storage.
        let (watch, keeper) = (self.watch, self.keeper);
        let close = move || {
            watch.inspect(|watch| watch.close());
            keeper.inspect(|keeper| keeper.close());
        };
        let _panicked = tokio::task::spawn_blocking(close).await;
        for mut task in self.tasks {
            // No more can come, so that it ends when all that waited is done.
            if timeout(KEEP_TIMEOUT, &mut task).await.is_err() {
                task.abort();
            }
        }
    }
}

async fn store(
    address: String,
    options: &ServerOptions,
    folder: &Folder,
) -> Result<Arc<FlowKeeper>, StartError> {
    let (positions, events) = (folder.flow_positions(), options.events.clone());
    let opened = tokio::task::spawn_blocking(move || FlowKeeper::open(&address, &positions, events));
    Ok(Arc::new(opened.await.map_err(|error| FlowSinkError(error.into()))??))
}

/// Who is told of alerts, in this order, and the tasks that do what takes them time. Tasks end when their listener is dropped.
fn listeners(app: &Arc<App>, options: &ServerOptions) -> Result<Listeners, TargetError> {
    let notices = Notices::open(&options.notify, &app.events)?;
    let (kept, waiting) = Kept::new(app.events.clone());
    let keeping = tokio::spawn(alerts::keep(Arc::clone(app), waiting));
    let (answers, answering) = Answers::start(Arc::clone(app));
    // What is to be answered waits for nobody.
    let listeners: Vec<Arc<dyn Listener>> =
        vec![answers, Arc::new(kept), Arc::new(Told(app.events.clone())), Arc::new(notices)];
    Ok((listeners, vec![keeping, answering]))
}
