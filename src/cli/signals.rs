//! SIGINT and SIGTERM: the first lets the command end in order, the second ends it at once. SIGHUP does nothing: to
//! learn whether the owner of a lock lives, `restic unlock` sends it one, and without this it would not any more.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::error::CliError;
use super::output::Output;
use crate::repository::Interrupter;

/// From now on a signal interrupts what listens to `interrupter`.
pub(crate) fn listen(interrupter: Interrupter, output: Output) -> Result<(), CliError> {
    let catch = |kind| signal(kind).map_err(|source| CliError::Start { source });
    let (mut interrupt, mut terminate) = (catch(SignalKind::interrupt())?, catch(SignalKind::terminate())?);
    // Once caught, it stays so until the process ends.
    drop(catch(SignalKind::hangup())?);
    tokio::spawn(async move {
        let name = next(&mut interrupt, &mut terminate).await;
        output.error(&format!("{name} received, cleaning up (a second one ends this at once)"));
        interrupter.interrupt();
        next(&mut interrupt, &mut terminate).await;
        std::process::exit(130);
    });
    Ok(())
}

async fn next(interrupt: &mut Signal, terminate: &mut Signal) -> &'static str {
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    }
}
