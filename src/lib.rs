//! Newest acceptable image, committed to Git, with a reason for every decision.
//!
//! This is the map of the code: how data flows, what always holds, in which order to read, and two
//! walks through it. What users see is in `README.md` and `docs/`.
//!
//! ```text
//!  registries ──poll──▶ registry ──tags──▶ policy ──selection─┐
//!                                                              ▼
//!  config repo ──fetch──▶ git ──blobs──▶ manifest ──sites──▶ reconcile: observe → plan → execute
//!                                                              │
//!                          sync agent ◀── config repo ◀──push── git ◀──edits, commits
//! ```
//!
//! A pass over one config repo is three steps. [Observe](reconcile::Reconciler::observe) takes one
//! commit of the config repo, what its history says of the stages, and the tag lists of the images. [Plan](reconcile::plan::plan())
//! is a pure function of those: which site gets which image, and why, or why not.
//! [Execute](reconcile::execute::land) makes commits and one push.
//!
//! # What always holds
//!
//! 1. **Only image bytes change.** [`manifest::rewrite`] splices byte spans, reads the result again and
//!    keeps it only if it shows the intended change and no other.
//! 2. **Never backwards, and never over a person.** [`policy::select()`] chooses nothing lower than what
//!    runs, and nothing up to what a person [went back from](promotion::moved_back()) or rejected.
//! 3. **Nothing on half the facts.** A [`registry::Listing`] is complete or an error, and a candidate that
//!    can't be read [ends the search](policy::NoChoice::Unreadable).
//! 4. **No lost work.** A [push](git::Mirror::push) moves the branch from the commit that was planned on,
//!    or not at all; [`git::PushOutcome::Moved`] means to observe and plan again.
//! 5. **A reason for everything.** Every tag has a [`policy::TagVerdict`], every stage a
//!    [`reconcile::plan::Step`], and the commands print the very values that the service acts on.
//!
//! And of the code: what to do is decided by pure functions, and done at the edge. Invalid values can't
//! be made. Nothing that comes from outside is read, followed or waited for without a bound.
//!
//! # Reading order
//!
//! 1. Ground, which imports nothing of ours: [`image`] (the words), [`diag`], [`clock`], [`http`],
//!    [`secret`].
//! 2. Leaves, which import ground only and never each other: [`policy`], [`manifest`], [`registry`],
//!    [`git`], [`promotion`], [`decision`], [`forge`], [`gate`], [`notify`], [`state`]. Read `policy` first; it has no I/O at all.
//! 3. [`config`]: files into types in which nothing can be wrong.
//! 4. [`reconcile`]: the one module that knows the whole chain.
//! 5. What stands on it: [`driver`] (when passes are made), [`server`] (health and metrics), [`demo`] (a
//!    registry and a world to watch, used by the tests too).
//! 6. [`cli`]: one thin file a command. Nothing imports it.
//!
//! # A new tag becomes a commit
//!
//! The [poller](registry::poller::Poller) lists the tags of an image when it is due, and has news. So the
//! [driver](driver::run) wakes the [`Reconciler`](reconcile::Reconciler) of each config repo that watches
//! the image, as it does when the interval of Git has passed. It [fetches](git::Mirror::fetch) the branch.
//! If the head is new, a [`Snapshot`](reconcile::snapshot::Snapshot) reads the app files ([`config::all`]) and
//! [indexes](manifest::index()) the files whose content it has not seen, and [claims](reconcile::claims::claim)
//! settle which stage each [`Site`](manifest::Site) belongs to.
//!
//! The [`Observer`](reconcile::observe::Observer) takes the tags from the poller. The plan asks the
//! [policy](policy::select()) of each stage, which says that it [needs](policy::Outcome::Needs) the manifest of the new tag; the observer reads its digest, and the
//! plan is made again, with a [`Change`](reconcile::plan::Change) this time.
//!
//! [`prepare`](reconcile::prepare::prepare) turns the change into the bytes of files and a
//! [message](reconcile::message::message); up to here `plan` does the same. Then
//! [`land`](reconcile::execute::land) makes the [commits](git::Mirror::commit) in the mirror, without a
//! work tree, and pushes.
//!
//! # A person pushes meanwhile
//!
//! The remote tells where the branch is before anything is sent. It is not where the plan was made, so the
//! push stops there: [`Moved`](git::PushOutcome::Moved). If the person comes later still, the remote
//! compares once more and refuses, and a look at the branch tells that refusal from a hook's. Either way
//! [`Reconciler::pass`](reconcile::Reconciler::pass) waits a moment, fetches, and plans on what is there
//! now; tag lists are seconds old and stay. The person may have edited a line above the site, moved the
//! file, changed the policy or set the tag by hand: the edits are computed anew, so there is nothing to
//! merge. After a few rounds the pass [gives up](reconcile::Error::Busy), and the next one tries.
//!
//! A connection that breaks before the answer is [`Unknown`](git::PushOutcome::Unknown): the branch is
//! fetched, and if the commits are on it, they landed.

pub mod cli;
pub mod clock;
pub mod config;
pub mod decision;
pub mod demo;
pub mod diag;
pub mod driver;
pub mod forge;
#[doc(hidden)]
pub mod fuzz;
pub mod gate;
pub mod git;
pub mod http;
pub mod image;
pub mod manifest;
pub mod notify;
pub mod policy;
pub mod promotion;
pub mod reconcile;
pub mod registry;
pub mod secret;
pub mod server;
pub mod state;
