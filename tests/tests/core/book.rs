//! Checks the pages of the guide, `docs/book`: each is listed, and each Korean page has the code and the links of the English page.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const ENGLISH: &str = "docs/book/src";
const KOREAN: &str = "docs/book/ko/src";

#[test]
fn each_page_is_listed_in_both_languages() {
    let english = listed(ENGLISH);
    assert_eq!(english.iter().cloned().collect::<BTreeSet<_>>(), pages(ENGLISH), "the list in {ENGLISH}/SUMMARY.md");
    assert_eq!(listed(KOREAN), english, "the list in {KOREAN}/SUMMARY.md");
    assert_eq!(pages(KOREAN), pages(ENGLISH), "the pages in {KOREAN}");
}

/// The facade contains each English page, so that its programs run as doc tests.
#[test]
fn each_english_page_is_part_of_the_facade() {
    let guide = read("src/guide.rs");
    for page in listed(ENGLISH) {
        let text = read(&format!("{ENGLISH}/{page}"));
        // A page of another package runs there.
        let is_included = text.starts_with("{{#include ../../../proto/src/") || page == "introduction.md";
        assert!(
            is_included || guide.contains(&format!("(\"../{ENGLISH}/{page}\")")),
            "src/guide.rs does not include {page}"
        );
    }
}

#[test]
fn korean_pages_have_the_code_of_the_english_pages() {
    for page in listed(KOREAN) {
        let [english, korean] = [ENGLISH, KOREAN].map(|folder| Page::new(&format!("{folder}/{page}")));
        for (number, (english, korean)) in english.blocks.iter().zip(&korean.blocks).enumerate() {
            assert_eq!(english, korean, "block {} of {page} differs", number + 1);
        }
        assert_eq!(english.blocks.len(), korean.blocks.len(), "the number of blocks in {page}");
        assert_eq!(english.headings, korean.headings, "the levels of the headings in {page}");
        assert_eq!(english.links, korean.links, "the links in {page}");
    }
}

#[test]
fn page_is_split_into_code_headings_and_links() {
    let page =
        Page::parse("Text [a](crate::A).\n\n# One\n\n```rust\n# hidden\n[no](crate::B)\n```\n## Two [`b`](crate::C)\n");
    assert_eq!(page.blocks, ["```rust\n# hidden\n[no](crate::B)\n```\n"]);
    assert_eq!(page.headings, [1, 2]);
    assert_eq!(page.links, BTreeSet::from(["crate::A".to_owned(), "crate::C".to_owned()]));
}

/// Parts of a page that are the same in each language.
#[derive(Default)]
struct Page {
    blocks: Vec<String>,
    /// Level of each heading.
    headings: Vec<usize>,
    links: BTreeSet<String>,
}

impl Page {
    /// Reads a page. A page that is part of another package consists of one line, which includes it.
    fn new(path: &str) -> Self {
        let text = read(path);
        let included = text.strip_prefix("{{#include ../../../").and_then(|rest| rest.split("}}").next());
        Self::parse(&included.map_or_else(|| text.clone(), read))
    }

    fn parse(text: &str) -> Self {
        let (mut page, mut block) = (Self::default(), None::<String>);
        for line in text.split_inclusive('\n') {
            let is_fence = line.starts_with("```");
            match &mut block {
                Some(open) => {
                    open.push_str(line);
                    if is_fence {
                        page.blocks.extend(block.take());
                    }
                }
                None if is_fence => block = Some(line.to_owned()),
                None => {
                    page.headings.extend(
                        line.split_once("# ")
                            .map(|(level, _)| level.len() + 1)
                            .filter(|level| line.starts_with(&"#".repeat(*level))),
                    );
                    let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
                    // The heading that an anchor names is in the language of the page.
                    page.links.extend(targets.map(|target| target.split('#').next().unwrap_or_default().to_owned()));
                }
            }
        }
        assert_eq!(block, None, "a block of code does not end");
        page
    }
}

/// Returns the pages in the list of a book, in order.
fn listed(folder: &str) -> Vec<String> {
    let list = read(&format!("{folder}/SUMMARY.md"));
    list.lines().filter_map(|line| Some(line.split_once("](")?.1.strip_suffix(')')?.to_owned())).collect()
}

/// Returns the files of a book, without its list.
fn pages(folder: &str) -> BTreeSet<String> {
    let (root, mut found) = (path(folder), BTreeSet::new());
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    assert!(found.remove("SUMMARY.md"));
    found
}

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)
}

fn read(file: &str) -> String {
    fs::read_to_string(path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}
