//! What kind of text a file is, from its name: which comments it has, and how values are written in it.
//!
//! Invariant: the name alone decides, so that a file's format can key a cache. Of a kind that isn't
//! known only what most kinds have in common is taken for granted.

use serde::{Deserialize, Serialize};

/// A kind of text, as far as comments and values go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Dialect {
    /// Any other text.
    Any,
    /// A Dockerfile: `#` begins a comment only where it begins the line (Dockerfile reference,
    /// "Format").
    Docker,
    /// Shell scripts, environment files and Makefiles.
    Shell,
    /// INI files.
    Ini,
    /// Java properties and systemd units, whose values go on to the end of the line
    /// (`java.util.Properties.load`; systemd.syntax(7)).
    Properties,
    /// What puts texts in quotes: HCL, TOML, Jsonnet, CUE, JSON with comments, and program code.
    Code,
    /// The same where `#` begins no comment.
    Slashes,
    /// XML and HTML.
    Markup,
    /// YAML that isn't parsed as such, because it is a template or part of another text.
    Yaml,
}

/// What an unquoted value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bare {
    /// A text, whatever it looks like.
    Text,
    /// A text or something else, by its looks.
    Typed,
    /// Anything but a text.
    Other,
}

/// A comment that begins and ends with a sign.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) open: &'static str,
    pub(super) close: &'static str,
    /// Where it may go on over the line's end.
    pub(super) reach: Reach,
}

/// How far a comment goes that isn't closed on its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// On to where it is closed.
    Lines,
    /// The same, but only if it begins the line; else the sign means something else.
    LinesFromStart,
    /// The sign means something else then.
    Line,
}

const SLASH: Block = Block {
    open: "/*",
    close: "*/",
    reach: Reach::Lines,
};
const ANGLE: Block = Block {
    open: "<!--",
    close: "-->",
    reach: Reach::Lines,
};
const BRACE: Block = Block {
    open: "{#",
    close: "#}",
    reach: Reach::Line,
};
const FROM_START: Reach = Reach::LinesFromStart;

impl Dialect {
    /// What begins a comment that goes on to the line's end.
    pub(super) fn line_signs(self) -> &'static [&'static str] {
        match self {
            Self::Any | Self::Code => &["#", "//"],
            Self::Slashes => &["//"],
            Self::Docker | Self::Shell | Self::Yaml => &["#"],
            Self::Ini => &["#", ";"],
            Self::Properties => &["#", "!", ";"],
            Self::Markup => &[],
        }
    }

    /// Comments with an end. Those of Go templates are read everywhere, apart from these.
    pub(super) fn blocks(self) -> &'static [Block] {
        match self {
            // `/*` ends many a path pattern, so little is made of it in a text of unknown kind.
            Self::Any => {
                const {
                    &[
                        Block {
                            reach: FROM_START,
                            ..SLASH
                        },
                        Block {
                            reach: FROM_START,
                            ..ANGLE
                        },
                        BRACE,
                    ]
                }
            }
            Self::Code | Self::Slashes => const { &[SLASH] },
            Self::Markup => const { &[ANGLE] },
            Self::Yaml => const { &[BRACE] },
            Self::Docker | Self::Shell | Self::Ini | Self::Properties => &[],
        }
    }

    /// Whether a comment has its line for itself.
    pub(super) fn comments_alone(self) -> bool {
        matches!(self, Self::Docker | Self::Properties)
    }

    /// What an unquoted value is.
    pub(super) fn bare(self) -> Bare {
        match self {
            Self::Docker | Self::Shell | Self::Ini | Self::Properties | Self::Markup => Bare::Text,
            Self::Any | Self::Yaml => Bare::Typed,
            Self::Code | Self::Slashes => Bare::Other,
        }
    }

    /// The kind of the file `name`, or `None` for prose and patches, which show markers as examples
    /// and are nothing that runs.
    pub(in crate::manifest) fn of(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let name = without_template_ending(&name);
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        if PROSE.contains(&extension) {
            return None;
        }
        let first = name.split('.').next().unwrap_or_default();
        Some(match extension {
            _ if matches!(first, "dockerfile" | "containerfile") => Self::Docker,
            "dockerfile" | "containerfile" => Self::Docker,
            _ if SHELL_NAMES.contains(&name) || stem == ".env" || name.starts_with(".env.") => {
                Self::Shell
            }
            _ if CODE_NAMES.contains(&name) => Self::Code,
            _ if SHELL.contains(&extension) => Self::Shell,
            _ if CODE.contains(&extension) => Self::Code,
            _ if SLASHES.contains(&extension) => Self::Slashes,
            _ if MARKUP.contains(&extension) => Self::Markup,
            _ if UNITS.contains(&extension) => Self::Properties,
            "ini" | "cfg" | "conf" => Self::Ini,
            "yaml" | "yml" => Self::Yaml,
            _ => Self::Any,
        })
    }
}

