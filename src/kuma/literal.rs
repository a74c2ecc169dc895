//! SQL literals that give back exactly the value they were written for, in stock sqlite3 of any version on any CPU.

use super::Value;

/// The literal of a value. Three things need more than quotes:
///
/// - Text with NUL, carriage returns or other control characters, or in invalid UTF-8, is a blob cast to text: the
///   sqlite3 shell cuts at NUL and drops a carriage return at the end of a line.
/// - A float is written so that no conversion from decimal can round it: SQLite's has differed between versions and CPUs.
/// - Infinity is written as `9e999`, since it has no literal.
pub(super) fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => real(*number),
        Value::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if is_plain(text) => format!("'{}'", text.replace('\'', "''")),
            _ => format!("CAST({} AS TEXT)", blob(bytes)),
        },
        Value::Blob(bytes) => blob(bytes),
    }
}

fn is_plain(text: &str) -> bool {
    !text.chars().any(|c| c.is_ascii_control() && c != '\n' && c != '\t')
}

fn blob(bytes: &[u8]) -> String {
    format!("x'{}'", hex::encode(bytes))
}

/// 2^53: up to here every integer is a float.
const EXACT_INTEGERS: f64 = 9_007_199_254_740_992.0;
/// The bits of a float's mantissa that IEEE 754 stores.
const MANTISSA_BITS: u32 = 52;
/// The largest power of two that SQLite's integers can shift to.
const SHIFT_AT_MOST: i32 = 62;

fn real(number: f64) -> String {
    if number.is_nan() {
        return "NULL".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "9e999" } else { "-9e999" }.to_owned();
    }
    if number.fract() == 0.0 && number.abs() < EXACT_INTEGERS {
        return format!("{number:.1}");
    }
    scaled(number)
}

/// The float as mantissa times a power of two. Both are integers that convert exactly, and a multiplication or division by
/// a power of two does not round.
fn scaled(number: f64) -> String {
    let bits = number.to_bits();
    let fraction = bits & ((1 << MANTISSA_BITS) - 1);
    let biased = i32::try_from((bits >> MANTISSA_BITS) & 0x7ff).unwrap_or_default();
    // A subnormal number has no hidden bit, and the smallest exponent.
    let (mut mantissa, mut exponent) =
        if biased == 0 { (fraction, -1074) } else { (fraction | (1 << MANTISSA_BITS), biased - 1075) };
    while mantissa & 1 == 0 && exponent < 0 {
        (mantissa, exponent) = (mantissa >> 1, exponent + 1);
    }
    let sign = if number.is_sign_negative() { "-" } else { "" };
    let mut text = format!("CAST({sign}{mantissa} AS REAL)");
    let operator = if exponent < 0 { '/' } else { '*' };
    let mut left = exponent.abs();
    while left > 0 {
        let shift = left.min(SHIFT_AT_MOST);
        text.push_str(&format!("{operator}(1<<{shift})"));
        left -= shift;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_back(value: &Value) -> Value {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let sql = format!("SELECT {}", literal(value));
        connection.query_row(&sql, [], |row| Ok(Value::from(row.get_ref(0)?))).unwrap()
    }

    #[test]
    fn every_float_comes_back_bit_for_bit() {
        for number in [
            0.0,
            -0.0,
            48.0,
            19.2,
            -19.2,
            0.1,
            1e300,
            -1e300,
            1e-300,
            f64::MAX,
            f64::MIN_POSITIVE,
            5e-324,
            -5e-324,
            1.5,
            f64::INFINITY,
            f64::NEG_INFINITY,
            EXACT_INTEGERS,
            EXACT_INTEGERS + 2.0,
            2f64.powi(200),
            1.0 / 3.0,
        ] {
            assert!(read_back(&Value::Real(number)) == Value::Real(number), "{number:e}: {}", real(number));
        }
    }

    #[test]
    fn integers_up_to_the_edges_come_back() {
        for number in [0, -1, 9_007_199_254_740_991, 9_007_199_254_740_993, i64::MAX, i64::MIN] {
            assert!(read_back(&Value::Integer(number)) == Value::Integer(number), "{number}");
        }
    }

    #[test]
    fn awkward_text_is_a_cast_blob_and_plain_text_is_readable() {
        assert_eq!(literal(&Value::Text(b"a\0b".to_vec())), "CAST(x'610062' AS TEXT)");
        assert_eq!(literal(&Value::Text(b"\xff".to_vec())), "CAST(x'ff' AS TEXT)");
        assert_eq!(literal(&Value::Text(b"a\r\nb".to_vec())), "CAST(x'610d0a62' AS TEXT)");
        assert_eq!(literal(&Value::Text("it's; \"é\"\n--".into())), "'it''s; \"é\"\n--'");
        assert_eq!(literal(&Value::Text(vec![])), "''");
    }

    proptest::proptest! {
        #[test]
        fn any_float_comes_back(bits: u64) {
            let number = f64::from_bits(bits);
            proptest::prop_assume!(!number.is_nan());
            proptest::prop_assert!(read_back(&Value::Real(number)) == Value::Real(number));
        }

        #[test]
        fn any_bytes_come_back(bytes: Vec<u8>) {
            for value in [Value::Text(bytes.clone()), Value::Blob(bytes)] {
                proptest::prop_assert!(read_back(&value) == value);
            }
        }
    }
}
