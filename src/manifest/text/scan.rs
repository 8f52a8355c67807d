//! From the lines of a text to its sites.
//!
//! Invariant: a marker is on its value's line or alone on the line directly above it, and belongs to
//! one value or gets a note. Markers of one owner on the name, tag and digest of neighbouring lines
//! make one site, so that a digest follows its tag. Work is linear in the text.

use std::collections::HashSet;

use super::dialect::Dialect;
use super::line::{Lexer, Line};
use super::pick::{Spot, Text};
use super::words::mask;
use crate::diag::Position;
use crate::manifest::attach::MAX_NOTES;
use crate::manifest::draft::misfit;
use crate::manifest::marker::{self, Says};
use crate::manifest::screen::has_markers;
use crate::manifest::{Field, Marker, Note, Part, Refusal, Site, SiteKind};

/// A line of a file, without its line break.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'t> {
    pub(super) number: u32,
    /// Where it starts in the file.
    pub(super) start: u32,
    pub(super) text: &'t str,
}

/// What the lines hold.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) sites: Vec<Site>,
    pub(super) notes: Vec<Note>,
    /// Whether the first comment takes out all of it.
    pub(super) ignored: bool,
}

/// Looks through all lines. `flux` says whether a marker of Flux's newer form is in the file.
pub(super) fn scan<'t>(
    dialect: Dialect,
    flux: bool,
    rows: impl IntoIterator<Item = Row<'t>>,
) -> Found {
    let mut scan = Scan {
        dialect,
        flux,
        lexer: Lexer::new(dialect),
        found: Found::default(),
        places: Vec::new(),
        ignored_lines: HashSet::new(),
        above: None,
        group: None,
        stages: Vec::new(),
        preamble: true,
    };
    for row in rows {
        scan.row(row);
    }
    scan.finish()
}

struct Scan {
    dialect: Dialect,
    flux: bool,
    lexer: Lexer,
    found: Found,
    /// For each site's field: its line and the marker that it was found by.
    places: Vec<Place>,
    ignored_lines: HashSet<u32>,
    /// The marker that had the last line for itself.
    above: Option<(Marker, Position)>,
    group: Option<Group>,
    /// The build stages of a Dockerfile so far, in lower case.
    stages: Vec<String>,
    /// Whether nothing but what precedes a first comment was there so far.
    preamble: bool,
}

struct Place {
    site: usize,
    line: u32,
    start: u32,
    end: u32,
    marker: Marker,
    comment: Position,
}

/// The site that a part on a line below may join.
struct Group {
    site: usize,
    owner: Marker,
    indent: usize,
}

impl Scan {
    fn row(&mut self, row: Row<'_>) {
        if row.text.len() > MAX_LINE {
            return self.long(row);
        }
        let line = self.lexer.line(row.text);
        let masked = mask(row.text, &line.comments);
        let text = Text {
            dialect: self.dialect,
            masked: &masked,
        };
        let own_line = masked.trim().is_empty();
        let above = self.above.take();
        let beside = self.comments(row, &line, own_line);
        if own_line {
            if let Some((_, position)) = above {
                self.note(position, ABOVE_NOTHING.to_owned());
            }
            self.above = beside.into_iter().next();
            if line.comments.is_empty() {
                self.group = None;
            }
            return;
        }
        self.leave_group(&masked);
        for (above, (marker, position)) in above
            .map(|marked| (true, marked))
            .into_iter()
            .chain(beside.into_iter().map(|marked| (false, marked)))
        {
            let picked = if line.open_quote {
                Err("a quote of the line isn't closed".to_owned())
            } else {
                text.pick(marker.part(), &self.stages)
            };
            match picked {
                Ok(spot) => self.add(row, &masked, &spot, marker, position),
                Err(reason) => {
                    let place = if above { "above" } else { "on" };
                    let reason = format!("the marker is {place} no value that fits it: {reason}");
                    self.note(position, reason);
                }
            }
        }
        if self.dialect == Dialect::Docker {
            self.stages.extend(text.stage_name());
        }
    }

