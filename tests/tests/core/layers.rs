//! Checks the layers of the crates in their source code: which modules a module imports, and which items a crate uses.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Layers of `proto/src`, lowest first. A module may import from its own layer and from lower layers.
const LAYERS: [&[&str]; 9] = [
    &["cost", "message", "time", "entropy", "kind", "socket_type"],
    &["wire"],
    &["address"],
    &["security"],
    &["connection"],
    &["socket"],
    &["session"],
    &["guest"],
    &["testing"],
];

/// Modules of `proto/src` that are above all layers: the crate's root, and the modules that the features `std` and `serde` add.
const ABOVE: [&str; 3] = ["lib", "std_support", "serde_support"];

/// Parts of the module `socket`, lowest first, by file or folder name. A part may import from itself and from lower
/// parts. The other files of the folder implement `Socket` and may import from all parts.
const SOCKET_PARTS: [&[&str]; 7] = [
    &["effects", "id"],
    &["error", "event", "failing", "stats"],
    &["options"],
    &["pipe"],
    &["routing"],
    &["pattern"],
    &["mod"],
];

/// Folders with the sources of the runtimes.
const ADAPTERS: [&str; 4] = ["runtime-tokio/src", "runtime-smol/src", "runtime-mio/src", "runtime-turmoil/src"];

#[test]
fn proto_modules_import_only_lower_layers() {
    let mut upward = Vec::new();
    for (path, text) in sources("proto/src") {
        upward.extend(upward_imports(&path, &text));
    }
    assert_eq!(upward, Vec::<String>::new());
}

#[test]
fn upward_imports_are_detected_in_every_form() {
    let count_upward = |path: &str, text: &str| upward_imports(path, text).len();
    let tree = "use crate::{\n    message::Frame as F, // as wire sees it\n    socket::{Options, Socket},\n};";
    assert_eq!(count_upward("security/curve/keys.rs", tree), 2);
    for (path, text) in [
        ("security/mod.rs", "use crate::connection::ConnectionConfig;"),
        ("security/mod.rs", "pub use crate::connection::ConnectionConfig as Config;"),
        ("wire/metadata.rs", "fn f() -> crate::address::Endpoint { todo!() }"),
        ("wire/metadata.rs", "use super::super::session::Session;"),
        ("wire/metadata.rs", "use self::super::super::session::Session;"),
        ("wire/metadata.rs", "use crate /* here */ :: session::Session;"),
        ("wire/metadata.rs", "macro_rules! m { () => { crate::session::Session } }"),
        // A name re-exported by the root hides its layer.
        ("wire/metadata.rs", "use crate::Options;"),
        ("wire/metadata.rs", "use crate::*;"),
        ("wire/metadata.rs", "use super::super::{*};"),
        ("wire/metadata.rs", "use crate as root;"),
        ("wire/metadata.rs", "#[path = \"../socket/mod.rs\"]\nmod sockets;"),
        ("socket/pipe/queue.rs", "use crate::socket::pattern::Pattern;"),
        ("socket/event.rs", "use super::options::Options;"),
        ("socket/options/mod.rs", "use crate::socket::Socket;"),
    ] {
        assert_eq!(count_upward(path, text), 1, "{path}: {text}");
    }
    for (path, text) in [
        ("security/mod.rs", "use crate::wire::Command;\nuse super::message::Frame;"),
        ("security/mod.rs", "use crate::{message::Frame as F, wire::{self, Command}};"),
        (
            "security/mod.rs",
            "/// See [`Socket`](crate::Socket).\n// crate::session\nconst TEXT: &str = \"crate::session\";",
        ),
        ("security/mod.rs", "#[cfg(doc)]\nuse crate::socket::Socket;"),
        ("security/mod.rs", "#[cfg(test)]\nmod tests {\n    use crate::connection::Connection;\n}"),
        ("socket/close.rs", "use super::pattern::Pattern;\nuse crate::socket::pipe::Pipes;"),
    ] {
        assert_eq!(count_upward(path, text), 0, "{path}: {text}");
    }
}