/// The name of what a template makes.
fn without_template_ending(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((inner, ending)) if TEMPLATES.contains(&ending) => inner,
        _ => name,
    }
}

const TEMPLATES: [&str; 8] = [
    "tpl", "tmpl", "gotmpl", "template", "j2", "jinja", "jinja2", "erb",
];
const PROSE: [&str; 12] = [
    "md", "markdown", "mdx", "rst", "adoc", "asciidoc", "org", "textile", "tex", "diff", "patch",
    "ipynb",
];
const SHELL_NAMES: [&str; 5] = [".env", ".envrc", "makefile", "gnumakefile", "justfile"];
const SHELL: [&str; 8] = ["env", "sh", "bash", "zsh", "ksh", "fish", "mk", "make"];
const CODE_NAMES: [&str; 4] = ["jenkinsfile", "tiltfile", "vagrantfile", "rakefile"];
const CODE: [&str; 17] = [
    "tf",
    "tfvars",
    "tofu",
    "hcl",
    "nomad",
    "toml",
    "jsonnet",
    "libsonnet",
    "ncl",
    "nix",
    "star",
    "bzl",
    "bazel",
    "py",
    "rb",
    "php",
    "pkr",
];
const SLASHES: [&str; 23] = [
    "json", "json5", "jsonc", "cue", "pkl", "bicep", "js", "mjs", "cjs", "ts", "mts", "cts", "go",
    "rs", "java", "kt", "kts", "groovy", "gradle", "cs", "swift", "scala", "dart",
];
const MARKUP: [&str; 8] = [
    "xml", "html", "htm", "xhtml", "svg", "csproj", "props", "plist",
];
/// Java properties, and the units of systemd and of Podman's generator (podman-systemd.unit(5)).
const UNITS: [&str; 9] = [
    "properties",
    "service",
    "container",
    "pod",
    "kube",
    "image",
    "build",
    "volume",
    "network",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_decides() {
        for (name, dialect) in [
            ("Dockerfile", Some(Dialect::Docker)),
            ("Dockerfile.prod", Some(Dialect::Docker)),
            ("dockerfile.j2", Some(Dialect::Docker)),
            ("web.Dockerfile", Some(Dialect::Docker)),
            ("Containerfile", Some(Dialect::Docker)),
            ("main.tf", Some(Dialect::Code)),
            ("prod.auto.tfvars", Some(Dialect::Code)),
            ("main.tf.tmpl", Some(Dialect::Code)),
            ("pyproject.toml", Some(Dialect::Code)),
            ("main.jsonnet", Some(Dialect::Code)),
            ("k.libsonnet", Some(Dialect::Code)),
            ("x.json5", Some(Dialect::Slashes)),
            ("x.cue", Some(Dialect::Slashes)),
            ("Jenkinsfile", Some(Dialect::Code)),
            (".env", Some(Dialect::Shell)),
            (".env.production", Some(Dialect::Shell)),
            ("prod.env", Some(Dialect::Shell)),
            ("Makefile", Some(Dialect::Shell)),
            ("deploy.sh", Some(Dialect::Shell)),
            ("rules.mk", Some(Dialect::Shell)),
            ("app.properties", Some(Dialect::Properties)),
            ("web.container", Some(Dialect::Properties)),
            ("app.ini", Some(Dialect::Ini)),
            ("pom.xml", Some(Dialect::Markup)),
            ("values.yaml.gotmpl", Some(Dialect::Yaml)),
            ("_helpers.tpl", Some(Dialect::Any)),
            ("VERSION", Some(Dialect::Any)),
            ("", Some(Dialect::Any)),
            (".", Some(Dialect::Any)),
            ("README.md", None),
            ("README.md.tmpl", None),
            ("fix.patch", None),
            ("Dockerfile.md", None),
        ] {
            assert_eq!(Dialect::of(name), dialect, "{name}");
        }
    }
}
