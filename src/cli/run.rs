//! `run`: the daemon.

use super::context::{Context, Outcome};
use super::error::CliError;
use super::password::Purpose;
pub(crate) use super::run_args::RunArgs;
use super::run_config;
use super::run_log::RunLog;
use super::store;
use crate::replicate::{Connection, Role, run as daemon};
use crate::repository::Progress;

pub(super) async fn run(context: &Context, args: &RunArgs) -> Result<Outcome, CliError> {
    let settings = &context.settings;
    let log = RunLog::new(&context.output, args.log_format(context)?);
    let role = args.role(&settings.environment)?;
    let options = args.options(context, role.unwrap_or(Role::Replica))?;
    if args.prints_config() {
        run_config::print(context, args, &options)?;
        return Ok(Outcome::Done);
    }
    let connection = Connection {
        backend: store::open_for_daemon(&settings.repository.read()?, settings)?,
        password: settings.password.obtain(Purpose::OPEN, &context.interrupt).await?,
        // What happens is told by the daemon itself.
        open: context.open_options(Progress::silent()),
    };
    if role.is_none() {
        log.note("neither --mode nor REPLICATOR_MODE is set: this is a replica (RESTORE)");
    }
    match daemon(connection, &options, &log.listener()).await? {
        Some(code) => Ok(Outcome::ChildEnded(code)),
        None => Ok(Outcome::Done),
    }
}