#[test]
fn proto_uses_no_io_clock_threads_or_locks() {
    // `connection/outbox.rs` implements a method of `bytes::Buf` that exists only with `std` and needs `IoSlice`.
    let files = ["std_support.rs", "connection/outbox.rs"];
    // `cost.rs`, which only tests use, counts the work of each thread.
    let is_meter = |path: &str, used: &str| path == "cost.rs" && ["std::thread_local", "std::thread"].contains(&used);
    // The guest lends the descriptors of its streams to pollers.
    let is_descriptor = |path: &str, used: &str| path == "std_support.rs" && used == "std::os";
    let allowed = |path: &str, used: &str| {
        files.contains(&path) && used == "std::io" || is_descriptor(path, used) || is_meter(path, used)
    };
    assert_eq!(uses_of_std("proto/src", allowed), Vec::<String>::new());
    assert_eq!(lines_with("proto/src", &["unsafe", "RefCell", "Rc"]), Vec::<String>::new());
    let gates = lines_with("proto/src", &["feature = \"std\""]);
    assert!(gates.len() <= 4, "all that the feature `std` adds is in std_support.rs: {gates:?}");
}

/// A package that needs `unsafe` is not published, and states the reason for each block.
#[test]
fn only_unpublished_packages_may_use_unsafe() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let examples = fs::read_dir(root.join("examples")).unwrap().map(|entry| entry.unwrap().path());
    let folders = ["", "proto", "runtime", "os", "runtime-tokio", "runtime-smol", "runtime-mio", "benches", "tests"];
    let manifests = folders.map(|folder| root.join(folder)).into_iter().chain(examples);
    let manifests: Vec<_> = manifests.map(|folder| folder.join("Cargo.toml")).filter(|path| path.exists()).collect();
    assert!(
        manifests.len() > folders.len()
            && fs::read_to_string(&manifests[0]).unwrap().contains("unsafe_code = \"forbid\"")
    );
    for manifest in manifests {
        let text = fs::read_to_string(&manifest).unwrap();
        let has_rules =
            ["publish = false", "unsafe_op_in_unsafe_fn = \"deny\"", "undocumented_unsafe_blocks = \"deny\""]
                .iter()
                .all(|rule| text.contains(rule));
        let forbids = ["[lints]\nworkspace = true", "unsafe_code = \"forbid\""].iter().any(|rule| text.contains(rule));
        assert!(forbids || has_rules, "{}", manifest.display());
    }
}

#[test]
fn runtime_makes_no_operating_system_calls() {
    // The identifier of the process shows that it was forked. All other calls belong to `os` and to the adapters.
    let allowed = |path: &str, used: &str| {
        ["std::sync", "std::collections", "std::io", "std::marker", "std::task"].contains(&used)
            || (path, used) == ("process.rs", "std::process")
    };
    assert_eq!(uses_of_std("runtime/src", allowed), Vec::<String>::new());
    assert_eq!(lines_with("runtime/src", &["unsafe"]), Vec::<String>::new());
}

#[test]
fn no_crate_measures_time_with_the_wall_clock() {
    for folder in ADAPTERS.into_iter().chain(["proto/src", "runtime/src", "src"]) {
        assert_eq!(lines_with(folder, &["SystemTime", "UNIX_EPOCH"]), Vec::<String>::new(), "{folder}");
    }
    // Only compared: a folder of keys is read again when the time of a file has changed in either direction.
    let lines = lines_with("os/src", &["SystemTime", "UNIX_EPOCH"]);
    assert!(lines.iter().all(|line| line.starts_with("keys/folder.rs")), "{lines:?}");
}

#[test]
fn socket_type_rules_are_only_in_proto() {
    for folder in ADAPTERS.into_iter().chain(["os/src"]) {
        assert_eq!(lines_with(folder, &["SocketType"]), Vec::<String>::new(), "{folder}");
    }
    // Handles may print the socket type, but its rules must be queried from proto.
    assert_eq!(lines_with("runtime/src", &["SocketType::", "SocketType as"]), Vec::<String>::new());
}

