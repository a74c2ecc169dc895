//! The ways out of what can go wrong with a repository.

use crate::backend::{BackendError, ErrorKind};
use crate::repository::RepositoryError;

/// What to do about an error of a repository, if there is something to name.
pub(crate) fn of_repository(error: &RepositoryError) -> Option<String> {
    use RepositoryError as E;
    let text = match error {
        E::NoRepository { .. } => "is that the right place? `init` makes a new repository there",
        E::EmptyConfig { .. } | E::Damaged { file: crate::format::FileHandle::CONFIG, .. } => {
            "the file config cannot be made anew: bring it back from a copy of the repository"
        }
        E::UnknownVersion { .. } => "a newer program made it: use a newer version of this one, or of restic",
        E::AlreadyThere { .. } => "use the repository that is there, or choose an empty place for the new one",
        E::LegacyLayout { .. } => "restic 0.17 or older moves the files: `restic migrate s3_layout`",
        E::TooManyKeys { .. } => "--key-hint ID names the key to try first",
        E::Locked(by) if by.stale => "its holder is gone: `unlock` removes it",
        E::Locked(_) => {
            "wait for it with --retry-lock 5m; if its holder is gone without removing it, `unlock` removes locks that \
             were not refreshed for 30 minutes, and `unlock --remove-all` every lock"
        }
        E::LockUnreadable { .. } => "if nobody works on the repository, `unlock --remove-all` removes it",
        E::LockLost { .. } => "nothing was damaged: run the command again",
        E::AmbiguousPrefix { .. } => "give more digits",
        E::BlobUnknown { .. } => {
            "`check` tells what is damaged; `restic repair index` finds blobs that are only lost to the index"
        }
        E::BlobUnreadable { .. } | E::TreeInvalid { .. } | E::Damaged { .. } => {
            "`check --read-data` tells all that is damaged; restic's `repair` commands save what is left"
        }
        E::UnsuitedPolynomial { .. } => {
            "make a new repository: what is wanted of this one can be restored and backed up there"
        }
        E::Backend(error) => return of_backend(error),
        _ => return None,
    };
    Some(text.to_owned())
}

/// What to do about an error of a store.
fn of_backend(error: &BackendError) -> Option<String> {
    use ErrorKind as K;
    let text = match error.kind() {
        K::CredentialsMissing | K::CredentialsRejected if error.scheme() == "rest" => {
            "user and password are given by RESTIC_REST_USERNAME and RESTIC_REST_PASSWORD, or in the URL: \
             rest:https://USER:PASSWORD@HOST/PATH/"
        }
        K::PermissionDenied => {
            "the credentials or this user may not do that there; what may only be read is read with --no-lock"
        }
        K::CredentialsMissing => {
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE for a profile in ~/.aws/credentials"
        }
        K::CredentialsRejected => {
            "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or the profile in ~/.aws/credentials)"
        }
        K::BucketMissing => "check the bucket's name, or make the bucket first: no command makes one",
        K::WrongRegion => "name the bucket's region by AWS_DEFAULT_REGION or -o s3.region=REGION",
        K::ClockSkew => "set this machine's clock: requests are signed with the time",
        K::UnknownHost => "check the spelling of the host and this machine's network",
        K::Refused => "check host and port, and that the server runs",
        K::Tls => {
            "--cacert FILE names a certificate to trust, --tls-client-cert FILE the one to show; a server without TLS is written with http:, as in \
             s3:http://HOST:PORT/BUCKET or rest:http://HOST:PORT/"
        }
        K::Unreachable | K::Timeout => "check the network between here and there, then run the command again",
        K::Unavailable => "the server asks for patience: run the command again later",
        K::Full => "make room there, then run the command again: nothing that was stored is damaged",
        K::ReadOnly => "a repository that may only be read is read with --no-lock",
        _ => return None,
    };
    Some(text.to_owned())
}
