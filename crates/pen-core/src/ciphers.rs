//! `ssl_ciphers`: OpenSSL's language of cipher lists, for the suites that Pen offers.
//!
//! A list is words between colons (or commas): names of suites and of groups, `A+B` for what is in
//! both; `!x` never, `-x` take away, `+x` to the end, `@STRENGTH` the long keys first. Groups mean
//! suites of TLS 1.2, as in OpenSSL; suites of TLS 1.3 are named one by one, and a list that names
//! none leaves them as they are. So does a list of TLS 1.3 names with those of TLS 1.2. A name that
//! stands for something Pen does not offer brings nothing, so that the lists of other programs
//! work; a list that is left with nothing is an error. Deliberately not here: what the library
//! calls them.

use crate::near::{hint, shown};

#[cfg(test)]
mod tests;

/// The suites there are, in the order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the registered ones")]
pub enum Suite {
    Aes256GcmSha384,
    Aes128GcmSha256,
    Chacha20Poly1305Sha256,
    EcdheEcdsaAes256GcmSha384,
    EcdheEcdsaAes128GcmSha256,
    EcdheEcdsaChacha20Poly1305,
    EcdheRsaAes256GcmSha384,
    EcdheRsaAes128GcmSha256,
    EcdheRsaChacha20Poly1305,
}

/// What every server should offer a client, TLS 1.3 first.
const ALL: [Suite; 9] = [
    Suite::Aes256GcmSha384,
    Suite::Aes128GcmSha256,
    Suite::Chacha20Poly1305Sha256,
    Suite::EcdheEcdsaAes256GcmSha384,
    Suite::EcdheEcdsaAes128GcmSha256,
    Suite::EcdheEcdsaChacha20Poly1305,
    Suite::EcdheRsaAes256GcmSha384,
    Suite::EcdheRsaAes128GcmSha256,
    Suite::EcdheRsaChacha20Poly1305,
];

/// Groups that hold at least one suite.
const GROUPS: [&str; 21] = [
    "ALL",
    "DEFAULT",
    "HIGH",
    "ECDHE",
    "EECDH",
    "kECDHE",
    "kEECDH",
    "ECDSA",
    "aECDSA",
    "aRSA",
    "AES",
    "AESGCM",
    "AES128",
    "AES256",
    "CHACHA20",
    "TLSv1.2",
    "SUITEB128",
    "SUITEB192",
    "SUITEB128ONLY",
    "FIPS",
    "AEAD",
];

/// Groups of OpenSSL that hold nothing of what Pen offers: old, weak, or without encryption.
const EMPTY_GROUPS: &[&str] = &[
    "COMPLEMENTOFDEFAULT",
    "COMPLEMENTOFALL",
    "MEDIUM",
    "LOW",
    "EXP",
    "EXPORT",
    "EXPORT40",
    "EXPORT56",
    "eNULL",
    "NULL",
    "aNULL",
    "kRSA",
    "RSA",
    "kDHr",
    "kDHd",
    "kDH",
    "kDHE",
    "kEDH",
    "DH",
    "DHE",
    "EDH",
    "ADH",
    "AECDH",
    "ECDH",
    "kECDH",
    "kECDHe",
    "kECDHr",
    "aECDH",
    "aDSS",
    "DSS",
    "aDH",
    "TLSv1",
    "TLSv1.0",
    "SSLv2",
    "SSLv3",
    "AESCCM",
    "AESCCM8",
    "ARIA",
    "ARIA128",
    "ARIA256",
    "CAMELLIA",
    "CAMELLIA128",
    "CAMELLIA256",
    "3DES",
    "DES",
    "RC4",
    "RC2",
    "IDEA",
    "SEED",
    "MD5",
    "SHA",
    "SHA1",
    "SHA256",
    "SHA384",
    "aGOST",
    "aGOST01",
    "kGOST",
    "GOST94",
    "GOST89MAC",
    "GOST",
    "PSK",
    "kPSK",
    "kECDHEPSK",
    "kDHEPSK",
    "kRSAPSK",
    "aPSK",
    "SRP",
    "kSRP",
    "aSRP",
    "kKRB5",
    "aKRB5",
    "KRB5",
    "kFZA",
    "aFZA",
    "eFZA",
    "FZA",
    "CBC",
];