/// Returns a description of each import in a source file that points to a higher layer of `proto/src`, or to a higher
/// part of the module `socket`, than the file itself. `path` is the path of the file below `proto/src`, and `text` is
/// its content.
fn upward_imports(path: &str, text: &str) -> Vec<String> {
    let modules: Vec<_> = path.trim_end_matches(".rs").split('/').filter(|name| *name != "mod").collect();
    if ABOVE.contains(&modules[0]) {
        return Vec::new();
    }
    let code = code(text);
    let mut upward = Vec::new();
    // Forms that would hide an import from the checks below.
    for hidden_import in ["#[path", "extern crate self"] {
        if code.contains(hidden_import) {
            upward.push(format!("{path} contains {hidden_import}"));
        }
    }
    for import in paths(&code, &["crate", "super", "self"]) {
        let target = resolve(&modules, &import);
        let is_upward = match target.first().and_then(|name| rank(&LAYERS, name)) {
            None => true,
            Some(layer) if Some(layer) == rank(&LAYERS, modules[0]) => part_is_higher(path, &target),
            layer => layer > rank(&LAYERS, modules[0]),
        };
        if is_upward {
            upward.push(format!("{path} imports {}", import.join("::")));
        }
    }
    upward
}

/// Returns `true` if the import `target` points to a higher part of the module `socket` than the part to which the file
/// `path` belongs.
fn part_is_higher(path: &str, target: &[String]) -> bool {
    let Some(part) = path.strip_prefix("socket/").and_then(|rest| rest.trim_end_matches(".rs").split('/').next())
    else {
        return false;
    };
    let Some(own) = rank(&SOCKET_PARTS, part) else { return false };
    let part_of_target = match target.get(1) {
        Some(name) if rank(&SOCKET_PARTS, name).is_some() => name,
        // A name of the layer's root: `Socket` itself, or a re-export.
        _ => "mod",
    };
    rank(&SOCKET_PARTS, part_of_target) > Some(own)
}

fn rank(groups: &[&[&str]], name: &str) -> Option<usize> {
    groups.iter().position(|group| group.contains(&name))
}

/// Returns the absolute path of an import in the module with the path `modules`; an empty path if the import is the
/// root of the crate.
fn resolve(modules: &[&str], import: &[String]) -> Vec<String> {
    let mut base: Vec<String> = modules.iter().map(ToString::to_string).collect();
    for (at, name) in import.iter().enumerate() {
        match name.as_str() {
            "crate" => base.clear(),
            "super" => drop(base.pop()),
            "self" => {}
            _ => {
                base.extend_from_slice(&import[at..]);
                break;
            }
        }
    }
    base
}

/// Returns the uses of `std` in the source files below `folder` for which `allowed(file, "std::module")` returns false.
fn uses_of_std(folder: &str, allowed: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let mut found = BTreeSet::new();
    for (path, text) in sources(folder) {
        for used in paths(&code(&text), &["std"]) {
            // `extern crate std` is a path of one segment.
            if used.len() > 1 && !allowed(&path, &used[..2].join("::")) {
                found.insert(format!("{path}: {}", used.join("::")));
            }
        }
    }
    found.into_iter().collect()
}

/// Returns the paths in `code` that begin with one of `heads`. `use` trees are flattened; a glob is a segment `*`.
fn paths(code: &str, heads: &[&str]) -> Vec<Vec<String>> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        let is_head = heads.contains(&tokens[at].as_str());
        let is_first = at == 0 || tokens[at - 1] != "::";
        // `self` may be a receiver and `super` a visibility. `use crate as c` counts, because it would hide all later
        // imports.
        let is_path = tokens.get(at + 1).is_some_and(|next| next == "::" || next == "as");
        if is_head && is_first && is_path {
            flatten(&tokens, at, &mut Vec::new(), &mut found);
        }
    }
    found
}

