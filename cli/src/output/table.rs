//! Tables in the form that `nova` prints, and the same cells without the lines.

use comfy_table::{ContentArrangement, Table, TableComponent, presets};
use serde_json::Value;

/// One column: its title, and how its cell is read from the API's object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// What stands above it.
    pub(crate) title: &'static str,
    /// What stands in it.
    pub(crate) cell: fn(&Value) -> String,
}

impl Column {
    /// A column.
    pub(crate) const fn new(title: &'static str, cell: fn(&Value) -> String) -> Self {
        Self { title, cell }
    }
}

/// Several things, one a row.
pub(crate) fn list(columns: &[Column], rows: &[Value], width: Option<u16>) -> String {
    let mut table = empty(width);
    table.set_header(columns.iter().map(|c| c.title));
    for row in rows {
        table.add_row(columns.iter().map(|c| printable(&(c.cell)(row))));
    }
    table.to_string()
}

/// One thing, one property a row.
pub(crate) fn show(fields: &[(String, String)], width: Option<u16>) -> String {
    let mut table = empty(width);
    table.set_header(["Property", "Value"]);
    for (name, value) in fields {
        table.add_row([name.clone(), printable(value)]);
    }
    table.to_string()
}

/// The cells alone: one thing a line, blanks between.
pub(crate) fn values(columns: &[Column], rows: &[Value]) -> String {
    let line = |row: &Value| {
        let cells: Vec<String> = columns
            .iter()
            .map(|c| (c.cell)(row).replace('\n', " "))
            .collect();
        cells.join(" ")
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn empty(width: Option<u16>) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::ASCII_FULL_CONDENSED)
        .set_style(TableComponent::HeaderLines, '-')
        .set_style(TableComponent::MiddleHeaderIntersections, '+');
    match width {
        Some(width) => {
            table
                .set_content_arrangement(ContentArrangement::Dynamic)
                .set_width(width);
        }
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    table
}

/// Names come from other people: what would move the cursor or ring the bell is shown as `?`.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() && c != '\n' { '?' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::output::cell::word;

    const COLUMNS: [Column; 2] = [
        Column::new("ID", |v| word(v, "id")),
        Column::new("Name", |v| word(v, "name")),
    ];

    #[test]
    fn a_list_looks_like_novas() {
        let rows = [
            json!({"id": "1", "name": "m1.tiny"}),
            json!({"id": "22", "name": "b"}),
        ];
        assert_eq!(
            list(&COLUMNS, &rows, None),
            "\
+----+---------+
| ID | Name    |
+----+---------+
| 1  | m1.tiny |
| 22 | b       |
+----+---------+"
        );
    }

    #[test]
    fn values_are_one_line_each() {
        let rows = [json!({"id": "1", "name": "a\nb"}), json!({"id": "2"})];
        assert_eq!(values(&COLUMNS, &rows), "1 a b\n2 -");
    }

    #[test]
    fn a_name_cannot_drive_the_terminal() {
        let rows = [json!({"id": "1", "name": "\u{1b}[2Jgone"})];
        assert!(list(&COLUMNS, &rows, None).contains("?[2Jgone"));
    }
}
