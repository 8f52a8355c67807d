//! A day of 10,000 images on five registries with different limits, in steps, and one image with 220,000
//! tags from the registry to the choice.
//!
//! The day is run by the world that the tests use; no second of it is slept.

#[path = "../../tests/it/day/world.rs"]
mod world;

use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use tagwright::clock::Clock;
use tagwright::demo::registry::{ImageSpec, Registry};
use tagwright::policy::{Current, Evidence, Order, Policy};
use tagwright::registry::poller::{Core, Image, KeptTimes, Patience, Poller, SHARDS, Seen};
use tagwright::registry::{Access, Account, Client, Scheme};
use tagwright::state::State;

use crate::child::{self, Report};
use crate::measure::{Row, Samples, timed};
use world::{Fault, FaultKind, Limit, Site, Tally, World};

const HOUR: u64 = 3600;
const INTERVAL: Duration = Duration::from_secs(300);
const IMAGES: usize = 2_000;

/// How many tags the one image has: as many as the longest public repositories.
const TAGS: usize = 220_000;

/// The day, a row for each registry, and the one image.
pub fn rows() -> anyhow::Result<Vec<Row>> {
    let sites = sites();
    let (mut world, took) = timed(|| {
        let mut world = World::new(sites.clone(), INTERVAL);
        world.pass(24 * HOUR);
        world
    });
    let what = format!(
        "24 h of {} images on {} registries, interval 5 min, in steps",
        sites.len() * IMAGES,
        sites.len()
    );
    let mut rows = vec![Row::new(what, Samples::new(vec![took]))];
    for (site, tally) in sites.iter().zip(world.tallies()) {
        rows.push(row(site, &tally));
    }
    rows.push(restart(&mut world));
    rows.push(many_tags()?);
    Ok(rows)
}

/// Two days without a service, and then one with all that was kept.
fn restart(world: &mut World) -> Row {
    world.restart(48 * HOUR);
    world.pass(INTERVAL.as_secs());
    let tallies = world.tallies();
    let sum: u64 = tallies.iter().map(|tally| tally.requests).sum();
    let most = tallies.iter().map(|tally| tally.most_in_second).max();
    let what = "– started again after two days, all of it overdue: the first 5 min";
    Row::new(what, Samples::new(Vec::new())).note(format!(
        "{sum} requests, at most {} a second to a registry",
        most.unwrap_or_default()
    ))
}

/// Five registries: one that allows plenty, two with a published limit, one that tells what is left, and
/// one that keeps its limit to itself. The first answers 429 to everything for half an hour; two others
/// fail for a while.
fn sites() -> Vec<Site> {
    let site = |host: &str, requests, window, is_told| Site {
        host: host.to_owned(),
        images: IMAGES,
        limit: Limit {
            requests,
            window,
            is_told,
        },
        faults: Vec::new(),
    };
    let mut sites = vec![
        site("plenty.example", 44_000, 60, false),
        site("acme.azurecr.io", 1_000, 60, false),
        site("told.example", 1_000, 300, true),
        site("docker.io", 1_000, 60, false),
        site("silent.example", 10, 1, false),
    ];
    let fault = |from, length, kind| Fault {
        from,
        until: from + length,
        kind,
    };
    let storm = FaultKind::Storm(Some(30));
    for (site, fault) in [
        (0, fault(12 * HOUR, HOUR / 2, storm)),
        (1, fault(6 * HOUR, 1200, FaultKind::Errors)),
        (3, fault(18 * HOUR, 600, FaultKind::Silence)),
    ] {
        sites[site].faults.push(fault);
    }
    sites
}

