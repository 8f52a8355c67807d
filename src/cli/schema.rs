//! `schema`, `completions` and `man`: what editors, shells and `man` read.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _, ValueEnum};
use clap_complete::Shell;
use serde_json::json;

use crate::cli::Cli;
use crate::cli::output::{Exit, Output};
use crate::config;

/// Prints the JSON Schema of the configuration files, for editors
#[derive(Debug, Args)]
pub struct Schema {
    /// Which file's schema to print; both, in one object, if none is named
    #[arg(value_enum)]
    which: Option<Which>,
}

/// A configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// The service's tagwright.yaml
    Service,
    /// An app file in a policies folder
    App,
}

/// Prints a shell's completions
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

/// Writes man pages
#[derive(Debug, Args)]
pub struct Man {
    /// The folder to write them to
    folder: PathBuf,
}

/// Prints schemas.
pub fn schema(arguments: &Schema, output: Output) -> Exit {
    let schema = match arguments.which {
        Some(Which::Service) => config::service_schema(),
        Some(Which::App) => config::app_schema(),
        None => json!({
            "version": 1,
            "service": config::service_schema(),
            "app": config::app_schema(),
        }),
    };
    output.line(format!("{schema:#}"));
    Exit::Done
}

/// Prints completions.
pub fn completions(arguments: &Completions, output: Output) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut Cli::command(),
        "tagwright",
        &mut script,
    );
    output.raw(script);
    Exit::Done
}

/// Writes man pages.
///
/// # Errors
/// When the folder can't be written.
pub fn man(arguments: &Man, output: Output) -> anyhow::Result<Exit> {
    let folder = &arguments.folder;
    let failed = || format!("man pages can't be written to {}", folder.display());
    std::fs::create_dir_all(folder).with_context(failed)?;
    clap_mangen::generate_to(Cli::command(), folder).with_context(failed)?;
    output.note(format!("man pages are in {}", folder.display()));
    Ok(Exit::Done)
}
