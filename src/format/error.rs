//! Why bytes have no meaning, or a value no bytes.

use super::{BlobId, JsonError, Polynomial};

/// What is wrong with the bytes of a repository. Which file they came from is for the caller to add.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// Fewer bytes than a nonce and an authentication code take.
    #[error("{length_bytes} bytes are too few to be anything sealed")]
    TooShort {
        /// How many there are.
        length_bytes: usize,
    },
    /// A nonce of zeros: no restic writes it.
    #[error("the nonce is zero")]
    ZeroNonce,
    /// A part of a key is all zeros.
    #[error("a part of the key is zero")]
    ZeroKey,
    /// The bytes are not those that were sealed, or another key sealed them.
    #[error("the authentication code does not match: the bytes were altered, or sealed with another key")]
    Unauthentic,
    /// The operating system has no random numbers to give.
    #[error("no random numbers")]
    Random(#[source] getrandom::Error),
    /// What was sealed a moment ago does not open to what went in.
    #[error("what was sealed does not open again to what went in: do not trust this machine's memory or processor")]
    SealedDiffers,
    /// Not the JSON that was expected.
    #[error("{what} is not the JSON it should be")]
    Json {
        /// What was to be read.
        what: &'static str,
        /// Where it went wrong.
        #[source]
        source: serde_json::Error,
    },
    /// A field with a value of another kind than expected.
    #[error("{what}: `{field}` is not what it should be")]
    JsonField {
        /// What was to be read.
        what: &'static str,
        /// The field's name.
        field: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A field that cannot be done without.
    #[error("{what} has no `{field}`")]
    MissingField {
        /// What was to be read.
        what: &'static str,
        /// The field's name.
        field: &'static str,
    },
    /// A repository of a version that is not known here.
    #[error("repository version {version} is not supported, only 1 and 2 are")]
    UnsupportedVersion {
        /// What `config` says.
        version: u64,
    },
    /// The byte before a file's content names no known encoding.
    #[error("unknown encoding {first_byte:#04x} of the content")]
    UnknownEncoding {
        /// The byte.
        first_byte: u8,
    },
    /// Not a Zstandard frame, or a damaged one.
    #[error("the compressed content cannot be expanded: {reason}")]
    Expand {
        /// In zstd's words.
        reason: &'static str,
    },
    /// Zstandard refused to compress.
    #[error("the content cannot be compressed: {reason}")]
    Compress {
        /// In zstd's words.
        reason: &'static str,
    },
    /// More comes out of compressed content than it is said, or allowed, to be.
    #[error("the compressed content expands to more than {limit_bytes} bytes")]
    TooLong {
        /// Where expanding it stopped.
        limit_bytes: usize,
    },
    /// A blob whose content is not what its id says.
    #[error("blob {wanted} has the content of {found}")]
    WrongContent {
        /// The id that was asked for.
        wanted: BlobId,
        /// The id of what is there.
        found: BlobId,
    },
    /// A blob, pack or file too large for its 32-bit length.
    #[error("{what} of {length_bytes} bytes: more than the format can express")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        length_bytes: usize,
    },
    /// A compressed blob in a repository of version 1.
    #[error("blob {blob} is compressed, which a repository of version 1 cannot have")]
    CompressedInVersion1 {
        /// The blob.
        blob: BlobId,
    },
    /// An index as restic 0.1 wrote it.
    #[error("the index has the form of restic 0.1, which no longer counts: `restic repair index` makes a new one")]
    OldIndex,
    /// A pack's header cannot be where and what its end says.
    #[error("pack header: {0}")]
    PackHeader(&'static str),
    /// A blob that is no tree.
    #[error("the tree is not the JSON it should be")]
    Tree(#[from] JsonError),
    /// A tree whose names do not ascend cannot be written: another reader might miss an entry.
    #[error("the name {name:?} stands after {previous:?} in a tree: names must ascend, and none may be empty")]
    NamesNotAscending {
        /// The name that came too late or twice.
        name: String,
        /// The name before it.
        previous: String,
    },
    /// A polynomial that chunks cannot be cut with.
    ///
    /// restic uses degrees of 8 to 52 too, with poor results, and fails on the others file by file.
    #[error("the chunker polynomial {0} is not of degree {degree}: nothing can be stored with it", degree = Polynomial::DEGREE)]
    UnfitPolynomial(Polynomial),
}

impl FormatError {
    pub(super) fn json(what: &'static str) -> impl Fn(serde_json::Error) -> FormatError {
        move |source| FormatError::Json { what, source }
    }
}
