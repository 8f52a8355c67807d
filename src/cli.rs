//! The command line: what can be typed, and one thin file per command.
//!
//! Invariant: results go to stdout, everything else to stderr; with `-o json` stdout holds one object.
//! Commands return how they ended ([`output::Exit`]); errors are printed in one place, `main`.

pub mod check;
pub mod decide;
pub mod demo;
pub mod diff;
pub mod explain;
pub mod history;
pub mod images;
pub mod init;
pub mod output;
pub mod plan;
pub mod schema;
pub mod select;
pub mod serve;
pub mod service;
pub mod set;
pub mod sync;
pub mod view;
pub mod walk;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use output::{Color, Exit, Format, Output};

/// Newest acceptable image, committed to Git, with a reason for every decision
#[derive(Debug, Parser)]
#[command(name = "tagwright", version, about, max_term_width = 100)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
    /// The service's configuration [default: tagwright.yaml]
    #[arg(long, global = true, value_name = "FILE", env = "TAGWRIGHT_CONFIG")]
    pub config: Option<PathBuf>,
    /// How results are printed
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Text)]
    pub output: Format,
    /// Whether text is coloured
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
}

/// The commands.
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub enum Command {
    /// Shows the whole job on this machine, with nothing installed and nothing left behind
    Demo(demo::Demo),
    /// Runs the service: polls, plans, commits, until it is told to stop
    Serve(serve::Serve),
    /// Makes one pass over every config repo and exits
    Sync(sync::Sync),
    /// Prints what `sync` would do, with reasons and a diff; touches nothing
    Plan(plan::Plan),
    /// Prints every tag of an app with its verdict, and what each stage runs and waits for
    Explain(explain::Explain),
    /// Prints who or what changed which image when and why, and who decided what, from Git
    History(history::Arguments),
    /// Checks the configuration, the app files, and what they make of a working tree
    ///
    /// Reads the service's configuration if there is one (--config, else PATH/tagwright.yaml, else
    /// ./tagwright.yaml), and the app files and manifests under PATH. Asks no registry. Exits with 2
    /// on errors.
    Check(check::Check),
    /// Tries a policy on tags from stdin, one per line, without any registry
    Select(select::Select),
    /// Writes references to files in place, changing no other byte
    ///
    /// Every site of IMAGE gets exactly REFERENCE's tag and digest. A digest that REFERENCE lacks is
    /// removed from the scalar; where it has a key of its own the site is refused. A site keeps its
    /// spelling of the name unless REFERENCE names another image. Exits with 1 if anything was
    /// refused; the rest is done.
    Set(set::Set),
    /// Lists every place where an image is written
    Images(images::Images),
    /// Consents to a tag for a stage, and ends what holds against it
    Approve(decide::Approve),
    /// Rules out a tag for a stage
    Reject(decide::Reject),
    /// Stops changes to a stage, or to stages of all apps, until a time or until they are released
    Hold(decide::Hold),
    /// Ends the hold of a stage, or a freeze of stages of all apps
    Release(decide::Release),
    /// Has a stage run a tag, also an older one
    Deploy(decide::Deploy),
    /// Goes back to what a stage ran before, and holds it there
    Rollback(decide::Rollback),
    /// Proposes app files for the images found in a repo
    Init(init::Init),
    /// Prints the JSON Schema of the configuration files, for editors
    Schema(schema::Schema),
    /// Prints a shell's completions
    Completions(schema::Completions),
    /// Writes man pages
    Man(schema::Man),
}

impl Cli {
    /// Whether the command runs as a service, whose log tells what it does.
    pub fn is_service(&self) -> bool {
        matches!(self.command, Command::Serve(_))
    }
}

/// Runs a command.
///
/// # Errors
/// When the command can't do its work at all.
pub fn run(cli: &Cli) -> anyhow::Result<Exit> {
    let output = Output::new(cli.output, cli.color);
    let config = cli.config.as_deref();
    match &cli.command {
        Command::Demo(arguments) => block_on(demo::run(arguments, output)),
        Command::Serve(arguments) => block_on(serve::run(arguments, config, output)),
        Command::Sync(arguments) => block_on(sync::run(arguments, config, output)),
        Command::Plan(arguments) => block_on(plan::run(arguments, config, output)),
        Command::Explain(arguments) => block_on(explain::run(arguments, config, output)),
        Command::History(arguments) => block_on(history::run(arguments, config, output)),
        Command::Check(arguments) => check::run(arguments, config, output),
        Command::Select(arguments) => select::run(arguments, output),
        Command::Set(arguments) => set::run(arguments, output),
        Command::Images(arguments) => images::run(arguments, output),
        Command::Approve(arguments) => decide::approve(arguments, config, output),
        Command::Reject(arguments) => decide::reject(arguments, config, output),
        Command::Hold(arguments) => decide::hold(arguments, config, output),
        Command::Release(arguments) => decide::release(arguments, config, output),
        Command::Deploy(arguments) => decide::deploy(arguments, config, output),
        Command::Rollback(arguments) => decide::rollback(arguments, config, output),
        Command::Init(arguments) => init::run(arguments, output),
        Command::Schema(arguments) => Ok(schema::schema(arguments, output)),
        Command::Completions(arguments) => Ok(schema::completions(arguments, output)),
        Command::Man(arguments) => schema::man(arguments, output),
    }
}

fn block_on(work: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime can't be set up")?
        .block_on(work)
}
