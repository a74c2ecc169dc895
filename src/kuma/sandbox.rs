//! Where SQL of a snapshot runs: a database in memory that knows empty tables without types, and an authorizer that lets
//! nothing happen but inserts of constants into them.
//!
//! A snapshot comes from whoever can write to the repository. Its SQL can reach no file, no other database and no row that
//! was there before, and it cannot use more time or memory than the limits here.

use std::time::{Duration, Instant};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode};

use super::Value;
use super::dump::{Row, quoted};

/// The largest text of a dump that is read.
pub(super) const SQL_AT_MOST_BYTES: usize = 256 << 20;
/// The largest value: functions of an old dump such as `replace` could multiply a short text.
const VALUE_AT_MOST_BYTES: i32 = 64 << 20;
/// The most pages of 4 KiB that all rows together may take: 1 GiB.
const PAGES_AT_MOST: u32 = 1 << 18;
/// How long all statements together may run.
const TIME_AT_MOST: Duration = Duration::from_secs(60);
/// After how many steps of SQLite's machine the time is looked at.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;

/// Functions that the sqlite3 shell's `.dump` writes around text with line ends and control characters.
const FUNCTIONS: [&str; 3] = ["replace", "char", "unistr"];

/// The database in memory.
pub(super) struct Sandbox {
    connection: Connection,
}

impl Sandbox {
    /// A sandbox with these tables. Their columns have no type, so that a value stays as it was written.
    pub(super) fn new<'a>(tables: impl Iterator<Item = (&'a str, &'a [String])>) -> rusqlite::Result<Sandbox> {
        let mut connection = Connection::open_in_memory()?;
        let mut names = Vec::new();
        for (name, columns) in tables {
            let columns: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
            connection.execute_batch(&format!("CREATE TABLE {} ({})", quoted(name), columns.join(", ")))?;
            names.push(name.to_owned());
        }
        connection.pragma_update(None, "max_page_count", PAGES_AT_MOST)?;
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_AT_MOST_BYTES)?;
        connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
        connection.set_limit(Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1)?;
        let deadline = Instant::now() + TIME_AT_MOST;
        connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(move || Instant::now() > deadline))?;
        connection.authorizer(Some(move |context: AuthContext<'_>| judge(&context.action, &names)))?;
        Ok(Sandbox { connection })
    }

    /// Runs one `INSERT`. The error says what is wrong without repeating the statement, which may hold a password.
    pub(super) fn insert(&self, statement: &str) -> Result<(), String> {
        match self.connection.execute(statement, []) {
            Ok(_) => Ok(()),
            Err(rusqlite::Error::MultipleStatement) => Err("it is more than one statement".to_owned()),
            Err(error) => Err(reason(&error)),
        }
    }

    /// The rows of a table, in the order in which they were inserted.
    pub(super) fn rows(&mut self, table: &str, columns: usize) -> rusqlite::Result<Vec<Row>> {
        self.connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>)?;
        let mut statement = self.connection.prepare(&format!("SELECT * FROM {} ORDER BY rowid", quoted(table)))?;
        let rows = statement.query_map([], |row| (0..columns).map(|i| Ok(Value::from(row.get_ref(i)?))).collect())?;
        rows.collect()
    }
}

fn reason(error: &rusqlite::Error) -> String {
    let code = match error {
        rusqlite::Error::SqlInputError { error, .. } => Some(error.code),
        other => other.sqlite_error_code(),
    };
    match code {
        Some(ErrorCode::AuthorizationForStatementDenied) => "it does more than insert constants".to_owned(),
        Some(ErrorCode::OperationInterrupted) => format!("it runs longer than {} s", TIME_AT_MOST.as_secs()),
        Some(ErrorCode::DiskFull | ErrorCode::TooBig) => "it needs more memory than a dump may".to_owned(),
        Some(ErrorCode::Unknown) | None => "it is no SQL, or not for this table".to_owned(),
        Some(code) => format!("SQLite says {code:?}"),
    }
}

fn judge(action: &AuthAction<'_>, tables: &[String]) -> Authorization {
    let allowed = match action {
        AuthAction::Insert { table_name } => tables.iter().any(|table| table == table_name),
        // `VALUES` with several rows is a SELECT without a table; to read one needs `Read` besides.
        AuthAction::Select => true,
        AuthAction::Function { function_name } => FUNCTIONS.contains(function_name),
        _ => false,
    };
    if allowed { Authorization::Allow } else { Authorization::Deny }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sandbox() -> Sandbox {
        let columns = ["id".to_owned(), "name".to_owned()];
        Sandbox::new([("tag", &columns[..]), ("group", &columns[..])].into_iter()).unwrap()
    }

    #[test]
    fn inserts_of_constants_run_and_keep_their_types() {
        let mut sandbox = sandbox();
        sandbox.insert("INSERT INTO tag VALUES (1, '007'), (2, CAST(x'00' AS TEXT))").unwrap();
        sandbox.insert(r"INSERT INTO [group](name) VALUES (replace('a\nb','\n',char(10)))").unwrap();
        sandbox.insert(r"INSERT INTO `group`(name) VALUES (unistr('\u000ab'))").unwrap();
        let text = |text: &str| Value::Text(text.into());
        let rows = vec![vec![Value::Integer(1), text("007")], vec![Value::Integer(2), text("\0")]];
        assert!(sandbox.rows("tag", 2).unwrap() == rows);
        assert!(
            sandbox.rows("group", 2).unwrap() == vec![vec![Value::Null, text("a\nb")], vec![Value::Null, text("\nb")]]
        );
    }

    #[test]
    fn anything_else_is_refused() {
        let mut sandbox = sandbox();
        sandbox.insert("INSERT INTO tag VALUES (1, 'a')").unwrap();
        for hostile in [
            "INSERT INTO tag SELECT id, name FROM tag",
            "INSERT INTO tag VALUES (1, (SELECT sql FROM sqlite_schema))",
            "INSERT INTO tag VALUES (1, readfile('/etc/passwd'))",
            "INSERT INTO tag VALUES (1, randomblob(10))",
            "INSERT INTO tag VALUES (1, load_extension('x'))",
            "INSERT INTO tag VALUES (1, 'a') RETURNING name",
            "INSERT INTO tag WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT i, i FROM n",
            "INSERT INTO sqlite_schema VALUES (1, 2, 3, 4, 5)",
            "INSERT INTO monitor VALUES (1, 2)",
            "ATTACH '/tmp/x' AS x",
            "PRAGMA writable_schema = ON",
            "DELETE FROM tag",
            "DROP TABLE tag",
            "UPDATE tag SET name = 'b'",
            "CREATE TABLE x (y)",
            "CREATE TRIGGER t AFTER INSERT ON tag BEGIN DELETE FROM tag; END",
            "VACUUM INTO '/tmp/x'",
            "SELECT 1; SELECT 2",
            "INSERT INTO tag VALUES (2, 'b'); DELETE FROM tag",
        ] {
            assert!(sandbox.insert(hostile).is_err(), "{hostile}");
        }
        assert_eq!(sandbox.rows("tag", 2).unwrap().len(), 1);
    }

    #[test]
    fn a_value_cannot_be_multiplied_without_end() {
        let long = "a".repeat(10_000);
        let error =
            sandbox().insert(&format!("INSERT INTO tag VALUES (1, replace('{long}', 'a', '{long}'))")).unwrap_err();
        assert_eq!(error, "it needs more memory than a dump may");
    }

    #[test]
    fn an_error_does_not_repeat_the_statement() {
        let error = sandbox().insert("INSERT INTO tag VALUES (1, 'hunter2' hunter2)").unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
