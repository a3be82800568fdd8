//! `misu.toml`, the configuration of an environment.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

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
    /// How people sign in and how long they stay.
    #[serde(default, skip_serializing_if = "SignInRules::is_usual")]
    pub sign_in: SignInRules,
}

/// How people sign in and how long they stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SignInRules {
    /// A session that is not used for so many minutes has ended.
    pub idle_minutes: u32,
    /// A session ends after so many minutes in any case.
    pub longest_minutes: u32,
}

impl Default for SignInRules {
    fn default() -> Self {
        Self { idle_minutes: 15, longest_minutes: 12 * 60 }
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

    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// The layout version that this build writes and reads.
pub(crate) const FORMAT: u32 = 3;

impl Config {
    /// The configuration of a new environment.
    pub fn new(buckets: u32, demo_seed: Option<u64>) -> Self {
        Self { format: FORMAT, buckets, demo_seed, confinement: None, sign_in: SignInRules::default() }
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
        if !self.sign_in.is_usual() {
            text.push_str(&format!(
                "[sign_in]\nidle_minutes = {}\nlongest_minutes = {}\n",
                self.sign_in.idle_minutes, self.sign_in.longest_minutes
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
