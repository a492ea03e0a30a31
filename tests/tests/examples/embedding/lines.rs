//! The size of each example, and the guide that shows one of them.

/// Largest number of lines of the loop of an example.
const LIMIT: usize = 40;

macro_rules! example {
    ($name:literal, $others:expr) => {
        ($name, include_str!(concat!("../../../../examples/embedding/", $name, ".rs")), &$others)
    };
}

/// Name of each file, its source text, and its functions that are not part of the loop: `main`, the application, functions that
/// open and close streams, and simulated hardware.
const FILES: [(&str, &str, &[&str]); 8] = [
    example!("embed_poll", ["main", "echo"]),
    example!("embed_epoll", ["main"]),
    example!("embed_calloop", ["main"]),
    example!("../glib/embed_glib", ["main"]),
    example!("embed_tick", ["main"]),
    example!("embed_uring", ["main", "listen", "accepted", "connect"]),
    example!(
        "embed_nothing",
        ["main", "simulate", "serve", "end", "unplug", "socket", "connect", "impl Entropy for Seeded"]
    ),
    example!(
        "embed_smoltcp",
        [
            "main",
            "simulate",
            "serve",
            "run",
            "node",
            "socket",
            "timer",
            "micros",
            "listening",
            "listen",
            "accept",
            "connect",
            "close",
            "tcp_socket",
            "impl Device for Wire",
            "impl RxToken for Received",
            "impl TxToken for Sent<'_>",
            "impl Entropy for Seeded",
        ]
    ),
];

/// Returns the lines of the functions of a formatted source file, without those in `others`. Comments, attributes and empty lines
/// do not count.
fn loop_lines<'a>(source: &'a str, others: &[&str]) -> Vec<&'a str> {
    let mut lines = Vec::new();
    let mut is_counted = false;
    for line in source.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with(['#', '/'])) {
        if !line.starts_with([' ', '}', ')', ']']) {
            let (_, function) = line.split_once("fn ").unwrap_or_default();
            let function = function.split(['(', '<']).next().filter(|name| !name.is_empty());
            let name = function.or_else(|| Some(line.strip_suffix(" {")?).filter(|line| line.starts_with("impl")));
            is_counted = name.is_some_and(|name| !others.contains(&name));
        }
        if is_counted {
            lines.push(line);
        }
    }
    lines
}

#[test]
fn each_loop_has_at_most_forty_lines() {
    for (name, source, others) in FILES {
        let count = loop_lines(source, others).len();
        println!("{name}: {count} lines");
        assert!(count <= LIMIT, "the loop of {name} has {count} lines, and at most {LIMIT} are allowed");
    }
}

#[test]
fn lines_of_loop_exclude_only_named_functions() {
    let source = "use a::{\n    b,\n};\n\n/// A.\nfn a() {\n    // why\n    b();\n}\n\n#[inline]\npub fn b<T>(\n    c: u8,\n) {\n}\n\nstruct C {\n    d: u8,\n}\n\nimpl C {\n    fn e() {}\n}\n";
    assert_eq!(loop_lines(source, &["a", "impl C"]), ["pub fn b<T>(", "    c: u8,", ") {", "}"]);
    assert_eq!(loop_lines(source, &["b"]), ["fn a() {", "    b();", "}", "impl C {", "    fn e() {}", "}"]);
}

/// Checks that the code blocks of the guide, in order, are exactly the lines of `embed_poll.rs`. They cannot be compiled one by one.
#[test]
fn guide_contains_poll_example_line_by_line() {
    let mut shown = Vec::new();
    let mut inside = false;
    for line in include_str!("../../../../proto/src/embedding.md").lines() {
        match line {
            "```text" => inside = true,
            "```" => inside = false,
            line if inside => shown.push(line.trim()),
            _ => {}
        }
    }
    let lines = FILES[0].1.lines().map(str::trim);
    // Indentation and empty lines may differ.
    let expected: Vec<_> = lines.filter(|line| !line.is_empty() && !line.starts_with("//!")).collect();
    shown.retain(|line| !line.is_empty());
    for (number, (shown, line)) in shown.iter().zip(&expected).enumerate() {
        assert_eq!(shown, line, "line {number} of the guide");
    }
    assert_eq!(shown.len(), expected.len(), "the guide has too few or too many lines");
}

/// Checks that the guide names each program.
#[test]
fn guide_names_each_example() {
    for (name, ..) in FILES {
        assert!(include_str!("../../../../proto/src/embedding.md").contains(&format!("`{name}.rs`")), "{name}");
    }
}
