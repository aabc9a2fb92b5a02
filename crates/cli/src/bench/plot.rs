//! The rates over the context as a picture: prefill above, decode below.

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::{
    ChartBuilder, Circle, DrawingArea, IntoDrawingArea as _, IntoLogRange as _, LineSeries,
    PathElement, RGBColor, SVGBackend, WHITE,
};

use super::output::{Report, Row, Spread};

const WIDTH: u32 = 800;
const HEIGHT: u32 = 720;
const BLUE: RGBColor = RGBColor(31, 84, 158);
const FONT: &str = "sans-serif";

/// Draws a report as SVG.
pub(super) fn draw(report: &Report) -> Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
        // The backend writes into a string: what it can report is a mistake of ours.
        draw_on(&area, report).map_err(|error| anyhow!("cannot draw the plot: {error}"))?;
    }
    Ok(svg)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type DrawResult = std::result::Result<(), Box<dyn std::error::Error>>;

fn draw_on(area: &Area<'_>, report: &Report) -> DrawResult {
    area.fill(&WHITE)?;
    let machine = &report.machine;
    let title = format!("{} on {} ({})", report.model, machine.name, machine.backend);
    let area = area.titled(&title, (FONT, 16))?;
    let prefill: Vec<_> = report.rows.iter().filter_map(Row::prefill).collect();
    let decode: Vec<_> = report.rows.iter().map(Row::decode).collect();
    if prefill.is_empty() {
        return panel(&area, "decode, tokens per second", &decode);
    }
    let (above, below) = area.split_vertically(HEIGHT / 2);
    panel(&above, "prefill, tokens per second", &prefill)?;
    panel(&below, "decode, tokens per second", &decode)
}

/// Medians, with a line from the smallest to the largest of all passes.
fn panel(area: &Area<'_>, caption: &str, points: &[Spread]) -> DrawResult {
    let first = points.first().map_or(1.0, |point| point.ctx);
    let last = points.last().map_or(1.0, |point| point.ctx).max(first * 2.0);
    // Rates begin at zero, so that a fall looks as large as it is.
    let top = points.iter().map(|point| point.max).fold(0.0, f64::max) * 1.15;
    let mut chart = ChartBuilder::on(area)
        .caption(caption, (FONT, 14))
        .margin(12)
        .margin_right(32)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d((first..last).log_scale().base(2.0), 0.0..top)?;
    chart
        .configure_mesh()
        .x_desc("context, tokens")
        .x_label_formatter(&|x| format!("{x:.0}"))
        .light_line_style(WHITE)
        .draw()?;
    let medians = || points.iter().map(|point| (point.ctx, point.median));
    chart.draw_series(LineSeries::new(medians(), &BLUE))?;
    chart.draw_series(medians().map(|median| Circle::new(median, 3, BLUE)))?;
    let spread = |point: &Spread| {
        PathElement::new(vec![(point.ctx, point.min), (point.ctx, point.max)], BLUE)
    };
    chart.draw_series(points.iter().filter(|point| point.min < point.max).map(spread))?;
    Ok(())
}
