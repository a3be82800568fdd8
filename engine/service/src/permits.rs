//! The environment's approved applications, read from `policies/` and read again when they change.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use catalog_model::Catalogue;
use policies::{Application, Denied, FileFault, Permit, Policies, PolicyError, Request};

/// Why permits cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PermitsError {
    /// A file cannot be read or written.
    #[error("cannot use {path}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// An application is not of the expected form.
    #[error(transparent)]
    Application(#[from] FileFault),
    /// The policies have errors.
    #[error("the policies have {} errors, the first: {}", .0.len(), .0.first().map_or_else(String::new, ToString::to_string))]
    Policies(Vec<PolicyError>),
}

/// The environment's permits.
#[derive(Debug)]
pub struct Permits {
    folder: PathBuf,
    loaded: Mutex<Option<(Stamp, Arc<Policies>)>>,
    /// The permits made last, each with the policies that made it.
    made: Mutex<VecDeque<(Arc<Policies>, Permit)>>,
}

/// How many permits are held: some hundred kilobytes each.
const HELD: usize = 64;

/// Names, sizes and times of the files that were read.
type Stamp = Vec<(PathBuf, u64, Option<SystemTime>)>;

impl Permits {
    /// Reads applications from `folder`, one TOML file each.
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder, loaded: Mutex::new(None), made: Mutex::new(VecDeque::new()) }
    }

    /// The policies as they are now.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or an application or policy has errors; then nobody has a permit.
    pub fn policies(&self, catalogue: &Catalogue) -> Result<Arc<Policies>, PermitsError> {
        let stamp = self.stamp()?;
        // A poisoned lock only means that another thread died while reading; the files decide.
        let mut loaded = self.loaded.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((known, policies)) = loaded.as_ref()
            && *known == stamp
        {
            return Ok(Arc::clone(policies));
        }
        let mut applications = Vec::with_capacity(stamp.len());
        for (path, _, _) in &stamp {
            let text = std::fs::read_to_string(path).map_err(io(path))?;
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            applications.push(Application::parse(&name, &text)?);
        }
        let policies = Arc::new(Policies::load(applications, catalogue).map_err(PermitsError::Policies)?);
        *loaded = Some((stamp, Arc::clone(&policies)));
        Ok(policies)
    }

    /// The permit for a request. The policies are asked about every column once; for later questions of the same user
    /// they are asked whether the permit still holds.
    ///
    /// # Errors
    ///
    /// Where the policies deny it.
    pub fn permit(
        &self,
        policies: &Arc<Policies>,
        request: &Request,
        catalogue: &Catalogue,
    ) -> Result<Permit, Denied> {
        let mut made = self.made.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Policies that were read again make their permits anew.
        made.retain(|(known, _)| Arc::ptr_eq(known, policies));
        for (_, permit) in &*made {
            if let Some(permit) = policies.renewed(permit, request)? {
                return Ok(permit);
            }
        }
        let permit = policies.permit(request, catalogue)?;
        if made.len() == HELD {
            made.pop_front();
        }
        made.push_back((Arc::clone(policies), permit.clone()));
        Ok(permit)
    }

    /// Registers an approved application; one of the same project is replaced.
    ///
    /// # Errors
    ///
    /// The application cannot be written.
    pub fn register(&self, application: &Application) -> Result<(), PermitsError> {
        let path = self.folder.join(format!("{}.toml", application.project()));
        let temporary = path.with_extension("writing");
        std::fs::write(&temporary, application.to_toml()?).map_err(io(&temporary))?;
        std::fs::rename(&temporary, &path).map_err(io(&path))
    }

    /// Takes a project's permit out of force; the guard reads the change at the next question and before the next
    /// release. The application is kept beside it.
    ///
    /// # Errors
    ///
    /// The permit cannot be moved.
    pub fn withdraw(&self, project: &str) -> Result<(), PermitsError> {
        let path = self.folder.join(format!("{project}.toml"));
        if !path.exists() {
            return Ok(());
        }
        std::fs::rename(&path, path.with_extension("withdrawn")).map_err(io(&path))
    }

    /// Puts a permit that was taken out of force back.
    ///
    /// # Errors
    ///
    /// The permit cannot be moved.
    pub fn reinstate(&self, project: &str) -> Result<(), PermitsError> {
        let path = self.folder.join(format!("{project}.toml"));
        std::fs::rename(path.with_extension("withdrawn"), &path).map_err(io(&path))
    }

    /// Removes every permit of a project for good, in force or not; how many there were.
    ///
    /// # Errors
    ///
    /// A permit cannot be removed.
    pub fn destroy(&self, project: &str) -> Result<u64, PermitsError> {
        let mut removed = 0;
        for extension in ["toml", "withdrawn"] {
            let path = self.folder.join(format!("{project}.{extension}"));
            match std::fs::remove_file(&path) {
                Ok(()) => removed += 1,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(io(&path)(error)),
            }
        }
        Ok(removed)
    }

    fn stamp(&self) -> Result<Stamp, PermitsError> {
        let mut stamp = Stamp::new();
        for entry in std::fs::read_dir(&self.folder).map_err(io(&self.folder))? {
            let path = entry.map_err(io(&self.folder))?.path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                let metadata = std::fs::metadata(&path).map_err(io(&path))?;
                stamp.push((path, metadata.len(), metadata.modified().ok()));
            }
        }
        stamp.sort();
        Ok(stamp)
    }
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> PermitsError + '_ {
    move |source| PermitsError::Io { path: path.to_owned(), source }
}
