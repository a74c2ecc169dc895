//! Polynomials over GF(2), which choose where a repository's files are cut into chunks.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A polynomial over GF(2) of degree 63 or less; bit `i` is the coefficient of `x^i`.
///
/// In `config` it stands as lower-case hex without leading zeros. Any value decodes, as it does in restic: whether it
/// is fit for chunking is for [`super::Chunker`] to say, so that a repository with a bad one can still be read.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Polynomial(u64);

/// Why a text is no polynomial.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is no chunker polynomial: 1 to 16 hex digits are expected")]
pub struct PolynomialError {
    text: String,
}

impl Polynomial {
    /// The degree that every polynomial made by restic has.
    pub const DEGREE: u32 = 53;

    /// The polynomial with these coefficients.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The coefficients.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// A random irreducible polynomial of degree 53; fails only if the system has no randomness to give.
    ///
    /// About one candidate in 27 is irreducible.
    pub fn random() -> Result<Self, getrandom::Error> {
        loop {
            let low_bits = getrandom::u64()? & ((1 << Self::DEGREE) - 1);
            // The lowest bit too: without it `x` is a factor.
            let candidate = Self(low_bits | 1 << Self::DEGREE | 1);
            if candidate.is_irreducible() {
                return Ok(candidate);
            }
        }
    }

    /// The degree; `None` for the zero polynomial.
    pub const fn degree(self) -> Option<u32> {
        self.0.checked_ilog2()
    }

    /// Whether no two polynomials of lower degree multiply to this one (Ben-Or's test).
    ///
    /// False for constants. restic says true of 0 and 1, by an empty loop.
    pub fn is_irreducible(self) -> bool {
        let Some(degree @ 1..) = self.degree() else { return false };
        let x = Self(2).remainder(self);
        let mut power = x;
        // x^(2^i) - x is the product of all irreducible polynomials whose degree divides i.
        (1..=degree / 2).all(|_| {
            power = power.multiply(power, self);
            Self(power.0 ^ x.0).gcd(self) == Self(1)
        })
    }

    /// The remainder of a division by `divisor`; dividing by zero leaves the polynomial as it is.
    pub(super) fn remainder(self, divisor: Self) -> Self {
        let Some(divisor_degree) = divisor.degree() else { return self };
        let mut rest = self;
        while let Some(degree) = rest.degree()
            && degree >= divisor_degree
        {
            rest.0 ^= divisor.0 << (degree - divisor_degree);
        }
        rest
    }

    /// The product of two polynomials modulo a third.
    fn multiply(self, other: Self, modulus: Self) -> Self {
        let mut shifted = self.remainder(modulus);
        let mut factor = other.remainder(modulus).0;
        let mut product = 0;
        while factor != 0 {
            if factor & 1 == 1 {
                product ^= shifted.0;
            }
            // Both are reduced, so the degree is at most 62 and nothing is shifted out.
            shifted = Self(shifted.0 << 1).remainder(modulus);
            factor >>= 1;
        }
        Self(product)
    }

    /// The greatest common divisor.
    fn gcd(self, other: Self) -> Self {
        let (mut a, mut b) = (self, other);
        while b.0 != 0 {
            (a, b) = (b, a.remainder(b));
        }
        a
    }
}

impl fmt::Display for Polynomial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl fmt::Debug for Polynomial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Polynomial({self})")
    }
}

impl FromStr for Polynomial {
    type Err = PolynomialError;

    fn from_str(text: &str) -> Result<Self, PolynomialError> {
        let error = || PolynomialError { text: text.chars().take(40).collect() };
        if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(error());
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| error())
    }
}

impl Serialize for Polynomial {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Polynomial {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn table(name: &str) -> Vec<Value> {
        let tables: Value = serde_json::from_str(include_str!("../../fixtures/vectors/polynomials.json")).unwrap();
        tables[name].as_array().unwrap().clone()
    }

    fn parse(value: &Value) -> Polynomial {
        value.as_str().unwrap().parse().unwrap()
    }

    #[test]
    fn divisors_products_and_remainders_are_those_of_restic() {
        for row in table("gcd") {
            assert_eq!(parse(&row[0]).gcd(parse(&row[1])), parse(&row[2]), "{row}");
        }
        for row in table("mulmod") {
            assert_eq!(parse(&row[0]).multiply(parse(&row[1]), parse(&row[2])), parse(&row[3]), "{row}");
        }
        for row in table("mod") {
            assert_eq!(parse(&row[0]).remainder(parse(&row[1])), parse(&row[2]), "{row}");
        }
    }

    #[test]
    fn irreducible_ones_are_told_from_others() {
        for row in table("irreducible") {
            assert_eq!(parse(&row["pol"]).is_irreducible(), row["irreducible"], "{row}");
        }
        assert!(!Polynomial::from_bits(0).is_irreducible());
        assert!(!Polynomial::from_bits(1).is_irreducible());
        assert!(Polynomial::from_bits(0b10).is_irreducible());
    }

    #[test]
    fn random_ones_are_fit_for_a_repository() {
        let polynomial = Polynomial::random().unwrap();
        assert_eq!(polynomial.degree(), Some(53));
        assert!(polynomial.is_irreducible());
        assert_ne!(polynomial, Polynomial::random().unwrap());
    }

    #[test]
    fn text_is_hex_without_prefix() {
        assert_eq!(parse(&"003DA3358B4DC173".into()).to_string(), "3da3358b4dc173");
        for text in ["", "0x1", "+1", "-1", "g", "10000000000000000", "1_0"] {
            assert!(text.parse::<Polynomial>().is_err(), "{text:?}");
        }
        let json = serde_json::to_string(&Polynomial::from_bits(0x2f)).unwrap();
        assert_eq!(json, "\"2f\"");
        assert_eq!(serde_json::from_str::<Polynomial>(&json).unwrap().bits(), 0x2f);
    }
}
