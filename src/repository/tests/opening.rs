use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::backend::{Effect, ErrorKind, Fault};
use crate::format::{FileHandle, Polynomial, Version};

#[tokio::test]
async fn a_new_repository_is_a_key_and_then_its_config() {
    let repo = repository().await;
    let calls = take_calls(&repo);
    assert_eq!(calls, ["look for config", "list keys", "list snapshots", "create ", "write keys", "write config"]);
}

#[tokio::test]
async fn what_was_made_opens_with_its_password_in_three_requests() {
    for version in [Version::V1, Version::V2] {
        let init = InitOptions { version, ..init_options() };
        let made = Repository::init(Backend::memory(), &password(), init).await.unwrap();
        made.backend().forget_calls();
        let opened = reopened(&made, options()).await;
        assert_eq!(opened.config(), made.config());
        assert_eq!(opened.version(), version);
        assert_eq!(opened.key_id(), made.key_id());
        assert_eq!(take_calls(&opened), ["read config", "list keys", "read keys"]);
    }
}

#[tokio::test]
async fn a_wrong_password_is_called_so() {
    let repo = repository().await;
    let error = Repository::open(repo.backend().clone(), &Password::new("guess"), options()).await.err().unwrap();
    assert!(matches!(error, RepositoryError::WrongPassword { .. }), "{error}");
}

#[tokio::test]
async fn an_empty_place_is_no_repository() {
    let error = Repository::open(Backend::memory(), &password(), options()).await.err().unwrap();
    assert!(matches!(error, RepositoryError::NoRepository { .. }), "{error}");
}

#[tokio::test]
async fn a_store_that_fails_is_not_called_an_empty_place() {
    let repo = repository().await;
    repo.backend().inject(Fault {
        operation: Some(Operation::Read),
        file_type: Some(FileType::Config),
        skip: 0,
        times: 1,
        effect: Effect::Fail(ErrorKind::PermissionDenied),
    });
    let error = Repository::open(repo.backend().clone(), &password(), options()).await.err().unwrap();
    assert!(matches!(error, RepositoryError::Backend(_)), "{error}");
}

#[tokio::test]
async fn a_config_of_any_length_and_no_sense_is_an_error() {
    for length in [0, 1, 15, 16, 17, 31, 32, 33, 155] {
        let made = repository().await;
        let backend = Backend::memory();
        let key = FileHandle::from(made.key_id());
        backend.write(&key, made.backend().read(&key).await.unwrap()).await.unwrap();
        backend.write(&FileHandle::CONFIG, Bytes::from(vec![7; length])).await.unwrap();
        let error = Repository::open(backend, &password(), options()).await.err().unwrap();
        match error {
            RepositoryError::EmptyConfig { .. } => assert_eq!(length, 0),
            RepositoryError::Damaged { file, .. } => assert_eq!(file, FileHandle::CONFIG),
            error => panic!("{length}: {error}"),
        }
    }
}

/// A store with the key of `made` and a config of this text.
async fn with_config(made: &Repository, config: &str) -> Backend {
    let backend = Backend::memory();
    let key = FileHandle::from(made.key_id());
    backend.write(&key, made.backend().read(&key).await.unwrap()).await.unwrap();
    let sealed = made.inner.key.seal(config.as_bytes()).unwrap();
    backend.write(&FileHandle::CONFIG, Bytes::from(sealed)).await.unwrap();
    backend
}

#[tokio::test]
async fn a_repository_of_a_newer_version_is_named_as_such() {
    let made = repository().await;
    let backend = with_config(&made, r#"{"version":3,"id":"x","chunker_polynomial":"3da3358b4dc173"}"#).await;
    let error = Repository::open(backend, &password(), options()).await.err().unwrap();
    assert!(matches!(error, RepositoryError::UnknownVersion { version: 3, .. }), "{error}");
}

#[tokio::test]
async fn a_repository_that_cuts_files_badly_is_read_and_not_written() {
    let made = repository().await;
    // Reducible; of a low and of a high degree; zero.
    for polynomial in ["38f1e565e288df", "83", "2000000000000027", "0"] {
        let config = format!(r#"{{"version":2,"id":"x","chunker_polynomial":"{polynomial}"}}"#);
        let repo = Repository::open(with_config(&made, &config).await, &password(), options()).await.unwrap();
        assert!(repo.snapshots().await.unwrap().is_empty());
        let before = repo.backend().calls().len();
        let index = Arc::new(repo.load_index().await.unwrap());
        let error = repo.archive_files(index, Arc::new([])).await.err().unwrap().to_string();
        assert!(error.contains("can only be read"), "{error}");
        let wrote = repo.backend().calls().iter().skip(before).any(|call| call.operation == Operation::Write);
        assert!(!wrote, "{polynomial}");
    }
}

#[tokio::test]
async fn what_is_there_is_not_made_again() {
    let repo = repository().await;
    let refused = |backend| async move {
        match Repository::init(backend, &password(), init_options()).await.err() {
            Some(RepositoryError::AlreadyThere { what, .. }) => what,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(repo.backend().clone()).await, "a config");
    for (handle, what) in [
        (FileHandle::from(repo.key_id()), "keys"),
        (FileHandle { file_type: FileType::Snapshot, id: repo.key_id().into() }, "snapshots"),
    ] {
        let backend = Backend::memory();
        backend.write(&handle, Bytes::from_static(b"x")).await.unwrap();
        assert_eq!(refused(backend).await, what);
    }
}

#[tokio::test]
async fn a_polynomial_can_be_copied_and_is_judged_before_writing() {
    let polynomial: Polynomial = "3da3358b4dc173".parse().unwrap();
    let init = InitOptions { chunker_polynomial: Some(polynomial), ..init_options() };
    let repo = Repository::init(Backend::memory(), &password(), init).await.unwrap();
    assert_eq!(repo.chunker_polynomial().unwrap(), polynomial);
    let init = InitOptions { chunker_polynomial: Some(Polynomial::from_bits(0x1_01)), ..init_options() };
    let error = Repository::init(Backend::memory(), &password(), init).await.err().unwrap();
    assert!(matches!(error, RepositoryError::UnsuitedPolynomial { .. }), "{error}");
}

#[tokio::test]
async fn a_pack_size_out_of_range_is_refused_before_anything_is_done() {
    for pack_size_bytes in [0, (4 << 20) - 1, (128 << 20) + 1] {
        let backend = Backend::memory();
        let open = OpenOptions { pack_size_bytes, ..options() };
        let error = Repository::init(backend.clone(), &password(), InitOptions { open, ..init_options() }).await;
        assert!(matches!(error.err(), Some(RepositoryError::Option(_))));
        assert_eq!(backend.calls(), []);
    }
}