    /// Passes over a line that nobody wrote by hand.
    fn long(&mut self, row: Row<'_>) {
        let bytes = row.text.as_bytes();
        if has_markers(bytes) {
            let reason = format!("a line of more than {MAX_LINE} bytes is not read");
            self.note(position(row, 0), reason);
        }
        if let Some((_, position)) = self.above.take() {
            self.note(position, ABOVE_NOTHING.to_owned());
        }
        self.lexer.pass_over(row.text);
        self.preamble = false;
        self.group = None;
    }

    /// Reads the comments of a line, and gives back its markers.
    fn comments(&mut self, row: Row<'_>, line: &Line, own_line: bool) -> Vec<(Marker, Position)> {
        let mut markers = Vec::new();
        let mut heard = false;
        let opens_file = self.preamble;
        self.preamble &= own_line && (line.comments.is_empty() || is_directive(row.text))
            || row.text.trim_end() == "---"
            || row.text.starts_with("<?xml");
        for comment in &line.comments {
            let position = position(row, comment.span.start);
            let said = says(&row.text[comment.body.clone()], own_line, self.flux);
            heard |= said != Says::Nothing;
            match said {
                Says::Nothing => {}
                _ if !comment.whole => self.note(position, MANY_LINES.to_owned()),
                Says::Misspelt(reason) => self.note(position, reason),
                Says::Marker(marker) => markers.push((marker, position)),
                Says::Ignore => {
                    self.ignored_lines.insert(row.number + u32::from(own_line));
                    self.found.ignored |= own_line && opens_file && !is_directive(row.text);
                }
            }
        }
        if !heard {
            self.unheard(row, line);
        }
        markers
    }

    /// Tells of what looks like a marker and is in no comment.
    fn unheard(&mut self, row: Row<'_>, line: &Line) {
        let alone = self.dialect.comments_alone() && line.comments.is_empty();
        if !alone && !line.open_quote {
            return;
        }
        let own = row.text.find(marker::OWN_NEEDLE);
        let flux = row.text.find(marker::FLUX_NEEDLE);
        let flux = flux.and_then(|at| row.text[..at].rfind('{'));
        let Some(at) = [own, flux].into_iter().flatten().find_map(|at| {
            let before = row.text[..at].trim_ascii_end();
            let said = marker::read_text(&row.text[at..], false, self.flux);
            let marks = matches!(said, Says::Marker(_) | Says::Ignore);
            (marks && before.ends_with(['#', '/', ';', '!'])).then(|| before.len() - 1)
        }) else {
            return;
        };
        let reason = if alone {
            "a comment can't follow a value in a file of this kind; put the marker alone on the \
             line above"
                .to_owned()
        } else {
            "a quote of the line isn't closed, so the marker may be in it; put the marker alone on \
             the line above"
                .to_owned()
        };
        self.note(position(row, at), reason);
    }

    fn note(&mut self, position: Position, reason: String) {
        if self.found.notes.len() < MAX_NOTES {
            self.found.notes.push(Note { position, reason });
        }
    }

    /// Ends the group at a line that begins something else.
    fn leave_group(&mut self, masked: &str) {
        let indent = indent(masked);
        let section = masked.trim_start().starts_with('[');
        if self
            .group
            .as_ref()
            .is_some_and(|group| section || indent < group.indent)
        {
            self.group = None;
        }
    }

