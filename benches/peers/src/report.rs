//! What is printed: a table per row, in Markdown, so that it can go into `docs/performance.md`; or JSON.

use serde_json::{Value, json};

use crate::contest::{Entry, Outcome, Summary};
use crate::machine::Machine;
use crate::row::{Column, Unit};

/// A row as a table with its title.
pub(crate) fn table(outcome: &Outcome) -> String {
    let mut lines = vec![heading(outcome.row.work.columns())];
    lines.extend(outcome.entries.iter().map(|entry| line(outcome, entry)));
    let troubles = outcome.entries.iter().filter_map(|entry| {
        let trouble = entry.trouble.as_ref()?;
        Some(format!("\n{}: {}\n", entry.name, trouble.trim()))
    });
    let row = outcome.row;
    format!("### {} (`{}`)\n\n{}{}", row.title, row.name, aligned(&lines), troubles.collect::<String>())
}

fn heading(columns: &[Column]) -> Vec<String> {
    let mut heading = vec!["server", columns[0].name, "min–max", "ratio"];
    heading.extend(columns[1..].iter().map(|column| column.name));
    heading.into_iter().map(str::to_owned).collect()
}

fn line(outcome: &Outcome, entry: &Entry) -> Vec<String> {
    let columns = outcome.row.work.columns();
    let unit = columns[0].unit;
    let main = entry.summary(0);
    let cell = |figure: Option<f64>, unit| figure.map_or_else(|| "–".into(), |figure| text(figure, unit));
    let spread = |Summary { min, max, .. }| format!("{}–{}", text(min, unit), text(max, unit));
    let mut line = vec![
        entry.name.to_owned(),
        cell(main.map(|main| main.median), unit),
        main.map_or_else(|| "–".into(), spread),
        cell(ratio(outcome, entry), Unit::Factor),
    ];
    let others = columns.iter().enumerate().skip(1);
    line.extend(others.map(|(index, column)| cell(entry.summary(index).map(|other| other.median), column.unit)));
    line
}

fn ratio(outcome: &Outcome, entry: &Entry) -> Option<f64> {
    Some(entry.summary(0)?.median / outcome.baseline()?)
}

fn aligned(lines: &[Vec<String>]) -> String {
    let width = |index: usize| lines.iter().map(|line| line[index].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    let mut texts: Vec<String> = lines.iter().map(|line| padded(line, &widths)).collect();
    let dashes =
        widths.iter().enumerate().map(|(index, width)| if index == 0 { rule(*width, ' ') } else { rule(*width, ':') });
    texts.insert(1, format!("|{}\n", dashes.collect::<String>()));
    texts.concat()
}

fn rule(width: usize, end: char) -> String {
    format!(" {}{end}|", "-".repeat(width))
}

/// Names to the left, figures to the right.
fn padded(cells: &[String], widths: &[usize]) -> String {
    let cells = cells.iter().zip(widths).enumerate().map(|(index, (cell, width))| match index {
        0 => format!(" {cell:<width$} |"),
        _ => format!(" {cell:>width$} |"),
    });
    format!("|{}\n", cells.collect::<String>())
}

fn text(figure: f64, unit: Unit) -> String {
    match unit {
        Unit::Count => thousands(figure),
        Unit::Factor => format!("{figure:.2}"),
        Unit::Bytes if figure >= 1024.0 * 1024.0 => format!("{:.1} MiB", figure / 1024.0 / 1024.0),
        Unit::Bytes if figure >= 1024.0 => format!("{:.1} KiB", figure / 1024.0),
        Unit::Bytes => format!("{figure:.0} bytes"),
        Unit::Seconds if figure == 0.0 => "0".into(),
        Unit::Seconds if figure < 1e-3 => format!("{:.1} µs", figure * 1e6),
        Unit::Seconds if figure < 1.0 => format!("{:.1} ms", figure * 1e3),
        Unit::Seconds => format!("{figure:.2} s"),
    }
}

fn thousands(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Everything for programs; times in seconds, sizes in bytes.
pub(crate) fn json(outcomes: &[Outcome], machine: &Machine) -> String {
    let rows: Vec<Value> = outcomes.iter().map(row).collect();
    format!("{:#}", json!({ "machine": machine.json(), "rows": rows }))
}

fn row(outcome: &Outcome) -> Value {
    let servers: Vec<Value> = outcome.entries.iter().map(|entry| server(outcome, entry)).collect();
    json!({ "name": outcome.row.name, "title": outcome.row.title, "servers": servers })
}

fn server(outcome: &Outcome, entry: &Entry) -> Value {
    let columns = outcome.row.work.columns().iter().enumerate();
    let figures = columns.filter_map(|(index, column)| {
        let Summary { median, min, max } = entry.summary(index)?;
        let samples: Vec<f64> = entry.samples.iter().map(|sample| sample[index]).collect();
        Some((column.name.to_owned(), json!({ "median": median, "min": min, "max": max, "samples": samples })))
    });
    let figures: serde_json::Map<String, Value> = figures.collect();
    json!({ "name": entry.name, "ratio": ratio(outcome, entry), "figures": figures, "trouble": entry.trouble })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::Kind;
    use crate::row::ROWS;

    #[test]
    fn a_table_says_what_there_is() {
        let entry = |name, kind, samples, trouble| Entry { name, kind, samples, trouble };
        let entries = vec![
            entry("nginx", Kind::Nginx, vec![vec![50_000.0, 0.002, 8.4e-6, 0.0]], None),
            entry("mongrel2", Kind::Ours, vec![], Some("it is ill\n".into())),
        ];
        let wanted = "### 1 KiB file, 50 connections (`1k`)\n\n\
            | server   | requests/s |       min–max | ratio |    p99 | CPU/request | failed |\n\
            | -------- | ----------:| -------------:| -----:| ------:| -----------:| ------:|\n\
            | nginx    |     50,000 | 50,000–50,000 |  1.00 | 2.0 ms |      8.4 µs |      0 |\n\
            | mongrel2 |          – |             – |     – |      – |           – |      – |\n\
            \nmongrel2: it is ill\n";
        assert_eq!(table(&Outcome { row: &ROWS[1], entries }), wanted);
    }

    #[test]
    fn figures_have_units() {
        let cases = [
            (999.4, Unit::Count, "999"),
            (1_234_567.0, Unit::Count, "1,234,567"),
            (525.0, Unit::Bytes, "525 bytes"),
            (69_632.0, Unit::Bytes, "68.0 KiB"),
            (1_572_864.0, Unit::Bytes, "1.5 MiB"),
            (0.0, Unit::Seconds, "0"),
            (0.508, Unit::Seconds, "508.0 ms"),
            (2.0, Unit::Seconds, "2.00 s"),
        ];
        for (figure, unit, wanted) in cases {
            assert_eq!(text(figure, unit), wanted);
        }
    }
}
