//! [`library`]: a library that replaces functions of the C library in child processes: name lookups, and the wall clock.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::{env, fs, io};

const SOURCE: &str = include_str!("preload/preload.c");

/// Compiles `preload.c`, and returns the path of the library for the environment variable `LD_PRELOAD`. Its source
/// describes what the library replaces.
///
/// # Errors
/// If there is no C compiler, or the system is not Linux.
pub fn library() -> io::Result<PathBuf> {
    // Several tests of a process need the library.
    static LIBRARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    LIBRARY.get_or_init(|| compile().map_err(|error| error.to_string())).clone().map_err(io::Error::other)
}

fn compile() -> io::Result<PathBuf> {
    if !cfg!(target_os = "linux") {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "LD_PRELOAD is used on Linux only"));
    }
    let directory = env::current_exe()?.parent().ok_or(io::ErrorKind::NotFound)?.to_owned();
    // Renamed when it is complete, because other processes may use or compile it at the same time.
    let unfinished = |suffix: &str| directory.join(format!("preload-{}{suffix}", std::process::id()));
    let (source, compiled, library) = (unfinished(".c"), unfinished(".so"), directory.join("preload.so"));
    fs::write(&source, SOURCE)?;
    let mut command = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()));
    command.args(["-shared", "-fPIC", "-o"]).args([&compiled, &source]).arg("-ldl").stdin(Stdio::null());
    let status = command.status();
    fs::remove_file(&source)?;
    match status? {
        status if status.success() => fs::rename(compiled, &library).map(|()| library),
        status => Err(io::Error::other(format!("the C compiler failed: {status}"))),
    }
}
