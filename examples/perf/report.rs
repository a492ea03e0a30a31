//! What one end measured, as a row of a table or as JSON.

use super::args::End;
use super::watch::Spent;
use hdrhistogram::Histogram;
use std::fmt;

#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) end: End,
    /// How many messages the clock saw: without the first one where that one started it.
    pub(crate) measured: u64,
    pub(crate) spent: Spent,
    /// In nanoseconds.
    pub(crate) round_trips: Option<Histogram<u64>>,
}

/// What stands above the rows.
pub(crate) const HEADING: &str =
    "end      size      count      msg/s     MB/s  cpu µs/msg  p50 µs  p90 µs  p99 µs p99.9 µs   max µs";

impl Report {
    fn messages_per_second(&self) -> f64 {
        let seconds = self.spent.wall.as_secs_f64();
        if seconds > 0.0 { float(self.measured) / seconds } else { 0.0 }
    }

    fn megabytes_per_second(&self) -> f64 {
        self.messages_per_second() * float(self.end.size as u64) / 1e6
    }

    /// Processor time per message.
    fn processor_micros(&self) -> Option<f64> {
        let spent = self.spent.processor?;
        (self.measured > 0).then(|| spent.as_secs_f64() * 1e6 / float(self.measured))
    }

    /// p50, p90, p99, p99.9 and the maximum, in microseconds.
    fn percentiles(&self) -> Option<[f64; 5]> {
        let trips = self.round_trips.as_ref()?;
        let nanos = [0.5, 0.9, 0.99, 0.999].map(|quantile| trips.value_at_quantile(quantile));
        let [p50, p90, p99, p999] = nanos.map(|nanos| float(nanos) / 1e3);
        Some([p50, p90, p99, p999, float(trips.max()) / 1e3])
    }

    /// One line of JSON.
    pub(crate) fn json(&self) -> String {
        let End { role, size, count, runtime, .. } = &self.end;
        let [p50, p90, p99, p999, max] = match self.percentiles() {
            Some(micros) => micros.map(|micros| format!("{micros:.1}")),
            None => core::array::from_fn(|_| "null".into()),
        };
        let processor = self.processor_micros().map_or_else(|| "null".into(), |micros| format!("{micros:.3}"));
        format!(
            "{{\"end\":\"{}\",\"runtime\":\"{}\",\"size\":{size},\"count\":{count},\"seconds\":{:.6},\
             \"msg_per_s\":{:.1},\"mb_per_s\":{:.3},\"cpu_us_per_msg\":{processor},\
             \"p50_us\":{p50},\"p90_us\":{p90},\"p99_us\":{p99},\"p999_us\":{p999},\"max_us\":{max}}}",
            role.name(),
            runtime.name(),
            self.spent.wall.as_secs_f64(),
            self.messages_per_second(),
            self.megabytes_per_second(),
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let End { role, size, count, .. } = &self.end;
        let (rate, octets) = (self.messages_per_second(), self.megabytes_per_second());
        write!(f, "{:4} {size:>8} {count:>10} {rate:>10.0} {octets:>8.1}", role.name())?;
        match self.processor_micros() {
            Some(micros) => write!(f, " {micros:>11.3}")?,
            None => write!(f, " {:>11}", "-")?,
        }
        if let Some([p50, p90, p99, p999, max]) = self.percentiles() {
            write!(f, " {p50:>7.1} {p90:>7.1} {p99:>7.1} {p999:>8.1} {max:>8.1}")?;
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "a measurement has no 53 significant bits")]
const fn float(number: u64) -> f64 {
    number as f64
}
