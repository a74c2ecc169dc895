use std::sync::Mutex;

use bytes::Bytes;

use super::*;
use crate::backend::{Effect, ErrorKind, Fault};
use crate::format::{Extra, FileHandle, Id, Lock, LockId};

async fn plant(repo: &Repository, lock: &Lock) -> LockId {
    repo.save_unpacked(FileType::Lock, lock.encode().unwrap()).await.unwrap().into()
}

/// A lock of somebody else, taken `age_s` seconds ago.
fn lock(age_s: i64, exclusive: bool) -> Lock {
    let time = Time::from_timestamp(jiff::Timestamp::now() - jiff::SignedDuration::from_secs(age_s), 0);
    Lock {
        time,
        exclusive,
        hostname: "there".to_owned(),
        username: "eve".to_owned(),
        pid: 1234,
        uid: 1,
        gid: 2,
        extra: Extra::default(),
    }
}

async fn try_lock(repo: &Repository, mode: LockMode) -> Result<(), RepositoryError> {
    repo.locked(mode, Duration::ZERO, async { Ok(()) }).await
}

async fn locks(repo: &Repository) -> usize {
    repo.list(FileType::Lock).await.unwrap().len()
}

#[tokio::test]
async fn a_lock_is_looked_for_written_looked_for_again_and_removed() {
    let repo = repository().await;
    take_calls(&repo);
    repo.locked(LockMode::Shared, Duration::ZERO, async {
        let held = repo.list(FileType::Lock).await?;
        let lock = repo.load_lock(held[0].0.into()).await?;
        assert_eq!((lock.hostname.as_str(), lock.username.as_str(), lock.exclusive), ("here", "ada", false));
        assert_eq!((lock.uid, lock.gid, lock.pid), (7, 8, i64::from(std::process::id())));
        Ok::<(), RepositoryError>(())
    })
    .await
    .unwrap();
    let work = ["list locks", "read locks"];
    let expected = [&["list locks", "write locks", "list locks"][..], &work, &["delete locks"]].concat();
    assert_eq!(take_calls(&repo), expected);
}

#[tokio::test]
async fn without_a_lock_nobody_is_asked() {
    let repo = repository().await;
    plant(&repo, &lock(0, true)).await;
    take_calls(&repo);
    try_lock(&repo, LockMode::None).await.unwrap();
    assert_eq!(take_calls(&repo), [""; 0]);
}

#[tokio::test]
async fn shared_locks_go_together_and_an_exclusive_one_with_none() {
    for (other, ours, goes) in [
        (false, LockMode::Shared, true),
        (false, LockMode::Exclusive, false),
        (true, LockMode::Shared, false),
        (true, LockMode::Exclusive, false),
    ] {
        let repo = repository().await;
        plant(&repo, &lock(60, other)).await;
        assert_eq!(try_lock(&repo, ours).await.is_ok(), goes, "{other} {ours:?}");
        assert_eq!(locks(&repo).await, 1);
    }
}

#[tokio::test]
async fn the_error_says_by_whom_since_when_and_which_lock() {
    let repo = repository().await;
    let id = plant(&repo, &lock(61, true)).await;
    let error = try_lock(&repo, LockMode::Shared).await.unwrap_err().to_string();
    for word in ["exclusively", "process 1234 on there by eve", "(UID 1, GID 2)", ", 61 s ago,", &id.short()] {
        assert!(error.contains(word), "{word:?} in {error}");
    }
    assert!(!error.contains("stale"), "{error}");
}

#[tokio::test]
async fn a_lock_with_control_characters_is_told_without_them() {
    let repo = repository().await;
    plant(&repo, &Lock { hostname: "\u{1b}[31m".to_owned(), username: "\n".to_owned(), ..lock(0, true) }).await;
    let error = try_lock(&repo, LockMode::Shared).await.unwrap_err().to_string();
    assert!(!error.chars().any(char::is_control), "{error:?}");
}

#[tokio::test]
async fn a_stale_lock_still_excludes_and_is_called_stale() {
    let repo = repository().await;
    plant(&repo, &lock(31 * 60, true)).await;
    let error = try_lock(&repo, LockMode::Shared).await.unwrap_err();
    assert!(matches!(&error, RepositoryError::Locked(by) if by.stale), "{error}");
    assert!(error.to_string().ends_with("it is stale"), "{error}");
}

