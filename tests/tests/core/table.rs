//! Checks that the tests named in the table of libzmq's tests, in the README of this package, exist.

use std::fs;
use std::path::Path;

#[test]
fn readme_table_names_existing_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let mut count = 0;
    for row in readme.lines().filter(|line| line.starts_with("| `")) {
        let links = row.split('|').nth(3).unwrap();
        let mut source = String::new();
        for name in links.split('`').skip(1).step_by(2) {
            if Path::new(name).extension().is_some() {
                let folder = if name.starts_with("proto/") { root.join("..") } else { root.join("tests") };
                source = fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
            } else if name.contains('_') {
                assert!(source.contains(&format!("fn {name}()")), "{name} is not in the file that the table names");
                count += 1;
            }
        }
    }
    assert!(count > 60, "the table names only {count} tests; expected more than 60");
}
