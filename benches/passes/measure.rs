//! Samples, rows, and what the kernel says of this process's memory.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// The head of the table.
pub const HEAD: &str = "| what | median | min–max | CPU | peak memory | target | |\n\
                        |---|---:|---:|---:|---:|---|---|";

/// Sizes are in megabytes of a million bytes, as the targets are.
const MB: f64 = 1_000_000.0;

/// The kernel counts CPU time in these in `/proc` (`USER_HZ`, the same on all architectures of Linux
/// in use).
const TICK: Duration = Duration::from_millis(10);

/// How long something took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Took {
    /// By the clock.
    pub wall: Duration,
    /// On all CPUs, in steps of 10 ms: good for sums over many runs.
    pub cpu: Duration,
}

/// Times of the same work, several runs; none where something else was measured.
#[derive(Debug, Clone)]
pub struct Samples {
    /// Sorted.
    walls: Vec<Duration>,
    cpu: Duration,
}

impl Samples {
    /// Runs `work` that often; it says itself how long what counts took.
    pub fn take(
        runs: usize,
        mut work: impl FnMut(usize) -> anyhow::Result<Took>,
    ) -> anyhow::Result<Self> {
        (0..runs)
            .map(&mut work)
            .collect::<anyhow::Result<_>>()
            .map(Self::new)
    }

    /// The samples of these runs.
    pub fn new(runs: Vec<Took>) -> Self {
        let cpu = runs.iter().map(|run| run.cpu).sum();
        let mut walls: Vec<Duration> = runs.into_iter().map(|run| run.wall).collect();
        walls.sort_unstable();
        Self { walls, cpu }
    }

    /// The middle one by the clock.
    pub fn median(&self) -> Duration {
        let middle = self.walls.len() / 2;
        self.walls.get(middle).copied().unwrap_or_default()
    }

    fn range(&self) -> (Duration, Duration) {
        let end = |time: Option<&Duration>| time.copied().unwrap_or_default();
        (end(self.walls.first()), end(self.walls.last()))
    }

    /// The mean of all runs.
    fn cpu(&self) -> Duration {
        let runs = u32::try_from(self.walls.len()).unwrap_or(u32::MAX);
        self.cpu.checked_div(runs).unwrap_or_default()
    }
}

/// On what this was measured: times on a machine that does other work are not worth much.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let plural = if cores == 1 { "core" } else { "cores" };
    format!(
        "{cores} {plural}, {} {}; load average at the start: {load}",
        std::env::consts::OS,
        std::env::consts::ARCH
    )
}

/// Runs `work` and says how long it took.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Took) {
    let (cpu, start) = (cpu(), Instant::now());
    let done = work();
    let wall = start.elapsed();
    let cpu = self::cpu().saturating_sub(cpu);
    (done, Took { wall, cpu })
}

/// The CPU time of this process so far, all threads, those that ended too (`utime` and `stime` in
/// proc(5)); zero where there is no `/proc`.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field, the program's name in brackets, may hold spaces.
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let ticks = fields.split(' ').skip(11).take(2);
    let ticks: u32 = ticks.filter_map(|field| field.parse::<u32>().ok()).sum();
    TICK * ticks
}

/// A line of the table.
#[derive(Debug, Clone)]
pub struct Row {
    what: String,
    times: Samples,
    /// The highest of all runs, in bytes.
    memory: Option<u64>,
    within: Option<Duration>,
    /// The most memory that it should take, in MB.
    below: Option<u32>,
    note: String,
}

impl Row {
    pub fn new(what: impl Into<String>, times: Samples) -> Self {
        Self {
            what: what.into(),
            times,
            memory: None,
            within: None,
            below: None,
            note: String::new(),
        }
    }

    /// Adds the peak memory of all runs, in bytes.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// Adds how long it should take at most.
    pub fn within(mut self, milliseconds: u64) -> Self {
        self.within = Some(Duration::from_millis(milliseconds));
        self
    }

    /// Adds how much memory it should take at most, in MB.
    pub fn below(mut self, megabytes: u32) -> Self {
        self.below = Some(megabytes);
        self
    }

    /// Adds a remark.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    fn misses(&self) -> bool {
        let late = self.within.is_some_and(|limit| self.times.median() > limit);
        let large = match (self.memory, self.below) {
            (Some(bytes), Some(limit)) => bytes as f64 / MB > f64::from(limit),
            _ => false,
        };
        late || large
    }

    fn target(&self) -> String {
        let parts: Vec<String> = [
            self.within.map(|limit| format!("≤ {}", shown(limit))),
            self.below.map(|limit| format!("≤ {limit} MB")),
        ]
        .into_iter()
        .flatten()
        .collect();
        let missed = if self.misses() { " **missed**" } else { "" };
        parts.join(", ") + missed
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times = match self.times.walls.as_slice() {
            [] => "| |".to_owned(),
            _ => {
                let (least, most) = self.times.range();
                let (median, cpu) = (self.times.median(), self.times.cpu());
                format!(
                    "{} | {}–{} | {}",
                    shown(median),
                    shown(least),
                    shown(most),
                    shown(cpu)
                )
            }
        };
        let memory = self
            .memory
            .map_or_else(String::new, |bytes| format!("{:.0} MB", bytes as f64 / MB));
        write!(
            f,
            "| {} | {times} | {memory} | {} | {} |",
            self.what,
            self.target(),
            self.note
        )
    }
}

/// A time with as many digits as mean something.
fn shown(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1000.0;
    if milliseconds < 10.0 {
        format!("{milliseconds:.1} ms")
    } else if milliseconds < 1000.0 {
        format!("{milliseconds:.0} ms")
    } else {
        format!("{:.2} s", milliseconds / 1000.0)
    }
}

/// Memory of this process, in bytes.
#[derive(Debug, Clone, Copy)]
pub enum Memory {
    /// The most that was resident at any time (`VmHWM` in proc(5)).
    Peak,
    /// What is resident now (`VmRSS`).
    Now,
}

impl Memory {
    /// Asks the kernel.
    pub fn read(self) -> anyhow::Result<u64> {
        let field = match self {
            Self::Peak => "VmHWM:",
            Self::Now => "VmRSS:",
        };
        let status = std::fs::read_to_string("/proc/self/status")?;
        let kibibytes: u64 = status
            .lines()
            .find_map(|line| line.strip_prefix(field))
            .and_then(|rest| rest.trim().strip_suffix(" kB"))
            .and_then(|number| number.parse().ok())
            .with_context(|| format!("/proc/self/status has no {field}"))?;
        Ok(kibibytes * 1024)
    }
}
