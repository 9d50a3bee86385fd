//! A folder of files, wherever it is: a local one, a bucket of S3, a container of Azure Blob.
//!
//! Everything here waits: callers are threads, and one thread of a runtime of our own speaks to the storage. A file is in view whole
//! or not at all: a local one is written beside its place, synced and renamed, an object appears when it is complete. It must not know
//! what is in a file. Not to be called from an asynchronous task (use a thread for blocking work).

use std::{
    fmt,
    future::Future,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    ops::Range,
    path::Path as LocalPath,
    path::PathBuf,
    sync::Arc,
};

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::{
    ObjectStore, ObjectStoreExt, aws::AmazonS3Builder, azure::MicrosoftAzureBuilder, local::LocalFileSystem,
    path::Path,
};
use tokio::runtime::Runtime;

use crate::{StoreError, http::Connector, limits::FILES_MAX, partition::Partition};

/// How names of files in a store end.
pub(crate) const ENDING: &str = ".parquet";

/// A store that is open. Copies are the same one.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    address: String,
    objects: Arc<dyn ObjectStore>,
    prefix: Path,
    folder: Option<PathBuf>,
    runtime: Option<Runtime>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Waiting for its thread is not allowed where the last copy may be dropped.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.inner.address)
    }
}

/// A file of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// Its path below the store's address.
    pub path: String,
    /// The folder it is in.
    pub partition: Partition,
    /// Its length in bytes.
    pub bytes: u64,
}

impl Store {
    /// Opens a folder, which is made if it is not there, `s3://BUCKET/PATH` or `az://CONTAINER/PATH`. Credentials and endpoints of
    /// the latter two come from the variables that their own tools use (`AWS_...`, `AZURE_STORAGE_...`).
    ///
    /// # Errors
    /// [`StoreError`] if the address is none or its folder cannot be made.
    pub fn open(address: &str) -> Result<Self, StoreError> {
        let wrong = |problem: String| StoreError::Address { given: address.to_owned(), problem };
        let (objects, prefix, folder): (Arc<dyn ObjectStore>, _, _) = match address.split_once("://") {
            Some(("s3", _)) => {
                let built =
                    AmazonS3Builder::from_env().with_url(address).with_http_connector(Connector).build();
                (
                    Arc::new(built.map_err(|error| wrong(format!("cannot be opened: {error}")))?),
                    path_of(address),
                    None,
                )
            }
            Some(("az", _)) => {
                let built = MicrosoftAzureBuilder::from_env()
                    .with_url(address)
                    .with_http_connector(Connector)
                    .build();
                (
                    Arc::new(built.map_err(|error| wrong(format!("cannot be opened: {error}")))?),
                    path_of(address),
                    None,
                )
            }
            Some((scheme, _)) => return Err(wrong(format!("has the scheme {scheme}, which is not known"))),
            None if address.is_empty() => return Err(wrong("is empty".to_owned())),
            None => {
                let folder = PathBuf::from(address);
                std::fs::create_dir_all(&folder)
                    .map_err(|error| wrong(format!("cannot be made: {error}")))?;
                let local = LocalFileSystem::new_with_prefix(&folder)
                    .map_err(|error| wrong(format!("cannot be opened: {error}")))?;
                (Arc::new(local.with_fsync(true)), Path::default(), Some(folder))
            }
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build();
        let runtime = Some(runtime.map_err(StoreError::Runtime)?);
        Ok(Self { inner: Arc::new(Inner { address: address.to_owned(), objects, prefix, folder, runtime }) })
    }

    /// Whether a local folder has hours of a store in it.
    pub fn is_in(folder: &LocalPath) -> bool {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with("day="))
    }

    /// Its address, as it was given.
    pub fn address(&self) -> &str {
        &self.inner.address
    }

    /// The local folder that it is in, if it is in one.
    pub fn folder(&self) -> Option<&LocalPath> {
        self.inner.folder.as_deref()
    }

