//! Tables in restic's layout: a header, a rule, rows of one or more lines, a rule, a footer.

use unicode_width::UnicodeWidthStr;

use super::text;

const GAP: &str = "  ";

/// A table; cells hold text from repositories and are made [visible](text::one_line) line by line.
pub(crate) struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Vec<Vec<String>>>,
    footer: Vec<String>,
    blank_between_rows: bool,
}

impl Table {
    /// A table with these column headings; a heading may be padded with blanks to widen its column.
    pub(crate) fn new(columns: impl IntoIterator<Item = &'static str>) -> Table {
        Table {
            columns: columns.into_iter().collect(),
            rows: Vec::new(),
            footer: Vec::new(),
            blank_between_rows: false,
        }
    }

    /// Adds a row; each cell is a list of lines.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Vec<String>>) {
        let visible = |lines: Vec<String>| lines.iter().map(|line| text::one_line(line).into_owned()).collect();
        self.rows.push(cells.into_iter().map(visible).collect());
    }

    /// Adds a line below the table.
    pub(crate) fn footer(&mut self, line: impl Into<String>) {
        self.footer.push(line.into());
    }

    /// Sets a blank line between rows, for rows of several lines.
    pub(crate) fn blank_between_rows(&mut self) {
        self.blank_between_rows = true;
    }

    /// The table as text; no line ends with a blank.
    pub(crate) fn render(&self) -> String {
        let widths = self.widths();
        let rule = "-".repeat(widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1));
        let heading: Vec<Vec<String>> = self.columns.iter().map(|column| vec![(*column).to_owned()]).collect();
        let mut out = String::new();
        push_row(&mut out, &heading, &widths);
        out.push_str(&rule);
        out.push('\n');
        for (number, row) in self.rows.iter().enumerate() {
            if number > 0 && self.blank_between_rows {
                out.push('\n');
            }
            push_row(&mut out, row, &widths);
        }
        out.push_str(&rule);
        out.push('\n');
        for line in &self.footer {
            out.push_str(line);
            out.push('\n');
        }
        out
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.columns.iter().map(|column| column.width()).collect();
        for (width, lines) in self.rows.iter().flat_map(|row| widths_of(row)) {
            if let Some(known) = widths.get_mut(width) {
                *known = (*known).max(lines);
            }
        }
        widths
    }
}

/// The number of each cell of a row, with the width of its widest line.
fn widths_of(row: &[Vec<String>]) -> impl Iterator<Item = (usize, usize)> {
    row.iter().map(|lines| lines.iter().map(|line| line.width()).max().unwrap_or(0)).enumerate()
}

fn push_row(out: &mut String, cells: &[Vec<String>], widths: &[usize]) {
    let height = cells.iter().map(Vec::len).max().unwrap_or(1).max(1);
    for number in 0..height {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(widths) {
            let content = cell.get(number).map_or("", String::as_str);
            line.push_str(content);
            line.extend(std::iter::repeat_n(' ', width.saturating_sub(content.width())));
            line.push_str(GAP);
        }
        out.push_str(line.trim_end_matches(' '));
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells<const N: usize>(cells: [&str; N]) -> Vec<Vec<String>> {
        cells.iter().map(|cell| cell.split('\n').map(str::to_owned).collect()).collect()
    }

    #[test]
    fn columns_line_up_and_no_line_ends_with_a_blank() {
        let mut table = Table::new(["ID", "Host      ", "Size"]);
        table.row(cells(["5d4b6f64", "vm", "6 B"]));
        table.row(cells(["ab60c787", "", ""]));
        table.footer("2 snapshots");
        let expected = "\
ID        Host        Size
--------------------------
5d4b6f64  vm          6 B
ab60c787
--------------------------
2 snapshots
";
        assert_eq!(table.render(), expected);
    }

    #[test]
    fn a_cell_of_several_lines_makes_a_taller_row() {
        let mut table = Table::new(["ID", "Paths"]);
        table.blank_between_rows();
        table.row(cells(["1", "/a\n/b"]));
        table.row(cells(["2", "/c"]));
        assert_eq!(table.render(), "ID  Paths\n---------\n1   /a\n    /b\n\n2   /c\n---------\n");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        let mut table = Table::new(["Host", "X"]);
        table.row(cells(["監視機", "1"]));
        assert_eq!(table.render(), "Host    X\n---------\n監視機  1\n---------\n");
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown_as_text() {
        let mut table = Table::new(["Host"]);
        table.row(cells(["\u{1b}[2J"]));
        assert_eq!(table.render(), "Host\n-------\n\\x1b[2J\n-------\n");
    }
}