impl Suite {
    /// OpenSSL's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Aes256GcmSha384 => "TLS_AES_256_GCM_SHA384",
            Self::Aes128GcmSha256 => "TLS_AES_128_GCM_SHA256",
            Self::Chacha20Poly1305Sha256 => "TLS_CHACHA20_POLY1305_SHA256",
            Self::EcdheEcdsaAes256GcmSha384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
            Self::EcdheEcdsaAes128GcmSha256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
            Self::EcdheEcdsaChacha20Poly1305 => "ECDHE-ECDSA-CHACHA20-POLY1305",
            Self::EcdheRsaAes256GcmSha384 => "ECDHE-RSA-AES256-GCM-SHA384",
            Self::EcdheRsaAes128GcmSha256 => "ECDHE-RSA-AES128-GCM-SHA256",
            Self::EcdheRsaChacha20Poly1305 => "ECDHE-RSA-CHACHA20-POLY1305",
        }
    }

    /// Whether it is one of TLS 1.3; the others are of TLS 1.2.
    #[must_use]
    pub fn is_tls13(self) -> bool {
        self.name().starts_with("TLS_")
    }

    /// The name that IANA registered, if it differs from OpenSSL's.
    fn registered_name(self) -> &'static str {
        match self {
            Self::EcdheEcdsaAes256GcmSha384 => "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            Self::EcdheEcdsaAes128GcmSha256 => "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            Self::EcdheEcdsaChacha20Poly1305 => "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
            Self::EcdheRsaAes256GcmSha384 => "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            Self::EcdheRsaAes128GcmSha256 => "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            Self::EcdheRsaChacha20Poly1305 => "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
            tls13 => tls13.name(),
        }
    }

    /// Bits of the key, as `@STRENGTH` counts them.
    fn strength(self) -> u32 {
        if self.name().contains("128") { 128 } else { 256 }
    }

    /// Whether `word` is its name or a group that it is in.
    fn is_in(self, word: &str) -> bool {
        let name = self.name();
        if word == name || word == self.registered_name() {
            return true;
        }
        if self.is_tls13() {
            return false;
        }
        let [ecdsa, aes] = [name.contains("ECDSA"), name.contains("AES")];
        let [aes128, aes256] = [name.contains("AES128"), name.contains("AES256")];
        match word {
            "ALL" | "DEFAULT" | "HIGH" | "TLSv1.2" | "AEAD" => true,
            "ECDHE" | "EECDH" | "kECDHE" | "kEECDH" => true,
            "ECDSA" | "aECDSA" => ecdsa,
            "aRSA" => !ecdsa,
            "AES" | "AESGCM" | "FIPS" => aes,
            "AES128" => aes128,
            "AES256" => aes256,
            "CHACHA20" => !aes,
            "SUITEB128" => ecdsa && aes,
            "SUITEB192" => ecdsa && aes256,
            "SUITEB128ONLY" => ecdsa && aes128,
            _ => false,
        }
    }
}

/// A list that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ciphers {
    /// As written.
    text: String,
    suites: Vec<Suite>,
    foreign: Vec<String>,
}

impl Ciphers {
    /// Reads a list.
    ///
    /// # Errors
    /// The word at fault: it is no word of the language, or the list is left with nothing.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut list = List::default();
        let words = text.split([':', ',', ' ']).filter(|w| !w.is_empty());
        for word in words {
            list.word(word)?;
        }
        if list.chosen.is_empty() {
            let all = match list.foreign.is_empty() {
                true => shown(text),
                false => list.foreign.iter().map(|w| shown(w)).collect::<Vec<_>>().join(", "),
            };
            return Err(format!(
                "nothing is left of the list: {all} stands for no cipher that Pen offers; it offers \
                 ECDHE with AES-GCM or CHACHA20-POLY1305, and the suites of TLS 1.3"
            ));
        }
        Ok(Self { text: text.to_owned(), suites: list.complete(), foreign: list.foreign })
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The suites of both versions, each version's in the order of preference. Never empty.
    #[must_use]
    pub fn suites(&self) -> &[Suite] {
        &self.suites
    }

