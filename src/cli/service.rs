//! What the commands that need the service's configuration share: loading it, and its cache folder.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::cli::output::Output;
use crate::config::{self, Service};
use crate::state::{self, State};

/// The configuration file where none is named.
pub const DEFAULT_CONFIG: &str = "tagwright.yaml";

/// Loads the configuration, printing everything that is wrong with it; `None` if it can't be used.
///
/// # Errors
/// When the file can't be read.
pub fn load(path: Option<&Path>, output: Output) -> anyhow::Result<Option<Service>> {
    let path = path.unwrap_or(Path::new(DEFAULT_CONFIG));
    let text = std::fs::read_to_string(path).with_context(|| {
        format!(
            "the configuration {} can't be read (name another with --config)",
            path.display()
        )
    })?;
    let loaded = config::service(&path.display().to_string(), &text);
    output.diagnostics(&loaded.diagnostics);
    Ok(loaded.value)
}

/// The cache folder: as configured, else where the user's caches are.
pub fn cache_folder(service: &Service) -> PathBuf {
    if let Some(folder) = &service.cache {
        return folder.clone();
    }
    let home = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(caches) = home("XDG_CACHE_HOME") {
        return PathBuf::from(caches).join("tagwright");
    }
    match home("HOME") {
        Some(home) => PathBuf::from(home).join(".cache/tagwright"),
        None => PathBuf::from("/var/cache/tagwright"),
    }
}

/// The service's cache, or a private one while a running service owns it.
///
/// # Errors
/// When no folder can be made.
pub fn cache(service: &Service) -> anyhow::Result<State> {
    let folder = cache_folder(service);
    match own(&folder) {
        Err(state::Error::Locked(_)) => {
            tracing::info!(folder = %folder.display(), "a running service owns the cache; working in a private one");
            Ok(State::beside_owner(&folder)?)
        }
        other => Ok(other?),
    }
}

/// Owns a cache folder. One that is in use may be that of a process just ended, whose last programs are
/// still ending: a moment is allowed for that.
fn own(folder: &Path) -> Result<State, state::Error> {
    const TRIES: u32 = 10;
    const MOMENT: std::time::Duration = std::time::Duration::from_millis(50);
    for _ in 1..TRIES {
        match State::own(folder) {
            Err(state::Error::Locked(_)) => std::thread::sleep(MOMENT),
            other => return other,
        }
    }
    State::own(folder)
}