    /// The files of some hours, in the order of hours, groups and names; what is no file of ours is passed over.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn files(&self, wants: impl Fn(Partition) -> bool) -> Result<Vec<StoredFile>, StoreError> {
        let found = self.wait("cannot list files", async {
            let mut files = Vec::new();
            let mut listing = self.inner.objects.list(Some(&self.inner.prefix));
            while let Some(meta) = listing.try_next().await? {
                let path = self.relative(&meta.location);
                let partition =
                    Partition::parse(&path).filter(|found| path.ends_with(ENDING) && wants(*found));
                if let Some(partition) = partition {
                    files.push(StoredFile { path, partition, bytes: meta.size });
                }
            }
            Ok(files)
        });
        let mut files = found?;
        if files.len() as u64 > FILES_MAX {
            return Err(StoreError::TooMuch {
                what: "files",
                max: FILES_MAX,
                remedy: "compact the store or ask for less time",
            });
        }
        files.sort_by(|a, b| (a.partition, &a.path).cmp(&(b.partition, &b.path)));
        Ok(files)
    }

    /// Puts a whole file into view.
    pub(crate) fn put(&self, path: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        self.wait(&format!("cannot write {path}"), self.inner.objects.put(&self.absolute(path), bytes.into()))
            .map(drop)
    }

    /// A part of a file.
    pub(crate) fn get(&self, path: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.wait(&format!("cannot read {path}"), self.inner.objects.get_range(&self.absolute(path), range))
    }

    /// Removes a file; one that is not there is removed already.
    pub(crate) fn delete(&self, path: &str) -> Result<(), StoreError> {
        self.wait(&format!("cannot delete {path}"), async {
            match self.inner.objects.delete(&self.absolute(path)).await {
                Err(object_store::Error::NotFound { .. }) => Ok(()),
                other => other,
            }
        })
    }

    /// All that is below a folder of it, with the time at which it was written, in milliseconds since 1970.
    pub(crate) fn list(&self, folder: &str) -> Result<Vec<(String, u64)>, StoreError> {
        self.wait("cannot list files", async {
            let mut found = Vec::new();
            let prefix = self.absolute(folder);
            let mut listing = self.inner.objects.list(Some(&prefix));
            while let Some(meta) = listing.try_next().await? {
                let written_ms = u64::try_from(meta.last_modified.timestamp_millis()).unwrap_or(0);
                found.push((self.relative(&meta.location), written_ms));
            }
            Ok(found)
        })
    }

    /// Moves a file; one that is not there was moved already.
    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<(), StoreError> {
        self.wait(&format!("cannot move {from}"), async {
            match self.inner.objects.rename(&self.absolute(from), &self.absolute(to)).await {
                Err(object_store::Error::NotFound { .. }) => Ok(()),
                other => other,
            }
        })
    }

    /// A name that no other file has, in the folder of a partition; names sort by the time of the first record.
    pub(crate) fn name(partition: Partition, first_ms: u64) -> String {
        format!("{partition}/{first_ms:015}-{:016x}{:016x}{ENDING}", random(), random())
    }

    fn wait<T>(
        &self,
        what: &str,
        future: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, StoreError> {
        let runtime = self.inner.runtime.as_ref().expect("it is there until the store is dropped");
        runtime.handle().block_on(future).map_err(|source| StoreError::Storage {
            store: self.inner.address.clone(),
            what: what.to_owned(),
            source: Box::new(source),
        })
    }

    fn absolute(&self, path: &str) -> Path {
        self.inner.prefix.parts().chain(Path::from(path).parts()).collect()
    }

    fn relative(&self, path: &Path) -> String {
        let prefix = self.inner.prefix.as_ref();
        path.as_ref().strip_prefix(prefix).unwrap_or(path.as_ref()).trim_start_matches('/').to_owned()
    }
}

/// A number that nobody else has: the keys of a hasher are from the system's randomness, and others each time.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// The part of an address behind the bucket or container.
fn path_of(address: &str) -> Path {
    let behind = address.split_once("://").map_or("", |(_, behind)| behind);
    Path::from(behind.split_once('/').map_or("", |(_, path)| path))
}