    /// Words that stand for ciphers Pen does not offer.
    #[must_use]
    pub fn foreign(&self) -> &[String] {
        &self.foreign
    }

    /// All suites: what is offered without a list.
    #[must_use]
    pub fn all() -> &'static [Suite] {
        &ALL
    }
}

/// A list while it is read.
#[derive(Default)]
struct List {
    chosen: Vec<Suite>,
    never: Vec<Suite>,
    foreign: Vec<String>,
}

impl List {
    fn word(&mut self, word: &str) -> Result<(), String> {
        if let Some(order) = word.strip_prefix('@') {
            return self.order(word, order);
        }
        let (sign, name) = match word.strip_prefix(['!', '-', '+']) {
            Some(name) => (word.chars().next(), name),
            None => (None, word),
        };
        let found = members(name)?;
        if found.is_empty() && sign.is_none() {
            self.foreign.push(name.to_owned());
        }
        match sign {
            Some('!') => {
                self.chosen.retain(|s| !found.contains(s));
                self.never.extend(found);
            }
            Some('-') => self.chosen.retain(|s| !found.contains(s)),
            // Those that are there already move to the end.
            Some(_) => self.chosen.sort_by_key(|s| found.contains(s)),
            None => {
                let new = found.into_iter().filter(|s| !self.never.contains(s));
                let new: Vec<Suite> = new.filter(|s| !self.chosen.contains(s)).collect();
                self.chosen.extend(new);
            }
        }
        Ok(())
    }

    fn order(&mut self, word: &str, order: &str) -> Result<(), String> {
        match order {
            "STRENGTH" => self.chosen.sort_by_key(|s| std::cmp::Reverse(s.strength())),
            // Everything that is offered reaches level 2.
            "SECLEVEL=0" | "SECLEVEL=1" | "SECLEVEL=2" => {}
            _ => {
                return Err(format!(
                    "{} is none of @STRENGTH, @SECLEVEL=0, @SECLEVEL=1, @SECLEVEL=2",
                    shown(word)
                ));
            }
        }
        Ok(())
    }

    /// The list, and for a version that it does not speak of all its suites but the banned ones.
    fn complete(&self) -> Vec<Suite> {
        let of = |tls13: bool| {
            let chosen: Vec<Suite> =
                self.chosen.iter().copied().filter(|s| s.is_tls13() == tls13).collect();
            match chosen.is_empty() {
                false => chosen,
                true => {
                    let all = ALL.into_iter().filter(|s| s.is_tls13() == tls13);
                    all.filter(|s| !self.never.contains(s)).collect()
                }
            }
        };
        [of(true), of(false)].concat()
    }
}

/// The suites that a name, or several with `+` between them, stand for.
fn members(name: &str) -> Result<Vec<Suite>, String> {
    let mut found = ALL.to_vec();
    for part in name.split('+') {
        let known = GROUPS.contains(&part) || EMPTY_GROUPS.contains(&part);
        if !known && !is_like_a_suite(part) {
            let all = GROUPS.into_iter().chain(ALL.iter().map(|s| s.name()));
            return Err(format!("{} is no cipher and no group{}", shown(part), hint(part, all)));
        }
        found.retain(|s| s.is_in(part));
    }
    Ok(found)
}

/// Whether it can be the name of a suite of another program: `AES128-SHA`, `TLS_RSA_WITH_...`.
fn is_like_a_suite(name: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    name.contains(['-', '_']) && name.bytes().all(word)
}
