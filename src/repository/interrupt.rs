//! The operator's wish to stop: work is dropped, locks are released, and the error says so.

use tokio::sync::watch;

/// Hears of an interruption; cheap to clone.
#[derive(Clone, Debug)]
pub struct Interrupt(watch::Receiver<bool>);

/// Tells of an interruption: `cli` holds it and calls it from its signal handler.
#[derive(Debug)]
pub struct Interrupter(watch::Sender<bool>);

impl Interrupt {
    /// A pair: what the one is told the other hears.
    #[must_use]
    pub fn pair() -> (Interrupter, Interrupt) {
        let (sender, receiver) = watch::channel(false);
        (Interrupter(sender), Interrupt(receiver))
    }

    /// One that never comes.
    #[must_use]
    pub fn never() -> Interrupt {
        Interrupt::pair().1
    }

    /// Whether it has come.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it comes, or for ever.
    pub async fn requested(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|requested| *requested).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Interrupter {
    /// Stops what listens.
    pub fn interrupt(&self) {
        self.0.send_replace(true);
    }
}
