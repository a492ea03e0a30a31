//! Diagram of the benchmark results, as an SVG file. It shows the messages per second and the round-trip times for each
//! message size.

use super::Failure;
use super::args::Pair;
use super::report::Row;
use plotters::prelude::*;
use std::ops::Range;
use std::path::Path;

/// Result of one benchmark run, to be drawn in the diagram.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) pair: Pair,
    pub(crate) row: Row,
}

/// Name of a line of the diagram, and its points: message size in bytes, and measured value.
type Series = (String, Vec<(f64, f64)>);

const WIDTH: u32 = 900;
const HEIGHT: u32 = 450;

/// Draws the diagram to `file`: one panel for throughput and one for round-trip times. A panel without points is left
/// out.
pub(crate) fn draw(file: &Path, measured: &[Measured]) -> Result<(), Failure> {
    let rate = series(measured, true, "", |row| Some(row.msg_per_s));
    let mut trips = series(measured, false, " p50", |row| row.p50_us);
    trips.extend(series(measured, false, " p99", |row| row.p99_us));
    let panels = [("messages per second", rate), ("round trip in µs", trips)];
    let panels: Vec<_> = panels.into_iter().filter(|(_, lines)| !lines.is_empty()).collect();
    let height = HEIGHT * u32::try_from(panels.len())?;
    let area = SVGBackend::new(file, (WIDTH, height)).into_drawing_area();
    area.fill(&WHITE)?;
    for (area, (title, lines)) in area.split_evenly((panels.len(), 1)).iter().zip(&panels) {
        panel(area, title, lines)?;
    }
    area.present()?;
    Ok(())
}

fn panel(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    title: &str,
    lines: &[Series],
) -> Result<(), Failure> {
    let points = || lines.iter().flat_map(|(_, points)| points);
    let (x, y) = (span(points().map(|point| point.0)), span(points().map(|point| point.1)));
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(80)
        .build_cartesian_2d(x.log_scale().base(2.0), y.log_scale())?;
    let mesh = &mut chart.configure_mesh();
    mesh.x_desc("bytes per message").x_label_formatter(&|size| format!("{size:.0}"));
    mesh.y_label_formatter(&|value| format!("{value:.0}")).draw()?;
    for (index, (name, points)) in lines.iter().enumerate() {
        let color = Palette99::pick(index).stroke_width(2);
        let line = chart.draw_series(LineSeries::new(points.iter().copied(), color).point_size(3))?;
        line.label(name).legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color));
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
    Ok(())
}

/// Returns the lines of one panel of the diagram, one for each pair of socket types and each runtime. Uses the runs
/// that send messages in one direction if `one_way` is true, else the runs with requests and replies. `value` returns
/// the y value of a point from the results of a run, and `suffix` is added to the name of each line.
fn series(measured: &[Measured], one_way: bool, suffix: &str, value: impl Fn(&Row) -> Option<f64>) -> Vec<Series> {
    let mut lines: Vec<Series> = Vec::new();
    for Measured { pair, row } in measured.iter().filter(|measured| measured.pair.one_way == one_way) {
        let Some(value) = value(row).filter(|&value| value > 0.0) else { continue };
        let name = format!("{} {}{suffix}", pair.name, row.runtime);
        // The axis is logarithmic, so empty messages count as one byte.
        let point = (u32::try_from(row.size.max(1)).map_or(f64::MAX, f64::from), value);
        match lines.iter_mut().find(|(known, _)| *known == name) {
            Some((_, points)) => points.push(point),
            None => lines.push((name, vec![point])),
        }
    }
    lines
}

/// Returns the range of an axis, which is a little larger than the range of the values.
fn span(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (least, most) =
        values.fold((f64::MAX, f64::MIN_POSITIVE), |(least, most), value| (least.min(value), most.max(value)));
    least / 1.3..most * 1.3
}
