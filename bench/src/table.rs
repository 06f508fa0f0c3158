//! The figures, beside what they are compared with.

use comfy_table::{Table, presets};

/// One line of the table.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    /// What was seen, run by run.
    pub(crate) seen: Vec<f64>,
    pub(crate) unit: &'static str,
    /// What OpenStack's own services needed on a machine of this kind.
    pub(crate) peer: &'static str,
    pub(crate) aim: Aim,
}

/// Where a figure should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Aim {
    AtMost(f64),
    AtLeast(f64),
    /// There is none; it is told for comparison.
    None,
}

impl Figure {
    /// The median of the runs.
    pub(crate) fn median(&self) -> f64 {
        median(&self.seen)
    }

    fn met(&self) -> &'static str {
        match self.aim {
            Aim::AtMost(most) if self.median() <= most => "yes",
            Aim::AtLeast(least) if self.median() >= least => "yes",
            Aim::AtMost(_) | Aim::AtLeast(_) => "no",
            Aim::None => "",
        }
    }

    fn aim(&self) -> String {
        match self.aim {
            Aim::AtMost(most) => format!("<= {}", short(most)),
            Aim::AtLeast(least) => format!(">= {}", short(least)),
            Aim::None => String::new(),
        }
    }
}

/// The middle value; 0 of nothing.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

/// Three digits that mean something.
fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// The whole table, for people.
pub(crate) fn render(figures: &[Figure]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header([
        "figure", "median", "least", "most", "unit", "peer", "aim", "met",
    ]);
    for figure in figures {
        let least = figure.seen.iter().copied().fold(f64::INFINITY, f64::min);
        let most = figure.seen.iter().copied().fold(0.0, f64::max);
        table.add_row([
            figure.name.to_owned(),
            short(figure.median()),
            short(least),
            short(most),
            figure.unit.to_owned(),
            figure.peer.to_owned(),
            figure.aim(),
            figure.met().to_owned(),
        ]);
    }
    table.to_string()
}
