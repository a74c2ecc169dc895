//! The part of a file that a request asked for, out of whatever the server made of the request (RFC 9110, 14.2).

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};

use crate::backend::error::{ErrorKind, Failure};

/// A range with both ends, as we ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    first: usize,
    last: usize,
}

impl Range {
    /// The range that a request asks for, if it does.
    pub(super) fn of(request: &HeaderMap) -> Option<Range> {
        let (first, last) = request.get(header::RANGE)?.to_str().ok()?.strip_prefix("bytes=")?.split_once('-')?;
        let range = Range { first: first.parse().ok()?, last: last.parse().ok()? };
        (range.first <= range.last).then_some(range)
    }

    /// Exactly this range of an answer. A server may send the whole file instead; one that sends a part says which, and
    /// not all of those have the status for it.
    pub(super) fn take(self, status: StatusCode, headers: &HeaderMap, body: Bytes) -> Result<Bytes, Failure> {
        let first = match (status, first_sent(headers)) {
            (_, Some(first)) => first,
            (StatusCode::PARTIAL_CONTENT, None) => self.first,
            _ => 0,
        };
        let wrong = || Failure::new(ErrorKind::Unexpected, "the server sent another part of the file than asked for");
        let start = self.first.checked_sub(first).ok_or_else(wrong)?;
        let end = (self.last - self.first).checked_add(start + 1).ok_or_else(wrong)?;
        if end <= body.len() { Ok(body.slice(start..end)) } else { Err(ErrorKind::TooShort.into()) }
    }
}

/// Where the part that was sent begins: `Content-Range: bytes 7-9/100`.
fn first_sent(headers: &HeaderMap) -> Option<usize> {
    let range = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        [(name, value.parse().expect("a value"))].into_iter().collect()
    }

    fn take(asked: &str, status: u16, sent: Option<&str>, body: &'static str) -> Result<Bytes, ErrorKind> {
        let range = Range::of(&headers(header::RANGE, asked)).expect("a range");
        let answer = sent.map(|sent| headers(header::CONTENT_RANGE, sent)).unwrap_or_default();
        let status = StatusCode::from_u16(status).expect("a status");
        range.take(status, &answer, Bytes::from_static(body.as_bytes())).map_err(|failure| failure.kind)
    }

    #[test]
    fn whatever_a_server_makes_of_a_range_we_get_ours() {
        let ours = Ok(Bytes::from_static(b"234"));
        assert_eq!(take("bytes=2-4", 206, Some("bytes 2-4/10"), "234"), ours);
        assert_eq!(take("bytes=2-4", 206, None, "234"), ours);
        assert_eq!(take("bytes=2-4", 200, Some("bytes 2-4/10"), "234"), ours, "as rclone answers");
        assert_eq!(take("bytes=2-4", 200, None, "0123456789"), ours, "the whole file");
        assert_eq!(take("bytes=2-4", 206, Some("bytes 1-5/10"), "12345"), ours);
    }

    #[test]
    fn a_part_that_is_not_ours_is_an_error() {
        assert_eq!(take("bytes=2-4", 206, Some("bytes 3-4/10"), "34"), Err(ErrorKind::Unexpected));
        assert_eq!(take("bytes=2-4", 206, Some("bytes 2-3/4"), "23"), Err(ErrorKind::TooShort));
        assert_eq!(take("bytes=2-4", 200, None, "012"), Err(ErrorKind::TooShort));
        assert_eq!(take("bytes=2-4", 200, None, "0"), Err(ErrorKind::TooShort));
    }
}
