//! The layers of the crates, read from their source: which module may import which, and which crate may use what.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Layers of `proto/src`, lowest first. A module imports from its own layer and from those before it.
const LAYERS: [&[&str]; 8] = [
    &["message", "time", "entropy", "kind", "socket_type"],
    &["wire"],
    &["address"],
    &["security"],
    &["connection"],
    &["socket"],
    &["session"],
    &["testing"],
];

/// Modules above all layers: the crate's root, and what the feature `std` adds to several of them.
const ABOVE: [&str; 2] = ["lib", "std_support"];

/// Parts of `socket`, lowest first: its file or folder names. A part imports from its own and from those before it; the other
/// files of the folder, which implement `Socket`, import from all.
const SOCKET_PARTS: [&[&str]; 7] =
    [&["id"], &["error", "event", "stats"], &["options"], &["pipe"], &["routing"], &["pattern"], &["mod"]];

#[test]
fn imports_of_the_core_run_to_lower_layers_only() {
    let mut upward = Vec::new();
    for (path, text) in sources("proto/src") {
        upward.extend(upward_imports(&path, &text));
    }
    assert_eq!(upward, Vec::<String>::new());
}

#[test]
fn upward_imports_are_found_in_each_form() {
    let planted = |path: &str, text: &str| upward_imports(path, text).len();
    assert_eq!(planted("security/mod.rs", "use crate::connection::ConnectionConfig;"), 1);
    assert_eq!(
        planted("security/curve/keys.rs", "use crate::{\n    message::Frame,\n    socket::{Options, Socket},\n};"),
        2
    );
    assert_eq!(planted("wire/metadata.rs", "fn f() -> crate::address::Endpoint { todo!() }"), 1);
    assert_eq!(planted("wire/metadata.rs", "use super::super::session::Session;"), 1);
    assert_eq!(planted("wire/metadata.rs", "use crate::Options;"), 1, "a name of the root hides its layer");
    assert_eq!(planted("socket/pipe/queue.rs", "use crate::socket::pattern::Pattern;"), 1);
    assert_eq!(planted("socket/event.rs", "use super::options::Options;"), 1);
    assert_eq!(planted("socket/options/mod.rs", "use crate::socket::Socket;"), 1);

    assert_eq!(planted("security/mod.rs", "use crate::wire::Command;\nuse super::message::Frame;"), 0);
    assert_eq!(planted("security/mod.rs", "/// See [`Socket`](crate::Socket).\n// crate::session"), 0);
    assert_eq!(planted("security/mod.rs", "#[cfg(doc)]\nuse crate::socket::Socket;"), 0);
    assert_eq!(planted("security/mod.rs", "#[cfg(test)]\nmod tests {\n    use crate::connection::Connection;\n}"), 0);
    assert_eq!(planted("socket/close.rs", "use super::pattern::Pattern;\nuse crate::socket::pipe::Pipes;"), 0);
}

#[test]
fn core_is_without_io_clock_threads_and_unsafe_code() {
    let forbidden = ["std::net", "std::time", "std::thread", "std::fs", "std::process", "std::env", "unsafe"];
    assert_eq!(lines_with("proto/src", &forbidden), Vec::<String>::new());
}

#[test]
fn core_uses_std_in_one_file_only() {
    let elsewhere = |line: &String| !line.starts_with("std_support.rs") && !line.contains("extern crate std;");
    let lines: Vec<_> = lines_with("proto/src", &["std::", "extern crate std"]).into_iter().filter(elsewhere).collect();
    let in_core = |line: &&String| !line.contains("core::");
    assert_eq!(lines.iter().filter(in_core).collect::<Vec<_>>(), Vec::<&String>::new());
    let gates = lines_with("proto/src", &["feature = \"std\""]);
    assert!(gates.len() <= 4 && gates.iter().all(|line| line.starts_with("lib.rs")), "{gates:?}");
}

#[test]
fn runtime_calls_no_operating_system() {
    let forbidden = ["std::net", "std::fs", "std::process", "std::env", "Instant::now", "std::thread", "unsafe"];
    assert_eq!(lines_with("runtime/src", &forbidden), Vec::<String>::new());
}

#[test]
fn rules_of_socket_types_are_in_the_core_only() {
    for folder in ["os/src", "runtime-tokio/src", "runtime-smol/src", "runtime-mio/src"] {
        assert_eq!(lines_with(folder, &["SocketType"]), Vec::<String>::new(), "{folder}");
    }
    // Handles print the type of a socket, and ask the core what it allows.
    assert_eq!(lines_with("runtime/src", &["SocketType::"]), Vec::<String>::new());
}

