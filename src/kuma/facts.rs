//! What a database says of itself: its tables and columns, the state of its schema, which instance it is.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::database::Database;
use super::schema::{HISTORY_TABLES, Since, TABLES};
use super::{KumaError, Value};

/// The state of Kuma's schema, as its migrations name it.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SchemaVersion {
    /// Setting `database_version`, which 1.x counted up.
    pub database_version: Option<String>,
    /// The patches of setting `databasePatchedFiles`, sorted.
    pub patches: BTreeSet<String>,
    /// The names of `knex_migrations`; empty in 1.x.
    pub migrations: BTreeSet<String>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its declared type.
    pub declared: String,
    /// The expression that a new row gets if nothing is said.
    pub default_sql: Option<String>,
    /// Whether a row cannot do without a value and there is no default.
    pub required: bool,
}

/// What a database says of itself.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The state of its schema.
    pub version: SchemaVersion,
    /// Of each configuration and history table there is: its columns in their order.
    pub tables: BTreeMap<String, Vec<Column>>,
    /// The statements that create these tables, as SQLite keeps them.
    pub create: BTreeMap<String, String>,
    /// Which instance it is: a digest of its session secret, which is random and its own. `None` before the first start.
    pub instance: Option<String>,
    /// The ids of the users; without one, Kuma offers whoever comes first to create the administrator.
    pub users: BTreeSet<i64>,
}

impl Facts {
    /// Whether it is a database of Kuma 2.x.
    #[must_use]
    pub fn is_v2(&self) -> bool {
        !self.version.migrations.is_empty()
    }

    /// Reads the facts; call it inside the transaction of what is read with them.
    pub(super) fn read(database: &Database) -> Result<Facts, KumaError> {
        let (mut tables, mut create) = (BTreeMap::new(), BTreeMap::new());
        let known = TABLES.iter().map(|table| table.name).chain(HISTORY_TABLES.iter().copied());
        for name in known {
            if let Some(sql) = create_statement(database, name)? {
                tables.insert(name.to_owned(), columns(database, name)?);
                create.insert(name.to_owned(), sql);
            }
        }
        let migrations = migrations(database)?;
        whole(database, &tables, migrations.is_some())?;
        let patches = setting(database, "databasePatchedFiles")?.unwrap_or_default();
        let patches: BTreeMap<String, serde_json::Value> = serde_json::from_str(&patches).unwrap_or_default();
        let version = SchemaVersion {
            database_version: setting(database, "database_version")?,
            patches: patches.into_keys().collect(),
            migrations: migrations.unwrap_or_default(),
        };
        let users = database.sqlite("read the users", |connection| {
            let mut statement = connection.prepare("SELECT id FROM user")?;
            let ids = statement.query_map([], |row| row.get(0))?;
            ids.collect::<rusqlite::Result<_>>()
        })?;
        let instance = setting(database, "jwtSecret")?.map(|secret| instance(&secret));
        Ok(Facts { version, tables, create, instance, users })
    }
}

/// The name of the instance with this session secret: it cannot be turned back.
fn instance(jwt_secret: &str) -> String {
    let digest = Sha256::digest(format!("replicator-kuma instance {jwt_secret}"));
    hex::encode(digest.get(..8).unwrap_or_default())
}

