//! The proleptic Gregorian calendar in days and microseconds from 2000-01-01.

/// Microseconds of one day.
pub const DAY: i64 = 86_400_000_000;
/// Days from 1970-01-01 to 2000-01-01.
const EPOCH: i64 = 10_957;

/// Year, month and day of the day that is `days` after 2000-01-01.
///
/// The algorithm counts years from March, so that the leap day is the last of its year and the month follows from a
/// linear formula (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
#[must_use]
pub fn date(days: i64) -> (i64, u8, u8) {
    let z = days + EPOCH + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month as u8, day as u8)
}

/// Days from 2000-01-01 to the given date.
#[must_use]
pub fn days(year: i32, month: u8, day: u8) -> i64 {
    let y = i64::from(year) - i64::from(month <= 2);
    let era = y.div_euclid(400);
    let year_of_era = y - era * 400;
    let from_march = i64::from(month) + if month > 2 { -3 } else { 9 };
    let of_year = (153 * from_march + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 719_468 - EPOCH
}

/// A time of day: hour, minute, second, microsecond of `us` microseconds after midnight.
#[must_use]
pub fn time(us: i64) -> (u8, u8, u8, u32) {
    let s = us / 1_000_000;
    ((s / 3600) as u8, (s / 60 % 60) as u8, (s % 60) as u8, (us % 1_000_000) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days() {
        for (n, ymd) in [
            (0, (2000, 1, 1)),
            (59, (2000, 2, 29)),
            (60, (2000, 3, 1)),
            (-1, (1999, 12, 31)),
            (-730_119, (1, 1, 1)),
            (2_921_939, (9999, 12, 31)),
            (-730_120, (0, 12, 31)),
        ] {
            assert_eq!(date(n), ymd, "{n}");
            assert_eq!(days(ymd.0 as i32, ymd.1, ymd.2), n);
        }
    }

    #[test]
    fn every_day_of_two_eras_comes_back() {
        for n in -150_000..150_000 {
            let (y, m, d) = date(n);
            assert_eq!(days(y as i32, m, d), n);
        }
    }

    #[test]
    fn times() {
        assert_eq!(time(86_399_999_999), (23, 59, 59, 999_999));
        assert_eq!(time(0), (0, 0, 0, 0));
    }
}
