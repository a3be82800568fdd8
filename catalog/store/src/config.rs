//! `misu.toml`, the configuration of an environment.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::turns::TurnRules;
use crate::workspaces::WorkspaceLimits;

/// An environment's configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The version of the environment's layout on disk.
    pub format: u32,
    /// How many buckets persons are spread over; fixed when the environment is made.
    pub buckets: u32,
    /// The seed of a demo environment, whose keys are derived from it and therefore protect nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub demo_seed: Option<u64>,
    /// Why workers run without confinement; only `this is a laptop with dummy data` is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confinement: Option<String>,
    /// Folders of the control group file system that the guard may divide among workers: one of version 2, or one for
    /// each hierarchy of version 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub control_groups: Vec<PathBuf>,
    /// The address of the metadata database on a PostgreSQL server; a file of the environment where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_url: Option<String>,
    /// How much a project may keep inside, and for how long.
    #[serde(default, skip_serializing_if = "WorkspaceLimits::is_default")]
    pub workspace: WorkspaceLimits,
    /// How many statements run at once, and how long one may take.
    #[serde(default, skip_serializing_if = "TurnRules::is_usual")]
    pub turns: TurnRules,
    /// How people sign in and how long they stay.
    #[serde(default, skip_serializing_if = "SignInRules::is_usual")]
    pub sign_in: SignInRules,
    /// The provider at which people may sign in instead, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<OidcRules>,
}

/// A provider of OpenID Connect, and what its tokens must say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcRules {
    /// The issuer, exactly as its tokens name it.
    pub issuer: String,
    /// What we are called there.
    pub client_id: String,
    /// The file with the secret that we have there, where we have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// The claim that holds the user id.
    pub claim: String,
    /// Classes of authentication (`acr`) that include a second factor.
    #[serde(default)]
    pub acr: Vec<String>,
    /// Methods of authentication (`amr`) that are a second factor. A token needs one of either list.
    #[serde(default)]
    pub amr: Vec<String>,
}

/// How people sign in and how long they stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SignInRules {
    /// A session that is not used for so many minutes has ended.
    pub idle_minutes: u32,
    /// A session ends after so many minutes in any case.
    pub longest_minutes: u32,
    /// So many failures under one name before the next attempt has to wait.
    pub free_failures: u32,
    /// How long the first wait is, in seconds; each failure more doubles it.
    pub first_wait_seconds: u32,
    /// How long the longest wait is, in seconds.
    pub longest_wait_seconds: u32,
    /// Memory that the hash of a password takes, in KiB (argon2id).
    pub password_memory_kib: u32,
    /// Passes over that memory.
    pub password_passes: u32,
}

impl Default for SignInRules {
    fn default() -> Self {
        Self {
            idle_minutes: 15,
            longest_minutes: 12 * 60,
            free_failures: 5,
            first_wait_seconds: 30,
            longest_wait_seconds: 60 * 60,
            // OWASP's and RFC 9106's smaller recommendation.
            password_memory_kib: 19 * 1024,
            password_passes: 2,
        }
    }
}

impl SignInRules {
    /// How long a session may be idle, in seconds.
    pub const fn idle_seconds(&self) -> i64 {
        self.idle_minutes as i64 * 60
    }

    /// How long a session lasts at most, in seconds.
    pub const fn longest_seconds(&self) -> i64 {
        self.longest_minutes as i64 * 60
    }

    /// How long a name that failed so often has to wait, in seconds.
    pub fn wait_seconds(&self, failures: i64) -> i64 {
        let over = failures - i64::from(self.free_failures);
        if over < 0 {
            return 0;
        }
        let doubled = 1_i64.checked_shl(u32::try_from(over.min(32)).unwrap_or(32)).unwrap_or(i64::MAX);
        doubled.saturating_mul(i64::from(self.first_wait_seconds)).min(i64::from(self.longest_wait_seconds))
    }

    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// The layout version that this build writes and reads.
pub(crate) const FORMAT: u32 = 4;

impl Config {
    /// The configuration of a new environment.
    pub fn new(buckets: u32, demo_seed: Option<u64>) -> Self {
        Self {
            format: FORMAT,
            buckets,
            demo_seed,
            confinement: None,
            control_groups: Vec::new(),
            database_url: None,
            workspace: WorkspaceLimits::USUAL,
            turns: TurnRules::USUAL,
            sign_in: SignInRules::default(),
            oidc: None,
        }
    }