fn whole(database: &Database, tables: &BTreeMap<String, Vec<Column>>, v2: bool) -> Result<(), KumaError> {
    let expected = TABLES.iter().filter(|table| table.since == Since::V1 || v2);
    let missing: Vec<&str> = expected.map(|table| table.name).filter(|name| !tables.contains_key(*name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let reason = match tables.is_empty() {
        true => "it has none of Kuma's tables".to_owned(),
        false => format!("it has no table {}", missing.join(", ")),
    };
    Err(KumaError::NotKuma { path: database.path().to_owned(), reason })
}

fn create_statement(database: &Database, table: &str) -> Result<Option<String>, KumaError> {
    use rusqlite::OptionalExtension;
    database.sqlite("read the schema", |connection| {
        let sql = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1";
        connection.prepare(sql)?.query_row([table], |row| row.get(0)).optional()
    })
}

fn columns(database: &Database, table: &str) -> Result<Vec<Column>, KumaError> {
    let described = database.sqlite("read the columns of a table", |connection| {
        let sql = "SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info(?1) ORDER BY cid";
        let mut statement = connection.prepare(sql)?;
        let rows = statement.query_map([table], |row| {
            let (declared, default): (String, Option<String>) = (row.get(1)?, row.get(3)?);
            Ok((row.get::<_, String>(0)?, declared, row.get::<_, bool>(2)?, default, row.get::<_, i64>(4)? > 0))
        })?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    })?;
    let column = |(name, declared, not_null, default_sql, key): (String, String, bool, Option<String>, bool)| Column {
        required: not_null && default_sql.is_none() && !key,
        name,
        declared,
        default_sql,
    };
    Ok(described.into_iter().map(column).collect())
}

/// What a new row gets in each of these columns if nothing is said; `None` where it tells the time, or cannot be known.
pub(super) fn default_values(columns: &[Column]) -> Vec<Option<Value>> {
    let constant = |column: &&Column| column.default_sql.as_deref().is_some_and(is_constant);
    // A table in memory applies the types' affinities as the real one does.
    let definitions = columns.iter().filter(constant).zip(0..).filter_map(|(column, number)| {
        Some(format!("c{number} {} DEFAULT ({})", column.declared, column.default_sql.as_ref()?))
    });
    let definitions: Vec<String> = definitions.collect();
    let mut found = evaluate(&definitions).unwrap_or_default().into_iter();
    let value = |column: &Column| match &column.default_sql {
        None => Some(Value::Null),
        Some(sql) if is_constant(sql) => found.next(),
        Some(_) => None,
    };
    columns.iter().map(value).collect()
}

fn is_constant(expression: &str) -> bool {
    let lower = expression.to_ascii_lowercase();
    !["now", "current_", "random"].iter().any(|word| lower.contains(word))
}

fn evaluate(definitions: &[String]) -> Option<Vec<Value>> {
    let memory = rusqlite::Connection::open_in_memory().ok()?;
    let table = format!("CREATE TABLE t ({}); INSERT INTO t DEFAULT VALUES", definitions.join(", "));
    memory.execute_batch(&table).ok()?;
    let row = memory.query_row("SELECT * FROM t", [], |row| {
        (0..definitions.len()).map(|index| Ok(Value::from(row.get_ref(index)?))).collect::<rusqlite::Result<Vec<_>>>()
    });
    row.ok()
}

fn migrations(database: &Database) -> Result<Option<BTreeSet<String>>, KumaError> {
    if create_statement(database, "knex_migrations")?.is_none() {
        return Ok(None);
    }
    if is_migrating(database)? {
        return Err(KumaError::Migrating { path: database.path().to_owned() });
    }
    database.sqlite("read the migrations", |connection| {
        let mut statement = connection.prepare("SELECT name FROM knex_migrations")?;
        let names = statement.query_map([], |row| row.get(0))?;
        names.collect::<rusqlite::Result<_>>().map(Some)
    })
}

/// Whether Kuma is changing the schema at this moment, or died while it did.
fn is_migrating(database: &Database) -> Result<bool, KumaError> {
    if create_statement(database, "knex_migrations_lock")?.is_none() {
        return Ok(false);
    }
    database.sqlite("read the migration lock", |connection| {
        let sql = "SELECT EXISTS (SELECT 1 FROM knex_migrations_lock WHERE is_locked = 1)";
        connection.query_row(sql, [], |row| row.get(0))
    })
}

fn setting(database: &Database, key: &str) -> Result<Option<String>, KumaError> {
    use rusqlite::OptionalExtension;
    database.sqlite("read a setting", |connection| {
        let mut statement = connection.prepare("SELECT value FROM setting WHERE key = ?1")?;
        Ok(statement.query_row([key], |row| row.get::<_, Option<String>>(0)).optional()?.flatten())
    })
}
