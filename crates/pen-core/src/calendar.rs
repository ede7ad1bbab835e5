//! The Gregorian calendar, forward and back: days since 1970-01-01. Years are taken to begin in March,
//! so that the leap day is the last one.

/// Days from 1 March of the year 0 to 1 January 1970.
const EPOCH: i64 = 719_468;
/// Days of 400 years.
const ERA: i64 = 146_097;

/// Days from 1970-01-01 to a date.
#[must_use]
pub fn days((year, month, day): (i64, i64, i64)) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH
}

/// Year, month and day, `days` after 1970-01-01.
#[must_use]
pub fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days.saturating_add(EPOCH);
    let (era, of_era) = (shifted.div_euclid(ERA), shifted.rem_euclid(ERA));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(-1), (1969, 12, 31));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(days((2000, 2, 29)), 11_016);
        assert_ne!(date(days((2001, 2, 29))), (2001, 2, 29), "there is no such day");
    }

    #[test]
    fn every_day_of_four_centuries_follows_the_one_before() {
        let mut before = date(-1);
        for day in 0..ERA {
            let (y, m, d) = date(day);
            let (by, bm, bd) = before;
            let next = (y, m, d) == (by, bm, bd + 1);
            let month = d == 1 && (28..=31).contains(&bd) && (y * 12 + m) == (by * 12 + bm + 1);
            assert!(next || month, "{before:?} {:?}", (y, m, d));
            assert_eq!(days((y, m, d)), day);
            before = (y, m, d);
        }
    }
}
