//! Checks the documentation in the source code: the page of `Options`, and the names of libzmq by which items are found.

use sansmq_proto::socket::{ParseOptionError, SocketOption};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Folder of the options. Its `mod.rs` declares the modules in the order in which the page of `Options` shows them, and
/// its own functions come last.
const OPTIONS: &str = "proto/src/socket/options";

/// Table of all options, in the documentation of `Options`: a row per option, in the order of the page, with the names
/// and the default of the setter's own documentation, and the socket types of its bound.
#[test]
fn options_table_has_each_option_with_its_default() {
    let (kinds, mut group, mut expected) = (kinds(), String::new(), Vec::new());
    for setter in setters() {
        if group != setter.group {
            group.clone_from(&setter.group);
            expected.push(format!("| **{group}** | | | |"));
        }
        expected.push(setter.row(&kinds));
    }
    let mod_rs = read(&format!("{OPTIONS}/mod.rs"));
    let rows = mod_rs.lines().filter_map(|line| line.strip_prefix("/// ")).filter(|line| line.starts_with("| "));
    let rows = rows.skip(1).map(str::to_owned).collect::<Vec<_>>();
    for (bound, text) in [("Sends", "Types that\n/// send are all but "), ("Receives", ", types that receive all but ")]
    {
        let without = kinds.iter().filter(|marker| !marker.is(bound)).map(|marker| marker.name.to_uppercase());
        let text = format!("{text}{}", without.collect::<Vec<_>>().join(", "));
        assert!(mod_rs.contains(&text), "the documentation of `Options` should contain {text:?}");
    }
    assert!(rows == expected, "the table of `Options` should be:\n{}", expected.join("\n"));
    assert!(rows[1].contains("linger") && rows[2].contains("send_hwm") && rows[3].contains("recv_hwm"), "{rows:?}");
}

#[test]
fn options_state_when_they_fail() {
    for setter in setters() {
        let can_fail = setter.signature.contains("-> Result<");
        assert_eq!(
            can_fail,
            setter.doc.contains("\n# Errors\n"),
            "`{}` returns a result or states errors",
            setter.name
        );
    }
}

/// Table of options in the guide for users of libzmq. Three columns are readable on a phone.
#[test]
fn guide_lists_each_option_with_its_names_and_default() {
    let guide = read("docs/book/src/migrating/libzmq.md");
    let (_, options) = guide.split_once("\n# Options\n").unwrap();
    let (options, _) = options.split_once("\n# ").unwrap();
    let rows = options.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix('|'));
    let rows = rows.map(|row| row.split(" | ").map(str::trim).collect::<Vec<_>>()).collect::<Vec<_>>();
    let (kinds, mut wrong) = (kinds(), Vec::new());
    wrong.extend(rows.iter().filter(|row| row.len() != 3).map(|row| format!("not three columns: {row:?}")));
    for setter in setters().iter().filter(|setter| setter.name != "zap_handler") {
        // The link of an option that depends on a feature is in `src/guide.rs`.
        let links = [format!("(crate::Options::{})", setter.name), format!("`][{}]", setter.name)];
        let is_linked = |cell: &str| links.iter().any(|link| cell.contains(link));
        let Some(row) = rows.iter().find(|row| row.len() == 3 && is_linked(row[1])) else {
            wrong.push(format!("no row links to `{}`", setter.name));
            continue;
        };
        let (default, libzmq) = setter.defaults();
        // Names with the same start are shortened: "`HEARTBEAT_IVL`, `_TTL`".
        let in_cell = |name: &str| row[0].split('`').any(|part| !part.is_empty() && name.ends_with(part));
        wrong.extend(libzmq.iter().filter(|name| !in_cell(name)).map(|name| format!("no `{name}` in {row:?}")));
        // The first word is a number, or a word such as "off".
        let default = default.split([',', ';', ' ']).next();
        let types = setter.types(&kinds);
        let types = types.split(", ").filter(|name| kinds.iter().any(|kind| kind.name.eq_ignore_ascii_case(name)));
        let words = row[2].split(|char: char| !char.is_alphanumeric()).collect::<Vec<_>>();
        let default = default.filter(|word| !row[2].contains(word));
        let missing = default.into_iter().chain(types.filter(|name| !words.contains(name)));
        wrong.extend(missing.map(|word| format!("no {word:?} in {row:?}")));
    }
    assert!(rows.len() > 50 && wrong.is_empty(), "{} rows:\n{}", rows.len(), wrong.join("\n"));
}