#[tokio::test]
async fn a_lock_written_while_we_wrote_ours_makes_us_give_way() {
    let repo = repository().await;
    // The first look misses it, as if it were written right after.
    plant(&repo, &lock(0, true)).await;
    repo.backend().inject(Fault {
        operation: Some(Operation::List),
        file_type: Some(FileType::Lock),
        skip: 0,
        times: 1,
        effect: Effect::Omit(1),
    });
    take_calls(&repo);
    let error = try_lock(&repo, LockMode::Shared).await.unwrap_err();
    assert!(matches!(error, RepositoryError::Locked(_)), "{error}");
    let calls = take_calls(&repo);
    assert_eq!(calls, ["list locks", "write locks", "list locks", "read locks", "delete locks"]);
    assert_eq!(locks(&repo).await, 1);
}

#[tokio::test]
async fn an_empty_lock_file_is_nobodys() {
    let repo = repository().await;
    let file = FileHandle::from(LockId::of(b""));
    repo.backend().write(&file, Bytes::new()).await.unwrap();
    try_lock(&repo, LockMode::Exclusive).await.unwrap();
}

#[tokio::test]
async fn a_lock_that_cannot_be_read_is_tried_again_and_then_named() {
    let mut options = options();
    options.lock_timing.unreadable_retries = vec![Duration::from_millis(1); 3];
    let repo = reopened(&repository().await, options).await;
    let id = LockId::of(b"?");
    repo.backend().write(&FileHandle::from(id), Bytes::from_static(b"?")).await.unwrap();
    take_calls(&repo);
    let error = try_lock(&repo, LockMode::Shared).await.unwrap_err();
    assert!(matches!(&error, RepositoryError::LockUnreadable { lock, .. } if *lock == id), "{error}");
    assert_eq!(take_calls(&repo).iter().filter(|call| *call == "list locks").count(), 4);
}

