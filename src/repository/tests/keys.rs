use bytes::Bytes;

use super::*;
use crate::format::{FileHandle, Id, KeyFile, KeyId, MasterKey};

fn owner() -> KeyOwner {
    KeyOwner { username: "grace".to_owned(), hostname: "there".to_owned() }
}

async fn opens(repo: &Repository, password: &str) -> bool {
    Repository::open(repo.backend().clone(), &Password::new(password), options()).await.is_ok()
}

#[tokio::test]
async fn an_added_key_opens_the_repository_and_says_whose_it_is() {
    let repo = repository().await;
    let added = repo.add_key(&Password::new("second"), &owner(), Some(CHEAP)).await.unwrap();
    assert!(opens(&repo, "secret").await && opens(&repo, "second").await);
    let keys = repo.keys().await.unwrap();
    assert_eq!(keys.len(), 2);
    for key in keys {
        let file = key.file.unwrap();
        assert_eq!(key.current, key.id == repo.key_id());
        assert_eq!(file.username, if key.id == added { "grace" } else { "ada" });
    }
}

#[tokio::test]
async fn a_changed_password_is_the_only_one_that_opens() {
    let repo = repository().await;
    repo.change_password(&Password::new("second"), &owner(), Some(CHEAP)).await.unwrap();
    assert!(!opens(&repo, "secret").await && opens(&repo, "second").await);
}

#[tokio::test]
async fn a_key_is_removed_by_the_beginning_of_its_name_but_never_the_one_in_use() {
    let repo = repository().await;
    let added = repo.add_key(&Password::new("second"), &owner(), Some(CHEAP)).await.unwrap();
    let error = repo.remove_key(&repo.key_id().to_string()).await.unwrap_err();
    assert!(matches!(error, RepositoryError::KeyInUse { .. }), "{error}");
    repo.remove_key(&added.to_string()[..20]).await.unwrap();
    assert!(opens(&repo, "secret").await && !opens(&repo, "second").await);
    let error = repo.remove_key("zz").await.unwrap_err();
    assert_eq!(error.to_string(), "no key begins with \"zz\"");
}

/// Names that sort before any other, so that the search meets these first.
async fn plant(repo: &Repository, content: &[u8]) {
    repo.backend().write(&FileHandle::from(KeyId::of(content)), Bytes::copy_from_slice(content)).await.unwrap();
}

#[tokio::test]
async fn a_damaged_key_does_not_end_the_search_and_is_told_when_nothing_opens() {
    let repo = repository().await;
    for content in [&b""[..], b"{}", b"not JSON", b"{\"kdf\":\"md5\",\"N\":2,\"r\":1,\"p\":1}"] {
        plant(&repo, content).await;
    }
    repo.backend().write(&FileHandle::from(KeyId::from(Id::ZERO)), Bytes::from_static(b"{}")).await.unwrap();
    assert!(opens(&repo, "secret").await);
    let error = Repository::open(repo.backend().clone(), &Password::new("x"), options()).await.err().unwrap();
    let RepositoryError::WrongPassword { broken, .. } = error else { panic!("{error}") };
    assert_eq!(broken.len(), 5);
    repo.delete(&FileHandle::from(repo.key_id())).await.unwrap();
    let error = Repository::open(repo.backend().clone(), &password(), options()).await.err().unwrap();
    assert!(matches!(error, RepositoryError::NoUsableKey { .. }), "{error}");
}

#[tokio::test]
async fn twenty_keys_are_tried_and_a_hint_finds_any_other() {
    let repo = repository().await;
    let master = repo.master_key();
    for number in 0..40 {
        let key = KeyFile::seal(master, b"other", CHEAP, Time::ZERO, &number.to_string(), "").unwrap();
        plant(&repo, &key.encode().unwrap()).await;
    }
    repo.backend().forget_calls();
    let error = Repository::open(repo.backend().clone(), &Password::new("x"), options()).await.err().unwrap();
    assert!(matches!(error, RepositoryError::TooManyKeys { limit: 20 }), "{error}");
    assert_eq!(take_calls(&repo).iter().filter(|call| *call == "read keys").count(), 20);
    let key_hint = Some(repo.key_id().to_string()[..12].to_owned());
    reopened(&repo, OpenOptions { key_hint, ..options() }).await;
    assert_eq!(take_calls(&repo), ["read config", "list keys", "read keys"]);
}

#[tokio::test]
async fn a_key_of_another_repository_with_the_same_password_is_passed_over() {
    let repo = repository().await;
    let foreign = MasterKey::generate().unwrap();
    for number in 0..10 {
        let key = KeyFile::seal(&foreign, b"secret", CHEAP, Time::ZERO, &number.to_string(), "").unwrap();
        plant(&repo, &key.encode().unwrap()).await;
    }
    assert_eq!(reopened(&repo, options()).await.key_id(), repo.key_id());
    repo.delete(&FileHandle::from(repo.key_id())).await.unwrap();
    let error = Repository::open(repo.backend().clone(), &password(), options()).await.err().unwrap();
    assert!(matches!(error, RepositoryError::Damaged { file: FileHandle::CONFIG, .. }), "{error}");
}