    /// Reads the configuration file at `path`.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is not of the expected form, or is of another layout version.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let config = Self::read_any(path)?;
        match config.format {
            FORMAT => Ok(config),
            found if found < FORMAT => Err(ConfigError::Old { path: path.to_owned(), found }),
            found => Err(ConfigError::New { path: path.to_owned(), found }),
        }
    }

    /// Reads the configuration file of an environment of any layout version.
    pub(crate) fn read_any(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let config: Self = toml::from_str(&text).map_err(|error| ConfigError::Form {
            path: path.to_owned(),
            problem: error.message().to_owned(),
        })?;
        if config.buckets == 0 {
            return Err(ConfigError::Form { path: path.to_owned(), problem: "buckets is zero".to_owned() });
        }
        if let Some(problem) = config.turns.problem() {
            return Err(ConfigError::Form { path: path.to_owned(), problem: problem.to_owned() });
        }
        let is_known = |url: &String| url.starts_with("postgres://") || url.starts_with("postgresql://");
        if config.database_url.as_ref().is_some_and(|url| !is_known(url)) {
            let problem = "database_url is no postgres:// address".to_owned();
            return Err(ConfigError::Form { path: path.to_owned(), problem });
        }
        Ok(config)
    }

    /// The configuration as TOML text.
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "# The layout version of this directory.\nformat = {}\n\
             # How many buckets persons are spread over. Fixed: files of a snapshot lie by bucket.\nbuckets = {}\n",
            self.format, self.buckets
        );
        if let Some(seed) = self.demo_seed {
            text.push_str(&format!(
                "# A demo: every key is derived from this seed and protects nothing.\ndemo_seed = {seed}\n"
            ));
        }
        if let Some(words) = &self.confinement {
            text.push_str(&format!("# Workers run without confinement.\nconfinement = {words:?}\n"));
        }
        if !self.control_groups.is_empty() {
            let folders =
                self.control_groups.iter().map(|folder| format!("{:?}", folder.display().to_string()));
            text.push_str(&format!(
                "# Workers run in control groups below these folders.\ncontrol_groups = [{}]\n",
                folders.collect::<Vec<_>>().join(", ")
            ));
        }
        if let Some(url) = &self.database_url {
            text.push_str(&format!(
                "# The metadata database; its password belongs into PGPASSWORD or ~/.pgpass, not here.\n\
                 database_url = {}\n",
                toml::Value::String(url.clone())
            ));
        }
        if !self.turns.is_usual()
            && let Ok(rules) = toml::to_string(&self.turns)
        {
            text.push_str(&format!(
                "# How many statements run at once, and how long one may take.\n[turns]\n{rules}"
            ));
        }
        if !self.sign_in.is_usual()
            && let Ok(rules) = toml::to_string(&self.sign_in)
        {
            text.push_str(&format!("# How people sign in and how long they stay.\n[sign_in]\n{rules}"));
        }
        if let Some(rules) = self.oidc.as_ref().and_then(|rules| toml::to_string(rules).ok()) {
            text.push_str(&format!("# Where people may sign in instead.\n[oidc]\n{rules}"));
        }
        // Last: what follows a table's heading belongs to it.
        if !self.workspace.is_default() {
            text.push_str(&format!(
                "# What a project may keep inside.\n[workspace]\nbytes = {}\ndays = {}\n",
                self.workspace.bytes, self.workspace.days
            ));
        }
        text
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is not of the expected form.
    #[error("{path}: {problem}")]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The environment was made by an earlier build.
    #[error(
        "{path}: the environment has format {found}, this program works with format {FORMAT}; run `misu upgrade`"
    )]
    Old {
        /// The file.
        path: PathBuf,
        /// The version found.
        found: u32,
    },
    /// The environment was made by a later build.
    #[error(
        "{path}: the environment has format {found}, this program knows formats up to {FORMAT}; use a newer one"
    )]
    New {
        /// The file.
        path: PathBuf,
        /// The version found.
        found: u32,
    },
}
