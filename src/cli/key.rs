//! `key`: the passwords of the repository.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::context::{Context, Outcome};
use super::error::{CliError, chain};
use super::password::{PasswordSource, Purpose};
use super::table::Table;
use crate::repository::{Identity, KeyInfo, KeyOwner, LockMode, Password, Repository};

/// Manage the passwords of the repository
///
/// Each key is the repository's one master key, sealed with a password of its own.
#[derive(Args)]
pub(crate) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

/// What can be done with keys.
#[derive(Subcommand)]
enum KeyCommand {
    /// List the keys; the one in use is marked
    List,
    /// Add a key with a new password
    Add(NewKeyArgs),
    /// Remove a key; not the one in use
    Remove {
        /// Its ID, or the beginning of it
        id: String,
    },
    /// Replace the key in use by one with a new password
    Passwd(NewKeyArgs),
}

/// What a new key is to be.
#[derive(Args)]
struct NewKeyArgs {
    /// Read the new password from this file
    #[arg(long, value_name = "FILE")]
    new_password_file: Option<PathBuf>,

    /// Let the new password be empty: whoever reaches the repository can then read it
    #[arg(long, conflicts_with = "new_password_file")]
    new_insecure_no_password: bool,

    /// Note this user with the key
    #[arg(long, value_name = "USER")]
    user: Option<String>,

    /// Note this host with the key
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
}

/// A key as restic's JSON has it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KeyEntry {
    current: bool,
    id: String,
    user_name: String,
    host_name: String,
    created: String,
}

pub(super) async fn run(context: &Context, args: &KeyArgs) -> Result<Outcome, CliError> {
    let repository = context.open().await?;
    match &args.command {
        KeyCommand::List => context.locked(&repository, LockMode::Shared, list(context, &repository)).await?,
        KeyCommand::Add(new) => {
            context.locked_to_write(&repository, LockMode::Shared, add(context, &repository, new)).await?;
        }
        KeyCommand::Remove { id } => {
            context.locked_to_write(&repository, LockMode::Exclusive, remove(context, &repository, id)).await?;
        }
        KeyCommand::Passwd(new) => {
            context.locked_to_write(&repository, LockMode::Exclusive, passwd(context, &repository, new)).await?;
        }
    }
    Ok(Outcome::Done)
}

async fn remove(context: &Context, repository: &Repository, id: &str) -> Result<(), CliError> {
    let removed = repository.remove_key(id).await?;
    context.output.note(&format!("removed key {removed}"));
    Ok(())
}

async fn add(context: &Context, repository: &Repository, new: &NewKeyArgs) -> Result<(), CliError> {
    let password = new.password(context).await?;
    let id = repository.add_key(&password, &new.owner(), None).await?;
    context.output.note(&format!("saved new key with ID {id}"));
    Ok(())
}

async fn passwd(context: &Context, repository: &Repository, new: &NewKeyArgs) -> Result<(), CliError> {
    let password = new.password(context).await?;
    let id = repository.change_password(&password, &new.owner(), None).await?;
    context.output.note(&format!("saved new key with ID {id}, removed key {}", repository.key_id()));
    Ok(())
}

async fn list(context: &Context, repository: &Repository) -> Result<(), CliError> {
    let keys = repository.keys().await?;
    for key in &keys {
        if let Err(error) = &key.file {
            context.output.error(&format!("Ignoring key {}: {}", key.id, chain(error)));
        }
    }
    let entries: Vec<KeyEntry> = keys.iter().filter_map(|key| entry(context, key)).collect();
    if context.output.is_json() {
        context.output.json(&entries)?;
    } else {
        context.output.answer_bytes(render(&entries).as_bytes())?;
    }
    Ok(())
}

fn entry(context: &Context, key: &KeyInfo) -> Option<KeyEntry> {
    let file = key.file.as_ref().ok()?;
    Some(KeyEntry {
        current: key.current,
        id: key.id.to_string(),
        user_name: file.username.clone(),
        host_name: file.hostname.clone(),
        created: context.zone.format(&file.created),
    })
}

/// The table that restic prints.
fn render(keys: &[KeyEntry]) -> String {
    let mut table = Table::new([" ID", "User", "Host", "Created"]);
    for key in keys {
        let id: String = key.id.chars().take(8).collect();
        let mark = if key.current { "*" } else { " " };
        table.row([
            vec![format!("{mark}{id}")],
            vec![key.user_name.clone()],
            vec![key.host_name.clone()],
            vec![key.created.clone()],
        ]);
    }
    table.render()
}

impl NewKeyArgs {
    async fn password(&self, context: &Context) -> Result<Password, CliError> {
        let source = match &self.new_password_file {
            Some(path) => PasswordSource::File(path.clone()),
            None if self.new_insecure_no_password => PasswordSource::Empty,
            None => PasswordSource::Ask,
        };
        source.obtain_new(Purpose::NEW, &context.interrupt).await
    }

    fn owner(&self) -> KeyOwner {
        let own = KeyOwner::from(&Identity::of_this_process());
        KeyOwner {
            username: self.user.clone().unwrap_or(own.username),
            hostname: self.host.clone().unwrap_or(own.hostname),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(current: bool) -> KeyEntry {
        KeyEntry {
            current,
            id: "687445ea36682fba".to_owned(),
            user_name: "root".to_owned(),
            host_name: "vm".to_owned(),
            created: "2026-11-23 12:52:41".to_owned(),
        }
    }

    #[test]
    fn the_table_is_that_of_restic() {
        let expected = " ID        User  Host  Created
------------------------------------------
*687445ea  root  vm    2026-11-23 12:52:41
 687445ea  root  vm    2026-11-23 12:52:41
------------------------------------------
";
        assert_eq!(render(&[key(true), key(false)]), expected);
    }

    #[test]
    fn json_has_the_fields_of_restic_in_its_order() {
        let json = serde_json::to_string(&[key(true)]).unwrap();
        let expected = r#"[{"current":true,"id":"687445ea36682fba","userName":"root","hostName":"vm","created":"2026-11-23 12:52:41"}]"#;
        assert_eq!(json, expected);
    }
}