/// Each recorded session of libzmq in which our socket differs from libzmq's names a row in the guide for users of libzmq.
/// Prints the rows and their sessions.
#[test]
fn guide_lists_each_difference_in_recorded_sessions() {
    let guide = read("docs/book/src/migrating/libzmq.md");
    let rows: Vec<_> = guide.lines().filter_map(|line| line.strip_prefix("| ")).collect();
    let (mut wrong, mut differences) = (Vec::new(), BTreeMap::<_, BTreeSet<_>>::new());
    let named = rows_of_verdicts(&mut wrong).into_iter().chain(rows_of_sessions(&mut wrong));
    for (session, row) in named.collect::<Vec<_>>() {
        match rows.iter().find(|start| start.starts_with(&row)) {
            Some(row) => _ = differences.entry(row.split(" | ").next().unwrap()).or_default().insert(session),
            None => wrong.push(format!("{session}: no row of the guide starts with {row:?}")),
        }
    }
    for (row, sessions) in &differences {
        println!("{row}: {sessions:?}");
    }
    assert!(differences.len() > 30 && wrong.is_empty(), "{} rows:\n{}", differences.len(), wrong.join("\n"));
}

/// Returns the names of the sessions in `verdicts.list` that end unlike libzmq's, each with the start of its row.
fn rows_of_verdicts(wrong: &mut Vec<String>) -> Vec<(String, String)> {
    let (mut rows, mut row) = (Vec::new(), None);
    let list = read("proto/tests/data/verdicts.list");
    for line in list.lines() {
        if line.starts_with('#') {
            row = line.strip_prefix("# row: ").or(row);
            continue;
        }
        // The name, the socket type, the limit, one or two verdicts, and the bytes.
        let words: Vec<_> = line.split(' ').collect();
        match (words.len(), row.take()) {
            (6, Some(row)) => rows.push((words[0].to_owned(), row.to_owned())),
            (6, None) => wrong.push(format!("{}: a difference without a row", words[0])),
            (_, Some(row)) => wrong.push(format!("{}: no difference any more, but the row {row:?}", words[0])),
            (_, None) => {}
        }
    }
    rows
}

/// Returns the names of the recorded sessions in which our socket differs from libzmq's, each with the start of a row. Which
/// differences a session has is checked by the tests that replay it.
fn rows_of_sessions(wrong: &mut Vec<String>) -> Vec<(String, String)> {
    let (mut rows, mut count) = (Vec::new(), 0);
    for folder in ["", "old", "other", "plain", "curve", "curve/whole"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/tests/data").join(folder);
        let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        for path in paths.filter(|path| path.extension().is_some_and(|extension| extension == "txt")) {
            let (text, name) = (fs::read_to_string(&path).unwrap(), path.file_stem().unwrap().to_string_lossy());
            let found = text.lines().filter_map(|line| line.strip_prefix("# row: "));
            let before = rows.len();
            rows.extend(found.map(|row| (name.clone().into_owned(), row.to_owned())));
            if rows.len() == before && text.contains("# here: ") {
                wrong.push(format!("{name}: a difference without a row"));
            }
            count += 1;
        }
    }
    assert!(count > 250, "sessions are missing: there are {count}");
    rows
}

