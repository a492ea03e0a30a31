//! Clocks, processor time, and the lines that the driver reads: marks, and one JSON object as the result.

use crate::args::Args;
use crate::check::Checked;
use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Measured window: wall clock, and processor time of this process.
#[derive(Clone, Copy)]
pub struct Window {
    begin: Instant,
    used: Used,
}

impl Window {
    /// Starts the clock, and notifies the driver, which then samples the other process.
    pub fn start() -> Self {
        mark("start");
        let used = Used::now();
        Self { begin: Instant::now(), used }
    }

    pub fn stop(self) -> Measured {
        let secs = self.begin.elapsed().as_secs_f64();
        let now = Used::now();
        Measured { secs, user: now.user - self.used.user, sys: now.sys - self.used.sys }
    }
}

#[derive(Clone, Copy)]
pub struct Measured {
    pub secs: f64,
    pub user: f64,
    pub sys: f64,
}

/// Seconds of processor time, and the maximum of resident memory.
#[derive(Clone, Copy)]
struct Used {
    user: f64,
    sys: f64,
    max_rss_kb: i64,
}

impl Used {
    fn now() -> Self {
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: `getrusage` writes a whole `rusage` to the pointer, which is valid.
        let usage = unsafe {
            libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
            usage.assume_init()
        };
        let secs = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
        Self { user: secs(usage.ru_utime), sys: secs(usage.ru_stime), max_rss_kb: usage.ru_maxrss }
    }
}

/// Prints a line that the driver waits for: `@ready`, `@start`, `@subscribed`.
pub fn mark(what: &str) {
    print_line(&format!("@{what}"));
}

/// Prints the result. `messages` are those inside the window; `rtts` are nanoseconds, and may be empty.
pub fn report(a: &Args, measured: Measured, messages: u64, checked: Checked, rtts: &mut [u32]) {
    rtts.sort_unstable();
    let quantile = |part: f64| -> String {
        let index = ((rtts.len() as f64 * part) as usize).min(rtts.len().saturating_sub(1));
        rtts.get(index).map_or_else(|| "null".into(), |rtt| format!("{:.3}", f64::from(*rtt) / 1000.0))
    };
    let rate = messages as f64 / measured.secs;
    print_line(&format!(
        "{{\"impl\":\"{}\",\"scenario\":\"{}\",\"endpoint\":\"{}\",\"size\":{},\"count\":{messages},\"peers\":{},\
         \"secs\":{:.6},\"msgs_per_s\":{rate:.1},\"mb_per_s\":{:.3},\"p50_us\":{},\"p99_us\":{},\"p999_us\":{},\
         \"received\":{},\"sum\":{},\"cpu_user_s\":{:.4},\"cpu_sys_s\":{:.4},\"max_rss_kb\":{}}}",
        a.implementation,
        a.scenario.name(),
        a.endpoint,
        a.size,
        a.peers,
        measured.secs,
        rate * a.size as f64 / 1e6,
        quantile(0.5),
        quantile(0.99),
        quantile(0.999),
        checked.received,
        checked.sum,
        measured.user,
        measured.sys,
        Used::now().max_rss_kb,
    ));
}

/// Returns the nanoseconds since `begin`.
#[inline]
pub fn nanos_since(begin: Instant) -> u32 {
    begin.elapsed().as_nanos().try_into().unwrap_or(u32::MAX)
}

static IMPLEMENTATION: OnceLock<String> = OnceLock::new();

/// Lets every panic, and a run that takes longer than `--limit`, print a result with an error and end the process with a failure.
pub fn fail_on_errors(a: &Args) {
    IMPLEMENTATION.get_or_init(|| a.implementation.clone());
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        hook(panic);
        let message = panic.payload_as_str().unwrap_or("panic");
        fail(message);
    }));
    if a.limit > 0 {
        let limit = Duration::from_secs(a.limit);
        std::thread::spawn(move || {
            std::thread::sleep(limit);
            fail(&format!("no result within {} s: messages are lost, or the run is too slow", limit.as_secs()));
        });
    }
}

fn fail(message: &str) -> ! {
    let escaped: String = message
        .chars()
        .flat_map(|c| match c {
            '"' | '\\' => vec!['\\', c],
            c if c.is_control() => vec![' '],
            c => vec![c],
        })
        .collect();
    let implementation = IMPLEMENTATION.get().map_or("", String::as_str);
    print_line(&format!("{{\"impl\":\"{implementation}\",\"error\":\"{escaped}\"}}"));
    std::process::exit(101);
}

fn print_line(line: &str) {
    let mut out = std::io::stdout().lock();
    // The driver may have ended.
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

/// Keeps everything as it is until the driver ends this process.
pub fn park() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// Returns a flag that is set when the driver writes a line to the standard input of this process.
pub fn go_flag() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    std::thread::spawn(move || {
        let mut line = String::new();
        if std::io::stdin().lock().read_line(&mut line).is_ok_and(|n| n > 0) {
            set.store(true, Ordering::Release);
        }
    });
    flag
}

/// Raises the limit of open files as far as possible, up to 200,000.
pub fn raise_open_files() {
    let want = 200_000;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointers refer to a `rlimit` on the stack.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        if limit.rlim_max < want {
            let raised = libc::rlimit { rlim_cur: want, rlim_max: want };
            if libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) == 0 {
                return;
            }
        }
        limit.rlim_cur = limit.rlim_max.min(want);
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
    }
}