#[tokio::test]
async fn work_waits_for_a_lock_that_goes_away() {
    let repo = repository().await;
    let other = plant(&repo, &lock(0, true)).await;
    let notes = Arc::new(Mutex::new(Vec::new()));
    let (progress, heard) = (Arc::clone(&notes), repo.clone());
    let progress = Progress::new(move |event| {
        if let Event::Note(note) = event {
            // Told while waiting: now the other one goes.
            let (backend, file) = (heard.backend().clone(), FileHandle::from(other));
            drop(tokio::spawn(async move { backend.delete(&file).await }));
            progress.lock().unwrap().push(note);
        }
    });
    let waiting = reopened(&repo, OpenOptions { progress, ..options() }).await;
    waiting.locked(LockMode::Exclusive, Duration::from_secs(60), async { Ok::<_, RepositoryError>(()) }).await.unwrap();
    assert_eq!(notes.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_lock_is_refreshed_with_a_new_file_before_the_old_one_goes() {
    let mut options = options();
    options.lock_timing.refresh_every = Duration::ZERO;
    let repo = reopened(&repository().await, options).await;
    let first: Mutex<Option<Id>> = Mutex::default();
    let work = async {
        loop {
            let ids: Vec<Id> = repo.list(FileType::Lock).await?.into_iter().map(|(id, _)| id).collect();
            assert!(!ids.is_empty(), "a moment without a lock");
            let first = *first.lock().unwrap().get_or_insert(ids[0]);
            if !ids.contains(&first) {
                return Ok::<_, RepositoryError>(());
            }
            tokio::task::yield_now().await;
        }
    };
    repo.locked(LockMode::Exclusive, Duration::ZERO, work).await.unwrap();
    assert_eq!(locks(&repo).await, 0);
}

#[tokio::test]
async fn work_stops_when_its_lock_was_removed_and_could_not_be_refreshed_in_time() {
    let mut options = options();
    options.lock_timing.refreshable_for = Duration::ZERO;
    let repo = reopened(&repository().await, options).await;
    let work = async {
        repo.remove_all_locks().await?;
        std::future::pending::<Result<(), RepositoryError>>().await
    };
    let error = repo.locked(LockMode::Exclusive, Duration::ZERO, work).await.unwrap_err();
    assert!(matches!(error, RepositoryError::LockLost { .. }), "{error}");
    assert_eq!(locks(&repo).await, 0);
}

#[tokio::test]
async fn a_late_refresh_saves_a_lock_that_is_still_there() {
    let mut options = options();
    options.lock_timing.refreshable_for = Duration::ZERO;
    let repo = reopened(&repository().await, options).await;
    let work = async {
        let first = repo.list(FileType::Lock).await?[0].0;
        while repo.list(FileType::Lock).await?.iter().any(|(id, _)| *id == first) {
            tokio::task::yield_now().await;
        }
        Ok::<_, RepositoryError>(())
    };
    repo.locked(LockMode::Exclusive, Duration::ZERO, work).await.unwrap();
    assert_eq!(locks(&repo).await, 0);
}

#[tokio::test]
async fn an_interruption_stops_the_work_and_releases_the_lock() {
    let (interrupter, interrupt) = Interrupt::pair();
    let repo = reopened(&repository().await, OpenOptions { interrupt, ..options() }).await;
    for mode in [LockMode::None, LockMode::Shared, LockMode::Exclusive] {
        let work = async {
            interrupter.interrupt();
            std::future::pending::<Result<(), RepositoryError>>().await
        };
        let error = repo.locked(mode, Duration::ZERO, work).await.unwrap_err();
        assert!(matches!(error, RepositoryError::Interrupted), "{error}");
        assert_eq!(locks(&repo).await, 0);
    }
}

#[tokio::test]
async fn an_error_of_the_work_releases_the_lock_and_is_returned() {
    let repo = repository().await;
    let work = async { Err::<(), _>(RepositoryError::WriterStopped) };
    let error = repo.locked(LockMode::Shared, Duration::ZERO, work).await.unwrap_err();
    assert!(matches!(error, RepositoryError::WriterStopped), "{error}");
    assert_eq!(locks(&repo).await, 0);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_leaves_no_lock_behind() {
    let repo = repository().await;
    repo.backend().inject(Fault {
        operation: Some(Operation::Write),
        file_type: Some(FileType::Lock),
        skip: 0,
        times: 1,
        effect: Effect::LoseAnswer(ErrorKind::Timeout),
    });
    try_lock(&repo, LockMode::Shared).await.unwrap_err();
    assert_eq!(locks(&repo).await, 0);
}

#[tokio::test]
async fn unlocking_removes_what_nobody_holds() {
    let repo = repository().await;
    let here = Lock { hostname: "here".to_owned(), ..lock(60, false) };
    let ours = i64::from(std::process::id());
    let (old, live) = (plant(&repo, &lock(31 * 60, true)).await, plant(&repo, &lock(29 * 60, true)).await);
    let future = plant(&repo, &lock(-3_000_000_000, true)).await;
    let alive = plant(&repo, &Lock { pid: ours, ..here.clone() }).await;
    let mut dead = vec![old];
    for pid in [i64::from(i32::MAX), 0, -1, i64::MAX] {
        dead.push(plant(&repo, &Lock { pid, ..here.clone() }).await);
    }
    let unreadable = LockId::of(b"?");
    repo.backend().write(&FileHandle::from(unreadable), Bytes::from_static(b"?")).await.unwrap();

    let mut removed = repo.remove_stale_locks().await.unwrap();
    removed.sort_unstable();
    dead.sort_unstable();
    assert_eq!(removed, dead);
    let mut left = repo.remove_all_locks().await.unwrap();
    let mut expected = vec![live, future, alive, unreadable];
    left.sort_unstable();
    expected.sort_unstable();
    assert_eq!(left, expected);
    assert_eq!(locks(&repo).await, 0);
}

/// Clients of one repository that all want it for themselves at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_want_it_alone_one_has_it_at_a_time() {
    use std::sync::atomic::{AtomicUsize, Ordering};

    let mut timing = options().lock_timing;
    timing.settle = Duration::from_millis(20);
    let made = repository().await;
    let inside = Arc::new(AtomicUsize::new(0));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let repo = reopened(&made, OpenOptions { lock_timing: timing.clone(), ..options() }).await;
        let inside = Arc::clone(&inside);
        clients.spawn(async move {
            let work = async {
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two at a time");
                tokio::task::yield_now().await;
                inside.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, RepositoryError>(())
            };
            // All may give way to each other: who fails has at least not worked beside another.
            drop(repo.locked(LockMode::Exclusive, Duration::ZERO, work).await);
        });
    }
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    assert_eq!(locks(&made).await, 0);
    try_lock(&made, LockMode::Exclusive).await.unwrap();
}