/// Lists of the options in the documentation of the markers in `kind.rs`: one list per trait or marker.
#[test]
fn kinds_list_each_of_their_options() {
    let text = read("proto/src/kind.rs");
    let (_, lists) = text.split_once("\nmacro_rules! options_of {\n").unwrap();
    let (lists, _) = lists.split_once("\n}\n").unwrap();
    let listed = lists.split("\n    (").flat_map(|arm| {
        let bound = arm.trim_start().trim_start_matches('(').split([' ', ')']).next().unwrap_or_default();
        let options = arm.split_once("links!(").map_or("", |(_, options)| options);
        let names = options.split('"').nth(2).and_then(|names| names.split(')').next()).unwrap_or_default();
        names.split_whitespace().map(|name| format!("{bound} {name}")).collect::<Vec<_>>()
    });
    let mut listed = listed.collect::<Vec<_>>();
    let bound = |setter: &Setter| if setter.bound.is_empty() { "Kind".to_owned() } else { setter.bound.clone() };
    let setters = setters().into_iter().filter(|setter| setter.name != "zap_handler");
    let mut expected = setters.map(|setter| format!("{} {}", bound(&setter), setter.name)).collect::<Vec<_>>();
    listed.sort();
    expected.sort();
    assert_eq!(listed, expected, "the lists of `options_of!`");
}

/// Names of libzmq and its bindings, in `docs/libzmq-names.md`, and the names in `#[doc(alias)]` of the items.
#[test]
fn names_of_libzmq_find_their_items() {
    let aliases = aliases();
    let has = |name: &str, item: &str| aliases.iter().any(|(alias, owner)| alias == name && owner == item);
    let listed = listed_names();
    let mut wrong = Vec::new();
    for (name, items) in &listed {
        let missing = items.iter().filter(|item| !has(name, item));
        wrong.extend(missing.map(|item| format!("`{item}` has no `#[doc(alias = \"{name}\")]`")));
        let short = name.strip_prefix("ZMQ_").unwrap_or(name);
        // Codes of protocol errors are not searched for by a part of their long names.
        let is_code = name.starts_with("ZMQ_PROTOCOL_ERROR_");
        let is_found = |item: &String| is_code || item.eq_ignore_ascii_case(short);
        if !items.is_empty() && !aliases.iter().any(|(alias, _)| alias == short) && !items.iter().any(is_found) {
            wrong.push(format!("no item has the alias \"{short}\""));
        }
    }
    for (alias, item) in &aliases {
        let is_listed = |name: &str| listed.iter().any(|(listed, items)| listed == name && items.contains(item));
        if !is_listed(alias) && !is_listed(&format!("ZMQ_{alias}")) {
            wrong.push(format!("docs/libzmq-names.md lacks `{alias}` of `{item}`"));
        }
    }
    assert!(listed.len() > 350 && wrong.is_empty(), "{} names:\n{}", listed.len(), wrong.join("\n"));
}

/// The error of an option of libzmq that is no option here has the counterpart, or the reason why there is none.
#[test]
fn errors_of_options_name_the_counterparts_of_libzmq() {
    let text = read("docs/libzmq-names.md");
    let (_, without) = text.split_once("\n## Without a counterpart\n").unwrap();
    let reason = |name: &str| {
        let mut rows =
            without.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |")?.split_once(" | "));
        rows.find(|(names, _)| names.split('`').any(|listed| listed == name)).map(|(_, reason)| reason)
    };
    let mut count = 0;
    for (name, items) in listed_names().into_iter().filter(|(name, _)| name.starts_with("ZMQ_")) {
        match SocketOption::parse(&name, "?") {
            Err(ParseOptionError::NotAnOption { instead, .. }) => {
                count += 1;
                let missing = items.iter().filter(|item| !instead.contains(&format!("`{item}`")));
                assert_eq!(missing.collect::<Vec<_>>(), Vec::<&String>::new(), "{name}: {instead}");
                assert!(!items.is_empty() || reason(&name) == Some(instead), "{name}: {instead}");
            }
            Err(ParseOptionError::Unknown { nearest: Some(nearest), .. }) => {
                assert!(items.iter().any(|item| item == nearest), "`{nearest}` for `{name}`, which is {items:?}");
            }
            Ok(_) | Err(_) => {}
        }
    }
    assert!(count > 60, "{count} names");
}

