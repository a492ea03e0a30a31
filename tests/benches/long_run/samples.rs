//! Resources of a process, sampled during a long run, and their growth.

use peak_alloc::PeakAlloc;
use sansmq_tests::leak_check::descriptors;
use std::fs;

/// Number of measured resources.
pub(crate) const COUNT: usize = 5;

/// Measured resources: name, unit, number of counted units per printed unit, and tolerance. A run fails if a resource
/// grows by more than its tolerance, in counted units, from the end of the warm-up to the end of the run, however long
/// this takes.
pub(crate) const RESOURCES: [(&str, &str, f64, f64); COUNT] = [
    // The allocator of the system may also keep freed memory.
    ("resident", "KiB", 1024.0, 12.0 * 1024.0 * 1024.0),
    // Each thread keeps up to 4 MiB of unused read buffers (`MAX_KEPT` in `connection/read_buffers.rs`), and the largest backlog
    // may arrive after the warm-up. The line through a single step rises by one and a half times the step.
    ("live", "KiB", 1024.0, 8.0 * 1024.0 * 1024.0),
    ("descriptors", "", 1.0, 4.0),
    ("threads", "", 1.0, 4.0),
    ("tasks", "", 1.0, 4.0),
];

/// Values of [`RESOURCES`] at one instant, in counted units.
pub(crate) type Sample = [f64; COUNT];

/// Returns the resources of this process. `tasks` is the number of tasks of its runtime.
pub(crate) fn sample(tasks: usize) -> Sample {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().next().and_then(|word| word.parse::<u32>().ok()).map_or(0.0, f64::from)
    };
    let count = |number: usize| u32::try_from(number).map_or(f64::INFINITY, f64::from);
    let live = count(PeakAlloc.current_usage());
    [field("VmRSS:") * 1024.0, live, count(descriptors()), field("Threads:"), count(tasks)]
}

/// Returns, for each resource, the minimum of the samples of a cycle. All cycles have the same faults, so what grows from
/// minimum to minimum is not given back.
pub(crate) fn minimum(samples: &[Sample]) -> Sample {
    samples.iter().fold([f64::INFINITY; COUNT], |least, sample| core::array::from_fn(|n| least[n].min(sample[n])))
}

/// Returns the slope of the line with the least squared distance from `points`, which are pairs of time and value.
pub(crate) fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.iter().fold(0.0, |count, _| count + 1.0);
    let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / count;
    let (x_mean, y_mean) =
        (mean(&mut points.iter().map(|point| point.0)), mean(&mut points.iter().map(|point| point.1)));
    let spread: f64 = points.iter().map(|(x, _)| (x - x_mean).powi(2)).sum();
    let joint: f64 = points.iter().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum();
    if spread == 0.0 { 0.0 } else { joint / spread }
}