/// Reads the `use` tree that begins at the token `at`, and appends each of its paths, with `prefix` in front, to
/// `found`. For example, `a::{b, c}` has the paths `a::b` and `a::c`. Returns the index of the first token after the
/// tree.
fn flatten(tokens: &[String], mut at: usize, prefix: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> usize {
    let depth = prefix.len();
    while let Some(token) = tokens.get(at) {
        if token == "{" {
            at += 1;
            while tokens.get(at).is_some_and(|token| token != "}") {
                at = flatten(tokens, at, prefix, found);
                if tokens.get(at).is_some_and(|token| token == ",") {
                    at += 1;
                }
            }
            prefix.truncate(depth);
            return at + 1;
        }
        prefix.push(token.clone());
        at += 1;
        if tokens.get(at).is_none_or(|next| next != "::") {
            break;
        }
        at += 1;
    }
    found.push(prefix.clone());
    prefix.truncate(depth);
    if tokens.get(at).is_some_and(|next| next == "as") { at + 2 } else { at }
}

/// Splits code into identifiers, `::`, and single characters.
pub(super) fn tokens(code: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let name = rest.find(|letter: char| !(letter.is_alphanumeric() || letter == '_')).unwrap_or(rest.len());
        let length = if name > 0 { name } else { first.len_utf8().max(2 * usize::from(rest.starts_with("::"))) };
        if !first.is_whitespace() {
            tokens.push(rest[..length].to_owned());
        }
        rest = &rest[length..];
    }
    tokens
}

/// Returns the source `text` without comments, contents of strings, imports for documentation, and test modules.
pub(super) fn code(text: &str) -> String {
    let mut lines = Vec::new();
    let plain = without_comments(text);
    let mut source = plain.lines().peekable();
    while let Some(line) = source.next() {
        match line.trim() {
            "#[cfg(doc)]" => drop(source.next()),
            "#[cfg(test)]" => {
                if source.peek().is_some_and(|next| next.starts_with("mod ") && next.trim_end().ends_with('{')) {
                    break;
                }
                source.next();
            }
            _ => lines.push(line),
        }
    }
    lines.join("\n")
}

/// Returns the source without comments and contents of strings. Keeps the string of `feature = "…"`, because a check
/// searches for it.
fn without_comments(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = |mark: &str, from: usize| rest[from..].find(mark).map_or(rest.len(), |at| from + at);
        if rest.starts_with("//") {
            rest = &rest[end("\n", 2)..];
        } else if rest.starts_with("/*") {
            rest = &rest[(end("*/", 2) + 2).min(rest.len())..];
        } else if first == '"' {
            let mut length = 1;
            while let Some(next) = rest[length..].chars().next() {
                length += next.len_utf8();
                match next {
                    '"' => break,
                    '\\' => length += rest[length..].chars().next().map_or(0, char::len_utf8),
                    _ => {}
                }
            }
            let keep = plain.ends_with("feature = ");
            plain.push_str(if keep { &rest[..length] } else { "\"\"" });
            rest = &rest[length..];
        } else if rest.starts_with("'\"'") {
            rest = &rest[3..];
        } else {
            plain.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    plain
}

/// Returns the lines of code in the source files below `folder` that contain any of `words`.
fn lines_with(folder: &str, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources(folder) {
        for line in code(&text).lines() {
            if words.iter().any(|word| contains_word(line, word)) {
                found.push(format!("{path}: {}", line.trim()));
            }
        }
    }
    found
}

fn contains_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let joins = |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
        !joins(before) && (word.ends_with(':') || !joins(after))
    })
}

/// Returns the path, relative to `folder`, and the text of each source file that is not a test.
pub(super) fn sources(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    let mut paths = BTreeSet::new();
    collect(&root, &mut paths);
    let is_test = |path: &str| path.ends_with("tests.rs") || path.contains("tests/") || path == "properties.rs";
    let relative = |path: &PathBuf| path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
    let files = paths.iter().filter(|path| !is_test(&relative(path)));
    let files: Vec<_> = files.map(|path| (relative(path), fs::read_to_string(path).unwrap())).collect();
    assert!(!files.is_empty(), "no source files in {folder}");
    files
}

fn collect(folder: &Path, paths: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.insert(path);
        }
    }
}