/// Returns each listed name with the last segments of the paths of its items.
fn listed_names() -> Vec<(String, Vec<String>)> {
    let text = read("docs/libzmq-names.md");
    let (with_items, without) = text.split_once("\n## Without a counterpart\n").unwrap();
    let code = |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let rows = |text: &str| {
        let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once(" | "));
        rows.map(|(names, items)| (code(&format!("`{names}")), code(items))).collect::<Vec<_>>()
    };
    let last = |path: String| path.rsplit("::").next().unwrap().to_owned();
    let with_items = rows(with_items).into_iter().map(|(names, items)| (names, items.into_iter().map(last).collect()));
    let without = rows(without).into_iter().map(|(names, _)| (names, Vec::new()));
    let names = with_items
        .chain(without)
        .flat_map(|(names, items): (_, Vec<String>)| names.into_iter().map(move |name| (name, items.clone())));
    names.collect()
}

/// Returns each name in `#[doc(alias)]` in the sources of all packages, with the name of its item.
fn aliases() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for package in ["proto", "runtime", "os", "runtime-tokio", "runtime-smol", "runtime-mio", "."] {
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(package).join("src"), &mut files);
    }
    let texts = files.iter().map(|path| fs::read_to_string(path).unwrap()).filter(|text| text.contains("doc(alias"));
    let items = texts.flat_map(|text| items(&text));
    items.flat_map(|item| item.aliases.into_iter().map(move |alias| (alias, item.name.clone()))).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Item of the source code with its documentation.
#[derive(Clone, Debug, Default)]
struct Item {
    name: String,
    /// Line without indentation before the item, such as `impl Socket {`, and the heading of its documentation.
    owner: String,
    heading: String,
    doc: String,
    /// Names in the item's attributes `#[doc(alias(…))]`.
    aliases: Vec<String>,
    signature: String,
}

/// Option, as its setter and the setter's documentation define it.
struct Setter {
    name: String,
    /// Heading of the `impl` block.
    group: String,
    /// Trait that the marker of the socket type must implement, or the marker itself; empty for all socket types.
    bound: String,
    doc: String,
    signature: String,
}

impl Setter {
    /// Returns the option if `item` is its setter.
    fn new(item: Item) -> Option<Self> {
        let (_, kind) = item.owner.strip_prefix("impl")?.strip_suffix("> {")?.split_once(" Options<")?;
        // `set` sets any of the others.
        let is_setter = item.name != "set"
            && item.signature.starts_with("pub ")
            && ["(self,", "(mut self", "( self,", "( mut self,"].iter().any(|own| item.signature.contains(own))
            && ["-> Self", "-> Result<Self"].iter().any(|result| item.signature.contains(result));
        let bound = item.signature.split_once(" T: ").and_then(|(_, rest)| rest.split(',').next());
        let bound = bound.unwrap_or(if kind == "T" { "" } else { kind }).to_owned();
        let Item { name, heading: group, doc, signature, .. } = item;
        is_setter.then_some(Self { name, group, bound, doc, signature })
    }

    /// Returns the default of this option, and its names in libzmq without `ZMQ_`.
    fn defaults(&self) -> (String, Vec<&str>) {
        let statement = self.doc.split("\n\n").find_map(|paragraph| paragraph.strip_prefix("Default: "));
        let (default, libzmq) = statement.and_then(|text| text.split_once(". libzmq: ")).unwrap_or_else(|| {
            panic!(
                "`{}` needs a paragraph `Default: …. libzmq: …`, such as `Default: off. libzmq: no such option.`",
                self.name
            )
        });
        let names = libzmq.split("`ZMQ_").skip(1).filter_map(|text| text.split_once('`'));
        (default.replace('\n', " ").replace(['[', ']'], ""), names.map(|(name, _)| name).collect())
    }

    /// Returns the row of the table for this option.
    fn row(&self, kinds: &[Marker]) -> String {
        let (default, names) = self.defaults();
        let names = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let colon = if names.is_empty() { "" } else { ": " };
        format!("| [`{0}`](Self::{0}){colon}{names} | {default} | {1} |", self.name, self.types(kinds))
    }

    /// Returns the socket types that have this option, in words.
    fn types(&self, kinds: &[Marker]) -> String {
        let names = |has: bool| {
            let markers = kinds.iter().filter(|marker| marker.is(&self.bound) == has);
            markers.map(|marker| marker.name.to_uppercase()).collect::<Vec<_>>().join(", ")
        };
        match &self.bound[..] {
            "" => "all".to_owned(),
            "Sends" => "that send".to_owned(),
            "Receives" => "that receive".to_owned(),
            "Zmtp" => format!("all but {}", names(false)),
            _ => names(true),
        }
    }
}

