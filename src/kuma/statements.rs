//! Cutting SQL text into statements, as SQLite's own tokenizer would.

/// Iterates over the statements of `sql`, without their `;`, leading white space and comments.
pub(super) fn statements(sql: &[u8]) -> Statements<'_> {
    Statements { rest: sql }
}

/// See [`statements`].
pub(super) struct Statements<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Statements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            self.rest = skip_space(self.rest);
            if self.rest.is_empty() {
                return None;
            }
            let end = statement_length(self.rest);
            let (statement, rest) = self.rest.split_at(end);
            self.rest = rest.get(1..).unwrap_or_default();
            if !statement.is_empty() {
                return Some(statement);
            }
        }
    }
}

fn skip_space(mut sql: &[u8]) -> &[u8] {
    loop {
        let trimmed = sql.trim_ascii_start();
        sql = match comment_length(trimmed) {
            0 => return trimmed,
            length => trimmed.get(length..).unwrap_or_default(),
        };
    }
}

/// How far it is to the `;` that ends the statement, or to the end of the text.
fn statement_length(sql: &[u8]) -> usize {
    let mut at = 0;
    while let Some(rest) = sql.get(at..).filter(|rest| !rest.is_empty()) {
        at += match rest.first() {
            Some(b';') => return at,
            Some(b'\'' | b'"' | b'`' | b'[') => quoted_length(rest),
            _ => comment_length(rest).max(1),
        };
    }
    at
}

/// The length of the quoted token at the start of `sql`; a doubled quote stands for itself.
fn quoted_length(sql: &[u8]) -> usize {
    let quote = match sql.first() {
        Some(b'[') => b']',
        Some(quote) => *quote,
        None => return 0,
    };
    let doubles = quote != b']';
    let mut at = 1;
    while let Some(found) = sql.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == quote)) {
        at += found + 1;
        if !(doubles && sql.get(at) == Some(&quote)) {
            return at;
        }
        at += 1;
    }
    sql.len()
}

/// The length of the comment at the start of `sql`; 0 if there is none.
fn comment_length(sql: &[u8]) -> usize {
    if sql.starts_with(b"--") {
        sql.iter().position(|byte| *byte == b'\n').unwrap_or(sql.len())
    } else if sql.starts_with(b"/*") {
        sql.windows(2).skip(2).position(|pair| pair == b"*/").map_or(sql.len(), |position| position + 4)
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(sql: &str) -> Vec<String> {
        statements(sql.as_bytes()).map(|part| String::from_utf8_lossy(part).into_owned()).collect()
    }

    #[test]
    fn d1_a_semicolon_at_the_end_of_a_line_inside_text_does_not_cut() {
        let css = "INSERT INTO status_page VALUES('body {\n  color: red;\n}\n-- no comment;\n''quoted;''\n')";
        assert_eq!(cut(&format!("{css};\nCOMMIT;\n")), [css, "COMMIT"]);
    }

    #[test]
    fn comments_and_all_kinds_of_quotes_are_passed_over() {
        assert_eq!(cut("/* ; */ -- ;\nSELECT 1 /* ; */ -- ;\n;;"), ["SELECT 1 /* ; */ -- ;\n"]);
        assert_eq!(cut("A \"x\"\";\"; B `;`; C [;]"), ["A \"x\"\";\"", "B `;`", "C [;]"]);
        assert_eq!(cut("/**/A;/*/;*/B"), ["A", "B"]);
    }

    #[test]
    fn what_does_not_end_runs_to_the_end() {
        assert_eq!(cut("A ';"), ["A ';"]);
        assert_eq!(cut("A /*;"), ["A /*;"]);
        assert_eq!(cut(""), Vec::<String>::new());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_cut_without_losing_a_byte_of_a_statement(sql in "[-'\"`\\[\\];*/\n a]{0,40}") {
            let parts: usize = statements(sql.as_bytes()).map(<[u8]>::len).sum();
            proptest::prop_assert!(parts <= sql.len());
        }
    }
}
