//! The program: parses, sets up logging, dispatches, and prints errors, once and here only.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;
use tagwright::cli::output::{Exit, Format, Output};
use tagwright::cli::{self, Cli};
use tagwright::git;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

fn main() -> ExitCode {
    let cli = Cli::parse();
    log(&cli);
    match cli::run(&cli) {
        Ok(exit) => exit.into(),
        Err(error) => {
            let output = Output::new(cli.output, cli.color);
            output.note(format!("error: {error:#}"));
            if let Some(hint) = git::hint_of(error.as_ref()) {
                output.note(format!("hint: {hint}"));
            }
            Exit::Failed.into()
        }
    }
}

/// Logs go to stderr: as text for people, as JSON beside JSON results. `TAGWRIGHT_LOG` takes filters
/// such as `debug` or `tagwright::registry=trace`.
fn log(cli: &Cli) {
    let level = if cli.is_service() {
        LevelFilter::INFO
    } else {
        LevelFilter::WARN
    };
    let filter = EnvFilter::builder()
        .with_env_var("TAGWRIGHT_LOG")
        .with_default_directive(level.into())
        .from_env_lossy();
    let logger = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    if cli.output == Format::Json {
        logger.json().init();
    } else {
        logger.with_target(false).init();
    }
}