/// Marker type in `kind.rs`, with the traits that it implements.
struct Marker {
    name: String,
    traits: Vec<String>,
}

impl Marker {
    /// Returns true if this marker has the bound of an option: a trait, or the name of one marker.
    fn is(&self, bound: &str) -> bool {
        self.name == bound || self.traits.iter().any(|name| name == bound)
    }
}

/// Returns all options in the order in which the page of `Options` shows them.
fn setters() -> Vec<Setter> {
    let mod_rs = read(&format!("{OPTIONS}/mod.rs"));
    let modules = mod_rs.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    let files = modules.chain(["mod"]).map(|module| read(&format!("{OPTIONS}/{module}.rs")));
    let setters = files.flat_map(|text| items(&text)).filter_map(Setter::new).collect::<Vec<_>>();
    assert!(setters.len() > 50, "only {} options", setters.len());
    setters
}

fn kinds() -> Vec<Marker> {
    let text = read("proto/src/kind.rs");
    let (_, table) = text.split_once("\nkinds! {\n").unwrap();
    let (table, _) = table.split_once("\n}\n").unwrap();
    let lines = table.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    let markers = lines.filter_map(|line| line.strip_suffix(';')?.split_once(": "));
    let marker = |(name, traits): (&str, &str)| Marker {
        name: name.to_owned(),
        traits: traits.split(' ').map(str::to_owned).collect(),
    };
    markers.map(marker).collect()
}

/// Returns the items of a source file. The lines of function bodies yield items too, but without documentation.
fn items(text: &str) -> Vec<Item> {
    let (mut items, mut item, mut heading) = (Vec::new(), Item::default(), String::new());
    let (mut owner, mut attribute, mut is_open) = (String::new(), None::<String>, false);
    for line in text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")) {
        let trimmed = line.trim();
        if let Some(text) = &mut attribute {
            text.push_str(trimmed);
        } else if trimmed.starts_with("#[") {
            attribute = Some(trimmed.to_owned());
        } else if let Some(doc) = trimmed.strip_prefix("///") {
            item.doc.push_str(doc.strip_prefix(' ').unwrap_or(doc));
            item.doc.push('\n');
            continue;
        } else if trimmed.is_empty() {
            (item, is_open) = (Item::default(), false);
            continue;
        } else if !trimmed.starts_with("//") {
            item.signature.push_str(trimmed);
            item.signature.push(' ');
            // The parameters and bounds of a function may follow in further lines.
            is_open = item.signature.contains("fn ") && !trimmed.ends_with(['{', ';', '}']);
            if !is_open {
                if !line.starts_with([' ', ')', '}']) {
                    line.clone_into(&mut owner);
                    item.doc
                        .lines()
                        .find_map(|line| line.strip_prefix("# "))
                        .unwrap_or_default()
                        .clone_into(&mut heading);
                }
                let (name, owner, heading) = (name(&item.signature), owner.clone(), heading.clone());
                items.push(Item { name, owner, heading, ..core::mem::take(&mut item) });
            }
            continue;
        }
        if let Some(text) = attribute.take_if(|text| text.ends_with(']')) {
            let names =
                text.strip_prefix("#[doc(alias").into_iter().flat_map(|names| names.split('"').skip(1).step_by(2));
            item.aliases.extend(names.map(str::to_owned));
        }
    }
    assert!(!is_open && attribute.is_none(), "a declaration without end: {item:?}");
    items
}

/// Returns the name that `signature` declares.
fn name(signature: &str) -> String {
    // `fn` before `const`, because of constant functions.
    let words = ["fn ", "struct ", "enum ", "trait ", "type ", "const ", "mod "];
    let start = words.iter().find_map(|word| Some(signature.find(word)? + word.len())).unwrap_or_default();
    let rest = signature[start..].trim_start_matches("pub ");
    rest.chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect()
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