    fn add(&mut self, row: Row<'_>, masked: &str, spot: &Spot, marker: Marker, comment: Position) {
        let (start, end) = (spot.span.start, spot.span.end);
        let (start, end) = (row.start + offset(start), row.start + offset(end));
        let overlaps =
            |place: &&Place| place.line == row.number && place.start <= end && start <= place.end;
        if let Some(held) = self.places.iter().rev().take(2).find(overlaps) {
            if held.marker != marker {
                self.found.sites[held.site].refusal = Some(Refusal::TwoMarkers {
                    first: held.comment,
                    second: comment,
                });
            }
            return;
        }
        let part = marker.part();
        let text = row.text[spot.span.clone()].to_owned();
        let refusal = against(part, &text, &masked[spot.key.clone()], spot);
        let field = Field {
            position: position(row, spot.span.start),
            text,
            start,
            end,
            style: spot.style,
        };
        let site = self.join(&marker, part, indent(masked));
        let held_site = &mut self.found.sites[site];
        match held_site.marker {
            None => held_site.marker = Some(marker.clone()),
            Some(_) => held_site.widen(part),
        }
        held_site.wants_digest |= part == Part::Digest;
        held_site.put(part, field);
        held_site.settle();
        held_site.refusal = held_site.refusal.take().or(refusal);
        self.places.push(Place {
            site,
            line: row.number,
            start,
            end,
            marker,
            comment,
        });
    }

    /// The site that a part belongs to: the one of the lines above, or a new one.
    fn join(&mut self, marker: &Marker, part: Part, indent: usize) -> usize {
        let owner = marker.with_part(Part::Whole);
        let joins = |group: &&Group| {
            let site = &self.found.sites[group.site];
            part != Part::Whole
                && group.owner == owner
                && group.indent == indent
                && site.field(part).is_none()
        };
        if let Some(group) = self.group.as_ref().filter(joins) {
            return group.site;
        }
        let site = self.found.sites.len();
        self.found.sites.push(Site::new(SiteKind::Text));
        self.group = (part != Part::Whole).then_some(Group {
            site,
            owner,
            indent,
        });
        site
    }

    fn finish(mut self) -> Found {
        if let Some((_, position)) = self.above.take() {
            self.note(position, ABOVE_NOTHING.to_owned());
        }
        for place in &self.places {
            let ignored = self.ignored_lines.contains(&place.line) || self.found.ignored;
            self.found.sites[place.site].ignored |= ignored;
        }
        self.found
    }
}

/// Longest line that is looked at, in bytes.
const MAX_LINE: usize = 4096;

const ABOVE_NOTHING: &str = "the marker is above no value";
const MANY_LINES: &str = "a marker in a comment of several lines is not read";

fn says(body: &str, own_line: bool, flux: bool) -> Says {
    let signs = |c: char| matches!(c, '#' | '/' | '!' | ';' | '*' | '-');
    let text = body.trim_start().trim_start_matches(signs).trim();
    marker::read_text(text, own_line, flux)
}

/// A comment that speaks to a tool and so has to come first: `#!`, and a Dockerfile's parser
/// directives (Dockerfile reference, "Parser directives").
fn is_directive(text: &str) -> bool {
    let Some(rest) = text.trim_start().strip_prefix('#') else {
        return false;
    };
    let name = rest.trim_start().split('=').next().unwrap_or_default();
    rest.starts_with('!')
        || rest.contains('=') && matches!(name.trim(), "syntax" | "escape" | "check")
}

/// Why a value isn't written, if it isn't.
fn against(part: Part, text: &str, key: &str, spot: &Spot) -> Option<Refusal> {
    if spot.filled {
        let value = text.chars().take(LONGEST_QUOTED).collect();
        return Some(Refusal::Template { value });
    }
    misfit(part, text, Some(key)).or_else(|| {
        spot.unquoted.then(|| Refusal::Unquoted {
            value: text.to_owned(),
        })
    })
}

/// Longest value shown in a reason, in characters: as long as a tag can be.
const LONGEST_QUOTED: usize = 128;

fn indent(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

fn position(row: Row<'_>, at: usize) -> Position {
    Position {
        line: row.number,
        column: offset(row.text[..at].chars().count()).saturating_add(1),
    }
}

/// Sizes fit: a text is at most [`MAX_BYTES`](crate::manifest::MAX_BYTES) long.
fn offset(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}