fn row(site: &Site, tally: &Tally) -> Row {
    let Limit {
        requests,
        window,
        is_told,
    } = site.limit;
    let limit = match (window, is_told) {
        (1, _) => format!("{requests} a second, unpublished"),
        (_, true) => format!("{requests} in {window} s, told in headers"),
        (_, false) => format!("{requests} in {window} s"),
    };
    let bound = Core::bound(INTERVAL).as_secs();
    let mut note = format!(
        "{} requests, at most {} in {window} s; {} refused; longest between two looks {} s of {bound}",
        tally.requests, tally.most_in_window, tally.refused, tally.longest
    );
    if let Some(fault) = site.faults.last() {
        let kind = match fault.kind {
            FaultKind::Storm(_) => "429 to all",
            FaultKind::Errors => "status 500",
            FaultKind::Silence => "no answer",
        };
        note.push_str(&format!(
            "; after {} min of {kind} at most {} a second, all seen again after {} s",
            (fault.until - fault.from) / 60,
            tally.most_after,
            tally.recovered - fault.until
        ));
    }
    let over = tally.most_in_window > requests || tally.longest > bound || tally.unseen > 0;
    if over && window > 1 {
        note.push_str(" **missed**");
    }
    Row::new(
        format!("– {}: {limit}", site.host),
        Samples::new(Vec::new()),
    )
    .note(note)
}

/// Listed, kept, read again and chosen from, in a process of its own.
fn many_tags() -> anyhow::Result<Row> {
    let registry = Registry::start()?;
    let tags: Vec<String> = (0..TAGS)
        .map(|n| format!("1.{}.{}", n / 1000, n % 1000))
        .collect();
    let image = ImageSpec::new(Timestamp::UNIX_EPOCH, "vast");
    for tag in &tags {
        registry.push("acme/vast", tag, &image);
    }
    let report = child::start("vast", &[&registry.host()])?;
    let took = report.took("vast")?;
    let what = format!("one image with {TAGS} tags: listed, kept on disk, read again, selected");
    Ok(Row::new(what, Samples::new(vec![took]))
        .memory(report.peak()?)
        .below(150)
        .note(format!("{} requests", report.get("requests")?)))
}

/// The child's part of it.
pub fn vast(arguments: &[String]) -> anyhow::Result<Report> {
    let host = arguments.first().context("no host")?;
    let runtime = tokio::runtime::Runtime::new()?;
    let folder = tempfile::tempdir()?;
    let state = State::own(folder.path())?;
    let (done, took) = timed(|| {
        let poller = poller(host, KeptTimes::default(), Vec::new())?;
        let listed = runtime.block_on(look(&poller, host, Patience::Anew))?;
        anyhow::ensure!(listed == TAGS, "{listed} tags were listed");
        for (part, lists) in poller.keep_tags() {
            state.save(&format!("tags-{part}"), 1, &lists)?;
        }
        state.save("polled", 1, &poller.keep_times())?;
        let (hosts, _) = poller.reports();
        drop(poller);
        let lists = (0..SHARDS).filter_map(|part| state.load(&format!("tags-{part}"), 1));
        let times = state.load("polled", 1).context("nothing was kept")?;
        let poller = self::poller(host, times, lists.collect())?;
        let kept = runtime.block_on(look(&poller, host, Patience::Due))?;
        anyhow::ensure!(kept == TAGS, "{kept} tags were kept");
        let requests: u64 = hosts.iter().flat_map(|host| host.requests).flatten().sum();
        anyhow::Ok(requests)
    });
    Ok(Report::default()
        .time("vast", took)
        .number("requests", done?))
}

fn poller(
    host: &str,
    times: KeptTimes,
    lists: Vec<tagwright::registry::poller::KeptTags>,
) -> anyhow::Result<Poller> {
    let account = Account {
        scheme: Scheme::PlainHttp,
        ..Account::anonymous(host)
    };
    let client = Client::new(vec![account], Clock::system())?;
    Ok(Poller::new(client, Clock::system(), times, lists))
}

/// Looks at the image and selects; how many tags there were.
async fn look(poller: &Poller, host: &str, patience: Patience) -> anyhow::Result<usize> {
    let image: tagwright::image::Image = format!("{host}/acme/vast").parse()?;
    let account = poller.client().account_for(&image, Access::All);
    let image = Image {
        key: (image, account),
        interval: INTERVAL,
        times: false,
    };
    let seen = poller.list("fleet", &[image], patience).await;
    let Some(Seen::Listed { tags, at, .. }) = seen.into_iter().next() else {
        anyhow::bail!("the image is not listed");
    };
    let policy = Policy {
        order: Order::Semver("*".parse()?),
        ..Policy::default()
    };
    let current = "1.0.0".parse()?;
    let evidence = Evidence::new(&tags.names, Current::Tag(&current), at);
    let selection = tagwright::policy::select(&policy, &evidence);
    Ok(selection.verdicts.len())
}
