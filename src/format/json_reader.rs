//! Reads JSON as Go's `encoding/json` reads it, where trees depend on that.
//!
//! A pull reader: the caller asks for what it expects. It takes the same texts as Go, and makes the same strings of
//! them: bytes that are not UTF-8 and halves of surrogate pairs become U+FFFD, one each.

/// What a reader stumbled on, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {position}: {problem}")]
pub struct JsonError {
    position: usize,
    problem: &'static str,
}

type Result<T> = std::result::Result<T, JsonError>;

/// A place in a JSON text.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// An error at this place.
    pub(super) fn error(&self, problem: &'static str) -> JsonError {
        JsonError { position: self.position, problem }
    }

    /// The next byte that is not blank.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let rest = self.bytes.get(self.position..)?;
        self.position += rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.bytes.get(self.position).copied()
    }

    /// Goes past this byte, if it is next.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.position += usize::from(is_next);
        is_next
    }

    /// Goes past this byte, which must be next.
    pub(super) fn expect(&mut self, byte: u8, problem: &'static str) -> Result<()> {
        if self.take(byte) { Ok(()) } else { Err(self.error(problem)) }
    }

    /// Goes past a `null`, if it is next.
    pub(super) fn take_null(&mut self) -> Result<bool> {
        if self.peek() == Some(b'n') { self.literal(b"null").map(|()| true) } else { Ok(false) }
    }

    /// Reads an object's key and the colon after it.
    pub(super) fn key(&mut self) -> Result<String> {
        let key = self.string()?;
        self.expect(b':', "a colon is missing")?;
        Ok(key)
    }

    /// Reads an object; `field` is called with each key, at its value, and must read that.
    pub(super) fn object<E: From<JsonError>>(
        &mut self,
        mut field: impl FnMut(&mut Self, String) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        self.expect(b'{', "an object is expected")?;
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            let key = self.key()?;
            field(self, key)?;
            if !self.take(b',') {
                return Ok(self.expect(b'}', "a comma or the object's end is expected")?);
            }
        }
    }

    /// Reads an array; `element` is called at each element and must read it.
    pub(super) fn array<E: From<JsonError>>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        self.expect(b'[', "an array is expected")?;
        if self.take(b']') {
            return Ok(());
        }
        loop {
            element(self)?;
            if !self.take(b',') {
                return Ok(self.expect(b']', "a comma or the array's end is expected")?);
            }
        }
    }

    /// Reads a whole number without sign, fraction and exponent.
    pub(super) fn unsigned(&mut self) -> Result<u64> {
        self.peek();
        let start = self.position;
        self.number()?;
        let digits = self.bytes.get(start..self.position).unwrap_or_default();
        let overflow = self.error("the number does not fit its field");
        digits.iter().try_fold(0_u64, |value, &digit| {
            let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'));
            let digit = digit.ok_or_else(|| self.error("a whole number without sign is expected"))?;
            value.checked_mul(10).and_then(|value| value.checked_add(digit)).ok_or(overflow.clone())
        })
    }

    /// Reads a string.
    pub(super) fn string(&mut self) -> Result<String> {
        self.expect(b'"', "a string is expected")?;
        let mut text = String::new();
        loop {
            let rest = self.bytes.get(self.position..).unwrap_or_default();
            let plain = rest.iter().take_while(|&&byte| !matches!(byte, b'"' | b'\\' | 0..b' ')).count();
            push_lossy(&mut text, rest.get(..plain).unwrap_or_default());
            self.position += plain;
            match rest.get(plain) {
                Some(b'"') => break,
                Some(b'\\') => {
                    self.position += 1;
                    text.push(self.escape()?);
                }
                Some(_) => return Err(self.error("a control character stands in a string")),
                None => return Err(self.error("a string does not end")),
            }
        }
        self.position += 1;
        Ok(text)
    }

    /// Reads any value and returns its bytes, surrounding blanks left off.
    pub(super) fn raw_value(&mut self) -> Result<&'a [u8]> {
        self.peek();
        let start = self.position;
        // The closing brackets that are due: a list instead of recursion, so that nesting costs a byte, not a frame.
        let mut due = Vec::new();
        loop {
            let opened = self.scalar_or_opening()?;
            if let Some(closing) = opened
                && !self.take(closing)
            {
                due.push(closing);
                self.key_in(closing)?;
                continue;
            }
            while let Some(&closing) = due.last()
                && !self.take(b',')
            {
                self.expect(closing, "a comma or a closing bracket is expected")?;
                due.pop();
            }
            match due.last() {
                Some(&closing) => self.key_in(closing)?,
                None => return Ok(self.bytes.get(start..self.position).unwrap_or_default()),
            }
        }
    }

    fn key_in(&mut self, closing: u8) -> Result<()> {
        if closing == b'}' { self.key().map(drop) } else { Ok(()) }
    }

    /// Reads a value without parts, or the bracket that opens one with parts, whose closing bracket it returns.
    fn scalar_or_opening(&mut self) -> Result<Option<u8>> {
        match self.peek() {
            Some(b'{') => self.position += 1,
            Some(b'[') => {
                self.position += 1;
                return Ok(Some(b']'));
            }
            Some(b'"') => return self.string().map(|_| None),
            Some(b't') => return self.literal(b"true").map(|()| None),
            Some(b'f') => return self.literal(b"false").map(|()| None),
            Some(b'n') => return self.literal(b"null").map(|()| None),
            _ => return self.number().map(|()| None),
        }
        Ok(Some(b'}'))
    }

    fn literal(&mut self, literal: &'static [u8]) -> Result<()> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        if !rest.starts_with(literal) {
            return Err(self.error("a value is expected"));
        }
        self.position += literal.len();
        Ok(())
    }

    fn number(&mut self) -> Result<()> {
        self.position += usize::from(self.next_is(b"-"));
        if self.next_is(b"0") {
            self.position += 1;
        } else {
            self.digits()?;
        }
        if self.next_is(b".") {
            self.position += 1;
            self.digits()?;
        }
        if self.next_is(b"eE") {
            self.position += 1;
            self.position += usize::from(self.next_is(b"+-"));
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<()> {
        if !self.next_is(b"0123456789") {
            return Err(self.error("a value is expected"));
        }
        while self.next_is(b"0123456789") {
            self.position += 1;
        }
        Ok(())
    }

    fn next_is(&self, any_of: &[u8]) -> bool {
        self.bytes.get(self.position).is_some_and(|byte| any_of.contains(byte))
    }

    /// Reads what follows a backslash.
    fn escape(&mut self) -> Result<char> {
        let escape = self.bytes.get(self.position).copied();
        let character = match escape {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\x08',
            Some(b'f') => '\x0c',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            _ => return Err(self.error("no such escape")),
        };
        self.position += 1;
        Ok(character)
    }

    fn unicode_escape(&mut self) -> Result<char> {
        let unit = self.code_unit(self.position).ok_or_else(|| self.error("four hex digits are expected"))?;
        self.position += 5;
        if let Some(character) = char::from_u32(unit.into()) {
            return Ok(character);
        }
        let next_is_escape = self.bytes.get(self.position) == Some(&b'\\');
        let second = next_is_escape.then(|| self.code_unit(self.position + 1)).flatten();
        match second.map(|second| char::decode_utf16([unit, second]).next()) {
            Some(Some(Ok(character))) => {
                self.position += 6;
                Ok(character)
            }
            // Half a pair; what follows is read on its own.
            _ => Ok(char::REPLACEMENT_CHARACTER),
        }
    }

    /// The number in `uXXXX` at this position.
    fn code_unit(&self, position: usize) -> Option<u16> {
        let (b'u', digits) = self.bytes.get(position..position + 5)?.split_first()? else { return None };
        digits.iter().try_fold(0, |value, &digit| {
            let digit = u16::try_from(char::from(digit).to_digit(16)?).ok()?;
            Some(value << 4 | digit)
        })
    }
}

/// Adds bytes to a text; each that is not UTF-8 becomes a U+FFFD of its own, as in Go.
pub(super) fn push_lossy(text: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
}