/// Imports of `text`, the source of `path` below `proto/src`, that run to a higher layer, or to a higher part of `socket`.
fn upward_imports(path: &str, text: &str) -> Vec<String> {
    let modules: Vec<_> = path.trim_end_matches(".rs").split('/').filter(|name| *name != "mod").collect();
    if ABOVE.contains(&modules[0]) {
        return Vec::new();
    }
    let mut upward = Vec::new();
    for import in imports(text) {
        let Some(target) = resolve(&modules, &import) else { continue };
        let is_upward = match rank(&LAYERS, &target[0]) {
            None => true,
            Some(layer) if Some(layer) == rank(&LAYERS, modules[0]) => part_is_higher(path, &target),
            layer => layer > rank(&LAYERS, modules[0]),
        };
        if is_upward {
            upward.push(format!("{path} imports {}", target.join("::")));
        }
    }
    upward
}

/// True if `target` is in a higher part of `socket` than `path`.
fn part_is_higher(path: &str, target: &[String]) -> bool {
    let Some(part) = path.strip_prefix("socket/").and_then(|rest| rest.trim_end_matches(".rs").split('/').next())
    else {
        return false;
    };
    let Some(own) = rank(&SOCKET_PARTS, part) else { return false };
    let part_of_target = match target.get(1) {
        Some(name) if rank(&SOCKET_PARTS, name).is_some() => name,
        // A name of the layer's root: `Socket` itself, or what the root re-exports.
        _ => "mod",
    };
    rank(&SOCKET_PARTS, part_of_target) > Some(own)
}

fn rank(groups: &[&[&str]], name: &str) -> Option<usize> {
    groups.iter().position(|group| group.contains(&name))
}

/// Absolute module path of an import in module `modules`; `None` for other crates.
fn resolve(modules: &[&str], import: &[String]) -> Option<Vec<String>> {
    let (mut base, mut rest): (Vec<String>, _) = match import.first()?.as_str() {
        "crate" => (Vec::new(), &import[1..]),
        "super" => (modules[..modules.len() - 1].iter().map(ToString::to_string).collect(), &import[1..]),
        _ => return None,
    };
    while let Some(("super", more)) = rest.split_first().map(|(first, more)| (first.as_str(), more)) {
        base.pop();
        rest = more;
    }
    base.extend(rest.iter().cloned());
    (!base.is_empty()).then_some(base)
}

/// Paths that begin with `crate` or `super` in the code of `text`, `use` trees flattened.
fn imports(text: &str) -> Vec<Vec<String>> {
    let code = code(text).join(" ");
    let mut found = Vec::new();
    for statement in code.split([';']) {
        for head in ["crate::", "super::"] {
            let mut rest = statement;
            while let Some(at) = rest.find(head) {
                let starts = !rest[..at].ends_with(|before: char| before.is_alphanumeric() || "_:".contains(before));
                if starts {
                    flatten(&rest[at..], &mut Vec::new(), &mut found);
                }
                rest = &rest[at + head.len()..];
            }
        }
    }
    found
}

/// Appends every path of the `use` tree at the front of `tree` to `found`. Returns what follows the tree.
fn flatten<'a>(tree: &'a str, prefix: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> &'a str {
    let depth = prefix.len();
    let mut rest = tree.trim_start();
    loop {
        let end = rest.find(|letter: char| !(letter.is_alphanumeric() || letter == '_')).unwrap_or(rest.len());
        if end > 0 {
            prefix.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
        match rest.strip_prefix("::") {
            Some(more) if more.trim_start().starts_with('{') => {
                rest = more.trim_start()[1..].trim_start();
                while !rest.is_empty() && !rest.starts_with('}') {
                    rest = flatten(rest, prefix, found).trim_start().trim_start_matches(',').trim_start();
                    if !rest.starts_with(|letter: char| letter.is_alphanumeric() || "_}".contains(letter)) {
                        break;
                    }
                }
                prefix.truncate(depth);
                return rest.strip_prefix('}').unwrap_or(rest);
            }
            Some(more) => rest = more,
            None => break,
        }
    }
    found.push(prefix.clone());
    prefix.truncate(depth);
    rest
}

/// Lines of code: without comments, documentation, imports for documentation, and test modules.
fn code(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut source = text.lines().peekable();
    while let Some(line) = source.next() {
        let trimmed = line.trim_start();
        if trimmed.starts_with("//") {
            continue;
        }
        if trimmed == "#[cfg(doc)]" {
            source.next();
        } else if trimmed == "#[cfg(test)]" {
            if source.peek().is_some_and(|next| next.starts_with("mod ") && next.ends_with('{')) {
                break;
            }
            source.next();
        } else {
            lines.push(line);
        }
    }
    lines
}

/// Lines of code below `folder` that contain one of `words`.
fn lines_with(folder: &str, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources(folder) {
        for line in code(&text) {
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

/// Paths below `folder`, relative to it, with their text; without test files.
fn sources(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    let mut paths = BTreeSet::new();
    collect(&root, &mut paths);
    let is_test = |path: &str| path.ends_with("tests.rs") || path.contains("tests/") || path == "properties.rs";
    let relative = |path: &PathBuf| path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
    let files = paths.iter().filter(|path| !is_test(&relative(path)));
    let files: Vec<_> = files.map(|path| (relative(path), fs::read_to_string(path).unwrap())).collect();
    assert!(!files.is_empty(), "there is source in {folder}");
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
